//! When a worker looks for ids: at a steady beat, and at once when it is told.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use apalis::prelude::{PollSnapshot, PollStrategy};
use tokio::sync::Notify;
use tokio::time::{Interval, MissedTickBehavior};

/// Polls every `every`, and at once when `notify` fires.
///
/// apalis' own interval can lose its wake-up: it makes a timer and returns without having polled it. Here both sources
/// are polled until they are pending, so that a waker is always registered.
pub(crate) struct TickOrNotify {
    every: Duration,
    notify: Arc<Notify>,
    tick: Option<Interval>,
    wait: Option<Pin<Box<dyn Future<Output = ()> + Send + Sync>>>,
}

impl TickOrNotify {
    pub(crate) fn new(every: Duration, notify: Arc<Notify>) -> Self {
        Self { every, notify, tick: None, wait: None }
    }

    fn ticked(&mut self, cx: &mut Context<'_>) -> bool {
        let every = self.every;
        let tick = self.tick.get_or_insert_with(|| {
            let mut interval = tokio::time::interval(every);
            interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
            interval
        });
        let mut fired = false;
        while tick.poll_tick(cx).is_ready() {
            fired = true;
        }
        fired
    }

    fn notified(&mut self, cx: &mut Context<'_>) -> bool {
        let mut fired = false;
        loop {
            let notify = Arc::clone(&self.notify);
            let wait = self.wait.get_or_insert_with(|| Box::pin(async move { notify.notified().await }));
            if wait.as_mut().poll(cx).is_pending() {
                return fired;
            }
            self.wait = None;
            fired = true;
        }
    }
}

impl PollStrategy for TickOrNotify {
    fn poll_drive(&mut self, cx: &mut Context<'_>, _: &PollSnapshot) -> Poll<Option<()>> {
        let ticked = self.ticked(cx);
        let notified = self.notified(cx);
        if ticked || notified { Poll::Ready(Some(())) } else { Poll::Pending }
    }
}
