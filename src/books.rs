//! `kasir balance`, `audit`, `evidence` and `prune`: looking into the books, and tidying them, from the command line.

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use clock::Clock;
use domain::Invoice;
use kasir::config::Config;
use kasir::{evidence, roles};
use store::pruning::{self, Pruned};
use store::{audit, journal, payments};

/// Rows of each table that are forgotten in one transaction.
const BATCH: i64 = 1_000;
/// Payments that are named when the journal does not agree with them.
const NAMED: i64 = 20;

/// The audit of what people did.
#[derive(Subcommand)]
pub(crate) enum AuditCommand {
    /// Go along the chain of hashes, and fail when a row was changed or removed.
    Verify,
}

/// Which payment, and in what form.
#[derive(Args)]
pub(crate) struct EvidenceOptions {
    /// The payment's number, the gateway's order_id.
    invoice: String,
    /// CSV for a spreadsheet, in place of JSON.
    #[arg(long)]
    csv: bool,
}

/// How to forget.
#[derive(Args)]
pub(crate) struct PruneOptions {
    /// Only count what would be forgotten.
    #[arg(long)]
    dry_run: bool,
}

/// Prints the trial balance, and fails when the journal does not say what the payments say.
pub(crate) async fn balance(config: &Config) -> anyhow::Result<()> {
    let db = roles::open_locked_database(config).await?;
    let balances = journal::trial_balance(&db).await?;
    println!("{:<14} {:>20} {:>20} {:>20}", "account", "debit", "credit", "balance");
    for one in &balances {
        println!("{:<14} {:>20} {:>20} {:>20}", one.account.as_str(), one.debit, one.credit, one.net());
    }
    let (debit, credit): (i64, i64) =
        balances.iter().fold((0, 0), |(debit, credit), one| (debit + one.debit, credit + one.credit));
    println!("{:<14} {debit:>20} {credit:>20} {:>20}", "sum", debit - credit);
    let drifted = journal::drifted(&db, NAMED).await?;
    if !drifted.is_empty() {
        let ids: Vec<String> = drifted.iter().map(ToString::to_string).collect();
        bail!("the journal does not say what these payments say: {}", ids.join(", "));
    }
    Ok(())
}

/// Prints whether the audit is as it was written, and fails when it is not.
pub(crate) async fn audit(config: &Config, command: &AuditCommand) -> anyhow::Result<()> {
    let AuditCommand::Verify = command;
    let db = roles::open_locked_database(config).await?;
    let audit::Verified { rows, unchained, head, broken_at } = audit::verify(&db).await?;
    println!("as written     {rows:>10}");
    println!("not chained    {unchained:>10}");
    println!("head           {head}");
    if let Some(row) = broken_at {
        bail!("row {row} of the audit is not as it was written, or the row before it is gone");
    }
    Ok(())
}

/// Prints everything about one payment.
pub(crate) async fn evidence(config: &Config, options: &EvidenceOptions) -> anyhow::Result<()> {
    let db = roles::open_migrated_database(config).await?;
    let invoice = Invoice::try_from(options.invoice.as_str())?;
    let payment = payments::find_by_invoice(&db, &invoice).await?;
    let payment = payment.with_context(|| format!("there is no payment {invoice}"))?;
    let evidence = evidence::gather(&db, &payment).await?;
    match options.csv {
        true => print!("{}", evidence.csv()),
        false => println!("{}", serde_json::to_string_pretty(&evidence)?),
    }
    Ok(())
}

/// Forgets what is older than it has to be kept, in batches.
pub(crate) async fn prune(config: &Config, clock: &Clock, options: &PruneOptions) -> anyhow::Result<()> {
    let db = roles::open_locked_database(config).await?;
    let retention = config.file.retention();
    if options.dry_run {
        tell("would be forgotten", &pruning::prunable(&db, &retention, clock.now()).await?);
        return Ok(());
    }
    let mut all = Pruned::default();
    loop {
        let pruned = pruning::prune(&db, &retention, BATCH, clock.now()).await?;
        if pruned.total() == 0 {
            break;
        }
        all += pruned;
        eprintln!("{} rows so far", all.total());
    }
    tell("forgotten", &all);
    Ok(())
}

fn tell(what: &str, pruned: &Pruned) {
    let Pruned { jobs, notifications, items, calls, sessions } = pruned;
    for (name, count) in [
        ("jobs", jobs),
        ("notifications", notifications),
        ("reconciliation items", items),
        ("calls to the gateway", calls),
        ("sessions", sessions),
    ] {
        println!("{name:<22} {count:>10} {what}");
    }
}
