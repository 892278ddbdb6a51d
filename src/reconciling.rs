//! Asking for a comparison of our books with the gateway's: by REST and from the command line.

use chrono::{NaiveDate, TimeDelta};
use clock::Clock;
use domain::{JobId, Time, start_of_day};
use queue::{Job as _, Reconcile};
use store::audit::By;
use store::reconciliations::{self, NewRun};
use store::{Db, StoreError};

/// The longest window, in days.
const DAYS_MAX: i64 = 3_660;

/// The days in Jakarta whose payments are compared, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Payments that lived on this day or later.
    pub from: NaiveDate,
    /// And began on this day or earlier.
    pub to: NaiveDate,
}

impl Window {
    /// What is wrong with it, if anything.
    ///
    /// # Errors
    /// A sentence for whoever asked.
    pub fn check(&self) -> Result<(), String> {
        if self.from > self.to {
            return Err("`from` is after `to`".to_owned());
        }
        if (self.to - self.from).num_days() > DAYS_MAX {
            return Err(format!("from `from` to `to` there are more than {DAYS_MAX} days"));
        }
        Ok(())
    }

    fn bounds(&self, now: Time) -> (Time, Time) {
        let from = start_of_day(self.from);
        let moment = TimeDelta::milliseconds(1);
        // Payments that begin while the comparison runs are not part of it.
        let to = start_of_day(self.to.succ_opt().unwrap_or(self.to)).min(now + moment);
        (from, to.max(from + moment))
    }
}

/// A comparison that was written down, with its job.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Its row.
    pub id: i64,
    /// The job that makes it, to be woken.
    pub jobs: Vec<JobId>,
}

/// Writes down that somebody wants a comparison, and the job that makes it.
///
/// # Errors
/// When the database does.
pub async fn want(
    db: &Db,
    clock: &Clock,
    (window, is_dry): (Window, bool),
    by: &By<'_>,
) -> Result<Option<Wanted>, StoreError> {
    let slot = format!("manual:{}", clock.ulid());
    let (from, to) = window.bounds(by.now);
    let new = NewRun { slot: &slot, kind: "manual", is_dry, wanted_by: &by.actor.name, from, to };
    let job = Reconcile { slot: slot.clone() }.new_job(by.now);
    let wanted = reconciliations::want(db, &new, &job, by).await?;
    Ok(wanted.map(|(id, jobs)| Wanted { id, jobs }))
}
