//! How calls to the gateway stand: a bucket of calls, a debt after 429, and a circuit that opens when nobody answers.
//!
//! Nothing here reads a clock or does any I/O; [`crate::Throttle`] keeps the standing where all processes see it.

use std::time::Duration;

use clock::{delta, millis};
use domain::Time;
use serde::{Deserialize, Serialize};

/// So many troubles one after the other open the circuit.
const TROUBLES: u32 = 5;
/// How long the circuit is open at first; twice as long after each probe that failed.
const OPEN_FIRST: Duration = Duration::from_secs(5);
const OPEN_MAX: Duration = Duration::from_secs(60);
/// How long nobody calls after a 429 that names no time.
const SLOW: Duration = Duration::from_secs(10);
/// Clocks of several machines differ by less; what is more is a clock that was set back.
const SKEW_MAX: Duration = Duration::from_secs(2);
/// A call, in the parts in which the bucket is counted: so many fall in each millisecond as calls in a second.
const CALL: i64 = 1_000;

/// How often the gateway may be called, by all processes together.
#[derive(Debug, Clone, Copy)]
pub struct CallLimits {
    /// Calls in a second, on average.
    pub per_s: u32,
    /// Calls at once after a silence. A third of them is left to those for whom somebody waits.
    pub burst: u32,
    /// After so long a call has ended, also when nobody tells: longer than its time-out.
    pub ends_within: Duration,
}

/// What a call said of the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// It answers.
    Well,
    /// It wants fewer calls (429), for as long as it says.
    Busy(Option<Duration>),
    /// It does not answer, or is in trouble.
    Ill,
}

/// Whether calls go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Circuit {
    /// They do.
    Closed,
    /// One at a time does, to see whether the gateway answers again.
    HalfOpen,
    /// None does.
    Open,
}

/// How calls stand at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stand {
    /// Whether calls go out.
    pub circuit: Circuit,
    /// Until then nobody calls: the circuit is open, or the gateway wants fewer calls.
    pub held_until: Option<Time>,
}

/// How calls stand, as all processes share it. The default is that of a gateway of which nothing is known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Standing {
    /// When the bucket was counted last; `None` while it is full.
    counted: Option<Time>,
    /// Parts of calls that are missing to a full bucket. More than a full bucket is the debt after a 429.
    spent: i64,
    /// Troubles one after the other.
    troubles: u32,
    opening: Option<Opening>,
}

/// A circuit that is not closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Opening {
    until: Time,
    pause_ms: u64,
    /// Somebody tries whether the gateway answers; after this the next one may.
    probe_until: Option<Time>,
}

impl Standing {
    /// Takes a call out of the bucket; the error says how long there is none, or none for this caller.
    pub(crate) fn enter(&mut self, now: Time, patient: bool, limits: &CallLimits) -> Result<(), Duration> {
        self.count(now, limits);
        if let Some(opening) = &self.opening {
            opening.lets_in(now)?;
        }
        let burst = i64::from(limits.burst) * CALL;
        let left_alone = if patient { i64::from(limits.burst / 3) * CALL } else { 0 };
        let missing = self.spent + CALL + left_alone - burst;
        if missing > 0 {
            return Err(time_for(missing, limits));
        }
        self.spent += CALL;
        if let Some(opening) = &mut self.opening {
            opening.probe_until = Some(now + delta(limits.ends_within));
        }
        Ok(())
    }

    /// Hears how a call ended, whenever it began.
    pub(crate) fn hear(&mut self, now: Time, health: Health, limits: &CallLimits) {
        self.count(now, limits);
        match health {
            Health::Well => (self.troubles, self.opening) = (0, None),
            Health::Busy(wait) => {
                self.owe(wait.unwrap_or(SLOW), limits);
                if let Some(opening) = &mut self.opening {
                    opening.probe_until = None;
                }
            }
            Health::Ill => match &mut self.opening {
                Some(opening) => opening.hear_of_trouble(now),
                None => {
                    self.troubles = self.troubles.saturating_add(1);
                    if self.troubles >= TROUBLES {
                        self.opening = Some(Opening::begin(now, OPEN_FIRST));
                    }
                }
            },
        }
    }

    /// Whether a success says nothing that is not known.
    pub(crate) fn is_well(&self) -> bool {
        self.troubles == 0 && self.opening.is_none()
    }

    /// How it stands, for people.
    pub(crate) fn look(&self, now: Time, limits: &CallLimits) -> Stand {
        let mut standing = self.clone();
        standing.count(now, limits);
        let missing = standing.spent + CALL - i64::from(limits.burst) * CALL;
        // An empty bucket is soon filled again; only a debt is worth a word.
        let slow = (missing > CALL).then(|| now + delta(time_for(missing, limits)));
        let open = standing.opening.as_ref().map(|opening| opening.until).filter(|until| *until > now);
        let circuit = match (&standing.opening, open) {
            (None, _) => Circuit::Closed,
            (Some(_), Some(_)) => Circuit::Open,
            (Some(_), None) => Circuit::HalfOpen,
        };
        Stand { circuit, held_until: slow.max(open) }
    }

    /// Fills the bucket with what fell since it was counted. A clock that was set back takes all times with it: nobody
    /// waits for it to come to where it was.
    fn count(&mut self, now: Time, limits: &CallLimits) {
        let before = *self.counted.get_or_insert(now);
        let back = before - now;
        if back > delta(SKEW_MAX) {
            if let Some(opening) = &mut self.opening {
                opening.until -= back;
                opening.probe_until = opening.probe_until.map(|until| until - back);
            }
            self.counted = Some(now);
        } else if now > before {
            let passed = (now - before).num_milliseconds();
            self.spent = self.spent.saturating_sub(passed.saturating_mul(i64::from(limits.per_s))).max(0);
            self.counted = Some(now);
        }
    }

    /// For so long nobody calls, and then slowly. Several that hear the same at once owe it once.
    fn owe(&mut self, wait: Duration, limits: &CallLimits) {
        let fallen = millis(wait).saturating_mul(i64::from(limits.per_s));
        let full = i64::from(limits.burst) * CALL;
        self.spent = self.spent.max(full.saturating_add(fallen) - CALL);
    }
}

impl Opening {
    fn begin(now: Time, pause: Duration) -> Self {
        let pause_ms = u64::try_from(pause.as_millis()).unwrap_or_default();
        Self { until: now + delta(pause), pause_ms, probe_until: None }
    }

    fn lets_in(&self, now: Time) -> Result<(), Duration> {
        let left = |until: Time| (until - now).to_std().ok().filter(|left| !left.is_zero());
        if let Some(left) = left(self.until) {
            return Err(left);
        }
        match self.probe_until.and_then(left) {
            // It is answered sooner than that, as a rule.
            Some(left) => Err(left.min(OPEN_FIRST)),
            None => Ok(()),
        }
    }

    /// Of the probe, if there is one. Otherwise it is of a call from before the opening, which is no news.
    fn hear_of_trouble(&mut self, now: Time) {
        if self.probe_until.is_some() {
            *self = Self::begin(now, Duration::from_millis(self.pause_ms.saturating_mul(2)).min(OPEN_MAX));
        }
    }
}

/// How long it takes until so many parts of calls have fallen.
fn time_for(parts: i64, limits: &CallLimits) -> Duration {
    let ms = u64::try_from(parts).unwrap_or_default().div_ceil(u64::from(limits.per_s.max(1)));
    Duration::from_millis(ms.max(1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMITS: CallLimits = CallLimits { per_s: 10, burst: 6, ends_within: Duration::from_secs(30) };

    fn at(ms: i64) -> Time {
        clock::from_millis(1_800_000_000_000 + ms)
    }

    fn enters(standing: &mut Standing, ms: i64) -> bool {
        standing.enter(at(ms), false, &LIMITS).is_ok()
    }

    fn in_trouble_at(ms: i64) -> Standing {
        let mut standing = Standing::default();
        for _ in 0..TROUBLES {
            standing.hear(at(ms), Health::Ill, &LIMITS);
        }
        standing
    }

    fn circuit(standing: &Standing, ms: i64) -> Circuit {
        standing.look(at(ms), &LIMITS).circuit
    }

    #[test]
    fn a_burst_goes_out_at_once_and_then_as_many_as_fall_in_a_second() {
        let mut standing = Standing::default();
        assert!((0..6).all(|_| enters(&mut standing, 0)));
        assert_eq!(standing.enter(at(0), false, &LIMITS), Err(Duration::from_millis(100)));
        assert!(!enters(&mut standing, 99) && enters(&mut standing, 100) && !enters(&mut standing, 100));
        assert!((0..6).all(|_| enters(&mut standing, 60_000)) && !enters(&mut standing, 60_000));
    }

    #[test]
    fn those_for_whom_nobody_waits_leave_a_third_to_the_others() {
        let mut standing = Standing::default();
        let patient = |standing: &mut Standing| standing.enter(at(0), true, &LIMITS).is_ok();
        assert!((0..4).all(|_| patient(&mut standing)) && !patient(&mut standing));
        assert!((0..2).all(|_| enters(&mut standing, 0)) && !enters(&mut standing, 0));
    }

    #[test]
    fn after_429_nobody_calls_for_as_long_as_the_gateway_says_and_then_slowly() {
        for (told, ms) in [(None, 10_000), (Some(Duration::from_secs(60)), 60_000)] {
            let mut standing = Standing::default();
            for _ in 0..3 {
                standing.hear(at(0), Health::Busy(told), &LIMITS);
            }
            assert_eq!(standing.look(at(0), &LIMITS).held_until, Some(at(ms)));
            assert!(!enters(&mut standing, ms - 1), "{told:?}");
            assert!(enters(&mut standing, ms) && !enters(&mut standing, ms), "{told:?}");
            assert_eq!(circuit(&standing, ms), Circuit::Closed, "a gateway that says 429 is there");
        }
    }

    #[test]
    fn five_troubles_in_a_row_open_the_circuit_and_four_do_not() {
        let mut standing = Standing::default();
        for health in [Health::Ill, Health::Ill, Health::Ill, Health::Ill, Health::Well, Health::Ill] {
            standing.hear(at(0), health, &LIMITS);
            assert_eq!(circuit(&standing, 0), Circuit::Closed);
        }
        let mut standing = in_trouble_at(0);
        assert_eq!(circuit(&standing, 0), Circuit::Open);
        assert_eq!(standing.enter(at(0), false, &LIMITS), Err(OPEN_FIRST));
        assert!(!enters(&mut standing, 4_999));
        assert_eq!(circuit(&standing, 5_000), Circuit::HalfOpen);
    }

    #[test]
    fn one_at_a_time_tries_and_each_failure_doubles_the_pause_up_to_a_minute() {
        let (mut standing, mut now) = (in_trouble_at(0), 0);
        for pause in [5_000, 10_000, 20_000, 40_000, 60_000, 60_000] {
            assert!(!enters(&mut standing, now + pause - 1), "{pause}");
            now += pause;
            assert!(enters(&mut standing, now) && !enters(&mut standing, now), "{pause}");
            standing.hear(at(now), Health::Ill, &LIMITS);
            standing.hear(at(now), Health::Ill, &LIMITS);
        }
        assert!(enters(&mut standing, now + 60_000));
        standing.hear(at(now + 60_000), Health::Well, &LIMITS);
        assert!((0..5).all(|_| enters(&mut standing, now + 60_000)), "a success lets everybody in");
    }

    #[test]
    fn a_probe_that_nobody_hears_of_keeps_its_place_until_its_call_must_have_ended() {
        let mut standing = in_trouble_at(0);
        assert!(enters(&mut standing, 5_000) && !enters(&mut standing, 34_999));
        assert!(enters(&mut standing, 35_000));
        standing.hear(at(35_001), Health::Busy(Some(Duration::ZERO)), &LIMITS);
        assert!(enters(&mut standing, 36_000), "a probe that hears 429 gives its place back");
    }

    #[test]
    fn the_standing_survives_its_way_through_redis() {
        let mut standing = in_trouble_at(0);
        assert!(enters(&mut standing, 5_000));
        let text = serde_json::to_string(&standing).unwrap();
        assert_eq!(serde_json::from_str::<Standing>(&text).unwrap(), standing);
        assert_eq!(serde_json::from_str::<Standing>("{}").unwrap(), Standing::default());
    }

    /// What happens next: after so many milliseconds somebody wants in, or something is heard.
    #[derive(Debug, Clone, Copy)]
    enum Happening {
        Enter { patient: bool },
        Hear(Health),
    }

    fn happening() -> impl Strategy<Value = Happening> {
        prop_oneof![
            6 => any::<bool>().prop_map(|patient| Happening::Enter { patient }),
            2 => Just(Happening::Hear(Health::Well)),
            2 => Just(Happening::Hear(Health::Ill)),
            1 => (0..30_u64).prop_map(|s| Happening::Hear(Health::Busy(Some(Duration::from_secs(s))))),
        ]
    }

    proptest! {
        #[test]
        fn whatever_happens_the_limits_hold_and_a_healthy_gateway_is_called_again(
            happenings in proptest::collection::vec((0..3_000_i64, happening()), 1..200),
            jump in 0..10_000_000_i64,
        ) {
            let (mut standing, mut now, mut entered) = (Standing::default(), 0, Vec::new());
            for (pause, happening) in happenings {
                now += pause;
                match happening {
                    Happening::Hear(health) => standing.hear(at(now), health, &LIMITS),
                    Happening::Enter { patient } => {
                        let opening = standing.opening.clone();
                        if standing.enter(at(now), patient, &LIMITS).is_ok() {
                            entered.push(now);
                            if let Some(opening) = opening {
                                prop_assert!(opening.until <= at(now), "while it is open nobody enters");
                                prop_assert!(opening.probe_until.is_none_or(|until| until <= at(now)));
                            }
                        }
                    }
                }
            }
            for (from, first) in entered.iter().enumerate() {
                for (count, last) in (1..).zip(&entered[from..]) {
                    let fallen = (last - first) * i64::from(LIMITS.per_s);
                    prop_assert!(count * CALL <= fallen + i64::from(LIMITS.burst) * CALL);
                }
            }
            // The clock is set back, and the gateway is well from now on: in two minutes everybody enters.
            now -= jump;
            for _ in 0..120 {
                now += 1_000;
                if enters(&mut standing, now) {
                    standing.hear(at(now), Health::Well, &LIMITS);
                }
            }
            prop_assert_eq!(circuit(&standing, now), Circuit::Closed);
            prop_assert!(enters(&mut standing, now + 1_000));
        }
    }
}
