//! Forget what is older than it has to be kept.

use std::time::Duration;

use queue::Outcome;
use store::pruning::{self, Pruned};
use tokio::time::Instant;

use crate::Context;
use crate::context::Ended;

/// Rows of each table that are forgotten in one transaction.
const BATCH: i64 = 1_000;
/// How long one attempt goes on before it lets other jobs have its place.
const SLICE: Duration = Duration::from_secs(15);

pub(crate) async fn perform(cx: &Context) -> Ended {
    let begun = Instant::now();
    let mut all = Pruned::default();
    loop {
        let pruned = pruning::prune(&cx.db, &cx.retention, BATCH, cx.now()).await?;
        all += pruned;
        if pruned.total() == 0 {
            break;
        }
        if begun.elapsed() > SLICE {
            return Ok(Outcome::Later(Duration::ZERO, format!("forgot {} rows so far", all.total())));
        }
    }
    let Pruned { jobs, notifications, items, calls, sessions } = all;
    tracing::info!(jobs, notifications, items, calls, sessions, "pruned");
    Ok(Outcome::Done)
}
