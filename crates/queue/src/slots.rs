//! The kinds of work that a schedule asks for: once for each slot, however many schedulers there are.

use domain::Period;
use serde::{Deserialize, Serialize};

use crate::work::{Job, MONEY_ATTEMPTS};

/// Look for payments whose check is due.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sweep {
    /// The slot of the schedule, which is swept once however many schedulers there are.
    pub slot: String,
}

/// Write down the bills of a month, and those of the months before it that are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct GenerateBills {
    /// The month, which is billed once however many schedulers there are.
    pub period: Period,
}

/// Compare a window of our payments with the gateway's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reconcile {
    /// Names the comparison, which is made once however many ask for it: `nightly:` and a date, or what its row says.
    pub slot: String,
}

/// Forget what is older than it has to be kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prune {
    /// The slot of the schedule.
    pub slot: String,
}

impl Job for Sweep {
    const KIND: &'static str = "sweep";
    const MAX_ATTEMPTS: i64 = 5;

    fn dedupe_key(&self) -> String {
        format!("{}:{}", Self::KIND, self.slot)
    }

    fn once_key(&self) -> Option<String> {
        Some(self.dedupe_key())
    }
}

impl Job for GenerateBills {
    const KIND: &'static str = "generate_bills";
    /// A database that is down for a night must not cost the house a month.
    const MAX_ATTEMPTS: i64 = MONEY_ATTEMPTS;

    fn dedupe_key(&self) -> String {
        format!("{}:{}", Self::KIND, self.period)
    }

    fn once_key(&self) -> Option<String> {
        Some(self.dedupe_key())
    }
}

impl Job for Reconcile {
    const KIND: &'static str = "reconcile";
    const MAX_ATTEMPTS: i64 = MONEY_ATTEMPTS;

    fn dedupe_key(&self) -> String {
        format!("{}:{}", Self::KIND, self.slot)
    }

    fn once_key(&self) -> Option<String> {
        Some(self.dedupe_key())
    }
}

impl Job for Prune {
    const KIND: &'static str = "prune";
    const MAX_ATTEMPTS: i64 = 5;

    fn dedupe_key(&self) -> String {
        format!("{}:{}", Self::KIND, self.slot)
    }

    fn once_key(&self) -> Option<String> {
        Some(self.dedupe_key())
    }
}
