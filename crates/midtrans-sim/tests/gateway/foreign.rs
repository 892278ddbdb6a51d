//! The messages that are no payment of the merchant's.

use midtrans_sim::Foreign;
use serde_json::{Value, json};
use sha2::{Digest, Sha512};

use crate::kit::Kit;

/// The message as the merchant gets it.
async fn sent(kit: &Kit, kind: Foreign) -> Value {
    assert!(kit.sim.send_foreign(kind));
    kit.sim.wait_until_delivered().await.unwrap();
    kit.merchant.got().pop().unwrap()
}

fn signed(parts: &[&Value], key: &str) -> String {
    let text: String = parts.iter().map(|part| part.as_str().unwrap()).collect();
    hex::encode(Sha512::digest(text + key))
}

#[tokio::test]
async fn a_subscription_is_told_without_a_signature_or_an_order() {
    let kit = Kit::open().await;
    let made = sent(&kit, Foreign::SubscriptionCreated).await;
    assert_eq!((&made["amount"], &made["schedule"]["interval_unit"]), (&json!("14000"), &json!("month")));
    assert_eq!(made["schedule"]["start_time"], "2026-11-30T00:53:20.000000Z");
    let charged = sent(&kit, Foreign::SubscriptionCharge).await;
    assert_eq!(charged["event_name"], "subscription.charge");
    assert_eq!(charged["transaction"]["transaction_status"], "capture");
    for body in [made, charged] {
        assert!(body.get("signature_key").is_none() && body.get("order_id").is_none());
    }
}

#[tokio::test]
async fn a_wallet_account_is_signed_by_a_formula_of_its_own() {
    let kit = Kit::open_with(|options| options.server_key = "SB-Mid-server-test".to_owned()).await;
    for (kind, status, code, fixture) in [
        (Foreign::PayAccountEnabled, "ENABLED", "200", "pay_account_enabled_synthesized"),
        (Foreign::PayAccountDisabled, "DISABLED", "204", "pay_account_disabled_synthesized"),
    ] {
        let body = sent(&kit, kind).await;
        assert_eq!((&body["account_status"], &body["status_code"]), (&json!(status), &json!(code)));
        let parts = [&body["account_id"], &body["account_status"], &body["status_code"]];
        assert_eq!(body["signature_key"], signed(&parts, "SB-Mid-server-test"));
        let path = format!(
            "{}/../midtrans/tests/fixtures/notification_other/{fixture}.json",
            env!("CARGO_MANIFEST_DIR")
        );
        let recorded: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        assert_eq!(body["signature_key"], recorded["signature_key"]);
        let names = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&body), names(&recorded));
    }
}

#[tokio::test]
async fn the_child_of_a_virtual_account_is_signed_and_nobodys_order() {
    let kit = Kit::open().await;
    let body = sent(&kit, Foreign::MultiUseVaChild).await;
    let order_id = body["order_id"].as_str().unwrap();
    assert!(order_id.starts_with("A1") && order_id.ends_with("ID"));
    assert_eq!(body["transaction_status"], "settlement");
    let parts = [&body["order_id"], &body["status_code"], &body["gross_amount"]];
    assert_eq!(body["signature_key"], signed(&parts, "SB-Mid-server-simulator"));
    assert_eq!(kit.status(order_id).await["status_code"], "404");
}

#[tokio::test]
async fn a_script_and_a_button_send_every_foreign_message() {
    let kit = Kit::open().await;
    let page = kit.get("/").send().await.unwrap().text().await.unwrap();
    for name in [
        "subscription_created",
        "subscription_charge",
        "pay_account_enabled",
        "pay_account_disabled",
        "multi_use_va_child",
    ] {
        let path = format!("/sim/notifications/foreign/{name}");
        assert!(page.contains(&path), "{name}");
        assert_eq!(kit.answer(kit.post(&path)).await.0, 200, "{name}");
    }
    kit.sim.wait_until_delivered().await.unwrap();
    assert_eq!(kit.merchant.got().len(), 5);
    assert_eq!(kit.answer(kit.post("/sim/notifications/foreign/poem")).await.0, 404);
    kit.sim.set_notification_url(None);
    assert!(!kit.sim.send_foreign(Foreign::SubscriptionCreated));
    assert_eq!(kit.answer(kit.post("/sim/notifications/foreign/multi_use_va_child")).await.0, 409);
}
