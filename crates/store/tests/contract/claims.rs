//! Claims: who has the right to do a job, and how it is lost.

use domain::JobId;
use store::ledger::{Finish, NewJob};
use store::{Db, jobs, ledger};

use crate::support::{LEASE, NEVER, add, at, claim, job, number};

on_both![
    a_job_is_claimed_when_it_is_due_and_once,
    a_claim_tells_the_worker_what_to_do,
    a_job_is_done_in_the_trace_in_which_it_was_wanted_first,
    a_lease_is_renewed_by_its_holder_only,
    a_lease_holds_until_it_ends_or_another_has_the_job,
    a_lease_that_ended_gives_the_job_back,
    a_lease_of_a_clock_that_is_ahead_gives_the_job_back_at_once,
    a_job_whose_workers_keep_stopping_is_dead,
    a_stopped_worker_does_not_lose_the_news_that_came_meanwhile,
    a_worker_that_comes_back_too_late_ends_nothing,
    a_worker_that_is_late_but_was_not_missed_ends_its_job,
];

async fn a_job_is_claimed_when_it_is_due_and_once(db: Db) {
    let id = add(&db, NewJob { run_at: at(60), ..job("sync:1") }).await;
    assert!(claim(&db, id, "early", at(59)).await.is_none());
    assert!(claim(&db, id, "one", at(60)).await.is_some());
    assert!(claim(&db, id, "two", at(60)).await.is_none());
    // Only the reaper takes a lease away.
    assert!(claim(&db, id, "three", at(9_000)).await.is_none());
    assert!(claim(&db, JobId(404), "four", at(60)).await.is_none());
}

async fn a_claim_tells_the_worker_what_to_do(db: Db) {
    let id = add(&db, job("sync:1")).await;
    let work = claim(&db, id, "one", at(1)).await.unwrap();
    assert_eq!((work.kind.as_str(), work.payload.as_str()), ("sync_payment", "{\"key\":\"sync:1\"}"));
    assert_eq!((work.lease.job_id, work.lease.token.as_str()), (id, "one"));
    assert_eq!((work.lease.attempt, work.max_attempts), (1, 3));
    let job = jobs::find(&db, id).await.unwrap().unwrap();
    assert_eq!((job.state.as_str(), job.attempts), ("running", 1));
    assert_eq!(number(&db, "SELECT lease_until FROM jobs").await, at(11).timestamp_millis());
}

async fn a_job_is_done_in_the_trace_in_which_it_was_wanted_first(db: Db) {
    let wanted = |key: &str, trace: &str| NewJob { trace: Some(trace.to_owned()), ..job(key) };
    let alone = add(&db, wanted("sync:1", "one")).await;
    let slot = add(&db, NewJob { once_key: Some("slot".to_owned()), ..wanted("sync:2", "two") }).await;
    let many = [wanted("sync:1", "late"), wanted("sync:3", "three"), wanted("sync:4", "four"), job("sync:5")];
    let many = ledger::add(&db, &many, at(0)).await.unwrap();
    assert_eq!(many.len(), 3);

    let ids = [&[alone, slot], many.as_slice()].concat();
    let mut traces = Vec::new();
    for (number, id) in ids.into_iter().enumerate() {
        traces.push(claim(&db, id, &format!("token {number}"), at(1)).await.unwrap().trace);
    }
    let expected = ["one", "two", "three", "four"].map(|trace| Some(trace.to_owned()));
    assert_eq!((&traces[..4], &traces[4]), (expected.as_slice(), &None));
}

async fn a_lease_is_renewed_by_its_holder_only(db: Db) {
    let id = add(&db, job("sync:1")).await;
    let work = claim(&db, id, "one", at(1)).await.unwrap();
    assert!(ledger::renew(&db, &work.lease, at(8), LEASE).await.unwrap());
    assert_eq!(ledger::reap(&db, at(17), NEVER).await.unwrap(), 0);

    let mut stranger = work.lease.clone();
    stranger.token = "two".to_owned();
    assert!(!ledger::renew(&db, &stranger, at(9), LEASE).await.unwrap());

    assert_eq!(ledger::reap(&db, at(18), NEVER).await.unwrap(), 1);
    assert!(!ledger::renew(&db, &work.lease, at(18), LEASE).await.unwrap());
    let next = claim(&db, id, "three", at(19)).await.unwrap();
    assert!(!ledger::renew(&db, &work.lease, at(19), LEASE).await.unwrap());
    assert!(ledger::finish(&db, &next.lease, &Finish::Done, at(20)).await.unwrap());
    assert!(!ledger::renew(&db, &next.lease, at(21), LEASE).await.unwrap());
}

async fn a_lease_holds_until_it_ends_or_another_has_the_job(db: Db) {
    let id = add(&db, job("sync:1")).await;
    let first = claim(&db, id, "one", at(0)).await.unwrap().lease;
    let holds = async |lease, second| ledger::holds(&db, lease, at(second)).await.unwrap();
    assert!(holds(&first, 9).await);
    assert!(!holds(&first, 10).await, "it may be taken back at any moment");
    assert_eq!(ledger::reap(&db, at(10), at(99)).await.unwrap(), 1);
    let second = claim(&db, id, "two", at(10)).await.unwrap().lease;
    assert!(!holds(&first, 11).await && holds(&second, 11).await);
    assert!(ledger::finish(&db, &second, &Finish::Done, at(12)).await.unwrap());
    assert!(!holds(&second, 12).await);
}

async fn a_lease_that_ended_gives_the_job_back(db: Db) {
    let id = add(&db, job("sync:1")).await;
    let other = add(&db, job("sync:2")).await;
    claim(&db, id, "one", at(1)).await.unwrap();
    claim(&db, other, "two", at(5)).await.unwrap();
    assert_eq!(ledger::reap(&db, at(10), NEVER).await.unwrap(), 0);
    assert_eq!(ledger::reap(&db, at(11), NEVER).await.unwrap(), 1);
    assert_eq!(ledger::reap(&db, at(11), NEVER).await.unwrap(), 0);

    let back = jobs::find(&db, id).await.unwrap().unwrap();
    assert_eq!((back.state.as_str(), back.attempts, back.run_at), ("ready", 1, at(0)));
    assert_eq!(back.last_error.as_deref(), Some("its worker stopped"));
    assert_eq!(back.finished_at, Some(at(11)));
    let attempts = jobs::attempts_of(&db, id).await.unwrap();
    assert_eq!((attempts.len(), attempts[0].attempt), (1, 1));
    assert_eq!((attempts[0].outcome.as_str(), attempts[0].note.as_deref()), ("lost", None));
    assert_eq!(jobs::find(&db, other).await.unwrap().unwrap().state, "running");
    assert_eq!(claim(&db, id, "three", at(11)).await.unwrap().lease.attempt, 2);
}

async fn a_lease_of_a_clock_that_is_ahead_gives_the_job_back_at_once(db: Db) {
    let id = add(&db, job("sync:1")).await;
    let ahead = claim(&db, id, "one", at(3_600)).await.unwrap();
    assert_eq!(ledger::reap(&db, at(5), at(3_610)).await.unwrap(), 0, "it may be right");
    assert_eq!(ledger::reap(&db, at(5), at(75)).await.unwrap(), 1);
    let next = claim(&db, id, "two", at(5)).await.unwrap();
    assert_eq!(next.lease.attempt, 2);
    assert!(!ledger::finish(&db, &ahead.lease, &Finish::Done, at(3_601)).await.unwrap());
    assert!(ledger::finish(&db, &next.lease, &Finish::Done, at(6)).await.unwrap());
}

async fn a_job_whose_workers_keep_stopping_is_dead(db: Db) {
    let id = add(&db, NewJob { max_attempts: 2, ..job("sync:1") }).await;
    for (attempt, token) in [(1, "one"), (2, "two")] {
        let work = claim(&db, id, token, at(attempt * 100)).await.unwrap();
        assert_eq!(work.lease.attempt, attempt);
        assert_eq!(ledger::reap(&db, at(attempt * 100 + 10), NEVER).await.unwrap(), 1);
    }
    let dead = jobs::find(&db, id).await.unwrap().unwrap();
    assert_eq!((dead.state.as_str(), dead.attempts, dead.finished_at), ("dead", 2, Some(at(210))));
    let lost: Vec<i64> = jobs::attempts_of(&db, id).await.unwrap().iter().map(|one| one.attempt).collect();
    assert_eq!(lost, [1, 2]);
    assert!(claim(&db, id, "three", at(900)).await.is_none());
}

async fn a_stopped_worker_does_not_lose_the_news_that_came_meanwhile(db: Db) {
    let id = add(&db, NewJob { max_attempts: 1, ..job("sync:1") }).await;
    claim(&db, id, "one", at(1)).await.unwrap();
    assert_eq!(ledger::add(&db, &[job("sync:1")], at(2)).await.unwrap(), []);
    assert_eq!(ledger::reap(&db, at(20), NEVER).await.unwrap(), 1);
    assert_eq!(jobs::find(&db, id).await.unwrap().unwrap().state, "ready");
    // The news was heard: the next time it is dead.
    claim(&db, id, "two", at(21)).await.unwrap();
    assert_eq!(ledger::reap(&db, at(40), NEVER).await.unwrap(), 1);
    assert_eq!(jobs::find(&db, id).await.unwrap().unwrap().state, "dead");
}

async fn a_worker_that_comes_back_too_late_ends_nothing(db: Db) {
    let id = add(&db, job("sync:1")).await;
    let late = claim(&db, id, "one", at(1)).await.unwrap();
    ledger::reap(&db, at(20), NEVER).await.unwrap();
    assert!(!ledger::finish(&db, &late.lease, &Finish::Done, at(20)).await.unwrap());
    let next = claim(&db, id, "two", at(21)).await.unwrap();
    assert!(!ledger::finish(&db, &late.lease, &Finish::Done, at(22)).await.unwrap());
    let job = jobs::find(&db, id).await.unwrap().unwrap();
    assert_eq!((job.state.as_str(), job.attempts), ("running", 2));
    assert_eq!(jobs::attempts_of(&db, id).await.unwrap().len(), 1);
    assert!(ledger::finish(&db, &next.lease, &Finish::Done, at(23)).await.unwrap());
}

async fn a_worker_that_is_late_but_was_not_missed_ends_its_job(db: Db) {
    let id = add(&db, job("sync:1")).await;
    let late = claim(&db, id, "one", at(1)).await.unwrap();
    assert!(ledger::finish(&db, &late.lease, &Finish::Done, at(500)).await.unwrap());
    assert_eq!(ledger::reap(&db, at(500), NEVER).await.unwrap(), 0);
    assert_eq!(jobs::find(&db, id).await.unwrap().unwrap().state, "done");
}
