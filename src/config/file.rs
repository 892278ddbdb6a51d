//! `kasir.toml`: limits and schedules, each with a default.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::{Method, PollSchedule, Refunds, RuleBook, Rules, Rupiah, Share, Terms};
use queue::Limits as JobLimits;
use serde::Deserialize;

const YEAR_MIN: u64 = 366 * 24 * 60;
/// The gateway trims anything longer (contract §2).
const VALID_FOR_MIN_MAX: u64 = 180 * 24 * 60;
/// No gateway gives back later.
const REFUND_DAYS_MAX: u32 = 3_660;
/// Nobody waits longer for a payout.
const PAYOUT_DAYS_MAX: u32 = 60;
/// A hosted page is open for so long at least, and at most.
const PAGE_MIN: Duration = Duration::from_secs(5 * 60);
const PAGE_MAX: Duration = Duration::from_secs(7 * 24 * 3600);

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
    /// How people log in.
    pub login: Login,
    /// The house and its rent.
    pub house: House,
    /// The comparison with the gateway's statements.
    pub reconcile: Reconcile,
    /// What the house sets for a method, by its name.
    pub methods: BTreeMap<String, MethodSettings>,
}

/// What the house sets for a method. What is left out is as the gateway usually has it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MethodSettings {
    /// The least that is taken, in rupiah.
    pub min: Option<Rupiah>,
    /// The most that is taken, in rupiah.
    pub max: Option<Rupiah>,
    /// How long the payer has, in minutes.
    pub valid_for_min: Option<u64>,
    /// What the gateway gives back: `none`, `whole` or `parts`.
    pub refund: Option<RefundShare>,
    /// For so many days after the payment.
    pub refund_days: Option<u32>,
    /// Whether the bank is asked at once.
    pub refund_direct: Option<bool>,
    /// Whether the gateway heeds an Idempotency-Key for it.
    pub idempotency_key: Option<bool>,
}

/// How much of a payment the gateway gives back.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefundShare {
    /// Nothing.
    None,
    /// All of it and nothing less.
    Whole,
    /// Any part.
    Parts,
}

impl MethodSettings {
    fn over(&self, usual: Rules) -> Rules {
        let refunds = usual.refunds;
        Rules {
            min: self.min.unwrap_or(usual.min),
            max: self.max.unwrap_or(usual.max),
            valid_for: self
                .valid_for_min
                .map_or(usual.valid_for, |min| Duration::from_secs(min.saturating_mul(60))),
            refunds: Refunds {
                share: match self.refund {
                    Some(RefundShare::None) => Share::None,
                    Some(RefundShare::Whole) => Share::Whole,
                    Some(RefundShare::Parts) => Share::Parts,
                    None => refunds.share,
                },
                days: self.refund_days.unwrap_or(refunds.days),
                direct: self.refund_direct.unwrap_or(refunds.direct),
            },
            idempotency_key: self.idempotency_key.unwrap_or(usual.idempotency_key),
        }
    }
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

/// The comparison with the gateway's statements.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Reconcile {
    /// A payment is paid out so many working days after it was paid.
    pub payout_days: u32,
}

/// How people log in.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Login {
    /// Whether front ends may send the headers `email` and `password` on each request instead of an access token.
    pub headers: bool,
}

/// Limits. Everything has one.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// The largest body of a request, in bytes.
    pub body_bytes: usize,
    /// The longest list in an answer.
    pub page_size: i64,
    /// How long a request may take, in seconds.
    pub request_timeout_s: u64,
    /// Connections to the database.
    pub db_connections: u32,
    /// How long to wait for a connection to the database, in seconds.
    pub db_wait_s: u64,
    /// Jobs done at once in a process.
    pub jobs_at_once: usize,
    /// How long a job may take, in seconds. Longer than a call to the gateway.
    pub job_timeout_s: u64,
    /// How long a lease lasts, in seconds; a killed worker's jobs run elsewhere after it.
    pub lease_s: u64,
    /// Passwords hashed at once; each takes 19 MiB.
    pub hashings_at_once: usize,
    /// Requests with `Prefer: wait` that wait at once; one more is answered without waiting.
    pub waiting_requests: usize,
    /// Streams of events at once; one more is answered with 429.
    pub event_streams: usize,
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
    /// What the payer reads as the thing that is paid for, at most 50 characters.
    pub item: String,
    /// Whether cards are only authorised, and an admin takes the money.
    pub authorize_cards: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 64 * 1024,
            page_size: 200,
            request_timeout_s: 15,
            db_connections: 10,
            db_wait_s: 3,
            jobs_at_once: 16,
            job_timeout_s: 45,
            lease_s: 10,
            hashings_at_once: 2,
            waiting_requests: 500,
            event_streams: 1_000,
        }
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

impl Default for Reconcile {
    fn default() -> Self {
        Self { payout_days: 3 }
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
        let limits = &self.limits;
        let positive = [
            ("limits.body_bytes", limits.body_bytes > 0),
            ("limits.page_size", limits.page_size > 0),
            ("limits.request_timeout_s", limits.request_timeout_s > 0),
            ("limits.db_connections", limits.db_connections > 0),
            ("limits.jobs_at_once", limits.jobs_at_once > 0),
            ("limits.lease_s", limits.lease_s > 0),
            ("limits.hashings_at_once", limits.hashings_at_once > 0),
            ("schedule.every_min", self.schedule.every_min > 0),
            ("gateway.timeout_s", self.gateway.timeout_s > 0),
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
        if !(1..=PAYOUT_DAYS_MAX).contains(&self.reconcile.payout_days) {
            mistakes.push(format!("reconcile.payout_days is not between 1 and {PAYOUT_DAYS_MAX}"));
        }
        self.check_methods(mistakes);
        if limits.job_timeout_s <= self.gateway.timeout_s {
            mistakes.push("limits.job_timeout_s is not longer than gateway.timeout_s".to_owned());
        }
    }

    fn check_methods(&self, mistakes: &mut Vec<String>) {
        for (code, settings) in &self.methods {
            let Some(method) = Method::offered().find(|method| method.code() == code) else {
                mistakes.push(format!("methods.{code} is no method; GET /api/payment-methods lists them"));
                continue;
            };
            let rules = settings.over(method.profile().rules);
            if rules.min > rules.max {
                mistakes.push(format!("methods.{code}: min is more than max"));
            }
            let minutes = settings.valid_for_min.unwrap_or(1);
            if !(1..=VALID_FOR_MIN_MAX).contains(&minutes) {
                mistakes.push(format!("methods.{code}.valid_for_min is not between 1 minute and 180 days"));
            }
            if method.is_on_a_page() && !(PAGE_MIN..=PAGE_MAX).contains(&rules.valid_for) {
                mistakes.push(format!("methods.{code}.valid_for_min is not between 5 minutes and 7 days"));
            }
            if rules.refunds.share != Share::None && !(1..=REFUND_DAYS_MAX).contains(&rules.refunds.days) {
                mistakes.push(format!("methods.{code}.refund_days is not between 1 and {REFUND_DAYS_MAX}"));
            }
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
