//! The weather between us and the gateway: what goes wrong with each call is drawn just before it is made.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use clock::Clock;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use midtrans::{Call, Gate, Urgency};
use midtrans_sim::{ApiFaults, Failure, Loss, Simulator};
use workers::HouseGate;

use crate::dice::Dice;
use crate::stage::{self, Point};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Weather {
    /// Calls in a hundred that fail before the gateway does anything.
    pub(crate) failing: usize,
    /// Calls in a hundred that are carried out, and whose answer is lost.
    pub(crate) losing: usize,
    /// Calls in a hundred that take seconds.
    pub(crate) slow: usize,
    /// Statuses in a hundred that are old.
    pub(crate) lagging: usize,
}

impl Weather {
    pub(crate) const FINE: Self = Self { failing: 0, losing: 0, slow: 0, lagging: 0 };
    pub(crate) const ALL: [Self; 5] = [
        Self::FINE,
        Self { failing: 10, losing: 5, slow: 10, lagging: 10 },
        Self { failing: 30, losing: 20, slow: 10, lagging: 20 },
        Self { failing: 5, losing: 50, slow: 5, lagging: 0 },
        Self { failing: 70, losing: 10, slow: 30, lagging: 40 },
    ];
}

/// The sky over the house.
pub(crate) struct Sky {
    pub(crate) sim: Simulator,
    pub(crate) clock: Clock,
    above: Mutex<Above>,
}

struct Above {
    dice: Dice,
    weather: Weather,
    /// Seconds that may still go by while the work in hand waits for answers. One attempt has 45 seconds in all, and
    /// what a worker has sent arrives within that time or never.
    patience_s: usize,
    calls: usize,
}

impl Sky {
    pub(crate) fn new(sim: Simulator, clock: Clock, seed: u64) -> Arc<Self> {
        let above = Above { dice: Dice::new(seed), weather: Weather::FINE, patience_s: 0, calls: 0 };
        Arc::new(Self { sim, clock, above: Mutex::new(above) })
    }

    pub(crate) fn turn(&self, weather: Weather) {
        self.above.lock().unwrap().weather = weather;
    }

    pub(crate) fn calls(&self) -> usize {
        self.above.lock().unwrap().calls
    }

    /// Somebody begins to work who has so many seconds.
    pub(crate) fn give_patience(&self, seconds: usize) {
        self.above.lock().unwrap().patience_s = seconds;
    }

    /// So much time goes by during the work in hand, or as much as it has left. Gives how much.
    pub(crate) fn wait(&self, seconds: usize) -> usize {
        let mut above = self.above.lock().unwrap();
        let passes = seconds.min(above.patience_s);
        above.patience_s -= passes;
        self.clock.advance(Duration::from_secs(u64::try_from(passes).unwrap()));
        passes
    }

    /// Draws what becomes of the next call.
    fn before_call(&self) {
        let mut above = self.above.lock().unwrap();
        above.calls += 1;
        let Weather { failing, losing, slow, lagging } = above.weather;
        let may_hang = above.patience_s >= 30;
        let dice = &mut above.dice;
        let (fails, loses, is_slow) = (dice.percent(failing), dice.percent(losing), dice.percent(slow));
        let lag = if dice.percent(lagging) { dice.weighted(&[(2, 5), (2, 20), (1, 60)]) } else { 0 };
        let failure = drawn_failure(dice, may_hang);
        let loss = match dice.below(3) {
            0 if may_hang => Loss::Hang,
            1 => Loss::GatewayTimeout,
            _ => Loss::Cut,
        };
        let over_200 = dice.percent(30);
        let (repeats, denies) = (dice.percent(30), dice.percent(if failing > 0 { 10 } else { 0 }));
        let seconds = if is_slow { dice.below(10) } else { 0 };
        drop(above);
        self.wait(seconds);
        self.sim.faults(|faults| {
            faults.api = ApiFaults {
                status_lag_s: lag,
                server_errors_over_http_200: over_200,
                refuse_repeated_refund_key: repeats,
                deny_direct_refunds: denies,
                ..ApiFaults::default()
            };
            match (fails, loses) {
                (true, _) => faults.fail_next(1, failure),
                (false, true) => faults.lose_answers(1, loss),
                (false, false) => {}
            }
        });
    }

    /// The gateway is its usual self again.
    pub(crate) fn after_call(&self) {
        self.sim.faults(|faults| faults.api = ApiFaults::default());
    }
}

fn drawn_failure(dice: &mut Dice, may_hang: bool) -> Failure {
    let drawn = dice.weighted(&[
        (2, Failure::RateLimited),
        (2, Failure::ServerError),
        (2, Failure::Unavailable),
        (1, Failure::NoVaNumber),
        (2, Failure::HtmlNotFound),
        (2, Failure::HtmlBadGateway),
        (2, Failure::Hang),
    ]);
    if drawn == Failure::Hang && !may_hang { Failure::Unavailable } else { drawn }
}

/// The gate of the house, under this sky.
pub(crate) struct OpenGate {
    pub(crate) house: HouseGate,
    pub(crate) sky: Arc<Sky>,
}

impl Gate for OpenGate {
    fn enter(&self, urgency: Urgency) -> BoxFuture<'_, Result<(), Duration>> {
        async move {
            self.house.enter(urgency).await?;
            stage::reach(Point::Call).await;
            self.sky.before_call();
            Ok(())
        }
        .boxed()
    }

    fn heard<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, ()> {
        async move {
            self.sky.after_call();
            stage::reach(Point::Answered).await;
            self.house.heard(call).await;
        }
        .boxed()
    }
}
