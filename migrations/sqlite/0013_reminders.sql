-- What tenants are told of their bills: each thing once in each way.

-- The tenant's own language; where it is NULL the house's is used. And since when they want no reminders.
ALTER TABLE users ADD COLUMN language TEXT CHECK (language IN ('id', 'en'));
ALTER TABLE users ADD COLUMN reminders_off_at INTEGER;

CREATE TABLE reminders (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    bill_id     INTEGER NOT NULL REFERENCES bills (id),
    tenant_id   INTEGER NOT NULL REFERENCES users (id),
    kind        TEXT    NOT NULL CHECK (kind IN ('new_bill', 'due_soon', 'due_today', 'overdue', 'paid')),
    channel     TEXT    NOT NULL CHECK (channel IN ('email', 'webhook')),
    -- The same each time it is sent, so that whoever gets it twice knows.
    message_id  TEXT    NOT NULL UNIQUE,
    found_at    INTEGER NOT NULL,
    tries       INTEGER NOT NULL DEFAULT 0,
    tried_at    INTEGER,
    ended_at    INTEGER,
    outcome     TEXT    CHECK (outcome IN ('sent', 'refused', 'lapsed')),
    detail      TEXT,
    CHECK ((ended_at IS NULL) = (outcome IS NULL)),
    UNIQUE (bill_id, kind, channel)
);
CREATE INDEX reminders_of_tenant ON reminders (tenant_id, id);

CREATE INDEX bills_made ON bills (created_at);
CREATE INDEX payments_paid ON payments (paid_at) WHERE state = 'paid';
