//! The ways an id can travel, and which one to take.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use domain::JobId;

use crate::memory_lane::MemoryLane;
use crate::redis_lane::RedisLane;

/// How many ids may wait in a lane. apalis-redis wedges for good at about 8,000.
pub(crate) const DEPTH_MAX: usize = 1_000;

const PROBE_TIMEOUT: Duration = Duration::from_secs(1);

/// The lanes of this process.
pub(crate) struct Lanes {
    pub(crate) memory: MemoryLane,
    pub(crate) redis: Option<RedisLane>,
    redis_is_down: AtomicBool,
}

/// The lane that was chosen.
pub(crate) enum Lane<'a> {
    Memory(&'a MemoryLane),
    Redis(&'a RedisLane),
}

impl Lanes {
    pub(crate) fn new(redis: Option<RedisLane>) -> Self {
        Self { memory: MemoryLane::new(), redis, redis_is_down: AtomicBool::new(false) }
    }

    /// The lane that works, and how many ids it has room for. Redis if it answers, else this process itself.
    pub(crate) async fn choose(&self) -> (Lane<'_>, usize) {
        if let Some(redis) = &self.redis {
            // A Redis that hangs is as good as none, and is found out sooner than by its own time-out.
            match tokio::time::timeout(PROBE_TIMEOUT, redis.depth()).await {
                Ok(Ok(depth)) => {
                    self.redis_is_back();
                    return (Lane::Redis(redis), DEPTH_MAX.saturating_sub(depth));
                }
                Ok(Err(error)) => self.redis_is_gone(&error),
                Err(elapsed) => self.redis_is_gone(&elapsed),
            }
        }
        let room = if self.memory.is_open() { DEPTH_MAX.saturating_sub(self.memory.depth()) } else { 0 };
        (Lane::Memory(&self.memory), room)
    }

    /// Pushes; what Redis does not take goes through this process, where there is a worker.
    pub(crate) async fn push(&self, lane: &Lane<'_>, ids: &[JobId]) {
        match lane {
            Lane::Memory(memory) => memory.push(ids),
            Lane::Redis(redis) => {
                if let Err(error) = redis.push(ids).await {
                    self.redis_is_gone(&error);
                    if self.memory.is_open() {
                        self.memory.push(ids);
                    }
                }
            }
        }
    }

    fn redis_is_gone(&self, error: &dyn std::fmt::Display) {
        if !self.redis_is_down.swap(true, Ordering::SeqCst) {
            tracing::warn!(%error, "Redis does not answer; jobs travel inside this process until it does");
        }
    }

    fn redis_is_back(&self) {
        if self.redis_is_down.swap(false, Ordering::SeqCst) {
            tracing::info!("Redis answers again");
        }
    }
}
