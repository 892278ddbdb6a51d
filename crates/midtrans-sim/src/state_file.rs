//! The world on disk, so that a demonstration survives a restart.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use clock::Time;
use serde::{Deserialize, Serialize};

use crate::core::{Core, State};
use crate::outbox::{Outbox, Parcel};
use crate::simulator::StartError;
use crate::snap::{Page, Pages};
use crate::transaction::Transaction;
use crate::world::World;

/// At most so often the file is written, however much happens.
const PAUSE: Duration = Duration::from_millis(200);

#[derive(Serialize)]
struct Written<'a> {
    transactions: &'a [Transaction],
    pages: &'a [Page],
    waiting: Vec<(Time, &'a Parcel)>,
}

#[derive(Deserialize)]
struct Read {
    transactions: Vec<Transaction>,
    #[serde(default)]
    pages: Vec<Page>,
    #[serde(default)]
    waiting: Vec<(Time, Parcel)>,
}

/// Reads the world; a file that is not there is an empty one.
pub(crate) fn read(path: &Path) -> Result<(World, Pages, Outbox), StartError> {
    let text = match std::fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(<_>::default()),
        Err(error) => return Err(StartError::StateFile { path: path.to_owned(), error: error.to_string() }),
    };
    let read: Read = serde_json::from_slice(&text)
        .map_err(|error| StartError::StateFile { path: path.to_owned(), error: error.to_string() })?;
    let mut outbox = Outbox::default();
    for (due, parcel) in read.waiting {
        outbox.send_later(due, parcel);
    }
    Ok((World::of(read.transactions), Pages::of(read.pages), outbox))
}

/// Writes the world after each change until the simulator stops, and once more then.
pub(crate) async fn keep_writing(core: Arc<Core>) {
    loop {
        tokio::select! {
            () = core.stop.cancelled() => break,
            () = core.changed.notified() => {}
        }
        write(&core).await;
        tokio::select! {
            () = core.stop.cancelled() => break,
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
    write(&core).await;
}

async fn write(core: &Core) {
    let Some(path) = &core.options.state_file else { return };
    let text = text(&core.state(), core.clock().now());
    let beside = path.with_extension("new");
    let written = match text {
        Ok(text) => tokio::fs::write(&beside, text).await,
        Err(error) => Err(error.into()),
    };
    // Renamed into place, so that nobody ever reads half a world.
    let renamed = match written {
        Ok(()) => tokio::fs::rename(&beside, path).await,
        Err(error) => Err(error),
    };
    if let Err(error) = renamed {
        tracing::error!(path = %path.display(), %error, "the state file was not written");
    }
}

fn text(state: &State, now: Time) -> serde_json::Result<Vec<u8>> {
    let written = Written {
        transactions: state.world.all(),
        pages: state.pages.all(),
        waiting: state.outbox.unsent(now).collect(),
    };
    serde_json::to_vec(&written)
}
