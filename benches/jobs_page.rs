//! How long the board of jobs takes to find its pages among 1,000,000 jobs, on SQLite and, where `KASIR_TEST_POSTGRES`
//! names a server, on PostgreSQL: `cargo xtask servers -- cargo bench --bench jobs_page --profile dev`.
#![expect(clippy::unwrap_used, reason = "a measurement that cannot go on is over")]

use std::time::Duration;

use domain::{BillId, Time, UserId};
use queue::KINDS;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use store::board::{self, About, Filter};
use store::ledger::Take;
use store::{Db, Options, Page, jobs, ledger};
use tokio::time::Instant;

const JOBS: i64 = 1_000_000;
/// Jobs written in one statement.
const BATCH: i64 = 100_000;
const RUNS: usize = 100;
/// At this time no job is due.
const BEGINNING: Time = Time::UNIX_EPOCH;
const DATABASE: &str = "kasir_bench_jobs_page";

/// Two hundred tenants in their rooms, with five hundred payments each.
const HOUSE: [&str; 4] = [
    "INSERT INTO users (email, name, role, password_hash, created_at)
     WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200)
     SELECT 'tenant' || i || '@kost.test', 'Budi', 'tenant', '', 1 FROM n",
    "INSERT INTO rooms (code, price, created_at) SELECT 'R' || id, 1, 1 FROM users",
    "INSERT INTO bills (tenant_id, room_id, year, month, amount, status, created_at, updated_at, kind, title)
     WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 99999)
     SELECT i % 200 + 1, i % 200 + 1, 2026, 2, 1000, 'paid', 1, 1, 'extra', 'Laundry' FROM n",
    "INSERT INTO payments (invoice, bill_id, tenant_id, method, amount, state, transaction_id, created_at, updated_at)
     SELECT 'KSR-' || id, id, tenant_id, 'bca', 1000, 'paid', 'tx-' || id, 1, 1 FROM bills",
];

/// Most are done; of each hundred one is dead and one waits after a failure, and two are cancelled.
fn work(from: i64) -> String {
    let to = from + BATCH - 1;
    format!(
        "INSERT INTO jobs (kind, dedupe_key, payload, payment_id, state, attempts, run_at, max_attempts, last_error,
                           created_at, started_at, finished_at)
         WITH RECURSIVE n (i) AS (SELECT {from} UNION ALL SELECT i + 1 FROM n WHERE i < {to})
         SELECT CASE WHEN i % 20 < 12 THEN 'sync_payment' WHEN i % 20 < 15 THEN 'sweep'
                     WHEN i % 20 < 17 THEN 'submit_charge' WHEN i % 20 < 19 THEN 'process_notification'
                     ELSE 'cancel_payment' END,
                'work:' || i, '{{\"payment_id\":' || i || '}}',
                CASE WHEN i % 20 IN (12, 13, 14) THEN NULL ELSE i / 10 + 1 END,
                CASE i % 101 WHEN 0 THEN 'dead' WHEN 1 THEN 'ready' WHEN 2 THEN 'cancelled' WHEN 3 THEN 'cancelled'
                     ELSE 'done' END,
                1, i, 500,
                CASE i % 101 WHEN 0 THEN 'the gateway did not answer: it timed out after 30 seconds'
                     WHEN 1 THEN 'the gateway refused with 503: service unavailable' END,
                i, i, i
         FROM n"
    )
}

#[tokio::main]
async fn main() {
    let dir = tempfile::tempdir().unwrap();
    measure("SQLite", &format!("sqlite://{}", dir.path().join("kasir.db").display())).await;
    let Ok(server) = std::env::var("KASIR_TEST_POSTGRES") else { return };
    let mut admin = PgConnection::connect(&server).await.unwrap();
    admin.execute(AssertSqlSafe(format!("DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)"))).await.unwrap();
    admin.execute(AssertSqlSafe(format!("CREATE DATABASE {DATABASE}"))).await.unwrap();
    measure("PostgreSQL", &sibling(&server)).await;
    admin.execute(AssertSqlSafe(format!("DROP DATABASE {DATABASE} WITH (FORCE)"))).await.unwrap();
}

/// The address of our database on the same server.
fn sibling(url: &str) -> String {
    let (address, settings) = url.find('?').map_or((url, ""), |place| url.split_at(place));
    let (server, _) = address.rsplit_once('/').unwrap();
    format!("{server}/{DATABASE}{settings}")
}

async fn measure(name: &str, url: &str) {
    let patient = Duration::from_secs(600);
    let options = Options { wait: patient, statement_timeout: patient, ..Options::default() };
    let db = store::connect(url, &options).await.unwrap();
    store::migrate(&db).await.unwrap();
    let begun = Instant::now();
    for sql in HOUSE {
        execute(&db, sql.to_owned()).await;
    }
    for batch in 0..JOBS / BATCH {
        execute(&db, work(batch * BATCH)).await;
    }
    if matches!(db, Db::Postgres(_)) {
        // As the server does by itself after a while.
        execute(&db, "ANALYZE".to_owned()).await;
    }
    println!("{name}: {JOBS} jobs in {:.0} s", begun.elapsed().as_secs_f64());
    let deep = Some(JOBS / 2);
    let pages = [
        ("all", Filter::default(), None),
        ("all, half-way down", Filter::default(), deep),
        ("dead", of("dead", ""), None),
        ("dead, half-way down", of("dead", ""), deep),
        ("a kind", of("", "sync_payment"), None),
        ("a kind, half-way down", of("", "sync_payment"), deep),
        ("a kind and a state", of("ready", "sync_payment"), None),
        ("an invoice", about(About::Invoice("KSR-4711".to_owned())), None),
        ("a gateway's name", about(About::Invoice("tx-4711".to_owned())), None),
        ("a bill", about(About::Bill(BillId(4711))), None),
        ("a tenant", about(About::Tenant(UserId(47))), None),
        ("a room", about(About::Room("R47".to_owned())), None),
        ("a failure that is common", about(About::Error("timed out".to_owned())), None),
        ("a failure that is not there", about(About::Error("insufficient funds".to_owned())), None),
    ];
    for (what, filter, after) in pages {
        let page = Page { after, limit: 50 };
        let run = async || board::list(&db, &filter, page).await.unwrap().jobs.len();
        tell(what, run).await;
    }
    tell("counts of all kinds", async || board::counts(&db, KINDS).await.unwrap().len()).await;
    // What the ledger does all the time, when nothing is due.
    let take = Take { due: BEGINNING, pushed_before: BEGINNING, limit: 500 };
    tell("depth", async || usize::from(jobs::depth(&db, BEGINNING).await.unwrap().dead > 0)).await;
    tell("due jobs", async || ledger::take_due(&db, take, BEGINNING).await.unwrap().len()).await;
    tell("old slots", async || {
        ledger::forget_slots(&db, BEGINNING).await.unwrap();
        0
    })
    .await;
}

fn of(state: &str, kind: &str) -> Filter {
    let word = |word: &str| Some(word.to_owned()).filter(|word| !word.is_empty());
    Filter { state: word(state), kind: word(kind), about: None }
}

fn about(about: About) -> Filter {
    Filter { about: Some(about), ..Filter::default() }
}

/// Runs it again and again, and says how long that took.
async fn tell(what: &str, run: impl AsyncFn() -> usize) {
    let mut took = Vec::with_capacity(RUNS);
    let mut rows = 0;
    for _ in 0..RUNS {
        let begun = Instant::now();
        rows = run().await;
        took.push(begun.elapsed());
    }
    took.sort_unstable();
    let (median, p95) = (took[RUNS / 2], took[RUNS * 95 / 100]);
    println!("  {what:<28} {rows:>3} rows  median {median:>10.2?}  p95 {p95:>10.2?}");
}

async fn execute(db: &Db, sql: String) {
    match db {
        Db::Sqlite { writer, .. } => writer.execute(AssertSqlSafe(sql)).await.map(drop),
        Db::Postgres(pool) => pool.execute(AssertSqlSafe(sql)).await.map(drop),
    }
    .unwrap();
}
