//! `cargo xtask storm`: storms over the whole service, each from a seed, for as many seeds as wanted.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use crate::steps::{cargo, step};

/// Play storms over the whole service on SQLite and compare the books with the gateway's
///
/// Two processes, their jobs and their requests die and stand still at every point that can be told from outside; calls
/// to the gateway fail, hang and lie; people do as they like. Then it clears up, and nothing may be lost, doubled or
/// wrong. CI plays 200 seeds, always the same ones. A seed that fails prints its steps, and is the same played again:
///
///   cargo xtask storm --seeds 1 --first 42
#[derive(Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Storm {
    /// How many seeds to play, one after the other on each processor
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,

    /// The first of them
    #[arg(long, default_value_t = 1)]
    first: u64,
}

impl Storm {
    pub(crate) fn run(&self) -> Result<ExitCode> {
        let only = ["--", "--exact", "the_seeds_that_are_asked_for", "--nocapture"];
        let mut play = cargo(&["test", "--quiet", "--package", "kasir", "--test", "storm"]);
        play.args(only);
        play.env("KASIR_STORM_SEEDS", self.seeds.to_string());
        play.env("KASIR_STORM_FIRST", self.first.to_string());
        step("storms", &mut play)?;
        Ok(ExitCode::SUCCESS)
    }
}
