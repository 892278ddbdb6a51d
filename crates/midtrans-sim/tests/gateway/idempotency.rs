//! The rules of `Idempotency-Key`.

use std::time::Duration;

use midtrans_sim::Failure;
use serde_json::{Value, json};

use crate::kit::{Kit, bca, order, store};

async fn charge(kit: &Kit, key: &str, body: &Value) -> (u16, Value) {
    kit.answer(kit.post("/v2/charge").header("Idempotency-Key", key).json(body)).await
}

#[tokio::test]
async fn the_same_key_gets_the_stored_answer_whatever_the_body_and_the_path() {
    let kit = Kit::open().await;
    let first = charge(&kit, "k", &bca("o")).await;
    assert_eq!(charge(&kit, "k", &bca("o")).await, first);
    assert_eq!(charge(&kit, "k", &bca("another")).await, first);
    let cancelled = kit.answer(kit.post("/v2/o/cancel").header("Idempotency-Key", "k")).await;
    assert_eq!(cancelled, first, "a key shared with the charge does not cancel");
    assert_eq!(kit.sim.transactions().len(), 1);
    assert_eq!(kit.sim.calls()[0].idempotency_key.as_deref(), Some("k"));
}

#[tokio::test]
async fn after_five_minutes_the_key_is_forgotten() {
    let kit = Kit::open().await;
    charge(&kit, "k", &bca("o")).await;
    kit.clock.advance(Duration::from_secs(299));
    assert_eq!(charge(&kit, "k", &bca("o")).await.1["status_code"], "201");
    kit.clock.advance(Duration::from_secs(1));
    assert_eq!(charge(&kit, "k", &bca("o")).await.1["status_code"], "406");
}

#[tokio::test]
async fn only_a_success_is_remembered() {
    let kit = Kit::open().await;
    assert_eq!(charge(&kit, "k", &json!({})).await.0, 400);
    assert_eq!(charge(&kit, "k", &bca("o")).await.1["status_code"], "201");
}

#[tokio::test]
async fn a_key_of_47_characters_protects_nothing() {
    let kit = Kit::open().await;
    for (length, second) in [(46, "201"), (47, "406")] {
        let (key, order_id) = ("k".repeat(length), length.to_string());
        charge(&kit, &key, &bca(&order_id)).await;
        assert_eq!(charge(&kit, &key, &bca(&order_id)).await.1["status_code"], second);
    }
}

#[tokio::test]
async fn permata_and_indomaret_know_no_keys() {
    let kit = Kit::open().await;
    for body in [order("p", "permata"), store("i", "indomaret")] {
        charge(&kit, "k", &body).await;
        assert_eq!(charge(&kit, "k", &body).await.1["status_code"], "406");
    }
}

#[tokio::test]
async fn while_the_first_call_runs_the_second_gets_http_202() {
    let kit = Kit::open().await;
    kit.sim.faults(|f| f.fail_next(1, Failure::Hang));
    let hanging = tokio::spawn(kit.post("/v2/charge").header("Idempotency-Key", "k").json(&bca("o")).send());
    while kit.sim.charge_calls() == 0 {
        tokio::task::yield_now().await;
    }
    let second = kit.post("/v2/charge").header("Idempotency-Key", "k").json(&bca("o")).send().await.unwrap();
    assert_eq!(second.status(), 202);
    hanging.abort();
}
