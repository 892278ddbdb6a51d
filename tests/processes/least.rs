//! The service under the role of `deploy/postgres-role.sql`: it does all its work, and can do no more.

use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};

use crate::kost::Kost;
use crate::servers::free_port;
use crate::waiting::s;

const BILLS: usize = 5;
const PAYMENTS: i64 = 5;
const LOG_IN: &str = "kasir_with_little_rights";
/// The code of PostgreSQL for what one may not do.
const INSUFFICIENT_PRIVILEGE: &str = "42501";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_service_works_under_a_role_that_can_change_no_table_and_no_history() {
    let mut kost = Kost::with_tenants(BILLS).await;
    kost.pool.execute(include_str!("../../deploy/postgres-role.sql")).await.unwrap();
    let log_in = format!("CREATE ROLE {LOG_IN} LOGIN IN ROLE kasir_service");
    kost.pool.execute(AssertSqlSafe(log_in)).await.unwrap();
    let address = kost.log_in_as(LOG_IN);

    let port = free_port();
    let mut processes = [kost.start_api(port).await, kost.start_worker(), kost.start_scheduler()];
    let paying = kost.front_end(port).everybody_pays(kost.tenants.clone()).await;
    kost.all_instructed(PAYMENTS, s(30)).await;
    for paying in &paying {
        kost.sim.settle(&paying.invoice).await.unwrap();
    }
    kost.sim.wait_until_delivered().await.unwrap();
    kost.all_paid(PAYMENTS, s(30)).await;
    crate::waiting::eventually(s(40), "a sweep is done", async || {
        match kost.count("SELECT count(*) FROM jobs WHERE kind = 'sweep' AND state = 'done'").await {
            0 => Err("none is".to_owned()),
            _ => Ok(()),
        }
    })
    .await;
    kost.assert_charged_once_each(BILLS).await;
    assert_eq!(kost.count("SELECT count(*) FROM jobs WHERE state = 'dead'").await, 0);
    processes.iter_mut().for_each(crate::process::Kasir::assert_alive);
    let refused = processes.iter().filter(|process| process.logged().contains("permission denied")).count();
    assert_eq!(refused, 0, "the role lacks something");

    let mut service = PgConnection::connect(&address).await.unwrap();
    for sql in [
        "DROP TABLE payment_history",
        "CREATE TABLE mine (id BIGINT)",
        "CREATE TEMPORARY TABLE mine (id BIGINT)",
        "ALTER TABLE postings DISABLE TRIGGER ALL",
        "DROP TRIGGER audit_append_only ON audit",
        "UPDATE payment_history SET to_state = 'paid'",
        "DELETE FROM payment_history",
        "UPDATE postings SET amount = 1",
        "DELETE FROM postings",
        "DELETE FROM audit",
        "UPDATE audit SET actor = 'somebody else'",
        "TRUNCATE jobs",
        "DELETE FROM payments",
        "DELETE FROM bills",
        "UPDATE gateway_calls SET http = 200",
        "UPDATE job_attempts SET outcome = 'done'",
        "INSERT INTO watermarks (name, value) VALUES ('mine', 1)",
        "DELETE FROM _sqlx_migrations",
        "CREATE ROLE another",
    ] {
        let error = service.execute(sql).await.expect_err(sql);
        let code = error.as_database_error().and_then(|refusal| refusal.code().map(|code| code.into_owned()));
        assert_eq!(code.as_deref(), Some(INSUFFICIENT_PRIVILEGE), "{sql}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_script_of_the_containers_makes_a_log_in_that_serves() {
    let mut kost = Kost::with_tenants(1).await;
    let (owner, server) = address_of_owner(&kost);
    let folder = tempfile::tempdir().unwrap();
    for name in ["owner_password", "service_password"] {
        std::fs::write(folder.path().join(name), format!("it's \\a `{name}`\n")).unwrap();
    }
    // It runs again with each start, and then the password may be another.
    for _ in 0..2 {
        let mut script = tokio::process::Command::new("sh");
        script.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/compose/grants.sh"));
        script.env("KASIR_SECRETS", folder.path());
        script.env("KASIR_ROLE_FILE", concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/postgres-role.sql"));
        script.envs([("PGHOST", &server.host), ("PGPORT", &server.port), ("PGUSER", &owner)]);
        let ended = script.env("PGDATABASE", &server.database).output().await.unwrap();
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    }
    let with_password =
        "SELECT count(*) FROM pg_authid WHERE rolname = 'kasir' AND rolpassword LIKE 'SCRAM%'";
    assert_eq!(kost.count(with_password).await, 1);
    let address = kost.log_in_as("kasir");
    let port = free_port();
    let mut processes = [kost.start_api(port).await, kost.start_worker()];
    kost.front_end(port).everybody_pays(kost.tenants.clone()).await;
    kost.all_instructed(1, s(30)).await;
    processes.iter_mut().for_each(crate::process::Kasir::assert_alive);
    let mut service = PgConnection::connect(&address).await.unwrap();
    assert!(service.execute("DROP TABLE payment_history").await.is_err());
}

/// Where a database is.
struct Server {
    host: String,
    port: String,
    database: String,
}

/// The user who owns the database of this house, and where it is.
fn address_of_owner(kost: &Kost) -> (String, Server) {
    let address = kost.environment(free_port())[0].1.clone();
    let (user, rest) = address.split_once("://").unwrap().1.rsplit_once('@').unwrap();
    let (host, database) = rest.split_once('/').unwrap();
    let (host, port) = host.split_once(':').unwrap();
    let server = Server { host: host.to_owned(), port: port.to_owned(), database: database.to_owned() };
    (user.split(':').next().unwrap().to_owned(), server)
}
