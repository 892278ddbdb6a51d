-- Sessions, the front ends' keys, who did what, requests that are repeated, and bills other than the monthly rent.

CREATE TABLE refresh_tokens (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    token_hash  TEXT   NOT NULL UNIQUE,
    family      TEXT   NOT NULL,
    user_id     INTEGER NOT NULL REFERENCES users (id),
    created_at  INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL,
    spent_at    INTEGER,
    revoked_at  INTEGER
);
CREATE INDEX refresh_tokens_family ON refresh_tokens (family);
CREATE INDEX refresh_tokens_user ON refresh_tokens (user_id);

CREATE TABLE api_keys (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    name        TEXT   NOT NULL CHECK (length(name) BETWEEN 1 AND 64),
    key_hash    TEXT   NOT NULL UNIQUE,
    created_at  INTEGER NOT NULL,
    revoked_at  INTEGER
);
CREATE UNIQUE INDEX api_keys_name ON api_keys (name) WHERE revoked_at IS NULL;

CREATE TABLE audit (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    at        INTEGER NOT NULL,
    actor_id  INTEGER REFERENCES users (id),
    actor     TEXT   NOT NULL,
    action    TEXT   NOT NULL,
    subject   TEXT   NOT NULL,
    before    TEXT,
    after     TEXT,
    reason    TEXT
);
CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit
BEGIN
    SELECT RAISE(ABORT, 'audit is append-only');
END;
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit
BEGIN
    SELECT RAISE(ABORT, 'audit is append-only');
END;

CREATE TABLE idempotency_keys (
    user_id       INTEGER NOT NULL REFERENCES users (id),
    key           TEXT   NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
    request_hash  TEXT   NOT NULL,
    created_at    INTEGER NOT NULL,
    status        INTEGER,
    body          TEXT,
    PRIMARY KEY (user_id, key),
    CHECK ((status IS NULL) = (body IS NULL))
);
CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at);

ALTER TABLE bills ADD COLUMN kind TEXT NOT NULL DEFAULT 'rent' CHECK (kind IN ('rent', 'extra'));
ALTER TABLE bills ADD COLUMN title TEXT;
ALTER TABLE bills ADD COLUMN due_at INTEGER;
ALTER TABLE bills ADD COLUMN voided_at INTEGER;
-- A month that was voided is not billed again; extra bills are as many as wanted.
DROP INDEX bills_month;
CREATE UNIQUE INDEX bills_month ON bills (tenant_id, year, month) WHERE kind = 'rent';
