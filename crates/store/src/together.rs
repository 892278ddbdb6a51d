//! What many want at the same time is done together: whoever comes while others are being served waits for the next turn,
//! and one transaction serves all who wait. Whoever comes after a rest is served at once.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use crate::{Db, StoreError};

/// Served in one turn.
const TURN_MAX: usize = 64;
/// Waiting for a turn. One more is told that the database is too busy.
const WAITING_MAX: usize = 16_384;

/// Something that can be done for many at once.
pub(crate) trait Batch: Send + Sync + 'static {
    /// Turns begin no closer to each other than this, so that those who come meanwhile share one. A commit that waits for the
    /// disk costs more than many rows; a look-up costs less than its waiting.
    const APART: Duration = Duration::ZERO;
    /// What one caller wants.
    type Wish: Send + Sync + 'static;
    /// What it gets.
    type Answer: Send + 'static;

    /// Grants all of them in one transaction, or none: an answer for each wish, in their order.
    fn grant(
        db: &Db,
        wishes: &[Self::Wish],
    ) -> impl Future<Output = Result<Vec<Self::Answer>, StoreError>> + Send;
}

/// Those who want the same to be done.
pub(crate) struct Together<B: Batch>(Arc<Mutex<Queue<B>>>);

impl<B: Batch> std::fmt::Debug for Together<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Together").finish_non_exhaustive()
    }
}

struct Queue<B: Batch> {
    is_served: bool,
    /// When the latest turn began.
    began: Option<Instant>,
    /// Told when as many wait as one turn serves.
    is_full: Arc<Notify>,
    waiting: VecDeque<Waiting<B>>,
}

struct Waiting<B: Batch> {
    wish: B::Wish,
    answer: oneshot::Sender<Result<B::Answer, StoreError>>,
}

impl<B: Batch> Default for Together<B> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Queue {
            is_served: false,
            began: None,
            is_full: Arc::default(),
            waiting: VecDeque::new(),
        })))
    }
}

impl<B: Batch> Together<B> {
    /// Has the wish granted in the next turn. It is granted also when nobody waits for the answer any more.
    pub(crate) async fn ask(&self, db: &Db, wish: B::Wish) -> Result<B::Answer, StoreError> {
        let (answer, answered) = oneshot::channel();
        let must_serve = {
            let mut queue = locked(&self.0);
            if queue.waiting.len() >= WAITING_MAX {
                return Err(sqlx::Error::PoolTimedOut.into());
            }
            queue.waiting.push_back(Waiting { wish, answer });
            if queue.waiting.len() == TURN_MAX {
                queue.is_full.notify_one();
            }
            !std::mem::replace(&mut queue.is_served, true)
        };
        if must_serve {
            let serving = Serving { queue: Arc::clone(&self.0), has_ended: false };
            tokio::spawn(serve(db.clone(), serving));
        }
        answered.await.unwrap_or_else(|_dropped| Err(sqlx::Error::WorkerCrashed.into()))
    }
}

/// Whoever serves, until nobody waits.
struct Serving<B: Batch> {
    queue: Arc<Mutex<Queue<B>>>,
    has_ended: bool,
}

impl<B: Batch> Serving<B> {
    /// Until the next turn may begin. A full one, and one for nobody, which is the end of the serving, need not wait.
    async fn keep_apart(&self) {
        let (began, is_full) = {
            let queue = locked(&self.queue);
            let waits = !queue.waiting.is_empty() && queue.waiting.len() < TURN_MAX;
            (queue.began.filter(|_| waits), Arc::clone(&queue.is_full))
        };
        if let Some(began) = began.filter(|began| began.elapsed() < B::APART) {
            tokio::select! {
                () = tokio::time::sleep_until(began + B::APART) => {}
                () = is_full.notified() => {}
            }
        }
    }

    /// Those of the next turn. With nobody there the serving has ended, and the next one who comes is served anew.
    fn next_turn(&mut self) -> Option<Vec<Waiting<B>>> {
        let mut queue = locked(&self.queue);
        if queue.waiting.is_empty() {
            queue.is_served = false;
            self.has_ended = true;
            return None;
        }
        queue.began = Some(Instant::now());
        let many = queue.waiting.len().min(TURN_MAX);
        Some(queue.waiting.drain(..many).collect())
    }
}

/// Should the serving break off in the middle, those who wait are told. Once it has ended, the queue is another's.
impl<B: Batch> Drop for Serving<B> {
    fn drop(&mut self) {
        if !self.has_ended {
            let mut queue = locked(&self.queue);
            queue.is_served = false;
            queue.waiting.clear();
        }
    }
}

async fn serve<B: Batch>(db: Db, mut serving: Serving<B>) {
    // Who is ready at this moment as well comes along.
    tokio::task::yield_now().await;
    loop {
        serving.keep_apart().await;
        let Some(turn) = serving.next_turn() else { return };
        let (wishes, answers): (Vec<_>, Vec<_>) = turn.into_iter().map(|one| (one.wish, one.answer)).unzip();
        grant::<B>(&db, wishes, answers).await;
    }
}

async fn grant<B: Batch>(
    db: &Db,
    wishes: Vec<B::Wish>,
    answers: Vec<oneshot::Sender<Result<B::Answer, StoreError>>>,
) {
    let error = match B::grant(db, &wishes).await {
        Ok(granted) => {
            for (one, answer) in granted.into_iter().zip(answers) {
                let _gone = answer.send(Ok(one));
            }
            return;
        }
        Err(error) => error,
    };
    if error.is_passing() && !error.is_collision() {
        for answer in answers {
            let _gone = answer.send(Err(error.again()));
        }
        return;
    }
    // One of them cannot be granted, and the others shall not suffer for it.
    for (wish, answer) in wishes.iter().zip(answers) {
        let alone = B::grant(db, std::slice::from_ref(wish)).await;
        let alone = alone.and_then(|mut one| one.pop().ok_or_else(|| sqlx::Error::RowNotFound.into()));
        let _gone = answer.send(alone);
    }
}

fn locked<B: Batch>(queue: &Mutex<Queue<B>>) -> MutexGuard<'_, Queue<B>> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use sqlx::postgres::PgPoolOptions;

    use super::*;
    use crate::Server;

    struct Echo;

    impl Batch for Echo {
        type Wish = u32;
        type Answer = u32;

        async fn grant(_db: &Db, wishes: &[u32]) -> Result<Vec<u32>, StoreError> {
            Ok(wishes.to_vec())
        }
    }

    struct Slow;

    impl Batch for Slow {
        const APART: Duration = Duration::from_secs(3_600);
        type Wish = ();
        type Answer = usize;

        async fn grant(_db: &Db, wishes: &[()]) -> Result<Vec<usize>, StoreError> {
            Ok(vec![wishes.len(); wishes.len()])
        }
    }

    #[tokio::test]
    async fn who_comes_after_a_rest_is_served_at_once_and_who_comes_soon_after_waits_for_a_full_turn() {
        let (db, together) = (nowhere(), Together::<Slow>::default());
        assert_eq!(together.ask(&db, ()).await.unwrap(), 1);
        let mut soon = Box::pin(together.ask(&db, ()));
        let waited = tokio::time::timeout(Duration::from_millis(50), &mut soon).await;
        assert!(waited.is_err(), "the next turn is an hour away");
        let others = futures::future::join_all((1..TURN_MAX).map(|_| together.ask(&db, ())));
        let (soon, others) = tokio::join!(soon, others);
        let all = std::iter::once(soon).chain(others);
        assert!(all.map(Result::unwrap).all(|size| size == TURN_MAX), "a full turn waits for nobody");
    }

    /// Nobody connects: these need no database.
    fn nowhere() -> Db {
        let pool = PgPoolOptions::new().connect_lazy("postgres://127.0.0.1/nothing").unwrap();
        Db::Postgres(Server::from(pool))
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn whoever_comes_when_a_turn_ends_is_served_in_the_next() {
        let (db, together) = (nowhere(), Arc::new(Together::<Echo>::default()));
        let callers = (0..4).map(|caller| {
            let (db, together) = (db.clone(), Arc::clone(&together));
            tokio::spawn(async move {
                for wish in (caller * 20_000)..((caller + 1) * 20_000) {
                    assert_eq!(together.ask(&db, wish).await.unwrap(), wish);
                }
            })
        });
        for caller in callers.collect::<Vec<_>>() {
            caller.await.unwrap();
        }
    }
}
