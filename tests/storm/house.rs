//! The house in a storm: two processes on one file of SQLite, people, the gateway, and what was seen so far.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Method as Verb, Request};
use clock::Clock;
use domain::{BillId, Email, Payment, Period, Rank, Role, Rupiah, Secret, UserId};
use kasir::config::Config;
use kasir::http::{self, Passwords, Tokens};
use kasir::roles::{self, Parts};
use midtrans::Midtrans;
use midtrans_sim::{Options, Simulator, TransactionView};
use queue::{Limits, Queue};
use serde_json::Value;
use store::bills::NewBill;
use store::people::NewPerson;
use store::{Db, bills, methods, payments, people, rooms};
use tower::ServiceExt as _;
use workers::HouseGate;

use crate::dice::Dice;
use crate::parts;
use crate::sky::{OpenGate, Sky};
use crate::tally::Tally;

pub(crate) const SERVER_KEY: &str = "SB-Mid-server-storm-4711-hush";
const CLIENT_KEY: &str = "SB-Mid-client-storm-4712-hush";
const API_KEY: &str = "storm-front-end-key-hush";
const SECRET: &str = "storm-installation-secret-hush-0123456789";
const HASH: &str = "a-password-that-opens-nothing-hush";
/// What nobody may ever read in an answer or in the log.
pub(crate) const SECRETS: [&str; 5] = [SERVER_KEY, CLIENT_KEY, API_KEY, SECRET, HASH];

pub(crate) const AMOUNT: i64 = 1_250_000;
const TENANTS: usize = 2;
/// How long a lease lasts, in seconds.
pub(crate) const LEASE_S: usize = 30;
/// No limit of the machine's own clock is ever reached, so that a slow machine plays the same storm. Only the lease,
/// which the clock of the house counts, is short.
const FILE: &str = "[gateway]\ntimeout_s = 120\ncalls_per_s = 1000\nburst = 10000\n\
    [limits]\nlease_s = 30\njob_timeout_s = 600\nrequest_timeout_s = 600\nstall_timeout_s = 900\ndb_wait_s = 120\ndb_connections = 2\n";

/// What takes long to make and is the same in every storm. Nobody logs in with a password, and connections to one
/// simulator are never used for another.
struct AtHand {
    midtrans: Midtrans,
    passwords: Passwords,
}

static AT_HAND: OnceLock<AtHand> = OnceLock::new();
/// Never used: the storm carries notifications itself.
static CLIENT: OnceLock<reqwest::Client> = OnceLock::new();

impl AtHand {
    fn of(parts: &Parts) -> Self {
        // They draw from no storm's dice.
        let parts = &Parts { clock: Clock::manual(parts.clock.now()), ..parts.clone() };
        let (midtrans, passwords) =
            (roles::context(parts).unwrap().midtrans, roles::app(parts).unwrap().passwords);
        Self { midtrans, passwords }
    }
}

/// One process of the program: it answers requests and does jobs.
pub(crate) struct Process {
    pub(crate) db: Db,
    pub(crate) queue: Queue,
    pub(crate) limits: Limits,
    pub(crate) context: workers::Context,
    router: Router,
}

/// A tenant and the bills that are owed.
pub(crate) struct Tenant {
    pub(crate) id: UserId,
    pub(crate) bills: Vec<BillId>,
}

/// A request and its answer.
pub(crate) struct Asked {
    pub(crate) by: UserId,
    pub(crate) verb: Verb,
    pub(crate) path: String,
    pub(crate) body: Value,
    /// The `Idempotency-Key`.
    pub(crate) key: Option<String>,
}

/// What came back.
pub(crate) type Answer = (u16, String);

/// The house.
pub(crate) struct House {
    pub(crate) sky: Arc<Sky>,
    pub(crate) clock: Clock,
    pub(crate) dice: Dice,
    pub(crate) processes: Vec<Process>,
    pub(crate) tenants: Vec<Tenant>,
    pub(crate) admin: UserId,
    /// Notifications that the gateway has sent and nobody has carried yet.
    pub(crate) on_their_way: Vec<Value>,
    /// Those that came, to come again.
    pub(crate) told: Vec<Value>,
    pub(crate) paused: Vec<&'static str>,
    pub(crate) tally: Tally,
    /// What was answered, to be searched for secrets.
    pub(crate) said: String,
    /// The rows of the history as they were first seen.
    pub(crate) history: BTreeMap<(i64, usize), String>,
    books: Db,
    config: Config,
    tokens: Tokens,
    directory: tempfile::TempDir,
}

impl House {
    pub(crate) async fn open(seed: u64) -> Self {
        let _installed = rustls::crypto::ring::default_provider().install_default();
        let memory = Path::new("/dev/shm");
        let directory = match memory.is_dir() {
            true => tempfile::tempdir_in(memory).unwrap(),
            false => tempfile::tempdir().unwrap(),
        };
        let clock = Clock::manual("2026-11-24T03:00:00Z".parse().unwrap()).seeded(seed);
        let minute = Duration::from_secs(60);
        let options = Options {
            server_key: SERVER_KEY.to_owned(),
            client_key: CLIENT_KEY.to_owned(),
            // Notifications are held back and carried by the storm, so the address is never used.
            notification_url: Some("http://127.0.0.1:9/".to_owned()),
            client: Some(CLIENT.get_or_init(|| midtrans::http_client(minute, minute).unwrap()).clone()),
            ..Options::local(clock.seeded(seed ^ 1))
        };
        let sim = Simulator::start(options).await.unwrap();
        sim.faults(|faults| faults.notifications.shuffle = true);
        let config = config(&directory, sim.base_url());
        copy_of_an_empty_house(&directory, &config, &clock).await;
        let books = roles::open_database(&config).await.unwrap();
        let sky = Sky::new(sim, clock.clone(), seed ^ 2);
        let mut house = Self {
            sky,
            dice: Dice::new(seed),
            processes: Vec::new(),
            tenants: Vec::new(),
            admin: UserId(0),
            on_their_way: Vec::new(),
            told: Vec::new(),
            paused: Vec::new(),
            tally: Tally::new(seed),
            said: String::new(),
            history: BTreeMap::new(),
            tokens: Tokens::new(&Secret::from(SECRET), clock.clone()),
            clock,
            books,
            config,
            directory,
        };
        for _ in 0..2 {
            let process = house.start().await;
            house.processes.push(process);
        }
        house.people_move_in().await;
        house
    }

    pub(crate) fn sim(&self) -> &Simulator {
        &self.sky.sim
    }

    /// The books, as somebody reads them who is no part of the program: none of its work holds a connection of these.
    pub(crate) fn db(&self) -> &Db {
        &self.books
    }

    async fn start(&self) -> Process {
        let parts = parts::open(self.config.clone(), &self.clock).await;
        let throttle = parts.queue.throttle(parts.config.file.call_limits());
        let house = HouseGate { db: parts.db.clone(), clock: self.clock.clone(), throttle };
        let gate = OpenGate { house, sky: Arc::clone(&self.sky) };
        let at_hand = AT_HAND.get_or_init(|| AtHand::of(&parts));
        let midtrans = at_hand.midtrans.clone().towards(self.sky.sim.base_url()).unwrap();
        let context = roles::context_with(&parts, midtrans.clone()).unwrap();
        let midtrans = midtrans.guarded(Arc::new(gate));
        let router = http::router(Arc::new(roles::app_with(&parts, at_hand.passwords.clone()).unwrap()));
        Process {
            db: parts.db.clone(),
            queue: parts.queue.clone(),
            limits: parts.config.file.job_limits(),
            // One after the other: of several at once nobody could say in which order they come.
            context: workers::Context { midtrans, compared_at_once: 1, ..context },
            router,
        }
    }

    /// A process has died; another takes its place.
    pub(crate) async fn restart(&mut self, which: usize) {
        let fresh = self.start().await;
        let dead = std::mem::replace(&mut self.processes[which], fresh);
        close(dead.db).await;
    }

    async fn people_move_in(&mut self) {
        self.admin = self.person("sari", Role::Admin).await;
        for number in 0..TENANTS {
            let id = self.person(&format!("tenant{number}"), Role::Tenant).await;
            let (now, amount) = (self.clock.now(), Rupiah::try_from(AMOUNT).unwrap());
            let room = rooms::insert(self.db(), &format!("A{number}"), amount, now).await.unwrap().unwrap();
            assert!(rooms::move_in(self.db(), id, room, now.date_naive()).await.unwrap());
            let period = Period::new(2026, 11).unwrap();
            let new = NewBill { tenant_id: id, room_id: room, period, amount };
            let bill = bills::insert(self.db(), &new, now).await.unwrap().unwrap();
            self.tenants.push(Tenant { id, bills: vec![bill] });
        }
    }

    async fn person(&self, name: &str, role: Role) -> UserId {
        let email = Email::try_from(format!("{name}@kost.test")).unwrap();
        let password_hash = &Secret::from(HASH);
        let new = NewPerson { email: &email, name, role, rank: Rank::Owner, password_hash };
        people::insert(self.db(), &new, self.clock.now()).await.unwrap().unwrap()
    }

    /// The bills that were written meanwhile are theirs too.
    pub(crate) async fn look_at_bills(&mut self) {
        for at in 0..self.tenants.len() {
            let found = bills::of_tenant(self.db(), self.tenants[at].id, 100).await.unwrap();
            let mut ids: Vec<BillId> = found.iter().map(|bill| bill.id).collect();
            ids.sort_unstable_by_key(|id| id.0);
            // One that is void is owed by nobody, and looked at all the same.
            ids.extend(
                self.tenants[at].bills.iter().filter(|old| !ids.contains(old)).copied().collect::<Vec<_>>(),
            );
            self.tenants[at].bills = ids;
        }
    }

    pub(crate) fn bills(&self) -> Vec<BillId> {
        self.tenants.iter().flat_map(|tenant| tenant.bills.iter().copied()).collect()
    }

    /// Every payment there is, by bill and in the order they were made.
    pub(crate) async fn payments(&self) -> Vec<Payment> {
        let mut all = Vec::new();
        for bill in self.bills() {
            all.extend(payments::of_bill(self.db(), bill).await.unwrap());
        }
        all.sort_by_key(|payment| payment.id.0);
        all
    }

    pub(crate) fn transactions(&self) -> Vec<TransactionView> {
        self.sim().transactions()
    }

    /// A request under way in that process.
    pub(crate) fn request(&self, process: usize, asked: &Asked) -> impl Future<Output = Answer> + 'static {
        let token = self.tokens.access(asked.by).unwrap();
        let mut request = Request::builder()
            .method(asked.verb.clone())
            .uri(&asked.path)
            .header("authorization", format!("Bearer {token}"))
            .header("x-api-key", API_KEY)
            .header("content-type", "application/json");
        if let Some(key) = &asked.key {
            request = request.header("idempotency-key", key);
        }
        answered(&self.processes[process].router, request.body(Body::from(asked.body.to_string())).unwrap())
    }

    /// The gateway posts a notification to that process.
    pub(crate) fn notify(&self, process: usize, body: &Value) -> impl Future<Output = Answer> + 'static {
        let request = Request::builder()
            .method(Verb::POST)
            .uri("/api/midtrans-notification")
            .header("content-type", "application/json");
        answered(&self.processes[process].router, request.body(Body::from(body.to_string())).unwrap())
    }

    /// What the gateway has sent meanwhile is on its way.
    pub(crate) fn collect_notifications(&mut self) {
        let sent = self.sim().take_notifications();
        self.on_their_way.extend(sent);
    }

    /// Closes the books, which are deleted.
    pub(crate) async fn close(self) {
        for db in self.processes.into_iter().map(|process| process.db).chain([self.books]) {
            close(db).await;
        }
        self.directory.close().unwrap();
    }
}

async fn close(db: Db) {
    if let Db::Sqlite { writer, readers, .. } = db {
        readers.close().await;
        writer.close().await;
    }
}

fn answered(router: &Router, request: Request<Body>) -> impl Future<Output = Answer> + 'static {
    let router = router.clone();
    async move {
        let response = router.oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let body = to_bytes(response.into_body(), 1024 * 1024).await.unwrap();
        (status, String::from_utf8_lossy(&body).into_owned())
    }
}

fn config(directory: &tempfile::TempDir, gateway: &str) -> Config {
    let env = [
        ("MIDTRANS_SERVER_KEY", SERVER_KEY.to_owned()),
        ("MIDTRANS_CLIENT_KEY", CLIENT_KEY.to_owned()),
        ("MIDTRANS_BASE_URL", gateway.to_owned()),
        ("API_KEYS", format!("storm={API_KEY}")),
        ("KASIR_SECRET", SECRET.to_owned()),
        ("KASIR_ADDR", "127.0.0.1:0".to_owned()),
        ("DATABASE_URL", format!("sqlite://{}", directory.path().join("kasir.db").display())),
    ];
    let find = |name: &str| env.iter().find(|(key, _)| *key == name).map(|(_, value)| value.clone());
    Config::from_parts(&find, FILE).unwrap()
}

/// The schema is made once in each process of the tests, and copied for each storm.
async fn copy_of_an_empty_house(directory: &tempfile::TempDir, config: &Config, clock: &Clock) {
    static EMPTY: OnceLock<Vec<u8>> = OnceLock::new();
    let file = directory.path().join("kasir.db");
    if let Some(empty) = EMPTY.get() {
        std::fs::write(&file, empty).unwrap();
        return;
    }
    let db = parts::open(config.clone(), clock).await.db;
    store::migrate(&db).await.unwrap();
    methods::offer_all(&db).await.unwrap();
    // The last one who closes the file empties the log beside it into it.
    close(db).await;
    let _first = EMPTY.set(std::fs::read(&file).unwrap());
}
