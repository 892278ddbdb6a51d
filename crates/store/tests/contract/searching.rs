//! Looking for payments and notifications among all there are.

use domain::{BillId, Failure, Invoice, Learned, Method, NotificationId, State, TransactionId, UserId};
use store::audit::{self, Actor, By};
use store::creation::NewPayment;
use store::ledger::NewJob;
use store::notifications::{self, About, Conclusion, NewNotification, NotificationFilter};
use store::payments::{self, Change, PaymentFilter};
use store::{Db, Page, Refusal, Undone, jobs};

use crate::support::{House, NOTHING_LEARNED, at, claim, execute, job, moves};

on_both![
    payments_are_found_by_how_they_stand_and_by_whom,
    a_payment_is_found_by_its_name_or_the_beginning_of_it,
    payments_are_paged_newest_first,
    notifications_are_found_by_order_and_by_what_is_left_to_do,
    a_notification_is_shown_with_its_body_and_its_payment,
    a_notification_is_dealt_with_again_when_somebody_wants_it,
];

const ALL: Page = Page { after: None, limit: 100 };

async fn found(db: &Db, filter: &PaymentFilter) -> Vec<String> {
    let payments = payments::search(db, filter, ALL).await.unwrap();
    payments.into_iter().map(|payment| payment.invoice.as_str().to_owned()).collect()
}

/// The first has failed; the second, which is wanted in its place, waits at the gateway; another bill is paid by QRIS.
async fn three_payments(db: &Db) -> House {
    let house = House::open(db).await;
    let first = house.pays("KSR-01AAAA-1").await;
    house.moves(&first, State::Failed(Failure::Expired)).await;
    let second = house.pays("KSR-01AAAA-2").await;
    let transaction_id = Some(TransactionId::try_from("0f1e2d3c-4b5a").unwrap());
    let learned = Learned { transaction_id, ..NOTHING_LEARNED };
    house.changes(&Change { learned: &learned, ..moves(&second, State::Pending) }).await;
    let bill_id = house.bill_of(2).await;
    let invoice = Invoice::try_from("KSR-01BBBB-3").unwrap();
    let third = NewPayment { bill_id, method: Method::Qris, invoice, ..house.payment("KSR-x") };
    let third = house.makes(&third).await;
    house.moves(&third, State::Paid).await;
    house
}

async fn payments_are_found_by_how_they_stand_and_by_whom(db: Db) {
    let house = three_payments(&db).await;
    let every = ["KSR-01BBBB-3", "KSR-01AAAA-2", "KSR-01AAAA-1"];
    let none = PaymentFilter::default();
    assert_eq!(found(&db, &none).await, every);
    let text = |word: &str| Some(word.to_owned());
    assert_eq!(found(&db, &PaymentFilter { state: text("failed"), ..none.clone() }).await, every[2..]);
    assert_eq!(found(&db, &PaymentFilter { method: text("bca"), ..none.clone() }).await, every[1..]);
    assert_eq!(found(&db, &PaymentFilter { tenant: Some(house.tenant), ..none.clone() }).await, every);
    assert_eq!(found(&db, &PaymentFilter { bill: Some(house.bill), ..none.clone() }).await, every[1..]);
    assert_eq!(found(&db, &PaymentFilter { room: text("A1"), ..none.clone() }).await, every);
    assert_eq!(found(&db, &PaymentFilter { from: Some(at(1)), ..none.clone() }).await, every);
    assert_eq!(found(&db, &PaymentFilter { until: Some(at(2)), ..none.clone() }).await, every);
    let narrow = PaymentFilter {
        state: text("pending"),
        method: text("bca"),
        tenant: Some(house.tenant),
        bill: Some(house.bill),
        room: text("A1"),
        from: Some(at(1)),
        until: Some(at(3)),
        text: text("KSR-01AA"),
    };
    assert_eq!(found(&db, &narrow).await, every[1..2]);
    for other in [
        PaymentFilter { state: text("paid"), ..narrow.clone() },
        PaymentFilter { method: text("qris"), ..narrow.clone() },
        PaymentFilter { tenant: Some(UserId(404)), ..narrow.clone() },
        PaymentFilter { bill: Some(BillId(404)), ..narrow.clone() },
        PaymentFilter { room: text("B9"), ..narrow.clone() },
        PaymentFilter { from: Some(at(2)), ..narrow.clone() },
        PaymentFilter { until: Some(at(1)), ..narrow.clone() },
        PaymentFilter { text: text("KSR-01BB"), ..narrow.clone() },
        PaymentFilter { state: text("nonsense"), ..none.clone() },
    ] {
        assert_eq!(found(&db, &other).await, [""; 0], "{other:?}");
    }
}

async fn a_payment_is_found_by_its_name_or_the_beginning_of_it(db: Db) {
    three_payments(&db).await;
    execute(
        &db,
        "INSERT INTO payment_tries (payment_id, transaction_id, seen_at) VALUES (3, '99887766-5544', 1)",
    )
    .await
    .unwrap();
    for (text, expected) in [
        ("KSR-01AAAA-2", &["KSR-01AAAA-2"][..]),
        ("KSR-01AAAA", &["KSR-01AAAA-2", "KSR-01AAAA-1"]),
        ("KSR-01AA", &["KSR-01AAAA-2", "KSR-01AAAA-1"]),
        // Too short for the beginning of a name.
        ("KSR-01A", &[]),
        ("0f1e2d3c", &["KSR-01AAAA-2"]),
        ("0f1e2d3c-4b5a", &["KSR-01AAAA-2"]),
        ("0f1e2d3c-4b5a0", &[]),
        ("99887766", &["KSR-01BBBB-3"]),
        ("ksr-01aaaa-2", &[]),
        ("%%%%%%%%%", &[]),
        ("________-_", &[]),
        ("", &[]),
    ] {
        let filter = PaymentFilter { text: Some(text.to_owned()), ..PaymentFilter::default() };
        assert_eq!(found(&db, &filter).await, expected, "{text}");
    }
}

async fn payments_are_paged_newest_first(db: Db) {
    let house = three_payments(&db).await;
    for filter in [
        PaymentFilter::default(),
        PaymentFilter { tenant: Some(house.tenant), ..PaymentFilter::default() },
        PaymentFilter { text: Some("KSR-01AA".to_owned()), ..PaymentFilter::default() },
    ] {
        let first = payments::search(&db, &filter, Page { after: None, limit: 1 }).await.unwrap();
        let after = Some(first[0].id.0);
        let rest = payments::search(&db, &filter, Page { after, limit: 9 }).await.unwrap();
        assert!(!rest.is_empty() && rest.iter().all(|payment| payment.id < first[0].id), "{filter:?}");
    }
}

fn deal_with(about: About) -> NewJob {
    let id = about.notification;
    NewJob { kind: "process_notification", notification_id: Some(id), ..job(&format!("notification:{id}")) }
}

/// A notification about an order, and what became of it where something has.
async fn comes(house: &House, (body, order): (&str, &str), outcome: Option<&str>) -> NotificationId {
    let new = NewNotification {
        body_hash: body.to_owned(),
        body,
        // One that names a payment by its invoice is dealt with as it comes.
        kind: if outcome.is_some() { "payment" } else { "dashboard_test" },
        order_id: Some(order),
        transaction_id: Some("tx-1"),
        event: Some("settled"),
        verified: true,
    };
    let db = &house.db;
    let queued = notifications::record(db, &new, deal_with, at(5)).await.unwrap().unwrap();
    let id = notifications::newest(db, 1).await.unwrap()[0].id;
    if let Some(outcome) = outcome {
        let lease = claim(db, queued, body, at(6)).await.unwrap().lease;
        let payment = payments::live_of_bill(db, house.bill).await.unwrap();
        let conclusion = Conclusion {
            id,
            payment_id: payment.map(|payment| payment.id),
            attempt: None,
            outcome,
            finding: None,
            job: None,
            completes: &lease,
        };
        notifications::conclude(db, &conclusion, at(7)).await.unwrap();
    }
    id
}

async fn notifications_are_found_by_order_and_by_what_is_left_to_do(db: Db) {
    let house = House::open(&db).await;
    house.pays("KSR-1").await;
    let done = comes(&house, ("1", "KSR-1"), Some("sync")).await;
    let waiting = comes(&house, ("2", "KSR-1"), None).await;
    // Of an order that is called otherwise, and is that payment all the same.
    let named = comes(&house, ("3", "0f1e-2d3c"), Some("sync")).await;
    let other = comes(&house, ("4", "KSR-9"), None).await;
    let listed = async |order: Option<&str>, pending| {
        let filter = NotificationFilter { order: order.map(str::to_owned), pending };
        let rows = notifications::list(&db, &filter, ALL).await.unwrap();
        rows.into_iter().map(|row| row.id).collect::<Vec<_>>()
    };
    assert_eq!(listed(None, false).await, [other, named, waiting, done]);
    assert_eq!(listed(None, true).await, [other, waiting]);
    assert_eq!(listed(Some("KSR-1"), false).await, [named, waiting, done]);
    assert_eq!(listed(Some("KSR-1"), true).await, [waiting]);
    assert_eq!(listed(Some("0f1e-2d3c"), false).await, [named]);
    assert_eq!(listed(Some("nobody"), false).await, []);
    let page = Page { after: Some(named.0), limit: 1 };
    let next = notifications::list(&db, &NotificationFilter::default(), page).await.unwrap();
    assert_eq!(next.iter().map(|row| row.id).collect::<Vec<_>>(), [waiting]);
}

async fn a_notification_is_shown_with_its_body_and_its_payment(db: Db) {
    let house = House::open(&db).await;
    let payment = house.pays("KSR-1").await;
    let id = comes(&house, ("{\"a\":1}", "KSR-1"), Some("sync")).await;
    let (shown, body) = notifications::body_of(&db, id).await.unwrap().unwrap();
    assert_eq!((shown.id, shown.kind.as_str(), body.as_str()), (id, "payment", "{\"a\":1}"));
    assert_eq!((shown.order_id.as_deref(), shown.transaction_id.as_deref()), (Some("KSR-1"), Some("tx-1")));
    assert_eq!((shown.verified, shown.seen, shown.received_at), (true, 1, at(5)));
    assert_eq!((shown.processed_at, shown.outcome.as_deref()), (Some(at(7)), Some("sync")));
    assert_eq!((shown.payment_id, shown.invoice.as_deref()), (Some(payment.id), Some("KSR-1")));
    assert_eq!(notifications::body_of(&db, NotificationId(404)).await.unwrap(), None);
    let unknown = comes(&house, ("2", "KSR-9"), None).await;
    let (shown, _) = notifications::body_of(&db, unknown).await.unwrap().unwrap();
    assert_eq!((shown.payment_id, shown.invoice, shown.processed_at), (None, None, None));
}

async fn a_notification_is_dealt_with_again_when_somebody_wants_it(db: Db) {
    let house = House::open(&db).await;
    let id = comes(&house, ("1", "KSR-1"), Some("ignored")).await;
    let actor = Actor { id: None, name: "sari@kost.test".to_owned() };
    let by = By { actor: &actor, reason: Some("the sync failed"), now: at(9) };
    let ids = notifications::replay(&db, id, deal_with(About { notification: id, payment: None }), &by)
        .await
        .unwrap();
    assert_eq!(ids.len(), 1);
    assert_eq!(jobs::find(&db, ids[0]).await.unwrap().unwrap().state, "ready");
    // It waits already; that somebody wanted it twice is told twice.
    assert_eq!(
        notifications::replay(&db, id, deal_with(About { notification: id, payment: None }), &by)
            .await
            .unwrap(),
        []
    );
    let deeds = audit::newest(&db, None, 10).await.unwrap();
    let told = |row: &audit::Row| (row.action.clone(), row.subject.clone(), row.before.clone());
    let deed = (
        "notification.replay".to_owned(),
        format!("notification:{id}"),
        Some(r#"{"outcome":"ignored"}"#.to_owned()),
    );
    assert_eq!(deeds.iter().map(told).collect::<Vec<_>>(), [deed.clone(), deed]);
    let nothing = notifications::replay(&db, NotificationId(404), job("x"), &by).await;
    assert!(matches!(nothing, Err(Undone::Refused(Refusal::NotThere))), "{nothing:?}");
    assert_eq!(audit::newest(&db, None, 10).await.unwrap().len(), 2);
}
