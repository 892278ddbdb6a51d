//! The roles that a process can play, put together from the parts of the house. Only here do HTTP and workers meet.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clock::Clock;
use courier::Links;
use domain::Secret;
use midtrans::Midtrans;
use queue::{Queue, Stop, Workforce};
use store::{Db, Keys};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use workers::{HouseGate, Scheduler};

use crate::config::{Config, Gateway, MatchBy};
use crate::descriptors;
use crate::heartbeat::Heartbeat;
use crate::http::{
    self, App, Door, Lately, Passwords, Patience, Places, SecondFactors, SingleSignOn, Tls, Tokens,
    Unchanged, Watches,
};

/// Between two sweeps.
const SWEEP_S: i64 = queue::SWEEP_EVERY.as_secs().cast_signed();

/// Payments that a comparison asks about at once.
const COMPARED_AT_ONCE: i64 = 8;

/// Which roles a process plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Roles {
    /// Answers requests.
    pub api: bool,
    /// Does jobs.
    pub worker: bool,
    /// Puts scheduled jobs into the ledger.
    pub scheduler: bool,
}

impl Roles {
    /// Everything in one process.
    pub const ALL: Self = Self { api: true, worker: true, scheduler: true };
    /// Answers requests.
    pub const API: Self = Self { api: true, worker: false, scheduler: false };
    /// Does jobs.
    pub const WORKER: Self = Self { api: false, worker: true, scheduler: false };
    /// Puts scheduled jobs into the ledger.
    pub const SCHEDULER: Self = Self { api: false, worker: false, scheduler: true };
}

/// What every role needs.
#[derive(Clone)]
pub struct Parts {
    /// The settings.
    pub config: Config,
    /// The books.
    pub db: Db,
    /// Where work goes.
    pub queue: Queue,
    /// The time.
    pub clock: Clock,
    /// The gateway, or the simulator in its place.
    pub gateway: Gateway,
    /// The secret of this installation.
    pub secret: Secret,
}

/// Opens the database. What is sealed in it stays so until [`unlock`].
///
/// # Errors
/// When it does not answer.
pub async fn open_database(config: &Config) -> anyhow::Result<Db> {
    let limits = &config.file.limits;
    let options = store::Options {
        connections: limits.db_connections,
        wait: Duration::from_secs(limits.db_wait_s),
        keys: Arc::new(Keys::new(config.data_keys.clone(), || Clock::system().random())),
        ..store::Options::default()
    };
    store::connect(config.database_url.expose(), &options).await.context("DATABASE_URL cannot be opened")
}

/// Opens the database, which must have all migrations, for work that reads nothing sealed.
///
/// # Errors
/// When it does not answer, or lacks some.
pub async fn open_locked_database(config: &Config) -> anyhow::Result<Db> {
    let db = open_database(config).await?;
    let missing = store::pending_migrations(&db).await?;
    anyhow::ensure!(missing == 0, "the database lacks {missing} migration(s): run `kasir migrate` first");
    Ok(db)
}

/// Opens the database, which must have all migrations, and what is sealed in it.
///
/// # Errors
/// When it does not answer, lacks some, or has no use for our keys.
pub async fn open_migrated_database(config: &Config) -> anyhow::Result<Db> {
    let db = open_locked_database(config).await?;
    unlock(&db).await?;
    Ok(db)
}

/// Holds the data keys against the books. What a key has sealed that is not here is told, and cannot be read; payments go
/// on without it.
///
/// # Errors
/// When the keys are none of those that the books were sealed with.
pub async fn unlock(db: &Db) -> anyhow::Result<()> {
    for id in store::keys::unlock(db, Clock::system().now()).await? {
        tracing::error!(
            key = id,
            "KASIR_DATA_KEYS lacks a key that is in use; what it sealed cannot be read"
        );
    }
    Ok(())
}

/// Says so where personal data is kept in plain text.
pub fn warn_of_plain_text(config: &Config) {
    if config.data_keys.is_empty() {
        tracing::warn!(
            "KASIR_DATA_KEYS is not set: personal data is kept in plain text; `kasir key new` makes a key"
        );
    }
}

/// The secret of this installation: from the configuration, or made once and kept in a file beside the SQLite file.
///
/// # Errors
/// When the file can neither be read nor made.
pub fn installation_secret(config: &Config, clock: &Clock) -> anyhow::Result<Secret> {
    if let Some(secret) = &config.secret {
        return Ok(secret.clone());
    }
    let path = secret_file(config).context("KASIR_SECRET is missing")?;
    match path.try_exists() {
        Ok(false) => {
            let text = hex::encode(clock.random::<32>());
            match write_private(&path, &text) {
                Ok(()) => Ok(Secret::from(text)),
                // Another process was first; its secret is ours.
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => read_private(&path),
                Err(error) => Err(error).with_context(|| format!("{} cannot be written", path.display())),
            }
        }
        Ok(true) | Err(_) => read_private(&path),
    }
}

/// Where the secret of this installation is kept when it is not configured.
#[must_use]
pub fn secret_file(config: &Config) -> Option<PathBuf> {
    config.sqlite_file().map(|database| database.with_extension("secret"))
}

fn read_private(path: &Path) -> anyhow::Result<Secret> {
    let text = std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let secret = text.trim();
    anyhow::ensure!(secret.len() >= 32, "{} is damaged: it holds no secret of 32 characters", path.display());
    Ok(Secret::from(secret))
}

fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// A service that listens: its address, and the request to stop.
pub async fn bind(addr: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(addr).await.with_context(|| {
        format!("{addr} cannot be listened on; is another Kasir running? KASIR_ADDR chooses another address")
    })
}

/// Plays the roles until `stop` says otherwise.
///
/// # Errors
/// When a role cannot start.
pub async fn run(
    parts: Parts,
    roles: Roles,
    listener: Option<TcpListener>,
    stop: Stop,
) -> anyhow::Result<()> {
    let tracker = TaskTracker::new();
    if let (true, Some(listener)) = (roles.api, listener) {
        let app = App { stop: stop.gently.clone(), ..app(&parts)? };
        let router = http::router(Arc::new(app));
        let limits = parts.config.file.limits.of_connections();
        descriptors::ask_for(limits.at_once);
        let tls = parts.config.tls.clone().map(Tls::open).transpose()?;
        if let Some(tls) = &tls {
            tracker.spawn(tls.renewing(stop.gently.clone())?);
        }
        let door = Door { limits, tls, stop: stop.gently.clone() };
        tracker.spawn(http::serve_apart(listener, router, door)?);
    }
    if roles.worker {
        let force =
            Workforce::start(&parts.queue, context(&parts)?, parts.config.file.job_limits(), stop.clone());
        tracker.spawn(force.run());
    }
    if roles.scheduler {
        let scheduler = Scheduler::start(parts.queue.clone(), parts.clock.clone()).await?;
        let gently = stop.gently.clone();
        tracker.spawn(async move {
            gently.cancelled().await;
            scheduler.stop().await;
        });
    }
    tracker.close();
    let heartbeat = Heartbeat::start(&parts, roles);
    stop.gently.cancelled().await;
    tokio::select! {
        () = tracker.wait() => {}
        () = after(&stop, Duration::from_secs(19)) => tracing::warn!("stopped before all work had ended"),
    }
    heartbeat.end().await;
    Ok(())
}

async fn after(stop: &Stop, limit: Duration) {
    let _early = tokio::time::timeout(limit, stop.now.cancelled()).await;
    // Jobs that were ended at once are still being handed back.
    tokio::time::sleep(Duration::from_secs(1)).await;
}

/// The service over these parts.
///
/// # Errors
/// When passwords cannot be hashed on this machine.
pub fn app(parts: &Parts) -> anyhow::Result<App> {
    let limits = &parts.config.file.limits;
    let passwords = Passwords::new(parts.secret.clone(), parts.clock.clone(), limits.hashings_at_once)?
        .with_waiting(limits.hashings_waiting);
    app_with(parts, passwords)
}

/// The same with passwords that somebody has at hand; making them takes as long as a log-in.
///
/// # Errors
/// When the provider that logs admins in cannot be called at all.
pub fn app_with(parts: &Parts, passwords: Passwords) -> anyhow::Result<App> {
    let Parts { config, gateway, .. } = parts;
    let limits = &config.file.limits;
    let mut notification_keys = config.notification_keys.clone();
    if notification_keys.is_empty() {
        notification_keys.push(gateway.server_key.clone());
    }
    let schedule = config.file.poll_schedule();
    let settings = http::Settings {
        api_keys: config.api_keys.clone(),
        admin_passwords: config.file.oidc.password,
        header_login: config.file.login.headers,
        notification_keys,
        body_bytes_max: limits.body_bytes,
        page_size_max: limits.page_size,
        rules: config.file.rules(),
        is_https: config.is_https(),
        payout_days: config.file.reconcile.payout_days,
        default_price: config.file.house.default_price,
        terms: config.file.terms(),
        request_timeout: config.request_timeout(),
        poll_on_read: Duration::from_secs(config.file.schedule.on_read_s),
        first_check: schedule.after_charge.first().copied().unwrap_or(schedule.every),
    };
    let tokens = Tokens::new(&parts.secret, parts.clock.clone());
    let patience = Patience::new(parts.clock.clone());
    let second_factors = SecondFactors::new(parts.secret.clone(), parts.clock.clone());
    Ok(App {
        db: parts.db.clone(),
        single_sign_on: single_sign_on(parts)?,
        inbox: parts.db.apart(limits.notification_db_connections),
        places: Places::new(&limits.shares(), parts.clock.clone()),
        queue: parts.queue.clone(),
        clock: parts.clock.clone(),
        throttle: parts.queue.throttle(config.file.call_limits()),
        passwords,
        tokens,
        links: links(parts),
        second_factors,
        patience,
        lately: Lately::new(limits.remembered()),
        unchanged: Unchanged::default(),
        notified: http::Notified::default(),
        watches: Watches::new(limits.waiting_requests, limits.event_streams),
        stop: CancellationToken::new(),
        settings,
    })
}

/// The provider that logs admins in, if there is one.
fn single_sign_on(parts: &Parts) -> anyhow::Result<Option<SingleSignOn>> {
    let Parts { config, secret, clock, .. } = parts;
    let wish = &config.file.oidc;
    let settings = wish.settings(config.oidc_client_secret.as_ref(), config.public_url.as_deref());
    let Some(settings) = settings else { return Ok(None) };
    let provider = oidc::Provider::new(settings, clock.clone()).context("oidc.issuer cannot be used")?;
    let (name, by_email) = (wish.name.clone(), wish.match_by == MatchBy::Email);
    Ok(Some(SingleSignOn { provider, name, by_email, secret: secret.clone(), clock: clock.clone() }))
}

/// What the workers need, from these parts.
///
/// # Errors
/// When the gateway's address or key cannot be used.
pub fn context(parts: &Parts) -> anyhow::Result<workers::Context> {
    let calls = &parts.config.file.gateway;
    let midtrans = Midtrans::new(midtrans::Settings {
        base_url: parts.gateway.base_url.clone(),
        page_url: parts.gateway.page_url.clone(),
        server_key: parts.gateway.server_key.clone(),
        connect_timeout: Duration::from_secs(calls.connect_timeout_s),
        timeout: Duration::from_secs(calls.timeout_s),
    })?;
    context_with(parts, midtrans)
}

/// The same with a client that somebody has at hand.
///
/// # Errors
/// When a way by which tenants are told of their bills cannot be used.
pub fn context_with(parts: &Parts, midtrans: Midtrans) -> anyhow::Result<workers::Context> {
    let calls = &parts.config.file.gateway;
    let gate = HouseGate {
        db: parts.db.clone(),
        clock: parts.clock.clone(),
        throttle: parts.queue.throttle(parts.config.file.call_limits()),
    };
    let couriers = parts.config.file.reminders.couriers(&parts.config.ways, links(parts))?;
    Ok(workers::Context {
        db: parts.db.clone(),
        midtrans: midtrans.guarded(Arc::new(gate)),
        clock: parts.clock.clone(),
        queue: parts.queue.clone(),
        schedule: parts.config.file.poll_schedule(),
        rules: parts.config.file.rules(),
        authorize_only: calls.authorize_cards,
        item: calls.item.clone(),
        terms: parts.config.file.terms(),
        polls_at_once: i64::from(calls.calls_per_s).saturating_mul(SWEEP_S),
        compared_at_once: COMPARED_AT_ONCE,
        reconcile_back: parts.config.file.reconcile_back(),
        notification_grace: Duration::from_secs(parts.config.file.reconcile.notification_grace_min * 60),
        retention: parts.config.file.retention(),
        couriers: Arc::new(couriers),
    })
}

/// The names of reminders, and the links in them.
fn links(parts: &Parts) -> Links {
    Links::new(parts.secret.clone(), parts.config.public_url.clone())
}
