//! Checks: whose turn it is to be asked about at the gateway.

use std::sync::Mutex;

use domain::{Payment, PaymentId, State};
use store::checks::{self, Sweep};
use store::creation::NewPayment;
use store::ledger::NewJob;
use store::{Db, jobs};

use crate::support::{House, add, at, job, number};

on_both![
    a_check_without_news_keeps_the_version,
    a_check_of_an_old_version_is_not_noted,
    a_payment_that_needs_no_more_checks_is_not_taken,
    due_checks_are_taken_the_longest_overdue_first,
    a_due_check_whose_job_already_waits_needs_no_second_one,
];

async fn a_check_without_news_keeps_the_version(db: Db) {
    let house = House::open(&db).await;
    let payment = house.pays("KSR-1").await;
    checks::mark_checked(&db, &payment, Some(at(180)), at(60)).await.unwrap();
    let checked = house.reads(payment.id).await;
    assert_eq!(checked, Payment { checked_at: Some(at(60)), ..payment });
    assert_eq!(number(&db, "SELECT next_check_at FROM payments").await, at(180).timestamp_millis());
}

async fn a_check_of_an_old_version_is_not_noted(db: Db) {
    let house = House::open(&db).await;
    let old = house.pays("KSR-1").await;
    let moved = house.moves(&old, State::Asked).await;
    checks::mark_checked(&db, &old, Some(at(180)), at(60)).await.unwrap();
    assert_eq!(house.reads(old.id).await, moved);
}

async fn a_payment_that_needs_no_more_checks_is_not_taken(db: Db) {
    let house = House::open(&db).await;
    let payment = house.pays("KSR-1").await;
    checks::mark_checked(&db, &payment, None, at(60)).await.unwrap();
    let sweep = Sweep { limit: 10, again_at: at(9_000) };
    let taken = checks::take_due(&db, &sweep, |id, _| sync(id), at(8_000)).await.unwrap();
    assert_eq!(taken, (0, Vec::new()));
}

fn sync(id: PaymentId) -> NewJob {
    NewJob { payment_id: Some(id), ..job(&format!("sync:{id}")) }
}

/// Payments of three months, due after 60, 50 and 40 seconds; the gateway was asked for the first.
async fn three_payments(house: &House) -> [Payment; 3] {
    let first = house.pays("KSR-1").await;
    let first = house.moves(&first, State::Asked).await;
    checks::mark_checked(&house.db, &first, Some(at(60)), at(10)).await.unwrap();
    let mut others = Vec::new();
    for (month, due) in [(2, 50), (3, 40)] {
        let bill_id = house.bill_of(month).await;
        let invoice = format!("KSR-{month}");
        let new = NewPayment { bill_id, next_check_at: at(due), ..house.payment(&invoice) };
        others.push(house.makes(&new).await);
    }
    [first, others.remove(0), others.remove(0)]
}

async fn due_checks_are_taken_the_longest_overdue_first(db: Db) {
    let house = House::open(&db).await;
    let [first, second, third] = three_payments(&house).await;
    let take = async |limit, now| {
        let asked = Mutex::new(Vec::new());
        let job = |id, never_asked| {
            asked.lock().unwrap().push((id, never_asked));
            sync(id)
        };
        let sweep = Sweep { limit, again_at: at(300) };
        let (taken, ids) = checks::take_due(&db, &sweep, job, at(now)).await.unwrap();
        let mut asked = asked.into_inner().unwrap();
        asked.sort_unstable();
        assert_eq!((taken, ids.len()), (asked.len(), asked.len()));
        asked
    };
    assert_eq!(take(10, 39).await, []);
    assert_eq!(take(1, 60).await, [(third.id, true)]);
    assert_eq!(take(10, 60).await, [(first.id, false), (second.id, true)]);
    assert_eq!(take(10, 299).await, []);

    let waiting = jobs::in_state(&db, "ready", 10).await.unwrap();
    assert_eq!(waiting.len(), 3);
    assert!(waiting.iter().any(|job| job.payment_id == Some(third.id)));
    assert_eq!(house.reads(third.id).await, third);
}

async fn a_due_check_whose_job_already_waits_needs_no_second_one(db: Db) {
    let house = House::open(&db).await;
    let payment = house.pays("KSR-1").await;
    add(&db, sync(payment.id)).await;
    let sweep = Sweep { limit: 10, again_at: at(300) };
    let (taken, ids) = checks::take_due(&db, &sweep, |id, _| sync(id), at(60)).await.unwrap();
    assert_eq!((taken, ids), (1, Vec::new()));
    assert_eq!(number(&db, "SELECT count(*) FROM jobs").await, 1);
    // Should that job come to nothing, the payment's turn comes again.
    let (taken, _) = checks::take_due(&db, &sweep, |id, _| sync(id), at(300)).await.unwrap();
    assert_eq!(taken, 1);
}
