//! The limits of a process: everything has one.

use std::time::Duration;

use serde::Deserialize;

use crate::http::{ConnectionLimits, Shares};

/// Smaller buffers are refused by the library that reads requests.
const HEAD_BYTES_MIN: usize = 8 * 1024;

/// Nobody who was shut out may come in for longer.
const REMEMBERED_MS_MAX: u64 = 60_000;

/// Limits. Everything has one.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Connections of callers at once.
    pub connections: usize,
    /// How long the head of a request may take to come in, in seconds.
    pub head_timeout_s: u64,
    /// The largest head of a request, in bytes.
    pub head_bytes: usize,
    /// Headers of a request.
    pub headers: usize,
    /// How long a connection is kept on which nobody asks for anything, in seconds.
    pub idle_timeout_s: u64,
    /// How long a request may stand still because its caller takes nothing of the answer, in seconds.
    pub stall_timeout_s: u64,
    /// Requests at once on one connection of HTTP/2.
    pub http2_streams: u32,
    /// The largest body of a request, in bytes.
    pub body_bytes: usize,
    /// How long a body may take to come in, in seconds.
    pub body_timeout_s: u64,
    /// Bytes of all bodies together that have come in and were not yet dealt with.
    pub bodies_bytes: usize,
    /// Requests answered at once; one more is answered with 503.
    pub requests_at_once: usize,
    /// Notifications taken at once, besides those; one more is answered with 503, and comes again.
    pub notifications_at_once: usize,
    /// The longest list in an answer.
    pub page_size: i64,
    /// How long a request may take, in seconds.
    pub request_timeout_s: u64,
    /// Connections to the database.
    pub db_connections: u32,
    /// Connections to PostgreSQL that only notifications use, besides those.
    pub notification_db_connections: u32,
    /// How long to wait for a connection to the database, in seconds.
    pub db_wait_s: u64,
    /// Jobs done at once in a process.
    pub jobs_at_once: usize,
    /// How long a job may take, in seconds. Longer than a call to the gateway.
    pub job_timeout_s: u64,
    /// How long a lease lasts, in seconds; a killed worker's jobs run elsewhere after it.
    pub lease_s: u64,
    /// Passwords hashed at once; each takes 19 MiB.
    pub hashings_at_once: usize,
    /// Passwords that wait to be hashed; one more is answered with 503.
    pub hashings_waiting: usize,
    /// Requests with `Prefer: wait` that wait at once; one more is answered without waiting.
    pub waiting_requests: usize,
    /// Streams of events at once; one more is answered with 429.
    pub event_streams: usize,
    /// How long a process remembers who callers are, what their access tokens say and which ways to pay there are, in
    /// milliseconds; 0: not at all. What another process changes counts so much later.
    pub remembered_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 2_000,
            head_timeout_s: 10,
            head_bytes: 16 * 1024,
            headers: 100,
            idle_timeout_s: 75,
            stall_timeout_s: 60,
            http2_streams: 32,
            body_bytes: 64 * 1024,
            body_timeout_s: 10,
            bodies_bytes: 32 * 1024 * 1024,
            requests_at_once: 256,
            notifications_at_once: 64,
            page_size: 200,
            request_timeout_s: 15,
            db_connections: 10,
            notification_db_connections: 4,
            db_wait_s: 3,
            jobs_at_once: 16,
            job_timeout_s: 45,
            lease_s: 6,
            hashings_at_once: 2,
            hashings_waiting: 192,
            waiting_requests: 500,
            event_streams: 1_000,
            remembered_ms: 1_000,
        }
    }
}

impl Limits {
    pub(super) fn check(&self, mistakes: &mut Vec<String>) {
        let positive = [
            ("connections", self.connections > 0),
            ("head_timeout_s", self.head_timeout_s > 0),
            ("headers", self.headers > 0),
            ("idle_timeout_s", self.idle_timeout_s > 0),
            ("http2_streams", self.http2_streams > 0),
            ("body_bytes", self.body_bytes > 0),
            ("body_timeout_s", self.body_timeout_s > 0),
            ("requests_at_once", self.requests_at_once > 0),
            ("notifications_at_once", self.notifications_at_once > 0),
            ("page_size", self.page_size > 0),
            ("request_timeout_s", self.request_timeout_s > 0),
            ("db_connections", self.db_connections > 0),
            ("notification_db_connections", self.notification_db_connections > 0),
            ("jobs_at_once", self.jobs_at_once > 0),
            ("lease_s", self.lease_s > 0),
            ("hashings_at_once", self.hashings_at_once > 0),
        ];
        let zeros = positive.iter().filter(|(_, good)| !good);
        mistakes.extend(zeros.map(|(name, _)| format!("limits.{name} is 0")));
        if self.remembered_ms > REMEMBERED_MS_MAX {
            mistakes.push(format!("limits.remembered_ms is more than {REMEMBERED_MS_MAX}"));
        }
        if self.head_bytes < HEAD_BYTES_MIN {
            mistakes.push(format!("limits.head_bytes is less than {HEAD_BYTES_MIN}"));
        }
        if self.bodies_bytes < self.body_bytes {
            mistakes.push("limits.bodies_bytes is less than limits.body_bytes".to_owned());
        }
        if self.stall_timeout_s <= self.body_timeout_s.saturating_add(self.request_timeout_s) {
            mistakes.push(
                "limits.stall_timeout_s is not longer than limits.body_timeout_s and limits.request_timeout_s \
                 together"
                    .to_owned(),
            );
        }
    }

    /// How long what hardly ever changes is remembered.
    #[must_use]
    pub fn remembered(&self) -> Duration {
        Duration::from_millis(self.remembered_ms)
    }

    /// The limits of the connections.
    #[must_use]
    pub fn of_connections(&self) -> ConnectionLimits {
        ConnectionLimits {
            at_once: self.connections,
            head: Duration::from_secs(self.head_timeout_s),
            idle: Duration::from_secs(self.idle_timeout_s),
            stall: Duration::from_secs(self.stall_timeout_s),
            head_bytes: self.head_bytes,
            headers: self.headers,
            streams: self.http2_streams,
        }
    }

    /// How much may be asked for at once.
    #[must_use]
    pub fn shares(&self) -> Shares {
        Shares {
            requests: self.requests_at_once,
            notifications: self.notifications_at_once,
            body_bytes: self.bodies_bytes,
            body_timeout: Duration::from_secs(self.body_timeout_s),
        }
    }
}
