//! The database: SQLite in one file, or PostgreSQL.

use std::pin::Pin;
use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions as _, Connection as _, SqlitePool};

use crate::turns::Turns;
use crate::{Keys, Server, StoreError, effects, read};

static SQLITE: Migrator = sqlx::migrate!("../../migrations/sqlite");
static POSTGRES: Migrator = sqlx::migrate!("../../migrations/postgres");

/// Between two tries to open a file that others are opening.
const PAUSE: Duration = Duration::from_millis(50);

/// Statements that a connection keeps prepared: all that there are, so that none is planned twice.
const STATEMENTS: usize = 500;

/// How PostgreSQL plans for us. A plan is kept for as long as a connection lives and is made when a table may still be small;
/// one that reads the whole table then goes on to read it when it has a million rows. What we ask for has an index (the tests of
/// plans see to it), so that looking rows up is never much dearer than reading everything.
const LOOK_UP: [(&str, &str); 3] = [("enable_seqscan", "off"), ("random_page_cost", "1.1"), ("jit", "off")];

/// Pools of connections to the books. Cheap to clone.
#[derive(Debug, Clone)]
pub enum Db {
    /// One file. SQLite has one writer at a time; readers do not wait for it.
    Sqlite {
        /// The one connection that writes.
        writer: SqlitePool,
        /// Connections that read.
        readers: SqlitePool,
        /// What is done for many at once.
        turns: Arc<Turns>,
        /// What seals and opens personal data.
        keys: Arc<Keys>,
    },
    /// A server.
    Postgres(Server),
}

impl Db {
    pub(crate) fn turns(&self) -> &Turns {
        match self {
            Self::Sqlite { turns, .. } => turns,
            Self::Postgres(server) => server.turns(),
        }
    }

    pub(crate) fn keys(&self) -> &Arc<Keys> {
        match self {
            Self::Sqlite { keys, .. } => keys,
            Self::Postgres(server) => server.keys(),
        }
    }

    /// The turns in which a server looks things up for many at once; `None` where each looks alone.
    pub(crate) fn shared(&self) -> Option<&Turns> {
        match self {
            Self::Postgres(server) if !effects::is_watched() => Some(server.turns()),
            Self::Postgres(_) | Self::Sqlite { .. } => None,
        }
    }

    /// The server, for statements that only PostgreSQL has.
    pub(crate) fn server(&self) -> Result<&Server, StoreError> {
        match self {
            Self::Postgres(server) => Ok(server),
            Self::Sqlite { .. } => Err(StoreError::NoServer),
        }
    }

    /// The same books by so many connections of its own, so that nobody else can use them up. They are opened when they
    /// are needed. SQLite has one writer for all, so that nothing is won there.
    #[must_use]
    pub fn apart(&self, connections: u32) -> Self {
        match self {
            Self::Sqlite { .. } => self.clone(),
            Self::Postgres(pool) => {
                let options = pool.options().clone().min_connections(0).max_connections(connections.max(1));
                let apart = options.connect_lazy_with((*pool.connect_options()).clone());
                Self::Postgres(Server::new(apart, Arc::clone(pool.keys())))
            }
        }
    }
}

/// Limits of the pools.
#[derive(Debug, Clone)]
pub struct Options {
    /// Connections at most (PostgreSQL), or readers at most (SQLite).
    pub connections: u32,
    /// How long to wait for a free connection, or for SQLite's lock, before the database counts as unreachable.
    pub wait: Duration,
    /// What a single statement may take on PostgreSQL.
    pub statement_timeout: Duration,
    /// What seals and opens personal data; [`crate::keys::unlock`] holds them against the books.
    pub keys: Arc<Keys>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            connections: 10,
            wait: Duration::from_secs(3),
            statement_timeout: Duration::from_secs(10),
            keys: Arc::default(),
        }
    }
}

/// Opens the database that `url` names; a SQLite file that is not there yet is made.
///
/// # Errors
/// When the URL names no database, or the database does not answer within [`Options::wait`].
pub async fn connect(url: &str, options: &Options) -> Result<Db, StoreError> {
    if url.starts_with("sqlite:") {
        connect_sqlite(url, options).await
    } else if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        connect_postgres(url, options).await
    } else {
        let scheme = url.split(':').next().unwrap_or_default();
        Err(StoreError::UnknownDatabase(format!("{scheme}:…")))
    }
}

async fn connect_sqlite(url: &str, options: &Options) -> Result<Db, StoreError> {
    let file = SqliteConnectOptions::from_str(url)?
        .create_if_missing(true)
        .foreign_keys(true)
        .journal_mode(SqliteJournalMode::Wal)
        // A commit that was answered is on the disk, also when the power fails.
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(options.wait)
        .disable_statement_logging();
    let pool = || SqlitePoolOptions::new().acquire_timeout(options.wait);
    let mut pauses = options.wait.as_millis() / PAUSE.as_millis();
    // Programs that open a new file at the same moment get in each other's way while they make it a WAL file; SQLite
    // then refuses at once instead of waiting.
    let writer = loop {
        let one = pool().max_connections(1).before_acquire(|connection, _| is_usable(connection));
        match one.connect_with(file.clone()).await.map_err(StoreError::from) {
            Err(StoreError::Unavailable(_)) if pauses > 0 => {
                pauses -= 1;
                tokio::time::sleep(PAUSE).await;
            }
            opened => break opened?,
        }
    };
    let readers =
        pool().max_connections(options.connections.max(1)).connect_with(file.read_only(true)).await?;
    Ok(Db::Sqlite { writer, readers, turns: Arc::default(), keys: Arc::clone(&options.keys) })
}

/// SQLite ends a transaction by itself when the disk is full. sqlx then counts it as open for ever, and begins no other on
/// this connection, so another one takes its place.
fn is_usable(
    connection: &mut SqliteConnection,
) -> Pin<Box<dyn Future<Output = sqlx::Result<bool>> + Send + '_>> {
    let is_usable = !connection.is_in_transaction();
    Box::pin(async move { Ok(is_usable) })
}

async fn connect_postgres(url: &str, options: &Options) -> Result<Db, StoreError> {
    let timeout_ms = options.statement_timeout.as_millis().to_string();
    let server = PgConnectOptions::from_str(url)?
        .application_name("kasir")
        .options([("statement_timeout", timeout_ms.as_str())])
        .options(LOOK_UP)
        .statement_cache_capacity(STATEMENTS)
        .disable_statement_logging();
    let pool = PgPoolOptions::new()
        .max_connections(options.connections.max(1))
        .acquire_timeout(options.wait)
        .connect_with(server)
        .await?;
    Ok(Db::Postgres(Server::new(pool, Arc::clone(&options.keys))))
}

/// Brings the schema up to date. Safe to run by many at once, and when there is nothing to do.
///
/// # Errors
/// When a migration fails, or the database was migrated by a newer Kasir.
pub async fn migrate(db: &Db) -> Result<(), StoreError> {
    match db {
        Db::Sqlite { writer, .. } => {
            // On SQLite the migrator takes no lock of its own: the write lock lets one in after the other.
            let mut tx = writer.begin_with("BEGIN IMMEDIATE").await?;
            SQLITE.run_direct(None, &mut *tx, false).await?;
            tx.commit().await?;
        }
        Db::Postgres(server) => POSTGRES.run(&**server).await?,
    }
    Ok(())
}

/// The versions of the migrations that a SQLite file can have.
pub(crate) fn known_migrations() -> Vec<i64> {
    SQLITE.iter().map(|migration| migration.version).collect()
}

/// How many migrations the database still lacks.
///
/// # Errors
/// When the database does not answer.
pub async fn pending_migrations(db: &Db) -> Result<usize, StoreError> {
    const SQL: &str = "SELECT count(*) FROM _sqlx_migrations WHERE success";
    let known = match db {
        Db::Sqlite { .. } => SQLITE.iter().count(),
        Db::Postgres(_) => POSTGRES.iter().count(),
    };
    let applied: i64 = match read!(db, pool => sqlx::query_scalar(SQL).fetch_one(pool).await) {
        Ok(count) => count,
        // No table yet: nothing was applied.
        Err(sqlx::Error::Database(_)) => 0,
        Err(error) => return Err(error.into()),
    };
    Ok(known.saturating_sub(usize::try_from(applied).unwrap_or_default()))
}

/// Asks the database for a sign of life.
///
/// # Errors
/// When there is none.
pub async fn ping(db: &Db) -> Result<(), StoreError> {
    let _one: i32 = read!(db, pool => sqlx::query_scalar("SELECT 1").fetch_one(pool).await?);
    Ok(())
}
