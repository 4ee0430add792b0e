-- A row holds all that a run was told in one transaction: `length` steps from `number` on.
-- Its kind is `several`, its body the msgpack of the steps; rows of before hold one step each.
ALTER TABLE steps ADD COLUMN length INTEGER NOT NULL DEFAULT 1;
