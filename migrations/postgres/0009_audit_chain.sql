-- The audit is a chain: each row carries a hash of itself and of the row before.

ALTER TABLE audit ADD COLUMN hash TEXT CHECK (length(hash) = 64);

-- The last row of the chain. Whoever writes a row holds this one meanwhile.
CREATE TABLE audit_head (
    one     BIGINT PRIMARY KEY CHECK (one = 1),
    hash    TEXT   NOT NULL,
    row_id  BIGINT NOT NULL,
    -- Rows up to this one are older than the chain, and in no link of it.
    after   BIGINT NOT NULL
);
INSERT INTO audit_head (one, hash, row_id, after)
SELECT 1, '', COALESCE(max(id), 0), COALESCE(max(id), 0) FROM audit;

CREATE FUNCTION kasir_audit_is_a_chain() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit is a chain: a row needs its hash';
END
$$;
CREATE TRIGGER audit_no_gap BEFORE INSERT ON audit
    FOR EACH ROW WHEN (NEW.hash IS NULL) EXECUTE FUNCTION kasir_audit_is_a_chain();
