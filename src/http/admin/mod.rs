//! What admins do: rooms, tenants, bills, payment methods, and the audit of it all.

mod audit;
pub(crate) mod bills;
pub(crate) mod erasure;
mod evidence;
pub(crate) mod export;
pub(crate) mod findings;
pub(crate) mod jobs;
pub(crate) mod methods;
pub(crate) mod notifications;
mod paging;
mod payment_list;
pub(crate) mod payments;
pub(crate) mod queues;
pub(crate) mod reconciliations;
pub(crate) mod reminders;
pub(crate) mod rooms;
pub(crate) mod tenants;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use store::{Refusal, Undone};
use utoipa::ToSchema;

use super::Problem;
use super::openapi::Routes;

pub(super) fn routes() -> Routes {
    Routes::new()
        .merge(rooms::routes())
        .merge(tenants::routes())
        .merge(erasure::routes())
        .merge(reminders::routes())
        .merge(bills::routes())
        .merge(methods::routes())
        .merge(payments::routes())
        .merge(payment_list::routes())
        .merge(notifications::routes())
        .merge(reconciliations::routes())
        .merge(findings::routes())
        .merge(evidence::routes())
        .merge(jobs::routes())
        .merge(queues::routes())
        .merge(audit::routes())
}

/// The row that a path names. What is no number names nothing.
pub(crate) struct Row(pub(crate) i64);

impl<S: Send + Sync> FromRequestParts<S> for Row {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::<i64>::from_request_parts(parts, state).await;
        path.map(|Path(id)| Self(id)).map_err(|_| Problem::NotFound)
    }
}

/// What the query of a request asks for.
pub(crate) struct Asked<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let query = Query::<T>::from_request_parts(parts, state).await;
        query.map(|Query(asked)| Self(asked)).map_err(|error| Problem::Unprocessable(error.body_text()))
    }
}

/// A JSON body that may be missing.
pub(crate) struct Perhaps<T>(pub(crate) T);

impl<T: DeserializeOwned + Default, S: Send + Sync> FromRequest<S> for Perhaps<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let bytes = Bytes::from_request(request, state).await.map_err(|_| Problem::TooLarge)?;
        if bytes.is_empty() {
            return Ok(Self(T::default()));
        }
        serde_json::from_slice(&bytes).map(Self).map_err(|error| {
            if error.is_data() {
                Problem::Unprocessable(error.to_string())
            } else {
                Problem::Malformed(error.to_string())
            }
        })
    }
}

/// Why an admin does it.
#[derive(Deserialize, ToSchema, Default)]
pub(crate) struct Why {
    #[schema(min_length = 1, max_length = 500, pattern = r"\S")]
    pub(crate) reason: Option<String>,
}

impl Why {
    /// The reason, if one was given.
    fn reason(&self) -> Result<Option<&str>, Problem> {
        self.reason.as_deref().map(|reason| text("reason", reason, REASON_CHARS_MAX)).transpose()
    }
}

pub(crate) const REASON_CHARS_MAX: usize = 500;

/// What a field says, without the spaces around it; a word about what is wrong when it says nothing or too much.
pub(crate) fn text<'a>(field: &str, value: &'a str, chars_max: usize) -> Result<&'a str, Problem> {
    let value = value.trim();
    if value.is_empty() || value.chars().count() > chars_max || value.contains(char::is_control) {
        let wrong = format!("`{field}` needs 1 to {chars_max} characters, and none that does not print");
        return Err(Problem::Unprocessable(wrong));
    }
    Ok(value)
}

/// The same for a field that may be left out.
fn opt_text<'a>(field: &str, value: Option<&'a str>, chars_max: usize) -> Result<Option<&'a str>, Problem> {
    value.map(|value| text(field, value, chars_max)).transpose()
}

impl From<Undone> for Problem {
    fn from(undone: Undone) -> Self {
        match undone {
            Undone::Store(error) => error.into(),
            Undone::Refused(Refusal::NotThere) => Self::NotFound,
            Undone::Refused(Refusal::NoSuchRoom) => {
                Self::Unprocessable("`roomCode` names no room; GET /api/admin/rooms lists them".to_owned())
            }
            Undone::Refused(Refusal::CodeTaken) => Self::RoomCodeTaken,
            Undone::Refused(Refusal::EmailTaken) => Self::EmailTaken,
            Undone::Refused(Refusal::RoomOccupied) => Self::RoomOccupied,
            Undone::Refused(Refusal::BillPaid) => Self::BillAlreadyPaid,
            Undone::Refused(Refusal::BillBeingPaid) => Self::BillBeingPaid,
            Undone::Refused(Refusal::FindingResolved) => Self::FindingResolved,
            Undone::Refused(Refusal::JobNotDead) => Self::JobNotDead,
            Undone::Refused(Refusal::JobWaits) => Self::JobWaits,
            Undone::Refused(Refusal::JobNotWaiting) => Self::JobNotWaiting,
            Undone::Refused(Refusal::JobNeeded) => Self::JobNeeded,
            Undone::Refused(Refusal::MoneyOpen(money)) => Self::MoneyOpen(money.to_string()),
            Undone::Refused(Refusal::NoRefund(why)) => Self::NotRefundable(why.to_string()),
        }
    }
}
