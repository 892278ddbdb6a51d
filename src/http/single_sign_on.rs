//! Logging in by an OpenID Connect provider: what a browser carries to the provider and back, and who of ours it is.

use clock::{Clock, delta};
use domain::{Email, Role, Secret};
use oidc::{Arrival, Departure, Failure, Identity, Provider};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use store::audit::{Actor, By};
use store::identities;
use store::people::{self, Person};
use store::{Refusal, Undone};
use subtle::ConstantTimeEq as _;

use super::{App, Problem, sealed};

/// What a sealed text is for, so that none of another purpose opens.
const PURPOSE: &[u8] = b"kasir single sign-on";
/// Whoever is not back from the provider by then begins anew.
const WAY_LASTS: Duration = Duration::from_secs(10 * 60);

/// A provider, and how its people become ours.
pub struct SingleSignOn {
    /// The provider.
    pub provider: Provider,
    /// What people call it.
    pub name: String,
    /// Whether an address that it has verified is enough the first time.
    pub by_email: bool,
    /// The secret of this installation.
    pub secret: Secret,
    /// The time.
    pub clock: Clock,
}

/// What a browser keeps while its person is at the provider. Nobody else can make one, or read it.
#[derive(Serialize, Deserialize)]
pub(crate) struct Way {
    state: String,
    nonce: String,
    verifier: String,
    until: i64,
    /// Where the person wanted to go.
    pub(crate) next: String,
}

/// What the provider sent the browser back with.
pub(crate) struct Brought<'a> {
    pub(crate) code: &'a str,
    pub(crate) state: &'a str,
    pub(crate) issuer: Option<&'a str>,
    pub(crate) error: Option<&'a str>,
}

/// Why somebody does not come in. Each is a sentence on the page.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outside {
    /// The browser has begun no log-in, or another one, or too long ago.
    NotBegun,
    /// The provider, or the person there, said no.
    Declined,
    /// What the provider says is not to be believed.
    Untrue,
    /// The provider does not answer.
    Down,
    /// The provider knows the person; we do not. With the provider's own name of them.
    Unknown(String),
    /// The provider does not say that the address is the person's.
    Unverified,
    /// The books do not answer.
    Broken(Problem),
}

impl<E: Into<Problem>> From<E> for Outside {
    fn from(error: E) -> Self {
        Self::Broken(error.into())
    }
}

impl SingleSignOn {
    /// The way to the provider: its address, and what the browser keeps meanwhile.
    pub(crate) async fn depart(&self, next: &str) -> Result<(String, String), Outside> {
        let Departure { url, state, nonce, verifier } =
            self.provider.depart().await.map_err(|failure| told(&failure))?;
        let until = (self.clock.now() + delta(WAY_LASTS)).timestamp();
        let verifier = verifier.expose().to_owned();
        let way = Way { state, nonce, verifier, until, next: next.to_owned() };
        let sealed = self.seal(&way).ok_or(Outside::Broken(Problem::Internal))?;
        Ok((url, sealed))
    }

    /// What a browser kept, if it is of ours and of now.
    pub(crate) fn open(&self, sealed: &str) -> Option<Way> {
        let text = sealed::open(self.key()?, (sealed, PURPOSE))?;
        let way: Way = serde_json::from_slice(&text).ok()?;
        (self.clock.now().timestamp() < way.until).then_some(way)
    }

    fn seal(&self, way: &Way) -> Option<String> {
        let text = serde_json::to_vec(way).ok()?;
        sealed::seal(self.key()?, self.clock.random(), (&text, PURPOSE))
    }

    fn key(&self) -> Option<[u8; 32]> {
        sealed::key_for(PURPOSE, &self.secret)
    }

    /// Who the provider says it is that came back.
    async fn identify(&self, way: &Way, brought: &Brought<'_>) -> Result<Identity, Outside> {
        if !bool::from(way.state.as_bytes().ct_eq(brought.state.as_bytes())) {
            return Err(Outside::NotBegun);
        }
        // Whose answer it is (RFC 9207), where the provider says so.
        if brought.issuer.is_some_and(|issuer| issuer != self.provider.issuer()) {
            return Err(Outside::Untrue);
        }
        if let Some(error) = brought.error {
            let short: String = error.chars().take(40).collect();
            tracing::warn!(error = short, "the provider sent somebody back without a code");
            return Err(Outside::Declined);
        }
        let verifier = Secret::from(way.verifier.as_str());
        let arrival = Arrival { code: brought.code, nonce: &way.nonce, verifier: &verifier };
        self.provider.arrive(arrival).await.map_err(|failure| told(&failure))
    }
}

/// What is logged once, and what is shown.
fn told(failure: &Failure) -> Outside {
    tracing::warn!(%failure, "nobody came in by the provider");
    match failure {
        Failure::Unreachable(_) => Outside::Down,
        Failure::Refused(_) => Outside::Declined,
        Failure::Untrue(_) => Outside::Untrue,
    }
}

impl App {
    /// The admin who came back from the provider. The audit says that the provider has vouched for them.
    pub(crate) async fn welcome(
        &self,
        sso: &SingleSignOn,
        way: &Way,
        brought: &Brought<'_>,
    ) -> Result<Person, Outside> {
        let identity = sso.identify(way, brought).await?;
        let person = self.person_of(sso, &identity).await;
        match &person {
            Ok(person) => {
                identities::vouched(&self.db, person, &identity.issuer, self.clock.now()).await?;
                tracing::info!(user.id = person.id.0, "logged in by the provider");
            }
            Err(outside) => tracing::warn!(
                why = match outside {
                    Outside::Unverified => "the provider has not verified the address",
                    _ => "nobody of ours",
                },
                "the provider vouched for somebody who does not come in"
            ),
        }
        person
    }

    async fn person_of(&self, sso: &SingleSignOn, identity: &Identity) -> Result<Person, Outside> {
        let named = identities::Identity { issuer: &identity.issuer, subject: &identity.subject };
        let unknown = || Outside::Unknown(identity.subject.clone());
        if let Some(person) = identities::find(&self.db, named).await? {
            return if person.role == Role::Admin { Ok(person) } else { Err(unknown()) };
        }
        if !sso.by_email {
            return Err(unknown());
        }
        let Some(email) = &identity.verified_email else { return Err(Outside::Unverified) };
        let email = Email::try_from(email.clone()).map_err(|_| unknown())?;
        let actor = Actor { id: None, name: identity.issuer.clone() };
        let by =
            By { actor: &actor, reason: Some("the first log-in by the provider"), now: self.clock.now() };
        match identities::bind(&self.db, &email, named, &by).await {
            Ok(user) => people::find_active(&self.db, user).await?.ok_or_else(unknown),
            Err(Undone::Refused(Refusal::NotThere)) => Err(unknown()),
            Err(other) => Err(Problem::from(other).into()),
        }
    }

    /// Lets nobody by a password in for whom there is the provider alone.
    pub(crate) fn check_way_in(&self, person: &Person) -> Result<(), Problem> {
        let is_closed = person.role == Role::Admin && !self.settings.admin_passwords;
        if is_closed { Err(Problem::Unauthenticated) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sign_on(secret: &str, clock: &Clock) -> SingleSignOn {
        let _installed = rustls::crypto::ring::default_provider().install_default();
        let settings = oidc::Settings {
            issuer: "https://id.test".to_owned(),
            client_id: "kasir".to_owned(),
            client_secret: Secret::from("hush"),
            redirect_url: "https://kost.test/admin/login/oidc/callback".to_owned(),
            timeout: Duration::from_secs(4),
        };
        SingleSignOn {
            provider: Provider::new(settings, clock.clone()).unwrap(),
            name: "Id".to_owned(),
            by_email: true,
            secret: Secret::from(secret),
            clock: clock.clone(),
        }
    }

    fn way(clock: &Clock) -> Way {
        let until = (clock.now() + delta(WAY_LASTS)).timestamp();
        let text = |text: &str| text.to_owned();
        Way { state: text("s"), nonce: text("n"), verifier: text("hush"), until, next: text("/admin") }
    }

    #[test]
    fn a_way_is_of_this_installation_and_ends() {
        let clock = Clock::manual(clock::from_millis(1_700_000_000_000));
        let ours = sign_on("ours", &clock);
        let sealed = ours.seal(&way(&clock)).unwrap();
        assert!(!String::from_utf8_lossy(&hex::decode(&sealed).unwrap()).contains("hush"));
        assert_eq!(ours.open(&sealed).unwrap().next, "/admin");
        assert!(sign_on("theirs", &clock).open(&sealed).is_none());
        clock.advance(WAY_LASTS);
        assert!(ours.open(&sealed).is_none());
    }

    proptest! {
        #[test]
        fn no_text_but_ours_is_a_way(place: prop::sample::Index, digit in "[0-9a-f]", text in ".{0,80}") {
            let clock = Clock::manual(clock::from_millis(1_700_000_000_000));
            let ours = sign_on("ours", &clock);
            let sealed = ours.seal(&way(&clock)).unwrap();
            let place = place.index(sealed.len());
            let mut changed = sealed.clone();
            changed.replace_range(place..=place, &digit);
            prop_assert!(changed == sealed || ours.open(&changed).is_none());
            prop_assert!(ours.open(&text).is_none());
        }
    }
}
