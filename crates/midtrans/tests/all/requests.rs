//! What the gateway is asked: the recorded requests, the headers, the paths.

use std::time::Duration;

use axum::http::Method as Verb;
use domain::{Method, TransactionId};
use midtrans::{CallError, Charge, Customer, Midtrans, Settings, SetupError};
use serde_json::{Value, json};

use crate::gateway::{Gateway, KEY, charge, client, fixture};

async fn sent(gateway: &Gateway, charge: &Charge) -> Value {
    gateway.answers(200, fixture("errors/402_channel_not_activated.json"));
    gateway.client().charge(charge).await.unwrap_err();
    serde_json::from_slice(&gateway.last_seen().body).unwrap()
}

#[tokio::test]
async fn charges_are_the_recorded_requests_and_one_item() {
    let gateway = Gateway::open().await;
    for (method, name) in [
        (Method::Bca, "bank_transfer_bca"),
        (Method::Bni, "bank_transfer_bni"),
        (Method::Bri, "bank_transfer_bri"),
        (Method::Cimb, "bank_transfer_cimb"),
        (Method::Permata, "permata"),
        (Method::Gopay, "gopay_minimal"),
    ] {
        let mut request = sent(&gateway, &charge("order-101", method, 44_000)).await;
        let item =
            json!([{ "id": "1", "price": 44_000, "quantity": 1, "name": "Sewa kamar 12, November 2026" }]);
        assert_eq!(request.as_object_mut().unwrap().remove("item_details"), Some(item));
        let recorded: Value =
            serde_json::from_slice(&fixture(&format!("charge/{name}.request.json"))).unwrap();
        assert_eq!(request, recorded, "{name}");
    }
}

#[tokio::test]
async fn a_qris_charge_with_a_payer_is_the_recorded_request() {
    let gateway = Gateway::open().await;
    let mut wanted: Value = serde_json::from_slice(&fixture("charge/qris.request.json")).unwrap();
    let mut order = charge("order03", Method::Qris, 275_000);
    order.item = wanted["item_details"][0]["name"].as_str().unwrap().to_owned();
    order.customer = Some(Customer {
        name: "Budi Utomo".to_owned(),
        email: "budi.utomo@midtrans.com".to_owned(),
        phone: Some("081223323423".to_owned()),
    });
    // The ids of our items are our own, and we do not guess which part of a name is the family's.
    wanted["item_details"][0]["id"] = json!("1");
    wanted["customer_details"]["first_name"] = json!("Budi Utomo");
    wanted["customer_details"].as_object_mut().unwrap().remove("last_name");
    assert_eq!(sent(&gateway, &order).await, wanted);
}

#[tokio::test]
async fn the_other_methods_have_a_part_of_their_own() {
    let gateway = Gateway::open().await;
    let item = "Sewa kamar 12, November 2026";
    for (method, kind, part) in [
        (Method::Mandiri, "echannel", json!({ "bill_info1": "Pembayaran", "bill_info2": item })),
        (Method::Alfamart, "cstore", json!({ "store": "alfamart", "message": item })),
        (Method::Indomaret, "cstore", json!({ "store": "indomaret", "message": item })),
        (Method::Shopeepay, "shopeepay", Value::Null),
    ] {
        let request = sent(&gateway, &charge("KSR-1", method, 10_000)).await;
        assert_eq!((&request["payment_type"], &request[kind]), (&json!(kind), &part));
        assert_eq!(request["transaction_details"], json!({ "order_id": "KSR-1", "gross_amount": 10_000 }));
    }
}

#[tokio::test]
async fn texts_are_cut_to_what_the_gateway_takes() {
    let gateway = Gateway::open().await;
    let mut order = charge("KSR-1", Method::Mandiri, 10_000);
    order.item = format!("a|b\n{}", "é".repeat(60));
    let request = sent(&gateway, &order).await;
    assert_eq!(request["item_details"][0]["name"], json!(format!("a b {}", "é".repeat(46))));
    assert_eq!(request["echannel"]["bill_info2"], json!(format!("a b {}", "é".repeat(26))));
    order.item = " ".to_owned();
    assert_eq!(sent(&gateway, &order).await["item_details"][0]["name"], json!("KSR-1"));
}

#[tokio::test]
async fn the_time_to_pay_is_in_minutes_and_at_least_one() {
    let gateway = Gateway::open().await;
    for (seconds, minutes) in [(0, 1), (59, 1), (60, 1), (119, 1), (3600, 60)] {
        let mut order = charge("KSR-1", Method::Bca, 10_000);
        order.valid_for = Some(Duration::from_secs(seconds));
        let expiry = json!({ "expiry_duration": minutes, "unit": "minute" });
        assert_eq!(sent(&gateway, &order).await["custom_expiry"], expiry);
    }
}

#[tokio::test]
async fn every_call_has_the_key_and_asks_for_json() {
    let gateway = Gateway::open().await;
    gateway.answers(200, fixture("errors/401.json"));
    let midtrans = gateway.client();
    midtrans.charge(&charge("KSR-1", Method::Bca, 10_000)).await.unwrap_err();
    midtrans.status("KSR-1").await.unwrap_err();
    midtrans.cancel("KSR-1").await.unwrap_err();
    midtrans.expire("A1_~.-ID").await.unwrap_err();
    let seen = gateway.seen();
    let calls: Vec<_> = seen.iter().map(|seen| (seen.verb.clone(), seen.path.as_str())).collect();
    let wanted = [
        (Verb::POST, "/v2/charge"),
        (Verb::GET, "/v2/KSR-1/status"),
        (Verb::POST, "/v2/KSR-1/cancel"),
        (Verb::POST, "/v2/A1_~.-ID/expire"),
    ];
    assert_eq!(calls, wanted);
    for seen in seen {
        // printf 'SB-Mid-server-test:' | base64
        assert_eq!(seen.headers["authorization"], "Basic U0ItTWlkLXNlcnZlci10ZXN0Og==");
        assert_eq!(seen.headers["accept"], "application/json");
        assert_eq!(seen.headers["content-type"], "application/json");
        assert!(seen.headers["user-agent"].to_str().unwrap().starts_with("kasir/"));
        assert_eq!(seen.headers.contains_key("idempotency-key"), seen.path == "/v2/charge");
    }
}

#[tokio::test]
async fn an_invoice_has_one_idempotency_key_for_ever() {
    let gateway = Gateway::open().await;
    let mut keys = Vec::new();
    for (invoice, method) in [("KSR-1", Method::Bca), ("KSR-1", Method::Qris), ("KSR-2", Method::Bca)] {
        sent(&gateway, &charge(invoice, method, 10_000)).await;
        keys.push(gateway.last_seen().headers["idempotency-key"].to_str().unwrap().to_owned());
    }
    assert_eq!(keys[0], keys[1]);
    assert_ne!(keys[0], keys[2]);
    // printf KSR-1 | sha256sum | head -c 32
    assert_eq!(keys[0], "charge-59330f5096cbe188e0a299287015288a");
    assert!(keys.iter().all(|key| key.len() <= 46));
}

#[tokio::test]
async fn an_id_cannot_leave_its_place_in_the_path() {
    let gateway = Gateway::open().await;
    gateway.answers(200, fixture("errors/404_status.json"));
    let midtrans = gateway.client();
    for id in ["", ".", "..", "a/b", "a?b", "a#b", "a%2fb", "a b", "ä"] {
        assert!(matches!(midtrans.status(id).await, Err(CallError::NotSent(_))), "{id}");
        assert!(matches!(midtrans.cancel(id).await, Err(CallError::NotSent(_))), "{id}");
    }
    assert!(gateway.seen().is_empty());
    for (id, path) in [("a\\..\\b", "/v2/a%5C..%5Cb/status"), ("a;b\"c", "/v2/a;b%22c/status")] {
        midtrans.status(id).await.unwrap_err();
        assert_eq!(gateway.last_seen().path, path);
    }
}

#[test]
fn a_lost_picture_of_a_code_is_found_again() {
    let midtrans = client("https://api.midtrans.com", Duration::from_secs(1));
    let id = TransactionId::try_from("0d8178e1-c6c7-4ab4-81a6-893be9d924ab").unwrap();
    let place = |method| midtrans.qr_image_url(method, &id);
    let qris = "https://api.midtrans.com/v2/qris/0d8178e1-c6c7-4ab4-81a6-893be9d924ab/qr-code";
    assert_eq!(place(Method::Qris).as_deref(), Some(qris));
    assert_eq!(place(Method::Gopay), Some(qris.replace("qris", "gopay")));
    let others = Method::ALL.into_iter().filter(|method| !matches!(method, Method::Qris | Method::Gopay));
    assert!(others.into_iter().all(|method| place(method).is_none()));
    assert_eq!(midtrans.qr_image_url(Method::Qris, &TransactionId::try_from("..").unwrap()), None);
}

#[test]
fn settings_that_cannot_be_right_are_refused_and_not_shown() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let with = |base_url: &str, key: &str| {
        let second = Duration::from_secs(1);
        let base_url = base_url.to_owned();
        Midtrans::new(Settings { base_url, server_key: key.into(), connect_timeout: second, timeout: second })
    };
    for good in ["https://api.midtrans.com", "https://api.midtrans.com/", "http://127.0.0.1:9000"] {
        assert!(with(good, KEY).is_ok(), "{good}");
    }
    for bad in
        ["", "api.midtrans.com", "ftp://x", "file:///etc", "https://hushhush@x", "https://a:hushhush@x"]
    {
        let error = with(bad, KEY).unwrap_err();
        assert!(
            matches!(error, SetupError::BaseUrl(_)) && !format!("{error} {error:?}").contains("hush"),
            "{bad}"
        );
    }
    for bad in ["https://x/v2", "https://x/a/../b", "https://x?a=b", "https://x#a"] {
        assert!(matches!(with(bad, KEY), Err(SetupError::BaseUrl(_))), "{bad}");
    }
    for bad in ["", "hush hush", "hushhush\n", "hush:hush", "hushhüsh"] {
        let error = with("https://x", bad).unwrap_err();
        assert!(
            matches!(error, SetupError::ServerKey(_)) && !format!("{error} {error:?}").contains("hush"),
            "{bad}"
        );
    }
}
