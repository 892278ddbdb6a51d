//! The switches that make the gateway misbehave, set from Rust, by HTTP or on the page.

use serde::{Deserialize, Serialize};

/// Everything that can go wrong; all off at first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// What goes wrong with notifications.
    pub notifications: NotificationFaults,
    /// What goes wrong with calls of the API.
    pub api: ApiFaults,
}

/// What goes wrong with notifications.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NotificationFaults {
    /// None is sent, none is tried again: they are lost.
    pub drop_all: bool,
    /// Each is sent so many times at once; 1 is normal.
    pub copies: u32,
    /// Milliseconds of the simulator's clock before the first attempt.
    pub delay_ms: u64,
    /// Each is held back, and all are let go in another order.
    pub shuffle: bool,
    /// Lets the held ones go as soon as so many are there; 0 waits for `release_notifications`.
    pub shuffle_after: usize,
}

impl Default for NotificationFaults {
    fn default() -> Self {
        Self { drop_all: false, copies: 1, delay_ms: 0, shuffle: false, shuffle_after: 0 }
    }
}

/// What goes wrong with calls of the API.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ApiFaults {
    /// Calls that fail before they are worked on.
    pub fail_next: Option<FailNext>,
    /// Charges, and hosted pages, that are made, but whose answer never arrives.
    pub lose_charge_answer: Option<LoseAnswer>,
    /// Calls of any kind that are carried out, but whose answer never arrives.
    pub lose_answer: Option<LoseAnswer>,
    /// Milliseconds before each call is worked on; a caller who leaves earlier does not stop it.
    pub latency_ms: u64,
    /// Seconds a pending transaction stays pending beyond its expiry time.
    pub late_expiry_s: u32,
    /// GET status tells how a transaction stood so many seconds ago, as far as its latest change goes; one that was made
    /// later is not known there yet.
    pub status_lag_s: u32,
    /// So many next charges are paid, and the payment is notified, before the charge is answered.
    pub settle_before_answer: u32,
    /// Bodies with a 5xx code come over HTTP 200, as the GoPay table says (contract, section 10).
    pub server_errors_over_http_200: bool,
    /// A refund key used twice is refused with 406 instead of answered as the first time.
    pub refuse_repeated_refund_key: bool,
    /// A capture is denied by the bank: 202, the transaction stays authorised.
    pub deny_captures: bool,
    /// A direct refund is denied by the bank: 202, the transaction stays settled.
    pub deny_direct_refunds: bool,
}

/// Calls that fail before they are worked on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FailNext {
    /// How many; without a number all of them.
    #[serde(default)]
    pub n: Option<u32>,
    /// In what way.
    pub kind: Failure,
    /// Which calls.
    #[serde(default)]
    pub on: Calls,
}

/// A way in which a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Failure {
    /// HTTP 429 of the rate limiter, with a body that has no `status_code`.
    #[serde(rename = "429")]
    RateLimited,
    /// The gateway stumbles.
    #[serde(rename = "500")]
    ServerError,
    /// The bank cannot be reached.
    #[serde(rename = "503")]
    Unavailable,
    /// The VA number could not be made.
    #[serde(rename = "505")]
    NoVaNumber,
    /// A page for people, over HTTP 404.
    #[serde(rename = "html_404")]
    HtmlNotFound,
    /// A proxy's page, over HTTP 502.
    #[serde(rename = "html_502")]
    HtmlBadGateway,
    /// No answer ever; the transaction is not made.
    #[serde(rename = "hang")]
    Hang,
}

/// A set of calls of the API.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Calls {
    /// Every call.
    #[default]
    All,
    /// `POST /v2/charge` and `POST /snap/v1/transactions`
    Charge,
    /// `GET /v2/{id}/status`
    Status,
    /// Cancel, expire, approve, deny, capture, refund; closing a hosted page.
    Action,
}

/// Calls whose answer never arrives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoseAnswer {
    /// How many; without a number all of them.
    #[serde(default)]
    pub n: Option<u32>,
    /// In what way.
    #[serde(default)]
    pub how: Loss,
}

/// How an answer is lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// The connection is cut.
    #[default]
    Cut,
    /// The connection stays open and silent.
    Hang,
    /// A proxy answers HTTP 504 in its place.
    GatewayTimeout,
}

impl Faults {
    /// Everything works again.
    pub fn reset(&mut self) {
        *self = Self::default();
    }

    /// The next `n` calls of any kind fail.
    pub fn fail_next(&mut self, n: u32, kind: Failure) {
        self.api.fail_next = Some(FailNext { n: Some(n), kind, on: Calls::All });
    }

    /// The next `n` calls of one kind fail.
    pub fn fail_next_of(&mut self, on: Calls, n: u32, kind: Failure) {
        self.api.fail_next = Some(FailNext { n: Some(n), kind, on });
    }

    /// Every call fails until the switch is turned back.
    pub fn fail_always(&mut self, kind: Failure) {
        self.api.fail_next = Some(FailNext { n: None, kind, on: Calls::All });
    }

    /// The next `n` charges are carried out, but their answers are lost.
    pub fn lose_charge_answers(&mut self, n: u32, how: Loss) {
        self.api.lose_charge_answer = Some(LoseAnswer { n: Some(n), how });
    }

    /// The next `n` calls of any kind are carried out, but their answers are lost.
    pub fn lose_answers(&mut self, n: u32, how: Loss) {
        self.api.lose_answer = Some(LoseAnswer { n: Some(n), how });
    }
}

impl ApiFaults {
    /// How the call that just came in fails, if it does; counts it.
    pub(crate) fn take_failure(&mut self, call: Calls) -> Option<Failure> {
        let fail = self.fail_next.as_mut().filter(|fail| fail.on == Calls::All || fail.on == call)?;
        let kind = fail.kind;
        if count_down(&mut fail.n) {
            self.fail_next = None;
        }
        Some(kind)
    }

    /// How the answer of the call that was just carried out is lost, if it is; counts it. `made` says that it was a
    /// charge, or made a page.
    pub(crate) fn take_loss(&mut self, made: bool) -> Option<Loss> {
        let of_charges = if made { take(&mut self.lose_charge_answer) } else { None };
        of_charges.or_else(|| take(&mut self.lose_answer))
    }

    /// True where the charge that was just made is to be paid at once; counts it.
    pub(crate) fn take_settle_before_answer(&mut self) -> bool {
        let takes = self.settle_before_answer > 0;
        self.settle_before_answer = self.settle_before_answer.saturating_sub(1);
        takes
    }
}

fn take(switch: &mut Option<LoseAnswer>) -> Option<Loss> {
    let lose = switch.as_mut()?;
    let how = lose.how;
    if count_down(&mut lose.n) {
        *switch = None;
    }
    Some(how)
}

/// One less; true where that was the last. No number never ends.
fn count_down(n: &mut Option<u32>) -> bool {
    n.as_mut().is_some_and(|n| {
        *n = n.saturating_sub(1);
        *n == 0
    })
}
