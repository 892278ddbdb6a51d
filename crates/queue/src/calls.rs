//! The one throttle of all calls to the gateway: in Redis for all processes, in this process where there is none.

use std::collections::VecDeque;
use std::sync::{self, Arc, MutexGuard, PoisonError};
use std::time::Duration;

use clock::Clock;
use domain::Time;
use tokio::sync::{Mutex, oneshot};
use tokio::time::Instant;

use crate::lanes::Lanes;
use crate::throttle::{CallLimits, Circuit, Health, Stand, Standing};

/// A Redis that takes longer is not waited for.
const REDIS_TIMEOUT: Duration = Duration::from_millis(250);
/// After a failure Redis is left alone for so long.
const REDIS_PAUSE: Duration = Duration::from_secs(1);
/// So often others may change the standing under our hands before we go on without Redis. Where many calls of another
/// process go out at once, they may all be first; their number is limited by the standing itself.
const RACES_MAX: u32 = 200;
/// Redis forgets a standing that nobody has changed for so long: more than the longest wait that a 429 may ask for.
const KEPT: Duration = Duration::from_secs(2 * 3600);

/// How long a call waits here for its turn before it is sent away: a job that waits takes a worker's place.
const WAIT_MAX: Duration = Duration::from_secs(1);
const PATIENT_WAIT_MAX: Duration = Duration::from_secs(2);
/// Those who are sent away come back at moments that differ by as much at least.
const SPREAD_MIN: Duration = Duration::from_millis(500);

/// Lets calls to the gateway go or holds them back. Cheap to clone.
#[derive(Clone)]
pub struct Throttle {
    pub(crate) limits: CallLimits,
    pub(crate) clock: Clock,
    pub(crate) lanes: Arc<Lanes>,
    pub(crate) here: Arc<Mutex<Here>>,
    /// Those who want a place and wait until another has got theirs.
    pub(crate) asking: Arc<sync::Mutex<Asking>>,
}

/// Whether each is patient, and where the answer goes.
pub(crate) type Asking = VecDeque<(bool, oneshot::Sender<Result<(), Duration>>)>;

/// What this process knows of the standing.
#[derive(Default)]
pub(crate) struct Here {
    standing: Standing,
    /// What Redis held when we looked last; empty for nothing.
    in_redis: String,
    /// Until then Redis is not asked.
    alone_until: Option<Instant>,
}

impl Throttle {
    /// Takes a place for one call, and waits for it a second or two. The error says for how long to stay away. With a
    /// clock that is moved by hand nobody waits here.
    ///
    /// # Errors
    /// When the gateway has enough to do, or does not answer.
    pub async fn enter(&self, patient: bool) -> Result<(), Duration> {
        let (begun, wait_max) = (Instant::now(), if patient { PATIENT_WAIT_MAX } else { WAIT_MAX });
        loop {
            let Err(wait) = self.take_place(patient).await else { return Ok(()) };
            if !self.clock.runs_by_itself() || begun.elapsed() + wait > wait_max {
                return Err(wait + self.clock.jitter((wait / 4).max(SPREAD_MIN)));
            }
            tokio::time::sleep(wait).await;
        }
    }

    /// Takes a place, together with all who ask for one while others are being served: one change of the standing is one
    /// round trip, however many it is for.
    async fn take_place(&self, patient: bool) -> Result<(), Duration> {
        let (answer, mut answered) = oneshot::channel();
        self.waiting().push_back((patient, answer));
        let mut here = self.here.lock().await;
        // Whoever had the lock before may have taken our place along.
        if let Ok(answer) = answered.try_recv() {
            return answer;
        }
        let asking: Vec<_> = self.waiting().drain(..).collect();
        let entered = self
            .change_here(&mut here, |standing, now, limits| {
                asking.iter().map(|(patient, _)| standing.enter(now, *patient, limits)).collect::<Vec<_>>()
            })
            .await;
        drop(here);
        for ((_, answer), entered) in asking.into_iter().zip(entered) {
            let _gone = answer.send(entered);
        }
        // Ours was among them.
        answered.await.unwrap_or(Err(SPREAD_MIN))
    }

    fn waiting(&self) -> MutexGuard<'_, Asking> {
        self.asking.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hears how a call ended. A success costs nothing as long as all is well.
    pub async fn heard(&self, health: Health) {
        if health == Health::Well && self.here.lock().await.standing.is_well() {
            return;
        }
        let (before, after) = self
            .change(|standing, now, limits| {
                let before = standing.look(now, limits);
                standing.hear(now, health, limits);
                (before, standing.look(now, limits))
            })
            .await;
        tell(before, after);
    }

    /// How calls stand, as far as this process can know.
    pub async fn stand(&self) -> Stand {
        let mut here = self.here.lock().await;
        if let Some(redis) = self.lanes.redis.as_ref().filter(|_| here.asks_redis()) {
            match tokio::time::timeout(REDIS_TIMEOUT, redis.standing()).await {
                Ok(Ok(held)) => here.adopt(held),
                Ok(Err(error)) => here.go_on_alone(&error),
                Err(elapsed) => here.go_on_alone(&elapsed),
            }
        }
        here.standing.look(self.clock.now(), &self.limits)
    }

    /// Changes the standing where all processes see it, one at a time in this process.
    async fn change<T>(&self, change: impl Fn(&mut Standing, Time, &CallLimits) -> T) -> T {
        let mut here = self.here.lock().await;
        self.change_here(&mut here, change).await
    }

    async fn change_here<T>(
        &self,
        here: &mut Here,
        change: impl Fn(&mut Standing, Time, &CallLimits) -> T,
    ) -> T {
        if let Some(redis) = self.lanes.redis.as_ref().filter(|_| here.asks_redis()) {
            for _ in 0..RACES_MAX {
                let mut changed = here.standing.clone();
                let result = change(&mut changed, self.clock.now(), &self.limits);
                // A plain struct of numbers and times, whose serialisation cannot fail.
                let text = serde_json::to_string(&changed).unwrap_or_default();
                let swapped = redis.swap_standing(&here.in_redis, &text, KEPT);
                match tokio::time::timeout(REDIS_TIMEOUT, swapped).await {
                    Ok(Ok(None)) => {
                        (here.standing, here.in_redis) = (changed, text);
                        return result;
                    }
                    Ok(Ok(Some(other))) => here.adopt(other),
                    Ok(Err(error)) => {
                        here.go_on_alone(&error);
                        break;
                    }
                    Err(elapsed) => {
                        here.go_on_alone(&elapsed);
                        break;
                    }
                }
            }
        }
        change(&mut here.standing, self.clock.now(), &self.limits)
    }
}

impl Here {
    fn asks_redis(&self) -> bool {
        self.alone_until.is_none_or(|until| Instant::now() >= until)
    }

    /// What another process has written. Where Redis has forgotten it, ours still counts.
    fn adopt(&mut self, held: String) {
        if let Ok(standing) = serde_json::from_str(&held) {
            self.standing = standing;
        }
        self.in_redis = held;
    }

    fn go_on_alone(&mut self, error: &dyn std::fmt::Display) {
        tracing::debug!(%error, "Redis does not answer; this process counts its calls to the gateway alone");
        self.alone_until = Some(Instant::now() + REDIS_PAUSE);
    }
}

fn tell(before: Stand, after: Stand) {
    match (before.circuit, after.circuit) {
        (Circuit::Closed, Circuit::Open) => {
            tracing::warn!("the gateway does not answer; one call at a time tries it from now on");
        }
        (Circuit::HalfOpen | Circuit::Open, Circuit::Closed) => tracing::info!("the gateway answers again"),
        (Circuit::HalfOpen, Circuit::Open) => {
            tracing::info!(until = ?after.held_until, "the gateway still does not answer");
        }
        (_, _) if before.held_until < after.held_until => {
            tracing::warn!(until = ?after.held_until, "the gateway wants fewer calls; nobody calls for a while");
        }
        (_, _) => {}
    }
}
