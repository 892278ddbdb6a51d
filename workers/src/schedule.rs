//! The clockwork: cron lines that do nothing but put jobs into the ledger, once for each slot.

use std::time::Duration;

use clock::Clock;
use domain::Time;
use queue::{Job as _, Queue, Sweep};
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};

/// How often due checks are looked for.
pub const SWEEP_EVERY: Duration = Duration::from_secs(10);
const SWEEP_CRON: &str = "*/10 * * * * *";

/// Why the clockwork does not run.
#[derive(Debug, thiserror::Error)]
#[error("the scheduler does not start: {0}")]
pub struct SchedulerError(#[from] JobSchedulerError);

/// The clockwork of one process. Ten of them are as good as one: the same slot gives the same job.
pub struct Scheduler {
    cron: JobScheduler,
}

impl Scheduler {
    /// Starts it.
    ///
    /// # Errors
    /// When the timer cannot be made.
    pub async fn start(queue: Queue, clock: Clock) -> Result<Self, SchedulerError> {
        let cron = JobScheduler::new().await?;
        let tick = Job::new_async_tz(SWEEP_CRON, chrono_tz::Asia::Jakarta, move |_, _| {
            let (queue, now) = (queue.clone(), clock.now());
            Box::pin(async move {
                if let Err(error) = queue.enqueue(&[Sweep { slot: sweep_slot(now) }.new_job(now)]).await {
                    tracing::warn!(%error, "a sweep could not be enqueued; the next one makes up for it");
                }
            })
        })?;
        cron.add(tick).await?;
        cron.start().await?;
        Ok(Self { cron })
    }

    /// Stops it. Jobs that it enqueued stay in the ledger.
    pub async fn stop(mut self) {
        if let Err(error) = self.cron.shutdown().await {
            tracing::warn!(%error, "the scheduler did not stop cleanly");
        }
    }
}

/// The slot that `now` lies in: the same for every scheduler.
#[must_use]
pub fn sweep_slot(now: Time) -> String {
    let length = i64::try_from(SWEEP_EVERY.as_secs()).unwrap_or(10);
    let seconds = now.timestamp();
    (seconds - seconds.rem_euclid(length)).to_string()
}
