//! The workers of one process: they take ids from the lanes and do the jobs.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use apalis::prelude::{BackendExt as _, WorkerBuilder};
use domain::JobId;
use store::{StoreError, jobs};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::Queue;
use crate::memory_lane::MemoryLane;
use crate::poll::TickOrNotify;
use crate::redis_lane::{Parcel, RedisLane};
use crate::relay::{Grace, Relay};
use crate::runner::{Limits, Performer, Runner};

/// How often a worker looks into Redis when nobody tells it.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How long to wait before a worker whose Redis went away is started again.
const RESTART_AFTER: Duration = Duration::from_secs(1);

/// The two ways to stop.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    /// Claim nothing more, and let running jobs end.
    pub gently: CancellationToken,
    /// End running jobs at once; they are handed back.
    pub now: CancellationToken,
}

/// The workers of one process, and the relay that feeds them.
pub struct Workforce<P> {
    hands: Hands<P>,
    relay: Relay,
    stop: Stop,
    lanes: TaskTracker,
}

/// While it is held, no job begins in this process.
pub struct Pause(#[expect(dead_code, reason = "held, and given back when dropped")] OwnedSemaphorePermit);

/// Takes ids and does the jobs, so many at once.
struct Hands<P> {
    runner: Arc<Runner<P>>,
    places: Arc<Semaphore>,
    jobs: TaskTracker,
}

impl<P> Clone for Hands<P> {
    fn clone(&self) -> Self {
        Self { runner: Arc::clone(&self.runner), places: Arc::clone(&self.places), jobs: self.jobs.clone() }
    }
}

impl<P: Performer> Hands<P> {
    /// Waits for a free place and begins. Returns then: the lease, not the lane, guards the job from here on.
    async fn take(&self, id: JobId) {
        let Ok(place) = Arc::clone(&self.places).acquire_owned().await else { return };
        let runner = Arc::clone(&self.runner);
        self.jobs.spawn(async move {
            runner.run(id).await;
            drop(place);
        });
    }
}

impl<P: Performer> Workforce<P> {
    /// Starts the workers of this process. The relay runs by itself after [`Workforce::run`] is called.
    #[must_use]
    pub fn start(queue: &Queue, performer: P, limits: Limits, stop: Stop) -> Self {
        let places = Arc::new(Semaphore::new(limits.jobs_at_once));
        let relay = Relay {
            db: queue.db.clone(),
            clock: queue.clock.clone(),
            lanes: Arc::clone(&queue.lanes),
            lease: limits.lease,
            places: Arc::clone(&places),
        };
        let runner = Runner {
            queue: queue.clone(),
            performer,
            limits,
            now: stop.now.clone(),
            ended: watch::Sender::new(0),
        };
        let hands = Hands { runner: Arc::new(runner), places, jobs: TaskTracker::new() };
        let force = Self { hands, relay, stop, lanes: TaskTracker::new() };
        force.start_lanes(queue);
        force
    }

    fn start_lanes(&self, queue: &Queue) {
        let lanes = Arc::clone(&queue.lanes);
        let hands = self.hands.clone();
        let stop = self.stop.gently.clone();
        let name = format!("kasir-{}", queue.clock.ulid());
        if queue.lanes.redis.is_some() {
            let (lanes, hands, stop, name) = (Arc::clone(&lanes), hands.clone(), stop.clone(), name.clone());
            self.lanes.spawn(async move {
                if let Some(redis) = &lanes.redis {
                    stop.run_until_cancelled(work_through_redis(redis, &hands, &name)).await;
                }
            });
        }
        self.lanes.spawn(async move {
            stop.run_until_cancelled(work_in_memory(&lanes.memory, hands, &name)).await
        });
    }

    /// Works until a stop is asked for, then lets running jobs end within [`Limits::grace`].
    pub async fn run(self) {
        let relay = self.relay.run(self.stop.gently.clone());
        relay.await;
        self.lanes.close();
        self.lanes.wait().await;
        self.hands.jobs.close();
        let grace = self.hands.runner.limits.grace;
        tokio::select! {
            () = self.hands.jobs.wait() => return,
            () = tokio::time::sleep(grace) => {}
            () = self.stop.now.cancelled() => {}
        }
        // What still runs is handed back; its effect, if it has one, is committed or not, as with a crash.
        self.stop.now.cancel();
        let _late = tokio::time::timeout(Duration::from_secs(3), self.hands.jobs.wait()).await;
    }

    /// Waits until no job runs in this process, and lets none begin until the pause is dropped.
    pub async fn pause(&self) -> Option<Pause> {
        let all = u32::try_from(self.hands.runner.limits.jobs_at_once).ok()?;
        Arc::clone(&self.hands.places).acquire_many_owned(all).await.ok().map(Pause)
    }

    /// Hands over what is due and waits until nothing is due and nothing runs. For tests and for the command line.
    ///
    /// # Errors
    /// When the database does, or when a job neither ends nor fails within a minute.
    pub async fn drain(&self) -> Result<(), StoreError> {
        let mut ended = self.hands.runner.ended.subscribe();
        loop {
            ended.borrow_and_update();
            match self.relay.tick(Grace::NONE).await {
                // Two that wanted the same rows: PostgreSQL let one of them go on, and this one comes again.
                Err(error) if error.is_passing() => tracing::debug!(%error, "the relay was held up"),
                Ok(_) => {}
                Err(error) => return Err(error),
            }
            let depth = jobs::depth(&self.relay.db, self.relay.clock.now()).await?;
            if depth.due == 0 && depth.running == 0 {
                return Ok(());
            }
            // A lane may have dropped an id; the next round hands it over again.
            let _silence = tokio::time::timeout(Duration::from_secs(2), ended.changed()).await;
        }
    }
}

async fn work_through_redis<P: Performer>(redis: &RedisLane, hands: &Hands<P>, name: &str) {
    let mut starts = 0_u64;
    loop {
        starts += 1;
        let (hands, wake) = (hands.clone(), Arc::clone(&redis.wake));
        let backend =
            redis.backend().poll_with_strategy(TickOrNotify::new(LOOK_EVERY, Arc::clone(&redis.wake)));
        // A name can be used once: Redis remembers the last one until its heartbeat is missed.
        let worker = WorkerBuilder::new(format!("{name}-{starts}").as_str()).backend(backend).build(
            move |parcel: Parcel| {
                let (hands, wake) = (hands.clone(), Arc::clone(&wake));
                async move {
                    for id in parcel.ids() {
                        hands.take(id).await;
                    }
                    // Where there was one, there may be more.
                    wake.notify_one();
                    Ok::<(), Infallible>(())
                }
            },
        );
        if let Err(error) = worker.run().await {
            tracing::debug!(%error, "the worker on Redis stopped; it is started again");
        }
        tokio::time::sleep(RESTART_AFTER).await;
    }
}

async fn work_in_memory<P: Performer>(lane: &MemoryLane, hands: Hands<P>, name: &str) {
    let Some(backend) = lane.backend() else {
        tracing::error!("this process has its workers already");
        return;
    };
    let waiting: Arc<AtomicUsize> = lane.taken();
    let worker =
        WorkerBuilder::new(format!("{name}-memory").as_str()).backend(backend).build(move |id: i64| {
            let (hands, waiting) = (hands.clone(), Arc::clone(&waiting));
            async move {
                hands.take(JobId(id)).await;
                waiting.fetch_sub(1, Ordering::SeqCst);
                Ok::<(), Infallible>(())
            }
        });
    if let Err(error) = worker.run().await {
        tracing::error!(%error, "the worker in memory stopped");
    }
}
