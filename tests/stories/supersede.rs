//! A tenant who picks another method: the earlier payment ends at the gateway first.

use std::time::Duration;

use domain::{Failure, State};
use midtrans_sim::{Calls, Loss, Status};
use reqwest::StatusCode;

use crate::kost::Kost;

stories![
    another_method_takes_the_place_of_the_first,
    a_first_payment_that_turns_out_to_be_paid_wins,
    a_first_payment_that_was_never_asked_for_is_simply_withdrawn,
    while_the_gateway_does_not_answer_the_second_payment_waits,
    a_first_charge_that_was_lost_is_cancelled_before_the_second_is_made,
    a_first_charge_that_never_arrived_is_forgotten_in_time,
    changing_one_s_mind_four_times_leaves_one_live_transaction,
    money_for_an_earlier_payment_ends_the_one_that_is_live,
];

async fn another_method_takes_the_place_of_the_first(kost: Kost) {
    let (budi, first) = kost.paying("Budi", "bca").await;
    let second = kost.pay(&budi, "gopay").await;
    assert_ne!(first, second);
    assert_eq!(kost.bill_status(&budi).await, "pending");
    kost.run_jobs().await;
    assert_eq!(kost.transaction(&first).status, Status::Cancel);
    assert_eq!(kost.payment(&first).await.state, State::Failed(Failure::Cancelled));
    assert_eq!(kost.transaction(&second).status, Status::Pending);
    kost.sim.settle(second.as_str()).await.unwrap();
    kost.run_jobs().await;
    assert_eq!(kost.bill_status(&budi).await, "paid");
    let calls = kost.sim.calls();
    let at = |path: &str, nth: usize| {
        calls
            .iter()
            .enumerate()
            .filter(|(_, call)| call.path.ends_with(path))
            .nth(nth)
            .map(|(place, _)| place)
            .unwrap()
    };
    assert!(at("/cancel", 0) < at("/charge", 1), "the first ends before the second is charged");
    kost.close().await;
}

async fn a_first_payment_that_turns_out_to_be_paid_wins(kost: Kost) {
    kost.sim.faults(|faults| faults.notifications.drop_all = true);
    let (budi, first) = kost.paying("Budi", "bca").await;
    kost.sim.settle(first.as_str()).await.unwrap();
    let second = kost.pay(&budi, "gopay").await;
    kost.run_jobs().await;
    assert_eq!(kost.payment(&first).await.state, State::Paid);
    assert_eq!(kost.payment(&second).await.state, State::Failed(Failure::Withdrawn));
    assert_eq!(kost.sim.charge_calls(), 1, "the second is never charged");
    assert_eq!(kost.bill_status(&budi).await, "paid");
    assert_eq!(kost.try_pay(&budi, "gopay").await.status, StatusCode::CONFLICT);
    kost.close().await;
}

async fn a_first_payment_that_was_never_asked_for_is_simply_withdrawn(kost: Kost) {
    // Nothing runs between the two wishes, so the gateway has not heard of the first.
    let pause = kost.hold_jobs().await;
    let budi = kost.tenant("Budi").await;
    let first = kost.pay(&budi, "bca").await;
    let second = kost.pay(&budi, "bni").await;
    drop(pause);
    kost.run_jobs().await;
    assert!(matches!(kost.payment(&first).await.state, State::Failed(_)));
    assert_eq!(kost.payment(&second).await.state, State::Pending);
    let live: Vec<_> = kost.sim.transactions().into_iter().filter(|t| t.status == Status::Pending).collect();
    assert_eq!(live.len(), 1);
    kost.close().await;
}

async fn while_the_gateway_does_not_answer_the_second_payment_waits(kost: Kost) {
    let (budi, first) = kost.paying("Budi", "bca").await;
    kost.sim.faults(|faults| faults.fail_always(midtrans_sim::Failure::Unavailable));
    let second = kost.pay(&budi, "bni").await;
    kost.run_jobs().await;
    assert_eq!(kost.payment(&first).await.state, State::Pending);
    assert_eq!(kost.payment(&second).await.state, State::Created);
    assert_eq!(kost.bill_status(&budi).await, "pending");
    kost.sim.faults(|faults| faults.reset());
    kost.pass(Duration::from_secs(60)).await;
    assert_eq!(kost.transaction(&first).status, Status::Cancel);
    assert_eq!(kost.transaction(&second).status, Status::Pending);
    kost.close().await;
}

async fn a_first_charge_that_was_lost_is_cancelled_before_the_second_is_made(kost: Kost) {
    kost.sim.faults(|faults| {
        faults.notifications.drop_all = true;
        faults.lose_charge_answers(1, Loss::Cut);
    });
    let (budi, first) = kost.paying("Budi", "bca").await;
    assert_eq!(kost.payment(&first).await.state, State::Asked);
    let second = kost.pay(&budi, "bri").await;
    kost.run_jobs().await;
    for _ in 0..4 {
        kost.pass(Duration::from_secs(60)).await;
    }
    assert_eq!(kost.transaction(&first).status, Status::Cancel);
    assert_eq!(kost.transaction(&second).status, Status::Pending);
    kost.close().await;
}

async fn a_first_charge_that_never_arrived_is_forgotten_in_time(kost: Kost) {
    kost.sim.faults(|faults| faults.fail_next_of(Calls::Charge, 1, midtrans_sim::Failure::Unavailable));
    let (budi, first) = kost.paying("Budi", "bca").await;
    assert_eq!(kost.payment(&first).await.state, State::Asked);
    let second = kost.pay(&budi, "bri").await;
    kost.pass(Duration::from_secs(10)).await;
    assert_eq!(kost.payment(&first).await.state, State::Asked, "it may still be on its way");
    assert_eq!(kost.payment(&second).await.state, State::Created);
    kost.pass(Duration::from_secs(120)).await;
    kost.pass(Duration::from_secs(60)).await;
    assert_eq!(kost.payment(&first).await.state, State::Failed(Failure::Withdrawn));
    assert_eq!(kost.payment(&second).await.state, State::Pending);
    assert_eq!(kost.sim.transactions().len(), 1);
    kost.close().await;
}

async fn changing_one_s_mind_four_times_leaves_one_live_transaction(kost: Kost) {
    let budi = kost.tenant("Budi").await;
    let mut invoices = Vec::new();
    for method in ["bca", "bni", "gopay", "alfamart"] {
        invoices.push(kost.pay(&budi, method).await);
    }
    kost.run_jobs().await;
    for _ in 0..3 {
        kost.pass(Duration::from_secs(60)).await;
    }
    let live: Vec<_> = kost.sim.transactions().into_iter().filter(|t| t.status == Status::Pending).collect();
    assert_eq!(live.len(), 1);
    assert_eq!(live[0].order_id, invoices[3].as_str());
    kost.close().await;
}

async fn money_for_an_earlier_payment_ends_the_one_that_is_live(kost: Kost) {
    // The first payment ends, the second is live; then the gateway lets the first be paid all the same.
    kost.sim.faults(|faults| faults.notifications.drop_all = true);
    let (budi, first) = kost.paying("Budi", "bca").await;
    kost.sim.settle(first.as_str()).await.unwrap();
    let books = kost.payment(&first).await;
    kost.believe_expired(&books).await;
    let second = kost.pay(&budi, "bni").await;
    kost.run_jobs().await;
    assert_eq!(kost.transaction(&second).status, Status::Pending);

    kost.pass(Duration::from_secs(24 * 3600 - 60)).await;
    kost.pass(Duration::from_secs(20 * 60)).await;
    assert_eq!(kost.payment(&first).await.state, State::Paid);
    assert!(kost.findings().await.contains(&"late_settlement"));
    assert_ne!(kost.transaction(&second).status, Status::Pending, "nobody can pay the bill a second time");
    assert_eq!(kost.bill_status(&budi).await, "paid");
    kost.close().await;
}
