//! Ids that travel through Redis, from any process to any other.

use std::sync::Arc;
use std::time::Duration;

use apalis::prelude::TaskSink as _;
use apalis_redis::{Config, ConnectionManager, RedisStorage};
use domain::{JobId, Secret};
use redis::Script;
use redis::aio::ConnectionManagerConfig;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

/// How long Redis may take for an answer. The client's own default of half a second kills workers on a busy machine.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(5);
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(2);
/// A worker that is not heard of for so many heartbeats is gone.
const HEARTBEAT: Duration = Duration::from_secs(5);
const MISSED_HEARTBEATS: usize = 12;
/// Parcels fetched in one go.
const BATCH: usize = 16;
/// Ids that go through Redis as one parcel: apalis has as much to do with one of them as with many.
const PARCEL: usize = 16;
/// Ended tasks forgotten in one go.
const FORGET: usize = 500;

/// Writes the new text where the old one still stands; otherwise gives what stands there.
const SWAP: &str = "
    local held = redis.call('GET', KEYS[1]) or ''
    if held ~= ARGV[1] then return held end
    redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
    return false";

/// Ids on their way. One id alone is what an older Kasir sends.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Parcel {
    One(i64),
    Many(Vec<i64>),
}

impl Parcel {
    pub(crate) fn ids(self) -> Vec<JobId> {
        match self {
            Self::One(id) => vec![JobId(id)],
            Self::Many(ids) => ids.into_iter().map(JobId).collect(),
        }
    }
}

/// A Redis, and the names of our keys in it.
pub(crate) struct RedisLane {
    connection: ConnectionManager,
    config: Config,
    /// Where the standing of the calls to the gateway is kept.
    standing_key: String,
    swap: Script,
    /// Wakes this process' own worker when this process pushes.
    pub(crate) wake: Arc<Notify>,
}

impl RedisLane {
    /// Prepares the lane. Redis need not be there yet.
    pub(crate) fn new(url: &Secret, namespace: &str) -> Result<Self, redis::RedisError> {
        let client = redis::Client::open(url.expose())?;
        let limits = ConnectionManagerConfig::new()
            .set_response_timeout(Some(RESPONSE_TIMEOUT))
            .set_connection_timeout(Some(CONNECTION_TIMEOUT))
            .set_number_of_retries(1);
        let connection = ConnectionManager::new_lazy_with_config(client, limits)?;
        let config = Config::default()
            .queue(format!("{namespace}:jobs"))
            .batch_size(BATCH)
            .heartbeat_interval(HEARTBEAT)
            .missed_heartbeats(MISSED_HEARTBEATS)
            // A task is over when our own code has the id; the ledger knows the rest.
            .lock_tasks(false)
            .persist_results(true)
            .emit_events(false);
        Ok(Self {
            connection,
            config,
            standing_key: format!("{namespace}:gateway"),
            swap: Script::new(SWAP),
            wake: Arc::default(),
        })
    }

    pub(crate) fn backend(&self) -> RedisStorage<Parcel> {
        RedisStorage::new(self.connection.clone()).with_config(self.config.clone())
    }

    /// How many ids wait in Redis. apalis puts each into the sorted set first; whoever fetches moves them all to the
    /// list in one call, and that is the call which fails for good once they are too many.
    pub(crate) async fn depth(&self) -> Result<usize, redis::RedisError> {
        let mut pipe = redis::pipe();
        pipe.zcard(self.config.scheduled_jobs_set()).llen(self.config.active_jobs_list());
        let (pushed, fetchable): (usize, usize) = pipe.query_async(&mut self.connection.clone()).await?;
        Ok(pushed.saturating_add(fetchable))
    }

    pub(crate) async fn push(&self, ids: &[JobId]) -> Result<(), String> {
        let parcel = |ids: &[JobId]| Parcel::Many(ids.iter().map(|id| id.0).collect());
        self.backend()
            .push_bulk(ids.chunks(PARCEL).map(parcel).collect())
            .await
            .map_err(|error| error.to_string())?;
        self.wake.notify_one();
        Ok(())
    }

    /// Forgets the tasks that ended; apalis keeps them for ever.
    pub(crate) async fn forget_ended(&self) -> Result<usize, redis::RedisError> {
        let mut connection = self.connection.clone();
        let ended: Vec<String> = redis::cmd("SPOP")
            .arg(self.config.done_jobs_set())
            .arg(FORGET)
            .query_async(&mut connection)
            .await?;
        if ended.is_empty() {
            return Ok(0);
        }
        let data = self.config.job_data_hash();
        let meta = self.config.job_meta_hash();
        let mut pipe = redis::pipe();
        pipe.hdel(data, &ended).ignore();
        for id in &ended {
            pipe.unlink(format!("{meta}:{id}")).ignore();
        }
        let () = pipe.query_async(&mut connection).await?;
        Ok(ended.len())
    }

    pub(crate) async fn ping(&self) -> Result<(), redis::RedisError> {
        let _pong: String = redis::cmd("PING").query_async(&mut self.connection.clone()).await?;
        Ok(())
    }

    /// The standing of the calls to the gateway; empty when there is none.
    pub(crate) async fn standing(&self) -> Result<String, redis::RedisError> {
        let held: Option<String> =
            redis::cmd("GET").arg(&self.standing_key).query_async(&mut self.connection.clone()).await?;
        Ok(held.unwrap_or_default())
    }

    /// Puts `new` in the place of `old`, for so long. `None` when that was done, else what stands there.
    pub(crate) async fn swap_standing(
        &self,
        old: &str,
        new: &str,
        kept: Duration,
    ) -> Result<Option<String>, redis::RedisError> {
        let mut call = self.swap.key(&self.standing_key);
        call.arg(old).arg(new).arg(clock::millis(kept));
        call.invoke_async(&mut self.connection.clone()).await
    }
}
