//! Every failure that a caller sees, as `application/problem+json` (RFC 9457).

use std::sync::Arc;
use std::time::Duration;

use axum::extract::Path;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use store::StoreError;

use super::App;

/// The pages that explain the problems.
pub(super) fn routes() -> Router<Arc<App>> {
    Router::new().route("/problems/{slug}", get(explain))
}

/// What a problem of this name means and what to do about it: the page behind a problem's `type`.
async fn explain(Path(slug): Path<String>) -> Result<String, Problem> {
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
    /// The money cannot be given back, or not so much of it.
    NotRefundable(String),
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
    /// The signature of a notification is wrong.
    WrongSignature,
    /// Many log-ins failed lately; wait so long.
    TooManyTries(Duration),
    /// Something we depend on does not answer; try again after a while.
    Unavailable,
    /// It took too long.
    TimedOut,
    /// A fault of ours.
    Internal,
}

/// How long a caller should wait before it tries again.
const RETRY_AFTER: Duration = Duration::from_secs(5);

struct Face {
    status: StatusCode,
    slug: &'static str,
    title: &'static str,
    help: &'static str,
}

impl Problem {
    /// One of each kind, for the pages that explain them.
    #[must_use]
    pub fn all() -> Vec<Self> {
        vec![
            Self::Unauthenticated,
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
            Self::NotRefundable(String::new()),
            Self::RoomOccupied,
            Self::RoomCodeTaken,
            Self::EmailTaken,
            Self::Contended,
            Self::Malformed(String::new()),
            Self::Unprocessable(String::new()),
            Self::UnsupportedMediaType,
            Self::TooLarge,
            Self::WrongSignature,
            Self::TooManyTries(RETRY_AFTER),
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
            Self::Malformed(detail) | Self::Unprocessable(detail) | Self::NotRefundable(detail) => {
                Some(detail)
            }
            _ => None,
        }
    }

    #[expect(clippy::too_many_lines, reason = "one table")]
    fn face(&self) -> Face {
        let (status, slug, title, help) = match self {
            Self::Unauthenticated => (
                StatusCode::UNAUTHORIZED,
                "unauthenticated",
                "The e-mail address or the password is missing or wrong",
                "Send `Authorization: Bearer` with an access token of POST /api/login, or the headers `email` and `password`.",
            ),
            Self::UnknownFrontEnd => (
                StatusCode::UNAUTHORIZED,
                "unknown-front-end",
                "The front end is not known",
                "Send the header `x-api-key` with a key from API_KEYS.",
            ),
            Self::Forbidden => (
                StatusCode::FORBIDDEN,
                "forbidden",
                "This is for another role",
                "Log in as somebody who may do this: tenants pay, admins run the house.",
            ),
            Self::ForeignForm => (
                StatusCode::FORBIDDEN,
                "foreign-form",
                "The form is not of a page of this session",
                "Load the page of the dashboard again, and send the form from there.",
            ),
            Self::NotFound => (
                StatusCode::NOT_FOUND,
                "not-found",
                "There is no such thing",
                "Check the path and the id. What belongs to another tenant is not there either.",
            ),
            Self::MethodNotAllowed => (
                StatusCode::METHOD_NOT_ALLOWED,
                "method-not-allowed",
                "The path does not take this method",
                "The header `Allow` of the answer says what it takes.",
            ),
            Self::BillAlreadyPaid => {
                (StatusCode::CONFLICT, "bill-already-paid", "The bill is paid", "There is nothing to do.")
            }
            Self::PaymentEnded => (
                StatusCode::CONFLICT,
                "payment-ended",
                "The payment has ended",
                "GET /api/payment/{invoice} says how. There is nothing to give up.",
            ),
            Self::IdempotencyKeyReused => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "idempotency-key-reused",
                "The Idempotency-Key was used for another request",
                "Draw a new key for each request, and send the same one only with the same path and body.",
            ),
            Self::IdempotencyKeyInUse => (
                StatusCode::CONFLICT,
                "idempotency-key-in-use",
                "The first request with this Idempotency-Key still runs",
                "Send the same request again in a second: its answer is kept.",
            ),
            Self::TooManyStreams => (
                StatusCode::TOO_MANY_REQUESTS,
                "too-many-streams",
                "As many listen to events as may",
                "Try again after the time in `Retry-After`, or ask GET /api/payment/{invoice} now and then.",
            ),
            Self::BillBeingPaid => (
                StatusCode::CONFLICT,
                "bill-being-paid",
                "The bill is being paid",
                "Wait until the payment has ended, or cancel it first.",
            ),
            Self::NotInReview => (
                StatusCode::CONFLICT,
                "not-in-review",
                "The payment waits for nobody's decision",
                "Look at how it stands now: only a card payment under challenge, or only authorised, can be decided.",
            ),
            Self::FindingResolved => (
                StatusCode::CONFLICT,
                "finding-resolved",
                "Somebody has dealt with the finding",
                "GET /api/admin/findings says who, and what was done.",
            ),
            Self::NotRefundable(_) => (
                StatusCode::CONFLICT,
                "not-refundable",
                "The gateway does not give this back",
                "`detail` says why, and how much can be given back.",
            ),
            Self::RoomOccupied => (
                StatusCode::CONFLICT,
                "room-occupied",
                "Somebody lives in the room",
                "Move the tenant to another room or let them go first, or take a room that is available.",
            ),
            Self::RoomCodeTaken => (
                StatusCode::CONFLICT,
                "room-code-taken",
                "Another room has this code",
                "Choose another code; GET /api/admin/rooms lists those that are taken.",
            ),
            Self::EmailTaken => (
                StatusCode::CONFLICT,
                "email-taken",
                "Another person has this e-mail address",
                "Use another address, or change that of the other person first.",
            ),
            Self::Contended => (
                StatusCode::CONFLICT,
                "contended",
                "Others changed the same thing at the same time",
                "Look at how it stands now, and try again.",
            ),
            Self::Malformed(_) => (
                StatusCode::BAD_REQUEST,
                "malformed",
                "The request cannot be read",
                "`detail` says where reading stopped.",
            ),
            Self::Unprocessable(_) => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "unprocessable",
                "The request makes no sense",
                "`detail` says which field is wrong and what it should be.",
            ),
            Self::UnsupportedMediaType => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported-media-type",
                "The body is not JSON",
                "Send `Content-Type: application/json`.",
            ),
            Self::TooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "too-large",
                "The body is too large",
                "Bodies have at most 64 KiB, unless `limits.body_bytes` says otherwise.",
            ),
            Self::WrongSignature => (
                StatusCode::UNAUTHORIZED,
                "wrong-signature",
                "The signature is not ours",
                "Sign with a key of MIDTRANS_NOTIFICATION_KEYS; by default that is the server key.",
            ),
            Self::TooManyTries(_) => (
                StatusCode::TOO_MANY_REQUESTS,
                "too-many-tries",
                "Many log-ins failed lately",
                "Wait for the time in `Retry-After`, then try again with the right password.",
            ),
            Self::Unavailable => (
                StatusCode::SERVICE_UNAVAILABLE,
                "unavailable",
                "The service cannot do this now",
                "Try again after the time in `Retry-After`. Nothing was done.",
            ),
            Self::TimedOut => (
                StatusCode::SERVICE_UNAVAILABLE,
                "timed-out",
                "This took too long",
                "Try again after the time in `Retry-After`. It may or may not have been done; doing it again is safe.",
            ),
            Self::Internal => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "internal",
                "A fault of the service",
                "Tell the operator the `x-request-id` of the answer.",
            ),
        };
        Face { status, slug, title, help }
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
