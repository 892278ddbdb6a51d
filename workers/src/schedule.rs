//! The clockwork: the lines of the schedule do nothing but put jobs into the ledger, once for each slot.

use clock::Clock;
use queue::{Line, NewJob, Queue, SCHEDULE, ZONE, rent_slot};
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};

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
        for line in SCHEDULE {
            cron.add(wanting(line, (queue.clone(), clock.clone()))?).await?;
        }
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

/// At the times of the line, its slot.
fn wanting(line: &'static Line, (queue, clock): (Queue, Clock)) -> Result<Job, JobSchedulerError> {
    Job::new_async_tz(line.cron, ZONE, move |_, _| {
        let (queue, now) = (queue.clone(), clock.now());
        Box::pin(async move { put(&queue, line.slot(now)).await })
    })
}

async fn put(queue: &Queue, slot: Option<NewJob>) {
    let Some(job) = slot else { return };
    if let Err(error) = queue.enqueue(&[job]).await {
        tracing::warn!(%error, "a slot could not be enqueued; the next one makes up for it");
    }
}
