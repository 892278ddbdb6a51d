//! Payments that are given up: marked, with the job that ends them, and out of the way of another.

use domain::{BillStatus, Failure, Payment, PaymentId, State};
use store::audit::{self, Actor, By};
use store::history::Source;
use store::ledger::NewJob;
use store::unwanted::GivenUp;
use store::{Db, history, jobs, payments, unwanted};

use crate::support::{House, at, job, number};

on_both![
    a_payment_is_given_up_with_the_job_that_ends_it,
    a_payment_that_was_given_up_makes_room_for_another,
    a_payment_that_has_moved_is_not_given_up,
    a_payment_is_given_up_once,
    an_admin_who_gives_a_payment_up_is_in_the_audit,
    a_payment_that_has_ended_is_not_given_up,
    every_change_gives_a_payment_another_version,
];

fn by_tenant(payment: &Payment) -> GivenUp<'_> {
    let job = NewJob { payment_id: Some(payment.id), ..job("cancel:1") };
    GivenUp { payment, source: Source::Tenant, job, by: None }
}

async fn a_payment_is_given_up_with_the_job_that_ends_it(db: Db) {
    let house = House::open(&db).await;
    let made = house.pays("KSR-1").await;
    let asked = house.moves(&made, State::Asked).await;
    let ids = unwanted::give_up(&db, &by_tenant(&asked), at(20)).await.unwrap().unwrap();

    let after = house.reads(asked.id).await;
    assert_eq!((after.state, after.superseded_at), (State::Asked, Some(at(20))), "it has not ended");
    assert_eq!(after.version, asked.version + 1);
    assert_eq!(house.bill_status().await, BillStatus::Pending);
    assert_eq!(ids.len(), 1);
    assert_eq!(jobs::find(&db, ids[0]).await.unwrap().unwrap().payment_id, Some(asked.id));
    let rows = history::of_payment(&db, asked.id).await.unwrap();
    let last = rows.last().unwrap();
    assert_eq!((last.event.as_str(), last.source.as_str()), ("given_up", "tenant"));
    assert_eq!((last.from_state.as_deref(), last.to_state.as_str()), (Some("asked"), "asked"));

    house.moves(&after, State::Failed(Failure::Cancelled)).await;
    assert_eq!(house.bill_status().await, BillStatus::Unpaid);
}

async fn an_admin_who_gives_a_payment_up_is_in_the_audit(db: Db) {
    let house = House::open(&db).await;
    let first = house.pays("KSR-1").await;
    let actor = Actor { id: None, name: "ibu.sari@kost.test".to_owned() };
    let by = By { actor: &actor, reason: Some("the tenant asks"), now: at(20) };
    let given_up = GivenUp { by: Some(&by), source: Source::Operator, ..by_tenant(&first) };
    unwanted::give_up(&db, &given_up, at(20)).await.unwrap().unwrap();
    let row = audit::newest(&db, None, 9).await.unwrap().remove(0);
    assert_eq!((row.action.as_str(), row.subject.as_str()), ("payment.cancel", "payment:KSR-1"));
    assert_eq!(row.reason.as_deref(), Some("the tenant asks"));
}

async fn a_payment_that_was_given_up_makes_room_for_another(db: Db) {
    let house = House::open(&db).await;
    let first = house.pays("KSR-1").await;
    unwanted::give_up(&db, &by_tenant(&first), at(20)).await.unwrap().unwrap();
    assert_eq!(payments::live_of_bill(&db, house.bill).await.unwrap(), None);
    let second = house.pays("KSR-2").await;
    assert_eq!(payments::live_of_bill(&db, house.bill).await.unwrap(), Some(second.clone()));
    let earlier = payments::earlier_live(&db, &second).await.unwrap();
    assert_eq!(
        earlier.map(|earlier| earlier.id),
        Some(first.id),
        "it is charged only when the first has ended"
    );
}

async fn assert_nothing_was_written(house: &House, payment: &Payment, stale: &Payment) {
    assert_eq!(unwanted::give_up(&house.db, &by_tenant(stale), at(30)).await.unwrap(), None);
    assert_eq!(house.reads(payment.id).await, *payment);
    assert_eq!(number(&house.db, "SELECT count(*) FROM jobs").await, 0);
    assert_eq!(number(&house.db, "SELECT count(*) FROM payment_history WHERE event = 'given_up'").await, 0);
}

async fn a_payment_that_has_moved_is_not_given_up(db: Db) {
    let house = House::open(&db).await;
    let read = house.pays("KSR-1").await;
    let moved = house.moves(&read, State::Asked).await;
    assert_nothing_was_written(&house, &moved, &read).await;
}

async fn a_payment_is_given_up_once(db: Db) {
    let house = House::open(&db).await;
    let first = house.pays("KSR-1").await;
    house.pays_instead("KSR-2", &first).await;
    let replaced = house.reads(first.id).await;
    assert_nothing_was_written(&house, &replaced, &replaced).await;
}

async fn a_payment_that_has_ended_is_not_given_up(db: Db) {
    let house = House::open(&db).await;
    let made = house.pays("KSR-1").await;
    let paid = house.moves(&made, State::Paid).await;
    assert_nothing_was_written(&house, &paid, &paid).await;
    assert_eq!(house.bill_status().await, BillStatus::Paid);
}

async fn every_change_gives_a_payment_another_version(db: Db) {
    let house = House::open(&db).await;
    let made = house.pays("KSR-1").await;
    assert_eq!(payments::version_of(&db, made.id).await.unwrap(), Some(made.version));
    let asked = house.moves(&made, State::Asked).await;
    assert_eq!(payments::version_of(&db, made.id).await.unwrap(), Some(asked.version));
    unwanted::give_up(&db, &by_tenant(&asked), at(20)).await.unwrap().unwrap();
    assert_eq!(payments::version_of(&db, made.id).await.unwrap(), Some(asked.version + 1));
    assert_eq!(payments::version_of(&db, PaymentId(404)).await.unwrap(), None);
}
