//! Changes of a payment: all that belongs together is committed together, or nothing is.

use domain::{BillStatus, FindingKind, Instruction, Learned, State, TransactionId};
use store::history::Source;
use store::ledger::{Claimed, NewJob};
use store::payments::Change;
use store::{Db, Written, findings, history, jobs, payments};

use crate::support::{House, add, at, claim, job, moves, number};

on_both![
    a_move_commits_the_payment_its_history_its_bill_its_jobs_and_the_end_of_its_job,
    a_change_of_an_old_version_writes_nothing,
    a_change_whose_lease_was_lost_writes_nothing,
    what_was_only_learned_makes_a_version_and_no_history,
    what_is_known_is_not_forgotten,
    the_same_difference_is_found_once,
    a_look_that_found_only_a_difference_keeps_the_version_and_the_next_check,
    a_difference_seen_in_an_old_version_is_not_written,
    every_source_has_its_place_in_the_history,
];

async fn running_job(db: &Db) -> Claimed {
    let id = add(db, job("sync:1")).await;
    claim(db, id, "token", at(1)).await.unwrap()
}

async fn a_move_commits_the_payment_its_history_its_bill_its_jobs_and_the_end_of_its_job(db: Db) {
    let house = House::open(&db).await;
    let payment = house.pays("KSR-1").await;
    let work = running_job(&db).await;
    let wanted = [NewJob { payment_id: Some(payment.id), ..job("confirm:1") }];
    let change = Change {
        event: "settlement",
        source: Source::Notification,
        detail: "200",
        finding: Some(FindingKind::LateSettlement),
        checked: true,
        next_check_at: Some(at(400)),
        jobs: &wanted,
        completes: Some(&work.lease),
        ..moves(&payment, State::Paid)
    };
    let (written, ids) = payments::change(&db, &change, at(10)).await.unwrap();
    assert_eq!((written, ids.len()), (Written::Done, 1));

    let paid = house.reads(payment.id).await;
    assert_eq!((paid.state, paid.version), (State::Paid, 2));
    assert_eq!((paid.paid_at, paid.checked_at), (Some(at(10)), Some(at(10))));
    assert_eq!(number(&db, "SELECT next_check_at FROM payments").await, at(400).timestamp_millis());
    assert_eq!(house.bill_status().await, BillStatus::Paid);

    let rows = history::of_payment(&db, payment.id).await.unwrap();
    assert_eq!((rows.len(), rows[1].time()), (2, at(10)));
    assert_eq!((rows[1].from_state.as_deref(), rows[1].to_state.as_str()), (Some("created"), "paid"));
    assert_eq!((rows[1].event.as_str(), rows[1].source.as_str()), ("settlement", "notification"));
    assert_eq!(rows[1].detail, "200");

    let found = findings::newest(&db, 10).await.unwrap();
    assert_eq!((found.len(), found[0].kind), (1, FindingKind::LateSettlement));
    assert_eq!((found[0].payment_id, found[0].detail.as_str()), (Some(payment.id), "200"));
    let next = jobs::find(&db, ids[0]).await.unwrap().unwrap();
    assert_eq!((next.state.as_str(), next.payment_id), ("ready", Some(payment.id)));
    let ended = jobs::find(&db, work.lease.job_id).await.unwrap().unwrap();
    assert_eq!((ended.state.as_str(), ended.finished_at), ("done", Some(at(10))));
    assert_eq!(jobs::attempts_of(&db, ended.id).await.unwrap()[0].outcome, "done");
}

/// The whole of what one change may touch.
async fn books(house: &House) -> (Vec<domain::Payment>, [i64; 6]) {
    let db = &house.db;
    let rows = [
        number(db, "SELECT count(*) FROM payment_history").await,
        number(db, "SELECT count(*) FROM jobs").await,
        number(db, "SELECT count(*) FROM jobs WHERE state = 'running'").await,
        number(db, "SELECT count(*) FROM job_attempts").await,
        number(db, "SELECT count(*) FROM findings").await,
        number(db, "SELECT max(updated_at) FROM bills").await,
    ];
    (payments::of_bill(db, house.bill).await.unwrap(), rows)
}

async fn a_change_of_an_old_version_writes_nothing(db: Db) {
    let house = House::open(&db).await;
    let old = house.pays("KSR-1").await;
    house.moves(&old, State::Asked).await;
    let work = running_job(&db).await;
    let before = books(&house).await;

    let change = Change {
        finding: Some(FindingKind::LateSettlement),
        jobs: &[job("confirm:1")],
        completes: Some(&work.lease),
        ..moves(&old, State::Paid)
    };
    let (written, ids) = payments::change(&db, &change, at(20)).await.unwrap();
    assert_eq!((written, ids.len()), (Written::Stale, 0));
    assert_eq!(books(&house).await, before);
}

async fn a_change_whose_lease_was_lost_writes_nothing(db: Db) {
    let house = House::open(&db).await;
    let payment = house.pays("KSR-1").await;
    let mut work = running_job(&db).await;
    work.lease.token = "another".to_owned();
    let before = books(&house).await;

    let change = Change {
        finding: Some(FindingKind::LateSettlement),
        jobs: &[job("confirm:1")],
        completes: Some(&work.lease),
        ..moves(&payment, State::Paid)
    };
    let (written, ids) = payments::change(&db, &change, at(20)).await.unwrap();
    assert_eq!((written, ids.len()), (Written::LostLease, 0));
    assert_eq!(books(&house).await, before);
    assert_eq!(house.bill_status().await, BillStatus::Pending);
}

fn learned() -> Learned {
    Learned {
        transaction_id: Some(TransactionId::try_from("9aed5972-5b6a-401e-894b-a32c91ed1a3a").unwrap()),
        instruction: Some(Instruction::VirtualAccount {
            bank: "bca".to_owned(),
            number: "812785".to_owned(),
        }),
        expires_at: Some(at(86_400)),
        settled_at: None,
    }
}

async fn what_was_only_learned_makes_a_version_and_no_history(db: Db) {
    let house = House::open(&db).await;
    let payment = house.pays("KSR-1").await;
    let learned = learned();
    let change = Change { learned: &learned, checked: true, ..moves(&payment, State::Created) };
    let known = house.changes(&change).await;

    assert_eq!((known.state, known.version), (State::Created, 2));
    assert_eq!(known.transaction_id, learned.transaction_id);
    assert_eq!(known.instruction, learned.instruction);
    assert_eq!((known.expires_at, known.checked_at), (learned.expires_at, Some(at(10))));
    assert_eq!(history::of_payment(&db, payment.id).await.unwrap().len(), 1);
    assert_eq!(house.bill_status().await, BillStatus::Pending);

    let (again, _) = payments::change(&db, &change, at(20)).await.unwrap();
    assert_eq!(again, Written::Stale);
}

async fn what_is_known_is_not_forgotten(db: Db) {
    let house = House::open(&db).await;
    let payment = house.pays("KSR-1").await;
    let learned = learned();
    let asked =
        house.changes(&Change { learned: &learned, checked: true, ..moves(&payment, State::Asked) }).await;
    assert_eq!(asked.asked_at, Some(at(10)));

    let settled = Learned { settled_at: Some(at(7)), ..Learned::default() };
    let paid = house.changes(&Change { learned: &settled, ..moves(&asked, State::Paid) }).await;
    assert_eq!(paid.transaction_id, learned.transaction_id);
    assert_eq!(paid.instruction, learned.instruction);
    assert_eq!((paid.expires_at, paid.checked_at), (learned.expires_at, Some(at(10))));
    assert_eq!((paid.asked_at, paid.paid_at), (Some(at(10)), Some(at(7))));

    let back = house.moves(&paid, State::Refunded).await;
    assert_eq!((back.paid_at, back.asked_at), (Some(at(7)), Some(at(10))));
}

async fn the_same_difference_is_found_once(db: Db) {
    let house = House::open(&db).await;
    let payment = house.pays("KSR-1").await;
    let looks = |event| Change {
        event,
        detail: "another amount",
        finding: Some(FindingKind::AmountMismatch),
        ..moves(&payment, State::Created)
    };
    for event in ["settlement", "settlement", "expire", "settlement"] {
        house.changes(&looks(event)).await;
    }
    let found = findings::newest(&db, 10).await.unwrap();
    assert_eq!(found.len(), 2);
    assert!(found[0].id > found[1].id);
    assert_eq!((found[1].kind, found[1].resolved_at), (FindingKind::AmountMismatch, None));
    assert_eq!((found[1].found_at, found[1].payment_id), (at(10), Some(payment.id)));
}

async fn a_look_that_found_only_a_difference_keeps_the_version_and_the_next_check(db: Db) {
    let house = House::open(&db).await;
    let payment = house.pays("KSR-1").await;
    let work = running_job(&db).await;
    let change = Change {
        finding: Some(FindingKind::StatusConflict),
        checked: true,
        next_check_at: Some(at(400)),
        completes: Some(&work.lease),
        ..moves(&payment, State::Created)
    };
    let looked = house.changes(&change).await;
    assert_eq!((looked.version, looked.state), (1, State::Created));
    assert_eq!(looked.checked_at, Some(at(10)));
    assert_eq!(number(&db, "SELECT next_check_at FROM payments").await, at(400).timestamp_millis());
    assert_eq!(history::of_payment(&db, payment.id).await.unwrap().len(), 1);
    assert_eq!(jobs::find(&db, work.lease.job_id).await.unwrap().unwrap().state, "done");

    // Nobody asked the gateway: what was known of its checks stays.
    let said = Change { finding: Some(FindingKind::StuckCharge), ..moves(&payment, State::Created) };
    assert_eq!(house.changes(&said).await, looked);
    assert_eq!(number(&db, "SELECT next_check_at FROM payments").await, at(400).timestamp_millis());
}

async fn a_difference_seen_in_an_old_version_is_not_written(db: Db) {
    let house = House::open(&db).await;
    let old = house.pays("KSR-1").await;
    house.moves(&old, State::Asked).await;
    let work = running_job(&db).await;
    let before = books(&house).await;
    let change = Change {
        finding: Some(FindingKind::StatusConflict),
        checked: true,
        completes: Some(&work.lease),
        ..moves(&old, State::Created)
    };
    let (written, _) = payments::change(&db, &change, at(20)).await.unwrap();
    assert_eq!(written, Written::Stale);
    assert_eq!(books(&house).await, before);
}

async fn every_source_has_its_place_in_the_history(db: Db) {
    let house = House::open(&db).await;
    let mut payment = house.pays("KSR-1").await;
    let sources = [
        Source::Tenant,
        Source::Charge,
        Source::Notification,
        Source::Poll,
        Source::Read,
        Source::Cancel,
        Source::Operator,
    ];
    for source in sources {
        let to = if payment.state == State::Review { State::Pending } else { State::Review };
        payment = house.changes(&Change { source, ..moves(&payment, to) }).await;
    }
    let rows = history::of_payment(&db, payment.id).await.unwrap();
    let told: Vec<&str> = rows[1..].iter().map(|row| row.source.as_str()).collect();
    assert_eq!(told, sources.map(Source::as_str));
}
