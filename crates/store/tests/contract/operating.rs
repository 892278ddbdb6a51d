//! What those who run the service look at: who lives, and what waits for them.

use domain::FindingKind;
use store::findings::{self, NewFinding};
use store::notifications::{self, NewNotification};
use store::processes::{self, Process};
use store::unbooked::{self, Unbooked};
use store::{Db, calls};

use crate::support::{House, at, execute, job, number};

on_both![
    a_process_is_alive_while_it_is_heard_of,
    a_process_takes_the_place_of_one_that_died_and_of_no_other,
    money_that_was_told_of_and_is_not_booked_is_counted,
    what_the_gateway_says_when_asked_counts_more_than_a_notification,
    findings_that_wait_are_counted_by_kind,
];

fn process(id: &str, host: &str) -> Process {
    Process {
        id: id.to_owned(),
        host: host.to_owned(),
        version: "1.2.3".to_owned(),
        is_api: false,
        is_worker: true,
        is_scheduler: false,
    }
}

async fn names(db: &Db, second: i64) -> Vec<(String, bool)> {
    let seen = processes::seen(db, at(second)).await.unwrap();
    seen.into_iter().map(|seen| (seen.process.id.clone(), seen.is_alive(at(second)))).collect()
}

fn told(ids: &[(&str, bool)]) -> Vec<(String, bool)> {
    ids.iter().map(|(id, alive)| ((*id).to_owned(), *alive)).collect()
}

async fn a_process_is_alive_while_it_is_heard_of(db: Db) {
    assert_eq!(names(&db, 0).await, []);
    processes::beat(&db, &process("a", "one"), at(0)).await.unwrap();
    processes::beat(&db, &process("b", "two"), at(10)).await.unwrap();
    processes::beat(&db, &process("a", "one"), at(20)).await.unwrap();
    assert_eq!(names(&db, 44).await, told(&[("a", true), ("b", true)]));
    assert_eq!(names(&db, 45).await, told(&[("a", true), ("b", false)]));
    assert_eq!(names(&db, 60).await, told(&[("a", false), ("b", false)]));
    let seen = processes::seen(&db, at(60)).await.unwrap();
    assert_eq!((&seen[0].process, seen[0].at), (&process("a", "one"), at(20)));
    // Who is silent for an hour is forgotten.
    assert_eq!(names(&db, 3_611).await, told(&[("a", false)]));
    processes::beat(&db, &process("c", "three"), at(3_621)).await.unwrap();
    assert_eq!(number(&db, "SELECT count(*) FROM processes").await, 1);
    processes::leave(&db, "c").await.unwrap();
    assert_eq!(names(&db, 3_621).await, []);
}

async fn a_process_takes_the_place_of_one_that_died_and_of_no_other(db: Db) {
    let api = Process { is_api: true, is_worker: false, ..process("api", "one") };
    for old in [&process("killed", "one"), &process("elsewhere", "two"), &api] {
        processes::beat(&db, old, at(0)).await.unwrap();
    }
    processes::beat(&db, &process("beside", "one"), at(30)).await.unwrap();
    // Nobody knows yet whether the other one is dead.
    assert_eq!(names(&db, 31).await.len(), 4);
    processes::beat(&db, &process("new", "one"), at(40)).await.unwrap();
    let left = told(&[("new", true), ("beside", true), ("api", false), ("elsewhere", false)]);
    assert_eq!(names(&db, 41).await, left);
}

/// A signed notification about `invoice`.
async fn notify(db: &Db, (invoice, event): (&str, &str), second: i64) {
    let new = NewNotification {
        body_hash: format!("{invoice} {event} {second}"),
        body: "{}",
        kind: "payment",
        order_id: Some(invoice),
        transaction_id: None,
        event: Some(event),
        verified: event != "forged",
    };
    notifications::record(db, &new, |about| job(&format!("n:{}", about.notification)), at(second))
        .await
        .unwrap();
}

async fn money_that_was_told_of_and_is_not_booked_is_counted(db: Db) {
    House::open(&db).await.pays("KSR-1").await;
    assert_eq!(unbooked::count(&db, at(0)).await.unwrap(), Unbooked::default());
    notify(&db, ("KSR-1", "accepted"), 1).await;
    notify(&db, ("KSR-404", "settled"), 1).await;
    assert_eq!(unbooked::count(&db, at(2)).await.unwrap(), Unbooked::default());
    notify(&db, ("KSR-1", "settled"), 3).await;
    let one = Unbooked { count: 1, oldest: Some(at(3)) };
    assert_eq!(unbooked::count(&db, at(400)).await.unwrap(), one);
    execute(&db, "UPDATE notifications SET verified = FALSE").await.unwrap();
    assert_eq!(unbooked::count(&db, at(400)).await.unwrap(), Unbooked::default());
    execute(&db, "UPDATE notifications SET verified = TRUE").await.unwrap();
    assert_eq!(unbooked::count(&db, at(3 + 86_401)).await.unwrap(), Unbooked::default());
    execute(&db, "UPDATE payments SET paid_at = 1767225603000").await.unwrap();
    assert_eq!(unbooked::count(&db, at(400)).await.unwrap(), Unbooked::default());
}

async fn what_the_gateway_says_when_asked_counts_more_than_a_notification(db: Db) {
    House::open(&db).await.pays("KSR-1").await;
    notify(&db, ("KSR-1", "settled"), 3).await;
    execute(&db, "UPDATE payments SET checked_at = 1767225602000").await.unwrap();
    assert_eq!(unbooked::count(&db, at(4)).await.unwrap().count, 1);
    execute(&db, "UPDATE payments SET checked_at = 1767225604000").await.unwrap();
    assert_eq!(unbooked::count(&db, at(4)).await.unwrap(), Unbooked::default());
    assert_eq!(calls::last_answer(&db).await.unwrap(), None);
}

async fn findings_that_wait_are_counted_by_kind(db: Db) {
    for (kind, cause) in [
        (FindingKind::Reversal, "a"),
        (FindingKind::Reversal, "b"),
        (FindingKind::Chargeback, "c"),
        (FindingKind::Chargeback, "d"),
    ] {
        let finding = NewFinding { kind, cause: cause.to_owned(), payment_id: None, detail: "" };
        findings::open(&db, &finding, at(0)).await.unwrap();
    }
    execute(&db, "UPDATE findings SET resolved_at = 1, resolution = 'ok' WHERE cause = 'd'").await.unwrap();
    let counted = findings::count_open(&db).await.unwrap();
    assert_eq!(counted, [(FindingKind::Chargeback, 1), (FindingKind::Reversal, 2)]);
}
