//! What the house does itself: rooms, tenants, bills, cash, the rent of a month; each with its row of the audit.

use chrono::NaiveDate;
use domain::{
    BillId, BillStatus, Email, Invoice, MethodId, PaymentId, Period, RoomId, Secret, State, Terms, UserId,
};
use store::audit::{Actor, By};
use store::bills::Extra;
use store::cash::{self, Cash};
use store::creation::{self, Creation, NewPayment};
use store::ledger::NewJob;
use store::methods::MethodChange;
use store::payments;
use store::rent::{self, Batch, Billed};
use store::rooms::RoomChange;
use store::sessions::{self, NewSession, NewToken, Rotation};
use store::tenants::{self, NewTenant, Tenant, TenantChange};
use store::{Db, Page, Refusal, Undone, audit, bills, history, jobs, methods, people, rooms};

use crate::support::{House, RENT, at, at_once, execute, job, number, rupiah};

on_both![
    rooms_are_added_changed_and_given_up,
    a_room_is_not_given_up_while_somebody_lives_there,
    a_tenant_moves_in_and_is_billed_for_the_month,
    a_tenant_who_cannot_move_in_is_not_written_down,
    a_tenant_moves_to_another_room,
    a_tenant_who_leaves_keeps_only_the_past,
    lists_go_on_where_the_page_before_ended,
    an_extra_bill_stands_beside_the_rent,
    a_void_bill_is_owed_by_nobody_and_not_billed_again,
    cash_pays_a_bill_and_ends_what_was_under_way,
    a_month_is_billed_once_in_batches,
    many_who_bill_at_once_bill_once,
    only_who_lived_there_in_the_month_is_billed,
    a_method_is_switched_off_and_renamed,
    the_audit_is_append_only,
];

const TERMS: Terms = Terms { due_day: 10, pro_rata: false };
const ALL: Page = Page { after: None, limit: 100 };

fn ibu() -> Actor {
    Actor { id: None, name: "ibu@kost.test".to_owned() }
}

fn by(actor: &Actor) -> By<'_> {
    By { actor, reason: Some("because"), now: at(100) }
}

fn address(name: &str) -> Email {
    Email::try_from(format!("{name}@kost.test")).unwrap()
}

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn cancel(id: PaymentId) -> NewJob {
    NewJob { payment_id: Some(id), ..job(&format!("cancel:{id}")) }
}

async fn arrives(db: &Db, name: &str, room: &str, start: &str) -> Result<Tenant, Undone> {
    let (email, password_hash) = (address(name), Secret::from("$argon2id$hush"));
    let new = NewTenant {
        email: &email,
        name,
        phone: None,
        password_hash: &password_hash,
        start_date: day(start),
        room_code: room,
    };
    tenants::add(db, &new, TERMS, &by(&ibu())).await
}

#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T, Undone>) -> Refusal {
    match result {
        Err(Undone::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

async fn actions(db: &Db) -> Vec<String> {
    audit::newest(db, None, 100).await.unwrap().into_iter().map(|row| row.action).collect()
}

async fn rooms_are_added_changed_and_given_up(db: Db) {
    let ibu = ibu();
    let room = rooms::add(&db, "A1", rupiah(RENT), &by(&ibu)).await.unwrap();
    assert!(room.available);
    assert_eq!(refused(rooms::add(&db, "A1", rupiah(1), &by(&ibu)).await), Refusal::CodeTaken);
    let other = rooms::add(&db, "A2", rupiah(RENT), &by(&ibu)).await.unwrap();
    let dearer = RoomChange { code: None, price: Some(rupiah(2 * RENT)) };
    let changed = rooms::change(&db, room.id, &dearer, &by(&ibu)).await.unwrap();
    assert_eq!((changed.code.as_str(), changed.price), ("A1", rupiah(2 * RENT)));
    let same_code = RoomChange { code: Some("A2"), price: None };
    assert_eq!(refused(rooms::change(&db, room.id, &same_code, &by(&ibu)).await), Refusal::CodeTaken);
    assert_eq!(refused(rooms::change(&db, RoomId(404), &dearer, &by(&ibu)).await), Refusal::NotThere);
    assert_eq!(rooms::list(&db, ALL).await.unwrap(), [changed, other.clone()]);

    rooms::remove(&db, room.id, &by(&ibu)).await.unwrap();
    assert_eq!(refused(rooms::remove(&db, room.id, &by(&ibu)).await), Refusal::NotThere);
    assert_eq!(rooms::list(&db, ALL).await.unwrap(), [other]);
    assert!(rooms::add(&db, "A1", rupiah(RENT), &by(&ibu)).await.is_ok(), "the code is free again");

    let rows = audit::newest(&db, None, 100).await.unwrap();
    let told: Vec<&str> = rows.iter().map(|row| row.action.as_str()).collect();
    assert_eq!(told, ["room.create", "room.delete", "room.change", "room.create", "room.create"]);
    assert_eq!((rows[2].actor.as_str(), rows[2].reason.as_deref()), ("ibu@kost.test", Some("because")));
    assert_eq!(rows[2].before.as_deref(), Some(r#"{"code":"A1","price":1500000}"#));
    assert_eq!(rows[2].after.as_deref(), Some(r#"{"code":"A1","price":3000000}"#));
}

async fn a_room_is_not_given_up_while_somebody_lives_there(db: Db) {
    let house = House::open(&db).await;
    rooms::move_in(&db, house.tenant, house.room, day("2026-01-01")).await.unwrap();
    assert!(!rooms::list(&db, ALL).await.unwrap()[0].available);
    assert_eq!(refused(rooms::remove(&db, house.room, &by(&ibu())).await), Refusal::RoomOccupied);
    assert_eq!(actions(&db).await, Vec::<String>::new());
}

async fn a_tenant_moves_in_and_is_billed_for_the_month(db: Db) {
    rooms::add(&db, "A1", rupiah(RENT), &by(&ibu())).await.unwrap();
    let siti = arrives(&db, "siti", "A1", "2026-01-20").await.unwrap();
    assert_eq!(tenants::list(&db, ALL).await.unwrap(), std::slice::from_ref(&siti));
    let bills = bills::of_tenant(&db, siti.id, 10).await.unwrap();
    assert_eq!((bills.len(), bills[0].amount), (1, rupiah(RENT)));
    assert_eq!(bills[0].period, Period::new(2026, 1).unwrap());
    assert_eq!(bills[0].due_at, Some("2026-01-20T16:59:00Z".parse().unwrap()));

    rooms::add(&db, "A2", rupiah(RENT), &by(&ibu())).await.unwrap();
    let budi = arrives(&db, "budi", "A2", "2026-02-01").await.unwrap();
    assert_eq!(bills::of_tenant(&db, budi.id, 10).await.unwrap(), [], "not before the stay begins");
    let told = audit::newest(&db, None, 1).await.unwrap().remove(0).after.unwrap();
    assert!(told.contains("budi@kost.test") && !told.contains("hush"), "{told}");
}

async fn a_tenant_who_cannot_move_in_is_not_written_down(db: Db) {
    let house = House::open(&db).await;
    rooms::move_in(&db, house.tenant, house.room, day("2026-01-01")).await.unwrap();
    rooms::add(&db, "A2", rupiah(RENT), &by(&ibu())).await.unwrap();
    let before = people::count(&db).await.unwrap();
    let start = "2026-01-01";
    assert_eq!(refused(arrives(&db, "siti", "A1", start).await), Refusal::RoomOccupied);
    assert_eq!(refused(arrives(&db, "siti", "Z9", start).await), Refusal::NoSuchRoom);
    assert_eq!(refused(arrives(&db, "budi", "A2", start).await), Refusal::EmailTaken);
    assert_eq!(people::count(&db).await.unwrap(), before);
    assert_eq!(actions(&db).await, ["room.create"]);
}

async fn a_tenant_moves_to_another_room(db: Db) {
    for code in ["A1", "A2", "A3"] {
        rooms::add(&db, code, rupiah(RENT), &by(&ibu())).await.unwrap();
    }
    let siti = arrives(&db, "siti", "A1", "2025-12-01").await.unwrap();
    let agus = arrives(&db, "agus", "A3", "2025-12-01").await.unwrap();
    let changed = async |change: TenantChange<'_>| tenants::change(&db, siti.id, &change, &by(&ibu())).await;
    let email = address("siti.rahma");
    let renamed = TenantChange {
        email: Some(&email),
        name: Some("Siti Rahma"),
        phone: Some("0812"),
        room_code: Some("A2"),
    };
    let moved = changed(renamed).await.unwrap();
    assert_eq!((moved.name.as_str(), moved.phone.as_deref()), ("Siti Rahma", Some("0812")));
    assert_eq!((moved.room_code.as_str(), moved.start_date), ("A2", day("2026-01-01")));
    assert_eq!(tenants::list(&db, ALL).await.unwrap(), [moved, agus.clone()]);
    let free: Vec<bool> = rooms::list(&db, ALL).await.unwrap().iter().map(|room| room.available).collect();
    assert_eq!(free, [true, false, false]);

    let to = |room_code| TenantChange { room_code: Some(room_code), ..TenantChange::default() };
    assert_eq!(refused(changed(to("A3")).await), Refusal::RoomOccupied);
    assert_eq!(refused(changed(to("Z9")).await), Refusal::NoSuchRoom);
    let taken = TenantChange { email: Some(&agus.email), ..TenantChange::default() };
    assert_eq!(refused(changed(taken).await), Refusal::EmailTaken);
    let nobody = tenants::change(&db, UserId(404), &to("A1"), &by(&ibu())).await;
    assert_eq!(refused(nobody), Refusal::NotThere);
    // Yesterday was in December: January is the new room's.
    assert_eq!(bills::of_tenant(&db, siti.id, 10).await.unwrap().len(), 1);
}

async fn a_tenant_who_leaves_keeps_only_the_past(db: Db) {
    rooms::add(&db, "A1", rupiah(RENT), &by(&ibu())).await.unwrap();
    let siti = arrives(&db, "siti", "A1", "2026-01-01").await.unwrap();
    let token = NewToken { token_hash: "one", expires_at: at(10_000) };
    let session = NewSession { user: siti.id, family: "family", token };
    sessions::begin(&db, &session, at(1)).await.unwrap();
    let bill = bills::of_tenant(&db, siti.id, 1).await.unwrap().remove(0);
    let house = House { db: db.clone(), tenant: siti.id, room: RoomId(1), bill: bill.id };
    let payment = house.pays("KSR-1").await;

    let jobs = tenants::remove(&db, siti.id, &cancel, &by(&ibu())).await.unwrap();
    assert_eq!(jobs.len(), 1);
    assert_eq!(jobs::find(&db, jobs[0]).await.unwrap().unwrap().payment_id, Some(payment.id));
    let given_up = house.reads(payment.id).await;
    assert_eq!((given_up.state, given_up.superseded_at), (State::Created, Some(at(100))));
    assert_eq!(history::of_payment(&db, payment.id).await.unwrap()[1].source, "operator");
    assert_eq!(tenants::list(&db, ALL).await.unwrap(), []);
    assert!(people::find_by_email(&db, &siti.email).await.unwrap().is_none());
    assert!(rooms::list(&db, ALL).await.unwrap()[0].available);
    let next = NewToken { token_hash: "two", expires_at: at(10_000) };
    assert_eq!(sessions::rotate(&db, "one", &next, at(101)).await.unwrap(), Rotation::Refused);
    assert!(bills::find(&db, bill.id).await.unwrap().is_some());

    // Whoever was about to pay comes too late.
    let late = NewPayment { bill_id: bill.id, ..house.payment("KSR-2") };
    let creation = creation::create(&db, &late, |_| Vec::new(), at(102)).await.unwrap();
    assert!(matches!(creation, Creation::Raced), "{creation:?}");
    assert_eq!(refused(tenants::remove(&db, siti.id, &cancel, &by(&ibu())).await), Refusal::NotThere);
    assert!(arrives(&db, "siti", "A1", "2026-01-01").await.is_ok(), "address and room are free again");
}

async fn lists_go_on_where_the_page_before_ended(db: Db) {
    for number in 1..=3 {
        let code = format!("A{number}");
        rooms::add(&db, &code, rupiah(RENT), &by(&ibu())).await.unwrap();
        arrives(&db, &format!("tenant{number}"), &code, "2026-01-01").await.unwrap();
    }
    let page = |after| Page { after, limit: 2 };
    let first = rooms::list(&db, page(None)).await.unwrap();
    let rest = rooms::list(&db, page(Some(first[1].id.0))).await.unwrap();
    assert_eq!((first.len(), rest.len(), rest[0].code.as_str()), (2, 1, "A3"));
    let first = tenants::list(&db, page(None)).await.unwrap();
    let rest = tenants::list(&db, page(Some(first[1].id.0))).await.unwrap();
    assert_eq!((first.len(), rest.len(), rest[0].name.as_str()), (2, 1, "tenant3"));
    let first = bills::of_house(&db, page(None)).await.unwrap();
    let rest = bills::of_house(&db, page(Some(first[1].bill.id.0))).await.unwrap();
    assert_eq!((first[0].tenant_name.as_str(), first[0].room_code.as_str()), ("tenant3", "A3"));
    assert_eq!((first.len(), rest.len(), rest[0].tenant_name.as_str()), (2, 1, "tenant1"));
    let first = audit::newest(&db, None, 2).await.unwrap();
    let rest = audit::newest(&db, Some(first[1].id), 100).await.unwrap();
    assert_eq!((first.len(), rest.len()), (2, 4));
}

async fn an_extra_bill_stands_beside_the_rent(db: Db) {
    let house = House::open(&db).await;
    let extra = Extra {
        tenant_id: house.tenant,
        title: "Laundry",
        amount: rupiah(50_000),
        period: Period::new(2026, 1).unwrap(),
        due_at: Some(at(500)),
    };
    assert_eq!(refused(bills::add_extra(&db, &extra, &by(&ibu())).await), Refusal::NotThere, "lives nowhere");
    rooms::move_in(&db, house.tenant, house.room, day("2026-01-01")).await.unwrap();
    for _ in 0..2 {
        bills::add_extra(&db, &extra, &by(&ibu())).await.unwrap();
    }
    let listed = bills::of_house(&db, ALL).await.unwrap();
    assert_eq!((listed.len(), listed[0].bill.title.as_deref()), (3, Some("Laundry")));
    assert_eq!((listed[0].bill.due_at, listed[2].bill.title.as_deref()), (Some(at(500)), None));
    assert_eq!(bills::entry(&db, listed[0].bill.id).await.unwrap().as_ref(), Some(&listed[0]));
    bills::void(&db, listed[1].bill.id, &by(&ibu())).await.unwrap();
    assert_eq!(bills::entry(&db, listed[1].bill.id).await.unwrap(), None, "void");
    assert_eq!(bills::owed_by(&db, house.tenant).await.unwrap(), rupiah(RENT + 50_000));
    assert_eq!(bills::count_open(&db).await.unwrap(), 2);
    let nobody = Extra { tenant_id: UserId(404), ..extra };
    assert_eq!(refused(bills::add_extra(&db, &nobody, &by(&ibu())).await), Refusal::NotThere);
    assert_eq!(actions(&db).await, ["bill.void", "bill.create", "bill.create"]);
}

fn january(after: i64, limit: i64) -> Batch {
    Batch { period: Period::new(2026, 1).unwrap(), terms: TERMS, after, limit }
}

async fn a_void_bill_is_owed_by_nobody_and_not_billed_again(db: Db) {
    let house = House::open(&db).await;
    rooms::move_in(&db, house.tenant, house.room, day("2026-01-01")).await.unwrap();
    let payment = house.pays("KSR-1").await;
    let void = async || bills::void(&db, house.bill, &by(&ibu())).await;
    assert_eq!(refused(void().await), Refusal::BillBeingPaid);
    house.moves(&payment, State::Failed(domain::Failure::Expired)).await;
    void().await.unwrap();
    assert_eq!(refused(void().await), Refusal::NotThere);

    assert_eq!(bills::find(&db, house.bill).await.unwrap(), None);
    assert_eq!(bills::of_tenant(&db, house.tenant, 10).await.unwrap(), []);
    assert_eq!(bills::of_house(&db, ALL).await.unwrap(), []);
    assert_eq!(bills::owed_by(&db, house.tenant).await.unwrap(), rupiah(0));
    assert_eq!(bills::count_open(&db).await.unwrap(), 0);
    assert_eq!(rent::bill(&db, &january(0, 10), at(200)).await.unwrap(), Billed { bills: 0, next: None });
    let creation = creation::create(&db, &house.payment("KSR-2"), |_| Vec::new(), at(201)).await.unwrap();
    assert!(matches!(creation, Creation::Raced), "{creation:?}");
    assert_eq!(actions(&db).await, ["bill.void"]);
}

async fn cash_pays_a_bill_and_ends_what_was_under_way(db: Db) {
    let house = House::open(&db).await;
    let live = house.pays("KSR-1").await;
    let cash = Cash { bill_id: house.bill, invoice: Invoice::try_from("KSR-CASH").unwrap() };
    let take = async |cash: &Cash| cash::take(&db, cash, &cancel, &by(&ibu())).await;
    let jobs = take(&cash).await.unwrap();
    assert_eq!(jobs.len(), 1);
    assert_eq!(jobs::find(&db, jobs[0]).await.unwrap().unwrap().payment_id, Some(live.id));
    assert_eq!(house.bill_status().await, BillStatus::Paid);

    let paid = payments::find_by_invoice(&db, &cash.invoice).await.unwrap().unwrap();
    assert_eq!((paid.method.code(), paid.state, paid.amount), ("cash", State::Paid, rupiah(RENT)));
    assert_eq!((paid.paid_at, paid.tenant_id), (Some(at(100)), house.tenant));
    let row = history::of_payment(&db, paid.id).await.unwrap().remove(0);
    assert_eq!(
        (row.event.as_str(), row.source.as_str(), row.detail.as_str()),
        ("cash", "operator", "because")
    );
    assert_eq!(number(&db, "SELECT count(*) FROM payments WHERE next_check_at IS NOT NULL").await, 1);

    // What was under way ends, and the bill stays paid.
    let live = house.reads(live.id).await;
    assert!(live.superseded_at.is_some());
    house.moves(&live, State::Failed(domain::Failure::Withdrawn)).await;
    assert_eq!(house.bill_status().await, BillStatus::Paid);
    let again = Cash { invoice: Invoice::try_from("KSR-CASH-2").unwrap(), ..cash.clone() };
    assert_eq!(refused(take(&again).await), Refusal::BillPaid);
    assert_eq!(refused(bills::void(&db, house.bill, &by(&ibu())).await), Refusal::BillPaid);
    assert_eq!(refused(take(&Cash { bill_id: BillId(404), ..again }).await), Refusal::NotThere);
    assert_eq!(actions(&db).await, ["bill.mark-paid"]);
}

/// So many tenants, each in a room of their own since the beginning of the year, with no bill.
async fn full_house(db: &Db, tenants: usize) {
    for number in 0..tenants {
        let code = format!("A{number}");
        rooms::add(db, &code, rupiah(RENT), &by(&ibu())).await.unwrap();
        arrives(db, &format!("tenant{number}"), &code, "2026-01-01").await.unwrap();
    }
    execute(db, "DELETE FROM bills").await.unwrap();
}

async fn a_month_is_billed_once_in_batches(db: Db) {
    full_house(&db, 5).await;
    let mut after = 0;
    let mut batches = Vec::new();
    loop {
        let billed = rent::bill(&db, &january(after, 2), at(200)).await.unwrap();
        batches.push(billed.bills);
        let Some(next) = billed.next else { break };
        after = next;
    }
    assert_eq!(batches, [2, 2, 1]);
    assert_eq!(rent::bill(&db, &january(0, 10), at(300)).await.unwrap(), Billed { bills: 0, next: None });
    assert_eq!(bills::count_open(&db).await.unwrap(), 5);
    assert_eq!(number(&db, "SELECT max(created_at) FROM bills").await, at(200).timestamp_millis());
}

async fn many_who_bill_at_once_bill_once(db: Db) {
    full_house(&db, 4).await;
    let billed = at_once(6, |_| {
        let db = db.clone();
        async move { rent::bill(&db, &january(0, 10), at(200)).await.unwrap().bills }
    })
    .await;
    assert_eq!(billed.iter().sum::<usize>(), 4);
    assert_eq!(bills::count_open(&db).await.unwrap(), 4);
}

async fn only_who_lived_there_in_the_month_is_billed(db: Db) {
    full_house(&db, 5).await;
    for sql in [
        "UPDATE tenancies SET start_date = '2026-02-01' WHERE id = 1",
        "UPDATE tenancies SET start_date = '2025-06-01', end_date = '2025-12-31' WHERE id = 2",
        "UPDATE tenancies SET end_date = '2026-01-01' WHERE id = 3",
        "UPDATE tenancies SET start_date = '2026-01-20', end_date = '2026-01-19' WHERE id = 4",
    ] {
        execute(&db, sql).await.unwrap();
    }
    assert_eq!(rent::bill(&db, &january(0, 10), at(200)).await.unwrap().bills, 2);
    let mut billed: Vec<String> =
        bills::of_house(&db, ALL).await.unwrap().into_iter().map(|entry| entry.room_code).collect();
    billed.sort_unstable();
    assert_eq!(billed, ["A2", "A4"]);
}

async fn a_method_is_switched_off_and_renamed(db: Db) {
    methods::offer_all(&db).await.unwrap();
    let bca = methods::all(&db).await.unwrap().remove(0);
    assert_eq!(bca.method.code(), "bca");
    let change = MethodChange { active: Some(false), title: Some("BCA"), place: Some(99) };
    let changed = methods::change(&db, bca.id, &change, &by(&ibu())).await.unwrap();
    assert_eq!((changed.active, changed.title.as_str()), (false, "BCA"));
    assert_eq!(methods::all(&db).await.unwrap().pop(), Some(changed.clone()));
    let nothing = methods::change(&db, bca.id, &MethodChange::default(), &by(&ibu())).await.unwrap();
    assert_eq!(nothing, changed);
    let unknown = methods::change(&db, MethodId(404), &change, &by(&ibu())).await;
    assert_eq!(refused(unknown), Refusal::NotThere);
    let offered = methods::all(&db).await.unwrap();
    assert!(offered.iter().all(|one| one.method.code() != "cash"), "cash is not offered");
}

async fn the_audit_is_append_only(db: Db) {
    rooms::add(&db, "A1", rupiah(RENT), &by(&ibu())).await.unwrap();
    assert!(execute(&db, "UPDATE audit SET actor = 'nobody'").await.is_err());
    assert!(execute(&db, "DELETE FROM audit").await.is_err());
    assert_eq!(audit::newest(&db, None, 10).await.unwrap()[0].actor, "ibu@kost.test");
}
