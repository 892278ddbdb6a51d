//! Failures: which pass, which do not, and what they say.

use std::time::Duration;

use domain::BillId;
use sqlx::AssertSqlSafe;
use store::{Db, Options, StoreError, bills, creation, findings, ledger, methods, payments, people};

use crate::support::{EmptyDatabase, House, at, connect, execute, job, on_postgres, on_sqlite};

on_both![
    a_row_that_does_not_parse_is_corrupt_and_named,
    a_payment_of_no_bill_is_refused_for_good,
    a_closed_pool_is_trouble_that_passes,
];

async fn a_row_that_does_not_parse_is_corrupt_and_named(db: Db) {
    let house = House::open(&db).await;
    let payment = house.pays("KSR-1").await;
    methods::offer_all(&db).await.unwrap();
    let finding = "INSERT INTO findings (kind, cause, detail, found_at) VALUES ('rumour', 'c', '', 1)";
    for sql in [
        "UPDATE payments SET method = 'cheque'",
        "UPDATE payment_methods SET code = 'cheque' WHERE code = 'bca'",
        "UPDATE users SET email = 'nowhere'",
        finding,
    ] {
        execute(&db, sql).await.unwrap();
    }
    let of_payment = payments::find(&db, payment.id).await.unwrap_err();
    assert!(matches!(of_payment, StoreError::Corrupt { table: "payments", id, .. } if id == payment.id.0));
    let offered = methods::all(&db).await.unwrap();
    assert!(offered.iter().all(|one| one.method.code() != "bca"), "a newer Kasir may have added it");
    let of_person = people::find(&db, house.tenant).await.unwrap_err();
    assert!(matches!(of_person, StoreError::Corrupt { table: "users", id, .. } if id == house.tenant.0));
    let of_finding = findings::newest(&db, 1).await.unwrap_err();
    assert!(matches!(of_finding, StoreError::Corrupt { table: "findings", .. }));
    assert!(!of_payment.is_passing());
    assert_eq!(
        of_payment.to_string(),
        format!("payments {}: payment method is not known: \"cheque\"", payment.id)
    );
}

async fn a_payment_of_no_bill_is_refused_for_good(db: Db) {
    let house = House::open(&db).await;
    let new = creation::NewPayment { bill_id: BillId(404), ..house.payment("KSR-1") };
    let refused = creation::create(&db, &new, |_| Vec::new(), at(0)).await.unwrap_err();
    let StoreError::Database(cause) = &refused else { panic!("{refused}") };
    assert!(cause.as_database_error().unwrap().is_foreign_key_violation());
    assert!(!refused.is_passing());
}

async fn a_closed_pool_is_trouble_that_passes(db: Db) {
    match &db {
        Db::Sqlite { readers, .. } => readers.close().await,
        Db::Postgres(pool) => pool.close().await,
    }
    assert!(store::ping(&db).await.unwrap_err().is_passing());
    assert!(store::pending_migrations(&db).await.unwrap_err().is_passing());
    assert!(bills::find(&db, BillId(1)).await.unwrap_err().is_passing());
}

#[tokio::test]
async fn a_server_that_is_not_there_is_trouble_that_passes() {
    // Nobody listens at port 1 of a machine's own address.
    let error =
        store::connect("postgres://kasir:hush@127.0.0.1:1/kasir", &Options::default()).await.unwrap_err();
    assert!(error.is_passing(), "{error}");
    assert!(!error.to_string().contains("hush"));
}

#[tokio::test]
async fn a_server_that_hangs_up_at_once_is_trouble_that_passes() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let hanging_up = tokio::spawn(async move {
        loop {
            drop(listener.accept().await);
        }
    });
    let url = format!("postgres://kasir:hush@127.0.0.1:{port}/kasir");
    let error = store::connect(&url, &Options::default()).await.unwrap_err();
    hanging_up.abort();
    assert!(error.is_passing(), "{error}");
}

#[tokio::test]
async fn a_server_that_is_read_only_for_now_is_trouble_that_passes() {
    on_postgres(async |db: Db| {
        House::open(&db).await;
        let Db::Postgres(pool) = &db else { panic!("this is PostgreSQL's story") };
        let read_only = "ALTER DATABASE CURRENT SET default_transaction_read_only = on";
        let name: String =
            sqlx::query_scalar("SELECT current_database()::text").fetch_one(&**pool).await.unwrap();
        let read_only = read_only.replace("CURRENT", &name);
        sqlx::query(AssertSqlSafe(read_only)).execute(&**pool).await.unwrap();
        let options = pool.connect_options().as_ref().clone();
        let fresh = Db::Postgres(sqlx::PgPool::connect_with(options).await.unwrap().into());
        let refused = ledger::add(&fresh, &[job("sync:1")], at(0)).await.unwrap_err();
        assert!(refused.is_passing(), "{refused}");
    })
    .await;
}

#[tokio::test]
async fn an_address_of_no_known_database_is_refused_and_its_password_is_not_shown() {
    let error = store::connect("mysql://kasir:hush@localhost/kasir", &Options::default()).await.unwrap_err();
    assert!(matches!(error, StoreError::UnknownDatabase(_)));
    assert!(!error.is_passing());
    assert!(!format!("{error} {error:?}").contains("hush"), "{error}");
}

#[tokio::test]
async fn a_transaction_that_sqlite_ended_by_itself_is_not_the_last() {
    on_sqlite(async |db: Db| {
        let Db::Sqlite { writer, .. } = &db else { panic!("this is SQLite's story") };
        let mut tx = writer.begin_with("BEGIN IMMEDIATE").await.unwrap();
        // As SQLite does when a commit finds the disk full; the wish to roll back that follows finds nothing.
        sqlx::query("ROLLBACK").execute(&mut *tx).await.unwrap();
        drop(tx);
        ledger::add(&db, &[job("sync:later")], at(0)).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_sqlite_file_that_another_process_writes_to_for_long_is_trouble_that_passes() {
    on_sqlite(async |empty: EmptyDatabase| {
        let other = connect(&empty.0).await;
        store::migrate(&other).await.unwrap();
        let Db::Sqlite { writer, .. } = &other else { panic!("this is SQLite's story") };
        let options = Options { wait: Duration::from_millis(20), ..Options::default() };
        let db = store::connect(&empty.0, &options).await.unwrap();

        let writing = writer.begin_with("BEGIN IMMEDIATE").await.unwrap();
        let error = ledger::add(&db, &[job("sync:1")], at(0)).await.unwrap_err();
        assert!(error.is_passing(), "{error}");
        writing.rollback().await.unwrap();
        assert_eq!(ledger::add(&db, &[job("sync:1")], at(0)).await.unwrap().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn postgres_codes_of_connection_resources_shutdown_and_serialisation_pass() {
    on_postgres(|db: Db| async move {
        for code in ["08000", "08003", "08006", "53100", "53300", "57P01", "57P03", "40001", "40P01"] {
            assert!(raised(&db, code).await.is_passing(), "{code}");
        }
        for code in ["23505", "22001", "42601", "42P01", "XX000", "0A000"] {
            assert!(!raised(&db, code).await.is_passing(), "{code}");
        }
    })
    .await;
}

/// The failure that PostgreSQL makes of this code.
async fn raised(db: &Db, code: &str) -> StoreError {
    let Db::Postgres(pool) = db else { panic!("this is PostgreSQL's story") };
    let sql = format!("DO $$ BEGIN RAISE EXCEPTION 'on purpose' USING ERRCODE = '{code}'; END $$");
    StoreError::from(sqlx::raw_sql(AssertSqlSafe(sql)).execute(&**pool).await.unwrap_err())
}
