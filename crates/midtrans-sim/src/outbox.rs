//! The notifications that wait: to be retried, to be let go, or behind an earlier one of the same transaction.

use std::collections::{BTreeMap, HashMap, VecDeque};

use clock::{Clock, Time};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One notification on its way to one URL.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Parcel {
    pub(crate) url: String,
    /// The state of the transaction when it changed, not when it is sent.
    pub(crate) body: Value,
    /// 1 for the first.
    pub(crate) attempt: u32,
    /// Which of the copies that the `copies` fault makes.
    pub(crate) copy: u32,
}

impl Parcel {
    /// Parcels of one lane are sent one after the other.
    pub(crate) fn lane(&self) -> String {
        format!("{}#{}@{}", self.text("transaction_id"), self.copy, self.url)
    }

    /// A field of the body.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.body[name].as_str().unwrap_or_default()
    }
}

/// The notifications that wait.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    /// By due time; the number keeps those of one moment in order.
    later: BTreeMap<(Time, u64), Parcel>,
    entries: u64,
    /// Held back by the `shuffle` fault.
    pub(crate) held: Vec<Parcel>,
    /// The first of each is being sent, the others queue behind it; a lane without entry is free.
    pub(crate) lanes: HashMap<String, VecDeque<Parcel>>,
}

impl Outbox {
    pub(crate) fn send_later(&mut self, due: Time, parcel: Parcel) {
        self.entries += 1;
        self.later.insert((due, self.entries), parcel);
    }

    /// Takes what is due.
    pub(crate) fn take_due(&mut self, now: Time) -> Vec<Parcel> {
        let still_later = self.later.split_off(&(now, u64::MAX));
        std::mem::replace(&mut self.later, still_later).into_values().collect()
    }

    /// What waits for its time.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = (Time, &Parcel)> {
        self.later.iter().map(|((due, _), parcel)| (*due, parcel))
    }

    /// Takes the first of a lane out; the last one closes it.
    pub(crate) fn leave_lane(&mut self, name: &str) {
        if let Some(lane) = self.lanes.get_mut(name) {
            lane.pop_front();
            if lane.is_empty() {
                self.lanes.remove(name);
            }
        }
    }

    /// Everything that has not arrived, with the time it is to be sent; what is under way counts as due at `now`.
    pub(crate) fn unsent(&self, now: Time) -> impl Iterator<Item = (Time, &Parcel)> {
        let under_way = self.lanes.values().flatten().chain(&self.held);
        self.waiting().chain(under_way.map(move |parcel| (now, parcel)))
    }

    /// Takes what was held back, in another order than it came.
    pub(crate) fn take_shuffled(&mut self, clock: &Clock) -> Vec<Parcel> {
        let mut held = std::mem::take(&mut self.held);
        // Sattolo's way: every one moves, for chance might leave all in place, which is not what the switch promises.
        for last in (1..held.len()).rev() {
            held.swap(last, usize::from(u16::from_be_bytes(clock.random())) % last);
        }
        held
    }
}
