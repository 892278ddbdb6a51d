//! `cargo xtask test --clients`: the gateway's official clients, unchanged, against the simulator.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{ChildStdout, Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::steps::{cargo, clean_command, complaint, root, step, target_dir};
use crate::sweeper::Sweeper;
use crate::{packages, python};

/// `midtrans-client` of npm.
const NODE_CLIENT: &str = "1.4.3";
/// `midtransclient` of PyPI.
const PYTHON_CLIENT: &str = "1.4.2";
/// What the simulator and the clients are told.
const SERVER_KEY: &str = "SB-Mid-server-clients";
/// The simulator's own; it takes no other.
const CLIENT_KEY: &str = "SB-Mid-client-simulator";

/// Runs both clients, each against a simulator of its own.
pub(crate) fn check() -> Result<()> {
    let node_client = node_client()?;
    let python_client = python::find_or_install("midtransclient", PYTHON_CLIENT)?;
    step("build", &mut cargo(&["build", "-p", "midtrans-sim"]))?;

    let simulator = Simulator::start()?;
    let mut node = simulator.client("node");
    node.env("MIDTRANS_CLIENT_DIR", node_client);
    step("Node client", node.arg("--test").arg(root().join("tests/clients/node.mjs")))?;
    drop(simulator);

    let simulator = Simulator::start()?;
    let mut python = simulator.client(python_client.join("python"));
    step("Python client", python.arg(root().join("tests/clients/python_client.py")))
}

/// The folder that has the client for Node installed, below `target`.
fn node_client() -> Result<PathBuf> {
    let dir = target_dir().join("midtrans-client").join(NODE_CLIENT);
    let done = dir.join("installed");
    if done.is_file() && packages::runs("node") {
        return Ok(dir);
    }
    if !(packages::runs("node") && packages::runs("npm")) {
        packages::install(&["nodejs", "npm"])?;
    }
    fs::create_dir_all(&dir)?;
    let mut npm = clean_command("npm");
    npm.args(["install", "--no-audit", "--no-fund", "--prefix"]).arg(&dir);
    step("midtrans-client", npm.arg(format!("midtrans-client@{NODE_CLIENT}")).stdin(Stdio::null()))?;
    fs::write(done, NODE_CLIENT)?;
    Ok(dir)
}

/// A simulator on a free port of 127.0.0.1. It ends with this value, and also when we are killed.
struct Simulator {
    url: String,
    /// Kept open, since the simulator may have more to say.
    _output: BufReader<ChildStdout>,
    _sweeper: Sweeper,
}

impl Simulator {
    fn start() -> Result<Self> {
        // The sweeper removes it, however we end.
        let dir = tempfile::tempdir()?.keep();
        let mut sweeper = Sweeper::of(&dir)?;
        let log = dir.join("simulator.log");
        let mut command = clean_command(target_dir().join("debug/midtrans-sim"));
        command.args(["--addr", "127.0.0.1:0", "--server-key", SERVER_KEY]).env("RUST_LOG", "error");
        command.stdout(Stdio::piped()).stderr(File::create(&log)?);
        let output = sweeper.start(&mut command, "TERM")?.stdout.take();
        let mut output = BufReader::new(output.context("the simulator has no output")?);
        let url = read_url(&mut output).with_context(|| complaint("the simulator", &log))?;
        Ok(Self { url, _output: output, _sweeper: sweeper })
    }

    /// A program that is told where the simulator is.
    fn client(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = clean_command(program);
        command.env("MIDTRANS_SIM_URL", &self.url).stdin(Stdio::null());
        command.env("MIDTRANS_SERVER_KEY", SERVER_KEY).env("MIDTRANS_CLIENT_KEY", CLIENT_KEY);
        // Both clients would ask a proxy for this machine too.
        command.env("NO_PROXY", "127.0.0.1").env("no_proxy", "127.0.0.1");
        command
    }
}

/// Reads `Midtrans simulator at http://127.0.0.1:40123` and the lines of the greeting behind it.
fn read_url(output: &mut impl BufRead) -> Result<String> {
    let mut url = None;
    for line in output.lines() {
        let line = line?;
        if let Some(told) = line.strip_prefix("Midtrans simulator at ") {
            url = Some(told.to_owned());
        }
        if line.starts_with("Ctrl-C") {
            break;
        }
    }
    match url {
        Some(url) => Ok(url),
        None => bail!("the simulator told no address"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_read_from_the_greeting() {
        let mut greeting =
            &b"a log line\nMidtrans simulator at http://127.0.0.1:4\n  API x\nCtrl-C stops it\nmore\n"[..];
        assert_eq!(read_url(&mut greeting).unwrap(), "http://127.0.0.1:4");
        assert_eq!(greeting, b"more\n", "what follows is left alone");
        assert!(read_url(&mut &b"nothing of the kind\n"[..]).is_err());
    }
}
