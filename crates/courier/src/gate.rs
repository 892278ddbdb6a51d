//! How many letters go one way at once, and whether anybody answers there: a dead server holds up nothing but its own.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::Time;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How long whoever finds all places taken waits before asking again.
const PLACE_PAUSE: Duration = Duration::from_secs(2);
/// How long nothing is tried after a server did not answer; it doubles each time.
const PAUSE_MIN: Duration = Duration::from_secs(30);
/// And at most so long.
const PAUSE_MAX: Duration = Duration::from_secs(15 * 60);

/// The gate of one way out of this process.
pub struct Gate {
    places: Arc<Semaphore>,
    trouble: Mutex<Trouble>,
}

#[derive(Default)]
struct Trouble {
    failures: u32,
    until: Option<Time>,
}

impl Trouble {
    /// How long nothing is tried from now on.
    fn left(&self, now: Time) -> Option<Duration> {
        let left = (self.until? - now).to_std().ok()?;
        Some(left).filter(|left| !left.is_zero())
    }
}

/// Whose turn it is.
pub enum Turn {
    /// Yours, until this is dropped.
    Now(OwnedSemaphorePermit),
    /// Somebody else's; ask again after this.
    After(Duration),
}

impl Gate {
    /// A gate that lets so many through at once.
    pub(crate) fn new(at_once: usize) -> Self {
        Self { places: Arc::new(Semaphore::new(at_once)), trouble: Mutex::default() }
    }

    fn trouble(&self) -> MutexGuard<'_, Trouble> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for a turn. Nobody waits here: whoever does the asking has other work.
    #[must_use]
    pub fn turn(&self, now: Time) -> Turn {
        if let Some(left) = self.trouble().left(now) {
            return Turn::After(left);
        }
        match Arc::clone(&self.places).try_acquire_owned() {
            Ok(place) => Turn::Now(place),
            Err(_taken) => Turn::After(PLACE_PAUSE),
        }
    }

    /// Somebody answered there.
    pub fn is_open(&self) {
        *self.trouble() = Trouble::default();
    }

    /// Nobody answered there. Gives how long nothing is tried now.
    pub fn is_shut(&self, now: Time) -> Duration {
        let mut trouble = self.trouble();
        // Those that were under way at the same time have found out the same.
        if let Some(left) = trouble.left(now) {
            return left;
        }
        let pause = PAUSE_MIN.saturating_mul(2_u32.saturating_pow(trouble.failures)).min(PAUSE_MAX);
        trouble.failures = trouble.failures.saturating_add(1);
        trouble.until =
            chrono::TimeDelta::from_std(pause).ok().and_then(|pause| now.checked_add_signed(pause));
        pause
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    fn pause(gate: &Gate, now: Time) -> Option<u64> {
        match gate.turn(now) {
            Turn::Now(_) => None,
            Turn::After(pause) => Some(pause.as_secs()),
        }
    }

    #[test]
    fn so_many_go_at_once_and_no_more() {
        let (gate, now) = (Gate::new(1), Time::default());
        let Turn::Now(place) = gate.turn(now) else { panic!("it is nobody's turn") };
        assert_eq!(pause(&gate, now), Some(2));
        drop(place);
        assert_eq!(pause(&gate, now), None);
    }

    #[test]
    fn a_dead_server_is_asked_less_and_less_and_forgiven_at_once() {
        let (gate, mut now) = (Gate::new(4), Time::default());
        let mut pauses = Vec::new();
        for _ in 0..7 {
            let shut = gate.is_shut(now);
            assert_eq!(gate.is_shut(now), shut, "two that fail together are one failure");
            assert_eq!(pause(&gate, now), Some(shut.as_secs()));
            now += TimeDelta::from_std(shut).unwrap();
            assert_eq!(pause(&gate, now), None);
            pauses.push(shut.as_secs());
        }
        assert_eq!(pauses, [30, 60, 120, 240, 480, 900, 900]);
        gate.is_open();
        assert_eq!(gate.is_shut(now).as_secs(), 30);
    }
}
