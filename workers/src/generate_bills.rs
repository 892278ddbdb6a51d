//! Write down the rent of a month, and of the months before it that nobody billed.

use domain::Period;
use queue::{GenerateBills, Outcome};
use store::rent::{self, Batch};

use crate::Context;
use crate::context::Ended;

/// Tenancies billed in one transaction.
const BATCH: i64 = 200;
/// Months looked at, the newest among them: who was away for longer bills by hand.
const MONTHS: usize = 12;

/// The oldest month first, so that bills are numbered as they would have been.
pub(crate) async fn perform(job: GenerateBills, cx: &Context) -> Ended {
    let mut months: Vec<Period> =
        std::iter::successors(Some(job.period), |month| month.previous()).take(MONTHS).collect();
    months.reverse();
    for period in months {
        let bills = bill(period, cx).await?;
        if bills > 0 {
            tracing::info!(%period, bills, "billed the rent");
        }
    }
    Ok(Outcome::Done)
}

async fn bill(period: Period, cx: &Context) -> Result<usize, store::StoreError> {
    let mut batch = Batch { period, terms: cx.terms, after: 0, limit: BATCH };
    let mut bills = 0;
    loop {
        let billed = rent::bill(&cx.db, &batch, cx.now()).await?;
        bills += billed.bills;
        match billed.next {
            Some(after) => batch.after = after,
            None => return Ok(bills),
        }
    }
}
