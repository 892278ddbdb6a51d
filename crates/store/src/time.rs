//! Times as the tables keep them: milliseconds since 1970.

use std::time::Duration;

use chrono::DateTime;
use domain::Time;

/// The clocks of our processes differ by less than this.
pub const CLOCKS_DIFFER_BY: Duration = Duration::from_secs(60);

pub(crate) fn millis(at: Time) -> i64 {
    at.timestamp_millis()
}

pub(crate) fn opt_millis(at: Option<Time>) -> Option<i64> {
    at.map(millis)
}

pub(crate) fn from_millis(ms: i64) -> Time {
    DateTime::from_timestamp_millis(ms).unwrap_or_default()
}

pub(crate) fn opt_from_millis(ms: Option<i64>) -> Option<Time> {
    ms.map(from_millis)
}
