//! Every recorded answer and notification, and what must be read in it.

use std::collections::BTreeSet;

use domain::{Amount, Event, Instruction, Method, Report, Rupiah};
use midtrans::{CallError, Kind, Notification};
use serde_json::Value;

use crate::calls::class;
use crate::gateway::{Gateway, charge, fixture, fixtures_in};

/// Answers to a charge. Those of HTTP 200 unless the outcome is a refusal by validation.
const CHARGES: &[(&str, &str)] = &[
    ("charge/akulaku.response.json", "accepted 11000 redirect"),
    ("charge/akulaku_2018.response.json", "accepted 11000 redirect"),
    ("charge/bank_transfer_bca.response.json", "accepted 44000 account"),
    ("charge/bank_transfer_bni.response.json", "accepted 44000 account"),
    ("charge/bank_transfer_bni_2016.response.json", "accepted 20000 account"),
    ("charge/bank_transfer_bri.response.json", "accepted 20000 account"),
    ("charge/bank_transfer_cimb.response.json", "accepted 44000 account"),
    // The answer of another endpoint.
    ("charge/card_token.response.json", "unknown"),
    ("charge/credit_card_3ds_capture.response.json", "captured 100000"),
    ("charge/credit_card_3ds_deny.response.json", "denied 100000"),
    ("charge/credit_card_3ds_pending.response.json", "accepted 789000 redirect"),
    ("charge/credit_card_authorize.response.json", "authorized 145000"),
    ("charge/credit_card_capture.response.json", "captured 145000"),
    ("charge/credit_card_saved_token.response.json", "captured 200000"),
    ("charge/cstore_alfamart.response.json", "accepted 162500 code"),
    ("charge/cstore_alfamart_full.response.json", "accepted 10500 code"),
    ("charge/cstore_indomaret.response.json", "accepted 44000 code"),
    ("charge/cstore_indomaret_full.response.json", "accepted 162500 code"),
    ("charge/echannel_mandiri.response.json", "accepted 44000 bill"),
    ("charge/gopay.response.json", "accepted 10000 qr"),
    ("charge/gopay_2019.response.json", "accepted 44000 qr"),
    ("charge/gopay_tokenization_denied.response.json", "denied 100000"),
    ("charge/gopay_tokenization_settled.response.json", "settled 100000"),
    ("charge/kredivo.response.json", "accepted 40000 redirect"),
    ("charge/ovo.response.json", "accepted 30000"),
    ("charge/permata.response.json", "accepted 44000 account"),
    ("charge/permata_2023.response.json", "accepted 275000 account"),
    ("charge/qris.response.json", "accepted 275000 qr"),
    ("charge/qris_with_qr_string.response.json", "accepted 100000 qr"),
    ("charge/shopeepay.response.json", "accepted 25000 deeplink"),
    ("errors/202_gopay_fds_deny.json", "denied unsaid"),
    ("errors/400_card_token.json", "refused 400"),
    ("errors/400_custom_expiry.json", "refused 400"),
    ("errors/400_item_sum.json", "refused 400"),
    ("errors/400_order_id_required.json", "refused 400"),
    ("errors/400_permata_va_length.json", "refused 400"),
    ("errors/402_channel_not_activated.json", "refused 402"),
    ("errors/404_ovo_user_not_found.json", "refused 404"),
    ("errors/406_duplicate_order.json", "duplicate"),
    ("errors/410_gopay_user_blocked.json", "refused 410"),
    ("errors/411_token.json", "refused 411"),
    ("errors/413_malformed.json", "refused 413"),
    ("errors/500.json", "unknown"),
    ("errors/503.json", "unknown"),
    ("errors/505_va_number.json", "unknown"),
];

/// Answers to GET status.
const STATUSES: &[(&str, &str)] = &[
    ("status/capture_credit_card_cancelled.json", "cancelled 30000"),
    ("status/expire_bca.json", "expired 330000 account"),
    ("status/expire_qris.json", "expired 500"),
    ("status/pending_bca.json", "accepted 44000 account"),
    ("status/pending_dana_uppercase.json", "accepted 238429 deeplink"),
    ("status/settlement_bsi_order_id_is_transaction_id.json", "settled 113500 account"),
    ("status/settlement_credit_card.json", "settled 10000"),
    ("status/settlement_dana.json", "settled 20000"),
    ("errors/404_status.json", "no such transaction"),
    ("errors/404_status_old.json", "no such transaction"),
];

/// Answers to something done to a transaction.
const ACTIONS: &[(&str, &str)] = &[
    ("action/approve.response.json", "captured 30000"),
    ("action/cancel.response.json", "cancelled 30000"),
    ("action/capture.response.json", "captured 30000"),
    ("action/capture_denied.response.json", "denied 7"),
    ("action/deny.response.json", "denied 30000"),
    ("action/expire.response.json", "expired 10000"),
    ("action/expire_variant.response.json", "expired 1000000"),
    ("action/refund.response.json", "refunded 10000"),
    ("action/refund_direct.response.json", "refunded 10000"),
    ("action/refund_direct_rejected.response.json", "unheard(settlement with status_code 202) 10000"),
    ("action/refund_partial.response.json", "partially_refunded(5000) 10000"),
    ("errors/412_cannot_modify.json", "unchangeable"),
    ("errors/412_cannot_modify_old.json", "unchangeable"),
    ("errors/414_refund_amount.json", "refused 414"),
];

/// Answers that come with an HTTP status of their own, whatever was asked.
const HTTP_ERRORS: &[(&str, u16, &str)] = &[
    ("errors/401.json", 401, "misconfigured 401"),
    ("errors/404_http_spring_slash_in_order_id.json", 404, "misconfigured 404"),
    ("errors/429_rate_limit.json", 429, "rate limited"),
    ("errors/500.json", 500, "unknown"),
    ("errors/503.json", 503, "unknown"),
];

/// Notifications that are not what the name of their file begins with.
const NOTIFICATIONS: &[(&str, Kind, &str)] = &[
    ("notification/capture_credit_card_challenge.json", Kind::Payment, "challenged"),
    ("notification/dashboard_test.json", Kind::DashboardTest, "settled"),
    ("notification/partial_refund_credit_card.json", Kind::Payment, "partially_refunded(12000)"),
    (
        "notification/partial_refund_credit_card_bank_confirmed.json",
        Kind::Payment,
        "partially_refunded(12000)",
    ),
    ("notification_other/pay_account_disabled_synthesized.json", Kind::PayAccount, "nothing"),
    ("notification_other/pay_account_enabled_synthesized.json", Kind::PayAccount, "nothing"),
    ("notification_other/pay_account_unlinked.json", Kind::PayAccount, "nothing"),
    ("notification_other/subscription_charge_failed.json", Kind::Subscription, "nothing"),
    ("notification_other/subscription_charge_ok.json", Kind::Subscription, "nothing"),
    ("notification_other/subscription_created.json", Kind::Subscription, "nothing"),
    ("notification_signed/payment-link-notification.json", Kind::Payment, "settled"),
    ("notification_signed/recurring-notification-card.json", Kind::Payment, "settled"),
    ("notification_signed/snap-notification-expire.json", Kind::Payment, "expired"),
    ("notification_signed/snap-notification-partial-refund.json", Kind::Payment, "partially_refunded(50000)"),
    ("notification_signed/snap-notification-pending.json", Kind::Payment, "accepted"),
    ("notification_signed/snap-notification-refund.json", Kind::Payment, "refunded"),
    ("notification_signed/snap-notification-settlement.json", Kind::Payment, "settled"),
    ("notification_synthesized/bca_cancel.json", Kind::Payment, "cancelled"),
    ("notification_synthesized/bca_expire.json", Kind::Payment, "expired"),
    ("notification_synthesized/bca_pending.json", Kind::Payment, "accepted"),
    ("notification_synthesized/bca_settlement.json", Kind::Payment, "settled"),
    ("notification_synthesized/bca_settlement_amount_mismatch.json", Kind::Payment, "settled"),
    ("notification_synthesized/card_capture_accept_after_approve.json", Kind::Payment, "captured"),
    ("notification_synthesized/card_capture_challenge.json", Kind::Payment, "challenged"),
    ("notification_synthesized/card_capture_second_attempt_same_order.json", Kind::Payment, "captured"),
    ("notification_synthesized/card_chargeback.json", Kind::Payment, "charged_back"),
    ("notification_synthesized/card_deny_first_attempt.json", Kind::Payment, "denied"),
    ("notification_synthesized/card_partial_chargeback.json", Kind::Payment, "partially_charged_back"),
    ("notification_synthesized/card_refund_bank_confirmed.json", Kind::Payment, "refunded"),
    ("notification_synthesized/card_refund_first.json", Kind::Payment, "refunded"),
    ("notification_synthesized/dashboard_test_signed.json", Kind::DashboardTest, "settled"),
    ("notification_synthesized/indomaret_settlement_no_fraud_status.json", Kind::Payment, "settled"),
    ("notification_synthesized/multi_use_va_child_order.json", Kind::Payment, "settled"),
    ("notification_synthesized/permata_settlement_reversed_deny.json", Kind::Payment, "denied"),
    ("notification_synthesized/unknown_fields_and_payment_type.json", Kind::Payment, "settled"),
    (
        "notification_synthesized/unknown_transaction_status.json",
        Kind::Payment,
        "unheard(partial_settlement)",
    ),
];

/// The others in `notification/` are named after what they tell, so many of them that the name is the table.
const BY_NAME: &[(&str, &str, usize)] = &[
    ("notification/authorize_", "authorized", 1),
    ("notification/cancel_", "cancelled", 1),
    ("notification/capture_", "captured", 4),
    ("notification/deny_", "denied", 3),
    ("notification/expire_", "expired", 8),
    ("notification/pending_", "accepted", 9),
    ("notification/settlement_", "settled", 28),
];

fn told(event: &Event) -> String {
    match event {
        Event::Unheard(status) => format!("unheard({status})"),
        Event::PartiallyRefunded(total) => format!("partially_refunded({})", total.get()),
        event => event.as_str().to_owned(),
    }
}

fn outcome(answer: Result<Report, CallError>) -> String {
    let report = match answer {
        Ok(report) => report,
        Err(error) => return class(&error),
    };
    let amount = match report.amount {
        Amount::Rupiah(amount) => amount.get().to_string(),
        Amount::Foreign(text) => format!("foreign({text})"),
        Amount::Unsaid => "unsaid".to_owned(),
    };
    let instruction = match report.instruction {
        None => "",
        Some(Instruction::VirtualAccount { .. }) => " account",
        Some(Instruction::MandiriBill { .. }) => " bill",
        Some(Instruction::Qr { .. }) => " qr",
        Some(Instruction::Deeplink { .. }) => " deeplink",
        Some(Instruction::PaymentCode { .. }) => " code",
        Some(Instruction::Redirect { .. }) => " redirect",
        Some(Instruction::Push { .. }) => " push",
    };
    format!("{} {amount}{instruction}", told(&report.event))
}

fn order_of(body: &[u8]) -> String {
    let json: Value = serde_json::from_slice(body).unwrap();
    json["order_id"].as_str().unwrap_or("KSR-1").to_owned()
}

/// The charge whose answer this could be.
async fn charged(gateway: &Gateway, name: &str) -> Result<Report, CallError> {
    let body = fixture(name);
    let method = if name.contains("indomaret") { Method::Indomaret } else { Method::Bca };
    let order = charge(&order_of(&body), method, 10_000);
    let status = if name.contains("errors/400") { 400 } else { 200 };
    gateway.answers(status, body).client().charge(&order).await
}

#[tokio::test]
async fn recorded_answers_to_charges_are_understood() {
    let gateway = Gateway::open().await;
    for (name, expected) in CHARGES {
        assert_eq!(outcome(charged(&gateway, name).await), *expected, "{name}");
    }
}

#[tokio::test]
async fn recorded_answers_about_transactions_are_understood() {
    let gateway = Gateway::open().await;
    let midtrans = gateway.client();
    for (name, expected) in STATUSES {
        let body = fixture(name);
        let id = order_of(&body);
        gateway.answers(200, body);
        assert_eq!(outcome(midtrans.status(&id).await), *expected, "{name}");
    }
    for (name, expected) in ACTIONS {
        let body = fixture(name);
        let id = order_of(&body);
        gateway.answers(200, body);
        assert_eq!(outcome(midtrans.cancel(&id).await), *expected, "{name}");
        assert_eq!(outcome(midtrans.expire(&id).await), *expected, "{name}");
    }
}

#[tokio::test]
async fn recorded_http_errors_mean_the_same_to_every_call() {
    let gateway = Gateway::open().await;
    let midtrans = gateway.client();
    for (name, status, expected) in HTTP_ERRORS {
        gateway.answers(*status, fixture(name));
        assert_eq!(
            outcome(midtrans.charge(&charge("KSR-1", Method::Bca, 10_000)).await),
            *expected,
            "{name}"
        );
        assert_eq!(outcome(midtrans.status("KSR-1").await), *expected, "{name}");
        assert_eq!(outcome(midtrans.cancel("KSR-1").await), *expected, "{name}");
        assert_eq!(outcome(midtrans.expire("KSR-1").await), *expected, "{name}");
    }
}

#[test]
fn recorded_notifications_are_understood() {
    let check = |name: &str, kind: Kind, expected: &str| {
        let notification = Notification::parse(&fixture(name)).unwrap();
        let event = notification.event.as_ref().map_or_else(|| "nothing".to_owned(), told);
        assert_eq!((notification.kind, event.as_str()), (kind, expected), "{name}");
    };
    for (name, kind, expected) in NOTIFICATIONS {
        check(name, *kind, expected);
    }
    let exceptions: BTreeSet<&str> = NOTIFICATIONS.iter().map(|(name, _, _)| *name).collect();
    let files = fixtures_in("notification");
    for (prefix, expected, count) in BY_NAME {
        let named =
            files.iter().filter(|name| name.starts_with(prefix) && !exceptions.contains(name.as_str()));
        assert_eq!(named.clone().count(), *count, "{prefix}");
        named.for_each(|name| check(name, Kind::Payment, expected));
    }
}

#[test]
fn every_recorded_file_is_in_a_table() {
    let mut known: BTreeSet<String> = BTreeSet::new();
    known.extend([CHARGES, STATUSES, ACTIONS].concat().iter().map(|(name, _)| (*name).to_owned()));
    known.extend(HTTP_ERRORS.iter().map(|(name, _, _)| (*name).to_owned()));
    known.extend(NOTIFICATIONS.iter().map(|(name, _, _)| (*name).to_owned()));
    let folders = ["charge", "status", "action", "errors", "notification", "notification_other"];
    let folders = folders.into_iter().chain(["notification_signed", "notification_synthesized"]);
    let by_name = |name: &str| BY_NAME.iter().any(|(prefix, _, _)| name.starts_with(prefix));
    let unread: Vec<String> = folders
        .flat_map(fixtures_in)
        .filter(|name| !name.contains(".request") && !known.contains(name) && !by_name(name))
        .collect();
    assert!(unread.is_empty(), "not in a table of this file: {unread:?}");
}

#[tokio::test]
async fn each_method_tells_the_payer_what_to_do() {
    let gateway = Gateway::open().await;
    let account =
        |bank: &str, number: &str| Instruction::VirtualAccount { bank: bank.into(), number: number.into() };
    let code = |store: &str, code: &str| Instruction::PaymentCode { store: store.into(), code: code.into() };
    let url = "https://wsa.uat.wallet.airpay.co.id/universal-link/wallet/pay?deep_and_deferred=1\
        &token=dFhkbmR1bTBIamhW5n7WPz2OrczCvb8_XiHliB9nROFMVByjtwKMAl6G0Ax0cMr79M4hwjs";
    let bill = Instruction::MandiriBill { biller_code: "70012".into(), bill_key: "778347787706".into() };
    for (name, expected) in [
        ("bank_transfer_bca", account("bca", "812785002530231")),
        ("bank_transfer_cimb", account("cimb", "2810000123456789")),
        ("permata", account("permata", "850003072869607")),
        ("echannel_mandiri", bill),
        ("cstore_alfamart", code("alfamart", "8127740588870520")),
        ("cstore_indomaret", code("indomaret", "578112341234")),
        // This one does not name the store.
        ("cstore_indomaret_full", code("indomaret", "25709650945026")),
        ("shopeepay", Instruction::Deeplink { url: url.into() }),
    ] {
        let report = charged(&gateway, &format!("charge/{name}.response.json")).await.unwrap();
        assert_eq!(report.instruction, Some(expected), "{name}");
    }
}

#[tokio::test]
async fn a_code_to_scan_comes_with_all_its_forms() {
    let gateway = Gateway::open().await;
    let gopay = charged(&gateway, "charge/gopay.response.json").await.unwrap();
    let link = "gojek://gopay/merchanttransfer?tref=1509110800474199656LMVO&amount=10000&activity=GP:RR\
        &callback_url=someapps://callback?order_id=SAMPLE-ORDER-ID-01";
    let image_url =
        Some("https://api.midtrans.com/v2/gopay/e48447d1-cfa9-4b02-b163-2e915d4417ac/qr-code".into());
    let expected = Instruction::Qr { image_url, qr_string: None, deeplink_url: Some(link.into()) };
    assert_eq!(gopay.instruction, Some(expected));

    let qris = charged(&gateway, "charge/qris_with_qr_string.response.json").await.unwrap();
    match qris.instruction {
        Some(Instruction::Qr { image_url: Some(_), qr_string: Some(text), deeplink_url: None }) => {
            assert!(text.starts_with("000201010212") && text.ends_with("C385"));
        }
        other => panic!("{other:?}"),
    }
    // `expire_time` here, and Jakarta time.
    assert_eq!(qris.expires_at, Some("2023-01-05T04:01:39Z".parse().unwrap()));
}

#[tokio::test]
async fn a_status_answer_tells_when_how_much_and_of_what() {
    let gateway = Gateway::open().await;
    let id = "A120251205074834XeVg4mKHIMID";
    gateway.answers(200, fixture("status/settlement_bsi_order_id_is_transaction_id.json"));
    let report = gateway.client().status(id).await.unwrap();
    assert_eq!(report.event, Event::Settled);
    assert_eq!(report.transaction_id.unwrap().as_str(), id);
    assert_eq!(report.amount, Amount::Rupiah(Rupiah::try_from(113_500).unwrap()));
    assert_eq!(report.settled_at, Some("2025-12-05T07:49:38Z".parse().unwrap()));
    assert_eq!(report.expires_at, Some("2025-12-06T07:48:34Z".parse().unwrap()));
}
