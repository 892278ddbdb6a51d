//! Every statement that a page runs has a limit, or finds its row by a key: PostgreSQL itself tells which statements ran.

use reqwest::StatusCode;
use sqlx::{Connection as _, PgConnection};

use crate::dashboard::{Browser, PAGES};
use crate::kost::{Kost, Setup};
use crate::program::Program;

/// What a statement without a limit says: it finds a row by a key of its table, or as many as it was given keys, or it
/// is none of a page's, but of the program's start, of a referential check or of this test.
const NEED_NONE: [&str; 15] = [
    "FROM payments WHERE invoice = ANY($1)",
    "FROM payments WHERE id = ANY($1)",
    "FROM bills WHERE id = ANY($1)",
    "WHERE bills.voided_at IS NULL AND bills.id = $1",
    "WHERE n.id = $1",
    "FROM users WHERE email IN ($1, $2) AND deleted_at IS NULL",
    "WHERE s.token_hash = $1",
    "FROM audit_head WHERE one = $1",
    "FROM second_factors JOIN users ON users.id = second_factors.user_id WHERE second_factors.user_id = $1",
    "FROM data_keys ORDER BY made_at, id",
    "FROM _sqlx_migrations ORDER BY version",
    "FROM ONLY \"public\".\"users\" x WHERE \"id\"",
    "pg_advisory_lock",
    "pg_advisory_unlock",
    "current_database()",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_page_runs_a_statement_without_a_limit() {
    let mut kost = Kost::open(Setup::Servers).await;
    let ibu = kost.admin("Ibu").await;
    let (_budi, invoice) = kost.paying("Budi", "bca").await;
    kost.ask_for_the_night().await;
    kost.run_jobs().await;

    // Connections that are opened from now on are counted.
    kost.execute("CREATE EXTENSION pg_stat_statements").await;
    let url = kost.config.database_url.expose().to_owned();
    let (_, name) = url.rsplit_once('/').unwrap();
    kost.execute(&format!("ALTER DATABASE {name} SET pg_stat_statements.track = 'all'")).await;
    kost.program.ends();
    kost.program = Program::start(kost.config.clone(), &kost.clock).await;
    kost.db = kost.program.db.clone();

    let browser = Browser::of(&kost, &ibu).await;
    let payment = format!("/payments/{invoice}");
    let evidence = format!("{payment}/evidence");
    let single = [&payment, &evidence, "/bills/1", "/jobs/1", "/reconciliations/1", "/notifications/1"];
    let filtered = [
        "/jobs?state=dead&kind=charge&q=nothing",
        "/payments?state=paid&q=nothing&room=1&from=2026-11-01&to=2026-11-30",
        "/findings?all=yes",
        "/findings/export",
        "/notifications?state=waiting",
        "/audit?q=nothing",
    ];
    for path in PAGES.into_iter().chain(single).chain(filtered) {
        let page = browser.get(path).await;
        assert_eq!(page.status, StatusCode::OK, "{path}: {}", page.body);
    }

    let ran = ran_in(&url).await;
    assert!(ran.iter().any(|sql| sql.contains("FROM jobs")), "PostgreSQL did not tell: {ran:?}");
    let endless: Vec<&String> = ran
        .iter()
        .filter(|sql| is_endless(sql) && !NEED_NONE.iter().any(|part| sql.contains(part)))
        .collect();
    assert!(endless.is_empty(), "{} without a limit: {endless:#?}", endless.len());
    for part in NEED_NONE {
        assert!(ran.iter().any(|sql| sql.contains(part)), "{part} was not run: strike it off");
    }
    kost.close().await;
}

/// The statements that ran in this database, each in one line.
async fn ran_in(url: &str) -> Vec<String> {
    const SQL: &str = "
        SELECT query FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid
        WHERE d.datname = current_database()";
    let mut connection = PgConnection::connect(url).await.unwrap();
    let ran: Vec<String> = sqlx::query_scalar(SQL).fetch_all(&mut connection).await.unwrap();
    ran.iter().map(|sql| sql.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

/// Whether it reads without a limit, or counts the rows of a whole table.
fn is_endless(sql: &str) -> bool {
    let counts_all = sql.split("count(*) FROM ").skip(1).any(|rest| !rest.starts_with('('));
    let reads = sql.starts_with("SELECT") || sql.starts_with("WITH");
    reads && (counts_all || !sql.contains("LIMIT"))
}
