//! What a flood does to a real `kasir api` and `kasir worker` on PostgreSQL and Redis, and what an hour of usual work does
//! to their memory: `cargo xtask overload` and `cargo xtask soak`.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a measurement that cannot go on is over"
)]

mod caller;
mod house;
mod load;
mod memory;

#[expect(dead_code, reason = "the tests look at more than this measurement does")]
#[path = "../../tests/processes/books.rs"]
mod books;
#[expect(dead_code, reason = "the tests do more than this measurement does")]
#[path = "../../tests/processes/front_end.rs"]
mod front_end;
#[expect(dead_code, reason = "the tests do more than this measurement does")]
#[path = "../../tests/processes/kost.rs"]
mod kost;
#[expect(dead_code, reason = "the tests do more than this measurement does")]
#[path = "../../tests/processes/process.rs"]
mod process;
#[expect(dead_code, reason = "the tests do more than this measurement does")]
#[path = "../../tests/processes/servers.rs"]
mod servers;
#[path = "../../tests/processes/waiting.rs"]
mod waiting;

use std::time::Duration;

use crate::house::House;
use crate::load::{Load, Told};
use crate::memory::Memory;

/// How long each look at what is sustained takes.
const LOOK: Duration = Duration::from_secs(10);
/// Callers who send one notification after the other, without a pause.
const STEADY_CALLERS: usize = 16;
/// Connections of the flood.
const FLOOD_CALLERS: usize = 500;
/// After a flood the memory is given this long.
const CALM: Duration = Duration::from_secs(60);
/// In per cent of what it was before.
const MEMORY_MAX: u64 = 120;
/// Notifications and reads in a second of usual work, together.
const USUAL: u64 = 40;

fn main() {
    if std::env::var_os("KASIR_TEST_POSTGRES").is_none() {
        println!("overload: needs servers; `cargo xtask overload` and `cargo xtask soak` bring them");
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    runtime.block_on(async {
        match number("KASIR_SOAK_MINUTES") {
            Some(minutes) => soak(minutes).await,
            None => {
                let seconds = number("KASIR_OVERLOAD_SECONDS").unwrap_or(120);
                overload(Duration::from_secs(seconds), number("KASIR_OVERLOAD_FACTOR").unwrap_or(10)).await;
            }
        }
    });
}

/// Finds what is sustained, offers many times that, and looks whether anything is lost and whether all is as before.
async fn overload(lasts: Duration, factor: u64) {
    let house = House::open().await;
    let idle = house.memory();
    let warm = Load::unpaced(STEADY_CALLERS).run(&house, LOOK).await;
    let steady = Load::unpaced(STEADY_CALLERS).run(&house, LOOK).await;
    let sustained = steady.notifications.accepted() * 1_000 / u64::try_from(LOOK.as_millis()).unwrap();
    println!("build {}: {sustained} notifications/s are sustained by {STEADY_CALLERS} callers", build());
    println!("  {}", steady.notifications.latency());
    house.is_calm().await;
    let before = house.memory();

    let rate = sustained * factor;
    let sampling = memory::Sampling::of(&house);
    let flood = Load::paced(FLOOD_CALLERS, rate).run(&house, lasts).await;
    let peak = sampling.peak().await;
    println!(
        "offered {factor} times that for {lasts:?} over {FLOOD_CALLERS} connections, each fifth a read:"
    );
    println!("  notifications: {}", flood.notifications);
    println!("                 {}", flood.notifications.latency());
    println!("  reads:         {}", flood.reads);
    println!("                 {}", flood.reads.latency());
    println!("  late by the end: {:?} (the callers could not offer more)", flood.late);

    let after_it = Load::unpaced(STEADY_CALLERS).run(&house, LOOK).await;
    println!("afterwards: {}", after_it.notifications);
    tokio::time::sleep(CALM).await;
    let after = house.memory();
    print_memory(&[("idle, new", idle), ("before", before), ("peak", peak), ("60 s after", after)]);

    let told = [warm, steady, flood, after_it];
    let lost = house.lost(told.iter().flat_map(|told| told.accepted.iter())).await;
    let wrong = house.payments_that_are_not_paid().await;
    println!("accepted and not in the books: {lost}; payments that are not as the gateway says: {wrong}");
    assert_eq!((lost, wrong), (0, 0), "something that was accepted is lost");
    assert!(is_served(&told[3]), "the service did not recover by itself");
    let back = after.api * 100 <= before.api * MEMORY_MAX && after.worker * 100 <= before.worker * MEMORY_MAX;
    assert!(back, "the memory is not back within {} % of before", MEMORY_MAX - 100);
}

fn is_served(told: &Told) -> bool {
    told.notifications.accepted() > 0 && told.notifications.refused() == 0
}

/// Usual work for so long; the memory each half minute.
async fn soak(minutes: u64) {
    let house = House::open().await;
    let mut samples = Vec::new();
    println!("build {}, {USUAL} requests/s\n  minute   api KiB   worker KiB", build());
    for half in 0..=minutes * 2 {
        let memory = house.memory();
        println!("  {:>4}.{} {:>9} {:>12}", half / 2, half % 2 * 5, memory.api, memory.worker);
        samples.push(memory);
        if half < minutes * 2 {
            let told = Load::paced(STEADY_CALLERS, USUAL).run(&house, Duration::from_secs(30)).await;
            assert!(is_served(&told), "{}", told.notifications);
        }
    }
    // What the first minute fills is filled once.
    let settled = &samples[samples.len().min(3) - 1..];
    let slope =
        |of: fn(&Memory) -> u64| memory::slope_kib_per_hour(&settled.iter().map(of).collect::<Vec<_>>());
    println!(
        "slope after the first minute: api {} KiB/h, worker {} KiB/h",
        slope(|m| m.api),
        slope(|m| m.worker)
    );
    assert_eq!(house.payments_that_are_not_paid().await, 0);
}

fn print_memory(rows: &[(&str, Memory)]) {
    println!("  resident, KiB     api    worker");
    for (name, memory) in rows {
        println!("  {name:<12} {:>8} {:>9}", memory.api, memory.worker);
    }
}

fn build() -> &'static str {
    if cfg!(debug_assertions) { "dev" } else { "release" }
}
