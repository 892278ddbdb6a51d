//! Pruning: what is old and over is forgotten, and nothing else; of money nothing ever is.

use std::time::Duration;

use domain::State;
use store::ledger::{Finish, NewJob};
use store::notifications::{About, Conclusion, NewNotification};
use store::pruning::{self, Pruned, Retention};
use store::{Db, jobs, ledger, notifications, payments};

use crate::support::{House, add, at, claim, job, number};

on_both![
    only_what_is_over_and_old_is_forgotten,
    a_notification_goes_when_no_job_speaks_of_it_any_more,
    a_prune_that_is_limited_goes_on_later,
    a_dry_run_counts_what_a_prune_forgets,
];

const DAY: Duration = Duration::from_secs(24 * 3600);
const MONTH: Retention =
    Retention { jobs: DAY.saturating_mul(30), notifications: DAY.saturating_mul(60), items: DAY, calls: DAY };

fn day(count: i64) -> domain::Time {
    at(count * 24 * 3600)
}

async fn done(db: &Db, key: &str) {
    done_job(db, job(key), key).await;
}

async fn done_job(db: &Db, new: NewJob, key: &str) {
    let id = add(db, new).await;
    let lease = claim(db, id, key, at(10)).await.unwrap().lease;
    assert!(ledger::finish(db, &lease, &Finish::Done, at(10)).await.unwrap());
}

async fn only_what_is_over_and_old_is_forgotten(db: Db) {
    let house = House::open(&db).await;
    let payment = house.moves(&house.pays("KSR-1").await, State::Paid).await;
    done_job(&db, NewJob { payment_id: Some(payment.id), ..job("done") }, "done").await;
    let traces = jobs::traces_of(&db, payment.id).await.unwrap();
    assert_eq!((traces.len(), traces[0].outcome.as_str(), traces[0].time()), (1, "done", at(10)));
    add(&db, job("ready")).await;
    let dead = add(&db, job("dead")).await;
    let lease = claim(&db, dead, "t", at(10)).await.unwrap().lease;
    ledger::finish(&db, &lease, &Finish::GiveUp { error: "no".to_owned() }, at(10)).await.unwrap();

    assert_eq!(pruning::prune(&db, &MONTH, 100, day(30)).await.unwrap(), Pruned::default());
    let pruned = pruning::prune(&db, &MONTH, 100, day(400)).await.unwrap();
    assert_eq!((pruned.jobs, pruned.total()), (1, 1));
    assert_eq!(number(&db, "SELECT count(*) FROM job_attempts").await, 1);
    assert_eq!(jobs::in_state(&db, "dead", 9).await.unwrap().len(), 1);
    assert_eq!(jobs::in_state(&db, "ready", 9).await.unwrap().len(), 1);
    assert_eq!(payments::find(&db, payment.id).await.unwrap(), Some(payment));
    for kept in ["payments", "payment_history", "postings", "bills"] {
        let count = match kept {
            "payments" => number(&db, "SELECT count(*) FROM payments").await,
            "payment_history" => number(&db, "SELECT count(*) FROM payment_history").await - 1,
            "postings" => number(&db, "SELECT count(*) FROM postings").await,
            _ => number(&db, "SELECT count(*) FROM bills").await,
        };
        assert_eq!(count, 1, "{kept}");
    }
}

/// A notification that was dealt with in the tenth second.
async fn notified(db: &Db, body: &str) {
    let new = NewNotification {
        body_hash: body.to_owned(),
        body,
        kind: "payment",
        order_id: Some("KSR-1"),
        transaction_id: None,
        event: None,
        verified: true,
    };
    let key = body.to_owned();
    let wanted = move |about: About| NewJob { notification_id: Some(about.notification), ..job(&key) };
    let queued = notifications::record(db, &new, wanted, at(5)).await.unwrap().unwrap();
    let lease = claim(db, queued, body, at(10)).await.unwrap().lease;
    let id = notifications::find_by_body(db, body).await.unwrap().unwrap().id;
    let conclusion = Conclusion {
        id,
        payment_id: None,
        attempt: None,
        outcome: "ignored",
        finding: None,
        job: None,
        completes: &lease,
    };
    notifications::conclude(db, &conclusion, at(10)).await.unwrap();
}

async fn a_notification_goes_when_no_job_speaks_of_it_any_more(db: Db) {
    notified(&db, "{}").await;
    let long = Retention { jobs: DAY.saturating_mul(100), ..MONTH };
    assert_eq!(pruning::prune(&db, &long, 100, day(90)).await.unwrap(), Pruned::default());
    let pruned = pruning::prune(&db, &MONTH, 100, day(61)).await.unwrap();
    assert_eq!((pruned.jobs, pruned.notifications), (1, 1));
    assert_eq!(notifications::newest(&db, 9).await.unwrap(), []);
}

async fn a_prune_that_is_limited_goes_on_later(db: Db) {
    for key in ["a", "b", "c"] {
        done(&db, key).await;
    }
    let mut all = Pruned::default();
    for expected in [2, 1, 0] {
        let pruned = pruning::prune(&db, &MONTH, 2, day(31)).await.unwrap();
        assert_eq!(pruned.jobs, expected);
        all += pruned;
    }
    assert_eq!(all.total(), 3);
}

async fn a_dry_run_counts_what_a_prune_forgets(db: Db) {
    notified(&db, "{}").await;
    done(&db, "a").await;
    assert_eq!(pruning::prunable(&db, &MONTH, day(29)).await.unwrap(), Pruned::default());
    let foreseen = pruning::prunable(&db, &MONTH, day(61)).await.unwrap();
    assert_eq!(foreseen, pruning::prune(&db, &MONTH, 100, day(61)).await.unwrap());
    assert_eq!((foreseen.jobs, foreseen.notifications), (2, 1));
}
