//! Money that the house gives back: once, never more than was paid, and told apart from what others give back.

use std::time::Duration;

use domain::{Failure, Invoice, Rupiah, State};
use midtrans_sim::{Calls, Failure as Fault, Status};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::kost::{Answer, Kost, Tenant};

stories![
    money_is_given_back_in_parts_until_nothing_is_left,
    a_refund_is_confirmed_by_the_bank_with_its_second_notification,
    the_same_refund_is_never_made_twice_whatever_is_lost,
    a_bank_that_says_no_is_heard_and_can_be_asked_anew,
    what_the_method_does_not_give_back_is_refused_with_the_reason,
    a_refund_of_ours_and_one_made_elsewhere_are_told_apart,
    a_captured_card_is_voided_instead_of_refunded,
    a_part_of_a_card_is_given_back_once_it_is_settled,
    a_part_that_waits_hides_no_reversal,
    nobody_pays_again_on_the_page_of_a_card_that_was_voided,
    a_refund_that_was_made_unheard_is_learned_from_the_total_alone,
    a_refund_is_asked_for_once_with_one_idempotency_key,
    a_refund_whose_answer_was_never_kept_is_not_made_again,
    a_void_whose_answer_was_lost_is_seen_behind_a_try_that_failed,
    a_try_that_was_under_way_is_cancelled_with_the_card_that_is_voided,
    an_admins_look_is_brought_forward_whoever_waits_already,
    a_refund_whose_job_died_is_taken_up_again,
    what_lists_our_key_is_not_asked_for_again,
    a_refund_that_waits_while_the_money_goes_elsewhere_is_refused,
];

async fn paid(kost: &Kost, method: &str) -> (Tenant, Invoice, String) {
    let (budi, invoice) = kost.paying("Budi", method).await;
    let sari = kost.admin("Sari").await;
    kost.sim.settle(invoice.as_str()).await.unwrap();
    kost.run_jobs().await;
    assert_eq!(kost.payment(&invoice).await.state, State::Paid);
    (budi, invoice, sari)
}

async fn give_back(kost: &Kost, admin: &str, (invoice, amount): (&Invoice, Option<i64>)) -> Answer {
    let mut wish = json!({ "reason": "moved out" });
    if let Some(amount) = amount {
        wish["amount"] = json!(amount);
    }
    let path = format!("/api/admin/payments/{invoice}/refund");
    kost.send(kost.request_of(admin, Method::POST, &path).json(&wish)).await
}

async fn refunds(kost: &Kost, admin: &str, invoice: &Invoice) -> Vec<Value> {
    let path = format!("/api/admin/payments/{invoice}");
    let full = kost.send(kost.request_of(admin, Method::GET, &path)).await.body;
    full["refunds"].as_array().unwrap().clone()
}

async fn money_is_given_back_in_parts_until_nothing_is_left(kost: Kost) {
    let (budi, invoice, sari) = paid(&kost, "gopay").await;
    let answer = give_back(&kost, &sari, (&invoice, Some(250_000))).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.body);
    assert_eq!((&answer.body["amount"], &answer.body["status"]), (&json!(250_000), &json!("wanted")));
    kost.run_jobs().await;
    let total = Rupiah::try_from(250_000).unwrap();
    assert_eq!(kost.payment(&invoice).await.state, State::PartiallyRefunded { total });
    assert_eq!(kost.bill_status(&budi).await, "paid");

    let too_much = give_back(&kost, &sari, (&invoice, Some(1_000_001))).await;
    assert_eq!(too_much.status, StatusCode::CONFLICT);
    assert_eq!(too_much.body["type"], "/problems/not-refundable");
    assert_eq!(too_much.body["detail"], "between Rp1 and Rp1.000.000 can be given back");
    assert_eq!(give_back(&kost, &sari, (&invoice, None)).await.body["amount"], 1_000_000);
    kost.run_jobs().await;
    assert_eq!(kost.payment(&invoice).await.state, State::Refunded);
    assert_eq!(kost.bill_status(&budi).await, "unpaid");
    assert_eq!(kost.get(&budi, &format!("/api/payment/{invoice}")).await.body["status"], "refunded");
    assert_eq!(give_back(&kost, &sari, (&invoice, None)).await.status, StatusCode::CONFLICT);
    assert_eq!(kost.findings().await, [""; 0], "it was us");
    assert_eq!(
        kost.life(&invoice).await,
        ["created", "asked", "pending", "paid", "partially_refunded", "refunded"]
    );
    let audit = kost.send(kost.request_of(&sari, Method::GET, "/api/admin/audit")).await.body;
    assert_eq!((&audit[0]["action"], &audit[0]["reason"]), (&json!("payment.refund"), &json!("moved out")));
    kost.close().await;
}

async fn a_refund_is_confirmed_by_the_bank_with_its_second_notification(kost: Kost) {
    // Kredivo is not asked directly: the bank takes its time.
    let (_, invoice, sari) = paid(&kost, "kredivo").await;
    give_back(&kost, &sari, (&invoice, Some(100_000))).await;
    kost.run_jobs().await;
    assert_eq!(refunds(&kost, &sari, &invoice).await[0]["status"], "accepted");
    kost.pass(Duration::from_secs(301)).await;
    let refund = refunds(&kost, &sari, &invoice).await.remove(0);
    assert_eq!((&refund["status"], &refund["ours"]), (&json!("confirmed"), &json!(true)));
    assert!(refund["confirmedAt"].is_string(), "{refund}");
    assert_eq!(kost.life(&invoice).await.len(), 5, "the bank's word is no change of the payment");
    kost.close().await;
}

async fn the_same_refund_is_never_made_twice_whatever_is_lost(kost: Kost) {
    let (_, invoice, sari) = paid(&kost, "gopay").await;
    for fault in [Fault::ServerError, Fault::Hang, Fault::HtmlBadGateway, Fault::RateLimited] {
        kost.sim.faults(|faults| faults.fail_next_of(Calls::Action, 1, fault));
        assert_eq!(give_back(&kost, &sari, (&invoice, Some(100_000))).await.status, StatusCode::ACCEPTED);
        kost.run_jobs().await;
        kost.pass(Duration::from_secs(61)).await;
        kost.pass(Duration::from_secs(61)).await;
    }
    assert_eq!(kost.transaction(&invoice).refunded, 400_000);
    assert!(refunds(&kost, &sari, &invoice).await.iter().all(|refund| refund["status"] == "confirmed"));
    kost.close().await;
}

async fn a_bank_that_says_no_is_heard_and_can_be_asked_anew(kost: Kost) {
    let (budi, invoice, sari) = paid(&kost, "gopay").await;
    kost.sim.faults(|faults| faults.api.deny_direct_refunds = true);
    give_back(&kost, &sari, (&invoice, None)).await;
    kost.run_jobs().await;
    assert_eq!(kost.payment(&invoice).await.state, State::Paid);
    assert_eq!(kost.bill_status(&budi).await, "paid");
    let refund = refunds(&kost, &sari, &invoice).await.remove(0);
    assert_eq!(
        (&refund["status"], &refund["answer"]),
        (&json!("refused"), &json!("Refund denied by the bank"))
    );
    kost.sim.faults(|faults| faults.api.deny_direct_refunds = false);
    assert_eq!(give_back(&kost, &sari, (&invoice, None)).await.status, StatusCode::ACCEPTED);
    kost.run_jobs().await;
    assert_eq!(kost.payment(&invoice).await.state, State::Refunded);
    kost.close().await;
}

async fn what_the_method_does_not_give_back_is_refused_with_the_reason(kost: Kost) {
    let (_, invoice, sari) = paid(&kost, "bca").await;
    let answer = give_back(&kost, &sari, (&invoice, None)).await;
    assert_eq!(answer.status, StatusCode::CONFLICT);
    assert!(answer.body["detail"].as_str().unwrap().contains("by hand"), "{}", answer.body);
    let path = format!("/api/admin/payments/{invoice}/refund");
    for body in [json!({}), json!({ "reason": " " }), json!({ "reason": "x", "amount": -1 })] {
        let answer = kost.send(kost.request_of(&sari, Method::POST, &path).json(&body)).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
    }
    let zero = kost
        .send(kost.request_of(&sari, Method::POST, &path).json(&json!({ "reason": "x", "amount": 0 })))
        .await;
    assert_eq!(zero.status, StatusCode::CONFLICT);
    kost.close().await;
}

async fn a_refund_of_ours_and_one_made_elsewhere_are_told_apart(kost: Kost) {
    let (_, invoice, sari) = paid(&kost, "gopay").await;
    give_back(&kost, &sari, (&invoice, Some(100_000))).await;
    kost.run_jobs().await;
    kost.sim.refund(invoice.as_str(), Some(200_000)).await.unwrap();
    kost.run_jobs().await;
    let total = Rupiah::try_from(300_000).unwrap();
    assert_eq!(kost.payment(&invoice).await.state, State::PartiallyRefunded { total });
    assert_eq!(kost.findings().await, ["external_refund"]);
    let both = refunds(&kost, &sari, &invoice).await;
    assert_eq!(
        both.iter().map(|refund| refund["ours"].as_bool().unwrap()).collect::<Vec<_>>(),
        [true, false]
    );
    // Asked again and again, it stays one finding.
    for _ in 0..3 {
        kost.sync(&invoice).await;
    }
    assert_eq!(kost.findings().await, ["external_refund"]);
    kost.close().await;
}

async fn captured(kost: &Kost) -> (Tenant, Invoice, String) {
    let (budi, invoice) = kost.paying("Budi", "card").await;
    let sari = kost.admin("Sari").await;
    kost.sim.pay_on_page(invoice.as_str(), "4811111111111114").await.unwrap();
    kost.run_jobs().await;
    assert_eq!(kost.payment(&invoice).await.state, State::Paid);
    (budi, invoice, sari)
}

async fn a_captured_card_is_voided_instead_of_refunded(kost: Kost) {
    let (budi, invoice, sari) = captured(&kost).await;
    give_back(&kost, &sari, (&invoice, None)).await;
    kost.run_jobs().await;
    assert_eq!(kost.transaction(&invoice).status, Status::Cancel);
    assert_eq!(kost.payment(&invoice).await.state, State::Failed(Failure::Reversed));
    assert_eq!(kost.bill_status(&budi).await, "unpaid");
    assert_eq!(refunds(&kost, &sari, &invoice).await[0]["status"], "confirmed");
    assert_eq!(kost.findings().await, [""; 0], "we wanted it so");
    kost.close().await;
}

async fn a_part_of_a_card_is_given_back_once_it_is_settled(kost: Kost) {
    let (_, invoice, sari) = captured(&kost).await;
    give_back(&kost, &sari, (&invoice, Some(250_000))).await;
    kost.run_jobs().await;
    assert_eq!(kost.payment(&invoice).await.state, State::Paid, "a capture gives back no parts");
    kost.sim.settle(invoice.as_str()).await.unwrap();
    kost.run_jobs().await;
    kost.pass(Duration::from_secs(3601)).await;
    let total = Rupiah::try_from(250_000).unwrap();
    assert_eq!(kost.payment(&invoice).await.state, State::PartiallyRefunded { total });
    kost.close().await;
}

async fn a_part_that_waits_hides_no_reversal(kost: Kost) {
    let (budi, invoice, sari) = captured(&kost).await;
    give_back(&kost, &sari, (&invoice, Some(250_000))).await;
    kost.run_jobs().await;
    // The bank takes all of it back before it is settled.
    kost.sim.cancel(invoice.as_str()).await.unwrap();
    kost.run_jobs().await;
    assert_eq!(kost.payment(&invoice).await.state, State::Failed(Failure::Reversed));
    assert_eq!(kost.findings().await, ["reversal"]);
    kost.pass(Duration::from_secs(3601)).await;
    assert_eq!(
        refunds(&kost, &sari, &invoice).await[0]["status"],
        "refused",
        "nothing was given back in part"
    );
    assert_eq!(kost.bill_status(&budi).await, "unpaid");
    kost.close().await;
}

async fn nobody_pays_again_on_the_page_of_a_card_that_was_voided(kost: Kost) {
    let (_, invoice, sari) = captured(&kost).await;
    give_back(&kost, &sari, (&invoice, None)).await;
    kost.run_jobs().await;
    assert!(kost.sim.pages()[0].canceled.is_some());
    assert!(kost.sim.pay_on_page(invoice.as_str(), "4811111111111114").await.is_err());
    kost.close().await;
}

/// Some answers tell the sum that went back and no single refund.
async fn a_refund_that_was_made_unheard_is_learned_from_the_total_alone(kost: Kost) {
    let (_, invoice, sari) = paid(&kost, "gopay").await;
    kost.sim.faults(|faults| faults.fail_next_of(Calls::Action, 1, Fault::HtmlBadGateway));
    give_back(&kost, &sari, (&invoice, None)).await;
    kost.run_jobs().await;
    let transaction = kost.transaction(&invoice);
    let told = json!({
        "order_id": invoice, "transaction_id": transaction.transaction_id, "gross_amount": "1250000.00",
        "transaction_status": "refund", "fraud_status": "accept", "payment_type": "gopay", "status_code": "200",
        "transaction_time": "2026-11-24 10:00:00", "settlement_time": "2026-11-24 10:00:00",
        "refund_amount": "1250000.00",
    });
    kost.sim.plant(&told).unwrap();
    let asked = kost.sim.calls().iter().filter(|call| call.path.contains("/refund")).count();
    kost.pass(Duration::from_secs(61)).await;
    assert_eq!(kost.payment(&invoice).await.state, State::Refunded);
    assert_eq!(refunds(&kost, &sari, &invoice).await[0]["status"], "accepted");
    assert_eq!(kost.sim.calls().iter().filter(|call| call.path.contains("/refund")).count(), asked);
    assert_eq!(kost.findings().await, [""; 0]);
    kost.close().await;
}

/// Asks for a refund, always with the same Idempotency-Key.
async fn refund_with_one_key(kost: &Kost, admin: &str, (path, wish): (&str, &Value)) -> StatusCode {
    let request = kost.request_of(admin, Method::POST, path).header("idempotency-key", "r-1");
    kost.send(request.json(wish)).await.status
}

async fn a_refund_is_asked_for_once_with_one_idempotency_key(kost: Kost) {
    let (_, invoice, sari) = paid(&kost, "gopay").await;
    let path = format!("/api/admin/payments/{invoice}/refund");
    let wish = json!({ "amount": 250_000, "reason": "moved out" });
    for _ in 0..3 {
        assert_eq!(refund_with_one_key(&kost, &sari, (&path, &wish)).await, StatusCode::ACCEPTED);
    }
    kost.run_jobs().await;
    assert_eq!(kost.transaction(&invoice).refunded, 250_000);
    let other = json!({ "amount": 1, "reason": "moved out" });
    assert_eq!(refund_with_one_key(&kost, &sari, (&path, &other)).await, StatusCode::UNPROCESSABLE_ENTITY);
    kost.close().await;
}

/// The refund was committed, and the process died before its answer was kept: the key is free again after a minute.
async fn a_refund_whose_answer_was_never_kept_is_not_made_again(kost: Kost) {
    let (_, invoice, sari) = paid(&kost, "gopay").await;
    let path = format!("/api/admin/payments/{invoice}/refund");
    let wish = json!({ "amount": 250_000, "reason": "moved out" });
    for _ in 0..3 {
        assert_eq!(refund_with_one_key(&kost, &sari, (&path, &wish)).await, StatusCode::ACCEPTED);
        kost.execute("DELETE FROM idempotency_keys").await;
        kost.pass(Duration::from_secs(61)).await;
    }
    assert_eq!(kost.transaction(&invoice).refunded, 250_000);
    assert_eq!(refunds(&kost, &sari, &invoice).await.len(), 1);
    kost.close().await;
}

/// Two tries: the first is paid, the second fails, and then the first is voided and nobody of us hears of it.
async fn a_void_whose_answer_was_lost_is_seen_behind_a_try_that_failed(kost: Kost) {
    let (budi, invoice) = kost.paying("Budi", "card").await;
    let sari = kost.admin("Sari").await;
    let mut tries = Vec::new();
    for card in ["4811111111111114", "4911111111111113"] {
        tries.push(kost.sim.begin_on_page(invoice.as_str(), card).await.unwrap().transaction_id);
        kost.run_jobs().await;
    }
    for id in &tries {
        kost.sim.prove(id).await.unwrap();
        kost.run_jobs().await;
    }
    assert_eq!(kost.payment(&invoice).await.state, State::Paid);
    let held = kost.hold_jobs().await;
    give_back(&kost, &sari, (&invoice, None)).await;
    kost.execute("UPDATE refunds SET state = 'asked'").await;
    kost.sim.faults(|faults| faults.notifications.drop_all = true);
    kost.sim.cancel(&tries[0]).await.unwrap();
    drop(held);
    kost.run_jobs().await;
    assert_eq!(kost.payment(&invoice).await.state, State::Failed(Failure::Reversed));
    assert_eq!(refunds(&kost, &sari, &invoice).await[0]["status"], "confirmed");
    assert_eq!(kost.bill_status(&budi).await, "unpaid");
    kost.close().await;
}

async fn a_try_that_was_under_way_is_cancelled_with_the_card_that_is_voided(kost: Kost) {
    let (_, invoice) = kost.paying("Budi", "card").await;
    let sari = kost.admin("Sari").await;
    let first = kost.sim.begin_on_page(invoice.as_str(), "4811111111111114").await.unwrap().transaction_id;
    kost.run_jobs().await;
    let second = kost.sim.begin_on_page(invoice.as_str(), "4811111111111114").await.unwrap().transaction_id;
    kost.run_jobs().await;
    kost.sim.prove(&first).await.unwrap();
    kost.run_jobs().await;
    give_back(&kost, &sari, (&invoice, None)).await;
    kost.run_jobs().await;
    assert_eq!(kost.payment(&invoice).await.state, State::Failed(Failure::Reversed));
    assert!(kost.sim.prove(&second).await.is_err(), "nobody can pay by it any more");
    kost.close().await;
}

async fn an_admins_look_is_brought_forward_whoever_waits_already(kost: Kost) {
    let (_, invoice) = kost.paying("Budi", "bca").await;
    let sari = kost.admin("Sari").await;
    kost.sim.faults(|faults| {
        faults.notifications.drop_all = true;
        faults.fail_always(Fault::Unavailable);
    });
    kost.sim.settle(invoice.as_str()).await.unwrap();
    for _ in 0..4 {
        kost.pass(Duration::from_secs(61)).await;
    }
    kost.sim.faults(|faults| faults.api = midtrans_sim::ApiFaults::default());
    let path = format!("/api/admin/payments/{invoice}/sync");
    let answer = kost.send(kost.request_of(&sari, Method::POST, &path)).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.body);
    kost.run_jobs().await;
    assert_eq!(kost.payment(&invoice).await.state, State::Paid);
    kost.close().await;
}

async fn a_refund_whose_job_died_is_taken_up_again(kost: Kost) {
    let (_, invoice, sari) = paid(&kost, "gopay").await;
    let held = kost.hold_jobs().await;
    give_back(&kost, &sari, (&invoice, None)).await;
    kost.execute("UPDATE jobs SET state = 'cancelled' WHERE kind = 'refund_payment'").await;
    drop(held);
    kost.pass(Duration::from_secs(9 * 60)).await;
    assert_eq!(kost.payment(&invoice).await.state, State::Paid);
    kost.pass(Duration::from_secs(2 * 60)).await;
    assert_eq!(kost.payment(&invoice).await.state, State::Refunded);
    kost.close().await;
}

/// Our first asking had arrived, and nobody of us lived to hear the answer.
async fn what_lists_our_key_is_not_asked_for_again(kost: Kost) {
    let (_, invoice, sari) = paid(&kost, "gopay").await;
    let held = kost.hold_jobs().await;
    give_back(&kost, &sari, (&invoice, Some(250_000))).await;
    let refund =
        store::refunds::of_payment(&kost.db, kost.payment(&invoice).await.id).await.unwrap().remove(0);
    let order =
        midtrans::RefundOrder { key: refund.key, amount: refund.amount, reason: refund.reason, direct: true };
    kost.gateway().refund(invoice.as_str(), &order).await.unwrap();
    let asked = || kost.sim.calls().iter().filter(|call| call.path.contains("/refund")).count();
    let before = asked();
    drop(held);
    kost.run_jobs().await;
    assert_eq!(asked(), before, "GET status was enough");
    assert_eq!(refunds(&kost, &sari, &invoice).await[0]["status"], "confirmed");
    assert_eq!(kost.transaction(&invoice).refunded, 250_000);
    kost.close().await;
}

async fn a_refund_that_waits_while_the_money_goes_elsewhere_is_refused(kost: Kost) {
    let (_, invoice, sari) = paid(&kost, "gopay").await;
    let held = kost.hold_jobs().await;
    assert_eq!(give_back(&kost, &sari, (&invoice, Some(500_000))).await.status, StatusCode::ACCEPTED);
    // Somebody at the dashboard was quicker, and gave everything back.
    kost.sim.refund(invoice.as_str(), None).await.unwrap();
    drop(held);
    kost.run_jobs().await;
    assert_eq!(kost.payment(&invoice).await.state, State::Refunded);
    assert_eq!(kost.transaction(&invoice).refunded, 1_250_000);
    let ours = refunds(&kost, &sari, &invoice).await.remove(0);
    assert_eq!((&ours["ours"], &ours["status"]), (&json!(true), &json!("refused")));
    assert_eq!(kost.findings().await, ["external_refund"]);
    kost.close().await;
}
