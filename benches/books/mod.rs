//! Books on PostgreSQL with any number of payments in them, and the life of one more, as the measurements play it.

use std::time::Duration;

use domain::{
    BillId, Event, Instruction, Invoice, Learned, Method, Payment, PaymentId, Rupiah, State, Time, UserId,
};
use queue::{Job as _, Reason, SubmitCharge, SyncPayment};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use store::calls::GatewayCall;
use store::creation::{Creation, NewPayment};
use store::history::Source;
use store::ledger::{Claim, Claimed, NewJob};
use store::notifications::{About, NewNotification};
use store::payments::Change;
use store::{Db, Options, Written, calls, creation, ledger, notifications, payments};

const TENANTS: i64 = 500;
const AMOUNT: i64 = 500_000;
/// Rows written in one statement.
const BATCH: i64 = 100_000;
/// The size of a notification and of an answer, as the gateway sends them for a virtual account.
const BODY_BYTES: usize = 620;

/// Books in a database of their own.
pub(crate) struct Books {
    pub(crate) db: Db,
    pub(crate) url: String,
    admin: PgConnection,
    name: String,
    /// Bills with a greater id are unpaid.
    pub(crate) paid: i64,
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
        Self { db, url, admin, name, paid }
    }

    pub(crate) async fn close(mut self) {
        drop(self.db);
        run(&mut self.admin, &format!("DROP DATABASE {} WITH (FORCE)", self.name)).await;
    }
}

pub(crate) async fn run(connection: &mut PgConnection, sql: &str) {
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

/// From the wish to the money, with all that a worker writes down on the way. The gateway is not there.
pub(crate) async fn is_paid(books: &Books, number: i64) {
    let db = &books.db;
    let invoice = format!("NEW-{number}");
    let bill = books.paid + number;
    let (payment, job) = want(db, &invoice, bill).await;
    let charge = claim(db, job).await;
    let asked = moved(db, (&payment, State::Asked, &Event::Asked), &Learned::default(), None).await;
    calls::record(db, &call(&invoice, "POST")).await.unwrap();
    let learned = Learned {
        transaction_id: Some(format!("tx-{invoice}").try_into().unwrap()),
        instruction: Some(Instruction::VirtualAccount {
            bank: "bca".to_owned(),
            number: format!("812785{number:011}"),
        }),
        expires_at: Some(at(86_400_000)),
        settled_at: None,
    };
    moved(db, (&asked, State::Pending, &Event::Accepted), &learned, Some(&charge)).await;
    let told = tell(db, &invoice).await.expect("a new notification comes with its job");
    let sync = claim(db, told).await;
    let pending = payments::find(db, payment.id).await.unwrap().unwrap();
    assert!(ledger::holds(db, &sync.lease, at(1)).await.unwrap());
    calls::record(db, &call(&invoice, "GET")).await.unwrap();
    let paid = Learned { settled_at: Some(at(3)), ..Learned::default() };
    moved(db, (&pending, State::Paid, &Event::Settled), &paid, Some(&sync)).await;
}

async fn want(db: &Db, invoice: &str, bill: i64) -> (Payment, domain::JobId) {
    let new = NewPayment {
        invoice: Invoice::try_from(invoice).unwrap(),
        bill_id: BillId(bill),
        tenant_id: UserId(bill % TENANTS + 1),
        method: Method::Bca,
        amount: Rupiah::try_from(AMOUNT).unwrap(),
        payer_phone: None,
        supersedes: None,
        next_check_at: at(60_000),
    };
    let jobs = |payment_id| vec![SubmitCharge { payment_id }.new_job(at(0))];
    match creation::create(db, &new, jobs, at(0)).await.unwrap() {
        Creation::Made(payment, jobs) => (*payment, jobs[0]),
        other => panic!("{other:?}"),
    }
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

/// Nothing but the rows of notifications, in one statement, flushed.
pub(crate) async fn insert_bare(connection: &mut PgConnection, from: i64, many: i64) {
    const SQL: &str = "
        INSERT INTO notifications (body_hash, body, kind, order_id, verified, received_at, seen_at, transaction_id, event)
        SELECT hash, body, 'payment', order_id, TRUE, 1, 1, transaction, 'settled'
        FROM UNNEST($1::text[], $2::text[], $3::text[], $4::text[]) AS told (hash, body, order_id, transaction)";
    let orders: Vec<String> = (from..from + many).map(|number| format!("BARE-{number}")).collect();
    let bodies: Vec<String> =
        orders.iter().map(|order| format!("{order}{}", "x".repeat(BODY_BYTES))).collect();
    let hashes: Vec<String> = bodies.iter().map(|body| kasir::http::name_of_body(body.as_bytes())).collect();
    let transactions: Vec<String> = orders.iter().map(|order| format!("tx-{order}")).collect();
    let query = sqlx::query(SQL).bind(hashes).bind(bodies).bind(orders).bind(transactions);
    query.execute(connection).await.unwrap();
}

/// Jobs that wait.
pub(crate) async fn write_jobs(db: &Db, many: i64) -> Vec<domain::JobId> {
    let jobs: Vec<NewJob> =
        (1..=many).map(|id| SubmitCharge { payment_id: PaymentId(id) }.new_job(at(0))).collect();
    let mut ids = Vec::new();
    for some in jobs.chunks(1_000) {
        ids.extend(ledger::add(db, some, at(0)).await.unwrap());
    }
    ids
}

pub(crate) async fn claim(db: &Db, job_id: domain::JobId) -> Claimed {
    let claim = Claim { job_id, token: format!("{:026}", job_id.0), length: Duration::from_secs(60) };
    ledger::claim(db, claim, at(1)).await.unwrap().expect("nobody else claims it")
}

fn call(invoice: &str, method: &str) -> GatewayCall {
    GatewayCall {
        name: Some(invoice.to_owned()),
        method: method.to_owned(),
        path: format!("/v2/{invoice}/status"),
        http: Some(200),
        answer: "x".repeat(BODY_BYTES),
        error: None,
        at: at(2),
        took: Duration::from_millis(100),
    }
}

async fn moved(
    db: &Db,
    (payment, to, event): (&Payment, State, &Event),
    learned: &Learned,
    completes: Option<&Claimed>,
) -> Payment {
    let change = Change {
        payment,
        to,
        learned,
        event: event.as_str(),
        source: Source::Charge,
        detail: "",
        finding: None,
        refunds: &[],
        checked: true,
        next_check_at: (to != State::Paid).then(|| at(60_000)),
        jobs: &[],
        completes: completes.map(|claimed| &claimed.lease),
    };
    let (written, _) = payments::change(db, &change, at(2)).await.unwrap();
    assert_eq!(written, Written::Done);
    payments::find(db, payment.id).await.unwrap().unwrap()
}
