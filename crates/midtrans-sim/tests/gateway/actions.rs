//! Status, cancel, expire and the gateway's own clock.

use std::time::Duration;

use midtrans_sim::Status;
use serde_json::json;

use crate::kit::{Kit, bank, bca, order, store};

#[tokio::test]
async fn an_unknown_id_is_404_over_http_200() {
    let kit = Kit::open().await;
    assert_eq!(kit.status("nobody").await["status_code"], "404");
    for act in ["cancel", "expire", "approve", "deny", "refund"] {
        let (http, body) = kit.answer(kit.post(&format!("/v2/nobody/{act}"))).await;
        assert_eq!((http, &body["status_code"]), (200, &json!("404")), "{act}");
    }
}

#[tokio::test]
async fn a_status_carries_a_signature_over_its_own_code() {
    let kit = Kit::open().await;
    let charged = kit.charge_bca("o").await;
    let pending = kit.status("o").await;
    assert_eq!(pending["status_code"], "201");
    assert_eq!(pending["va_numbers"], charged["va_numbers"]);
    assert_eq!(pending["payment_amounts"], json!([]));
    assert!(pending.get("settlement_time").is_none());
    kit.sim.settle("o").await.unwrap();
    let settled = kit.status(charged["transaction_id"].as_str().unwrap()).await;
    assert_eq!(
        (&settled["status_code"], &settled["transaction_status"]),
        (&json!("200"), &json!("settlement"))
    );
    assert_eq!(settled["settlement_time"], "2026-11-30 07:53:20");
    assert_ne!(settled["signature_key"], pending["signature_key"]);
}

#[tokio::test]
async fn shopeepay_and_dana_shout_while_they_wait() {
    let kit = Kit::open().await;
    kit.charge(&order("s", "shopeepay")).await;
    let dana = kit.charge(&order("d", "dana")).await.1["transaction_id"].clone();
    let dana = kit.answer(of_snap_api(&kit, dana.as_str().unwrap())).await.1;
    for body in [kit.status("s").await, dana] {
        assert_eq!((&body["status_code"], &body["transaction_status"]), (&json!("200"), &json!("PENDING")));
    }
}

/// A question for the system that knows DANA.
fn of_snap_api(kit: &Kit, id: &str) -> reqwest::RequestBuilder {
    kit.get(&format!("/v2/{id}/status")).header("transaction-source", "SNAP_API")
}

#[tokio::test]
async fn dana_is_found_by_its_own_id_and_only_by_those_who_name_its_system() {
    let kit = Kit::open().await;
    kit.charge_bca("o").await;
    kit.act("o", "cancel").await;
    let charged = kit.charge(&order("o", "dana")).await.1;
    let id = charged["transaction_id"].as_str().unwrap();
    assert!(id.starts_with("A120261130005320") && id.ends_with("ID") && id.len() == 28, "{id}");
    assert_eq!(kit.answer(of_snap_api(&kit, id)).await.1["transaction_id"], id);
    assert_eq!(kit.status(id).await["status_code"], "404", "without the header");
    assert_eq!(kit.status("o").await["transaction_status"], "cancel", "the order id means the other attempt");
    assert_eq!(kit.charge_bca("o").await["status_code"], "406");
    kit.sim.settle(id).await.unwrap();
    let (_, refunded) = kit.answer(kit.post(&format!("/v2/{id}/refund"))).await;
    assert_eq!(refunded["transaction_status"], "refund");

    for (act, code) in [("cancel", "200"), ("expire", "407")] {
        let id = kit.charge(&order(act, "dana")).await.1["transaction_id"].clone();
        assert_eq!(kit.act(id.as_str().unwrap(), act).await["status_code"], code, "{act}");
        let by_order_id = kit.answer(of_snap_api(&kit, act)).await.1;
        assert_eq!(by_order_id["status_code"], "404", "by order id");
    }
}

#[tokio::test]
async fn every_route_bears_a_body_and_a_query_it_did_not_ask_for() {
    let kit = Kit::open().await;
    for (at, body) in [None, Some("{}"), Some("null")].into_iter().enumerate() {
        let with = |request: reqwest::RequestBuilder| match body {
            Some(body) => request.header("content-type", "application/json").body(body),
            None => request,
        };
        let id = |name: &str| format!("{name}{at}");
        for (name, code) in
            [("status", "201"), ("cancel", "200"), ("expire", "407"), ("approve", "412"), ("deny", "412")]
        {
            kit.charge_bca(&id(name)).await;
            let path = format!("/v2/{}/{name}?locale=id&unknown", id(name));
            let request = if name == "status" { kit.get(&path) } else { kit.post(&path) };
            let (http, answer) = kit.answer(with(request)).await;
            assert_eq!((http, answer["status_code"].as_str()), (200, Some(code)), "{path} {body:?}");
        }
        for name in ["refund", "refund/online/direct"] {
            let order_id = id(&name[..].replace('/', "-"));
            kit.paid(&order(&order_id, "gopay")).await;
            let path = format!("/v2/{order_id}/{name}?unknown=1");
            let answer = kit.answer(with(kit.post(&path))).await.1;
            assert_eq!(answer["transaction_status"], "refund", "{path} {body:?}");
        }
        let wish = json!({ "transaction_details": { "order_id": id("page"), "gross_amount": 1 } });
        let made = kit.answer(kit.post("/snap/v1/transactions?unknown=1").json(&wish)).await.1;
        let path = format!("/snap/v1/transactions/{}/cancel?unknown=1", made["token"].as_str().unwrap());
        assert_eq!(kit.answer(with(kit.post(&path))).await.0, 200, "{path} {body:?}");
        let charged = kit.answer(kit.post("/v2/charge?unknown=1").json(&bca(&id("charge")))).await.1;
        assert_eq!(charged["status_code"], "201");
        let (http, answer) = kit.answer(with(kit.post("/v2/capture?unknown=1"))).await;
        assert_eq!((http, answer["status_code"].as_str()), (400, Some("400")), "capture needs its body");
    }
}

#[tokio::test]
async fn expire_answers_407_and_its_notification_says_202() {
    let kit = Kit::open().await;
    kit.charge_bca("o").await;
    let (http, body) = kit.answer(kit.post("/v2/o/expire")).await;
    assert_eq!(
        (http, &body["status_code"], &body["transaction_status"]),
        (200, &json!("407"), &json!("expire"))
    );
    assert_eq!(kit.status("o").await["status_code"], "407");
    kit.sim.wait_until_delivered().await.unwrap();
    let notification = kit.merchant.got().pop().unwrap();
    assert_eq!(notification["status_code"], "202");
    assert_eq!(notification["transaction_status"], "expire");
}

#[tokio::test]
async fn what_is_final_cannot_be_cancelled_or_expired() {
    let kit = Kit::open().await;
    kit.paid(&bca("o")).await;
    assert_eq!(kit.act("o", "cancel").await["status_code"], "412");
    assert_eq!(kit.act("o", "expire").await["status_code"], "412");
    assert_eq!(kit.status("o").await["transaction_status"], "settlement");
    kit.charge_bca("other").await;
    let cancelled = kit.act("other", "cancel").await;
    assert_eq!(
        (&cancelled["status_code"], &cancelled["transaction_status"]),
        (&json!("200"), &json!("cancel"))
    );
    assert_eq!(kit.act("other", "cancel").await["status_code"], "412");
    kit.sim.wait_until_delivered().await.unwrap();
    assert_eq!(kit.merchant.got().pop().unwrap()["status_code"], "202");
}

#[tokio::test]
async fn time_expires_what_nobody_pays_and_the_merchant_hears_of_it() {
    let kit = Kit::open().await;
    kit.charge(&order("g", "gopay")).await;
    kit.clock.advance(Duration::from_secs(15 * 60 - 1));
    assert_eq!(kit.status("g").await["transaction_status"], "pending");
    kit.clock.advance(Duration::from_secs(1));
    kit.sim.deliver_due().await.unwrap();
    assert_eq!(kit.merchant.statuses(), ["pending", "expire"]);
    assert!(kit.sim.settle("g").await.is_err());
}

#[tokio::test]
async fn late_expiry_leaves_room_for_a_late_payment() {
    let kit = Kit::open().await;
    kit.sim.faults(|f| f.api.late_expiry_s = 600);
    kit.charge(&order("g", "gopay")).await;
    kit.charge(&order("h", "gopay")).await;
    kit.clock.advance(Duration::from_secs(20 * 60));
    assert_eq!(kit.status("g").await["transaction_status"], "pending");
    assert_eq!(kit.sim.settle("g").await.unwrap().status, Status::Settlement);
    kit.clock.advance(Duration::from_secs(5 * 60));
    assert_eq!(kit.status("h").await["transaction_status"], "expire");
}

#[tokio::test]
async fn a_transaction_that_breaks_down_is_a_failure_and_no_payment() {
    let kit = Kit::open().await;
    kit.charge_bca("o").await;
    assert_eq!(kit.sim.fail("o").await.unwrap().status, Status::Failure);
    let status = kit.status("o").await;
    assert_eq!((&status["status_code"], &status["transaction_status"]), (&json!("202"), &json!("failure")));
    kit.paid(&bca("paid")).await;
    assert!(kit.sim.fail("paid").await.is_err());
    let (http, _) = kit.answer(kit.post("/sim/transactions/o/fail")).await;
    assert_eq!(http, 409, "it broke down already");
}

#[tokio::test]
async fn a_cards_bank_takes_money_back_in_part_and_then_as_a_whole() {
    let kit = Kit::open().await;
    let card = json!({ "token_id": "481111-1114-token" });
    for order_id in ["partly", "refunded"] {
        let mut body = order(order_id, "credit_card");
        body["credit_card"] = card.clone();
        kit.charge(&body).await;
        assert!(kit.sim.charge_back_partially(order_id).await.is_err(), "captured, not settled");
        kit.sim.settle(order_id).await.unwrap();
    }
    kit.sim.refund("refunded", Some(1_000)).await.unwrap();
    for order_id in ["partly", "refunded"] {
        for _ in 0..2 {
            let view = kit.sim.charge_back_partially(order_id).await.unwrap();
            assert_eq!(view.status, Status::PartialChargeback);
        }
        let status = kit.status(order_id).await;
        assert_eq!(
            (&status["status_code"], &status["transaction_status"]),
            (&json!("200"), &json!("partial_chargeback"))
        );
        assert_eq!(kit.sim.charge_back(order_id).await.unwrap().status, Status::Chargeback);
    }
    kit.paid(&bca("bank")).await;
    let (http, _) = kit.answer(kit.post("/sim/transactions/bank/partial_chargeback")).await;
    assert_eq!(http, 409, "cards only");
}

#[tokio::test]
async fn only_three_methods_take_a_settlement_back() {
    let kit = Kit::open().await;
    let mut mandiri = order("mandiri", "echannel");
    mandiri["echannel"] = json!({ "bill_info1": "a", "bill_info2": "b" });
    for (body, can) in [
        (order("permata", "permata"), true),
        (mandiri, true),
        (store("indomaret", "indomaret"), true),
        (store("alfamart", "alfamart"), false),
        (bank("bri", "bri"), false),
    ] {
        kit.paid(&body).await;
        let order_id = body["transaction_details"]["order_id"].as_str().unwrap();
        assert_eq!(kit.sim.reverse(order_id).await.is_ok(), can, "{order_id}");
        let expected = if can { ("202", "deny") } else { ("200", "settlement") };
        let status = kit.status(order_id).await;
        assert_eq!(
            (status["status_code"].as_str(), status["transaction_status"].as_str()),
            (Some(expected.0), Some(expected.1))
        );
    }
}
