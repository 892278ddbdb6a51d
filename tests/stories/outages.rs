//! What is found after bad days: lost, late and doubled notifications by the hundred, a house that was down, a backlog.

use std::collections::BTreeSet;
use std::time::Duration;

use domain::{FindingKind, Invoice, Method, State};
use futures::future::join_all;
use midtrans_sim::Failure;
use queue::{Job as _, Sweep};
use reqwest::Method as Verb;
use store::{Page, findings, jobs, journal};

use crate::crowd::AMOUNT;
use crate::kost::{Kost, Tenant};

stories![
    a_thousand_payments_on_a_bad_day_end_as_the_gateway_says,
    a_house_that_was_down_for_eight_hours_is_right_after_one_pass,
    a_backlog_is_worked_off_the_oldest_first_and_can_be_watched,
    two_schedulers_and_four_workers_do_each_slot_once_and_ask_once,
];

const METHODS: [Method; 5] = [Method::Bca, Method::Permata, Method::Gopay, Method::Qris, Method::Mandiri];
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// Something happens at the gateway: most are paid, some are denied, cancelled or expire.
async fn happens(kost: &Kost, number: usize, invoice: &Invoice) {
    let id = invoice.as_str();
    let done = match number % 10 {
        7 => kost.sim.deny(id).await,
        8 => kost.sim.cancel(id).await,
        9 => kost.sim.expire(id).await,
        _ => kost.sim.settle(id).await,
    };
    done.unwrap();
}

/// The same for many, while notifications fare as `fate` says.
async fn happen(
    kost: &Kost,
    some: &[(usize, Invoice)],
    fate: impl FnOnce(&mut midtrans_sim::NotificationFaults),
) {
    kost.sim.faults(|faults| fate(&mut faults.notifications));
    for (number, invoice) in some {
        happens(kost, *number, invoice).await;
    }
    kost.sim.wait_until_delivered().await.unwrap();
    kost.sim.faults(|faults| faults.notifications = midtrans_sim::NotificationFaults::default());
}

async fn missed(kost: &Kost) -> BTreeSet<String> {
    let which = findings::Which { resolved: Some(false), kind: Some(FindingKind::MissedNotification) };
    let all = findings::list(&kost.db, &which, Page { after: None, limit: 10_000 }).await.unwrap();
    let invoices: BTreeSet<String> = all.iter().filter_map(|finding| finding.invoice.clone()).collect();
    assert_eq!(invoices.len(), all.len(), "one finding for each change");
    invoices
}

async fn a_thousand_payments_on_a_bad_day_end_as_the_gateway_says(kost: Kost) {
    let budi = kost.tenant("Budi").await;
    let invoices = kost.crowd(&budi, 1_000, &METHODS).await;
    let all: Vec<(usize, Invoice)> = invoices.into_iter().enumerate().collect();
    // Tens of ten, so that each fate meets each thing that happens.
    let part = |tens: std::ops::Range<usize>| -> Vec<(usize, Invoice)> {
        all.iter().filter(|(number, _)| tens.contains(&(number / 10 % 10))).cloned().collect()
    };
    let (lost, late, doubled, usual) = (part(0..3), part(3..5), part(5..6), part(6..10));
    happen(&kost, &lost, |faults| faults.drop_all = true).await;
    happen(&kost, &late, |faults| faults.delay_ms = 10 * 60 * 1000).await;
    happen(&kost, &doubled, |faults| faults.copies = 2).await;
    happen(&kost, &usual, |_| {}).await;
    for step in 0..12 {
        // A burst of a minute: what is asked meanwhile fails, until only probes go out.
        let kind = [Failure::Unavailable, Failure::ServerError][step % 2];
        if step % 3 == 0 {
            kost.sim.faults(|faults| faults.fail_always(kind));
        }
        kost.pass(MINUTE).await;
        kost.sim.faults(|faults| faults.api.fail_next = None);
    }
    for step in [10, 10, 30, 30, 60, 60, 60, 60] {
        kost.pass(MINUTE * step).await;
    }
    for _ in 0..25 {
        kost.pass(HOUR).await;
    }
    let expected: BTreeSet<String> = lost.iter().map(|(_, invoice)| invoice.as_str().to_owned()).collect();
    assert_eq!(missed(&kost).await, expected, "each change that was not told of, and no other");
    let others = kost.findings().await;
    assert_eq!(others.iter().filter(|kind| **kind != "missed_notification").count(), 0, "{others:?}");
    let balances = journal::trial_balance(&kost.db).await.unwrap();
    let on = |name| balances.iter().find(|one| one.account.as_str() == name).unwrap().net();
    assert_eq!((on("gateway"), on("pending"), on("tenants")), (700 * AMOUNT, 0, -700 * AMOUNT));
    kost.close().await;
}

async fn a_house_that_was_down_for_eight_hours_is_right_after_one_pass(kost: Kost) {
    let budi = kost.tenant("Budi").await;
    let invoices = kost.crowd(&budi, 300, &[Method::Bca, Method::Permata, Method::Mandiri]).await;
    kost.stops_serving().await;
    // Nobody works and nobody listens, longer than the gateway tries.
    for (hour, some) in invoices.chunks(50).enumerate() {
        for (number, invoice) in some.iter().enumerate() {
            happens(&kost, hour + number, invoice).await;
        }
        kost.clock.advance(HOUR);
        kost.sim.deliver_due().await.unwrap();
    }
    for _ in 0..2 {
        kost.clock.advance(HOUR);
        kost.sim.deliver_due().await.unwrap();
    }
    let since = kost.clock.now() - chrono::TimeDelta::hours(8);
    let sent = kost.sim.notifications_sent();
    assert!(sent.iter().all(|sent| sent.at <= since || sent.answer.is_none()), "nobody was there");
    let before = kost.looks();
    kost.pass(Duration::ZERO).await;
    let asked = kost.looks() - before;
    assert!(asked <= invoices.len(), "{asked} calls for {} payments", invoices.len());
    println!("after 8 h: {} payments right after one pass of {asked} calls", invoices.len());
    kost.close().await;
}

/// What the line of `/metrics` says.
async fn metric(kost: &Kost, name: &str) -> i64 {
    let page = kost.send(kost.request(Verb::GET, "/metrics")).await.body;
    let line = page.as_str().unwrap().lines().find(|line| line.starts_with(&format!("{name} "))).unwrap();
    line.rsplit_once(' ').unwrap().1.parse().unwrap()
}

async fn a_backlog_is_worked_off_the_oldest_first_and_can_be_watched(kost: Kost) {
    let kost = kost.that_polls_slowly().await;
    kost.sim.faults(|faults| faults.notifications.drop_all = true);
    let budi = kost.tenant("Budi").await;
    let mut invoices = Vec::new();
    for number in 0..5 {
        let months: Tenant = kost.tenant(&format!("tenant{number}")).await;
        invoices.push(kost.pay(&months, "bca").await);
        kost.run_jobs().await;
        kost.clock.advance(Duration::from_secs(1));
    }
    invoices.extend(kost.crowd(&budi, 50, &[Method::Bca]).await);
    kost.clock.advance(HOUR * 3);
    let mut left = Vec::new();
    let before = kost.sim.calls().len();
    for _ in 0..3 {
        left.push(metric(&kost, "kasir_checks_overdue").await);
        kost.pass(Duration::from_secs(10)).await;
    }
    assert_eq!(left, [55, 35, 15], "a sweep takes what the gateway can be asked about until the next");
    assert_eq!(metric(&kost, "kasir_checks_overdue").await, 0);
    let calls = kost.sim.calls();
    let asked: Vec<&str> = calls[before..].iter().filter_map(|call| call.path.split('/').nth(2)).collect();
    let place = |invoice: &Invoice| asked.iter().position(|id| *id == invoice.as_str()).unwrap();
    assert_eq!(asked.len(), 55, "each once");
    assert!(invoices[..5].iter().all(|invoice| place(invoice) < 20), "the oldest are asked about first");
    kost.close().await;
}

async fn two_schedulers_and_four_workers_do_each_slot_once_and_ask_once(kost: Kost) {
    kost.sim.faults(|faults| faults.notifications.drop_all = true);
    let budi = kost.tenant("Budi").await;
    let invoices = kost.crowd(&budi, 40, &[Method::Bca]).await;
    let others = [kost.another_worker().await, kost.another_worker().await, kost.another_worker().await];
    let queues = [&kost.program.queue, &others[0].0];
    let forces = [&kost.program.force, &others[0].1, &others[1].1, &others[2].1];
    let mut slots = 0;
    for minute in 1..=8 {
        kost.clock.advance(MINUTE);
        let now = kost.clock.now();
        let before = kost.looks();
        let slot = [Sweep { slot: queue::sweep_slot(now) }.new_job(now)];
        for enqueued in join_all(queues.map(|queue| queue.enqueue(&slot))).await {
            enqueued.unwrap();
        }
        for drained in join_all(forces.map(|force| force.drain())).await {
            drained.unwrap();
        }
        slots += 1;
        let asked = kost.looks() - before;
        assert!(asked == 0 || asked == invoices.len(), "{asked} in the slot of minute {minute}");
    }
    // After 1, 3 and 7 minutes.
    assert_eq!(kost.looks(), 3 * invoices.len());
    let done = jobs::in_state(&kost.db, "done", 10_000).await.unwrap();
    let sweeps: Vec<_> = done.iter().filter(|job| job.kind == "sweep").collect();
    assert_eq!(sweeps.len(), slots);
    assert!(sweeps.iter().all(|job| job.attempts == 1), "each slot was worked once");
    assert!(done.iter().filter(|job| job.kind == "sync_payment").all(|job| job.attempts == 1));
    let all = kost.payment(&invoices[0]).await;
    assert_eq!(all.state, State::Pending);
    kost.close().await;
}
