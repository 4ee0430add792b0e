-- What each run was told, in order: enough to carry it out again.  A row's checksum covers the run,
-- the number, the kind, the key and the body.
CREATE TABLE steps (
    run        TEXT     NOT NULL,
    number     INTEGER  NOT NULL,                     -- 1, 2, 3 … in a run
    kind       TEXT     NOT NULL,                     -- answer, expire, give_up
    key        INTEGER  NOT NULL,
    body_hash  BLOB,                                  -- SHA-256, where no content is kept
    body       BLOB,                                  -- msgpack, where it is
    checksum   BLOB     NOT NULL,
    PRIMARY KEY (run, number)
) STRICT, WITHOUT ROWID;

-- A run that is wanted is carried on after a restart, by the same version of its strategy.
ALTER TABLE runs ADD COLUMN wanted INTEGER NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN strategy TEXT NOT NULL DEFAULT '';

-- The names by which clients ask for a run again; `owner` is the id of an API key, or empty.
CREATE TABLE idempotency (
    owner      TEXT     NOT NULL,
    name       TEXT     NOT NULL,
    body_hash  BLOB     NOT NULL,
    run        TEXT     NOT NULL,
    at         REAL     NOT NULL,
    PRIMARY KEY (owner, name)
) STRICT, WITHOUT ROWID;
