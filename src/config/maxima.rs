//! The most that `kasir.toml` may ask for: beyond it a limit is none, and a number would not fit where it is used.

use super::File;

/// A day, in seconds.
const SECONDS_MAX: u64 = 86_400;
const BYTES_MAX: usize = 1024 * 1024 * 1024;
const AT_ONCE_MAX: usize = 1_000_000;

pub(super) fn check(file: &File, mistakes: &mut Vec<String>) {
    let File { limits, schedule, gateway, .. } = file;
    let seconds = [
        ("limits.head_timeout_s", limits.head_timeout_s),
        ("limits.idle_timeout_s", limits.idle_timeout_s),
        ("limits.stall_timeout_s", limits.stall_timeout_s),
        ("limits.body_timeout_s", limits.body_timeout_s),
        ("limits.request_timeout_s", limits.request_timeout_s),
        ("limits.db_wait_s", limits.db_wait_s),
        ("limits.job_timeout_s", limits.job_timeout_s),
        ("limits.lease_s", limits.lease_s),
        ("schedule.on_read_s", schedule.on_read_s),
        ("gateway.connect_timeout_s", gateway.connect_timeout_s),
        ("gateway.timeout_s", gateway.timeout_s),
    ];
    let too_long = seconds.iter().filter(|(_, seconds)| *seconds > SECONDS_MAX);
    mistakes.extend(too_long.map(|(name, _)| format!("{name} is more than a day")));
    let at_once = [
        ("limits.connections", limits.connections),
        ("limits.headers", limits.headers),
        ("limits.requests_at_once", limits.requests_at_once),
        ("limits.notifications_at_once", limits.notifications_at_once),
        ("limits.hashings_waiting", limits.hashings_waiting),
        ("limits.jobs_at_once", limits.jobs_at_once),
        ("limits.hashings_at_once", limits.hashings_at_once),
        ("limits.waiting_requests", limits.waiting_requests),
        ("limits.event_streams", limits.event_streams),
    ];
    let too_many = at_once.iter().filter(|(_, count)| *count > AT_ONCE_MAX);
    mistakes.extend(too_many.map(|(name, _)| format!("{name} is more than {AT_ONCE_MAX}")));
    let bytes = [
        ("limits.head_bytes", limits.head_bytes),
        ("limits.body_bytes", limits.body_bytes),
        ("limits.bodies_bytes", limits.bodies_bytes),
    ];
    let too_large = bytes.iter().filter(|(_, bytes)| *bytes > BYTES_MAX);
    mistakes.extend(too_large.map(|(name, _)| format!("{name} is more than {BYTES_MAX}")));
}
