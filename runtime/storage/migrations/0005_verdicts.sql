-- How judges did: what is counted of their verdicts, and nothing of what they read or said.
CREATE TABLE verdicts (
    run          TEXT     NOT NULL,
    number       INTEGER  NOT NULL,                   -- 1, 2, 3 … in a run
    at           REAL     NOT NULL,                   -- when the run ended, seconds since the epoch
    judge        TEXT     NOT NULL,                   -- a model's id
    choice       TEXT     NOT NULL,                   -- one, tie, none, unreadable
    narrow       INTEGER  NOT NULL,
    second_look  TEXT,                                -- confirmed, settled, flipped, failed
    candidates   INTEGER  NOT NULL,
    kin          INTEGER  NOT NULL,                   -- of these, of the judge's own family
    chose_kin    INTEGER  NOT NULL,
    PRIMARY KEY (run, number)
) STRICT;
