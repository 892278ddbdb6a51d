//! The handle of a running simulator: how it starts and stops, who acts as the payer, what it saw.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::core::{Core, Refused, State};
use crate::faults::Faults;
use crate::options::Options;
use crate::records::{Call, SentNotification};
use crate::transaction::{Act, TransactionView};
use crate::{api, control, snap_page, state_file};

/// How long `wait_until_delivered` waits.
const DELIVERED_WITHIN: Duration = Duration::from_secs(60);
/// How long `shutdown` waits for calls that are being answered.
const STOPPED_WITHIN: Duration = Duration::from_secs(5);

/// A running simulator; it stops when this is dropped.
#[derive(Debug)]
pub struct Simulator {
    pub(crate) core: Arc<Core>,
    address: SocketAddr,
    tasks: Vec<JoinHandle<()>>,
}

/// Why a simulator did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Somebody else listens there.
    #[error("{address} is taken: another program listens there; choose another port, or 0 for a free one")]
    PortTaken {
        /// The address that was asked for.
        address: SocketAddr,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {error}")]
    Listen {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the system says.
        error: std::io::Error,
    },
    /// The state file is there, but cannot be read.
    #[error("cannot read the state file {}: {error}; move it away to begin anew", path.display())]
    StateFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: String,
    },
    /// The HTTP client of the notifications could not be made.
    #[error("cannot make an HTTP client: {0}")]
    Client(#[from] reqwest::Error),
}

/// Some notifications did not leave in time.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{unsent} notifications were still on their way after {DELIVERED_WITHIN:?}")]
pub struct Undelivered {
    /// How many.
    pub unsent: usize,
}

impl Simulator {
    /// Starts a simulator on the current runtime.
    ///
    /// # Errors
    /// If the address cannot be listened on or the state file cannot be read.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let asked = options.address;
        let listener = TcpListener::bind(asked).await.map_err(|error| match error.kind() {
            std::io::ErrorKind::AddrInUse => StartError::PortTaken { address: asked },
            _ => StartError::Listen { address: asked, error },
        })?;
        let address = listener.local_addr().map_err(|error| StartError::Listen { address: asked, error })?;
        let mut state = State { notification_url: options.notification_url.clone(), ..State::default() };
        if let Some(path) = &options.state_file {
            (state.world, state.pages, state.outbox) = state_file::read(path)?;
        }
        let core = Arc::new(Core::new(options, format!("http://{address}"), state)?);
        let mut tasks = vec![tokio::spawn(serve(Arc::clone(&core), listener))];
        if core.clock().runs_by_itself() {
            tasks.push(tokio::spawn(Arc::clone(&core).tick()));
        }
        if core.options.state_file.is_some() {
            tasks.push(tokio::spawn(state_file::keep_writing(Arc::clone(&core))));
        }
        Ok(Self { core, address, tasks })
    }

    /// Stops: connections are closed, the state file is written a last time.
    pub async fn shutdown(mut self) {
        self.core.stop.cancel();
        for mut task in std::mem::take(&mut self.tasks) {
            if tokio::time::timeout(STOPPED_WITHIN, &mut task).await.is_err() {
                task.abort();
            }
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:<port>`, what a client takes for the gateway.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.core.base_url
    }

    /// Changes where notifications go, for a merchant that starts after the simulator.
    pub fn set_notification_url(&self, url: Option<String>) {
        self.core.state().notification_url = url;
    }

    /// Turns fault switches: `sim.faults(|f| f.notifications.drop_all = true)`.
    pub fn faults<T>(&self, turn: impl FnOnce(&mut Faults) -> T) -> T {
        turn(&mut self.core.state().faults)
    }

    /// The payer pays. `id` is an order id, a transaction id or the number the payer types in.
    ///
    /// # Errors
    /// If there is no such transaction, or it cannot be paid as it stands.
    pub async fn settle(&self, id: &str) -> Result<TransactionView, Refused> {
        self.act(id, Act::Settle)
    }

    /// The time to pay is over, whatever the clock says.
    ///
    /// # Errors
    /// As `settle`.
    pub async fn expire(&self, id: &str) -> Result<TransactionView, Refused> {
        self.act(id, Act::Expire)
    }

    /// The payer proves at the bank's page who they are (3DS), and the card does what it is known for.
    ///
    /// # Errors
    /// As `settle`.
    pub async fn prove(&self, id: &str) -> Result<TransactionView, Refused> {
        self.act(id, Act::Prove)
    }

    /// The bank refuses.
    ///
    /// # Errors
    /// As `settle`.
    pub async fn deny(&self, id: &str) -> Result<TransactionView, Refused> {
        self.act(id, Act::Deny)
    }

    /// Somebody cancels at the dashboard.
    ///
    /// # Errors
    /// As `settle`.
    pub async fn cancel(&self, id: &str) -> Result<TransactionView, Refused> {
        self.act(id, Act::Cancel)
    }

    /// The bank tells of a payment that was made in time, after the transaction has expired. No card does that.
    ///
    /// # Errors
    /// As `settle`.
    pub async fn settle_late(&self, id: &str) -> Result<TransactionView, Refused> {
        self.act(id, Act::SettleLate)
    }

    /// The bank takes a settlement back: Permata, Mandiri bill and Indomaret only.
    ///
    /// # Errors
    /// As `settle`.
    pub async fn reverse(&self, id: &str) -> Result<TransactionView, Refused> {
        self.act(id, Act::Reverse)
    }

    /// The fraud detection wants a person to look at a card payment.
    ///
    /// # Errors
    /// As `settle`.
    pub async fn challenge(&self, id: &str) -> Result<TransactionView, Refused> {
        self.act(id, Act::Challenge)
    }

    /// The card's owner got the money back from the bank.
    ///
    /// # Errors
    /// As `settle`.
    pub async fn charge_back(&self, id: &str) -> Result<TransactionView, Refused> {
        self.act(id, Act::Chargeback)
    }

    /// The card's owner got some of the money back from the bank.
    ///
    /// # Errors
    /// As `settle`.
    pub async fn charge_back_partially(&self, id: &str) -> Result<TransactionView, Refused> {
        self.act(id, Act::PartialChargeback)
    }

    /// It breaks down on the way to the bank: a pending transaction ends in `failure`.
    ///
    /// # Errors
    /// As `settle`.
    pub async fn fail(&self, id: &str) -> Result<TransactionView, Refused> {
        self.act(id, Act::Fail)
    }

    /// Somebody refunds at the dashboard: that many rupiah, or all that is left.
    ///
    /// # Errors
    /// As `settle`, and if the amount is more than is left.
    pub async fn refund(&self, id: &str, amount: Option<i64>) -> Result<TransactionView, Refused> {
        self.core.refund(id, amount).map(|transaction| transaction.view())
    }

    fn act(&self, id: &str, act: Act) -> Result<TransactionView, Refused> {
        self.core.act(id, act).map(|transaction| transaction.view())
    }

    /// Presses the dashboard's "Test notification URL"; false without a URL.
    pub fn send_test_notification(&self) -> bool {
        self.core.send_test()
    }

    /// Every transaction, the oldest first.
    #[must_use]
    pub fn transactions(&self) -> Vec<TransactionView> {
        self.core.fresh().world.all().iter().map(|transaction| transaction.view()).collect()
    }

    /// The attempts to pay one order, the oldest first.
    #[must_use]
    pub fn transactions_of(&self, order_id: &str) -> Vec<TransactionView> {
        self.core.fresh().world.of_order(order_id).map(|transaction| transaction.view()).collect()
    }

    /// The transaction of an order id (the latest), a transaction id or a payer's number.
    #[must_use]
    pub fn transaction(&self, id: &str) -> Option<TransactionView> {
        let state = self.core.fresh();
        state.world.find_as_payer(id).map(|at| state.world.get(at).view())
    }

    /// How many `POST /v2/charge` came in, whatever became of them.
    #[must_use]
    pub fn charge_calls(&self) -> u64 {
        self.core.state().charge_calls
    }

    /// The calls of the API, the oldest first (the last 100,000).
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.core.state().calls.to_vec()
    }

    /// The attempts to deliver notifications that are over, the oldest first (the last 100,000).
    #[must_use]
    pub fn notifications_sent(&self) -> Vec<SentNotification> {
        self.core.state().sent.to_vec()
    }

    /// How many notifications the `drop_all` fault lost.
    #[must_use]
    pub fn notifications_dropped(&self) -> u64 {
        self.core.state().dropped
    }

    /// How many notifications wait for their time: retries and delayed ones.
    #[must_use]
    pub fn notifications_waiting(&self) -> usize {
        self.core.state().outbox.waiting().count()
    }

    /// Takes the notifications that the `shuffle` fault held back, the oldest first, for whoever carries them himself:
    /// they are not sent.
    #[must_use]
    pub fn take_notifications(&self) -> Vec<Value> {
        let held = std::mem::take(&mut self.core.state().outbox.held);
        held.into_iter().map(|parcel| parcel.body).collect()
    }

    /// Waits until a caller waits for an answer that will not come.
    pub async fn falls_silent(&self) {
        let mut silent = self.core.silent.subscribe();
        let _stopped = silent.wait_for(|silent| *silent > 0).await;
    }

    /// Cuts the connections of those who wait for an answer that will not come, as their own time-out would.
    pub async fn hang_up(&self) {
        self.core.hang_up.notify_waiters();
        let mut silent = self.core.silent.subscribe();
        let _stopped = silent.wait_for(|silent| *silent == 0).await;
    }

    /// Lets go, in another order, what the `shuffle` fault held back.
    pub fn release_notifications(&self) {
        self.core.release(&mut self.core.state());
    }

    /// Does what is due by the clock (expiry, retries, delayed notifications) and waits until it is sent.
    ///
    /// # Errors
    /// If a minute of real time was not enough.
    pub async fn deliver_due(&self) -> Result<(), Undelivered> {
        self.core.do_due();
        self.wait_until_delivered().await
    }

    /// Waits until no notification is being sent; those that wait for their time do not count.
    ///
    /// # Errors
    /// If a minute of real time was not enough.
    pub async fn wait_until_delivered(&self) -> Result<(), Undelivered> {
        if self.core.all_delivered(DELIVERED_WITHIN).await {
            Ok(())
        } else {
            Err(Undelivered { unsent: *self.core.unsent.borrow() })
        }
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.core.stop.cancel();
    }
}

async fn serve(core: Arc<Core>, listener: TcpListener) {
    let stop = core.stop.clone();
    let app = Router::new()
        .merge(api::routes(&core))
        .merge(control::routes())
        .merge(snap_page::routes())
        .fallback(api::fallback)
        .with_state(core);
    if let Err(error) = axum::serve(listener, app).with_graceful_shutdown(stop.cancelled_owned()).await {
        tracing::error!(%error, "the simulator stopped listening");
    }
}
