//! `cargo xtask overload` and `cargo xtask soak`: a flood, and a long time of usual work, against the real program.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use crate::packages;
use crate::servers::Servers;
use crate::steps::{cargo, step};

/// Offer many times what the service sustains, and see what is refused, what is lost, and what remains
///
/// Starts `kasir api`, `kasir worker` and `kasir scheduler` with PostgreSQL and Redis, finds what rate of notifications
/// they sustain, offers ten times that for two minutes mixed with reads, and stops. Fails when anything that was
/// accepted is lost, when the service does not recover by itself, or when its memory does not.
#[derive(Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Overload {
    /// How long the flood lasts
    #[arg(long, default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,

    /// How many times what is sustained
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    factor: u64,

    /// Measure the build of development
    #[arg(long)]
    dev: bool,
}

/// Work as usual for a long time, and print the memory each half minute with its slope
#[derive(Args)]
pub(crate) struct Soak {
    /// How long
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..))]
    minutes: u64,

    /// Measure the build of development
    #[arg(long)]
    dev: bool,
}

impl Overload {
    pub(crate) fn run(&self) -> Result<ExitCode> {
        let settings = [("KASIR_OVERLOAD_SECONDS", self.seconds), ("KASIR_OVERLOAD_FACTOR", self.factor)];
        measure("the flood", self.dev, &settings)
    }
}

impl Soak {
    pub(crate) fn run(&self) -> Result<ExitCode> {
        measure("usual work", self.dev, &[("KASIR_SOAK_MINUTES", self.minutes)])
    }
}

fn measure(name: &str, dev: bool, settings: &[(&str, u64)]) -> Result<ExitCode> {
    let servers = Servers::start(packages::find_or_install()?)?;
    let mut bench = cargo(&["bench", "--package", "kasir", "--bench", "overload"]);
    if dev {
        bench.args(["--profile", "dev"]);
    }
    bench.envs(servers.environment());
    bench.envs(settings.iter().map(|(name, number)| (*name, number.to_string())));
    step(name, &mut bench)?;
    Ok(ExitCode::SUCCESS)
}
