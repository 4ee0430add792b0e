-- Steps of a few kilobytes, in the order they were taken: rows of an ordinary table share pages,
-- where those of one without a rowid spilled into pages of their own.
CREATE TABLE taken (
    run        TEXT     NOT NULL,
    number     INTEGER  NOT NULL,                     -- 1, 2, 3 … in a run
    kind       TEXT     NOT NULL,                     -- answer, expire, give_up
    key        INTEGER  NOT NULL,
    body_hash  BLOB,                                  -- SHA-256, where no content is kept
    body       BLOB,                                  -- msgpack, where it is
    checksum   BLOB     NOT NULL,
    PRIMARY KEY (run, number)
) STRICT;

INSERT INTO taken SELECT * FROM steps ORDER BY run, number;

DROP TABLE steps;

ALTER TABLE taken RENAME TO steps;
