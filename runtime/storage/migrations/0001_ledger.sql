-- Money is in nano-USD; times are seconds since the epoch; windows are months, as 2026-11, in UTC.

CREATE TABLE ledger (
    epoch  INTEGER  NOT NULL                          -- counts the ledgers that have begun
) STRICT;

INSERT INTO ledger VALUES (0);

-- What an owner, `installation` or `key:<id>`, has spent in a month.  What is leased is in use by
-- the running ledger; after a crash it counts as spent.
CREATE TABLE accounts (
    owner        TEXT     NOT NULL,
    window       TEXT     NOT NULL,
    limit_nano   INTEGER,                             -- as it was last known; NULL: none
    spent_nano   INTEGER  NOT NULL,
    leased_nano  INTEGER  NOT NULL,
    PRIMARY KEY (owner, window)
) STRICT, WITHOUT ROWID;

CREATE TABLE runs (
    id           TEXT     PRIMARY KEY,
    key          TEXT,
    mode         TEXT     NOT NULL,
    request_id   TEXT,
    status       TEXT     NOT NULL,                   -- running, complete, degraded, failed, cancelled
    http_status  INTEGER,
    started_at   REAL     NOT NULL,
    ended_at     REAL,
    order_hash   BLOB,                                -- SHA-256, where no content is kept
    "order"      BLOB,                                -- msgpack, where it is
    body_hash    BLOB,
    body         BLOB                                 -- the JSON answered
) STRICT;

CREATE INDEX running ON runs (id) WHERE status = 'running';

-- Attempts at model calls; their ids are `<run>.<n>`.
CREATE TABLE attempts (
    id                  TEXT     PRIMARY KEY,
    run                 TEXT     NOT NULL,
    key                 TEXT,
    mode                TEXT     NOT NULL,
    role                TEXT     NOT NULL,
    model               TEXT     NOT NULL,
    provider            TEXT     NOT NULL,
    status              TEXT     NOT NULL,            -- reserved, ok, failed, cancelled, invalid
    window              TEXT     NOT NULL,            -- the month it is charged to
    day                 TEXT     NOT NULL,            -- of its reservation, as 2026-11-03
    reserved_at         REAL     NOT NULL,
    settled_at          REAL,
    held_nano           INTEGER  NOT NULL,
    cost_nano           INTEGER  NOT NULL DEFAULT 0,
    estimated           INTEGER  NOT NULL DEFAULT 0,
    uncertain           INTEGER  NOT NULL DEFAULT 0,
    lease_of            TEXT,                         -- of a lease that a crash left: its account
    attempt             INTEGER  NOT NULL DEFAULT 0,
    started_ms          REAL     NOT NULL DEFAULT 0,
    latency_ms          REAL     NOT NULL DEFAULT 0,
    input_tokens        INTEGER  NOT NULL DEFAULT 0,
    cache_read_tokens   INTEGER  NOT NULL DEFAULT 0,
    cache_write_tokens  INTEGER  NOT NULL DEFAULT 0,
    output_tokens       INTEGER  NOT NULL DEFAULT 0,
    reasoning_tokens    INTEGER  NOT NULL DEFAULT 0,
    truncated           INTEGER  NOT NULL DEFAULT 0,
    clamped             INTEGER  NOT NULL DEFAULT 0,
    error               TEXT,
    text_hash           BLOB,
    text                TEXT
) STRICT;

CREATE INDEX reserved ON attempts (window) WHERE status = 'reserved';
CREATE INDEX uncertain ON attempts (id) WHERE uncertain;
