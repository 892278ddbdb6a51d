//! Money: what becomes of a bill when its payments are paid, fail, are given back, or are too many.

use domain::{BillStatus, Failure, FindingKind, Learned, Payment, State};
use store::creation::NewPayment;
use store::payments::Change;
use store::{Db, findings, history};

use crate::support::{House, RENT, at, moves, number, rupiah};

on_both![
    every_state_survives_the_way_through_the_database,
    every_failure_gives_the_bill_back,
    a_bill_that_was_given_back_is_unpaid,
    partial_refunds_add_up_and_keep_the_bill_paid,
    what_was_given_back_is_remembered_when_the_bank_takes_the_rest,
    a_reversal_and_the_settlement_after_it_are_both_in_the_history,
    a_second_paid_payment_of_a_bill_is_found_and_kept,
    a_failing_superseded_payment_leaves_the_bill_to_its_successor,
    a_superseded_payment_that_was_paid_pays_the_bill,
];

/// A new payment of a new bill of that month.
async fn payment_of(house: &House, month: u32) -> Payment {
    let bill_id = house.bill_of(month).await;
    house.makes(&NewPayment { bill_id, ..house.payment(&format!("KSR-{month}")) }).await
}

async fn every_state_survives_the_way_through_the_database(db: Db) {
    let house = House::open(&db).await;
    let mut payment = house.pays("KSR-1").await;
    let states = [
        State::Asked,
        State::Pending,
        State::Review,
        State::Paid,
        State::PartiallyRefunded { total: rupiah(1) },
        State::Refunded,
        State::ChargedBack,
    ];
    for state in states {
        payment = house.moves(&payment, state).await;
        assert_eq!(payment.state, state);
    }
    assert_eq!(payment.version, 8);
    assert_eq!(history::of_payment(&db, payment.id).await.unwrap().len(), 8);
}

async fn every_failure_gives_the_bill_back(db: Db) {
    let mut house = House::open(&db).await;
    let failures = [
        Failure::Withdrawn,
        Failure::Rejected,
        Failure::Denied,
        Failure::Cancelled,
        Failure::Expired,
        Failure::Errored,
        Failure::Reversed,
    ];
    for (month, failure) in (2..).zip(failures) {
        let payment = payment_of(&house, month).await;
        house.bill = payment.bill_id;
        assert_eq!(house.bill_status().await, BillStatus::Pending);
        let failed = house.moves(&payment, State::Failed(failure)).await;
        assert_eq!(failed.state, State::Failed(failure));
        assert_eq!(house.bill_status().await, BillStatus::Unpaid, "{failure:?}");
    }
}

async fn a_bill_that_was_given_back_is_unpaid(db: Db) {
    let mut house = House::open(&db).await;
    for (month, back) in (2..).zip([State::Refunded, State::ChargedBack]) {
        let payment = payment_of(&house, month).await;
        house.bill = payment.bill_id;
        let paid = house.moves(&payment, State::Paid).await;
        assert_eq!(house.bill_status().await, BillStatus::Paid);
        house.moves(&paid, back).await;
        assert_eq!(house.bill_status().await, BillStatus::Unpaid, "{back:?}");
    }
}

const GIVEN_BACK: &str = "SELECT refunded FROM payments";

async fn partial_refunds_add_up_and_keep_the_bill_paid(db: Db) {
    let house = House::open(&db).await;
    let mut payment = house.pays("KSR-1").await;
    payment = house.moves(&payment, State::Paid).await;
    for total in [100_000, 250_000] {
        let state = State::PartiallyRefunded { total: rupiah(total) };
        payment = house.moves(&payment, state).await;
        assert_eq!(payment.state, state);
        assert_eq!(number(&db, GIVEN_BACK).await, total);
        assert_eq!(house.bill_status().await, BillStatus::Paid);
    }
    payment = house.moves(&payment, State::Refunded).await;
    assert_eq!(payment.state, State::Refunded);
    assert_eq!(number(&db, GIVEN_BACK).await, RENT);
    assert_eq!(house.bill_status().await, BillStatus::Unpaid);
    assert_eq!(history::of_payment(&db, payment.id).await.unwrap().len(), 5);
    // The gateway has listed none of them, and we had asked for none: each step is for a person.
    let found = findings::newest(&db, 10).await.unwrap();
    assert!(found.len() == 3 && found.iter().all(|one| one.kind == FindingKind::ExternalRefund), "{found:?}");
}

async fn what_was_given_back_is_remembered_when_the_bank_takes_the_rest(db: Db) {
    let house = House::open(&db).await;
    let mut payment = house.pays("KSR-1").await;
    for state in [State::PartiallyRefunded { total: rupiah(100_000) }, State::ChargedBack] {
        payment = house.moves(&payment, state).await;
        assert_eq!(number(&db, GIVEN_BACK).await, 100_000);
    }
    let later = Learned { expires_at: Some(at(99)), ..Learned::default() };
    house.changes(&Change { learned: &later, ..moves(&payment, State::ChargedBack) }).await;
    assert_eq!(number(&db, GIVEN_BACK).await, 100_000);
}

async fn a_reversal_and_the_settlement_after_it_are_both_in_the_history(db: Db) {
    let house = House::open(&db).await;
    let mut payment = house.pays("KSR-1").await;
    payment = house.moves(&payment, State::Paid).await;
    payment = house.moves(&payment, State::Failed(Failure::Reversed)).await;
    assert_eq!(house.bill_status().await, BillStatus::Unpaid);
    payment = house.moves(&payment, State::Paid).await;
    assert_eq!(house.bill_status().await, BillStatus::Paid);
    let rows = history::of_payment(&db, payment.id).await.unwrap();
    let life: Vec<&str> = rows.iter().map(|row| row.to_state.as_str()).collect();
    assert_eq!(life, ["created", "paid", "failed", "paid"]);
}

async fn a_second_paid_payment_of_a_bill_is_found_and_kept(db: Db) {
    let house = House::open(&db).await;
    let first = house.pays("KSR-1").await;
    let second = house.pays_instead("KSR-2", &first).await;
    let second = house.moves(&second, State::Paid).await;
    assert_eq!(findings::newest(&db, 10).await.unwrap(), []);

    let first = house.reads(first.id).await;
    let first = house.moves(&first, State::Paid).await;
    assert_eq!((first.state, second.state), (State::Paid, State::Paid));
    assert_eq!(house.bill_status().await, BillStatus::Paid);
    let found = findings::newest(&db, 10).await.unwrap();
    assert_eq!((found.len(), found[0].kind), (1, FindingKind::DoublePayment));
    assert_eq!(found[0].payment_id, Some(first.id));

    // Giving one back in part changes nothing of that; giving it back whole leaves the other.
    let first = house.moves(&first, State::PartiallyRefunded { total: rupiah(1) }).await;
    let doubled = findings::newest(&db, 10).await.unwrap();
    assert_eq!(doubled.iter().filter(|one| one.kind == FindingKind::DoublePayment).count(), 1);
    house.moves(&first, State::Refunded).await;
    assert_eq!(house.bill_status().await, BillStatus::Paid);
    house.moves(&second, State::Refunded).await;
    assert_eq!(house.bill_status().await, BillStatus::Unpaid);
}

async fn a_failing_superseded_payment_leaves_the_bill_to_its_successor(db: Db) {
    let house = House::open(&db).await;
    let first = house.pays("KSR-1").await;
    let second = house.pays_instead("KSR-2", &first).await;
    let first = house.reads(first.id).await;
    house.moves(&first, State::Failed(Failure::Cancelled)).await;
    assert_eq!(house.bill_status().await, BillStatus::Pending);
    house.moves(&second, State::Failed(Failure::Expired)).await;
    assert_eq!(house.bill_status().await, BillStatus::Unpaid);
}

async fn a_superseded_payment_that_was_paid_pays_the_bill(db: Db) {
    let house = House::open(&db).await;
    let first = house.pays("KSR-1").await;
    let second = house.pays_instead("KSR-2", &first).await;
    let first = house.reads(first.id).await;
    house.moves(&first, State::Paid).await;
    assert_eq!(house.bill_status().await, BillStatus::Paid);
    house.moves(&second, State::Failed(Failure::Withdrawn)).await;
    assert_eq!(house.bill_status().await, BillStatus::Paid);
    assert_eq!(findings::newest(&db, 10).await.unwrap(), []);
}
