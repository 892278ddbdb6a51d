//! Sessions: log in, refresh, log out, change the own password.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use domain::{Email, Role, Secret, UserId};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::audit::Deed;
use store::people::{self, NewPassword};
use store::sessions::{self, NewSession, NewToken, Rotation};
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::auth::actor_of;
use super::openapi::{Routes, Who, told};
use super::schemas;
use super::tokens::{ACCESS_LASTS, name_of};
use super::{App, Body, Caller, Problem, Remote};

/// A new password has at least so many characters, as NIST SP 800-63B asks.
const PASSWORD_CHARS_MIN: usize = 8;
/// And at most so many bytes.
const PASSWORD_BYTES_MAX: usize = 1_024;

pub(super) fn routes() -> Routes {
    let slow = Problem::TooManyTries(Duration::from_secs(5));
    let fails = [Problem::Unauthenticated, Problem::SecondFactor, slow];
    Routes::new()
        .routes(told(routes!(login), Who::Anyone, &fails))
        .routes(told(routes!(refresh), Who::Anyone, &[Problem::Unauthenticated]))
        .routes(told(routes!(logout), Who::Anyone, &[]))
        .routes(told(routes!(change_password), Who::Person, &[]))
}

/// Who wants in.
#[derive(Deserialize, ToSchema)]
struct Login {
    email: String,
    #[schema(value_type = String)]
    password: Secret,
    /// The code of somebody who has a second factor.
    #[schema(value_type = Option<String>, max_length = 64)]
    code: Option<Secret>,
}

/// Who came in, and the tokens to stay.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct LoggedIn {
    #[schema(value_type = i64, minimum = 1)]
    id: UserId,
    #[schema(value_type = String)]
    email: Email,
    name: String,
    #[schema(value_type = schemas::Role)]
    role: Role,
    #[serde(flatten)]
    tokens: TokenPair,
}

/// An access token for the next quarter of an hour, and a refresh token that gives the next pair, once.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct TokenPair {
    access_token: String,
    refresh_token: String,
    /// Seconds until the access token ends.
    expires_in: u64,
}

/// A refresh token that is presented.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Presented {
    #[schema(value_type = String)]
    refresh_token: Secret,
}

/// A wish for another password.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ChangePassword {
    #[schema(value_type = String)]
    pub(crate) current_password: Secret,
    #[schema(value_type = String, min_length = 8, max_length = 1_024)]
    pub(crate) new_password: Secret,
}

/// Logs a person in.
#[utoipa::path(post, path = "/api/login", tag = "sessions", operation_id = "login", request_body = Login, responses((status = 200, description = "The person, and the tokens to stay", body = LoggedIn)))]
async fn login(
    State(app): State<Arc<App>>,
    Remote(address): Remote,
    Body(login): Body<Login>,
) -> Result<Json<LoggedIn>, Problem> {
    let person = app.check(&login.email, &login.password, address).await?;
    app.check_way_in(&person)?;
    if person.has_second_factor {
        let code = login.code.ok_or(Problem::SecondFactor)?;
        app.check_second_factor(&person, code.expose()).await?;
    }
    let drawn = app.tokens.refresh();
    let token = NewToken { token_hash: &drawn.hash, expires_at: drawn.expires_at };
    let session = NewSession { user: person.id, family: &app.clock.ulid(), token };
    sessions::begin(&app.db, &session, app.clock.now()).await?;
    let tokens = pair(&app, person.id, &drawn.token)?;
    Ok(Json(LoggedIn { id: person.id, email: person.email, name: person.name, role: person.role, tokens }))
}

/// Gives the next pair of tokens, once.
#[utoipa::path(post, path = "/api/token/refresh", tag = "sessions", operation_id = "refreshToken", request_body = Presented, responses((status = 200, description = "The next pair", body = TokenPair)))]
async fn refresh(
    State(app): State<Arc<App>>,
    Body(presented): Body<Presented>,
) -> Result<Json<TokenPair>, Problem> {
    let drawn = app.tokens.refresh();
    let token = NewToken { token_hash: &drawn.hash, expires_at: drawn.expires_at };
    let old = name_of(presented.refresh_token.expose());
    match sessions::rotate(&app.db, &old, &token, app.clock.now()).await? {
        Rotation::Rotated(user) => pair(&app, user, &drawn.token).map(Json),
        Rotation::Reused(user) => {
            tracing::warn!(
                user.id = user.0,
                "a spent refresh token was presented again; its session is ended"
            );
            Err(Problem::Unauthenticated)
        }
        Rotation::Refused => Err(Problem::Unauthenticated),
    }
}

/// Ends the session that the refresh token belongs to. Says the same whether there was one or not.
#[utoipa::path(post, path = "/api/logout", tag = "sessions", operation_id = "logout", request_body = Presented, responses((status = 200, description = "Done", body = schemas::Done)))]
async fn logout(
    State(app): State<Arc<App>>,
    Body(presented): Body<Presented>,
) -> Result<Json<Value>, Problem> {
    sessions::end(&app.db, &name_of(presented.refresh_token.expose()), app.clock.now()).await?;
    Ok(Json(json!({})))
}

/// Another password ends all sessions of the person, and what was remembered of the old one.
#[utoipa::path(post, path = "/api/password", tag = "sessions", operation_id = "changePassword", request_body = ChangePassword, responses((status = 200, description = "Done", body = schemas::Done)))]
pub(crate) async fn change_password(
    State(app): State<Arc<App>>,
    Caller(me): Caller,
    Remote(address): Remote,
    Body(wish): Body<ChangePassword>,
) -> Result<Json<Value>, Problem> {
    check_new_password(&wish.new_password)?;
    app.check(me.email.as_str(), &wish.current_password, address).await?;
    let hash = app.hash(&wish.new_password).await?;
    let actor = actor_of(&me);
    let deed = Deed {
        actor: &actor,
        action: "password.change",
        subject: format!("user:{}", me.id),
        before: None,
        after: None,
        reason: None,
    };
    people::change_password(&app.db, &NewPassword { person: me.id, hash: &hash, deed }, app.clock.now())
        .await?;
    Ok(Json(json!({})))
}

/// Refuses a password that is too short or absurdly long.
pub(super) fn check_new_password(password: &Secret) -> Result<(), Problem> {
    let text = password.expose();
    if text.chars().count() >= PASSWORD_CHARS_MIN && text.len() <= PASSWORD_BYTES_MAX {
        return Ok(());
    }
    Err(Problem::Unprocessable(format!("a password has {PASSWORD_CHARS_MIN} characters or more")))
}

fn pair(app: &App, user: UserId, refresh: &Secret) -> Result<TokenPair, Problem> {
    let access_token = app.tokens.access(user).map_err(|error| {
        tracing::error!(%error, "no access token");
        Problem::Internal
    })?;
    Ok(TokenPair {
        access_token,
        refresh_token: refresh.expose().to_owned(),
        expires_in: ACCESS_LASTS.as_secs(),
    })
}
