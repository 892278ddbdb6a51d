//! Money that goes back: reversals and refunds.

use std::time::Duration;

use domain::{Failure, Rupiah, State};

use crate::kost::Kost;

stories![
    a_settlement_that_is_taken_back_reopens_the_bill,
    a_reversal_that_nobody_told_of_is_found_by_the_confirming_check,
    a_deny_of_a_bca_settlement_that_the_gateway_does_not_confirm_changes_nothing,
    a_refund_made_elsewhere_is_booked_and_told,
    refunds_in_parts_add_up,
];

async fn a_settlement_that_is_taken_back_reopens_the_bill(kost: Kost) {
    let (budi, invoice) = kost.paying("Budi", "permata").await;
    kost.sim.settle(invoice.as_str()).await.unwrap();
    kost.run_jobs().await;
    assert_eq!(kost.bill_status(&budi).await, "paid");
    kost.sim.reverse(invoice.as_str()).await.unwrap();
    kost.run_jobs().await;
    assert_eq!(kost.payment(&invoice).await.state, State::Failed(Failure::Reversed));
    assert_eq!(kost.bill_status(&budi).await, "unpaid");
    assert_eq!(kost.findings().await, ["reversal"]);
    assert_eq!(kost.life(&invoice).await, ["created", "asked", "pending", "paid", "failed"]);
    kost.close().await;
}

async fn a_reversal_that_nobody_told_of_is_found_by_the_confirming_check(kost: Kost) {
    let (budi, invoice) = kost.paying("Budi", "mandiri").await;
    kost.sim.settle(invoice.as_str()).await.unwrap();
    kost.run_jobs().await;
    kost.sim.faults(|faults| faults.notifications.drop_all = true);
    kost.sim.reverse(invoice.as_str()).await.unwrap();
    kost.pass(Duration::from_secs(6 * 60 + 1)).await;
    assert_eq!(kost.payment(&invoice).await.state, State::Failed(Failure::Reversed));
    assert_eq!(kost.bill_status(&budi).await, "unpaid");
    kost.close().await;
}

/// Only three methods take a settlement back (contract §6), and a claim is no answer of the gateway.
async fn a_deny_of_a_bca_settlement_that_the_gateway_does_not_confirm_changes_nothing(kost: Kost) {
    for (name, method) in [("Budi", "bca"), ("Siti", "permata")] {
        let (tenant, invoice) = kost.paying(name, method).await;
        kost.sim.settle(invoice.as_str()).await.unwrap();
        kost.run_jobs().await;
        let signature =
            midtrans::sign(invoice.as_str(), "202", "1250000.00", &crate::kost::SERVER_KEY.into());
        let body = serde_json::json!({
            "order_id": invoice, "status_code": "202", "gross_amount": "1250000.00", "signature_key": signature,
            "transaction_status": "deny", "fraud_status": "accept",
            "transaction_id": kost.transaction(&invoice).transaction_id,
        });
        kost.notify(body.to_string()).await;
        kost.run_jobs().await;
        assert_eq!(kost.payment(&invoice).await.state, State::Paid, "{method}");
        assert_eq!(kost.life(&invoice).await, ["created", "asked", "pending", "paid"]);
        assert_eq!(kost.bill_status(&tenant).await, "paid");
    }
    assert_eq!(kost.findings().await, [""; 0]);
    kost.close().await;
}

async fn a_refund_made_elsewhere_is_booked_and_told(kost: Kost) {
    let (budi, invoice) = kost.paying("Budi", "gopay").await;
    kost.sim.settle(invoice.as_str()).await.unwrap();
    kost.run_jobs().await;
    kost.sim.refund(invoice.as_str(), None).await.unwrap();
    kost.run_jobs().await;
    assert_eq!(kost.payment(&invoice).await.state, State::Refunded);
    let shown = kost.get(&budi, &format!("/api/payment/{invoice}")).await.body;
    assert_eq!(shown["status"], "refunded");
    assert_eq!(kost.bill_status(&budi).await, "unpaid");
    assert_eq!(kost.findings().await, ["external_refund"]);
    kost.close().await;
}

async fn refunds_in_parts_add_up(kost: Kost) {
    let (budi, invoice) = kost.paying("Budi", "gopay").await;
    kost.sim.settle(invoice.as_str()).await.unwrap();
    kost.run_jobs().await;
    for (part, total) in [(250_000, 250_000), (500_000, 750_000)] {
        kost.sim.refund(invoice.as_str(), Some(part)).await.unwrap();
        kost.run_jobs().await;
        let total = Rupiah::try_from(total).unwrap();
        assert_eq!(kost.payment(&invoice).await.state, State::PartiallyRefunded { total });
        assert_eq!(kost.bill_status(&budi).await, "paid");
    }
    kost.close().await;
}
