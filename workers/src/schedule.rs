//! The clockwork: cron lines that do nothing but put jobs into the ledger, once for each slot.

use std::time::Duration;

use clock::Clock;
use domain::{Time, date_of, today};
use queue::{GenerateBills, Job as _, NewJob, Prune, Queue, Reconcile, Sweep};
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};

use crate::reconcile::NIGHTLY;

/// How often due checks are looked for.
pub const SWEEP_EVERY: Duration = Duration::from_secs(10);
const SWEEP_CRON: &str = "*/10 * * * * *";
/// Each night, though a month is billed once: who was down on the first makes up for it.
const RENT_CRON: &str = "0 5 0 * * *";
/// When the gateway and the house are quiet.
const NIGHTLY_CRON: &str = "0 30 2 * * *";
const PRUNE_CRON: &str = "0 30 3 * * *";

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
        let sweep = |now| Some(Sweep { slot: sweep_slot(now) }.new_job(now));
        cron.add(line(SWEEP_CRON, (queue.clone(), clock.clone()), sweep)?).await?;
        cron.add(line(RENT_CRON, (queue.clone(), clock.clone()), rent_slot)?).await?;
        cron.add(line(NIGHTLY_CRON, (queue.clone(), clock.clone()), nightly_slot)?).await?;
        cron.add(line(PRUNE_CRON, (queue.clone(), clock.clone()), prune_slot)?).await?;
        cron.start().await?;
        // Months that were missed while nothing ran do not wait for the night.
        put(&queue, rent_slot(clock.now())).await;
        Ok(Self { cron })
    }

    /// Stops it. Jobs that it enqueued stay in the ledger.
    pub async fn stop(mut self) {
        if let Err(error) = self.cron.shutdown().await {
            tracing::warn!(%error, "the scheduler did not stop cleanly");
        }
    }
}

/// A line of the clockwork: at these times, this slot.
fn line(
    times: &str,
    (queue, clock): (Queue, Clock),
    slot: fn(Time) -> Option<NewJob>,
) -> Result<Job, JobSchedulerError> {
    Job::new_async_tz(times, chrono_tz::Asia::Jakarta, move |_, _| {
        let (queue, now) = (queue.clone(), clock.now());
        Box::pin(async move { put(&queue, slot(now)).await })
    })
}

async fn put(queue: &Queue, slot: Option<NewJob>) {
    let Some(job) = slot else { return };
    if let Err(error) = queue.enqueue(&[job]).await {
        tracing::warn!(%error, "a slot could not be enqueued; the next one makes up for it");
    }
}

/// The job that bills the month in which `now` lies: the same for every scheduler.
#[must_use]
pub fn rent_slot(now: Time) -> Option<NewJob> {
    Some(GenerateBills { period: today(now)? }.new_job(now))
}

/// The job that compares our books with the gateway's in the night in which `now` lies: the same for every scheduler.
#[must_use]
pub fn nightly_slot(now: Time) -> Option<NewJob> {
    Some(Reconcile { slot: format!("{NIGHTLY}{}", date_of(now)) }.new_job(now))
}

fn prune_slot(now: Time) -> Option<NewJob> {
    Some(Prune { slot: date_of(now).to_string() }.new_job(now))
}

/// The slot that `now` lies in: the same for every scheduler.
#[must_use]
pub fn sweep_slot(now: Time) -> String {
    let length = i64::try_from(SWEEP_EVERY.as_secs()).unwrap_or(10);
    let seconds = now.timestamp();
    (seconds - seconds.rem_euclid(length)).to_string()
}
