//! Tokens: what an access token says, and how refresh tokens are drawn and named.

use std::time::Duration;

use clock::{Clock, Time, delta};
use domain::{Secret, UserId};
use hmac::{Hmac, Mac as _};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// How long an access token lasts.
pub(super) const ACCESS_LASTS: Duration = Duration::from_secs(15 * 60);
/// How long a refresh token lasts when it is not used.
const REFRESH_LASTS: Duration = Duration::from_secs(30 * 24 * 3600);

/// Signs and reads access tokens. Only this server does both, so one key is enough (HS256).
#[derive(Clone)]
pub struct Tokens {
    sign: EncodingKey,
    read: DecodingKey,
    rules: Validation,
    clock: Clock,
}

/// What an access token says, whether it has ended or not.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(super) struct Claims {
    sub: i64,
    iat: i64,
    exp: i64,
}

/// A refresh token that was drawn: the text for its holder, the rest for the books.
pub(super) struct Drawn {
    pub(super) token: Secret,
    pub(super) hash: String,
    pub(super) expires_at: Time,
}

/// Why a token could not be signed.
#[derive(Debug, thiserror::Error)]
#[error("a token could not be signed: {0}")]
pub struct NotSigned(#[from] jsonwebtoken::errors::Error);

impl Tokens {
    /// Tokens under a key that follows from the secret of this installation.
    #[must_use]
    pub fn new(secret: &Secret, clock: Clock) -> Self {
        // HMAC takes keys of any length; without one no token would ever be good.
        let key = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()).map_or_else(
            |_| clock.random::<32>().to_vec(),
            |mut mac| {
                mac.update(b"kasir access tokens");
                mac.finalize().into_bytes().to_vec()
            },
        );
        let mut rules = Validation::new(Algorithm::HS256);
        // The library would ask the machine's clock; the end is checked against ours.
        rules.validate_exp = false;
        Self { sign: EncodingKey::from_secret(&key), read: DecodingKey::from_secret(&key), rules, clock }
    }

    /// An access token for this person.
    ///
    /// # Errors
    /// When it cannot be signed.
    pub fn access(&self, user: UserId) -> Result<String, NotSigned> {
        let now = self.clock.now();
        let claims =
            Claims { sub: user.0, iat: now.timestamp(), exp: (now + delta(ACCESS_LASTS)).timestamp() };
        Ok(jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.sign)?)
    }

    /// What this access token says; `None` when it is not ours.
    pub(super) fn read(&self, token: &str) -> Option<Claims> {
        Some(jsonwebtoken::decode::<Claims>(token, &self.read, &self.rules).ok()?.claims)
    }

    /// Whose access token it is that says this; `None` when it has ended.
    pub(super) fn holder(&self, claims: Claims) -> Option<UserId> {
        (self.clock.now().timestamp() < claims.exp).then_some(UserId(claims.sub))
    }

    /// Draws a refresh token.
    pub(super) fn refresh(&self) -> Drawn {
        let token = format!("krt_{}", hex::encode(self.clock.random::<32>()));
        let expires_at = self.clock.now() + delta(REFRESH_LASTS);
        Drawn { hash: name_of(&token), token: Secret::from(token), expires_at }
    }
}

/// What the books keep of a token or key: its hash. They are random, so a plain hash cannot be turned round.
#[must_use]
pub fn name_of(token: &str) -> String {
    hex::encode(Sha256::digest(token.as_bytes()))
}

/// A key for a front end, drawn afresh.
#[must_use]
pub fn draw_api_key(clock: &Clock) -> Secret {
    Secret::from(format!("ksr_{}", hex::encode(clock.random::<24>())))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn holder(tokens: &Tokens, token: &str) -> Option<UserId> {
        tokens.holder(tokens.read(token)?)
    }

    fn tokens(secret: &str, clock: &Clock) -> Tokens {
        Tokens::new(&Secret::from(secret), clock.clone())
    }

    #[test]
    fn a_token_is_good_for_a_quarter_of_an_hour() {
        let clock = Clock::manual(clock::from_millis(1_700_000_000_000));
        let tokens = tokens("a secret", &clock);
        let token = tokens.access(UserId(7)).unwrap();
        assert_eq!(holder(&tokens, &token), Some(UserId(7)));
        clock.advance(ACCESS_LASTS - Duration::from_secs(1));
        assert_eq!(holder(&tokens, &token), Some(UserId(7)));
        clock.advance(Duration::from_secs(1));
        assert_eq!(holder(&tokens, &token), None);
    }

    proptest! {
        #[test]
        fn no_text_but_ours_is_a_token(user: i64, place: prop::sample::Index, letter in "[A-Za-z0-9_.-]", text in ".{0,80}") {
            let tokens = tokens("a secret", &Clock::manual(clock::from_millis(1_700_000_000_000)));
            let token = tokens.access(UserId(user)).unwrap();
            prop_assert_eq!(holder(&tokens, &token), Some(UserId(user)));
            let place = place.index(token.len());
            let mut changed = token.clone();
            changed.replace_range(place..=place, &letter);
            prop_assert!(changed == token || holder(&tokens, &changed).is_none(), "{}", changed);
            for other in [text.clone(), format!("{token}{letter}"), format!("{text}.{token}"), String::new()] {
                prop_assert_eq!(holder(&tokens, &other), None, "{}", other);
            }
        }
    }

    #[test]
    fn a_token_of_another_installation_or_with_another_body_is_not_ours() {
        let clock = Clock::manual(clock::from_millis(1_700_000_000_000));
        let (ours, theirs) = (tokens("ours", &clock), tokens("theirs", &clock));
        let token = ours.access(UserId(7)).unwrap();
        assert_eq!(holder(&theirs, &token), None);
        let other = ours.access(UserId(8)).unwrap();
        let (head, _) = token.split_once('.').unwrap();
        let forged = format!("{head}.{}", other.split_once('.').unwrap().1.replace(['A'], "B"));
        assert_ne!(forged, other);
        assert_eq!(holder(&ours, &forged), None);
        // "alg": "none"
        let unsigned = format!("eyJhbGciOiJub25lIn0.{}.", token.split('.').nth(1).unwrap());
        assert_eq!(holder(&ours, &unsigned), None);
    }
}
