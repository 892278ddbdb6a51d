//! What is about to happen in the books, told to a test that watches; nobody watches in production.
//!
//! A test can drop or hold the work at these points. Nothing can be seen from outside between two of them, so a crash
//! at each of them is every crash there is.

use std::pin::Pin;
use std::sync::Arc;

/// A point that the work has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Something is about to be read.
    Read,
    /// A transaction, or a statement that is its own, is about to begin.
    Begin,
    /// All is written and about to be committed.
    Commit,
    /// It is committed.
    Committed,
}

/// Whoever watches.
pub trait Watch: Send + Sync {
    /// The work has come to this point, and goes on when this ends.
    fn reaches(&self, effect: Effect) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

tokio::task_local! {
    static WATCH: Arc<dyn Watch>;
}

/// Does the work under watch. A task that it spawns is not watched.
pub async fn watched<F: Future>(watch: Arc<dyn Watch>, work: F) -> F::Output {
    WATCH.scope(watch, work).await
}

/// Whether somebody watches what this task does.
pub(crate) fn is_watched() -> bool {
    WATCH.try_with(|_watch| ()).is_ok()
}

/// Costs one look at a thread's own variable where nobody watches.
pub(crate) async fn reach(effect: Effect) {
    if let Ok(watch) = WATCH.try_with(Arc::clone) {
        watch.reaches(effect).await;
    }
}
