//! A shell that outlives us, to stop the servers and remove their files however we end.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};

/// Stops the servers it started and removes their directory when it is dropped.
///
/// A `Drop` alone does not run on Ctrl-C or a kill. The shell reads a pipe whose other end only we hold;
/// the kernel closes it when we die, and the end of the file is the sign to sweep. So there is one way
/// to clean up, and every ordinary run tests it.
pub(crate) struct Sweeper {
    shell: Child,
    servers: Vec<Child>,
}

/// Reads lines `SIGNAL PID` until the end, sends them, kills after 10 s, removes the directory `$1`.
///
/// Where nobody collects the dead (many a container), a stopped server stays on as a zombie. The removal
/// is tried again because an `initdb` that we started may still be writing.
const SWEEP: &str = r#"
trap '' HUP INT QUIT TERM
running() {
    kill -0 "$1" && ! grep -q '^State:[[:space:]]*Z' "/proc/$1/status"
}
servers=
while read -r signal pid; do
    servers="$servers $signal:$pid"
done
for server in $servers; do
    kill -s "${server%:*}" "${server#*:}"
done
tries=0
for server in $servers; do
    while running "${server#*:}" && [ "$tries" -lt 100 ]; do
        sleep 0.1
        tries=$((tries + 1))
    done
    kill -s KILL "${server#*:}"
done
until rm -rf -- "$1" || [ "$tries" -ge 100 ]; do
    sleep 0.1
    tries=$((tries + 1))
done
"#;

impl Sweeper {
    pub(crate) fn of(dir: &Path) -> Result<Self> {
        let shell = Command::new("sh")
            .args(["-c", SWEEP, "sweeper"])
            .arg(dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Away from the terminal's Ctrl-C.
            .process_group(0)
            .spawn()
            .context("cannot run sh")?;
        Ok(Self { shell, servers: Vec::new() })
    }

    /// Starts a server; `signal` is the one that makes it stop quickly.
    pub(crate) fn start(&mut self, command: &mut Command, signal: &str) -> Result<&mut Child> {
        let name = command.get_program().display().to_string();
        let server = command
            .stdin(Stdio::null())
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot run {name}"))?;
        let line = format!("{signal} {}\n", server.id());
        self.servers.push(server);
        let pipe = self.shell.stdin.as_mut().context("the sweeper has no pipe")?;
        pipe.write_all(line.as_bytes()).context("the sweeper is gone")?;
        self.servers.last_mut().context("the server was just added")
    }
}

impl Drop for Sweeper {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
        // They are dead by now, unless somebody killed the shell: nothing may be left either way.
        for server in &mut self.servers {
            let _ = server.kill();
            let _ = server.wait();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_started_is_stopped_and_its_directory_removed() {
        let dir = tempfile::tempdir().unwrap().keep();
        let mut sweeper = Sweeper::of(&dir).unwrap();
        let pid = sweeper.start(Command::new("sleep").arg("600"), "TERM").unwrap().id();
        let process = format!("/proc/{pid}");
        assert!(Path::new(&process).exists());

        drop(sweeper);

        assert!(!Path::new(&process).exists());
        assert!(!dir.exists());
    }
}
