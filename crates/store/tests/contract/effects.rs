//! Whoever watches the work hears of what it does to the books, and can hold it there.

use std::pin::Pin;
use std::sync::{Arc, Mutex};

use domain::JobId;
use store::effects::{self, Effect, Watch};
use store::ledger::{self, Take};
use store::{Db, jobs};

use crate::support::at;

on_both![a_watch_hears_of_each_read_and_each_commit, work_that_is_dropped_before_its_commit_has_done_nothing,];

/// Keeps what it hears, and lets nobody past the point that it is told.
#[derive(Default)]
struct Ear {
    heard: Mutex<Vec<Effect>>,
    ends_at: Option<Effect>,
}

impl Watch for Ear {
    fn reaches(&self, effect: Effect) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        self.heard.lock().unwrap().push(effect);
        match self.ends_at == Some(effect) {
            true => Box::pin(std::future::pending()),
            false => Box::pin(std::future::ready(())),
        }
    }
}

async fn a_watch_hears_of_each_read_and_each_commit(db: Db) {
    use Effect::{Begin, Commit, Committed, Read};
    let ear = Arc::new(Ear::default());
    let watch = Arc::clone(&ear);
    effects::watched(watch, async {
        jobs::find(&db, JobId(1)).await.unwrap();
        ledger::add(&db, &[], at(0)).await.unwrap();
        let take = Take { due: at(0), pushed_before: at(0), limit: 1 };
        ledger::take_due(&db, take, at(0)).await.unwrap();
    })
    .await;
    jobs::find(&db, JobId(1)).await.unwrap();
    assert_eq!(*ear.heard.lock().unwrap(), [Read, Begin, Commit, Committed, Begin, Committed]);
}

async fn work_that_is_dropped_before_its_commit_has_done_nothing(db: Db) {
    let ear = Arc::new(Ear { ends_at: Some(Effect::Commit), ..Ear::default() });
    let job = crate::support::job("sync:1");
    let watch = Arc::clone(&ear);
    tokio::select! {
        biased;
        _ = effects::watched(watch, ledger::add(&db, std::slice::from_ref(&job), at(0))) => panic!("it was let past"),
        () = async {
            while ear.heard.lock().unwrap().last() != Some(&Effect::Commit) {
                tokio::task::yield_now().await;
            }
        } => {}
    }
    assert!(jobs::in_state(&db, "ready", 10).await.unwrap().is_empty());
    assert_eq!(ledger::add(&db, &[job], at(0)).await.unwrap().len(), 1);
}
