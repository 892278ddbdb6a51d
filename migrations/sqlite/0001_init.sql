-- The house, its people, the bills, the money and the work.
-- Times are milliseconds since 1970, money is whole rupiah. The CHECKs pair with the types of the domain.

CREATE TABLE rooms (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    code        TEXT   NOT NULL CHECK (length(code) BETWEEN 1 AND 32),
    price       INTEGER NOT NULL CHECK (price >= 0),
    created_at  INTEGER NOT NULL,
    deleted_at  INTEGER
);
CREATE UNIQUE INDEX rooms_code ON rooms (code) WHERE deleted_at IS NULL;

CREATE TABLE users (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    email          TEXT   NOT NULL CHECK (length(email) BETWEEN 3 AND 254),
    name           TEXT   NOT NULL,
    phone          TEXT,
    role           TEXT   NOT NULL CHECK (role IN ('tenant', 'admin')),
    password_hash  TEXT   NOT NULL,
    created_at     INTEGER NOT NULL,
    deleted_at     INTEGER
);
CREATE UNIQUE INDEX users_email ON users (email) WHERE deleted_at IS NULL;

CREATE TABLE tenancies (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_id   INTEGER NOT NULL REFERENCES users (id),
    room_id     INTEGER NOT NULL REFERENCES rooms (id),
    start_date  TEXT   NOT NULL CHECK (length(start_date) = 10),
    end_date    TEXT            CHECK (length(end_date) = 10)
);
CREATE UNIQUE INDEX tenancies_room ON tenancies (room_id) WHERE end_date IS NULL;
CREATE UNIQUE INDEX tenancies_tenant ON tenancies (tenant_id) WHERE end_date IS NULL;

CREATE TABLE bills (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_id   INTEGER NOT NULL REFERENCES users (id),
    room_id     INTEGER NOT NULL REFERENCES rooms (id),
    year        INTEGER NOT NULL CHECK (year BETWEEN 2000 AND 2199),
    month       INTEGER NOT NULL CHECK (month BETWEEN 1 AND 12),
    amount      INTEGER NOT NULL CHECK (amount > 0),
    status      TEXT   NOT NULL DEFAULT 'unpaid' CHECK (status IN ('unpaid', 'pending', 'paid')),
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL
);
CREATE UNIQUE INDEX bills_month ON bills (tenant_id, year, month);

CREATE TABLE payment_methods (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    code    TEXT    NOT NULL UNIQUE,
    title   TEXT    NOT NULL,
    logo    TEXT    NOT NULL,
    active  BOOLEAN NOT NULL DEFAULT TRUE,
    place   INTEGER  NOT NULL DEFAULT 0
);

CREATE TABLE payments (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    invoice         TEXT   NOT NULL UNIQUE CHECK (length(invoice) BETWEEN 1 AND 50),
    bill_id         INTEGER NOT NULL REFERENCES bills (id),
    tenant_id       INTEGER NOT NULL REFERENCES users (id),
    method          TEXT   NOT NULL,
    amount          INTEGER NOT NULL CHECK (amount > 0),
    state           TEXT   NOT NULL CHECK (state IN ('created', 'asked', 'pending', 'review', 'paid',
                           'partially_refunded', 'refunded', 'charged_back', 'failed')),
    failure         TEXT   CHECK (failure IN ('withdrawn', 'rejected', 'denied', 'cancelled', 'expired', 'errored',
                           'reversed')),
    refunded        INTEGER NOT NULL DEFAULT 0 CHECK (refunded >= 0),
    transaction_id  TEXT,
    instruction     TEXT,
    created_at      INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL,
    asked_at        INTEGER,
    expires_at      INTEGER,
    paid_at         INTEGER,
    checked_at      INTEGER,
    next_check_at   INTEGER,
    superseded_at   INTEGER,
    supersedes_id   INTEGER REFERENCES payments (id),
    version         INTEGER NOT NULL DEFAULT 1,
    CHECK ((state = 'failed') = (failure IS NOT NULL))
);
-- One bill is never charged twice by a race: at most one of its payments is live and wanted.
CREATE UNIQUE INDEX payments_one_live ON payments (bill_id)
    WHERE state IN ('created', 'asked', 'pending', 'review') AND superseded_at IS NULL;
CREATE INDEX payments_of_bill ON payments (bill_id);
CREATE INDEX payments_to_check ON payments (next_check_at) WHERE next_check_at IS NOT NULL;

CREATE TABLE payment_history (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    payment_id  INTEGER NOT NULL REFERENCES payments (id),
    version     INTEGER NOT NULL,
    from_state  TEXT,
    to_state    TEXT   NOT NULL,
    event       TEXT   NOT NULL,
    source      TEXT   NOT NULL CHECK (source IN ('tenant', 'charge', 'notification', 'poll', 'read', 'cancel',
                       'operator')),
    detail      TEXT   NOT NULL,
    at          INTEGER NOT NULL,
    UNIQUE (payment_id, version)
);
CREATE TRIGGER payment_history_no_update BEFORE UPDATE ON payment_history
BEGIN
    SELECT RAISE(ABORT, 'payment_history is append-only');
END;
CREATE TRIGGER payment_history_no_delete BEFORE DELETE ON payment_history
BEGIN
    SELECT RAISE(ABORT, 'payment_history is append-only');
END;

CREATE TABLE notifications (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    body_hash     TEXT    NOT NULL UNIQUE,
    body          TEXT    NOT NULL,
    kind          TEXT    NOT NULL,
    order_id      TEXT,
    verified      BOOLEAN NOT NULL,
    received_at   INTEGER  NOT NULL,
    seen          INTEGER  NOT NULL DEFAULT 1,
    seen_at       INTEGER  NOT NULL,
    payment_id    INTEGER  REFERENCES payments (id),
    processed_at  INTEGER,
    outcome       TEXT
);
CREATE INDEX notifications_of_order ON notifications (order_id);

CREATE TABLE jobs (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    kind             TEXT    NOT NULL,
    dedupe_key       TEXT    NOT NULL,
    once_key         TEXT    UNIQUE,
    payload          TEXT    NOT NULL,
    payment_id       INTEGER  REFERENCES payments (id),
    notification_id  INTEGER  REFERENCES notifications (id),
    state            TEXT    NOT NULL DEFAULT 'ready' CHECK (state IN ('ready', 'running', 'done', 'dead', 'cancelled')),
    attempts         INTEGER  NOT NULL DEFAULT 0,
    max_attempts     INTEGER  NOT NULL CHECK (max_attempts > 0),
    again            BOOLEAN NOT NULL DEFAULT FALSE,
    run_at           INTEGER  NOT NULL,
    pushed_at        INTEGER,
    lease_until      INTEGER,
    lease_token      TEXT,
    last_error       TEXT,
    created_at       INTEGER  NOT NULL,
    started_at       INTEGER,
    finished_at      INTEGER,
    CHECK ((state = 'running') = (lease_token IS NOT NULL AND lease_until IS NOT NULL))
);
-- The same work is never waiting twice.
CREATE UNIQUE INDEX jobs_dedupe ON jobs (dedupe_key) WHERE state IN ('ready', 'running');
CREATE INDEX jobs_due ON jobs (run_at, id) WHERE state = 'ready';
CREATE INDEX jobs_leased ON jobs (lease_until) WHERE state = 'running';
CREATE INDEX jobs_slots ON jobs (id) WHERE once_key IS NOT NULL;
CREATE INDEX jobs_of_payment ON jobs (payment_id);

CREATE TABLE job_attempts (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    job_id       INTEGER NOT NULL REFERENCES jobs (id),
    attempt      INTEGER NOT NULL,
    started_at   INTEGER,
    finished_at  INTEGER NOT NULL,
    outcome      TEXT   NOT NULL CHECK (outcome IN ('done', 'retry', 'later', 'dead', 'lost')),
    note         TEXT
);
CREATE INDEX job_attempts_of_job ON job_attempts (job_id);

CREATE TABLE findings (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    kind         TEXT   NOT NULL,
    cause        TEXT   NOT NULL UNIQUE,
    payment_id   INTEGER REFERENCES payments (id),
    detail       TEXT   NOT NULL,
    found_at     INTEGER NOT NULL,
    resolved_at  INTEGER,
    resolved_by  INTEGER REFERENCES users (id),
    resolution   TEXT,
    CHECK ((resolved_at IS NULL) = (resolution IS NULL))
);
CREATE INDEX findings_of_payment ON findings (payment_id);
