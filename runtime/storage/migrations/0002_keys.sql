-- Who may ask, for what, how often and for how much.  A key itself is never stored, only its
-- SHA-256; a row stays after its key is revoked, so that spending keeps its name.
CREATE TABLE api_keys (
    id                   TEXT    PRIMARY KEY,
    name                 TEXT    NOT NULL,
    digest               BLOB    NOT NULL UNIQUE,
    scopes               TEXT    NOT NULL,             -- separated by spaces; empty: all but admin
    monthly_limit_nano   INTEGER,                      -- nano-USD; NULL: no limit
    requests_per_minute  INTEGER,                      -- NULL: no limit
    created_at           REAL    NOT NULL,             -- seconds since the epoch, as all times here
    expires_at           REAL,
    revoked_at           REAL
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX api_keys_live_name ON api_keys (name) WHERE revoked_at IS NULL;
