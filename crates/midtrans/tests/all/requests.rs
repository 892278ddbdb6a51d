//! What the gateway is asked: the recorded requests, the headers, the paths.

use std::time::Duration;

use axum::http::Method as Verb;
use domain::{Method, RefundKey, TransactionId};
use midtrans::{CallError, Charge, Customer, Midtrans, RefundOrder, Refunding, Settings, SetupError};
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
        (Method::Dana, "dana", Value::Null),
        (Method::Akulaku, "akulaku", Value::Null),
        (Method::Kredivo, "kredivo", Value::Null),
        (Method::QrisShopeepay, "qris", json!({ "acquirer": "airpay shopee" })),
    ] {
        let request = sent(&gateway, &charge("KSR-1", method, 10_000)).await;
        assert_eq!((&request["payment_type"], &request[kind]), (&json!(kind), &part));
        assert_eq!(request["transaction_details"], json!({ "order_id": "KSR-1", "gross_amount": 10_000 }));
    }
}

#[tokio::test]
async fn ovo_asks_the_wallet_of_a_number() {
    let gateway = Gateway::open().await;
    let mut order = charge("KSR-1", Method::Ovo, 30_000);
    order.payer_phone = Some("081234567890".to_owned());
    let request = sent(&gateway, &order).await;
    let recorded: Value = serde_json::from_slice(&fixture("charge/ovo.request.json")).unwrap();
    assert_eq!(request["payment_type"], recorded["payment_type"]);
    let fields = |part: &Value| part.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(fields(&request["ovo"]), fields(&recorded["ovo"]));
    assert_eq!(request["ovo"]["payer_phone_number"], "081234567890");
}

#[tokio::test]
async fn a_card_is_typed_in_on_the_gateways_own_page() {
    let gateway = Gateway::open().await;
    let mut order = charge("KSR-1", Method::Card, 45_000);
    order.valid_for = Some(Duration::from_secs(900));
    gateway.answers(
        201,
        r#"{"token":"66e4fa55","redirect_url":"https://app.midtrans.com/snap/v4/redirection/66e4fa55"}"#,
    );
    let report = gateway.client().charge(&order).await.unwrap();
    assert_eq!(report.transaction_id, None, "nobody has paid yet");
    let seen = gateway.last_seen();
    assert_eq!((seen.verb, seen.path.as_str()), (Verb::POST, "/snap/v1/transactions"));
    assert!(!seen.headers.contains_key("idempotency-key"));
    let request: Value = serde_json::from_slice(&seen.body).unwrap();
    assert_eq!(request["enabled_payments"], json!(["credit_card"]));
    assert_eq!(request["credit_card"], json!({ "secure": true }));
    assert_eq!(request["page_expiry"], json!({ "duration": 15, "unit": "minute" }));
    assert_eq!(request.get("custom_expiry"), None);

    order.authorize_only = true;
    gateway.client().charge(&order).await.unwrap();
    let request: Value = serde_json::from_slice(&gateway.last_seen().body).unwrap();
    assert_eq!(request["credit_card"], json!({ "secure": true, "type": "authorize" }));

    gateway.answers(200, r#"{"canceled_at":"2025-06-03T13:09:39.776Z"}"#);
    gateway.client().close_page("66e4fa55").await.unwrap();
    assert_eq!(gateway.last_seen().path, "/snap/v1/transactions/66e4fa55/cancel");
    for token in ["", "..", "."] {
        assert!(matches!(gateway.client().close_page(token).await, Err(CallError::NotSent(_))), "{token}");
    }
}

#[tokio::test]
async fn a_refund_is_named_by_its_key_and_may_be_denied() {
    let gateway = Gateway::open().await;
    let order = |direct| RefundOrder {
        key: RefundKey::try_from("reference1").unwrap(),
        amount: domain::Rupiah::try_from(10_000).unwrap(),
        reason: "for some reason".to_owned(),
        direct,
    };
    gateway.answers(200, fixture("action/refund.response.json"));
    assert_eq!(gateway.client().refund("vtcc05", &order(false)).await, Ok(Refunding::Accepted));
    let seen = gateway.last_seen();
    assert_eq!((seen.verb, seen.path.as_str()), (Verb::POST, "/v2/vtcc05/refund"));
    let request: Value = serde_json::from_slice(&seen.body).unwrap();
    let recorded: Value = serde_json::from_slice(&fixture("action/refund.request.json")).unwrap();
    assert_eq!(request, recorded);

    let wordy = RefundOrder { reason: "é".repeat(300), ..order(false) };
    gateway.client().refund("vtcc05", &wordy).await.unwrap();
    let request: Value = serde_json::from_slice(&gateway.last_seen().body).unwrap();
    assert_eq!(request["reason"], "é".repeat(255));

    gateway.answers(200, fixture("action/refund_direct_rejected.response.json"));
    let denied = gateway.client().refund("MID-1620622357", &order(true)).await;
    assert_eq!(denied, Ok(Refunding::Denied("Refund denied by the bank".to_owned())));
    assert_eq!(gateway.last_seen().path, "/v2/MID-1620622357/refund/online/direct");
    for (status, name, expected) in [
        (200, "errors/412_cannot_modify.json", "unchangeable"),
        (200, "errors/414_refund_amount.json", "refused 414"),
        (200, "errors/406_duplicate_order.json", "duplicate"),
        (200, "errors/404_status.json", "no such transaction"),
        (500, "errors/500.json", "unknown"),
    ] {
        gateway.answers(status, fixture(name));
        let error = gateway.client().refund("vtcc05", &order(true)).await.unwrap_err();
        assert_eq!(crate::calls::class(&error), expected, "{name}");
    }
    gateway.answers(202, "");
    assert_eq!(gateway.client().refund("vtcc05", &order(true)).await, Err(CallError::Running));
}

#[tokio::test]
async fn what_a_person_decides_goes_to_its_own_path() {
    let gateway = Gateway::open().await;
    gateway.answers(200, fixture("errors/412_cannot_modify.json"));
    let midtrans = gateway.client();
    midtrans.approve("KSR-1").await.unwrap_err();
    assert_eq!(gateway.last_seen().path, "/v2/KSR-1/approve");
    midtrans.deny("KSR-1").await.unwrap_err();
    assert_eq!(gateway.last_seen().path, "/v2/KSR-1/deny");
    let id = TransactionId::try_from("be4f3e44-d6ee-4355-8c64-c1d1dc7f4590").unwrap();
    midtrans.capture(&id, domain::Rupiah::try_from(145_000).unwrap()).await.unwrap_err();
    let seen = gateway.last_seen();
    let body: Value = serde_json::from_slice(&seen.body).unwrap();
    assert_eq!(seen.path, "/v2/capture");
    assert_eq!(body, json!({ "transaction_id": id.as_str(), "gross_amount": 145_000 }));
}

#[tokio::test]
async fn a_transaction_of_the_other_door_is_asked_for_there() {
    let gateway = Gateway::open().await;
    gateway.answers(200, fixture("status/settlement_dana.json"));
    let midtrans = gateway.client();
    midtrans.status("A120240830074017NP16XMU4JTID").await.unwrap();
    assert_eq!(gateway.last_seen().headers["transaction-source"], "SNAP_API");
    midtrans.status("KSR-1").await.unwrap_err();
    assert!(!gateway.last_seen().headers.contains_key("transaction-source"));
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
    let pictured = [Method::Qris, Method::QrisShopeepay, Method::Gopay];
    let mut others = Method::offered().filter(|method| !pictured.contains(method));
    assert!(others.all(|method| place(method).is_none()));
    assert_eq!(midtrans.qr_image_url(Method::Qris, &TransactionId::try_from("..").unwrap()), None);
}

#[test]
fn settings_that_cannot_be_right_are_refused_and_not_shown() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let with = |base_url: &str, key: &str| {
        let second = Duration::from_secs(1);
        let base_url = base_url.to_owned();
        let page_url = base_url.clone();
        let server_key = key.into();
        Midtrans::new(Settings { base_url, page_url, server_key, connect_timeout: second, timeout: second })
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
