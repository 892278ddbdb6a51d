//! The table of problems: the status, the name and the words of each.

use axum::http::StatusCode;

use super::Problem;

/// How a problem looks to a caller.
pub(super) struct Face {
    pub(super) status: StatusCode,
    pub(super) slug: &'static str,
    pub(super) title: &'static str,
    pub(super) help: &'static str,
}

impl Problem {
    #[expect(clippy::too_many_lines, reason = "one table")]
    pub(super) fn face(&self) -> Face {
        let (status, slug, title, help) = match self {
            Self::Unauthenticated => (
                StatusCode::UNAUTHORIZED,
                "unauthenticated",
                "The e-mail address or the password is missing or wrong",
                "Send `Authorization: Bearer` with an access token of POST /api/login, or the headers `email` and `password`.",
            ),
            Self::SecondFactor => (
                StatusCode::UNAUTHORIZED,
                "second-factor",
                "A one-time code is missing, is wrong, or was used before",
                "Send `code` with the address and the password to POST /api/login. The headers let nobody in who has a second factor.",
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
            Self::JobNotDead => (
                StatusCode::CONFLICT,
                "job-not-dead",
                "The job is not dead",
                "Only a dead job is tried again by hand; one that waits can be run now.",
            ),
            Self::JobWaits => (
                StatusCode::CONFLICT,
                "job-waits",
                "The same work waits already",
                "Leave it to the job that waits or runs; GET /api/admin/jobs shows it. The dead one can be cancelled.",
            ),
            Self::JobNotWaiting => (
                StatusCode::CONFLICT,
                "job-not-waiting",
                "The job does not wait",
                "Look at how it stands now: what runs cannot be stopped, and what has ended is over.",
            ),
            Self::JobNeeded => (
                StatusCode::CONFLICT,
                "job-needed",
                "Nothing else would do this work",
                "Let it run, or have it tried again: cancelled, its payment, notification or comparison would be forgotten.",
            ),
            Self::NotRefundable(_) => (
                StatusCode::CONFLICT,
                "not-refundable",
                "The gateway does not give this back",
                "`detail` says why, and how much can be given back.",
            ),
            Self::MoneyOpen(_) => (
                StatusCode::CONFLICT,
                "money-open",
                "The tenant's money is not over yet",
                "`detail` says what is open. Have the bill paid or void it, let the payment or the refund end; then try again.",
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
            Self::TooSlow => (
                StatusCode::REQUEST_TIMEOUT,
                "too-slow",
                "The body did not come in time",
                "Send it in one go; `limits.body_timeout_s` says how long it may take.",
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
            Self::Overloaded => (
                StatusCode::SERVICE_UNAVAILABLE,
                "overloaded",
                "All that can be done at once is being done",
                "Try again after the time in `Retry-After`. Nothing was done.",
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
