//! The schema: how it comes to be, and what it refuses whoever writes.

use sqlx::error::ErrorKind;
use store::{Db, StoreError, history};

use crate::support::{EmptyDatabase, House, at_once, connect, execute, number};

on_both![
    an_empty_database_lacks_its_migrations_and_a_migrated_one_lacks_none,
    many_processes_migrate_one_database_at_once,
    a_database_of_a_newer_kasir_is_refused,
    history_cannot_be_changed_by_anybody,
    nonsense_is_refused_by_the_database,
    the_database_allows_one_live_payment_of_a_bill,
];

async fn an_empty_database_lacks_its_migrations_and_a_migrated_one_lacks_none(empty: EmptyDatabase) {
    let db = connect(&empty.0).await;
    store::ping(&db).await.unwrap();
    assert!(store::pending_migrations(&db).await.unwrap() >= 1);

    store::migrate(&db).await.unwrap();
    assert_eq!(store::pending_migrations(&db).await.unwrap(), 0);

    store::migrate(&db).await.unwrap();
    assert_eq!(store::pending_migrations(&db).await.unwrap(), 0);
    assert_eq!(number(&db, "SELECT count(*) FROM payments").await, 0);
}

async fn many_processes_migrate_one_database_at_once(empty: EmptyDatabase) {
    let migrated = at_once(6, |_| {
        let url = empty.0.clone();
        async move {
            let db = store::connect(&url, &store::Options::default()).await?;
            store::migrate(&db).await
        }
    })
    .await;
    for result in migrated {
        result.unwrap();
    }
    assert_eq!(store::pending_migrations(&connect(&empty.0).await).await.unwrap(), 0);
}

async fn a_database_of_a_newer_kasir_is_refused(db: Db) {
    const NEWER: &str = "
        INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
        SELECT 9999, description, success, checksum, execution_time FROM _sqlx_migrations LIMIT 1";
    execute(&db, NEWER).await.unwrap();
    let refused = store::migrate(&db).await.unwrap_err();
    assert!(matches!(refused, StoreError::Migration(_)), "{refused}");
    assert!(!refused.is_passing());
    assert_eq!(store::pending_migrations(&db).await.unwrap(), 0);
}

async fn history_cannot_be_changed_by_anybody(db: Db) {
    let payment = House::open(&db).await.pays("KSR-1").await;
    let before = history::of_payment(&db, payment.id).await.unwrap();
    assert_eq!(before.len(), 1);
    for sql in ["UPDATE payment_history SET to_state = 'paid'", "DELETE FROM payment_history"] {
        let refused = execute(&db, sql).await.unwrap_err();
        assert!(refused.to_string().contains("append-only"), "{sql}: {refused}");
    }
    assert_eq!(history::of_payment(&db, payment.id).await.unwrap(), before);
}

/// Each would be a lie about money, work or people. The first payment, bill, tenant, room and job are 1.
const NONSENSE: [&str; 25] = [
    "UPDATE payments SET state = 'failed'",
    "UPDATE payments SET failure = 'expired'",
    "UPDATE payments SET state = 'failed', failure = 'bored'",
    "UPDATE payments SET state = 'lost'",
    "UPDATE payments SET amount = 0",
    "UPDATE payments SET amount = -1",
    "UPDATE payments SET refunded = -1",
    "UPDATE payments SET invoice = ''",
    "UPDATE bills SET month = 13",
    "UPDATE bills SET month = 0",
    "UPDATE bills SET year = 1999",
    "UPDATE bills SET amount = 0",
    "UPDATE bills SET status = 'forgiven'",
    "UPDATE rooms SET price = -1",
    "UPDATE rooms SET code = ''",
    "UPDATE users SET role = 'owner'",
    "UPDATE users SET rank = 'boss'",
    "UPDATE users SET email = 'x'",
    "UPDATE jobs SET state = 'running'",
    "UPDATE jobs SET lease_token = 'token', lease_until = 1",
    "UPDATE jobs SET state = 'asleep'",
    "UPDATE jobs SET max_attempts = 0",
    "INSERT INTO job_attempts (job_id, attempt, finished_at, outcome) VALUES (1, 1, 1, 'unclear')",
    "INSERT INTO findings (kind, cause, detail, found_at, resolved_at) VALUES ('reversal', 'c', '', 1, 2)",
    "INSERT INTO payment_history (payment_id, version, to_state, event, source, detail, at)
     VALUES (1, 9, 'paid', 'settlement', 'rumour', '', 1)",
];

async fn nonsense_is_refused_by_the_database(db: Db) {
    let house = House::open(&db).await;
    let payment = house.pays("KSR-1").await;
    crate::support::add(&db, crate::support::job("sync:1")).await;
    for sql in NONSENSE {
        let refused = execute(&db, sql).await.unwrap_err();
        let kind = refused.as_database_error().unwrap().kind();
        assert!(matches!(kind, ErrorKind::CheckViolation), "{sql}: {refused}");
    }
    assert_eq!(house.reads(payment.id).await, payment);
}

async fn the_database_allows_one_live_payment_of_a_bill(db: Db) {
    const SECOND: &str = "
        INSERT INTO payments (invoice, bill_id, tenant_id, method, amount, state, created_at, updated_at)
        SELECT 'KSR-2', bill_id, tenant_id, method, amount, 'pending', 1, 1 FROM payments";
    const SUPERSEDED: &str = "
        INSERT INTO payments (invoice, bill_id, tenant_id, method, amount, state, created_at, updated_at, superseded_at)
        SELECT 'KSR-2', bill_id, tenant_id, method, amount, 'pending', 1, 1, 1 FROM payments";
    House::open(&db).await.pays("KSR-1").await;
    let refused = execute(&db, SECOND).await.unwrap_err();
    assert!(refused.as_database_error().unwrap().is_unique_violation(), "{refused}");
    execute(&db, SUPERSEDED).await.unwrap();
}
