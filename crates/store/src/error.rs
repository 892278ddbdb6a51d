//! What can go wrong with the books.

use domain::Invalid;

/// A failure of the database, or of a row in it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be reached, or is too busy to answer in time. Trying again may help.
    #[error("the database is not reachable: {0}")]
    Unavailable(#[source] sqlx::Error),
    /// A row that does not parse. Somebody else wrote it, or a migration is missing.
    #[error("{table} {id}: {cause}")]
    Corrupt {
        /// The table of the row.
        table: &'static str,
        /// The row.
        id: i64,
        /// What does not parse.
        cause: Invalid,
    },
    /// The database refused.
    #[error("the database refused: {0}")]
    Database(#[source] sqlx::Error),
    /// The schema could not be brought up to date.
    #[error("the schema could not be migrated: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// A copy of the books that is not whole.
    #[error("the copy is no good: {0}")]
    Damaged(String),
    /// A text that is sealed under a key that is not here.
    #[error("{place} is sealed under the key {key:?}, which KASIR_DATA_KEYS does not hold")]
    NoKey {
        /// Where it stands.
        place: String,
        /// The id of the key.
        key: String,
    },
    /// A sealed text that does not open: it was changed, or sealed for another row, or under another key of the same id.
    #[error(
        "{place} does not open: it was changed, or belongs to another row, or its key is another of the same id"
    )]
    Sealed {
        /// Where it stands.
        place: String,
    },
    /// The books hold sealed texts, and nobody has handed in a key.
    #[error("the books were sealed, with the key {0:?} among others, and KASIR_DATA_KEYS names no key")]
    Keyless(String),
    /// The keys were not held against the books yet.
    #[error("the keys were not unlocked: `store::keys::unlock` comes first")]
    Locked,
    /// The books are on a server, which has tools of its own for this.
    #[error("the books are in PostgreSQL, not in a file")]
    NoFile,
    /// Only a server does this for many at once.
    #[error("the books are in a file, not in PostgreSQL")]
    NoServer,
    /// `DATABASE_URL` names no database that we know.
    #[error("{0:?} is no database: use sqlite://FILE or postgres://USER@HOST/NAME")]
    UnknownDatabase(String),
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        let passing = match &error {
            sqlx::Error::Io(_)
            // A server that hangs up in the middle of a word, as one does that goes away.
            | sqlx::Error::Protocol(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => true,
            sqlx::Error::Database(refusal) => is_passing(refusal.code().as_deref().unwrap_or_default()),
            _ => false,
        };
        if passing { Self::Unavailable(error) } else { Self::Database(error) }
    }
}

impl StoreError {
    pub(crate) fn corrupt(table: &'static str, id: i64) -> impl Fn(Invalid) -> Self {
        move |cause| Self::Corrupt { table, id, cause }
    }

    /// True when the database gave up one of several transactions that wanted the same rows.
    pub(crate) fn is_collision(&self) -> bool {
        let Self::Unavailable(sqlx::Error::Database(refusal)) = self else { return false };
        refusal.code().is_some_and(|code| code.len() == 5 && code.starts_with("40"))
    }

    /// The same failure, for another who waited for the same database.
    pub(crate) fn again(&self) -> Self {
        Self::Unavailable(sqlx::Error::Protocol(self.to_string()))
    }

    /// True when trying again may help.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}

/// Codes of trouble that passes: PostgreSQL's connection (08), resource (53), intervention (57: shutdown, a statement that
/// took too long) and serialisation classes (40), and a server that is read-only for now (25006); SQLite's BUSY (5), LOCKED
/// (6), IOERR (10) and FULL (13) with their extended forms.
fn is_passing(code: &str) -> bool {
    // PostgreSQL's codes have five characters, SQLite's at most four.
    if code.len() == 5 {
        return ["08", "53", "57", "40", "25006"].iter().any(|class| code.starts_with(class));
    }
    code.parse::<u32>().is_ok_and(|number| matches!(number & 0xff, 5 | 6 | 10 | 13))
}
