//! Endings: what becomes of a job after an attempt at it.

use domain::{JobId, Time};
use store::jobs::{Attempt, Job};
use store::ledger::Finish;
use store::{Db, jobs, ledger};

use crate::support::{NEVER, add, at, claim, job, number};

on_both![
    a_done_job_is_done,
    a_failed_attempt_counts_and_comes_again,
    an_attempt_that_could_not_be_made_does_not_count,
    a_job_that_was_given_up_is_dead,
    an_attempt_ends_once,
    a_job_that_comes_again_is_pushed_again,
];

async fn ends(db: &Db, id: JobId, finish: &Finish, now: Time) -> Job {
    let work = claim(db, id, "token", now).await.unwrap();
    assert!(ledger::finish(db, &work.lease, finish, now).await.unwrap());
    jobs::find(db, id).await.unwrap().unwrap()
}

fn attempt(attempt: i64, outcome: &str, note: Option<&str>) -> Attempt {
    Attempt { attempt, outcome: outcome.to_owned(), note: note.map(str::to_owned) }
}

async fn a_done_job_is_done(db: Db) {
    let id = add(&db, job("sync:1")).await;
    let done = ends(&db, id, &Finish::Done, at(5)).await;
    assert_eq!((done.state.as_str(), done.attempts), ("done", 1));
    assert_eq!((done.finished_at, done.last_error), (Some(at(5)), None));
    assert_eq!(jobs::attempts_of(&db, id).await.unwrap(), [attempt(1, "done", None)]);
    assert_eq!(number(&db, "SELECT started_at FROM job_attempts").await, at(5).timestamp_millis());
    assert!(claim(&db, id, "another", at(900)).await.is_none());
}

async fn a_failed_attempt_counts_and_comes_again(db: Db) {
    let id = add(&db, job("sync:1")).await;
    let retry = |second| Finish::Retry { at: at(second), error: "no answer".to_owned() };
    let first = ends(&db, id, &retry(30), at(5)).await;
    assert_eq!((first.state.as_str(), first.attempts, first.run_at), ("ready", 1, at(30)));
    assert_eq!((first.last_error.as_deref(), first.finished_at), (Some("no answer"), Some(at(5))));
    assert!(claim(&db, id, "early", at(29)).await.is_none());

    let second = ends(&db, id, &retry(90), at(30)).await;
    assert_eq!((second.attempts, second.run_at), (2, at(90)));
    let done = ends(&db, id, &Finish::Done, at(90)).await;
    assert_eq!((done.state.as_str(), done.attempts, done.last_error), ("done", 3, None));
    let told = [
        attempt(1, "retry", Some("no answer")),
        attempt(2, "retry", Some("no answer")),
        attempt(3, "done", None),
    ];
    assert_eq!(jobs::attempts_of(&db, id).await.unwrap(), told);
}

async fn an_attempt_that_could_not_be_made_does_not_count(db: Db) {
    let id = add(&db, job("sync:1")).await;
    for second in [10, 20, 30, 40, 50] {
        let later = Finish::Later { at: at(second + 10), reason: "429".to_owned() };
        let waiting = ends(&db, id, &later, at(second)).await;
        assert_eq!((waiting.state.as_str(), waiting.attempts), ("ready", 0));
        assert_eq!((waiting.run_at, waiting.last_error.as_deref()), (at(second + 10), Some("429")));
    }
    let told = jobs::attempts_of(&db, id).await.unwrap();
    assert_eq!((told.len(), &told[4]), (5, &attempt(1, "later", Some("429"))));
}

async fn a_job_that_was_given_up_is_dead(db: Db) {
    let id = add(&db, job("sync:1")).await;
    let given_up = Finish::GiveUp { error: "no such payment".to_owned() };
    let dead = ends(&db, id, &given_up, at(5)).await;
    assert_eq!((dead.state.as_str(), dead.attempts), ("dead", 1));
    assert_eq!((dead.last_error.as_deref(), dead.finished_at), (Some("no such payment"), Some(at(5))));
    assert_eq!(jobs::attempts_of(&db, id).await.unwrap(), [attempt(1, "dead", Some("no such payment"))]);
    assert!(claim(&db, id, "another", at(900)).await.is_none());
    // The same work may be wanted again, and then it is other work.
    assert_ne!(add(&db, job("sync:1")).await, id);
}

async fn an_attempt_ends_once(db: Db) {
    let id = add(&db, job("sync:1")).await;
    let work = claim(&db, id, "one", at(1)).await.unwrap();
    assert!(ledger::finish(&db, &work.lease, &Finish::Done, at(2)).await.unwrap());
    let given_up = Finish::GiveUp { error: "too late".to_owned() };
    assert!(!ledger::finish(&db, &work.lease, &given_up, at(3)).await.unwrap());
    assert_eq!(jobs::find(&db, id).await.unwrap().unwrap().state, "done");
    assert_eq!(jobs::attempts_of(&db, id).await.unwrap().len(), 1);
}

async fn a_job_that_comes_again_is_pushed_again(db: Db) {
    let id = add(&db, job("sync:1")).await;
    let take = ledger::Take { due: at(100), pushed_before: at(0), limit: 10 };
    assert_eq!(ledger::take_due(&db, take, at(1)).await.unwrap(), [id]);
    assert_eq!(ledger::take_due(&db, take, at(1)).await.unwrap(), []);
    ends(&db, id, &Finish::Retry { at: at(30), error: "no answer".to_owned() }, at(2)).await;
    assert_eq!(ledger::take_due(&db, take, at(30)).await.unwrap(), [id]);
    claim(&db, id, "two", at(31)).await.unwrap();
    ledger::reap(&db, at(60), NEVER).await.unwrap();
    assert_eq!(ledger::take_due(&db, take, at(60)).await.unwrap(), [id]);
}
