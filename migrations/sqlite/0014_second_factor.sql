-- The second factor of those who run the house: one-time codes (RFC 6238), and codes for when the telephone is lost.

-- Since when the person needs a code to come in; NULL: the password is enough.
ALTER TABLE users ADD COLUMN second_factor_since INTEGER;

CREATE TABLE second_factors (
    user_id    INTEGER PRIMARY KEY REFERENCES users (id),
    -- Encrypted under the secret of the installation.
    sealed     TEXT    NOT NULL,
    made_at    INTEGER NOT NULL,
    -- The last thirty seconds whose code was taken: none of that time or before is taken again.
    last_step  INTEGER NOT NULL DEFAULT 0,
    failures   INTEGER NOT NULL DEFAULT 0,
    failed_at  INTEGER
);

CREATE TABLE recovery_codes (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id    INTEGER NOT NULL REFERENCES users (id),
    code_hash  TEXT    NOT NULL UNIQUE
);
CREATE INDEX recovery_codes_user ON recovery_codes (user_id);
