//! Wallets with manners of their own: DANA, which the gateway knows by its own name only, and OVO, which rings.

use std::time::Duration;

use domain::{Failure, Invoice, State};
use midtrans_sim::{Loss, Status};
use reqwest::StatusCode;
use serde_json::json;

use crate::kost::Kost;

stories![
    dana_is_asked_for_by_its_own_name,
    a_dana_whose_answer_was_lost_is_learned_by_the_same_key,
    a_dana_that_nobody_wants_is_cancelled_before_the_next_method_is_charged,
    a_dana_that_may_have_arrived_is_waited_for,
    a_dana_that_is_paid_before_we_know_its_name_is_learned_from_the_notification,
    a_notification_that_names_the_transaction_in_place_of_the_order_finds_its_payment,
    ovo_rings_at_the_number_that_was_given,
    ovo_without_a_number_is_refused_and_the_tenants_own_is_used,
    a_wallet_that_ovo_does_not_know_fails_the_payment,
    a_method_takes_what_it_takes,
];

async fn dana_is_asked_for_by_its_own_name(kost: Kost) {
    kost.sim.faults(|faults| faults.notifications.drop_all = true);
    let (budi, invoice) = kost.paying("Budi", "dana").await;
    let payment = kost.payment(&invoice).await;
    assert_eq!(payment.state, State::Pending);
    assert!(payment.transaction_id.unwrap().as_str().starts_with("A1"));
    kost.sim.settle(invoice.as_str()).await.unwrap();
    kost.pass(Duration::from_secs(61)).await;
    assert_eq!(kost.payment(&invoice).await.state, State::Paid);
    assert_eq!(kost.bill_status(&budi).await, "paid");
    kost.close().await;
}

async fn a_dana_whose_answer_was_lost_is_learned_by_the_same_key(kost: Kost) {
    let budi = kost.tenant("Budi").await;
    kost.sim.faults(|faults| faults.lose_charge_answers(1, Loss::Cut));
    let invoice = kost.pay(&budi, "dana").await;
    kost.run_jobs().await;
    kost.pass(Duration::from_secs(5)).await;
    assert_eq!(kost.payment(&invoice).await.state, State::Pending);
    assert_eq!(kost.sim.transactions().len(), 1, "the second charge is the first one's answer");
    kost.close().await;
}

async fn a_dana_that_nobody_wants_is_cancelled_before_the_next_method_is_charged(kost: Kost) {
    let (budi, dana) = kost.paying("Budi", "dana").await;
    let account = kost.pay(&budi, "bca").await;
    kost.run_jobs().await;
    assert_eq!(kost.transaction(&dana).status, Status::Cancel);
    assert_eq!(kost.payment(&dana).await.state, State::Failed(Failure::Cancelled));
    assert_eq!(kost.payment(&account).await.state, State::Pending);
    kost.close().await;
}

/// Every answer to a charge is lost, and the payer changes to another method: since the gateway knows DANA by no invoice,
/// that it has no such transaction proves nothing before the transaction's own time is over.
async fn a_dana_that_may_have_arrived_is_waited_for(kost: Kost) {
    let budi = kost.tenant("Budi").await;
    kost.sim.faults(|faults| {
        faults.notifications.drop_all = true;
        faults.lose_charge_answers(1, Loss::Cut);
    });
    let dana = kost.pay(&budi, "dana").await;
    kost.run_jobs().await;
    assert_eq!(kost.payment(&dana).await.state, State::Asked);
    let account = kost.pay(&budi, "bca").await;
    kost.run_jobs().await;
    kost.pass(Duration::from_secs(5 * 60)).await;
    assert_eq!(kost.payment(&account).await.state, State::Created, "nothing is charged beside it");
    kost.pass(Duration::from_secs(12 * 60)).await;
    kost.pass(Duration::from_secs(10)).await;
    assert!(matches!(kost.payment(&dana).await.state, State::Failed(_)));
    assert_eq!(kost.transaction(&dana).status, Status::Expire);
    assert_eq!(kost.payment(&account).await.state, State::Pending);
    kost.close().await;
}

/// The key's five minutes are over, so only the notification can tell the name; and what it names must name our invoice.
async fn a_dana_that_is_paid_before_we_know_its_name_is_learned_from_the_notification(kost: Kost) {
    let budi = kost.tenant("Budi").await;
    kost.sim.faults(|faults| {
        faults.notifications.drop_all = true;
        faults.lose_charge_answers(1, Loss::Cut);
    });
    let invoice = kost.pay(&budi, "dana").await;
    kost.run_jobs().await;
    kost.sim.faults(|faults| faults.fail_always(midtrans_sim::Failure::Unavailable));
    kost.pass(Duration::from_secs(6 * 60)).await;
    kost.sim.faults(midtrans_sim::Faults::reset);
    assert_eq!(kost.payment(&invoice).await.state, State::Asked);
    kost.sim.settle(&kost.transaction(&invoice).transaction_id).await.unwrap();
    kost.run_jobs().await;
    kost.pass(Duration::from_secs(6 * 60)).await;
    assert_eq!(kost.payment(&invoice).await.state, State::Paid);
    assert_eq!(kost.sim.transactions().len(), 1);
    kost.close().await;
}

async fn a_notification_that_names_the_transaction_in_place_of_the_order_finds_its_payment(kost: Kost) {
    let (_, invoice) = kost.paying("Budi", "dana").await;
    let transaction = kost.transaction(&invoice).transaction_id;
    kost.sim.faults(|faults| faults.notifications.drop_all = true);
    kost.sim.settle(invoice.as_str()).await.unwrap();
    let key = crate::kost::SERVER_KEY.into();
    let body = json!({
        "order_id": transaction, "transaction_id": transaction, "transaction_status": "settlement",
        "status_code": "200", "gross_amount": "1250000.00", "payment_type": "dana",
        "signature_key": midtrans::sign(&transaction, "200", "1250000.00", &key),
    });
    assert_eq!(kost.notify(body.to_string()).await.status, StatusCode::CREATED);
    kost.run_jobs().await;
    assert_eq!(kost.payment(&invoice).await.state, State::Paid);
    assert_eq!(kost.findings().await, [""; 0]);
    kost.close().await;
}

async fn ovo_rings_at_the_number_that_was_given(kost: Kost) {
    let budi = kost.tenant("Budi").await;
    let answer = kost.try_pay_by(&budi, &json!({ "payment": "ovo", "phone": "0812-3456-7890" })).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
    let invoice = Invoice::try_from(answer.body["invoice"].as_str().unwrap()).unwrap();
    kost.run_jobs().await;
    let shown = kost.get(&budi, &format!("/api/payment/{invoice}")).await.body;
    assert_eq!(shown["payment"]["instruction"], json!({ "kind": "push", "phone": "081234567890" }));
    // It has little more than a minute.
    kost.pass(Duration::from_secs(70)).await;
    assert_eq!(kost.payment(&invoice).await.state, State::Failed(Failure::Expired));
    kost.close().await;
}

async fn ovo_without_a_number_is_refused_and_the_tenants_own_is_used(kost: Kost) {
    let budi = kost.tenant("Budi").await;
    let sari = kost.admin("Sari").await;
    let answer = kost.try_pay(&budi, "ovo").await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(answer.body["detail"].as_str().unwrap().contains("`phone` is missing"), "{}", answer.body);
    for bad in ["12", "not a number", "0812345678901234", "+"] {
        let answer = kost.try_pay_by(&budi, &json!({ "payment": "ovo", "phone": bad })).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{bad}");
    }
    let path = format!("/api/admin/tenants/{}", budi.id);
    let phone = json!({ "phone": "+6281298765432" });
    kost.send(kost.request_of(&sari, reqwest::Method::PATCH, &path).json(&phone)).await;
    let invoice = kost.pay(&budi, "ovo").await;
    kost.run_jobs().await;
    assert_eq!(kost.payment(&invoice).await.payer_phone.as_deref(), Some("+6281298765432"));
    assert_eq!(kost.transaction(&invoice).instruction["payer_phone_number"], "+6281298765432");
    kost.close().await;
}

async fn a_wallet_that_ovo_does_not_know_fails_the_payment(kost: Kost) {
    let budi = kost.tenant("Budi").await;
    let answer = kost.try_pay_by(&budi, &json!({ "payment": "ovo", "phone": "081230000000" })).await;
    let invoice = Invoice::try_from(answer.body["invoice"].as_str().unwrap()).unwrap();
    kost.run_jobs().await;
    assert_eq!(kost.payment(&invoice).await.state, State::Failed(Failure::Rejected));
    assert_eq!(kost.bill_status(&budi).await, "unpaid");
    kost.close().await;
}

async fn a_method_takes_what_it_takes(kost: Kost) {
    let budi = kost.tenant("Budi").await;
    kost.owes(&budi, 10_000_001).await;
    let answer = kost.try_pay(&budi, "qris").await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    let detail = answer.body["detail"].as_str().unwrap();
    assert_eq!(detail, "Rp10.000.001 cannot be paid by QRIS: it takes Rp10.000.000 at most");
    assert_eq!(kost.bill_status(&budi).await, "unpaid", "nothing was written down");
    kost.pay(&budi, "gopay").await;
    kost.close().await;
}
