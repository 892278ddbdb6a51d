//! Gaps: changes that no notification has told of are findings, each of them once.

use domain::{FindingKind, State};
use store::findings::{Finding, NewFinding};
use store::gaps::{self, Looked};
use store::history::Source;
use store::ledger::Lease;
use store::notifications::{self, Conclusion, NewNotification};
use store::payments::Change;
use store::{Db, findings};

use crate::support::{House, at, at_once, claim, job, moves};

on_both![
    a_change_that_no_notification_told_of_is_one_finding,
    a_change_that_was_told_of_is_none,
    what_a_call_of_ours_brought_about_needs_no_notification,
    a_change_is_looked_at_when_its_notification_has_had_its_time,
    a_notification_that_comes_late_resolves_its_finding_and_no_other,
    many_who_look_at_once_tell_once,
    a_notification_that_came_while_its_finding_was_written_down_resolves_it_soon,
];

/// The payment settles, as somebody told us.
async fn settled(house: &House, source: Source) -> domain::Payment {
    let pending = house.moves(&house.pays("KSR-1").await, State::Pending).await;
    house.changes(&Change { event: "settled", source, ..moves(&pending, State::Paid) }).await
}

async fn missed(db: &Db) -> Vec<Finding> {
    let all = findings::newest(db, 100).await.unwrap();
    all.into_iter().filter(|finding| finding.kind == FindingKind::MissedNotification).collect()
}

/// A notification of the house's payment comes and is dealt with.
async fn comes(house: &House, event: &str, second: i64) {
    let body = format!("{{\"event\":{event:?}}}");
    let new = NewNotification {
        body_hash: body.clone(),
        body: &body,
        kind: "payment",
        order_id: Some("KSR-1"),
        transaction_id: None,
        event: Some(event),
        verified: true,
    };
    let db = &house.db;
    let queued = notifications::record(
        db,
        &new,
        |about| job(&format!("notification:{}", about.notification)),
        at(second),
    )
    .await;
    let lease: Lease = claim(db, queued.unwrap().unwrap(), "token", at(second)).await.unwrap().lease;
    let id = notifications::newest(db, 1).await.unwrap()[0].id;
    let payment = store::payments::find_by_invoice(db, &"KSR-1".try_into().unwrap()).await.unwrap();
    let conclusion = Conclusion {
        id,
        payment_id: payment.map(|payment| payment.id),
        attempt: None,
        outcome: "sync",
        finding: None,
        job: None,
        completes: &lease,
    };
    notifications::conclude(db, &conclusion, at(second)).await.unwrap();
}

async fn a_change_that_no_notification_told_of_is_one_finding(db: Db) {
    let house = House::open(&db).await;
    let payment = settled(&house, Source::Poll).await;
    let looked = gaps::tell_missed(&db, at(100), at(1_000)).await.unwrap();
    assert_eq!(looked, Looked { changes: 3, missed: 1, is_more: false });
    let told = missed(&db).await.remove(0);
    assert_eq!((told.payment_id, told.invoice.as_deref()), (Some(payment.id), Some("KSR-1")));
    assert!(told.detail.contains("settled") && told.detail.contains("poll"), "{}", told.detail);
    assert_eq!(gaps::tell_missed(&db, at(100), at(1_001)).await.unwrap(), Looked::default());
    assert_eq!(missed(&db).await.len(), 1);
}

async fn a_change_that_was_told_of_is_none(db: Db) {
    let house = House::open(&db).await;
    settled(&house, Source::Poll).await;
    comes(&house, "settled", 20).await;
    let looked = gaps::tell_missed(&db, at(100), at(1_000)).await.unwrap();
    assert_eq!((looked.changes, looked.missed), (3, 0));
    assert_eq!(missed(&db).await, []);
    let payment = store::payments::find_by_invoice(&db, &"KSR-1".try_into().unwrap()).await.unwrap().unwrap();
    let told = notifications::told_of(&db, payment.id).await.unwrap().remove(0);
    assert_eq!(
        (told.event.as_deref(), told.outcome.as_deref(), told.seen),
        (Some("settled"), Some("sync"), 1)
    );
    assert_eq!((told.time(), told.verified, told.body.as_str()), (at(20), true, "{\"event\":\"settled\"}"));
}

async fn what_a_call_of_ours_brought_about_needs_no_notification(db: Db) {
    let house = House::open(&db).await;
    let pending = house.moves(&house.pays("KSR-1").await, State::Pending).await;
    let cancelled = State::Failed(domain::Failure::Cancelled);
    let change = Change { event: "cancelled", source: Source::Cancel, ..moves(&pending, cancelled) };
    let failed = house.changes(&change).await;
    assert_eq!(gaps::tell_missed(&db, at(100), at(1_000)).await.unwrap().missed, 0);
    // Money is never of our making: an answer to a cancellation may be the first to tell of it.
    house.changes(&Change { event: "settled", source: Source::Cancel, ..moves(&failed, State::Paid) }).await;
    assert_eq!(gaps::tell_missed(&db, at(100), at(1_000)).await.unwrap().missed, 1);
}

async fn a_change_is_looked_at_when_its_notification_has_had_its_time(db: Db) {
    let house = House::open(&db).await;
    // Changes of a house are made in its tenth second.
    settled(&house, Source::Read).await;
    assert_eq!(gaps::tell_missed(&db, at(9), at(20)).await.unwrap().missed, 0);
    assert_eq!(gaps::tell_missed(&db, at(10), at(21)).await.unwrap().missed, 1);
}

async fn a_notification_that_comes_late_resolves_its_finding_and_no_other(db: Db) {
    let house = House::open(&db).await;
    let paid = settled(&house, Source::Poll).await;
    house.changes(&Change { event: "charged_back", ..moves(&paid, State::ChargedBack) }).await;
    assert_eq!(gaps::tell_missed(&db, at(100), at(1_000)).await.unwrap().missed, 2);
    comes(&house, "settled", 2_000).await;
    let (resolved, open): (Vec<_>, Vec<_>) =
        missed(&db).await.into_iter().partition(|finding| finding.resolved_at.is_some());
    assert_eq!((resolved.len(), open.len()), (1, 1));
    assert!(resolved[0].detail.contains("settled") && open[0].detail.contains("charged_back"));
    assert_eq!(resolved[0].resolution.as_deref(), Some("the notification came late"));
    assert_eq!((resolved[0].resolved_at, resolved[0].resolved_by.as_ref()), (Some(at(2_000)), None));
}

async fn many_who_look_at_once_tell_once(db: Db) {
    let house = House::open(&db).await;
    settled(&house, Source::Poll).await;
    let looked = at_once(6, |_| {
        let db = db.clone();
        async move { gaps::tell_missed(&db, at(100), at(1_000)).await.unwrap().missed }
    })
    .await;
    assert_eq!(looked.into_iter().sum::<usize>(), 1);
}

async fn a_notification_that_came_while_its_finding_was_written_down_resolves_it_soon(db: Db) {
    let house = House::open(&db).await;
    let payment = settled(&house, Source::Poll).await;
    comes(&house, "settled", 20).await;
    for (event, cause) in [
        ("settled", "missed_notification:KSR-1:3:settled"),
        ("expired", "missed_notification:KSR-1:4:expired"),
    ] {
        let kind = FindingKind::MissedNotification;
        let new = NewFinding { kind, cause: cause.to_owned(), payment_id: Some(payment.id), detail: event };
        findings::open(&db, &new, at(21)).await.unwrap();
    }
    gaps::tell_missed(&db, at(0), at(30)).await.unwrap();
    let open: Vec<_> =
        missed(&db).await.into_iter().filter(|finding| finding.resolved_at.is_none()).collect();
    assert_eq!((open.len(), open[0].detail.as_str()), (1, "expired"));
}
