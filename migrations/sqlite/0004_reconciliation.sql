-- What reconciliation keeps: the double-entry journal, the runs and what they found, and how far the look for
-- missed notifications has come.

-- A posting moves an amount from one account to another. As each row has both sides, no set of rows fails to sum to zero.
CREATE TABLE postings (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    kind        TEXT   NOT NULL CHECK (kind IN ('opening', 'pending', 'paid', 'released', 'refunded', 'reversed',
                       'charged_back', 'fee', 'vat', 'payout')),
    debit       TEXT   NOT NULL CHECK (debit IN ('tenants', 'pending', 'gateway', 'cash', 'refunded', 'reversed',
                       'charged_back', 'fees', 'vat', 'bank')),
    credit      TEXT   NOT NULL CHECK (credit IN ('tenants', 'pending', 'gateway', 'cash', 'refunded', 'reversed',
                       'charged_back', 'fees', 'vat', 'bank')),
    amount      INTEGER NOT NULL CHECK (amount > 0),
    payment_id  INTEGER REFERENCES payments (id),
    cause       TEXT   NOT NULL UNIQUE,
    at          INTEGER NOT NULL,
    CHECK (debit <> credit)
);
CREATE INDEX postings_of_payment ON postings (payment_id);
CREATE TRIGGER postings_no_update BEFORE UPDATE ON postings
BEGIN
    SELECT RAISE(ABORT, 'postings is append-only');
END;
CREATE TRIGGER postings_no_delete BEFORE DELETE ON postings
BEGIN
    SELECT RAISE(ABORT, 'postings is append-only');
END;

-- What the books held before there was a journal.
INSERT INTO postings (kind, debit, credit, amount, payment_id, cause, at)
SELECT 'opening', account, 'tenants', part, id, 'opening:' || id || ':' || account, updated_at
FROM (
    SELECT id, updated_at, amount AS part, 'pending' AS account FROM payments WHERE state IN ('pending', 'review')
    UNION ALL
    SELECT id, updated_at, amount - CASE WHEN state = 'paid' THEN 0 ELSE refunded END,
           CASE WHEN method = 'cash' THEN 'cash' ELSE 'gateway' END
    FROM payments WHERE state IN ('paid', 'partially_refunded')
    UNION ALL
    SELECT id, updated_at, CASE WHEN state = 'refunded' THEN amount ELSE refunded END, 'refunded'
    FROM payments WHERE state IN ('partially_refunded', 'refunded', 'charged_back')
    UNION ALL
    SELECT id, updated_at, amount - refunded, 'charged_back' FROM payments WHERE state = 'charged_back'
    UNION ALL
    SELECT id, updated_at, amount, 'reversed' FROM payments WHERE state = 'failed' AND failure = 'reversed'
) AS held
WHERE part > 0;

-- One comparison of our payments with the gateway's.
CREATE TABLE reconciliations (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    slot         TEXT    NOT NULL UNIQUE,
    kind         TEXT    NOT NULL CHECK (kind IN ('nightly', 'manual')),
    dry_run      BOOLEAN NOT NULL,
    wanted_by    TEXT    NOT NULL,
    window_from  INTEGER  NOT NULL,
    window_to    INTEGER  NOT NULL,
    state        TEXT    NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'running', 'done')),
    total        INTEGER  NOT NULL DEFAULT 0,
    agreed       INTEGER  NOT NULL DEFAULT 0,
    repaired     INTEGER  NOT NULL DEFAULT 0,
    findings     INTEGER  NOT NULL DEFAULT 0,
    errors       INTEGER  NOT NULL DEFAULT 0,
    cursor_at    INTEGER  NOT NULL DEFAULT 0,
    cursor_id    INTEGER  NOT NULL DEFAULT 0,
    created_at   INTEGER  NOT NULL,
    started_at   INTEGER,
    finished_at  INTEGER,
    CHECK (window_from < window_to),
    CHECK ((state = 'done') = (finished_at IS NOT NULL))
);

CREATE TABLE reconciliation_items (
    id                 INTEGER PRIMARY KEY AUTOINCREMENT,
    reconciliation_id  INTEGER NOT NULL REFERENCES reconciliations (id),
    payment_id         INTEGER NOT NULL REFERENCES payments (id),
    verdict            TEXT   NOT NULL CHECK (verdict IN ('agreed', 'repaired', 'finding', 'error')),
    tries              INTEGER NOT NULL DEFAULT 1,
    before             TEXT   NOT NULL,
    after              TEXT   NOT NULL,
    detail             TEXT   NOT NULL,
    at                 INTEGER NOT NULL
);
CREATE UNIQUE INDEX reconciliation_items_payment ON reconciliation_items (reconciliation_id, payment_id);
CREATE INDEX reconciliation_items_verdict ON reconciliation_items (reconciliation_id, verdict, id);
CREATE INDEX reconciliation_items_of_payment ON reconciliation_items (payment_id);
CREATE INDEX reconciliation_items_place ON reconciliation_items (reconciliation_id, id);
CREATE INDEX reconciliation_items_age ON reconciliation_items (at);
CREATE INDEX payments_changed ON payments (updated_at, id);

-- How far something that reads a growing table has come.
CREATE TABLE watermarks (
    name   TEXT   PRIMARY KEY,
    value  INTEGER NOT NULL
);
INSERT INTO watermarks (name, value)
SELECT 'missed_notifications', COALESCE(max(id), 0) FROM payment_history;
-- Whoever prunes takes turns with others by this row.
INSERT INTO watermarks (name, value) VALUES ('pruning', 0);

-- What a notification claims has happened, in the words of payment_history.event.
ALTER TABLE notifications ADD COLUMN event TEXT;
CREATE INDEX notifications_of_payment ON notifications (payment_id) WHERE payment_id IS NOT NULL;
CREATE INDEX notifications_age ON notifications (received_at);

CREATE INDEX findings_open ON findings (kind, id) WHERE resolved_at IS NULL;
CREATE INDEX jobs_dead ON jobs (id) WHERE state = 'dead';
CREATE INDEX jobs_ended ON jobs (finished_at) WHERE state IN ('done', 'cancelled');
CREATE INDEX jobs_of_notification ON jobs (notification_id) WHERE notification_id IS NOT NULL;
CREATE INDEX audit_of_subject ON audit (subject, id);
