//! The relay's side of the ledger: what is due is taken to be pushed, and counted.

use domain::JobId;
use store::jobs::Depth;
use store::ledger::{Finish, NewJob, Take};
use store::{Db, jobs, ledger};

use crate::support::{add, at, claim, job};

on_both![
    due_jobs_are_taken_and_not_at_once_again,
    the_longest_due_are_taken_first,
    a_job_that_was_pushed_long_ago_is_pushed_again,
    a_job_that_was_pushed_by_a_clock_that_is_ahead_is_pushed_again,
    jobs_that_run_or_ended_are_not_taken,
    the_depth_tells_how_the_ledger_stands,
];

async fn jobs_due_at(db: &Db, seconds: &[i64]) -> Vec<JobId> {
    let mut ids = Vec::new();
    for (number, second) in seconds.iter().enumerate() {
        ids.push(add(db, NewJob { run_at: at(*second), ..job(&format!("sync:{number}")) }).await);
    }
    ids
}

async fn due_jobs_are_taken_and_not_at_once_again(db: Db) {
    let ids = jobs_due_at(&db, &[10, 20, 30]).await;
    let take = Take { due: at(20), pushed_before: at(10), limit: 10 };
    assert_eq!(ledger::take_due(&db, take, at(20)).await.unwrap(), ids[..2]);
    assert_eq!(ledger::take_due(&db, take, at(20)).await.unwrap(), []);
    let later = Take { due: at(30), pushed_before: at(19), ..take };
    assert_eq!(ledger::take_due(&db, later, at(30)).await.unwrap(), ids[2..]);
}

async fn the_longest_due_are_taken_first(db: Db) {
    let ids = jobs_due_at(&db, &[30, 10, 20, 10]).await;
    let take = Take { due: at(100), pushed_before: at(0), limit: 2 };
    assert_eq!(ledger::take_due(&db, take, at(100)).await.unwrap(), [ids[1], ids[3]]);
    assert_eq!(ledger::take_due(&db, take, at(100)).await.unwrap(), [ids[0], ids[2]]);
    assert_eq!(ledger::take_due(&db, take, at(100)).await.unwrap(), []);
}

async fn a_job_that_was_pushed_long_ago_is_pushed_again(db: Db) {
    let ids = jobs_due_at(&db, &[10]).await;
    let take = |now| Take { due: at(now), pushed_before: at(now - 30), limit: 10 };
    assert_eq!(ledger::take_due(&db, take(20), at(20)).await.unwrap(), ids);
    assert_eq!(ledger::take_due(&db, take(49), at(49)).await.unwrap(), []);
    assert_eq!(ledger::take_due(&db, take(50), at(50)).await.unwrap(), ids);
    assert_eq!(ledger::take_due(&db, take(51), at(51)).await.unwrap(), []);
}

async fn a_job_that_was_pushed_by_a_clock_that_is_ahead_is_pushed_again(db: Db) {
    let ids = jobs_due_at(&db, &[10]).await;
    let take = |now| Take { due: at(now), pushed_before: at(now - 5), limit: 10 };
    assert_eq!(ledger::take_due(&db, take(3_600), at(3_600)).await.unwrap(), ids);
    assert_eq!(ledger::take_due(&db, take(20), at(20)).await.unwrap(), ids);
    assert_eq!(ledger::take_due(&db, take(21), at(21)).await.unwrap(), []);
}

async fn jobs_that_run_or_ended_are_not_taken(db: Db) {
    let ids = jobs_due_at(&db, &[1, 1, 1, 1]).await;
    let finishes = [Finish::Done, Finish::GiveUp { error: "no such payment".to_owned() }];
    for (id, finish) in ids.iter().zip(finishes) {
        let work = claim(&db, *id, "one", at(1)).await.unwrap();
        assert!(ledger::finish(&db, &work.lease, &finish, at(2)).await.unwrap());
    }
    claim(&db, ids[2], "two", at(1)).await.unwrap();
    let take = Take { due: at(100), pushed_before: at(50), limit: 10 };
    assert_eq!(ledger::take_due(&db, take, at(100)).await.unwrap(), [ids[3]]);
}

async fn the_depth_tells_how_the_ledger_stands(db: Db) {
    assert_eq!(jobs::depth(&db, at(0)).await.unwrap(), Depth::default());
    let ids = jobs_due_at(&db, &[40, 10, 20, 30, 90]).await;
    claim(&db, ids[1], "one", at(15)).await.unwrap();
    let work = claim(&db, ids[2], "two", at(25)).await.unwrap();
    let given_up = Finish::GiveUp { error: "no such payment".to_owned() };
    assert!(ledger::finish(&db, &work.lease, &given_up, at(25)).await.unwrap());
    let depth = Depth { due: 2, running: 1, dead: 1, oldest_due: Some(at(30)) };
    assert_eq!(jobs::depth(&db, at(50)).await.unwrap(), depth);
    assert_eq!(jobs::depth(&db, at(29)).await.unwrap(), Depth { due: 0, oldest_due: None, ..depth });
}
