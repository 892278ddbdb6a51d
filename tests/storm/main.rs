//! Storms: the whole service on SQLite, its workers and the simulator, with everything that can go wrong going wrong.
//!
//! Every choice comes from a seed, so a storm that breaks something is played again, step by step the same. Two processes
//! share one file of SQLite; their requests and jobs die and stand still at every point that can be told from outside
//! (`stage`), the weather spoils calls to the gateway (`sky`), tenants, payers, admins and operators do as they like
//! (`acts`), and when it clears up the books are compared with the gateway's own (`books`).
//!
//! `KASIR_STORM_SEEDS` says how many seeds `the_seeds_that_are_asked_for` plays, `KASIR_STORM_FIRST` which is the first.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a storm that cannot go on is over")]

mod acts;
mod books;
mod calm;
mod dice;
mod ear;
mod house;
#[path = "../program/parts.rs"]
mod parts;
mod sky;
mod stage;
mod tally;
mod work;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use house::House;
use tally::Sums;

/// Steps of one storm, before it clears up.
const STEPS: usize = 30;

/// What a storm needs of a stack, unoptimised: the work of a whole service lies in one.
const STACK_BYTES: usize = 32 * 1024 * 1024;

/// Plays the storm of this seed; its sums, and its story, which is the same whenever it is played.
fn storm(seed: u64) -> (Sums, Vec<String>) {
    ear::listen();
    let thread = std::thread::Builder::new().stack_size(STACK_BYTES);
    let played = thread.spawn(move || play(seed)).unwrap().join();
    played.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

fn play(seed: u64) -> (Sums, Vec<String>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut house = House::open(seed).await;
        for _ in 0..STEPS {
            house.step().await;
            books::check_at_work(&mut house).await;
        }
        house.calm().await;
        books::check_at_rest(&mut house).await;
        let played = (house.tally.sums, house.tally.take());
        house.close().await;
        played
    })
}

/// The seeds of one test; nextest plays as many tests at once as there are processors.
macro_rules! storms {
    ($($name:ident: $seeds:expr),+ $(,)?) => {$(
        #[test]
        fn $name() {
            for seed in $seeds {
                storm(seed);
            }
        }
    )+};
}

storms![
    seeds_1_to_50: 1..=50,
    seeds_51_to_100: 51..=100,
    seeds_101_to_150: 101..=150,
    seeds_151_to_200: 151..=200,
];

#[test]
fn a_storm_that_is_played_again_is_the_same_storm() {
    for seed in 500..505 {
        let (first, second) = (storm(seed), storm(seed));
        for (one, other) in first.1.iter().zip(&second.1) {
            assert_eq!(one, other, "seed {seed} is not the same the second time");
        }
        assert_eq!(first, second, "seed {seed} is not the same the second time");
    }
    assert_ne!(storm(500).1, storm(501).1, "two seeds are two storms");
}

fn from_env(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} is no number")))
}

/// For `cargo xtask storm`, on all processors.
#[test]
fn the_seeds_that_are_asked_for() {
    let (first, seeds) = (from_env("KASIR_STORM_FIRST", 1_000), from_env("KASIR_STORM_SEEDS", 10));
    let (next, sums) = (AtomicU64::new(first), Mutex::new(Sums::default()));
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::SeqCst);
            if seed >= first + seeds {
                return;
            }
            let Ok((played, _)) = std::panic::catch_unwind(|| storm(seed)) else {
                // The first that fails ends the run.
                next.store(u64::MAX / 2, Ordering::SeqCst);
                panic!("seed {seed} fails");
            };
            let mut sums = sums.lock().unwrap();
            sums.add(&played);
            if sums.seeds.is_multiple_of(50) {
                println!("{} of {seeds} storms, {} steps, the books hold the truth", sums.seeds, sums.steps);
            }
        }
    };
    std::thread::scope(|scope| {
        let others = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        for _ in 0..others {
            scope.spawn(work);
        }
    });
    println!("{}", sums.lock().unwrap());
}
