//! Slowing down those who guess passwords: per account and per address, never locking anybody out.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::Mutex;
use std::time::Duration;

use clock::{Clock, Time, delta};
use domain::Email;

/// Failures that are free, and the longest pause after that.
struct Rule {
    free: u32,
    pause_max: Duration,
}

/// Many people may share an account's troubles, so its pause stays short: a stranger can annoy, not lock out.
const ACCOUNT: Rule = Rule { free: 10, pause_max: Duration::from_secs(8) };
const ADDRESS: Rule = Rule { free: 20, pause_max: Duration::from_secs(60) };
/// A failure is forgotten after this.
const FORGET_AFTER: Duration = Duration::from_secs(15 * 60);
/// How many accounts and addresses are remembered.
const REMEMBERED_MAX: usize = 50_000;

/// Remembers failures in this process.
pub struct Patience {
    clock: Clock,
    accounts: Mutex<HashMap<Email, Failures>>,
    addresses: Mutex<HashMap<IpAddr, Failures>>,
}

#[derive(Clone, Copy)]
struct Failures {
    count: u32,
    last: Time,
}

impl Patience {
    /// Nothing has failed yet.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self { clock, accounts: Mutex::default(), addresses: Mutex::default() }
    }

    /// How long to wait before another try; `None` when there is no need to.
    pub(super) fn pause(&self, email: &Email, address: Option<IpAddr>) -> Option<Duration> {
        let now = self.clock.now();
        let account = pause_of(&self.accounts, email, &ACCOUNT, now);
        let address = address.and_then(|address| pause_of(&self.addresses, &address, &ADDRESS, now));
        account.max(address)
    }

    /// A wrong password, or an address that nobody has.
    pub(super) fn failed(&self, email: &Email, address: Option<IpAddr>) {
        let now = self.clock.now();
        count(&self.accounts, email.clone(), now);
        if let Some(address) = address {
            count(&self.addresses, address, now);
        }
    }

    /// The right password: the account's failures are forgiven. Those of the address are not, or somebody with one
    /// account could guess at all the others.
    pub(super) fn succeeded(&self, email: &Email) {
        if let Ok(mut accounts) = self.accounts.lock() {
            accounts.remove(email);
        }
    }
}

fn pause_of<K: Eq + Hash>(
    known: &Mutex<HashMap<K, Failures>>,
    key: &K,
    rule: &Rule,
    now: Time,
) -> Option<Duration> {
    let failures = *known.lock().ok()?.get(key)?;
    let over = failures.count.checked_sub(rule.free)?;
    let pause = Duration::from_secs(1).saturating_mul(2_u32.saturating_pow(over)).min(rule.pause_max);
    (failures.last + delta(pause) - now).to_std().ok().filter(|left| !left.is_zero())
}

fn count<K: Eq + Hash>(known: &Mutex<HashMap<K, Failures>>, key: K, now: Time) {
    let Ok(mut known) = known.lock() else { return };
    let fresh = |failures: &Failures| now - failures.last < delta(FORGET_AFTER);
    if known.len() >= REMEMBERED_MAX {
        known.retain(|_, failures| fresh(failures));
    }
    let before = known.get(&key).filter(|failures| fresh(failures)).map_or(0, |failures| failures.count);
    if before > 0 || known.len() < REMEMBERED_MAX {
        known.insert(key, Failures { count: before.saturating_add(1), last: now });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn email(text: &str) -> Email {
        Email::try_from(text.to_owned()).unwrap()
    }

    #[test]
    fn the_first_failures_are_free_then_pauses_grow_to_their_limit_and_pass() {
        let clock = Clock::manual(clock::from_millis(1_700_000_000_000));
        let patience = Patience::new(clock.clone());
        let budi = email("budi@kost.test");
        for _ in 0..9 {
            patience.failed(&budi, None);
            assert_eq!(patience.pause(&budi, None), None);
        }
        let mut pauses = Vec::new();
        for _ in 0..6 {
            patience.failed(&budi, None);
            let pause = patience.pause(&budi, None).unwrap();
            pauses.push(pause.as_secs());
            clock.advance(pause);
            assert_eq!(patience.pause(&budi, None), None, "the pause passes: nobody is locked out");
        }
        assert_eq!(pauses, [1, 2, 4, 8, 8, 8]);
        assert_eq!(patience.pause(&email("siti@kost.test"), None), None);
        patience.succeeded(&budi);
        patience.failed(&budi, None);
        assert_eq!(patience.pause(&budi, None), None);
    }

    #[test]
    fn an_address_that_tries_many_accounts_is_slowed_down() {
        let clock = Clock::manual(clock::from_millis(1_700_000_000_000));
        let patience = Patience::new(clock.clone());
        let from = Some(IpAddr::from([127, 0, 0, 1]));
        for number in 0..25 {
            patience.failed(&email(&format!("tenant{number}@kost.test")), from);
        }
        assert_eq!(patience.pause(&email("another@kost.test"), from), Some(Duration::from_secs(32)));
        assert_eq!(patience.pause(&email("another@kost.test"), None), None);
        clock.advance(FORGET_AFTER);
        patience.failed(&email("another@kost.test"), from);
        assert_eq!(patience.pause(&email("another@kost.test"), from), None);
    }
}
