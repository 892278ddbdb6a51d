//! `POST /api/payment/{invoice}/cancel`: a tenant gives a payment up, whatever has become of its charge.

use std::time::Duration;

use domain::{Failure, Invoice, State};
use midtrans_sim::{Calls, Loss, Status};
use reqwest::{Method, StatusCode};
use store::history;

use crate::kost::{Answer, Kost};

stories![
    a_payment_that_was_never_charged_is_given_up,
    a_pending_payment_is_cancelled_at_the_gateway,
    a_charge_whose_answer_was_lost_is_cancelled_all_the_same,
    a_charge_that_never_arrived_ends_in_time,
    a_bill_can_be_paid_anew_while_the_old_charge_is_not_known,
    a_payment_that_was_paid_meanwhile_is_paid,
    what_has_ended_cannot_be_given_up,
    giving_up_twice_is_giving_up_once,
    an_admin_gives_up_for_a_tenant_and_a_stranger_does_not,
];

async fn give_up(kost: &Kost, email: &str, invoice: &Invoice) -> Answer {
    kost.send(kost.request_of(email, Method::POST, &format!("/api/payment/{invoice}/cancel"))).await
}

fn assert_accepted(answer: &Answer, invoice: &Invoice) {
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.body);
    assert_eq!(answer.body["invoice"], invoice.as_str());
    assert_eq!(answer.body["status"], "pending");
}

/// Who gave it up, as the history tells.
async fn given_up_by(kost: &Kost, invoice: &Invoice) -> Vec<String> {
    let rows = history::of_payment(&kost.db, kost.payment(invoice).await.id).await.unwrap();
    rows.into_iter().filter(|row| row.event == "given_up").map(|row| row.source).collect()
}

async fn a_payment_that_was_never_charged_is_given_up(kost: Kost) {
    let pause = kost.hold_jobs().await;
    let budi = kost.tenant("Budi").await;
    let invoice = kost.pay(&budi, "bca").await;
    assert_accepted(&give_up(&kost, &budi.email, &invoice).await, &invoice);
    assert_eq!(kost.bill_status(&budi).await, "pending", "until it has ended");
    drop(pause);
    kost.run_jobs().await;
    assert_eq!(kost.payment(&invoice).await.state, State::Failed(Failure::Withdrawn));
    assert_eq!(kost.bill_status(&budi).await, "unpaid");
    assert_eq!(kost.sim.charge_calls(), 0, "the gateway has never heard of it");
    kost.close().await;
}

async fn a_pending_payment_is_cancelled_at_the_gateway(kost: Kost) {
    let (budi, invoice) = kost.paying("Budi", "bca").await;
    assert_accepted(&give_up(&kost, &budi.email, &invoice).await, &invoice);
    kost.run_jobs().await;
    assert_eq!(kost.transaction(&invoice).status, Status::Cancel);
    assert_eq!(kost.payment(&invoice).await.state, State::Failed(Failure::Cancelled));
    assert_eq!(kost.bill_status(&budi).await, "unpaid");
    assert_eq!(given_up_by(&kost, &invoice).await, ["tenant"]);
    let next = kost.pay(&budi, "bca").await;
    assert_ne!(next, invoice);
    kost.run_jobs().await;
    assert_eq!(kost.payment(&next).await.state, State::Pending);
    kost.close().await;
}

async fn a_charge_whose_answer_was_lost_is_cancelled_all_the_same(kost: Kost) {
    kost.sim.faults(|faults| {
        faults.notifications.drop_all = true;
        faults.lose_charge_answers(1, Loss::Cut);
    });
    let (budi, invoice) = kost.paying("Budi", "bca").await;
    assert_eq!(kost.payment(&invoice).await.state, State::Asked);
    assert_accepted(&give_up(&kost, &budi.email, &invoice).await, &invoice);
    for _ in 0..4 {
        kost.pass(Duration::from_secs(60)).await;
    }
    assert_eq!(kost.transaction(&invoice).status, Status::Cancel);
    assert_eq!(kost.payment(&invoice).await.state, State::Failed(Failure::Cancelled));
    assert_eq!(kost.bill_status(&budi).await, "unpaid");
    kost.close().await;
}

async fn a_charge_that_never_arrived_ends_in_time(kost: Kost) {
    kost.sim.faults(|faults| faults.fail_next_of(Calls::Charge, 1, midtrans_sim::Failure::Unavailable));
    let (budi, invoice) = kost.paying("Budi", "bca").await;
    assert_accepted(&give_up(&kost, &budi.email, &invoice).await, &invoice);
    kost.pass(Duration::from_secs(10)).await;
    assert_eq!(kost.payment(&invoice).await.state, State::Asked, "it may still be on its way");
    kost.pass(Duration::from_secs(120)).await;
    kost.pass(Duration::from_secs(60)).await;
    assert_eq!(kost.payment(&invoice).await.state, State::Failed(Failure::Withdrawn));
    assert_eq!(kost.bill_status(&budi).await, "unpaid");
    assert!(kost.sim.transactions().is_empty(), "it was not charged again");
    kost.close().await;
}

async fn a_bill_can_be_paid_anew_while_the_old_charge_is_not_known(kost: Kost) {
    kost.sim.faults(|faults| faults.fail_next_of(Calls::Charge, 1, midtrans_sim::Failure::Unavailable));
    let (budi, first) = kost.paying("Budi", "bca").await;
    assert_accepted(&give_up(&kost, &budi.email, &first).await, &first);
    let second = kost.pay(&budi, "bca").await;
    assert_ne!(first, second, "the one that was given up is not offered again");
    kost.pass(Duration::from_secs(10)).await;
    assert_eq!(kost.payment(&second).await.state, State::Created, "no charge before the first has ended");
    kost.pass(Duration::from_secs(120)).await;
    kost.pass(Duration::from_secs(60)).await;
    assert_eq!(kost.payment(&first).await.state, State::Failed(Failure::Withdrawn));
    assert_eq!(kost.payment(&second).await.state, State::Pending);
    assert_eq!(kost.sim.transactions().len(), 1);
    assert_eq!(kost.bill_status(&budi).await, "pending");
    kost.close().await;
}

async fn a_payment_that_was_paid_meanwhile_is_paid(kost: Kost) {
    kost.sim.faults(|faults| faults.notifications.drop_all = true);
    let (budi, invoice) = kost.paying("Budi", "bca").await;
    kost.sim.settle(invoice.as_str()).await.unwrap();
    assert_accepted(&give_up(&kost, &budi.email, &invoice).await, &invoice);
    kost.run_jobs().await;
    assert_eq!(kost.payment(&invoice).await.state, State::Paid);
    assert_eq!(kost.bill_status(&budi).await, "paid");
    kost.close().await;
}

async fn what_has_ended_cannot_be_given_up(kost: Kost) {
    let (budi, paid) = kost.paying("Budi", "bca").await;
    kost.sim.settle(paid.as_str()).await.unwrap();
    let (siti, expired) = kost.paying("Siti", "bca").await;
    kost.sim.expire(expired.as_str()).await.unwrap();
    kost.run_jobs().await;
    for (tenant, invoice) in [(&budi, &paid), (&siti, &expired)] {
        let answer = give_up(&kost, &tenant.email, invoice).await;
        assert_eq!(answer.status, StatusCode::CONFLICT);
        assert_eq!(answer.body["type"], "/problems/payment-ended");
        assert!(given_up_by(&kost, invoice).await.is_empty());
    }
    assert_eq!(kost.bill_status(&budi).await, "paid");
    kost.close().await;
}

async fn giving_up_twice_is_giving_up_once(kost: Kost) {
    let pause = kost.hold_jobs().await;
    let budi = kost.tenant("Budi").await;
    let invoice = kost.pay(&budi, "gopay").await;
    let twice = tokio::join!(give_up(&kost, &budi.email, &invoice), give_up(&kost, &budi.email, &invoice),);
    assert_accepted(&twice.0, &invoice);
    assert_accepted(&twice.1, &invoice);
    let path = format!("/api/payments/{invoice}/cancel");
    let third = kost.send(kost.request_of(&budi.email, Method::POST, &path)).await;
    assert_accepted(&third, &invoice);
    assert_eq!(given_up_by(&kost, &invoice).await.len(), 1);
    drop(pause);
    kost.run_jobs().await;
    assert_eq!(kost.bill_status(&budi).await, "unpaid");
    kost.close().await;
}

async fn an_admin_gives_up_for_a_tenant_and_a_stranger_does_not(kost: Kost) {
    let (budi, invoice) = kost.paying("Budi", "bca").await;
    let (siti, sari) = (kost.tenant("Siti").await, kost.admin("Sari").await);
    let stranger = give_up(&kost, &siti.email, &invoice).await;
    assert_eq!(
        (stranger.status, &stranger.body["type"]),
        (StatusCode::NOT_FOUND, &"/problems/not-found".into())
    );
    let path = format!("/api/payment/{invoice}/cancel");
    assert_eq!(kost.send(kost.request(Method::POST, &path)).await.status, StatusCode::UNAUTHORIZED);
    assert!(given_up_by(&kost, &invoice).await.is_empty());
    assert_accepted(&give_up(&kost, &sari, &invoice).await, &invoice);
    kost.run_jobs().await;
    assert_eq!(given_up_by(&kost, &invoice).await, ["operator"]);
    assert_eq!(kost.bill_status(&budi).await, "unpaid");
    kost.close().await;
}
