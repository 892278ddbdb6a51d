//! Load: many callers, in their own time or at a rate, and how they were answered.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::caller::Caller;
use crate::house::{House, Wish};

/// Load that is offered.
pub(crate) struct Load {
    callers: usize,
    /// Requests in a second; `None`: as many as are answered, and notifications alone.
    rate: Option<u64>,
}

/// How a kind of request was answered.
#[derive(Default)]
pub(crate) struct Answers {
    offered: u64,
    by_status: BTreeMap<u16, u64>,
    broken: BTreeMap<String, u64>,
    /// Of those that were accepted.
    took: Vec<Duration>,
}

/// How all was answered.
#[derive(Default)]
pub(crate) struct Told {
    pub(crate) notifications: Answers,
    pub(crate) reads: Answers,
    /// The names of the bodies that were accepted.
    pub(crate) accepted: Vec<String>,
    /// How far behind its time the last request was sent.
    pub(crate) late: Duration,
}

impl Load {
    pub(crate) fn unpaced(callers: usize) -> Self {
        Self { callers, rate: None }
    }

    pub(crate) fn paced(callers: usize, rate: u64) -> Self {
        Self { callers, rate: Some(rate.max(1)) }
    }

    /// Offers it for so long.
    pub(crate) async fn run(&self, house: &House, lasts: Duration) -> Told {
        let (begun, next) = (Instant::now(), Arc::new(AtomicU64::new(0)));
        let callers: Vec<_> = (0..self.callers)
            .map(|_| tokio::spawn(call(house.wishes(), (begun, lasts), (self.rate, Arc::clone(&next)))))
            .collect();
        let mut all = Told::default();
        for caller in callers {
            all.add(caller.await.unwrap());
        }
        all.notifications.took.sort_unstable();
        all.reads.took.sort_unstable();
        all
    }
}

/// One caller, who takes the next request that nobody has taken yet, and sends it when its time has come.
async fn call(
    wishes: Arc<dyn Fn(bool) -> Wish + Send + Sync>,
    (begun, lasts): (Instant, Duration),
    (rate, next): (Option<u64>, Arc<AtomicU64>),
) -> Told {
    let mut told = Told::default();
    let mut caller: Option<Caller> = None;
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let due =
            rate.map_or_else(Instant::now, |rate| begun + Duration::from_micros(number * 1_000_000 / rate));
        if due >= begun + lasts || begun.elapsed() >= lasts {
            return told;
        }
        tokio::time::sleep_until(due).await;
        told.late = due.elapsed();
        let wish = wishes(rate.is_some() && number % 5 == 4);
        let answered = caller.get_or_insert_with(|| Caller::of(wish.port)).ask(&wish.request).await;
        let answers = if wish.body_name.is_some() { &mut told.notifications } else { &mut told.reads };
        answers.offered += 1;
        match answered {
            Ok((status, took)) => {
                *answers.by_status.entry(status).or_default() += 1;
                if (200..300).contains(&status) {
                    answers.took.push(took);
                    told.accepted.extend(wish.body_name);
                }
            }
            Err(error) => *answers.broken.entry(format!("{:?}", error.kind())).or_default() += 1,
        }
    }
}

impl Told {
    fn add(&mut self, other: Self) {
        self.notifications.add(other.notifications);
        self.reads.add(other.reads);
        self.accepted.extend(other.accepted);
        self.late = self.late.max(other.late);
    }
}

impl Answers {
    fn add(&mut self, other: Self) {
        self.offered += other.offered;
        for (status, count) in other.by_status {
            *self.by_status.entry(status).or_default() += count;
        }
        for (kind, count) in other.broken {
            *self.broken.entry(kind).or_default() += count;
        }
        self.took.extend(other.took);
    }

    /// How many were answered with 2xx.
    pub(crate) fn accepted(&self) -> u64 {
        u64::try_from(self.took.len()).unwrap()
    }

    /// How many were not.
    pub(crate) fn refused(&self) -> u64 {
        self.offered - self.accepted()
    }

    /// How long those took that were accepted.
    pub(crate) fn latency(&self) -> String {
        let at = |percent: usize| self.took.get(self.took.len() * percent / 100).copied().unwrap_or_default();
        format!("accepted ones took p50 {:.1?}, p99 {:.1?}", at(50), at(99))
    }
}

impl fmt::Display for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { offered, by_status, broken, .. } = self;
        write!(
            f,
            "offered {offered}, accepted {}, by status {by_status:?}, connections {broken:?}",
            self.accepted()
        )
    }
}
