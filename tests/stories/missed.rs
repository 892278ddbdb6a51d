//! Notifications that are lost, doubled, late, early, forged or meant for others.

use std::time::Duration;

use domain::{Failure, State};
use midtrans_sim::Status;
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::kost::{Answer, Kost};

stories![
    with_all_notifications_lost_a_payment_is_still_found_paid,
    with_all_notifications_lost_an_expiry_is_still_found,
    notifications_that_come_thrice_and_shuffled_move_a_payment_once,
    a_notice_that_comes_before_our_own_answer_does_no_harm,
    a_look_at_the_page_finds_what_no_notification_told,
    a_forged_notification_is_refused_and_changes_nothing,
    a_signed_notification_that_lies_changes_nothing,
    a_notification_of_an_order_that_is_not_ours_is_kept_and_told,
    the_dashboard_test_is_answered_and_changes_nothing,
    what_is_not_a_notification_is_refused,
    both_addresses_of_the_hook_answer_directly,
];

async fn with_all_notifications_lost_a_payment_is_still_found_paid(kost: Kost) {
    kost.sim.faults(|faults| faults.notifications.drop_all = true);
    let (budi, invoice) = kost.paying("Budi", "bca").await;
    kost.sim.settle(invoice.as_str()).await.unwrap();
    kost.run_jobs().await;
    assert_eq!(kost.payment(&invoice).await.state, State::Pending, "nobody has told us yet");
    kost.pass(Duration::from_secs(60)).await;
    assert_eq!(kost.payment(&invoice).await.state, State::Paid);
    assert_eq!(kost.bill_status(&budi).await, "paid");
    assert_eq!(kost.sim.notifications_sent().len(), 0);
    kost.close().await;
}

async fn with_all_notifications_lost_an_expiry_is_still_found(kost: Kost) {
    kost.sim.faults(|faults| faults.notifications.drop_all = true);
    let (budi, invoice) = kost.paying("Budi", "gopay").await;
    kost.pass(Duration::from_secs(17 * 60)).await;
    assert_eq!(kost.payment(&invoice).await.state, State::Failed(Failure::Expired));
    assert_eq!(kost.bill_status(&budi).await, "unpaid");
    kost.close().await;
}

async fn notifications_that_come_thrice_and_shuffled_move_a_payment_once(kost: Kost) {
    kost.sim.faults(|faults| {
        faults.notifications.copies = 3;
        faults.notifications.shuffle = true;
    });
    let (_, invoice) = kost.paying("Budi", "bca").await;
    kost.sim.settle(invoice.as_str()).await.unwrap();
    kost.sim.release_notifications();
    kost.run_jobs().await;
    assert!(kost.sim.notifications_sent().len() >= 6, "pending and settlement, three times each");
    assert!(kost.sim.notifications_sent().iter().all(|sent| sent.answer == Some(201)));
    assert_eq!(kost.life(&invoice).await, ["created", "asked", "pending", "paid"]);
    assert_eq!(kost.findings().await, [""; 0]);
    kost.close().await;
}

async fn a_notice_that_comes_before_our_own_answer_does_no_harm(kost: Kost) {
    kost.sim.faults(|faults| faults.api.settle_before_answer = 1);
    let (budi, invoice) = kost.paying("Budi", "bca").await;
    kost.run_jobs().await;
    assert_eq!(kost.payment(&invoice).await.state, State::Paid);
    assert_eq!(kost.life(&invoice).await.last().unwrap(), "paid");
    assert_eq!(kost.bill_status(&budi).await, "paid");
    assert_eq!(kost.sim.transactions().len(), 1);
    kost.close().await;
}

async fn a_look_at_the_page_finds_what_no_notification_told(kost: Kost) {
    kost.sim.faults(|faults| faults.notifications.drop_all = true);
    let (budi, invoice) = kost.paying("Budi", "qris").await;
    kost.sim.settle(invoice.as_str()).await.unwrap();
    kost.clock.advance(Duration::from_secs(6));
    let page = format!("/api/payment/{invoice}");
    assert_eq!(
        kost.get(&budi, &page).await.body["status"],
        "pending",
        "the answer is from our books, at once"
    );
    kost.run_jobs().await;
    assert_eq!(kost.get(&budi, &page).await.body["status"], "paid");
    kost.close().await;
}

async fn deliver(kost: &Kost, body: &serde_json::Value) -> Answer {
    kost.send(kost.request(Method::POST, "/api/midtrans-notification").json(body)).await
}

async fn a_forged_notification_is_refused_and_changes_nothing(kost: Kost) {
    let (budi, invoice) = kost.paying("Budi", "bca").await;
    let transaction = kost.transaction(&invoice);
    let forged = json!({
        "order_id": invoice.as_str(), "transaction_id": transaction.transaction_id, "status_code": "200",
        "gross_amount": "1250000.00", "transaction_status": "settlement", "fraud_status": "accept",
        "payment_type": "bank_transfer", "signature_key": "ab".repeat(64),
    });
    let answer = deliver(&kost, &forged).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert_eq!(answer.body["type"], "/problems/wrong-signature");
    kost.run_jobs().await;
    assert_eq!(kost.payment(&invoice).await.state, State::Pending);
    let kept = store::notifications::newest(&kost.db, 10).await.unwrap();
    assert!(kept.iter().all(|notification| notification.verified), "a forged one is not kept");
    assert_eq!(kost.bill_status(&budi).await, "pending");
    kost.close().await;
}

async fn a_signed_notification_that_lies_changes_nothing(kost: Kost) {
    let (_, invoice) = kost.paying("Budi", "bca").await;
    let pending = kost.sim.notifications_sent().pop().unwrap().body;
    // The signature does not cover transaction_status: whoever holds one notification can write another.
    let mut lie = pending.clone();
    lie["transaction_status"] = json!("settlement");
    assert_eq!(deliver(&kost, &lie).await.status, StatusCode::CREATED);
    kost.run_jobs().await;
    assert_eq!(kost.transaction(&invoice).status, Status::Pending);
    assert_eq!(kost.payment(&invoice).await.state, State::Pending);
    kost.close().await;
}

async fn a_notification_of_an_order_that_is_not_ours_is_kept_and_told(kost: Kost) {
    let (_, invoice) = kost.paying("Budi", "bca").await;
    let mut foreign = kost.sim.notifications_sent().pop().unwrap().body;
    let key = domain::Secret::from("SB-Mid-server-stories-4711-hush");
    foreign["order_id"] = json!("A120251205074834XeVg4mKHIMID");
    foreign["signature_key"] =
        json!(midtrans::sign("A120251205074834XeVg4mKHIMID", "201", "1250000.00", &key));
    assert_eq!(deliver(&kost, &foreign).await.status, StatusCode::CREATED);
    kost.run_jobs().await;
    assert_eq!(kost.findings().await, ["unknown_order"]);
    assert_eq!(kost.payment(&invoice).await.state, State::Pending);
    kost.close().await;
}

async fn the_dashboard_test_is_answered_and_changes_nothing(kost: Kost) {
    assert!(kost.sim.send_test_notification());
    kost.run_jobs().await;
    assert_eq!(kost.sim.notifications_sent().pop().unwrap().answer, Some(201));
    let kept = store::notifications::newest(&kost.db, 10).await.unwrap();
    assert_eq!((kept[0].kind.as_str(), kept[0].outcome.as_deref()), ("dashboard_test", Some("ignored")));
    assert_eq!(kost.findings().await, [""; 0]);
    kost.close().await;
}

async fn what_is_not_a_notification_is_refused(kost: Kost) {
    let hook = |body: Vec<u8>| kost.request(Method::POST, "/api/midtrans-notification").body(body);
    for body in [&b""[..], b"hello", b"[]", b"{}", b"{\"order_id\":", b"\xff\xfe", b"null"] {
        let answer = kost.send(hook(body.to_vec())).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body:?}");
    }
    let nul = br#"{"order_id":"a\u0000b","status_code":"200","gross_amount":"1.00","signature_key":"x","transaction_status":"settlement"}"#;
    assert_eq!(kost.send(hook(nul.to_vec())).await.status, StatusCode::BAD_REQUEST);
    let large = vec![b' '; 65 * 1024];
    assert_eq!(kost.send(hook(large)).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    kost.close().await;
}

async fn both_addresses_of_the_hook_answer_directly(kost: Kost) {
    let (_, _) = kost.paying("Budi", "bca").await;
    let body = kost.sim.notifications_sent().pop().unwrap().body;
    for path in ["/api/midtrans-notification", "/api/midtrans-notification/"] {
        let answer = kost.send(kost.request(Method::POST, path).json(&body)).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{path}");
    }
    kost.close().await;
}
