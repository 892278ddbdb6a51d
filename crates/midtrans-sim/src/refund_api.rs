//! The two refund routes of the Core API.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{OriginalUri, Path, State};
use axum::response::{IntoResponse, Response};
use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::answers::{Answer, money};
use crate::api::{cannot_be_changed, duplicate, is_one_segment, no_route, unknown};
use crate::core::{Core, State as Locked};
use crate::instruction::uuid;
use crate::refund::{NoRefund, RefundRequest};

/// How long a refund key means "the same refund again".
const KEY_MEANS_RETRY_FOR: TimeDelta = TimeDelta::days(7);

/// Whether the bank is asked at once.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Later,
    Direct,
}

impl Way {
    fn message(self) -> &'static str {
        match self {
            Self::Later => "Success, refund request is approved",
            Self::Direct => "Success, refund request is approved by the bank",
        }
    }
}

/// `POST /v2/{id}/refund`: accepted now, confirmed by the bank some minutes later.
pub(crate) async fn refund(
    State(core): State<Arc<Core>>,
    uri: OriginalUri,
    Path(id): Path<String>,
    body: Bytes,
) -> Response {
    if !is_one_segment(&id) {
        return no_route(&core, &uri);
    }
    answer(&core, &id, &body, Way::Later).into_response()
}

/// `POST /v2/{id}/refund/online/direct`: confirmed, or denied, by the bank at once.
pub(crate) async fn direct_refund(
    State(core): State<Arc<Core>>,
    uri: OriginalUri,
    Path(id): Path<String>,
    body: Bytes,
) -> Response {
    if !is_one_segment(&id) {
        return no_route(&core, &uri);
    }
    answer(&core, &id, &body, Way::Direct).into_response()
}

fn answer(core: &Arc<Core>, id: &str, body: &[u8], way: Way) -> Answer {
    let wanted = match read(body) {
        Ok(wanted) => wanted,
        Err(message) => return Answer::invalid(&[message.to_owned()], &uuid(core.clock())),
    };
    let mut state = core.fresh();
    let Some(at) = state.world.find(id) else { return unknown(core) };
    if way == Way::Direct && state.faults.api.deny_direct_refunds {
        return denied(core, &state, at, &wanted);
    }
    let now = core.clock().now();
    match state.world.refund(at, wanted, now) {
        Ok(which) => {
            core.announce(&mut state, at);
            if way == Way::Direct {
                state.world.confirm_refunds(at, now);
                core.announce(&mut state, at);
            }
            approved(core, &state, (at, which), way)
        }
        Err(NoRefund::Repeated(which)) => {
            let age = now - state.world.get(at).refunds[which].created;
            if state.faults.api.refuse_repeated_refund_key || age > KEY_MEANS_RETRY_FOR {
                return duplicate(core);
            }
            approved(core, &state, (at, which), way)
        }
        Err(NoRefund::Amount) => {
            Answer::refusal(414, "Refund request is rejected due to invalid amount", &uuid(core.clock()))
        }
        Err(NoRefund::NotNow) => cannot_be_changed(core),
    }
}

fn approved(core: &Core, state: &Locked, (at, which): (usize, usize), way: Way) -> Answer {
    let transaction = state.world.get(at);
    let refund = &transaction.refunds[which];
    let mut answer = core.letterhead().action(transaction, 200, way.message());
    answer.body["refund_amount"] = json!(money(refund.amount));
    answer.body["refund_key"] = json!(refund.key);
    answer.body["refund_chargeback_id"] = json!(refund.chargeback_id);
    answer
}

/// The bank said no: 202, and the transaction stays as it is.
fn denied(core: &Core, state: &Locked, at: usize, wanted: &RefundRequest) -> Answer {
    let transaction = state.world.get(at);
    match transaction.refundable(wanted) {
        Err(NoRefund::NotNow) => return cannot_be_changed(core),
        Err(NoRefund::Amount) => {
            return Answer::refusal(
                414,
                "Refund request is rejected due to invalid amount",
                &uuid(core.clock()),
            );
        }
        Ok(_) | Err(NoRefund::Repeated(_)) => {}
    }
    let mut answer = core.letterhead().action(transaction, 202, "Refund denied by the bank");
    answer.body["refund_amount"] = json!("0.00");
    if let Some(key) = &wanted.key {
        answer.body["refund_key"] = json!(key);
    }
    answer
}

/// Reads the body; none, `{}` and `null` ask for all that is left.
fn read(body: &[u8]) -> Result<RefundRequest, &'static str> {
    let body: Value = match body {
        b"" => Value::Null,
        body => serde_json::from_slice(body).map_err(|_| "the body is not JSON")?,
    };
    let key = match &body["refund_key"] {
        Value::Null => None,
        Value::String(key) if is_refund_key(key) => Some(key.clone()),
        _ => return Err("refund_key must be letters, digits, - and _"),
    };
    let amount = match &body["amount"] {
        Value::Null => None,
        amount => Some(amount.as_i64().ok_or("amount must be a whole number")?),
    };
    let reason = body["reason"].as_str().unwrap_or_default().to_owned();
    if reason.chars().count() > 255 {
        return Err("reason length must not exceed 255 characters");
    }
    Ok(RefundRequest { key, amount, reason })
}

fn is_refund_key(key: &str) -> bool {
    !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
}
