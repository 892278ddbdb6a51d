//! The memory of the processes, as the kernel counts it.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::house::{House, Pids};

/// Between two looks during a flood.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Resident memory, in KiB.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Memory {
    pub(crate) api: u64,
    pub(crate) worker: u64,
}

impl Memory {
    pub(crate) fn of(pids: Pids) -> Self {
        Self { api: resident_kib(pids.api), worker: resident_kib(pids.worker) }
    }
}

fn resident_kib(pid: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the process runs");
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("it has memory");
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Looking again and again.
pub(crate) struct Sampling {
    stop: oneshot::Sender<()>,
    looking: JoinHandle<Memory>,
}

impl Sampling {
    pub(crate) fn of(house: &House) -> Self {
        let pids = house.pids();
        let (stop, mut stopped) = oneshot::channel();
        let looking = tokio::spawn(async move {
            let mut peak = Memory::default();
            loop {
                let now = Memory::of(pids);
                peak = Memory { api: peak.api.max(now.api), worker: peak.worker.max(now.worker) };
                tokio::select! {
                    () = tokio::time::sleep(LOOK_EVERY) => {}
                    _ = &mut stopped => return peak,
                }
            }
        });
        Self { stop, looking }
    }

    /// The most that was seen.
    pub(crate) async fn peak(self) -> Memory {
        let _still_there = self.stop.send(());
        self.looking.await.unwrap()
    }
}

/// The slope of the line that fits samples of each half minute best.
pub(crate) fn slope_kib_per_hour(samples: &[u64]) -> i128 {
    let (mut x, mut y, mut xy, mut xx, mut n) = (0_i128, 0_i128, 0_i128, 0_i128, 0_i128);
    for sample in samples {
        let value = i128::from(*sample);
        x += n;
        y += value;
        xy += n * value;
        xx += n * n;
        n += 1;
    }
    let divisor = n * xx - x * x;
    if divisor == 0 { 0 } else { (n * xy - x * y) * 120 / divisor }
}
