//! A charge arrives when its transaction has ended already: the gateway has a second one, which nobody asked for.

use domain::{Failure, Invoice, State};
use midtrans_sim::{Status, TransactionView};
use serde_json::json;

use crate::kost::{Kost, Tenant};
use crate::reconcile::admin_post;

stories![
    a_payment_ends_with_its_own_transaction_and_the_stray_is_cancelled,
    the_next_payment_of_the_bill_does_not_wait_for_a_stray,
    money_that_a_stray_brought_is_not_lost,
    a_stray_of_a_payment_that_has_ended_is_cancelled,
    a_comparison_without_consequences_leaves_the_stray_alone,
];

/// Budi's transaction has expired, of which nobody was told, and the charge has arrived once more.
async fn with_a_stray(kost: &Kost) -> (Tenant, Invoice) {
    kost.sim.faults(|faults| faults.notifications.drop_all = true);
    let (budi, invoice) = kost.paying("Budi", "permata").await;
    kost.sim.expire(invoice.as_str()).await.unwrap();
    kost.charge_behind_our_back(&invoice, 1_250_000).await;
    (budi, invoice)
}

/// The first transaction of the invoice, and the stray.
fn both(kost: &Kost, invoice: &Invoice) -> [TransactionView; 2] {
    let all = kost.sim.transactions_of(invoice.as_str());
    all.try_into().unwrap()
}

async fn a_payment_ends_with_its_own_transaction_and_the_stray_is_cancelled(kost: Kost) {
    let (budi, invoice) = with_a_stray(&kost).await;
    let known = kost.payment(&invoice).await.transaction_id;
    kost.sync(&invoice).await;
    assert_eq!(kost.life(&invoice).await, ["created", "asked", "pending", "failed"]);
    assert_eq!(kost.payment(&invoice).await.transaction_id, known);
    assert_eq!(both(&kost, &invoice)[1].status, Status::Cancel);
    assert_eq!(kost.findings().await, ["status_conflict"]);
    assert_eq!(kost.bill_status(&budi).await, "unpaid");
    kost.sync(&invoice).await;
    assert_eq!(kost.findings().await, ["status_conflict"], "it is told once");
    kost.close().await;
}

async fn the_next_payment_of_the_bill_does_not_wait_for_a_stray(kost: Kost) {
    let (budi, invoice) = with_a_stray(&kost).await;
    let next = kost.pay(&budi, "gopay").await;
    kost.run_jobs().await;
    assert_eq!(kost.payment(&invoice).await.state, State::Failed(Failure::Expired));
    assert_eq!(kost.payment(&next).await.state, State::Pending);
    assert_eq!(both(&kost, &invoice)[1].status, Status::Cancel);
    kost.close().await;
}

async fn money_that_a_stray_brought_is_not_lost(kost: Kost) {
    let (budi, invoice) = with_a_stray(&kost).await;
    kost.sim.settle(invoice.as_str()).await.unwrap();
    kost.sync(&invoice).await;
    let stray = &both(&kost, &invoice)[1];
    let payment = kost.payment(&invoice).await;
    assert_eq!(payment.state, State::Paid);
    assert_eq!(payment.transaction_id.unwrap().as_str(), stray.transaction_id);
    assert_eq!(kost.life(&invoice).await, ["created", "asked", "pending", "failed", "paid"]);
    assert_eq!(kost.findings().await, ["status_conflict", "late_settlement"]);
    assert_eq!(kost.bill_status(&budi).await, "paid");
    kost.close().await;
}

async fn a_stray_of_a_payment_that_has_ended_is_cancelled(kost: Kost) {
    kost.sim.faults(|faults| faults.notifications.drop_all = true);
    let (_, invoice) = kost.paying("Budi", "permata").await;
    kost.sim.expire(invoice.as_str()).await.unwrap();
    kost.sync(&invoice).await;
    assert_eq!(kost.payment(&invoice).await.state, State::Failed(Failure::Expired));
    kost.charge_behind_our_back(&invoice, 1_250_000).await;
    kost.sync(&invoice).await;
    assert_eq!(both(&kost, &invoice)[1].status, Status::Cancel);
    assert_eq!(kost.findings().await, ["status_conflict"]);
    kost.close().await;
}

async fn a_comparison_without_consequences_leaves_the_stray_alone(kost: Kost) {
    let (_, invoice) = with_a_stray(&kost).await;
    let sari = kost.admin("Sari").await;
    let run = admin_post(&kost, &sari, ("/api/admin/reconciliations", json!({ "dryRun": true }))).await;
    assert!(run.status.is_success(), "{}", run.body);
    kost.run_jobs().await;
    assert_eq!(kost.payment(&invoice).await.state, State::Pending);
    assert_eq!(both(&kost, &invoice)[1].status, Status::Pending);
    assert!(kost.findings().await.is_empty());
    kost.sync(&invoice).await;
    kost.close().await;
}
