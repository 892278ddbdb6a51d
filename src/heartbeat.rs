//! The sign of life of this process, written down every ten seconds, so that others see who works.

use rustix::system::uname;
use store::processes::{self, BEAT_EVERY, Process};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::roles::{Parts, Roles};

/// Beats until it is stopped.
pub(crate) struct Heartbeat {
    stop: CancellationToken,
    beating: AbortOnDropHandle<()>,
}

impl Heartbeat {
    /// Begins to beat for a process that plays these roles.
    pub(crate) fn start(parts: &Parts, roles: Roles) -> Self {
        let stop = CancellationToken::new();
        let process = Process {
            id: parts.clock.ulid(),
            host: host(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            is_api: roles.api,
            is_worker: roles.worker,
            is_scheduler: roles.scheduler,
        };
        let beating = AbortOnDropHandle::new(tokio::spawn(beat(parts.clone(), process, stop.clone())));
        Self { stop, beating }
    }

    /// The process ends as it was told to: nobody is to miss it.
    pub(crate) async fn end(self) {
        self.stop.cancel();
        let _ended = tokio::time::timeout(BEAT_EVERY, self.beating).await;
    }
}

async fn beat(parts: Parts, process: Process, stop: CancellationToken) {
    while !stop.is_cancelled() {
        if let Err(error) = processes::beat(&parts.db, &process, parts.clock.now()).await {
            tracing::debug!(%error, "the sign of life could not be written down");
        }
        let _stopped = tokio::time::timeout(BEAT_EVERY, stop.cancelled()).await;
    }
    if let Err(error) = processes::leave(&parts.db, &process.id).await {
        tracing::debug!(%error, "the end of this process could not be written down");
    }
}

/// The machine, or the container, that we run on.
#[must_use]
pub fn host() -> String {
    uname().nodename().to_string_lossy().into_owned()
}
