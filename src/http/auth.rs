//! Who is asking: a person by an access token or by the headers `email` and `password`, a front end by `x-api-key`.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use domain::{Email, Rank, Role, Secret};
use store::api_keys;
use store::audit::Actor;
use store::people::{self, Person};
use subtle::{Choice, ConstantTimeEq as _};

use super::tokens::name_of;
use super::{App, HashingFailed, Problem};

/// A person who is logged in, of any role.
pub(crate) struct Caller(pub(crate) Person);

/// A tenant who is logged in.
pub(super) struct Tenant(pub(super) Person);

/// An admin who is logged in, of any rank: may look, and change nothing.
pub(crate) struct Admin(pub(crate) Person);

/// An admin who may do the daily work.
pub(crate) struct Staff(pub(crate) Person);

/// An admin who decides about money and the ways to pay.
pub(crate) struct Owner(pub(crate) Person);

/// A front end that is known to us.
pub(super) struct FrontEnd;

/// The address a request comes from, where the server knows it.
pub(crate) struct Remote(pub(crate) Option<IpAddr>);

impl FromRequestParts<Arc<App>> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        if let Some(token) = bearer(&parts.headers) {
            let user = app.holder(token).await.ok_or(Problem::Unauthenticated)?;
            return app.person(user).await?.map(Self).ok_or(Problem::Unauthenticated);
        }
        let (Some(email), Some(password)) = (text(&parts.headers, "email"), text(&parts.headers, "password"))
        else {
            return Err(Problem::Unauthenticated);
        };
        if !app.settings.header_login {
            return Err(Problem::Unauthenticated);
        }
        let Remote(address) = remote(parts);
        // Checking a password takes much more room than reading a token, and is no part of every request.
        let person = Box::pin(app.check_again(&email, &Secret::from(password), address)).await?;
        app.check_way_in(&person)?;
        // A code is for one request, and headers are for many.
        if person.has_second_factor { Err(Problem::SecondFactor) } else { Ok(Self(person)) }
    }
}

impl FromRequestParts<Arc<App>> for Tenant {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let Caller(person) = Caller::from_request_parts(parts, app).await?;
        match person.role {
            Role::Tenant => Ok(Self(person)),
            Role::Admin => Err(Problem::Forbidden),
        }
    }
}

impl FromRequestParts<Arc<App>> for Admin {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        admin_of(Rank::Viewer, parts, app).await.map(Self)
    }
}

impl FromRequestParts<Arc<App>> for Staff {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        admin_of(Rank::Staff, parts, app).await.map(Self)
    }
}

impl FromRequestParts<Arc<App>> for Owner {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        admin_of(Rank::Owner, parts, app).await.map(Self)
    }
}

async fn admin_of(rank: Rank, parts: &mut Parts, app: &Arc<App>) -> Result<Person, Problem> {
    let Caller(person) = Caller::from_request_parts(parts, app).await?;
    if may(&person, rank) { Ok(person) } else { Err(Problem::Forbidden) }
}

/// Whether a person may do what needs an admin of this rank.
pub(crate) fn may(person: &Person, rank: Rank) -> bool {
    person.role == Role::Admin && person.rank >= rank
}

/// Who the audit says it was. Its rows stay when a tenant is forgotten, so that tenants stand there by their number.
pub(super) fn actor_of(person: &Person) -> Actor {
    let name = match person.role {
        Role::Tenant => format!("tenant:{}", person.id),
        Role::Admin => person.email.as_str().to_owned(),
    };
    Actor { id: Some(person.id), name }
}

impl Admin {
    /// Who the audit says it was.
    pub(crate) fn actor(&self) -> Actor {
        actor_of(&self.0)
    }
}

impl Staff {
    /// Who the audit says it was.
    pub(crate) fn actor(&self) -> Actor {
        actor_of(&self.0)
    }
}

impl Owner {
    /// Who the audit says it was.
    pub(crate) fn actor(&self) -> Actor {
        actor_of(&self.0)
    }
}

impl FromRequestParts<Arc<App>> for FrontEnd {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let given = text(&parts.headers, "x-api-key").ok_or(Problem::UnknownFrontEnd)?;
        // Every key is compared, and each in constant time, so that the time says nothing. Of keys in the books only
        // hashes are known, and those give nothing away by the time it takes to find one.
        let configured =
            app.settings.api_keys.iter().fold(Choice::from(0), |known, (_, key)| {
                known | given.as_bytes().ct_eq(key.expose().as_bytes())
            });
        if bool::from(configured) || api_keys::is_known(&app.db, &name_of(&given)).await? {
            Ok(Self)
        } else {
            Err(Problem::UnknownFrontEnd)
        }
    }
}

impl FromRequestParts<Arc<App>> for Remote {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _app: &Arc<App>) -> Result<Self, Infallible> {
        Ok(remote(parts))
    }
}

impl App {
    /// The same as [`App::check`] for who names the password with each request: whoever was let in a moment ago is let in
    /// again by what was read then.
    async fn check_again(
        &self,
        email: &str,
        password: &Secret,
        address: Option<IpAddr>,
    ) -> Result<Person, Problem> {
        let name = Email::try_from(email.to_owned()).map_err(|_| Problem::Unauthenticated)?;
        let person = self.person_at(&name, self.check(email, password, address)).await?;
        match person.filter(|person| self.passwords.was_right(&name, password, &person.password_hash)) {
            Some(person) => {
                self.patience.succeeded(&name);
                Ok(person)
            }
            None => self.check(email, password, address).await,
        }
    }

    /// The person with this address and password.
    ///
    /// # Errors
    /// [`Problem::Unauthenticated`] when there is none, which takes as long whichever of the two is wrong;
    /// [`Problem::TooManyTries`] when there were many failures lately.
    pub(crate) async fn check(
        &self,
        email: &str,
        password: &Secret,
        address: Option<IpAddr>,
    ) -> Result<Person, Problem> {
        let email = Email::try_from(email.to_owned()).map_err(|_| Problem::Unauthenticated)?;
        let person = people::find_by_email(&self.db, &email).await?;
        let hash = person.as_ref().map(|person| &person.password_hash);
        // Whoever was let in a moment ago with this password need not wait for others' failures.
        let known = hash.is_some_and(|hash| self.passwords.was_right(&email, password, hash));
        if !known && let Some(pause) = self.patience.pause(&email, address) {
            return Err(Problem::TooManyTries(pause));
        }
        let right = known || self.passwords.is_right(&email, password, hash).await.map_err(not_hashed)?;
        match person.filter(|_| right) {
            Some(person) => {
                self.patience.succeeded(&email);
                Ok(person)
            }
            None => {
                self.patience.failed(&email, address);
                Err(Problem::Unauthenticated)
            }
        }
    }

    /// The hash to store for a password.
    pub(super) async fn hash(&self, password: &Secret) -> Result<Secret, Problem> {
        self.passwords.hash(password).await.map_err(not_hashed)
    }
}

fn not_hashed(error: HashingFailed) -> Problem {
    match error {
        HashingFailed::Busy => Problem::Overloaded,
        HashingFailed::Broken(_) => {
            tracing::error!(%error, "a password could not be hashed");
            Problem::Internal
        }
    }
}

fn remote(parts: &Parts) -> Remote {
    Remote(parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(address)| address.ip()))
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    // Names and passwords may hold more than ASCII; front ends send UTF-8.
    let value = headers.get(name)?;
    String::from_utf8(value.as_bytes().to_vec()).ok()
}
