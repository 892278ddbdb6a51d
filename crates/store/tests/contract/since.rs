//! What was read before is told again after each write to it, whoever wrote; and only then, where the database can say so.

use domain::{BillStatus, Failure, Invoice, Payment, Period, State, UserId};
use store::bills::{self, Bill, NewBill};
use store::since::{self, Since, Stamp};
use store::{Db, payments};

use crate::support::{House, RENT, at, at_once, execute, person, rupiah};

on_both![
    bills_are_told_anew_after_each_write_and_only_then,
    a_payment_is_told_anew_after_each_write_and_only_then,
    many_at_once_are_told_each_what_they_do_not_know,
];

/// What was told, as against what is known; `None` when nothing is new.
fn told<T>(since: Since<T>, known: &mut Option<Stamp>) -> Option<T> {
    let Since::Read(rows, stamp) = since else { return None };
    *known = stamp;
    Some(rows)
}

fn gives_stamps(db: &Db) -> bool {
    matches!(db, Db::Postgres(_))
}

async fn bills_of(db: &Db, tenant: UserId, known: &mut Option<Stamp>) -> Option<Vec<Bill>> {
    told(since::bills_of_tenant(db, tenant, 10, *known).await.unwrap(), known)
}

async fn bills_are_told_anew_after_each_write_and_only_then(db: Db) {
    let house = House::open(&db).await;
    let siti = person(&db, "siti@kost.test").await.unwrap();
    let (mut known, mut of_siti) = (None, None);
    for bills in [0, 1] {
        assert_eq!(bills_of(&db, siti, &mut of_siti).await.unwrap().len(), bills);
        let period = Period::new(2026, 1).unwrap();
        let hers = NewBill { tenant_id: siti, room_id: house.room, period, amount: rupiah(RENT) };
        bills::insert(&db, &hers, at(0)).await.unwrap();
    }
    let unchanged = async |known: &mut Option<Stamp>| {
        let again = bills_of(&db, house.tenant, known).await;
        assert_eq!(again.is_none(), gives_stamps(&db), "SQLite tells them each time");
    };
    let first = bills_of(&db, house.tenant, &mut known).await.unwrap();
    unchanged(&mut known).await;
    let payment = house.pays("KSR-1").await;
    let asked = bills_of(&db, house.tenant, &mut known).await.unwrap();
    assert_eq!((first[0].status, asked[0].status), (BillStatus::Unpaid, BillStatus::Pending));
    unchanged(&mut known).await;
    let paid = house.moves(&payment, State::Paid).await;
    assert_eq!(bills_of(&db, house.tenant, &mut known).await.unwrap()[0].status, BillStatus::Paid);
    house.moves(&paid, State::Failed(Failure::Reversed)).await;
    assert_eq!(bills_of(&db, house.tenant, &mut known).await.unwrap(), first, "told, though as it once was");
    house.bill_of(2).await;
    assert_eq!(bills_of(&db, house.tenant, &mut known).await.unwrap().len(), 2);
    for (write, left) in [
        ("UPDATE bills SET title = 'Laundry' WHERE month = 2", 2),
        ("UPDATE bills SET amount = amount + 1 WHERE month = 2", 2),
        ("UPDATE bills SET due_at = 1 WHERE month = 2", 2),
        ("UPDATE bills SET status = status WHERE month = 2", 2),
        ("UPDATE bills SET voided_at = 1 WHERE month = 2", 1),
        ("UPDATE bills SET voided_at = NULL WHERE month = 2", 2),
        ("DELETE FROM bills WHERE month = 2", 1),
    ] {
        execute(&db, write).await.unwrap();
        let told = bills_of(&db, house.tenant, &mut known).await;
        let bills = told.unwrap_or_else(|| panic!("not told: {write}"));
        assert_eq!((bills.len(), &bills), (left, &bills::of_tenant(&db, house.tenant, 10).await.unwrap()));
        unchanged(&mut known).await;
    }
    if gives_stamps(&db) {
        for no_write in ["SELECT id FROM bills FOR UPDATE", "VACUUM FREEZE bills", "VACUUM FULL bills"] {
            execute(&db, no_write).await.unwrap();
            unchanged(&mut known).await;
        }
    }
    let told = bills_of(&db, siti, &mut of_siti).await;
    assert_eq!(told.is_none(), gives_stamps(&db), "what others owe is nothing to her");
}

async fn seen(db: &Db, invoice: &Invoice, known: &mut Option<Stamp>) -> Option<Payment> {
    told(since::payment_of_invoice(db, invoice, *known).await.unwrap().unwrap(), known)
}

async fn a_payment_is_told_anew_after_each_write_and_only_then(db: Db) {
    let house = House::open(&db).await;
    let (payment, mut known) = (house.pays("KSR-1").await, None);
    let nobody = Invoice::try_from("KSR-404").unwrap();
    assert_eq!(since::payment_of_invoice(&db, &nobody, None).await.unwrap(), None);
    assert_eq!(seen(&db, &payment.invoice, &mut known).await.unwrap(), payment);
    let unchanged = async |known: &mut Option<Stamp>| {
        assert_eq!(seen(&db, &payment.invoice, known).await.is_none(), gives_stamps(&db));
    };
    unchanged(&mut known).await;
    let paid = house.moves(&payment, State::Paid).await;
    assert_eq!(seen(&db, &payment.invoice, &mut known).await, Some(paid));
    unchanged(&mut known).await;
    for write in [
        "UPDATE payments SET checked_at = 7",
        "UPDATE payments SET expires_at = 7",
        "UPDATE payments SET instruction = NULL",
        "UPDATE payments SET state = state",
    ] {
        execute(&db, write).await.unwrap();
        let told = seen(&db, &payment.invoice, &mut known).await;
        assert_eq!(told, payments::find(&db, payment.id).await.unwrap(), "{write}");
        unchanged(&mut known).await;
    }
}

async fn many_at_once_are_told_each_what_they_do_not_know(db: Db) {
    let house = House::open(&db).await;
    let payment = house.pays("KSR-1").await;
    let siti = person(&db, "siti@kost.test").await.unwrap();
    let (mut bills, mut one) = (None, None);
    bills_of(&db, house.tenant, &mut bills).await.unwrap();
    seen(&db, &payment.invoice, &mut one).await.unwrap();
    at_once(24, |number| {
        let (db, payment, tenant) = (db.clone(), payment.clone(), house.tenant);
        let knows = number % 2 == 0 && gives_stamps(&db);
        async move {
            let known = if knows { bills } else { None };
            let of_siti = since::bills_of_tenant(&db, siti, 10, known).await.unwrap();
            assert!(matches!(of_siti, Since::Read(bills, _) if bills.is_empty()), "she has other bills");
            match since::bills_of_tenant(&db, tenant, 10, known).await.unwrap() {
                Since::Unchanged => assert!(knows),
                Since::Read(bills, _) => assert_eq!((knows, bills.len()), (false, 1)),
            }
            let known = if knows { one } else { None };
            match since::payment_of_invoice(&db, &payment.invoice, known).await.unwrap().unwrap() {
                Since::Unchanged => assert!(knows),
                Since::Read(told, _) => assert_eq!((knows, told), (false, payment)),
            }
            let nobody = Invoice::try_from(format!("KSR-{number}404")).unwrap();
            assert_eq!(since::payment_of_invoice(&db, &nobody, known).await.unwrap(), None);
        }
    })
    .await;
}
