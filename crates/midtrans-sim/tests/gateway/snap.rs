//! Hosted payment pages: made and closed by the merchant, paid by a person with a card.

use std::time::Duration;

use midtrans_sim::{Calls, Failure, Loss, Options, Refused, Simulator, Status};
use serde_json::{Value, json};

use crate::kit::{Kit, bca};

const ACCEPTED: &str = "4811 1111 1111 1114";
const DENIED: &str = "4911111111111113";

fn wish(order_id: &str) -> Value {
    json!({ "transaction_details": { "order_id": order_id, "gross_amount": 44_000 } })
}

async fn create(kit: &Kit, body: &Value) -> (u16, Value) {
    kit.answer(kit.post("/snap/v1/transactions").json(body)).await
}

/// The token of a new page.
async fn page(kit: &Kit, body: &Value) -> String {
    let (http, answer) = create(kit, body).await;
    assert_eq!(http, 201, "{answer}");
    answer["token"].as_str().unwrap().to_owned()
}

async fn cancel(kit: &Kit, token: &str) -> (u16, Value) {
    kit.answer(kit.post(&format!("/snap/v1/transactions/{token}/cancel"))).await
}

async fn read(kit: &Kit, token: &str) -> String {
    let response = kit.client.get(format!("{}/snap/v4/redirection/{token}", kit.sim.base_url()));
    response.send().await.unwrap().text().await.unwrap()
}

#[tokio::test]
async fn a_page_is_no_transaction_until_the_payer_chose_a_card() {
    let kit = Kit::open().await;
    let (http, answer) = create(&kit, &wish("o")).await;
    assert_eq!(http, 201);
    let token = answer["token"].as_str().unwrap();
    assert_eq!(answer["redirect_url"], format!("{}/snap/v4/redirection/{token}", kit.sim.base_url()));
    assert_eq!(kit.status("o").await["status_code"], "404");
    kit.sim.wait_until_delivered().await.unwrap();
    assert!(kit.merchant.got().is_empty() && kit.sim.transactions().is_empty());

    let paid = kit.sim.pay_on_page("o", ACCEPTED).await.unwrap();
    assert_eq!((paid.status, paid.amount), (Status::Capture, 44_000));
    assert_eq!(kit.status("o").await["transaction_id"], paid.transaction_id);
    kit.sim.wait_until_delivered().await.unwrap();
    assert_eq!(kit.merchant.statuses(), ["capture"]);
    assert_eq!(kit.merchant.got()[0]["masked_card"], "481111-1114");
}

#[tokio::test]
async fn every_sandbox_card_does_on_a_page_what_it_is_known_for() {
    let kit = Kit::open().await;
    for (number, status, fraud) in [
        ("4811111111111114", Status::Capture, "accept"),
        ("4911111111111113", Status::Deny, "accept"),
        ("4511111111111117", Status::Capture, "challenge"),
        ("4611111111111116", Status::Deny, "deny"),
    ] {
        let mut body = wish(number);
        body["credit_card"] = json!({ "secure": true });
        let token = page(&kit, &body).await;
        let at_once = kit.sim.pay_on_page(&token, number).await.unwrap();
        assert_eq!((at_once.status, at_once.fraud_status.as_deref()), (status, Some(fraud)));

        body["transaction_details"]["order_id"] = json!(format!("{number}-3ds"));
        let token = page(&kit, &body).await;
        let begun = kit.sim.begin_on_page(&token, number).await.unwrap();
        assert_eq!(begun.status, Status::Pending);
        let proved = kit.sim.prove(&begun.transaction_id).await.unwrap();
        assert_eq!((proved.status, proved.fraud_status.as_deref()), (status, Some(fraud)));
    }
}

#[tokio::test]
async fn a_page_that_only_reserves_gives_an_authorize() {
    let kit = Kit::open().await;
    let mut body = wish("o");
    body["credit_card"] = json!({ "type": "authorize" });
    page(&kit, &body).await;
    let reserved = kit.sim.pay_on_page("o", ACCEPTED).await.unwrap();
    assert_eq!(reserved.status, Status::Authorize);
    let body = json!({ "transaction_id": reserved.transaction_id, "gross_amount": 40_000 });
    let (_, captured) = kit.answer(kit.post("/v2/capture").json(&body)).await;
    assert_eq!((&captured["status_code"], &captured["gross_amount"]), (&json!("200"), &json!("40000.00")));
}

#[tokio::test]
async fn a_refused_card_and_a_visit_to_the_bank_leave_the_page_open() {
    let kit = Kit::open().await;
    let token = page(&kit, &wish("o")).await;
    let denied = kit.sim.pay_on_page(&token, DENIED).await.unwrap();
    let begun = kit.sim.begin_on_page(&token, ACCEPTED).await.unwrap();
    let paid = kit.sim.pay_on_page(&token, ACCEPTED).await.unwrap();
    assert_eq!(
        kit.sim.pages()[0].attempts,
        [denied.transaction_id.clone(), begun.transaction_id.clone(), paid.transaction_id.clone()]
    );
    assert_eq!(kit.sim.pay_on_page(&token, ACCEPTED).await, Err(Refused::Illegal), "nobody pays twice");
    assert_eq!(kit.status("o").await["transaction_id"], paid.transaction_id, "the latest");
    assert_eq!(kit.status(&denied.transaction_id).await["transaction_status"], "deny");
    assert_eq!(kit.sim.deny(&begun.transaction_id).await.unwrap().status, Status::Deny);
    kit.sim.wait_until_delivered().await.unwrap();
    let mut heard = kit.merchant.statuses();
    heard.sort();
    assert_eq!(heard, ["capture", "deny", "deny", "pending"]);
    assert_eq!(kit.charge_bca("o").await["status_code"], "406");
}

#[tokio::test]
async fn several_pages_may_wait_for_one_order_but_none_is_made_for_a_taken_one() {
    let kit = Kit::open().await;
    let (first, second) = (page(&kit, &wish("o")).await, page(&kit, &wish("o")).await);
    assert_ne!(first, second);
    kit.sim.pay_on_page(&first, DENIED).await.unwrap();
    page(&kit, &wish("o")).await;
    kit.sim.begin_on_page(&first, ACCEPTED).await.unwrap();
    assert_eq!(kit.sim.pay_on_page(&second, ACCEPTED).await, Err(Refused::Illegal), "another page's payer");
    kit.charge_bca("waits").await;
    kit.paid(&bca("paid")).await;
    for order_id in ["o", "waits", "paid"] {
        let (http, answer) = create(&kit, &wish(order_id)).await;
        assert_eq!(http, 400);
        assert_eq!(
            answer,
            json!({ "error_messages": ["transaction_details.order_id has already been taken"] })
        );
    }
    kit.act("waits", "cancel").await;
    page(&kit, &wish("waits")).await;
}

#[tokio::test]
async fn what_is_wrong_with_a_page_is_told_in_sentences() {
    let kit = Kit::open().await;
    let with = |change: fn(&mut Value)| {
        let mut body = wish("o");
        change(&mut body);
        body
    };
    for (body, reason) in [
        (json!(null), "not a JSON object"),
        (with(|b| b["transaction_details"] = json!({})), "transaction_details.order_id is required"),
        (with(|b| b["transaction_details"]["gross_amount"] = json!(0)), "greater than 0"),
        (
            with(|b| b["item_details"] = json!([{ "price": 1, "quantity": 1, "name": "x" }])),
            "not equal to the sum of item_details",
        ),
        (with(|b| b["page_expiry"] = json!({ "duration": 4, "unit": "minutes" })), "below minimum"),
        (with(|b| b["page_expiry"] = json!({ "duration": 4, "unit": "weeks" })), "page_expiry.unit"),
    ] {
        let (http, answer) = create(&kit, &body).await;
        assert_eq!(http, 400, "{reason}");
        assert!(answer["error_messages"].to_string().contains(reason), "{answer}");
    }
    let url = format!("{}/snap/v1/transactions", kit.sim.base_url());
    let request = kit.client.post(url).basic_auth("SB-Mid-server-other", Some("")).json(&wish("o"));
    let (http, answer) = kit.answer(request).await;
    assert_eq!(http, 401);
    assert_eq!(
        answer["error_messages"],
        json!(["Access denied due to unauthorized transaction, please check client or server key"])
    );
    assert!(kit.sim.pages().is_empty());
}

#[tokio::test]
async fn a_page_is_open_as_long_as_it_was_told_and_then_nobody_pays() {
    let kit = Kit::open().await;
    for (order_id, expiry, seconds) in [
        ("usual", Value::Null, 24 * 3600),
        ("short", json!({ "duration": 5, "unit": "minute" }), 5 * 60),
        ("hours", json!({ "duration": 3, "unit": "hours" }), 3 * 3600),
        ("long", json!({ "duration": 30, "unit": "days" }), 7 * 24 * 3600),
    ] {
        let mut body = wish(order_id);
        body["page_expiry"] = expiry;
        page(&kit, &body).await;
        let made = kit.sim.pages().pop().unwrap();
        assert_eq!((made.expires - made.created).num_seconds(), seconds, "{order_id}");
    }
    kit.clock.advance(Duration::from_secs(5 * 60));
    assert_eq!(kit.sim.pay_on_page("short", ACCEPTED).await, Err(Refused::Illegal));
    assert!(kit.sim.pay_on_page("usual", ACCEPTED).await.is_ok());
    let short = kit.sim.pages().into_iter().find(|page| page.order_id == "short").unwrap();
    let text = read(&kit, &short.token).await;
    assert!(text.contains("The time to pay on this page is over") && !text.contains("card_number"));
}

#[tokio::test]
async fn a_page_is_closed_once_and_never_while_the_bank_is_asked() {
    let kit = Kit::open().await;
    let token = page(&kit, &wish("o")).await;
    let begun = kit.sim.begin_on_page(&token, ACCEPTED).await.unwrap();
    let errors = |message: &str| json!({ "error_messages": [message] });
    assert_eq!(cancel(&kit, &token).await, (400, errors("Transaction is on progress")));
    kit.sim.deny(&begun.transaction_id).await.unwrap();
    assert_eq!(cancel(&kit, &token).await, (200, json!({ "canceled_at": "2026-11-30T00:53:20.000Z" })));
    assert_eq!(cancel(&kit, &token).await, (400, errors("token already canceled")));
    assert_eq!(cancel(&kit, "nobody").await, (404, errors("token not found")));
    assert_eq!(kit.sim.pay_on_page(&token, ACCEPTED).await, Err(Refused::Illegal));
    let text = read(&kit, &token).await;
    assert!(text.contains("The shop has closed this page") && !text.contains("card_number"));
}

#[tokio::test]
async fn a_lost_answer_leaves_a_page_behind_and_no_key_brings_it_back() {
    let kit = Kit::open().await;
    kit.sim.faults(|f| f.lose_charge_answers(1, Loss::Cut));
    let create = || kit.post("/snap/v1/transactions").header("Idempotency-Key", "k").json(&wish("o"));
    assert!(create().send().await.is_err(), "the connection is cut");
    assert_eq!(kit.sim.pages().len(), 1);
    let (again, third) = (kit.answer(create()).await.1, kit.answer(create()).await.1);
    assert_ne!(again["token"], third["token"]);
    kit.sim.faults(|f| f.fail_next_of(Calls::Charge, 1, Failure::Unavailable));
    let (http, answer) = kit.answer(create()).await;
    assert_eq!((http, answer["error_messages"].as_array().unwrap().len()), (503, 1));
    assert_eq!((kit.sim.page_calls(), kit.sim.charge_calls()), (4, 0));
    assert_eq!(kit.sim.calls().len(), 4);
}

#[tokio::test]
async fn a_page_without_cards_takes_none_and_a_word_is_no_number() {
    let kit = Kit::open().await;
    let mut body = wish("o");
    body["enabled_payments"] = json!(["gopay"]);
    page(&kit, &body).await;
    assert_eq!(kit.sim.pay_on_page("o", ACCEPTED).await, Err(Refused::Illegal));
    page(&kit, &wish("p")).await;
    assert_eq!(kit.sim.pay_on_page("p", "plastic").await, Err(Refused::Illegal));
    assert_eq!(kit.sim.pay_on_page("q", ACCEPTED).await, Err(Refused::Unknown));
}

#[tokio::test]
async fn a_person_is_sent_to_the_bank_enters_the_code_and_is_thanked() {
    let kit = Kit::open().await;
    let mut body = wish("room-7");
    body["credit_card"] = json!({ "secure": true });
    body["callbacks"] = json!({ "finish": "http://127.0.0.1:1/done?a=b" });
    let token = page(&kit, &body).await;
    let text = read(&kit, &token).await;
    assert!(text.contains("Rp44.000") && text.contains("4811111111111114"));
    assert!(text.contains(&format!("/sim/pages/{token}/begin")));
    let begin = kit.client.post(format!("{}/sim/pages/{token}/begin", kit.sim.base_url()));
    let form = [("content-type", "application/x-www-form-urlencoded"), ("accept", "text/html")];
    let begin = form.iter().fold(begin, |request, (name, value)| request.header(*name, *value));
    let back =
        begin.header("referer", format!("{}/", kit.sim.base_url())).body("card_number=4811111111111114");
    assert_eq!(back.send().await.unwrap().status(), 200);
    let text = read(&kit, &token).await;
    let id = kit.sim.transaction("room-7").unwrap().transaction_id;
    assert!(text.contains("Enter 112233") && text.contains(&format!("/sim/transactions/{id}/prove")));
    let (http, proved) = kit.answer(kit.post(&format!("/sim/transactions/{id}/prove"))).await;
    assert_eq!((http, &proved["status"]), (200, &json!("capture")));
    let text = read(&kit, &token).await;
    assert!(text.contains("This is paid") && !text.contains("card_number"));
    assert!(
        text.contains("/done?a=b&amp;order_id=room-7&amp;status_code=200&amp;transaction_status=capture")
    );
    assert!(kit.get("/").send().await.unwrap().text().await.unwrap().contains("Hosted payment pages"));
}

#[tokio::test]
async fn a_script_pays_on_a_page_with_json() {
    let kit = Kit::open().await;
    let token = page(&kit, &wish("o")).await;
    let pay = |body: Value| kit.post(&format!("/sim/pages/{token}/pay")).json(&body);
    assert_eq!(kit.answer(pay(json!({}))).await.0, 400);
    let (http, paid) = kit.answer(pay(json!({ "card_number": "4811111111111114" }))).await;
    assert_eq!((http, &paid["status"]), (200, &json!("capture")));
    assert_eq!(kit.answer(pay(json!({ "card_number": "4811111111111114" }))).await.0, 409);
    assert_eq!(kit.answer(kit.get("/sim/pages")).await.1[0]["attempts"][0], paid["transaction_id"]);
}

#[tokio::test]
async fn a_page_survives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("world.json");
    let kit = Kit::open_with(|options| options.state_file = Some(file.clone())).await;
    let token = page(&kit, &wish("o")).await;
    let before = kit.sim.pages();
    kit.sim.shutdown().await;

    let options = Options { state_file: Some(file.clone()), ..Options::local(kit.clock.clone()) };
    let again = Simulator::start(options).await.unwrap();
    assert_eq!(again.pages(), before);
    assert!(again.pay_on_page(&token, ACCEPTED).await.is_ok());
    again.shutdown().await;

    std::fs::write(&file, r#"{"transactions":[]}"#).unwrap();
    let options = Options { state_file: Some(file), ..Options::local(kit.clock.clone()) };
    assert!(Simulator::start(options).await.unwrap().pages().is_empty(), "an older file has none");
}
