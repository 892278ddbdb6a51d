//! The composition root: the command line, and which roles this process plays.

mod backup;
mod books;
mod data_keys;
mod doctor;
mod healthcheck;
mod import;
mod keys;
mod reconcile;
mod tenant;
mod welcome;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::{Parser, Subcommand};
use clock::Clock;
use domain::Secret;
use kasir::config::{Config, Gateway};
use kasir::roles::{self, Parts, Roles};
use kasir::{demo, shutdown, telemetry};
use midtrans_sim::{Options, Simulator};
use queue::{Queue, Stop};
use store::methods;

/// What a flood took is given back to the system soon after it; the allocator of glibc keeps it (ADR 18).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The cashier of a boarding house: payments through Midtrans that are never lost and never charged twice.
///
/// Without a command, and without configuration, everything runs in this one process: a SQLite file, the queue in
/// memory, the Midtrans simulator, and a demo house whose log-ins are printed.
#[derive(Parser)]
#[command(version, after_help = HELP)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

const HELP: &str = "\
Environment (wins over kasir.toml, which wins over the defaults):
  DATABASE_URL                sqlite://FILE or postgres://USER@HOST/NAME [sqlite://kasir.db]
  REDIS_URL                   redis://HOST/ ; absent: jobs travel inside the process
  KASIR_REDIS_NAMESPACE       what our keys in Redis begin with [kasir]
  KASIR_PUBLIC_URL            https://YOUR-HOST, where the gateway finds us; `kasir doctor` checks it
  KASIR_ADDR                  where to listen [127.0.0.1:8080]
  MIDTRANS_SERVER_KEY         absent: the built-in simulator plays the gateway
  MIDTRANS_CLIENT_KEY         kept on the server
  MIDTRANS_BASE_URL           [the host that belongs to the key]
  MIDTRANS_NOTIFICATION_KEYS  keys that may sign notifications, comma separated [the server key]
  API_KEYS                    keys of the front ends: name=key,name=key
  KASIR_SMTP_URL              smtps://USER:PASSWORD@HOST, for reminders by e-mail
  KASIR_WEBHOOK_URL           where reminders are told besides
  KASIR_WEBHOOK_SECRET        signs those calls, 32 characters or more
  KASIR_OIDC_CLIENT_SECRET    of the provider of log-ins that kasir.toml names
  KASIR_SECRET                32 characters or more, the same for all processes
  KASIR_DATA_KEYS             what personal data is encrypted under, the newest first: id:key,id:key
  KASIR_CONFIG                the file [kasir.toml]
  KASIR_SIMULATOR_ADDR        where the built-in simulator listens [127.0.0.1:9090]
  KASIR_OTLP_ENDPOINT         http://HOST:4318, a collector of traces (OTLP) [no traces]
  OTEL_TRACES_SAMPLER         which traces are kept, with OTEL_TRACES_SAMPLER_ARG [all]
  RUST_LOG, KASIR_LOG_FORMAT  what is logged; json or text

What is secret may stand in a file instead: DATABASE_URL_FILE, MIDTRANS_SERVER_KEY_FILE and so on name it.

In production, run `kasir migrate` once, then as many of `kasir api`, `kasir worker` and `kasir scheduler` as wanted.";

#[derive(Subcommand)]
enum Command {
    /// Play every role in one process (what happens without a command).
    Serve,
    /// Answer requests.
    Api,
    /// Do jobs: charge, check, cancel. Any number may run.
    Worker,
    /// Put scheduled jobs into the ledger. Any number may run; each slot is worked once.
    Scheduler,
    /// Bring the database's schema up to date.
    Migrate,
    /// Keys of front ends: made here, shown once, revocable at any time.
    #[command(subcommand)]
    ApiKey(keys::ApiKeyCommand),
    /// People who run the house.
    #[command(subcommand)]
    Admin(keys::AdminCommand),
    /// What is held about one tenant: printed for them, or forgotten.
    #[command(subcommand)]
    Tenant(tenant::TenantCommand),
    /// Keys that personal data is encrypted under: drawn here, listed, and changed for newer ones.
    #[command(subcommand)]
    Key(data_keys::KeyCommand),
    /// Check the way of the money, from the keys to the notification URL, and say what to do about what is wrong.
    Doctor(doctor::Options),
    /// Check that the process of this machine or container does its work, for Docker and monitors. Exits with 1 if not.
    Healthcheck(healthcheck::Options),
    /// Compare our books with the gateway's, and mend what is behind.
    Reconcile(reconcile::Options),
    /// Print the trial balance of the journal, and check that it says what the payments say.
    Balance,
    /// The audit of what people did.
    #[command(subcommand)]
    Audit(books::AuditCommand),
    /// Print everything that was asked, told and done about one payment, for a dispute with the gateway.
    Evidence(books::EvidenceOptions),
    /// Forget what is older than it has to be kept, as happens each night. Money is never forgotten.
    Prune(books::PruneOptions),
    /// Copy the books into a new file while everything runs, and look the copy over. For SQLite.
    Backup(backup::BackupOptions),
    /// Put a copy that `backup` made where DATABASE_URL says, if nothing is there.
    Restore(backup::RestoreOptions),
    /// Import the statements of the Midtrans dashboard, and compare them with the books. Exits with 2 on differences.
    Import(import::Options),
    /// Build the demo house in an empty database that was migrated, and print its log-ins.
    Seed,
    /// Print the OpenAPI document of the service.
    Openapi,
}

#[tokio::main]
async fn main() -> ExitCode {
    // Pages of 2 MiB make a process that keeps little look three times as large. The allocator, which works before this, asks
    // for none (its feature `no_thp`); this is for systems that give them unasked. Where there are none, nothing is lost.
    let _unknown = rustix::thread::disable_transparent_huge_pages(true);
    match run(Cli::parse()).await {
        Ok(code) => code,
        Err(error) => {
            // What went wrong and why; where in the code is nothing to a person who starts a program.
            eprintln!("kasir: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    if matches!(cli.command, Some(Command::Openapi)) {
        // It is the same whatever is configured.
        println!("{}", kasir::http::openapi());
        return Ok(ExitCode::SUCCESS);
    }
    let clock = Clock::system();
    if let Some(Command::Key(data_keys::KeyCommand::New { id })) = cli.command {
        data_keys::new(&clock, id)?;
        return Ok(ExitCode::SUCCESS);
    }
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        bail!("the TLS provider could not be installed");
    }
    let traces = telemetry::start(cli.command.as_ref().is_none_or(Command::stays))?;
    let ended = perform(cli.command, clock).await;
    if let Some(traces) = traces {
        traces.end().await;
    }
    ended
}

impl Command {
    /// Whether it plays a role until it is told to stop.
    fn stays(&self) -> bool {
        matches!(self, Self::Serve | Self::Api | Self::Worker | Self::Scheduler)
    }
}

async fn perform(command: Option<Command>, clock: Clock) -> anyhow::Result<ExitCode> {
    let config = Config::load();
    match command {
        // Mistakes of the configuration are findings among others.
        Some(Command::Doctor(options)) => return doctor::run(&options, config, clock).await,
        Some(Command::Healthcheck(options)) => return healthcheck::run(&options, &config?, &clock).await,
        Some(Command::Import(options)) => return import::run(&options, &config?, &clock).await,
        None | Some(Command::Serve | Command::Openapi) => serve(config?, clock).await,
        Some(Command::Api) => play(config?, clock, Roles::API).await,
        Some(Command::Worker) => play(config?, clock, Roles::WORKER).await,
        Some(Command::Scheduler) => play(config?, clock, Roles::SCHEDULER).await,
        Some(Command::Migrate) => migrate(&config?).await,
        Some(Command::Reconcile(options)) => return reconcile::run(&options, config?, clock).await,
        Some(Command::Balance) => books::balance(&config?).await,
        Some(Command::Audit(command)) => books::audit(&config?, &command).await,
        Some(Command::Evidence(options)) => books::evidence(&config?, &options).await,
        Some(Command::Prune(options)) => books::prune(&config?, &clock, &options).await,
        Some(Command::Backup(options)) => backup::backup(&config?, &options).await,
        Some(Command::Restore(options)) => backup::restore(&config?, &options).await,
        Some(Command::Seed) => seed(&config?, &clock).await,
        Some(Command::ApiKey(command)) => keys::api_key(&config?, &clock, command).await,
        Some(Command::Tenant(command)) => tenant::run(&config?, &clock, command).await,
        Some(Command::Key(command)) => data_keys::run(&config?, &clock, command).await,
        Some(Command::Admin(command)) => keys::admin(&config?, &clock, command).await,
    }?;
    Ok(ExitCode::SUCCESS)
}

/// Everything in one process; what is not configured is built in.
async fn serve(mut config: Config, clock: Clock) -> anyhow::Result<()> {
    let stop = Stop::default();
    shutdown::on_signals(&stop)?;
    let listener = roles::bind(config.addr).await?;
    let db = roles::open_database(&config).await?;
    store::migrate(&db).await?;
    roles::unlock(&db).await?;
    roles::warn_of_plain_text(&config);
    methods::offer_all(&db).await?;
    let secret = roles::installation_secret(&config, &clock)?;
    let queue = Queue::open(db.clone(), clock.clone(), config.redis.as_ref())?;
    let mut simulator = None;
    let gateway = match config.gateway.clone() {
        Some(gateway) => gateway,
        None => {
            config.addr = listener.local_addr()?;
            let started = start_simulator(&config, &clock, &secret).await?;
            let gateway = gateway_of(&started, &secret);
            let bill = demo::seed(&db, &clock, &secret).await?;
            let api_key = demo::api_key(&secret);
            config.api_keys.push(("demo".to_owned(), api_key.clone()));
            welcome::print(&welcome::Demo {
                kasir: listener.local_addr()?,
                simulator: started.base_url(),
                logins: &demo::logins(&secret),
                api_key: &api_key,
                bill,
            });
            simulator = Some(started);
            gateway
        }
    };
    let parts = Parts { config, db, queue, clock, gateway, secret };
    roles::run(parts, Roles::ALL, Some(listener), stop).await?;
    if let Some(simulator) = simulator {
        simulator.shutdown().await;
    }
    Ok(())
}

/// One role; the gateway must be configured, because several processes need the same.
async fn play(config: Config, clock: Clock, roles: Roles) -> anyhow::Result<()> {
    let stop = Stop::default();
    shutdown::on_signals(&stop)?;
    let gateway = config.gateway.clone().context(
        "MIDTRANS_SERVER_KEY is missing. The built-in simulator exists only in `kasir serve`; for separate processes \
         start `midtrans-sim` and set MIDTRANS_BASE_URL and MIDTRANS_SERVER_KEY",
    )?;
    let listener = if roles.api { Some(roles::bind(config.addr).await?) } else { None };
    let db = roles::open_migrated_database(&config).await?;
    roles::warn_of_plain_text(&config);
    let secret = roles::installation_secret(&config, &clock)?;
    let queue = Queue::open(db.clone(), clock.clone(), config.redis.as_ref())?;
    if let Some(listener) = &listener {
        tracing::info!(addr = %listener.local_addr()?, "listening");
    }
    let parts = Parts { config, db, queue, clock, gateway, secret };
    roles::run(parts, roles, listener, stop).await
}

async fn migrate(config: &Config) -> anyhow::Result<()> {
    let db = roles::open_database(config).await?;
    let missing = store::pending_migrations(&db).await?;
    store::migrate(&db).await?;
    methods::offer_all(&db).await?;
    println!("applied {missing} migration(s); the database is up to date");
    Ok(())
}

async fn seed(config: &Config, clock: &Clock) -> anyhow::Result<()> {
    let db = roles::open_migrated_database(config).await?;
    let secret = roles::installation_secret(config, clock)?;
    demo::seed(&db, clock, &secret).await?;
    welcome::print_logins(&demo::logins(&secret));
    println!("API_KEYS=demo={}", demo::api_key(&secret).expose());
    Ok(())
}

async fn start_simulator(config: &Config, clock: &Clock, secret: &Secret) -> anyhow::Result<Simulator> {
    let (server_key, client_key) = demo::simulator_keys(secret);
    let options = Options {
        address: config.simulator_addr,
        server_key: server_key.expose().to_owned(),
        client_key: client_key.expose().to_owned(),
        notification_url: Some(format!("http://{}/api/midtrans-notification", config.addr)),
        state_file: config.sqlite_file().map(state_file_beside),
        ..Options::local(clock.clone())
    };
    Simulator::start(options)
        .await
        .context("the simulator does not start; KASIR_SIMULATOR_ADDR chooses its address")
}

/// The simulator forgets nothing over a restart, as the gateway does not.
fn state_file_beside(database: &std::path::Path) -> PathBuf {
    database.with_extension("simulator.json")
}

fn gateway_of(simulator: &Simulator, secret: &Secret) -> Gateway {
    let (server_key, client_key) = demo::simulator_keys(secret);
    Gateway {
        server_key,
        client_key: Some(client_key),
        base_url: simulator.base_url().to_owned(),
        page_url: simulator.base_url().to_owned(),
    }
}
