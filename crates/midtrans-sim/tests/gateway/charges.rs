//! What a charge answers, method by method, and what it refuses.

use std::time::Duration;

use serde_json::{Value, json};

use crate::kit::{Kit, bank, bca, order, store};

#[tokio::test]
async fn every_bank_puts_its_number_where_the_contract_says() {
    let kit = Kit::open().await;
    for name in ["bca", "bni", "bri", "cimb"] {
        let (http, body) = kit.charge(&bank(name, name)).await;
        assert_eq!((http, &body["status_code"]), (200, &json!("201")));
        assert_eq!(body["status_message"], "Success, Bank Transfer transaction is created");
        assert_eq!(body["payment_type"], "bank_transfer");
        assert_eq!(body["va_numbers"][0]["bank"], name);
        assert!(is_digits(&body["va_numbers"][0]["va_number"]));
        assert_eq!(body["gross_amount"], "44000.00");
        assert_eq!(body["transaction_status"], "pending");
        assert_eq!(body["fraud_status"], "accept");
        assert!(body.get("permata_va_number").is_none() && body.get("signature_key").is_none());
    }
}

#[tokio::test]
async fn permata_answers_as_a_bank_transfer_with_a_number_of_its_own() {
    let kit = Kit::open().await;
    for body in [order("p1", "permata"), bank("p2", "permata")] {
        let (_, body) = kit.charge(&body).await;
        assert_eq!(body["payment_type"], "bank_transfer");
        assert!(is_digits(&body["permata_va_number"]));
        assert!(body.get("va_numbers").is_none());
    }
    let mut null = order("p3", "bank_transfer");
    null["bank_transfer"] = Value::Null;
    assert_eq!(kit.charge(&null).await.0, 400);
}

#[tokio::test]
async fn mandiri_gives_a_bill_key_and_its_code() {
    let kit = Kit::open().await;
    let mut body = order("m", "echannel");
    assert_eq!(kit.charge(&body).await.0, 400, "the labels are required");
    body["echannel"] =
        json!({ "bill_info1": "Payment For:", "bill_info2": "room", "bill_key": "081211111111" });
    let (_, answer) = kit.charge(&body).await;
    assert_eq!((&answer["bill_key"], &answer["biller_code"]), (&json!("081211111111"), &json!("70012")));
    assert_eq!(answer["payment_type"], "echannel");
}

#[tokio::test]
async fn wallets_give_actions_by_name() {
    let kit = Kit::open().await;
    for (method, names) in [
        (
            "gopay",
            vec!["generate-qr-code", "generate-qr-code-v2", "deeplink-redirect", "get-status", "cancel"],
        ),
        ("qris", vec!["generate-qr-code", "generate-qr-code-v2"]),
        ("shopeepay", vec!["deeplink-redirect"]),
        ("dana", vec!["deeplink-redirect"]),
    ] {
        let (_, body) = kit.charge(&order(method, method)).await;
        let actions = body["actions"].as_array().unwrap();
        assert_eq!(actions.iter().map(|action| action["name"].as_str().unwrap()).collect::<Vec<_>>(), names);
        assert_eq!(body["payment_type"], method);
        let url = actions[0]["url"].as_str().unwrap();
        assert_eq!(kit.client.get(url).send().await.unwrap().status(), 200, "{url}");
        assert_eq!(body.get("qr_string").is_some(), method == "qris");
    }
}

#[tokio::test]
async fn stores_give_a_payment_code_and_indomaret_no_fraud_status() {
    let kit = Kit::open().await;
    let (_, alfamart) = kit.charge(&store("a", "alfamart")).await;
    let (_, indomaret) = kit.charge(&store("i", "Indomaret")).await;
    assert!(is_digits(&alfamart["payment_code"]) && is_digits(&indomaret["payment_code"]));
    assert_eq!((&alfamart["store"], &indomaret["store"]), (&json!("alfamart"), &json!("indomaret")));
    assert_eq!(alfamart["fraud_status"], "accept");
    assert!(indomaret.get("fraud_status").is_none());
    assert!(kit.status("i").await.get("fraud_status").is_none());
}

#[tokio::test]
async fn cardless_credit_needs_items_and_gives_a_page() {
    let kit = Kit::open().await;
    for method in ["akulaku", "kredivo"] {
        let mut body = order(method, method);
        assert_eq!(kit.charge(&body).await.0, 400);
        body["item_details"] = json!([{ "id": "1", "price": 44_000, "quantity": 1, "name": "room" }]);
        assert!(kit.charge(&body).await.1["redirect_url"].is_string());
    }
}

#[tokio::test]
async fn the_sandbox_cards_do_what_they_are_known_for() {
    let kit = Kit::open().await;
    for (number, code, status, fraud) in [
        ("4811111111111114", "200", "capture", "accept"),
        ("4911111111111113", "202", "deny", "accept"),
        ("4511111111111117", "201", "capture", "challenge"),
        ("4611111111111116", "202", "deny", "deny"),
    ] {
        let path = format!("/v2/token?client_key=SB-Mid-client-simulator&card_number={number}");
        let token = kit.answer(kit.get(&path)).await.1["token_id"].clone();
        let mut body = order(number, "credit_card");
        body["credit_card"] = json!({ "token_id": token });
        let (http, answer) = kit.charge(&body).await;
        assert_eq!(http, 200);
        assert_eq!(answer["status_code"], code);
        assert_eq!(answer["transaction_status"], status);
        assert_eq!(answer["fraud_status"], fraud);
    }
    assert_eq!(kit.charge(&order("none", "credit_card")).await.1["status_code"], "411");
    assert_eq!(kit.act("4511111111111117", "approve").await["fraud_status"], "accept");
    assert_eq!(kit.act("4811111111111114", "approve").await["status_code"], "412");
}

#[tokio::test]
async fn times_are_wib_without_a_zone() {
    let kit = Kit::open().await;
    let body = kit.charge_bca("o").await;
    // 1,796,000,000 s after 1970 is 2026-11-30 00:53:20 UTC.
    assert_eq!(body["transaction_time"], "2026-11-30 07:53:20");
    assert_eq!(body["expiry_time"], "2026-12-01 07:53:20");
}

#[tokio::test]
async fn a_duplicate_is_406_over_http_200_and_makes_nothing() {
    let kit = Kit::open().await;
    kit.charge_bca("o").await;
    let (http, body) = kit.charge(&order("o", "gopay")).await;
    assert_eq!((http, &body["status_code"]), (200, &json!("406")));
    kit.sim.settle("o").await.unwrap();
    assert_eq!(kit.charge_bca("o").await["status_code"], "406", "paid");
    assert_eq!(kit.sim.transactions_of("o").len(), 1);
}

#[tokio::test]
async fn after_expire_and_cancel_the_order_id_is_free_for_a_new_transaction() {
    let kit = Kit::open().await;
    let first = kit.charge_bca("o").await["transaction_id"].clone();
    kit.clock.advance(Duration::from_secs(24 * 3600));
    let second = kit.charge_bca("o").await["transaction_id"].clone();
    assert_eq!(kit.act("o", "cancel").await["transaction_id"], second);
    let third = kit.charge(&order("o", "gopay")).await.1["transaction_id"].clone();
    assert!(first != second && second != third && first != third);
    assert_eq!(kit.status("o").await["transaction_id"], third, "the latest");
    assert_eq!(kit.status(first.as_str().unwrap()).await["transaction_status"], "expire");
    assert_eq!(kit.sim.transactions_of("o").len(), 3);
}

#[tokio::test]
async fn what_the_gateway_cannot_read_is_refused_with_its_reasons() {
    let kit = Kit::open().await;
    let with = |change: fn(&mut Value)| {
        let mut body = bca("o");
        change(&mut body);
        body
    };
    for (body, reason) in [
        (
            with(|b| b["transaction_details"]["order_id"] = json!("")),
            "transaction_details.order_id is required",
        ),
        (with(|b| b["transaction_details"]["order_id"] = json!("a".repeat(51))), "must not exceed 50"),
        (with(|b| b["transaction_details"]["order_id"] = json!("a b")), "not allowed"),
        (with(|b| b["transaction_details"]["gross_amount"] = json!(0)), "greater than 0"),
        (with(|b| b["transaction_details"]["gross_amount"] = json!(44_000.5)), "whole number"),
        (
            with(|b| b["item_details"] = json!([{ "price": 1, "quantity": 1, "name": "x" }])),
            "transaction_details.gross_amount is not equal to the sum of item_details",
        ),
        (
            with(|b| b["custom_expiry"] = json!({ "expiry_duration": 19, "unit": "second" })),
            "custom_expiry is below minimum threshold",
        ),
        (with(|b| b["payment_type"] = json!("cowry_shells")), "payment_type is not supported"),
    ] {
        let (http, answer) = kit.charge(&body).await;
        assert_eq!((http, &answer["status_code"]), (400, &json!("400")), "{reason}");
        assert!(answer["validation_messages"].to_string().contains(reason), "{answer}");
    }
    let malformed = kit.answer(kit.post("/v2/charge").body("{")).await;
    assert_eq!((malformed.0, &malformed.1["status_code"]), (200, &json!("413")));
    let null = kit.answer(kit.post("/v2/charge").body("null")).await;
    assert_eq!((null.0, &null.1["status_code"]), (500, &json!("500")));
    assert!(kit.sim.transactions().is_empty());
    assert_eq!(kit.sim.charge_calls(), 10);
}

#[tokio::test]
async fn discounts_and_a_custom_expiry_are_taken() {
    let kit = Kit::open().await;
    let mut body = bca("o");
    body["item_details"] = json!([
        { "price": 50_000, "quantity": 1, "name": "room" },
        { "price": -6_000, "quantity": 1, "name": "discount" },
    ]);
    body["custom_expiry"] =
        json!({ "order_time": "2026-11-30 07:53:20 +0700", "expiry_duration": 1, "unit": "hour" });
    assert_eq!(kit.charge(&body).await.1["expiry_time"], "2026-11-30 08:53:20");
    let mut body = bca("long");
    body["custom_expiry"] = json!({ "expiry_duration": 999, "unit": "day" });
    assert_eq!(kit.charge(&body).await.1["expiry_time"], "2027-05-29 07:53:20", "cut to 180 days");
}

/// Minutes until the transaction expires: as usual, and when the merchant wishes for a year.
#[tokio::test]
async fn every_method_lives_as_long_as_the_contract_says() {
    let kit = Kit::open().await;
    let day = 24 * 60;
    let items = json!([{ "id": "1", "price": 44_000, "quantity": 1, "name": "room" }]);
    for (payment_type, part, usual, longest) in [
        ("bank_transfer", json!({ "bank": "bca" }), day, 180 * day),
        ("echannel", json!({ "bill_info1": "a", "bill_info2": "b" }), day, 180 * day),
        ("gopay", json!({}), 15, 7 * day),
        ("qris", json!({ "acquirer": "gopay" }), 15, 7 * day),
        ("qris", json!({ "acquirer": "airpay shopee" }), 15, 5 * day),
        ("shopeepay", json!({}), 15, 5 * day),
        ("dana", json!({}), 15, day),
        ("ovo", json!({ "payer_phone_number": "081234567890" }), 1, 1),
        ("cstore", json!({ "store": "alfamart" }), day, 180 * day),
        ("akulaku", json!({}), 120, 180 * day),
        ("kredivo", json!({}), day, 180 * day),
        // A card has ten minutes at its bank, and reserves for eight days.
        ("credit_card", json!({ "token_id": "481111-1114-token", "authentication": true }), 10, 10),
        ("credit_card", json!({ "token_id": "481111-1114-token", "type": "authorize" }), 8 * day, 8 * day),
    ] {
        for (wish, minutes) in [(None, usual), (Some(365), longest)] {
            let mut body = order(&format!("{payment_type}-{}", kit.sim.charge_calls()), payment_type);
            body[payment_type] = part.clone();
            body["item_details"] = items.clone();
            if let Some(days) = wish {
                body["custom_expiry"] = json!({ "expiry_duration": days, "unit": "day" });
            }
            let order_id = kit.charge(&body).await.1["order_id"].as_str().unwrap().to_owned();
            let made = kit.sim.transactions_of(&order_id).remove(0);
            assert_eq!((made.expires - made.created).num_minutes(), minutes, "{body}");
        }
    }
}

#[tokio::test]
async fn a_wanted_number_is_fitted_and_one_in_use_is_replaced_silently() {
    let kit = Kit::open().await;
    let wants = |order_id: &str, bank_name: &str, number: &str| {
        let mut body = bank(order_id, bank_name);
        body["bank_transfer"]["va_number"] = json!(number);
        body
    };
    let number = |body: Value| body["va_numbers"][0]["va_number"].as_str().unwrap().to_owned();
    assert_eq!(number(kit.charge(&wants("1", "bni", "123")).await.1), "988800000123");
    assert_eq!(number(kit.charge(&wants("2", "bni", "123456789")).await.1), "988812345678");
    assert_ne!(number(kit.charge(&wants("3", "bni", "123")).await.1), "988800000123");
    assert_eq!(kit.charge(&wants("4", "permata", "123")).await.0, 400);
}

#[tokio::test]
async fn refusals_speak_in_the_body_and_keep_http_200() {
    let kit = Kit::open().await;
    kit.paid(&order("paid", "gopay")).await;
    let mut ovo = order("ovo", "ovo");
    ovo["ovo"] = json!({ "payer_phone_number": "080000000" });
    let mut known = order("known", "ovo");
    known["ovo"] = json!({ "payer_phone_number": "081234567890" });
    assert_eq!(kit.charge(&known).await.1["status_code"], "201");
    let too_much = json!({ "amount": 44_001 });
    for (request, code) in [
        (kit.post("/v2/charge").json(&order("old", "bca_klikpay")), "402"),
        (kit.post("/v2/charge").json(&ovo), "404"),
        (kit.get("/v2/nobody/status"), "404"),
        (kit.post("/v2/charge").json(&bca("paid")), "406"),
        (kit.post("/v2/charge").json(&order("card", "credit_card")), "411"),
        (kit.post("/v2/paid/cancel"), "412"),
        (kit.post("/v2/charge").body("{"), "413"),
        (kit.post("/v2/paid/refund").json(&too_much), "414"),
    ] {
        let (http, answer) = kit.answer(request).await;
        assert_eq!((http, answer["status_code"].as_str()), (200, Some(code)), "{answer}");
    }
    let (http, answer) = kit.answer(kit.get("/v2/charge")).await;
    assert_eq!((http, &answer["status_code"]), (405, &json!("405")));
}

fn is_digits(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.len() >= 8 && text.bytes().all(|byte| byte.is_ascii_digit()))
}
