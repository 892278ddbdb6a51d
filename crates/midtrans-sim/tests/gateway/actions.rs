//! Status, cancel, expire and the gateway's own clock.

use std::time::Duration;

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
async fn a_status_survives_a_body_it_did_not_ask_for() {
    let kit = Kit::open().await;
    kit.charge_bca("o").await;
    let (_, body) = kit.answer(kit.get("/v2/o/status").body("{}")).await;
    assert_eq!(body["status_code"], "201");
    for body in ["", "{}", "null"] {
        let (_, answer) = kit.answer(kit.post("/v2/o/cancel").body(body)).await;
        assert_eq!(answer["status_code"], if body.is_empty() { "200" } else { "412" });
    }
}

#[tokio::test]
async fn dana_and_shopeepay_shout_while_they_wait() {
    let kit = Kit::open().await;
    kit.charge(&order("d", "dana")).await;
    let body = kit.status("d").await;
    assert_eq!((&body["status_code"], &body["transaction_status"]), (&json!("200"), &json!("PENDING")));
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
    assert_eq!(kit.sim.settle("g").await.unwrap().status, midtrans_sim::Status::Settlement);
    kit.clock.advance(Duration::from_secs(5 * 60));
    assert_eq!(kit.status("h").await["transaction_status"], "expire");
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
