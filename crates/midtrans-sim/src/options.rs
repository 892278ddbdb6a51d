//! What a simulator is told before it starts.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clock::Clock;

/// The intervals between the attempts to deliver one notification (contract, section 7).
pub const RETRY_INTERVALS: [Duration; 5] = [
    Duration::from_secs(2 * 60),
    Duration::from_secs(10 * 60),
    Duration::from_secs(30 * 60),
    Duration::from_secs(90 * 60),
    Duration::from_secs(210 * 60),
];

/// How long the gateway waits for the answer to a notification (contract, section 7).
const ANSWER_WITHIN: Duration = Duration::from_secs(15);

/// What a simulator is told before it starts.
#[derive(Clone)]
pub struct Options {
    /// Where to listen; port 0 takes a free one.
    pub address: SocketAddr,
    /// The key merchants authenticate with and notifications are signed with.
    pub server_key: String,
    /// The browser's key, for card tokens only.
    pub client_key: String,
    /// The merchant the server key belongs to.
    pub merchant_id: String,
    /// The Payment Notification URL of the dashboard; without one nobody is told anything.
    pub notification_url: Option<String>,
    /// Drives expiry, retries and the five minutes of an idempotency key.
    pub clock: Clock,
    /// Where the world survives a restart; without one it is forgotten.
    pub state_file: Option<PathBuf>,
    /// The longest wait before the second, third, ... attempt; each wait is drawn between half and the whole.
    pub retry_intervals: Vec<Duration>,
    /// How long a notification waits for the merchant's answer, by the machine's clock.
    pub answer_within: Duration,
    /// The HTTP client of the notifications, for whoever starts many simulators; each makes its own otherwise.
    pub client: Option<reqwest::Client>,
    /// Divides every retry interval, so that a demonstration need not take hours.
    pub retry_speedup: u32,
}

impl Options {
    /// A simulator on a free local port with the sandbox's kind of keys.
    #[must_use]
    pub fn local(clock: Clock) -> Self {
        Self {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            server_key: "SB-Mid-server-simulator".to_owned(),
            client_key: "SB-Mid-client-simulator".to_owned(),
            merchant_id: "G812785002".to_owned(),
            notification_url: None,
            clock,
            state_file: None,
            retry_intervals: RETRY_INTERVALS.to_vec(),
            answer_within: ANSWER_WITHIN,
            client: None,
            retry_speedup: 1,
        }
    }

    /// How long to wait after attempt number `attempt` (the first is 1) failed.
    pub(crate) fn wait_after(&self, attempt: u32) -> Duration {
        let step = usize::try_from(attempt.saturating_sub(1)).unwrap_or(usize::MAX);
        let longest = self.retry_intervals.get(step).or(self.retry_intervals.last()).copied();
        self.clock.jitter(longest.unwrap_or_default()) / self.retry_speedup.max(1)
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("address", &self.address)
            .field("server_key", &"***")
            .field("client_key", &self.client_key)
            .field("merchant_id", &self.merchant_id)
            .field("notification_url", &self.notification_url)
            .field("clock", &self.clock)
            .field("state_file", &self.state_file)
            .field("retry_intervals", &self.retry_intervals)
            .field("answer_within", &self.answer_within)
            .field("retry_speedup", &self.retry_speedup)
            .finish()
    }
}
