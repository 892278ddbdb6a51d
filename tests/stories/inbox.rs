//! Everything that can reach the notification URL, and what it is answered.

use domain::{Invoice, Secret, State};
use midtrans_sim::Foreign;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use store::{Db, notifications};

use crate::kost::{Kost, SERVER_KEY};
use crate::log;

stories![
    what_the_gateway_sends_besides_payments_is_kept,
    a_pay_account_has_a_signature_of_its_own,
    what_is_no_notification_is_refused_with_a_reason,
    other_methods_are_answered_at_both_addresses,
    a_notification_is_read_with_patience,
    names_are_as_long_as_the_gateway_makes_them,
    names_that_do_not_print_are_not_kept,
    a_signature_is_over_the_very_text,
    each_of_two_keys_signs_until_it_is_gone,
    a_wrong_signature_is_counted_and_not_kept,
    the_same_body_twice_is_one_row,
    one_signature_over_two_states_is_two_looks,
    while_the_books_cannot_be_written_the_gateway_shall_come_again,
];

const HOOK: &str = "/api/midtrans-notification";
const OLD_KEY: &str = "SB-Mid-server-stories-old-4713-hush";
const NEW_KEY: &str = "SB-Mid-server-stories-new-4714-hush";

/// A notification about the payment of Rp1.250.000 that each tenant owes, signed by `key`.
fn notification(order: &str, status: &str, key: &str) -> Value {
    let code = if status == "pending" { "201" } else { "200" };
    json!({
        "order_id": order, "transaction_id": "9aed5972-5b6a-401e-894b-a32c91ed1a3a",
        "transaction_status": status, "fraud_status": "accept", "status_code": code,
        "gross_amount": "1250000.00", "currency": "IDR", "payment_type": "gopay",
        "signature_key": midtrans::sign(order, code, "1250000.00", &Secret::from(key)),
    })
}

/// A payment that the payer has paid, and nobody has told us.
async fn paid_in_silence(kost: &Kost) -> Invoice {
    kost.sim.faults(|faults| faults.notifications.drop_all = true);
    let (_, invoice) = kost.paying("Budi", "gopay").await;
    kost.sim.settle(invoice.as_str()).await.unwrap();
    invoice
}

async fn kept(kost: &Kost) -> Vec<notifications::Notification> {
    notifications::newest(&kost.db, 100).await.unwrap()
}

/// How often the gateway was asked how this payment stands.
fn looks(kost: &Kost, invoice: &Invoice) -> usize {
    let path = format!("/v2/{invoice}/status");
    kost.sim.calls().iter().filter(|call| call.path == path).count()
}

/// How many notifications the service says it has answered so.
async fn counted(kost: &Kost, answer: &str) -> u64 {
    let told = kost.send(kost.request(Method::GET, "/metrics")).await;
    let name = format!("kasir_notifications_total{{answer=\"{answer}\"}} ");
    let mut lines = told.body.as_str().unwrap().lines();
    lines.find_map(|line| line.strip_prefix(&name)).map_or(0, |count| count.parse().unwrap())
}

async fn what_the_gateway_sends_besides_payments_is_kept(kost: Kost) {
    let (_, invoice) = kost.paying("Budi", "bca").await;
    let before = kost.payment(&invoice).await;
    for (what, expected) in [
        (None, ("dashboard_test", true, "ignored")),
        (Some(Foreign::SubscriptionCreated), ("subscription", false, "ignored")),
        (Some(Foreign::SubscriptionCharge), ("subscription", false, "ignored")),
        (Some(Foreign::PayAccountEnabled), ("pay_account", true, "ignored")),
        (Some(Foreign::PayAccountDisabled), ("pay_account", true, "ignored")),
        (Some(Foreign::MultiUseVaChild), ("payment", true, "unknown order")),
    ] {
        assert!(what.map_or_else(|| kost.sim.send_test_notification(), |kind| kost.sim.send_foreign(kind)));
        kost.run_jobs().await;
        let sent = kost.sim.notifications_sent().pop().unwrap();
        assert_eq!((sent.attempt, sent.answer), (1, Some(201)), "{what:?}");
        let kept = kept(&kost).await.remove(0);
        let found = (kept.kind.as_str(), kept.verified, kept.outcome.as_deref().unwrap());
        assert_eq!(found, expected, "{what:?}");
        assert_eq!(kept.payment_id, None, "{what:?}");
    }
    assert_eq!(kost.findings().await, ["unknown_order"]);
    assert_eq!(kost.payment(&invoice).await, before);
    assert_eq!(kost.sim.notifications_waiting(), 0, "the gateway repeats none of them");
    kost.close().await;
}

async fn a_pay_account_has_a_signature_of_its_own(kost: Kost) {
    let account = json!({
        "account_id": "00000269-7836-49e5-bc65-e592afafec14", "account_status": "DISABLED",
        "status_code": "204", "payment_type": "gopay", "merchant_id": "G000000000",
    });
    let id = account["account_id"].as_str().unwrap();
    let key = Secret::from(SERVER_KEY);
    // The last two are of the right form, and over other fields.
    for wrong in [
        String::new(),
        "ab".repeat(64),
        midtrans::sign(id, "ENABLED", "204", &key),
        midtrans::sign(id, "204", "DISABLED", &key),
    ] {
        let mut body = account.clone();
        body["signature_key"] = json!(wrong);
        assert_eq!(kost.notify(body.to_string()).await.status, StatusCode::UNAUTHORIZED, "{wrong}");
    }
    assert_eq!(kept(&kost).await, []);
    let mut signed = account.clone();
    signed["signature_key"] = json!(midtrans::sign(id, "DISABLED", "204", &key));
    for (body, verified) in [(account, false), (signed, true)] {
        assert_eq!(kost.notify(body.to_string()).await.status, StatusCode::CREATED, "{body}");
        kost.run_jobs().await;
        let kept = kept(&kost).await.remove(0);
        assert_eq!((kept.kind.as_str(), kept.verified), ("pay_account", verified), "{body}");
    }
    assert_eq!(kost.findings().await, [""; 0]);
    kost.close().await;
}

async fn what_is_no_notification_is_refused_with_a_reason(kost: Kost) {
    let deep = "[".repeat(10_000);
    let nested = format!("{{\"order_id\":{}", "[".repeat(10_000));
    let bodies: [&[u8]; 19] = [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"4711",
        b"\"text\"",
        b"Hello",
        b"order_id=KSR-1&status_code=200&gross_amount=10000.00",
        b"<html><body>Ups</body></html>",
        b"\xff\xfe{\x00}\x00",
        b"{\"order_id\":\"\xff\",\"status_code\":\"200\"}",
        b"{\"order_id\":\"KSR-1\",",
        b"{\"order_id\":\"KSR-1\"} {}",
        b"{\"order_id\":\"a\x00b\"}",
        br#"{"order_id":null,"status_code":"200"}"#,
        br#"{"order_id":["KSR-1"],"status_code":"200"}"#,
        br#"{"order_id":"","status_code":"200","signature_key":"ab"}"#,
        deep.as_bytes(),
        nested.as_bytes(),
    ];
    for body in bodies {
        let answer = kost.notify(body.to_vec()).await;
        let start = String::from_utf8_lossy(&body[..body.len().min(60)]);
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{start}");
        assert_eq!(answer.body["type"], "/problems/malformed", "{start}");
        assert!(answer.body["detail"].is_string(), "{start}");
    }
    assert_eq!(counted(&kost, "malformed").await, 19);

    // 64 KiB are taken, and not one byte more.
    let mut body = notification("KSR-LARGE", "settlement", SERVER_KEY).to_string();
    body.push_str(&" ".repeat(64 * 1024 - body.len()));
    assert_eq!(kost.notify(body.clone()).await.status, StatusCode::CREATED);
    let answer = kost.notify(body + " ").await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(answer.body["type"], "/problems/too-large");
    assert_eq!(counted(&kost, "too-large").await, 1);
    assert_eq!(kept(&kost).await.len(), 1);
    kost.close().await;
}

async fn other_methods_are_answered_at_both_addresses(kost: Kost) {
    let body = notification("KSR-UNKNOWN", "settlement", SERVER_KEY);
    for path in [HOOK.to_owned(), format!("{HOOK}/"), format!("{HOOK}?from=gateway")] {
        let ready = kost.send(kost.request(Method::GET, &path)).await;
        assert_eq!((ready.status, &ready.body["status"]), (StatusCode::OK, &json!("ready")), "{path}");
        assert_eq!(kost.send(kost.request(Method::HEAD, &path)).await.status, StatusCode::OK, "{path}");
        for method in [Method::PUT, Method::DELETE, Method::PATCH, Method::OPTIONS] {
            let answer = kost.send(kost.request(method.clone(), &path).json(&body)).await;
            assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
            let allowed = answer.headers["allow"].to_str().unwrap();
            assert!(allowed.contains("GET") && allowed.contains("POST"), "{method} {path}: {allowed}");
        }
        let posted = kost.send(kost.request(Method::POST, &path).json(&body)).await;
        assert_eq!(posted.status, StatusCode::CREATED, "{path}");
    }
    // What the sender calls the body does not matter.
    for kind in ["text/plain", "application/x-www-form-urlencoded", "application/json;charset=UTF-8"] {
        let request = kost.request(Method::POST, HOOK).header("content-type", kind);
        assert_eq!(kost.send(request.body(body.to_string())).await.status, StatusCode::CREATED, "{kind}");
    }
    assert_eq!(kept(&kost).await[0].seen, 6);
    kost.close().await;
}

async fn a_notification_is_read_with_patience(kost: Kost) {
    let invoice = paid_in_silence(&kost).await;
    let mut body = notification(invoice.as_str(), "settlement", SERVER_KEY);
    for name in
        ["transaction_id", "fraud_status", "settlement_time", "refunds", "metadata", "va_numbers", "currency"]
    {
        body[name] = Value::Null;
    }
    body["payment_type"] = json!({ "brand": "new" });
    body["transaction_time"] = json!(-1.5e300);
    body["a_field_of_tomorrow"] = json!([{ "deep": [[[{ "er": "\u{0}\u{1f600}" }]]] }]);
    // Half of a pair of surrogates, in a field that nobody reads.
    let text = body.to_string().replace("\"currency\":null", r#""currency":null,"half":"\ud800""#);
    assert!(text.contains("ud800"));
    let answer = kost.notify(text).await;
    assert_eq!((answer.status, answer.body), (StatusCode::CREATED, json!({ "status": "stored" })));
    kost.run_jobs().await;
    assert_eq!(kost.payment(&invoice).await.state, State::Paid);
    let kept = kept(&kost).await.remove(0);
    assert_eq!(kept.order_id.as_deref(), Some(invoice.as_str()));
    assert_eq!((kept.transaction_id, kept.outcome.as_deref()), (None, Some("sync")));
    kost.close().await;
}

async fn names_are_as_long_as_the_gateway_makes_them(kost: Kost) {
    let (order, longer) = ("A".repeat(255), "A".repeat(256));
    let mut body = notification(&order, "settlement", SERVER_KEY);
    body["transaction_id"] = json!(order);
    assert_eq!(kost.notify(body.to_string()).await.status, StatusCode::CREATED);
    // A name of the transaction that is too long is none, and does no harm.
    body["transaction_id"] = json!(longer);
    assert_eq!(kost.notify(body.to_string()).await.status, StatusCode::CREATED);
    let body = notification(&longer, "settlement", SERVER_KEY);
    let answer = kost.notify(body.to_string()).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    kost.run_jobs().await;
    let names: Vec<_> =
        kept(&kost).await.into_iter().map(|kept| (kept.order_id, kept.transaction_id)).collect();
    assert_eq!(names, [(Some(order.clone()), None), (Some(order.clone()), Some(order))]);
    assert_eq!(kost.findings().await, ["unknown_order"], "the same order is the same finding");
    kost.close().await;
}

async fn names_that_do_not_print_are_not_kept(kost: Kost) {
    let invoice = paid_in_silence(&kost).await;
    for odd in ["\u{0}", "\u{7}", "\n", "\u{1b}[2J", "\u{7f}", "\u{85}"] {
        let order = format!("{invoice}{odd}");
        let body = notification(&order, "settlement", SERVER_KEY);
        assert_eq!(kost.notify(body.to_string()).await.status, StatusCode::BAD_REQUEST, "{odd:?}");
        let mut body = notification(invoice.as_str(), "settlement", SERVER_KEY);
        body["transaction_id"] = json!(format!("9aed5972{odd}"));
        assert_eq!(kost.notify(body.to_string()).await.status, StatusCode::CREATED, "{odd:?}");
    }
    // These print, and are nobody's order; they must not name another place at the gateway either.
    for order in ["../../v2/charge", "a b", "' OR 1=1 --", "<script>", "Größe 😀", "%00"] {
        let body = notification(order, "settlement", SERVER_KEY);
        assert_eq!(kost.notify(body.to_string()).await.status, StatusCode::CREATED, "{order}");
    }
    kost.run_jobs().await;
    assert_eq!(kost.payment(&invoice).await.state, State::Paid);
    assert_eq!(kost.findings().await, ["unknown_order"; 6]);
    let kept = kept(&kost).await;
    assert_eq!(kept.iter().filter(|kept| kept.payment_id.is_some()).count(), 6);
    assert!(kept.iter().all(|kept| {
        let transaction = kept.transaction_id.as_deref();
        transaction.is_none_or(|id| !id.contains(char::is_control))
    }));
    kost.close().await;
}

async fn a_signature_is_over_the_very_text(kost: Kost) {
    let invoice = paid_in_silence(&kost).await;
    let key = Secret::from(SERVER_KEY);
    let send = async |written: &str, signed: [&str; 2]| {
        let signature = midtrans::sign(invoice.as_str(), signed[0], signed[1], &key);
        let body = format!(
            r#"{{"order_id":"{invoice}",{written},"transaction_status":"settlement","signature_key":"{signature}"}}"#
        );
        kost.notify(body).await.status
    };
    for (written, signed) in [
        (r#""status_code":"200","gross_amount":1250000.00"#, ["200", "1250000.00"]),
        (r#""status_code":200,"gross_amount":"1250000.00""#, ["200", "1250000.00"]),
        (r#""status_code":200,"gross_amount":1250000"#, ["200", "1250000"]),
        (r#""status_code":"200","gross_amount":"1250000""#, ["200", "1250000"]),
        (r#""status_code":"200","gross_amount":1.25e6"#, ["200", "1.25e6"]),
        (r#""status_code":"200","gross_amount":"\u0031250000.00""#, ["200", "1250000.00"]),
    ] {
        assert_eq!(send(written, signed).await, StatusCode::CREATED, "{written}");
    }
    for (written, signed) in [
        (r#""status_code":"200","gross_amount":1250000.00"#, ["200", "1250000.0"]),
        (r#""status_code":"200","gross_amount":1250000.00"#, ["200", "1250000"]),
        (r#""status_code":"200","gross_amount":" 1250000.00""#, ["200", "1250000.00"]),
        (r#""status_code":"200","gross_amount":null"#, ["200", ""]),
        (r#""status_code":true,"gross_amount":"1250000.00""#, ["true", "1250000.00"]),
    ] {
        assert_eq!(send(written, signed).await, StatusCode::UNAUTHORIZED, "{written}");
    }
    kost.run_jobs().await;
    assert_eq!(kost.payment(&invoice).await.state, State::Paid);
    assert_eq!(kept(&kost).await.len(), 6);
    kost.close().await;
}

async fn each_of_two_keys_signs_until_it_is_gone(kost: Kost) {
    let setup = kost.setup;
    kost.close().await;
    let both = format!("{OLD_KEY}, {NEW_KEY}");
    for (keys, accepted) in [(both.as_str(), [true, true, false]), (NEW_KEY, [false, true, false])] {
        let kost = Kost::open_with(setup, &[("MIDTRANS_NOTIFICATION_KEYS", keys)]).await;
        let mut expected = 0;
        // With keys of their own for notifications, the server key signs none.
        for (key, accepted) in [OLD_KEY, NEW_KEY, SERVER_KEY].into_iter().zip(accepted) {
            let body = notification("KSR-UNKNOWN", "settlement", key);
            let answer = kost.notify(body.to_string()).await;
            let status = if accepted { StatusCode::CREATED } else { StatusCode::UNAUTHORIZED };
            assert_eq!(answer.status, status, "{}", answer.body);
            expected += usize::from(accepted);
        }
        assert_eq!(kept(&kost).await.len(), expected);
        assert_eq!(counted(&kost, "stored").await, u64::try_from(expected).unwrap());
        kost.close().await;
    }
    let heard = log::heard();
    assert!(![OLD_KEY, NEW_KEY].iter().any(|key| heard.contains(key)), "a notification key was logged");
}

async fn a_wrong_signature_is_counted_and_not_kept(kost: Kost) {
    let invoice = paid_in_silence(&kost).await;
    let right = notification(invoice.as_str(), "settlement", SERVER_KEY);
    let signature = right["signature_key"].as_str().unwrap().to_owned();
    let wrong = [
        json!("ab".repeat(64)),
        json!(""),
        json!(signature[..127]),
        json!(format!("{signature}0")),
        json!(midtrans::sign(invoice.as_str(), "200", "1250000.00", &Secret::from(""))),
        json!(midtrans::sign("KSR-ANOTHER", "200", "1250000.00", &Secret::from(SERVER_KEY))),
        Value::Null,
        json!([signature]),
        json!(true),
    ];
    let looks_before = looks(&kost, &invoice);
    for wrong in &wrong {
        let mut body = right.clone();
        body["signature_key"] = wrong.clone();
        let answer = kost.notify(body.to_string()).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{wrong}");
        assert_eq!(answer.body["type"], "/problems/wrong-signature", "{wrong}");
    }
    // Nor may what looks like the dashboard's test go unsigned.
    let test = notification("payment_notif_test_G1_1", "settlement", "another-key");
    assert_eq!(kost.notify(test.to_string()).await.status, StatusCode::UNAUTHORIZED);
    kost.run_jobs().await;
    assert_eq!(counted(&kost, "wrong-signature").await, u64::try_from(wrong.len()).unwrap() + 1);
    assert_eq!(kept(&kost).await, []);
    assert_eq!(looks(&kost, &invoice), looks_before, "nobody makes us ask by a forgery");

    assert_eq!(kost.notify(right.to_string()).await.status, StatusCode::CREATED);
    assert_eq!(counted(&kost, "stored").await, 1);
    kost.run_jobs().await;
    assert_eq!(kost.payment(&invoice).await.state, State::Paid);
    kost.close().await;
}

async fn the_same_body_twice_is_one_row(kost: Kost) {
    let invoice = paid_in_silence(&kost).await;
    let looks_before = looks(&kost, &invoice);
    let body = notification(invoice.as_str(), "settlement", SERVER_KEY).to_string();
    for _ in 0..2 {
        assert_eq!(kost.notify(body.clone()).await.status, StatusCode::CREATED);
        kost.run_jobs().await;
    }
    let rows = kept(&kost).await;
    assert_eq!(rows.iter().map(|kept| kept.seen).collect::<Vec<_>>(), [2]);
    assert_eq!(looks(&kost, &invoice), looks_before + 1);
    // One blank more is another body; it says the same, and nothing changes.
    assert_eq!(kost.notify(format!("{body} ")).await.status, StatusCode::CREATED);
    kost.run_jobs().await;
    assert_eq!(kept(&kost).await.len(), 2);
    assert_eq!(kost.life(&invoice).await, ["created", "asked", "pending", "paid"]);
    kost.close().await;
}

async fn one_signature_over_two_states_is_two_looks(kost: Kost) {
    let invoice = paid_in_silence(&kost).await;
    let looks_before = looks(&kost, &invoice);
    let paid = notification(invoice.as_str(), "settlement", SERVER_KEY);
    let back = notification(invoice.as_str(), "refund", SERVER_KEY);
    assert_eq!(paid["signature_key"], back["signature_key"], "contract §7");
    assert_eq!(kost.notify(paid.to_string()).await.status, StatusCode::CREATED);
    kost.run_jobs().await;
    assert_eq!(kost.payment(&invoice).await.state, State::Paid);
    kost.sim.refund(invoice.as_str(), None).await.unwrap();
    assert_eq!(kost.notify(back.to_string()).await.status, StatusCode::CREATED);
    kost.run_jobs().await;
    assert_eq!(kost.payment(&invoice).await.state, State::Refunded);
    assert_eq!(kept(&kost).await.len(), 2);
    assert_eq!(looks(&kost, &invoice), looks_before + 2);
    kost.close().await;
}

async fn while_the_books_cannot_be_written_the_gateway_shall_come_again(kost: Kost) {
    let invoice = paid_in_silence(&kost).await;
    let body = notification(invoice.as_str(), "settlement", SERVER_KEY).to_string();
    change_schema(&kost.db, "ALTER TABLE notifications RENAME TO notifications_away").await;
    let answer = kost.notify(body.clone()).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.body["type"], "/problems/unavailable");
    assert_eq!(answer.headers["retry-after"], "5");
    let forged = notification(invoice.as_str(), "settlement", "another-key").to_string();
    assert_eq!(kost.notify(forged).await.status, StatusCode::UNAUTHORIZED);
    change_schema(&kost.db, "ALTER TABLE notifications_away RENAME TO notifications").await;
    assert_eq!(kept(&kost).await, []);
    assert_eq!(counted(&kost, "unavailable").await, 1);

    assert_eq!(kost.notify(body).await.status, StatusCode::CREATED);
    kost.run_jobs().await;
    assert_eq!(kost.payment(&invoice).await.state, State::Paid);
    kost.close().await;
}

async fn change_schema(db: &Db, statement: &'static str) {
    match db {
        Db::Sqlite { writer, .. } => sqlx::raw_sql(statement).execute(writer).await.map(drop).unwrap(),
        Db::Postgres(pool) => sqlx::raw_sql(statement).execute(&**pool).await.map(drop).unwrap(),
    }
}
