//! The switches for whoever plays a storm: news that lags, comes late, is carried by hand, and calls that hang.

use std::time::Duration;

use midtrans_sim::{Failure, Loss, Refused, Status};
use serde_json::json;

use crate::kit::{Kit, bca, order};

#[tokio::test]
async fn a_status_that_lags_tells_how_it_stood_before_the_latest_change() {
    let kit = Kit::open().await;
    kit.charge_bca("o").await;
    kit.sim.faults(|f| f.api.status_lag_s = 30);
    assert_eq!(kit.status("o").await["status_code"], "404", "it was made a moment ago");
    kit.clock.advance(Duration::from_secs(30));
    assert_eq!(kit.status("o").await["transaction_status"], "pending");
    kit.sim.settle("o").await.unwrap();
    assert_eq!(kit.status("o").await["transaction_status"], "pending");
    kit.clock.advance(Duration::from_secs(30));
    assert_eq!(kit.status("o").await["transaction_status"], "settlement");
}

#[tokio::test]
async fn money_can_come_after_the_expiry() {
    let kit = Kit::open().await;
    kit.charge_bca("o").await;
    assert_eq!(kit.sim.settle_late("o").await, Err(Refused::Illegal));
    kit.sim.expire("o").await.unwrap();
    assert_eq!(kit.sim.settle_late("o").await.unwrap().status, Status::Settlement);
    assert_eq!(kit.status("o").await["transaction_status"], "settlement");
    let mut card = order("c", "credit_card");
    card["credit_card"] = json!({ "token_id": "481111-1114-token", "type": "authorize" });
    kit.charge(&card).await;
    kit.sim.expire("c").await.unwrap();
    assert_eq!(kit.sim.settle_late("c").await, Err(Refused::Illegal));
}

#[tokio::test]
async fn notifications_that_are_held_back_can_be_carried_by_hand() {
    let kit = Kit::open().await;
    kit.sim.faults(|f| f.notifications.shuffle = true);
    kit.charge_bca("o").await;
    kit.sim.settle("o").await.unwrap();
    let taken = kit.sim.take_notifications();
    let told: Vec<_> = taken.iter().map(|body| body["transaction_status"].as_str().unwrap()).collect();
    assert_eq!(told, ["pending", "settlement"]);
    assert!(kit.sim.take_notifications().is_empty());
    kit.sim.release_notifications();
    kit.sim.wait_until_delivered().await.unwrap();
    assert!(kit.merchant.got().is_empty(), "what was taken is not sent");
}

#[tokio::test]
async fn whoever_hangs_is_cut_off_when_somebody_hangs_up() {
    let kit = Kit::open().await;
    kit.sim.faults(|f| f.fail_next(1, Failure::Hang));
    let hanging = tokio::spawn(kit.post("/v2/charge").json(&bca("o")).send());
    kit.sim.falls_silent().await;
    kit.sim.hang_up().await;
    assert!(hanging.await.unwrap().is_err());
    assert!(kit.sim.transactions().is_empty());
    kit.sim.faults(|f| f.lose_charge_answers(1, Loss::Hang));
    let hanging = tokio::spawn(kit.post("/v2/charge").json(&bca("o")).send());
    kit.sim.falls_silent().await;
    assert_eq!(kit.sim.transactions_of("o").len(), 1, "it was made all the same");
    kit.sim.hang_up().await;
    assert!(hanging.await.unwrap().is_err());
}

#[tokio::test]
async fn the_answer_of_any_call_can_be_lost_after_it_was_carried_out() {
    let kit = Kit::open().await;
    kit.charge_bca("o").await;
    kit.sim.faults(|f| f.lose_answers(1, Loss::Cut));
    assert!(kit.post("/v2/o/cancel").send().await.is_err());
    assert_eq!(kit.status("o").await["transaction_status"], "cancel");
}
