//! `cargo xtask servers`: one command with the tests' PostgreSQL and Redis around it.

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;

use crate::packages;
use crate::servers::Servers;
use crate::steps::clean_command;

/// Start the tests' PostgreSQL and Redis, run a command, stop them
///
/// The command finds them in its environment: KASIR_TEST_POSTGRES and KASIR_TEST_REDIS are addresses,
/// KASIR_TEST_REDIS_SERVER is the Redis program, KASIR_TEST_POSTGRES_BIN the directory of PostgreSQL's
/// programs. Its exit code is ours. Both servers start empty each time, and several runs may go side by side.
///
///   cargo xtask servers -- sh -c 'psql "$KASIR_TEST_POSTGRES"'
#[derive(Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct WithServers {
    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

impl WithServers {
    pub(crate) fn run(&self) -> Result<ExitCode> {
        let (program, args) = self.command.split_first().context("no command given")?;
        let servers = Servers::start(packages::find_or_install()?)?;
        let status = clean_command(program)
            .args(args)
            .envs(servers.environment())
            .status()
            .with_context(|| format!("cannot run {}", program.display()))?;
        // A command killed by a signal has no code.
        let code = status.code().and_then(|code| u8::try_from(code).ok());
        Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
    }
}
