//! The second factor of those who run the house: one-time codes (RFC 6238) and recovery codes. The secret behind the codes
//! is kept encrypted under the secret of the installation.

use std::time::Duration;

use clock::{Clock, delta};
use domain::{Email, Secret, Time, UserId};
use store::audit::By;
use store::people::Person;
use store::second_factors::{self as factors, Confirmation, SecondFactor};
use totp_rs::{Builder, Totp};

use super::auth::actor_of;
use super::{App, Problem, name_of, sealed};

/// What authenticator apps show before the address.
const ISSUER: &str = "Kasir";
/// Bytes of a secret, as RFC 4226 recommends.
const SECRET_BYTES: usize = 20;
/// How a secret was encrypted.
const VERSION: &str = "v1.";
/// Recovery codes of a person.
const CODES: usize = 10;
/// Wrong codes that are free. Whoever guesses knows the password already.
const FREE_FAILURES: i64 = 5;
/// The longest pause after that: a million codes last for years.
const PAUSE_MAX: Duration = Duration::from_secs(15 * 60);
/// The password was right, and the code may follow within this.
const HALF_LASTS: Duration = Duration::from_secs(5 * 60);

/// Makes and checks one-time codes.
#[derive(Clone)]
pub struct SecondFactors {
    secret: Secret,
    clock: Clock,
}

/// A secret that was drawn: once for its holder, encrypted for the books.
pub(crate) struct Drawn {
    /// What an authenticator app reads as a picture.
    pub(crate) url: String,
    /// What a person types where there is no camera.
    pub(crate) text: String,
    sealed: Secret,
}

impl SecondFactors {
    /// Under a key that follows from the secret of this installation.
    #[must_use]
    pub fn new(secret: Secret, clock: Clock) -> Self {
        Self { secret, clock }
    }

    fn draw(&self, user: UserId, email: &Email) -> Option<Drawn> {
        let secret = self.clock.random::<SECRET_BYTES>();
        let totp = totp(&secret)?;
        let text = totp.secret().to_base32();
        let label: String = form_urlencoded::byte_serialize(email.as_str().as_bytes()).collect();
        let url = format!("otpauth://totp/{ISSUER}:{label}?secret={text}&issuer={ISSUER}");
        Some(Drawn { url, text, sealed: self.seal(user, &secret)? })
    }

    /// The thirty seconds to which a code belongs, if it is one of now, of just before or just after.
    fn step_of(&self, user: UserId, sealed: &Secret, code: &str) -> Option<i64> {
        let totp = totp(&self.open(user, sealed)?)?;
        let now = u64::try_from(self.clock.now().timestamp()).ok()?;
        i64::try_from(totp.check(code, now)?).ok()
    }

    /// So many recovery codes, of 80 bits each.
    fn draw_codes(&self) -> Vec<String> {
        let draw = |_| {
            let text = hex::encode(self.clock.random::<10>());
            let parts: Vec<&str> = (0..4).filter_map(|part| text.get(part * 5..part * 5 + 5)).collect();
            parts.join("-")
        };
        (0..CODES).map(draw).collect()
    }

    /// What proves for a few minutes that somebody knew the password of this person.
    pub(crate) fn half(&self, person: &Person) -> String {
        let until = (self.clock.now() + delta(HALF_LASTS)).timestamp();
        format!("{}.{until}.{}", person.id, self.sign(person, until))
    }

    /// Whose half this is, as far as its text says; [`Self::is_half_of`] says whether that is true.
    pub(crate) fn claimed_by(half: &str) -> Option<UserId> {
        half.split('.').next()?.parse().ok().map(UserId)
    }

    pub(crate) fn is_half_of(&self, half: &str, person: &Person) -> bool {
        let until = half.split('.').nth(1).and_then(|until| until.parse::<i64>().ok()).unwrap_or_default();
        let right = format!("{}.{until}.{}", person.id, self.sign(person, until));
        let is_ours = subtle::ConstantTimeEq::ct_eq(half.as_bytes(), right.as_bytes());
        bool::from(is_ours) && self.clock.now().timestamp() < until
    }

    /// Another password makes it worth nothing.
    fn sign(&self, person: &Person, until: i64) -> String {
        let text = format!("kasir half {} {until} {}", person.id, name_of(person.password_hash.expose()));
        hex::encode(self.key(&text))
    }

    fn seal(&self, user: UserId, secret: &[u8]) -> Option<Secret> {
        let text = (secret, &*user.to_string().into_bytes());
        let sealed = sealed::seal(self.sealing_key(), self.clock.random(), text)?;
        Some(Secret::from(format!("{VERSION}{sealed}")))
    }

    fn open(&self, user: UserId, sealed: &Secret) -> Option<Vec<u8>> {
        let text = sealed.expose().strip_prefix(VERSION)?;
        sealed::open(self.sealing_key(), (text, user.to_string().as_bytes()))
    }

    fn sealing_key(&self) -> [u8; 32] {
        self.key("kasir second factors")
    }

    /// Without one, what is sealed is never opened.
    fn key(&self, purpose: &str) -> [u8; 32] {
        sealed::key_for(purpose.as_bytes(), &self.secret).unwrap_or_else(|| self.clock.random())
    }
}

/// Six digits by SHA-1, for thirty seconds, one step of slack: what every authenticator app can do.
fn totp(secret: &[u8]) -> Option<Totp> {
    Builder::new().with_secret(secret.to_vec()).build().ok()
}

/// How long to wait before another code is looked at.
fn pause(factor: &SecondFactor, now: Time) -> Option<Duration> {
    let over = u32::try_from(factor.failures.checked_sub(FREE_FAILURES)?).ok()?;
    let pause = Duration::from_secs(1).saturating_mul(2_u32.saturating_pow(over)).min(PAUSE_MAX);
    (factor.failed_at? + delta(pause) - now).to_std().ok().filter(|left| !left.is_zero())
}

impl App {
    /// Draws a secret for a person whose password is enough so far.
    pub(crate) async fn offer_second_factor(&self, person: &Person) -> Result<Drawn, Problem> {
        let drawn = self.second_factors.draw(person.id, &person.email).ok_or_else(|| {
            tracing::error!("a second factor could not be made");
            Problem::Internal
        })?;
        if factors::offer(&self.db, person.id, &drawn.sealed, self.clock.now()).await? {
            Ok(drawn)
        } else {
            Err(Problem::Unprocessable("a code is needed already".to_owned()))
        }
    }

    /// Makes a code needed from now on, if this is one. Gives the recovery codes, this once.
    pub(crate) async fn confirm_second_factor(
        &self,
        person: &Person,
        code: &str,
    ) -> Result<Vec<String>, Problem> {
        let now = self.clock.now();
        let factor = factors::find(&self.db, person.id).await?.ok_or(Problem::NotFound)?;
        let step = self.second_factors.step_of(person.id, &factor.sealed, &digits(code));
        let step = step.ok_or(Problem::SecondFactor)?;
        let codes = self.second_factors.draw_codes();
        let code_hashes: Vec<String> = codes.iter().map(|code| name_of(&plain(code))).collect();
        let by = By { actor: &actor_of(person), reason: None, now };
        let new = Confirmation { user: person.id, step, code_hashes: &code_hashes };
        if factors::confirm(&self.db, new, &by).await? { Ok(codes) } else { Err(Problem::NotFound) }
    }

    /// Whether this is a code of the person, which nobody has used before. It is used by that.
    ///
    /// # Errors
    /// [`Problem::SecondFactor`] when it is none; [`Problem::TooManyTries`] after many wrong ones.
    pub(crate) async fn check_second_factor(&self, person: &Person, code: &str) -> Result<(), Problem> {
        let now = self.clock.now();
        let factor = factors::find(&self.db, person.id).await?.ok_or(Problem::SecondFactor)?;
        if let Some(pause) = pause(&factor, now) {
            return Err(Problem::TooManyTries(pause));
        }
        let digits = digits(code);
        let is_taken = match self.second_factors.step_of(person.id, &factor.sealed, &digits) {
            Some(step) => factors::take_step(&self.db, person.id, step).await?,
            None => factors::take_code(&self.db, person.id, &name_of(&plain(code)), now).await?,
        };
        if is_taken {
            return Ok(());
        }
        factors::count_failure(&self.db, person.id, now).await?;
        tracing::warn!(user.id = person.id.0, "a wrong second factor after a right password");
        Err(Problem::SecondFactor)
    }
}

/// Apps show codes with a space in the middle.
fn digits(code: &str) -> String {
    code.chars().filter(|c| !c.is_whitespace()).collect()
}

/// A recovery code as its hash knows it.
fn plain(code: &str) -> String {
    let letters = code.chars().filter(|c| !c.is_whitespace() && *c != '-');
    letters.collect::<String>().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use domain::{Rank, Role};

    use super::*;

    fn factors(secret: &str, clock: &Clock) -> SecondFactors {
        SecondFactors::new(Secret::from(secret), clock.clone())
    }

    fn clock_at(seconds: i64) -> Clock {
        Clock::manual(clock::from_millis(seconds * 1_000))
    }

    #[test]
    fn codes_are_those_of_the_rfc() {
        // RFC 6238, appendix B, the last six digits of those for SHA-1.
        let totp = totp(b"12345678901234567890").unwrap();
        for (time, code) in [(59, "287082"), (1_111_111_109, "081804"), (20_000_000_000, "353130")] {
            assert_eq!(totp.check(code, time), Some(time / 30), "{time}");
        }
    }

    #[test]
    fn a_code_is_good_for_its_time_and_a_step_on_either_side() {
        let clock = clock_at(59);
        let ours = factors("ours", &clock);
        let sealed = ours.seal(UserId(7), b"12345678901234567890").unwrap();
        assert_eq!(ours.step_of(UserId(7), &sealed, "287082"), Some(1));
        clock.advance(Duration::from_secs(30));
        assert_eq!(ours.step_of(UserId(7), &sealed, "287082"), Some(1));
        clock.advance(Duration::from_secs(31));
        assert_eq!(ours.step_of(UserId(7), &sealed, "287082"), None);
        for bad in ["", "28708", "2870822", "abcdef", "287083"] {
            assert_eq!(factors("ours", &clock_at(59)).step_of(UserId(7), &sealed, bad), None, "{bad}");
        }
    }

    #[test]
    fn a_secret_opens_for_its_person_in_its_installation_alone() {
        let clock = clock_at(59);
        let (ours, theirs) = (factors("ours", &clock), factors("theirs", &clock));
        let sealed = ours.seal(UserId(7), b"12345678901234567890").unwrap();
        assert!(!sealed.expose().contains(&hex::encode("12345678901234567890")));
        assert_ne!(sealed.expose(), ours.seal(UserId(7), b"12345678901234567890").unwrap().expose());
        assert!(ours.open(UserId(7), &sealed).is_some());
        assert!(ours.open(UserId(8), &sealed).is_none());
        assert!(theirs.open(UserId(7), &sealed).is_none());
        for broken in ["", "v1.", "v1.00", "v2.00", &format!("{}00", sealed.expose())] {
            assert!(ours.open(UserId(7), &Secret::from(broken)).is_none(), "{broken}");
        }
    }

    #[test]
    fn half_a_log_in_lasts_five_minutes_and_dies_with_the_password() {
        let clock = clock_at(1_700_000_000);
        let ours = factors("ours", &clock);
        let person = |id, hash| Person {
            id: UserId(id),
            email: Email::try_from("sari@kost.test".to_owned()).unwrap(),
            name: "Sari".to_owned(),
            phone: None,
            role: Role::Admin,
            rank: Rank::Owner,
            password_hash: Secret::from(hash),
            has_second_factor: true,
        };
        let half = ours.half(&person(7, "a hash"));
        assert_eq!(SecondFactors::claimed_by(&half), Some(UserId(7)));
        assert!(ours.is_half_of(&half, &person(7, "a hash")));
        assert!(!ours.is_half_of(&half, &person(7, "another hash")));
        assert!(!ours.is_half_of(&half.replacen('7', "8", 1), &person(8, "a hash")));
        assert!(!factors("theirs", &clock).is_half_of(&half, &person(7, "a hash")));
        assert!(!ours.is_half_of("", &person(7, "a hash")));
        clock.advance(HALF_LASTS);
        assert!(!ours.is_half_of(&half, &person(7, "a hash")));
    }

    #[test]
    fn guessing_takes_ever_longer() {
        let now = clock::from_millis(1_700_000_000_000);
        let after = |failures| {
            let factor = SecondFactor {
                sealed: Secret::from(""),
                since: None,
                failures,
                failed_at: Some(now),
                codes_left: 0,
            };
            pause(&factor, now).map(|pause| pause.as_secs())
        };
        assert_eq!(
            [0, 4, 5, 6, 14, 15, 60].map(after),
            [None, None, Some(1), Some(2), Some(512), Some(900), Some(900)]
        );
    }

    #[test]
    fn recovery_codes_are_read_as_people_type_them() {
        let codes = factors("ours", &clock_at(0)).draw_codes();
        assert_eq!((codes.len(), codes[0].len()), (CODES, 23));
        assert_eq!(plain(&format!(" {} ", codes[0].to_uppercase())), codes[0].replace('-', ""));
    }
}
