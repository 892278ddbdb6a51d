//! A PostgreSQL of one scenario: a fresh cluster with the settings of production, which may be killed and filled.

use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use sqlx::{Connection as _, PgConnection};
use tokio::process::{Child, Command};

use crate::process::signal;
use crate::servers::free_port;
use crate::waiting::{eventually, s, variable};

/// What a stranger's PostgreSQL would be set to; a commit is on the disk when it is answered.
const SETTINGS: [&str; 8] = [
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "fsync=on",
    "synchronous_commit=on",
    "full_page_writes=on",
    "max_connections=100",
    "shared_buffers=64MB",
    // Several of these clusters come after each other, and one lives on a small disk.
    "max_wal_size=64MB",
];

/// A cluster, and the server that runs on it.
pub(crate) struct Postgres {
    pub(crate) port: u16,
    home: PathBuf,
    log: PathBuf,
    process: Option<Child>,
}

impl Postgres {
    /// Makes a cluster in `home`, which is there already, and starts its server. The log goes beside it.
    pub(crate) async fn start(home: &Path, log: &Path) -> Self {
        let mut postgres =
            Self { port: free_port(), home: home.to_owned(), log: log.to_owned(), process: None };
        if let Some((uid, gid)) = user() {
            chown(home, Some(uid), Some(gid)).unwrap();
        }
        let mut initdb = postgres.program("initdb");
        initdb.args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync"]);
        let made = initdb.stdin(Stdio::null()).output().await.unwrap();
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        postgres.start_again().await;
        postgres
    }

    /// The address of its database, through whoever listens on this port.
    pub(crate) fn url(&self, port: u16, password: &str) -> String {
        format!("postgres://postgres:{password}@127.0.0.1:{port}/postgres")
    }

    /// Starts the server on what is there, and waits until it answers.
    pub(crate) async fn start_again(&mut self) {
        let log = std::fs::File::options().create(true).append(true).open(&self.log).unwrap();
        let mut server = self.program("postgres");
        for setting in SETTINGS {
            server.args(["-c", setting]);
        }
        server.args(["-c", &format!("port={}", self.port)]);
        server.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).kill_on_drop(true);
        self.process = Some(server.spawn().unwrap());
        let url = self.url(self.port, "any");
        eventually(s(120), "PostgreSQL answers", async || {
            PgConnection::connect(&url).await.map(drop).map_err(|error| error.to_string())
        })
        .await;
    }

    /// Stops it: `INT` lets transactions end as rolled back, `QUIT` is as good as a crash.
    pub(crate) async fn stop(&mut self, how: &str) {
        let mut server = self.process.take().expect("PostgreSQL runs");
        if let (None, Some(pid)) = (server.try_wait().unwrap(), server.id()) {
            signal(how, pid).await;
        }
        server.wait().await.unwrap();
    }

    /// Whether it ended by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.process.as_mut().is_none_or(|server| server.try_wait().unwrap().is_some())
    }

    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(Path::new(&variable("KASIR_TEST_POSTGRES_BIN")).join(name));
        command.current_dir(&self.home).arg("-D").arg(self.home.join("data"));
        if let Some((uid, gid)) = user() {
            command.uid(uid).gid(gid);
        }
        command
    }
}

/// Whom it runs as, when we are root: `UID:GID` in the environment.
fn user() -> Option<(u32, u32)> {
    let text = std::env::var("KASIR_CHAOS_POSTGRES_USER").ok()?;
    let (uid, gid) = text.split_once(':').expect("KASIR_CHAOS_POSTGRES_USER is UID:GID");
    Some((uid.parse().unwrap(), gid.parse().unwrap()))
}
