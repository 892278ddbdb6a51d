//! What can go wrong: when the client is built, and when the gateway is called.

use std::time::Duration;

/// The client cannot be built from these settings. The text never shows the settings themselves.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The base URL is not one of a gateway.
    #[error("the gateway's base URL {0}")]
    BaseUrl(&'static str),
    /// The server key cannot be one.
    #[error("the server key {0}")]
    ServerKey(&'static str),
    /// The HTTP client cannot be built: no TLS provider, or no roots.
    #[error("no HTTP client: {0}")]
    Client(String),
}

/// A call that gave no report. Each variant tells what the gateway may have done (contract §1, §5).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The request never left this machine: connection refused, no such name, connect time-out, an id that fits no
    /// path.
    #[error("not sent: {0}")]
    NotSent(String),
    /// The gateway may or may not have done it: time-out, cut connection, 5xx, a body that is not the gateway's
    /// JSON or tells of another transaction. Ask GET status.
    #[error("outcome unknown: {0}")]
    Unknown(String),
    /// Our own gate did not let the call go: nothing was sent.
    #[error("held back, because the gateway has enough to do or does not answer")]
    Held {
        /// After how long to try again.
        retry_after: Duration,
    },
    /// 429: nothing was done (contract §1).
    #[error("the gateway wants us to slow down")]
    RateLimited {
        /// How long the gateway asks to wait, an hour at most; usually it does not say.
        retry_after: Option<Duration>,
    },
    /// HTTP 202 without a transaction: the first call with this `Idempotency-Key` still runs (contract §1).
    #[error("the first call with the same idempotency key still runs")]
    Running,
    /// Body 404, but for a charge (contract §3).
    #[error("the gateway has no such transaction")]
    NoSuchTransaction,
    /// Body 406: the order id is in use (contract §2).
    #[error("the gateway has a transaction of this order already")]
    Duplicate,
    /// Body 412: the state of the transaction does not allow it (contract §4).
    #[error("the gateway cannot change this transaction any more")]
    Unchangeable,
    /// The gateway refused and would refuse again: body 400, 402, 408 to 411, 413, 414, 501, and 404 to a charge
    /// (contract §5). Nothing was done.
    #[error("the gateway refused ({code}): {message} {details:?}")]
    Refused {
        /// The body's `status_code`.
        code: String,
        /// The body's `status_message`, for people; its wording is not stable.
        message: String,
        /// The body's `validation_messages`.
        details: Vec<String>,
    },
    /// Key, host or path is wrong: 401, 403, 405, HTTP 3xx, an HTTP 404 that is not the gateway's JSON. Nothing was
    /// done.
    #[error("the gateway is not set up right ({code}): {message}")]
    Misconfigured {
        /// The body's `status_code`, or the HTTP status.
        code: String,
        /// What came back, for people.
        message: String,
    },
}
