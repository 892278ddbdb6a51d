//! One `kasir` process: started with an environment of its own, killed or stopped, its words kept in a file.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tokio::process::{Child, Command};

/// A running `kasir`; dropped, it is killed.
pub(crate) struct Kasir {
    child: Child,
    pid: u32,
    log: PathBuf,
}

/// The `kasir` that was built with these tests.
pub(crate) fn built() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_kasir"))
}

/// How to start a `kasir`.
pub(crate) struct Start<'a> {
    /// The program: what was built with these tests, or a copy of it.
    pub(crate) program: &'a Path,
    /// `api`, `worker` …, or none for everything in one process.
    pub(crate) role: Option<&'a str>,
    /// The whole environment, but for the PATH.
    pub(crate) environment: &'a [(&'a str, String)],
    /// Where it starts and where its log goes.
    pub(crate) dir: &'a Path,
    /// The name of its log.
    pub(crate) name: &'a str,
}

impl Start<'_> {
    /// Starts it. What it prints goes to `NAME.out`, what it logs to `NAME.log`.
    pub(crate) fn start(&self) -> Kasir {
        let log = self.dir.join(format!("{}.log", self.name));
        let out = self.dir.join(format!("{}.out", self.name));
        let child = Command::new(self.program)
            .args(self.role)
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(self.dir)
            .stdin(Stdio::null())
            .stdout(std::fs::File::create(out).unwrap())
            .stderr(std::fs::File::create(&log).unwrap())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let pid = child.id().expect("it has only just started");
        Kasir { child, pid, log }
    }
}

impl Kasir {
    /// `kill -9`; it is gone afterwards.
    pub(crate) async fn kill_9(mut self) {
        self.assert_alive();
        self.child.kill().await.unwrap();
    }

    /// Lets it stand still until it is told to go on.
    pub(crate) async fn hang(&self) {
        signal("STOP", self.pid).await;
    }

    /// Lets it go on.
    pub(crate) async fn go_on(&self) {
        signal("CONT", self.pid).await;
    }

    /// Asks it to read again what it has read.
    pub(crate) async fn hang_up(&self) {
        signal("HUP", self.pid).await;
    }

    /// Sends SIGTERM; gives when.
    pub(crate) async fn terminate(&self) -> Instant {
        let sent = Instant::now();
        signal("TERM", self.pid).await;
        sent
    }

    /// Waits until it ends by itself; gives how it ended.
    pub(crate) async fn ends_within(mut self, limit: Duration) -> ExitStatus {
        let ended = tokio::time::timeout(limit, self.child.wait()).await;
        ended.unwrap_or_else(|_| panic!("{} still runs after {limit:?}", self.log.display())).unwrap()
    }

    /// Its number at the kernel.
    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// What it logged so far.
    pub(crate) fn logged(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// Whether it has ended by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Fails the test when it has ended by itself.
    pub(crate) fn assert_alive(&mut self) {
        assert!(!self.has_ended(), "{} ended by itself: {}", self.log.display(), self.logged());
    }
}

/// Sends a signal to a process that a test started.
pub(crate) async fn signal(name: &str, pid: u32) {
    let kill = format!("kill -{name} {pid}");
    assert!(Command::new("sh").args(["-c", &kill]).status().await.unwrap().success(), "{kill}");
}
