//! `cargo xtask model`: the model of a bill played against the real program, for as long as wanted.

use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;
use clap::Args;

use crate::steps::{cargo, step};

/// Play the model of a bill, its payments and the gateway against the real program on SQLite
///
/// Notifications are lost, doubled, late, shuffled and forged, answers are lost, and the program is killed between any
/// two steps; after each step the books must hold the truth. CI plays 300 steps, always the same ones. A night is for
/// more. A house that fails is shrunk to the fewest steps that fail, and its seed is printed, which plays it again:
///
///   cargo xtask model --seed 42 --steps 30
#[derive(Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Model {
    /// How many steps to play, 30 for each house; about eight a second
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..))]
    steps: u64,

    /// The seed of the first house; the others follow by one. Without it, another each time
    #[arg(long)]
    seed: Option<u64>,
}

impl Model {
    pub(crate) fn run(&self) -> Result<ExitCode> {
        let seed = self.seed.unwrap_or_else(any_seed);
        eprintln!("xtask: the first house has seed {seed}");
        let mut play = cargo(&["test", "--package", "kasir", "--test", "model", "--", "--nocapture"]);
        play.env("KASIR_MODEL_STEPS", self.steps.to_string()).env("KASIR_MODEL_SEED", seed.to_string());
        step("the model", &mut play)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Another one each second.
#[expect(
    clippy::disallowed_methods,
    reason = "this program is no part of the service, whose clock can be turned"
)]
fn any_seed() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
