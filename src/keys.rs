//! `kasir api-key` and `kasir admin`: who may come in, from the command line.

use std::io::IsTerminal as _;

use anyhow::{Context as _, bail, ensure};
use clap::Subcommand;
use clock::Clock;
use domain::{Email, Invalid, Rank, Role, Secret};
use kasir::config::Config;
use kasir::http::{Passwords, draw_api_key, name_of};
use kasir::roles;
use store::audit::{Actor, By};
use store::identities::{self, Identity};
use store::people::NewPerson;
use store::{Db, Refusal, Undone, api_keys, people, second_factors};

/// Keys of front ends.
#[derive(Subcommand)]
pub(crate) enum ApiKeyCommand {
    /// Make a key and print it, this once.
    Create {
        /// What the front end is called.
        name: String,
    },
    /// List the names of all keys.
    List,
    /// Revoke a key; the next request that carries it is refused.
    Revoke {
        /// What the front end is called.
        name: String,
    },
}

/// People who run the house.
#[derive(Subcommand)]
pub(crate) enum AdminCommand {
    /// Make an admin. The password is read from standard input when that is not a terminal; otherwise one is drawn and
    /// printed, this once.
    Create {
        /// The address to log in with.
        #[arg(long)]
        email: String,
        /// What people call them.
        #[arg(long)]
        name: String,
        /// How much they may do: `viewer` looks, `staff` does the daily work, `owner` also gives money back.
        #[arg(long, default_value = "owner", value_parser = rank)]
        rank: Rank,
    },
    /// Give an admin another rank.
    Rank {
        /// The address to log in with.
        email: String,
        /// `viewer`, `staff` or `owner`.
        #[arg(value_parser = rank)]
        rank: Rank,
    },
    /// Bind a person of the OpenID Connect provider to an admin, who may log in by it from then on.
    Bind {
        /// The address of the admin here.
        email: String,
        /// What the provider calls the person: the number on the page of whoever was refused.
        subject: String,
    },
    /// Take the provider's person from an admin; another may be bound then.
    Unbind {
        /// The address of the admin here.
        email: String,
    },
    /// Let an admin who has lost telephone and recovery codes log in with the password alone.
    ResetSecondFactor {
        /// The address to log in with.
        email: String,
    },
}

fn rank(word: &str) -> Result<Rank, Invalid> {
    Rank::try_from(word)
}

pub(crate) async fn api_key(config: &Config, clock: &Clock, command: ApiKeyCommand) -> anyhow::Result<()> {
    let db = roles::open_database(config).await?;
    match command {
        ApiKeyCommand::Create { name } => {
            ensure!((1..=64).contains(&name.chars().count()), "a name has 1 to 64 characters");
            let key = draw_api_key(clock);
            if !api_keys::create(&db, &name, &name_of(key.expose()), clock.now()).await? {
                bail!("a key named {name:?} is in use; `kasir api-key revoke {name}` ends it");
            }
            println!("{}", key.expose());
            eprintln!("Send it as the header x-api-key. It is not shown again.");
        }
        ApiKeyCommand::List => {
            for key in api_keys::all(&db).await? {
                let state = key.revoked_at.map_or_else(|| "in use".to_owned(), |at| format!("revoked {at}"));
                println!("{:<24} made {}  {state}", key.name, key.created_at);
            }
        }
        ApiKeyCommand::Revoke { name } => {
            if !api_keys::revoke(&db, &name, clock.now()).await? {
                bail!("no key named {name:?} is in use; `kasir api-key list` shows them");
            }
            println!("revoked {name}");
        }
    }
    Ok(())
}

pub(crate) async fn admin(config: &Config, clock: &Clock, command: AdminCommand) -> anyhow::Result<()> {
    let db = roles::open_migrated_database(config).await?;
    match command {
        AdminCommand::Create { email, name, rank } => {
            create(&db, (config, clock), (email, &name, rank)).await
        }
        AdminCommand::ResetSecondFactor { email } => {
            reset_second_factor(&db, clock, Email::try_from(email)?).await
        }
        AdminCommand::Bind { email, subject } => {
            let issuer = config.file.oidc.issuer.as_str();
            ensure!(!issuer.is_empty(), "kasir.toml names no provider: [oidc] issuer is empty");
            bind(&db, clock, (Email::try_from(email)?, Identity { issuer, subject: &subject })).await
        }
        AdminCommand::Unbind { email } => unbind(&db, clock, Email::try_from(email)?).await,
        AdminCommand::Rank { email, rank } => change_rank(&db, clock, Email::try_from(email)?, rank).await,
    }
}

async fn create(
    db: &Db,
    (config, clock): (&Config, &Clock),
    (email, name, rank): (String, &str, Rank),
) -> anyhow::Result<()> {
    let email = Email::try_from(email)?;
    let given = password_from_input()?;
    let password = given.clone().unwrap_or_else(|| Secret::from(hex::encode(clock.random::<12>())));
    ensure!(password.expose().chars().count() >= 8, "a password has 8 characters or more");
    let secret = roles::installation_secret(config, clock)?;
    let password_hash = Passwords::new(secret, clock.clone(), 1)?.hash(&password).await?;
    let new = NewPerson { email: &email, name, role: Role::Admin, rank, password_hash: &password_hash };
    people::insert(db, &new, clock.now()).await?.with_context(|| format!("{email} is taken"))?;
    println!("{email} may run the house as {}", rank.as_str());
    if given.is_none() {
        println!("password: {}", password.expose());
        eprintln!("It is not shown again.");
    }
    Ok(())
}

async fn change_rank(db: &Db, clock: &Clock, email: Email, rank: Rank) -> anyhow::Result<()> {
    let actor = Actor { id: None, name: "kasir admin rank".to_owned() };
    let by = By { actor: &actor, reason: None, now: clock.now() };
    match people::change_rank(db, &email, rank, &by).await {
        Err(Undone::Refused(Refusal::NotThere)) => bail!("{email} is no admin"),
        done => done?,
    }
    println!("{email} may run the house as {}", rank.as_str());
    Ok(())
}

async fn reset_second_factor(db: &Db, clock: &Clock, email: Email) -> anyhow::Result<()> {
    let actor = Actor { id: None, name: "kasir admin reset-second-factor".to_owned() };
    let by = By { actor: &actor, reason: None, now: clock.now() };
    match second_factors::remove(db, &email, &by).await {
        Err(Undone::Refused(Refusal::NotThere)) => bail!("{email} has no second factor"),
        done => done?,
    }
    println!("{email} logs in with the password alone");
    Ok(())
}

async fn bind(db: &Db, clock: &Clock, (email, identity): (Email, Identity<'_>)) -> anyhow::Result<()> {
    ensure!(!identity.subject.is_empty(), "the provider calls nobody by an empty name");
    let actor = Actor { id: None, name: "kasir admin bind".to_owned() };
    let by = By { actor: &actor, reason: None, now: clock.now() };
    match identities::bind(db, &email, identity, &by).await {
        Err(Undone::Refused(Refusal::NotThere)) => bail!(
            "{email} is no admin, or is bound already (`kasir admin unbind {email}`), or the provider's person belongs to \
             somebody else"
        ),
        done => done?,
    };
    println!("{email} logs in by {}", identity.issuer);
    Ok(())
}

async fn unbind(db: &Db, clock: &Clock, email: Email) -> anyhow::Result<()> {
    let actor = Actor { id: None, name: "kasir admin unbind".to_owned() };
    let by = By { actor: &actor, reason: None, now: clock.now() };
    match identities::unbind(db, &email, &by).await {
        Err(Undone::Refused(Refusal::NotThere)) => bail!("nobody at a provider is bound to {email}"),
        done => done?,
    }
    println!("nobody at a provider is bound to {email} any more");
    Ok(())
}

fn password_from_input() -> anyhow::Result<Option<Secret>> {
    let input = std::io::stdin();
    if input.is_terminal() {
        return Ok(None);
    }
    let mut line = String::new();
    input.read_line(&mut line).context("standard input cannot be read")?;
    let password = line.trim_end_matches(['\r', '\n']);
    Ok((!password.is_empty()).then(|| Secret::from(password)))
}
