//! What many want at once is done in one transaction, and is for each of them what it would have been alone.

use std::time::Duration;

use domain::{Method, PaymentId, State};
use store::ledger::{Claim, NewJob};
use store::notifications::{About, NewNotification};
use store::payments::Change;
use store::{Db, Written, bills, calls, history, jobs, ledger, methods, notifications, payments, people};

use crate::support::{House, add, at, at_once, claim, job, moves, number};

on_both![
    notifications_that_come_at_once_are_kept_each_once_with_their_jobs,
    one_notification_that_cannot_be_kept_keeps_out_no_other,
    a_notification_of_an_invoice_is_about_its_payment,
    jobs_that_are_claimed_at_once_have_one_worker_each,
    payments_that_move_at_once_move_each_with_all_that_belongs_to_it,
    one_lost_lease_and_one_old_version_stop_nobody_else,
    payments_of_one_bill_that_are_paid_at_once_are_a_finding,
    many_who_look_at_once_see_what_each_would_see,
];

const AT_ONCE: usize = 24;

fn notice<'a>(body: &'a str, order: &'a str) -> NewNotification<'a> {
    NewNotification {
        body_hash: format!("hash of {body}"),
        body,
        kind: "payment",
        order_id: Some(order),
        transaction_id: None,
        event: Some("settled"),
        verified: true,
    }
}

fn deal(about: About) -> NewJob {
    let id = about.notification;
    match about.payment {
        Some(payment) => NewJob { payment_id: Some(payment), ..job(&format!("sync:{payment}")) },
        None => NewJob { notification_id: Some(id), ..job(&format!("notification:{id}")) },
    }
}

async fn notifications_that_come_at_once_are_kept_each_once_with_their_jobs(db: Db) {
    let queued = at_once(AT_ONCE, |number| {
        let db = db.clone();
        async move {
            let body = format!("body {}", number % 8);
            notifications::record(&db, &notice(&body, "KSR-404"), deal, at(5)).await.unwrap()
        }
    })
    .await;
    assert_eq!(queued.iter().flatten().count(), 8, "the first of each has the job");
    assert_eq!(number(&db, "SELECT count(*) FROM notifications").await, 8);
    assert_eq!(number(&db, "SELECT count(*) FROM notifications WHERE seen = 3").await, 8);
    let own = "SELECT count(*) FROM jobs WHERE dedupe_key = 'notification:' || notification_id";
    assert_eq!(number(&db, own).await, 8);
}

async fn one_notification_that_cannot_be_kept_keeps_out_no_other(db: Db) {
    let kept = at_once(AT_ONCE, |number| {
        let db = db.clone();
        async move {
            let body = format!("body {number}");
            let deal = move |about| NewJob { max_attempts: if number == 7 { 0 } else { 1 }, ..deal(about) };
            notifications::record(&db, &notice(&body, "KSR-404"), deal, at(5)).await
        }
    })
    .await;
    assert_eq!(kept.iter().filter(|kept| kept.is_ok()).count(), AT_ONCE - 1);
    assert!(!kept[7].as_ref().unwrap_err().is_passing());
    assert_eq!(number(&db, "SELECT count(*) FROM notifications").await, 23);
    assert_eq!(number(&db, "SELECT count(*) FROM jobs").await, 23);
}

async fn a_notification_of_an_invoice_is_about_its_payment(db: Db) {
    let house = House::open(&db).await;
    let payment = house.pays("KSR-1").await;
    let queued = notifications::record(&db, &notice("one", "KSR-1"), deal, at(5)).await.unwrap().unwrap();
    assert_eq!(jobs::find(&db, queued).await.unwrap().unwrap().payment_id, Some(payment.id));
    let kept = notifications::newest(&db, 1).await.unwrap().remove(0);
    assert_eq!((kept.payment_id, kept.processed_at), (Some(payment.id), Some(at(5))));
    assert_eq!(kept.outcome.as_deref(), Some("sync"));

    let other = NewNotification { kind: "dashboard_test", ..notice("two", "KSR-1") };
    notifications::record(&db, &other, deal, at(6)).await.unwrap().unwrap();
    let forged = NewNotification { verified: false, ..notice("three", "KSR-1") };
    notifications::record(&db, &forged, deal, at(7)).await.unwrap().unwrap();
    let waiting = "SELECT count(*) FROM notifications WHERE payment_id IS NULL AND processed_at IS NULL";
    assert_eq!(number(&db, waiting).await, 2, "what they are about is for a worker to find out");
}

async fn jobs_that_are_claimed_at_once_have_one_worker_each(db: Db) {
    for number in 0..8 {
        add(&db, job(&format!("sync:{number}"))).await;
    }
    let claimed = at_once(AT_ONCE, |number| {
        let db = db.clone();
        async move {
            let job_id = domain::JobId(i64::try_from(number % 8).unwrap() + 1);
            let length = Duration::from_secs(10);
            let claim = Claim { job_id, token: format!("token {number}"), length };
            ledger::claim(&db, claim, at(1)).await.unwrap()
        }
    })
    .await;
    let held: Vec<_> = claimed.into_iter().flatten().collect();
    assert_eq!(held.len(), 8);
    for claimed in held {
        assert!(ledger::holds(&db, &claimed.lease, at(2)).await.unwrap());
        assert_eq!(claimed.lease.attempt, 1);
    }
}

/// So many payments of bills of their own, each with a job that is being done.
async fn being_paid(house: &House, many: usize) -> Vec<(domain::Payment, ledger::Lease)> {
    let mut all = Vec::new();
    for number in 0..many {
        let month = u32::try_from(number).unwrap() + 2;
        let bill_id = house.bill_of(month).await;
        let invoice = format!("KSR-{number}");
        let payment = house.makes(&store::creation::NewPayment { bill_id, ..house.payment(&invoice) }).await;
        let queued = add(&house.db, job(&format!("sync:{number}"))).await;
        all.push((payment, claim(&house.db, queued, &invoice, at(1)).await.unwrap().lease));
    }
    all
}

async fn pays_at_once(db: &Db, payments: Vec<(domain::Payment, ledger::Lease)>) -> Vec<Written> {
    let payments = std::sync::Arc::new(payments);
    at_once(payments.len(), |number| {
        let (db, payments) = (db.clone(), std::sync::Arc::clone(&payments));
        async move {
            let (payment, lease) = &payments[number];
            let change = Change { completes: Some(lease), ..moves(payment, State::Paid) };
            payments::change(&db, &change, at(10)).await.unwrap().0
        }
    })
    .await
}

async fn payments_that_move_at_once_move_each_with_all_that_belongs_to_it(db: Db) {
    let house = House::open(&db).await;
    let paid = being_paid(&house, 11).await;
    let ids: Vec<PaymentId> = paid.iter().map(|(payment, _)| payment.id).collect();
    assert_eq!(pays_at_once(&db, paid).await, [Written::Done; 11]);
    for id in ids {
        let paid = house.reads(id).await;
        assert_eq!((paid.state, paid.version, paid.paid_at), (State::Paid, 2, Some(at(10))));
        let rows = history::of_payment(&db, id).await.unwrap();
        assert_eq!((rows.len(), rows[1].to_state.as_str(), rows[1].time()), (2, "paid", at(10)));
    }
    assert_eq!(number(&db, "SELECT count(*) FROM postings WHERE kind = 'paid'").await, 11);
    assert_eq!(number(&db, "SELECT count(*) FROM bills WHERE status = 'paid'").await, 11);
    assert_eq!(number(&db, "SELECT count(*) FROM jobs WHERE state = 'done'").await, 11);
    assert_eq!(number(&db, "SELECT count(*) FROM job_attempts WHERE outcome = 'done'").await, 11);
}

async fn one_lost_lease_and_one_old_version_stop_nobody_else(db: Db) {
    let house = House::open(&db).await;
    let mut paid = being_paid(&house, 11).await;
    paid[3].1.token = "another".to_owned();
    house.moves(&paid[5].0, State::Asked).await;
    let written = pays_at_once(&db, paid).await;
    assert_eq!((written[3], written[5]), (Written::LostLease, Written::Stale));
    assert_eq!(written.iter().filter(|written| **written == Written::Done).count(), 9);
    assert_eq!(number(&db, "SELECT count(*) FROM payments WHERE state = 'paid'").await, 9);
    assert_eq!(number(&db, "SELECT count(*) FROM jobs WHERE state = 'done'").await, 9);
    assert_eq!(number(&db, "SELECT count(*) FROM job_attempts").await, 9);
}

async fn payments_of_one_bill_that_are_paid_at_once_are_a_finding(db: Db) {
    let house = House::open(&db).await;
    let first = house.pays("KSR-1").await;
    let second = house.pays_instead("KSR-2", &first).await;
    let first = house.reads(first.id).await;
    let mut paid = Vec::new();
    for payment in [first, second] {
        let queued = add(&db, job(payment.invoice.as_str())).await;
        paid.push((payment, claim(&db, queued, "token", at(1)).await.unwrap().lease));
    }
    assert_eq!(pays_at_once(&db, paid).await, [Written::Done; 2]);
    assert_eq!(number(&db, "SELECT count(*) FROM findings WHERE kind = 'double_payment'").await, 1);
}

async fn many_who_look_at_once_see_what_each_would_see(db: Db) {
    let house = House::open(&db).await;
    let payment = house.pays("KSR-1").await;
    let tenant = house.tenant;
    at_once(AT_ONCE, |number| {
        let (db, payment) = (db.clone(), payment.clone());
        async move {
            let found = payments::find(&db, payment.id).await.unwrap();
            assert_eq!(found.unwrap().invoice, payment.invoice);
            assert!(payments::find(&db, PaymentId(404)).await.unwrap().is_none());
            let found = payments::find_by_invoice(&db, &payment.invoice).await.unwrap();
            assert_eq!(found.unwrap().id, payment.id);
            assert_eq!(people::find_active(&db, tenant).await.unwrap().unwrap().id, tenant);
            let limit = i64::try_from(number % 3).unwrap();
            let bills = bills::of_tenant(&db, tenant, limit).await.unwrap();
            assert_eq!(bills.len(), usize::from(limit > 0));
            assert!(methods::all(&db).await.unwrap().iter().all(|one| one.method != Method::Cash));
            let call = calls::GatewayCall {
                name: Some("KSR-1".to_owned()),
                method: "GET".to_owned(),
                path: "/v2/KSR-1/status".to_owned(),
                http: Some(200),
                answer: format!("answer {number}"),
                error: None,
                at: at(3),
                took: Duration::from_millis(7),
            };
            calls::record(&db, &call).await.unwrap();
        }
    })
    .await;
    let kept = calls::of_names(&db, &["KSR-1"]).await.unwrap();
    assert_eq!(kept.len(), AT_ONCE);
    assert!(kept.iter().all(|call| call.http == Some(200) && call.took == Duration::from_millis(7)));
}
