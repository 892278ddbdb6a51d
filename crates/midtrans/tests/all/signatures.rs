//! Signatures: the recorded ones verify, all others do not.

use domain::Secret;
use midtrans::{Kind, NotANotification, Notification, sign};
use serde_json::Value;

use crate::gateway::{KEY, fixture, fixtures_in};

fn parsed(name: &str) -> Notification {
    Notification::parse(&fixture(name)).unwrap()
}

#[test]
fn the_documented_digests_come_out() {
    let vectors: Value = serde_json::from_slice(&fixture("signature_vectors.json")).unwrap();
    let vectors = vectors["vectors"].as_array().unwrap();
    assert_eq!(vectors.len(), 8);
    for vector in vectors {
        let text = |name: &str| vector[name].as_str().unwrap();
        let key = Secret::from(text("server_key"));
        let signature = sign(text("order_id"), text("status_code"), text("gross_amount"), &key);
        assert_eq!(signature, text("signature_key"), "{vector}");
    }
}

#[test]
fn signed_notifications_verify_with_their_key_and_no_other() {
    let (ours, other) = (Secret::from(KEY), Secret::from("SB-Mid-server-tesu"));
    let mut names = fixtures_in("notification_signed");
    names.extend(fixtures_in("notification_synthesized"));
    names.extend(
        ["enabled", "disabled"].map(|what| format!("notification_other/pay_account_{what}_synthesized.json")),
    );
    assert_eq!(names.len(), 28);
    for name in names {
        let notification = parsed(&name);
        assert!(notification.is_signed_by(std::slice::from_ref(&ours)), "{name}");
        // While a key is changed, both are good.
        assert!(notification.is_signed_by(&[other.clone(), ours.clone()]), "{name}");
        assert!(!notification.is_signed_by(std::slice::from_ref(&other)), "{name}");
        assert!(!notification.is_signed_by(&[]), "{name}");
    }
}

#[test]
fn an_empty_key_signs_nothing() {
    let empty = Secret::from("");
    let mut forged = parsed("notification_signed/snap-notification-settlement.json");
    forged.signature_key = Some(sign("ORDER-sandbox-0001", "200", "150000.00", &empty));
    assert!(!forged.is_signed_by(&[empty]));
}

#[test]
fn a_change_of_what_is_signed_or_of_the_signature_is_seen() {
    let ours = [Secret::from(KEY)];
    let good = parsed("notification_signed/snap-notification-settlement.json");
    let with = |change: fn(&mut Notification)| {
        let mut changed = good.clone();
        change(&mut changed);
        changed
    };
    for (what, changed) in [
        ("order", with(|n| n.order_id = Some("ORDER-sandbox-0002".into()))),
        ("code", with(|n| n.status_code = Some("201".into()))),
        ("amount", with(|n| n.gross_amount = Some("150000".into()))),
        ("no signature", with(|n| n.signature_key = None)),
        ("empty signature", with(|n| n.signature_key = Some(String::new()))),
        ("no amount", with(|n| n.gross_amount = None)),
        ("short signature", with(|n| n.signature_key = n.signature_key.as_ref().map(|s| s[..64].to_owned()))),
        ("not about a payment", with(|n| n.kind = Kind::Subscription)),
    ] {
        assert!(!changed.is_signed_by(&ours), "{what}");
    }
}

#[test]
fn an_amount_without_decimals_or_as_a_number_is_signed_as_it_is_written() {
    let key = Secret::from(KEY);
    for amount in ["150000", "150000.00", "150000.0000"] {
        let signature = sign("KSR-1", "200", amount, &key);
        let body = format!(
            r#"{{"order_id":"KSR-1","status_code":200,"gross_amount":{amount},"signature_key":"{signature}"}}"#
        );
        let notification = Notification::parse(body.as_bytes()).unwrap();
        assert!(notification.is_signed_by(std::slice::from_ref(&key)), "{amount}");
    }
}

#[test]
fn what_is_not_an_object_is_not_a_notification() {
    for body in ["", "[]", "null", "\"x\"", "<html>", "{\"a\":1} trailing", "\u{feff}{}"] {
        assert_eq!(Notification::parse(body.as_bytes()), Err(NotANotification), "{body}");
    }
    assert_eq!(Notification::parse(b"{}").unwrap().kind, Kind::Unknown);
}
