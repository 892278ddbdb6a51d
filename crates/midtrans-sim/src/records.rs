//! What was received and sent, for the tests that ask afterwards.

use std::collections::VecDeque;

use clock::Time;
use serde::Serialize;
use serde_json::Value;

/// As many entries as a record keeps; the oldest go first.
const ENTRIES_MAX: usize = 100_000;

/// A list that forgets its beginning before it eats the machine.
#[derive(Debug)]
pub(crate) struct Log<T>(VecDeque<T>);

impl<T> Default for Log<T> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<T: Clone> Log<T> {
    pub(crate) fn push(&mut self, entry: T) {
        if self.0.len() == ENTRIES_MAX {
            self.0.pop_front();
        }
        self.0.push_back(entry);
    }

    pub(crate) fn to_vec(&self) -> Vec<T> {
        self.0.iter().cloned().collect()
    }

    pub(crate) fn latest(&self, count: usize) -> impl Iterator<Item = &T> {
        self.0.iter().rev().take(count)
    }
}

/// One call of the API, as it came in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Call {
    /// `GET` or `POST`.
    pub method: String,
    /// The path without the query.
    pub path: String,
    /// The `Idempotency-Key`, even one the gateway ignores.
    pub idempotency_key: Option<String>,
    /// When it came in.
    pub at: Time,
}

/// One attempt to deliver one notification.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SentNotification {
    /// Whose payment.
    pub order_id: String,
    /// Which attempt to pay.
    pub transaction_id: String,
    /// What it says.
    pub transaction_status: String,
    /// Where it went.
    pub url: String,
    /// 1 for the first, 2 for the first retry, ...
    pub attempt: u32,
    /// The HTTP status it was answered with; nothing where nobody answered in time.
    pub answer: Option<u16>,
    /// When it was sent.
    pub at: Time,
    /// What was sent.
    pub body: Value,
}
