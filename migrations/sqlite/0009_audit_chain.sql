-- The audit is a chain: each row carries a hash of itself and of the row before.

ALTER TABLE audit ADD COLUMN hash TEXT CHECK (length(hash) = 64);

-- The last row of the chain. Whoever writes a row holds this one meanwhile.
CREATE TABLE audit_head (
    one     INTEGER PRIMARY KEY CHECK (one = 1),
    hash    TEXT    NOT NULL,
    row_id  INTEGER NOT NULL,
    -- Rows up to this one are older than the chain, and in no link of it.
    after   INTEGER NOT NULL
);
INSERT INTO audit_head (one, hash, row_id, after)
SELECT 1, '', COALESCE(max(id), 0), COALESCE(max(id), 0) FROM audit;

CREATE TRIGGER audit_no_gap BEFORE INSERT ON audit WHEN NEW.hash IS NULL
BEGIN
    SELECT RAISE(ABORT, 'audit is a chain: a row needs its hash');
END;
