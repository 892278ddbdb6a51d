//! The service with its demo house and the built-in simulator, on free ports of 127.0.0.1, for a check that looks from
//! outside.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{ChildStdout, Stdio};

use anyhow::{Context, Result, bail};

use crate::steps::{clean_command, complaint, target_dir};
use crate::sweeper::Sweeper;

/// The running service. It ends with this value, and also when we are killed; its files go with it.
pub(crate) struct House {
    /// Where its files are.
    pub(crate) dir: PathBuf,
    pub(crate) address: SocketAddr,
    pub(crate) simulator: SocketAddr,
    /// What it printed: the log-ins, and the key of the front end.
    greeting: String,
    /// Kept open, since it may have more to say.
    _output: BufReader<ChildStdout>,
    _sweeper: Sweeper,
}

/// A person of the demo house.
pub(crate) struct Login<'a> {
    pub(crate) role: &'a str,
    pub(crate) email: &'a str,
    pub(crate) password: &'a str,
}

/// What it logs, in its folder.
const LOG: &str = "kasir.log";

impl Login<'_> {
    /// Role, address and password, with a space between.
    pub(crate) fn line(&self) -> String {
        format!("{} {} {}", self.role, self.email, self.password)
    }
}

impl House {
    /// Starts it on a new SQLite file. `settings` is its `kasir.toml`; nothing else configures it.
    pub(crate) fn open(settings: &str) -> Result<Self> {
        // The sweeper removes it, however we end.
        let dir = tempfile::tempdir()?.keep();
        let mut sweeper = Sweeper::of(&dir)?;
        fs::write(dir.join("kasir.toml"), settings)?;
        let log = dir.join(LOG);
        let (address, simulator) = (free_address()?, free_address()?);
        let mut kasir = clean_command(target_dir().join("debug/kasir"));
        kasir.env_clear().current_dir(&dir);
        kasir.env("KASIR_ADDR", address.to_string()).env("KASIR_SIMULATOR_ADDR", simulator.to_string());
        kasir.stdout(Stdio::piped()).stderr(File::create(&log)?);
        let output = sweeper.start(&mut kasir, "TERM")?.stdout.take().context("kasir has no output")?;
        let mut output = BufReader::new(output);
        let greeting = read_greeting(&mut output).with_context(|| complaint("kasir", &log))?;
        Ok(Self { dir, address, simulator, greeting, _output: output, _sweeper: sweeper })
    }

    /// What it has logged.
    pub(crate) fn log(&self) -> PathBuf {
        self.dir.join(LOG)
    }

    /// Everybody who can log in.
    pub(crate) fn logins(&self) -> impl Iterator<Item = Login<'_>> {
        self.words().filter_map(|words| match words.as_slice() {
            [role, "email:", email, "password:", password, ..] => Some(Login { role, email, password }),
            _ => None,
        })
    }

    /// The first person of a role.
    pub(crate) fn login(&self, role: &str) -> Result<Login<'_>> {
        let found = self.logins().find(|login| login.role == role);
        found.with_context(|| format!("kasir printed no log-in of a {role}"))
    }

    /// The key of the demo front end.
    pub(crate) fn api_key(&self) -> Result<&str> {
        let found = self.words().find_map(|words| match words.as_slice() {
            ["x-api-key", key] => Some(*key),
            _ => None,
        });
        found.context("kasir printed no key")
    }

    fn words(&self) -> impl Iterator<Item = Vec<&str>> {
        self.greeting.lines().map(|line| line.split_whitespace().collect())
    }
}

fn read_greeting(output: &mut BufReader<ChildStdout>) -> Result<String> {
    let mut greeting = String::new();
    for line in output.lines() {
        writeln!(greeting, "{}", line?)?;
        if greeting.contains("x-api-key") && greeting.contains("Ctrl-C") {
            return Ok(greeting);
        }
    }
    bail!("kasir ended before it had told everything")
}

fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}
