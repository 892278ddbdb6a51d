//! Who lives there: a few tenants who owe the rent of many months.

use clock::Clock;
use domain::{BillId, Email, Method, Period, Rank, Role, Rupiah, Secret};
use kasir::http::Passwords;
use store::Db;
use store::bills::NewBill;
use store::people::NewPerson;
use store::{bills, methods, people, rooms};

const TENANTS: usize = 20;
/// Years of twelve bills each.
const YEARS: std::ops::Range<i32> = 2001..2026;
pub(crate) const PRICE: i64 = 1_250_000;
/// With and without idempotency keys, with and without an instruction in the answer of GET status (contract §1, §3).
const METHODS: [Method; 5] =
    [Method::Bca, Method::Permata, Method::Gopay, Method::Mandiri, Method::Indomaret];

/// A bill, who owes it, and how it will be paid.
#[derive(Debug, Clone)]
pub(crate) struct Bill {
    pub(crate) id: BillId,
    pub(crate) email: String,
    pub(crate) method: &'static str,
}

/// All have the same password, which is hashed once. The bills come in an order in which neighbours pay by other methods.
pub(crate) async fn move_in(db: &Db, clock: &Clock, password: &str) -> Vec<Bill> {
    let passwords = Passwords::new(Secret::from("only to hash"), clock.clone(), 1).unwrap();
    let password_hash = passwords.hash(&Secret::from(password)).await.unwrap();
    methods::offer_all(db).await.unwrap();
    let (now, price) = (clock.now(), Rupiah::try_from(PRICE).unwrap());
    let mut tenants = Vec::new();
    for number in 0..TENANTS {
        let email = Email::try_from(format!("tenant{number}@kost.test")).unwrap();
        let new = NewPerson {
            email: &email,
            name: "Budi",
            role: Role::Tenant,
            rank: Rank::Owner,
            password_hash: &password_hash,
        };
        let tenant_id = people::insert(db, &new, now).await.unwrap().unwrap();
        let room_id = rooms::insert(db, &format!("K{number}"), price, now).await.unwrap().unwrap();
        tenants.push((tenant_id, room_id, email));
    }
    let mut all = Vec::new();
    let mut ways = METHODS.iter().cycle();
    for month in YEARS.flat_map(|year| (1..=12).map(move |month| (year, month))) {
        for (tenant_id, room_id, email) in &tenants {
            let period = Period::new(month.0, month.1).unwrap();
            let bill = NewBill { tenant_id: *tenant_id, room_id: *room_id, period, amount: price };
            let id = bills::insert(db, &bill, now).await.unwrap().unwrap();
            let method = ways.next().unwrap().code();
            all.push(Bill { id, email: email.as_str().to_owned(), method });
        }
    }
    all
}
