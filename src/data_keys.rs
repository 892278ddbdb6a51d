//! `kasir key`: the keys that personal data is encrypted under.

use anyhow::{bail, ensure};
use clap::{Args, Subcommand};
use clock::Clock;
use kasir::config::Config;
use kasir::roles;
use store::audit::{Actor, By};
use store::rotation::{self, Mark, Part};
use store::{DataKey, Db, keys};

/// Rows that are not sealed anew of which the reason is told.
const TOLD: usize = 20;

/// The keys that personal data is encrypted under.
#[derive(Subcommand)]
pub(crate) enum KeyCommand {
    /// Draw a key and print it, for KASIR_DATA_KEYS. Nothing else is done.
    New {
        /// What the key is called: 1 to 32 letters, digits, - and _. By default it is named after the day.
        #[arg(long)]
        id: Option<String>,
    },
    /// List the keys that something is encrypted under, and say which are missing.
    List,
    /// Encrypt under the newest key whatever is in plain text or under an older one.
    ///
    /// Everything may run meanwhile. It can be stopped at any time, and goes on when it is started again. Exits with 1 while
    /// something is left.
    Rotate(RotateOptions),
    /// Strike out a key that is lost for good, so that the house goes on under another. What it sealed stays unreadable.
    Forget {
        /// What the key is called.
        id: String,
        /// Why, for the audit.
        #[arg(long)]
        reason: String,
    },
}

/// How to rotate.
#[derive(Args)]
pub(crate) struct RotateOptions {
    /// Only count what would be encrypted.
    #[arg(long)]
    dry_run: bool,
    /// Rows that are read at a time.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(i64).range(1..=10_000))]
    batch: i64,
}

/// Does what the command says.
pub(crate) async fn run(config: &Config, clock: &Clock, command: KeyCommand) -> anyhow::Result<()> {
    match command {
        KeyCommand::New { id } => new(clock, id),
        KeyCommand::List => list(config).await,
        KeyCommand::Rotate(options) => rotate(config, clock, &options).await,
        KeyCommand::Forget { id, reason } => forget(config, clock, (&id, reason.trim())).await,
    }
}

/// Prints a fresh key. It needs no configuration.
pub(crate) fn new(clock: &Clock, id: Option<String>) -> anyhow::Result<()> {
    let id = id.unwrap_or_else(|| clock.now().format("k%Y%m%d").to_string());
    let text = DataKey::text(&id, clock.random());
    if let Err(why) = DataKey::parse(text.expose()) {
        bail!("the key {why}");
    }
    println!("{}", text.expose());
    eprintln!(
        "Put it into KASIR_DATA_KEYS of all processes, and keep a copy apart from the backups of the database."
    );
    Ok(())
}

/// Prints which keys are in use, and which of them are here.
async fn list(config: &Config) -> anyhow::Result<()> {
    let db = roles::open_locked_database(config).await?;
    let known: Vec<&str> = config.data_keys.iter().map(DataKey::id).collect();
    let in_use = keys::in_use(&db).await?;
    for id in known.iter().copied().filter(|id| !in_use.iter().any(|used| used == id)) {
        println!("{id:<32} not used yet");
    }
    for id in &in_use {
        let state = match known.iter().position(|known| known == id) {
            Some(0) => "in use, seals",
            Some(_) => "in use, opens",
            None => "in use, MISSING here",
        };
        println!("{id:<32} {state}");
    }
    Ok(())
}

async fn forget(config: &Config, clock: &Clock, (id, reason): (&str, &str)) -> anyhow::Result<()> {
    ensure!(!reason.is_empty(), "--reason says nothing");
    let is_here = config.data_keys.iter().any(|key| key.id() == id);
    ensure!(
        !is_here,
        "{id} is in KASIR_DATA_KEYS, so it is not lost; `kasir key rotate` makes do without it"
    );
    let db = roles::open_locked_database(config).await?;
    let actor = Actor { id: None, name: "kasir key forget".to_owned() };
    let by = By { actor: &actor, reason: Some(reason), now: clock.now() };
    ensure!(keys::forget(&db, id, &by).await?, "no key {id} is in use; `kasir key list` shows them");
    println!("{id} is struck out; what it sealed stays unreadable");
    Ok(())
}

/// Encrypts under the newest key, or counts what would be.
async fn rotate(config: &Config, clock: &Clock, options: &RotateOptions) -> anyhow::Result<()> {
    ensure!(!config.data_keys.is_empty(), "KASIR_DATA_KEYS is not set; `kasir key new` makes a key");
    let db = roles::open_migrated_database(config).await?;
    let mut left = 0;
    for part in Part::ALL {
        let pending = rotation::pending(&db, part).await?;
        if options.dry_run {
            println!("{:<22} {pending:>10} would be sealed", part.name());
        } else {
            left += seal(&db, part, (pending, options.batch)).await?;
        }
    }
    if options.dry_run {
        return Ok(());
    }
    let actor = Actor { id: None, name: "kasir key rotate".to_owned() };
    let by = By { actor: &actor, reason: None, now: clock.now() };
    for id in rotation::retire(&db, &by).await? {
        println!(
            "nothing is sealed under {id} any more: take it out of KASIR_DATA_KEYS when all processes seal anew"
        );
    }
    ensure!(left == 0, "{left} row(s) are left; `kasir key rotate` goes on with them");
    Ok(())
}

/// Seals a part, and gives how many rows are left of it.
async fn seal(db: &Db, part: Part, (pending, batch): (i64, i64)) -> anyhow::Result<i64> {
    let (mut sealed, mut stuck, mut mark) = (0, 0, Some(Mark::default()));
    while let Some(after) = mark {
        let rotated = rotation::rotate(db, part, &after, batch).await?;
        sealed += rotated.sealed;
        for error in &rotated.stuck {
            stuck += 1;
            if stuck <= TOLD {
                eprintln!("left as it is: {error}");
            }
        }
        if rotated.next.is_some() {
            eprintln!("{}: {sealed} of {pending} so far", part.name());
        }
        mark = rotated.next;
    }
    println!("{:<22} {sealed:>10} sealed, {stuck} left as they are", part.name());
    Ok(rotation::pending(db, part).await?)
}
