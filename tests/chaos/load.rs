//! Tenants who pay, whatever happens: they press until they are told an invoice, and pay at the gateway.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio_util::task::TaskTracker;

use crate::house::World;
use crate::tenants::Bill;
use crate::waiting::{ms, s};

/// A tenant who was refused presses again after this.
const AGAIN_AFTER: Duration = ms(250);
/// A tenant gives up after this, which no scenario may come to.
const PATIENCE: Duration = s(300);
/// Of so many tenants one does not pay, and the payment stays open.
const ONE_OF: usize = 8;

/// What a tenant was told, and did.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    pub(crate) invoice: String,
    /// From the first press to the invoice.
    pub(crate) answered: Duration,
    /// When the tenant paid at the gateway, in milliseconds of the machine's clock.
    pub(crate) paid_at: Option<i64>,
}

/// What all tenants together saw.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) told: Mutex<Vec<Told>>,
    /// Presses that were answered with anything but an invoice, by what it was.
    pub(crate) refused: Mutex<BTreeMap<String, usize>>,
    /// Tenants who gave up.
    pub(crate) gave_up: Mutex<Vec<String>>,
    over: AtomicBool,
}

/// Tenants who come one after the other.
pub(crate) struct Load {
    pub(crate) seen: Arc<Seen>,
    coming: tokio::task::JoinHandle<()>,
    paying: TaskTracker,
}

impl Load {
    /// Lets a tenant come every so often.
    pub(crate) fn start(world: &Arc<World>, every: Duration) -> Self {
        let (world, seen, paying) = (Arc::clone(world), Arc::new(Seen::default()), TaskTracker::new());
        let (seen_too, paying_too) = (Arc::clone(&seen), paying.clone());
        let coming = tokio::spawn(async move {
            let mut ticks = tokio::time::interval(every);
            for (number, bill) in world.bills.iter().enumerate() {
                ticks.tick().await;
                if seen_too.over.load(Ordering::SeqCst) {
                    return;
                }
                let tenant =
                    Tenant { world: Arc::clone(&world), seen: Arc::clone(&seen_too), bill: bill.clone() };
                paying_too.spawn(tenant.pays(number % ONE_OF != ONE_OF - 1));
            }
        });
        Self { seen, coming, paying }
    }

    /// Nobody comes any more; waits until all who came have done what they wanted, or given up.
    pub(crate) async fn end(self) -> Arc<Seen> {
        self.seen.over.store(true, Ordering::SeqCst);
        self.coming.await.unwrap();
        self.paying.close();
        self.paying.wait().await;
        self.seen
    }
}

impl Seen {
    /// How many were told an invoice so far.
    pub(crate) fn count(&self) -> usize {
        self.told.lock().unwrap().len()
    }

    /// The invoices so far.
    pub(crate) fn invoices(&self) -> Vec<String> {
        self.told.lock().unwrap().iter().map(|told| told.invoice.clone()).collect()
    }
}

struct Tenant {
    world: Arc<World>,
    seen: Arc<Seen>,
    bill: Bill,
}

impl Tenant {
    async fn pays(self, to_the_end: bool) {
        let begun = Instant::now();
        let Some(invoice) = self.presses(begun).await else { return };
        let place = {
            let mut told = self.seen.told.lock().unwrap();
            told.push(Told { invoice: invoice.clone(), answered: begun.elapsed(), paid_at: None });
            told.len() - 1
        };
        if !to_the_end {
            return;
        }
        loop {
            if begun.elapsed() > PATIENCE {
                return self.gives_up(&format!("{invoice} cannot be paid at the gateway"));
            }
            tokio::time::sleep(ms(200)).await;
            if self.world.sim.transactions_of(&invoice).is_empty() {
                continue;
            }
            // Some pay at once, some take a while to find their telephone.
            tokio::time::sleep(self.world.clock.jitter(s(2))).await;
            let now = self.world.clock.now().timestamp_millis();
            match self.world.sim.settle(&invoice).await {
                Ok(_) => self.seen.told.lock().unwrap()[place].paid_at = Some(now),
                Err(refused) => self.gives_up(&format!("{invoice} cannot be settled: {refused}")),
            }
            return;
        }
    }

    async fn presses(&self, begun: Instant) -> Option<String> {
        while begun.elapsed() < PATIENCE {
            let refusal = match self.press().await {
                Ok((200 | 201, body)) => return Some(body["invoice"].as_str()?.to_owned()),
                Ok((status, body)) => format!("{status} {}", body["type"].as_str().unwrap_or_default()),
                Err(error) if error.is_timeout() => "no answer in time".to_owned(),
                Err(_gone) => "no answer".to_owned(),
            };
            *self.seen.refused.lock().unwrap().entry(refusal).or_default() += 1;
            tokio::time::sleep(AGAIN_AFTER).await;
        }
        self.gives_up(&format!("bill {} is never accepted", self.bill.id.0));
        None
    }

    async fn press(&self) -> reqwest::Result<(u16, Value)> {
        let World { url, keys, http, .. } = &*self.world;
        let request = http
            .post(format!("{url}/api/bills/{}/pay", self.bill.id.0))
            .header("email", &self.bill.email)
            .header("password", &keys.password)
            .header("x-api-key", &keys.api)
            .header("idempotency-key", format!("rent-{}", self.bill.id.0));
        let answer = request.json(&json!({ "payment": self.bill.method })).send().await?;
        Ok((answer.status().as_u16(), answer.json().await?))
    }

    fn gives_up(&self, why: &str) {
        self.seen.gave_up.lock().unwrap().push(why.to_owned());
    }
}
