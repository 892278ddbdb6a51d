//! Who lives there: a few tenants who owe the rent of many months.

use clock::Clock;
use domain::{BillId, Email, Method, Rank, Role, Rupiah, Secret};
use kasir::http::Passwords;
use sqlx::Executor as _;
use store::people::NewPerson;
use store::{Db, methods, people, rooms};

const TENANTS: i64 = 20;
const BILLS: i64 = 6_000;
pub(crate) const PRICE: i64 = 1_250_000;
/// With and without idempotency keys, with and without an instruction in the answer of GET status (contract §1, §3).
const METHODS: [Method; 5] =
    [Method::Bca, Method::Permata, Method::Gopay, Method::Mandiri, Method::Indomaret];
/// Rents of months, in one statement: this is not what is tried.
const OWE: &str = "
    INSERT INTO bills (tenant_id, room_id, year, month, amount, created_at, updated_at)
    WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 5999)
    SELECT i % 20 + 1, i % 20 + 1, 2001 + i / 240, i / 20 % 12 + 1, 1250000, 1, 1 FROM n";

/// A bill, who owes it, and how it will be paid.
#[derive(Debug, Clone)]
pub(crate) struct Bill {
    pub(crate) id: BillId,
    pub(crate) email: String,
    pub(crate) method: &'static str,
}

/// All have the same password, which is hashed once. Neighbours in the list of bills pay by other methods.
pub(crate) async fn move_in(db: &Db, clock: &Clock, password: &str) -> Vec<Bill> {
    let passwords = Passwords::new(Secret::from("only to hash"), clock.clone(), 1).unwrap();
    let password_hash = passwords.hash(&Secret::from(password)).await.unwrap();
    methods::offer_all(db).await.unwrap();
    let (now, price) = (clock.now(), Rupiah::try_from(PRICE).unwrap());
    for number in 1..=TENANTS {
        let email = Email::try_from(email(number)).unwrap();
        let new = NewPerson {
            email: &email,
            name: "Budi",
            role: Role::Tenant,
            rank: Rank::Owner,
            password_hash: &password_hash,
        };
        assert_eq!(people::insert(db, &new, now).await.unwrap().unwrap().0, number);
        assert_eq!(rooms::insert(db, &format!("K{number}"), price, now).await.unwrap().unwrap().0, number);
    }
    match db {
        Db::Postgres(pool) => drop(pool.execute(OWE).await.unwrap()),
        Db::Sqlite { writer, .. } => drop(writer.execute(OWE).await.unwrap()),
    }
    let bill = |(id, method): (i64, &Method)| Bill {
        id: BillId(id),
        email: email((id - 1) % TENANTS + 1),
        method: method.code(),
    };
    (1..=BILLS).zip(METHODS.iter().cycle()).map(bill).collect()
}

fn email(tenant: i64) -> String {
    format!("tenant{tenant}@kost.test")
}
