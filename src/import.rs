//! `kasir import`: the gateway's statements, from the command line.

use std::fs::File;
use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use clock::Clock;
use kasir::config::Config;
use kasir::importing::{self, Upload};
use kasir::roles;
use midtrans::export::Limits;
use store::audit::{Actor, By};

/// So many differences are shown unless all are wanted.
const SHOWN: usize = 50;
/// Books and statements differ.
const DIFFERENCES: u8 = 2;

/// What to import.
#[derive(Args)]
pub(crate) struct Options {
    /// CSV files exported from the Midtrans dashboard: Transactions, Balance statement, Payout.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Compare and tell, and write nothing.
    #[arg(long)]
    dry_run: bool,
    /// Show all differences.
    #[arg(long)]
    all: bool,
    /// Print JSON, for machines.
    #[arg(long)]
    json: bool,
}

/// Imports and prints. Exits with 0 when all agrees, with 2 when there are differences.
pub(crate) async fn run(options: &Options, config: &Config, clock: &Clock) -> anyhow::Result<ExitCode> {
    let mut uploads = Vec::with_capacity(options.files.len());
    for path in &options.files {
        let reader = File::open(path).with_context(|| format!("{} cannot be opened", path.display()))?;
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        uploads.push(Upload { name, reader });
    }
    let db = roles::open_migrated_database(config).await?;
    let watched = std::io::stderr().is_terminal();
    let progress = |what: &str, done: u64| {
        if watched {
            eprint!("\r{what}: {done}\x1b[K");
        }
    };
    let how = importing::Options {
        payout_days: config.file.reconcile.payout_days,
        dry_run: options.dry_run,
        limits: Limits::default(),
        progress: &progress,
    };
    let actor = Actor { id: None, name: "kasir import".to_owned() };
    let by = By { actor: &actor, reason: None, now: clock.now() };
    let imported = importing::import(&db, uploads, &how, &by).await;
    if watched {
        eprint!("\r\x1b[K");
    }
    let report = imported?;
    let shown = if options.all { usize::MAX } else { SHOWN };
    let text =
        if options.json { format!("{:#}\n", report.json(shown)) } else { report.table(shown).to_string() };
    // Whoever reads may have seen enough.
    let _read = std::io::stdout().write_all(text.as_bytes());
    Ok(if report.agrees() { ExitCode::SUCCESS } else { ExitCode::from(DIFFERENCES) })
}
