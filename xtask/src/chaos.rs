//! `cargo xtask chaos`: the real processes are hurt while tenants pay, and nothing may be lost.

use std::process::{Command, ExitCode};

use anyhow::Result;
use clap::Args;

use crate::packages;
use crate::steps::{cargo, step};
use crate::user::instead_of_root;

/// Hurt the running service in every way we know, and compare its books with the gateway's afterwards
///
/// Each scenario has two apis, two workers, a scheduler, a PostgreSQL cluster, a Redis and a simulated gateway of its
/// own (or one process on SQLite), tenants who pay all the while, and a line in the table that is printed. Doubled, lost
/// and wrong must be 0; otherwise the exit code is not, and the scenario's directory is kept with all its logs.
///
/// A few scenarios fill a small disk, which only root can mount. All of them take about twenty minutes.
///
///   cargo xtask chaos worker-kill redis-hang
///   cargo xtask chaos redis-gone --minutes 10
#[derive(Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Chaos {
    /// Which scenarios; all of them when none is named
    #[arg(value_name = "SCENARIO")]
    scenarios: Vec<String>,

    /// The four that `cargo xtask test` ends with: a worker, Redis and PostgreSQL die, and Redis forgets
    #[arg(long, conflicts_with = "scenarios")]
    short: bool,

    /// Only tell which scenarios there are
    #[arg(long)]
    list: bool,

    /// Keep the directory of each scenario, with its books and logs
    #[arg(long)]
    keep: bool,

    /// How long Redis is gone in redis-gone
    #[arg(long, value_name = "N", default_value_t = 1)]
    minutes: u64,
}

impl Chaos {
    pub(crate) fn run(&self) -> Result<ExitCode> {
        let minutes = self.minutes.to_string();
        let mut words: Vec<&str> = self.scenarios.iter().map(String::as_str).collect();
        words.extend(self.short.then_some("--short"));
        words.extend(self.list.then_some("--list"));
        words.extend(self.keep.then_some("--keep"));
        words.extend(["--minutes", &minutes]);
        step("chaos", &mut program(&words)?)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// The short run.
pub(crate) fn check() -> Result<()> {
    step("chaos", &mut program(&["--short"])?)
}

/// It starts its servers itself, because it must be able to kill them.
fn program(words: &[&str]) -> Result<Command> {
    let binaries = packages::find_or_install()?;
    let mut program = cargo(&["test", "--package", "kasir", "--test", "chaos", "--"]);
    program.args(words);
    program.env("KASIR_TEST_REDIS_SERVER", binaries.redis_server);
    program.env("KASIR_TEST_POSTGRES_BIN", binaries.postgres_dir);
    if let Some(user) = instead_of_root()? {
        program.env("KASIR_CHAOS_POSTGRES_USER", format!("{}:{}", user.uid, user.gid));
    }
    Ok(program)
}
