//! The ledger's front: the same work waits once, and none is forgotten.

use domain::{JobId, NotificationId};
use store::ledger::{Finish, NewJob};
use store::notifications::NewNotification;
use store::{Db, jobs, ledger, notifications};

use crate::support::{House, add, at, claim, job, number};

on_both![
    a_job_is_written_as_it_was_wanted,
    the_same_work_waits_once,
    waiting_work_is_brought_forward_and_never_put_off,
    work_that_is_wanted_while_it_is_done_is_done_again,
    work_that_is_wanted_while_it_fails_is_tried_again_after_the_pause,
    work_that_is_no_news_waits_like_the_one_that_waits,
    work_that_was_done_may_be_wanted_again,
    the_work_of_a_slot_is_done_once_ever,
    the_work_of_a_slot_remembers_what_it_is_about,
    old_slots_are_forgotten_once_their_work_is_done,
    jobs_are_listed_by_state_newest_first,
];

async fn state(db: &Db, id: JobId) -> String {
    jobs::find(db, id).await.unwrap().unwrap().state
}

async fn a_job_is_written_as_it_was_wanted(db: Db) {
    let payment = House::open(&db).await.pays("KSR-1").await;
    let new = NewJob { payment_id: Some(payment.id), run_at: at(30), ..job("sync:1") };
    let id = add(&db, new).await;
    let job = jobs::find(&db, id).await.unwrap().unwrap();
    assert_eq!((job.id, job.kind.as_str(), job.state.as_str()), (id, "sync_payment", "ready"));
    assert_eq!((job.attempts, job.run_at, job.payment_id), (0, at(30), Some(payment.id)));
    assert_eq!((job.last_error, job.finished_at), (None, None));
    assert_eq!(jobs::find(&db, JobId(404)).await.unwrap(), None);
    assert_eq!(jobs::attempts_of(&db, id).await.unwrap(), []);
}

async fn the_same_work_waits_once(db: Db) {
    let twice = [job("sync:1"), job("sync:1"), job("sync:2")];
    assert_eq!(ledger::add(&db, &twice, at(0)).await.unwrap().len(), 2);
    assert_eq!(ledger::add(&db, &twice, at(1)).await.unwrap(), []);
    assert_eq!(number(&db, "SELECT count(*) FROM jobs").await, 2);
}

async fn waiting_work_is_brought_forward_and_never_put_off(db: Db) {
    let wanted = |second| [NewJob { run_at: at(second), ..job("sync:1") }];
    let id = ledger::add(&db, &wanted(60), at(0)).await.unwrap()[0];
    let take = ledger::Take { due: at(60), pushed_before: at(0), limit: 10 };
    assert_eq!(ledger::take_due(&db, take, at(60)).await.unwrap(), [id]);

    assert_eq!(ledger::add(&db, &wanted(90), at(1)).await.unwrap(), []);
    assert_eq!(jobs::find(&db, id).await.unwrap().unwrap().run_at, at(60));
    assert_eq!(number(&db, "SELECT count(*) FROM jobs WHERE pushed_at IS NULL").await, 0);

    assert_eq!(ledger::add(&db, &wanted(30), at(1)).await.unwrap(), [id]);
    assert_eq!(jobs::find(&db, id).await.unwrap().unwrap().run_at, at(30));
    // Its old push was for a later time: it is pushed anew.
    assert_eq!(number(&db, "SELECT count(*) FROM jobs WHERE pushed_at IS NULL").await, 1);
}

async fn work_that_is_wanted_while_it_is_done_is_done_again(db: Db) {
    let id = add(&db, job("sync:1")).await;
    let first = claim(&db, id, "one", at(1)).await.unwrap();
    assert_eq!(ledger::add(&db, &[job("sync:1")], at(2)).await.unwrap(), []);
    assert_eq!(ledger::add(&db, &[job("sync:1")], at(2)).await.unwrap(), []);
    assert_eq!(state(&db, id).await, "running");

    assert!(ledger::finish(&db, &first.lease, &Finish::Done, at(3)).await.unwrap());
    let again = jobs::find(&db, id).await.unwrap().unwrap();
    assert_eq!((again.state.as_str(), again.attempts, again.run_at), ("ready", 0, at(3)));

    let second = claim(&db, id, "two", at(3)).await.unwrap();
    assert_eq!(second.lease.attempt, 1);
    assert!(ledger::finish(&db, &second.lease, &Finish::Done, at(4)).await.unwrap());
    assert_eq!(state(&db, id).await, "done");
    assert_eq!(number(&db, "SELECT count(*) FROM jobs").await, 1);
    assert_eq!(jobs::attempts_of(&db, id).await.unwrap().len(), 2);
}

async fn work_that_is_wanted_while_it_fails_is_tried_again_after_the_pause(db: Db) {
    let error = "on purpose".to_owned();
    let ends = [
        (Finish::Retry { at: at(900), error: error.clone() }, 900),
        (Finish::Later { at: at(900), reason: error.clone() }, 900),
        // What it waited for has come.
        (Finish::Await { at: at(900), reason: error.clone() }, 3),
        // Nobody asked for a pause here; the news deserves a try of its own.
        (Finish::GiveUp { error }, 3),
    ];
    for (key, (end, due)) in ["sync:1", "sync:2", "sync:3", "sync:4"].into_iter().zip(ends) {
        let id = add(&db, job(key)).await;
        let work = claim(&db, id, "one", at(1)).await.unwrap();
        ledger::add(&db, &[job(key)], at(2)).await.unwrap();
        assert!(ledger::finish(&db, &work.lease, &end, at(3)).await.unwrap());
        let again = jobs::find(&db, id).await.unwrap().unwrap();
        assert_eq!((again.state.as_str(), again.attempts, again.run_at), ("ready", 0, at(due)), "{end:?}");
    }
}

async fn work_that_is_no_news_waits_like_the_one_that_waits(db: Db) {
    let look = || NewJob { is_news: false, ..job("sync:1") };
    let id = add(&db, NewJob { run_at: at(60), ..look() }).await;
    assert_eq!(ledger::add(&db, &[look()], at(1)).await.unwrap(), []);
    assert_eq!(jobs::find(&db, id).await.unwrap().unwrap().run_at, at(60), "a pause is not cut short");

    let work = claim(&db, id, "one", at(60)).await.unwrap();
    assert_eq!(ledger::add(&db, &[look()], at(61)).await.unwrap(), []);
    assert!(ledger::finish(&db, &work.lease, &Finish::Done, at(62)).await.unwrap());
    assert_eq!(state(&db, id).await, "done", "the look that was taken serves both");
}

async fn work_that_was_done_may_be_wanted_again(db: Db) {
    let first = add(&db, job("sync:1")).await;
    let work = claim(&db, first, "one", at(1)).await.unwrap();
    assert!(ledger::finish(&db, &work.lease, &Finish::Done, at(2)).await.unwrap());
    let second = add(&db, job("sync:1")).await;
    assert_ne!(first, second);
    assert_eq!((state(&db, first).await, state(&db, second).await), ("done".to_owned(), "ready".to_owned()));
}

async fn the_work_of_a_slot_is_done_once_ever(db: Db) {
    let slot = |night: &str| {
        [NewJob { once_key: Some(format!("reconcile:{night}")), ..job(&format!("reconcile:{night}")) }]
    };
    let id = ledger::add(&db, &slot("2026-01-01"), at(0)).await.unwrap()[0];
    assert_eq!(ledger::add(&db, &slot("2026-01-01"), at(0)).await.unwrap(), []);
    let work = claim(&db, id, "one", at(1)).await.unwrap();
    assert_eq!(ledger::add(&db, &slot("2026-01-01"), at(1)).await.unwrap(), []);
    assert!(ledger::finish(&db, &work.lease, &Finish::Done, at(2)).await.unwrap());
    assert_eq!(state(&db, id).await, "done");
    assert_eq!(ledger::add(&db, &slot("2026-01-01"), at(3)).await.unwrap(), []);
    assert_eq!(number(&db, "SELECT count(*) FROM jobs").await, 1);
    assert_eq!(ledger::add(&db, &slot("2026-01-02"), at(3)).await.unwrap().len(), 1);
}

async fn the_work_of_a_slot_remembers_what_it_is_about(db: Db) {
    let payment = House::open(&db).await.pays("KSR-1").await;
    let new = NewNotification {
        body_hash: "hash".to_owned(),
        body: "{}",
        kind: "payment",
        order_id: None,
        transaction_id: None,
        event: None,
        verified: true,
    };
    notifications::record(&db, &new, |_| job("process:1"), at(0)).await.unwrap();
    let seen = notifications::newest(&db, 1).await.unwrap()[0].id;
    let slot = NewJob {
        once_key: Some("nightly:1".to_owned()),
        payment_id: Some(payment.id),
        notification_id: Some(seen),
        ..job("nightly:1")
    };
    let id = add(&db, slot).await;
    assert_eq!(jobs::find(&db, id).await.unwrap().unwrap().payment_id, Some(payment.id));
    let about = "SELECT notification_id FROM jobs WHERE once_key IS NOT NULL";
    assert_eq!(NotificationId(number(&db, about).await), seen);
}

async fn old_slots_are_forgotten_once_their_work_is_done(db: Db) {
    let slot = |key: &str| NewJob { once_key: Some(key.to_owned()), ..job(key) };
    let done = add(&db, slot("night:1")).await;
    let waiting = add(&db, slot("night:2")).await;
    let of_no_slot = add(&db, job("sync:1")).await;
    for id in [done, of_no_slot] {
        let work = claim(&db, id, "one", at(1)).await.unwrap();
        assert!(ledger::finish(&db, &work.lease, &Finish::Done, at(2)).await.unwrap());
    }
    // All were written down at the beginning.
    ledger::forget_slots(&db, at(0)).await.unwrap();
    assert_eq!(state(&db, done).await, "done");
    ledger::forget_slots(&db, at(1)).await.unwrap();
    assert_eq!(jobs::find(&db, done).await.unwrap(), None);
    assert_eq!(jobs::attempts_of(&db, done).await.unwrap(), []);
    assert_eq!(
        (state(&db, waiting).await, state(&db, of_no_slot).await),
        ("ready".to_owned(), "done".to_owned())
    );
    assert_eq!(jobs::attempts_of(&db, of_no_slot).await.unwrap().len(), 1);
}

async fn jobs_are_listed_by_state_newest_first(db: Db) {
    let mut ids = Vec::new();
    for key in ["sync:1", "sync:2", "sync:3"] {
        ids.push(add(&db, job(key)).await);
    }
    claim(&db, ids[1], "one", at(1)).await.unwrap();
    let listed = async |state: &str, limit| {
        let rows = jobs::in_state(&db, state, limit).await.unwrap();
        rows.into_iter().map(|job| job.id).collect::<Vec<_>>()
    };
    assert_eq!(listed("ready", 10).await, [ids[2], ids[0]]);
    assert_eq!(listed("ready", 1).await, [ids[2]]);
    assert_eq!(listed("running", 10).await, [ids[1]]);
    assert_eq!(listed("dead", 10).await, []);
}
