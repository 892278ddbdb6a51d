//! The relay: hands over again what no lane brought to a worker, and takes back what a worker left behind.

use std::sync::Arc;
use std::time::Duration;

use clock::{Clock, delta};
use store::ledger::Take;
use store::{CLOCKS_DIFFER_BY, Db, StoreError, ledger};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::lanes::{DEPTH_MAX, Lanes};

const EVERY: Duration = Duration::from_secs(1);
/// While there is more than a lane can hold.
const EVERY_IN_BACKLOG: Duration = Duration::from_millis(100);
/// A job younger than this is left to the push that follows its commit. While ids wait in the lane, or for a place here, a
/// job that nobody has begun is no sign that its push was lost, and pushing all of them again would only add to the work.
const GRACE: Grace = Grace { at_rest: Duration::from_millis(500), busy: PUSH_AGAIN };
/// An id that was pushed so long ago and not claimed is taken for lost.
const PUSH_AGAIN: Duration = Duration::from_secs(5);
/// Ids taken from the ledger in one go.
const BATCH: usize = 500;

/// How old a job is that was never handed over before the relay does so.
#[derive(Clone, Copy)]
pub(crate) struct Grace {
    at_rest: Duration,
    busy: Duration,
}

impl Grace {
    pub(crate) const NONE: Self = Self { at_rest: Duration::ZERO, busy: Duration::ZERO };
}

/// Hands over due jobs.
pub(crate) struct Relay {
    pub(crate) db: Db,
    pub(crate) clock: Clock,
    pub(crate) lanes: Arc<Lanes>,
    /// How long a lease lasts.
    pub(crate) lease: Duration,
    /// The places of this process.
    pub(crate) places: Arc<Semaphore>,
}

impl Relay {
    /// Works until it is told to stop.
    pub(crate) async fn run(self, stop: CancellationToken) {
        loop {
            let pause = match self.tick(GRACE).await {
                Ok(true) => EVERY_IN_BACKLOG,
                Ok(false) => EVERY,
                Err(error) => {
                    tracing::warn!(%error, "the relay cannot read the ledger; it tries again");
                    EVERY
                }
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    /// Takes back, hands over and tidies up once. True when there was more than the lane has room for.
    pub(crate) async fn tick(&self, grace: Grace) -> Result<bool, StoreError> {
        self.forget_ended().await;
        let now = self.clock.now();
        let taken_back = ledger::reap(&self.db, now, now + delta(self.lease + CLOCKS_DIFFER_BY)).await?;
        if taken_back > 0 {
            tracing::warn!(jobs = taken_back, "took back jobs whose worker stopped");
        }
        loop {
            let (lane, room) = self.lanes.choose().await;
            let limit = room.min(BATCH);
            if limit == 0 {
                return Ok(true);
            }
            let is_busy = room < DEPTH_MAX || self.places.available_permits() == 0;
            let now = self.clock.now();
            let take = Take {
                due: now - delta(if is_busy { grace.busy } else { grace.at_rest }),
                pushed_before: now - delta(PUSH_AGAIN),
                limit: i64::try_from(limit).unwrap_or_default(),
            };
            let ids = ledger::take_due(&self.db, take, now).await?;
            if ids.is_empty() {
                return Ok(false);
            }
            self.lanes.push(&lane, &ids).await;
            if ids.len() < limit {
                return Ok(false);
            }
        }
    }

    async fn forget_ended(&self) {
        let Some(redis) = &self.lanes.redis else { return };
        // As many as there are, in steps that do not hold Redis up.
        while let Ok(forgotten) = redis.forget_ended().await {
            if forgotten == 0 {
                return;
            }
        }
    }
}
