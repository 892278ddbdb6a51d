//! `Idempotency-Key`: the same request again gets the first answer again.

use std::time::Duration;

use futures::future::join_all;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::json;
use sqlx::Executor as _;
use store::{Db, payments};

use crate::kost::{API_KEY, Answer, Kost, Tenant};

stories![
    a_request_sent_again_gets_the_first_answer,
    the_first_answer_is_given_again_when_the_bill_has_changed,
    a_refusal_is_given_again_as_well,
    the_key_of_one_request_is_not_for_another,
    a_key_belongs_to_one_person,
    a_key_that_is_none_is_refused,
    a_stranger_takes_no_key,
    the_same_key_eight_times_at_once_is_one_payment,
    a_failure_of_ours_gives_the_key_back,
    a_first_request_that_never_answered_is_awaited_for_six_seconds,
    after_three_days_a_key_is_new_and_its_row_is_gone,
    giving_up_can_be_repeated_too,
    who_hangs_up_finds_the_answer_later,
];

fn request(kost: &Kost, tenant: &Tenant, key: &str) -> RequestBuilder {
    let path = format!("/api/bills/{}/pay", tenant.bill);
    let request = kost.request_of(&tenant.email, Method::POST, &path).header("x-api-key", API_KEY);
    request.header("idempotency-key", key)
}

async fn pay(kost: &Kost, tenant: &Tenant, key: &str, method: &str) -> Answer {
    kost.send(request(kost, tenant, key).json(&json!({ "payment": method }))).await
}

fn is_replay(answer: &Answer) -> bool {
    answer.headers.get("idempotent-replayed").is_some_and(|value| value == "true")
}

fn problem(answer: &Answer) -> (u16, &str) {
    assert_eq!(answer.headers["content-type"], "application/problem+json", "{}", answer.body);
    (answer.status.as_u16(), answer.body["type"].as_str().unwrap())
}

async fn keys(kost: &Kost) -> i64 {
    const SQL: &str = "SELECT count(*) FROM idempotency_keys";
    match &kost.db {
        Db::Sqlite { readers, .. } => sqlx::query_scalar(SQL).fetch_one(readers).await.unwrap(),
        Db::Postgres(pool) => sqlx::query_scalar(SQL).fetch_one(&**pool).await.unwrap(),
    }
}

async fn execute(kost: &Kost, sql: &'static str) {
    match &kost.db {
        Db::Sqlite { writer, .. } => writer.execute(sql).await.map(drop).unwrap(),
        Db::Postgres(pool) => pool.execute(sql).await.map(drop).unwrap(),
    }
}

async fn a_request_sent_again_gets_the_first_answer(kost: Kost) {
    let budi = kost.tenant("Budi").await;
    let first = pay(&kost, &budi, "k-1", "bca").await;
    assert_eq!((first.status, is_replay(&first)), (StatusCode::CREATED, false));
    let again = pay(&kost, &budi, "k-1", "bca").await;
    assert_eq!((again.status, is_replay(&again)), (StatusCode::CREATED, true));
    assert_eq!(again.body, first.body);
    assert_eq!(again.headers["content-type"], "application/json");
    let other_key = pay(&kost, &budi, "k-2", "bca").await;
    assert_eq!((other_key.status, is_replay(&other_key)), (StatusCode::OK, false));
    kost.run_jobs().await;
    kost.close().await;
}

async fn the_first_answer_is_given_again_when_the_bill_has_changed(kost: Kost) {
    let budi = kost.tenant("Budi").await;
    let first = pay(&kost, &budi, "k-1", "bca").await;
    kost.run_jobs().await;
    kost.sim.settle(first.body["invoice"].as_str().unwrap()).await.unwrap();
    kost.run_jobs().await;
    assert_eq!(kost.bill_status(&budi).await, "paid");
    let again = pay(&kost, &budi, "k-1", "bca").await;
    assert_eq!((again.status, is_replay(&again)), (StatusCode::CREATED, true));
    assert_eq!(again.body, first.body);
    let anew = pay(&kost, &budi, "k-2", "bca").await;
    assert_eq!(problem(&anew), (409, "/problems/bill-already-paid"));
    kost.close().await;
}

async fn a_refusal_is_given_again_as_well(kost: Kost) {
    let budi = kost.tenant("Budi").await;
    let first = pay(&kost, &budi, "k-1", "cheque").await;
    assert_eq!(problem(&first), (422, "/problems/unprocessable"));
    let again = pay(&kost, &budi, "k-1", "cheque").await;
    assert!(is_replay(&again));
    assert_eq!(problem(&again), (422, "/problems/unprocessable"));
    assert_eq!(again.body, first.body);
    kost.close().await;
}

async fn the_key_of_one_request_is_not_for_another(kost: Kost) {
    let budi = kost.tenant("Budi").await;
    let first = pay(&kost, &budi, "k-1", "bca").await;
    let other = pay(&kost, &budi, "k-1", "bni").await;
    assert_eq!(problem(&other), (422, "/problems/idempotency-key-reused"));
    let invoice = first.body["invoice"].as_str().unwrap();
    let path = format!("/api/payment/{invoice}/cancel");
    let cancel = kost.request_of(&budi.email, Method::POST, &path).header("idempotency-key", "k-1");
    assert_eq!(problem(&kost.send(cancel).await), (422, "/problems/idempotency-key-reused"));
    let payments = payments::of_bill(&kost.db, budi.bill).await.unwrap();
    assert_eq!(payments.len(), 1);
    assert!(payments[0].is_wanted());
    kost.close().await;
}

async fn a_key_belongs_to_one_person(kost: Kost) {
    let (budi, siti) = (kost.tenant("Budi").await, kost.tenant("Siti").await);
    let of_budi = pay(&kost, &budi, "k-1", "bca").await;
    let of_siti = pay(&kost, &siti, "k-1", "bni").await;
    assert_eq!((of_siti.status, is_replay(&of_siti)), (StatusCode::CREATED, false));
    assert_ne!(of_budi.body["invoice"], of_siti.body["invoice"]);
    kost.close().await;
}

async fn a_key_that_is_none_is_refused(kost: Kost) {
    let budi = kost.tenant("Budi").await;
    for key in ["", "two words", "kunci-é", &"k".repeat(256)] {
        let answer = pay(&kost, &budi, key, "bca").await;
        assert_eq!(problem(&answer), (422, "/problems/unprocessable"), "{key}");
        assert!(answer.body["detail"].as_str().unwrap().contains("Idempotency-Key"));
    }
    let two = request(&kost, &budi, "k-1").header("idempotency-key", "k-2");
    assert_eq!(problem(&kost.send(two.json(&json!({ "payment": "bca" }))).await).0, 422);
    assert_eq!((kost.bill_status(&budi).await, keys(&kost).await), ("unpaid", 0));
    assert_eq!(pay(&kost, &budi, &"k".repeat(255), "bca").await.status, StatusCode::CREATED);
    kost.close().await;
}

async fn a_stranger_takes_no_key(kost: Kost) {
    let budi = kost.tenant("Budi").await;
    let path = format!("/api/bills/{}/pay", budi.bill);
    let body = json!({ "payment": "bca" });
    let nobody = kost.request(Method::POST, &path).header("idempotency-key", "k-1");
    assert_eq!(problem(&kost.send(nobody.json(&body)).await).0, 401);
    let no_front_end = kost.request_of(&budi.email, Method::POST, &path).header("idempotency-key", "k-1");
    assert_eq!(problem(&kost.send(no_front_end.json(&body)).await), (401, "/problems/unknown-front-end"));
    assert_eq!(keys(&kost).await, 0);
    let large = request(&kost, &budi, "k-1").header("content-type", "application/json");
    let large = kost.send(large.body(" ".repeat(70 * 1024))).await;
    assert_eq!(problem(&large), (413, "/problems/too-large"));
    assert_eq!(keys(&kost).await, 0);
    kost.close().await;
}

async fn the_same_key_eight_times_at_once_is_one_payment(kost: Kost) {
    let budi = kost.tenant("Budi").await;
    let answers = join_all((0..8).map(|_| pay(&kost, &budi, "k-1", "bca"))).await;
    let (made, refused): (Vec<_>, Vec<_>) =
        answers.iter().partition(|answer| answer.status == StatusCode::CREATED);
    assert_eq!(made.iter().filter(|answer| !is_replay(answer)).count(), 1, "one does the work");
    assert!(made.iter().all(|answer| answer.body == made[0].body));
    for answer in refused {
        assert_eq!(problem(answer), (409, "/problems/idempotency-key-in-use"));
    }
    assert_eq!(payments::of_bill(&kost.db, budi.bill).await.unwrap().len(), 1);
    let again = pay(&kost, &budi, "k-1", "bca").await;
    assert_eq!((again.status, is_replay(&again)), (StatusCode::CREATED, true));
    kost.close().await;
}

async fn a_failure_of_ours_gives_the_key_back(kost: Kost) {
    let budi = kost.tenant("Budi").await;
    execute(&kost, "ALTER TABLE payment_methods RENAME TO away").await;
    let failed = pay(&kost, &budi, "k-1", "bca").await;
    assert_eq!(problem(&failed), (500, "/problems/internal"));
    assert_eq!(keys(&kost).await, 0);
    execute(&kost, "ALTER TABLE away RENAME TO payment_methods").await;
    let again = pay(&kost, &budi, "k-1", "bca").await;
    assert_eq!((again.status, is_replay(&again)), (StatusCode::CREATED, false));
    kost.close().await;
}

async fn a_first_request_that_never_answered_is_awaited_for_six_seconds(kost: Kost) {
    let budi = kost.tenant("Budi").await;
    let first = pay(&kost, &budi, "k-1", "bca").await;
    // As a process leaves it that dies after the payment was written and before the answer.
    execute(&kost, "UPDATE idempotency_keys SET status = NULL, body = NULL").await;
    let early = pay(&kost, &budi, "k-1", "bca").await;
    assert_eq!(problem(&early), (409, "/problems/idempotency-key-in-use"));
    kost.clock.advance(Duration::from_secs(7));
    let late = pay(&kost, &budi, "k-1", "bca").await;
    assert_eq!((late.status, is_replay(&late)), (StatusCode::OK, false));
    assert_eq!(late.body["invoice"], first.body["invoice"], "it was not done twice");
    assert!(is_replay(&pay(&kost, &budi, "k-1", "bca").await));
    kost.close().await;
}

async fn after_three_days_a_key_is_new_and_its_row_is_gone(kost: Kost) {
    let budi = kost.tenant("Budi").await;
    let first = pay(&kost, &budi, "k-1", "bca").await;
    kost.run_jobs().await;
    kost.pass(Duration::from_secs(72 * 3600)).await;
    assert!(is_replay(&pay(&kost, &budi, "k-1", "bca").await), "on the last moment it is still known");
    kost.clock.advance(Duration::from_secs(1));
    let anew = pay(&kost, &budi, "k-1", "bca").await;
    assert_eq!((anew.status, is_replay(&anew)), (StatusCode::CREATED, false), "{}", anew.body);
    assert_ne!(anew.body["invoice"], first.body["invoice"]);
    assert_eq!(keys(&kost).await, 1);
    kost.run_jobs().await;
    kost.pass(Duration::from_secs(73 * 3600)).await;
    assert_eq!(keys(&kost).await, 0, "the sweep forgets old keys");
    kost.close().await;
}

async fn giving_up_can_be_repeated_too(kost: Kost) {
    let (budi, invoice) = kost.paying("Budi", "bca").await;
    let cancel = || {
        let path = format!("/api/payment/{invoice}/cancel");
        kost.request_of(&budi.email, Method::POST, &path).header("idempotency-key", "k-1")
    };
    let first = kost.send(cancel()).await;
    assert_eq!((first.status, is_replay(&first)), (StatusCode::ACCEPTED, false));
    kost.run_jobs().await;
    assert_eq!(kost.bill_status(&budi).await, "unpaid");
    let again = kost.send(cancel()).await;
    assert_eq!((again.status, is_replay(&again)), (StatusCode::ACCEPTED, true));
    assert_eq!(again.body, first.body);
    let other_key = kost.send(cancel().header("idempotency-key", "k-2")).await;
    assert_eq!(other_key.status, StatusCode::UNPROCESSABLE_ENTITY, "two keys are none");
    kost.close().await;
}

async fn who_hangs_up_finds_the_answer_later(kost: Kost) {
    let pause = kost.hold_jobs().await;
    let budi = kost.tenant("Budi").await;
    let waiting = request(&kost, &budi, "k-1").header("prefer", "wait=10");
    let first = kost.send(waiting.json(&json!({ "payment": "bca" })));
    let written = async {
        while payments::of_bill(&kost.db, budi.bill).await.unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        answer = first => panic!("{} came too early", answer.status),
        // The connection is cut here.
        () = written => {}
    }
    let early = pay(&kost, &budi, "k-1", "bca").await;
    assert_eq!(problem(&early), (409, "/problems/idempotency-key-in-use"));
    drop(pause);
    kost.run_jobs().await;
    let mut again = pay(&kost, &budi, "k-1", "bca").await;
    while again.status == StatusCode::CONFLICT {
        again = pay(&kost, &budi, "k-1", "bca").await;
    }
    assert_eq!((again.status, is_replay(&again)), (StatusCode::CREATED, true));
    assert!(again.body["instruction"].is_object(), "the work went on: {}", again.body);
    kost.close().await;
}
