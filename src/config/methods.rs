//! `[methods.…]` in `kasir.toml`: what the house sets for a method.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::{Method, Refunds, Rules, Rupiah, Share};
use serde::Deserialize;

/// The gateway trims anything longer (contract §2).
const VALID_FOR_MIN_MAX: u64 = 180 * 24 * 60;
/// No gateway gives back later.
const REFUND_DAYS_MAX: u32 = 3_660;
/// A hosted page is open for so long at least, and at most.
const PAGE_MIN: Duration = Duration::from_secs(5 * 60);
const PAGE_MAX: Duration = Duration::from_secs(7 * 24 * 3600);

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
    pub(super) fn over(&self, usual: Rules) -> Rules {
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

/// Adds what is wrong with the settings to the mistakes.
pub(super) fn check(all: &BTreeMap<String, MethodSettings>, mistakes: &mut Vec<String>) {
    for (code, settings) in all {
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
