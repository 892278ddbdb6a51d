//! `cargo xtask test --api`: schemathesis asks the running service what its OpenAPI document promises.

use std::fs;
use std::process::Command;

use anyhow::Result;

use crate::house::{House, Login};
use crate::python;
use crate::steps::{cargo, step};

const SCHEMATHESIS: &str = "4.32.5";

/// Starts the service on a new SQLite file, and runs every check as an admin and as a tenant.
pub(crate) fn check() -> Result<()> {
    let schemathesis = python::find_or_install("schemathesis", SCHEMATHESIS)?.join("schemathesis");
    step("build", &mut cargo(&["build", "--bin", "kasir"]))?;
    for role in ["admin", "tenant"] {
        let house = House::open("")?;
        let config = house.dir.join("schemathesis.toml");
        fs::write(&config, settings(&house, role)?)?;
        let mut run = Command::new(&schemathesis);
        run.current_dir(&house.dir).arg("--config-file").arg(&config);
        run.args(["run", "--workers", "1", "--max-examples", "20", "--request-timeout", "10"]);
        run.args(["--phases", "examples,coverage,fuzzing", "--continue-on-failure"]);
        run.args(["--generation-deterministic", "--no-shrink", "--no-color"]);
        run.arg(format!("http://{}/openapi.json", house.address));
        step(&format!("the OpenAPI document, as {role}"), &mut run)?;
    }
    Ok(())
}

/// The credentials of the first person of this role, and what a request that makes sense may be answered: a room code
/// that is well formed and names no room is 422.
fn settings(house: &House, role: &str) -> Result<String> {
    let (Login { email, password, .. }, key) = (house.login(role)?, house.api_key()?);
    Ok(format!(
        "[auth.openapi.email]\napi_key = \"{email}\"\n[auth.openapi.password]\napi_key = \"{password}\"\n\
         [auth.openapi.frontEnd]\napi_key = \"{key}\"\n[checks.positive_data_acceptance]\n\
         expected-statuses = [\"2xx\", \"401\", \"403\", \"404\", \"409\", \"422\", \"429\"]\n"
    ))
}
