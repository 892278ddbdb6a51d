//! Settlements that nobody of ours was there to hear of.

use std::time::Instant;

use crate::front_end::Paying;
use crate::kost::Kost;
use crate::servers::free_port;
use crate::waiting::{eventually, ms, s};

const BILLS: usize = 20;
const PAYMENTS: i64 = 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn notifications_that_come_while_the_worker_is_dead_are_kept_and_worked_on_later() {
    let kost = Kost::with_tenants(BILLS).await;
    let port = free_port();
    let _api = kost.start_api(port).await;
    let worker = kost.start_worker();
    let paying = everybody_is_instructed(&kost, port).await;
    // The notifications of the charges themselves.
    kost.sim.wait_until_delivered().await.unwrap();
    kost.all_quiet(s(20)).await;
    worker.kill_9().await;

    settle_all(&kost, &paying).await;
    kost.sim.wait_until_delivered().await.unwrap();
    let settlements =
        kost.sim.notifications_sent().into_iter().filter(|sent| sent.transaction_status == "settlement");
    let answers: Vec<Option<u16>> = settlements.map(|sent| sent.answer).collect();
    assert_eq!(answers, vec![Some(201); BILLS]);
    assert_eq!(kost.paid().await, 0, "nobody was there to do the work");

    let started = Instant::now();
    let mut worker = kost.start_worker();
    kost.all_paid(PAYMENTS, s(30)).await;
    println!(
        "{BILLS} settlements that came without a worker: paid {:.1?} after one started",
        started.elapsed()
    );
    kost.all_quiet(s(20)).await;
    kost.assert_charged_once_each(BILLS).await;
    worker.assert_alive();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_settlement_that_was_never_told_is_found_when_the_tenant_looks() {
    let kost = Kost::with_tenants(BILLS).await;
    let port = free_port();
    let api = kost.start_api(port).await;
    let mut worker = kost.start_worker();
    let paying = everybody_is_instructed(&kost, port).await;
    kost.sim.wait_until_delivered().await.unwrap();
    kost.all_quiet(s(20)).await;
    api.kill_9().await;

    settle_all(&kost, &paying).await;
    kost.sim.wait_until_delivered().await.unwrap();
    let unheard = kost.sim.notifications_sent().iter().filter(|sent| sent.answer.is_none()).count();
    assert_eq!(unheard, BILLS, "nobody was there to hear");

    // The gateway's next attempt is two minutes away; tenants look at their payments now.
    let _api = kost.start_api(port).await;
    let started = Instant::now();
    let front_end = kost.front_end(port);
    eventually(s(40), "every tenant sees the payment as paid", async || {
        let mut waiting = 0;
        for (tenant, paying) in kost.tenants.iter().zip(&paying) {
            waiting += usize::from(front_end.payment(tenant, &paying.invoice).await["status"] != "paid");
        }
        // As a page that reloads itself.
        tokio::time::sleep(ms(200)).await;
        if waiting == 0 { Ok(()) } else { Err(format!("{waiting} are not")) }
    })
    .await;
    println!(
        "{BILLS} settlements that were never told: seen as paid after {:.1?} of looking",
        started.elapsed()
    );
    let missed = kost.count("SELECT count(*) FROM findings WHERE kind = 'missed_notification'").await;
    println!("findings of missed notifications: {missed}");
    kost.all_quiet(s(20)).await;
    kost.assert_charged_once_each(BILLS).await;
    worker.assert_alive();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_on_the_page_sees_the_payment_paid_without_any_notification() {
    let kost = Kost::with_tenants(BILLS).await;
    let port = free_port();
    let _api = kost.start_api(port).await;
    let mut worker = kost.start_worker();
    kost.sim.faults(|faults| faults.notifications.drop_all = true);
    let paying = everybody_is_instructed(&kost, port).await;
    let front_end = kost.front_end(port);
    let seen = kost.tenants.iter().zip(&paying).map(async |(tenant, paying)| {
        // The page is open for a while before the tenant pays.
        front_end.payment(tenant, &paying.invoice).await;
        kost.sim.settle(&paying.invoice).await.unwrap();
        let paid = Instant::now();
        eventually(s(40), "the tenant sees it paid", async || {
            tokio::time::sleep(ms(500)).await;
            match front_end.payment(tenant, &paying.invoice).await["status"] == "paid" {
                true => Ok(()),
                false => Err("it is not".to_owned()),
            }
        })
        .await;
        paid.elapsed()
    });
    let mut seen = futures::future::join_all(seen).await;
    seen.sort_unstable();
    println!(
        "without notifications, a page that looks twice a second shows paid after {:.1?} (median) and {:.1?} (longest)",
        seen[seen.len() / 2],
        seen[seen.len() - 1]
    );
    assert_eq!(kost.sim.notifications_sent().len(), 0);
    kost.all_quiet(s(20)).await;
    worker.assert_alive();
}

async fn everybody_is_instructed(kost: &Kost, port: u16) -> Vec<Paying> {
    let paying = kost.front_end(port).everybody_pays(kost.tenants.clone()).await;
    kost.all_instructed(PAYMENTS, s(20)).await;
    paying
}

async fn settle_all(kost: &Kost, paying: &[Paying]) {
    for paying in paying {
        kost.sim.settle(&paying.invoice).await.unwrap();
    }
}
