//! What many want at the same time is done together: whoever comes while others are being served waits for the next turn,
//! and one transaction serves all who wait. Nobody waits for company: alone, a wish is served at once.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::{Db, StoreError};

/// Served in one turn.
const TURN_MAX: usize = 64;
/// Waiting for a turn. One more is told that the database is too busy.
const WAITING_MAX: usize = 16_384;

/// Something that can be done for many at once.
pub(crate) trait Batch: Send + Sync + 'static {
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
    waiting: VecDeque<Waiting<B>>,
}

struct Waiting<B: Batch> {
    wish: B::Wish,
    answer: oneshot::Sender<Result<B::Answer, StoreError>>,
}

impl<B: Batch> Default for Together<B> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Queue { is_served: false, waiting: VecDeque::new() })))
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
            !std::mem::replace(&mut queue.is_served, true)
        };
        if must_serve {
            tokio::spawn(serve(db.clone(), Serving(Arc::clone(&self.0))));
        }
        answered.await.unwrap_or_else(|_dropped| Err(sqlx::Error::WorkerCrashed.into()))
    }
}

/// Whoever serves. Should that end in the middle, those who wait are told, and the next one who comes is served anew.
struct Serving<B: Batch>(Arc<Mutex<Queue<B>>>);

impl<B: Batch> Drop for Serving<B> {
    fn drop(&mut self) {
        let mut queue = locked(&self.0);
        queue.is_served = false;
        queue.waiting.clear();
    }
}

async fn serve<B: Batch>(db: Db, serving: Serving<B>) {
    // Who is ready at this moment as well comes along.
    tokio::task::yield_now().await;
    loop {
        let turn: Vec<Waiting<B>> = {
            let mut queue = locked(&serving.0);
            if queue.waiting.is_empty() {
                queue.is_served = false;
                return;
            }
            let many = queue.waiting.len().min(TURN_MAX);
            queue.waiting.drain(..many).collect()
        };
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
