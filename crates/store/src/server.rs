//! Connections to PostgreSQL, handed from one user to the next without a word to the server.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sqlx::postgres::PgConnection;
use sqlx::{Connection as _, PgPool};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::turns::Turns;
use crate::{Keys, StoreError};

/// A connection that was used so lately is taken for alive. Others are asked first: the server may have gone away.
const FRESH: Duration = Duration::from_secs(1);
/// A connection that nobody has needed for so long is closed.
const IDLE_MAX: Duration = Duration::from_secs(600);

/// A server, and the connections to it that are free. Cheap to clone.
///
/// The pool of sqlx asks the server for a sign of life when a connection is taken and again when it comes back. For a
/// statement that is its own that is two round trips more than its own one, so only new connections come from the pool.
#[derive(Debug, Clone)]
pub struct Server {
    pool: PgPool,
    places: Arc<Semaphore>,
    free: Arc<Mutex<Vec<Free>>>,
    turns: Arc<Turns>,
    keys: Arc<Keys>,
}

#[derive(Debug)]
struct Free {
    connection: PgConnection,
    since: Instant,
}

/// Without keys: what is sealed stays so.
impl From<PgPool> for Server {
    fn from(pool: PgPool) -> Self {
        Self::new(pool, Arc::default())
    }
}

/// The pool that new connections come from, for whoever needs nothing more.
impl Deref for Server {
    type Target = PgPool;

    fn deref(&self) -> &PgPool {
        &self.pool
    }
}

impl Server {
    pub(crate) fn new(pool: PgPool, keys: Arc<Keys>) -> Self {
        let places = usize::try_from(pool.options().get_max_connections()).unwrap_or(Semaphore::MAX_PERMITS);
        let places = Arc::new(Semaphore::new(places));
        Self { pool, places, free: Arc::default(), turns: Arc::default(), keys }
    }

    /// A connection of its own for each caller. Waits as long as the pool would.
    pub(crate) async fn take(&self) -> Result<Taken, sqlx::Error> {
        let wait = self.pool.options().get_acquire_timeout();
        tokio::time::timeout(wait, self.find()).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
    }

    pub(crate) fn turns(&self) -> &Turns {
        &self.turns
    }

    pub(crate) fn keys(&self) -> &Arc<Keys> {
        &self.keys
    }

    async fn find(&self) -> Result<Taken, sqlx::Error> {
        let place = Arc::clone(&self.places).acquire_owned().await;
        let place = place.map_err(|_closed| sqlx::Error::PoolClosed)?;
        if self.pool.is_closed() {
            return Err(sqlx::Error::PoolClosed);
        }
        loop {
            let Some(Free { mut connection, since }) = self.free().pop() else { break };
            if since.elapsed() < FRESH || Box::pin(connection.ping()).await.is_ok() {
                return Ok(self.taken(connection, place));
            }
        }
        let connection = Box::pin(self.pool.acquire()).await?.detach();
        Ok(self.taken(connection, place))
    }

    fn taken(&self, connection: PgConnection, place: OwnedSemaphorePermit) -> Taken {
        Taken { connection, free: Arc::clone(&self.free), place }
    }

    fn free(&self) -> MutexGuard<'_, Vec<Free>> {
        locked(&self.free)
    }
}

/// A connection in somebody's hands. It is free again when it is given back, and closed when it is dropped: nobody knows
/// then in the middle of what it was.
#[derive(Debug)]
pub(crate) struct Taken {
    connection: PgConnection,
    free: Arc<Mutex<Vec<Free>>>,
    place: OwnedSemaphorePermit,
}

impl Taken {
    /// The next one may have it.
    pub(crate) fn give_back(self) {
        let Self { connection, free, place } = self;
        let now = Instant::now();
        let mut free = locked(&free);
        // The last one that came is the first one that goes, so that the longest free is in front.
        if free.first().is_some_and(|longest| now - longest.since > IDLE_MAX) {
            free.remove(0);
        }
        free.push(Free { connection, since: now });
        drop(place);
    }

    /// The next one may have it, unless the statement failed in a way after which it may be broken.
    pub(crate) fn give_back_after<T>(self, ended: &Result<T, StoreError>) {
        if !ended.as_ref().is_err_and(StoreError::is_passing) {
            self.give_back();
        }
    }
}

impl Deref for Taken {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.connection
    }
}

impl DerefMut for Taken {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.connection
    }
}

/// A transaction that was begun. Dropped without [`Begun::commit`], it is rolled back beside whoever goes on.
#[derive(Debug)]
pub(crate) struct Begun {
    taken: Option<Taken>,
    keys: Arc<Keys>,
}

impl Begun {
    pub(crate) async fn begin(server: &Server) -> Result<Self, StoreError> {
        let mut taken = server.take().await?;
        Box::pin(sqlx::raw_sql("BEGIN").execute(&mut *taken)).await?;
        Ok(Self { taken: Some(taken), keys: Arc::clone(&server.keys) })
    }

    pub(crate) fn connection(&mut self) -> Result<&mut PgConnection, StoreError> {
        self.taken.as_deref_mut().ok_or_else(|| sqlx::Error::PoolClosed.into())
    }

    pub(crate) fn keys(&self) -> &Arc<Keys> {
        &self.keys
    }

    pub(crate) async fn commit(mut self) -> Result<(), StoreError> {
        let Some(mut taken) = self.taken.take() else { return Ok(()) };
        // What fails here may have happened or not; the connection is closed, and the server decides.
        Box::pin(sqlx::raw_sql("COMMIT").execute(&mut *taken)).await?;
        taken.give_back();
        Ok(())
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        let Some(mut taken) = self.taken.take() else { return };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        runtime.spawn(async move {
            if sqlx::raw_sql("ROLLBACK").execute(&mut *taken).await.is_ok() {
                taken.give_back();
            }
        });
    }
}

fn locked(free: &Mutex<Vec<Free>>) -> MutexGuard<'_, Vec<Free>> {
    free.lock().unwrap_or_else(PoisonError::into_inner)
}
