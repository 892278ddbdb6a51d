//! SIGTERM: the first asks, the second insists, and either way no work is lost.

use std::time::Duration;

use crate::kost::Kost;
use crate::process::Kasir;
use crate::servers::free_port;
use crate::waiting::{eventually, ms, s};

const BILLS: usize = 40;
const PAYMENTS: i64 = 40;
const RUNNING: &str = "SELECT count(*) FROM jobs WHERE state = 'running'";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_is_asked_to_stop_ends_its_jobs_first() {
    let (kost, worker) = busy(ms(1_000)).await;
    let asked = worker.terminate().await;
    let status = worker.ends_within(s(20)).await;
    let took = asked.elapsed();
    println!("a worker with running jobs stopped within {took:.1?} of SIGTERM");
    assert!(status.success(), "{status}");
    assert_eq!(kost.count(RUNNING).await, 0, "a job was left behind");
    assert_eq!(attempts_that_ended_as(&kost, "lost").await, 0);
    assert!(kost.instructed().await > 0, "the jobs that ran have not ended");
    another_worker_does_the_rest(&kost).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_is_told_twice_stops_at_once_and_hands_its_jobs_back() {
    // Much longer than anybody waits: the gateway works on these charges while nobody listens any more.
    let (kost, worker) = busy(ms(6_000)).await;
    worker.terminate().await;
    eventually(s(5), "the worker has heard the first signal", async || {
        if worker.logged().contains("a second signal stops at once") { Ok(()) } else { Err(worker.logged()) }
    })
    .await;
    let asked = worker.terminate().await;
    let status = worker.ends_within(s(5)).await;
    let took = asked.elapsed();
    println!("a worker with running jobs stopped within {took:.1?} of the second SIGTERM");
    assert!(status.success(), "{status}");
    assert_eq!(kost.count(RUNNING).await, 0, "a job was left behind");
    let handed_back = attempts_that_ended_as(&kost, "later").await;
    println!("{handed_back} jobs were handed back");
    assert!(handed_back > 0);
    assert_eq!(attempts_that_ended_as(&kost, "lost").await, 0);
    another_worker_does_the_rest(&kost).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_role_stops_when_it_is_asked_to() {
    let kost = Kost::with_tenants(1).await;
    let port = free_port();
    let roles = [kost.start_api(port).await, kost.start_scheduler(), kost.start_worker()];
    // A browser that keeps its connection.
    kost.front_end(port).log_in(&kost.tenants[0]).await;
    for role in roles {
        eventually(s(10), "the process runs", async || {
            let log = role.logged();
            if log.is_empty() { Err("it has said nothing yet".to_owned()) } else { Ok(()) }
        })
        .await;
        let asked = role.terminate().await;
        let status = role.ends_within(s(10)).await;
        println!("stopped within {:.1?}", asked.elapsed());
        assert!(status.success(), "{status}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_hears_of_a_worker_elsewhere_and_does_not_hold_up_a_stop() {
    let kost = Kost::with_tenants(1).await;
    let port = free_port();
    let api = kost.start_api(port).await;
    let (front_end, tenant) = (kost.front_end(port), &kost.tenants[0]);
    let paying = front_end.pay(tenant).await;
    let mut stream = front_end.events(tenant, &paying.invoice).await;
    let worker = kost.start_worker();
    let mut heard = String::new();
    while !heard.contains("\"instruction\":{") {
        let chunk = tokio::time::timeout(s(20), stream.chunk()).await.unwrap().unwrap();
        heard.push_str(std::str::from_utf8(&chunk.expect("the stream goes on")).unwrap());
    }
    let asked = api.terminate().await;
    assert!(stream.chunk().await.unwrap().is_none(), "the stream ends");
    let status = api.ends_within(s(10)).await;
    println!("an api with an open stream stopped within {:.1?}", asked.elapsed());
    assert!(status.success(), "{status}");
    worker.terminate().await;
    worker.ends_within(s(10)).await;
}

/// A worker in the middle of charges, each of which takes the gateway so long.
async fn busy(latency: Duration) -> (Kost, Kasir) {
    let kost = Kost::with_tenants(BILLS).await;
    let port = free_port();
    let api = kost.start_api(port).await;
    kost.front_end(port).everybody_pays(kost.tenants.clone()).await;
    drop(api);
    kost.sim.faults(|faults| faults.api.latency_ms = u64::try_from(latency.as_millis()).unwrap());
    let worker = kost.start_worker();
    eventually(s(20), "the gateway is working on charges", async || match kost.sim.charge_calls() {
        0..4 => Err(format!("{} have come", kost.sim.charge_calls())),
        _ => Ok(()),
    })
    .await;
    assert!(kost.count(RUNNING).await > 0);
    (kost, worker)
}

async fn another_worker_does_the_rest(kost: &Kost) {
    kost.sim.faults(|faults| faults.api.latency_ms = 0);
    let mut worker = kost.start_worker();
    kost.all_instructed(PAYMENTS, s(40)).await;
    kost.all_quiet(s(30)).await;
    kost.assert_charged_once_each(BILLS).await;
    worker.assert_alive();
}

async fn attempts_that_ended_as(kost: &Kost, outcome: &str) -> i64 {
    const SQL: &str = "SELECT count(*) FROM job_attempts WHERE outcome = $1";
    sqlx::query_scalar(SQL).bind(outcome).fetch_one(&kost.pool).await.unwrap()
}
