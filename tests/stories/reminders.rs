//! Reminders: what tenants are told of their bills, by e-mail and by webhook, once each; and that nothing about money waits
//! for a letter.

use std::time::Duration;

use hmac::{Hmac, Mac as _};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sha2::Sha256;
use store::{Db, audit, jobs};

use crate::kost::{Answer, HOOK_SECRET, Kost, Tenant};
use crate::post::{Hook, Mail, MailServer};

stories![
    a_bill_is_told_of_when_it_is_new_soon_due_due_late_and_paid_once_each,
    nothing_is_sent_unless_a_way_is_configured,
    a_dead_mail_server_holds_up_no_payment_and_is_not_asked_all_the_time,
    a_letter_whose_note_was_lost_goes_again_under_the_same_name,
    what_has_changed_while_a_letter_waited_is_not_told,
    a_mailbox_that_is_not_there_is_given_up_and_a_busy_one_is_not,
    the_webhook_is_called_with_a_signature_that_holds,
    a_tenant_is_told_in_their_own_language_or_not_at_all,
    the_link_of_a_letter_stops_reminders_and_a_look_at_it_does_not,
    a_thousand_letters_do_not_wait_all_at_once,
];

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
/// From the beginning of a story to half past nine of the first of December in Jakarta.
const TO_DECEMBER: Duration = Duration::from_secs(7 * 24 * 3600 - 1800);

/// A house that sends letters and calls, on the first of December, when the rent was billed.
async fn in_december(kost: Kost, line: &str) -> (Kost, MailServer, Hook, Tenant) {
    let (mail, hook) = (MailServer::start().await, Hook::start().await);
    let kost = kost.that_reminds((&mail, &hook), line).await;
    let budi = kost.tenant("Budi").await;
    kost.clock.advance(TO_DECEMBER);
    kost.ask_for_rent().await;
    let bill = kost.get(&budi, "/api/bills").await.body[0]["id"].as_i64().unwrap();
    (kost, mail, hook, Tenant { bill: domain::BillId(bill), ..budi })
}

/// As the scheduler does every ten minutes.
async fn look(kost: &Kost) {
    let line = queue::SCHEDULE.iter().find(|line| line.name == "reminders").unwrap();
    let slot = line.slot(kost.clock.now()).unwrap();
    kost.program.queue.enqueue(&[slot]).await.unwrap();
    kost.run_jobs().await;
}

/// Time passes until nothing is left to send.
async fn until_all_is_sent(kost: &Kost) {
    for _ in 0..60 {
        if number(kost, "SELECT count(*) FROM reminders WHERE ended_at IS NULL").await == 0 {
            return;
        }
        kost.clock.advance(Duration::from_secs(30));
        kost.run_jobs().await;
    }
    panic!("letters are left");
}

async fn told(kost: &Kost) {
    look(kost).await;
    until_all_is_sent(kost).await;
}

async fn number(kost: &Kost, sql: &'static str) -> i64 {
    match &kost.db {
        Db::Sqlite { readers, .. } => sqlx::query_scalar(sql).fetch_one(readers).await.unwrap(),
        Db::Postgres(pool) => sqlx::query_scalar(sql).fetch_one(&**pool).await.unwrap(),
    }
}

fn subjects(mails: &[Mail]) -> Vec<&str> {
    mails.iter().map(|mail| mail.head("Subject")).collect()
}

async fn patch(kost: &Kost, sari: &str, tenant: &Tenant, body: &Value) -> Answer {
    let path = format!("/api/admin/tenants/{}/reminders", tenant.id);
    kost.send(kost.request_of(sari, Method::PATCH, &path).json(body)).await
}

async fn a_bill_is_told_of_when_it_is_new_soon_due_due_late_and_paid_once_each(kost: Kost) {
    let (kost, mail, hook, budi) = in_december(kost, "").await;
    told(&kost).await;
    let mails = mail.take();
    assert_eq!(subjects(&mails), ["Tagihan baru: sewa kamar Desember 2026"]);
    assert_eq!(mails[0].to, "budi@kost.test");
    let text = mails[0].unfolded();
    for part in ["Halo Budi,", "Rp1.250.000", "paling lambat 10 Desember 2026", "Pengelola kost"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    // The days of December on which something is told, and what.
    let mut days = Vec::new();
    for day in 1..=15 {
        look(&kost).await;
        told(&kost).await;
        days.extend(mail.take().iter().map(|mail| (day, mail.head("Subject").to_owned())));
        kost.clock.advance(DAY);
    }
    let expected = [
        (7, "Pengingat: sewa kamar Desember 2026 jatuh tempo 10 Desember 2026"),
        (10, "Jatuh tempo hari ini: sewa kamar Desember 2026"),
        (13, "Lewat jatuh tempo: sewa kamar Desember 2026"),
    ];
    assert_eq!(days, expected.map(|(day, subject)| (day, subject.to_owned())));
    let invoice = kost.pay(&budi, "bca").await;
    kost.run_jobs().await;
    kost.sim.settle(invoice.as_str()).await.unwrap();
    kost.run_jobs().await;
    assert_eq!(mail.take().len(), 0, "nothing is sent on the way of a notification");
    for _ in 0..3 {
        told(&kost).await;
        kost.clock.advance(DAY);
    }
    assert_eq!(subjects(&mail.take()), ["Lunas: sewa kamar Desember 2026"]);
    let kinds: Vec<Value> = hook
        .calls()
        .iter()
        .map(|call| serde_json::from_str::<Value>(&call.body).unwrap()["kind"].take())
        .collect();
    assert_eq!(kinds, ["new_bill", "due_soon", "due_today", "overdue", "paid"]);
    kost.close().await;
}

async fn nothing_is_sent_unless_a_way_is_configured(kost: Kost) {
    kost.tenant("Budi").await;
    look(&kost).await;
    assert_eq!(number(&kost, "SELECT count(*) FROM reminders").await, 0);
    assert_eq!(
        number(&kost, "SELECT count(*) FROM jobs WHERE kind IN ('send_email', 'send_webhook')").await,
        0
    );
    kost.close().await;
}

async fn a_dead_mail_server_holds_up_no_payment_and_is_not_asked_all_the_time(kost: Kost) {
    let (kost, mut mail, _hook, budi) = in_december(kost, "kinds = [\"new_bill\", \"overdue\"]").await;
    let siti = kost.tenant("Siti").await;
    mail.dies().await;
    look(&kost).await;
    let waiting = "SELECT count(*) FROM reminders WHERE ended_at IS NULL AND channel = 'email'";
    assert_eq!(number(&kost, waiting).await, 2);
    // Money goes its way.
    let invoice = kost.pay(&siti, "bca").await;
    kost.run_jobs().await;
    kost.sim.settle(invoice.as_str()).await.unwrap();
    kost.run_jobs().await;
    assert_eq!(kost.bill_status(&siti).await, "paid");
    let tries = "SELECT CAST(COALESCE(SUM(tries), 0) AS BIGINT) FROM reminders WHERE channel = 'email'";
    let before = number(&kost, tries).await;
    for _ in 0..60 {
        kost.clock.advance(Duration::from_secs(60));
        look(&kost).await;
    }
    let more = number(&kost, tries).await - before;
    assert!((1..=16).contains(&more), "{more} tries in an hour");
    assert_eq!(jobs::in_state(&kost.db, "dead", 10).await.unwrap().len(), 0);
    mail.is_back().await;
    kost.clock.advance(HOUR / 4);
    kost.run_jobs().await;
    until_all_is_sent(&kost).await;
    // Siti's bill is paid by now: it is no news.
    let mails = mail.take();
    assert_eq!(mails.iter().map(|mail| mail.to.as_str()).collect::<Vec<_>>(), [budi.email.as_str()]);
    kost.close().await;
}

async fn a_letter_whose_note_was_lost_goes_again_under_the_same_name(kost: Kost) {
    let (kost, mail, hook, _budi) = in_december(kost, "").await;
    told(&kost).await;
    // The worker was killed after the letters had gone, and before it had written that down.
    kost.execute("UPDATE reminders SET ended_at = NULL, outcome = NULL, detail = NULL").await;
    kost.execute("UPDATE jobs SET state = 'ready', attempts = 0, pushed_at = NULL WHERE kind LIKE 'send_%'")
        .await;
    // The relay leaves alone what it pushed a moment ago.
    kost.clock.advance(HOUR);
    until_all_is_sent(&kost).await;
    let names: Vec<String> = mail.mails().iter().map(|mail| mail.head("Message-ID").to_owned()).collect();
    assert_eq!(names.len(), 2);
    assert!(names[0] == names[1] && names[0].ends_with("@kost.test>"), "{names:?}");
    let calls = hook.calls();
    assert_eq!(calls.len(), 2);
    assert_eq!(calls[0].headers["idempotency-key"], calls[1].headers["idempotency-key"]);
    assert_eq!(number(&kost, "SELECT max(tries) FROM reminders").await, 2);
    kost.close().await;
}

async fn what_has_changed_while_a_letter_waited_is_not_told(kost: Kost) {
    let (kost, mut mail, _hook, budi) = in_december(kost, "kinds = [\"due_today\", \"paid\"]").await;
    let sari = kost.admin("Sari").await;
    mail.dies().await;
    kost.clock.advance(9 * DAY);
    look(&kost).await;
    let path = format!("/api/admin/bills/{}/mark-paid", budi.bill);
    let cash = kost.request_of(&sari, Method::POST, &path).json(&json!({ "note": "in an envelope" }));
    assert_eq!(kost.send(cash).await.status, StatusCode::OK);
    mail.is_back().await;
    kost.clock.advance(HOUR);
    told(&kost).await;
    assert_eq!(subjects(&mail.take()), ["Lunas: sewa kamar Desember 2026"]);
    let path = format!("/api/admin/tenants/{}/reminders", budi.id);
    let view = kost.send(kost.request_of(&sari, Method::GET, &path)).await.body;
    let by_mail: Vec<_> = view["told"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|told| told["channel"] == "email")
        .map(|told| (told["kind"].as_str().unwrap(), told["outcome"].as_str().unwrap()))
        .collect();
    assert_eq!(by_mail, [("paid", "sent"), ("due_today", "lapsed")]);
    kost.close().await;
}

async fn a_mailbox_that_is_not_there_is_given_up_and_a_busy_one_is_not(kost: Kost) {
    let (kost, mail, _hook, _budi) = in_december(kost, "kinds = [\"new_bill\", \"due_soon\"]").await;
    mail.answers("550 5.1.1 no such mailbox");
    told(&kost).await;
    assert_eq!(number(&kost, "SELECT count(*) FROM reminders WHERE outcome = 'refused'").await, 1);
    kost.clock.advance(6 * DAY);
    mail.answers("450 4.2.1 busy");
    told(&kost).await;
    assert_eq!(subjects(&mail.take()).len(), 1);
    assert_eq!(number(&kost, "SELECT count(*) FROM reminders WHERE channel = 'email'").await, 2);
    kost.close().await;
}

async fn the_webhook_is_called_with_a_signature_that_holds(kost: Kost) {
    let (kost, _mail, hook, budi) = in_december(kost, "kinds = [\"new_bill\"]").await;
    hook.answers(StatusCode::SERVICE_UNAVAILABLE);
    told(&kost).await;
    let calls = hook.calls();
    assert_eq!(calls.len(), 2, "what was not taken is told again");
    for call in &calls {
        let header = call.headers["x-kasir-signature"].to_str().unwrap();
        let (time, given) = header.strip_prefix("t=").unwrap().split_once(",v1=").unwrap();
        let mut mac = Hmac::<Sha256>::new_from_slice(HOOK_SECRET.as_bytes()).unwrap();
        mac.update(format!("{time}.{}", call.body).as_bytes());
        assert!(mac.verify_slice(&hex::decode(given).unwrap()).is_ok(), "{header}");
        let age = kost.clock.now().timestamp() - time.parse::<i64>().unwrap();
        assert!((0..300).contains(&age), "{age}");
    }
    assert_eq!(calls[0].headers["idempotency-key"], calls[1].headers["idempotency-key"]);
    let body: Value = serde_json::from_str(&calls[1].body).unwrap();
    assert_eq!(body["tenant"]["email"], "budi@kost.test");
    assert_eq!((&body["bill"]["amount"], &body["bill"]["due"]), (&json!(1_250_000), &json!("2026-12-10")));
    assert_eq!(body["bill"]["id"], budi.bill.0);
    assert!(body["text"].as_str().unwrap().contains("Halo Budi,"));
    kost.close().await;
}

async fn a_tenant_is_told_in_their_own_language_or_not_at_all(kost: Kost) {
    let (kost, mail, _hook, budi) =
        in_december(kost, "kinds = [\"new_bill\", \"due_soon\", \"due_today\"]").await;
    let sari = kost.admin("Sari").await;
    assert_eq!(patch(&kost, &sari, &budi, &json!({ "language": "en" })).await.body["language"], "en");
    told(&kost).await;
    assert_eq!(subjects(&mail.take()), ["New bill: room rent for December 2026"]);
    let off = patch(&kost, &sari, &budi, &json!({ "reminders": false, "reason": "asked for it" })).await;
    assert_eq!((&off.body["reminders"], &off.body["language"]), (&json!(false), &json!("en")));
    kost.clock.advance(6 * DAY);
    told(&kost).await;
    assert_eq!(mail.take().len(), 0);
    let on = patch(&kost, &sari, &budi, &json!({ "reminders": true, "language": "house" })).await;
    assert_eq!((&on.body["reminders"], &on.body["language"]), (&json!(true), &Value::Null));
    kost.clock.advance(3 * DAY);
    told(&kost).await;
    assert_eq!(subjects(&mail.take()), ["Jatuh tempo hari ini: sewa kamar Desember 2026"]);
    for wrong in [json!({ "language": "fr" }), json!({ "reminders": "no" })] {
        assert_eq!(patch(&kost, &sari, &budi, &wrong).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    }
    let rows = audit::newest(&kost.db, None, 10).await.unwrap();
    assert_eq!(rows.iter().filter(|row| row.action == "tenant.reminders").count(), 3);
    kost.close().await;
}

async fn the_link_of_a_letter_stops_reminders_and_a_look_at_it_does_not(kost: Kost) {
    let (kost, mail, _hook, budi) = in_december(kost, "kinds = [\"new_bill\", \"due_soon\"]").await;
    let sari = kost.admin("Sari").await;
    told(&kost).await;
    let letter = mail.take().remove(0);
    assert_eq!(letter.head("List-Unsubscribe-Post"), "List-Unsubscribe=One-Click");
    let link = letter.head("List-Unsubscribe").trim_matches(['<', '>']).to_owned();
    assert!(letter.unfolded().contains(&link), "{}", letter.text);
    let path = link.strip_prefix("http://kost.test").unwrap();
    let wants = async || {
        let path = format!("/api/admin/tenants/{}/reminders", budi.id);
        kost.send(kost.request_of(&sari, Method::GET, &path)).await.body["reminders"] == true
    };
    let page = kost.send(kost.request(Method::GET, path)).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.headers["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"));
    assert!(wants().await, "a look changes nothing");
    for forged in ["/reminders/stop", "/reminders/stop?token=", &format!("{path}0")] {
        assert_eq!(
            kost.send(kost.request(Method::POST, forged)).await.status,
            StatusCode::NOT_FOUND,
            "{forged}"
        );
    }
    assert!(wants().await);
    for _ in 0..2 {
        let press = kost.request(Method::POST, path).body("List-Unsubscribe=One-Click");
        assert_eq!(kost.send(press).await.status, StatusCode::OK);
        assert!(!wants().await);
    }
    kost.clock.advance(6 * DAY);
    told(&kost).await;
    assert_eq!(mail.take().len(), 0);
    let rows = audit::newest(&kost.db, None, 10).await.unwrap();
    let row = rows.iter().find(|row| row.action == "tenant.reminders").unwrap();
    assert_eq!(row.actor, format!("tenant:{}", budi.id));
    kost.close().await;
}

async fn a_thousand_letters_do_not_wait_all_at_once(kost: Kost) {
    let (kost, mail, _hook, budi) =
        in_december(kost, "kinds = [\"new_bill\"]\nwaiting = 3\nat_once = 1").await;
    for months in 2..=12 {
        kost.months_later(&budi, months).await;
    }
    look(&kost).await;

    let waiting = "SELECT count(*) FROM jobs WHERE kind = 'send_email' AND state IN ('ready', 'running')";
    let mut most = 0;
    for _ in 0..40 {
        most = most.max(number(&kost, waiting).await);
        kost.clock.advance(Duration::from_secs(31));
        kost.run_jobs().await;
    }
    assert!(most <= 3, "{most} letters waited");
    // The rent of December and of eleven months more, and the bill with which the story begins is not new any more.
    assert_eq!(mail.take().len(), 12);
    kost.close().await;
}
