//! Forgetting a tenant: who they were goes, where the money went stays, and nothing is forgotten while money is open.

use domain::{State, UserId};
use store::audit::{self, Actor, AuditFilter, By};
use store::erasure::{self, Erased, NOBODY};
use store::{
    Db, OpenMoney, Page, Refusal, Undone, bills, held, journal, notifications, payments, people, tenants,
};

use crate::sealing::{email, key, told_of_budi, with_keys, written};
use crate::support::{EmptyDatabase, House, at, execute, number, person, texts};

on_both! {
    who_somebody_was_goes_and_where_money_went_stays,
    without_keys_it_is_the_same,
    nobody_is_forgotten_while_money_is_open,
    forgetting_twice_takes_away_what_came_since,
    the_words_of_the_audit_are_read_until_their_key_is_gone,
    what_is_held_about_a_person_is_all_there,
    only_tenants_are_forgotten,
}

const PAGE: Page = Page { after: None, limit: 50 };

async fn erase(db: &Db, id: UserId) -> Result<Erased, Undone> {
    let actor = Actor { id: None, name: "sari@kost.test".to_owned() };
    erasure::erase(db, id, &By { actor: &actor, reason: Some("asked to"), now: at(100) }).await
}

fn refused_for(undone: Result<Erased, Undone>) -> OpenMoney {
    match undone {
        Err(Undone::Refused(Refusal::MoneyOpen(money))) => money,
        other => panic!("{other:?}"),
    }
}

/// Both bills are paid, the one of the wallet in the end.
async fn paid(house: &House) {
    let filter = payments::PaymentFilter { tenant: Some(house.tenant), ..Default::default() };
    for payment in payments::search(&house.db, &filter, PAGE).await.unwrap() {
        house.moves(&payment, State::Paid).await;
    }
}

/// What the books say of money.
async fn money(db: &Db) -> Vec<String> {
    let mut all = Vec::new();
    for sql in [
        "SELECT id || ' ' || invoice || ' ' || amount || ' ' || state || ' ' || version FROM payments ORDER BY id",
        "SELECT id || ' ' || amount || ' ' || status FROM bills ORDER BY id",
        "SELECT id || ' ' || kind || ' ' || amount || ' ' || cause FROM postings ORDER BY id",
        "SELECT id || ' ' || payment_id || ' ' || to_state || ' ' || event FROM payment_history ORDER BY id",
        "SELECT id || ' ' || hash FROM audit WHERE action <> 'tenant.erase' ORDER BY id",
    ] {
        all.extend(texts(db, sql).await);
    }
    all
}

async fn who_somebody_was_goes_and_where_money_went_stays(empty: EmptyDatabase) {
    told(&with_keys(&empty.0, vec![key("k1", 1)]).await).await;
}

async fn without_keys_it_is_the_same(empty: EmptyDatabase) {
    told(&with_keys(&empty.0, Vec::new()).await).await;
}

async fn told(db: &Db) {
    let house = told_of_budi(db).await;
    paid(&house).await;
    for sql in [
        "INSERT INTO reminders (bill_id, tenant_id, kind, channel, message_id, found_at)
         SELECT id, tenant_id, 'new_bill', 'email', 'letter ' || id, 1 FROM bills",
        "UPDATE reminders SET ended_at = 2, outcome = 'refused', detail = '550 no budi@kost.test' WHERE bill_id = 1",
        "INSERT INTO jobs (kind, dedupe_key, payload, max_attempts, run_at, created_at, last_error)
         VALUES ('send_email', 'send_email:2:new_bill', '{}', 3, 1, 1, '451 budi@kost.test is busy')",
        "INSERT INTO job_attempts (job_id, attempt, finished_at, outcome, note)
         SELECT id, 1, 2, 'retry', last_error FROM jobs WHERE kind = 'send_email'",
    ] {
        execute(db, sql).await.unwrap();
    }
    let before = money(db).await;
    let erased = erase(db, house.tenant).await.unwrap();
    assert!(!erased.again);
    assert_eq!((erased.payments, erased.notifications, erased.calls, erased.audit_kept), (2, 1, 1, 0));
    assert_eq!(money(db).await, before);
    let drifted = journal::drifted(db, 10).await.unwrap();
    assert!(drifted.is_empty() && audit::verify(db).await.unwrap().broken_at.is_none());

    let nobody = people::find(db, house.tenant).await.unwrap().unwrap();
    assert_eq!((nobody.name.as_str(), nobody.phone), (NOBODY, None));
    assert!(people::find_active(db, house.tenant).await.unwrap().is_none());
    assert!(people::find_by_email(db, &email("budi@kost.test")).await.unwrap().is_none());
    assert!(tenants::list(db, PAGE).await.unwrap().is_empty());
    assert_eq!(bills::entry(db, house.bill).await.unwrap().unwrap().tenant_name, NOBODY);
    let newest = notifications::newest(db, 1).await.unwrap();
    let (_, body) = notifications::body_of(db, newest[0].id).await.unwrap().unwrap();
    assert_eq!(body, "{\"customer\":\"(erased)\",\"order_id\":\"INV-1\"}");
    let mut all = written(db).await;
    all.extend(texts(db, "SELECT COALESCE(before, '') || COALESCE(after, '') FROM audit").await);
    let rows = audit::list(db, &AuditFilter::default(), PAGE).await.unwrap();
    all.push(format!("{rows:?}"));
    all.extend(texts(db, "SELECT COALESCE(detail, '') || COALESCE(outcome, 'waits') FROM reminders").await);
    all.extend(texts(db, "SELECT COALESCE(last_error, '') FROM jobs").await);
    all.extend(texts(db, "SELECT COALESCE(note, '') FROM job_attempts").await);
    assert_eq!((erased.reminders, all.contains(&"lapsed".to_owned())), (2, true), "{all:?}");
    for told in ["Budi", "budi", "811223344", "899887766", "812345678901"] {
        assert!(!all.join("\n").contains(told), "{told} stands in\n{}", all.join("\n"));
    }
    // The address and the room are free for others.
    assert!(person(db, "budi@kost.test").await.is_some());
}

async fn nobody_is_forgotten_while_money_is_open(empty: EmptyDatabase) {
    let db = with_keys(&empty.0, vec![key("k1", 1)]).await;
    let house = told_of_budi(&db).await;
    assert_eq!(refused_for(erase(&db, house.tenant).await), OpenMoney::Payment);
    paid(&house).await;
    let owed = house.bill_of(3).await;
    assert_eq!(refused_for(erase(&db, house.tenant).await), OpenMoney::Bill);
    let actor = Actor { id: None, name: "sari@kost.test".to_owned() };
    let by = By { actor: &actor, reason: Some("a mistake"), now: at(50) };
    bills::void(&db, owed, &by).await.unwrap();
    execute(
        &db,
        "INSERT INTO refunds (payment_id, refund_key, amount, reason, is_ours, state, created_at, updated_at)
         SELECT id, 'r1', 5, 'moved out', TRUE, 'asked', 1, 1 FROM payments WHERE invoice = 'INV-1'",
    )
    .await
    .unwrap();
    assert_eq!(refused_for(erase(&db, house.tenant).await), OpenMoney::Refund);
    assert_eq!(people::find(&db, house.tenant).await.unwrap().unwrap().name, "Budi");
    execute(&db, "UPDATE refunds SET state = 'refused'").await.unwrap();
    erase(&db, house.tenant).await.unwrap();
}

async fn forgetting_twice_takes_away_what_came_since(empty: EmptyDatabase) {
    let db = with_keys(&empty.0, vec![key("k1", 1)]).await;
    let house = told_of_budi(&db).await;
    paid(&house).await;
    erase(&db, house.tenant).await.unwrap();
    let again = erase(&db, house.tenant).await.unwrap();
    assert_eq!(again, Erased { again: true, ..Erased::default() });
    // The gateway tells of an old payment once more.
    let late = notifications::NewNotification {
        body_hash: "late".to_owned(),
        body: "{\"customer\":\"Budi\"}",
        kind: "payment",
        order_id: Some("INV-1"),
        transaction_id: None,
        event: None,
        verified: true,
    };
    notifications::record(&db, &late, |_| crate::support::job("late"), at(200)).await.unwrap();
    assert_eq!(erase(&db, house.tenant).await.unwrap().notifications, 1);
    assert_eq!(number(&db, "SELECT count(*) FROM users WHERE erased_at IS NOT NULL").await, 1);
}

async fn the_words_of_the_audit_are_read_until_their_key_is_gone(empty: EmptyDatabase) {
    let db = with_keys(&empty.0, Vec::new()).await;
    let house = told_of_budi(&db).await;
    let subject = format!("tenant:{}", house.tenant);
    let after = async || {
        let rows = audit::of_subject(&db, &subject).await.unwrap();
        (rows[0].before.clone().unwrap(), rows[0].after.clone().unwrap())
    };
    let (before, now) = after().await;
    assert!(before.contains("budi@kost.test") && now.contains("+62811223344"), "{before} {now}");
    let newest = audit::newest(&db, None, 10).await.unwrap();
    assert!(newest.iter().any(|row| row.after.as_ref() == Some(&now)), "{newest:?}");
    let written = texts(&db, "SELECT COALESCE(after, '') FROM audit").await.join("\n");
    assert!(!written.contains("811223344"), "{written}");
    paid(&house).await;
    erase(&db, house.tenant).await.unwrap();
    let (before, now) = after().await;
    assert!(
        before.contains("\"personal\":\"(erased)\"") && now.contains("\"roomCode\":\"A1\""),
        "{before} {now}"
    );
}

async fn what_is_held_about_a_person_is_all_there(empty: EmptyDatabase) {
    let db = with_keys(&empty.0, vec![key("k1", 1)]).await;
    let house = told_of_budi(&db).await;
    let told = held::about(&db, house.tenant).await.unwrap().unwrap();
    assert_eq!((told.email.as_str(), told.name.as_str()), ("budi@kost.test", "Budi"));
    assert_eq!(told.phone.as_deref(), Some("+62811223344"));
    assert_eq!((told.stays.len(), told.bills.len(), told.sessions.len()), (1, 2, 0));
    assert_eq!((told.stays[0].room_code.as_str(), told.stays[0].until.as_deref()), ("A1", None));
    assert_eq!((told.bills[0].id, told.bills[0].is_void), (house.bill, false));
    assert!(held::about(&db, UserId(4711)).await.unwrap().is_none());
    paid(&house).await;
    erase(&db, house.tenant).await.unwrap();
    let told = held::about(&db, house.tenant).await.unwrap().unwrap();
    assert_eq!((told.name.as_str(), told.erased_at), (NOBODY, Some(at(100))));
    assert!(told.stays[0].until.is_some());
}

async fn only_tenants_are_forgotten(empty: EmptyDatabase) {
    let db = with_keys(&empty.0, vec![key("k1", 1)]).await;
    let id = person(&db, "sari@kost.test").await.unwrap();
    execute(&db, "UPDATE users SET role = 'admin'").await.unwrap();
    for nobody in [id, UserId(4711)] {
        assert!(matches!(erase(&db, nobody).await, Err(Undone::Refused(Refusal::NotThere))));
    }
    assert!(held::about(&db, id).await.unwrap().is_none(), "an admin is no tenant");
}
