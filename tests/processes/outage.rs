//! Redis gone for a while: payments go on, and afterwards everything is as before.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::kost::{Kost, Tenant};
use crate::servers::free_port;
use crate::waiting::{eventually, ms, s};

/// Tenants who pay one after the other, side by side with other such rows.
const ROWS: usize = 4;
/// A pay call never waits for Redis: this is what a busy machine may take.
const ANSWERED_WITHIN: Duration = s(2);
/// While Redis is gone the relay looks every second for what is due; while it hangs, five seconds pass before each look.
const INSTRUCTED_WITHIN: Duration = s(15);

/// How a payment went: how long the answer took, and how long the instruction.
struct Paid {
    answered: Duration,
    instructed: Duration,
}

/// The outage, in seconds: 20, or what `KASIR_TEST_OUTAGE_S` says.
fn outage() -> Duration {
    s(std::env::var("KASIR_TEST_OUTAGE_S")
        .map_or(20, |text| text.parse().expect("KASIR_TEST_OUTAGE_S is a number")))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn payments_go_on_while_redis_is_gone_and_afterwards() {
    let outage = outage();
    let count = usize::try_from(outage.as_secs()).unwrap() * 8;
    let mut kost = Kost::with_tenants(count + 20).await;
    let port = free_port();
    let mut api = kost.start_api(port).await;
    let mut worker = kost.start_worker();
    let before = pay_and_wait(&kost, port, &kost.tenants[count].clone()).await;
    println!("with Redis: answered in {:.0?}, instructed in {:.0?}", before.answered, before.instructed);

    kost.redis.kill().await;
    let killed = Instant::now();
    let paid = pay_for(&kost, port, outage, count).await;
    tell("without Redis", &paid);
    assert!(paid.len() >= ROWS, "too few payments were tried");
    let left = outage.saturating_sub(killed.elapsed());
    tokio::time::sleep(left).await;

    kost.redis.start_again().await;
    let back = Instant::now();
    let tenants = kost.tenants[count + 1..count + 10].to_vec();
    let mut after = Vec::new();
    for tenant in &tenants {
        after.push(pay_and_wait(&kost, port, tenant).await);
    }
    tell("with Redis again", &after);
    eventually(s(30), "the worker is back at Redis", async || match worker.logged() {
        log if log.contains("Redis answers again") && kost.redis.keys().await > 0 => Ok(()),
        _ => Err("it has not said so".to_owned()),
    })
    .await;
    println!("the worker was back at Redis after {:.1?}", back.elapsed());
    let last = pay_and_wait(&kost, port, &kost.tenants[count + 10].clone()).await;
    println!("then: answered in {:.0?}, instructed in {:.0?}", last.answered, last.instructed);

    kost.all_quiet(s(20)).await;
    kost.assert_charged_once_each(1 + paid.len() + after.len() + 1).await;
    worker.assert_alive();
    api.assert_alive();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn payments_go_on_while_redis_hangs() {
    const TENANTS: usize = 60;
    let kost = Kost::with_tenants(TENANTS + 1).await;
    let port = free_port();
    let mut api = kost.start_api(port).await;
    let mut worker = kost.start_worker();
    pay_and_wait(&kost, port, &kost.tenants[TENANTS].clone()).await;

    kost.redis.hang().await;
    let paid = pay_for(&kost, port, s(15), TENANTS).await;
    tell("while Redis hangs", &paid);
    assert!(paid.len() >= ROWS, "too few payments were tried");
    kost.redis.go_on().await;

    kost.all_quiet(s(20)).await;
    kost.assert_charged_once_each(1 + paid.len()).await;
    worker.assert_alive();
    api.assert_alive();
}

/// Rows of tenants pay until the time is over.
async fn pay_for(kost: &Kost, port: u16, outage: Duration, count: usize) -> Vec<Paid> {
    let (begun, next) = (Instant::now(), AtomicUsize::new(0));
    let row = async || {
        let mut paid = Vec::new();
        // The last ones must be through before Redis is back.
        while begun.elapsed() + s(2) < outage {
            let number = next.fetch_add(1, Ordering::SeqCst);
            let Some(tenant) = kost.tenants[..count].get(number) else { break };
            paid.push(pay_and_wait(kost, port, tenant).await);
        }
        paid
    };
    let rows: Vec<Vec<Paid>> = futures::future::join_all((0..ROWS).map(|_| row())).await;
    rows.into_iter().flatten().collect()
}

async fn pay_and_wait(kost: &Kost, port: u16, tenant: &Arc<Tenant>) -> Paid {
    const SQL: &str = "SELECT count(*) FROM payments WHERE invoice = $1 AND instruction IS NOT NULL";
    let begun = Instant::now();
    let paying = kost.front_end(port).pay(tenant).await;
    eventually(INSTRUCTED_WITHIN, "the payment has its instruction", async || {
        let found: i64 = sqlx::query_scalar(SQL).bind(&paying.invoice).fetch_one(&kost.pool).await.unwrap();
        if found == 1 { Ok(()) } else { Err(format!("{} has none", paying.invoice)) }
    })
    .await;
    assert!(paying.took < ANSWERED_WITHIN, "the answer took {:?}", paying.took);
    assert_eq!(paying.tries, 1);
    Paid { answered: paying.took, instructed: begun.elapsed() }
}

fn tell(when: &str, paid: &[Paid]) {
    let answered = paid.iter().map(|paid| paid.answered).max().unwrap_or(ms(0));
    let instructed = paid.iter().map(|paid| paid.instructed).max().unwrap_or(ms(0));
    println!(
        "{when}: {} payments, slowest answer {answered:.0?}, slowest instruction {instructed:.0?}",
        paid.len()
    );
}
