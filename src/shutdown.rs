//! Stopping: the first signal asks, the second insists.

use queue::Stop;
use tokio::signal::unix::{SignalKind, signal};

/// Stops gently at the first SIGTERM or SIGINT, at once at the second.
///
/// # Errors
/// When the signals cannot be listened to.
pub fn on_signals(stop: &Stop) -> std::io::Result<()> {
    let mut term = signal(SignalKind::terminate())?;
    let mut int = signal(SignalKind::interrupt())?;
    let stop = stop.clone();
    tokio::spawn(async move {
        let mut next = async || {
            tokio::select! {
                _ = term.recv() => {}
                _ = int.recv() => {}
            }
        };
        next().await;
        tracing::info!("stopping: running work ends first; a second signal stops at once");
        stop.gently.cancel();
        next().await;
        tracing::warn!("stopping at once");
        stop.now.cancel();
    });
    Ok(())
}
