//! Clocks that jump, and a network that is slow.

use std::path::Path;

use tokio::process::Command;

use crate::house::{APIS, House, SCHEDULER, WORKERS};
use crate::scenarios::Hours;
use crate::waiting::{ms, s};

/// Of each role one.
const CLOCKLESS: [usize; 3] = [APIS[0], WORKERS[0], SCHEDULER];
/// Work that was wanted by a clock that is ahead is due by that clock: so long, and a little, it takes to be calm.
const JUMP_NS: i64 = 120_000_000_000;

/// What the processes ask for the time is in the way: `clock_gettime` of the C library, for the wall clock only, as when a
/// machine's clock is set.
pub(crate) async fn clock(house: &mut House, _: &Hours) {
    let (library, file) = (house.dir().join("clock_shim.so"), house.dir().join("clock"));
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/chaos/clock_shim.c");
    let mut cc = Command::new("cc");
    cc.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(source).arg("-ldl");
    assert!(cc.status().await.unwrap().success(), "cc, which the workspace needs too, cannot build the shim");
    std::fs::write(&file, 0_i64.to_ne_bytes()).unwrap();
    house.clocks_differ = true;
    for place in CLOCKLESS {
        house.extra[place] = vec![
            ("LD_PRELOAD", library.display().to_string()),
            ("KASIR_CHAOS_CLOCK", file.display().to_string()),
        ];
        house.kill(place).await;
        house.start(place);
    }
    tokio::time::sleep(s(3)).await;
    for jump in [JUMP_NS, 0, -JUMP_NS, 0] {
        std::fs::write(&file, jump.to_ne_bytes()).unwrap();
        tokio::time::sleep(s(8)).await;
        if jump != 0 {
            // What a worker has begun in another time must be rescued in ours.
            house.kill(WORKERS[0]).await;
            house.start(WORKERS[0]);
            tokio::time::sleep(s(2)).await;
        }
    }
}

pub(crate) async fn network(house: &mut House, _: &Hours) {
    for (database_ms, gateway_ms, bytes_per_s) in [(15, 300, 512 * 1024), (40, 1_500, 128 * 1024)] {
        house.to_database.slow_down(ms(database_ms), bytes_per_s);
        house.to_gateway.slow_down(ms(gateway_ms), bytes_per_s / 8);
        tokio::time::sleep(s(12)).await;
    }
    house.to_database.slow_down(ms(0), 0);
    house.to_gateway.slow_down(ms(0), 0);
}
