//! Asks an OpenID Connect provider who somebody is: authorization code flow with PKCE. It knows no database and no page.

mod http;
mod known;
mod token;

use std::time::Duration;

use clock::Clock;
use domain::Secret;
use openidconnect::core::CoreAuthenticationFlow;
use openidconnect::{
    AuthorizationCode, CsrfToken, Nonce, PkceCodeChallenge, PkceCodeVerifier, RequestTokenError, Scope,
    TokenResponse as _,
};

pub use http::SetupError;
use http::{Http, story};
use known::Known;

/// A provider, and what it knows us by.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The address that the provider is known by, as its tokens say it.
    pub issuer: String,
    /// Our name at the provider.
    pub client_id: String,
    /// What proves that a call is ours.
    pub client_secret: Secret,
    /// Where the provider sends people back to.
    pub redirect_url: String,
    /// How long one call to the provider may take.
    pub timeout: Duration,
}

/// A provider that is asked who people are.
pub struct Provider {
    settings: Settings,
    known: Known,
    http: Http,
    clock: Clock,
}

/// The way to the provider, and what whoever comes back from there has to bring.
pub struct Departure {
    /// Where to send the person.
    pub url: String,
    /// Comes back in the address.
    pub state: String,
    /// Comes back in the token.
    pub nonce: String,
    /// Proves to the provider that whoever brings the code is who asked for it.
    pub verifier: Secret,
}

/// What came back with a person.
pub struct Arrival<'a> {
    /// What stands for the person at the provider, once.
    pub code: &'a str,
    /// What the token must say.
    pub nonce: &'a str,
    /// What belongs to the challenge that was sent.
    pub verifier: &'a Secret,
}

/// Who somebody is, in the provider's signed words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Which provider says so.
    pub issuer: String,
    /// What the provider calls the person, for ever.
    pub subject: String,
    /// The person's address, if the provider has checked that it is theirs.
    pub verified_email: Option<String>,
}

/// Why nobody came in.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Failure {
    /// The provider does not answer, or not so that it makes sense.
    #[error("the provider does not answer: {0}")]
    Unreachable(String),
    /// The provider does not take the code, or not from us.
    #[error("the provider does not take the code: {0}")]
    Refused(String),
    /// The token is not what it should be.
    #[error("the token is not to be believed: {0}")]
    Untrue(String),
}

impl Provider {
    /// Calls nobody yet.
    ///
    /// # Errors
    /// When an address is none, or no client can be made.
    pub fn new(settings: Settings, clock: Clock) -> Result<Self, SetupError> {
        let http = Http::new(settings.timeout, settings.issuer.starts_with("https://"))?;
        let known = Known::new(&settings)?;
        Ok(Self { settings, known, http, clock })
    }

    /// The provider's address, as its tokens say it.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.settings.issuer
    }

    /// The way to the provider for one person.
    ///
    /// # Errors
    /// [`Failure::Unreachable`].
    pub async fn depart(&self) -> Result<Departure, Failure> {
        let client = self.known.client(&self.http, &self.clock).await?;
        let verifier = PkceCodeVerifier::new(self.draw());
        let challenge = PkceCodeChallenge::from_code_verifier_sha256(&verifier);
        let (state, nonce) = (self.draw(), self.draw());
        let (url, state, nonce) = client
            .authorize_url(
                CoreAuthenticationFlow::AuthorizationCode,
                move || CsrfToken::new(state),
                move || Nonce::new(nonce),
            )
            .add_scope(Scope::new("email".to_owned()))
            .set_pkce_challenge(challenge)
            .url();
        Ok(Departure {
            url: url.into(),
            state: state.into_secret(),
            nonce: nonce.secret().clone(),
            verifier: Secret::from(verifier.into_secret()),
        })
    }

    /// Who it is that came back.
    ///
    /// # Errors
    /// When the provider does not answer, does not take the code, or gives a token that is not to be believed.
    pub async fn arrive(&self, arrival: Arrival<'_>) -> Result<Identity, Failure> {
        let client = self.known.client(&self.http, &self.clock).await?;
        let request = client
            .exchange_code(AuthorizationCode::new(arrival.code.to_owned()))
            .map_err(|error| Failure::Unreachable(story(&error)))?
            .set_pkce_verifier(PkceCodeVerifier::new(arrival.verifier.expose().to_owned()));
        let answer = request.request_async(&self.http).await.map_err(|error| match error {
            RequestTokenError::ServerResponse(said) => Failure::Refused(said.error().to_string()),
            RequestTokenError::Request(error) => Failure::Unreachable(story(&error)),
            // What was parsed may hold a token, so its text is told to nobody.
            RequestTokenError::Parse(..) => Failure::Unreachable("the answer makes no sense".to_owned()),
            RequestTokenError::Other(why) => Failure::Unreachable(why),
        })?;
        let token =
            answer.id_token().ok_or_else(|| Failure::Untrue("the answer has no id_token".to_owned()))?;
        let nonce = Nonce::new(arrival.nonce.to_owned());
        match token::read(&client, token, (&nonce, &self.clock)) {
            // The provider may have changed its keys since we asked for them.
            Err(token::Untrue::Signature(why)) => {
                let Some(client) = self.known.client_anew(&self.http, &self.clock).await? else {
                    return Err(Failure::Untrue(why));
                };
                token::read(&client, token, (&nonce, &self.clock)).map_err(Failure::from)
            }
            read => read.map_err(Failure::from),
        }
    }

    /// 256 bits, as 64 characters.
    fn draw(&self) -> String {
        hex::encode(self.clock.random::<32>())
    }
}
