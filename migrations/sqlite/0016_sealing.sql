-- Personal data, encrypted at rest, and people who were forgotten.

-- The keys under which something is, or may be, sealed. Each holds the key of the addresses' hashes, sealed under itself.
CREATE TABLE data_keys (
    id         TEXT    PRIMARY KEY CHECK (length(id) BETWEEN 1 AND 32),
    index_key  TEXT    NOT NULL,
    made_at    INTEGER NOT NULL
);
-- Whoever writes a key down holds this row meanwhile.
INSERT INTO watermarks (name, value) VALUES ('data_keys', 0);

-- Address, name and telephone number, sealed together; then `email` is a keyed hash, `name` is empty and `phone` NULL.
ALTER TABLE users ADD COLUMN personal TEXT;
-- What the audit tells of the person is sealed under this. Without it nobody reads that any more.
ALTER TABLE users ADD COLUMN audit_key TEXT;
ALTER TABLE users ADD COLUMN erased_at INTEGER;

-- The payer's number, sealed; then `payer_phone` is NULL.
ALTER TABLE payments ADD COLUMN payer_sealed TEXT;
