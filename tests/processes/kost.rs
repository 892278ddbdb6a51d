//! A boarding house with everything it needs: database, Redis, gateway, keys, tenants who owe a month's rent.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use clock::Clock;
use domain::{BillId, Email, Method, Period, Rank, Role, Rupiah, Secret};
use kasir::http::Passwords;
use midtrans_sim::{Options, Simulator};
use sqlx::PgPool;
use store::Db;
use store::bills::NewBill;
use store::people::NewPerson;
use store::{bills, methods, people, rooms};
use tempfile::TempDir;

use crate::front_end::FrontEnd;
use crate::process::{Kasir, Start, built};
use crate::servers::{Redis, free_port, new_database};
use crate::waiting::s;

/// With and without idempotency keys, with and without an instruction in the answer of GET status (contract §1, §3).
const METHODS: [Method; 5] =
    [Method::Bca, Method::Permata, Method::Gopay, Method::Mandiri, Method::Indomaret];
/// Calls to the gateway are not what these tests wait for.
const FILE: &str = "[gateway]\ncalls_per_s = 1000\nburst = 1000\n";
/// Lines of each log that a failed test shows.
const LINES_SHOWN: usize = 15;

/// A tenant, and the bill to pay.
#[derive(Debug, Clone)]
pub(crate) struct Tenant {
    pub(crate) email: String,
    pub(crate) bill: BillId,
    /// How this tenant pays.
    pub(crate) method: &'static str,
}

/// What nobody may ever read in a log.
struct Keys {
    server: String,
    client: String,
    api: String,
    secret: String,
    password: String,
    database: String,
    redis: String,
}

/// A boarding house. When it is dropped, no log of any of its processes may hold a key.
pub(crate) struct Kost {
    pub(crate) sim: Simulator,
    pub(crate) redis: Redis,
    pub(crate) pool: PgPool,
    pub(crate) tenants: Vec<Arc<Tenant>>,
    pub(crate) http: reqwest::Client,
    database_url: String,
    keys: Keys,
    started: AtomicU32,
    dir: TempDir,
}

impl Kost {
    /// A house with so many tenants. Nothing of Kasir runs yet.
    pub(crate) async fn with_tenants(count: usize) -> Self {
        let clock = Clock::system();
        let keys = Keys::draw(&clock);
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("kasir.toml"), FILE).unwrap();
        let redis = Redis::start(dir.path(), &keys.redis, false).await;
        let sim = Simulator::start(Options {
            server_key: keys.server.clone(),
            client_key: keys.client.clone(),
            ..Options::local(clock.clone())
        });
        let sim = sim.await.unwrap();
        let database_url = new_database(&keys.database).await;
        let patient = store::Options { wait: s(10), ..store::Options::default() };
        let db = store::connect(&database_url, &patient).await.unwrap();
        let Db::Postgres(server) = db.clone() else { panic!("KASIR_TEST_POSTGRES is not a PostgreSQL") };
        let pool = (*server).clone();
        let http = midtrans::http_client(s(5), s(20)).unwrap();
        let tenants = Vec::new();
        let mut kost =
            Self { sim, redis, pool, tenants, http, database_url, keys, started: AtomicU32::new(0), dir };
        let migrated = kost.start("migrate", free_port()).ends_within(s(20)).await;
        assert!(migrated.success(), "kasir migrate: {migrated}");
        kost.tenants = move_in(&db, &clock, (count, &kost.keys.password)).await;
        kost
    }

    /// From now on processes come to the database as this role; gives their address, which has the same password.
    pub(crate) fn log_in_as(&mut self, role: &str) -> String {
        let (_, rest) = self.database_url.split_once("://").expect("the address has a scheme");
        let (_, rest) = rest.split_once(':').expect("the address has a user and a password");
        self.database_url = format!("postgres://{role}:{rest}");
        self.database_url.clone()
    }

    /// The books.
    pub(crate) fn db(&self) -> Db {
        Db::Postgres(self.pool.clone().into())
    }

    /// Starts `kasir api` on this port, has the gateway notify it, and waits until it answers.
    pub(crate) async fn start_api(&self, port: u16) -> Kasir {
        let api = self.start("api", port);
        self.sim.set_notification_url(Some(format!("http://127.0.0.1:{port}/api/midtrans-notification")));
        self.front_end(port).is_up().await;
        api
    }

    /// Starts `kasir worker`.
    pub(crate) fn start_worker(&self) -> Kasir {
        self.start("worker", free_port())
    }

    /// Starts `kasir scheduler`.
    pub(crate) fn start_scheduler(&self) -> Kasir {
        self.start("scheduler", free_port())
    }

    /// A front end of the api on this port.
    pub(crate) fn front_end(&self, port: u16) -> FrontEnd {
        FrontEnd {
            http: self.http.clone(),
            url: format!("http://127.0.0.1:{port}"),
            api_key: self.keys.api.clone(),
            password: self.keys.password.clone(),
        }
    }

    fn start(&self, role: &str, port: u16) -> Kasir {
        let environment = self.environment(port);
        let number = self.started.fetch_add(1, Ordering::SeqCst);
        let name = format!("{number}-{role}");
        let start = Start {
            program: built(),
            role: Some(role),
            environment: &environment,
            dir: self.dir.path(),
            name: &name,
        };
        start.start()
    }

    /// What every process of this house has in its environment.
    pub(crate) fn environment(&self, port: u16) -> [(&'static str, String); 10] {
        let Keys { server, client, api, secret, .. } = &self.keys;
        [
            ("DATABASE_URL", self.database_url.clone()),
            ("REDIS_URL", self.redis.url()),
            ("KASIR_ADDR", format!("127.0.0.1:{port}")),
            ("MIDTRANS_BASE_URL", self.sim.base_url().to_owned()),
            ("MIDTRANS_SERVER_KEY", server.clone()),
            ("MIDTRANS_CLIENT_KEY", client.clone()),
            ("API_KEYS", format!("web={api}")),
            ("KASIR_SECRET", secret.clone()),
            ("KASIR_LOG_FORMAT", "json".to_owned()),
            ("RUST_LOG", "info,kasir=debug,queue=debug,workers=debug,midtrans=debug".to_owned()),
        ]
    }

    /// What nobody may ever read.
    pub(crate) fn secrets(&self) -> [&str; 7] {
        self.keys.all()
    }
}

impl Drop for Kost {
    fn drop(&mut self) {
        if std::thread::panicking() {
            show_logs(self.dir.path());
        } else {
            assert_nothing_leaked(self.dir.path(), &self.keys.all());
        }
    }
}

impl Keys {
    fn draw(clock: &Clock) -> Self {
        let draw = |name: &str| format!("{name}-{}", clock.ulid());
        Self {
            server: draw("SB-Mid-server"),
            client: draw("SB-Mid-client"),
            api: draw("front-end"),
            secret: draw("installation-secret"),
            password: draw("rahasia"),
            database: draw("database"),
            redis: draw("redis"),
        }
    }

    fn all(&self) -> [&str; 7] {
        let Self { server, client, api, secret, password, database, redis } = self;
        [server, client, api, secret, password, database, redis].map(String::as_str)
    }
}

/// All tenants have the same password, which is hashed once.
async fn move_in(db: &Db, clock: &Clock, (count, password): (usize, &str)) -> Vec<Arc<Tenant>> {
    let passwords = Passwords::new(Secret::from("only to hash"), clock.clone(), 1).unwrap();
    let password_hash = passwords.hash(&Secret::from(password)).await.unwrap();
    methods::offer_all(db).await.unwrap();
    let (now, price) = (clock.now(), Rupiah::try_from(1_250_000).unwrap());
    let period = Period::new(2026, 11).unwrap();
    let mut tenants = Vec::with_capacity(count);
    for (number, method) in (0..count).zip(METHODS.iter().cycle()) {
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
        let bill = NewBill { tenant_id, room_id, period, amount: price };
        let bill = bills::insert(db, &bill, now).await.unwrap().unwrap();
        tenants.push(Arc::new(Tenant { email: email.as_str().to_owned(), bill, method: method.code() }));
    }
    tenants
}

/// Fails when a file of a process, what it printed or what it logged, holds one of these.
pub(crate) fn assert_nothing_leaked(dir: &Path, secrets: &[&str]) {
    for (name, text) in logs(dir) {
        let leaked = secrets.iter().filter(|secret| text.contains(**secret)).count();
        assert_eq!(leaked, 0, "{name} holds {leaked} of the keys");
        assert!(!text.contains("panicked at"), "{name}: {text}");
    }
}

/// The ends of all logs, for whoever must find out why a test failed.
pub(crate) fn show_logs(dir: &Path) {
    for (name, text) in logs(dir) {
        let lines: Vec<&str> = text.lines().collect();
        let from = lines.len().saturating_sub(LINES_SHOWN);
        eprintln!("--- the end of {name}\n{}", lines[from..].join("\n"));
    }
}

fn logs(dir: &Path) -> Vec<(String, String)> {
    let files = std::fs::read_dir(dir).unwrap().map(|file| file.unwrap().path());
    let logs = files.filter(|file| file.extension().is_some_and(|end| end == "log" || end == "out"));
    logs.map(|file| (file.display().to_string(), std::fs::read_to_string(&file).unwrap())).collect()
}
