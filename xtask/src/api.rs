//! `cargo xtask test --api`: schemathesis asks the running service what its OpenAPI document promises.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::python;
use crate::steps::{cargo, clean_command, step, target_dir};

const SCHEMATHESIS: &str = "4.32.5";

/// Starts the service on a new SQLite file, and runs every check as an admin and as a tenant.
pub(crate) fn check() -> Result<()> {
    let schemathesis = python::find_or_install("schemathesis", SCHEMATHESIS)?.join("schemathesis");
    step("build", &mut cargo(&["build", "--bin", "kasir"]))?;
    for role in ["admin", "tenant"] {
        let house = House::open()?;
        let config = house.dir.path().join("schemathesis.toml");
        fs::write(&config, house.config(role)?)?;
        let mut run = Command::new(&schemathesis);
        run.current_dir(house.dir.path()).arg("--config-file").arg(&config);
        run.args(["run", "--workers", "1", "--max-examples", "20", "--request-timeout", "10"]);
        run.args(["--phases", "examples,coverage,fuzzing", "--continue-on-failure"]);
        run.args(["--generation-deterministic", "--no-shrink", "--no-color"]);
        run.arg(format!("http://{}/openapi.json", house.address));
        step(&format!("the OpenAPI document, as {role}"), &mut run)?;
    }
    Ok(())
}

/// The service with its demo house. It ends with this value.
struct House {
    dir: TempDir,
    process: Child,
    address: SocketAddr,
    /// What it printed: the log-ins, and the key of the front end.
    greeting: String,
}

impl House {
    fn open() -> Result<Self> {
        let dir = TempDir::new()?;
        let (address, simulator) = (free_address()?, free_address()?);
        let log = fs::File::create(dir.path().join("kasir.log"))?;
        let mut kasir = clean_command(target_dir().join("debug/kasir"));
        kasir.current_dir(dir.path()).env("KASIR_ADDR", address.to_string());
        kasir.env("KASIR_SIMULATOR_ADDR", simulator.to_string());
        for foreign in ["DATABASE_URL", "REDIS_URL", "MIDTRANS_SERVER_KEY", "KASIR_CONFIG", "API_KEYS"] {
            kasir.env_remove(foreign);
        }
        let mut process = kasir.stdout(Stdio::piped()).stderr(log).spawn().context("kasir does not start")?;
        let output = process.stdout.take().context("kasir has no output")?;
        let mut house = Self { dir, process, address, greeting: String::new() };
        for line in BufReader::new(output).lines() {
            writeln!(house.greeting, "{}", line?)?;
            if house.greeting.contains("x-api-key") && house.greeting.contains("Ctrl-C") {
                break;
            }
        }
        Ok(house)
    }

    /// The credentials of the first person of this role, and what a request that makes sense may be answered: a room
    /// code that is well formed and names no room is 422.
    fn config(&self, role: &str) -> Result<String> {
        let lines = || self.greeting.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let login = lines().find_map(|words| match words.as_slice() {
            [kind, "email:", email, "password:", password] if *kind == role => {
                Some([email.to_string(), password.to_string()])
            }
            _ => None,
        });
        let [email, password] = login.with_context(|| format!("kasir printed no log-in of a {role}"))?;
        let key = lines().find_map(|words| match words.as_slice() {
            ["x-api-key", key] => Some(key.to_string()),
            _ => None,
        });
        let key = key.context("kasir printed no key")?;
        Ok(format!(
            "[auth.openapi.email]\napi_key = \"{email}\"\n[auth.openapi.password]\napi_key = \"{password}\"\n\
             [auth.openapi.frontEnd]\napi_key = \"{key}\"\n[checks.positive_data_acceptance]\n\
             expected-statuses = [\"2xx\", \"401\", \"403\", \"404\", \"409\", \"422\", \"429\"]\n"
        ))
    }
}

impl Drop for House {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to end.
        if self.process.kill().is_ok() {
            drop(self.process.wait());
        }
    }
}

fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}
