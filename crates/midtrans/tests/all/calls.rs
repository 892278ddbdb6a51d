//! Calls that go wrong: what the client may conclude, and what it may not.

use std::time::Duration;

use domain::{Event, Method};
use midtrans::{CallError, Midtrans};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::gateway::{Gateway, KEY, charge, client, fixture, settings};

const HTML: &str = "<!DOCTYPE html><html><body>Ups</body></html>";

/// The class of an error, for tables.
pub(crate) fn class(error: &CallError) -> String {
    match error {
        CallError::NotSent(_) => "not sent".to_owned(),
        CallError::Unknown(_) => "unknown".to_owned(),
        CallError::Held { .. } => "held".to_owned(),
        CallError::RateLimited { .. } => "rate limited".to_owned(),
        CallError::Running => "running".to_owned(),
        CallError::NoSuchTransaction => "no such transaction".to_owned(),
        CallError::Duplicate => "duplicate".to_owned(),
        CallError::Unchangeable => "unchangeable".to_owned(),
        CallError::Refused { code, .. } => format!("refused {code}"),
        CallError::Misconfigured { code, .. } => format!("misconfigured {code}"),
    }
}

#[tokio::test]
async fn an_answer_that_is_not_the_gateways_is_not_believed() {
    let gateway = Gateway::open().await;
    let midtrans = gateway.client();
    let order = charge("KSR-1", Method::Bca, 10_000);
    for (status, body, expected) in [
        (200, HTML, "unknown"),
        (200, "", "unknown"),
        (200, "null", "unknown"),
        (200, "{}", "unknown"),
        (200, r#"{"status_code":null,"transaction_status":"settlement"}"#, "unknown"),
        (200, r#"{"status_code":"200"}"#, "unknown"),
        (200, r#"{"status_code":"202"}"#, "unknown"),
        (200, r#"{"status_code":"900","status_message":"x"}"#, "unknown"),
        (200, r#"{"status_code":"418"}"#, "unknown"),
        (202, "", "running"),
        (202, HTML, "running"),
        (202, r#"{"status_code":"202","status_message":"still running"}"#, "running"),
        (301, HTML, "misconfigured 301"),
        (307, "", "misconfigured 307"),
        (400, HTML, "unknown"),
        (401, HTML, "misconfigured 401"),
        (403, "", "misconfigured 403"),
        (404, HTML, "misconfigured 404"),
        (404, r#"{"status":404,"error":"Not Found"}"#, "misconfigured 404"),
        // A proxy, not an expiry.
        (407, HTML, "misconfigured 407"),
        (408, "", "unknown"),
        (429, HTML, "rate limited"),
        (429, r#"{"message":"API rate limit exceeded"}"#, "rate limited"),
        (200, r#"{"status_code":429}"#, "rate limited"),
        (500, HTML, "unknown"),
        (502, HTML, "unknown"),
        (504, "", "unknown"),
        // The body counts, on whatever status it comes.
        (400, r#"{"status_code":"406"}"#, "duplicate"),
        (404, r#"{"status_code":"404"}"#, "refused 404"),
        (200, r#"{"status_code":405,"status_message":"x"}"#, "misconfigured 405"),
    ] {
        gateway.answers(status, body);
        let error = midtrans.charge(&order).await.unwrap_err();
        assert_eq!(class(&error), expected, "HTTP {status} {body}: {error}");
    }
}

#[tokio::test]
async fn the_wait_that_the_gateway_asks_for_is_told_up_to_an_hour() {
    for (header, wait) in
        [("7", Some(7)), ("100000", Some(3600)), ("Wed, 21 Oct 2026 07:28:00 GMT", None), ("-1", None)]
    {
        let gateway = Gateway::open().await;
        gateway.answers(429, fixture("errors/429_rate_limit.json")).with_header("retry-after", header);
        match gateway.client().status("KSR-1").await {
            Err(CallError::RateLimited { retry_after }) => {
                assert_eq!(retry_after, wait.map(Duration::from_secs))
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_refusal_tells_why() {
    let gateway = Gateway::open().await;
    gateway.answers(400, fixture("errors/400_item_sum.json"));
    let error = gateway.client().charge(&charge("KSR-1", Method::Bca, 10_000)).await.unwrap_err();
    let why = "transaction_details.gross_amount is not equal to the sum of item_details";
    assert_eq!(
        error,
        CallError::Refused {
            code: "400".to_owned(),
            message: "One or more parameters in the payload is invalid.".to_owned(),
            details: vec![why.to_owned()],
        }
    );
    assert!(error.to_string().contains(why));
}

#[tokio::test]
async fn cash_is_none_of_the_gateways_business() {
    let gateway = Gateway::open().await;
    let error = gateway.client().charge(&charge("KSR-1", Method::Cash, 10_000)).await.unwrap_err();
    assert!(matches!(error, CallError::NotSent(_)), "{error}");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (gateway, elsewhere) = (Gateway::open().await, Gateway::open().await);
    gateway.answers(308, "").with_header("location", elsewhere.url());
    let error = gateway.client().status("KSR-1").await.unwrap_err();
    assert_eq!(class(&error), "misconfigured 308");
    assert!(elsewhere.seen().is_empty());
}

#[tokio::test]
async fn a_refused_connection_was_not_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error =
        client(&url, Duration::from_secs(5)).charge(&charge("KSR-1", Method::Bca, 10_000)).await.unwrap_err();
    assert_eq!(class(&error), "not sent", "{error}");
}

#[tokio::test]
async fn a_connection_that_takes_too_long_was_not_sent() {
    // It accepts, and never says its part of the TLS greeting.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut settings =
        settings(&format!("https://{}", listener.local_addr().unwrap()), Duration::from_secs(20));
    settings.connect_timeout = Duration::from_millis(200);
    let _ = rustls::crypto::ring::default_provider().install_default();
    let error = Midtrans::new(settings).unwrap().status("KSR-1").await.unwrap_err();
    assert_eq!(class(&error), "not sent", "{error}");
}

#[tokio::test]
async fn silence_leaves_the_outcome_unknown() {
    let gateway = Gateway::open().await;
    gateway.falls_silent();
    let midtrans = client(gateway.url(), Duration::from_millis(300));
    let error = midtrans.charge(&charge("KSR-1", Method::Bca, 10_000)).await.unwrap_err();
    assert_eq!(class(&error), "unknown", "{error}");
    assert_eq!(gateway.seen().len(), 1);
}

/// A server that reads a request, writes these bytes and hangs up.
async fn that_writes(bytes: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 16 * 1024];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(bytes).await;
        }
    });
    url
}

#[tokio::test]
async fn a_cut_connection_leaves_the_outcome_unknown() {
    let cuts: [&[u8]; 4] = [
        b"",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{\"status_code\":\"200\"",
        b"not HTTP at all\r\n\r\n",
    ];
    for cut in cuts {
        let midtrans = client(&that_writes(cut).await, Duration::from_secs(5));
        let error = midtrans.charge(&charge("KSR-1", Method::Bca, 10_000)).await.unwrap_err();
        assert_eq!(class(&error), "unknown", "{error}");
    }
}

#[tokio::test]
async fn an_endless_answer_is_not_read_to_its_end() {
    let gateway = Gateway::open().await;
    let padding = "x".repeat(1024 * 1024);
    gateway.answers(200, format!(r#"{{"status_code":"404","status_message":"{padding}"}}"#));
    let error = gateway.client().status("KSR-1").await.unwrap_err();
    assert_eq!(class(&error), "unknown", "{error}");
}

#[tokio::test]
async fn an_answer_about_another_transaction_is_not_believed() {
    let gateway = Gateway::open().await;
    let midtrans = gateway.client();
    gateway.answers(200, fixture("status/settlement_credit_card.json"));
    let transaction = "57d5293c-e65f-4a29-95e4-5959c3fa335b";
    assert_eq!(midtrans.status("Postman-1578568851").await.unwrap().event, Event::Settled);
    assert_eq!(midtrans.status(transaction).await.unwrap().event, Event::Settled);
    assert_eq!(class(&midtrans.status("KSR-1").await.unwrap_err()), "unknown");
    let order = charge("KSR-1", Method::Bca, 10_000);
    assert_eq!(class(&midtrans.charge(&order).await.unwrap_err()), "unknown");
    // It must name at least one.
    gateway.answers(200, r#"{"status_code":"200","transaction_status":"settlement","gross_amount":"1.00"}"#);
    assert_eq!(class(&midtrans.status("KSR-1").await.unwrap_err()), "unknown");
}

/// The codes of contract §5 that no recorded answer has.
#[tokio::test]
async fn every_code_of_the_table_has_its_meaning() {
    let gateway = Gateway::open().await;
    let order = charge("KSR-1", Method::Bca, 10_000);
    for (code, meaning) in [
        ("300", "misconfigured 300"),
        ("403", "misconfigured 403"),
        ("405", "misconfigured 405"),
        ("408", "refused 408"),
        ("409", "refused 409"),
        ("501", "refused 501"),
        ("502", "unknown"),
        ("504", "unknown"),
        ("900", "unknown"),
    ] {
        gateway.answers(200, format!(r#"{{"status_code":"{code}","status_message":"x"}}"#));
        assert_eq!(class(&gateway.client().charge(&order).await.unwrap_err()), meaning, "{code}");
        assert_eq!(class(&gateway.client().status("KSR-1").await.unwrap_err()), meaning, "{code}");
    }
}

#[tokio::test]
async fn no_error_shows_the_key() {
    let gateway = Gateway::open().await;
    let midtrans = gateway.client();
    let settings = settings(gateway.url(), Duration::from_secs(1));
    let mut texts = vec![format!("{midtrans:?} {midtrans:#?} {settings:?}")];
    for (status, body) in
        [(200, fixture("errors/401.json")), (404, HTML.into()), (502, HTML.into()), (429, vec![])]
    {
        gateway.answers(status, body);
        let error = midtrans.status("KSR-1").await.unwrap_err();
        texts.push(format!("{error} {error:?}"));
    }
    let unreachable = client("http://127.0.0.1:1", Duration::from_secs(1)).status("KSR-1").await.unwrap_err();
    texts.push(format!("{unreachable} {unreachable:?}"));
    for text in texts {
        assert!(!text.contains(KEY) && !text.contains("U0ItTWlk") && !text.contains("Basic"), "{text}");
    }
}
