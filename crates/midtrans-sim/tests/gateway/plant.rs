//! Transactions put into the world as recorded notifications describe them.

use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;

use midtrans_sim::{Options, PlantError, Simulator, Status};
use serde_json::{Value, json};
use sha2::{Digest, Sha512};

use crate::kit::{Kit, bca};

/// Every recorded notification about a payment, with the name of its file.
fn recorded() -> Vec<(String, Value)> {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../midtrans/tests/fixtures");
    let folders = ["notification", "notification_signed", "notification_synthesized"];
    let files = folders.iter().flat_map(|folder| std::fs::read_dir(fixtures.join(folder)).unwrap());
    let read = files.map(|file| {
        let path = file.unwrap().path();
        let body: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        (path.file_name().unwrap().to_string_lossy().into_owned(), body)
    });
    read.filter(|(_, body)| body["order_id"].is_string() && body["transaction_status"].is_string()).collect()
}

/// The code of a status answer about it (contract, section 3).
fn code(body: &Value) -> &'static str {
    match body["transaction_status"].as_str().unwrap() {
        "pending" => "201",
        "capture" if body["fraud_status"] == "challenge" => "201",
        "deny" | "failure" => "202",
        "expire" => "407",
        _ => "200",
    }
}

#[tokio::test]
async fn a_status_agrees_with_every_recorded_notification() {
    let recorded = recorded();
    assert!(recorded.len() > 80, "{} fixtures", recorded.len());
    let (mut kit, mut seen) = (Kit::open().await, HashSet::new());
    for (name, body) in recorded {
        // One world for many, but an order id means one of them only.
        let order_id = body["order_id"].to_string();
        if seen.contains(&order_id) {
            (kit, seen) = (Kit::open().await, HashSet::new());
        }
        seen.insert(order_id);
        let view = kit.sim.plant(&body).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(view.payment_type, body["payment_type"].as_str().unwrap_or_default(), "{name}");
        for id in [&body["order_id"], &body["transaction_id"]] {
            let status = kit.status(id.as_str().unwrap()).await;
            assert_eq!(status["status_code"], code(&body), "{name}");
            let parts = ["order_id", "status_code", "gross_amount"];
            let signed: String = parts.iter().map(|part| status[*part].as_str().unwrap()).collect();
            let signed = hex::encode(Sha512::digest(signed + "SB-Mid-server-simulator"));
            assert_eq!(status["signature_key"], signed, "{name}");
            let mut expected = body.clone();
            for own in ["status_code", "status_message", "signature_key"] {
                expected[own] = status[own].clone();
            }
            assert_eq!(status, expected, "{name}");
        }
        // However long it lies there, it neither expires nor is it told.
        kit.clock.advance(Duration::from_secs(400 * 24 * 3600));
        kit.sim.deliver_due().await.unwrap();
        assert_eq!(kit.sim.transaction(&view.transaction_id), Some(view), "{name}");
        assert!(kit.merchant.got().is_empty(), "{name}");
    }
}

fn notification(order_id: &str, status: &str) -> Value {
    json!({
        "order_id": order_id,
        "transaction_id": format!("id-of-{order_id}"),
        "transaction_status": status,
        "transaction_time": "2026-11-30 07:00:00",
        "gross_amount": "44000.00",
        "currency": "IDR",
        "payment_type": "gopay",
        "fraud_status": "accept",
        "colour": "blue",
    })
}

#[tokio::test]
async fn words_and_methods_nobody_knows_come_back_as_they_were_said() {
    let kit = Kit::open().await;
    let mut body = notification("o", "partial_settlement");
    body["payment_type"] = json!("cowry_shells");
    let view = kit.sim.plant(&body).unwrap();
    assert_eq!((view.status, view.payment_type.as_str()), (Status::Other, "cowry_shells"));
    let status = kit.status("o").await;
    assert_eq!(status["transaction_status"], "partial_settlement");
    assert_eq!((&status["status_code"], &status["colour"]), (&json!("200"), &json!("blue")));
    let odd = [json!("9.99"), json!("44000"), json!(44_000), json!("44000.50")];
    for (at, amount) in odd.iter().enumerate() {
        let mut body = notification(&format!("amount-{at}"), "settlement");
        body["gross_amount"] = amount.clone();
        body["currency"] = json!("SGD");
        kit.sim.plant(&body).unwrap();
        let status = kit.status(&format!("amount-{at}")).await;
        assert_eq!((&status["gross_amount"], &status["currency"]), (amount, &json!("SGD")));
    }
}

#[tokio::test]
async fn what_was_planted_lives_on_as_any_other() {
    let kit = Kit::open().await;
    let mut body = notification("o", "pending");
    body["expiry_time"] = json!("2026-11-29 07:15:00");
    kit.sim.plant(&body).unwrap();
    assert_eq!(kit.status("o").await["transaction_status"], "pending");
    assert_eq!(kit.sim.settle("o").await.unwrap().status, Status::Settlement);
    let status = kit.status("o").await;
    assert_eq!(status["transaction_status"], "settlement");
    assert_eq!((&status["colour"], &status["transaction_time"]), (&json!("blue"), &body["transaction_time"]));
    kit.sim.refund("o", Some(4_000)).await.unwrap();
    assert_eq!(kit.status("o").await["refund_amount"], "4000.00");
    kit.sim.wait_until_delivered().await.unwrap();
    assert_eq!(kit.merchant.statuses(), ["settlement", "partial_refund"]);
}

#[tokio::test]
async fn refunds_that_were_planted_count() {
    let kit = Kit::open().await;
    let mut body = notification("o", "partial_refund");
    body["refund_amount"] = json!("4000.00");
    body["refunds"] = json!([{ "refund_chargeback_id": 7, "refund_amount": "4000.00", "refund_key": "r1" }]);
    assert_eq!(kit.sim.plant(&body).unwrap().refunded, 4_000);
    let wanted = json!({ "refund_key": "r2" });
    let (_, answer) = kit.answer(kit.post("/v2/o/refund").json(&wanted)).await;
    assert_eq!((&answer["refund_amount"], &answer["refund_chargeback_id"]), (&json!("40000.00"), &json!(8)));
    let refunds = &kit.status("o").await["refunds"];
    assert_eq!(
        (refunds[0]["refund_key"].as_str(), refunds[1]["refund_key"].as_str()),
        (Some("r1"), Some("r2"))
    );
}

#[tokio::test]
async fn the_same_transaction_is_planted_in_its_own_place() {
    let kit = Kit::open().await;
    let charged = kit.charge_bca("o").await;
    let mut body = notification("o", "settlement");
    body["transaction_id"] = charged["transaction_id"].clone();
    kit.sim.plant(&body).unwrap();
    assert_eq!(kit.sim.transactions_of("o").len(), 1);
    assert_eq!(kit.status("o").await["payment_type"], "gopay");
    kit.clock.advance(Duration::from_secs(2 * 24 * 3600));
    assert_eq!(kit.status("o").await["transaction_status"], "settlement");
    assert_eq!(kit.charge(&bca("o")).await.1["status_code"], "406");
    let mut second = notification("o", "expire");
    second["transaction_id"] = json!("another-attempt");
    kit.sim.plant(&second).unwrap();
    assert_eq!(kit.status("o").await["status_code"], "407", "the latest");
    assert_eq!(kit.charge(&bca("o")).await.1["status_code"], "201");
}

#[tokio::test]
async fn what_describes_no_payment_is_not_planted() {
    let kit = Kit::open().await;
    assert_eq!(kit.sim.plant(&json!([])), Err(PlantError::NotAnObject));
    let body = notification("o", "settlement");
    for name in ["order_id", "transaction_id", "transaction_status", "gross_amount"] {
        let mut lacking = body.clone();
        lacking.as_object_mut().unwrap().remove(name);
        assert_eq!(kit.sim.plant(&lacking), Err(PlantError::Missing(name)));
    }
    for (name, value) in [("gross_amount", "much"), ("settlement_time", "yesterday")] {
        let mut wrong = body.clone();
        wrong[name] = json!(value);
        assert_eq!(kit.sim.plant(&wrong), Err(PlantError::Malformed(name)));
    }
    assert!(kit.sim.transactions().is_empty());
}

#[tokio::test]
async fn what_was_planted_survives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("world.json");
    let kit = Kit::open_with(|options| options.state_file = Some(file.clone())).await;
    kit.sim.plant(&notification("o", "partial_settlement")).unwrap();
    let before = kit.sim.transactions();
    kit.sim.shutdown().await;
    let options = Options { state_file: Some(file), ..Options::local(kit.clock.clone()) };
    assert_eq!(Simulator::start(options).await.unwrap().transactions(), before);
}
