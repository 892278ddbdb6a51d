//! Books on PostgreSQL with any number of payments in them.

use std::time::Duration;

use domain::{Event, Time};
use queue::{Job as _, Reason, SyncPayment};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use store::ledger::{Claim, Claimed, NewJob};
use store::notifications::{About, NewNotification};
use store::{Db, Options, ledger, notifications};

pub(crate) const TENANTS: i64 = 500;
pub(crate) const AMOUNT: i64 = 500_000;
/// Rows written in one statement.
const BATCH: i64 = 100_000;
/// The size of a notification and of an answer, as the gateway sends them for a virtual account.
pub(crate) const BODY_BYTES: usize = 620;

/// Books in a database of their own.
pub(crate) struct Books {
    pub(crate) db: Db,
    pub(crate) url: String,
    admin: PgConnection,
    name: String,
}

impl Books {
    /// Books with so many payments that were paid, and so many bills that are not.
    pub(crate) async fn open(name: &str, paid: i64, unpaid: i64) -> Self {
        let server = std::env::var("KASIR_TEST_POSTGRES").expect("run it under `cargo xtask servers --`");
        let name = format!("kasir_bench_{name}");
        let mut admin = PgConnection::connect(&server).await.unwrap();
        run(&mut admin, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
        run(&mut admin, &format!("CREATE DATABASE {name}")).await;
        let url = sibling(&server, &name);
        let patient = Duration::from_secs(600);
        let options = Options { wait: patient, statement_timeout: patient, ..Options::default() };
        let db = store::connect(&url, &options).await.unwrap();
        store::migrate(&db).await.unwrap();
        let mut writer = PgConnection::connect(&url).await.unwrap();
        run(&mut writer, "SET synchronous_commit = off").await;
        for sql in house(paid + unpaid) {
            run(&mut writer, &sql).await;
        }
        let mut from = 1;
        while from <= paid {
            let to = paid.min(from + BATCH - 1);
            for sql in paid_payments(from, to) {
                run(&mut writer, &sql).await;
            }
            from = to + 1;
        }
        for sql in numbering(paid) {
            run(&mut writer, &sql).await;
        }
        Self { db, url, admin, name }
    }

    pub(crate) async fn close(mut self) {
        drop(self.db);
        run(&mut self.admin, &format!("DROP DATABASE {} WITH (FORCE)", self.name)).await;
    }
}

async fn run(connection: &mut PgConnection, sql: &str) {
    connection.execute(AssertSqlSafe(sql.to_owned())).await.unwrap();
}

/// The address of another database on the same server.
fn sibling(url: &str, name: &str) -> String {
    let (address, settings) = url.find('?').map_or((url, ""), |place| url.split_at(place));
    let (server, _) = address.rsplit_once('/').unwrap();
    format!("{server}/{name}{settings}")
}

fn house(bills: i64) -> Vec<String> {
    vec![
        format!("INSERT INTO users (id, email, name, role, password_hash, created_at)
                 SELECT i, 'user' || i || '@kost.test', 'User', 'tenant', '', 1 FROM generate_series(1, {TENANTS}) i"),
        format!("INSERT INTO rooms (id, code, price, created_at)
                 SELECT i, 'R' || i, {AMOUNT}, 1 FROM generate_series(1, {TENANTS}) i"),
        format!("INSERT INTO bills (id, tenant_id, room_id, year, month, amount, status, kind, title, created_at, updated_at)
                 SELECT i, i % {TENANTS} + 1, i % {TENANTS} + 1, 2000 + i / {TENANTS} / 12 % 200, i / {TENANTS} % 12 + 1,
                        {AMOUNT}, 'unpaid', 'extra', 'Laundry', i, i
                 FROM generate_series(1, {bills}) i"),
    ]
}

/// All that a payment leaves behind: from the wish to the money, by a notification.
fn paid_payments(from: i64, to: i64) -> [String; 9] {
    let each = format!("generate_series({from}, {to}) i");
    let body = "x".repeat(BODY_BYTES);
    [
        format!("UPDATE bills SET status = 'paid' WHERE id BETWEEN {from} AND {to}"),
        format!("INSERT INTO payments (id, invoice, bill_id, tenant_id, method, amount, state, transaction_id, instruction,
                                       created_at, updated_at, asked_at, expires_at, paid_at, checked_at, version)
                 SELECT i, 'OLD-' || i, i, i % {TENANTS} + 1, 'bca', {AMOUNT}, 'paid', 'tx-OLD-' || i,
                        '{{\"kind\":\"virtual_account\",\"bank\":\"bca\",\"number\":\"812785' || lpad(i::text, 11, '0') || '\"}}',
                        i, i, i, i, i, i, 4
                 FROM {each}"),
        format!("INSERT INTO payment_history (payment_id, version, from_state, to_state, event, source, detail, at)
                 SELECT i, s.version, s.was, s.is_now, s.event, s.source, '', i
                 FROM {each}, (VALUES (1, NULL, 'created', 'created', 'tenant'), (2, 'created', 'asked', 'asked', 'charge'),
                                      (3, 'asked', 'pending', 'accepted', 'charge'),
                                      (4, 'pending', 'paid', 'settled', 'notification'))
                              AS s (version, was, is_now, event, source)"),
        format!("INSERT INTO postings (kind, debit, credit, amount, payment_id, cause, at)
                 SELECT s.kind, s.debit, s.credit, {AMOUNT}, i, 'OLD-' || i || ':' || s.kind, i
                 FROM {each}, (VALUES ('pending', 'pending', 'tenants'), ('paid', 'gateway', 'pending'))
                              AS s (kind, debit, credit)"),
        format!("INSERT INTO notifications (id, body_hash, body, kind, order_id, verified, received_at, seen_at, payment_id,
                                            processed_at, outcome, transaction_id, event)
                 SELECT i, encode(sha256(i::text::bytea), 'hex'), '{body}', 'payment', 'OLD-' || i, TRUE, i, i, i, i, 'sync',
                        'tx-OLD-' || i, 'settled'
                 FROM {each}"),
        format!("INSERT INTO jobs (id, kind, dedupe_key, payload, payment_id, state, attempts, run_at, max_attempts,
                                   created_at, started_at, finished_at)
                 SELECT 2 * i - s.less, s.kind, s.kind || ':' || i, '{{\"payment_id\":' || i || '}}', i, 'done', 1, i, 500,
                        i, i, i
                 FROM {each}, (VALUES (1, 'submit_charge'), (0, 'sync_payment')) AS s (less, kind)"),
        format!("INSERT INTO job_attempts (job_id, attempt, started_at, finished_at, outcome)
                 SELECT i, 1, i, i, 'done' FROM generate_series({from} * 2 - 1, {to} * 2) i"),
        format!("INSERT INTO gateway_calls (name, method, path, http, answer, at, took_ms)
                 SELECT 'OLD-' || i, s.method, s.path, 200, '{body}', i, 100
                 FROM {each}, (VALUES ('POST', '/v2/charge'), ('GET', '/v2/OLD/status')) AS s (method, path)"),
        // What is missed is looked for from here on.
        "UPDATE watermarks SET value = (SELECT max(id) FROM payment_history) WHERE name = 'missed_notifications'".to_owned(),
    ]
}

/// Where the ids go on, and the numbers by which the server plans, as it takes them by itself after a while.
fn numbering(paid: i64) -> [String; 4] {
    let next = paid + 1;
    [
        format!("ALTER TABLE payments ALTER COLUMN id RESTART WITH {next}"),
        format!("ALTER TABLE notifications ALTER COLUMN id RESTART WITH {next}"),
        format!("ALTER TABLE jobs ALTER COLUMN id RESTART WITH {}", paid * 2 + 1),
        "VACUUM ANALYZE".to_owned(),
    ]
}

pub(crate) fn at(ms: i64) -> Time {
    Time::from_timestamp_millis(1_800_000_000_000 + ms).unwrap()
}

/// The gateway's notification that a payment was paid. Gives the job that looks into it.
pub(crate) async fn tell(db: &Db, invoice: &str) -> Option<domain::JobId> {
    let transaction = format!("tx-{invoice}");
    let body = format!("{invoice}{}", "x".repeat(BODY_BYTES));
    let new = NewNotification {
        body_hash: kasir::http::name_of_body(body.as_bytes()),
        body: &body,
        kind: "payment",
        order_id: Some(invoice),
        transaction_id: Some(&transaction),
        event: Some(Event::Settled.as_str()),
        verified: true,
    };
    notifications::record(db, &new, sync_of, at(1)).await.unwrap()
}

fn sync_of(about: About) -> NewJob {
    let payment_id = about.payment.expect("the payment is ours");
    SyncPayment { payment_id, reason: Reason::Notification }.new_job(at(1))
}

pub(crate) async fn claim(db: &Db, job_id: domain::JobId) -> Claimed {
    let claim = Claim { job_id, token: format!("{:026}", job_id.0), length: Duration::from_secs(60) };
    ledger::claim(db, claim, at(1)).await.unwrap().expect("nobody else claims it")
}
