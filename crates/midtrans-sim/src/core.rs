//! The state behind every door of the simulator, and how a change in it becomes a notification.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use clock::Clock;
use serde_json::Value;
use tokio::runtime::Handle;
use tokio::sync::{Notify, Semaphore, watch};
use tokio_util::sync::CancellationToken;

use crate::answers::Letterhead;
use crate::faults::Faults;
use crate::idempotency::Keys;
use crate::instruction::uuid;
use crate::options::Options;
use crate::outbox::{Outbox, Parcel};
use crate::records::{Call, Log, SentNotification};
use crate::refund::{NoRefund, RefundRequest};
use crate::sender;
use crate::snap::Pages;
use crate::transaction::{Act, Transaction};
use crate::world::World;

/// How many notifications are on the wire at once.
const SENDS_MAX: usize = 64;
/// How often the machine's own clock is looked at for what is due.
const TICK: Duration = Duration::from_millis(250);

/// What every door of the simulator shares.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) options: Options,
    pub(crate) base_url: String,
    pub(crate) client: reqwest::Client,
    pub(crate) runtime: Handle,
    pub(crate) stop: CancellationToken,
    /// Notifications that are being sent or queue behind one that is.
    pub(crate) unsent: watch::Sender<usize>,
    pub(crate) sends: Semaphore,
    /// Callers who wait for an answer that will not come.
    pub(crate) silent: watch::Sender<usize>,
    /// Ends their waiting.
    pub(crate) hang_up: Notify,
    /// Wakes the writer of the state file.
    pub(crate) changed: Notify,
    state: Mutex<State>,
}

/// All that changes, under one lock, so that a change and its notification are one step.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) world: World,
    pub(crate) pages: Pages,
    pub(crate) outbox: Outbox,
    pub(crate) faults: Faults,
    pub(crate) keys: Keys,
    pub(crate) calls: Log<Call>,
    pub(crate) charge_calls: u64,
    pub(crate) page_calls: u64,
    pub(crate) sent: Log<SentNotification>,
    /// Notifications lost by the `drop_all` fault.
    pub(crate) dropped: u64,
    pub(crate) notification_url: Option<String>,
}

/// Why an act did nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// There is no such transaction.
    #[error("there is no such transaction")]
    Unknown,
    /// The transaction stands in a way that does not allow it.
    #[error("the transaction stands in a way that does not allow it")]
    Illegal,
    /// More than is left to refund.
    #[error("that is more than is left to refund")]
    Amount,
}

impl Core {
    pub(crate) fn new(options: Options, base_url: String, state: State) -> reqwest::Result<Self> {
        Ok(Self {
            client: match &options.client {
                Some(client) => client.clone(),
                None => sender::http_client(options.answer_within)?,
            },
            runtime: Handle::current(),
            stop: CancellationToken::new(),
            unsent: watch::Sender::new(0),
            sends: Semaphore::new(SENDS_MAX),
            silent: watch::Sender::new(0),
            hang_up: Notify::new(),
            changed: Notify::new(),
            state: Mutex::new(state),
            base_url,
            options,
        })
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.options.clock
    }

    pub(crate) fn letterhead(&self) -> Letterhead<'_> {
        Letterhead {
            merchant_id: &self.options.merchant_id,
            server_key: &self.options.server_key,
            base_url: &self.base_url,
        }
    }

    /// The state as it was left.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state as it is now: what expired meanwhile is expired.
    pub(crate) fn fresh(self: &Arc<Self>) -> MutexGuard<'_, State> {
        let mut state = self.state();
        let now = self.clock().now();
        let until = now - chrono::TimeDelta::seconds(state.faults.api.late_expiry_s.into());
        let mut changed = state.world.expire_until(until, now);
        changed.extend(state.world.confirm_due(now));
        for at in changed {
            self.announce(&mut state, at);
        }
        state
    }

    /// The state file is out of date.
    pub(crate) fn touch(&self) {
        self.changed.notify_one();
    }

    /// Acts on the transaction a payer or a person at the page means.
    pub(crate) fn act(self: &Arc<Self>, id: &str, act: Act) -> Result<Transaction, Refused> {
        let mut state = self.fresh();
        let at = state.world.find_as_payer(id).ok_or(Refused::Unknown)?;
        self.act_at(&mut state, at, act)
    }

    /// Moves a transaction, then tells the merchant.
    pub(crate) fn act_at(
        self: &Arc<Self>,
        state: &mut State,
        at: usize,
        act: Act,
    ) -> Result<Transaction, Refused> {
        state.world.apply(at, act, self.clock().now()).map_err(|_| Refused::Illegal)?;
        self.announce(state, at);
        Ok(state.world.get(at).clone())
    }

    /// Refunds from the dashboard: accepted now, confirmed by the bank some minutes later.
    pub(crate) fn refund(self: &Arc<Self>, id: &str, amount: Option<i64>) -> Result<Transaction, Refused> {
        let mut state = self.fresh();
        let at = state.world.find_as_payer(id).ok_or(Refused::Unknown)?;
        let wanted = RefundRequest { amount, ..RefundRequest::default() };
        match state.world.refund(at, wanted, self.clock().now()) {
            Ok(_) => {}
            Err(NoRefund::Amount) => return Err(Refused::Amount),
            Err(NoRefund::NotNow | NoRefund::Repeated(_)) => return Err(Refused::Illegal),
        }
        self.announce(&mut state, at);
        Ok(state.world.get(at).clone())
    }

    /// Tells the merchant how a transaction stands now, as far as the faults let it.
    pub(crate) fn announce(self: &Arc<Self>, state: &mut State, at: usize) {
        let transaction = state.world.get(at);
        let body = self.letterhead().notification(transaction);
        for url in transaction.destinations.urls(state.notification_url.as_ref()) {
            self.post(state, Parcel { url, body: body.clone(), attempt: 1, copy: 0 });
        }
        self.touch();
    }

    /// Sends the dashboard's test notification; false without a URL to send it to.
    pub(crate) fn send_test(self: &Arc<Self>) -> bool {
        self.post_to_dashboard_url(self.letterhead().dashboard_test(&uuid(self.clock()), self.clock().now()))
    }

    /// Sends what belongs to no transaction; false without a URL to send it to.
    pub(crate) fn post_to_dashboard_url(self: &Arc<Self>, body: Value) -> bool {
        let mut state = self.state();
        let Some(url) = state.notification_url.clone() else { return false };
        self.post(&mut state, Parcel { url, body, attempt: 1, copy: 0 });
        true
    }

    fn post(self: &Arc<Self>, state: &mut State, parcel: Parcel) {
        let faults = state.faults.notifications.clone();
        for copy in 0..faults.copies {
            let parcel = Parcel { copy, ..parcel.clone() };
            if faults.shuffle {
                state.outbox.held.push(parcel);
            } else if faults.delay_ms > 0 {
                let delay = clock::delta(Duration::from_millis(faults.delay_ms));
                state.outbox.send_later(self.clock().now() + delay, parcel);
            } else {
                sender::dispatch(self, state, parcel);
            }
        }
        if faults.shuffle_after > 0 && state.outbox.held.len() >= faults.shuffle_after {
            self.release(state);
        }
    }

    /// Lets go what the `shuffle` fault held back.
    pub(crate) fn release(self: &Arc<Self>, state: &mut State) {
        for parcel in state.outbox.take_shuffled(self.clock()) {
            sender::dispatch(self, state, parcel);
        }
    }

    /// Does what is due by the clock: expiry, confirmed refunds, delayed notifications and retries.
    pub(crate) fn do_due(self: &Arc<Self>) {
        let mut state = self.fresh();
        for parcel in state.outbox.take_due(self.clock().now()) {
            sender::dispatch(self, &mut state, parcel);
        }
    }

    /// Does what is due again and again, for a clock that runs by itself.
    pub(crate) async fn tick(self: Arc<Self>) {
        let mut interval = tokio::time::interval(TICK);
        loop {
            tokio::select! {
                () = self.stop.cancelled() => return,
                _ = interval.tick() => self.do_due(),
            }
        }
    }

    /// Waits until nothing is being sent; false where that takes longer than `at_most`.
    pub(crate) async fn all_delivered(&self, at_most: Duration) -> bool {
        let mut unsent = self.unsent.subscribe();
        let none = unsent.wait_for(|unsent| *unsent == 0);
        matches!(tokio::time::timeout(at_most, none).await, Ok(Ok(_)))
    }
}
