//! `kasir.toml`: limits and schedules, each with a default.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::{Method, PollSchedule, RuleBook, Rupiah, Terms};
use queue::{CallLimits, Limits as JobLimits};
use serde::Deserialize;
use store::pruning::Retention;

use super::limits::Limits;
use super::methods::{self, MethodSettings};
use super::oidc::Oidc;
use super::reminders::Reminders;

const YEAR_MIN: u64 = 366 * 24 * 60;
/// A hundred years.
const DAYS_MAX: u64 = 36_525;
/// Between the end of a call and the word of it, at most.
const CALL_SLACK_S: u64 = 5;
/// Nobody waits longer for a payout.
const PAYOUT_DAYS_MAX: u32 = 60;

/// What `kasir.toml` may say. A name that is not known is a mistake.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct File {
    /// Limits.
    pub limits: Limits,
    /// When the gateway is asked again.
    pub schedule: Schedule,
    /// Calls to the gateway.
    pub gateway: Calls,
    /// How our books are compared with the gateway's.
    pub reconcile: Reconcile,
    /// How long what can be forgotten is kept.
    pub retention: Keep,
    /// How people log in.
    pub login: Login,
    /// The provider that logs admins in.
    pub oidc: Oidc,
    /// The house and its rent.
    pub house: House,
    /// What tenants are told of their bills.
    pub reminders: Reminders,
    /// What the house sets for a method, by its name.
    pub methods: BTreeMap<String, MethodSettings>,
}

/// The house and its rent.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct House {
    /// What a room costs in a month when nobody says so, in rupiah.
    pub default_price: Rupiah,
    /// The day of the month until whose end the rent is to be paid; the last day where a month is shorter.
    pub due_day: u32,
    /// Whether a month that is lived in only in part costs only that part.
    pub pro_rata: bool,
}

/// How people log in.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Login {
    /// Whether front ends may send the headers `email` and `password` on each request instead of an access token.
    pub headers: bool,
}

/// When the gateway is asked again how a payment stands.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Schedule {
    /// After the charge, in minutes.
    pub after_charge_min: Vec<u64>,
    /// Then as often as this until the transaction ends, in minutes.
    pub every_min: u64,
    /// After the transaction's end, in minutes.
    pub after_expiry_min: Vec<u64>,
    /// After a settlement that can be taken back, in minutes.
    pub after_settlement_min: Vec<u64>,
    /// After a card was captured, in minutes.
    pub after_capture_min: Vec<u64>,
    /// A payment that somebody looks at is checked when the last check is older than this, in seconds.
    pub on_read_s: u64,
}

/// Calls to the gateway.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Calls {
    /// How long a connection may take, in seconds.
    pub connect_timeout_s: u64,
    /// How long a call may take, in seconds. Banks are slow: 30 or more.
    pub timeout_s: u64,
    /// Calls in a second, on average, of all processes together.
    pub calls_per_s: u32,
    /// Calls at once after a silence. A third of them is kept free of those for which nobody waits.
    pub burst: u32,
    /// What the payer reads as the thing that is paid for, at most 50 characters.
    pub item: String,
    /// Whether cards are only authorised, and an admin takes the money.
    pub authorize_cards: bool,
}

/// How our books are compared with the gateway's.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Reconcile {
    /// Each night the gateway is asked about every payment that changed within so many days.
    pub days: u64,
    /// A change that no notification has told of within so many minutes is a finding.
    pub notification_grace_min: u64,
    /// A payment is paid out so many working days after it was paid.
    pub payout_days: u32,
}

/// How long what can be forgotten is kept, in days. What is about money is kept for ever.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Keep {
    /// Jobs that are done, with their attempts.
    pub jobs_days: u64,
    /// Notifications that were dealt with.
    pub notifications_days: u64,
    /// What reconciliations came to, payment by payment.
    pub items_days: u64,
    /// Calls to the gateway and their answers.
    pub calls_days: u64,
}

impl Default for Reconcile {
    fn default() -> Self {
        Self { days: 30, notification_grace_min: 15, payout_days: 3 }
    }
}

impl Default for Keep {
    fn default() -> Self {
        Self { jobs_days: 30, notifications_days: 400, items_days: 90, calls_days: 400 }
    }
}

impl Default for Schedule {
    fn default() -> Self {
        Self {
            after_charge_min: vec![1, 3, 7, 15, 30],
            every_min: 60,
            after_expiry_min: vec![1, 15, 24 * 60],
            after_settlement_min: vec![6, 15],
            after_capture_min: vec![30 * 60, 54 * 60],
            on_read_s: 5,
        }
    }
}

impl Default for Login {
    fn default() -> Self {
        Self { headers: true }
    }
}

impl Default for House {
    fn default() -> Self {
        Self { default_price: Rupiah::MILLION, due_day: 10, pro_rata: false }
    }
}

impl Default for Calls {
    fn default() -> Self {
        Self {
            connect_timeout_s: 5,
            timeout_s: 30,
            calls_per_s: 20,
            burst: 40,
            item: "Sewa kamar kost".to_owned(),
            authorize_cards: false,
        }
    }
}

impl File {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error| format!("kasir.toml: {error}"))
    }

    pub(super) fn check(&self, mistakes: &mut Vec<String>) {
        self.limits.check(mistakes);
        let positive = [
            ("schedule.every_min", self.schedule.every_min > 0),
            ("gateway.timeout_s", self.gateway.timeout_s > 0),
            ("reconcile.days", self.reconcile.days > 0),
            ("retention.jobs_days", self.retention.jobs_days > 0),
            ("retention.notifications_days", self.retention.notifications_days > 0),
            ("retention.items_days", self.retention.items_days > 0),
            ("retention.calls_days", self.retention.calls_days > 0),
            ("gateway.calls_per_s", self.gateway.calls_per_s > 0),
            ("gateway.burst", self.gateway.burst > 0),
        ];
        mistakes.extend(positive.iter().filter(|(_, good)| !good).map(|(name, _)| format!("{name} is 0")));
        for (name, list) in [
            ("schedule.after_charge_min", &self.schedule.after_charge_min),
            ("schedule.after_expiry_min", &self.schedule.after_expiry_min),
            ("schedule.after_settlement_min", &self.schedule.after_settlement_min),
            ("schedule.after_capture_min", &self.schedule.after_capture_min),
        ] {
            if !list.is_sorted() {
                mistakes.push(format!("{name} is not in ascending order"));
            }
            if list.iter().any(|min| *min > YEAR_MIN) {
                mistakes.push(format!("{name} has an entry of more than a year"));
            }
        }
        if self.schedule.every_min > YEAR_MIN {
            mistakes.push("schedule.every_min is more than a year".to_owned());
        }
        if !(1..=31).contains(&self.house.due_day) {
            mistakes.push("house.due_day is not a day from 1 to 31".to_owned());
        }
        for (name, days) in [
            ("reconcile.days", self.reconcile.days),
            ("retention.jobs_days", self.retention.jobs_days),
            ("retention.notifications_days", self.retention.notifications_days),
            ("retention.items_days", self.retention.items_days),
            ("retention.calls_days", self.retention.calls_days),
        ] {
            if days > DAYS_MAX {
                mistakes.push(format!("{name} is more than {DAYS_MAX}"));
            }
        }
        if self.reconcile.notification_grace_min > YEAR_MIN {
            mistakes.push("reconcile.notification_grace_min is more than a year".to_owned());
        }
        methods::check(&self.methods, mistakes);
        if !(1..=PAYOUT_DAYS_MAX).contains(&self.reconcile.payout_days) {
            mistakes.push(format!("reconcile.payout_days is not between 1 and {PAYOUT_DAYS_MAX}"));
        }
        if self.limits.job_timeout_s <= self.gateway.timeout_s {
            mistakes.push("limits.job_timeout_s is not longer than gateway.timeout_s".to_owned());
        }
    }

    /// What the house has set for the methods.
    #[must_use]
    pub fn rules(&self) -> RuleBook {
        let mut book = RuleBook::default();
        for (code, settings) in &self.methods {
            if let Ok(method) = Method::try_from(code.as_str()) {
                book.set(method, settings.over(method.profile().rules));
            }
        }
        book
    }

    /// The schedule as the domain knows it.
    #[must_use]
    pub fn poll_schedule(&self) -> PollSchedule {
        let minutes = |list: &[u64]| list.iter().map(|min| Duration::from_secs(min * 60)).collect();
        let schedule = &self.schedule;
        PollSchedule {
            after_charge: minutes(&schedule.after_charge_min),
            every: Duration::from_secs(schedule.every_min * 60),
            after_expiry: minutes(&schedule.after_expiry_min),
            after_settlement: minutes(&schedule.after_settlement_min),
            after_capture: minutes(&schedule.after_capture_min),
            ..PollSchedule::default()
        }
    }

    /// The terms of the house as the domain knows them.
    #[must_use]
    pub fn terms(&self) -> Terms {
        Terms { due_day: self.house.due_day, pro_rata: self.house.pro_rata }
    }

    /// How long what can be forgotten is kept.
    #[must_use]
    pub fn retention(&self) -> Retention {
        let keep = &self.retention;
        Retention {
            jobs: days(keep.jobs_days),
            notifications: days(keep.notifications_days),
            items: days(keep.items_days),
            calls: days(keep.calls_days),
        }
    }

    /// How far back the comparison of the night goes.
    #[must_use]
    pub fn reconcile_back(&self) -> Duration {
        days(self.reconcile.days)
    }

    /// How often the gateway may be called. A call that was cut off is over a little after its time-out.
    #[must_use]
    pub fn call_limits(&self) -> CallLimits {
        CallLimits {
            per_s: self.gateway.calls_per_s,
            burst: self.gateway.burst,
            ends_within: Duration::from_secs(self.gateway.timeout_s.saturating_add(CALL_SLACK_S)),
        }
    }

    /// The limits of the work in this process.
    #[must_use]
    pub fn job_limits(&self) -> JobLimits {
        JobLimits {
            jobs_at_once: self.limits.jobs_at_once,
            job_timeout: Duration::from_secs(self.limits.job_timeout_s),
            lease: Duration::from_secs(self.limits.lease_s),
            ..JobLimits::default()
        }
    }
}

fn days(count: u64) -> Duration {
    Duration::from_secs(count.saturating_mul(24 * 3600))
}
