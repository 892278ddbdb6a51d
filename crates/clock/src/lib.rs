//! Where Kasir reads the time and draws randomness: the one place that asks the machine.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use rand::rngs::StdRng;
use rand::{RngCore as _, SeedableRng as _};

/// A point in time, to the millisecond, in UTC.
pub type Time = DateTime<Utc>;

/// The source of time and randomness, handed to whoever needs it.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System,
    Manual { at: Arc<AtomicI64>, dice: Option<Arc<Mutex<StdRng>>> },
}

impl Clock {
    /// The machine's own clock.
    #[must_use]
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands still until it is told to move; its clones move with it.
    #[must_use]
    pub fn manual(start: Time) -> Self {
        Self(Source::Manual { at: Arc::new(AtomicI64::new(start.timestamp_millis())), dice: None })
    }

    /// The same manual clock, whose randomness follows from a seed as well: what draws in the same order draws the same.
    /// The machine's clock takes no orders and stays as it is, so nobody can guess what it draws.
    #[must_use]
    pub fn seeded(&self, seed: u64) -> Self {
        match &self.0 {
            Source::System => self.clone(),
            Source::Manual { at, .. } => {
                let dice = Some(Arc::new(Mutex::new(StdRng::seed_from_u64(seed))));
                Self(Source::Manual { at: Arc::clone(at), dice })
            }
        }
    }

    /// Now, cut to whole milliseconds, so that what the database gives back equals what it was given.
    #[must_use]
    pub fn now(&self) -> Time {
        match &self.0 {
            Source::System => from_millis(system_millis()),
            Source::Manual { at, .. } => from_millis(at.load(Ordering::SeqCst)),
        }
    }

    /// Moves a manual clock forward; the machine's clock takes no orders and stays as it is.
    pub fn advance(&self, by: Duration) {
        if let Source::Manual { at, .. } = &self.0 {
            at.fetch_add(millis(by), Ordering::SeqCst);
        }
    }

    /// True for the machine's own clock, whose time passes by itself.
    #[must_use]
    pub fn runs_by_itself(&self) -> bool {
        matches!(self.0, Source::System)
    }

    /// Bytes nobody can guess.
    #[must_use]
    pub fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        match &self.0 {
            Source::Manual { dice: Some(dice), .. } => {
                dice.lock().unwrap_or_else(PoisonError::into_inner).fill_bytes(&mut bytes);
            }
            Source::Manual { dice: None, .. } | Source::System => rng().fill_bytes(&mut bytes),
        }
        bytes
    }

    /// An identifier that sorts by time and that nobody else draws: 26 characters of Crockford's base 32.
    #[must_use]
    pub fn ulid(&self) -> String {
        let ms = u64::try_from(self.now().timestamp_millis()).unwrap_or_default();
        ulid::Ulid::from_parts(ms, u128::from_be_bytes(self.random())).to_string()
    }

    /// A length of time between half and the whole of `at_most`, so that many who wait do not wake at once.
    #[must_use]
    pub fn jitter(&self, at_most: Duration) -> Duration {
        let half = at_most / 2;
        let share = u32::from(u16::from_be_bytes(self.random()));
        half + half * share / u32::from(u16::MAX)
    }
}

/// The point in time that many milliseconds after 1970, the way the database keeps it.
#[must_use]
pub fn from_millis(ms: i64) -> Time {
    DateTime::from_timestamp_millis(ms).unwrap_or_default()
}

/// `by` as whole milliseconds, the largest number where it is larger than that.
#[must_use]
pub fn millis(by: Duration) -> i64 {
    i64::try_from(by.as_millis()).unwrap_or(i64::MAX)
}

/// `by` as a difference of two points in time.
#[must_use]
pub fn delta(by: Duration) -> TimeDelta {
    TimeDelta::milliseconds(millis(by))
}

#[expect(clippy::disallowed_methods, reason = "this is the one source of time")]
fn system_millis() -> i64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map(millis).unwrap_or_default()
}

#[expect(clippy::disallowed_methods, reason = "this is the one source of randomness")]
fn rng() -> rand::rngs::ThreadRng {
    rand::rng()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_only_when_told_and_its_clones_with_it() {
        let clock = Clock::manual(from_millis(1_000));
        let other = clock.clone();
        assert_eq!(clock.now(), from_millis(1_000));
        other.advance(Duration::from_secs(2));
        assert_eq!(clock.now(), from_millis(3_000));
    }

    #[test]
    fn a_seeded_clock_draws_the_same_again_and_the_machine_s_own_never_does() {
        let drawn = |seed| Clock::manual(from_millis(0)).seeded(seed).random::<16>();
        assert_eq!(drawn(7), drawn(7));
        assert_ne!(drawn(7), drawn(8));
        let drawn = || Clock::system().seeded(7).random::<16>();
        assert_ne!(drawn(), drawn());
        let clock = Clock::manual(from_millis(0));
        clock.seeded(7).advance(Duration::from_secs(1));
        assert_eq!(clock.now(), from_millis(1_000), "the time is the same for both");
    }

    #[test]
    fn jitter_stays_between_half_and_whole() {
        let clock = Clock::system();
        for _ in 0..1_000 {
            let drawn = clock.jitter(Duration::from_secs(10));
            assert!(drawn >= Duration::from_secs(5) && drawn <= Duration::from_secs(10), "{drawn:?}");
        }
    }

    #[test]
    fn identifiers_sort_by_time() {
        let clock = Clock::manual(from_millis(1_700_000_000_000));
        let first = clock.ulid();
        clock.advance(Duration::from_millis(1));
        assert!(first < clock.ulid());
        assert_eq!(first.len(), 26);
    }
}
