//! The Snap API: makes a hosted payment page, and closes it.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use serde_json::{Value, json};

use crate::answers::{Answer, Made, Outcome};
use crate::api::destinations;
use crate::core::Core;
use crate::instruction::uuid;
use crate::snap::Page;
use crate::transaction::Status;

/// Where the Snap API begins; its pages for payers lie elsewhere.
const API: &str = "/snap/v1/";

/// The gated routes of the Snap API.
pub(crate) fn routes() -> Router<Arc<Core>> {
    Router::new()
        .route("/snap/v1/transactions", post(create))
        .route("/snap/v1/transactions/{token}/cancel", post(cancel))
}

/// True for a call of this API, which has errors of its own form and knows no idempotency keys.
pub(crate) fn is_call(path: &str) -> bool {
    path.starts_with(API)
}

/// True for the call that makes a page.
pub(crate) fn makes_a_page(path: &str) -> bool {
    path == "/snap/v1/transactions"
}

/// A refusal as this API writes it: the HTTP status is the code, the body has sentences only.
pub(crate) fn refusal(code: u16, messages: &[String]) -> Answer {
    answer(code, json!({ "error_messages": messages }))
}

fn answer(code: u16, body: Value) -> Answer {
    let http = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    Answer { http, body, outcome: Outcome { code, made: None } }
}

/// A page for one order. No transaction begins, so there is nothing to notify and no status to ask for yet.
async fn create(State(core): State<Arc<Core>>, headers: HeaderMap, body: Bytes) -> Answer {
    let token = uuid(core.clock());
    let page = match Page::read(&body, token.clone(), core.clock().now()) {
        Ok(page) => Page { destinations: destinations(&headers), ..page },
        Err(messages) => return refusal(400, &messages),
    };
    let mut state = core.fresh();
    let latest = state.world.of_order(&page.order_id).next_back();
    if latest.is_some_and(|latest| !latest.status.lets_a_page_try_again()) {
        return refusal(400, &["transaction_details.order_id has already been taken".to_owned()]);
    }
    state.pages.insert(page);
    core.touch();
    let redirect_url = format!("{}/snap/v4/redirection/{token}", core.base_url);
    let mut answer = answer(201, json!({ "token": token, "redirect_url": redirect_url }));
    answer.outcome.made = Some(Made::Page);
    answer
}

/// Closes a page, so that nobody can pay on it any more.
async fn cancel(State(core): State<Arc<Core>>, Path(token): Path<String>) -> Answer {
    let now = core.clock().now();
    let mut state = core.fresh();
    let state = &mut *state;
    let Some(page) = state.pages.by_token(&token) else {
        return refusal(404, &["token not found".to_owned()]);
    };
    if page.canceled.is_some() {
        return refusal(400, &["token already canceled".to_owned()]);
    }
    let latest = page.attempts.last().and_then(|id| state.world.find(id)).map(|at| state.world.get(at));
    if latest.is_some_and(|latest| latest.status == Status::Pending) {
        return refusal(400, &["Transaction is on progress".to_owned()]);
    }
    page.canceled = Some(now);
    core.touch();
    answer(200, json!({ "canceled_at": now.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string() }))
}
