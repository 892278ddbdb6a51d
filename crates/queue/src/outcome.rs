//! What becomes of an attempt at a job: a value, not an exception.

use std::time::Duration;

use domain::JobId;

/// What became of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The work is done, and the job was completed in the transaction of its effect.
    Completed {
        /// Jobs that the effect wants, already in the ledger.
        wake: Vec<JobId>,
    },
    /// There was nothing to write; the job is done.
    Done,
    /// It failed; again after a while that grows with each attempt. Counts.
    Retry(String),
    /// It could not be tried; again after this. Does not count.
    Later(Duration, String),
    /// It waits for news that will ask for it again; after this at the latest. Does not count.
    Await(Duration, String),
    /// Trying again cannot help: a person must look.
    GiveUp(String),
    /// Somebody else has the job by now; nothing is to be written.
    Lost,
}
