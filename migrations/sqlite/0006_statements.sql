-- What the gateway's dashboard exports say: which files were read, and their lines. They are witnesses: no payment changes
-- because of them.

CREATE TABLE statements (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    sha256       TEXT   NOT NULL UNIQUE CHECK (length(sha256) = 64),
    name         TEXT   NOT NULL,
    kind         TEXT   NOT NULL CHECK (kind IN ('transactions', 'balance', 'payout')),
    rows         INTEGER NOT NULL CHECK (rows >= 0),
    new_rows     INTEGER NOT NULL DEFAULT 0 CHECK (new_rows BETWEEN 0 AND rows),
    first_at     INTEGER,
    last_at      INTEGER,
    imported_at  INTEGER NOT NULL,
    imported_by  TEXT   NOT NULL,
    CHECK ((rows = 0) = (first_at IS NULL)),
    CHECK ((rows = 0) = (last_at IS NULL))
);

CREATE TABLE statement_lines (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    statement_id    INTEGER NOT NULL REFERENCES statements (id),
    -- The same line in another file is the same line.
    line_key        TEXT   NOT NULL UNIQUE,
    place           INTEGER NOT NULL,
    kind            TEXT   NOT NULL CHECK (kind IN ('transactions', 'balance', 'payout')),
    order_id        TEXT,
    transaction_id  TEXT,
    payment_id      INTEGER REFERENCES payments (id),
    entry           TEXT   NOT NULL CHECK (entry IN ('payment', 'refund', 'chargeback', 'reversal', 'withdrawal',
                           'other')),
    type_word       TEXT   NOT NULL,
    channel         TEXT   NOT NULL,
    status          TEXT   NOT NULL,
    is_money        BOOLEAN NOT NULL,
    amount          INTEGER NOT NULL,
    fee             INTEGER CHECK (fee >= 0),
    vat             INTEGER CHECK (vat >= 0),
    net             INTEGER,
    at              INTEGER NOT NULL,
    settled_at      INTEGER,
    reference       TEXT,
    CHECK ((kind = 'payout') = (net IS NOT NULL))
);
CREATE INDEX statement_lines_of_payment ON statement_lines (payment_id, at) WHERE payment_id IS NOT NULL;
CREATE INDEX statement_lines_of_statement ON statement_lines (statement_id);
CREATE INDEX statement_lines_of_nobody ON statement_lines (order_id) WHERE payment_id IS NULL;

-- One import at a time.
INSERT INTO watermarks (name, value) VALUES ('statements', 0);

-- A line may name a try of a payer on the hosted page.
CREATE INDEX payment_tries_of_transaction ON payment_tries (transaction_id);
