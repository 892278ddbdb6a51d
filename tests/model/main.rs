//! A model of a bill, its payments and the gateway against the real program on SQLite, in every weather: notifications
//! that are lost, doubled, late, shuffled and forged, answers that are lost, and the program killed between any two steps.
//!
//! `KASIR_MODEL_STEPS` says how many steps (300 unless it does), `KASIR_MODEL_SEED` where to begin. A failing case prints
//! the seed that plays it again.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a game that cannot go on is over")]

mod bill;
mod house;
mod play;
#[path = "../program/mod.rs"]
mod program;

use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use proptest_state_machine::{ReferenceStateMachine as _, StateMachineTest as _};

use bill::Bill;
use play::Real;

/// The steps of one house.
const STEPS: usize = 30;

/// How often a failing house is played again to find the fewest steps that fail.
const SHRINKS_MAX: u32 = 300;

fn from_env(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} is no number")))
}

fn plays(seed: u64) -> Result<(), String> {
    let config =
        Config { cases: 1, failure_persistence: None, max_shrink_iters: SHRINKS_MAX, ..Config::default() };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(config.clone(), rng);
    let steps = Bill::sequential_strategy(STEPS);
    let played = runner.run(&steps, |(bill, steps, seen)| {
        Real::test_sequential(config.clone(), bill, steps, seen);
        Ok(())
    });
    played.map_err(|error| error.to_string())
}

#[test]
fn whatever_the_weather_the_books_hold_the_truth() {
    let steps = from_env("KASIR_MODEL_STEPS", 300);
    let first = from_env("KASIR_MODEL_SEED", 1);
    let houses = steps.div_ceil(u64::try_from(STEPS).unwrap()).max(1);
    for (played, seed) in (first..first + houses).enumerate() {
        if let Err(error) = plays(seed) {
            panic!(
                "seed {seed} fails after {played} houses: {error}\n\nplay it again: KASIR_MODEL_SEED={seed} \
                 KASIR_MODEL_STEPS={STEPS} cargo nextest run -p kasir --test model"
            );
        }
        println!("house {} of {houses} (seed {seed}): {STEPS} steps, the books hold the truth", played + 1);
    }
}
