//! What was told before, to be told again while the books say that nobody has written to it since (ADR 28).

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::{Invoice, Payment, UserId};
use store::StoreError;
use store::bills::Bill;
use store::since::{self, Since, Stamp};
use tokio::time::Instant;

use super::body::Written;
use super::{App, Problem};

/// Kept no longer, so that nothing stays in memory that nobody asks for any more.
const LASTS: Duration = Duration::from_secs(60);
/// What the answers that are kept may take.
const BILLS_BYTES_MAX: usize = 1024 * 1024;
/// As many as take some megabytes.
const PAYMENTS_MAX: usize = 4_096;

/// What was told, with the stamps of what it was read from.
pub struct Unchanged {
    bills: Kept<UserId, Written>,
    payments: Kept<Invoice, Arc<Payment>>,
}

impl Default for Unchanged {
    fn default() -> Self {
        Self { bills: Kept::new(BILLS_BYTES_MAX, LASTS), payments: Kept::new(PAYMENTS_MAX, LASTS) }
    }
}

impl Unchanged {
    /// Nothing of it is kept any more.
    pub(super) fn forget(&self) {
        self.bills.held().forget();
        self.payments.held().forget();
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
        let (stamp, told) = kept.of(&tenant).unzip();
        match since::bills_of_tenant(&self.db, tenant, self.settings.page_size_max, stamp).await? {
            Since::Unchanged => told.ok_or(Problem::Internal),
            Since::Read(bills, stamp) => {
                let told = write(bills)?;
                kept.keep(tenant, stamp, (told.clone(), told.len()));
                Ok(told)
            }
        }
    }

    /// The payment of this invoice.
    pub(super) async fn payment_seen(&self, invoice: &Invoice) -> Result<Option<Arc<Payment>>, StoreError> {
        let kept = &self.unchanged.payments;
        let (stamp, known) = kept.of(invoice).unzip();
        Ok(match since::payment_of_invoice(&self.db, invoice, stamp).await? {
            None => None,
            Some(Since::Unchanged) => known,
            Some(Since::Read(payment, stamp)) => {
                let payment = Arc::new(payment);
                kept.keep(invoice.clone(), stamp, (Arc::clone(&payment), 1));
                Some(payment)
            }
        })
    }
}

/// Things of one kind, with what each takes of the room there is. What does not fit takes the place of all the rest.
struct Kept<K, V> {
    room: usize,
    lasts: Duration,
    held: Mutex<Held<K, V>>,
}

struct Held<K, V> {
    since: Instant,
    things: HashMap<K, (Stamp, V, usize)>,
    taken: usize,
}

impl<K, V> Held<K, V> {
    fn new() -> Self {
        Self { since: Instant::now(), things: HashMap::new(), taken: 0 }
    }

    fn forget(&mut self) {
        *self = Self::new();
    }
}

impl<K: Eq + Hash, V: Clone> Kept<K, V> {
    fn of(&self, key: &K) -> Option<(Stamp, V)> {
        let mut held = self.held();
        if held.since.elapsed() >= self.lasts {
            held.forget();
        }
        held.things.get(key).map(|(stamp, thing, _)| (*stamp, thing.clone()))
    }

    /// Keeps a thing in the place of what was kept under its key. Without a stamp nobody could say whether it still holds.
    fn keep(&self, key: K, stamp: Option<Stamp>, (thing, takes): (V, usize)) {
        let mut held = self.held();
        if let Some((.., took)) = held.things.remove(&key) {
            held.taken -= took;
        }
        if held.taken + takes > self.room {
            held.forget();
        }
        if let Some(stamp) = stamp
            && takes <= self.room
        {
            held.taken += takes;
            held.things.insert(key, (stamp, thing, takes));
        }
    }
}

impl<K, V> Kept<K, V> {
    fn new(room: usize, lasts: Duration) -> Self {
        Self { room, lasts, held: Mutex::new(Held::new()) }
    }

    fn held(&self) -> MutexGuard<'_, Held<K, V>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    fn keep(kept: &Kept<i32, i32>, key: i32, thing: i32, takes: usize) {
        kept.keep(key, Some(Stamp(i64::from(thing))), (thing, takes));
    }

    #[test]
    fn a_thing_is_kept_with_its_stamp_for_its_time() {
        let kept = Kept::new(100, HOUR);
        keep(&kept, 1, 7, 10);
        kept.keep(2, None, (8, 10));
        assert_eq!((kept.of(&1), kept.of(&2)), (Some((Stamp(7), 7)), None));
        keep(&kept, 1, 9, 10);
        assert_eq!((kept.of(&1), kept.held().taken), (Some((Stamp(9), 9)), 10));
        kept.keep(1, None, (10, 10));
        assert_eq!((kept.of(&1), kept.held().taken), (None, 0), "it is not what it was");
        let short = Kept::new(100, Duration::ZERO);
        keep(&short, 1, 7, 10);
        assert_eq!((short.of(&1), short.held().taken), (None, 0));
    }

    #[test]
    fn no_more_is_kept_than_there_is_room_for() {
        let kept = Kept::new(100, HOUR);
        for (key, thing) in [(1, 1), (2, 1), (1, 2), (2, 3)] {
            keep(&kept, key, thing, 50);
        }
        assert_eq!((kept.of(&1), kept.of(&2)), (Some((Stamp(2), 2)), Some((Stamp(3), 3))));
        keep(&kept, 3, 4, 1);
        assert_eq!((kept.of(&1), kept.of(&3)), (None, Some((Stamp(4), 4))));
        keep(&kept, 3, 5, 101);
        assert_eq!((kept.of(&3), kept.held().taken), (None, 0), "what was kept is old, and this is too much");
    }
}
