//! Watching payments: who waits for a change hears of it, also when the worker is another process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::{Payment, PaymentId};
use store::{StoreError, payments};
use tokio::sync::{Notify, Semaphore, watch};

use super::App;

/// The first look at the books, when an answer of the gateway may come soon.
const LOOK_SOON: Duration = Duration::from_millis(100);
/// A payer takes minutes: looks become as rare as this.
const LOOK_LATER: Duration = Duration::from_millis(500);

/// The payments that somebody watches. Each is looked at by one task, however many watch it.
pub struct Watches {
    watched: Mutex<HashMap<PaymentId, Watched>>,
    /// Places for requests that wait.
    pub(super) waiters: Semaphore,
    waiters_max: usize,
    /// Places for streams of events.
    pub(crate) streams: Arc<Semaphore>,
}

#[derive(Clone)]
struct Watched {
    sender: watch::Sender<Payment>,
    /// Somebody new watches: look soon again.
    hurry: Arc<Notify>,
}

impl Watches {
    /// With places for so many requests that wait, and so many streams.
    #[must_use]
    pub fn new(waiters: usize, streams: usize) -> Self {
        let waiters_max = waiters.min(Semaphore::MAX_PERMITS);
        Self {
            watched: Mutex::default(),
            waiters: Semaphore::new(waiters_max),
            waiters_max,
            streams: Arc::new(Semaphore::new(streams.min(Semaphore::MAX_PERMITS))),
        }
    }

    /// How many requests wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiters_max.saturating_sub(self.waiters.available_permits())
    }

    fn watched(&self) -> MutexGuard<'_, HashMap<PaymentId, Watched>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the watch when nobody watches any more. Under the lock, so that nobody comes in between.
    fn is_over(&self, id: PaymentId, watched: &Watched) -> bool {
        let mut all = self.watched();
        let over = watched.sender.receiver_count() == 0;
        if over {
            all.remove(&id);
        }
        over
    }
}

impl App {
    /// The payment from now on: what it is, and every change that a look at the books finds.
    pub(super) fn watch(self: &Arc<Self>, payment: Payment) -> watch::Receiver<Payment> {
        let id = payment.id;
        let mut all = self.watches.watched();
        if let Some(watched) = all.get(&id) {
            let receiver = watched.sender.subscribe();
            tell(&watched.sender, payment);
            watched.hurry.notify_one();
            return receiver;
        }
        let (sender, receiver) = watch::channel(payment);
        let watched = Watched { sender, hurry: Arc::default() };
        all.insert(id, watched.clone());
        tokio::spawn(follow(Arc::clone(self), id, watched));
        receiver
    }
}

/// Looks until nobody watches or the service stops. Whoever still watches then sees the watch end.
async fn follow(app: Arc<App>, id: PaymentId, watched: Watched) {
    let mut pause = LOOK_SOON;
    loop {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = watched.hurry.notified() => {
                pause = LOOK_SOON;
                continue;
            }
            () = app.stop.cancelled() => {
                app.watches.watched().remove(&id);
                return;
            }
        }
        if app.watches.is_over(id, &watched) {
            return;
        }
        pause = match look(&app, id, &watched.sender).await {
            Ok(true) => LOOK_SOON,
            Ok(false) => (pause * 5 / 4).min(LOOK_LATER),
            Err(error) => {
                tracing::warn!(%error, "a watched payment could not be looked at");
                LOOK_LATER
            }
        };
    }
}

/// Reads the payment when it has another version than before. True when it has.
async fn look(app: &App, id: PaymentId, sender: &watch::Sender<Payment>) -> Result<bool, StoreError> {
    let known = sender.borrow().version;
    if payments::version_of(&app.db, id).await? == Some(known) {
        return Ok(false);
    }
    let found = payments::find(&app.db, id).await?;
    Ok(found.is_some_and(|payment| tell(sender, payment)))
}

fn tell(sender: &watch::Sender<Payment>, payment: Payment) -> bool {
    sender.send_if_modified(|known| {
        let is_news = payment.version > known.version;
        if is_news {
            *known = payment;
        }
        is_news
    })
}
