//! What is known of the provider: its addresses and keys, asked for when they are needed and kept for a while.

use std::sync::Arc;
use std::time::Duration;

use clock::{Clock, Time, delta};
use openidconnect::core::{CoreClient, CoreClientAuthMethod, CoreProviderMetadata};
use openidconnect::{
    AuthType, ClientId, ClientSecret, EndpointMaybeSet, EndpointNotSet, EndpointSet, IssuerUrl, RedirectUrl,
};
use tokio::sync::Mutex;

use crate::http::{Http, SetupError, story};
use crate::{Failure, Settings};

/// So long the provider's word on its addresses and keys is taken.
const LASTS: Duration = Duration::from_secs(3600);
/// Keys are asked for anew because of a signature no sooner than so long after the last time.
const RENEWED_EVERY: Duration = Duration::from_secs(60);
/// A provider that did not answer is asked again after this; meanwhile nobody waits for it.
const DOWN: Duration = Duration::from_secs(5);

/// A client that has an address to send people to, and perhaps the others.
pub(crate) type Client = CoreClient<
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// What is known of the provider.
pub(crate) struct Known {
    issuer: IssuerUrl,
    client_id: ClientId,
    client_secret: ClientSecret,
    redirect_url: RedirectUrl,
    last: Mutex<Last>,
}

/// What came of the last time that the provider was asked.
enum Last {
    Nothing,
    Told { at: Time, client: Arc<Client> },
    Failed { at: Time, failure: String },
}

impl Known {
    pub(crate) fn new(settings: &Settings) -> Result<Self, SetupError> {
        let issuer =
            IssuerUrl::new(settings.issuer.clone()).map_err(|_| SetupError::Address("the issuer"))?;
        let redirect_url = RedirectUrl::new(settings.redirect_url.clone());
        Ok(Self {
            issuer,
            client_id: ClientId::new(settings.client_id.clone()),
            client_secret: ClientSecret::new(settings.client_secret.expose().to_owned()),
            redirect_url: redirect_url.map_err(|_| SetupError::Address("where people come back to"))?,
            last: Mutex::new(Last::Nothing),
        })
    }

    /// The provider as it is known. Of many who need it at once, one asks.
    pub(crate) async fn client(&self, http: &Http, clock: &Clock) -> Result<Arc<Client>, Failure> {
        let mut last = self.last.lock().await;
        let now = clock.now();
        match &*last {
            Last::Told { at, client } if now < *at + delta(LASTS) => return Ok(Arc::clone(client)),
            Last::Failed { at, failure } if now < *at + delta(DOWN) => {
                return Err(Failure::Unreachable(failure.clone()));
            }
            Last::Nothing | Last::Told { .. } | Last::Failed { .. } => {}
        }
        self.ask(http, (&mut last, now)).await
    }

    /// The same, asked for anew; `None` when that was just done.
    pub(crate) async fn client_anew(
        &self,
        http: &Http,
        clock: &Clock,
    ) -> Result<Option<Arc<Client>>, Failure> {
        let mut last = self.last.lock().await;
        let now = clock.now();
        if matches!(&*last, Last::Told { at, .. } if now < *at + delta(RENEWED_EVERY)) {
            return Ok(None);
        }
        self.ask(http, (&mut last, now)).await.map(Some)
    }

    async fn ask(&self, http: &Http, (last, now): (&mut Last, Time)) -> Result<Arc<Client>, Failure> {
        match CoreProviderMetadata::discover_async(self.issuer.clone(), http).await {
            Ok(told) => {
                let client = Arc::new(self.client_of(told));
                *last = Last::Told { at: now, client: Arc::clone(&client) };
                Ok(client)
            }
            Err(error) => {
                let failure = story(&error);
                *last = Last::Failed { at: now, failure: failure.clone() };
                Err(Failure::Unreachable(failure))
            }
        }
    }

    fn client_of(&self, told: CoreProviderMetadata) -> Client {
        let ways = told.token_endpoint_auth_methods_supported();
        // Where the provider says nothing, the secret goes into a header (OpenID Connect Discovery, section 3).
        let by_header = ways.is_none_or(|ways| ways.contains(&CoreClientAuthMethod::ClientSecretBasic));
        let way = if by_header { AuthType::BasicAuth } else { AuthType::RequestBody };
        CoreClient::from_provider_metadata(told, self.client_id.clone(), Some(self.client_secret.clone()))
            .set_redirect_uri(self.redirect_url.clone())
            .set_auth_type(way)
    }
}
