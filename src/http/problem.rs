//! Every failure that a caller sees, as `application/problem+json` (RFC 9457).

mod faces;

use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use store::StoreError;

use super::{App, Named};
use faces::Face;

/// The pages that explain the problems.
pub(super) fn routes() -> Router<Arc<App>> {
    Router::new().route("/problems/{slug}", get(explain))
}

/// What a problem of this name means and what to do about it: the page behind a problem's `type`.
async fn explain(Named(slug): Named) -> Result<String, Problem> {
    let found = Problem::all().into_iter().find(|problem| problem.slug() == slug);
    found
        .map(|problem| format!("{} {slug}\n\n{}\n", problem.status().as_u16(), problem.help()))
        .ok_or(Problem::NotFound)
}

/// A failure that a caller sees. The cause is logged here, once, and never shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// No credentials, or wrong ones.
    Unauthenticated,
    /// The person has a second factor, and its code is missing, wrong or used.
    SecondFactor,
    /// The `x-api-key` of the front end is missing or wrong.
    UnknownFrontEnd,
    /// The person is known and may not do this.
    Forbidden,
    /// A form that is not of our own page, or of another session.
    ForeignForm,
    /// There is no such thing, or it belongs to another tenant.
    NotFound,
    /// The path is there, the method is not.
    MethodNotAllowed,
    /// The bill is paid already.
    BillAlreadyPaid,
    /// The payment has ended, so that there is nothing to give up.
    PaymentEnded,
    /// The `Idempotency-Key` was used for another request.
    IdempotencyKeyReused,
    /// The first request with this `Idempotency-Key` still runs.
    IdempotencyKeyInUse,
    /// As many listen to events as may.
    TooManyStreams,
    /// The bill is being paid at this moment.
    BillBeingPaid,
    /// The payment does not wait for anybody's decision.
    NotInReview,
    /// Somebody has dealt with the finding.
    FindingResolved,
    /// The job is not dead.
    JobNotDead,
    /// The same work waits, or is being done.
    JobWaits,
    /// The job does not wait.
    JobNotWaiting,
    /// Nothing else would do the work of the job.
    JobNeeded,
    /// The money cannot be given back, or not so much of it.
    NotRefundable(String),
    /// The tenant's money is not over yet.
    MoneyOpen(String),
    /// Somebody lives in the room.
    RoomOccupied,
    /// Another room has the code.
    RoomCodeTaken,
    /// Another person has the e-mail address.
    EmailTaken,
    /// Others changed the same thing again and again.
    Contended,
    /// The body cannot be read.
    Malformed(String),
    /// The body reads well and makes no sense.
    Unprocessable(String),
    /// The body is not of a type that we read.
    UnsupportedMediaType,
    /// The body is too large.
    TooLarge,
    /// The body does not come in time.
    TooSlow,
    /// The signature of a notification is wrong.
    WrongSignature,
    /// Many log-ins failed lately; wait so long.
    TooManyTries(Duration),
    /// All that can be done at once is being done; try again after a while.
    Overloaded,
    /// Something we depend on does not answer; try again after a while.
    Unavailable,
    /// It took too long.
    TimedOut,
    /// A fault of ours.
    Internal,
}

/// How long a caller should wait before it tries again.
const RETRY_AFTER: Duration = Duration::from_secs(5);

impl Problem {
    /// One of each kind, for the pages that explain them.
    #[must_use]
    pub fn all() -> Vec<Self> {
        vec![
            Self::Unauthenticated,
            Self::SecondFactor,
            Self::UnknownFrontEnd,
            Self::Forbidden,
            Self::ForeignForm,
            Self::NotFound,
            Self::MethodNotAllowed,
            Self::BillAlreadyPaid,
            Self::PaymentEnded,
            Self::IdempotencyKeyReused,
            Self::IdempotencyKeyInUse,
            Self::TooManyStreams,
            Self::BillBeingPaid,
            Self::NotInReview,
            Self::FindingResolved,
            Self::JobNotDead,
            Self::JobWaits,
            Self::JobNotWaiting,
            Self::JobNeeded,
            Self::NotRefundable(String::new()),
            Self::MoneyOpen(String::new()),
            Self::RoomOccupied,
            Self::RoomCodeTaken,
            Self::EmailTaken,
            Self::Contended,
            Self::Malformed(String::new()),
            Self::Unprocessable(String::new()),
            Self::UnsupportedMediaType,
            Self::TooLarge,
            Self::TooSlow,
            Self::WrongSignature,
            Self::TooManyTries(RETRY_AFTER),
            Self::Overloaded,
            Self::Unavailable,
            Self::TimedOut,
            Self::Internal,
        ]
    }

    /// The last part of the problem's `type`.
    #[must_use]
    pub fn slug(&self) -> &'static str {
        self.face().slug
    }

    /// What the caller can do about it.
    #[must_use]
    pub fn help(&self) -> &'static str {
        self.face().help
    }

    /// The status of the answer.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.face().status
    }

    /// What happened, in a sentence.
    pub(crate) fn title(&self) -> &'static str {
        self.face().title
    }

    /// The body of the answer.
    pub(super) fn body(&self) -> Value {
        let Face { status, slug, title, .. } = self.face();
        let mut body =
            json!({ "type": format!("/problems/{slug}"), "title": title, "status": status.as_u16() });
        if let Some(detail) = self.detail() {
            body["detail"] = json!(detail);
        }
        body
    }

    /// What exactly is wrong, where the kind of problem does not say it.
    pub(crate) fn detail(&self) -> Option<&str> {
        match self {
            Self::Malformed(detail)
            | Self::Unprocessable(detail)
            | Self::NotRefundable(detail)
            | Self::MoneyOpen(detail) => Some(detail),
            _ => None,
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.status();
        let mut response = (status, Json(self.body())).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        let wait = match &self {
            Self::TooManyTries(pause) => Some(pause.as_secs().max(1)),
            Self::TooManyStreams => Some(RETRY_AFTER.as_secs()),
            _ if status == StatusCode::SERVICE_UNAVAILABLE => Some(RETRY_AFTER.as_secs()),
            _ => None,
        };
        if let Some(seconds) = wait {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        // Whoever answers people makes a page of it.
        response.extensions_mut().insert(self);
        response
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        if error.is_passing() {
            tracing::warn!(%error, "the database does not answer");
            Self::Unavailable
        } else {
            tracing::error!(%error, "the database refused");
            Self::Internal
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_has_a_name_of_its_own() {
        let all = Problem::all();
        let mut slugs: Vec<_> = all.iter().map(Problem::slug).collect();
        slugs.sort_unstable();
        slugs.dedup();
        assert_eq!(slugs.len(), all.len());
    }

    #[test]
    fn a_problem_that_passes_says_when_to_come_back() {
        let response = Problem::Unavailable.into_response();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()[header::RETRY_AFTER], "5");
    }
}
