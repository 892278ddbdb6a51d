//! The house: its people, its rooms, their bills, and the ways to pay.

use chrono::NaiveDate;
use domain::{BillId, BillStatus, Email, Failure, Method, Period, Rank, Role, RoomId, Secret, State, UserId};
use store::people::NewPerson;
use store::{Db, StoreError, bills, methods, people, rooms};

use crate::support::{House, RENT, at, execute, number, person, rupiah};

on_both![
    a_person_is_found_by_address_and_by_row,
    an_address_is_taken_once,
    a_password_hash_comes_back_and_does_not_print,
    a_room_code_is_taken_once,
    a_room_has_one_tenant_and_a_tenant_one_room,
    a_tenant_has_one_bill_for_a_month,
    bills_are_listed_newest_month_first,
    a_tenant_owes_what_is_not_paid,
    a_bill_of_somebody_unknown_is_refused,
    methods_are_offered_once_and_in_order,
];

fn address(text: &str) -> Email {
    Email::try_from(text.to_owned()).unwrap()
}

async fn a_person_is_found_by_address_and_by_row(db: Db) {
    assert_eq!(people::count(&db).await.unwrap(), 0);
    let id = person(&db, "budi@kost.test").await.unwrap();
    let found = people::find_by_email(&db, &address("Budi@Kost.Test")).await.unwrap().unwrap();
    assert_eq!((found.id, found.name.as_str(), found.role), (id, "Budi", Role::Tenant));
    assert_eq!((found.email, found.phone), (address("budi@kost.test"), None));
    assert_eq!(people::find(&db, id).await.unwrap().unwrap().id, id);
    assert!(people::find(&db, UserId(404)).await.unwrap().is_none());
    assert!(people::find_by_email(&db, &address("siti@kost.test")).await.unwrap().is_none());
    assert_eq!(people::count(&db).await.unwrap(), 1);
}

async fn an_address_is_taken_once(db: Db) {
    assert!(person(&db, "budi@kost.test").await.is_some());
    assert!(person(&db, "BUDI@kost.test").await.is_none());
    assert!(person(&db, "siti@kost.test").await.is_some());
    assert_eq!(people::count(&db).await.unwrap(), 2);
    // Who has left gives the address back, and logs in no more.
    execute(&db, "UPDATE users SET deleted_at = 1 WHERE email = 'budi@kost.test'").await.unwrap();
    assert!(people::find_by_email(&db, &address("budi@kost.test")).await.unwrap().is_none());
    assert_eq!(people::count(&db).await.unwrap(), 1);
    assert!(person(&db, "budi@kost.test").await.is_some());
}

async fn a_password_hash_comes_back_and_does_not_print(db: Db) {
    let email = address("ibu@kost.test");
    let password_hash = Secret::from("$argon2id$hush");
    let new = NewPerson {
        email: &email,
        name: "Ibu",
        role: Role::Admin,
        rank: Rank::Owner,
        password_hash: &password_hash,
    };
    let id = people::insert(&db, &new, at(0)).await.unwrap().unwrap();
    let found = people::find(&db, id).await.unwrap().unwrap();
    assert_eq!(found.role, Role::Admin);
    person(&db, "budi@kost.test").await.unwrap();
    let admins = people::admins(&db, 10).await.unwrap();
    assert_eq!((admins.len(), admins[0].id, admins[0].rank), (1, id, Rank::Owner));
    assert_eq!(found.password_hash.expose(), "$argon2id$hush");
    assert!(!format!("{new:?} {found:?}").contains("hush"));
}

async fn a_room_code_is_taken_once(db: Db) {
    assert!(rooms::insert(&db, "A1", rupiah(RENT), at(0)).await.unwrap().is_some());
    assert_eq!(rooms::insert(&db, "A1", rupiah(1), at(1)).await.unwrap(), None);
    assert!(rooms::insert(&db, "A2", rupiah(0), at(1)).await.unwrap().is_some());
    assert_eq!(number(&db, "SELECT price FROM rooms WHERE code = 'A1'").await, RENT);
}

async fn a_room_has_one_tenant_and_a_tenant_one_room(db: Db) {
    let house = House::open(&db).await;
    let other_room = rooms::insert(&db, "A2", rupiah(RENT), at(0)).await.unwrap().unwrap();
    let siti = person(&db, "siti@kost.test").await.unwrap();
    let day = NaiveDate::from_ymd_opt(2026, 1, 31).unwrap();
    assert!(rooms::move_in(&db, house.tenant, house.room, day).await.unwrap());
    assert!(!rooms::move_in(&db, house.tenant, house.room, day).await.unwrap());
    assert!(!rooms::move_in(&db, siti, house.room, day).await.unwrap());
    assert!(!rooms::move_in(&db, house.tenant, other_room, day).await.unwrap());
    assert!(rooms::move_in(&db, siti, other_room, day).await.unwrap());
    let that_day = "SELECT count(*) FROM tenancies WHERE start_date = '2026-01-31' AND end_date IS NULL";
    assert_eq!(number(&db, that_day).await, 2);

    let nowhere = rooms::move_in(&db, siti, RoomId(404), day).await;
    assert!(matches!(nowhere, Ok(false) | Err(StoreError::Database(_))), "{nowhere:?}");
}

async fn a_tenant_has_one_bill_for_a_month(db: Db) {
    let house = House::open(&db).await;
    let january = Period::new(2026, 1).unwrap();
    let again =
        bills::NewBill { tenant_id: house.tenant, room_id: house.room, period: january, amount: rupiah(1) };
    assert_eq!(bills::insert(&db, &again, at(5)).await.unwrap(), None);
    let siti = person(&db, "siti@kost.test").await.unwrap();
    let hers = bills::NewBill { tenant_id: siti, ..again };
    assert!(bills::insert(&db, &hers, at(5)).await.unwrap().is_some());

    let bill = bills::find(&db, house.bill).await.unwrap().unwrap();
    assert_eq!((bill.id, bill.tenant_id, bill.period), (house.bill, house.tenant, january));
    assert_eq!((bill.amount, bill.status), (rupiah(RENT), BillStatus::Unpaid));
    assert_eq!(bills::find(&db, BillId(404)).await.unwrap(), None);
}

async fn bills_are_listed_newest_month_first(db: Db) {
    let house = House::open(&db).await;
    for month in [12, 2] {
        house.bill_of(month).await;
    }
    let next_year = bills::NewBill {
        tenant_id: house.tenant,
        room_id: house.room,
        period: Period::new(2027, 1).unwrap(),
        amount: rupiah(RENT),
    };
    bills::insert(&db, &next_year, at(0)).await.unwrap().unwrap();
    let listed = async |limit| {
        let page = bills::of_tenant(&db, house.tenant, limit).await.unwrap();
        page.iter().map(|bill| bill.period.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(listed(10).await, ["2027-01", "2026-12", "2026-02", "2026-01"]);
    assert_eq!(listed(2).await, ["2027-01", "2026-12"]);
    assert_eq!(bills::of_tenant(&db, UserId(404), 10).await.unwrap(), []);
}

async fn a_tenant_owes_what_is_not_paid(db: Db) {
    let house = House::open(&db).await;
    house.bill_of(2).await;
    let owes = async || bills::owed_by(&db, house.tenant).await.unwrap();
    assert_eq!(owes().await, rupiah(2 * RENT));
    let payment = house.pays("KSR-1").await;
    assert_eq!(owes().await, rupiah(2 * RENT));
    let paid = house.moves(&payment, State::Paid).await;
    assert_eq!(owes().await, rupiah(RENT));
    house.moves(&paid, State::Failed(Failure::Reversed)).await;
    assert_eq!(owes().await, rupiah(2 * RENT));
    assert_eq!(bills::owed_by(&db, UserId(404)).await.unwrap(), rupiah(0));
}

async fn a_bill_of_somebody_unknown_is_refused(db: Db) {
    let house = House::open(&db).await;
    let period = Period::new(2026, 2).unwrap();
    let new = bills::NewBill { tenant_id: UserId(404), room_id: house.room, period, amount: rupiah(RENT) };
    let refused = bills::insert(&db, &new, at(0)).await.unwrap_err();
    assert!(matches!(refused, StoreError::Database(_)), "{refused}");
}

async fn methods_are_offered_once_and_in_order(db: Db) {
    assert_eq!(methods::all(&db).await.unwrap(), []);
    methods::offer_all(&db).await.unwrap();
    let offered = methods::all(&db).await.unwrap();
    let in_order: Vec<Method> = offered.iter().map(|one| one.method).collect();
    assert!(in_order.into_iter().eq(Method::offered()));
    assert!(offered.iter().all(|one| one.active));
    assert_eq!(
        (offered[0].title.as_str(), offered[0].logo.as_str()),
        ("BCA Virtual Account", "/logos/bca.svg")
    );

    // What the house has changed stays changed.
    execute(&db, "UPDATE payment_methods SET active = FALSE, title = 'BCA' WHERE code = 'bca'")
        .await
        .unwrap();
    methods::offer_all(&db).await.unwrap();
    let again = methods::all(&db).await.unwrap();
    assert_eq!((again[0].id, again[0].title.as_str(), again[0].active), (offered[0].id, "BCA", false));
    assert_eq!(again[1..], offered[1..]);
}
