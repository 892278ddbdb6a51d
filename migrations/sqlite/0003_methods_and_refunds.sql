-- The telephone number that a wallet asks for, the transactions of a payment, and money given back.

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
CREATE INDEX refunds_unsettled ON refunds (updated_at) WHERE state IN ('wanted', 'asked', 'accepted');

-- The transactions of a payment on the hosted page, where a payer may try several times under one invoice.
CREATE TABLE payment_tries (
    payment_id      INTEGER NOT NULL REFERENCES payments (id),
    transaction_id  TEXT   NOT NULL,
    seen_at         INTEGER NOT NULL,
    PRIMARY KEY (payment_id, transaction_id)
);
