//! A PostgreSQL and a Redis of the tests' own: free ports, a temporary directory, nothing left behind.

use std::ffi::OsString;
use std::fs::{self, File, Permissions};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Error, Result, anyhow, bail};

use crate::packages::Binaries;
use crate::sweeper::Sweeper;
use crate::user::{User, instead_of_root};

/// Both servers, answering; dropping this stops them.
pub(crate) struct Servers {
    /// Never read, only dropped.
    _sweeper: Sweeper,
    binaries: Binaries,
    postgres_port: u16,
    redis_port: u16,
}

const START_S_MAX: u64 = 60;

impl Servers {
    pub(crate) fn start(binaries: Binaries) -> Result<Self> {
        let begun = Instant::now();
        // Others may pass through, because PostgreSQL may run as another user.
        let dir = tempfile::Builder::new()
            .prefix("kasir-servers-")
            .permissions(Permissions::from_mode(0o755))
            .tempdir()
            .context("cannot make a temporary directory")?;
        let mut sweeper = Sweeper::of(dir.path())?;
        // From here on the sweeper removes it, after the servers have stopped.
        let dir = dir.keep();

        let postgres_port = start_postgres(&mut sweeper, &binaries.postgres_dir, &dir)?;
        let redis_port = start_redis(&mut sweeper, &binaries.redis_server, &dir)?;
        eprintln!(
            "xtask: PostgreSQL on port {postgres_port} and Redis on port {redis_port} are up after {:.1?}",
            begun.elapsed()
        );
        Ok(Self { _sweeper: sweeper, binaries, postgres_port, redis_port })
    }

    /// Where the tests find the servers.
    pub(crate) fn environment(&self) -> Vec<(&'static str, OsString)> {
        let postgres = format!("postgres://postgres@127.0.0.1:{}/postgres", self.postgres_port);
        let redis = format!("redis://127.0.0.1:{}/", self.redis_port);
        vec![
            ("KASIR_TEST_POSTGRES", postgres.into()),
            ("KASIR_TEST_REDIS", redis.into()),
            ("KASIR_TEST_REDIS_SERVER", self.binaries.redis_server.clone().into()),
            ("KASIR_TEST_POSTGRES_BIN", self.binaries.postgres_dir.clone().into()),
        ]
    }
}

fn start_postgres(sweeper: &mut Sweeper, binaries: &Path, dir: &Path) -> Result<u16> {
    let home = dir.join("postgres");
    fs::create_dir(&home)?;
    let user = instead_of_root()?;
    if let Some(user) = user {
        chown(&home, Some(user.uid), Some(user.gid))?;
    }
    init_cluster(&mut postgres_program("initdb", binaries, &home, user))?;

    let port = free_port()?;
    let log = dir.join("postgres.log");
    let mut postgres = postgres_program("postgres", binaries, &home, user);
    for setting in SETTINGS {
        postgres.args(["-c", setting]);
    }
    postgres.args(["-c", &format!("port={port}")]);
    // SIGQUIT: stop at once; the cluster is thrown away.
    let server = sweeper.start(log_to(&log, &mut postgres)?, "QUIT")?;
    wait_for(server, &STARTUP, port).map_err(|why| not_started("PostgreSQL", &why, &log))?;
    Ok(port)
}

/// Durability costs the tests minutes and gives them nothing; everything else is as it is in production.
const SETTINGS: [&str; 9] = [
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "fsync=off",
    "full_page_writes=off",
    "max_connections=300",
    "shared_buffers=64MB",
    "timezone=UTC",
    // A test that asks for it is told which statements ran.
    "shared_preload_libraries=pg_stat_statements",
    "pg_stat_statements.track=none",
];

fn postgres_program(name: &str, binaries: &Path, home: &Path, user: Option<User>) -> Command {
    let mut command = Command::new(binaries.join(name));
    // Its user may not be allowed into our own working directory.
    command.current_dir(home).arg("-D").arg(home.join("data"));
    if let Some(user) = user {
        command.uid(user.uid).gid(user.gid);
    }
    command
}

fn init_cluster(initdb: &mut Command) -> Result<()> {
    initdb.args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync"]);
    let output = initdb.output().context("cannot run initdb")?;
    if !output.status.success() {
        bail!("initdb failed ({}):\n{}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

fn start_redis(sweeper: &mut Sweeper, redis_server: &Path, dir: &Path) -> Result<u16> {
    let port = free_port()?;
    let log = dir.join("redis.log");
    let mut redis = Command::new(redis_server);
    redis.args(["--bind", "127.0.0.1", "--port", &port.to_string()]);
    redis.args(["--save", "", "--appendonly", "no", "--dir"]).arg(dir);
    let server = sweeper.start(log_to(&log, &mut redis)?, "TERM")?;
    wait_for(server, &PING, port).map_err(|why| not_started("Redis", &why, &log))?;
    Ok(port)
}

/// The kernel gives such a port to nobody else for a while, unless they ask for that very number.
fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port on 127.0.0.1")?;
    Ok(listener.local_addr()?.port())
}

fn log_to<'a>(log: &Path, command: &'a mut Command) -> Result<&'a mut Command> {
    let file = File::create(log)?;
    Ok(command.stdout(file.try_clone()?).stderr(file))
}

fn not_started(server: &str, why: &Error, log: &Path) -> Error {
    let log = fs::read_to_string(log).unwrap_or_default();
    anyhow!("{server} did not start: {why}; it wrote:\n{log}")
}

/// What is said to a server, and how the answer of one that is ready begins.
struct Greeting {
    say: &'static [u8],
    hear: &'static [u8],
}

const PING: Greeting = Greeting { say: b"PING\r\n", hear: b"+PONG" };

/// A startup message of protocol 3.0, 41 bytes long. `R` is the answer to who may come in; while the
/// server still starts it is an error, `E`.
const STARTUP: Greeting =
    Greeting { say: b"\0\0\0\x29\0\x03\0\0user\0postgres\0database\0postgres\0\0", hear: b"R" };

fn wait_for(server: &mut Child, greeting: &Greeting, port: u16) -> Result<()> {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(START_S_MAX) {
        if let Some(status) = server.try_wait()? {
            bail!("it ended before it answered ({status})");
        }
        if greeting.is_answered(port) {
            return Ok(());
        }
        pause();
    }
    bail!("it did not answer on port {port} within {START_S_MAX} s")
}

/// Between two looks at a server that takes a moment.
#[expect(clippy::disallowed_methods, reason = "this program waits for servers, and has no runtime")]
fn pause() {
    thread::sleep(Duration::from_millis(20));
}

impl Greeting {
    fn is_answered(&self, port: u16) -> bool {
        self.ask(port).is_ok_and(|answer| answer == self.hear)
    }

    fn ask(&self, port: u16) -> std::io::Result<Vec<u8>> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut connection = TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
        connection.set_read_timeout(Some(Duration::from_secs(1)))?;
        connection.write_all(self.say)?;
        let mut answer = vec![0; self.hear.len()];
        connection.read_exact(&mut answer)?;
        Ok(answer)
    }
}
