//! Cards, on the hosted page of the gateway: several tries under one invoice, a page that nobody wants any more, and what
//! a person must decide.

use std::time::Duration;

use domain::{Failure, Invoice, State};
use midtrans_sim::{Calls, Failure as Fault, Loss, Status};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::kost::{Answer, Kost, Tenant};

stories![
    a_card_is_paid_on_the_page_and_no_number_comes_near_us,
    a_card_that_was_denied_can_be_tried_again_under_the_same_invoice,
    a_page_that_nobody_used_expires_and_frees_the_bill,
    a_try_that_fails_after_the_page_has_ended_ends_the_payment,
    a_card_that_is_proven_after_the_page_has_ended_is_paid,
    a_payer_who_changes_from_card_to_account_cannot_pay_on_the_page_any_more,
    a_try_that_is_under_way_is_cancelled_before_the_next_method_is_charged,
    a_payer_who_paid_on_the_page_at_the_last_moment_has_paid,
    a_page_whose_answer_was_lost_is_made_again_and_paid_once,
    a_page_that_is_refused_fails_the_payment,
    the_first_of_two_tries_at_once_may_be_the_one_that_is_paid,
    every_try_is_cancelled_before_the_next_method_is_charged,
    two_tries_that_were_both_paid_are_a_finding,
    a_try_of_somebody_else_is_not_ours,
    a_challenged_card_is_paid_once_an_admin_accepts_it,
    the_contrary_of_a_decision_that_waits_is_refused,
    an_authorised_card_is_captured_once_an_admin_accepts_it,
    an_authorised_card_that_an_admin_refuses_is_cancelled,
    a_capture_that_the_bank_denies_leaves_the_payment_in_review_and_tells,
    a_challenged_card_that_an_admin_refuses_is_over,
    nobody_decides_what_waits_for_nobody,
    a_challenge_that_is_cancelled_at_the_gateway_frees_the_bill,
    a_capture_that_is_cancelled_at_the_gateway_takes_the_payment_back,
    a_capture_that_was_cancelled_unheard_is_found_the_next_day,
    a_page_that_cannot_be_made_since_the_order_exists_adopts_it,
];

const ACCEPTED: &str = "4811 1111 1111 1114";
const DENIED: &str = "4911 1111 1111 1113";
const CHALLENGED: &str = "4511 1111 1111 1117";

async fn post(kost: &Kost, admin: &str, (invoice, verb): (&Invoice, &str), body: &Value) -> Answer {
    let path = format!("/api/admin/payments/{invoice}/{verb}");
    kost.send(kost.request_of(admin, Method::POST, &path).json(body)).await
}

async fn shown(kost: &Kost, tenant: &Tenant, invoice: &Invoice) -> Value {
    kost.get(tenant, &format!("/api/payment/{invoice}")).await.body
}

async fn a_card_is_paid_on_the_page_and_no_number_comes_near_us(kost: Kost) {
    let (budi, invoice) = kost.paying("Budi", "card").await;
    let payment = shown(&kost, &budi, &invoice).await;
    let instruction = &payment["payment"]["instruction"];
    let page = &kost.sim.pages()[0];
    assert_eq!(instruction["kind"], "redirect");
    assert_eq!(instruction["token"], page.token);
    assert_eq!(payment["formattedDeadline"], "24 November 2026 pukul 10.15 WIB");
    assert_eq!((kost.sim.page_calls(), kost.sim.charge_calls()), (1, 0));

    kost.sim.pay_on_page(invoice.as_str(), ACCEPTED).await.unwrap();
    kost.run_jobs().await;
    assert_eq!(kost.payment(&invoice).await.state, State::Paid);
    assert_eq!(kost.life(&invoice).await, ["created", "asked", "pending", "paid"]);
    // The day after, the batch turns the capture into a settlement: that is no news.
    kost.sim.settle(invoice.as_str()).await.unwrap();
    kost.run_jobs().await;
    assert_eq!(kost.life(&invoice).await.len(), 4);
    assert_eq!(kost.findings().await, [""; 0]);
    kost.close().await;
}

async fn a_card_that_was_denied_can_be_tried_again_under_the_same_invoice(kost: Kost) {
    let (budi, invoice) = kost.paying("Budi", "card").await;
    let first = kost.sim.pay_on_page(invoice.as_str(), DENIED).await.unwrap();
    kost.run_jobs().await;
    assert_eq!(kost.payment(&invoice).await.state, State::Pending, "the page is still open");
    assert_eq!(kost.bill_status(&budi).await, "pending");
    let known = |payment: domain::Payment| payment.transaction_id.map(String::from);
    assert_eq!(known(kost.payment(&invoice).await), Some(first.transaction_id.clone()));

    let second = kost.sim.pay_on_page(invoice.as_str(), ACCEPTED).await.unwrap();
    assert_ne!(first.transaction_id, second.transaction_id);
    kost.run_jobs().await;
    let payment = kost.payment(&invoice).await;
    assert_eq!(payment.state, State::Paid);
    assert_eq!(known(payment), Some(second.transaction_id));
    assert_eq!(kost.life(&invoice).await, ["created", "asked", "pending", "paid"]);
    assert_eq!(kost.findings().await, [""; 0]);
    kost.close().await;
}

async fn a_page_that_nobody_used_expires_and_frees_the_bill(kost: Kost) {
    let (budi, invoice) = kost.paying("Budi", "card").await;
    kost.pass(Duration::from_secs(14 * 60)).await;
    assert_eq!(kost.payment(&invoice).await.state, State::Pending, "no transaction is no news");
    kost.pass(Duration::from_secs(5 * 60)).await;
    assert_eq!(kost.payment(&invoice).await.state, State::Failed(Failure::Expired));
    assert_eq!(kost.bill_status(&budi).await, "unpaid");
    assert!(kost.sim.pay_on_page(invoice.as_str(), ACCEPTED).await.is_err(), "the page is over");
    kost.close().await;
}

async fn a_try_that_fails_after_the_page_has_ended_ends_the_payment(kost: Kost) {
    let (budi, invoice) = kost.paying("Budi", "card").await;
    kost.pass(Duration::from_secs(14 * 60)).await;
    kost.sim.begin_on_page(invoice.as_str(), DENIED).await.unwrap();
    kost.run_jobs().await;
    kost.pass(Duration::from_secs(4 * 60)).await;
    assert_eq!(kost.payment(&invoice).await.state, State::Pending, "a try is under way");
    kost.sim.prove(invoice.as_str()).await.unwrap();
    kost.run_jobs().await;
    assert_eq!(kost.payment(&invoice).await.state, State::Failed(Failure::Denied));
    assert_eq!(kost.bill_status(&budi).await, "unpaid");
    kost.close().await;
}

async fn a_card_that_is_proven_after_the_page_has_ended_is_paid(kost: Kost) {
    let (budi, invoice) = kost.paying("Budi", "card").await;
    kost.pass(Duration::from_secs(14 * 60)).await;
    kost.sim.begin_on_page(invoice.as_str(), ACCEPTED).await.unwrap();
    kost.run_jobs().await;
    kost.pass(Duration::from_secs(3 * 60)).await;
    assert_eq!(kost.bill_status(&budi).await, "pending", "nobody is charged beside a try that is under way");
    kost.sim.prove(invoice.as_str()).await.unwrap();
    kost.run_jobs().await;
    assert_eq!(kost.payment(&invoice).await.state, State::Paid);
    assert_eq!(kost.findings().await, [""; 0]);
    kost.close().await;
}

/// The payer goes back from the bank's page, begins with another card, and then finishes the first one all the same.
async fn the_first_of_two_tries_at_once_may_be_the_one_that_is_paid(kost: Kost) {
    let (budi, invoice) = kost.paying("Budi", "card").await;
    let first = kost.sim.begin_on_page(invoice.as_str(), ACCEPTED).await.unwrap();
    kost.run_jobs().await;
    let second = kost.sim.begin_on_page(invoice.as_str(), DENIED).await.unwrap();
    kost.run_jobs().await;
    assert_eq!(kost.payment(&invoice).await.state, State::Pending);
    kost.sim.prove(&first.transaction_id).await.unwrap();
    kost.run_jobs().await;
    let payment = kost.payment(&invoice).await;
    assert_eq!(payment.state, State::Paid);
    assert_eq!(payment.transaction_id.map(String::from), Some(first.transaction_id));
    kost.sim.prove(&second.transaction_id).await.unwrap();
    kost.run_jobs().await;
    kost.pass(Duration::from_secs(31 * 3600)).await;
    assert_eq!(
        kost.payment(&invoice).await.state,
        State::Paid,
        "the other try has failed, and that is no news"
    );
    assert_eq!(kost.bill_status(&budi).await, "paid");
    assert_eq!(kost.findings().await, [""; 0]);
    kost.close().await;
}

async fn every_try_is_cancelled_before_the_next_method_is_charged(kost: Kost) {
    let (budi, card) = kost.paying("Budi", "card").await;
    for _ in 0..2 {
        kost.sim.begin_on_page(card.as_str(), ACCEPTED).await.unwrap();
        kost.run_jobs().await;
    }
    let account = kost.pay(&budi, "bca").await;
    kost.run_jobs().await;
    for _ in 0..3 {
        kost.pass(Duration::from_secs(11)).await;
    }
    let tries = kost.sim.transactions_of(card.as_str());
    assert!(tries.len() == 2 && tries.iter().all(|one| one.status == Status::Cancel), "{tries:#?}");
    assert_eq!(kost.payment(&card).await.state, State::Failed(Failure::Cancelled));
    assert_eq!(kost.payment(&account).await.state, State::Pending);
    kost.close().await;
}

async fn two_tries_that_were_both_paid_are_a_finding(kost: Kost) {
    let (_, invoice) = kost.paying("Budi", "card").await;
    let mut tries = Vec::new();
    for _ in 0..2 {
        tries.push(kost.sim.begin_on_page(invoice.as_str(), ACCEPTED).await.unwrap().transaction_id);
        kost.run_jobs().await;
    }
    for id in &tries {
        kost.sim.prove(id).await.unwrap();
        kost.run_jobs().await;
    }
    assert_eq!(kost.payment(&invoice).await.state, State::Paid);
    assert_eq!(kost.findings().await, ["double_payment"]);
    kost.close().await;
}

/// A signature does not cover the transaction id (contract §7), so a name out of a notification is only a place to look.
async fn a_try_of_somebody_else_is_not_ours(kost: Kost) {
    let (_, theirs) = kost.paying("Siti", "card").await;
    let paid = kost.sim.pay_on_page(theirs.as_str(), ACCEPTED).await.unwrap();
    kost.run_jobs().await;
    let (_, ours) = kost.paying("Budi", "card").await;
    let signature = midtrans::sign(ours.as_str(), "200", "1250000.00", &crate::kost::SERVER_KEY.into());
    let body = json!({
        "order_id": ours, "status_code": "200", "gross_amount": "1250000.00", "signature_key": signature,
        "transaction_status": "capture", "fraud_status": "accept", "transaction_id": paid.transaction_id,
    });
    assert_eq!(kost.notify(body.to_string()).await.status, StatusCode::CREATED);
    kost.run_jobs().await;
    assert_eq!(kost.payment(&ours).await.state, State::Pending);
    assert_eq!(kost.findings().await, [""; 0]);
    kost.close().await;
}

async fn a_payer_who_changes_from_card_to_account_cannot_pay_on_the_page_any_more(kost: Kost) {
    let (budi, card) = kost.paying("Budi", "card").await;
    let account = kost.pay(&budi, "bca").await;
    kost.run_jobs().await;
    assert_eq!(kost.payment(&card).await.state, State::Failed(Failure::Cancelled));
    assert!(kost.sim.pages()[0].canceled.is_some());
    assert!(kost.sim.pay_on_page(card.as_str(), ACCEPTED).await.is_err());
    assert_eq!(kost.payment(&account).await.state, State::Pending);
    kost.sim.settle(account.as_str()).await.unwrap();
    kost.run_jobs().await;
    assert_eq!(kost.bill_status(&budi).await, "paid");
    assert_eq!(kost.findings().await, [""; 0]);
    kost.close().await;
}

async fn a_try_that_is_under_way_is_cancelled_before_the_next_method_is_charged(kost: Kost) {
    let (budi, card) = kost.paying("Budi", "card").await;
    kost.sim.begin_on_page(card.as_str(), ACCEPTED).await.unwrap();
    kost.run_jobs().await;
    let account = kost.pay(&budi, "bca").await;
    kost.run_jobs().await;
    kost.pass(Duration::from_secs(11)).await;
    assert_eq!(kost.payment(&card).await.state, State::Failed(Failure::Cancelled));
    assert_eq!(kost.transaction(&card).status, Status::Cancel);
    kost.pass(Duration::from_secs(6)).await;
    assert_eq!(kost.payment(&account).await.state, State::Pending);
    let paths: Vec<String> = kost.sim.calls().into_iter().map(|call| call.path).collect();
    let place = |end: &str| paths.iter().rposition(|path| path.ends_with(end)).unwrap();
    let cancel = format!("{}/cancel", kost.transaction(&card).transaction_id);
    let page = format!("/snap/v1/transactions/{}/cancel", kost.sim.pages()[0].token);
    assert!(place(&cancel) < place("/v2/charge") && place(&page) < place("/v2/charge"), "{paths:?}");
    assert!(kost.sim.pages()[0].canceled.is_some());
    kost.close().await;
}

async fn a_payer_who_paid_on_the_page_at_the_last_moment_has_paid(kost: Kost) {
    let (budi, card) = kost.paying("Budi", "card").await;
    kost.sim.faults(|faults| faults.notifications.drop_all = true);
    kost.sim.pay_on_page(card.as_str(), ACCEPTED).await.unwrap();
    let account = kost.pay(&budi, "bca").await;
    kost.run_jobs().await;
    assert_eq!(kost.payment(&card).await.state, State::Paid);
    assert_eq!(kost.payment(&account).await.state, State::Failed(Failure::Withdrawn));
    assert_eq!(kost.sim.charge_calls(), 0, "the account is never charged");
    assert_eq!(kost.bill_status(&budi).await, "paid");
    kost.close().await;
}

async fn a_page_whose_answer_was_lost_is_made_again_and_paid_once(kost: Kost) {
    let budi = kost.tenant("Budi").await;
    kost.sim.faults(|faults| faults.lose_charge_answers(1, Loss::Cut));
    let invoice = kost.pay(&budi, "card").await;
    kost.run_jobs().await;
    kost.pass(Duration::from_secs(61)).await;
    assert_eq!(kost.sim.page_calls(), 2);
    let payment = kost.payment(&invoice).await;
    assert_eq!(payment.state, State::Pending);
    let token = kost.sim.pages().pop().unwrap().token;
    assert!(
        matches!(payment.instruction, Some(domain::Instruction::Redirect { token: Some(told), .. }) if told == token)
    );
    kost.sim.pay_on_page(&token, ACCEPTED).await.unwrap();
    kost.run_jobs().await;
    assert_eq!(kost.payment(&invoice).await.state, State::Paid);
    // The other page has the same order id, which is paid.
    let first = kost.sim.pages().remove(0).token;
    assert!(kost.sim.pay_on_page(&first, ACCEPTED).await.is_err());
    kost.close().await;
}

async fn a_page_that_is_refused_fails_the_payment(kost: Kost) {
    let budi = kost.tenant("Budi").await;
    kost.sim.faults(|faults| faults.fail_next_of(Calls::Charge, 1, Fault::HtmlNotFound));
    let invoice = kost.pay(&budi, "card").await;
    kost.run_jobs().await;
    assert_eq!(
        kost.payment(&invoice).await.state,
        State::Asked,
        "a wrong address is nobody's word about a payment"
    );
    kost.pass(Duration::from_secs(61)).await;
    assert_eq!(kost.payment(&invoice).await.state, State::Pending);

    // An amount below the least for cards is not even written down.
    let siti = kost.tenant("Siti").await;
    kost.owes(&siti, 9_999).await;
    let answer = kost.try_pay(&siti, "card").await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    let detail = answer.body["detail"].as_str().unwrap();
    assert!(detail.contains("Rp9.999") && detail.contains("Rp10.000 or more"), "{detail}");
    kost.close().await;
}

async fn challenged(kost: &Kost) -> (Tenant, Invoice, String) {
    let (budi, invoice) = kost.paying("Budi", "card").await;
    let sari = kost.admin("Sari").await;
    kost.sim.pay_on_page(invoice.as_str(), CHALLENGED).await.unwrap();
    kost.run_jobs().await;
    assert_eq!(kost.payment(&invoice).await.state, State::Review);
    assert_eq!(shown(kost, &budi, &invoice).await["status"], "pending");
    (budi, invoice, sari)
}

async fn a_challenged_card_is_paid_once_an_admin_accepts_it(kost: Kost) {
    let (budi, invoice, sari) = challenged(&kost).await;
    let answer = post(&kost, &sari, (&invoice, "approve"), &json!({ "reason": "known for years" })).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.body);
    kost.run_jobs().await;
    assert_eq!(kost.payment(&invoice).await.state, State::Paid);
    assert_eq!(kost.bill_status(&budi).await, "paid");
    let audit = kost.send(kost.request_of(&sari, Method::GET, "/api/admin/audit")).await.body;
    assert_eq!(
        (&audit[0]["action"], &audit[0]["reason"]),
        (&json!("payment.approve"), &json!("known for years"))
    );
    let full =
        kost.send(kost.request_of(&sari, Method::GET, &format!("/api/admin/payments/{invoice}"))).await.body;
    assert_eq!((&full["state"], &full["status"]), (&json!("paid"), &json!("paid")));
    let words: Vec<&str> =
        full["history"].as_array().unwrap().iter().map(|step| step["to"].as_str().unwrap()).collect();
    assert_eq!(words, ["created", "asked", "pending", "review", "paid"]);
    assert_eq!(full["history"][4]["source"], "operator");
    kost.close().await;
}

async fn a_challenged_card_that_an_admin_refuses_is_over(kost: Kost) {
    let (budi, invoice, sari) = challenged(&kost).await;
    assert_eq!(post(&kost, &sari, (&invoice, "deny"), &json!({})).await.status, StatusCode::ACCEPTED);
    kost.run_jobs().await;
    assert_eq!(kost.payment(&invoice).await.state, State::Failed(Failure::Denied));
    assert_eq!(kost.transaction(&invoice).status, Status::Deny);
    assert_eq!(kost.bill_status(&budi).await, "unpaid");
    assert!(kost.sim.pages()[0].canceled.is_some(), "nobody tries again on the page");
    assert_eq!(post(&kost, &sari, (&invoice, "approve"), &json!({})).await.status, StatusCode::CONFLICT);
    kost.close().await;
}

async fn the_contrary_of_a_decision_that_waits_is_refused(kost: Kost) {
    let (_, invoice, sari) = challenged(&kost).await;
    kost.sim.faults(|faults| faults.fail_always(Fault::Unavailable));
    assert_eq!(post(&kost, &sari, (&invoice, "approve"), &json!({})).await.status, StatusCode::ACCEPTED);
    kost.run_jobs().await;
    let contrary = post(&kost, &sari, (&invoice, "deny"), &json!({})).await;
    assert_eq!(
        (contrary.status, &contrary.body["type"]),
        (StatusCode::CONFLICT, &json!("/problems/contended"))
    );
    assert_eq!(post(&kost, &sari, (&invoice, "approve"), &json!({})).await.status, StatusCode::ACCEPTED);
    kost.sim.faults(|faults| faults.reset());
    kost.pass(Duration::from_secs(600)).await;
    assert_eq!(kost.payment(&invoice).await.state, State::Paid);
    kost.close().await;
}

async fn authorized(kost: Kost) -> (Kost, Tenant, Invoice, String) {
    let kost = kost.that_authorizes().await;
    let (budi, invoice) = kost.paying("Budi", "card").await;
    let sari = kost.admin("Sari").await;
    kost.sim.pay_on_page(invoice.as_str(), ACCEPTED).await.unwrap();
    kost.run_jobs().await;
    assert_eq!(kost.payment(&invoice).await.state, State::Review);
    assert_eq!(kost.transaction(&invoice).status, Status::Authorize);
    (kost, budi, invoice, sari)
}

async fn an_authorised_card_is_captured_once_an_admin_accepts_it(kost: Kost) {
    let (kost, budi, invoice, sari) = authorized(kost).await;
    // Eight days it is reserved, long after the page has ended.
    kost.pass(Duration::from_secs(7 * 24 * 3600)).await;
    assert_eq!(kost.payment(&invoice).await.state, State::Review);
    assert_eq!(post(&kost, &sari, (&invoice, "approve"), &json!({})).await.status, StatusCode::ACCEPTED);
    kost.run_jobs().await;
    assert_eq!(kost.payment(&invoice).await.state, State::Paid);
    assert_eq!(kost.transaction(&invoice).status, Status::Capture);
    assert_eq!(kost.bill_status(&budi).await, "paid");
    kost.close().await;
}

async fn an_authorised_card_that_an_admin_refuses_is_cancelled(kost: Kost) {
    let (kost, budi, invoice, sari) = authorized(kost).await;
    assert_eq!(post(&kost, &sari, (&invoice, "deny"), &json!({})).await.status, StatusCode::ACCEPTED);
    kost.run_jobs().await;
    assert_eq!(kost.payment(&invoice).await.state, State::Failed(Failure::Cancelled));
    assert_eq!(kost.transaction(&invoice).status, Status::Cancel);
    assert_eq!(kost.bill_status(&budi).await, "unpaid");
    kost.close().await;
}

async fn a_capture_that_the_bank_denies_leaves_the_payment_in_review_and_tells(kost: Kost) {
    let (kost, _, invoice, sari) = authorized(kost).await;
    kost.sim.faults(|faults| faults.api.deny_captures = true);
    for _ in 0..2 {
        assert_eq!(post(&kost, &sari, (&invoice, "approve"), &json!({})).await.status, StatusCode::ACCEPTED);
        kost.run_jobs().await;
    }
    assert_eq!(kost.payment(&invoice).await.state, State::Review);
    assert_eq!(kost.findings().await, ["status_conflict"]);
    kost.sim.faults(|faults| faults.api.deny_captures = false);
    post(&kost, &sari, (&invoice, "approve"), &json!({})).await;
    kost.run_jobs().await;
    assert_eq!(kost.payment(&invoice).await.state, State::Paid);
    kost.close().await;
}

async fn nobody_decides_what_waits_for_nobody(kost: Kost) {
    let (_, invoice) = kost.paying("Budi", "bca").await;
    let sari = kost.admin("Sari").await;
    for verb in ["approve", "deny"] {
        let answer = post(&kost, &sari, (&invoice, verb), &json!({})).await;
        assert_eq!(answer.status, StatusCode::CONFLICT);
        assert_eq!(answer.body["type"], "/problems/not-in-review");
    }
    let nobody = Invoice::try_from("KSR-NOBODY").unwrap();
    assert_eq!(post(&kost, &sari, (&nobody, "approve"), &json!({})).await.status, StatusCode::NOT_FOUND);
    kost.close().await;
}

async fn a_challenge_that_is_cancelled_at_the_gateway_frees_the_bill(kost: Kost) {
    let (budi, invoice, _) = challenged(&kost).await;
    kost.pass(Duration::from_secs(3600)).await;
    // Left alone, the gateway cancels it the next day (contract §6).
    kost.sim.cancel(invoice.as_str()).await.unwrap();
    kost.run_jobs().await;
    assert_eq!(kost.payment(&invoice).await.state, State::Failed(Failure::Cancelled));
    assert_eq!(kost.bill_status(&budi).await, "unpaid");
    kost.close().await;
}

async fn a_capture_that_is_cancelled_at_the_gateway_takes_the_payment_back(kost: Kost) {
    let (budi, invoice) = kost.paying("Budi", "card").await;
    kost.sim.pay_on_page(invoice.as_str(), ACCEPTED).await.unwrap();
    kost.run_jobs().await;
    kost.sim.cancel(invoice.as_str()).await.unwrap();
    kost.run_jobs().await;
    assert_eq!(kost.payment(&invoice).await.state, State::Failed(Failure::Reversed));
    assert_eq!(kost.bill_status(&budi).await, "unpaid");
    assert_eq!(kost.findings().await, ["reversal"]);
    kost.close().await;
}

async fn a_capture_that_was_cancelled_unheard_is_found_the_next_day(kost: Kost) {
    let (budi, invoice) = kost.paying("Budi", "card").await;
    kost.sim.pay_on_page(invoice.as_str(), ACCEPTED).await.unwrap();
    kost.run_jobs().await;
    kost.sim.faults(|faults| faults.notifications.drop_all = true);
    kost.sim.cancel(invoice.as_str()).await.unwrap();
    kost.pass(Duration::from_secs(29 * 3600)).await;
    assert_eq!(kost.payment(&invoice).await.state, State::Paid);
    kost.pass(Duration::from_secs(2 * 3600)).await;
    assert_eq!(kost.payment(&invoice).await.state, State::Failed(Failure::Reversed));
    assert_eq!(kost.bill_status(&budi).await, "unpaid");
    kost.close().await;
}

/// The page has no code for an order id that is taken; what stands under it is looked at before anything is refused.
async fn a_page_that_cannot_be_made_since_the_order_exists_adopts_it(kost: Kost) {
    let budi = kost.tenant("Budi").await;
    let held = kost.hold_jobs().await;
    let invoice = kost.pay(&budi, "card").await;
    kost.charge_behind_our_back(&invoice, 1_250_000).await;
    drop(held);
    kost.run_jobs().await;
    assert_eq!(kost.payment(&invoice).await.state, State::Pending, "refused is only what does not exist");
    kost.sim.settle(invoice.as_str()).await.unwrap();
    kost.run_jobs().await;
    assert_eq!(kost.payment(&invoice).await.state, State::Paid);
    kost.close().await;
}
