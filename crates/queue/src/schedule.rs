//! What happens by the clock: lines that do nothing but want a job, once for each slot.

use std::time::Duration;

use chrono_tz::Tz;
use croner::parser::{CronParser, Seconds};
use domain::{Time, date_of, today};
use store::ledger::NewJob;

use crate::reminders::FindReminders;
use crate::slots::{GenerateBills, Prune, Reconcile, Sweep};
use crate::work::Job;

/// How often due checks are looked for.
pub const SWEEP_EVERY: Duration = Duration::from_secs(10);
/// The slot of the night is called so, with the date after it.
pub const NIGHTLY: &str = "nightly:";
/// The clock on the wall that the lines mean.
pub const ZONE: Tz = chrono_tz::Asia::Jakarta;

/// A line of the schedule.
#[derive(Debug)]
pub struct Line {
    /// What it is called.
    pub name: &'static str,
    /// When: second, minute, hour, day, month, weekday.
    pub cron: &'static str,
    /// The kind of work that it wants.
    pub kind: &'static str,
    make: fn(Time, Occasion) -> Option<NewJob>,
}

/// Why a line wants its job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Occasion {
    /// It is time: all schedulers want the same job, which is done once.
    Slot,
    /// A person wants it now, whether or not it was done in its slot.
    Person,
}

/// Everything that happens by the clock.
pub const SCHEDULE: &[Line] = &[
    Line {
        name: "sweep",
        cron: "*/10 * * * * *",
        kind: Sweep::KIND,
        make: |now, occasion| Some(Sweep { slot: named(occasion, now, sweep_slot(now)) }.new_job(now)),
    },
    // Each night, though a month is billed once: who was down on the first makes up for it.
    Line { name: "rent", cron: "0 5 0 * * *", kind: GenerateBills::KIND, make: rent },
    // When the gateway and the house are quiet.
    Line {
        name: "reconcile",
        cron: "0 30 2 * * *",
        kind: Reconcile::KIND,
        make: |now, occasion| {
            let night = named(occasion, now, date_of(now).to_string());
            Some(Reconcile { slot: format!("{NIGHTLY}{night}") }.new_job(now))
        },
    },
    Line {
        name: "prune",
        cron: "0 30 3 * * *",
        kind: Prune::KIND,
        make: |now, occasion| {
            Some(Prune { slot: named(occasion, now, date_of(now).to_string()) }.new_job(now))
        },
    },
    // While people are awake. Often, so that who has paid hears of it soon.
    Line {
        name: "reminders",
        cron: "0 */10 8-20 * * *",
        kind: FindReminders::KIND,
        make: |now, occasion| {
            Some(FindReminders { slot: named(occasion, now, reminder_slot(now)) }.new_job(now))
        },
    },
];

impl Line {
    /// The job of the slot that `now` lies in: the same for every scheduler.
    #[must_use]
    pub fn slot(&self, now: Time) -> Option<NewJob> {
        (self.make)(now, Occasion::Slot)
    }

    /// The same work for a person who does not wait for its time. It is another job than that of the slot.
    #[must_use]
    pub fn job(&self, now: Time) -> Option<NewJob> {
        (self.make)(now, Occasion::Person)
    }

    /// When it is time again, after `now`.
    #[must_use]
    pub fn next(&self, now: Time) -> Option<Time> {
        // As the scheduler reads them.
        let parser = CronParser::builder().seconds(Seconds::Required).dom_and_dow(true).build();
        let times = parser.parse(self.cron).ok()?;
        times.find_next_occurrence(&now.with_timezone(&ZONE), false).ok().map(|at| at.to_utc())
    }
}

/// The slot, or a name of its own for what a person wants.
fn named(occasion: Occasion, now: Time, slot: String) -> String {
    match occasion {
        Occasion::Slot => slot,
        Occasion::Person => format!("{}ms", now.timestamp_millis()),
    }
}

/// A month has one name. For a person it is billed once more, which bills whom the first time left out; while that waits,
/// it is the same work.
fn rent(now: Time, occasion: Occasion) -> Option<NewJob> {
    let job = GenerateBills { period: today(now)? }.new_job(now);
    Some(match occasion {
        Occasion::Slot => job,
        Occasion::Person => NewJob { once_key: None, ..job },
    })
}

/// The job that bills the month in which `now` lies: the same for every scheduler.
#[must_use]
pub fn rent_slot(now: Time) -> Option<NewJob> {
    rent(now, Occasion::Slot)
}

/// The slot that `now` lies in: the same for every scheduler.
#[must_use]
pub fn sweep_slot(now: Time) -> String {
    let length = i64::try_from(SWEEP_EVERY.as_secs()).unwrap_or(10);
    let seconds = now.timestamp();
    (seconds - seconds.rem_euclid(length)).to_string()
}

/// Ten minutes of a day in Jakarta have one name.
fn reminder_slot(now: Time) -> String {
    let seconds = now.timestamp();
    format!("{}:{}", date_of(now), seconds.rem_euclid(24 * 3600) / 600)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(time: &str) -> Time {
        time.parse().unwrap()
    }

    fn line(name: &str) -> &'static Line {
        SCHEDULE.iter().find(|line| line.name == name).unwrap()
    }

    #[test]
    fn lines_are_read_by_the_clock_of_jakarta() {
        // Ten in the morning in Jakarta.
        let now = at("2026-11-24T03:00:00Z");
        assert_eq!(line("sweep").next(now), Some(at("2026-11-24T03:00:10Z")));
        assert_eq!(line("rent").next(now), Some(at("2026-11-24T17:05:00Z")));
        assert_eq!(line("reconcile").next(now), Some(at("2026-11-24T19:30:00Z")));
        assert_eq!(line("reminders").next(now), Some(at("2026-11-24T03:10:00Z")));
        // Nobody is written to in the night.
        assert_eq!(line("reminders").next(at("2026-11-24T13:50:00Z")), Some(at("2026-11-25T01:00:00Z")));
        assert_eq!(line("prune").next(at("2026-11-24T20:30:00Z")), Some(at("2026-11-25T20:30:00Z")));
    }

    #[test]
    fn a_slot_is_one_job_and_what_a_person_wants_is_another() {
        let now = at("2026-11-24T03:00:05Z");
        for line in SCHEDULE {
            let slot = line.slot(now).unwrap();
            assert_eq!(slot.kind, line.kind);
            assert_eq!(
                line.slot(at("2026-11-24T03:00:06Z")).unwrap().once_key,
                slot.once_key,
                "{}",
                line.name
            );
            assert!(slot.once_key.is_some());
            let wanted = line.job(now).unwrap();
            assert_eq!(wanted.kind, line.kind);
            assert_ne!(wanted.once_key, slot.once_key, "{}", line.name);
        }
    }
}
