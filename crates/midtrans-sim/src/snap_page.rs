//! The hosted payment page as a payer sees it, and the doors its buttons knock on.

use std::sync::Arc;

use axum::extract::{FromRequest, Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Form, Json, Router};
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::json;

use crate::answers::wib;
use crate::control::{done_with, problem, refused};
use crate::core::{Core, State as Locked};
use crate::page::{layout, rupiah};
use crate::payer::Way;
use crate::snap::{Page, PageView};
use crate::transaction::{Status, Transaction};

/// The sandbox's cards, with what becomes of them.
const CARDS: [(&str, &str); 4] = [
    ("4811111111111114", "accepted"),
    ("4911111111111113", "denied by the bank"),
    ("4511111111111117", "challenged by the fraud detection"),
    ("4611111111111116", "denied by the fraud detection"),
];

/// The pages, and the doors for their buttons and for scripts.
pub(crate) fn routes() -> Router<Arc<Core>> {
    Router::new()
        .route("/snap/v4/redirection/{token}", get(show))
        .route("/sim/pages", get(list))
        .route("/sim/pages/{token}/pay", post(pay))
        .route("/sim/pages/{token}/begin", post(begin))
}

async fn list(State(core): State<Arc<Core>>) -> Json<Vec<PageView>> {
    Json(core.state().pages.all().iter().rev().take(1_000).map(Page::view).collect())
}

#[derive(Deserialize)]
struct Chosen {
    card_number: String,
}

async fn pay(State(core): State<Arc<Core>>, Path(token): Path<String>, request: Request) -> Response {
    with_card(&core, (&token, Way::Through), request).await
}

async fn begin(State(core): State<Arc<Core>>, Path(token): Path<String>, request: Request) -> Response {
    with_card(&core, (&token, Way::ToTheBank), request).await
}

async fn with_card(core: &Arc<Core>, (token, way): (&str, Way), request: Request) -> Response {
    let headers = request.headers().clone();
    let Some(chosen) = chosen(request, &headers).await else {
        return problem(StatusCode::BAD_REQUEST, "card_number is required, as a form or as JSON");
    };
    match core.pay_on_page(token, &chosen.card_number, way) {
        Ok(transaction) => done_with(&headers, &json!(transaction.view())),
        Err(why) => refused(why),
    }
}

/// A browser sends a form, a script JSON.
async fn chosen(request: Request, headers: &HeaderMap) -> Option<Chosen> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if kind.contains("json") {
        Json::from_request(request, &()).await.ok().map(|Json(chosen)| chosen)
    } else {
        Form::from_request(request, &()).await.ok().map(|Form(chosen)| chosen)
    }
}

/// `/snap/v4/redirection/{token}`: choose a card and pay.
async fn show(State(core): State<Arc<Core>>, Path(token): Path<String>) -> Response {
    let mut state = core.fresh();
    let Some(page) = state.pages.by_token(&token).cloned() else {
        let main = html! { h1 { "There is no such page" } };
        return (StatusCode::NOT_FOUND, layout("Unknown", &main)).into_response();
    };
    let now = core.clock().now();
    let latest = state.world.of_order(&page.order_id).next_back();
    let main = html! {
        h1 { "Pay " (rupiah(page.amount)) }
        p.quiet { (page.order_id) ", open until " (wib(page.expires)) " WIB" }
        (told(&page, latest, page.is_open(now)))
        @if page.may_be_paid(&state.world, now) { (choice(&page)) }
        @if let Some(waiting) = latest.filter(|latest| is_at_the_bank(&page, latest)) { (bank(waiting)) }
        @if let Some(link) = way_back(&page, latest) { p { a href=(link) { "Back to the shop" } } }
        p { a href="/" { "All payments" } }
    };
    layout("Pay", &main).into_response()
}

/// How things stand, in words.
fn told(page: &Page, latest: Option<&Transaction>, open: bool) -> Markup {
    let words = match latest.map(|latest| latest.status) {
        Some(Status::Capture | Status::Settlement | Status::Authorize) => "This is paid. Thank you.",
        _ if page.canceled.is_some() => "The shop has closed this page; nobody can pay here any more.",
        _ if !open => "The time to pay on this page is over.",
        Some(Status::Deny) => "The card was refused. Try again, with this card or another one.",
        Some(Status::Pending) => "The bank waits for you.",
        _ if !page.takes_cards => "The shop takes no cards here, and this simulator offers nothing else.",
        _ => "Choose a card.",
    };
    html! { p role="status" { (words) } }
}

fn choice(page: &Page) -> Markup {
    let door = if page.three_ds { "begin" } else { "pay" };
    html! {
        form method="post" action=(format!("/sim/pages/{}/{door}", page.token)) {
            fieldset {
                legend { "Card" }
                @for (at, (number, words)) in CARDS.iter().enumerate() {
                    label.choice {
                        input type="radio" name="card_number" value=(number) checked[at == 0] required;
                        " " code { (number) } " " span.quiet { (words) }
                    }
                }
            }
            button.pay { "Pay " (rupiah(page.amount)) }
        }
    }
}

fn is_at_the_bank(page: &Page, latest: &Transaction) -> bool {
    latest.status == Status::Pending && page.attempts.contains(&latest.transaction_id)
}

/// The bank's page, as small as it gets.
fn bank(waiting: &Transaction) -> Markup {
    let door = |act: &str| format!("/sim/transactions/{}/{act}", waiting.transaction_id);
    html! {
        article {
            header { strong { "Your bank" } span.quiet { "wants the code it has sent you" } }
            div.buttons {
                form method="post" action=(door("prove")) { button.pay { "Enter 112233" } }
                form method="post" action=(door("deny")) { button { "Enter a wrong code" } }
            }
        }
    }
}

/// The shop's own address, with what the gateway adds to it.
fn way_back(page: &Page, latest: Option<&Transaction>) -> Option<String> {
    let (finish, latest) = (page.finish.as_ref()?, latest?);
    let mut link = reqwest::Url::parse(finish).ok()?;
    link.query_pairs_mut()
        .append_pair("order_id", &page.order_id)
        .append_pair("status_code", &latest.notification_code().to_string())
        .append_pair("transaction_status", latest.status.as_str());
    Some(link.into())
}

/// The newest pages that are still open, for the front page.
pub(crate) fn links(state: &Locked, now: clock::Time) -> Markup {
    let open: Vec<&Page> = state.pages.all().iter().rev().filter(|page| page.is_open(now)).take(5).collect();
    html! {
        @if !open.is_empty() {
            section {
                h2 { "Hosted payment pages" }
                ul.plain {
                    @for page in open {
                        li {
                            a href=(format!("/snap/v4/redirection/{}", page.token)) { (page.order_id) }
                            " for " (rupiah(page.amount))
                        }
                    }
                }
            }
        }
    }
}
