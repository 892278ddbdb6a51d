//! Every recorded notification, signed afresh, comes in by the endpoint, and its payment ends where contract §6 says.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use chrono::TimeDelta;
use domain::{Failure, Invoice, Learned, Method, Payment, Rupiah, Secret, State, TransactionId};
use reqwest::StatusCode;
use serde_json::{Value, json};
use store::creation::{Creation, NewPayment, create};
use store::{Written, findings, history, notifications, payments};

use crate::kost::{Kost, SERVER_KEY, Tenant};

stories![
    each_notification_moves_a_payment_that_waits,
    each_notification_about_money_moves_a_payment_that_is_paid,
    money_that_comes_for_a_payment_that_expired_is_booked,
    a_refused_card_ends_nothing_while_its_page_is_open,
    what_one_transaction_goes_through_is_heard_step_by_step,
    what_is_about_no_payment_of_ours_is_kept_and_changes_nothing,
    what_another_key_signed_is_refused,
];

/// A file of `crates/midtrans/tests/fixtures`, and how the payment stands after it: the state, then the findings.
type Rows = [(&'static str, &'static str)];

/// Over a payment that waits for its payer. Contract §6: pending may become anything but a reversal.
const OVER_PENDING: &Rows = &[
    // The amount is reserved, and nobody has taken it.
    ("notification/authorize_credit_card.json", "review"),
    ("notification/cancel_credit_card.json", "failed cancelled"),
    // Paid: code 200, captured, and the fraud check said yes or nothing.
    ("notification/capture_credit_card.json", "paid"),
    ("notification/capture_credit_card_accept.json", "paid"),
    ("notification/capture_credit_card_challenge.json", "review"),
    ("notification/capture_credit_card_custom_fields.json", "paid"),
    ("notification/capture_credit_card_metadata.json", "paid"),
    ("notification/deny_akulaku.json", "failed denied"),
    ("notification/deny_credit_card.json", "failed denied"),
    ("notification/deny_kredivo.json", "failed denied"),
    ("notification/expire_akulaku.json", "failed expired"),
    ("notification/expire_bni.json", "failed expired"),
    ("notification/expire_cstore_indomaret.json", "failed expired"),
    ("notification/expire_gopay.json", "failed expired"),
    ("notification/expire_kredivo.json", "failed expired"),
    ("notification/expire_permata.json", "failed expired"),
    ("notification/expire_qris.json", "failed expired"),
    ("notification/expire_shopeepay.json", "failed expired"),
    // Two refunds, and nobody here asked for either.
    (
        "notification/partial_refund_credit_card.json",
        "partially_refunded 12000, external_refund, external_refund",
    ),
    (
        "notification/partial_refund_credit_card_bank_confirmed.json",
        "partially_refunded 12000, external_refund, external_refund",
    ),
    ("notification/pending_akulaku.json", "pending"),
    ("notification/pending_bni.json", "pending"),
    ("notification/pending_cstore_indomaret.json", "pending"),
    ("notification/pending_echannel.json", "pending"),
    ("notification/pending_echannel_2019.json", "pending"),
    ("notification/pending_gopay.json", "pending"),
    ("notification/pending_kredivo.json", "pending"),
    ("notification/pending_qris.json", "pending"),
    ("notification/pending_shopeepay.json", "pending"),
    ("notification/settlement_akulaku.json", "paid"),
    ("notification/settlement_akulaku_2018.json", "paid"),
    ("notification/settlement_akulaku_2021.json", "paid"),
    ("notification/settlement_bca.json", "paid"),
    ("notification/settlement_bca_klikbca.json", "paid"),
    ("notification/settlement_bca_klikpay.json", "paid"),
    ("notification/settlement_bca_real.json", "paid"),
    ("notification/settlement_bni.json", "paid"),
    ("notification/settlement_bni_payment_amounts.json", "paid"),
    ("notification/settlement_bri.json", "paid"),
    ("notification/settlement_bri_epay.json", "paid"),
    ("notification/settlement_cimb_clicks.json", "paid"),
    ("notification/settlement_credit_card.json", "paid"),
    ("notification/settlement_cstore_alfamart.json", "paid"),
    ("notification/settlement_cstore_alfamart_2021.json", "paid"),
    ("notification/settlement_cstore_indomaret.json", "paid"),
    ("notification/settlement_cstore_indomaret_2016.json", "paid"),
    ("notification/settlement_cstore_indomaret_2021.json", "paid"),
    ("notification/settlement_danamon_online.json", "paid"),
    ("notification/settlement_echannel.json", "paid"),
    ("notification/settlement_gopay.json", "paid"),
    ("notification/settlement_gopay_payment_option_type.json", "paid"),
    ("notification/settlement_kredivo.json", "paid"),
    ("notification/settlement_permata.json", "paid"),
    ("notification/settlement_qris.json", "paid"),
    ("notification/settlement_qris_on_us.json", "paid"),
    ("notification/settlement_shopeepay.json", "paid"),
    ("notification/settlement_shopeepay_reference.json", "paid"),
    ("notification_signed/snap-notification-expire.json", "failed expired"),
    (
        "notification_signed/snap-notification-partial-refund.json",
        "partially_refunded 50000, external_refund",
    ),
    ("notification_signed/snap-notification-pending.json", "pending"),
    ("notification_signed/snap-notification-refund.json", "refunded, external_refund"),
    ("notification_signed/snap-notification-settlement.json", "paid"),
    ("notification_synthesized/bca_cancel.json", "failed cancelled"),
    ("notification_synthesized/bca_expire.json", "failed expired"),
    ("notification_synthesized/bca_pending.json", "pending"),
    ("notification_synthesized/bca_settlement.json", "paid"),
    // The bill is ten times as high.
    ("notification_synthesized/bca_settlement_amount_mismatch.json", "pending, amount_mismatch"),
    ("notification_synthesized/card_capture_accept_after_approve.json", "paid"),
    ("notification_synthesized/card_capture_challenge.json", "review"),
    ("notification_synthesized/card_capture_second_attempt_same_order.json", "paid"),
    ("notification_synthesized/card_chargeback.json", "charged_back, chargeback"),
    ("notification_synthesized/card_deny_first_attempt.json", "failed denied"),
    // The house keeps a part of the money.
    ("notification_synthesized/card_partial_chargeback.json", "paid, chargeback"),
    ("notification_synthesized/card_refund_bank_confirmed.json", "refunded, external_refund"),
    ("notification_synthesized/card_refund_first.json", "refunded, external_refund"),
    ("notification_synthesized/indomaret_settlement_no_fraud_status.json", "paid"),
    // We never heard of the settlement that is taken back here.
    ("notification_synthesized/permata_settlement_reversed_deny.json", "failed denied"),
    ("notification_synthesized/unknown_fields_and_payment_type.json", "paid"),
    // `partial_settlement`: the paid rule does not name it.
    ("notification_synthesized/unknown_transaction_status.json", "pending, status_conflict"),
];

/// Over a payment that is paid. Contract §6: what follows a settlement or a capture.
const OVER_PAID: &Rows = &[
    ("notification/cancel_credit_card.json", "failed reversed, reversal"),
    ("notification/capture_credit_card_accept.json", "paid"),
    ("notification/settlement_credit_card.json", "paid"),
    ("notification/settlement_permata.json", "paid"),
    (
        "notification/partial_refund_credit_card.json",
        "partially_refunded 12000, external_refund, external_refund",
    ),
    (
        "notification_signed/snap-notification-partial-refund.json",
        "partially_refunded 50000, external_refund",
    ),
    ("notification_signed/snap-notification-refund.json", "refunded, external_refund"),
    ("notification_synthesized/card_chargeback.json", "charged_back, chargeback"),
    ("notification_synthesized/card_partial_chargeback.json", "paid, chargeback"),
    ("notification_synthesized/card_refund_bank_confirmed.json", "refunded, external_refund"),
    ("notification_synthesized/card_refund_first.json", "refunded, external_refund"),
    ("notification_synthesized/permata_settlement_reversed_deny.json", "failed reversed, reversal"),
];

/// Over a payment that expired. Contract §2: a settlement that comes after that is to be accepted.
const OVER_EXPIRED: &Rows = &[
    ("notification/capture_credit_card_accept.json", "paid, late_settlement"),
    ("notification/deny_kredivo.json", "failed expired"),
    ("notification/expire_permata.json", "failed expired"),
    ("notification/settlement_bca.json", "paid, late_settlement"),
    ("notification_synthesized/bca_settlement_amount_mismatch.json", "failed expired, amount_mismatch"),
    ("notification_synthesized/card_chargeback.json", "charged_back, chargeback"),
];

/// Over a card's page that takes another try. Contract §2: a refused card is no end there.
const OVER_AN_OPEN_PAGE: &Rows = &[
    ("notification/cancel_credit_card.json", "pending"),
    ("notification/deny_credit_card.json", "pending"),
    ("notification/settlement_credit_card.json", "paid"),
    ("notification_synthesized/card_deny_first_attempt.json", "pending"),
];

/// Files that follow each other, the states that their payment goes through, and the findings.
const STEPS: &[(&[&str], &str)] = &[
    (&["bca_pending", "bca_settlement"], "created pending paid"),
    (&["bca_pending", "bca_expire"], "created pending failed"),
    (
        &["card_capture_challenge", "card_capture_accept_after_approve", "card_chargeback"],
        "created pending review paid charged_back, chargeback",
    ),
    // The other try on the page has a transaction of its own.
    (&["card_deny_first_attempt", "card_capture_second_attempt_same_order"], "created pending paid"),
    // The bank's word on the same refund is no further refund.
    (
        &["card_capture_accept_after_approve", "card_refund_first", "card_refund_bank_confirmed"],
        "created pending paid refunded, external_refund",
    ),
];

/// What is about no payment of ours: what the inbox calls it, and what becomes of it. Contract §7.
const INBOX_ONLY: &Rows = &[
    ("notification/dashboard_test.json", "dashboard_test: ignored"),
    ("notification_other/pay_account_disabled_synthesized.json", "pay_account: ignored"),
    ("notification_other/pay_account_enabled_synthesized.json", "pay_account: ignored"),
    ("notification_other/pay_account_unlinked.json", "pay_account: ignored"),
    ("notification_other/subscription_charge_failed.json", "subscription: ignored"),
    ("notification_other/subscription_charge_ok.json", "subscription: ignored"),
    ("notification_other/subscription_created.json", "subscription: ignored"),
    // An order that we never issued is a finding.
    ("notification_signed/payment-link-notification.json", "payment: unknown order"),
    ("notification_signed/recurring-notification-card.json", "payment: unknown order"),
    ("notification_synthesized/dashboard_test_signed.json", "dashboard_test: ignored"),
    ("notification_synthesized/multi_use_va_child_order.json", "payment: unknown order"),
];

/// How a payment stood before the notification came.
#[derive(Clone, Copy)]
struct Before {
    state: State,
    /// While the page of a card is open, nothing but money ends its payment.
    ends: TimeDelta,
}

const OVER: TimeDelta = TimeDelta::minutes(-5);
const OPEN: TimeDelta = TimeDelta::minutes(10);

#[test]
fn every_recorded_notification_is_in_one_table() {
    let folders = ["notification", "notification_other", "notification_signed", "notification_synthesized"];
    let found: BTreeSet<String> = folders.into_iter().flat_map(files_in).collect();
    let named: Vec<&str> = [OVER_PENDING, INBOX_ONLY].concat().into_iter().map(|(name, _)| name).collect();
    let table: BTreeSet<String> = named.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(table.len(), named.len(), "a file is named twice");
    let odd: Vec<&String> = found.symmetric_difference(&table).collect();
    assert!(odd.is_empty(), "only a file, or only a row of a table: {odd:?}");
}

fn files_in(folder: &str) -> Vec<String> {
    let files = std::fs::read_dir(directory().join(folder)).unwrap();
    files.map(|file| format!("{folder}/{}", file.unwrap().file_name().to_str().unwrap())).collect()
}

fn directory() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/crates/midtrans/tests/fixtures"))
}

fn fixture(name: &str) -> Value {
    let text = std::fs::read(directory().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    serde_json::from_slice(&text).unwrap()
}

/// The body with the signature of our own key; what has none of the two formulas stays unsigned.
fn signed(mut body: Value) -> String {
    let text = |name: &str| body[name].as_str().map(str::to_owned);
    let parts = match (text("order_id"), text("account_id")) {
        (Some(order), _) => Some((order, text("status_code"), text("gross_amount"))),
        (None, Some(account)) => Some((account, text("account_status"), text("status_code"))),
        (None, None) => None,
    };
    if let Some((first, Some(second), Some(third))) = parts {
        body["signature_key"] = json!(midtrans::sign(&first, &second, &third, &Secret::from(SERVER_KEY)));
    }
    body.to_string()
}

async fn each_notification_moves_a_payment_that_waits(kost: Kost) {
    tell_each(kost, Before { state: State::Pending, ends: OVER }, OVER_PENDING).await;
}

async fn each_notification_about_money_moves_a_payment_that_is_paid(kost: Kost) {
    tell_each(kost, Before { state: State::Paid, ends: OVER }, OVER_PAID).await;
}

async fn money_that_comes_for_a_payment_that_expired_is_booked(kost: Kost) {
    tell_each(kost, Before { state: State::Failed(Failure::Expired), ends: OVER }, OVER_EXPIRED).await;
}

async fn a_refused_card_ends_nothing_while_its_page_is_open(kost: Kost) {
    tell_each(kost, Before { state: State::Pending, ends: OPEN }, OVER_AN_OPEN_PAGE).await;
}

/// As many houses as files share one order id; an invoice is never used twice in a house.
async fn tell_each(kost: Kost, before: Before, rows: &Rows) {
    let setup = kost.setup;
    let mut first = Some(kost);
    for rows in rounds(rows) {
        let kost = match first.take() {
            Some(kost) => kost,
            None => Kost::open(setup).await,
        };
        tell_in(&kost, before, &rows).await;
        kost.close().await;
    }
}

fn rounds(rows: &Rows) -> Vec<Vec<(&'static str, &'static str)>> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut rounds = Vec::new();
    for row in rows {
        let round = seen.entry(fixture(row.0)["order_id"].to_string()).or_default();
        if rounds.len() == *round {
            rounds.push(Vec::new());
        }
        rounds[*round].push(*row);
        *round += 1;
    }
    rounds
}

async fn tell_in(kost: &Kost, before: Before, rows: &Rows) {
    let budi = kost.tenant("Budi").await;
    let mut invoices = Vec::new();
    for (months, (name, _)) in (1..).zip(rows) {
        let body = fixture(name);
        let tenant = kost.months_later(&budi, months).await;
        invoices.push(write_down(kost, &tenant, (name, &body), before).await);
        kost.sim.plant(&body).unwrap();
        let answer = kost.notify(signed(body)).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{name}: {}", answer.body);
    }
    kost.run_jobs().await;
    for (invoice, (name, expected)) in invoices.iter().zip(rows) {
        let payment = kost.payment(invoice).await;
        let stands = match payment.state {
            State::Failed(why) => format!("failed {}", why.as_str()),
            State::PartiallyRefunded { total } => format!("partially_refunded {}", total.get()),
            state => state.as_str().to_owned(),
        };
        assert_eq!(format!("{stands}{}", found(kost, &payment).await), *expected, "{name}");
    }
}

/// The findings about a payment, oldest first, with a comma before each.
async fn found(kost: &Kost, payment: &Payment) -> String {
    let newest = findings::newest(&kost.db, 1000).await.unwrap();
    let ours = newest.iter().rev().filter(|finding| finding.payment_id == Some(payment.id));
    ours.map(|finding| format!(", {}", finding.kind.as_str())).collect()
}

/// The payment that a file speaks of, as the charge would have left it.
async fn write_down(kost: &Kost, tenant: &Tenant, (name, body): (&str, &Value), before: Before) -> Invoice {
    let now = kost.clock.now();
    let invoice = Invoice::try_from(body["order_id"].as_str().unwrap()).unwrap();
    let (method, amount) = (method_of(body), amount_of(name, body));
    let new = NewPayment {
        invoice: invoice.clone(),
        bill_id: tenant.bill,
        tenant_id: tenant.id,
        method,
        amount,
        payer_phone: None,
        supersedes: None,
        next_check_at: now + TimeDelta::days(1),
    };
    let Creation::Made(payment, _) = create(&kost.db, &new, |_| Vec::new(), now).await.unwrap() else {
        panic!("{name}: the payment was not written down");
    };
    // A page has no transaction before somebody tries.
    let known = body["transaction_id"].as_str().filter(|_| !method.is_on_a_page());
    let learned = Learned {
        transaction_id: known.map(|id| TransactionId::try_from(id).unwrap()),
        expires_at: Some(now + before.ends),
        ..Learned::default()
    };
    let change = payments::Change {
        payment: &payment,
        to: before.state,
        learned: &learned,
        event: "written down",
        source: history::Source::Charge,
        detail: "",
        finding: None,
        refunds: &[],
        checked: true,
        next_check_at: Some(now + TimeDelta::days(1)),
        jobs: &[],
        completes: None,
    };
    let (written, _) = payments::change(&kost.db, &change, now).await.unwrap();
    assert_eq!(written, Written::Done, "{name}");
    invoice
}

fn method_of(body: &Value) -> Method {
    let text = |name: &str| body[name].as_str().unwrap_or_default();
    match text("payment_type") {
        "bank_transfer" if body.get("permata_va_number").is_some() => Method::Permata,
        "bank_transfer" => match body["va_numbers"][0]["bank"].as_str() {
            Some("bni") => Method::Bni,
            Some("bri") => Method::Bri,
            Some("cimb") => Method::Cimb,
            _ => Method::Bca,
        },
        "echannel" => Method::Mandiri,
        "cstore" if text("store") == "indomaret" => Method::Indomaret,
        "cstore" => Method::Alfamart,
        "qris" if text("acquirer").starts_with("airpay") => Method::QrisShopeepay,
        "credit_card" => Method::Card,
        // Kasir does not offer the old ones, such as `bca_klikpay`.
        other => Method::try_from(other).unwrap_or(Method::Bca),
    }
}

fn amount_of(name: &str, body: &Value) -> Rupiah {
    let twin = name.contains("_amount_mismatch").then(|| fixture(&name.replace("_amount_mismatch", "")));
    let text = twin.as_ref().unwrap_or(body)["gross_amount"].as_str().unwrap();
    Rupiah::try_from(text.strip_suffix(".00").unwrap().parse::<i64>().unwrap()).unwrap()
}

async fn what_one_transaction_goes_through_is_heard_step_by_step(kost: Kost) {
    let setup = kost.setup;
    kost.close().await;
    for (names, expected) in STEPS {
        let kost = Kost::open(setup).await;
        let budi = kost.tenant("Budi").await;
        let mut invoice = None;
        for name in *names {
            let file = format!("notification_synthesized/{name}.json");
            let body = fixture(&file);
            if invoice.is_none() {
                let before = Before { state: State::Pending, ends: OPEN };
                invoice = Some(write_down(&kost, &budi, (&file, &body), before).await);
            }
            kost.sim.plant(&body).unwrap();
            assert_eq!(kost.notify(signed(body)).await.status, StatusCode::CREATED, "{name}");
            kost.run_jobs().await;
        }
        let payment = kost.payment(&invoice.unwrap()).await;
        let life = kost.life(&payment.invoice).await.join(" ");
        assert_eq!(format!("{life}{}", found(&kost, &payment).await), *expected, "{names:?}");
        kost.close().await;
    }
}

async fn what_is_about_no_payment_of_ours_is_kept_and_changes_nothing(kost: Kost) {
    let (_, invoice) = kost.paying("Budi", "bca").await;
    let before = kost.payment(&invoice).await;
    let mut unknown = Vec::new();
    for (name, expected) in INBOX_ONLY {
        let body = fixture(name);
        let answer = kost.notify(signed(body.clone())).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{name}: {}", answer.body);
        kost.run_jobs().await;
        let kept = notifications::newest(&kost.db, 1).await.unwrap().remove(0);
        assert_eq!(format!("{}: {}", kept.kind, kept.outcome.unwrap()), *expected, "{name}");
        assert_eq!(kept.payment_id, None, "{name}");
        assert_eq!(kept.verified, kept.kind != "subscription", "{name}: nobody signs a subscription");
        if expected.ends_with("unknown order") {
            unknown.push("unknown_order");
        }
        assert_eq!(kost.findings().await, unknown, "{name}");
        assert_eq!(kost.payment(&invoice).await, before, "{name}");
    }
    kost.close().await;
}

async fn what_another_key_signed_is_refused(kost: Kost) {
    for (name, _) in [OVER_PENDING, INBOX_ONLY].concat() {
        let body = fixture(name);
        let unsigned = body.get("order_id").or(body.get("account_id")).is_none();
        let expected = if unsigned { StatusCode::CREATED } else { StatusCode::UNAUTHORIZED };
        assert_eq!(kost.notify(body.to_string()).await.status, expected, "{name}");
    }
    let kept = notifications::newest(&kost.db, 100).await.unwrap();
    assert!(kept.iter().all(|kept| kept.kind == "subscription"), "{kept:?}");
    assert_eq!(kept.len(), 3);
    kost.close().await;
}
