//! What the merchant hears, how often, and in what order.

use std::time::Duration;

use serde_json::json;
use sha2::{Digest, Sha512};

use crate::kit::{Kit, bca, store};

#[tokio::test]
async fn a_notification_is_signed_by_the_formula() {
    let kit = Kit::open().await;
    kit.paid(&bca("o")).await;
    assert_eq!(kit.merchant.statuses(), ["pending", "settlement"]);
    for body in kit.merchant.got() {
        let text = |name: &str| body[name].as_str().unwrap().to_owned();
        let signed = format!(
            "{}{}{}SB-Mid-server-simulator",
            text("order_id"),
            text("status_code"),
            text("gross_amount")
        );
        assert_eq!(text("signature_key"), hex::encode(Sha512::digest(signed)));
        assert_eq!(text("status_message"), "midtrans payment notification");
        assert_eq!(text("merchant_id"), "G812785002");
        assert!(body.as_object().unwrap().values().all(|value| !value.is_null()));
    }
    assert_eq!(kit.merchant.agents(), ["Veritrans", "Veritrans"]);
}

/// Contract §7: the codes of notifications, which are not all those of GET status.
#[tokio::test]
async fn a_notification_has_the_code_of_its_status() {
    let kit = Kit::open().await;
    let card = |order_id: &str, number: &str| {
        let mut body = crate::kit::order(order_id, "credit_card");
        body["credit_card"] = json!({ "token_id": format!("{number}-token") });
        body
    };
    kit.charge(&card("challenged", "451111-1117")).await;
    kit.charge(&card("denied", "491111-1113")).await;
    kit.charge(&card("accepted", "481111-1114")).await;
    for (order_id, act) in [("expired", "expire"), ("cancelled", "cancel")] {
        kit.charge_bca(order_id).await;
        kit.act(order_id, act).await;
    }
    kit.sim.wait_until_delivered().await.unwrap();
    let got = kit.merchant.got();
    for (order_id, status, code) in [
        ("challenged", "capture", "201"),
        ("denied", "deny", "202"),
        ("accepted", "capture", "200"),
        ("expired", "pending", "201"),
        ("expired", "expire", "202"),
        ("cancelled", "cancel", "202"),
    ] {
        let told =
            |body: &&serde_json::Value| body["order_id"] == order_id && body["transaction_status"] == status;
        let body = got.iter().find(told).unwrap();
        assert_eq!(body["status_code"], code, "{order_id} {status}");
    }
}

#[tokio::test]
async fn indomaret_has_an_approval_code_and_no_fraud_status() {
    let kit = Kit::open().await;
    kit.paid(&store("i", "indomaret")).await;
    let body = kit.merchant.got().pop().unwrap();
    assert!(body["approval_code"].is_string() && body["payment_code"].is_string());
    assert!(body.get("fraud_status").is_none());
}

#[tokio::test]
async fn what_the_merchant_put_in_comes_back() {
    let kit = Kit::open().await;
    let mut body = bca("o");
    body["custom_field1"] = json!("room 7");
    body["metadata"] = json!({ "month": "2026-11" });
    kit.paid(&body).await;
    let got = kit.merchant.got().pop().unwrap();
    assert_eq!((&got["custom_field1"], &got["metadata"]["month"]), (&json!("room 7"), &json!("2026-11")));
}

#[tokio::test]
async fn a_charge_may_name_other_urls() {
    let kit = Kit::open().await;
    for (header, order_id) in [("X-Append-Notification", "appended"), ("X-Override-Notification", "instead")]
    {
        let urls = format!("{0}/1,{0}/2, {0}/3,{0}/4", kit.merchant.url);
        kit.answer(kit.post("/v2/charge").header(header, urls).json(&bca(order_id))).await;
    }
    kit.sim.wait_until_delivered().await.unwrap();
    let count =
        |order_id| kit.sim.notifications_sent().iter().filter(|sent| sent.order_id == order_id).count();
    assert_eq!((count("appended"), count("instead")), (4, 3));
}

#[tokio::test]
async fn lost_notifications_are_lost_for_good() {
    let kit = Kit::open().await;
    kit.sim.faults(|f| f.notifications.drop_all = true);
    kit.paid(&bca("o")).await;
    kit.sim.faults(|f| f.notifications.drop_all = false);
    kit.clock.advance(Duration::from_secs(10 * 3600));
    kit.sim.deliver_due().await.unwrap();
    assert!(kit.merchant.got().is_empty());
    assert_eq!(kit.sim.notifications_dropped(), 2);
    assert_eq!(kit.status("o").await["transaction_status"], "settlement");
}

#[tokio::test]
async fn copies_arrive_as_often_as_told() {
    for copies in [2, 3] {
        let kit = Kit::open().await;
        kit.sim.faults(|f| f.notifications.copies = copies);
        kit.charge_bca("o").await;
        kit.sim.wait_until_delivered().await.unwrap();
        assert_eq!(kit.merchant.got().len(), usize::try_from(copies).unwrap());
    }
}

#[tokio::test]
async fn shuffled_notifications_wait_and_come_in_another_order() {
    let kit = Kit::open().await;
    kit.sim.faults(|f| f.notifications.shuffle = true);
    kit.paid(&bca("o")).await;
    assert!(kit.merchant.got().is_empty());
    kit.sim.release_notifications();
    kit.sim.wait_until_delivered().await.unwrap();
    assert_eq!(kit.merchant.statuses(), ["settlement", "pending"]);
    kit.sim.faults(|f| f.notifications.shuffle_after = 2);
    kit.paid(&bca("p")).await;
    assert_eq!(kit.merchant.got().len(), 4, "the second lets both go");
}

#[tokio::test]
async fn delayed_notifications_wait_for_their_time() {
    let kit = Kit::open().await;
    kit.sim.faults(|f| f.notifications.delay_ms = 60_000);
    kit.paid(&bca("o")).await;
    kit.sim.deliver_due().await.unwrap();
    assert!(kit.merchant.got().is_empty());
    kit.clock.advance(Duration::from_secs(60));
    kit.sim.deliver_due().await.unwrap();
    assert_eq!(kit.merchant.statuses(), ["pending", "settlement"]);
}

#[tokio::test]
async fn the_dashboard_test_is_signed_and_belongs_to_no_order() {
    let kit = Kit::open().await;
    assert!(kit.sim.send_test_notification());
    kit.sim.wait_until_delivered().await.unwrap();
    let body = kit.merchant.got().pop().unwrap();
    let order_id = body["order_id"].as_str().unwrap();
    assert!(order_id.starts_with("payment_notif_test_G812785002_"));
    let signed = format!("{order_id}200105000.00SB-Mid-server-simulator");
    assert_eq!(body["signature_key"], hex::encode(Sha512::digest(signed)));
    assert_eq!(kit.status(order_id).await["status_code"], "404");
}
