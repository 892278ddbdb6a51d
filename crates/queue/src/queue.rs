//! The handle of whoever wants work done.

use std::sync::Arc;

use clock::Clock;
use domain::{JobId, Secret};
use store::ledger::NewJob;
use store::{Db, StoreError, ledger};
use tokio::sync::{Mutex, mpsc};

use crate::calls::{Asking, Here, Throttle};
use crate::lanes::Lanes;
use crate::redis_lane::RedisLane;
use crate::throttle::CallLimits;

/// Wake-ups that may wait to be pushed. Past that they are dropped, and the relay finds the jobs in the ledger.
const WAKES_MAX: usize = 10_000;
/// So many jobs are named in one line of the log.
const NAMED_MAX: usize = 50;

/// Where Redis is.
#[derive(Debug, Clone)]
pub struct RedisSettings {
    /// Its URL, which may hold a password.
    pub url: Secret,
    /// What our keys begin with.
    pub namespace: String,
}

/// Asks for work to be done. Cheap to clone.
#[derive(Clone)]
pub struct Queue {
    pub(crate) db: Db,
    pub(crate) clock: Clock,
    pub(crate) lanes: Arc<Lanes>,
    wakes: mpsc::Sender<Vec<JobId>>,
    calls: Arc<Mutex<Here>>,
    asking: Arc<std::sync::Mutex<Asking>>,
}

/// Why a queue could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("REDIS_URL is not a Redis: {0}")]
pub struct QueueError(#[from] redis::RedisError);

impl Queue {
    /// Opens the queue over the ledger in `db`. Redis need not answer yet. Needs a tokio runtime around it.
    ///
    /// # Errors
    /// When the URL of Redis cannot be read.
    pub fn open(db: Db, clock: Clock, redis: Option<&RedisSettings>) -> Result<Self, QueueError> {
        let redis = redis.map(|settings| RedisLane::new(&settings.url, &settings.namespace)).transpose()?;
        let lanes = Arc::new(Lanes::new(redis));
        let (wakes, waiting) = mpsc::channel(WAKES_MAX);
        tokio::spawn(push_wakes(Arc::clone(&lanes), waiting));
        Ok(Self { db, clock, lanes, wakes, calls: Arc::default(), asking: Arc::default() })
    }

    /// Says that these jobs are in the ledger, after their transaction was committed. Never waits and never fails:
    /// should the word be lost, the relay finds the jobs.
    ///
    /// The log line of it stands in the span of the request or the job that wants them, so that one leads to the other.
    pub fn wake(&self, ids: Vec<JobId>) {
        if !ids.is_empty() {
            let named: Vec<i64> = ids.iter().take(NAMED_MAX).map(|id| id.0).collect();
            tracing::info!(jobs = ?named, count = ids.len(), "work is wanted");
            let _lost = self.wakes.try_send(ids);
        }
    }

    /// Writes down jobs that no other change wants, and wakes a worker.
    ///
    /// # Errors
    /// When the database does.
    pub async fn enqueue(&self, jobs: &[NewJob]) -> Result<Vec<JobId>, StoreError> {
        let ids = ledger::add(&self.db, jobs, self.clock.now()).await?;
        self.wake(ids.clone());
        Ok(ids)
    }

    /// The throttle of the calls to the gateway: the same one for all that ask the same Redis, and in this process.
    #[must_use]
    pub fn throttle(&self, limits: CallLimits) -> Throttle {
        let (clock, lanes, here) = (self.clock.clone(), Arc::clone(&self.lanes), Arc::clone(&self.calls));
        Throttle { limits, clock, lanes, here, asking: Arc::clone(&self.asking) }
    }

    /// Whether Redis answers; `None` when there is none.
    pub async fn redis_answers(&self) -> Option<bool> {
        let redis = self.lanes.redis.as_ref()?;
        Some(redis.ping().await.is_ok())
    }
}

/// Asks Redis for a sign of life, without any queue.
///
/// # Errors
/// When there is none, or the URL cannot be read.
pub async fn ping(redis: &RedisSettings) -> Result<(), QueueError> {
    Ok(RedisLane::new(&redis.url, &redis.namespace)?.ping().await?)
}

async fn push_wakes(lanes: Arc<Lanes>, mut waiting: mpsc::Receiver<Vec<JobId>>) {
    while let Some(mut ids) = waiting.recv().await {
        // What gathered meanwhile goes along.
        while let Ok(more) = waiting.try_recv() {
            ids.extend(more);
        }
        let (lane, room) = lanes.choose().await;
        ids.truncate(room);
        if !ids.is_empty() {
            lanes.push(&lane, &ids).await;
        }
    }
}
