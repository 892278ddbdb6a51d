//! What was read a moment ago and hardly ever changes: what an access token says, who calls, and the ways to pay (ADR 26, 28).

use std::collections::HashMap;
use std::convert::Infallible;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::Method;
use axum::http::request::Parts;
use domain::{Email, UserId};
use sha2::{Digest as _, Sha256};
use store::StoreError;
use store::methods::{self, Offered};
use store::people::{self, Person};
use tokio::time::Instant;

use super::body::Written;
use super::tokens::Claims;
use super::{App, Problem};

/// Remembered of one kind. What more are asked for is read each time.
const REMEMBERED_MAX: usize = 10_000;
/// Requests below these change neither who somebody is nor the ways to pay.
const CHANGE_NOTHING: [&str; 4] = ["/api/bills/", "/api/payment", "/api/midtrans-notification", "/api/login"];

/// What was read a moment ago.
pub struct Lately {
    /// By their hashes: a text that is secret is not looked for by comparing it.
    tokens: Recent<[u8; 32], Claims>,
    people: Recent<UserId, Person>,
    addresses: Recent<Email, Person>,
    methods: Recent<(), Arc<Vec<Offered>>>,
    list: Recent<(), Written>,
}

impl Lately {
    /// Remembers for so long; not at all for no time.
    #[must_use]
    pub fn new(lasts: Duration) -> Self {
        Self {
            tokens: Recent::new(lasts),
            people: Recent::new(lasts),
            addresses: Recent::new(lasts),
            methods: Recent::new(lasts),
            list: Recent::new(lasts),
        }
    }

    /// Something may have changed: all that the books say is read again.
    pub(super) fn forget(&self) {
        self.people.forget();
        self.addresses.forget();
        self.methods.forget();
        self.list.forget();
    }
}

impl App {
    /// Whose access token this is. What a signed text says stays the same; whether it has ended is asked each time.
    pub(super) async fn holder(&self, token: &str) -> Option<UserId> {
        let read = || async { Ok::<_, Infallible>(self.tokens.read(token)) };
        let Ok(claims) = self.lately.tokens.get_or(Sha256::digest(token).into(), read).await;
        self.tokens.holder(claims?)
    }

    /// The person of this row, unless deleted.
    pub(super) async fn person(&self, id: UserId) -> Result<Option<Person>, StoreError> {
        self.lately.people.get_or(id, || people::find_active(&self.db, id)).await
    }

    /// The person who was let in by this address, or whoever `check` lets in now.
    pub(super) async fn person_at(
        &self,
        email: &Email,
        check: impl Future<Output = Result<Person, Problem>>,
    ) -> Result<Option<Person>, Problem> {
        self.lately.addresses.get_or(email.clone(), || async { check.await.map(Some) }).await
    }

    /// All ways to pay that this Kasir knows, in the order in which they are shown.
    pub(super) async fn methods(&self) -> Result<Arc<Vec<Offered>>, StoreError> {
        let read = || async { methods::all(&self.db).await.map(|all| Some(Arc::new(all))) };
        Ok(self.lately.methods.get_or((), read).await?.unwrap_or_default())
    }

    /// The same as it is answered.
    pub(super) async fn methods_told<E: From<StoreError>>(
        &self,
        write: impl FnOnce(&[Offered]) -> Result<Written, E>,
    ) -> Result<Written, E> {
        // From the books: what is remembered already would grow older than `lasts`.
        let read = || async { write(&methods::all(&self.db).await?).map(Some) };
        Ok(self.lately.list.get_or((), read).await?.unwrap_or_default())
    }
}

/// Whether a request may change who somebody is, or the ways to pay.
pub(super) fn may_change(request: &Parts) -> bool {
    let reads = matches!(request.method, Method::GET | Method::HEAD);
    !reads && !CHANGE_NOTHING.iter().any(|below| request.uri.path().starts_with(below))
}

/// Answers of one kind. All are forgotten together, so that none is older than `lasts`.
struct Recent<K, V> {
    lasts: Duration,
    held: Mutex<Held<K, V>>,
}

struct Held<K, V> {
    /// Counts how often all was forgotten: what was read before is not remembered after.
    age: u64,
    since: Instant,
    known: HashMap<K, V>,
}

impl<K, V> Held<K, V> {
    fn forget(&mut self) {
        self.age += 1;
        self.since = Instant::now();
        self.known.clear();
    }
}

impl<K: Eq + Hash, V: Clone> Recent<K, V> {
    fn new(lasts: Duration) -> Self {
        let held = Held { age: 0, since: Instant::now(), known: HashMap::new() };
        Self { lasts, held: Mutex::new(held) }
    }

    /// What is known of the key, or what is read now. That there is nothing is not remembered.
    async fn get_or<E, R: Future<Output = Result<Option<V>, E>>>(
        &self,
        key: K,
        read: impl FnOnce() -> R,
    ) -> Result<Option<V>, E> {
        if self.lasts.is_zero() {
            return Box::pin(read()).await;
        }
        let age = {
            let mut held = self.held();
            if held.since.elapsed() >= self.lasts {
                held.forget();
            }
            if let Some(known) = held.known.get(&key) {
                return Ok(Some(known.clone()));
            }
            held.age
        };
        let found = Box::pin(read()).await?;
        let mut held = self.held();
        if let Some(found) = &found
            && held.age == age
            && held.known.len() < REMEMBERED_MAX
        {
            held.known.insert(key, found.clone());
        }
        Ok(found)
    }

    fn forget(&self) {
        self.held().forget();
    }

    fn held(&self) -> MutexGuard<'_, Held<K, V>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(value: i32) -> Result<Option<i32>, ()> {
        Ok(Some(value))
    }

    #[tokio::test]
    async fn an_answer_is_remembered_for_its_time_and_no_longer() {
        let (long, short) = (Recent::new(Duration::from_secs(60)), Recent::new(Duration::from_millis(5)));
        for recent in [&long, &short] {
            assert_eq!(recent.get_or(7, || read(1)).await, Ok(Some(1)));
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
        assert_eq!(long.get_or(7, || read(2)).await, Ok(Some(1)));
        assert_eq!(long.get_or(8, || read(3)).await, Ok(Some(3)), "another key");
        assert_eq!(short.get_or(7, || read(2)).await, Ok(Some(2)));
    }

    #[tokio::test]
    async fn what_was_read_before_a_change_is_not_remembered_after_it() {
        let recent = Recent::new(Duration::from_secs(60));
        let late = || async {
            recent.forget();
            read(1).await
        };
        assert_eq!(recent.get_or(7, late).await, Ok(Some(1)));
        assert_eq!(recent.get_or(7, || read(2)).await, Ok(Some(2)));
        recent.forget();
        assert_eq!(recent.get_or(7, || read(3)).await, Ok(Some(3)));
    }

    #[tokio::test]
    async fn nothing_is_remembered_of_what_is_not_there_nor_for_no_time() {
        let recent = Recent::new(Duration::from_secs(60));
        assert_eq!(recent.get_or(7, || async { Ok::<Option<i32>, ()>(None) }).await, Ok(None));
        assert_eq!(recent.get_or(7, || read(1)).await, Ok(Some(1)));
        let off = Recent::new(Duration::ZERO);
        assert_eq!(off.get_or(7, || read(1)).await, Ok(Some(1)));
        assert_eq!(off.get_or(7, || read(2)).await, Ok(Some(2)));
    }

    #[tokio::test]
    async fn no_more_are_remembered_than_there_are_places() {
        let recent = Recent::new(Duration::from_secs(60));
        for key in 0..=REMEMBERED_MAX {
            recent.get_or(key, || read(1)).await.unwrap();
        }
        assert_eq!(recent.get_or(0, || read(2)).await, Ok(Some(1)));
        assert_eq!(recent.get_or(REMEMBERED_MAX, || read(2)).await, Ok(Some(2)));
    }
}
