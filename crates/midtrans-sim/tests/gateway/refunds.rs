//! Money given back: keys, amounts and the pair of notifications.

use std::time::Duration;

use serde_json::{Value, json};

use crate::kit::{Kit, bca, order};

async fn refund(kit: &Kit, path: &str, body: &Value) -> Value {
    let (http, body) = kit.answer(kit.post(&format!("/v2/{path}")).json(body)).await;
    assert_eq!(http, 200);
    body
}

#[tokio::test]
async fn a_refund_is_told_twice_and_the_second_time_the_bank_has_confirmed() {
    let kit = Kit::open().await;
    kit.paid(&order("g", "gopay")).await;
    let answer = refund(&kit, "g/refund", &json!({ "refund_key": "r1", "amount": 4_000 })).await;
    assert_eq!(
        (&answer["status_code"], &answer["transaction_status"]),
        (&json!("200"), &json!("partial_refund"))
    );
    assert!(answer["refund_chargeback_id"].is_u64());
    kit.clock.advance(Duration::from_secs(600));
    kit.sim.deliver_due().await.unwrap();
    assert_eq!(kit.merchant.statuses(), ["pending", "settlement", "partial_refund", "partial_refund"]);
    let got = kit.merchant.got();
    assert!(got[2]["refunds"][0].get("bank_confirmed_at").is_none());
    assert!(got[3]["refunds"][0]["bank_confirmed_at"].is_string());
    assert_eq!(got[1]["signature_key"], got[3]["signature_key"], "the status is not signed");
}

#[tokio::test]
async fn refunds_add_up_and_never_exceed_what_was_paid() {
    let kit = Kit::open().await;
    kit.paid(&order("g", "gopay")).await;
    refund(&kit, "g/refund", &json!({ "refund_key": "r1", "amount": 4_000 })).await;
    let too_much = refund(&kit, "g/refund", &json!({ "refund_key": "r2", "amount": 40_001 })).await;
    assert_eq!(too_much["status_code"], "414");
    let rest = refund(&kit, "g/refund/online/direct", &json!({ "refund_key": "r3" })).await;
    assert_eq!((&rest["transaction_status"], &rest["refund_amount"]), (&json!("refund"), &json!("40000.00")));
    let status = kit.status("g").await;
    assert_eq!(
        (&status["refund_amount"], &status["transaction_status"]),
        (&json!("44000.00"), &json!("refund"))
    );
}

#[tokio::test]
async fn the_same_refund_key_is_the_same_refund() {
    let kit = Kit::open().await;
    kit.paid(&order("g", "gopay")).await;
    let body = json!({ "refund_key": "r1", "amount": 4_000 });
    let first = refund(&kit, "g/refund", &body).await;
    let again = refund(&kit, "g/refund", &body).await;
    assert_eq!(again["refund_chargeback_id"], first["refund_chargeback_id"]);
    assert_eq!(kit.status("g").await["refund_amount"], "4000.00");
    kit.sim.faults(|f| f.api.refuse_repeated_refund_key = true);
    assert_eq!(refund(&kit, "g/refund", &body).await["status_code"], "406");
}

#[tokio::test]
async fn a_refund_key_means_the_same_refund_for_seven_days() {
    let kit = Kit::open().await;
    kit.paid(&order("g", "gopay")).await;
    let body = json!({ "refund_key": "r1", "amount": 4_000 });
    for (days, code) in [(0, "200"), (7, "200"), (8, "406")] {
        kit.clock.advance(std::time::Duration::from_secs(days * 24 * 3600 / 2));
        if days == 8 {
            kit.clock.advance(std::time::Duration::from_secs(days * 24 * 3600 / 2));
        }
        assert_eq!(refund(&kit, "g/refund", &body).await["status_code"], code, "after {days} days");
    }
    assert_eq!(kit.status("g").await["refund_amount"], "4000.00");
}

#[tokio::test]
async fn a_bank_transfer_cannot_be_refunded_and_a_bank_may_deny() {
    let kit = Kit::open().await;
    kit.paid(&bca("o")).await;
    assert_eq!(refund(&kit, "o/refund", &json!({})).await["status_code"], "412");
    kit.paid(&order("g", "gopay")).await;
    kit.sim.faults(|f| f.api.deny_direct_refunds = true);
    let denied = refund(&kit, "g/refund/online/direct", &json!({ "refund_key": "r" })).await;
    assert_eq!(
        (&denied["status_code"], &denied["transaction_status"]),
        (&json!("202"), &json!("settlement"))
    );
    assert_eq!(denied["refund_amount"], "0.00");
}
