//! Races: whatever happens at once ends as if it had happened one after the other.

use std::collections::BTreeSet;

use domain::{BillId, BillStatus, Failure, FindingKind, JobId, Payment, State};
use store::checks::{self, Sweep};
use store::creation::{self, Creation, NewPayment};
use store::ledger::{Finish, NewJob, Take};
use store::notifications::NewNotification;
use store::{Db, Written, findings, history, jobs, ledger, notifications, payments};

use crate::support::{House, NEVER, add, at, at_once, claim, job, moves, number};

on_both![
    of_eight_payments_of_one_bill_one_is_made,
    of_eight_payments_in_the_place_of_one_one_is_made,
    of_eight_changes_of_one_version_one_is_done,
    of_eight_claims_of_one_job_one_is_heard,
    of_eight_endings_of_one_attempt_one_counts,
    two_relays_never_take_the_same_job,
    two_sweeps_never_take_the_same_check,
    of_four_reapers_one_takes_the_job_back,
    one_notification_twenty_times_is_one_row_and_one_job,
    the_same_work_wanted_eight_times_waits_once,
    a_job_wanted_while_it_ends_is_never_forgotten,
    two_payments_of_one_bill_paid_at_once_are_one_finding,
    a_payment_that_fails_while_another_takes_its_place_leaves_the_bill_pending,
];

async fn of_eight_payments_of_one_bill_one_is_made(db: Db) {
    let house = House::open(&db).await;
    let made = at_once(8, |number| {
        let house = house.clone();
        async move {
            let new = house.payment(&format!("KSR-{number}"));
            creation::create(&house.db, &new, move |_| vec![job(&format!("submit:{number}"))], at(1))
                .await
                .unwrap()
        }
    })
    .await;
    assert_eq!(made.iter().filter(|one| matches!(one, Creation::Made(..))).count(), 1);
    assert_eq!(made.iter().filter(|one| matches!(one, Creation::Raced)).count(), 7);
    assert_eq!(payments::of_bill(&db, house.bill).await.unwrap().len(), 1);
    assert_eq!(number(&db, "SELECT count(*) FROM jobs").await, 1);
}

async fn of_eight_payments_in_the_place_of_one_one_is_made(db: Db) {
    let house = House::open(&db).await;
    let old = house.pays("KSR-old").await;
    let made = at_once(8, |number| {
        let (house, old) = (house.clone(), old.clone());
        async move {
            let new = NewPayment { supersedes: Some(&old), ..house.payment(&format!("KSR-{number}")) };
            creation::create(&house.db, &new, |_| Vec::new(), at(1)).await.unwrap()
        }
    })
    .await;
    assert_eq!(made.iter().filter(|one| matches!(one, Creation::Made(..))).count(), 1);
    assert_eq!(payments::of_bill(&db, house.bill).await.unwrap().len(), 2);
    assert_eq!(house.reads(old.id).await.version, 2);
}

async fn of_eight_changes_of_one_version_one_is_done(db: Db) {
    let house = House::open(&db).await;
    let payment = house.pays("KSR-1").await;
    let written = at_once(8, |number| {
        let (db, payment) = (db.clone(), payment.clone());
        let to = if number % 2 == 0 { State::Paid } else { State::Failed(Failure::Expired) };
        async move { payments::change(&db, &moves(&payment, to), at(2)).await.unwrap().0 }
    })
    .await;
    assert_eq!(written.iter().filter(|one| **one == Written::Done).count(), 1);
    assert_eq!(written.iter().filter(|one| **one == Written::Stale).count(), 7);
    assert_eq!(house.reads(payment.id).await.version, 2);
    assert_eq!(history::of_payment(&db, payment.id).await.unwrap().len(), 2);
}

async fn of_eight_claims_of_one_job_one_is_heard(db: Db) {
    let id = add(&db, job("sync:1")).await;
    let claimed = at_once(8, |number| {
        let db = db.clone();
        async move { claim(&db, id, &format!("token {number}"), at(1)).await }
    })
    .await;
    let heard: Vec<_> = claimed.into_iter().flatten().collect();
    assert_eq!(heard.len(), 1);
    assert_eq!(jobs::find(&db, id).await.unwrap().unwrap().attempts, 1);
    assert!(ledger::finish(&db, &heard[0].lease, &Finish::Done, at(2)).await.unwrap());
}

async fn of_eight_endings_of_one_attempt_one_counts(db: Db) {
    let id = add(&db, job("sync:1")).await;
    let work = claim(&db, id, "token", at(1)).await.unwrap();
    let ended = at_once(8, |_| {
        let (db, lease) = (db.clone(), work.lease.clone());
        async move { ledger::finish(&db, &lease, &Finish::Done, at(2)).await.unwrap() }
    })
    .await;
    assert_eq!(ended.iter().filter(|kept| **kept).count(), 1);
    assert_eq!(jobs::attempts_of(&db, id).await.unwrap().len(), 1);
}

async fn two_relays_never_take_the_same_job(db: Db) {
    let wanted: Vec<NewJob> = (0..60).map(|number| job(&format!("sync:{number}"))).collect();
    let mut waiting: BTreeSet<JobId> = ledger::add(&db, &wanted, at(0)).await.unwrap().into_iter().collect();
    assert_eq!(waiting.len(), 60);
    while !waiting.is_empty() {
        let taken = at_once(4, |_| {
            let db = db.clone();
            let take = Take { due: at(10), pushed_before: at(0), limit: 10 };
            async move { ledger::take_due(&db, take, at(10)).await.unwrap() }
        })
        .await;
        assert!(taken.iter().any(|ids| !ids.is_empty()));
        for id in taken.into_iter().flatten() {
            assert!(waiting.remove(&id), "{id} was taken twice");
        }
    }
}

async fn two_sweeps_never_take_the_same_check(db: Db) {
    let house = House::open(&db).await;
    let mut due = BTreeSet::new();
    for month in 2..=12 {
        let bill_id = house.bill_of(month).await;
        due.insert(house.makes(&NewPayment { bill_id, ..house.payment(&format!("KSR-{month}")) }).await.id);
    }
    while !due.is_empty() {
        let taken = at_once(4, |_| {
            let db = db.clone();
            let sweep = Sweep { limit: 3, again_at: at(9_000) };
            async move {
                let mut ids = Vec::new();
                let sync = |id, _| NewJob { payment_id: Some(id), ..job(&format!("sync:{id}")) };
                let (taken, jobs) = checks::take_due(&db, &sweep, sync, at(60)).await.unwrap();
                assert_eq!(taken, jobs.len());
                for id in jobs {
                    ids.extend(jobs::find(&db, id).await.unwrap().unwrap().payment_id);
                }
                ids
            }
        })
        .await;
        assert!(taken.iter().any(|ids| !ids.is_empty()));
        for id in taken.into_iter().flatten() {
            assert!(due.remove(&id), "{id} was taken twice");
        }
    }
}

async fn of_four_reapers_one_takes_the_job_back(db: Db) {
    let id = add(&db, job("sync:1")).await;
    claim(&db, id, "token", at(1)).await.unwrap();
    let reaped = at_once(4, |_| {
        let db = db.clone();
        async move { ledger::reap(&db, at(100), NEVER).await.unwrap() }
    })
    .await;
    assert_eq!(reaped.iter().sum::<usize>(), 1);
    assert_eq!(jobs::attempts_of(&db, id).await.unwrap().len(), 1);
}

async fn one_notification_twenty_times_is_one_row_and_one_job(db: Db) {
    let queued = at_once(20, |_| {
        let db = db.clone();
        async move {
            let new = NewNotification {
                body_hash: "hash".to_owned(),
                body: "{}",
                kind: "payment",
                order_id: Some("KSR-1"),
                transaction_id: None,
                event: None,
                verified: true,
            };
            notifications::record(
                &db,
                &new,
                |about| job(&format!("notification:{}", about.notification)),
                at(1),
            )
            .await
            .unwrap()
        }
    })
    .await;
    assert_eq!(queued.iter().flatten().count(), 1);
    let kept = notifications::newest(&db, 10).await.unwrap();
    assert_eq!((kept.len(), kept[0].seen), (1, 20));
    assert_eq!(number(&db, "SELECT count(*) FROM jobs").await, 1);
}

async fn the_same_work_wanted_eight_times_waits_once(db: Db) {
    let added = at_once(8, |_| {
        let db = db.clone();
        async move { ledger::add(&db, &[job("sync:1")], at(1)).await.unwrap() }
    })
    .await;
    assert_eq!(added.into_iter().flatten().count(), 1);
    assert_eq!(number(&db, "SELECT count(*) FROM jobs").await, 1);
}

async fn a_job_wanted_while_it_ends_is_never_forgotten(db: Db) {
    for round in 0..12 {
        let id = add(&db, job(&format!("sync:{round}"))).await;
        let work = claim(&db, id, "token", at(1)).await.unwrap();
        at_once(2, |number| {
            let (db, lease) = (db.clone(), work.lease.clone());
            async move {
                if number == 0 {
                    assert!(ledger::finish(&db, &lease, &Finish::Done, at(2)).await.unwrap());
                } else {
                    ledger::add(&db, &[job(&format!("sync:{round}"))], at(2)).await.unwrap();
                }
            }
        })
        .await;
        // Either the running job was marked, or a new one was written.
        assert_eq!(jobs::in_state(&db, "ready", 100).await.unwrap().len(), round + 1);
    }
}

async fn two_payments_of_one_bill_paid_at_once_are_one_finding(db: Db) {
    let mut house = House::open(&db).await;
    for month in 2..=9 {
        house.bill = house.bill_of(month).await;
        let first = house.pays(&format!("KSR-{month}-1")).await;
        let second = house.pays_instead(&format!("KSR-{month}-2"), &first).await;
        let both = [house.reads(first.id).await, second];
        let written = at_once(2, |number| {
            let (db, payment) = (db.clone(), both[number].clone());
            async move { payments::change(&db, &moves(&payment, State::Paid), at(2)).await.unwrap().0 }
        })
        .await;
        assert_eq!(written, [Written::Done, Written::Done]);
        assert_eq!(house.bill_status().await, BillStatus::Paid);
        let found = findings::newest(&db, 100).await.unwrap();
        assert_eq!(i64::try_from(found.len()).unwrap(), i64::from(month) - 1);
        assert_eq!(found[0].kind, FindingKind::DoublePayment);
    }
}

async fn a_payment_that_fails_while_another_takes_its_place_leaves_the_bill_pending(db: Db) {
    let mut house = House::open(&db).await;
    for month in 2..=9 {
        house.bill = house.bill_of(month).await;
        let old = house.pays(&format!("KSR-{month}-1")).await;
        at_once(2, |number| {
            let (house, old) = (house.clone(), old.clone());
            async move {
                match number {
                    0 => fail(&house, old).await,
                    _ => replace(&house, &format!("KSR-{month}-2")).await,
                }
            }
        })
        .await;
        assert_eq!(house.reads(old.id).await.state, State::Failed(Failure::Expired));
        assert_eq!(house.bill_status().await, BillStatus::Pending);
        assert!(live(&db, house.bill).await.is_some());
    }
}

/// As a sync does it: when somebody was first, read again.
async fn fail(house: &House, mut payment: Payment) {
    let to = State::Failed(Failure::Expired);
    while payments::change(&house.db, &moves(&payment, to), at(2)).await.unwrap().0 == Written::Stale {
        payment = house.reads(payment.id).await;
    }
}

/// As the API does it: when somebody was first, look again.
async fn replace(house: &House, invoice: &str) {
    loop {
        let old = live(&house.db, house.bill).await;
        let new = NewPayment { supersedes: old.as_ref(), ..house.payment(invoice) };
        match creation::create(&house.db, &new, |_| Vec::new(), at(2)).await.unwrap() {
            Creation::Made(..) => return,
            Creation::Raced => (),
            Creation::AlreadyPaid => panic!("nobody paid"),
        }
    }
}

async fn live(db: &Db, bill: BillId) -> Option<Payment> {
    payments::live_of_bill(db, bill).await.unwrap()
}
