//! `Prefer: wait=N`: the answer waits until the payer can be told what to do.

use std::time::{Duration, Instant};

use futures::future::join_all;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::json;
use store::payments;

use crate::kost::{API_KEY, Kost, Tenant};

stories![
    paying_waits_for_the_instruction,
    reading_waits_for_the_instruction,
    nobody_waits_longer_than_they_said,
    who_waits_hears_of_a_payment_that_ended,
    what_is_known_is_told_at_once,
    a_wish_that_makes_no_sense_is_not_heard,
    one_more_than_may_wait_is_answered_at_once,
    nobody_waits_for_a_service_that_stops,
];

/// Far less than the ten seconds that these requests would wait.
const SOON: Duration = Duration::from_secs(7);

fn paying(kost: &Kost, tenant: &Tenant, prefer: &str) -> RequestBuilder {
    let path = format!("/api/bills/{}/pay", tenant.bill);
    let request = kost.request_of(&tenant.email, Method::POST, &path).header("x-api-key", API_KEY);
    request.header("prefer", prefer).json(&json!({ "payment": "bca" }))
}

fn reading(kost: &Kost, tenant: &Tenant, invoice: &domain::Invoice, prefer: &str) -> RequestBuilder {
    let path = format!("/api/payment/{invoice}");
    kost.request_of(&tenant.email, Method::GET, &path).header("prefer", prefer)
}

async fn paying_waits_for_the_instruction(kost: Kost) {
    let budi = kost.tenant("Budi").await;
    let begun = Instant::now();
    let (answer, ()) = tokio::join!(kost.send(paying(&kost, &budi, "wait=10")), kost.run_jobs());
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    assert_eq!(answer.status, StatusCode::CREATED);
    assert_eq!(answer.headers["preference-applied"], "wait=10");
    assert_eq!(answer.body["status"], "pending");
    assert_eq!(answer.body["instruction"]["kind"], "virtual_account");
    assert!(answer.body["instruction"]["number"].is_string());
    kost.close().await;
}

async fn reading_waits_for_the_instruction(kost: Kost) {
    let pause = kost.hold_jobs().await;
    let budi = kost.tenant("Budi").await;
    let invoice = kost.pay(&budi, "gopay").await;
    let begun = Instant::now();
    let charged = async {
        drop(pause);
        kost.run_jobs().await;
    };
    let (answer, ()) = tokio::join!(kost.send(reading(&kost, &budi, &invoice, "wait=10")), charged);
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    assert_eq!(answer.body["payment"]["instruction"]["kind"], "qr");
    assert_eq!(answer.headers["preference-applied"], "wait=10");
    kost.close().await;
}

async fn nobody_waits_longer_than_they_said(kost: Kost) {
    let pause = kost.hold_jobs().await;
    let budi = kost.tenant("Budi").await;
    let begun = Instant::now();
    let answer = kost.send(paying(&kost, &budi, "wait=1")).await;
    let took = begun.elapsed();
    assert!(took >= Duration::from_secs(1) && took < SOON, "{took:?}");
    assert_eq!(answer.status, StatusCode::CREATED);
    assert_eq!(answer.headers["preference-applied"], "wait=1");
    assert!(answer.body.get("instruction").is_none());
    drop(pause);
    kost.close().await;
}

async fn who_waits_hears_of_a_payment_that_ended(kost: Kost) {
    let pause = kost.hold_jobs().await;
    let budi = kost.tenant("Budi").await;
    let invoice = kost.pay(&budi, "bca").await;
    let path = format!("/api/payment/{invoice}/cancel");
    assert_eq!(kost.send(kost.request_of(&budi.email, Method::POST, &path)).await.status, 202);
    let begun = Instant::now();
    let ended = async {
        drop(pause);
        kost.run_jobs().await;
    };
    let (answer, ()) = tokio::join!(kost.send(reading(&kost, &budi, &invoice, "wait=10")), ended);
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    assert_eq!(answer.body["status"], "failed");
    kost.close().await;
}

async fn what_is_known_is_told_at_once(kost: Kost) {
    let (budi, invoice) = kost.paying("Budi", "bca").await;
    let begun = Instant::now();
    let read = kost.send(reading(&kost, &budi, &invoice, "wait=99")).await;
    assert_eq!(read.headers["preference-applied"], "wait=10", "ten seconds are the longest");
    let paid = kost.send(paying(&kost, &budi, "wait=10")).await;
    assert_eq!((paid.status, &paid.body["invoice"]), (StatusCode::OK, &json!(invoice.as_str())));
    assert!(paid.body["instruction"].is_object());
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    kost.close().await;
}

async fn a_wish_that_makes_no_sense_is_not_heard(kost: Kost) {
    let pause = kost.hold_jobs().await;
    let budi = kost.tenant("Budi").await;
    let begun = Instant::now();
    for wish in ["wait=soon", "wait", "respond-async", "wait=-5"] {
        let answer = kost.send(paying(&kost, &budi, wish)).await;
        assert!(answer.status.is_success(), "{}", answer.body);
        assert!(answer.headers.get("preference-applied").is_none(), "{wish}");
    }
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    drop(pause);
    kost.close().await;
}

async fn one_more_than_may_wait_is_answered_at_once(kost: Kost) {
    // Three places, see the settings of the house.
    let pause = kost.hold_jobs().await;
    let budi = kost.tenant("Budi").await;
    let invoice = kost.pay(&budi, "bca").await;
    let answers = join_all((0..4).map(|_| kost.send(reading(&kost, &budi, &invoice, "wait=3")))).await;
    assert!(answers.iter().all(|answer| answer.status == StatusCode::OK));
    let waited = answers.iter().filter(|answer| answer.headers.contains_key("preference-applied"));
    assert_eq!(waited.count(), 3);
    drop(pause);
    kost.close().await;
}

async fn nobody_waits_for_a_service_that_stops(kost: Kost) {
    let pause = kost.hold_jobs().await;
    let budi = kost.tenant("Budi").await;
    let begun = Instant::now();
    let stopping = async {
        // Once the payment is in the books, its request waits.
        while payments::of_bill(&kost.db, budi.bill).await.unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
        kost.stops_serving().await;
    };
    let (answer, ()) = tokio::join!(kost.send(paying(&kost, &budi, "wait=10")), stopping);
    assert_eq!(answer.status, StatusCode::CREATED);
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    drop(pause);
    kost.sim.set_notification_url(None);
    kost.close().await;
}
