//! The workforce on a real ledger: attempts, limits, leases and stopping. SQLite and the queue in memory.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a story that cannot go on is over")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use clock::Clock;
use domain::JobId;
use queue::{Job as _, Lease, Limits, Outcome, Performer, Queue, Stop, Sweep, Work, Workforce};
use store::ledger::Take;
use store::{Db, jobs, ledger};
use tokio::sync::Notify;

/// Does what the slot's name says, so that each test writes its own story.
#[derive(Clone, Default)]
struct Hand {
    begun: Arc<Notify>,
    go_on: Arc<Notify>,
    runs: Arc<AtomicUsize>,
}

impl Performer for Hand {
    async fn perform(&self, work: Work, lease: &Lease) -> Outcome {
        self.runs.fetch_add(1, Ordering::SeqCst);
        let Work::Sweep(Sweep { slot }) = work else { return Outcome::GiveUp("not mine".to_owned()) };
        match slot.split(' ').next().unwrap() {
            "done" => Outcome::Done,
            "retry" => Outcome::Retry("not today".to_owned()),
            "later" => Outcome::Later(Duration::from_secs(30), "not yet".to_owned()),
            "give-up" => Outcome::GiveUp("never".to_owned()),
            "panic" => panic!("ouch"),
            "second-time" if lease.attempt == 1 => Outcome::Retry("once more".to_owned()),
            "second-time" => Outcome::Done,
            "wait" => {
                self.begun.notify_one();
                self.go_on.notified().await;
                Outcome::Done
            }
            other => Outcome::GiveUp(other.to_owned()),
        }
    }
}

struct Place {
    db: Db,
    clock: Clock,
    queue: Queue,
    hand: Hand,
    limits: Limits,
    stop: Stop,
    _directory: tempfile::TempDir,
}

impl Place {
    async fn open() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", directory.path().join("jobs.db").display());
        let db = store::connect(&url, &store::Options::default()).await.unwrap();
        store::migrate(&db).await.unwrap();
        let clock = Clock::manual("2026-11-24T03:00:00Z".parse().unwrap());
        let queue = Queue::open(db.clone(), clock.clone(), None).unwrap();
        let (hand, limits, stop) = (Hand::default(), Limits::default(), Stop::default());
        Self { db, clock, queue, hand, limits, stop, _directory: directory }
    }

    fn start(&self) -> Workforce<Hand> {
        Workforce::start(&self.queue, self.hand.clone(), self.limits.clone(), self.stop.clone())
    }

    async fn add(&self, slot: &str) -> JobId {
        let job = Sweep { slot: slot.to_owned() }.new_job(self.clock.now());
        self.queue.enqueue(&[job]).await.unwrap()[0]
    }

    async fn job(&self, id: JobId) -> jobs::Job {
        jobs::find(&self.db, id).await.unwrap().unwrap()
    }

    async fn outcomes(&self, id: JobId) -> Vec<String> {
        jobs::attempts_of(&self.db, id).await.unwrap().into_iter().map(|attempt| attempt.outcome).collect()
    }
}

#[tokio::test]
async fn a_job_is_done_once() {
    let place = Place::open().await;
    let force = place.start();
    let id = place.add("done").await;
    place.queue.wake(vec![id, id, id]);
    force.drain().await.unwrap();
    force.drain().await.unwrap();
    assert_eq!(place.job(id).await.state, "done");
    assert_eq!(place.hand.runs.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_failure_is_tried_again_after_a_pause_that_grows() {
    let place = Place::open().await;
    let force = place.start();
    let id = place.add("retry").await;
    let mut pauses = Vec::new();
    for _ in 0..4 {
        force.drain().await.unwrap();
        let again_at = place.job(id).await.run_at;
        let pause = again_at - place.clock.now();
        pauses.push(pause.num_milliseconds());
        place.clock.advance(pause.to_std().unwrap());
    }
    assert_eq!(place.outcomes(id).await, ["retry"; 4]);
    for (pause, full) in pauses.iter().zip([1_000, 2_000, 4_000, 8_000]) {
        assert!((full / 2..=full).contains(pause), "{pauses:?}");
    }
}

#[tokio::test]
async fn the_last_attempt_leaves_the_job_dead_with_its_error() {
    let place = Place::open().await;
    let force = place.start();
    let id = place.add("retry").await;
    for _ in 0..10 {
        force.drain().await.unwrap();
        place.clock.advance(Duration::from_secs(300));
    }
    let job = place.job(id).await;
    assert_eq!((job.state.as_str(), job.attempts), ("dead", Sweep::MAX_ATTEMPTS));
    assert_eq!(job.last_error.as_deref(), Some("not today"));
}

#[tokio::test]
async fn waiting_for_others_does_not_count_as_an_attempt() {
    let place = Place::open().await;
    let force = place.start();
    let id = place.add("later").await;
    for _ in 0..10 {
        force.drain().await.unwrap();
        place.clock.advance(Duration::from_secs(30));
    }
    let job = place.job(id).await;
    assert_eq!((job.state.as_str(), job.attempts), ("ready", 0));
}

#[tokio::test]
async fn a_panic_is_a_failed_attempt_and_the_worker_lives_on() {
    let place = Place::open().await;
    let force = place.start();
    let (panicking, other) = (place.add("panic").await, place.add("done").await);
    force.drain().await.unwrap();
    assert_eq!(place.job(panicking).await.last_error.as_deref(), Some("panicked: ouch"));
    assert_eq!(place.job(other).await.state, "done");
}

#[tokio::test]
async fn a_job_that_takes_too_long_is_a_failed_attempt() {
    let mut place = Place::open().await;
    place.limits.job_timeout = Duration::from_millis(50);
    let force = place.start();
    let id = place.add("wait").await;
    force.drain().await.unwrap();
    assert_eq!(place.outcomes(id).await, ["retry"]);
    assert!(place.job(id).await.last_error.unwrap().contains("longer than 50ms"));
}

#[tokio::test]
async fn work_that_cannot_be_read_is_given_up_with_the_reason() {
    let place = Place::open().await;
    let force = place.start();
    let job = Sweep { slot: "x".to_owned() }.new_job(place.clock.now());
    let job = queue::NewJob { payload: "{\"dance\":1}".to_owned(), ..job };
    let id = place.queue.enqueue(&[job]).await.unwrap()[0];
    force.drain().await.unwrap();
    let job = place.job(id).await;
    assert_eq!(job.state, "dead");
    assert!(job.last_error.unwrap().contains("does not fit"));
}

#[tokio::test]
async fn work_of_a_newer_kasir_waits_for_it() {
    let place = Place::open().await;
    let force = place.start();
    let job = queue::NewJob { kind: "dance", ..Sweep { slot: "x".to_owned() }.new_job(place.clock.now()) };
    let id = place.queue.enqueue(&[job]).await.unwrap()[0];
    for _ in 0..30 {
        force.drain().await.unwrap();
        assert_eq!(place.job(id).await.state, "ready", "however often it comes by");
        place.clock.advance(Duration::from_secs(61));
    }
}

#[tokio::test]
async fn a_lease_is_kept_while_the_job_runs() {
    let mut place = Place::open().await;
    place.limits.lease = Duration::from_millis(60);
    let force = place.start();
    let id = place.add("wait").await;
    place.hand.begun.notified().await;
    // Twice the lease passes in small steps; each renewal moves its end.
    for _ in 0..6 {
        tokio::time::sleep(Duration::from_millis(20)).await;
        place.clock.advance(Duration::from_millis(20));
    }
    assert_eq!(ledger::reap(&place.db, place.clock.now(), domain::Time::MAX_UTC).await.unwrap(), 0);
    place.hand.go_on.notify_one();
    force.drain().await.unwrap();
    assert_eq!(place.outcomes(id).await, ["done"]);
}

#[tokio::test]
async fn a_worker_that_lost_its_lease_writes_nothing() {
    let mut place = Place::open().await;
    place.limits.lease = Duration::from_millis(100);
    let force = place.start();
    let id = place.add("wait").await;
    place.hand.begun.notified().await;
    place.clock.advance(Duration::from_secs(60));
    assert_eq!(ledger::reap(&place.db, place.clock.now(), domain::Time::MAX_UTC).await.unwrap(), 1);
    // The relay gives it to another attempt, which waits likewise; both are let go.
    let drained = tokio::spawn(async move { force.drain().await });
    place.hand.begun.notified().await;
    place.hand.go_on.notify_one();
    place.hand.go_on.notify_waiters();
    drained.await.unwrap().unwrap();
    assert_eq!(place.outcomes(id).await, ["lost", "done"]);
    assert_eq!(place.hand.runs.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_gentle_stop_lets_running_jobs_end_and_claims_no_more() {
    let place = Place::open().await;
    let force = place.start();
    let running = place.add("wait").await;
    place.hand.begun.notified().await;
    place.stop.gently.cancel();
    let later = place.add("done").await;
    let ended = tokio::spawn(force.run());
    place.hand.go_on.notify_one();
    ended.await.unwrap();
    assert_eq!(place.job(running).await.state, "done");
    assert_eq!(place.job(later).await.state, "ready");
}

#[tokio::test]
async fn a_stop_at_once_hands_running_jobs_back_uncounted() {
    let place = Place::open().await;
    let force = place.start();
    let id = place.add("wait").await;
    place.hand.begun.notified().await;
    place.stop.gently.cancel();
    place.stop.now.cancel();
    force.run().await;
    let job = place.job(id).await;
    assert_eq!((job.state.as_str(), job.attempts), ("ready", 0));
}

#[tokio::test]
async fn many_jobs_at_once_never_exceed_the_places() {
    let mut place = Place::open().await;
    place.limits.jobs_at_once = 3;
    let force = place.start();
    for number in 0..300 {
        place.add(&format!("done {number}")).await;
    }
    force.drain().await.unwrap();
    assert_eq!(place.hand.runs.load(Ordering::SeqCst), 300);
    let depth = jobs::depth(&place.db, place.clock.now()).await.unwrap();
    assert_eq!((depth.due, depth.running, depth.dead), (0, 0, 0));
}

#[tokio::test]
async fn what_waits_for_a_place_is_not_handed_over_again_at_once() {
    let mut place = Place::open().await;
    place.limits.jobs_at_once = 1;
    let force = place.start();
    place.add("wait").await;
    place.hand.begun.notified().await;
    let waits = place.add("done").await;
    place.clock.advance(Duration::from_secs(2));
    let ended = tokio::spawn(force.run());
    // The relay looks once a second.
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    let now = place.clock.now();
    let untouched = Take { due: now, pushed_before: now - Duration::from_secs(5), limit: 9 };
    assert_eq!(ledger::take_due(&place.db, untouched, now).await.unwrap(), [waits]);
    place.hand.go_on.notify_one();
    place.stop.gently.cancel();
    ended.await.unwrap();
}
