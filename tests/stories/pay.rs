//! A tenant pays: the straight way, every method, and many at once.

use std::collections::BTreeSet;

use domain::{Failure, Invoice, State};
use futures::future::join_all;
use midtrans_sim::Status;
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::kost::{Kost, Tenant};

stories![
    a_bill_is_paid,
    every_method_tells_the_payer_what_to_do,
    the_same_wish_again_is_the_same_payment,
    a_bill_that_is_paid_cannot_be_paid_again,
    four_wishes_at_once_are_one_payment,
    forty_bills_in_a_race_are_forty_charges,
    what_the_gateway_refuses_can_be_tried_again,
    a_payment_that_expires_frees_its_bill,
];

async fn a_bill_is_paid(kost: Kost) {
    let budi = kost.tenant("Budi").await;
    assert_eq!(kost.get(&budi, "/api/total-bills").await.body, json!({ "total": 1_250_000 }));

    let invoice = kost.pay(&budi, "bca").await;
    assert_eq!(kost.bill_status(&budi).await, "pending");
    kost.run_jobs().await;
    let shown = kost.get(&budi, &format!("/api/payment/{invoice}")).await.body;
    let number = kost.transaction(&invoice).instruction["va_number"].clone();
    assert_eq!(shown["status"], "pending");
    assert_eq!(shown["amount"], 1_250_000);
    assert_eq!(shown["formattedDeadline"], "25 November 2026 pukul 10.00 WIB");
    assert_eq!(
        shown["payment"]["instruction"],
        json!({ "kind": "virtual_account", "bank": "bca", "number": number })
    );

    kost.sim.settle(invoice.as_str()).await.unwrap();
    kost.run_jobs().await;
    assert_eq!(kost.get(&budi, &format!("/api/payments/{invoice}")).await.body["status"], "paid");
    assert_eq!(kost.get(&budi, "/api/total-bills").await.body, json!({ "total": 0 }));
    assert_eq!(kost.get(&budi, "/api/bills").await.body[0]["status"], "paid");
    assert_eq!(kost.life(&invoice).await, ["created", "asked", "pending", "paid"]);
    assert_eq!(kost.findings().await, [""; 0]);
    kost.close().await;
}

async fn every_method_tells_the_payer_what_to_do(kost: Kost) {
    let methods = kost.send(kost.request(Method::GET, "/api/payment-methods")).await.body;
    let methods: Vec<String> = methods
        .as_array()
        .unwrap()
        .iter()
        .map(|method| method["name"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(methods.len(), 17);
    for method in methods {
        let tenant = kost.tenant(&format!("payer-{method}")).await;
        let answer = kost.try_pay_by(&tenant, &json!({ "payment": method, "phone": "0812-3456-7890" })).await;
        let invoice = Invoice::try_from(answer.body["invoice"].as_str().unwrap()).unwrap();
        kost.run_jobs().await;
        let shown = kost.get(&tenant, &format!("/api/payment/{invoice}")).await.body;
        let expected = match method.as_str() {
            "bca" | "bni" | "bri" | "cimb" | "permata" => "virtual_account",
            "mandiri" => "mandiri_bill",
            "gopay" | "qris" | "qris_shopeepay" => "qr",
            "shopeepay" | "dana" => "deeplink",
            "akulaku" | "kredivo" | "card" => "redirect",
            "ovo" => "push",
            "alfamart" | "indomaret" => "payment_code",
            other => panic!("what does the payer of {other} need?"),
        };
        assert_eq!(shown["payment"]["instruction"]["kind"], expected, "{method}: {shown}");
        assert_eq!(kost.payment(&invoice).await.state, State::Pending, "{method}");
        if method == "card" {
            assert_eq!(kost.sim.transactions_of(invoice.as_str()), [], "nobody has typed in a card yet");
            kost.sim.pay_on_page(invoice.as_str(), "4811111111111114").await.unwrap();
        } else {
            assert_eq!(kost.transaction(&invoice).status, Status::Pending, "{method}");
            kost.sim.settle(invoice.as_str()).await.unwrap();
        }
        kost.run_jobs().await;
        assert_eq!(kost.payment(&invoice).await.state, State::Paid, "{method}");
    }
    kost.close().await;
}

async fn the_same_wish_again_is_the_same_payment(kost: Kost) {
    let (budi, invoice) = kost.paying("Budi", "bni").await;
    let again = kost.try_pay(&budi, "bni").await;
    assert_eq!(again.status, StatusCode::OK);
    assert_eq!(again.body["invoice"], invoice.as_str());
    kost.run_jobs().await;
    assert_eq!(kost.sim.charge_calls(), 1);
    kost.close().await;
}

async fn a_bill_that_is_paid_cannot_be_paid_again(kost: Kost) {
    let (budi, invoice) = kost.paying("Budi", "bri").await;
    kost.sim.settle(invoice.as_str()).await.unwrap();
    kost.run_jobs().await;
    for method in ["bri", "bca"] {
        let answer = kost.try_pay(&budi, method).await;
        assert_eq!(answer.status, StatusCode::CONFLICT);
        assert_eq!(answer.body["type"], "/problems/bill-already-paid");
    }
    assert_eq!(kost.sim.charge_calls(), 1);
    kost.close().await;
}

async fn four_at_once(kost: &Kost, tenant: &Tenant) -> BTreeSet<String> {
    let wishes = join_all((0..4).map(|_| kost.try_pay(tenant, "bca"))).await;
    let made = wishes.iter().filter(|answer| answer.status == StatusCode::CREATED).count();
    assert_eq!(made, 1, "one of the four makes the payment");
    wishes
        .into_iter()
        .map(|answer| {
            assert!(answer.status.is_success(), "{} {}", answer.status, answer.body);
            answer.body["invoice"].as_str().unwrap().to_owned()
        })
        .collect()
}

async fn four_wishes_at_once_are_one_payment(kost: Kost) {
    let budi = kost.tenant("Budi").await;
    let invoices = four_at_once(&kost, &budi).await;
    kost.run_jobs().await;
    assert_eq!(invoices.len(), 1, "all four are told the same invoice");
    assert_eq!(kost.sim.transactions().len(), 1);
    assert_eq!(kost.sim.charge_calls(), 1);
    kost.close().await;
}

async fn forty_bills_in_a_race_are_forty_charges(kost: Kost) {
    let mut tenants = Vec::new();
    for number in 0..40 {
        tenants.push(kost.tenant(&format!("tenant{number}")).await);
    }
    let told = join_all(tenants.iter().map(|tenant| four_at_once(&kost, tenant))).await;
    kost.run_jobs().await;
    assert!(told.iter().all(|invoices| invoices.len() == 1));
    let invoices: BTreeSet<String> = told.into_iter().flatten().collect();
    assert_eq!(invoices.len(), 40);
    assert_eq!(kost.sim.transactions().len(), 40);
    assert_eq!(kost.sim.charge_calls(), 40);
    kost.close().await;
}

async fn what_the_gateway_refuses_can_be_tried_again(kost: Kost) {
    let budi = kost.tenant("Budi").await;
    // Somebody used our order id for another amount: the gateway's own uniqueness is the last guard.
    kost.sim.faults(|faults| faults.fail_next(1, midtrans_sim::Failure::RateLimited));
    let invoice = kost.pay(&budi, "bca").await;
    kost.run_jobs().await;
    kost.pass(std::time::Duration::from_secs(60)).await;
    assert_eq!(kost.payment(&invoice).await.state, State::Pending);
    kost.sim.deny(invoice.as_str()).await.unwrap();
    kost.run_jobs().await;
    assert_eq!(kost.payment(&invoice).await.state, State::Failed(Failure::Denied));
    assert_eq!(kost.bill_status(&budi).await, "unpaid");

    let second: Invoice = kost.pay(&budi, "bca").await;
    assert_ne!(second, invoice, "an invoice is never used twice");
    kost.run_jobs().await;
    kost.sim.settle(second.as_str()).await.unwrap();
    kost.run_jobs().await;
    assert_eq!(kost.bill_status(&budi).await, "paid");
    kost.close().await;
}

async fn a_payment_that_expires_frees_its_bill(kost: Kost) {
    let (budi, invoice) = kost.paying("Budi", "bca").await;
    kost.pass(std::time::Duration::from_secs(24 * 3600 + 60)).await;
    assert_eq!(kost.payment(&invoice).await.state, State::Failed(Failure::Expired));
    assert_eq!(kost.bill_status(&budi).await, "unpaid");
    let shown = kost.get(&budi, &format!("/api/payment/{invoice}")).await.body;
    assert_eq!(shown["status"], "failed");
    kost.close().await;
}
