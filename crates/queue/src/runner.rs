//! Doing one job: claim, perform within limits, end the attempt.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use clock::{Clock, delta};
use domain::JobId;
use futures::FutureExt as _;
use store::ledger::{Claim, Claimed, Finish, Lease};
use store::{Db, ledger};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::{Outcome, Queue, UnknownWork, Work};

/// How long work waits that this process does not know.
const UNKNOWN_PAUSE: Duration = Duration::from_secs(60);

/// Limits of the work in one process.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Jobs done at once.
    pub jobs_at_once: usize,
    /// How long a job may take. Longer than the longest call to the gateway.
    pub job_timeout: Duration,
    /// How long a lease lasts. It is renewed three times in that time; a killed worker's jobs run elsewhere after it.
    pub lease: Duration,
    /// The pause after the first failed attempt; it doubles with each.
    pub backoff_min: Duration,
    /// The longest pause between attempts.
    pub backoff_max: Duration,
    /// How long running jobs may take to end once a stop is asked for.
    pub grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            jobs_at_once: 16,
            job_timeout: Duration::from_secs(45),
            lease: Duration::from_secs(6),
            backoff_min: Duration::from_secs(1),
            backoff_max: Duration::from_secs(300),
            grace: Duration::from_secs(15),
        }
    }
}

/// Who does the work.
pub trait Performer: Send + Sync + 'static {
    /// Does the work. An effect is committed together with the end of `lease`, see [`Outcome::Completed`].
    fn perform(&self, work: Work, lease: &Lease) -> impl Future<Output = Outcome> + Send;
}

impl<P: Performer> Performer for std::sync::Arc<P> {
    fn perform(&self, work: Work, lease: &Lease) -> impl Future<Output = Outcome> + Send {
        P::perform(self, work, lease)
    }
}

/// Does one job here and now, as a worker would: if it is due and nobody has it. For the command line.
pub async fn do_one<P: Performer>(queue: &Queue, performer: P, limits: Limits, id: JobId) {
    let (now, ended) = (CancellationToken::new(), watch::Sender::new(0));
    Runner { queue: queue.clone(), performer, limits, now, ended }.run(id).await;
}

/// Does jobs, one call each.
pub(crate) struct Runner<P> {
    pub(crate) queue: Queue,
    pub(crate) performer: P,
    pub(crate) limits: Limits,
    /// Ends every running job at once; what was begun is handed back.
    pub(crate) now: CancellationToken,
    /// Counts the attempts that ended.
    pub(crate) ended: watch::Sender<u64>,
}

impl<P: Performer> Runner<P> {
    /// Does the job of this id, if it is due and nobody has it.
    pub(crate) async fn run(&self, id: JobId) {
        let claim = Claim { job_id: id, token: self.clock().ulid(), length: self.limits.lease };
        match ledger::claim(self.db(), claim, self.clock().now()).await {
            Ok(Some(claimed)) => {
                let span = tracing::info_span!(
                    "job",
                    job.id = id.0,
                    job.kind = claimed.kind,
                    job.attempt = claimed.lease.attempt
                );
                // Done in the trace of whoever wanted it.
                if let Some(place) = &claimed.trace {
                    traces::continue_at(&span, place);
                }
                self.attempt(claimed).instrument(span).await;
            }
            Ok(None) => {}
            Err(error) => {
                tracing::warn!(%error, job.id = id.0, "a job could not be claimed; the relay brings it again")
            }
        }
        self.ended.send_modify(|count| *count = count.wrapping_add(1));
    }

    async fn attempt(&self, claimed: Claimed) {
        let outcome = match Work::parse(&claimed.kind, &claimed.payload) {
            Ok(work) => self.perform(work, &claimed.lease).await,
            // A newer Kasir beside this one knows it.
            Err(error @ UnknownWork::Kind(_)) => Outcome::Later(UNKNOWN_PAUSE, error.to_string()),
            Err(error) => Outcome::GiveUp(error.to_string()),
        };
        tracing::debug!(?outcome, "attempt ended");
        if let Some(finish) = self.finish_of(outcome, &claimed) {
            self.write_down(&claimed.lease, &finish).await;
        }
    }

    async fn perform(&self, work: Work, lease: &Lease) -> Outcome {
        let guarded = AssertUnwindSafe(self.performer.perform(work, lease)).catch_unwind();
        tokio::select! {
            ended = tokio::time::timeout(self.limits.job_timeout, guarded) => match ended {
                Ok(Ok(outcome)) => outcome,
                Ok(Err(panic)) => Outcome::Retry(format!("panicked: {}", panic_text(&*panic))),
                Err(_elapsed) => Outcome::Retry(format!("took longer than {:?}", self.limits.job_timeout)),
            },
            () = self.keep(lease) => Outcome::Lost,
            () = self.now.cancelled() => Outcome::Later(Duration::ZERO, "its worker was stopped".to_owned()),
        }
    }

    /// Renews the lease until it is lost.
    async fn keep(&self, lease: &Lease) {
        loop {
            tokio::time::sleep(self.limits.lease / 3).await;
            match ledger::renew(self.db(), lease, self.clock().now(), self.limits.lease).await {
                Ok(true) => {}
                Ok(false) => {
                    tracing::warn!("lost the lease; somebody else has the job");
                    return;
                }
                Err(error) => tracing::warn!(%error, "the lease could not be renewed; trying again"),
            }
        }
    }

    fn finish_of(&self, outcome: Outcome, claimed: &Claimed) -> Option<Finish> {
        let now = self.clock().now();
        match outcome {
            Outcome::Completed { wake } => {
                self.queue.wake(wake);
                None
            }
            Outcome::Lost => None,
            Outcome::Done => Some(Finish::Done),
            Outcome::Retry(error) if claimed.lease.attempt >= claimed.max_attempts => {
                tracing::error!(%error, "gave up after the last attempt");
                Some(Finish::GiveUp { error })
            }
            Outcome::Retry(error) => {
                let at = now + delta(self.backoff(claimed.lease.attempt));
                tracing::warn!(%error, again_at = %at, "failed");
                Some(Finish::Retry { at, error })
            }
            Outcome::Later(pause, reason) => Some(Finish::Later { at: now + delta(pause), reason }),
            Outcome::Await(pause, reason) => Some(Finish::Await { at: now + delta(pause), reason }),
            Outcome::GiveUp(error) => {
                tracing::error!(%error, "gave up");
                Some(Finish::GiveUp { error })
            }
        }
    }

    async fn write_down(&self, lease: &Lease, finish: &Finish) {
        match ledger::finish(self.db(), lease, finish, self.clock().now()).await {
            Ok(true) => {}
            Ok(false) => tracing::warn!("the lease was lost before the end of the attempt was written down"),
            Err(error) => {
                tracing::warn!(%error, "the end of the attempt was not written down; the job runs again")
            }
        }
    }

    fn backoff(&self, attempt: i64) -> Duration {
        let doublings = u32::try_from(attempt.clamp(1, 20) - 1).unwrap_or_default();
        let pause = self.limits.backoff_min.saturating_mul(2_u32.saturating_pow(doublings));
        self.clock().jitter(pause.min(self.limits.backoff_max))
    }

    fn db(&self) -> &Db {
        &self.queue.db
    }

    fn clock(&self) -> &Clock {
        &self.queue.clock
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a word")
}
