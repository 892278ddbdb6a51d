//! More at once than can be done: who is let in, who is told to come again, and that nothing that was accepted is lost.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::Request;
use domain::{Invoice, Secret, State};
use futures::future::join_all;
use futures::stream::FuturesUnordered;
use futures::{Stream, StreamExt as _};
use http_body::Frame;
use http_body_util::StreamBody;
use kasir::http;
use kasir::roles::{self, Parts};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::pool::PoolConnection;
use sqlx::{PgPool, Postgres, Sqlite};
use store::{Db, notifications};
use tower::ServiceExt as _;

use crate::kost::{Answer, Kost, SERVER_KEY, Tenant};

stories![
    ten_thousand_notifications_at_once_are_one_change,
    a_flood_of_requests_is_told_to_come_again_and_starves_no_notification,
    a_flood_of_notifications_is_told_to_come_again_and_starves_nobody,
    who_waits_by_preference_takes_no_place,
    a_body_that_is_too_large_is_refused_however_it_is_sent,
    one_body_too_many_is_told_to_come_again,
];

const HOOK: &str = "/api/midtrans-notification";
const THOUSANDS: usize = 10_000;
/// The places of a small house.
const PLACES: usize = 3;
const FLOOD: usize = 20;
/// Nothing of this takes as long; without it a slow machine would tell another story.
const PATIENT: &str = "db_wait_s = 100\nrequest_timeout_s = 200\nstall_timeout_s = 300\n";

/// What the gateway says when Budi's Rp1.250.000 were paid.
fn settlement(invoice: &Invoice) -> Value {
    json!({
        "order_id": invoice, "transaction_id": "9aed5972-5b6a-401e-894b-a32c91ed1a3a",
        "transaction_status": "settlement", "fraud_status": "accept", "status_code": "200",
        "gross_amount": "1250000.00", "currency": "IDR", "payment_type": "gopay",
        "signature_key": midtrans::sign(invoice.as_str(), "200", "1250000.00", &Secret::from(SERVER_KEY)),
    })
}

/// A payment that the payer has paid, and nobody has told us.
async fn paid_in_silence(kost: &Kost) -> (Tenant, Invoice) {
    kost.sim.faults(|faults| faults.notifications.drop_all = true);
    let (tenant, invoice) = kost.paying("Budi", "gopay").await;
    kost.sim.settle(invoice.as_str()).await.unwrap();
    (tenant, invoice)
}

/// The service without its listener, so that nothing but its own limits holds back what comes.
fn service(kost: &Kost) -> Router {
    let (config, clock) = (kost.config.clone(), kost.clock.clone());
    let (gateway, queue) = (config.gateway.clone().unwrap(), kost.program.queue.clone());
    let secret = roles::installation_secret(&config, &clock).unwrap();
    let parts = Parts { config, db: kost.db.clone(), queue, clock, gateway, secret };
    http::router(Arc::new(roles::app(&parts).unwrap()))
}

/// How often the gateway was asked how this payment stands.
fn looks(kost: &Kost, invoice: &Invoice) -> usize {
    let path = format!("/v2/{invoice}/status");
    kost.sim.calls().iter().filter(|call| call.path == path).count()
}

/// What the program must do without for a while.
enum Held {
    Sqlite { _held: Vec<PoolConnection<Sqlite>> },
    Postgres { holding: PoolConnection<Postgres> },
}

/// Lets nobody's requests read the bills.
async fn hold_reading(kost: &Kost) -> Held {
    match &kost.db {
        Db::Sqlite { readers, .. } => {
            let connections = kost.config.file.limits.db_connections;
            let held = join_all((0..connections).map(|_| readers.acquire())).await;
            Held::Sqlite { _held: held.into_iter().map(Result::unwrap).collect() }
        }
        Db::Postgres(pool) => locked(pool, "BEGIN; LOCK TABLE bills IN ACCESS EXCLUSIVE MODE").await,
    }
}

async fn locked(pool: &PgPool, lock: &'static str) -> Held {
    let mut holding = pool.acquire().await.unwrap();
    sqlx::raw_sql(lock).execute(&mut *holding).await.unwrap();
    Held::Postgres { holding }
}

/// Lets nobody write a notification.
async fn hold_the_inbox(kost: &Kost) -> Held {
    match &kost.db {
        Db::Sqlite { writer, .. } => Held::Sqlite { _held: vec![writer.acquire().await.unwrap()] },
        Db::Postgres(pool) => locked(pool, "BEGIN; LOCK TABLE notifications IN EXCLUSIVE MODE").await,
    }
}

async fn let_go(held: Held) {
    if let Held::Postgres { mut holding } = held {
        sqlx::raw_sql("ROLLBACK").execute(&mut *holding).await.unwrap();
    }
}

/// A body that does not say beforehand how long it is.
fn in_pieces(pieces: impl Stream<Item = Bytes> + Send + Sync + 'static) -> reqwest::Body {
    let frames = pieces.map(|piece| Ok::<_, std::io::Error>(Frame::data(piece)));
    reqwest::Body::wrap(StreamBody::new(frames))
}

/// Waits until the metrics have this line.
async fn until_measured(kost: &Kost, line: &str) {
    loop {
        let told = kost.send(kost.request(Method::GET, "/metrics")).await;
        if told.body.as_str().unwrap().lines().any(|told| told == line) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Told at once, and when to come again.
fn assert_sent_away(answer: &Answer) {
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{}", answer.body);
    assert_eq!(answer.body["type"], "/problems/overloaded");
    assert_eq!(answer.headers["content-type"], "application/problem+json");
    assert_eq!(answer.headers["retry-after"], "5");
    assert!(answer.headers.contains_key("x-request-id"));
}

async fn ten_thousand_notifications_at_once_are_one_change(kost: Kost) {
    let kost = kost.with_limits(&format!("notifications_at_once = 10000\n{PATIENT}")).await;
    let (_, invoice) = paid_in_silence(&kost).await;
    let looks_before = looks(&kost, &invoice);
    let body = settlement(&invoice).to_string();
    let service = service(&kost);
    let post = || {
        let request = Request::post(HOOK).body(Body::from(body.clone())).unwrap();
        let service = service.clone();
        async move { service.oneshot(request).await.unwrap().status() }
    };
    let answers = join_all((0..THOUSANDS).map(|_| post())).await;
    assert!(answers.iter().all(|status| *status == StatusCode::CREATED));
    kost.run_jobs().await;
    let kept = notifications::newest(&kost.db, 10).await.unwrap();
    let seen: Vec<i64> = kept.iter().map(|kept| kept.seen).collect();
    assert_eq!(seen, [i64::try_from(THOUSANDS).unwrap()]);
    assert_eq!(kost.payment(&invoice).await.state, State::Paid);
    assert_eq!(kost.life(&invoice).await, ["created", "asked", "pending", "paid"]);
    assert!(looks(&kost, &invoice) <= looks_before + 1, "{} looks", looks(&kost, &invoice) - looks_before);
    kost.close().await;
}

async fn a_flood_of_requests_is_told_to_come_again_and_starves_no_notification(kost: Kost) {
    let kost = kost.with_limits(&format!("requests_at_once = {PLACES}\n{PATIENT}")).await;
    let (budi, invoice) = paid_in_silence(&kost).await;
    let held = hold_reading(&kost).await;
    let mut flood: FuturesUnordered<_> = (0..FLOOD).map(|_| kost.get(&budi, "/api/bills")).collect();
    for _ in PLACES..FLOOD {
        assert_sent_away(&flood.next().await.unwrap());
    }
    // A page says it in words for people.
    let page = kost.send(kost.request(Method::GET, "/admin/login").header("accept-language", "en")).await;
    assert_eq!(
        (page.status, page.headers["retry-after"].to_str().unwrap()),
        (StatusCode::SERVICE_UNAVAILABLE, "5")
    );
    assert!(page.body.as_str().unwrap().contains("<h1>All that can be done at once is being done</h1>"));
    // With the places taken there is one more for whoever watches, and those of the gateway.
    assert_eq!(kost.send(kost.request(Method::GET, "/livez")).await.status, StatusCode::OK);
    assert_eq!(kost.notify(settlement(&invoice).to_string()).await.status, StatusCode::CREATED);
    let_go(held).await;
    while let Some(answer) = flood.next().await {
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    }
    drop(flood);
    assert_eq!(kost.get(&budi, "/api/bills").await.status, StatusCode::OK, "it serves as before");
    let told = kost.send(kost.request(Method::GET, "/metrics")).await;
    let refused = format!("kasir_requests_refused_total{{share=\"requests\"}} {}\n", FLOOD - PLACES + 1);
    assert!(told.body.as_str().unwrap().contains(&refused), "{}", told.body);
    kost.run_jobs().await;
    assert_eq!(kost.payment(&invoice).await.state, State::Paid);
    kost.close().await;
}

async fn a_flood_of_notifications_is_told_to_come_again_and_starves_nobody(kost: Kost) {
    let kost = kost.with_limits(&format!("notifications_at_once = {PLACES}\n{PATIENT}")).await;
    let (budi, invoice) = paid_in_silence(&kost).await;
    let body = settlement(&invoice).to_string();
    let held = hold_the_inbox(&kost).await;
    let mut flood: FuturesUnordered<_> = (0..FLOOD).map(|_| kost.notify(body.clone())).collect();
    for _ in PLACES..FLOOD {
        assert_sent_away(&flood.next().await.unwrap());
    }
    for _ in 0..FLOOD {
        assert_eq!(kost.get(&budi, "/api/bills").await.status, StatusCode::OK);
    }
    let_go(held).await;
    while let Some(answer) = flood.next().await {
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
    }
    drop(flood);
    // The gateway comes again, as it does after a 503.
    assert_eq!(kost.notify(body).await.status, StatusCode::CREATED);
    let kept = notifications::newest(&kost.db, 10).await.unwrap();
    let accepted = i64::try_from(PLACES + 1).unwrap();
    assert_eq!(
        kept.iter().map(|kept| kept.seen).collect::<Vec<_>>(),
        [accepted],
        "what was accepted is there"
    );
    kost.run_jobs().await;
    assert_eq!(kost.payment(&invoice).await.state, State::Paid);
    kost.close().await;
}

async fn who_waits_by_preference_takes_no_place(kost: Kost) {
    let kost = kost.with_limits("requests_at_once = 1\n").await;
    let budi = kost.tenant("Budi").await;
    let pause = kost.hold_jobs().await;
    let invoice = kost.pay(&budi, "gopay").await;
    let path = format!("/api/payment/{invoice}");
    let waiting = kost.send(kost.request_of(&budi.email, Method::GET, &path).header("prefer", "wait=10"));
    let others = async {
        until_measured(&kost, "kasir_requests_waiting 1").await;
        // One that held its place would have waited in vain, and so would the others.
        let answer = kost.get(&budi, "/api/bills").await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        drop(pause);
        kost.run_jobs().await;
    };
    let (answer, ()) = tokio::join!(waiting, others);
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    assert_eq!(answer.body["payment"]["instruction"]["kind"], "qr", "{}", answer.body);
    kost.close().await;
}

async fn a_body_that_is_too_large_is_refused_however_it_is_sent(kost: Kost) {
    let huge = " ".repeat(kost.config.file.limits.body_bytes + 1);
    for path in [HOOK, "/api/login", "/api/logout"] {
        let request = || kost.request(Method::POST, path).header("content-type", "application/json");
        let whole = kost.send(request().body(huge.clone())).await;
        let pieces: Vec<Bytes> = huge.as_bytes().chunks(8_192).map(Bytes::copy_from_slice).collect();
        let chunked = kost.send(request().body(in_pieces(futures::stream::iter(pieces)))).await;
        for answer in [whole, chunked] {
            assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE, "{path}");
            assert_eq!(answer.body["type"], "/problems/too-large", "{path}");
        }
    }
    kost.close().await;
}

async fn one_body_too_many_is_told_to_come_again(kost: Kost) {
    let kost = kost.with_limits("bodies_bytes = 65536\n").await;
    let invoice = paid_in_silence(&kost).await.1;
    let (sender, receiver) = futures::channel::mpsc::unbounded();
    // Most of it is there, and the end does not come yet.
    sender.unbounded_send(Bytes::from(" ".repeat(60_000))).unwrap();
    let slow = kost.notify(in_pieces(receiver));
    let others = async {
        let large = format!("{}{}", settlement(&invoice), " ".repeat(60_000));
        until_measured(&kost, "kasir_body_bytes 60000").await;
        assert_sent_away(&kost.notify(large.clone()).await);
        sender.unbounded_send(Bytes::from(settlement(&invoice).to_string())).unwrap();
        drop(sender);
        large
    };
    let (answer, large) = tokio::join!(slow, others);
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
    assert_eq!(kost.notify(large).await.status, StatusCode::CREATED, "there is room again");
    kost.run_jobs().await;
    assert_eq!(kost.payment(&invoice).await.state, State::Paid);
    kost.close().await;
}
