//! The pages for people: the transactions with their buttons, the fault switches, one payment to pay.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use maud::{DOCTYPE, Markup, html};
use serde::Deserialize;

use crate::answers::wib;
use crate::core::Core;
use crate::faults::Faults;
use crate::foreign::Foreign;
use crate::qr;
use crate::snap_page;
use crate::transaction::{Act, Transaction};

/// As many transactions as the page shows at once.
const SHOWN_MAX: usize = 50;
/// The buttons, with their words for people.
const BUTTONS: [(&str, &str); 12] = [
    ("pay", "Pay"),
    ("prove", "Prove by OTP"),
    ("expire", "Expire"),
    ("deny", "Deny"),
    ("fail", "Fail"),
    ("challenge", "Challenge"),
    ("approve", "Approve"),
    ("cancel", "Cancel"),
    ("reverse", "Reverse"),
    ("refund", "Refund"),
    ("partial_chargeback", "Charge back in part"),
    ("chargeback", "Charge back"),
];

#[derive(Deserialize)]
pub(crate) struct ListQuery {
    /// An order id, a transaction id or a payer's number.
    q: Option<String>,
}

/// `/`: the newest transactions and the switches.
pub(crate) async fn list(State(core): State<Arc<Core>>, Query(query): Query<ListQuery>) -> Html<String> {
    let state = core.fresh();
    let sought = query.q.unwrap_or_default();
    let all = state.world.all();
    let found: Vec<&Transaction> = match sought.as_str() {
        "" => all.iter().rev().take(SHOWN_MAX).collect(),
        id => match state.world.find_as_payer(id) {
            Some(at) => state.world.of_order(&state.world.get(at).order_id).rev().take(SHOWN_MAX).collect(),
            None => Vec::new(),
        },
    };
    let url = state.notification_url.as_deref().unwrap_or("nobody: there is no notification URL");
    layout(
        "Midtrans simulator",
        &html! {
            h1 { "Midtrans simulator" }
            p.quiet { "Tells " code { (url) } " about " (all.len()) " transactions. All times are WIB." }
            form.search method="get" action="/" {
                input name="q" value=(sought) placeholder="order id, transaction id, VA number, payment code"
                    aria-label="Find a transaction";
                button { "Find" }
                a href="/" { "Newest" }
            }
            @if found.is_empty() { p { "There is no transaction to show." } }
            @for transaction in found { (card(transaction)) }
            (snap_page::links(&state, core.clock().now()))
            (notifications(state.sent.latest(8)))
            (switches(&state.faults))
        },
    )
}

/// `/pay/{id}`: what a payer sees.
pub(crate) async fn pay(State(core): State<Arc<Core>>, Path(id): Path<String>) -> Response {
    let state = core.fresh();
    let Some(at) = state.world.find_as_payer(&id) else {
        let page = layout(
            "Unknown",
            &html! { h1 { "There is no such payment" } p { a href="/" { "All payments" } } },
        );
        return (StatusCode::NOT_FOUND, page).into_response();
    };
    let transaction = state.world.get(at);
    layout(
        "Pay",
        &html! {
            h1 { "Pay " (rupiah(transaction.amount)) }
            (card(transaction))
            p { a href="/" { "All payments" } }
        },
    )
    .into_response()
}

/// The QR code of a wallet payment.
pub(crate) async fn qr_code(State(core): State<Arc<Core>>, Path(id): Path<String>) -> Response {
    if core.state().world.find(&id).is_none() {
        return StatusCode::NOT_FOUND.into_response();
    }
    ([(header::CONTENT_TYPE, "image/svg+xml")], qr::svg(&id)).into_response()
}

/// The one style sheet.
pub(crate) async fn style() -> Response {
    ([(header::CONTENT_TYPE, "text/css")], include_str!("style.css")).into_response()
}

pub(crate) fn layout(title: &str, main: &Markup) -> Html<String> {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                link rel="stylesheet" href="/style.css";
            }
            body { main { (main) } }
        }
    };
    Html(page.into_string())
}

fn card(transaction: &Transaction) -> Markup {
    let view = transaction.view();
    let picture = matches!(view.payment_type.as_str(), "gopay" | "qris");
    html! {
        article {
            header {
                strong { (rupiah(view.amount)) }
                span class=(format!("status {}", view.status)) { (view.status) }
                span.quiet { (wib(view.created)) }
            }
            p { a href=(format!("/pay/{}", view.transaction_id)) { (view.order_id) } " by " (view.payment_type) }
            dl {
                @for (name, value) in view.instruction.iter().filter(|(name, _)| *name != "qr_string") {
                    dt { (name) } dd { code { (value) } }
                }
                dt { "expires" } dd { (wib(view.expires)) }
                @if let Some(settled) = view.settled { dt { "paid" } dd { (wib(settled)) } }
                @if view.refunded > 0 { dt { "refunded" } dd { (rupiah(view.refunded)) } }
                dt { "transaction" } dd.quiet { (view.transaction_id) }
            }
            @if picture && view.status == crate::Status::Pending {
                img.qr src=(format!("/v2/{}/{}/qr-code", view.payment_type, view.transaction_id)) alt="QR code";
            }
            div.buttons {
                @for (name, words) in BUTTONS.iter().filter(|(name, _)| is_possible(transaction, name)) {
                    form method="post" action=(format!("/sim/transactions/{}/{name}", view.transaction_id)) {
                        button class=(name) { (words) }
                    }
                }
            }
        }
    }
}

/// Only what the gateway would accept gets a button.
fn is_possible(transaction: &Transaction, name: &str) -> bool {
    match Act::named(name) {
        Some(act) => transaction.on(act).is_some(),
        None => transaction.refundable(&crate::refund::RefundRequest::default()).is_ok(),
    }
}

fn notifications<'a>(latest: impl Iterator<Item = &'a crate::SentNotification>) -> Markup {
    html! {
        section {
            h2 { "Latest notifications" }
            ol.plain {
                @for sent in latest {
                    li {
                        span.quiet { (wib(sent.at)) " " }
                        (sent.order_id) " " (sent.transaction_status) ", attempt " (sent.attempt) ": "
                        @match sent.answer { Some(status) => { "HTTP " (status) } None => { "no answer" } }
                    }
                }
            }
            div.buttons {
                form method="post" action="/sim/notifications/test" { button { "Send dashboard test notification" } }
                form method="post" action="/sim/notifications/release" { button { "Release held notifications" } }
            }
            h3 { "Messages that are no payment of yours" }
            div.buttons {
                @for kind in Foreign::ALL {
                    form method="post" action=(format!("/sim/notifications/foreign/{}", kind.as_str())) {
                        button { (kind.as_str().replace('_', " ")) }
                    }
                }
            }
        }
    }
}

fn switches(faults: &Faults) -> Markup {
    let notifications = &faults.notifications;
    let api = &faults.api;
    let word = |value: Option<serde_json::Value>| {
        value.and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
    };
    let kind = word(api.fail_next.as_ref().and_then(|fail| serde_json::to_value(fail.kind).ok()));
    let on = word(api.fail_next.as_ref().and_then(|fail| serde_json::to_value(fail.on).ok()));
    let how = word(api.lose_charge_answer.as_ref().and_then(|lose| serde_json::to_value(lose.how).ok()));
    let fail_n = api.fail_next.as_ref().and_then(|fail| fail.n).map_or_else(String::new, |n| n.to_string());
    let lose_n =
        api.lose_charge_answer.as_ref().and_then(|lose| lose.n).map_or_else(String::new, |n| n.to_string());
    html! {
        section {
            h2 { "Faults" }
            form.faults method="post" action="/sim/faults/form" {
                fieldset {
                    legend { "Notifications" }
                    label { input type="checkbox" name="drop_all" checked[notifications.drop_all]; " lose all" }
                    label { input type="checkbox" name="shuffle" checked[notifications.shuffle]; " hold and shuffle" }
                    (number("copies", "copies of each", notifications.copies.into()))
                    (number("delay_ms", "delay in ms", notifications.delay_ms))
                }
                fieldset {
                    legend { "API" }
                    (choice("fail_kind", "calls fail with", &kind,
                        &["", "429", "500", "503", "505", "html_404", "html_502", "hang"]))
                    (choice("fail_on", "which calls", &on, &["all", "charge", "status", "action"]))
                    label { "how many " input name="fail_n" value=(fail_n) inputmode="numeric" placeholder="all"; }
                    (choice("lose_how", "lose the answer of charges by", &how, &["", "cut", "hang", "gateway_timeout"]))
                    label { "how many " input name="lose_n" value=(lose_n) inputmode="numeric" placeholder="all"; }
                    (number("latency_ms", "latency in ms", api.latency_ms))
                    (number("late_expiry_s", "expire late, in s", api.late_expiry_s.into()))
                    (number("settle_before_answer", "charges paid before their answer", api.settle_before_answer.into()))
                }
                button { "Set the faults" }
            }
            form method="post" action="/sim/faults/reset" { button { "Everything works again" } }
        }
    }
}

fn number(name: &str, words: &str, value: u64) -> Markup {
    html! { label { (words) " " input type="number" min="0" name=(name) value=(value); } }
}

fn choice(name: &str, words: &str, chosen: &str, values: &[&str]) -> Markup {
    html! {
        label {
            (words) " "
            select name=(name) {
                @for value in values {
                    option value=(value) selected[*value == chosen] { @if value.is_empty() { "nothing" } @else { (value) } }
                }
            }
        }
    }
}

/// `Rp1.250.000`
pub(crate) fn rupiah(amount: i64) -> String {
    let digits = amount.to_string();
    let mut text = String::from("Rp");
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push('.');
        }
        text.push(digit);
    }
    text
}
