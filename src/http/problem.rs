//! Every failure that a caller sees, as `application/problem+json` (RFC 9457).

use std::time::Duration;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use store::StoreError;

/// A failure that a caller sees. The cause is logged here, once, and never shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// No credentials, or wrong ones.
    Unauthenticated,
    /// The `x-api-key` of the front end is missing or wrong.
    UnknownFrontEnd,
    /// The person is known and may not do this.
    Forbidden,
    /// There is no such thing, or it belongs to another tenant.
    NotFound,
    /// The path is there, the method is not.
    MethodNotAllowed,
    /// The bill is paid already.
    BillAlreadyPaid,
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
            Self::NotFound,
            Self::MethodNotAllowed,
            Self::BillAlreadyPaid,
            Self::Contended,
            Self::Malformed(String::new()),
            Self::Unprocessable(String::new()),
            Self::UnsupportedMediaType,
            Self::TooLarge,
            Self::WrongSignature,
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

    #[expect(clippy::too_many_lines, reason = "one table")]
    fn face(&self) -> Face {
        let (status, slug, title, help) = match self {
            Self::Unauthenticated => (
                StatusCode::UNAUTHORIZED,
                "unauthenticated",
                "The e-mail address or the password is missing or wrong",
                "Send the headers `email` and `password`.",
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
        let Face { status, slug, title, .. } = self.face();
        let mut body =
            json!({ "type": format!("/problems/{slug}"), "title": title, "status": status.as_u16() });
        if let (Self::Malformed(detail) | Self::Unprocessable(detail), Some(body)) =
            (&self, body.as_object_mut())
        {
            body.insert("detail".to_owned(), json!(detail));
        }
        let mut response = (status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER.as_secs()));
        }
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
