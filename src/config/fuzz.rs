//! Configurations as nobody should write them: mistakes are told, and what is taken can be used.

use clock::{delta, from_millis};
use proptest::prelude::*;
use proptest::sample::select;
use tokio::sync::Semaphore;

use super::*;

const VARIABLES: [&str; 19] = [
    "DATABASE_URL",
    "REDIS_URL",
    "KASIR_ADDR",
    "KASIR_PUBLIC_URL",
    "KASIR_SIMULATOR_ADDR",
    "KASIR_TLS_CERT",
    "KASIR_TLS_KEY",
    "MIDTRANS_SERVER_KEY",
    "MIDTRANS_CLIENT_KEY",
    "MIDTRANS_BASE_URL",
    "MIDTRANS_PAGE_URL",
    "MIDTRANS_NOTIFICATION_KEYS",
    "API_KEYS",
    "API_KEYS_FILE",
    "KASIR_SECRET",
    "KASIR_DATA_KEYS",
    "KASIR_SECRET_FILE",
    "KASIR_OIDC_CLIENT_SECRET",
    "KASIR_OIDC_CLIENT_SECRET_FILE",
];

/// The example file with another value behind each of some names.
fn changed(changes: &[(prop::sample::Index, String)]) -> String {
    let mut lines: Vec<String> =
        include_str!("../../kasir.example.toml").lines().map(str::to_owned).collect();
    let places: Vec<usize> = (0..lines.len()).filter(|place| lines[*place].contains(" = ")).collect();
    for (index, value) in changes {
        let place = places[index.index(places.len())];
        let (name, _) = lines[place].split_once(" = ").unwrap();
        lines[place] = format!("{name} = {value}");
    }
    lines.join("\n")
}

fn value() -> impl Strategy<Value = String> {
    let numbers = [
        "0",
        "1",
        "-1",
        "59",
        "86400",
        "4294967296",
        "9223372036854775807",
        "18446744073709551615",
        "1.5",
        "inf",
    ];
    prop_oneof![
        3 => select(numbers.map(str::to_owned).to_vec()),
        1 => any::<u32>().prop_map(|number| number.to_string()),
        1 => select(vec!["true", "\"x\"", "[]", "[3, 1]", "[9223372036854775807]", "{}", "2026-11-24", ""]).prop_map(str::to_owned),
        1 => "[ -~]{0,12}",
    ]
}

/// Takes every value where the program takes it.
fn used(config: &Config) {
    let file = &config.file;
    let now = from_millis(1_800_000_000_000);
    let jobs = file.job_limits();
    for time in [
        jobs.lease,
        jobs.job_timeout,
        config.request_timeout(),
        file.reconcile_back(),
        file.retention().calls,
    ] {
        let _later = (now + delta(time), now - delta(time));
    }
    let limits = &file.limits;
    for places in
        [limits.jobs_at_once, limits.hashings_at_once, limits.waiting_requests, limits.event_streams]
    {
        assert!(places <= Semaphore::MAX_PERMITS, "{places} places");
    }
    let schedule = file.poll_schedule();
    let all =
        [&schedule.after_charge, &schedule.after_expiry, &schedule.after_settlement, &schedule.after_capture];
    for time in all.into_iter().flatten().chain([&schedule.every]) {
        let _later = now + delta(*time);
    }
    let _taken = (file.rules(), file.call_limits(), file.terms(), config.sqlite_file().map(Path::to_owned));
}

proptest! {
    #[test]
    fn what_a_file_says_is_told_as_a_mistake_or_can_be_used(
        changes in prop::collection::vec((any::<prop::sample::Index>(), value()), 1..4),
    ) {
        if let Ok(config) = Config::from_parts(&|_| None, &changed(&changes)) {
            used(&config);
        }
    }

    #[test]
    fn no_environment_and_no_file_make_it_panic_or_tell_a_secret(
        given in prop::collection::vec((select(VARIABLES.to_vec()), "(SB-|sqlite:|postgres://|https?://)?[ -~é]{0,30}"), 0..8),
        text in "[\\[\\]a-z_.]{0,12}( = )?[ -~]{0,12}",
        key in "[A-Za-z0-9]{20,40}",
    ) {
        let env = |name: &str| {
            let found = given.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone());
            let is_secret = ["MIDTRANS_SERVER_KEY", "MIDTRANS_CLIENT_KEY", "KASIR_SECRET", "KASIR_OIDC_CLIENT_SECRET"].contains(&name);
            found.map(|value| if is_secret { format!("{value}hush{key}") } else { value })
        };
        let shown = match Config::from_parts(&env, &text) {
            Ok(config) => {
                used(&config);
                format!("{config:?}")
            }
            Err(mistakes) => mistakes.to_string(),
        };
        let secret = format!("hush{key}");
        prop_assert!(!shown.contains(&secret), "{}", shown);
    }
}
