//! The switches that make the API misbehave.

use midtrans_sim::{Calls, Failure, Loss, Status};
use serde_json::json;

use crate::kit::{Kit, bca, order};

#[tokio::test]
async fn the_rate_limiter_answers_without_a_status_code() {
    let kit = Kit::open().await;
    kit.sim.faults(|f| f.fail_next(2, Failure::RateLimited));
    for _ in 0..2 {
        let answer = kit.charge(&bca("o")).await;
        assert_eq!(answer, (429, json!({ "message": "API rate limit exceeded" })));
    }
    assert_eq!(kit.charge(&bca("o")).await.1["status_code"], "201");
    assert_eq!(kit.sim.charge_calls(), 3);
}

#[tokio::test]
async fn server_errors_come_over_either_http_status() {
    let kit = Kit::open().await;
    for (kind, http, code) in [
        (Failure::ServerError, 500, "500"),
        (Failure::Unavailable, 503, "503"),
        (Failure::NoVaNumber, 500, "505"),
    ] {
        kit.sim.faults(|f| f.fail_always(kind));
        let answer = kit.charge(&bca("o")).await;
        assert_eq!((answer.0, answer.1["status_code"].as_str()), (http, Some(code)));
        kit.sim.faults(|f| f.api.server_errors_over_http_200 = true);
        assert_eq!(kit.charge(&bca("o")).await.0, 200);
        kit.sim.faults(|f| f.reset());
    }
    assert!(kit.sim.transactions().is_empty());
}

#[tokio::test]
async fn pages_for_people_come_in_place_of_json() {
    let kit = Kit::open().await;
    for (kind, status) in [(Failure::HtmlNotFound, 404), (Failure::HtmlBadGateway, 502)] {
        kit.sim.faults(|f| f.fail_next(1, kind));
        let response = kit.post("/v2/charge").json(&bca("o")).send().await.unwrap();
        assert_eq!(response.status(), status);
        assert!(response.text().await.unwrap().starts_with("<!DOCTYPE html>"));
    }
}

#[tokio::test]
async fn only_the_named_calls_fail() {
    let kit = Kit::open().await;
    kit.sim.faults(|f| f.fail_next_of(Calls::Status, 1, Failure::Unavailable));
    kit.charge_bca("o").await;
    assert_eq!(kit.answer(kit.get("/v2/o/status")).await.0, 503);
    assert_eq!(kit.status("o").await["status_code"], "201");
}

#[tokio::test]
async fn a_lost_answer_leaves_exactly_one_transaction_behind() {
    let kit = Kit::open().await;
    kit.sim.faults(|f| f.lose_charge_answers(1, Loss::Cut));
    let charge = || kit.post("/v2/charge").header("Idempotency-Key", "k").json(&bca("o"));
    assert!(charge().send().await.is_err(), "the connection is cut");
    let (_, replayed) = kit.answer(charge()).await;
    assert_eq!(replayed["status_code"], "201", "the same key gets the answer that was lost");
    assert_eq!(kit.charge_bca("o").await["status_code"], "406", "without the key the order id is taken");
    assert_eq!(kit.sim.transactions().len(), 1);
    assert_eq!(kit.status("o").await["transaction_id"], replayed["transaction_id"]);

    kit.sim.faults(|f| f.lose_charge_answers(1, Loss::GatewayTimeout));
    assert_eq!(kit.post("/v2/charge").json(&bca("p")).send().await.unwrap().status(), 504);
    assert_eq!(kit.sim.transactions_of("p").len(), 1);
}

#[tokio::test]
async fn a_refused_charge_does_not_use_up_the_lost_answer() {
    let kit = Kit::open().await;
    kit.sim.faults(|f| f.lose_charge_answers(1, Loss::Cut));
    assert_eq!(kit.charge(&json!({})).await.0, 400);
    assert!(kit.post("/v2/charge").json(&bca("o")).send().await.is_err());
}

#[tokio::test]
async fn a_caller_who_hangs_up_does_not_stop_the_gateway() {
    let kit = Kit::open().await;
    kit.sim.faults(|f| f.api.latency_ms = 50);
    let caller = tokio::spawn(kit.post("/v2/charge").json(&bca("o")).send());
    while kit.sim.charge_calls() == 0 {
        tokio::task::yield_now().await;
    }
    caller.abort();
    while kit.sim.transactions().is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(kit.status("o").await["status_code"], "201");
}

#[tokio::test]
async fn a_quick_payer_is_heard_of_before_the_charge_is_answered() {
    let kit = Kit::open().await;
    kit.sim.faults(|f| f.api.settle_before_answer = 1);
    let answer = kit.charge_bca("o").await;
    assert_eq!(answer["transaction_status"], "pending", "the answer is older than the news");
    assert_eq!(kit.merchant.statuses(), ["pending", "settlement"]);
    assert_eq!(kit.sim.transaction("o").unwrap().status, Status::Settlement);
}

#[tokio::test]
async fn a_simulator_that_is_shut_down_answers_nobody() {
    let kit = Kit::open().await;
    kit.sim.faults(|f| f.fail_always(Failure::Hang));
    let hanging = tokio::spawn(kit.post("/v2/charge").json(&bca("o")).send());
    while kit.sim.charge_calls() == 0 {
        tokio::task::yield_now().await;
    }
    let again = kit.post("/v2/charge").json(&bca("o"));
    kit.sim.shutdown().await;
    assert!(hanging.await.unwrap().is_err());
    assert!(again.send().await.is_err());
}

#[tokio::test]
async fn a_denied_capture_leaves_the_amount_reserved() {
    let kit = Kit::open().await;
    let mut body = order("o", "credit_card");
    body["credit_card"] = json!({ "token_id": "481111-1114-token", "type": "authorize" });
    let id = kit.charge(&body).await.1["transaction_id"].clone();
    kit.sim.faults(|f| f.api.deny_captures = true);
    let wanted = json!({ "transaction_id": id, "gross_amount": 40_000 });
    let capture = || kit.post("/v2/capture").json(&wanted);
    let (http, denied) = kit.answer(capture()).await;
    assert_eq!((http, &denied["status_code"]), (200, &json!("202")));
    assert_eq!(denied["transaction_status"], "deny");
    assert_eq!(kit.status("o").await["transaction_status"], "authorize");
    assert_eq!(kit.status("o").await["gross_amount"], "44000.00");
    kit.sim.faults(|f| f.reset());
    let captured = kit.answer(capture()).await.1;
    assert_eq!(
        (&captured["transaction_status"], &captured["gross_amount"]),
        (&json!("capture"), &json!("40000.00"))
    );
    assert_eq!(kit.answer(capture()).await.1["status_code"], "412");
}
