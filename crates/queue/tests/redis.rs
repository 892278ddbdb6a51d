//! What processes share through a real Redis: ids between them and in a backlog, the budget of calls to the gateway; and
//! how they get on without it.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a story that cannot go on is over")]

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use clock::Clock;
use domain::Secret;
use queue::{
    CallLimits, Circuit, Health, Job as _, Lease, Limits, Outcome, Performer, Queue, RedisSettings, Stop,
    Sweep, Throttle, Work, Workforce,
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

const CALLS: CallLimits = CallLimits { per_s: 1, burst: 30, ends_within: Duration::from_secs(30) };

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

    /// The throttle of a process of its own.
    fn throttle(&self) -> Throttle {
        self.queue().throttle(CALLS)
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

    async fn connection(&self) -> redis::aio::MultiplexedConnection {
        let client = redis::Client::open(self.redis.url.expose()).unwrap();
        client.get_multiplexed_async_connection().await.unwrap()
    }

    async fn keys(&self) -> Vec<String> {
        let mut connection = self.connection().await;
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

/// How many of so many calls at once are let go.
async fn let_go(throttle: &Throttle, calls: u32) -> usize {
    let calls = (0..calls).map(|_| throttle.enter(false));
    futures::future::join_all(calls).await.iter().filter(|entered| entered.is_ok()).count()
}

#[tokio::test]
async fn two_processes_share_one_budget_of_calls() {
    let place = Place::open(&running_redis()).await;
    let (one, two) = (place.throttle(), place.throttle());
    let (of_one, of_two) = tokio::join!(let_go(&one, 25), let_go(&two, 25));
    assert_eq!(of_one + of_two, 30, "{of_one} and {of_two}");
    place.clock.advance(Duration::from_secs(4));
    let (of_one, of_two) = tokio::join!(let_go(&one, 5), let_go(&two, 5));
    assert_eq!(of_one + of_two, 4, "{of_one} and {of_two}");
}

#[tokio::test]
async fn what_one_process_hears_of_the_gateway_counts_for_all() {
    let place = Place::open(&running_redis()).await;
    let (one, two) = (place.throttle(), place.throttle());
    for throttle in [&one, &two, &one, &two, &one] {
        assert_eq!(two.stand().await.circuit, Circuit::Closed);
        throttle.heard(Health::Ill).await;
    }
    assert_eq!(two.stand().await.circuit, Circuit::Open);
    assert!(two.enter(false).await.is_err());
    place.clock.advance(Duration::from_secs(5));
    let (of_one, of_two) = tokio::join!(let_go(&one, 5), let_go(&two, 5));
    assert_eq!(of_one + of_two, 1, "one of them tries whether the gateway answers");
    let prober = if of_one == 1 { &one } else { &two };
    prober.heard(Health::Well).await;
    assert!(one.enter(false).await.is_ok() && two.enter(false).await.is_ok());
    two.heard(Health::Busy(None)).await;
    assert!(one.enter(false).await.is_err(), "429 slows everybody");
}

#[tokio::test]
async fn a_redis_that_forgets_how_calls_stand_is_told_again() {
    let place = Place::open(&running_redis()).await;
    let one = place.throttle();
    for _ in 0..5 {
        one.heard(Health::Ill).await;
    }
    let key = format!("{}:gateway", place.redis.namespace);
    let mut connection = place.connection().await;
    let ttl: i64 = redis::cmd("PTTL").arg(&key).query_async(&mut connection).await.unwrap();
    assert!(ttl > 0, "what nobody uses is forgotten: {ttl}");
    let gone: i64 = redis::cmd("DEL").arg(&key).query_async(&mut connection).await.unwrap();
    assert_eq!(gone, 1);
    assert!(one.enter(false).await.is_err());
    assert_eq!(place.throttle().stand().await.circuit, Circuit::Open);
}

#[tokio::test]
async fn without_an_answer_of_redis_a_process_counts_its_calls_alone_and_nobody_waits() {
    // One where nobody listens, and one that takes connections and says nothing.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent_url = format!("redis://{}/", silent.local_addr().unwrap());
    for url in ["redis://127.0.0.1:1/", &silent_url] {
        let place = Place::open(url).await;
        let throttle = place.throttle();
        let begun = tokio::time::Instant::now();
        assert_eq!(let_go(&throttle, 40).await, 30, "{url}");
        for _ in 0..5 {
            throttle.heard(Health::Ill).await;
        }
        assert_eq!(throttle.stand().await.circuit, Circuit::Open, "{url}");
        assert!(begun.elapsed() < Duration::from_secs(3), "{url}: {:?}", begun.elapsed());
    }
}

#[tokio::test]
async fn with_a_clock_that_runs_a_call_waits_a_moment_for_its_turn() {
    let place = Place { clock: Clock::system(), ..Place::open("redis://127.0.0.1:1/").await };
    let limits = CallLimits { per_s: 20, burst: 1, ..CALLS };
    let queue = Queue::open(place.db.clone(), place.clock.clone(), None).unwrap();
    let throttle = queue.throttle(limits);
    let begun = tokio::time::Instant::now();
    assert_eq!(let_go(&throttle, 3).await, 3);
    assert!(begun.elapsed() >= Duration::from_millis(95), "{:?}", begun.elapsed());
    let slow = queue.throttle(CallLimits { per_s: 1, ..limits });
    throttle.heard(Health::Busy(Some(Duration::from_secs(60)))).await;
    let away = slow.enter(true).await.unwrap_err();
    assert!(away > Duration::from_secs(2), "whoever would wait longer comes again: {away:?}");
}
