-- The telephone number that a wallet asks for, the transaction that a notification speaks of, and money given back.

ALTER TABLE payments ADD COLUMN payer_phone TEXT CHECK (length(payer_phone) BETWEEN 1 AND 32);
CREATE INDEX payments_of_transaction ON payments (transaction_id) WHERE transaction_id IS NOT NULL;

ALTER TABLE notifications ADD COLUMN transaction_id TEXT;

CREATE TABLE refunds (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    payment_id    INTEGER NOT NULL REFERENCES payments (id),
    refund_key    TEXT   NOT NULL CHECK (length(refund_key) BETWEEN 1 AND 255),
    amount        INTEGER NOT NULL CHECK (amount >= 0),
    reason        TEXT   NOT NULL,
    is_ours       BOOLEAN NOT NULL,
    state         TEXT   NOT NULL CHECK (state IN ('wanted', 'asked', 'accepted', 'confirmed', 'refused')),
    answer        TEXT,
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    confirmed_at  INTEGER,
    CHECK ((state = 'confirmed') = (confirmed_at IS NOT NULL))
);
CREATE UNIQUE INDEX refunds_key ON refunds (payment_id, refund_key);
