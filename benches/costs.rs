//! What the parts cost, next to what the machine can do: `cargo xtask servers -- cargo bench --bench costs`.
//!
//! The groups whose names begin with `machine` are the limits: what the same rows, bytes and round trips cost with nothing
//! around them. `intake/64` beside `machine insert/64` says how much of a bare batch insert is reached, and beside
//! `machine insert with jobs/64` how much of one that writes the same rows.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a measurement that cannot go on is over")]

mod books;

use std::hint::black_box;
use std::io::{Seek as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use argon2::{Algorithm, Argon2, Block, Params, Version};
use axum::Router;
use axum::routing::get;
use books::Books;
use criterion::{BenchmarkId, Criterion, Throughput};
use domain::{Amount, Event, JobId, PaymentId, Report, Secret, fold};
use midtrans::Notification;
use queue::{Job as _, SubmitCharge};
use sqlx::{Connection as _, PgConnection};
use store::ledger::{self, Finish, NewJob};
use store::{Db, payments};
use tokio::runtime::Runtime;

const SETTLED: &[u8] = include_bytes!("../crates/midtrans/tests/fixtures/notification/settlement_bca.json");
/// So many callers at once.
const CROWDS: [i64; 3] = [1, 16, 64];
/// Payments of the books: each notification that is kept is about another one.
const PAYMENTS: i64 = 150_000;

fn main() {
    let _installed = rustls::crypto::ring::default_provider().install_default();
    let runtime = Runtime::new().unwrap();
    let books = runtime.block_on(Books::open("costs", PAYMENTS, 0));
    let books = Arc::new(books);
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(4))
        .configure_from_args();
    parts(&mut criterion);
    passwords(&mut criterion);
    machine(&mut criterion, &runtime);
    notifications(&mut criterion, &runtime, &books);
    jobs(&mut criterion, &runtime, &books);
    criterion.final_summary();
    runtime.block_on(async { Arc::into_inner(books).unwrap().close().await });
}

fn parts(criterion: &mut Criterion) {
    let keys = [Secret::from("SB-Mid-server-a-key-of-the-usual-length")];
    let notification = Notification::parse(SETTLED).unwrap();
    criterion.bench_function("notification parse", |b| {
        b.iter(|| Notification::parse(black_box(SETTLED)).unwrap())
    });
    criterion.bench_function("signature check", |b| b.iter(|| black_box(&notification).is_signed_by(&keys)));
    criterion.bench_function("name of a body", |b| b.iter(|| kasir::http::name_of_body(black_box(SETTLED))));
}

/// A login costs argon2id; `memory kept` is how Kasir does it, `memory new` what it would cost to take 19 MiB each time.
fn passwords(criterion: &mut Criterion) {
    let params = Params::new(19 * 1024, 2, 1, None).unwrap();
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let mut out = [0; 32];
    let mut kept = vec![Block::default(); argon2.params().block_count()];
    let mut group = criterion.benchmark_group("machine argon2id");
    group.bench_function("memory kept", |b| {
        b.iter(|| {
            argon2
                .hash_password_into_with_memory(b"a password", b"salt of 16 bytes", &mut out, &mut kept)
                .unwrap()
        });
    });
    group.bench_function("memory new", |b| {
        b.iter(|| {
            let mut new = vec![Block::default(); argon2.params().block_count()];
            argon2
                .hash_password_into_with_memory(b"a password", b"salt of 16 bytes", &mut out, &mut new)
                .unwrap();
        });
    });
    group.finish();
}

fn machine(criterion: &mut Criterion, runtime: &Runtime) {
    let mut file = tempfile::tempfile_in(".").unwrap();
    criterion.bench_function("machine fdatasync of 8 KiB", |b| {
        b.iter(|| {
            file.rewind().unwrap();
            file.write_all(&[1; 8_192]).unwrap();
            file.sync_data().unwrap();
        });
    });
    let url = std::env::var("KASIR_TEST_REDIS").expect("run it under `cargo xtask servers --`");
    let mut redis =
        runtime.block_on(redis::Client::open(url).unwrap().get_multiplexed_async_connection()).unwrap();
    criterion.bench_function("machine Redis push", |b| {
        b.iter(|| {
            let push = redis::cmd("LPUSH").arg("kasir-bench").arg(1).to_owned();
            runtime.block_on(async { push.query_async::<i64>(&mut redis).await.unwrap() })
        });
    });
    let served = runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let service = Router::new().route("/", get(|| async { "{\"status\":\"stored\"}" }));
        tokio::spawn(async move { axum::serve(listener, service).await });
        url
    });
    let client = midtrans::http_client(Duration::from_secs(5), Duration::from_secs(5)).unwrap();
    criterion.bench_function("machine axum, one round trip", |b| {
        b.iter(|| {
            runtime.block_on(async { client.get(&served).send().await.unwrap().bytes().await.unwrap() })
        });
    });
}

/// Notifications that are kept as they come, in turns of so many, beside batches of so many that are inserted by nothing but
/// their statements: their own rows alone, and with those of the jobs that deal with them.
fn notifications(criterion: &mut Criterion, runtime: &Runtime, books: &Arc<Books>) {
    let next = Arc::new(AtomicI64::new(1));
    let mut group = criterion.benchmark_group("intake");
    for crowd in CROWDS {
        group.throughput(Throughput::Elements(u64::try_from(crowd).unwrap()));
        group.bench_function(BenchmarkId::from_parameter(crowd), |b| {
            b.iter_custom(|times| {
                let last = next.load(Ordering::Relaxed) + i64::try_from(times).unwrap() * crowd;
                assert!(last <= PAYMENTS, "more payments are needed");
                let kept = keep_coming(books, &next, (crowd, last));
                let took = runtime.block_on(kept);
                next.store(last, Ordering::Relaxed);
                took
            });
        });
    }
    group.finish();
    let mut connection = runtime.block_on(PgConnection::connect(&books.url)).unwrap();
    for (name, with_jobs) in [("machine insert", false), ("machine insert with jobs", true)] {
        let mut group = criterion.benchmark_group(name);
        for crowd in CROWDS {
            group.throughput(Throughput::Elements(u64::try_from(crowd).unwrap()));
            group.bench_function(BenchmarkId::from_parameter(crowd), |b| {
                b.iter(|| {
                    let from = next.fetch_add(crowd, Ordering::Relaxed);
                    runtime.block_on(insert_bare(&mut connection, (from, crowd), with_jobs));
                });
            });
        }
        group.finish();
    }
}

/// Notifications until the last one is told, by two crowds: one waits while the turn of the other is served.
async fn keep_coming(books: &Arc<Books>, next: &Arc<AtomicI64>, (crowd, last): (i64, i64)) -> Duration {
    let begun = Instant::now();
    let callers = (0..2 * crowd).map(|_| {
        let (books, next) = (Arc::clone(books), Arc::clone(next));
        tokio::spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= last {
                    return;
                }
                assert!(books::tell(&books.db, &format!("OLD-{number}")).await.is_some());
            }
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await.unwrap();
    }
    begun.elapsed()
}

fn jobs(criterion: &mut Criterion, runtime: &Runtime, books: &Arc<Books>) {
    let payment = runtime.block_on(payments::find(&books.db, PaymentId(1))).unwrap().unwrap();
    let report = Report {
        event: Event::Settled,
        order_id: Some("OLD-1".to_owned()),
        transaction_id: payment.transaction_id.clone(),
        amount: Amount::Rupiah(payment.amount),
        expires_at: None,
        settled_at: Some(books::at(0)),
        instruction: None,
        refunds: Vec::new(),
        page: domain::Page::Open,
    };
    criterion.bench_function("transition", |b| b.iter(|| fold(black_box(&payment), &report, books::at(1))));
    let mut group = criterion.benchmark_group("claim and end");
    for crowd in CROWDS {
        group.throughput(Throughput::Elements(u64::try_from(crowd).unwrap()));
        group.bench_function(BenchmarkId::from_parameter(crowd), |b| {
            b.iter_custom(|times| {
                let many = i64::try_from(times).unwrap() * crowd;
                let jobs = runtime.block_on(write_jobs(&books.db, many));
                let jobs = Arc::new(std::sync::Mutex::new(jobs));
                runtime.block_on(crowded(crowd, times, || {
                    let (books, job) = (Arc::clone(books), jobs.lock().unwrap().pop().unwrap());
                    async move {
                        let claimed = books::claim(&books.db, job).await;
                        assert!(
                            ledger::finish(&books.db, &claimed.lease, &Finish::Done, books::at(2))
                                .await
                                .unwrap()
                        );
                    }
                }))
            });
        });
    }
    group.finish();
}

/// So many times a crowd that begins together; the time from its beginning until the last one has ended.
async fn crowded<F: Future<Output = ()> + Send + 'static>(
    crowd: i64,
    times: u64,
    mut one: impl FnMut() -> F,
) -> Duration {
    let mut took = Duration::ZERO;
    for _ in 0..times {
        let all: Vec<F> = (0..crowd).map(|_| one()).collect();
        let begun = Instant::now();
        let all: Vec<_> = all.into_iter().map(tokio::spawn).collect();
        for one in all {
            one.await.unwrap();
        }
        took += begun.elapsed();
    }
    took
}

/// Nothing but the rows, in one statement for each table, and flushed.
async fn insert_bare(connection: &mut PgConnection, (from, many): (i64, i64), with_jobs: bool) {
    const NOTIFICATIONS: &str = "
        INSERT INTO notifications (body_hash, body, kind, order_id, verified, received_at, seen_at, transaction_id, event,
                                   payment_id)
        SELECT hash, body, 'payment', order_id, TRUE, 1, 1, transaction, 'settled', payment
        FROM UNNEST($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[])
            AS told (hash, body, order_id, transaction, payment)
        RETURNING id";
    const JOBS: &str = "
        INSERT INTO jobs (kind, dedupe_key, payload, payment_id, notification_id, run_at, max_attempts, created_at)
        SELECT 'sync_payment', 'bare:' || notification, '{\"payment_id\":1}', payment, notification, 1, 20, 1
        FROM UNNEST($1::bigint[], $2::bigint[]) AS wanted (payment, notification)";
    let orders: Vec<String> = (from..from + many).map(|number| format!("BARE-{number}")).collect();
    let bodies: Vec<String> =
        orders.iter().map(|order| format!("{order}{}", "x".repeat(books::BODY_BYTES))).collect();
    let hashes: Vec<String> = bodies.iter().map(|body| kasir::http::name_of_body(body.as_bytes())).collect();
    let transactions: Vec<String> = orders.iter().map(|order| format!("tx-{order}")).collect();
    let payments: Vec<Option<i64>> =
        (from..from + many).map(|number| with_jobs.then_some(number % PAYMENTS + 1)).collect();
    let query = sqlx::query_scalar::<_, i64>(NOTIFICATIONS).bind(hashes).bind(bodies).bind(orders);
    let query = query.bind(transactions).bind(&payments);
    if !with_jobs {
        let _ids = query.fetch_all(connection).await.unwrap();
        return;
    }
    let mut tx = connection.begin().await.unwrap();
    let ids: Vec<i64> = query.fetch_all(&mut *tx).await.unwrap();
    sqlx::query(JOBS).bind(&payments).bind(ids).execute(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
}

/// Jobs that wait.
async fn write_jobs(db: &Db, many: i64) -> Vec<JobId> {
    let jobs: Vec<NewJob> =
        (1..=many).map(|id| SubmitCharge { payment_id: PaymentId(id) }.new_job(books::at(0))).collect();
    let mut ids = Vec::new();
    for some in jobs.chunks(1_000) {
        ids.extend(ledger::add(db, some, books::at(0)).await.unwrap());
    }
    ids
}
