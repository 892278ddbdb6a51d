//! The gateway is slow, broken, or loses its answers.

use std::time::Duration;

use domain::State;
use midtrans_sim::{Calls, Failure, Loss, Status};
use reqwest::StatusCode;

use crate::kost::Kost;

stories![
    an_answer_that_was_cut_off_is_adopted,
    an_answer_that_never_came_is_adopted,
    an_answer_that_a_proxy_swallowed_is_adopted,
    the_lost_picture_of_a_qr_code_is_found_again,
    the_lost_link_of_a_wallet_is_found_again,
    a_gateway_in_trouble_delays_a_payment_and_never_fails_it,
    a_gateway_that_is_down_for_an_hour_fails_nothing,
    a_gateway_that_asks_for_patience_is_given_it,
    another_amount_under_our_order_id_is_a_finding_and_not_a_payment,
    an_outage_while_a_payment_is_settled_loses_nothing,
];

async fn lose_the_answer(kost: &Kost, how: Loss, method: &str) -> domain::Invoice {
    kost.sim.faults(|faults| {
        faults.notifications.drop_all = true;
        faults.lose_charge_answers(1, how);
    });
    let budi = kost.tenant("Budi").await;
    let invoice = kost.pay(&budi, method).await;
    kost.run_jobs().await;
    assert_eq!(
        kost.payment(&invoice).await.state,
        State::Asked,
        "nobody knows yet what became of the charge"
    );
    kost.pass(Duration::from_secs(5)).await;
    assert_eq!(kost.payment(&invoice).await.state, State::Pending);
    assert_eq!(kost.transaction(&invoice).status, Status::Pending);
    invoice
}

async fn adopts(kost: Kost, how: Loss) {
    let invoice = lose_the_answer(&kost, how, "bca").await;
    assert_eq!(kost.sim.charge_calls(), 1, "it was asked how it stands, not charged again");
    let instruction = serde_json::to_value(kost.payment(&invoice).await.instruction).unwrap();
    assert_eq!(instruction["number"], kost.transaction(&invoice).number());
    kost.close().await;
}

async fn an_answer_that_was_cut_off_is_adopted(kost: Kost) {
    adopts(kost, Loss::Cut).await;
}

async fn an_answer_that_never_came_is_adopted(kost: Kost) {
    adopts(kost, Loss::Hang).await;
}

async fn an_answer_that_a_proxy_swallowed_is_adopted(kost: Kost) {
    adopts(kost, Loss::GatewayTimeout).await;
}

async fn the_lost_picture_of_a_qr_code_is_found_again(kost: Kost) {
    let invoice = lose_the_answer(&kost, Loss::Cut, "qris").await;
    let instruction = serde_json::to_value(kost.payment(&invoice).await.instruction).unwrap();
    assert_eq!(instruction["kind"], "qr");
    let picture = instruction["imageUrl"].as_str().unwrap();
    let answer =
        midtrans::http_client(Duration::from_secs(5), Duration::from_secs(5)).unwrap().get(picture).send();
    assert_eq!(answer.await.unwrap().status(), StatusCode::OK);
    kost.close().await;
}

async fn the_lost_link_of_a_wallet_is_found_again(kost: Kost) {
    let invoice = lose_the_answer(&kost, Loss::Cut, "shopeepay").await;
    let instruction = serde_json::to_value(kost.payment(&invoice).await.instruction).unwrap();
    assert_eq!(
        instruction["kind"], "deeplink",
        "the same charge with the same key gives the first answer again"
    );
    assert_eq!(kost.sim.transactions().len(), 1);
    kost.close().await;
}

async fn a_gateway_in_trouble_delays_a_payment_and_never_fails_it(kost: Kost) {
    let troubles = [
        ("five-hundred", Failure::ServerError),
        ("unavailable", Failure::Unavailable),
        ("no-number", Failure::NoVaNumber),
        ("html-404", Failure::HtmlNotFound),
        ("html-502", Failure::HtmlBadGateway),
        ("hangs", Failure::Hang),
    ];
    for (name, trouble) in troubles {
        kost.sim.faults(|faults| faults.fail_next_of(Calls::Charge, 2, trouble));
        let (tenant, invoice) = kost.paying(name, "bni").await;
        assert_eq!(kost.payment(&invoice).await.state, State::Asked, "{name}");
        assert_eq!(kost.bill_status(&tenant).await, "pending", "{name}");
        for _ in 0..4 {
            kost.pass(Duration::from_secs(61)).await;
        }
        assert_eq!(kost.payment(&invoice).await.state, State::Pending, "{name}");
        assert_eq!(kost.transaction(&invoice).status, Status::Pending, "{name}");
    }
    kost.close().await;
}

async fn a_gateway_that_is_down_for_an_hour_fails_nothing(kost: Kost) {
    let (_, before) = kost.paying("Budi", "bca").await;
    kost.sim.settle(before.as_str()).await.unwrap();
    kost.sim.faults(|faults| faults.fail_always(Failure::Unavailable));
    let (_, during) = kost.paying("Siti", "bca").await;
    for _ in 0..60 {
        kost.pass(Duration::from_secs(60)).await;
    }
    assert!(kost.payment(&before).await.state.is_live());
    assert!(kost.payment(&during).await.state.is_live());
    assert!(kost.findings().await.contains(&"stuck_charge"), "a person hears of a charge nobody knows about");
    kost.sim.faults(|faults| faults.reset());
    for _ in 0..10 {
        kost.pass(Duration::from_secs(60)).await;
    }
    assert_eq!(kost.payment(&before).await.state, State::Paid);
    assert_eq!(kost.payment(&during).await.state, State::Pending);
    kost.close().await;
}

async fn a_gateway_that_asks_for_patience_is_given_it(kost: Kost) {
    kost.sim.faults(|faults| faults.fail_next(1, Failure::RateLimited));
    let (_, invoice) = kost.paying("Budi", "bca").await;
    assert_eq!(kost.sim.calls().len(), 1, "a 429 is not answered by another call");
    kost.pass(Duration::from_secs(11)).await;
    assert_eq!(kost.payment(&invoice).await.state, State::Pending);
    kost.close().await;
}

async fn another_amount_under_our_order_id_is_a_finding_and_not_a_payment(kost: Kost) {
    let pause = kost.hold_jobs().await;
    let budi = kost.tenant("Budi").await;
    let invoice = kost.pay(&budi, "bca").await;
    kost.charge_behind_our_back(&invoice, 5_000).await;
    drop(pause);
    kost.run_jobs().await;
    kost.sim.settle(invoice.as_str()).await.unwrap();
    kost.run_jobs().await;
    assert!(!kost.payment(&invoice).await.state.holds_money());
    assert!(kost.findings().await.contains(&"amount_mismatch"));
    assert_eq!(kost.bill_status(&budi).await, "pending", "nothing is decided until a person has looked");
    kost.close().await;
}

async fn an_outage_while_a_payment_is_settled_loses_nothing(kost: Kost) {
    let (_, invoice) = kost.paying("Budi", "permata").await;
    kost.sim.faults(|faults| faults.fail_next_of(Calls::Status, 3, Failure::ServerError));
    kost.sim.settle(invoice.as_str()).await.unwrap();
    kost.run_jobs().await;
    assert_eq!(kost.payment(&invoice).await.state, State::Pending);
    for _ in 0..6 {
        kost.pass(Duration::from_secs(60)).await;
    }
    assert_eq!(kost.payment(&invoice).await.state, State::Paid);
    assert_eq!(kost.life(&invoice).await, ["created", "asked", "pending", "paid"]);
    kost.close().await;
}
