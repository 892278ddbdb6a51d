//! What a payment costs as the books grow: `cargo xtask servers -- cargo bench --bench growth`. Another list of sizes goes
//! into `KASIR_BENCH_SIZES`. Each line is CPU time of PostgreSQL's own processes and of ours, for one payment from the wish
//! to the money; a million payments take some minutes to be written down first.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a measurement that cannot go on is over"
)]
#![expect(clippy::float_arithmetic, reason = "a measurement")]

mod books;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use books::Books;
use domain::{BillId, Event, Instruction, Invoice, Learned, Method, Payment, Rupiah, State, UserId};
use queue::{Job as _, SubmitCharge};
use sqlx::{Connection as _, PgConnection};
use store::calls::GatewayCall;
use store::creation::{Creation, NewPayment};
use store::history::Source;
use store::ledger::Claimed;
use store::payments::Change;
use store::{Db, Written, calls, creation, ledger, payments};

const SIZES: &str = "1000 10000 100000 1000000";
const PAYMENTS: u32 = 4_000;
/// The first ones are not counted: plans are made, and pages are read.
const WARM: u32 = 1_000;
const AT_ONCE: usize = 64;

#[tokio::main]
async fn main() {
    let sizes = std::env::var("KASIR_BENCH_SIZES").unwrap_or_else(|_| SIZES.to_owned());
    println!(
        "{:>10} {:>14} {:>10} {:>12} {:>12}",
        "payments", "PostgreSQL µs", "ours µs", "together µs", "payments/s"
    );
    for size in sizes.split_whitespace() {
        measure(size.parse().unwrap()).await;
    }
}

async fn measure(size: i64) {
    let books = Arc::new(Books::open("growth", size, i64::from(WARM + PAYMENTS)).await);
    let mut watcher = PgConnection::connect(&books.url).await.unwrap();
    play(&books, size, 1..=WARM).await;
    let before = (cpu_of_server(&mut watcher).await, cpu_of("self"), Instant::now());
    play(&books, size, WARM + 1..=WARM + PAYMENTS).await;
    let (took, ours) = (before.2.elapsed(), cpu_of("self") - before.1);
    let server = cpu_of_server(&mut watcher).await - before.0;
    let each = |ticks: u64| f64::from(u32::try_from(ticks).unwrap()) * 10_000.0 / f64::from(PAYMENTS);
    println!(
        "{size:>10} {:>14.0} {:>10.0} {:>12.0} {:>12.0}",
        each(server),
        each(ours),
        each(server + ours),
        f64::from(PAYMENTS) / took.as_secs_f64()
    );
    drop(watcher);
    Arc::into_inner(books).expect("all have ended").close().await;
}

async fn play(books: &Arc<Books>, paid: i64, numbers: std::ops::RangeInclusive<u32>) {
    let next = Arc::new(AtomicI64::new(i64::from(*numbers.start())));
    let hands = (0..AT_ONCE).map(|_| {
        let (books, next, last) = (Arc::clone(books), Arc::clone(&next), i64::from(*numbers.end()));
        tokio::spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number > last {
                    return;
                }
                is_paid(&books.db, paid + number, number).await;
            }
        })
    });
    for hand in hands.collect::<Vec<_>>() {
        hand.await.unwrap();
    }
}

/// Ticks of a hundredth of a second that the connections to this database and the server's own helpers have used.
async fn cpu_of_server(watcher: &mut PgConnection) -> u64 {
    let sql = "SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type <> 'autovacuum worker'";
    let pids: Vec<i32> = sqlx::query_scalar(sql).fetch_all(watcher).await.unwrap();
    pids.into_iter().map(|pid| cpu_of(&pid.to_string())).sum()
}

fn cpu_of(process: &str) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    fields.get(11..13).map_or(0, |times| times.iter().filter_map(|ticks| ticks.parse::<u64>().ok()).sum())
}

/// From the wish to the money, with all that a worker writes down on the way. The gateway is not there.
async fn is_paid(db: &Db, bill: i64, number: i64) {
    let invoice = format!("NEW-{number}");
    let (payment, job) = want(db, &invoice, bill).await;
    let charge = books::claim(db, job).await;
    let asked = moved(db, (&payment, State::Asked, &Event::Asked), &Learned::default(), None).await;
    calls::record(db, &call(&invoice, "POST")).await.unwrap();
    let learned = Learned {
        transaction_id: Some(format!("tx-{invoice}").try_into().unwrap()),
        instruction: Some(Instruction::VirtualAccount {
            bank: "bca".to_owned(),
            number: format!("812785{number:011}"),
        }),
        expires_at: Some(books::at(86_400_000)),
        settled_at: None,
    };
    moved(db, (&asked, State::Pending, &Event::Accepted), &learned, Some(&charge)).await;
    let told = books::tell(db, &invoice).await.expect("a new notification comes with its job");
    let sync = books::claim(db, told).await;
    let pending = payments::find(db, payment.id).await.unwrap().unwrap();
    assert!(ledger::holds(db, &sync.lease, books::at(1)).await.unwrap());
    calls::record(db, &call(&invoice, "GET")).await.unwrap();
    let paid = Learned { settled_at: Some(books::at(3)), ..Learned::default() };
    moved(db, (&pending, State::Paid, &Event::Settled), &paid, Some(&sync)).await;
}

async fn want(db: &Db, invoice: &str, bill: i64) -> (Payment, domain::JobId) {
    let new = NewPayment {
        invoice: Invoice::try_from(invoice).unwrap(),
        bill_id: BillId(bill),
        tenant_id: UserId(bill % books::TENANTS + 1),
        method: Method::Bca,
        amount: Rupiah::try_from(books::AMOUNT).unwrap(),
        payer_phone: None,
        supersedes: None,
        next_check_at: books::at(60_000),
    };
    let jobs = |payment_id| vec![SubmitCharge { payment_id }.new_job(books::at(0))];
    match creation::create(db, &new, jobs, books::at(0)).await.unwrap() {
        Creation::Made(payment, jobs) => (*payment, jobs[0]),
        other => panic!("{other:?}"),
    }
}

fn call(invoice: &str, method: &str) -> GatewayCall {
    GatewayCall {
        name: Some(invoice.to_owned()),
        method: method.to_owned(),
        path: format!("/v2/{invoice}/status"),
        http: Some(200),
        answer: "x".repeat(books::BODY_BYTES),
        error: None,
        at: books::at(2),
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
        next_check_at: (to != State::Paid).then(|| books::at(60_000)),
        jobs: &[],
        completes: completes.map(|claimed| &claimed.lease),
    };
    let (written, _) = payments::change(db, &change, books::at(2)).await.unwrap();
    assert_eq!(written, Written::Done);
    payments::find(db, payment.id).await.unwrap().unwrap()
}
