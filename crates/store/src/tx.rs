//! One SQL text on two databases: the transaction, and the macros that run the same body on either.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use sqlx::{Sqlite, SqliteConnection, Transaction};

use crate::effects::{Effect, reach};
use crate::server::Begun;
use crate::{Db, Keys, StoreError};

/// What became of a write that named the version it had read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// It is committed.
    Done,
    /// Somebody else was first; nothing was written. Read again.
    Stale,
    /// The lease of the job that wanted this was lost; nothing was written.
    LostLease,
}

/// A transaction on either database. Dropped without [`Tx::commit`], it rolls back.
pub(crate) enum Tx {
    Sqlite(Writing),
    Postgres(Begun),
}

/// A transaction of SQLite's one writer.
pub(crate) struct Writing {
    tx: Transaction<'static, Sqlite>,
    keys: Arc<Keys>,
}

impl Deref for Writing {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        &self.tx
    }
}

impl DerefMut for Writing {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        &mut self.tx
    }
}

impl Tx {
    /// Begins to write. SQLite takes its write lock at once, so that nothing fails half-way for want of it.
    pub(crate) async fn begin(db: &Db) -> Result<Self, StoreError> {
        reach(Effect::Begin).await;
        Ok(match db {
            Db::Sqlite { writer, keys, .. } => {
                let tx = Box::pin(writer.begin_with("BEGIN IMMEDIATE")).await?;
                Self::Sqlite(Writing { tx, keys: Arc::clone(keys) })
            }
            Db::Postgres(server) => Self::Postgres(Begun::begin(server).await?),
        })
    }

    pub(crate) fn keys(&self) -> &Arc<Keys> {
        match self {
            Self::Sqlite(writing) => &writing.keys,
            Self::Postgres(begun) => begun.keys(),
        }
    }

    pub(crate) async fn commit(self) -> Result<(), StoreError> {
        reach(Effect::Commit).await;
        match self {
            Self::Sqlite(writing) => Box::pin(writing.tx.commit()).await?,
            Self::Postgres(tx) => tx.commit().await?,
        }
        reach(Effect::Committed).await;
        Ok(())
    }

    /// Takes the bill's row lock: changes of the payments of one bill come one after the other. On SQLite nobody else writes
    /// since [`Tx::begin`].
    pub(crate) async fn lock_bill(&mut self, bill: i64) -> Result<Option<String>, StoreError> {
        const LOOK: &str = "SELECT status FROM bills WHERE id = $1";
        const LOCK: &str = "SELECT status FROM bills WHERE id = $1 FOR UPDATE";
        let sql = if matches!(self, Self::Postgres(_)) { LOCK } else { LOOK };
        Ok(in_tx!(self, conn => sqlx::query_scalar(sql).bind(bill).fetch_optional(conn).await?))
    }

    /// True when nobody may pay the bill any more: it is void, or its tenant has left. Asked under the bill's lock.
    pub(crate) async fn is_closed(&mut self, bill: i64) -> Result<bool, StoreError> {
        const SQL: &str = "
            SELECT count(*) FROM bills JOIN users ON users.id = bills.tenant_id
            WHERE bills.id = $1 AND (bills.voided_at IS NOT NULL OR users.deleted_at IS NOT NULL)";
        let rows: i64 = in_tx!(self, conn => sqlx::query_scalar(SQL).bind(bill).fetch_one(conn).await?);
        Ok(rows > 0)
    }
}

/// Runs one statement on a connection of its own.
macro_rules! on_server {
    ($server:expr, $conn:ident => $body:expr) => {{
        let mut taken = $server.take().await?;
        let $conn = &mut *taken;
        let ended: Result<_, $crate::StoreError> = Box::pin(async { Ok($body) }).await;
        taken.give_back_after(&ended);
        ended?
    }};
}

/// Runs one statement of SQLite. What waits for a database is some KiB large; in a box it is not moved with every future
/// around it.
macro_rules! on_file {
    ($body:expr) => {{
        let ended: Result<_, $crate::StoreError> = Box::pin(async { Ok($body) }).await;
        ended?
    }};
}

/// A statement of PostgreSQL whose commit is seen by everybody at once and reaches the disk a moment later, or together with
/// the next commit that waits for it. It must name `unflushed` among its tables.
macro_rules! unflushed {
    ($sql:literal) => {
        concat!("WITH unflushed AS (SELECT set_config('synchronous_commit', 'off', TRUE))", $sql)
    };
}

/// One column of the rows that a statement for many takes as an array.
macro_rules! column {
    ($rows:expr, $row:pat => $value:expr) => {
        $rows.iter().map(|$row| $value).collect::<Vec<_>>()
    };
}

/// Runs a query that only reads.
macro_rules! read {
    ($db:expr, $pool:ident => $body:expr) => {{
        $crate::effects::reach($crate::effects::Effect::Read).await;
        match $db {
            $crate::Db::Sqlite { readers: $pool, .. } => $crate::tx::on_file!($body),
            $crate::Db::Postgres(server) => $crate::tx::on_server!(server, $pool => $body),
        }
    }};
}

/// Runs one statement that writes, in a transaction of its own.
macro_rules! write {
    ($db:expr, $pool:ident => $body:expr) => {{
        $crate::effects::reach($crate::effects::Effect::Begin).await;
        let written = match $db {
            $crate::Db::Sqlite { writer: $pool, .. } => $crate::tx::on_file!($body),
            $crate::Db::Postgres(server) => $crate::tx::on_server!(server, $pool => $body),
        };
        $crate::effects::reach($crate::effects::Effect::Committed).await;
        written
    }};
}

/// Runs one statement inside a transaction.
macro_rules! in_tx {
    ($tx:expr, $conn:ident => $body:expr) => {
        match $tx {
            $crate::Tx::Sqlite(tx) => {
                let $conn = &mut **tx;
                $body
            }
            $crate::Tx::Postgres(tx) => {
                let $conn = tx.connection()?;
                $body
            }
        }
    };
}

pub(crate) use {column, in_tx, on_file, on_server, read, unflushed, write};
