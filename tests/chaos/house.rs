//! The house that is hurt: its servers, its five processes, and the ways between them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clock::Clock;
use midtrans_sim::{Options, Simulator};
use store::Db;

use crate::Ways;
use crate::books::Books;
use crate::disk::Disk;
use crate::postgres::Postgres;
use crate::process::{Kasir, Start, built};
use crate::proxy::Proxy;
use crate::servers::{Redis, free_port};
use crate::tenants::{self, Bill};
use crate::waiting::{eventually, ms, s};

/// Calls to the gateway are not what is tried here.
const FILE: &str = "[gateway]\ncalls_per_s = 1000\nburst = 1000\n";
/// How long the gateway takes for a call, so that a kill finds work that is under way.
const GATEWAY_MS: u64 = 300;

/// What a scenario needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Two apis, two workers and a scheduler on PostgreSQL and Redis.
    Whole,
    /// The same, with the cluster on a file system of so many megabytes.
    Small(u32),
    /// One process on SQLite.
    Embedded,
    /// The same, with the file on a file system of so many megabytes.
    SmallEmbedded(u32),
}

impl Kind {
    pub(crate) fn is_embedded(self) -> bool {
        matches!(self, Self::Embedded | Self::SmallEmbedded(_))
    }
}

/// What nobody may read in a log, and what front ends need.
pub(crate) struct Keys {
    pub(crate) server: String,
    pub(crate) api: String,
    pub(crate) secret: String,
    pub(crate) password: String,
    database: String,
    redis: String,
}

/// What the load needs of the house.
pub(crate) struct World {
    pub(crate) sim: Simulator,
    pub(crate) clock: Clock,
    pub(crate) http: reqwest::Client,
    pub(crate) url: String,
    pub(crate) keys: Keys,
    pub(crate) bills: Vec<Bill>,
}

/// A process of the house, or the place of one that was killed.
pub(crate) struct Place {
    role: Option<&'static str>,
    port: u16,
    process: Option<Kasir>,
}

/// The two apis, the two workers and the scheduler, by their places; embedded, the first is all of them.
pub(crate) const APIS: [usize; 2] = [0, 1];
pub(crate) const WORKERS: [usize; 2] = [2, 3];
pub(crate) const SCHEDULER: usize = 4;
const ROLES: [&str; 5] = ["api", "api", "worker", "worker", "scheduler"];

/// A house with everything it needs.
pub(crate) struct House {
    pub(crate) world: Arc<World>,
    pub(crate) postgres: Option<Postgres>,
    pub(crate) redis: Option<Redis>,
    pub(crate) to_database: Proxy,
    pub(crate) to_gateway: Proxy,
    pub(crate) places: Vec<Place>,
    /// When a process was killed, in milliseconds of the machine's clock.
    pub(crate) kills: Vec<i64>,
    /// What a scenario wants to be told besides the table.
    pub(crate) told: Vec<String>,
    /// What a scenario found to be wrong by itself.
    pub(crate) wrong: Vec<String>,
    /// What is started from now on; a deployment puts another there.
    pub(crate) program: PathBuf,
    /// Besides the usual environment, for each place.
    pub(crate) extra: Vec<Vec<(&'static str, String)>>,
    started: u32,
    pub(crate) ways: Ways,
    /// The times in the books are of several clocks, and measure nothing.
    pub(crate) clocks_differ: bool,
    _door: Proxy,
    pub(crate) disk: Option<Disk>,
    dir: PathBuf,
}

impl House {
    /// Everything is there and answers.
    pub(crate) async fn open(kind: Kind) -> Self {
        let clock = Clock::system();
        let keys = Keys::draw(&clock);
        let dir = new_dir();
        std::fs::write(dir.join("kasir.toml"), FILE).unwrap();
        let disk = match kind {
            Kind::Small(mb) | Kind::SmallEmbedded(mb) => Some(Disk::of(&dir, mb).await),
            Kind::Whole | Kind::Embedded => None,
        };
        let home = disk.as_ref().map_or_else(|| dir.join("database"), |disk| disk.path().join("database"));
        std::fs::create_dir(&home).unwrap();
        let (mut postgres, mut redis) = (None, None);
        let url = if kind.is_embedded() {
            format!("sqlite://{}", home.join("kasir.db").display())
        } else {
            let server = Postgres::start(&home, &dir.join("postgres.log")).await;
            redis = Some(Redis::start(&dir, &keys.redis, true).await);
            let url = server.url(server.port, &keys.database);
            postgres = Some(server);
            url
        };
        let sim = start_simulator(&keys, &clock).await;
        let to_gateway = Proxy::to(&[sim.address().port()]).await;
        let to_database = Proxy::to(&postgres.iter().map(|server| server.port).collect::<Vec<_>>()).await;
        let roles: Vec<_> = if kind.is_embedded() { vec![None] } else { ROLES.map(Some).to_vec() };
        let places: Vec<Place> =
            roles.into_iter().map(|role| Place { role, port: free_port(), process: None }).collect();
        let apis: Vec<u16> = places.iter().take(2).map(|place| place.port).collect();
        let door = Proxy::to(&apis).await;
        let patient = store::Options { wait: s(5), ..store::Options::default() };
        let db = store::connect(&url, &patient).await.unwrap();
        store::migrate(&db).await.unwrap();
        let bills = tenants::move_in(&db, &clock, &keys.password).await;
        close(db).await;
        let http = midtrans::http_client(s(5), s(20)).unwrap();
        let url = format!("http://127.0.0.1:{}", door.port);
        sim.set_notification_url(Some(format!("{url}/api/midtrans-notification")));
        let world = Arc::new(World { sim, clock, http, url, keys, bills });
        let extra = vec![Vec::new(); places.len()];
        let mut house = Self {
            world,
            postgres,
            redis,
            to_database,
            to_gateway,
            places,
            kills: Vec::new(),
            told: Vec::new(),
            wrong: Vec::new(),
            program: built().to_owned(),
            extra,
            started: 0,
            ways: Ways::default(),
            clocks_differ: false,
            _door: door,
            disk,
            dir,
        };
        for place in 0..house.places.len() {
            house.start(place);
        }
        house.is_up().await;
        house
    }

    /// Starts a process in its place.
    pub(crate) fn start(&mut self, place: usize) {
        self.started += 1;
        let environment = self.environment(place);
        let Place { role, process, .. } = &mut self.places[place];
        let name = format!("{}-{}", self.started, role.unwrap_or("serve"));
        let program = self.program.as_path();
        let start = Start { program, role: *role, environment: &environment, dir: &self.dir, name: &name };
        *process = Some(start.start());
    }

    /// `kill -9`.
    pub(crate) async fn kill(&mut self, place: usize) {
        self.kills.push(self.world.clock.now().timestamp_millis());
        self.places[place].process.take().expect("it runs").kill_9().await;
    }

    /// SIGTERM, and waits until it has ended; it must, in time and well.
    pub(crate) async fn terminate(&mut self, place: usize) {
        let process = self.places[place].process.take().expect("it runs");
        let asked = process.terminate().await;
        let status = process.ends_within(s(25)).await;
        let took = asked.elapsed();
        if !status.success() {
            self.wrong.push(format!("SIGTERM: ended with {status} after {took:.1?}"));
        }
    }

    /// The process of a place, which runs.
    pub(crate) fn process(&self, place: usize) -> &Kasir {
        self.places[place].process.as_ref().expect("it runs")
    }

    /// Starts what ended by itself, as whoever supervises processes would.
    pub(crate) async fn supervise(&mut self) {
        if let Some(postgres) = &mut self.postgres
            && postgres.has_ended()
        {
            postgres.start_again().await;
            self.told.push("PostgreSQL ended by itself, and was started again".to_owned());
        }
        let mut ended = Vec::new();
        for (number, place) in self.places.iter_mut().enumerate() {
            if place.process.as_mut().is_some_and(Kasir::has_ended) {
                ended.push(number);
            }
        }
        for number in ended {
            self.start(number);
            self.told.push("a process ended by itself, and was started again".to_owned());
        }
    }

    /// Waits until an api answers that it is ready.
    pub(crate) async fn is_up(&self) {
        self.is_ready(&self.world.url).await;
    }

    /// Waits until this api is ready; what is no api is taken at its word.
    pub(crate) async fn answers(&self, place: usize) {
        let Place { role, port, .. } = &self.places[place];
        if role.is_none_or(|role| role == "api") {
            self.is_ready(&format!("http://127.0.0.1:{port}")).await;
        }
    }

    async fn is_ready(&self, base: &str) {
        let url = format!("{base}/readyz");
        eventually(s(120), "an api is ready", async || {
            tokio::time::sleep(ms(50)).await;
            let answer = self.world.http.get(&url).send().await.map_err(|error| error.to_string())?;
            if answer.status().is_success() { Ok(()) } else { Err(answer.status().to_string()) }
        })
        .await;
    }

    /// Runs a command of `kasir` with the environment of the house; gives whether it ended well, and what it said.
    pub(crate) async fn command(&self, words: &[&str], database_url: Option<String>) -> (bool, String) {
        let mut environment = self.environment(0);
        if let Some(url) = database_url {
            environment.retain(|(name, _)| *name != "DATABASE_URL");
            environment.push(("DATABASE_URL", url));
        }
        let mut command = tokio::process::Command::new(built());
        command.args(words).env_clear().envs(environment).current_dir(&self.dir);
        let ended = command.output().await.unwrap();
        let said = [ended.stdout, ended.stderr].concat();
        (ended.status.success(), String::from_utf8_lossy(&said).into_owned())
    }

    /// Opens the books by a way of our own.
    pub(crate) async fn books(&self) -> sqlx::Result<Books> {
        match &self.postgres {
            Some(postgres) => Books::of_server(&postgres.url(postgres.port, "any")).await,
            None => Books::of_file(&self.file()).await,
        }
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The file of the embedded books.
    pub(crate) fn file(&self) -> PathBuf {
        self.disk.as_ref().map_or(self.dir.as_path(), Disk::path).join("database/kasir.db")
    }

    fn environment(&self, place: usize) -> Vec<(&'static str, String)> {
        let Keys { server, api, secret, database, .. } = &self.world.keys;
        let books = match &self.postgres {
            Some(postgres) => postgres.url(self.to_database.port, database),
            None => format!("sqlite://{}", self.file().display()),
        };
        let mut all = vec![
            ("DATABASE_URL", books),
            ("KASIR_ADDR", format!("127.0.0.1:{}", self.places[place].port)),
            ("MIDTRANS_BASE_URL", format!("http://127.0.0.1:{}", self.to_gateway.port)),
            ("MIDTRANS_SERVER_KEY", server.clone()),
            ("API_KEYS", format!("web={api}")),
            ("KASIR_SECRET", secret.clone()),
            ("KASIR_LOG_FORMAT", "json".to_owned()),
            ("RUST_LOG", "info".to_owned()),
        ];
        all.extend(self.redis.iter().map(|redis| ("REDIS_URL", redis.url())));
        all.extend(self.extra[place].iter().cloned());
        all
    }

    /// Stops everything. The directory is kept when something is wrong, and its place is told.
    pub(crate) async fn close(mut self, keep: bool) -> Option<PathBuf> {
        for place in &mut self.places {
            drop(place.process.take());
        }
        if let Some(mut postgres) = self.postgres.take() {
            postgres.stop("INT").await;
        }
        drop(self.redis.take());
        if let Some(disk) = self.disk.take() {
            disk.take_away(keep.then_some(self.dir.as_path())).await;
        }
        if keep {
            return Some(self.dir.clone());
        }
        std::fs::remove_dir_all(&self.dir).unwrap();
        None
    }

    /// Logs with a key in them, or with the last words of a program that broke.
    pub(crate) fn leaks(&self) -> Vec<String> {
        let Keys { server, api, secret, password, database, redis } = &self.world.keys;
        let never = [server, api, secret, password, database, redis].map(String::as_str);
        let files = std::fs::read_dir(&self.dir).unwrap().map(|file| file.unwrap().path());
        let logs = files.filter(|file| file.extension().is_some_and(|end| end == "log" || end == "out"));
        logs.filter_map(|file| {
            let text = std::fs::read_to_string(&file).unwrap();
            let leaks = never.iter().chain(&["panicked at"]).any(|word| text.contains(word));
            leaks.then(|| format!("{} holds a key, or a panic", file.display()))
        })
        .collect()
    }
}

impl Drop for House {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("what is left of it is in {}", self.dir.display());
        }
    }
}

/// The house itself has no connection to the books open while it is hurt: a file that somebody else still holds open is
/// not found as after a crash.
async fn close(db: Db) {
    match db {
        Db::Postgres(pool) => pool.close().await,
        Db::Sqlite { writer, readers, .. } => {
            readers.close().await;
            writer.close().await;
        }
    }
}

impl Keys {
    fn draw(clock: &Clock) -> Self {
        let draw = |name: &str| format!("{name}-{}", clock.ulid());
        Self {
            server: draw("SB-Mid-server"),
            api: draw("front-end"),
            secret: draw("installation-secret"),
            password: draw("rahasia"),
            database: draw("database"),
            redis: draw("redis"),
        }
    }
}

/// PostgreSQL may run as another user, who must be let through.
fn new_dir() -> PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    let open = std::fs::Permissions::from_mode(0o755);
    tempfile::Builder::new().prefix("kasir-chaos-").permissions(open).tempdir().unwrap().keep()
}

/// The gateway. It tells again after seconds what it could not tell, where the real one takes minutes.
async fn start_simulator(keys: &Keys, clock: &Clock) -> Simulator {
    let options =
        Options { server_key: keys.server.clone(), retry_speedup: 20, ..Options::local(clock.clone()) };
    let sim = Simulator::start(options).await.unwrap();
    sim.faults(|faults| faults.api.latency_ms = GATEWAY_MS);
    sim
}
