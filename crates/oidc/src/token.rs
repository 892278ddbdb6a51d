//! The provider's token: what must hold before a word of it is believed (OpenID Connect Core, section 3.1.3.7).

use std::time::Duration;

use clock::{Clock, delta};
use openidconnect::core::{CoreIdToken, CoreJwsSigningAlgorithm};
use openidconnect::{ClaimsVerificationError, Nonce};

use crate::http::story;
use crate::known::Client;
use crate::{Failure, Identity};

/// Signatures that only the provider can make. A shared secret (`HS256`) or none at all is no such.
const ALGORITHMS: [CoreJwsSigningAlgorithm; 9] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];
/// A token is fetched as soon as it is made. One older than this is not of this log-in.
const AGE_MAX: Duration = Duration::from_secs(10 * 60);
/// The provider's clock may be ahead of ours by this.
const AHEAD_MAX: Duration = Duration::from_secs(60);

/// What is wrong with a token.
pub(crate) enum Untrue {
    /// None of the keys that are known has signed it.
    Signature(String),
    /// Something else.
    Word(String),
}

impl From<Untrue> for Failure {
    fn from(untrue: Untrue) -> Self {
        let (Untrue::Signature(why) | Untrue::Word(why)) = untrue;
        Self::Untrue(why)
    }
}

/// Who the token says it is, if it is to be believed.
pub(crate) fn read(
    client: &Client,
    token: &CoreIdToken,
    (nonce, clock): (&Nonce, &Clock),
) -> Result<Identity, Untrue> {
    let now = clock.now();
    let verifier = client
        .id_token_verifier()
        .set_allowed_algs(ALGORITHMS)
        .set_time_fn(move || now)
        .set_issue_time_verifier_fn(move |at| {
            let is_of_now = at <= now + delta(AHEAD_MAX) && at > now - delta(AGE_MAX);
            if is_of_now { Ok(()) } else { Err(format!("it was made at {at}, and it is {now}")) }
        });
    let claims = token.claims(&verifier, nonce).map_err(|error| match &error {
        ClaimsVerificationError::SignatureVerification(why) => Untrue::Signature(story(why)),
        // The library tells both nonces; they are nobody's business.
        ClaimsVerificationError::InvalidNonce(_) => Untrue::Word("the nonce is not ours".to_owned()),
        _ => Untrue::Word(story(&error)),
    })?;
    let is_verified = claims.email_verified() == Some(true);
    let email = claims.email().filter(|_| is_verified);
    Ok(Identity {
        issuer: claims.issuer().to_string(),
        subject: claims.subject().to_string(),
        verified_email: email.map(|email| email.to_string()),
    })
}
