//! New payments: at most one live and wanted for each bill, written with all that belongs to it.

use domain::{BillStatus, Failure, Invoice, Learned, Method, PaymentId, State, TransactionId};
use store::creation::{self, Creation, NewPayment};
use store::ledger::NewJob;
use store::payments::Change;
use store::{Db, history, jobs, payments, tries};

use crate::support::{House, NOTHING_LEARNED, at, job, moves, number, rupiah};

on_both![
    a_new_payment_comes_with_its_job_its_history_and_its_bill,
    a_paid_bill_takes_no_other_payment,
    a_second_live_payment_of_a_bill_comes_too_late,
    an_invoice_is_never_used_twice,
    a_new_payment_takes_the_place_of_the_live_one,
    a_payment_that_has_moved_is_not_superseded,
    a_payment_is_superseded_once,
    a_failed_payment_makes_room_for_another,
    the_tries_of_a_page_are_remembered,
    payments_are_found_by_row_by_invoice_and_by_bill,
];

fn submit(id: PaymentId) -> Vec<NewJob> {
    vec![NewJob { payment_id: Some(id), ..job("submit:1") }]
}

async fn a_new_payment_comes_with_its_job_its_history_and_its_bill(db: Db) {
    let house = House::open(&db).await;
    let new = house.payment("KSR-1");
    let made = creation::create(&db, &new, submit, at(5)).await.unwrap();
    let Creation::Made(payment, ids) = made else { panic!("{made:?}") };

    assert_eq!((payment.state, payment.version), (State::Created, 1));
    assert_eq!((payment.method, payment.amount), (Method::Bca, rupiah(1_500_000)));
    assert_eq!((payment.bill_id, payment.tenant_id), (house.bill, house.tenant));
    assert_eq!((payment.created_at, payment.supersedes), (at(5), None));
    assert_eq!(house.reads(payment.id).await, *payment);
    assert_eq!(house.bill_status().await, BillStatus::Pending);

    assert_eq!(ids.len(), 1);
    let job = jobs::find(&db, ids[0]).await.unwrap().unwrap();
    assert_eq!((job.state.as_str(), job.payment_id), ("ready", Some(payment.id)));

    let rows = history::of_payment(&db, payment.id).await.unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!((rows[0].from_state.as_deref(), rows[0].to_state.as_str()), (None, "created"));
    assert_eq!((rows[0].event.as_str(), rows[0].source.as_str()), ("created", "tenant"));
    assert_eq!(rows[0].time(), at(5));
}

async fn a_paid_bill_takes_no_other_payment(db: Db) {
    let house = House::open(&db).await;
    let first = house.pays("KSR-1").await;
    house.moves(&first, State::Paid).await;
    let second = creation::create(&db, &house.payment("KSR-2"), submit, at(5)).await.unwrap();
    assert!(matches!(second, Creation::AlreadyPaid), "{second:?}");
    assert_nothing_was_written(&house).await;
    assert_eq!(house.bill_status().await, BillStatus::Paid);
}

async fn a_second_live_payment_of_a_bill_comes_too_late(db: Db) {
    let house = House::open(&db).await;
    house.pays("KSR-1").await;
    let second = creation::create(&db, &house.payment("KSR-2"), submit, at(5)).await.unwrap();
    assert!(matches!(second, Creation::Raced), "{second:?}");
    assert_nothing_was_written(&house).await;
    assert_eq!(number(&db, "SELECT max(updated_at) FROM bills").await, at(1).timestamp_millis());
}

async fn assert_nothing_was_written(house: &House) {
    assert_eq!(payments::of_bill(&house.db, house.bill).await.unwrap().len(), 1);
    assert_eq!(number(&house.db, "SELECT count(*) FROM jobs").await, 0);
}

async fn an_invoice_is_never_used_twice(db: Db) {
    let house = House::open(&db).await;
    let first = house.pays("KSR-1").await;
    let new = NewPayment { bill_id: house.bill_of(2).await, ..house.payment("KSR-1") };
    let second = creation::create(&db, &new, submit, at(5)).await.unwrap();
    assert!(matches!(second, Creation::Raced), "{second:?}");
    assert_nothing_was_written(&house).await;
    assert_eq!(payments::find_by_invoice(&db, &new.invoice).await.unwrap(), Some(first));
}

async fn a_new_payment_takes_the_place_of_the_live_one(db: Db) {
    let house = House::open(&db).await;
    let first = house.pays("KSR-1").await;
    let old = house.moves(&first, State::Asked).await;
    let new = house.pays_instead("KSR-2", &old).await;

    let replaced = house.reads(old.id).await;
    assert_eq!((replaced.state, replaced.superseded_at), (State::Asked, Some(at(1))));
    assert_eq!(replaced.version, old.version + 1);
    assert!(!replaced.is_wanted());
    assert_eq!((new.state, new.supersedes, new.superseded_at), (State::Created, Some(old.id), None));
    assert_eq!(payments::live_of_bill(&db, house.bill).await.unwrap(), Some(new.clone()));
    assert_eq!(house.bill_status().await, BillStatus::Pending);

    assert_eq!(payments::earlier_live(&db, &new).await.unwrap().map(|earlier| earlier.id), Some(old.id));
    assert_eq!(payments::earlier_live(&db, &replaced).await.unwrap(), None);
    let rows = history::of_payment(&db, old.id).await.unwrap();
    let events: Vec<&str> = rows.iter().map(|row| row.event.as_str()).collect();
    assert_eq!(events, ["created", "asked", "superseded"]);
}

async fn a_payment_that_has_moved_is_not_superseded(db: Db) {
    let house = House::open(&db).await;
    let read = house.pays("KSR-1").await;
    let moved = house.moves(&read, State::Asked).await;
    let new = NewPayment { supersedes: Some(&read), ..house.payment("KSR-2") };
    let made = creation::create(&db, &new, submit, at(20)).await.unwrap();
    assert!(matches!(made, Creation::Raced), "{made:?}");
    assert_eq!(house.reads(read.id).await, moved);
    assert_nothing_was_written(&house).await;
}

async fn a_payment_is_superseded_once(db: Db) {
    let house = House::open(&db).await;
    let first = house.pays("KSR-1").await;
    let second = house.pays_instead("KSR-2", &first).await;
    let first = house.reads(first.id).await;
    let new = NewPayment { supersedes: Some(&first), ..house.payment("KSR-3") };
    let made = creation::create(&db, &new, submit, at(20)).await.unwrap();
    assert!(matches!(made, Creation::Raced), "{made:?}");
    assert_eq!(house.reads(first.id).await, first);
    assert_eq!(payments::live_of_bill(&db, house.bill).await.unwrap(), Some(second));
}

async fn a_failed_payment_makes_room_for_another(db: Db) {
    let house = House::open(&db).await;
    let first = house.pays("KSR-1").await;
    house.moves(&first, State::Failed(Failure::Expired)).await;
    assert_eq!(payments::live_of_bill(&db, house.bill).await.unwrap(), None);
    let second = house.pays("KSR-2").await;
    assert_eq!(payments::live_of_bill(&db, house.bill).await.unwrap(), Some(second));
    assert_eq!(house.bill_status().await, BillStatus::Pending);
}

async fn the_tries_of_a_page_are_remembered(db: Db) {
    let house = House::open(&db).await;
    let card = house.makes(&NewPayment { method: Method::Card, ..house.payment("KSR-1") }).await;
    let mut card = house.moves(&card, State::Pending).await;
    let id = |name: &str| TransactionId::try_from(name).unwrap();
    for name in ["first", "second", "first"] {
        let learned = Learned { transaction_id: Some(id(name)), ..NOTHING_LEARNED };
        card = house.changes(&Change { learned: &learned, ..moves(&card, State::Pending) }).await;
    }
    assert_eq!(tries::of_payment(&db, card.id).await.unwrap(), [id("first"), id("second")]);
    assert_eq!(card.transaction_id, Some(id("first")));
    assert_eq!(tries::of_payment(&db, PaymentId(404)).await.unwrap(), []);
    for _ in 0..2 {
        tries::note(&db, card.id, &id("third"), at(99)).await.unwrap();
    }
    assert_eq!(tries::of_payment(&db, card.id).await.unwrap(), [id("third"), id("first"), id("second")]);
}

async fn payments_are_found_by_row_by_invoice_and_by_bill(db: Db) {
    let house = House::open(&db).await;
    let first = house.pays("KSR-1").await;
    let second = house.pays_instead("KSR-2", &first).await;
    let invoice = Invoice::try_from("KSR-2").unwrap();
    assert_eq!(payments::find(&db, second.id).await.unwrap(), Some(second.clone()));
    assert_eq!(payments::find_by_invoice(&db, &invoice).await.unwrap(), Some(second.clone()));
    let both: Vec<_> = payments::of_bill(&db, house.bill).await.unwrap().iter().map(|one| one.id).collect();
    assert_eq!(both, [first.id, second.id]);

    let unknown = Invoice::try_from("KSR-404").unwrap();
    assert_eq!(payments::find(&db, PaymentId(404)).await.unwrap(), None);
    let transaction = TransactionId::try_from("tx-1").unwrap();
    assert_eq!(payments::find_by_transaction(&db, &transaction).await.unwrap(), None);
    let learned = Learned { transaction_id: Some(transaction.clone()), ..NOTHING_LEARNED };
    let known = house.changes(&Change { learned: &learned, ..moves(&second, State::Pending) }).await;
    assert_eq!(payments::find_by_transaction(&db, &transaction).await.unwrap(), Some(known));
    let live: Vec<_> =
        payments::all_live_of_bill(&db, house.bill).await.unwrap().iter().map(|one| one.id).collect();
    assert_eq!(live, [first.id, second.id]);
    assert_eq!(payments::find_by_invoice(&db, &unknown).await.unwrap(), None);
    let empty = house.bill_of(2).await;
    assert_eq!(payments::of_bill(&db, empty).await.unwrap(), []);
    assert_eq!(payments::live_of_bill(&db, empty).await.unwrap(), None);
}
