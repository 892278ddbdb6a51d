//! What people order of jobs: tried again, at once, not at all, or not for now; each with its row of the audit.

use domain::{JobId, PaymentId, State};
use store::audit::{Actor, By};
use store::board::{About, Bulk, Filter};
use store::jobs::Depth;
use store::ledger::{Finish, NewJob, Take};
use store::notifications::{self, NewNotification};
use store::reconciliations::NewRun;
use store::{Db, Refusal, Undone, audit, board, jobs, ledger, reconciliations};

use crate::support::{House, add, at, at_once, claim, execute, job, number};

on_both![
    a_dead_job_gets_all_its_attempts_back,
    a_job_whose_work_waits_is_not_tried_again,
    many_who_retry_the_same_work_have_it_done_once,
    a_job_that_waits_is_run_now,
    a_job_that_waits_or_is_dead_is_cancelled,
    a_cancelled_slot_may_be_wanted_again,
    what_nothing_else_would_do_is_not_cancelled,
    dead_jobs_are_retried_together,
    jobs_are_cancelled_together,
    a_paused_kind_is_not_given_out,
    a_retry_is_found_from_the_payment,
];

fn ibu() -> Actor {
    Actor { id: None, name: "ibu@kost.test".to_owned() }
}

fn by(actor: &Actor) -> By<'_> {
    By { actor, reason: Some("because"), now: at(100) }
}

#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T, Undone>) -> Refusal {
    match result {
        Err(Undone::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

async fn dies(db: &Db, new: NewJob) -> JobId {
    let id = add(db, new).await;
    let work = claim(db, id, "token", at(1)).await.unwrap();
    let finish = Finish::GiveUp { error: "refused".to_owned() };
    assert!(ledger::finish(db, &work.lease, &finish, at(2)).await.unwrap());
    id
}

async fn state(db: &Db, id: JobId) -> String {
    jobs::find(db, id).await.unwrap().unwrap().state
}

async fn deeds(db: &Db) -> Vec<(String, String)> {
    let rows = audit::newest(db, None, 100).await.unwrap();
    rows.into_iter().map(|row| (row.action, row.subject)).collect()
}

fn take() -> Take {
    Take { due: at(100), pushed_before: at(0), limit: 10_000 }
}

async fn a_dead_job_gets_all_its_attempts_back(db: Db) {
    let (ibu, id) = (ibu(), dies(&db, job("sync:1")).await);
    assert_eq!(board::retry(&db, id, &by(&ibu)).await.unwrap(), [id]);
    let job = board::find(&db, id).await.unwrap().unwrap();
    assert_eq!((job.state.as_str(), job.attempts, job.run_at), ("ready", 0, at(100)));
    assert_eq!(ledger::take_due(&db, take(), at(100)).await.unwrap(), [id]);

    assert_eq!(refused(board::retry(&db, id, &by(&ibu)).await), Refusal::JobNotDead);
    assert_eq!(refused(board::retry(&db, JobId(404), &by(&ibu)).await), Refusal::NotThere);
    let row = audit::of_subject(&db, &format!("job:{id}")).await.unwrap().remove(0);
    assert_eq!((row.action.as_str(), row.actor.as_str()), ("job.retry", "ibu@kost.test"));
    assert_eq!(row.before.as_deref(), Some(r#"{"attempts":1,"state":"dead"}"#));
    assert_eq!(row.reason.as_deref(), Some("because"));
    assert_eq!(deeds(&db).await.len(), 1);
}

async fn a_job_whose_work_waits_is_not_tried_again(db: Db) {
    let dead = dies(&db, job("sync:1")).await;
    let twin = add(&db, job("sync:1")).await;
    assert_eq!(refused(board::retry(&db, dead, &by(&ibu())).await), Refusal::JobWaits);
    let work = claim(&db, twin, "token", at(3)).await.unwrap();
    assert_eq!(refused(board::retry(&db, dead, &by(&ibu())).await), Refusal::JobWaits);
    assert!(ledger::finish(&db, &work.lease, &Finish::Done, at(4)).await.unwrap());
    assert_eq!(board::retry(&db, dead, &by(&ibu())).await.unwrap(), [dead]);
}

async fn many_who_retry_the_same_work_have_it_done_once(db: Db) {
    let mut dead = Vec::new();
    for _ in 0..8 {
        dead.push(dies(&db, job("sync:1")).await);
    }
    let ended = at_once(8, |number| {
        let (db, id) = (db.clone(), dead[number]);
        async move { board::retry(&db, id, &by(&ibu())).await }
    })
    .await;
    let mut retried = 0;
    for result in ended {
        match result {
            Ok(_) => retried += 1,
            refusal => assert_eq!(refused(refusal), Refusal::JobWaits),
        }
    }
    assert_eq!(retried, 1);
    assert_eq!(deeds(&db).await.len(), 1);
    let all = board::retry_all(&db, &Filter::default(), &by(&ibu())).await.unwrap();
    assert_eq!((all.changed, all.left), (0, 7));
}

async fn a_job_that_waits_is_run_now(db: Db) {
    let id = add(&db, NewJob { run_at: at(900), ..job("sync:1") }).await;
    assert_eq!(board::run_now(&db, id, &by(&ibu())).await.unwrap(), [id]);
    assert_eq!(jobs::find(&db, id).await.unwrap().unwrap().run_at, at(100));
    // What is due already stays in its place.
    let due = add(&db, NewJob { run_at: at(50), ..job("sync:2") }).await;
    assert_eq!(board::run_now(&db, due, &by(&ibu())).await.unwrap(), [due]);
    assert_eq!(jobs::find(&db, due).await.unwrap().unwrap().run_at, at(50));
    assert_eq!(ledger::take_due(&db, take(), at(100)).await.unwrap(), [id, due]);

    claim(&db, id, "token", at(100)).await.unwrap();
    assert_eq!(refused(board::run_now(&db, id, &by(&ibu())).await), Refusal::JobNotWaiting);
    assert_eq!(refused(board::run_now(&db, JobId(404), &by(&ibu())).await), Refusal::NotThere);
    assert_eq!(deeds(&db).await[0], ("job.run_now".to_owned(), format!("job:{due}")));
}

async fn a_job_that_waits_or_is_dead_is_cancelled(db: Db) {
    let waits = add(&db, job("sync:1")).await;
    let dead = dies(&db, job("sync:2")).await;
    let runs = add(&db, job("sync:3")).await;
    claim(&db, runs, "token", at(3)).await.unwrap();
    for id in [waits, dead] {
        board::cancel(&db, id, &by(&ibu())).await.unwrap();
        let job = jobs::find(&db, id).await.unwrap().unwrap();
        assert_eq!((job.state.as_str(), job.finished_at), ("cancelled", Some(at(100))));
        assert_eq!(refused(board::cancel(&db, id, &by(&ibu())).await), Refusal::JobNotWaiting);
        assert_eq!(refused(board::retry(&db, id, &by(&ibu())).await), Refusal::JobNotDead);
        assert!(claim(&db, id, "token", at(100)).await.is_none());
    }
    assert_eq!(refused(board::cancel(&db, runs, &by(&ibu())).await), Refusal::JobNotWaiting);
    // The same work may be wanted again.
    add(&db, job("sync:1")).await;
    assert_eq!(deeds(&db).await[1], ("job.cancel".to_owned(), format!("job:{waits}")));
}

async fn a_cancelled_slot_may_be_wanted_again(db: Db) {
    let slot =
        || NewJob { kind: "generate_bills", once_key: Some("bills:2026-11".to_owned()), ..job("bills") };
    let id = dies(&db, slot()).await;
    assert_eq!(ledger::add(&db, &[slot()], at(3)).await.unwrap(), []);
    board::cancel(&db, id, &by(&ibu())).await.unwrap();
    assert_eq!(ledger::add(&db, &[slot()], at(3)).await.unwrap().len(), 1);
}

/// A job of this kind about a payment.
fn about(payment: PaymentId, kind: &'static str) -> NewJob {
    NewJob { kind, payment_id: Some(payment), ..job(&format!("{kind}:{payment}")) }
}

async fn what_nothing_else_would_do_is_not_cancelled(db: Db) {
    let house = House::open(&db).await;
    let payment = house.pays("KSR-1").await;
    // As long as it is to be checked, the sweep comes back to it.
    for kind in ["submit_charge", "sync_payment", "cancel_payment", "refund_payment"] {
        let id = add(&db, about(payment.id, kind)).await;
        board::cancel(&db, id, &by(&ibu())).await.unwrap();
    }
    // A payment that is over is charged and cancelled by nobody, but only this job looks at it once more.
    let paid = house.moves(&payment, State::Paid).await;
    assert_eq!(number(&db, "SELECT count(*) FROM payments WHERE next_check_at IS NULL").await, paid.id.0);
    for kind in ["submit_charge", "cancel_payment"] {
        let id = add(&db, about(payment.id, kind)).await;
        board::cancel(&db, id, &by(&ibu())).await.unwrap();
    }
    let look = add(&db, about(payment.id, "sync_payment")).await;
    assert_eq!(refused(board::cancel(&db, look, &by(&ibu())).await), Refusal::JobNeeded);

    let notice = notice(&db).await;
    assert_eq!(refused(board::cancel(&db, notice, &by(&ibu())).await), Refusal::JobNeeded);
    execute(&db, "UPDATE notifications SET processed_at = 1").await.unwrap();
    board::cancel(&db, notice, &by(&ibu())).await.unwrap();

    let slot = "nightly:2026-11-24";
    let compare = |slot: &str| NewJob { kind: "reconcile", ..job(&format!("reconcile:{slot}")) };
    let id = dies(&db, compare(slot)).await;
    let run = NewRun { slot, kind: "nightly", is_dry: false, wanted_by: "schedule", from: at(0), to: at(9) };
    let run = reconciliations::begin(&db, slot, Some(&run), at(9)).await.unwrap().unwrap();
    assert_eq!(refused(board::cancel(&db, id, &by(&ibu())).await), Refusal::JobNeeded);
    let all = board::cancel_all(&db, &Filter::default(), &by(&ibu())).await.unwrap();
    assert_eq!((all.changed, all.left), (0, 2));
    reconciliations::finish(&db, run.id, at(10)).await.unwrap();
    board::cancel(&db, id, &by(&ibu())).await.unwrap();
    assert_eq!(state(&db, look).await, "ready");
}

async fn notice(db: &Db) -> JobId {
    let new = NewNotification {
        body_hash: "sha512".to_owned(),
        body: "{}",
        kind: "payment",
        order_id: Some("KSR-404"),
        transaction_id: None,
        event: None,
        verified: true,
    };
    let deal = |about: notifications::About| NewJob {
        kind: "process_notification",
        notification_id: Some(about.notification),
        ..job(&format!("notice:{}", about.notification))
    };
    notifications::record(db, &new, deal, at(5)).await.unwrap().unwrap()
}

/// Dead jobs of a kind, so many.
async fn many_dead(db: &Db) {
    const MANY: &str = "
        INSERT INTO jobs (kind, dedupe_key, payload, state, attempts, run_at, max_attempts, last_error, created_at)
        WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1200)
        SELECT 'sync_payment', 'many:' || i, '{}', 'dead', 3, 0, 3, 'timed out', 0 FROM n";
    execute(db, MANY).await.unwrap();
}

async fn dead_jobs_are_retried_together(db: Db) {
    let oldest = dies(&db, NewJob { kind: "sweep", ..job("sweep:1") }).await;
    many_dead(&db).await;
    // The same work twice, and one whose work waits.
    let (older, newer) = (dies(&db, job("sync:1")).await, dies(&db, job("sync:1")).await);
    let blocked = dies(&db, job("sync:2")).await;
    add(&db, job("sync:2")).await;

    let syncs = Filter { kind: Some("sync_payment".to_owned()), ..Filter::default() };
    let first = board::retry_all(&db, &syncs, &by(&ibu())).await.unwrap();
    assert_eq!((first.changed, first.left, first.wake.len()), (1_000, 203, 1_000));
    let states = (state(&db, older).await, state(&db, newer).await, state(&db, blocked).await);
    assert_eq!(states, ("dead".to_owned(), "ready".to_owned(), "dead".to_owned()));
    assert_eq!(deeds(&db).await, [("jobs.retry".to_owned(), "jobs:sync_payment".to_owned())]);
    let told = audit::newest(&db, None, 1).await.unwrap().remove(0).after.unwrap();
    assert!(told.contains(r#""changed":1000"#) && told.contains(r#""kind":"sync_payment""#), "{told}");

    let timed_out = Filter {
        about: Some(About::Error("timed out".to_owned())),
        state: Some("dead".to_owned()),
        kind: None,
    };
    let second = board::retry_all(&db, &timed_out, &by(&ibu())).await.unwrap();
    assert_eq!((second.changed, second.left), (201, 0));
    assert_eq!(board::retry_all(&db, &timed_out, &by(&ibu())).await.unwrap(), Bulk::default());
    let waiting = Filter { state: Some("ready".to_owned()), ..Filter::default() };
    assert_eq!(board::retry_all(&db, &waiting, &by(&ibu())).await.unwrap(), Bulk::default());
    assert_eq!(board::retry_all(&db, &Filter::default(), &by(&ibu())).await.unwrap().wake, [oldest]);
    assert_eq!(deeds(&db).await[0], ("jobs.retry".to_owned(), "jobs:all".to_owned()));
    assert_eq!(number(&db, "SELECT count(*) FROM jobs WHERE state = 'dead'").await, 2);
}

async fn jobs_are_cancelled_together(db: Db) {
    let waits = add(&db, job("sync:1")).await;
    let dead = dies(&db, job("sync:2")).await;
    let runs = add(&db, job("sync:3")).await;
    claim(&db, runs, "token", at(3)).await.unwrap();
    let in_state = |state: &str| Filter { state: Some(state.to_owned()), ..Filter::default() };
    let cancelled = board::cancel_all(&db, &in_state("running"), &by(&ibu())).await.unwrap();
    assert_eq!(cancelled, Bulk::default());
    let cancelled = board::cancel_all(&db, &in_state("dead"), &by(&ibu())).await.unwrap();
    assert_eq!(cancelled, Bulk { changed: 1, left: 0, wake: vec![] });
    assert_eq!((state(&db, waits).await.as_str(), state(&db, dead).await.as_str()), ("ready", "cancelled"));
    assert_eq!(board::cancel_all(&db, &Filter::default(), &by(&ibu())).await.unwrap().changed, 1);
    assert_eq!(
        deeds(&db).await,
        [
            ("jobs.cancel".to_owned(), "jobs:all".to_owned()),
            ("jobs.cancel".to_owned(), "jobs:all".to_owned()),
        ]
    );
}

async fn a_paused_kind_is_not_given_out(db: Db) {
    let (ibu, kind) = (ibu(), "sync_payment");
    let sync = add(&db, job("sync:1")).await;
    let runs = add(&db, job("sync:2")).await;
    let sweep = add(&db, NewJob { kind: "sweep", ..job("sweep:1") }).await;
    let work = claim(&db, runs, "token", at(1)).await.unwrap();
    assert_eq!(ledger::take_due(&db, take(), at(100)).await.unwrap(), [sync, sweep]);

    board::pause(&db, kind, &by(&ibu)).await.unwrap();
    board::pause(&db, kind, &by(&ibu)).await.unwrap();
    let paused = board::paused(&db).await.unwrap();
    assert_eq!((paused.len(), paused[0].kind.as_str(), paused[0].paused_at), (1, kind, at(100)));
    assert_eq!((paused[0].paused_by.as_str(), paused[0].reason.as_str()), ("ibu@kost.test", "because"));
    let pushed_again = Take { pushed_before: at(100), ..take() };
    assert_eq!(ledger::take_due(&db, pushed_again, at(100)).await.unwrap(), [sweep]);
    assert!(claim(&db, sync, "token", at(100)).await.is_none());
    let depth = Depth { due: 1, running: 1, dead: 0, oldest_due: Some(at(0)) };
    assert_eq!(jobs::depth(&db, at(100)).await.unwrap(), depth);
    claim(&db, sweep, "token", at(100)).await.unwrap();
    let depth = Depth { due: 0, running: 2, dead: 0, oldest_due: None };
    assert_eq!(jobs::depth(&db, at(100)).await.unwrap(), depth);
    // What runs ends as ever.
    assert!(ledger::finish(&db, &work.lease, &Finish::Done, at(100)).await.unwrap());

    board::resume(&db, kind, &by(&ibu)).await.unwrap();
    board::resume(&db, kind, &by(&ibu)).await.unwrap();
    assert_eq!(board::paused(&db).await.unwrap(), []);
    // It was pushed before the pause, and is pushed at once again.
    assert_eq!(ledger::take_due(&db, take(), at(100)).await.unwrap(), [sync]);
    assert!(claim(&db, sync, "token", at(100)).await.is_some());
    let told = deeds(&db).await;
    let queue = format!("queue:{kind}");
    assert_eq!(told, [("queue.resume".to_owned(), queue.clone()), ("queue.pause".to_owned(), queue)]);
}

async fn a_retry_is_found_from_the_payment(db: Db) {
    let payment = House::open(&db).await.pays("KSR-1").await;
    let id = dies(&db, about(payment.id, "sync_payment")).await;
    let other = dies(&db, job("sync:9")).await;
    for id in [id, other] {
        board::retry(&db, id, &by(&ibu())).await.unwrap();
    }
    let rows = audit::of_jobs(&db, payment.id).await.unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!((rows[0].action.as_str(), rows[0].subject.as_str()), ("job.retry", &*format!("job:{id}")));
    let after = r#"{"invoice":"KSR-1","kind":"sync_payment","state":"ready"}"#;
    assert_eq!(rows[0].after.as_deref(), Some(after));
}
