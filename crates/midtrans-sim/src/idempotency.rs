//! What the gateway remembers by `Idempotency-Key`: successes, for five minutes, whatever the body was.

use std::collections::{HashMap, VecDeque};

use axum::http::StatusCode;
use chrono::TimeDelta;
use clock::Time;

/// A longer key is ignored without a word.
const KEY_CHARS_MAX: usize = 46;
/// How long an answer is remembered.
const REMEMBERED_FOR: TimeDelta = TimeDelta::minutes(5);

/// The keys in use, across all endpoints.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    entries: HashMap<String, Entry>,
    /// Remembered keys, the oldest first.
    ages: VecDeque<(Time, String)>,
}

#[derive(Clone, Debug)]
enum Entry {
    Running,
    Remembered(Replay),
}

/// A remembered answer.
#[derive(Clone, Debug)]
pub(crate) struct Replay {
    pub(crate) http: StatusCode,
    pub(crate) body: Vec<u8>,
}

/// What to do with a call that carries a key.
pub(crate) enum Claimed {
    /// Work on it; then `remember` or `forget` the key.
    Fresh,
    /// The first call is still running: HTTP 202.
    Running,
    Replay(Replay),
}

/// The key, if the gateway takes notice of it.
pub(crate) fn usable(key: &str) -> Option<String> {
    (!key.is_empty() && key.chars().count() <= KEY_CHARS_MAX).then(|| key.to_owned())
}

impl Keys {
    /// Claims a key at `now`.
    pub(crate) fn claim(&mut self, key: &str, now: Time) -> Claimed {
        self.forget_older_than(now - REMEMBERED_FOR);
        match self.entries.get(key) {
            Some(Entry::Running) => Claimed::Running,
            Some(Entry::Remembered(replay)) => Claimed::Replay(replay.clone()),
            None => {
                self.entries.insert(key.to_owned(), Entry::Running);
                Claimed::Fresh
            }
        }
    }

    /// Keeps a success.
    pub(crate) fn remember(&mut self, key: &str, replay: Replay, now: Time) {
        self.entries.insert(key.to_owned(), Entry::Remembered(replay));
        self.ages.push_back((now, key.to_owned()));
    }

    /// Lets a key go whose call did not succeed.
    pub(crate) fn release(&mut self, key: &str) {
        if matches!(self.entries.get(key), Some(Entry::Running)) {
            self.entries.remove(key);
        }
    }

    fn forget_older_than(&mut self, oldest: Time) {
        while let Some((_, key)) = self.ages.pop_front_if(|(at, _)| *at <= oldest) {
            self.entries.remove(&key);
        }
    }
}
