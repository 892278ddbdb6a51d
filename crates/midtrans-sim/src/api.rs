//! The Core API: charge, status and what can be done with a transaction.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{OriginalUri, Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::answers::{Answer, wib};
use crate::card;
use crate::charge::{self, Charge, NoCharge};
use crate::core::{Core, Refused};
use crate::gate::gate;
use crate::instruction::{Instruction, snap_api_id, uuid};
use crate::page::qr_code;
use crate::refund_api;
use crate::snap_api;
use crate::transaction::{Act, Destinations, Fraud, Status, Transaction};
use crate::world::World;

/// How many URLs a charge may name for its notifications.
const DESTINATIONS_MAX: usize = 3;
/// How long an authorised amount stays reserved.
pub(crate) const AUTHORIZED_FOR: chrono::TimeDelta = chrono::TimeDelta::days(8);

/// The routes of the Core API.
pub(crate) fn routes(core: &Arc<Core>) -> Router<Arc<Core>> {
    let gated = Router::new()
        .route("/v2/charge", post(charge))
        .route("/v2/capture", post(capture))
        .route("/v2/{id}/status", get(status))
        .route("/v2/{id}/refund", post(refund_api::refund))
        .route("/v2/{id}/refund/online/direct", post(refund_api::direct_refund))
        .route("/v2/{id}/{act}", post(act))
        .merge(snap_api::routes())
        .method_not_allowed_fallback(method_not_allowed)
        .layer(from_fn_with_state(Arc::clone(core), gate));
    Router::new()
        .route("/v2/token", get(token))
        .route("/v2/gopay/{id}/qr-code", get(qr_code))
        .route("/v2/qris/{id}/qr-code", get(qr_code))
        .route("/v4/qris/{id}/qr-code", get(qr_code))
        .route("/v4/qris/gopay/{id}/qr-code", get(qr_code))
        .merge(gated)
}

async fn charge(State(core): State<Arc<Core>>, headers: HeaderMap, body: Bytes) -> Answer {
    let now = core.clock().now();
    let charge = match charge::read(&body, now) {
        Ok(charge) => charge,
        Err(NoCharge::Invalid(messages)) => return Answer::invalid(&messages, &uuid(core.clock())),
        Err(NoCharge::Code(code, message)) => return Answer::refusal(code, message, &uuid(core.clock())),
    };
    let mut state = core.fresh();
    if !state.world.may_charge(&charge.order_id) {
        return duplicate(&core);
    }
    let transaction = make(&core, &state.world, charge, &headers);
    let at = state.world.insert(transaction);
    core.announce(&mut state, at);
    core.letterhead().charge(state.world.get(at))
}

/// The transaction a charge asks for.
fn make(core: &Core, world: &World, charge: Charge, headers: &HeaderMap) -> Transaction {
    let now = core.clock().now();
    let instruction = charge.method.issue(core.clock(), |number| world.number_waits(number));
    let (status, fraud) = match &instruction {
        Instruction::CreditCard(card) => card.outcome(),
        _ => (Status::Pending, Fraud::Accept),
    };
    Transaction {
        transaction_id: if instruction.is_of_snap_api() {
            snap_api_id(core.clock())
        } else {
            uuid(core.clock())
        },
        order_id: charge.order_id,
        amount: charge.amount,
        status,
        fraud: instruction.has_fraud_status().then_some(fraud),
        instruction,
        created: now,
        expires: if status == Status::Authorize { now + AUTHORIZED_FOR } else { charge.expires },
        settled: None,
        refunds: Vec::new(),
        echo: charge.echo,
        destinations: destinations(headers),
        said: Map::new(),
    }
}

/// Where the notifications of a call go, by its own headers.
pub(crate) fn destinations(headers: &HeaderMap) -> Destinations {
    Destinations {
        instead: urls(headers, "x-override-notification"),
        besides: urls(headers, "x-append-notification"),
    }
}

fn urls(headers: &HeaderMap, name: &str) -> Vec<String> {
    let list = headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    list.split(',')
        .map(str::trim)
        .filter(|url| !url.is_empty())
        .take(DESTINATIONS_MAX)
        .map(str::to_owned)
        .collect()
}

async fn status(
    State(core): State<Arc<Core>>,
    uri: OriginalUri,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    if !is_one_segment(&id) {
        return no_route(&core, &uri);
    }
    let of_snap_api = headers.get("transaction-source").is_some_and(|source| source == "SNAP_API");
    let state = core.fresh();
    let then = core.clock().now() - chrono::TimeDelta::seconds(state.faults.api.status_lag_s.into());
    match state.world.find_to_tell(&id, of_snap_api).and_then(|at| state.world.stood(at, then)) {
        Some(transaction) => core.letterhead().status(transaction).into_response(),
        None => unknown(&core).into_response(),
    }
}

async fn act(
    State(core): State<Arc<Core>>,
    uri: OriginalUri,
    Path((id, name)): Path<(String, String)>,
) -> Response {
    let (act, code, message) = match name.as_str() {
        "cancel" => (Act::Cancel, 200, "Success, transaction is canceled"),
        "expire" => (Act::Expire, 407, "Success, transaction has expired"),
        "approve" => (Act::Approve, 200, "Success, transaction is approved"),
        "deny" => (Act::Refuse, 200, "Success, transaction is denied"),
        _ => return no_route(&core, &uri),
    };
    if !is_one_segment(&id) {
        return no_route(&core, &uri);
    }
    let mut state = core.fresh();
    let Some(at) = state.world.find(&id) else { return unknown(&core).into_response() };
    let done = core.act_at(&mut state, at, act);
    answer_act(&core, done, code, message).into_response()
}

#[derive(Deserialize)]
struct CaptureBody {
    transaction_id: String,
    gross_amount: Option<i64>,
}

async fn capture(State(core): State<Arc<Core>>, body: Bytes) -> Answer {
    let Ok(wanted) = serde_json::from_slice::<CaptureBody>(&body) else {
        return Answer::invalid(&["transaction_id is required".to_owned()], &uuid(core.clock()));
    };
    let mut state = core.fresh();
    let Some(at) = state.world.find(&wanted.transaction_id) else { return unknown(&core) };
    let reserved = state.world.get(at).amount;
    let amount = wanted.gross_amount.unwrap_or(reserved);
    if state.world.get(at).status != Status::Authorize {
        return cannot_be_changed(&core);
    }
    if amount <= 0 || amount > reserved {
        return Answer::invalid(
            &["gross_amount is above the authorised amount".to_owned()],
            &uuid(core.clock()),
        );
    }
    if state.faults.api.deny_captures {
        return capture_denied(&core, state.world.get(at));
    }
    state.world.capture_less(at, amount);
    let done = core.act_at(&mut state, at, Act::Capture);
    answer_act(&core, done, 200, "Success, Credit Card capture transaction is successful")
}

/// The answer speaks of a denial, and the amount stays reserved all the same (contract, section 4).
fn capture_denied(core: &Core, transaction: &Transaction) -> Answer {
    let message = "Deny by Bank [MANDIRI] with code [01] and message [Refer to card issuer]";
    let mut answer = core.letterhead().action(transaction, 202, message);
    answer.body["transaction_status"] = json!("deny");
    answer
}

fn answer_act(core: &Core, done: Result<Transaction, Refused>, code: u16, message: &str) -> Answer {
    match done {
        Ok(transaction) => core.letterhead().action(&transaction, code, message),
        Err(Refused::Unknown) => unknown(core),
        Err(Refused::Illegal | Refused::Amount) => cannot_be_changed(core),
    }
}

#[derive(Deserialize)]
struct TokenQuery {
    #[serde(default)]
    client_key: String,
    #[serde(default)]
    card_number: String,
}

/// A browser changes a card number for a token here; the merchant never sees the number.
async fn token(State(core): State<Arc<Core>>, Query(query): Query<TokenQuery>) -> Response {
    let id = uuid(core.clock());
    if query.client_key != core.options.client_key {
        let message = "Transaction cannot be authorized with the current client/server key.";
        return Answer::refusal(401, message, &id).into_response();
    }
    let Some(masked) = card::mask(&query.card_number) else {
        return Answer::invalid(&["card_number does not match with Luhn algorithm".to_owned()], &id)
            .into_response();
    };
    Json(json!({
        "status_code": "200",
        "status_message": "Credit card token is created as Token ID.",
        "token_id": format!("{masked}-{id}"),
        "hash": format!("{masked}-xxxx"),
    }))
    .into_response()
}

/// The gateway's framework cuts a path at every slash, even an escaped one.
pub(crate) fn is_one_segment(id: &str) -> bool {
    !id.contains(['/', '#'])
}

/// The framework's own 404, which knows nothing of transactions.
pub(crate) fn no_route(core: &Core, OriginalUri(uri): &OriginalUri) -> Response {
    let body: Value = json!({
        "timestamp": core.clock().now().format("%Y-%m-%dT%H:%M:%S%.3f+0000").to_string(),
        "status": 404,
        "error": "Not Found",
        "message": "Not Found",
        "path": uri.path(),
    });
    (StatusCode::NOT_FOUND, [(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
}

/// Whatever no route takes.
pub(crate) async fn fallback(State(core): State<Arc<Core>>, uri: OriginalUri) -> Response {
    tracing::debug!(path = uri.path(), at = wib(core.clock().now()), "no such route");
    no_route(&core, &uri)
}

async fn method_not_allowed(State(core): State<Arc<Core>>) -> Answer {
    Answer::refusal(405, "Method is not allowed", &uuid(core.clock()))
}

/// 404 over HTTP 200.
pub(crate) fn unknown(core: &Core) -> Answer {
    Answer::refusal(404, "Transaction doesn't exist.", &uuid(core.clock()))
}

/// 412 over HTTP 200.
pub(crate) fn cannot_be_changed(core: &Core) -> Answer {
    Answer::refusal(412, "Transaction status cannot be updated.", &uuid(core.clock()))
}

/// 406 over HTTP 200.
pub(crate) fn duplicate(core: &Core) -> Answer {
    let message = "The request could not be completed due to a conflict with the current state of the target \
                   resource, please try again";
    Answer::refusal(406, message, &uuid(core.clock()))
}
