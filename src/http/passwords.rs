//! Passwords: argon2id on a bounded pool, and a short memory of those that were right.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use argon2::password_hash::{self, Output, ParamsString, Salt, SaltString};
use argon2::{Algorithm, Argon2, Block, Params, PasswordHash, Version};
use clock::{Clock, Time, delta};
use domain::{Email, Secret};
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// 19 MiB, two passes, one lane: the floor that OWASP gives for argon2id.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// How long a password that was right need not be hashed again.
const REMEMBER: Duration = Duration::from_secs(60);
const REMEMBERED_MAX: usize = 10_000;
/// Memory that was not worked in for so long is given back. Taken anew for each hashing, the system would clear it each time.
const IDLE_MAX: Duration = Duration::from_secs(5);
/// A longer password is refused unread.
const LENGTH_MAX: usize = 1_024;

/// Checks and hashes passwords, a few at a time. Cheap to clone.
#[derive(Clone)]
pub struct Passwords {
    places: Arc<Semaphore>,
    /// Places for those who wait for a place.
    queue: Arc<Semaphore>,
    /// As many as were hashed at once lately. The allocator would keep one for each thread that ever hashed.
    memories: Arc<Mutex<Vec<Free>>>,
    remembered: Arc<Mutex<HashMap<[u8; 32], Remembered>>>,
    hashings: Arc<AtomicU64>,
    /// Names what was right. The key is in it.
    mac: Hmac<Sha256>,
    clock: Clock,
    /// What a wrong address is checked against, so that it costs as much as a wrong password. It is the hash of nothing.
    nobody: Secret,
}

/// What argon2 works in.
type Memory = Vec<Block>;

/// Memory that nobody works in.
struct Free {
    memory: Memory,
    since: Instant,
}

struct Remembered {
    hash: Secret,
    until: Time,
}

/// Why a password could not be hashed or checked.
#[derive(Debug, thiserror::Error)]
pub enum HashingFailed {
    /// As many wait as may.
    #[error("too many passwords wait to be hashed")]
    Busy,
    /// It does not work.
    #[error("hashing failed: {0}")]
    Broken(String),
}

impl Passwords {
    /// `at_once` hashings run side by side; each takes 19 MiB and some tens of milliseconds of one core.
    ///
    /// # Errors
    /// When argon2 does not work on this machine.
    pub fn new(mac_key: Secret, clock: Clock, at_once: usize) -> Result<Self, HashingFailed> {
        let mac = Hmac::new_from_slice(mac_key.expose().as_bytes()).map_err(failed)?;
        let nothing = Output::new(&clock.random::<{ Params::DEFAULT_OUTPUT_LEN }>()).map_err(failed)?;
        let nobody = written(&argon2()?, &salt_of(&clock.random())?, nothing)?;
        Ok(Self {
            places: Arc::new(Semaphore::new(at_once)),
            queue: Arc::new(Semaphore::new(Semaphore::MAX_PERMITS)),
            memories: Arc::default(),
            remembered: Arc::default(),
            hashings: Arc::default(),
            mac,
            clock,
            nobody,
        })
    }

    /// The same, where only so many wait besides those that are hashed.
    #[must_use]
    pub fn with_waiting(self, waiting: usize) -> Self {
        let places = self.places.available_permits().saturating_add(waiting).min(Semaphore::MAX_PERMITS);
        Self { queue: Arc::new(Semaphore::new(places)), ..self }
    }

    /// The hash to store for `password`.
    ///
    /// # Errors
    /// When too many wait, or hashing fails, which it does not on a healthy machine.
    pub async fn hash(&self, password: &Secret) -> Result<Secret, HashingFailed> {
        let (password, salt) = (password.clone(), self.clock.random());
        self.on_pool(move |memory| hash_now(&password, &salt, memory)).await?
    }

    /// True when `password` is the one behind `hash`; with no hash it takes as long and is false.
    ///
    /// # Errors
    /// When too many wait, or hashing fails, which it does not on a healthy machine.
    pub async fn is_right(
        &self,
        email: &Email,
        password: &Secret,
        hash: Option<&Secret>,
    ) -> Result<bool, HashingFailed> {
        if password.expose().len() > LENGTH_MAX {
            return Ok(false);
        }
        let name = self.name_of(email, password);
        if hash.is_some_and(|hash| self.remembers(&name, hash)) {
            return Ok(true);
        }
        let (given, stored) = (password.clone(), hash.unwrap_or(&self.nobody).clone());
        let right = self.on_pool(move |memory| verify_now(&given, &stored, memory)).await?;
        match hash {
            Some(hash) if right => {
                self.remember(name, hash.clone());
                Ok(true)
            }
            Some(_) | None => Ok(false),
        }
    }

    /// True when this password was found right within the last minute; costs no hashing.
    pub(super) fn was_right(&self, email: &Email, password: &Secret, hash: &Secret) -> bool {
        password.expose().len() <= LENGTH_MAX && self.remembers(&self.name_of(email, password), hash)
    }

    /// How many times a password was hashed or checked the long way.
    #[must_use]
    pub fn hashings(&self) -> u64 {
        self.hashings.load(Ordering::Relaxed)
    }

    async fn on_pool<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Memory) -> T + Send + 'static,
    ) -> Result<T, HashingFailed> {
        let queued = Arc::clone(&self.queue).try_acquire_owned().map_err(|_full| HashingFailed::Busy)?;
        let place = Arc::clone(&self.places).acquire_owned().await;
        self.hashings.fetch_add(1, Ordering::Relaxed);
        // Whoever goes away does not end what runs for him: the places are free when it has ended.
        let memories = Arc::clone(&self.memories);
        let ended = tokio::task::spawn_blocking(move || {
            let taken = locked(&memories).pop();
            let mut memory = taken.map(|free| free.memory).unwrap_or_default();
            let done = work(&mut memory);
            locked(&memories).push(Free { memory, since: Instant::now() });
            drop((place, queued));
            Handle::current().spawn(give_back_idle(memories));
            done
        });
        let ended = ended.await;
        ended.map_err(failed)
    }

    fn name_of(&self, email: &Email, password: &Secret) -> [u8; 32] {
        let mut mac = self.mac.clone();
        mac.update(email.as_str().as_bytes());
        mac.update(&[0]);
        mac.update(password.expose().as_bytes());
        mac.finalize().into_bytes().into()
    }

    fn remembers(&self, name: &[u8; 32], hash: &Secret) -> bool {
        let Ok(mut remembered) = self.remembered.lock() else { return false };
        let now = self.clock.now();
        match remembered.get(name) {
            Some(entry) if entry.until > now && is_same(&entry.hash, hash) => true,
            Some(_) => {
                remembered.remove(name);
                false
            }
            None => false,
        }
    }

    fn remember(&self, name: [u8; 32], hash: Secret) {
        let Ok(mut remembered) = self.remembered.lock() else { return };
        let now = self.clock.now();
        if remembered.len() >= REMEMBERED_MAX {
            remembered.retain(|_, entry| entry.until > now);
        }
        if remembered.len() < REMEMBERED_MAX {
            remembered.insert(name, Remembered { hash, until: now + delta(REMEMBER) });
        }
    }
}

fn is_same(one: &Secret, other: &Secret) -> bool {
    one.expose().as_bytes().ct_eq(other.expose().as_bytes()).into()
}

fn argon2() -> Result<Argon2<'static>, HashingFailed> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(failed)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn hash_now(password: &Secret, salt: &[u8; 16], memory: &mut Memory) -> Result<Secret, HashingFailed> {
    let (argon2, salt) = (argon2()?, salt_of(salt)?);
    let hash = output(&argon2, password, (salt.as_salt(), memory)).map_err(failed)?;
    written(&argon2, &salt, hash)
}

fn salt_of(bytes: &[u8; 16]) -> Result<SaltString, HashingFailed> {
    SaltString::encode_b64(bytes).map_err(failed)
}

fn written(argon2: &Argon2<'_>, salt: &SaltString, hash: Output) -> Result<Secret, HashingFailed> {
    let hash = PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(argon2.params()).map_err(failed)?,
        salt: Some(salt.as_salt()),
        hash: Some(hash),
    };
    Ok(Secret::from(hash.to_string()))
}

fn verify_now(password: &Secret, hash: &Secret, memory: &mut Memory) -> bool {
    let Ok(hash) = PasswordHash::new(hash.expose()) else { return false };
    let (Some(salt), Some(expected)) = (hash.salt, hash.hash) else { return false };
    // Hashed as it was then, which need not be as we hash now.
    let (algorithm, params) = (Algorithm::try_from(hash.algorithm), Params::try_from(&hash));
    let version = hash.version.map_or(Ok(Version::default()), Version::try_from);
    let (Ok(algorithm), Ok(version), Ok(params)) = (algorithm, version, params) else { return false };
    let given = output(&Argon2::new(algorithm, version, params), password, (salt, memory));
    // The comparison takes as long whatever differs.
    given.is_ok_and(|given| given == expected)
}

fn output(
    argon2: &Argon2<'_>,
    password: &Secret,
    (salt, memory): (Salt<'_>, &mut Memory),
) -> password_hash::Result<Output> {
    let mut salt_bytes = [0; Salt::MAX_LENGTH];
    let salt = salt.decode_b64(&mut salt_bytes)?;
    let params = argon2.params();
    if memory.len() < params.block_count() {
        memory.resize(params.block_count(), Block::default());
    }
    Output::init_with(params.output_len().unwrap_or(Params::DEFAULT_OUTPUT_LEN), |out| {
        Ok(argon2.hash_password_into_with_memory(password.expose().as_bytes(), salt, out, memory)?)
    })
}

async fn give_back_idle(memories: Arc<Mutex<Vec<Free>>>) {
    tokio::time::sleep(IDLE_MAX).await;
    locked(&memories).retain(|free| free.since.elapsed() < IDLE_MAX);
}

fn locked(memories: &Mutex<Vec<Free>>) -> MutexGuard<'_, Vec<Free>> {
    memories.lock().unwrap_or_else(PoisonError::into_inner)
}

fn failed(error: impl std::fmt::Display) -> HashingFailed {
    HashingFailed::Broken(error.to_string())
}

#[cfg(test)]
mod tests {
    use argon2::{PasswordHasher as _, PasswordVerifier as _};

    use super::*;

    fn passwords() -> Passwords {
        let clock = Clock::manual(clock::from_millis(1_700_000_000_000));
        Passwords::new(Secret::from("a key for tests"), clock, 1).unwrap()
    }

    #[test]
    fn hashes_are_those_of_argon2_whatever_the_memory_held_before() {
        let (right, wrong) = (Secret::from("correct horse"), Secret::from("wrong horse"));
        let mut memory = Memory::new();
        let ours = hash_now(&right, &[7; 16], &mut memory).unwrap();
        let parsed = PasswordHash::new(ours.expose()).unwrap();
        assert!(argon2().unwrap().verify_password(right.expose().as_bytes(), &parsed).is_ok());
        let salt = SaltString::encode_b64(&[8; 16]).unwrap();
        let smaller =
            Argon2::new(Algorithm::Argon2i, Version::V0x10, Params::new(64, 3, 1, Some(24)).unwrap());
        for theirs in [argon2().unwrap(), smaller] {
            let theirs = theirs.hash_password(right.expose().as_bytes(), &salt).unwrap().to_string();
            let theirs = Secret::from(theirs);
            assert!(verify_now(&right, &theirs, &mut memory), "{}", theirs.expose());
            assert!(!verify_now(&wrong, &theirs, &mut memory), "{}", theirs.expose());
        }
        for broken in ["", "$argon2id$v=19$m=64,t=1,p=1", "$scrypt$ln=1,r=1,p=1$AAAAAAAAAAA$AAAAAAAAAAAAAAAA"]
        {
            assert!(!verify_now(&right, &Secret::from(broken), &mut memory), "{broken}");
        }
    }

    #[test]
    fn nobody_is_checked_as_everybody_is() {
        let passwords = passwords();
        let hashed = hash_now(&Secret::from("correct horse"), &[7; 16], &mut Memory::new()).unwrap();
        let told = |hash: &Secret| {
            let hash = PasswordHash::new(hash.expose()).unwrap();
            let lengths = (hash.salt.unwrap().as_str().len(), hash.hash.unwrap().len());
            (hash.algorithm.to_string(), hash.version, hash.params, lengths)
        };
        assert_eq!(told(&passwords.nobody), told(&hashed));
    }

    #[tokio::test]
    async fn one_more_than_may_wait_is_sent_away_and_memory_is_used_again() {
        let passwords = passwords().with_waiting(1);
        let password = Secret::from("correct horse");
        let hash = || passwords.hash(&password);
        let (first, second, third) = tokio::join!(hash(), hash(), hash());
        assert!(first.is_ok() && second.is_ok());
        assert!(matches!(third, Err(HashingFailed::Busy)));
        assert!(hash().await.is_ok(), "there are places again");
        assert_eq!(locked(&passwords.memories).len(), 1);
    }
}
