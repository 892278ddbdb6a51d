//! `kasir tenant`: what is held about one tenant, and how it is forgotten, from the command line.

use anyhow::{Context as _, bail, ensure};
use clap::Subcommand;
use clock::Clock;
use domain::UserId;
use kasir::config::Config;
use kasir::{dossier, roles};
use store::audit::{Actor, By};
use store::erasure::{self, Erased};
use store::{Db, Refusal, Undone};

/// What is held about one tenant.
#[derive(Subcommand)]
pub(crate) enum TenantCommand {
    /// Print everything that is held about a tenant, as JSON. It is audited.
    Export {
        /// The number of the tenant, as `GET /api/admin/tenants` tells it.
        id: i64,
    },
    /// Forget a tenant: who they were goes, what they paid stays. Refused while money is open. It cannot be undone.
    Erase {
        /// The number of the tenant.
        id: i64,
        /// Why, for the audit.
        #[arg(long)]
        reason: String,
    },
}

pub(crate) async fn run(config: &Config, clock: &Clock, command: TenantCommand) -> anyhow::Result<()> {
    let db = roles::open_migrated_database(config).await?;
    match command {
        TenantCommand::Export { id } => export(&db, clock, UserId(id)).await,
        TenantCommand::Erase { id, reason } => erase(&db, clock, (UserId(id), reason.trim())).await,
    }
}

async fn export(db: &Db, clock: &Clock, id: UserId) -> anyhow::Result<()> {
    let actor = Actor { id: None, name: "kasir tenant export".to_owned() };
    let by = By { actor: &actor, reason: None, now: clock.now() };
    let dossier =
        dossier::hand_out(db, id, &by).await?.with_context(|| format!("there is no tenant {id}"))?;
    println!("{}", serde_json::to_string_pretty(&dossier)?);
    Ok(())
}

async fn erase(db: &Db, clock: &Clock, (id, reason): (UserId, &str)) -> anyhow::Result<()> {
    ensure!(!reason.is_empty(), "--reason says nothing");
    let actor = Actor { id: None, name: "kasir tenant erase".to_owned() };
    let by = By { actor: &actor, reason: Some(reason), now: clock.now() };
    let erased = match erasure::erase(db, id, &by).await {
        Err(Undone::Refused(Refusal::NotThere)) => bail!("there is no tenant {id}"),
        Err(Undone::Refused(Refusal::MoneyOpen(money))) => bail!("tenant {id} stays as they are: {money}"),
        done => done?,
    };
    let Erased { again, payments, notifications, calls, reminders, audit_kept } = erased;
    println!("tenant {id} is forgotten{}", if again { ", as before" } else { "" });
    for (name, count) in [
        ("payments", payments),
        ("notifications", notifications),
        ("calls to the gateway", calls),
        ("reminders", reminders),
    ] {
        println!("{name:<22} {count:>10} cleaned");
    }
    if audit_kept > 0 {
        println!(
            "{audit_kept} row(s) of the audit are from before names were sealed there, and stay as they are"
        );
    }
    Ok(())
}
