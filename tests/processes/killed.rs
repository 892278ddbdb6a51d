//! `kill -9`, of workers in the middle of their charges and of the api in the middle of its answers.

use std::time::Instant;

use crate::kost::Kost;
use crate::servers::free_port;
use crate::waiting::{eventually, s};

const BILLS: usize = 200;
const PAYMENTS: i64 = 200;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_is_killed_three_times_in_the_middle_loses_no_charge_and_makes_none_twice() {
    let kost = Kost::with_tenants(BILLS).await;
    let port = free_port();
    let _api = kost.start_api(port).await;
    kost.front_end(port).everybody_pays(kost.tenants.clone()).await;
    kost.sim.faults(|faults| faults.api.latency_ms = 50);

    let mut worker = kost.start_worker();
    for enough in [40, 80, 120] {
        kost.gateway_has(enough).await;
        worker.kill_9().await;
        let killed_at = kost.sim.transactions().len();
        let cut_off = kost.count("SELECT count(*) FROM jobs WHERE state = 'running'").await;
        println!("killed at {killed_at} of {BILLS} charges, {cut_off} of them cut off");
        assert!((40..=160).contains(&killed_at), "the kill came at {killed_at}, which is not the middle");
        assert!(cut_off > 0, "the kill hit no running job");
        worker = kost.start_worker();
    }

    let killed = Instant::now();
    kost.all_instructed(PAYMENTS, s(40)).await;
    println!("rescued {:.1?} after the last kill", killed.elapsed());
    kost.all_quiet(s(20)).await;
    kost.assert_charged_once_each(BILLS).await;
    worker.assert_alive();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_api_that_is_killed_while_it_answers_loses_no_payment_and_makes_none_twice() {
    let kost = Kost::with_tenants(BILLS).await;
    let port = free_port();
    let mut api = kost.start_api(port).await;
    let mut worker = kost.start_worker();
    let paying = tokio::spawn(kost.front_end(port).everybody_pays(kost.tenants.clone()));

    for enough in [40, 90, 140] {
        eventually(s(30), "payments are written down", async || {
            let count = kost.count("SELECT count(*) FROM payments").await;
            if count >= enough { Ok(()) } else { Err(format!("{count} are")) }
        })
        .await;
        api.kill_9().await;
        api = kost.start_api(port).await;
    }

    let paid = paying.await.unwrap();
    let again = paid.iter().filter(|paying| paying.tries > 1).count();
    let answer_lost = paid.iter().filter(|paying| !paying.is_new).count();
    println!(
        "{again} tenants had to press again; {answer_lost} of them had been written down before the kill"
    );
    assert!(again > 0, "the kills hit nobody");
    kost.all_instructed(PAYMENTS, s(40)).await;
    kost.all_quiet(s(20)).await;
    kost.assert_charged_once_each(BILLS).await;
    let told: Vec<&str> = paid.iter().map(|paying| paying.invoice.as_str()).collect();
    let known = kost.sim.transactions();
    assert!(known.iter().all(|transaction| told.contains(&transaction.order_id.as_str())));
    worker.assert_alive();
    api.assert_alive();
}
