//! What happened in a storm: a trace to compare and to read, and numbers.

use std::fmt;

/// The story of one storm. When the storm breaks an invariant, it is printed.
pub(crate) struct Tally {
    seed: u64,
    trace: Vec<String>,
    pub(crate) sums: Sums,
}

/// Numbers of one storm, or of many.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sums {
    pub(crate) seeds: usize,
    pub(crate) steps: usize,
    /// Work that died at one of its points.
    pub(crate) crashes: usize,
    /// Work that stood still while others went on.
    pub(crate) held: usize,
    pub(crate) jobs: usize,
    pub(crate) payments: usize,
    /// Transactions that the gateway made.
    pub(crate) charges: usize,
    pub(crate) settled: usize,
    pub(crate) findings: usize,
    /// Payments that were charged again after their transaction had ended; each is a finding.
    pub(crate) strays: usize,
}

impl fmt::Display for Sums {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seeds, steps, crashes, held, jobs, payments, charges, settled, findings, strays } = self;
        write!(
            f,
            "{seeds} seeds, {steps} steps, {jobs} attempts at jobs, {crashes} crashes, {held} held, {payments} payments, \
             {charges} charges, {settled} paid, {findings} findings, {strays} charged again after an end; no invariant broken"
        )
    }
}

impl Sums {
    pub(crate) fn add(&mut self, other: &Self) {
        self.seeds += other.seeds;
        self.steps += other.steps;
        self.crashes += other.crashes;
        self.held += other.held;
        self.jobs += other.jobs;
        self.payments += other.payments;
        self.charges += other.charges;
        self.settled += other.settled;
        self.findings += other.findings;
        self.strays += other.strays;
    }
}

impl Tally {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, trace: Vec::new(), sums: Sums { seeds: 1, ..Sums::default() } }
    }

    /// Something happened.
    pub(crate) fn note(&mut self, what: String) {
        self.trace.push(what);
    }

    /// What happened, step by step.
    pub(crate) fn take(&mut self) -> Vec<String> {
        std::mem::take(&mut self.trace)
    }
}

impl Drop for Tally {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let seed = self.seed;
            eprintln!("\nseed {seed}, step by step:\n  {}", self.trace.join("\n  "));
            eprintln!("\nseed {seed} fails. Play it again: cargo xtask storm --seeds 1 --first {seed}\n");
        }
    }
}
