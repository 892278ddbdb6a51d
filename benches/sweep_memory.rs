//! How much memory a sweep takes with 1,000, 10,000 and 100,000 payments that are due: `cargo bench --bench sweep_memory
//! --profile dev`. Each number has a process of its own, whose peak the system tells.
#![expect(clippy::unwrap_used, reason = "a measurement that cannot go on is over")]

use std::process::Command;

use clock::Clock;
use kasir::config::{Config, Gateway};
use kasir::roles::{self, Parts};
use queue::{Job as _, Queue, Sweep, do_one};
use sqlx::{AssertSqlSafe, Executor as _};
use store::{Db, checks};

const COUNTS: [i64; 3] = [1_000, 10_000, 100_000];
/// Names the process that measures, and how many payments it has.
const CHILD: &str = "KASIR_BENCH_PAYMENTS";

fn main() {
    match std::env::var(CHILD) {
        Ok(count) => {
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
            runtime.block_on(measure(count.parse().unwrap()));
        }
        Err(_) => {
            for count in COUNTS {
                let this = std::env::current_exe().unwrap();
                assert!(Command::new(this).env(CHILD, count.to_string()).status().unwrap().success());
            }
        }
    }
}

async fn measure(count: i64) {
    let _installed = rustls::crypto::ring::default_provider().install_default();
    let dir = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", dir.path().join("kasir.db").display());
    let environment = |name: &str| match name {
        "DATABASE_URL" => Some(url.clone()),
        "MIDTRANS_SERVER_KEY" => Some("SB-Mid-server-bench".to_owned()),
        "KASIR_SECRET" => Some("0".repeat(32)),
        _ => None,
    };
    let config = Config::from_parts(&environment, "").unwrap();
    let db = roles::open_database(&config).await.unwrap();
    store::migrate(&db).await.unwrap();
    fill(&db, count).await;
    let clock = Clock::manual("2026-11-24T03:00:00Z".parse().unwrap());
    let queue = Queue::open(db.clone(), clock.clone(), None).unwrap();
    let gateway: Gateway = config.gateway.clone().unwrap();
    let secret = roles::installation_secret(&config, &clock).unwrap();
    let limits = config.file.job_limits();
    let parts = Parts { config, db: db.clone(), queue: queue.clone(), clock: clock.clone(), gateway, secret };
    let context = std::sync::Arc::new(roles::context(&parts).unwrap());
    let begun = peak_kib();
    let mut sweeps = 0;
    while checks::backlog(&db, clock.now()).await.unwrap().overdue > 0 {
        sweeps += 1;
        let jobs =
            queue.enqueue(&[Sweep { slot: format!("bench {sweeps}") }.new_job(clock.now())]).await.unwrap();
        do_one(&queue, std::sync::Arc::clone(&context), limits.clone(), jobs[0]).await;
        // The polls are done elsewhere; here they only make room for the next.
        execute(&db, "UPDATE jobs SET state = 'done' WHERE state = 'ready'".to_owned()).await;
    }
    println!("{count:>7} payments due: {sweeps:>4} sweeps, peak {} KiB, before them {begun} KiB", peak_kib());
}

/// So many payments that wait for their payer and whose check is due.
async fn fill(db: &Db, count: i64) {
    for sql in [
        "INSERT INTO users (email, name, role, password_hash, created_at) VALUES ('budi@kost.test', 'Budi', 'tenant', '', 1)"
            .to_owned(),
        "INSERT INTO rooms (code, price, created_at) VALUES ('A1', 1, 1)".to_owned(),
        format!(
            "INSERT INTO bills (tenant_id, room_id, year, month, amount, status, created_at, updated_at, kind, title)
             WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})
             SELECT 1, 1, 2026, 2, 1000, 'pending', 1, 1, 'extra', 'Laundry' FROM n"
        ),
        "INSERT INTO payments (invoice, bill_id, tenant_id, method, amount, state, created_at, updated_at, asked_at,
                               next_check_at)
         SELECT 'KSR-' || id, id, 1, 'bca', 1000, 'pending', 1, 1, 1, id FROM bills"
            .to_owned(),
    ] {
        execute(db, sql).await;
    }
}

async fn execute(db: &Db, sql: String) {
    match db {
        Db::Sqlite { writer, .. } => writer.execute(AssertSqlSafe(sql)).await.map(drop),
        Db::Postgres(pool) => pool.execute(AssertSqlSafe(sql)).await.map(drop),
    }
    .unwrap();
}

/// The most memory that this process has had at once, as the system tells.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
