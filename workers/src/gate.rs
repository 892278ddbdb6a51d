//! The gate of the house before the gateway: the throttle of all processes, and a record of every call.

use std::time::Duration;

use clock::Clock;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use midtrans::{Call, Gate, Health, Urgency};
use queue::Throttle;
use store::Db;
use store::calls::{self, GatewayCall};

/// Lets calls go as the throttle says, and keeps what became of them.
pub struct HouseGate {
    /// Where calls are kept.
    pub db: Db,
    /// The time.
    pub clock: Clock,
    /// Who may call now.
    pub throttle: Throttle,
}

impl Gate for HouseGate {
    fn enter(&self, urgency: Urgency) -> BoxFuture<'_, Result<(), Duration>> {
        self.throttle.enter(urgency == Urgency::Patient).boxed()
    }

    fn heard<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, ()> {
        async move {
            tracing::info!(
                payment.invoice = call.name,
                http.method = call.verb,
                http.path = call.path,
                http.status = call.http,
                took_ms = u64::try_from(call.took.as_millis()).unwrap_or(u64::MAX),
                error = call.error,
                "called the gateway"
            );
            self.throttle.heard(health(call.health)).await;
            // The answer counts, not its record: a payment does not wait for evidence.
            if let Err(error) = calls::record(&self.db, &self.record(call)).await {
                tracing::warn!(%error, http.path = call.path, "a call to the gateway could not be recorded");
            }
        }
        .boxed()
    }
}

impl HouseGate {
    fn record(&self, call: &Call) -> GatewayCall {
        GatewayCall {
            name: call.name.clone(),
            method: call.verb.clone(),
            path: call.path.clone(),
            http: call.http,
            answer: call.answer.clone(),
            error: call.error.clone(),
            at: self.clock.now(),
            took: call.took,
        }
    }
}

fn health(health: Health) -> queue::Health {
    match health {
        Health::Well => queue::Health::Well,
        Health::Busy(wait) => queue::Health::Busy(wait),
        Health::Ill => queue::Health::Ill,
    }
}
