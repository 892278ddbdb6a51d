//! The doors for people and scripts: act as the payer, turn the fault switches, read what happened.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Form, Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::core::{Core, Refused};
use crate::faults::{Calls, FailNext, Failure, Faults, LoseAnswer, Loss};
use crate::foreign::Foreign;
use crate::page;
use crate::transaction::{Act, TransactionView};

/// As many transactions as one list shows.
const LISTED_MAX: usize = 1_000;

/// The routes under `/sim` and the pages.
pub(crate) fn routes() -> Router<Arc<Core>> {
    Router::new()
        .route("/", get(page::list))
        .route("/pay/{id}", get(page::pay))
        .route("/style.css", get(page::style))
        .route("/sim/transactions", get(transactions))
        .route("/sim/transactions/{id}/{act}", post(act))
        .route("/sim/faults", get(faults).post(set_faults))
        .route("/sim/faults/form", post(set_faults_by_form))
        .route("/sim/faults/reset", post(reset_faults))
        .route("/sim/notifications", get(notifications))
        .route("/sim/notifications/release", post(release))
        .route("/sim/notifications/deliver-due", post(deliver_due))
        .route("/sim/notifications/test", post(send_test))
        .route("/sim/notifications/foreign/{kind}", post(send_foreign))
        .route("/sim/notification-url", post(set_notification_url))
        .route("/sim/calls", get(calls))
}

#[derive(Deserialize)]
struct ListQuery {
    order_id: Option<String>,
}

async fn transactions(
    State(core): State<Arc<Core>>,
    Query(query): Query<ListQuery>,
) -> Json<Vec<TransactionView>> {
    let state = core.fresh();
    Json(match query.order_id {
        Some(order_id) => state.world.of_order(&order_id).rev().map(|t| t.view()).collect(),
        None => state.world.all().iter().rev().take(LISTED_MAX).map(|t| t.view()).collect(),
    })
}

/// Something a payer, a bank or a merchant does; a person with a browser goes back to the page.
async fn act(
    State(core): State<Arc<Core>>,
    Path((id, name)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let done = match (name.as_str(), Act::named(&name)) {
        ("refund", _) => core.refund(&id, None),
        (_, Some(act)) => core.act(&id, act),
        (_, None) => return problem(StatusCode::NOT_FOUND, "there is no such act"),
    };
    match done {
        Ok(transaction) => done_with(&headers, &json!(transaction.view())),
        Err(why) => refused(why),
    }
}

/// Why an act did nothing, for a script.
pub(crate) fn refused(why: Refused) -> Response {
    let status = match why {
        Refused::Unknown => StatusCode::NOT_FOUND,
        Refused::Illegal | Refused::Amount => StatusCode::CONFLICT,
    };
    problem(status, &why.to_string())
}

async fn faults(State(core): State<Arc<Core>>) -> Json<Faults> {
    Json(core.state().faults.clone())
}

/// Changes the switches that are named and leaves the others.
async fn set_faults(State(core): State<Arc<Core>>, Json(change): Json<Value>) -> Response {
    let mut state = core.state();
    let mut merged = json!(state.faults);
    merge(&mut merged, change);
    match serde_json::from_value::<Faults>(merged) {
        Ok(faults) => {
            state.faults = faults.clone();
            Json(faults).into_response()
        }
        Err(error) => problem(StatusCode::BAD_REQUEST, &error.to_string()),
    }
}

fn merge(into: &mut Value, change: Value) {
    match (into, change) {
        (Value::Object(into), Value::Object(change)) => {
            for (name, value) in change {
                merge(into.entry(name).or_insert(Value::Null), value);
            }
        }
        (into, change) => *into = change,
    }
}

/// The switches as the page's form sends them: a box that is not ticked is not sent.
#[derive(Default, Deserialize)]
#[serde(default)]
struct FaultForm {
    drop_all: Option<String>,
    copies: u32,
    delay_ms: u64,
    shuffle: Option<String>,
    latency_ms: u64,
    late_expiry_s: u32,
    settle_before_answer: u32,
    fail_kind: String,
    fail_n: String,
    fail_on: String,
    lose_how: String,
    lose_n: String,
}

async fn set_faults_by_form(State(core): State<Arc<Core>>, Form(form): Form<FaultForm>) -> Redirect {
    // The words are those of the JSON, so its reader reads them; an empty one is no fault.
    let failure = serde_json::from_value::<Failure>(json!(form.fail_kind)).ok();
    let loss = serde_json::from_value::<Loss>(json!(form.lose_how)).ok();
    let on = serde_json::from_value::<Calls>(json!(form.fail_on)).unwrap_or_default();
    let mut state = core.state();
    let faults = &mut state.faults;
    faults.notifications.drop_all = form.drop_all.is_some();
    faults.notifications.copies = form.copies.max(1);
    faults.notifications.delay_ms = form.delay_ms;
    faults.notifications.shuffle = form.shuffle.is_some();
    faults.api.latency_ms = form.latency_ms;
    faults.api.late_expiry_s = form.late_expiry_s;
    faults.api.settle_before_answer = form.settle_before_answer;
    faults.api.fail_next = failure.map(|kind| FailNext { n: form.fail_n.parse().ok(), kind, on });
    faults.api.lose_charge_answer = loss.map(|how| LoseAnswer { n: form.lose_n.parse().ok(), how });
    Redirect::to("/")
}

async fn reset_faults(State(core): State<Arc<Core>>, headers: HeaderMap) -> Response {
    let mut state = core.state();
    state.faults.reset();
    done_with(&headers, &json!(state.faults))
}

async fn notifications(State(core): State<Arc<Core>>) -> Json<Value> {
    let state = core.state();
    let waiting: Vec<Value> = state
        .outbox
        .waiting()
        .map(|(due, parcel)| json!({ "due": due, "url": parcel.url, "attempt": parcel.attempt, "body": parcel.body }))
        .collect();
    let sent: Vec<_> = state.sent.latest(LISTED_MAX).cloned().collect();
    Json(
        json!({ "sent": sent, "waiting": waiting, "held": state.outbox.held.len(), "dropped": state.dropped }),
    )
}

async fn release(State(core): State<Arc<Core>>, headers: HeaderMap) -> Response {
    core.release(&mut core.state());
    done_with(&headers, &json!({ "released": true }))
}

async fn deliver_due(State(core): State<Arc<Core>>, headers: HeaderMap) -> Response {
    core.do_due();
    done_with(&headers, &json!({ "delivering": true }))
}

async fn send_test(State(core): State<Arc<Core>>, headers: HeaderMap) -> Response {
    sent(core.send_test(), &headers)
}

async fn send_foreign(
    State(core): State<Arc<Core>>,
    Path(kind): Path<String>,
    headers: HeaderMap,
) -> Response {
    match Foreign::named(&kind) {
        Some(kind) => sent(core.send_foreign(kind), &headers),
        None => problem(StatusCode::NOT_FOUND, "there is no such message"),
    }
}

fn sent(sent: bool, headers: &HeaderMap) -> Response {
    if sent {
        done_with(headers, &json!({ "sent": true }))
    } else {
        problem(StatusCode::CONFLICT, "there is no notification URL to send it to")
    }
}

#[derive(Deserialize)]
struct NotificationUrl {
    url: Option<String>,
}

async fn set_notification_url(
    State(core): State<Arc<Core>>,
    Json(change): Json<NotificationUrl>,
) -> Json<Value> {
    core.state().notification_url.clone_from(&change.url);
    Json(json!({ "url": change.url }))
}

async fn calls(State(core): State<Arc<Core>>) -> Json<Value> {
    let state = core.state();
    let latest: Vec<_> = state.calls.latest(LISTED_MAX).cloned().collect();
    Json(json!({ "charge_calls": state.charge_calls, "page_calls": state.page_calls, "latest": latest }))
}

/// A browser goes back to where it came from; a script gets JSON.
pub(crate) fn done_with(headers: &HeaderMap, body: &Value) -> Response {
    let text = |name| headers.get(name).and_then(|value: &header::HeaderValue| value.to_str().ok());
    if text(header::ACCEPT).is_some_and(|accept| accept.contains("text/html")) {
        return Redirect::to(text(header::REFERER).unwrap_or("/")).into_response();
    }
    Json(body).into_response()
}

pub(crate) fn problem(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({ "message": message }))).into_response()
}
