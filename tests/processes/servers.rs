//! The servers of one test: a database on the PostgreSQL of the run, and a Redis of its own that may be killed.

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use domain::Secret;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use tokio::process::{Child, Command};

use crate::waiting::{eventually, s, variable};

/// A port that nobody listens on; the kernel gives it to nobody else for a while.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port()
}

/// Makes an empty database and gives its address, with a password in it that must not be seen anywhere. The server
/// takes any password. The database goes when the server does, at the end of the run.
pub(crate) async fn new_database(password: &str) -> String {
    let server = variable("KASIR_TEST_POSTGRES");
    let name = format!("kasir_processes_{}_{}", std::process::id(), free_port());
    let mut admin = PgConnection::connect(&server).await.unwrap();
    admin.execute(AssertSqlSafe(format!("CREATE DATABASE {name}"))).await.unwrap();
    let (address, _) = server.rsplit_once('/').expect("KASIR_TEST_POSTGRES ends in /DATABASE");
    let (user, host) = address.rsplit_once('@').expect("KASIR_TEST_POSTGRES names a user");
    format!("{user}:{password}@{host}/{name}")
}

/// A Redis that can be killed, emptied and started again; dropped, it is killed.
pub(crate) struct Redis {
    port: u16,
    password: String,
    dir: PathBuf,
    /// Whether it writes down what it is told, and knows it again after a kill.
    remembers: bool,
    process: Option<Child>,
}

impl Redis {
    /// Starts one that writes everything down in its append-only file, or one that keeps nothing.
    pub(crate) async fn start(dir: &Path, password: &str, remembers: bool) -> Self {
        let mut redis = Self {
            port: free_port(),
            password: password.to_owned(),
            dir: dir.to_owned(),
            remembers,
            process: None,
        };
        redis.start_again().await;
        redis
    }

    /// Its address, with the password.
    pub(crate) fn url(&self) -> String {
        format!("redis://:{}@127.0.0.1:{}/", self.password, self.port)
    }

    /// The same for whoever brings ids there.
    pub(crate) fn settings(&self) -> queue::RedisSettings {
        queue::RedisSettings { url: Secret::from(self.url()), namespace: "kasir".to_owned() }
    }

    /// Kills it as the kernel would.
    pub(crate) async fn kill(&mut self) {
        self.process.take().expect("Redis runs").kill().await.unwrap();
    }

    /// Lets it hang: connections stay open, and nothing is answered.
    pub(crate) async fn hang(&self) {
        self.signal("STOP").await;
    }

    /// Lets a Redis that hangs go on.
    pub(crate) async fn go_on(&self) {
        self.signal("CONT").await;
    }

    async fn signal(&self, signal: &str) {
        let pid = self.process.as_ref().and_then(Child::id).expect("Redis runs");
        crate::process::signal(signal, pid).await;
    }

    /// Starts it again at the same address; with nothing in it, unless it remembers.
    pub(crate) async fn start_again(&mut self) {
        let log = std::fs::File::create(self.dir.join("redis.log")).unwrap();
        let process = Command::new(variable("KASIR_TEST_REDIS_SERVER"))
            .args([
                "--bind",
                "127.0.0.1",
                "--port",
                &self.port.to_string(),
                "--save",
                "",
                "--appendonly",
                if self.remembers { "yes" } else { "no" },
            ])
            .args(["--requirepass", &self.password, "--dir"])
            .arg(&self.dir)
            .stdin(Stdio::null())
            .stdout(log)
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        self.process = Some(process);
        eventually(s(30), "Redis answers", async || self.ask::<String>(redis::cmd("PING")).await).await;
    }

    /// Loses everything, and gives how many ids waited in it.
    pub(crate) async fn lose_everything(&self) -> usize {
        self.ask(script(&format!("{WAITING} redis.call('FLUSHALL') return n"))).await.unwrap()
    }

    /// How many ids wait in it.
    pub(crate) async fn waiting(&self) -> usize {
        self.ask(script(&format!("{WAITING} return n"))).await.unwrap()
    }

    /// How many keys there are.
    pub(crate) async fn keys(&self) -> usize {
        self.ask(redis::cmd("DBSIZE")).await.unwrap()
    }

    /// Has it do a command.
    pub(crate) async fn ask<T: redis::FromRedisValue>(&self, command: redis::Cmd) -> Result<T, String> {
        let client = redis::Client::open(self.url()).unwrap();
        let mut connection =
            client.get_multiplexed_async_connection().await.map_err(|error| error.to_string())?;
        command.query_async(&mut connection).await.map_err(|error| error.to_string())
    }
}

/// apalis puts every id into the sorted set first; whoever fetches moves them all to the list.
const WAITING: &str = "local n = redis.call('ZCARD', KEYS[1]) + redis.call('LLEN', KEYS[2])";

fn script(text: &str) -> redis::Cmd {
    let mut command = redis::cmd("EVAL");
    command.arg(text).arg(2).arg("kasir:jobs:scheduled").arg("kasir:jobs:active");
    command
}
