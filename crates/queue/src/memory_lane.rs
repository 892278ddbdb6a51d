//! Ids that travel inside this process: the embedded mode, and the way around a Redis that is down.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use apalis::prelude::{MemorySink, MemoryStorage, MemoryStorageError, RandomId, Task, TaskBuilder, TaskId};
use domain::JobId;
use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use futures::{Sink, SinkExt as _, StreamExt as _};

/// A channel of ids. Its depth is bounded by whoever pushes: see [`crate::relay`].
pub(crate) struct MemoryLane {
    sender: UnboundedSender<Task<i64>>,
    receiver: Mutex<Option<UnboundedReceiver<Task<i64>>>>,
    depth: Arc<AtomicUsize>,
    open: AtomicBool,
}

impl MemoryLane {
    pub(crate) fn new() -> Self {
        let (sender, receiver) = unbounded();
        Self {
            sender,
            receiver: Mutex::new(Some(receiver)),
            depth: Arc::default(),
            open: AtomicBool::new(false),
        }
    }

    /// The backend for this process' one worker; `None` when it was taken before.
    pub(crate) fn backend(&self) -> Option<MemoryStorage<i64>> {
        let receiver = self.receiver.lock().ok()?.take()?;
        let sink: Box<dyn Sink<Task<i64>, Error = MemoryStorageError> + Send + Sync + Unpin> =
            Box::new(self.sender.clone().sink_map_err(MemoryStorageError::from));
        let sink = MemorySink::new(Arc::new(futures::lock::Mutex::new(sink)));
        self.open.store(true, Ordering::SeqCst);
        Some(MemoryStorage::new_with(sink, receiver.boxed()))
    }

    /// True once a worker of this process takes ids from here.
    pub(crate) fn is_open(&self) -> bool {
        self.open.load(Ordering::SeqCst)
    }

    pub(crate) fn depth(&self) -> usize {
        self.depth.load(Ordering::SeqCst)
    }

    pub(crate) fn push(&self, ids: &[JobId]) {
        for id in ids {
            let task = TaskBuilder::new(id.0).task_id(TaskId::from_string(RandomId::default())).build();
            if self.sender.unbounded_send(task).is_ok() {
                self.depth.fetch_add(1, Ordering::SeqCst);
            }
        }
    }

    /// Counts the ids that the worker has taken out.
    pub(crate) fn taken(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.depth)
    }
}
