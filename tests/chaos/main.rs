//! Proof that nothing is lost: the real processes are hurt in every way we know, while tenants pay, and afterwards the
//! books are compared with the gateway's own. `cargo xtask chaos` runs it.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a scenario that cannot go on is over"
)]

mod books;
mod database;
mod disk;
mod embedded;
mod gateway;
mod house;
mod load;
mod postgres;
mod processes;
mod proxy;
mod redis_server;
mod row;
mod scenarios;
mod tenants;
mod wal;
mod weather;

#[path = "../processes/process.rs"]
#[expect(dead_code, reason = "the tests of processes use more of it")]
mod process;
#[path = "../processes/servers.rs"]
#[expect(dead_code, reason = "the tests of processes use more of it")]
mod servers;
#[path = "../processes/waiting.rs"]
mod waiting;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::books::Compared;
use crate::house::House;
use crate::load::Load;
use crate::row::Row;
use crate::scenarios::{ALL, Hours, Scenario};
use crate::waiting::{ms, s};

/// Between two tenants who come to pay.
const TENANT_EVERY: Duration = ms(120);
/// Tenants pay in peace before, and after.
const IN_PEACE: Duration = s(3);
/// How long the house may take to be as the gateway says, once nothing hurts it any more.
const CALM_WITHIN: Duration = s(240);

/// How scenarios are told.
#[derive(Debug, Clone, Copy, Default)]
struct Ways {
    /// Whether the directories of good scenarios are kept too.
    keep: bool,
    /// Whether a late rescue is only told: a run of all tests measures nothing.
    patient: bool,
}

/// What was asked for.
struct Wanted {
    scenarios: Vec<&'static Scenario>,
    minutes: u64,
    is_list: bool,
    ways: Ways,
}

fn main() -> ExitCode {
    let wanted = match wanted(std::env::args().skip(1)) {
        Ok(wanted) => wanted,
        Err(mistake) => {
            eprintln!("chaos: {mistake}");
            return ExitCode::from(2);
        }
    };
    if wanted.is_list {
        for scenario in &wanted.scenarios {
            println!(
                "{:<20} {}{}",
                scenario.name,
                scenario.what,
                if scenario.short { " (short)" } else { "" }
            );
        }
        return ExitCode::SUCCESS;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, run(wanted))
}

async fn run(wanted: Wanted) -> ExitCode {
    rustls::crypto::ring::default_provider().install_default().expect("nobody was first");
    println!("{}", row::HEAD);
    let mut good = true;
    let mut remarks = Vec::new();
    for scenario in wanted.scenarios {
        // A scenario that cannot go on ends alone.
        let told = tokio::task::spawn_local(tell(scenario, (wanted.minutes, wanted.ways))).await;
        match told {
            Ok(row) => {
                println!("{row}");
                good &= row.is_good();
                remarks.extend(row.remarks(scenario.name));
            }
            Err(_panicked) => {
                println!("| {} | could not be told to its end |", scenario.name);
                good = false;
            }
        }
    }
    println!();
    remarks.iter().for_each(|remark| println!("{remark}"));
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn tell(scenario: &'static Scenario, (minutes, ways): (u64, Ways)) -> Row {
    let begun = Instant::now();
    let mut house = House::open(scenario.kind).await;
    house.ways = ways;
    let load = Load::start(&house.world, TENANT_EVERY);
    let hours = Hours { seen: Arc::clone(&load.seen), minutes };
    tokio::time::sleep(IN_PEACE).await;
    (scenario.story)(&mut house, &hours).await;
    house.supervise().await;
    tokio::time::sleep(IN_PEACE).await;
    let seen = load.end().await;
    let healed = Instant::now();
    let mut compared = calm(&mut house, &seen).await;
    if let Some(after) = scenario.after {
        after(&mut house, &hours).await;
        compared = calm(&mut house, &seen).await;
    }
    house.told.push(format!("calm {:.1?} after the last tenant had paid", healed.elapsed()));
    Row::of(scenario, house, (compared, &seen, begun)).await
}

/// Waits until the books say what the gateway says and nothing is left to do; gives how it stands then, or at the end of
/// our patience.
async fn calm(house: &mut House, seen: &load::Seen) -> Compared {
    let begun = Instant::now();
    loop {
        tokio::time::sleep(ms(500)).await;
        house.supervise().await;
        let compared = compare(house, seen).await;
        match compared {
            Ok(compared) if compared.is_good() && compared.open_jobs == 0 => return compared,
            Ok(compared) if begun.elapsed() > CALM_WITHIN => return compared,
            Err(error) if begun.elapsed() > CALM_WITHIN => panic!("the books cannot be read: {error}"),
            _ => {}
        }
    }
}

async fn compare(house: &House, seen: &load::Seen) -> sqlx::Result<Compared> {
    let theirs = house.world.sim.transactions();
    house.books().await?.compare(seen, &theirs).await
}

fn wanted(mut words: impl Iterator<Item = String>) -> Result<Wanted, String> {
    let mut wanted = Wanted { scenarios: Vec::new(), minutes: 1, is_list: false, ways: Ways::default() };
    let mut is_short = false;
    while let Some(word) = words.next() {
        match word.as_str() {
            "--short" => {
                is_short = true;
                wanted.ways.patient = true;
            }
            "--list" => wanted.is_list = true,
            "--keep" => wanted.ways.keep = true,
            "--minutes" => {
                let minutes = words.next().and_then(|word| word.parse().ok());
                wanted.minutes = minutes.ok_or("--minutes wants a number")?;
            }
            name => match ALL.iter().find(|scenario| scenario.name == name) {
                Some(scenario) => wanted.scenarios.push(scenario),
                None => return Err(format!("there is no scenario {name}; --list tells which there are")),
            },
        }
    }
    if wanted.scenarios.is_empty() {
        wanted.scenarios = ALL.iter().filter(|scenario| scenario.short || !is_short).collect();
    }
    Ok(wanted)
}
