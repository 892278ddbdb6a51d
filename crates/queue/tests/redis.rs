//! Ids on their way through a real Redis: between processes, in a backlog, and around a Redis that is not there.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a story that cannot go on is over")]

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use clock::Clock;
use domain::Secret;
use queue::{
    Job as _, Lease, Limits, Outcome, Performer, Queue, RedisSettings, Stop, Sweep, Work, Workforce,
};
use store::{Db, ledger};

/// Counts how often each slot was done.
#[derive(Clone, Default)]
struct Tally(Arc<Mutex<HashMap<String, u32>>>);

impl Performer for Tally {
    async fn perform(&self, work: Work, _lease: &Lease) -> Outcome {
        let Work::Sweep(Sweep { slot }) = work else { return Outcome::GiveUp("not mine".to_owned()) };
        *self.0.lock().unwrap().entry(slot).or_default() += 1;
        Outcome::Done
    }
}

struct Place {
    db: Db,
    clock: Clock,
    redis: RedisSettings,
    tally: Tally,
    _directory: tempfile::TempDir,
}

impl Place {
    async fn open(redis_url: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", directory.path().join("jobs.db").display());
        let db = store::connect(&url, &store::Options::default()).await.unwrap();
        store::migrate(&db).await.unwrap();
        let clock = Clock::manual("2026-11-24T03:00:00Z".parse().unwrap());
        let redis =
            RedisSettings { url: Secret::from(redis_url), namespace: format!("kasir-test-{}", clock.ulid()) };
        Self { db, clock, redis, tally: Tally::default(), _directory: directory }
    }

    fn queue(&self) -> Queue {
        Queue::open(self.db.clone(), self.clock.clone(), Some(&self.redis)).unwrap()
    }

    fn start(&self, queue: &Queue) -> Workforce<Tally> {
        Workforce::start(queue, self.tally.clone(), Limits::default(), Stop::default())
    }

    fn jobs(&self, number: u32) -> Vec<queue::NewJob> {
        (0..number).map(|slot| Sweep { slot: slot.to_string() }.new_job(self.clock.now())).collect()
    }

    fn assert_each_done_once(&self, number: usize) {
        let tally = self.tally.0.lock().unwrap();
        assert_eq!(tally.len(), number);
        assert!(tally.values().all(|times| *times == 1), "{tally:?}");
    }

    async fn keys(&self) -> Vec<String> {
        let client = redis::Client::open(self.redis.url.expose()).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        let pattern = format!("{}*", self.redis.namespace);
        redis::cmd("KEYS").arg(pattern).query_async(&mut connection).await.unwrap()
    }
}

fn running_redis() -> String {
    std::env::var("KASIR_TEST_REDIS").unwrap_or_else(|_| {
        panic!("KASIR_TEST_REDIS is not set: run `cargo xtask test`, or `cargo xtask servers -- cargo nextest run -p queue`")
    })
}

#[tokio::test]
async fn what_one_process_asks_for_another_does() {
    let place = Place::open(&running_redis()).await;
    let (api, worker) = (place.queue(), place.queue());
    let force = place.start(&worker);
    api.enqueue(&place.jobs(50)).await.unwrap();
    force.drain().await.unwrap();
    place.assert_each_done_once(50);
}

#[tokio::test]
async fn two_workers_share_the_work_and_do_each_job_once() {
    let place = Place::open(&running_redis()).await;
    let (first, second) = (place.queue(), place.queue());
    let forces = (place.start(&first), place.start(&second));
    first.enqueue(&place.jobs(400)).await.unwrap();
    let (one, two) = tokio::join!(forces.0.drain(), forces.1.drain());
    one.unwrap();
    two.unwrap();
    place.assert_each_done_once(400);
}

#[tokio::test]
async fn a_backlog_larger_than_redis_may_hold_drains() {
    let place = Place::open(&running_redis()).await;
    // apalis-redis wedges at about 8,000 ids; the ledger holds more than that before anybody works.
    ledger::add(&place.db, &place.jobs(9_000), place.clock.now()).await.unwrap();
    let queue = place.queue();
    let force = place.start(&queue);
    force.drain().await.unwrap();
    place.assert_each_done_once(9_000);
}

#[tokio::test]
async fn ended_tasks_leave_nothing_behind_in_redis() {
    let place = Place::open(&running_redis()).await;
    let queue = place.queue();
    let force = place.start(&queue);
    queue.enqueue(&place.jobs(300)).await.unwrap();
    force.drain().await.unwrap();
    // apalis acknowledges a little after the job has ended; the next rounds tidy up.
    for _ in 0..100 {
        force.drain().await.unwrap();
        if place.keys().await.len() < 20 {
            return;
        }
        tokio::task::yield_now().await;
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("still there: {:?}", place.keys().await);
}

#[tokio::test]
async fn with_redis_gone_the_work_is_done_all_the_same() {
    // Nobody listens there.
    let place = Place::open("redis://127.0.0.1:1/").await;
    let queue = place.queue();
    let force = place.start(&queue);
    queue.enqueue(&place.jobs(20)).await.unwrap();
    force.drain().await.unwrap();
    place.assert_each_done_once(20);
    assert_eq!(queue.redis_answers().await, Some(false));
}
