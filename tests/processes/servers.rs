//! The servers of one test: a database on the PostgreSQL of the run, and a Redis of its own that may be killed.

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;

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
    format!("{}/{name}", address.replacen('@', &format!(":{password}@"), 1))
}

/// A Redis that can be killed, emptied and started again; dropped, it is killed.
pub(crate) struct Redis {
    port: u16,
    password: String,
    dir: PathBuf,
    process: Option<Child>,
}

impl Redis {
    /// Starts one that keeps nothing on the disk.
    pub(crate) async fn start(dir: &Path, password: &str) -> Self {
        let mut redis =
            Self { port: free_port(), password: password.to_owned(), dir: dir.to_owned(), process: None };
        redis.start_again().await;
        redis
    }

    /// Its address, with the password.
    pub(crate) fn url(&self) -> String {
        format!("redis://:{}@127.0.0.1:{}/", self.password, self.port)
    }

    /// Kills it as the kernel would.
    pub(crate) async fn kill(&mut self) {
        self.process.take().expect("Redis runs").kill().await.unwrap();
    }

    /// Starts it again at the same address, with nothing in it.
    pub(crate) async fn start_again(&mut self) {
        let log = std::fs::File::create(self.dir.join("redis.log")).unwrap();
        let process = Command::new(variable("KASIR_TEST_REDIS_SERVER"))
            .args(["--bind", "127.0.0.1", "--port", &self.port.to_string(), "--save", "", "--appendonly", "no"])
            .args(["--requirepass", &self.password, "--dir"])
            .arg(&self.dir)
            .stdin(Stdio::null())
            .stdout(log)
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        self.process = Some(process);
        eventually(s(10), "Redis answers", async || self.ask::<String>(redis::cmd("PING")).await).await;
    }

    /// Loses everything, and gives how many ids waited in it.
    pub(crate) async fn lose_everything(&self) -> usize {
        let mut script = redis::cmd("EVAL");
        script.arg("local n = redis.call('LLEN', KEYS[1]) redis.call('FLUSHALL') return n");
        script.arg(1).arg("kasir:jobs:active");
        self.ask(script).await.unwrap()
    }

    /// How many keys there are.
    pub(crate) async fn keys(&self) -> usize {
        self.ask(redis::cmd("DBSIZE")).await.unwrap()
    }

    async fn ask<T: redis::FromRedisValue>(&self, command: redis::Cmd) -> Result<T, String> {
        let client = redis::Client::open(self.url()).unwrap();
        let mut connection =
            client.get_multiplexed_async_connection().await.map_err(|error| error.to_string())?;
        command.query_async(&mut connection).await.map_err(|error| error.to_string())
    }
}
