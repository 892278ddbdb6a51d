//! What tells of people is encrypted at rest, opens for its own row alone, and a key that is missing stops no payment.

use std::sync::Arc;

use clock::Clock;
use domain::{Email, Instruction, Learned, Method, Rank, Role, Secret, State, Terms};
use store::audit::{Actor, By};
use store::creation::NewPayment;
use store::notifications::{self, NewNotification};
use store::payments::{self, Change};
use store::repeats::{self, Keyed, Standing, Window};
use store::tenants::{self, NewTenant, TenantChange};
use store::{DataKey, Db, Keys, Options, Page, StoreError, bills, calls, keys, people, rooms};

use crate::support::{EmptyDatabase, House, at, execute, job, moves, person, rupiah, texts};

on_both! {
    what_tells_of_people_is_not_in_the_database,
    rows_from_before_the_first_key_are_read_and_found,
    an_address_is_taken_once_sealed_or_not,
    a_missing_key_is_named_and_stops_no_payment,
    what_was_put_into_another_row_does_not_open,
    books_that_were_sealed_are_not_opened_without_a_key,
    a_key_of_another_name_or_other_bytes_is_told,
    many_who_unlock_at_once_have_one_index,
    a_key_that_is_lost_for_good_is_struck_out_and_the_house_goes_on,
}

pub(crate) fn key(id: &str, byte: u8) -> DataKey {
    DataKey::parse(DataKey::text(id, [byte; 32]).expose()).unwrap()
}

/// The books with these keys; they are not held against them yet.
pub(crate) async fn locked(url: &str, ring: Vec<DataKey>) -> Db {
    let clock = Clock::system();
    let keys = Arc::new(Keys::new(ring, move || clock.random()));
    let options = Options { wait: std::time::Duration::from_secs(30), keys, ..Options::default() };
    let db = store::connect(url, &options).await.unwrap();
    store::migrate(&db).await.unwrap();
    db
}

/// The books with these keys.
pub(crate) async fn with_keys(url: &str, ring: Vec<DataKey>) -> Db {
    let db = locked(url, ring).await;
    assert!(keys::unlock(&db, at(0)).await.unwrap().is_empty());
    db
}

pub(crate) fn email(text: &str) -> Email {
    Email::try_from(text.to_owned()).unwrap()
}

fn va() -> Instruction {
    Instruction::VirtualAccount { bank: "bca".to_owned(), number: "812345678901".to_owned() }
}

/// Everything that tells of Budi: a payment with the number of a wallet, one with an instruction, a notification, a call, an
/// answer that may be repeated.
pub(crate) async fn told_of_budi(db: &Db) -> House {
    let house = House::open(db).await;
    let by = By { actor: &Actor { id: None, name: "ibu".to_owned() }, reason: None, now: at(1) };
    assert!(rooms::move_in(db, house.tenant, house.room, at(0).date_naive()).await.unwrap());
    let change = TenantChange { phone: Some("+62811223344"), ..TenantChange::default() };
    tenants::change(db, house.tenant, &change, &by).await.unwrap();
    let payment = house.pays("INV-1").await;
    let learned = Learned {
        transaction_id: None,
        instruction: Some(va()),
        expires_at: Some(at(3600)),
        settled_at: None,
    };
    house.changes(&Change { learned: &learned, ..moves(&payment, State::Pending) }).await;
    let other = House { bill: house.bill_of(2).await, ..house.clone() };
    let wallet =
        NewPayment { payer_phone: Some("+62899887766"), method: Method::Gopay, ..other.payment("INV-2") };
    other.makes(&wallet).await;
    let new = NewNotification {
        body_hash: "hash-1".to_owned(),
        body: "{\"order_id\":\"INV-1\",\"customer\":\"Budi\"}",
        kind: "payment",
        order_id: Some("INV-1"),
        transaction_id: None,
        event: None,
        verified: true,
    };
    notifications::record(db, &new, |_| job("told"), at(2)).await.unwrap().unwrap();
    let call = calls::GatewayCall {
        name: Some("INV-1".to_owned()),
        method: "POST".to_owned(),
        path: "/v2/charge".to_owned(),
        http: Some(200),
        answer: "{\"va_number\":\"812345678901\"}".to_owned(),
        error: None,
        at: at(3),
        took: std::time::Duration::from_millis(5),
    };
    calls::record(db, &call).await.unwrap();
    let keyed = Keyed { user: house.tenant, key: "once", request_hash: "request", at: at(4) };
    let window = Window { since: at(0), stuck: at(0) };
    assert_eq!(repeats::take(db, &keyed, window).await.unwrap(), Standing::First);
    repeats::answer(db, &keyed, 201, "{\"name\":\"Budi\"}").await.unwrap();
    house
}

/// Everything that `told_of_budi` has written down, as it is read.
pub(crate) async fn assert_told(db: &Db, house: &House) {
    let budi = people::find_by_email(db, &email("budi@kost.test")).await.unwrap().unwrap();
    assert_eq!(
        (budi.id, budi.name.as_str(), budi.phone.as_deref()),
        (house.tenant, "Budi", Some("+62811223344"))
    );
    assert_eq!(people::find(db, house.tenant).await.unwrap().unwrap().email, budi.email);
    assert_eq!(people::find_active(db, house.tenant).await.unwrap().unwrap().name, "Budi");
    let page = Page { after: None, limit: 10 };
    assert_eq!(tenants::list(db, page).await.unwrap()[0].phone.as_deref(), Some("+62811223344"));
    assert_eq!(bills::entry(db, house.bill).await.unwrap().unwrap().tenant_name, "Budi");
    let payments = payments::of_bill(db, house.bill).await.unwrap();
    assert_eq!(payments[0].instruction, Some(va()));
    let filter = payments::PaymentFilter { tenant: Some(house.tenant), ..Default::default() };
    let found = payments::search(db, &filter, page).await.unwrap();
    assert_eq!(found[0].payer_phone.as_deref(), Some("+62899887766"));
    let newest = notifications::newest(db, 1).await.unwrap();
    let (_, body) = notifications::body_of(db, newest[0].id).await.unwrap().unwrap();
    assert!(body.contains("Budi"), "{body}");
    assert_eq!(notifications::told_of(db, payments[0].id).await.unwrap()[0].body, body);
    let call = &calls::of_names(db, &["INV-1"]).await.unwrap()[0];
    assert_eq!(call.answer, "{\"va_number\":\"812345678901\"}");
    let keyed = Keyed { user: house.tenant, key: "once", request_hash: "request", at: at(5) };
    let window = Window { since: at(0), stuck: at(0) };
    let again = repeats::take(db, &keyed, window).await.unwrap();
    assert_eq!(again, Standing::Answered(201, "{\"name\":\"Budi\"}".to_owned()));
}

/// All that the sealed columns hold.
pub(crate) async fn written(db: &Db) -> Vec<String> {
    let mut all = Vec::new();
    for sql in [
        "SELECT email || ' ' || name || ' ' || COALESCE(phone, '') || ' ' || COALESCE(personal, '') FROM users",
        "SELECT instruction FROM payments WHERE instruction IS NOT NULL",
        "SELECT COALESCE(payer_phone, '') || COALESCE(payer_sealed, '') FROM payments",
        "SELECT body FROM notifications",
        "SELECT answer FROM gateway_calls",
        "SELECT body FROM idempotency_keys",
    ] {
        all.extend(texts(db, sql).await);
    }
    all
}

async fn what_tells_of_people_is_not_in_the_database(empty: EmptyDatabase) {
    let db = with_keys(&empty.0, vec![key("k1", 1)]).await;
    let house = told_of_budi(&db).await;
    let written = written(&db).await.join("\n");
    for told in ["udi", "kost.test", "811223344", "899887766", "812345678901"] {
        assert!(!written.contains(told), "{told} stands in\n{written}");
    }
    assert_eq!(written.matches("x1.k1.").count(), 6, "{written}");
    assert_told(&db, &house).await;
}

async fn rows_from_before_the_first_key_are_read_and_found(empty: EmptyDatabase) {
    let plain = with_keys(&empty.0, Vec::new()).await;
    let house = told_of_budi(&plain).await;
    assert_told(&plain, &house).await;
    assert!(!written(&plain).await.join("\n").contains("x1."));
    let sealing = with_keys(&empty.0, vec![key("k1", 1)]).await;
    assert_told(&sealing, &house).await;
    // What is written anew is sealed.
    let by = By { actor: &Actor { id: None, name: "ibu".to_owned() }, reason: None, now: at(9) };
    let change = TenantChange { name: Some("Budi"), ..TenantChange::default() };
    tenants::change(&sealing, house.tenant, &change, &by).await.unwrap();
    assert!(texts(&sealing, "SELECT personal FROM users").await[0].starts_with("x1.k1."));
    assert_told(&sealing, &house).await;
}

async fn an_address_is_taken_once_sealed_or_not(empty: EmptyDatabase) {
    let plain = with_keys(&empty.0, Vec::new()).await;
    person(&plain, "budi@kost.test").await.unwrap();
    let db = with_keys(&empty.0, vec![key("k1", 1)]).await;
    assert_eq!(person(&db, "budi@kost.test").await, None);
    let citra = person(&db, "citra@kost.test").await.unwrap();
    assert_eq!(person(&db, "citra@kost.test").await, None);
    let room = rooms::insert(&db, "A1", rupiah(1), at(0)).await.unwrap().unwrap();
    assert!(rooms::move_in(&db, citra, room, at(0).date_naive()).await.unwrap());
    rooms::insert(&db, "A2", rupiah(1), at(0)).await.unwrap().unwrap();
    let by = By { actor: &Actor { id: None, name: "ibu".to_owned() }, reason: None, now: at(9) };
    for taken in ["budi@kost.test", "citra@kost.test"] {
        let (email, password_hash) = (email(taken), Secret::from("hash"));
        let new = NewTenant {
            email: &email,
            name: "Dewi",
            phone: None,
            password_hash: &password_hash,
            start_date: at(0).date_naive(),
            room_code: "A2",
        };
        tenants::add(&db, &new, Terms { due_day: 10, pro_rata: false }, &by).await.unwrap_err();
    }
    let mine = email("budi@kost.test");
    let change = TenantChange { email: Some(&mine), ..TenantChange::default() };
    tenants::change(&db, citra, &change, &by).await.unwrap_err();
    let new = people::NewPerson {
        email: &email("sari@kost.test"),
        name: "Ibu Sari",
        role: Role::Admin,
        rank: Rank::Staff,
        password_hash: &Secret::from("hash"),
    };
    people::insert(&db, &new, at(1)).await.unwrap().unwrap();
    people::change_rank(&db, &email("sari@kost.test"), Rank::Owner, &by).await.unwrap();
    assert_eq!(people::admins(&db, 10).await.unwrap()[0].name, "Ibu Sari");
}

async fn a_missing_key_is_named_and_stops_no_payment(empty: EmptyDatabase) {
    let old = with_keys(&empty.0, vec![key("k1", 1)]).await;
    let house = told_of_budi(&old).await;
    with_keys(&empty.0, vec![key("k2", 2), key("k1", 1)]).await;
    let db = locked(&empty.0, vec![key("k2", 2)]).await;
    assert_eq!(keys::check(&db).await.unwrap(), ["k1"]);
    assert_eq!(keys::unlock(&db, at(5)).await.unwrap(), ["k1"]);
    let names_it = |error: StoreError| {
        assert!(matches!(&error, StoreError::NoKey { key, .. } if key == "k1"), "{error}");
        assert!(error.to_string().contains("\"k1\""), "{error}");
    };
    names_it(people::find(&db, house.tenant).await.unwrap_err());
    let newest = notifications::newest(&db, 1).await.unwrap();
    names_it(notifications::body_of(&db, newest[0].id).await.unwrap_err());
    names_it(calls::of_names(&db, &["INV-1"]).await.unwrap_err());
    // The payment goes on, without its instruction.
    let payment = payments::find(&db, payments::of_bill(&old, house.bill).await.unwrap()[0].id).await;
    let payment = payment.unwrap().unwrap();
    assert_eq!((payment.state, &payment.instruction), (State::Pending, &None));
    let house = House { db: db.clone(), ..house };
    assert_eq!(house.moves(&payment, State::Paid).await.state, State::Paid);
    assert_eq!(payments::find(&old, payment.id).await.unwrap().unwrap().instruction, Some(va()));
    // One that was not charged yet waits for the number it needs.
    let filter = payments::PaymentFilter { tenant: Some(house.tenant), ..Default::default() };
    let unpaid = payments::search(&old, &filter, Page { after: None, limit: 1 }).await.unwrap();
    names_it(payments::find(&db, unpaid[0].id).await.unwrap_err());
}

async fn what_was_put_into_another_row_does_not_open(empty: EmptyDatabase) {
    let db = with_keys(&empty.0, vec![key("k1", 1)]).await;
    let house = told_of_budi(&db).await;
    let citra = person(&db, "citra@kost.test").await.unwrap();
    execute(
        &db,
        "UPDATE users SET personal = (SELECT personal FROM users WHERE name = '' ORDER BY id LIMIT 1)",
    )
    .await
    .unwrap();
    let error = people::find(&db, citra).await.unwrap_err();
    assert!(matches!(error, StoreError::Sealed { .. }), "{error}");
    assert_eq!(people::find(&db, house.tenant).await.unwrap().unwrap().name, "Budi");
    // An instruction of another payment would send the money elsewhere: it is shown to nobody.
    execute(
        &db,
        "UPDATE payments SET instruction = (SELECT instruction FROM payments WHERE invoice = 'INV-1')",
    )
    .await
    .unwrap();
    let filter = payments::PaymentFilter { tenant: Some(house.tenant), ..Default::default() };
    let both = payments::search(&db, &filter, Page { after: None, limit: 9 }).await.unwrap();
    assert_eq!(both[0].instruction, None);
    assert_eq!(both[1].instruction, Some(va()));
    execute(&db, "UPDATE notifications SET body = body || 'A'").await.unwrap();
    let newest = notifications::newest(&db, 1).await.unwrap();
    let error = notifications::body_of(&db, newest[0].id).await.unwrap_err();
    assert!(matches!(error, StoreError::Sealed { .. }), "{error}");
}

async fn books_that_were_sealed_are_not_opened_without_a_key(empty: EmptyDatabase) {
    let plain = locked(&empty.0, Vec::new()).await;
    assert!(keys::unlock(&plain, at(0)).await.unwrap().is_empty());
    let sealing = locked(&empty.0, vec![key("k1", 1)]).await;
    // Nobody is written down before the keys were held against the books.
    let sari = people::find_by_email(&sealing, &email("sari@kost.test")).await;
    assert!(matches!(sari, Err(StoreError::Locked)), "{sari:?}");
    keys::unlock(&sealing, at(0)).await.unwrap();
    assert_eq!(keys::in_use(&plain).await.unwrap(), ["k1"]);
    let error = keys::unlock(&plain, at(0)).await.unwrap_err();
    assert!(matches!(&error, StoreError::Keyless(id) if id == "k1"), "{error}");
}

async fn a_key_of_another_name_or_other_bytes_is_told(empty: EmptyDatabase) {
    with_keys(&empty.0, vec![key("k1", 1)]).await;
    let other = locked(&empty.0, vec![key("k1", 2)]).await;
    let error = keys::unlock(&other, at(0)).await.unwrap_err();
    assert!(matches!(error, StoreError::Sealed { .. }), "{error}");
    let stranger = locked(&empty.0, vec![key("k9", 9)]).await;
    let error = keys::unlock(&stranger, at(0)).await.unwrap_err();
    assert!(matches!(&error, StoreError::NoKey { key, .. } if key == "k1"), "{error}");
    assert_eq!(keys::in_use(&stranger).await.unwrap(), ["k1"]);
}

async fn a_key_that_is_lost_for_good_is_struck_out_and_the_house_goes_on(empty: EmptyDatabase) {
    let house = told_of_budi(&with_keys(&empty.0, vec![key("k1", 1)]).await).await;
    let db = locked(&empty.0, vec![key("k2", 2)]).await;
    keys::unlock(&db, at(5)).await.unwrap_err();
    let by =
        By { actor: &Actor { id: None, name: "ibu".to_owned() }, reason: Some("the safe burnt"), now: at(6) };
    assert!(!keys::forget(&db, "k9", &by).await.unwrap());
    assert!(keys::forget(&db, "k1", &by).await.unwrap());
    assert!(keys::unlock(&db, at(7)).await.unwrap().is_empty());
    assert!(matches!(people::find(&db, house.tenant).await, Err(StoreError::NoKey { .. })));
    let again = person(&db, "budi@kost.test").await.unwrap();
    let budi = people::find_by_email(&db, &email("budi@kost.test")).await.unwrap().unwrap();
    assert_eq!(budi.id, again);
}

async fn many_who_unlock_at_once_have_one_index(empty: EmptyDatabase) {
    locked(&empty.0, Vec::new()).await;
    let url = empty.0.clone();
    let found = crate::support::at_once(4, move |number| {
        let url = url.clone();
        async move {
            let db = with_keys(&url, vec![key("k1", 1)]).await;
            let name = format!("p{number}@kost.test");
            person(&db, &name).await.unwrap();
            db
        }
    });
    for db in found.await {
        for number in 0..4 {
            let found = people::find_by_email(&db, &email(&format!("p{number}@kost.test"))).await.unwrap();
            assert!(found.is_some(), "{number}");
        }
    }
}
