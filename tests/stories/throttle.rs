//! All calls to the gateway pass one gate: it slows everybody down, holds calls back from a gateway that is ill, and keeps
//! what was said.

use std::time::Duration;

use domain::{Failure as End, Invoice, State};
use midtrans_sim::{Failure, Loss};
use reqwest::{Method, StatusCode};
use serde_json::json;
use store::{calls, jobs};

use crate::kost::Kost;

stories![
    a_429_slows_everybody_down_and_costs_nobody_an_attempt,
    while_nobody_answers_only_probes_go_out_and_then_everything_goes_on_by_itself,
    what_is_held_back_is_done_later_and_nothing_is_concluded_from_it,
    a_link_that_could_not_be_fetched_at_once_is_fetched_later,
    a_page_that_could_not_be_closed_at_once_is_closed_later,
    polls_leave_room_for_those_who_wait,
    every_call_is_kept_and_none_with_a_token,
];

const CHALLENGED: &str = "4511 1111 1111 1117";
/// So many troubles in a row open the circuit.
const TROUBLES: usize = 5;

/// The waiting jobs of the payments, each with its attempts.
async fn attempts(kost: &Kost) -> Vec<i64> {
    let ready = jobs::in_state(&kost.db, "ready", 100).await.unwrap();
    ready.iter().map(|job| job.attempts).collect()
}

/// The circuit as `/metrics` tells it.
async fn circuit(kost: &Kost) -> String {
    let page = kost.send(kost.request(Method::GET, "/metrics")).await.body;
    let line = page.as_str().unwrap().lines().find(|line| line.starts_with("kasir_gateway_circuit "));
    line.unwrap().to_owned()
}

/// So many tenants pay, one after the other, while the gateway answers nobody.
async fn pay_in_vain(kost: &Kost, count: usize) -> Vec<Invoice> {
    kost.sim.faults(|faults| faults.fail_always(Failure::Unavailable));
    let mut invoices = Vec::new();
    for number in 0..count {
        let (_, invoice) = kost.paying(&format!("tenant{number}"), "bca").await;
        assert_eq!(kost.payment(&invoice).await.state, State::Asked);
        invoices.push(invoice);
    }
    invoices
}

async fn a_429_slows_everybody_down_and_costs_nobody_an_attempt(kost: Kost) {
    kost.sim.faults(|faults| faults.fail_next(1, Failure::RateLimited));
    let (_, first) = kost.paying("Budi", "bca").await;
    let (_, second) = kost.paying("Siti", "bni").await;
    assert_eq!(kost.sim.calls().len(), 1, "what was said to one is heard by all");
    kost.pass(Duration::from_secs(9)).await;
    assert_eq!(kost.sim.calls().len(), 1, "the gateway has named no time, so it is ten seconds");
    assert_eq!(attempts(&kost).await, [0, 0]);
    kost.pass(Duration::from_secs(6)).await;
    for invoice in [first, second] {
        assert_eq!(kost.payment(&invoice).await.state, State::Pending);
    }
    kost.close().await;
}

async fn while_nobody_answers_only_probes_go_out_and_then_everything_goes_on_by_itself(kost: Kost) {
    let invoices = pay_in_vain(&kost, TROUBLES + 3).await;
    assert_eq!(kost.sim.calls().len(), TROUBLES, "the others are not sent into the void");
    assert_eq!(circuit(&kost).await, "kasir_gateway_circuit 2");
    let tried: i64 = attempts(&kost).await.iter().sum();
    assert_eq!(tried, 5, "what was not sent was not tried");

    // The pauses are 5, 10, 20, 40 and 60 seconds, then a minute each.
    for _ in 0..120 {
        let before = kost.sim.calls().len();
        kost.pass(Duration::from_secs(5)).await;
        assert!(kost.sim.calls().len() <= before + 1, "one tries whether the gateway answers");
    }
    let probes = kost.sim.calls().len() - TROUBLES;
    assert!((8..=13).contains(&probes), "{probes} probes in ten minutes");
    assert!(kost.findings().await.is_empty());
    for invoice in &invoices {
        assert_eq!(kost.payment(invoice).await.state, State::Asked);
    }

    kost.sim.faults(|faults| faults.reset());
    for _ in 0..6 {
        kost.pass(Duration::from_secs(60)).await;
    }
    assert_eq!(circuit(&kost).await, "kasir_gateway_circuit 0");
    for invoice in &invoices {
        assert_eq!(kost.payment(invoice).await.state, State::Pending);
    }
    assert!(kost.findings().await.is_empty());
    kost.close().await;
}

async fn what_is_held_back_is_done_later_and_nothing_is_concluded_from_it(kost: Kost) {
    let sari = kost.admin("Sari").await;
    let (_, paid) = kost.paying("Budi", "gopay").await;
    kost.sim.settle(paid.as_str()).await.unwrap();
    let (siti, unwanted) = kost.paying("Siti", "bca").await;
    let before = kost.sim.calls().len();
    pay_in_vain(&kost, TROUBLES).await;
    let tried = attempts(&kost).await.iter().sum::<i64>();

    let path = format!("/api/admin/payments/{paid}/refund");
    let wish = json!({ "reason": "moved out" });
    let answer = kost.send(kost.request_of(&sari, Method::POST, &path).json(&wish)).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.body);
    let path = format!("/api/payment/{unwanted}/cancel");
    let answer = kost.send(kost.request_of(&siti.email, Method::POST, &path)).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.body);
    kost.run_jobs().await;
    assert_eq!(kost.sim.calls().len(), before + TROUBLES, "nothing was sent");
    assert_eq!(attempts(&kost).await.iter().sum::<i64>(), tried, "and no attempt is counted");
    assert_eq!(kost.payment(&paid).await.state, State::Paid);
    assert_eq!(kost.payment(&unwanted).await.state, State::Pending);

    kost.sim.faults(|faults| faults.reset());
    for _ in 0..4 {
        kost.pass(Duration::from_secs(30)).await;
    }
    assert_eq!(kost.payment(&paid).await.state, State::Refunded);
    assert_eq!(kost.payment(&unwanted).await.state, State::Failed(End::Cancelled));
    assert!(kost.findings().await.is_empty());
    kost.close().await;
}

/// Others pay until so many of six places are left.
async fn leave_places(kost: &Kost, left: usize) {
    kost.sim.faults(|faults| faults.notifications.drop_all = true);
    kost.clock.advance(Duration::from_secs(10));
    for number in left..6 {
        kost.paying(&format!("tenant{number}"), "bca").await;
    }
}

async fn a_link_that_could_not_be_fetched_at_once_is_fetched_later(kost: Kost) {
    let kost = kost.that_calls_seldom().await;
    leave_places(&kost, 1).await;
    kost.sim.faults(|faults| faults.lose_charge_answers(1, Loss::Cut));
    let (_, invoice) = kost.paying("Budi", "gopay").await;
    // One place for GET status, and none for the charge that would give its first answer again.
    kost.pass(Duration::from_secs(1)).await;
    assert_eq!(kost.payment(&invoice).await.state, State::Asked);
    kost.pass(Duration::from_secs(5)).await;
    let instruction = serde_json::to_value(kost.payment(&invoice).await.instruction).unwrap();
    assert!(instruction["deeplinkUrl"].is_string(), "not the picture alone: {instruction}");
    kost.close().await;
}

async fn a_page_that_could_not_be_closed_at_once_is_closed_later(kost: Kost) {
    let kost = kost.that_calls_seldom().await;
    let sari = kost.admin("Sari").await;
    kost.sim.faults(|faults| faults.notifications.drop_all = true);
    let (_, invoice) = kost.paying("Budi", "card").await;
    kost.sim.pay_on_page(invoice.as_str(), CHALLENGED).await.unwrap();
    kost.sync(&invoice).await;
    assert_eq!(kost.payment(&invoice).await.state, State::Review);
    // Places for a look, the refusal and another look, and none for the page.
    leave_places(&kost, 3).await;
    let path = format!("/api/admin/payments/{invoice}/deny");
    let answer = kost.send(kost.request_of(&sari, Method::POST, &path).json(&json!({}))).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.body);
    kost.run_jobs().await;
    assert_eq!(kost.payment(&invoice).await.state, State::Review);
    assert!(kost.sim.pages()[0].canceled.is_none());
    kost.pass(Duration::from_secs(5)).await;
    assert_eq!(kost.payment(&invoice).await.state, State::Failed(End::Denied));
    assert!(kost.sim.pages()[0].canceled.is_some(), "nobody tries again on the page");
    kost.close().await;
}

async fn polls_leave_room_for_those_who_wait(kost: Kost) {
    let kost = kost.that_calls_seldom().await;
    kost.sim.faults(|faults| faults.notifications.drop_all = true);
    for number in 0..6 {
        kost.paying(&format!("tenant{number}"), "bca").await;
    }
    assert_eq!(kost.sim.calls().len(), 6, "all that may go out at once");
    kost.pass(Duration::from_secs(61)).await;
    assert_eq!(kost.sim.calls().len(), 10, "six are due, and two places are kept free");
    let (_, invoice) = kost.paying("Siti", "bca").await;
    assert_eq!(kost.payment(&invoice).await.state, State::Pending, "she does not wait for the polls");
    kost.pass(Duration::from_secs(10)).await;
    assert_eq!(kost.sim.calls().len(), 13, "the others are asked about a little later");
    kost.close().await;
}

async fn every_call_is_kept_and_none_with_a_token(kost: Kost) {
    let (_, transfer) = kost.paying("Budi", "bca").await;
    let (_, card) = kost.paying("Siti", "card").await;
    kost.sim.settle(transfer.as_str()).await.unwrap();
    kost.run_jobs().await;
    let names = [transfer.as_str(), card.as_str()];
    let kept = calls::of_names(&kost.db, &names).await.unwrap();
    assert_eq!(kept.len(), kost.sim.calls().len());
    let charge = &kept[0];
    assert_eq!((charge.method.as_str(), charge.path.as_str()), ("POST", "/v2/charge"));
    assert!(charge.answer.contains(kost.transaction(&transfer).number()), "{}", charge.answer);
    assert!(kept.iter().any(|call| call.answer.contains("settlement")));

    let page = serde_json::to_value(kost.payment(&card).await.instruction).unwrap();
    let token = page["token"].as_str().unwrap();
    assert!(kept.iter().any(|call| call.path == "/snap/v1/transactions"));
    assert!(kept.iter().all(|call| !call.answer.contains(token)), "whoever has the token may pay there");
    kost.close().await;
}
