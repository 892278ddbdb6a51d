//! Redis only carries ids, so that losing all of them at any moment loses nothing, and too many of them stop nothing.

use std::time::Instant;

use clock::Clock;
use queue::{Job as _, NewJob, Queue, Sweep};

use crate::kost::Kost;
use crate::servers::free_port;
use crate::waiting::s;

const BILLS: usize = 200;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_forgets_everything_again_and_again_loses_no_charge() {
    let kost = Kost::with_tenants(BILLS).await;
    let port = free_port();
    let _api = kost.start_api(port).await;
    let (early, late) = kost.tenants.split_at(BILLS - 30);
    kost.front_end(port).everybody_pays(early.to_vec()).await;
    let mut lost = vec![kost.redis.lose_everything().await];
    assert!(lost[0] > 0, "the api pushed nothing");

    kost.sim.faults(|faults| faults.api.latency_ms = 50);
    let mut worker = kost.start_worker();
    for (enough, payers) in [40, 90, 140].into_iter().zip(late.chunks(10)) {
        kost.gateway_has(enough).await;
        // While the worker stands still, what is pushed stays in Redis, so that the flush hits it.
        worker.hang().await;
        kost.front_end(port).everybody_pays(payers.to_vec()).await;
        kost.redis_holds_ids().await;
        lost.push(kost.redis.lose_everything().await);
        worker.go_on().await;
    }
    let flushed = Instant::now();
    println!("ids that were waiting when Redis forgot them: {lost:?}");
    assert!(lost.iter().all(|count| *count > 0), "a flush hit nothing");

    kost.all_instructed(200, s(40)).await;
    println!("rescued {:.1?} after the last flush", flushed.elapsed());
    kost.all_quiet(s(20)).await;
    kost.assert_charged_once_each(BILLS).await;
    worker.assert_alive();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_ids_that_nobody_takes_do_not_stop_the_workers_that_come_later() {
    // apalis-redis moves all waiting ids in one Lua call, which fails for good at about 8,000.
    const JOBS: usize = 10_000;
    let kost = Kost::with_tenants(1).await;
    let port = free_port();
    let _api = kost.start_api(port).await;
    let clock = Clock::system();
    let queue = Queue::open(kost.db(), clock.clone(), Some(&kost.redis.settings())).unwrap();
    let jobs: Vec<NewJob> =
        (0..JOBS).map(|slot| Sweep { slot: format!("test-{slot}") }.new_job(clock.now())).collect();
    for some in jobs.chunks(250) {
        queue.enqueue(some).await.unwrap();
    }
    // The work itself is not the point.
    sqlx::query("UPDATE jobs SET state = 'cancelled' WHERE kind = 'sweep'")
        .execute(&kost.pool)
        .await
        .unwrap();

    let front_end = kost.front_end(port);
    front_end.pay(&kost.tenants[0]).await;
    println!("{JOBS} jobs written down without a worker: {} ids wait in Redis", kost.redis.waiting().await);
    let started = Instant::now();
    let mut worker = kost.start_worker();
    kost.all_instructed(1, s(20)).await;
    println!("the payment behind them was instructed {:.1?} after a worker started", started.elapsed());
    kost.all_quiet(s(20)).await;
    kost.assert_charged_once_each(1).await;
    assert!(!worker.logged().contains("the worker on Redis stopped"), "{}", worker.logged());
    worker.assert_alive();
}
