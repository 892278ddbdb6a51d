//! `kasir reconcile`: compare our books with the gateway's, here and now, and say what came of it.

use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use chrono::{Days, NaiveDate};
use clap::Args;
use clock::Clock;
use indicatif::{ProgressBar, ProgressStyle};
use kasir::config::Config;
use kasir::reconciling::{self, Window};
use kasir::roles::{self, Parts};
use queue::{Queue, do_one};
use serde_json::json;
use store::audit::{Actor, By};
use store::reconciliation_items::{self, Item, Verdict};
use store::reconciliations::{self, Run};
use store::{Db, Page, jobs};

use crate::doctor;

/// How often to look how far it is.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Differences that are printed unless all are asked for.
const SHOWN: i64 = 50;

const HELP: &str = "\
Asks Midtrans about every payment that lived between the two days (in Jakarta, both included) and mends our books where
they are behind, as a poll would. Nothing that runs need be stopped: whoever is quicker does it. Should this command be
interrupted, a worker goes on.

  kasir reconcile                                          the last 7 days
  kasir reconcile --from 2026-11-01 --to 2026-11-30        a month
  kasir reconcile --from 2026-11-01 --dry-run              what would change, and nothing does

Exit code: 0 when all agrees or was repaired, 2 when a person must look, 1 when it failed.";

/// Which window, and how.
#[derive(Args)]
#[command(after_help = HELP)]
pub(crate) struct Options {
    /// The first day, as YYYY-MM-DD [a week before the last]
    #[arg(long)]
    from: Option<NaiveDate>,
    /// The last day, as YYYY-MM-DD [today]
    #[arg(long)]
    to: Option<NaiveDate>,
    /// Change nothing; only tell.
    #[arg(long)]
    dry_run: bool,
    /// Print every difference, not only the first fifty.
    #[arg(long)]
    all: bool,
    /// Print one JSON object, for machines.
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(options: &Options, config: Config, clock: Clock) -> anyhow::Result<ExitCode> {
    let now = clock.now();
    let to = options.to.unwrap_or_else(|| domain::date_of(now));
    let from = options.from.or_else(|| to.checked_sub_days(Days::new(7))).unwrap_or(to);
    let window = Window { from, to };
    window.check().map_err(|wrong| anyhow::anyhow!(wrong.replace('`', "--").replace("----", "--")))?;
    let db = roles::open_migrated_database(&config).await?;
    let gateway = match config.gateway.clone() {
        Some(gateway) => gateway,
        None => doctor::simulator(&config, &clock)?
            .context("MIDTRANS_SERVER_KEY is missing, and the built-in simulator has never run here")?,
    };
    let secret = roles::installation_secret(&config, &clock)?;
    let queue = Queue::open(db.clone(), clock.clone(), config.redis.as_ref())?;
    let parts = Parts { config, db: db.clone(), queue, clock, gateway, secret };
    let actor = Actor { id: None, name: "kasir reconcile".to_owned() };
    let by = By { actor: &actor, reason: None, now };
    let wanted = reconciling::want(&db, &parts.clock, (window, options.dry_run), &by).await?;
    let wanted = wanted.context("a comparison of the same name is there already; try again")?;
    let run = work(&parts, &wanted).await?;
    let differences = differences(&db, run.id, if options.all { i64::MAX } else { SHOWN }).await?;
    if options.json {
        println!("{}", as_json(&run, &differences));
    } else {
        print(&run, &differences);
    }
    let clean = run.tally.findings == 0 && run.tally.errors == 0;
    Ok(if clean { ExitCode::SUCCESS } else { ExitCode::from(2) })
}

/// Does the job like a worker, or watches the worker that was quicker, until it is done.
async fn work(parts: &Parts, wanted: &reconciling::Wanted) -> anyhow::Result<Run> {
    let context = Arc::new(roles::context(parts)?);
    let limits = parts.config.file.job_limits();
    let bar = bar();
    loop {
        for job in &wanted.jobs {
            let working = do_one(&parts.queue, Arc::clone(&context), limits.clone(), *job);
            tokio::pin!(working);
            loop {
                tokio::select! {
                    () = &mut working => break,
                    () = tokio::time::sleep(LOOK_EVERY) => {
                        show(&parts.db, wanted.id, &bar).await?;
                    }
                }
            }
        }
        let run = show(&parts.db, wanted.id, &bar).await?;
        if run.state == "done" {
            bar.finish_and_clear();
            return Ok(run);
        }
        for id in &wanted.jobs {
            let job = jobs::find(&parts.db, *id).await?;
            if let Some(job) = job.filter(|job| matches!(job.state.as_str(), "dead" | "cancelled")) {
                bail!("it was given up: {}", job.last_error.unwrap_or_default());
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn bar() -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} payments, {msg} {eta}");
    ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

async fn show(db: &Db, id: i64, bar: &ProgressBar) -> anyhow::Result<Run> {
    let run = reconciliations::find(db, id).await?.context("the comparison is gone")?;
    bar.set_length(u64::try_from(run.total).unwrap_or_default());
    bar.set_position(u64::try_from(run.tally.asked).unwrap_or_default());
    bar.set_message(format!("{} repaired", run.tally.repaired));
    Ok(run)
}

async fn differences(db: &Db, run: i64, limit: i64) -> anyhow::Result<Vec<Item>> {
    let mut all = Vec::new();
    for verdict in [Verdict::Finding, Verdict::Error, Verdict::Repaired] {
        let mut page = Page { after: None, limit: SHOWN };
        loop {
            let rows = reconciliation_items::items(db, run, Some(verdict), page).await?;
            let Some(last) = rows.last() else { break };
            page.after = Some(last.id);
            all.extend(rows);
            if i64::try_from(all.len()).unwrap_or(i64::MAX) >= limit {
                all.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
                return Ok(all);
            }
        }
    }
    Ok(all)
}

fn print(run: &Run, differences: &[Item]) {
    let repaired = if run.is_dry { "would be repaired" } else { "repaired" };
    for (name, count) in [
        ("asked", run.tally.asked),
        ("agreed", run.tally.agreed),
        (repaired, run.tally.repaired),
        ("findings", run.tally.findings),
        ("errors", run.tally.errors),
    ] {
        println!("{name:<18} {count:>8}");
    }
    if let Some((from, to)) = run.started_at.zip(run.finished_at) {
        println!("{:<18} {:>8} ms", "took", (to - from).num_milliseconds());
    }
    if !differences.is_empty() {
        println!();
    }
    for item in differences {
        let Item { invoice, verdict, before, after, detail, .. } = item;
        println!("{verdict:<9} {invoice}  {before} -> {after}  {detail}");
    }
    let told = run.tally.findings + run.tally.errors + run.tally.repaired;
    let left = told - i64::try_from(differences.len()).unwrap_or(told);
    if left > 0 {
        println!(
            "… and {left} more: --all prints them, GET /api/admin/reconciliations/{}/export has them",
            run.id
        );
    }
}

fn as_json(run: &Run, differences: &[Item]) -> serde_json::Value {
    let items = differences.iter().map(|item| {
        json!({
            "invoice": item.invoice, "verdict": item.verdict, "before": item.before, "after": item.after,
            "detail": item.detail,
        })
    });
    json!({
        "id": run.id, "from": run.from, "to": run.to, "dryRun": run.is_dry, "asked": run.tally.asked,
        "agreed": run.tally.agreed, "repaired": run.tally.repaired, "findings": run.tally.findings,
        "errors": run.tally.errors, "differences": items.collect::<Vec<_>>(),
    })
}
