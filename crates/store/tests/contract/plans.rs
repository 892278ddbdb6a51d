//! How the databases carry out what is done all the time: by an index, however much there is.

use domain::{BillId, UserId};
use sqlx::AssertSqlSafe;
use store::board::texts;
use store::checks::{BACKLOG, TAKE_DUE};
use store::findings::COUNT_OPEN;
use store::gaps::CHANGES;
use store::jobs::{self, COUNTED_MAX, DEPTH};
use store::ledger::{FORGET_SLOTS, TAKE_DUE as TAKE_JOBS};
use store::payments::PaymentFilter;
use store::pruning::FORGET_JOBS;
use store::reconciliations::NEXT;
use store::refunds::TAKE_LINGERING;
use store::unbooked::UNBOOKED;
use store::{Db, checks};

use crate::support::{House, at, execute};

on_both![
    what_a_sweep_does_is_done_by_an_index,
    payments_are_looked_for_by_an_index,
    jobs_are_found_by_an_index_whatever_is_asked,
    what_the_ledger_does_all_the_time_is_done_by_its_own_indexes,
    the_backlog_is_counted_as_it_is,
    jobs_are_counted_up_to_a_limit,
];

/// Payments whose check is due in the first hundred seconds, each with its bill and its beginning, some refunds, and jobs.
const MANY: [&str; 6] = [
    "INSERT INTO bills (tenant_id, room_id, year, month, amount, status, created_at, updated_at, kind, title)
     WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
     SELECT 1, 1, 2026, 2, 1000, 'pending', 1, 1, 'extra', 'Laundry' FROM n",
    "INSERT INTO payments (invoice, bill_id, tenant_id, method, amount, state, created_at, updated_at, asked_at,
                           next_check_at)
     SELECT 'KSR-' || id, id, 1, 'bca', 1000, 'pending', 1767225600000 + id, 1767225600000 + id,
            1767225600000 + id, 1767225600000 + id * 1000 FROM bills WHERE kind = 'extra'",
    "INSERT INTO payment_history (payment_id, version, to_state, event, source, detail, at)
     SELECT id, 1, 'created', 'created', 'tenant', '', created_at FROM payments",
    "INSERT INTO notifications (body_hash, body, kind, order_id, verified, received_at, seen_at)
     SELECT invoice, '{}', 'payment', invoice, TRUE, created_at, created_at FROM payments",
    "INSERT INTO refunds (payment_id, refund_key, amount, reason, is_ours, state, created_at, updated_at,
                          confirmed_at)
     SELECT id, 'k', 1, '', TRUE, 'confirmed', 1, 1, 1 FROM payments",
    "INSERT INTO jobs (kind, dedupe_key, payload, payment_id, state, run_at, max_attempts, created_at, last_error)
     SELECT 'sync_payment', 'sync:' || id, '{}', id, CASE WHEN id % 100 = 0 THEN 'dead' ELSE 'done' END, 1, 3, 1,
            CASE WHEN id % 100 = 0 THEN 'timed out' END FROM payments",
];

async fn many(db: &Db) {
    House::open(db).await;
    for sql in MANY {
        execute(db, sql).await.unwrap();
    }
    execute(db, "ANALYZE").await.unwrap();
}

/// The lines of the plan of a statement, with numbers in the places of its parameters.
async fn plan(db: &Db, sql: &str, numbers: &[&str]) -> String {
    let mut sql = sql.to_owned();
    for (place, number) in numbers.iter().enumerate().rev() {
        sql = sql.replace(&format!("${}", place + 1), number);
    }
    match db {
        Db::Sqlite { writer, .. } => {
            let sql = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
            let lines: Vec<(i64, i64, i64, String)> = sqlx::query_as(sql).fetch_all(writer).await.unwrap();
            lines.into_iter().map(|(.., line)| line + "\n").collect()
        }
        Db::Postgres(pool) => {
            // With as few rows as a test has, reading all of them may be the cheaper way; the question is whether there
            // is another.
            let mut tx = pool.begin().await.unwrap();
            sqlx::raw_sql("SET LOCAL enable_seqscan = off").execute(&mut *tx).await.unwrap();
            let sql = AssertSqlSafe(format!("EXPLAIN {sql}"));
            let lines: Vec<String> = sqlx::query_scalar(sql).fetch_all(&mut *tx).await.unwrap();
            lines.into_iter().map(|line| line + "\n").collect()
        }
    }
}

/// Fails when a plan reads one of the tables that grow from one end to the other.
fn assert_no_scan(plan: &str, of: &str) {
    for table in
        ["payments", "payment_history", "notifications", "findings", "refunds", "jobs", "n", "p", "j"]
    {
        let whole = plan.lines().find(|line| {
            let line = line.trim().trim_start_matches("->").trim();
            let sqlite = line.strip_prefix("SCAN ").is_some_and(|rest| rest == table);
            sqlite
                || line.starts_with(&format!("Seq Scan on {table} "))
                || line.contains(&format!(" Seq Scan on {table} "))
        });
        assert_eq!(whole, None, "{of} reads all of {table}:\n{plan}");
    }
}

async fn what_a_sweep_does_is_done_by_an_index(db: Db) {
    many(&db).await;
    let due = "1767225700000";
    let statements: [(&str, &str, &[&str]); 7] = [
        ("counting findings", COUNT_OPEN, &["10000"]),
        ("looking for money", UNBOOKED, &["1767225600000", "1000"]),
        ("taking due checks", TAKE_DUE, &[due, "1767226000000", "500"]),
        ("counting due checks", BACKLOG, &[due]),
        ("looking for gaps", CHANGES, &["19000", "500"]),
        ("taking lingering refunds", TAKE_LINGERING, &["9", "9", "9", "1", "500"]),
        ("going on with a reconciliation", NEXT, &[due, due, "1", "1767229999999", "1", "64"]),
    ];
    for (what, sql, numbers) in statements {
        assert_no_scan(&plan(&db, sql, numbers).await, what);
    }
}

/// Payments of fifty people, by some methods, of which few are live.
const MIXED: [&str; 3] = [
    "INSERT INTO users (email, name, role, password_hash, created_at)
     WITH RECURSIVE n (i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 50)
     SELECT 'tenant' || i || '@kost.test', 'Tenant', 'tenant', '', 1 FROM n",
    "UPDATE payments SET tenant_id = 1 + id % 50, method = 'm' || (id % 9),
         state = CASE id % 20 WHEN 0 THEN 'pending' WHEN 1 THEN 'refunded' ELSE 'paid' END",
    "ANALYZE",
];

async fn payments_are_looked_for_by_an_index(db: Db) {
    many(&db).await;
    for sql in MIXED {
        execute(&db, sql).await.unwrap();
    }
    let none = PaymentFilter::default();
    let some = |word: &str| Some(word.to_owned());
    for (index, filter) in [
        ("payments_by_state", PaymentFilter { state: some("review"), ..none.clone() }),
        ("payments_by_method", PaymentFilter { method: some("ovo"), ..none.clone() }),
        ("payments_of_tenant", PaymentFilter { tenant: Some(UserId(7)), ..none.clone() }),
        ("bills_of_room", PaymentFilter { room: some("A2"), state: some("paid"), ..none.clone() }),
        ("payments_created", PaymentFilter { from: Some(at(0)), state: some("paid"), ..none.clone() }),
        ("payments_created", PaymentFilter { until: Some(at(1)), ..none.clone() }),
        ("payments_of_bill", PaymentFilter { bill: Some(BillId(7)), ..none.clone() }),
        ("payments_of_transaction", PaymentFilter { text: some("KSR-1999"), ..none.clone() }),
        ("", none),
    ] {
        let word = |word: &Option<String>| word.as_ref().map(|word| format!("'{word}'"));
        let values = [
            Some("9999".to_owned()),
            word(&filter.state),
            word(&filter.method),
            filter.tenant.map(|tenant| tenant.to_string()),
            filter.bill.map(|bill| bill.to_string()),
            Some("20".to_owned()),
            word(&filter.room),
            Some("1767225600000".to_owned()),
            Some("1767225601000".to_owned()),
            word(&filter.text),
            Some("'KSR-1999zzz'".to_owned()),
        ];
        let values = values.map(|value| value.unwrap_or_else(|| "NULL".to_owned()));
        let plan = plan(&db, filter.sql(), &values.each_ref().map(String::as_str)).await;
        assert_no_scan(&plan, &format!("looking for {filter:?}"));
        assert!(plan.contains(index), "looking for {filter:?} does not use {index}:\n{plan}");
    }
}

async fn jobs_are_found_by_an_index_whatever_is_asked(db: Db) {
    many(&db).await;
    let (below, kind, state) = ("19000", "'sync_payment'", "'dead'");
    let statements: [(&str, &[&str]); 11] = [
        (texts::ONE, &[below]),
        (texts::ALL, &[below, "50"]),
        (texts::OF_STATE, &[below, "50", state]),
        (texts::OF_KIND, &[below, "50", kind]),
        (texts::OF_STATE_AND_KIND, &[below, "50", state, kind]),
        (texts::ABOUT_INVOICE, &[below, "50", state, kind, "'KSR-700'"]),
        (texts::ABOUT_BILL, &[below, "50", state, kind, "700"]),
        (texts::ABOUT_TENANT, &[below, "50", state, kind, "2"]),
        (texts::ABOUT_ROOM, &[below, "50", state, kind, "'A2'"]),
        (texts::OF_ERROR, &[below, "50", state, kind, "'%timed%'", "10000"]),
        (texts::OF_ERROR_AND_STATE, &[below, "50", state, kind, "'%timed%'", "10000"]),
    ];
    for (sql, values) in statements {
        assert_no_scan(&plan(&db, sql, values).await, sql);
    }
}

async fn what_the_ledger_does_all_the_time_is_done_by_its_own_indexes(db: Db) {
    many(&db).await;
    let due = "1767225700000";
    let statements: [(&str, &str, &[&str]); 5] = [
        ("jobs_due", TAKE_JOBS, &[due, due, "500", due, due]),
        ("jobs_due", DEPTH, &[due, "10000"]),
        ("jobs_slots", FORGET_SLOTS, &[due]),
        ("jobs_ended", FORGET_JOBS, &[due, "1000"]),
        ("jobs_due", BACKLOG, &[due]),
    ];
    for (index, sql, numbers) in statements {
        let plan = plan(&db, sql, numbers).await;
        assert_no_scan(&plan, sql);
        // PostgreSQL knows how many there are, and finds the cheapest way; SQLite goes by the words alone.
        if matches!(db, Db::Sqlite { .. }) {
            assert!(plan.contains(index), "{sql} does not use {index}:\n{plan}");
            let strays = |line: &&str| line.contains("jobs_by_") && !line.contains("COVERING");
            assert_eq!(plan.lines().find(strays), None, "{sql} takes an index of the board's:\n{plan}");
        }
    }
}

async fn the_backlog_is_counted_as_it_is(db: Db) {
    many(&db).await;
    let backlog = checks::backlog(&db, at(100)).await.unwrap();
    // The house's own bill is the first, so the checks are due from the second second on.
    assert_eq!((backlog.overdue, backlog.oldest, backlog.waiting), (99, Some(at(2)), 0));
}

async fn jobs_are_counted_up_to_a_limit(db: Db) {
    many(&db).await;
    assert_eq!(jobs::depth(&db, at(100)).await.unwrap().dead, 200);
    execute(&db, "UPDATE jobs SET state = 'dead'").await.unwrap();
    assert_eq!(jobs::depth(&db, at(100)).await.unwrap().dead, COUNTED_MAX);
}
