//! `kasir doctor`, as an operator types it, in houses that are well and in houses that are not.

use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse as _, Response};
use clock::Clock;
use midtrans_sim::{Options, Simulator};
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio_rustls::rustls::version::{TLS12, TLS13};

use crate::embedded::Embedded;
use crate::kost::Kost;
use crate::process::{Kasir, Start, built};
use crate::servers::free_port;
use crate::tls::Front;
use crate::waiting::{eventually, s};

const PATH: &str = "/api/midtrans-notification";
/// The checks in the order in which they are told.
const CHECKS: [&str; 11] = [
    "configuration",
    "database",
    "Redis",
    "gateway",
    "server key",
    "clock",
    "notification URL",
    "notification answer",
    "signed notification",
    "worker",
    "wrong signature",
];

/// What a run said.
struct Told {
    text: String,
    code: Option<i32>,
}

impl Told {
    /// The verdict of a check and all that was said of it.
    #[track_caller]
    fn check(&self, name: &str) -> (String, String) {
        let report: Value = serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("{}", self.text));
        let checks = report["checks"].as_array().unwrap();
        let check = checks.iter().find(|check| check["check"] == name);
        let check = check.unwrap_or_else(|| panic!("no {name}: {}", self.text));
        let words = [&check["found"], &check["advice"]].map(|words| words.as_str().unwrap_or_default());
        (check["verdict"].as_str().unwrap().to_owned(), words.join(" -> "))
    }

    #[track_caller]
    fn assert(&self, name: &str, verdict: &str, words: &[&str]) {
        let (found, said) = self.check(name);
        assert_eq!(found, verdict, "{name}: {said}");
        for word in words {
            assert!(said.contains(word), "{name} does not say {word:?}: {said}");
        }
    }

    /// Every check but these is well.
    #[track_caller]
    fn assert_well_but(&self, others: &[&str]) {
        for name in CHECKS.iter().filter(|name| !others.contains(name)) {
            self.assert(name, "ok", &[]);
        }
    }
}

/// Runs `kasir doctor`, with this environment and nothing else.
async fn doctor(dir: &Path, environment: &[(&str, String)], words: &[&str]) -> Told {
    let begun = Instant::now();
    let mut command = Command::new(env!("CARGO_BIN_EXE_kasir"));
    command.arg("doctor").args(words).env_clear().current_dir(dir).stdin(Stdio::null());
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    let ended = command.output().await.unwrap();
    assert!(begun.elapsed() < s(40), "it took {:?}", begun.elapsed());
    let text = String::from_utf8(ended.stdout).unwrap();
    let complaint = String::from_utf8_lossy(&ended.stderr);
    assert!(!complaint.contains("panicked"), "{complaint}");
    Told { text: if text.is_empty() { complaint.into_owned() } else { text }, code: ended.status.code() }
}

/// A house on SQLite with a simulator of its own.
pub(crate) struct House {
    pub(crate) dir: TempDir,
    sim: Simulator,
    pub(crate) port: u16,
    pub(crate) environment: Vec<(&'static str, String)>,
}

impl House {
    pub(crate) async fn open() -> Self {
        let clock = Clock::system();
        let key = format!("SB-Mid-server-{}", clock.ulid());
        let dir = tempfile::tempdir().unwrap();
        let options = Options { server_key: key.clone(), ..Options::local(clock.clone()) };
        let sim = Simulator::start(options).await.unwrap();
        let port = free_port();
        let environment = vec![
            ("DATABASE_URL", format!("sqlite://{}/kasir.db", dir.path().display())),
            ("KASIR_ADDR", format!("127.0.0.1:{port}")),
            ("MIDTRANS_BASE_URL", sim.base_url().to_owned()),
            ("MIDTRANS_SERVER_KEY", key),
            ("API_KEYS", format!("web=front-end-{}", clock.ulid())),
            ("KASIR_SECRET", format!("secret-{}{}", clock.ulid(), clock.ulid())),
        ];
        Self { dir, sim, port, environment }
    }

    /// Starts a role, and waits until somebody answers.
    pub(crate) async fn start(&self, role: &str) -> Kasir {
        let start = Start {
            program: built(),
            role: Some(role),
            environment: &self.environment,
            dir: self.dir.path(),
            name: role,
        };
        let process = start.start();
        eventually(s(20), "it answers", async || {
            match tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await {
                Ok(_) => Ok(()),
                Err(error) => Err(format!("{error}; {}", process.logged())),
            }
        })
        .await;
        process
    }

    async fn migrate(&self) {
        let environment = &self.environment;
        let start = Start {
            program: built(),
            role: Some("migrate"),
            environment,
            dir: self.dir.path(),
            name: "migrate",
        };
        assert!(start.start().ends_within(s(20)).await.success());
    }

    /// Changes the environment of what is started from now on.
    pub(crate) fn set(&mut self, name: &'static str, value: impl Into<String>) {
        self.environment.retain(|(known, _)| *known != name);
        self.environment.push((name, value.into()));
    }

    /// What `kasir doctor --json` says. No key may be in it.
    async fn doctor(&self, words: &[&str]) -> Told {
        let told = doctor(self.dir.path(), &self.environment, &[&["--json"], words].concat()).await;
        let secrets = ["MIDTRANS_SERVER_KEY", "MIDTRANS_NOTIFICATION_KEYS", "API_KEYS", "KASIR_SECRET"];
        let secrets = self.environment.iter().filter(|(name, _)| secrets.contains(name));
        for secret in secrets.flat_map(|(_, value)| value.split(['=', ','])).filter(|text| text.len() > 8) {
            assert!(!told.text.contains(secret), "a secret is told: {}", told.text);
        }
        told
    }
}

/// What a stranger says to every request.
type Answer = fn() -> Response;

/// Answers every request in one way; gives where.
async fn stranger(answer: Answer) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().fallback(async move || answer());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    url
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bare_machine_is_well_once_kasir_serves_and_nothing_is_made_before() {
    let kasir = Embedded::prepare();
    let told = doctor(kasir.path(), &kasir.environment, &["--json"]).await;
    told.assert("database", "failed", &["no file", "kasir serve"]);
    told.assert("gateway", "failed", &["simulator", "kasir serve"]);
    told.assert("notification URL", "failed", &["KASIR_ADDR"]);
    told.assert("signed notification", "skipped", &[]);
    assert_eq!(told.code, Some(1));
    assert_eq!(std::fs::read_dir(kasir.path()).unwrap().count(), 0, "it made a file");

    let _process = kasir.start("first").await;
    let told = doctor(kasir.path(), &kasir.environment, &[]).await;
    assert_eq!(told.code, Some(0), "{}", told.text);
    println!("{}", told.text);
    let lines: Vec<&str> = told.text.lines().collect();
    let mut checks = CHECKS.to_vec();
    checks.insert(2, "data keys");
    assert_eq!(lines.len(), checks.len() + 2, "{}", told.text);
    for (line, name) in lines.iter().zip(checks) {
        let verdict = if ["Redis", "data keys"].contains(&name) { "skipped" } else { "ok" };
        assert!(line.starts_with(&format!("{verdict:<8} {name:<20} ")), "{line}");
    }
    assert!(told.text.contains("only the local address was checked"));
    assert!(lines[13].contains("as it should be"));
    let secret = std::fs::read_to_string(kasir.path().join("kasir.secret")).unwrap();
    assert!(!told.text.contains(secret.trim()) && !told.text.contains("SB-Mid"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_house_on_postgresql_and_redis_is_well_until_redis_or_the_gateway_is_gone() {
    let mut kost = Kost::with_tenants(1).await;
    let port = free_port();
    let _api = kost.start_api(port).await;
    let _worker = kost.start_worker();
    let dir = tempfile::tempdir().unwrap();
    let told = doctor(dir.path(), &kost.environment(port), &["--json"]).await;
    told.assert_well_but(&[]);
    told.assert("database", "ok", &["PostgreSQL"]);
    // A sandbox whose people are in plain text. With real money that would be a failure.
    told.assert("data keys", "warning", &["kasir key new"]);
    assert_eq!(told.code, Some(0));
    let key = ("KASIR_DATA_KEYS", store::DataKey::text("k1", [1; 32]).expose().to_owned());
    let keyed = [&kost.environment(port)[..], &[key]].concat();
    doctor(dir.path(), &keyed, &["--json"]).await.assert("data keys", "ok", &["k1 seals"]);
    assert!(kost.secrets().iter().all(|secret| !told.text.contains(secret)), "{}", told.text);

    kost.redis.kill().await;
    let mut environment = kost.environment(port);
    environment[3].1 = format!("http://127.0.0.1:{}", free_port());
    let told = doctor(dir.path(), &environment, &["--json"]).await;
    told.assert("Redis", "failed", &["REDIS_URL"]);
    told.assert("gateway", "failed", &["MIDTRANS_BASE_URL", "not reached"]);
    told.assert("server key", "skipped", &[]);
    told.assert("signed notification", "ok", &["in the database"]);
    told.assert("worker", "ok", &[]);
    assert_eq!(told.code, Some(1));
    assert!(kost.secrets().iter().all(|secret| !told.text.contains(secret)), "{}", told.text);

    environment[0].1 = format!("postgres://postgres:hush-hush-hush@127.0.0.1:{}/kasir", free_port());
    let told = doctor(dir.path(), &environment, &["--json"]).await;
    told.assert("database", "failed", &["DATABASE_URL"]);
    told.assert("signed notification", "skipped", &["without the database"]);
    told.assert("wrong signature", "ok", &[]);
    assert!(!told.text.contains("hush"), "{}", told.text);
    kost.redis.start_again().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_key_is_told_with_what_to_do() {
    let mut house = House::open().await;
    let _process = house.start("serve").await;
    let accepted = house.environment[3].1.clone();
    house.set("MIDTRANS_SERVER_KEY", "SB-Mid-server-of-somebody-else");
    house.set("MIDTRANS_NOTIFICATION_KEYS", format!("{accepted},of-another-service"));
    let told = house.doctor(&[]).await;
    told.assert("server key", "failed", &["401", "Access Keys"]);
    told.assert("configuration", "ok", &["sandbox"]);
    let signed: Vec<&str> = told.text.matches(r#""check":"signed notification""#).collect();
    assert_eq!(signed.len(), 2, "each key is tried: {}", told.text);
    told.assert("signed notification", "ok", &["key 1 of 2"]);
    assert!(told.text.contains("key 2 of 2: is refused for its signature (401)"), "{}", told.text);
    assert_eq!(told.code, Some(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_worker_a_notification_is_kept_and_that_is_a_warning() {
    let house = House::open().await;
    house.migrate().await;
    let _api = house.start("api").await;
    let told = house.doctor(&[]).await;
    told.assert("signed notification", "ok", &["in the database"]);
    told.assert("worker", "warning", &["kept", "kasir worker"]);
    told.assert_well_but(&["Redis", "worker"]);
    assert_eq!(told.code, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_in_the_way_of_a_notification_is_named() {
    let mut house = House::open().await;
    house.migrate().await;
    let moved =
        || (StatusCode::MOVED_PERMANENTLY, [(header::LOCATION, "https://kost.example/")]).into_response();
    let cases: [(Answer, [&str; 2]); 5] = [
        (moved, ["(301) to https://kost.example/", "--url"]),
        (|| StatusCode::NOT_FOUND.into_response(), ["404", PATH]),
        (|| Html("Welcome").into_response(), ["200", "takes everything"]),
        (|| StatusCode::UNAUTHORIZED.into_response(), ["401", "log-in"]),
        (|| StatusCode::BAD_GATEWAY.into_response(), ["502", "kasir api"]),
    ];
    for (answer, words) in cases {
        house.set("KASIR_PUBLIC_URL", format!("{}/", stranger(answer).await));
        let told = house.doctor(&[]).await;
        told.assert("notification URL", "ok", &[PATH]);
        told.assert("notification answer", "failed", &words);
        told.assert("signed notification", "skipped", &[]);
        told.assert("server key", "ok", &[]);
        assert_eq!(told.code, Some(1));
    }
    let follow = || (StatusCode::PERMANENT_REDIRECT, [(header::LOCATION, "/there")]).into_response();
    let told = house.doctor(&["--url", &stranger(follow).await]).await;
    told.assert("notification answer", "warning", &["308", "/there"]);
    assert_eq!(told.code, Some(0));
    let told = house.doctor(&["--url", "https://kost:hush-hush@kost.example/"]).await;
    told.assert("notification URL", "failed", &["user"]);
    assert!(!told.text.contains("hush"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_who_hangs_holds_it_up() {
    let mut house = House::open().await;
    house.migrate().await;
    // The kernel takes the connection; nobody ever answers.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    house.set("MIDTRANS_BASE_URL", url.clone());
    let told = house.doctor(&["--url", &url]).await;
    told.assert("gateway", "failed", &["in time"]);
    told.assert("notification URL", "failed", &["in time"]);
    told.assert("wrong signature", "skipped", &[]);
    assert_eq!(told.code, Some(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_in_the_gateway_s_place_and_another_time_are_noticed() {
    let mut house = House::open().await;
    house.migrate().await;
    house.set("MIDTRANS_BASE_URL", stranger(|| Html("<h1>Welcome</h1>").into_response()).await);
    let told = house.doctor(&[]).await;
    told.assert("server key", "failed", &["MIDTRANS_BASE_URL"]);
    told.assert("clock", "ok", &[]);

    let late = || {
        let body = r#"{"status_code":"404","status_message":"Transaction doesn't exist."}"#;
        ([(header::DATE, "Tue, 24 Nov 2020 13:56:20 GMT")], body).into_response()
    };
    house.set("MIDTRANS_BASE_URL", stranger(late).await);
    let told = house.doctor(&[]).await;
    told.assert("server key", "ok", &[]);
    told.assert("clock", "failed", &["ahead of", "NTP"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_notification_url_that_midtrans_cannot_speak_with_fails() {
    let house = House::open().await;
    let _process = house.start("serve").await;
    let dir = house.dir.path();
    let both = Front::open(dir, &[&TLS12, &TLS13], house.port).await;
    let told = house.doctor(&["--url", &format!("{}{PATH}", both.url())]).await;
    told.assert("notification URL", "failed", &["certificate", "--ca"]);

    let ca = both.certificate.display().to_string();
    let told = house.doctor(&["--url", &format!("{}{PATH}", both.url()), "--ca", &ca]).await;
    told.assert("notification URL", "warning", &["TLS 1.2", "public authorities"]);
    told.assert_well_but(&["Redis", "notification URL"]);
    assert_eq!(told.code, Some(0));

    let new = Front::open(dir, &[&TLS13], house.port).await;
    let ca = new.certificate.display().to_string();
    let told = house.doctor(&["--url", &format!("{}{PATH}", new.url()), "--ca", &ca]).await;
    told.assert("notification URL", "failed", &["TLS 1.3 only", "ssl_protocols"]);
    assert_eq!(told.code, Some(1));

    let none = house.doctor(&["--ca", "nowhere.pem"]).await;
    assert!(none.code == Some(1) && none.text.contains("nowhere.pem cannot be read"), "{}", none.text);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_tls_of_the_gateway_is_told_and_its_certificate_looked_at() {
    let mut house = House::open().await;
    let _process = house.start("serve").await;
    let behind = house.sim.base_url().rsplit_once(':').unwrap().1.parse().unwrap();
    for (versions, words) in [(&[&TLS12, &TLS13][..], "TLS 1.3"), (&[&TLS12][..], "TLS 1.2")] {
        let front = Front::open(house.dir.path(), versions, behind).await;
        house.set("MIDTRANS_BASE_URL", front.url());
        house.environment.retain(|(name, _)| *name != "SSL_CERT_FILE");
        let told = house.doctor(&[]).await;
        told.assert("gateway", "failed", &["certificate"]);
        told.assert("server key", "skipped", &[]);

        house.set("SSL_CERT_FILE", front.certificate.display().to_string());
        let told = house.doctor(&[]).await;
        told.assert("gateway", "ok", &[words]);
        told.assert_well_but(&["Redis"]);
    }
}

#[tokio::test]
async fn a_configuration_with_mistakes_is_a_finding() {
    let dir = tempfile::tempdir().unwrap();
    let environment = [
        ("MIDTRANS_SERVER_KEY", "SB-Mid-server-hush".to_owned()),
        ("MIDTRANS_BASE_URL", "https://api.midtrans.com".to_owned()),
        ("KASIR_PUBLIC_URL", "kost.example".to_owned()),
    ];
    let told = doctor(dir.path(), &environment, &["--json"]).await;
    told.assert("configuration", "failed", &["sandbox key", "KASIR_PUBLIC_URL"]);
    told.assert("wrong signature", "skipped", &[]);
    assert!(told.code == Some(1) && !told.text.contains("hush"));
}
