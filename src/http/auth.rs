//! Who is asking: a person by the headers `email` and `password`, a front end by `x-api-key`.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use domain::{Email, Role, Secret};
use store::people::{self, Person};
use subtle::{Choice, ConstantTimeEq as _};

use super::{App, Problem};

/// A person who is logged in, of any role.
pub(super) struct Caller(pub(super) Person);

/// A tenant who is logged in.
pub(super) struct Tenant(pub(super) Person);

/// A front end that is known to us.
pub(super) struct FrontEnd;

impl FromRequestParts<Arc<App>> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let (Some(email), Some(password)) = (text(&parts.headers, "email"), text(&parts.headers, "password"))
        else {
            return Err(Problem::Unauthenticated);
        };
        app.check(&email, &Secret::from(password)).await.map(Self)
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

impl FromRequestParts<Arc<App>> for FrontEnd {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let given = text(&parts.headers, "x-api-key").ok_or(Problem::UnknownFrontEnd)?;
        // Every key is compared, and each in constant time, so that the time says nothing.
        let known =
            app.settings.api_keys.iter().fold(Choice::from(0), |known, (_, key)| {
                known | given.as_bytes().ct_eq(key.expose().as_bytes())
            });
        if bool::from(known) { Ok(Self) } else { Err(Problem::UnknownFrontEnd) }
    }
}

impl App {
    /// The person with this address and password.
    ///
    /// # Errors
    /// [`Problem::Unauthenticated`] when there is none, which takes as long whichever of the two is wrong.
    pub(super) async fn check(&self, email: &str, password: &Secret) -> Result<Person, Problem> {
        let email = Email::try_from(email.to_owned()).map_err(|_| Problem::Unauthenticated)?;
        let person = people::find_by_email(&self.db, &email).await?;
        let hash = person.as_ref().map(|person| &person.password_hash);
        let right = self.passwords.is_right(&email, password, hash).await.map_err(|error| {
            tracing::error!(%error, "a password could not be checked");
            Problem::Internal
        })?;
        person.filter(|_| right).ok_or(Problem::Unauthenticated)
    }
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    // Names and passwords may hold more than ASCII; front ends send UTF-8.
    let value = headers.get(name)?;
    String::from_utf8(value.as_bytes().to_vec()).ok()
}
