//! The journal: what is posted when money moves, and what the database refuses to hold.

use std::collections::BTreeMap;

use domain::{Failure, Invoice, PaymentId, State};
use sqlx::error::ErrorKind;
use store::audit::{Actor, By};
use store::cash::{self, Cash};
use store::{Db, journal};

use crate::support::{House, at, execute, job, number, rupiah};

on_both![
    every_move_of_a_payment_is_posted_and_the_accounts_sum_to_zero,
    cash_is_posted_when_it_is_taken,
    a_posting_that_does_not_balance_is_refused_by_the_database,
    no_posting_is_changed_or_deleted,
    a_payment_that_moves_past_the_journal_is_found,
    however_long_the_journal_is_all_of_it_is_read,
    the_journal_opens_with_what_the_books_hold,
];

/// What lies on each account that holds anything.
async fn balances(db: &Db) -> BTreeMap<&'static str, i64> {
    let all = journal::trial_balance(db).await.unwrap();
    assert_eq!(all.len(), domain::Account::ALL.len());
    assert_eq!(all.iter().map(journal::Balance::net).sum::<i64>(), 0);
    all.iter().map(|one| (one.account.as_str(), one.net())).filter(|(_, net)| *net != 0).collect()
}

async fn every_move_of_a_payment_is_posted_and_the_accounts_sum_to_zero(db: Db) {
    let house = House::open(&db).await;
    let part = State::PartiallyRefunded { total: rupiah(500_000) };
    let lives: [(State, &[(&str, i64)]); 6] = [
        (State::Asked, &[]),
        (State::Pending, &[("pending", 1_500_000), ("tenants", -1_500_000)]),
        (State::Review, &[("pending", 1_500_000), ("tenants", -1_500_000)]),
        (State::Paid, &[("gateway", 1_500_000), ("tenants", -1_500_000)]),
        (part, &[("gateway", 1_000_000), ("refunded", 500_000), ("tenants", -1_500_000)]),
        (State::ChargedBack, &[("charged_back", 1_000_000), ("refunded", 500_000), ("tenants", -1_500_000)]),
    ];
    let mut payment = house.pays("KSR-1").await;
    assert!(balances(&db).await.is_empty(), "what the gateway was not asked for is no money yet");
    for (to, expected) in lives {
        payment = house.moves(&payment, to).await;
        assert_eq!(balances(&db).await, expected.iter().copied().collect(), "{to:?}");
        assert_eq!(journal::drifted(&db, 10).await.unwrap(), []);
    }
    let posted = journal::of_payment(&db, payment.id).await.unwrap();
    let words: Vec<_> = posted.iter().map(|one| one.transfer.kind.as_str()).collect();
    assert_eq!(words, ["pending", "paid", "refunded", "charged_back"]);
    assert_eq!((posted[0].id, posted[0].at), (1, at(10)));
    assert_eq!(journal::of_payment(&db, PaymentId(404)).await.unwrap(), []);
}

async fn cash_is_posted_when_it_is_taken(db: Db) {
    let house = House::open(&db).await;
    let pending = house.moves(&house.pays("KSR-1").await, State::Pending).await;
    let cash = Cash { bill_id: house.bill, invoice: Invoice::try_from("KSR-C").unwrap() };
    let actor = Actor { id: None, name: "ibu.sari@kost.test".to_owned() };
    let by = By { actor: &actor, reason: Some("at the door"), now: at(20) };
    cash::take(&db, &cash, &|_| job("cancel:1"), &by).await.unwrap();
    let expected = [("cash", 1_500_000), ("pending", 1_500_000), ("tenants", -3_000_000)];
    assert_eq!(balances(&db).await, expected.into_iter().collect());
    house.moves(&house.reads(pending.id).await, State::Failed(Failure::Cancelled)).await;
    let expected = [("cash", 1_500_000), ("tenants", -1_500_000)];
    assert_eq!(balances(&db).await, expected.into_iter().collect());
    assert_eq!(journal::drifted(&db, 10).await.unwrap(), []);
}

async fn a_posting_that_does_not_balance_is_refused_by_the_database(db: Db) {
    const ONE_SIDED: [&str; 2] = [
        "INSERT INTO postings (kind, debit, amount, cause, at) VALUES ('paid', 'gateway', 1, 'c', 1)",
        "INSERT INTO postings (kind, credit, amount, cause, at) VALUES ('paid', 'pending', 1, 'c', 1)",
    ];
    const NOTHING_MOVED: [&str; 5] = [
        "INSERT INTO postings (kind, debit, credit, amount, cause, at)
         VALUES ('paid', 'gateway', 'gateway', 1, 'c', 1)",
        "INSERT INTO postings (kind, debit, credit, amount, cause, at)
         VALUES ('paid', 'gateway', 'pending', 0, 'c', 1)",
        "INSERT INTO postings (kind, debit, credit, amount, cause, at)
         VALUES ('paid', 'gateway', 'pending', -1, 'c', 1)",
        "INSERT INTO postings (kind, debit, credit, amount, cause, at)
         VALUES ('paid', 'mattress', 'pending', 1, 'c', 1)",
        "INSERT INTO postings (kind, debit, credit, amount, cause, at)
         VALUES ('found', 'gateway', 'pending', 1, 'c', 1)",
    ];
    for sql in ONE_SIDED {
        let refused = execute(&db, sql).await.unwrap_err();
        let kind = refused.as_database_error().unwrap().kind();
        assert!(matches!(kind, ErrorKind::NotNullViolation), "{sql}: {refused}");
    }
    for sql in NOTHING_MOVED {
        let refused = execute(&db, sql).await.unwrap_err();
        let kind = refused.as_database_error().unwrap().kind();
        assert!(matches!(kind, ErrorKind::CheckViolation), "{sql}: {refused}");
    }
    assert_eq!(number(&db, "SELECT count(*) FROM postings").await, 0);
}

async fn no_posting_is_changed_or_deleted(db: Db) {
    let house = House::open(&db).await;
    house.moves(&house.pays("KSR-1").await, State::Paid).await;
    for sql in ["UPDATE postings SET amount = 1", "DELETE FROM postings"] {
        let refused = execute(&db, sql).await.unwrap_err();
        assert!(refused.to_string().contains("append-only"), "{sql}: {refused}");
    }
    assert_eq!(balances(&db).await["gateway"], 1_500_000);
}

async fn a_payment_that_moves_past_the_journal_is_found(db: Db) {
    let house = House::open(&db).await;
    let payment = house.moves(&house.pays("KSR-1").await, State::Pending).await;
    assert_eq!(journal::drifted(&db, 10).await.unwrap(), []);
    execute(&db, "UPDATE payments SET state = 'paid'").await.unwrap();
    assert_eq!(journal::drifted(&db, 10).await.unwrap(), [payment.id]);
    assert_eq!(journal::drifted_of_newest(&db, 10).await.unwrap(), [payment.id]);
}

/// Postings of a payment that was made and paid so often that no single statement sums them up, and a payment far above.
const MANY: [&str; 2] = [
    "INSERT INTO postings (kind, debit, credit, amount, payment_id, cause, at)
     WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50000)
     SELECT 'payout', 'bank', 'gateway', 2, 1, 'many:' || i, 1 FROM n",
    "INSERT INTO payments (id, invoice, bill_id, tenant_id, method, amount, state, created_at, updated_at)
     VALUES (30000, 'KSR-30000', 1, 1, 'bca', 1000, 'paid', 1, 1)",
];

async fn however_long_the_journal_is_all_of_it_is_read(db: Db) {
    let house = House::open(&db).await;
    house.moves(&house.pays("KSR-1").await, State::Paid).await;
    let before = balances(&db).await;
    for sql in MANY {
        execute(&db, sql).await.unwrap();
    }
    let after = balances(&db).await;
    let change = |account| after.get(account).unwrap_or(&0) - before.get(account).unwrap_or(&0);
    assert_eq!((change("bank"), change("gateway")), (100_000, -100_000));
    assert_eq!(journal::drifted(&db, 10).await.unwrap(), [PaymentId(30_000)]);
    assert_eq!(journal::drifted_of_newest(&db, 10).await.unwrap(), [PaymentId(30_000)]);
    execute(&db, "UPDATE payments SET state = 'failed', failure = 'denied' WHERE id = 1").await.unwrap();
    assert_eq!(journal::drifted(&db, 10).await.unwrap(), [PaymentId(1), PaymentId(30_000)]);
    assert_eq!(journal::drifted(&db, 1).await.unwrap(), [PaymentId(1)]);
    assert_eq!(journal::drifted_of_newest(&db, 10).await.unwrap(), [PaymentId(30_000)]);
}

async fn the_journal_opens_with_what_the_books_hold(db: Db) {
    const PAYMENTS: &str = "
        INSERT INTO payments (invoice, bill_id, tenant_id, method, amount, state, failure, refunded, created_at,
                              updated_at)
        VALUES ('KSR-1', 1, 1, 'bca', 1000, 'created', NULL, 0, 1, 1),
               ('KSR-2', 1, 1, 'cash', 1000, 'paid', NULL, 0, 1, 1),
               ('KSR-3', 1, 1, 'bca', 1000, 'paid', NULL, 0, 1, 1),
               ('KSR-4', 1, 1, 'qris', 1000, 'partially_refunded', NULL, 300, 1, 1),
               ('KSR-5', 1, 1, 'qris', 1000, 'refunded', NULL, 1000, 1, 1),
               ('KSR-6', 1, 1, 'card', 1000, 'charged_back', NULL, 100, 1, 1),
               ('KSR-7', 1, 1, 'permata', 1000, 'failed', 'reversed', 0, 1, 1),
               ('KSR-8', 1, 1, 'permata', 1000, 'failed', 'expired', 0, 1, 1)";
    House::open(&db).await;
    execute(&db, PAYMENTS).await.unwrap();
    assert_eq!(journal::drifted(&db, 10).await.unwrap().len(), 6);
    execute(&db, opening(&db)).await.unwrap();
    assert_eq!(journal::drifted(&db, 10).await.unwrap(), []);
    let expected = [
        ("cash", 1_000),
        ("gateway", 1_700),
        ("refunded", 1_400),
        ("charged_back", 900),
        ("reversed", 1_000),
        ("tenants", -6_000),
    ];
    assert_eq!(balances(&db).await, expected.into_iter().collect());
}

/// The statement of the migration that opens the journal.
fn opening(db: &Db) -> &'static str {
    let migration = match db {
        Db::Sqlite { .. } => include_str!("../../../../migrations/sqlite/0004_reconciliation.sql"),
        Db::Postgres(_) => include_str!("../../../../migrations/postgres/0004_reconciliation.sql"),
    };
    let from = migration.find("INSERT INTO postings").unwrap();
    let statement = &migration[from..];
    &statement[..statement.find(';').unwrap()]
}
