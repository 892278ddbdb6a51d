//! The inbox: each notification is kept once, and its end is committed with all that follows from it.

use domain::{FindingKind, NotificationId};
use store::findings::{self, NewFinding};
use store::ledger::{Lease, NewJob};
use store::notifications::{About, Conclusion, NewNotification};
use store::{Db, Written, jobs, ledger, notifications};

use crate::support::{House, NEVER, at, claim, job, number};

on_both![
    a_notification_is_kept_with_the_job_that_deals_with_it,
    the_same_notification_is_counted_and_dealt_with_once,
    a_conclusion_commits_with_its_finding_its_job_and_the_end_of_its_job,
    a_conclusion_whose_lease_was_lost_writes_nothing,
    notifications_are_listed_newest_first,
    findings_are_listed_newest_first_and_each_cause_once,
];

fn notice(body: &str) -> NewNotification<'_> {
    NewNotification {
        body_hash: format!("sha512 of {body}"),
        body,
        kind: "payment",
        order_id: Some("KSR-1"),
        transaction_id: Some("tx-1"),
        event: Some("settled"),
        verified: true,
    }
}

fn deal_with(about: About) -> NewJob {
    let id = about.notification;
    NewJob { kind: "process_notification", notification_id: Some(id), ..job(&format!("notification:{id}")) }
}

async fn a_notification_is_kept_with_the_job_that_deals_with_it(db: Db) {
    let queued = notifications::record(&db, &notice("{}"), deal_with, at(5)).await.unwrap().unwrap();
    let kept = notifications::newest(&db, 10).await.unwrap().remove(0);
    assert_eq!((kept.kind.as_str(), kept.order_id.as_deref()), ("payment", Some("KSR-1")));
    assert_eq!((kept.transaction_id.as_deref(), kept.event.as_deref()), (Some("tx-1"), Some("settled")));
    assert_eq!((kept.verified, kept.received_at, kept.seen), (true, at(5), 1));
    assert_eq!((kept.payment_id, kept.processed_at, kept.outcome.as_ref()), (None, None, None));
    assert_eq!(notifications::find(&db, kept.id).await.unwrap(), Some(kept.clone()));
    assert_eq!(notifications::find(&db, NotificationId(404)).await.unwrap(), None);
    assert_eq!(notifications::find_by_body(&db, &notice("{}").body_hash).await.unwrap(), Some(kept.clone()));
    assert_eq!(notifications::find_by_body(&db, &notice("{ }").body_hash).await.unwrap(), None);

    assert_eq!(jobs::find(&db, queued).await.unwrap().unwrap().kind, "process_notification");
    assert_eq!(number(&db, "SELECT notification_id FROM jobs").await, kept.id.0);
}

async fn the_same_notification_is_counted_and_dealt_with_once(db: Db) {
    assert!(notifications::record(&db, &notice("{}"), deal_with, at(5)).await.unwrap().is_some());
    assert_eq!(notifications::record(&db, &notice("{}"), deal_with, at(6)).await.unwrap(), None);
    assert_eq!(notifications::record(&db, &notice("{}"), deal_with, at(7)).await.unwrap(), None);
    let kept = notifications::newest(&db, 10).await.unwrap();
    assert_eq!((kept.len(), kept[0].seen, kept[0].received_at), (1, 3, at(5)));
    assert_eq!(number(&db, "SELECT seen_at FROM notifications").await, at(7).timestamp_millis());
    assert_eq!(number(&db, "SELECT count(*) FROM jobs").await, 1);

    let forged = NewNotification { verified: false, order_id: None, ..notice("{ }") };
    assert!(notifications::record(&db, &forged, deal_with, at(8)).await.unwrap().is_some());
    let kept = notifications::newest(&db, 10).await.unwrap();
    assert_eq!((kept.len(), kept[0].verified, kept[0].order_id.as_ref()), (2, false, None));
}

/// A notification whose job is being done.
async fn being_dealt_with(db: &Db) -> (NotificationId, Lease) {
    let queued = notifications::record(db, &notice("{}"), deal_with, at(5)).await.unwrap().unwrap();
    let id = notifications::newest(db, 1).await.unwrap()[0].id;
    (id, claim(db, queued, "token", at(6)).await.unwrap().lease)
}

fn unknown_order() -> NewFinding<'static> {
    NewFinding {
        kind: FindingKind::UnknownOrder,
        cause: "unknown_order:KSR-1".to_owned(),
        payment_id: None,
        detail: "not ours",
    }
}

async fn a_conclusion_commits_with_its_finding_its_job_and_the_end_of_its_job(db: Db) {
    let payment = House::open(&db).await.pays("KSR-1").await;
    let (id, lease) = being_dealt_with(&db).await;
    let conclusion = Conclusion {
        id,
        payment_id: Some(payment.id),
        attempt: None,
        outcome: "sync",
        finding: Some(unknown_order()),
        job: Some(NewJob { payment_id: Some(payment.id), ..job("sync:1") }),
        completes: &lease,
    };
    let (written, ids) = notifications::conclude(&db, &conclusion, at(9)).await.unwrap();
    assert_eq!((written, ids.len()), (Written::Done, 1));

    let kept = notifications::find(&db, id).await.unwrap().unwrap();
    assert_eq!((kept.payment_id, kept.processed_at), (Some(payment.id), Some(at(9))));
    assert_eq!(kept.outcome.as_deref(), Some("sync"));
    assert_eq!(findings::newest(&db, 10).await.unwrap()[0].kind, FindingKind::UnknownOrder);
    assert_eq!(jobs::find(&db, ids[0]).await.unwrap().unwrap().payment_id, Some(payment.id));
    assert_eq!(jobs::find(&db, lease.job_id).await.unwrap().unwrap().state, "done");
}

async fn a_conclusion_whose_lease_was_lost_writes_nothing(db: Db) {
    let (id, lease) = being_dealt_with(&db).await;
    let before = notifications::find(&db, id).await.unwrap();
    assert_eq!(ledger::reap(&db, at(100), NEVER).await.unwrap(), 1);
    let conclusion = Conclusion {
        id,
        payment_id: None,
        attempt: None,
        outcome: "ignored",
        finding: Some(unknown_order()),
        job: Some(job("sync:1")),
        completes: &lease,
    };
    let (written, ids) = notifications::conclude(&db, &conclusion, at(101)).await.unwrap();
    assert_eq!((written, ids.len()), (Written::LostLease, 0));
    assert_eq!(notifications::find(&db, id).await.unwrap(), before);
    assert_eq!(findings::newest(&db, 10).await.unwrap(), []);
    assert_eq!(number(&db, "SELECT count(*) FROM jobs").await, 1);
}

async fn notifications_are_listed_newest_first(db: Db) {
    for body in ["1", "2", "3"] {
        notifications::record(&db, &notice(body), deal_with, at(5)).await.unwrap();
    }
    let listed = notifications::newest(&db, 2).await.unwrap();
    assert_eq!(listed.len(), 2);
    assert!(listed[0].id > listed[1].id);
    assert_eq!(number(&db, "SELECT max(id) FROM notifications").await, listed[0].id.0);
}

async fn findings_are_listed_newest_first_and_each_cause_once(db: Db) {
    for (second, kind) in (1..).zip(FindingKind::ALL) {
        let finding = NewFinding { kind: *kind, cause: kind.as_str().to_owned(), ..unknown_order() };
        findings::open(&db, &finding, at(second)).await.unwrap();
        findings::open(&db, &finding, at(900)).await.unwrap();
    }
    let found = findings::newest(&db, 100).await.unwrap();
    let kinds: Vec<FindingKind> = found.iter().rev().map(|one| one.kind).collect();
    assert_eq!(kinds, FindingKind::ALL);
    assert_eq!(found.last().unwrap().found_at, at(1));
    assert!(found.iter().all(|one| one.resolved_at.is_none() && one.detail == "not ours"));
    assert_eq!(findings::newest(&db, 1).await.unwrap(), found[..1]);
}
