//! What was told before, to be told again while the books say that nobody has written to it since (ADR 28).

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::{Invoice, Payment, UserId};
use store::bills::Bill;
use store::since::{self, Since, Stamp};

use super::body::Written;
use super::{App, Problem};

/// Kept no longer, so that nothing stays in memory that nobody asks for any more.
const LASTS: Duration = Duration::from_secs(60);
/// What the answers that are kept may take.
const BILLS_BYTES_MAX: usize = 1024 * 1024;
/// What the payments that are kept may take.
const PAYMENTS_BYTES_MAX: usize = 3 * 1024 * 1024;
/// What keeping a thing takes besides the thing.
const ENTRY_BYTES: usize = 128;

/// What was told, with the stamps of what it was read from.
pub struct Unchanged {
    bills: Kept<UserId, Written>,
    payments: Kept<Invoice, Arc<Payment>>,
}

impl Default for Unchanged {
    fn default() -> Self {
        Self { bills: Kept::new(BILLS_BYTES_MAX, LASTS), payments: Kept::new(PAYMENTS_BYTES_MAX, LASTS) }
    }
}

impl Unchanged {
    /// Nothing of it is kept any more, nor what is being read at this moment.
    pub(super) fn forget(&self) {
        self.bills.forget();
        self.payments.forget();
    }
}

impl App {
    /// The bills of a tenant as they are answered.
    pub(super) async fn bills_told(
        &self,
        tenant: UserId,
        write: impl FnOnce(Vec<Bill>) -> Result<Written, Problem>,
    ) -> Result<Written, Problem> {
        let kept = &self.unchanged.bills;
        let (age, known) = kept.of(&tenant);
        let (stamp, told) = known.unzip();
        match since::bills_of_tenant(&self.db, tenant, self.settings.page_size_max, stamp).await? {
            Since::Unchanged => told.ok_or(Problem::Internal),
            Since::Read(bills, stamp) => {
                let told = write(bills)?;
                kept.keep(tenant, (age, stamp), (told.clone(), told.len()));
                Ok(told)
            }
        }
    }

    /// The payment of this invoice.
    pub(super) async fn payment_seen(&self, invoice: &Invoice) -> Result<Option<Arc<Payment>>, Problem> {
        let kept = &self.unchanged.payments;
        let (age, known) = kept.of(invoice);
        let (stamp, known) = known.unzip();
        match since::payment_of_invoice(&self.db, invoice, stamp).await? {
            None => Ok(None),
            Some(Since::Unchanged) => known.map(Some).ok_or(Problem::Internal),
            Some(Since::Read(payment, stamp)) => {
                // The instruction is what may be long.
                let bytes = size_of::<Payment>() + Written::of(&payment.instruction)?.len();
                let payment = Arc::new(payment);
                kept.keep(invoice.clone(), (age, stamp), (Arc::clone(&payment), bytes));
                Ok(Some(payment))
            }
        }
    }
}

/// Things of one kind, with the bytes that each takes of the room there is. What does not fit beside the rest takes its place.
struct Kept<K, V> {
    room: usize,
    lasts: Duration,
    held: Arc<Mutex<Held<K, V>>>,
}

struct Held<K, V> {
    /// Counts how often all was forgotten: what was read before is not kept after.
    age: u64,
    things: HashMap<K, (Stamp, V, usize)>,
    bytes: usize,
}

impl<K, V> Held<K, V> {
    fn forget(&mut self) {
        self.age += 1;
        self.bytes = 0;
        self.things = HashMap::new();
    }
}

impl<K: Eq + Hash + Send + 'static, V: Clone + Send + 'static> Kept<K, V> {
    fn new(room: usize, lasts: Duration) -> Self {
        let held = Held { age: 0, things: HashMap::new(), bytes: 0 };
        Self { room, lasts, held: Arc::new(Mutex::new(held)) }
    }

    /// What is kept under the key, and the age at which it was looked for.
    fn of(&self, key: &K) -> (u64, Option<(Stamp, V)>) {
        let held = locked(&self.held);
        (held.age, held.things.get(key).map(|(stamp, thing, _)| (*stamp, thing.clone())))
    }

    /// Keeps a thing that was read at that age in the place of what was kept under its key. Without a stamp nobody could say
    /// whether it still holds.
    fn keep(&self, key: K, (age, stamp): (u64, Option<Stamp>), (thing, bytes): (V, usize)) {
        let mut held = locked(&self.held);
        if held.age != age {
            return;
        }
        if let Some((.., old)) = held.things.remove(&key) {
            held.bytes -= old;
        }
        let bytes = bytes + ENTRY_BYTES;
        let Some(stamp) = stamp.filter(|_| bytes <= self.room) else { return };
        if held.bytes + bytes > self.room {
            held.forget();
        }
        if held.things.is_empty() {
            let (held, age, lasts) = (Arc::downgrade(&self.held), held.age, self.lasts);
            tokio::spawn(async move {
                tokio::time::sleep(lasts).await;
                if let Some(held) = held.upgrade() {
                    forget_of(&held, age);
                }
            });
        }
        held.bytes += bytes;
        held.things.insert(key, (stamp, thing, bytes));
    }

    fn forget(&self) {
        locked(&self.held).forget();
    }
}

/// Forgets what is of that age.
fn forget_of<K, V>(held: &Mutex<Held<K, V>>, age: u64) {
    let mut held = locked(held);
    if held.age == age {
        held.forget();
    }
}

fn locked<K, V>(held: &Mutex<Held<K, V>>) -> MutexGuard<'_, Held<K, V>> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    fn keep(kept: &Kept<i32, i32>, key: i32, thing: i32, bytes: usize) {
        let (age, _) = kept.of(&key);
        kept.keep(key, (age, Some(Stamp(i64::from(thing)))), (thing, bytes - ENTRY_BYTES));
    }

    fn thing(kept: &Kept<i32, i32>, key: i32) -> Option<i32> {
        let (stamp, thing) = kept.of(&key).1?;
        assert_eq!(stamp, Stamp(i64::from(thing)));
        Some(thing)
    }

    #[tokio::test]
    async fn a_thing_is_kept_with_its_stamp_until_there_is_another() {
        let kept = Kept::new(1_000, HOUR);
        keep(&kept, 1, 7, 200);
        kept.keep(2, (0, None), (8, 10));
        assert_eq!((thing(&kept, 1), thing(&kept, 2)), (Some(7), None));
        keep(&kept, 1, 9, 300);
        assert_eq!((thing(&kept, 1), locked(&kept.held).bytes), (Some(9), 300));
        kept.keep(1, (0, None), (10, 10));
        assert_eq!((thing(&kept, 1), locked(&kept.held).bytes), (None, 0), "it is not what it was");
    }

    #[tokio::test]
    async fn all_is_forgotten_in_time_though_nobody_asks() {
        let kept = Kept::new(1_000, Duration::from_millis(20));
        keep(&kept, 1, 7, 200);
        keep(&kept, 2, 8, 200);
        while !locked(&kept.held).things.is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let held = locked(&kept.held);
        assert_eq!((held.bytes, held.age), (0, 1));
    }

    #[tokio::test]
    async fn what_was_read_before_all_was_forgotten_is_not_kept_after_it() {
        let kept = Kept::new(1_000, HOUR);
        let (age, _) = kept.of(&1);
        kept.forget();
        kept.keep(1, (age, Some(Stamp(7))), (7, 10));
        assert_eq!(thing(&kept, 1), None);
        keep(&kept, 1, 8, 200);
        forget_of(&kept.held, age);
        assert_eq!(thing(&kept, 1), Some(8), "it is of another age");
    }

    #[tokio::test]
    async fn no_more_is_kept_than_there_is_room_for() {
        let kept = Kept::new(1_000, HOUR);
        for (key, thing) in [(1, 1), (2, 1), (1, 2), (2, 3)] {
            keep(&kept, key, thing, 500);
        }
        assert_eq!((thing(&kept, 1), thing(&kept, 2)), (Some(2), Some(3)));
        keep(&kept, 3, 4, 200);
        assert_eq!((thing(&kept, 1), thing(&kept, 3)), (None, Some(4)));
        keep(&kept, 1, 5, 1_001);
        assert_eq!(
            (thing(&kept, 1), thing(&kept, 3)),
            (None, Some(4)),
            "what is too much takes nobody's place"
        );
        keep(&kept, 3, 6, 1_001);
        assert_eq!((thing(&kept, 3), locked(&kept.held).bytes), (None, 0), "what was kept is old");
    }
}
