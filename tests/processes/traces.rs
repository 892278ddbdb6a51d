//! Traces: what a collector is told of a payment, that no secret is among it, and that nobody waits for a collector.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener as Deaf};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::routing::post;
use domain::Secret;
use kasir::demo;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;
use traces::{Sampling, Traces};
use tracing_subscriber::layer::SubscriberExt as _;

use crate::embedded::{Embedded, pay_by, run};
use crate::kost::Kost;
use crate::process::{Kasir, Start, built};
use crate::servers::free_port;
use crate::waiting::{eventually, s};

/// All that spans may say. What is not here might be a secret, or about a person.
const KNOWN: [&str; 10] = [
    "target",
    "method",
    "route",
    "request.id",
    "http.status",
    "job.id",
    "job.kind",
    "job.attempt",
    "call.method",
    "call.verb",
];

/// What anybody may send, and what begins the trace that it names.
const OF_A_STRANGER: &str = "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const STRANGE: [u8; 4] = [0x0a, 0xf7, 0x65, 0x19];
/// What follows from one another, by the route, the kind and the verb.
const PAYING: [&str; 3] = ["/api/bills/{id}/pay", "submit_charge", "charge"];
const HEARING: [&str; 3] = ["/api/midtrans-notification", "sync_payment", "status"];

/// A collector that reads what it is sent.
struct Collector {
    url: String,
    bodies: Arc<Mutex<Vec<Bytes>>>,
    _serving: AbortOnDropHandle<()>,
}

impl Collector {
    fn start() -> Self {
        Self::on(Deaf::bind("127.0.0.1:0").unwrap())
    }

    fn on(listener: Deaf) -> Self {
        listener.set_nonblocking(true).unwrap();
        let listener = TcpListener::from_std(listener).unwrap();
        let url = url_of(listener.local_addr().unwrap());
        let bodies: Arc<Mutex<Vec<Bytes>>> = Arc::default();
        let router = Router::new().route("/v1/traces", post(take)).with_state(Arc::clone(&bodies));
        let serving = async move { axum::serve(listener, router).await.unwrap() };
        Self { url, bodies, _serving: AbortOnDropHandle::new(tokio::spawn(serving)) }
    }

    fn requests(&self) -> Vec<ExportTraceServiceRequest> {
        let bodies = self.bodies.lock().unwrap();
        bodies.iter().map(|body| ExportTraceServiceRequest::decode(body.clone()).unwrap()).collect()
    }

    fn assert_was_told_none_of(&self, secrets: &[impl AsRef<str>]) {
        let sent = String::from_utf8_lossy(&self.bodies.lock().unwrap().concat()).into_owned();
        assert!(sent.contains("submit_charge"), "texts stand in the bytes as they are");
        for secret in secrets.iter().map(AsRef::as_ref) {
            assert!(!sent.contains(secret), "{secret} was told to the collector");
        }
    }

    fn spans(&self) -> Vec<Span> {
        let all = self.requests().into_iter().flat_map(|request| request.resource_spans);
        all.flat_map(|spans| spans.scope_spans).flat_map(|spans| spans.spans).collect()
    }
}

fn url_of(address: SocketAddr) -> String {
    format!("http://{address}")
}

async fn take(State(bodies): State<Arc<Mutex<Vec<Bytes>>>>, headers: HeaderMap, body: Bytes) {
    assert_eq!(headers[header::CONTENT_TYPE], "application/x-protobuf");
    bodies.lock().unwrap().push(body);
}

fn told(span: &Span) -> BTreeMap<&str, String> {
    let text = |value: &Value| match value {
        Value::StringValue(text) => text.clone(),
        Value::IntValue(number) => number.to_string(),
        other => format!("{other:?}"),
    };
    let pairs = span
        .attributes
        .iter()
        .filter_map(|pair| Some((pair.key.as_str(), text(pair.value.as_ref()?.value.as_ref()?))));
    pairs.collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_is_told_of_requests_jobs_and_calls_and_of_no_secret() {
    let collector = Collector::start();
    let kasir = Embedded::prepare_with(&[("KASIR_OTLP_ENDPOINT", &collector.url)]);
    let process = kasir.start("traced").await;
    pay_by(&kasir.walk_through("traced").await).await;
    let secrets = secrets_shown_everywhere(&kasir).await;
    let threads = threads_of(&process);
    assert!(threads.is_empty() || threads.iter().any(|name| sends(name)), "{threads:?}");
    process.terminate().await;
    assert!(process.ends_within(s(20)).await.success());

    // What was done last was sent before it ended.
    let spans = collector.spans();
    let [request, job, call] = chain(&spans, PAYING).unwrap_or_else(|| panic!("{spans:#?}")).map(told);
    assert_eq!((request["method"].as_str(), request["http.status"].as_str()), ("POST", "201"));
    assert_eq!((request["request.id"].len(), job["job.attempt"].as_str()), (26, "1"));
    assert_eq!((call["call.method"].as_str(), call["http.status"].as_str()), ("POST", "200"));

    for span in &spans {
        let unknown: Vec<_> = told(span).into_keys().filter(|key| !KNOWN.contains(key)).collect();
        assert!(!span.trace_id.starts_with(&STRANGE), "{span:?}");
        assert!(["request", "job", "call"].contains(&span.name.as_str()), "{span:?}");
        assert!(unknown.is_empty() && span.events.is_empty() && span.links.is_empty(), "{span:?}");
    }
    let resource = format!("{:?}", collector.requests()[0].resource_spans[0].resource);
    assert!(resource.contains("service.name") && resource.contains("kasir"), "{resource}");
    collector.assert_was_told_none_of(&secrets);
}

/// Says what nobody else may know wherever a request can say it; gives all of it.
async fn secrets_shown_everywhere(kasir: &Embedded) -> Vec<String> {
    let mut secrets = kasir.secrets(&["traced"]);
    let (server_key, client_key) = demo::simulator_keys(&Secret::from(secrets[0].clone()));
    secrets.extend([server_key, client_key].map(|key| key.expose().to_owned()));
    let [(_, url), _, (_, email), (_, password), ..] = kasir.printed("traced").await.variables();
    let body = format!(r#"{{"email":"{email}","password":"{password}"}}"#);
    let log_in = format!("curl -s {url}/api/login -H 'content-type: application/json' -d '{body}'");
    let logged_in: serde_json::Value = serde_json::from_str(&run(&log_in, "").await).unwrap();
    let tokens = ["accessToken", "refreshToken"].map(|name| logged_in[name].as_str().unwrap().to_owned());
    let token = &tokens[0];
    let bills = run(&format!("curl -s {url}/api/bills -H 'authorization: Bearer {token}'"), "").await;
    assert!(bills.contains("\"amount\""), "{bills}");
    secrets.extend(tokens);
    secrets.extend([email, "@kost".to_owned()]);
    secrets.sort_unstable();
    secrets.dedup();
    for secret in &secrets {
        let in_path =
            format!("curl -s '{url}/api/payment/{secret}?password={secret}' -H 'x-api-key: {secret}'");
        run(&format!("{in_path}; curl -s {url}/{secret} -A '{secret}' -H '{OF_A_STRANGER}'"), "").await;
    }
    run(&format!("curl -s {url}/api/bills -H 'x-request-id: of {}'", secrets.join(" ")), "").await;
    secrets
}

/// A request of this route, a job of this kind that it wanted, and a call of this verb that the job made.
fn chain<'a>(spans: &'a [Span], [route, kind, verb]: [&str; 3]) -> Option<[&'a Span; 3]> {
    let within = |span: &Span, outer: &Span| {
        (&span.trace_id, &span.parent_span_id) == (&outer.trace_id, &outer.span_id)
    };
    let with = |key: &'static str, value: &str| {
        let is_meant = |span: &&Span| told(span).get(key).is_some_and(|told| told == value);
        spans.iter().filter(is_meant).collect::<Vec<_>>()
    };
    let (requests, jobs) = (with("route", route), with("job.kind", kind));
    for call in with("call.verb", verb) {
        for job in jobs.iter().filter(|job| within(call, job)) {
            if let Some(request) = requests.iter().find(|request| within(job, request)) {
                return Some([request, job, call]);
            }
        }
    }
    None
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trace_goes_on_in_the_worker_that_does_the_job() {
    let (collector, kost) = (Collector::start(), Kost::with_tenants(1).await);
    let (dir, port) = (tempfile::tempdir().unwrap(), free_port());
    let traced = |role, port| {
        let endpoint = ("KASIR_OTLP_ENDPOINT", collector.url.clone());
        let environment = [&kost.environment(port)[..], &[endpoint]].concat();
        Start { program: built(), role: Some(role), environment: &environment, dir: dir.path(), name: role }
            .start()
    };
    let _running = [traced("api", port), traced("worker", free_port())];
    kost.sim.set_notification_url(Some(format!("http://127.0.0.1:{port}/api/midtrans-notification")));
    let front_end = kost.front_end(port);
    front_end.is_up().await;
    let tenant = &kost.tenants[0];
    front_end.pay(tenant).await;
    for links in [PAYING, HEARING] {
        eventually(s(20), "one trace from the api to the gateway", async || {
            let spans = collector.spans();
            chain(&spans, links).map(drop).ok_or_else(|| format!("no {links:?} among {spans:#?}"))
        })
        .await;
    }
    collector.assert_was_told_none_of(&[&kost.secrets()[..], &[&tenant.email]].concat());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_variable_nothing_is_sent_wherever_a_collector_is() {
    let collector = Collector::start();
    let traces = format!("{}/v1/traces", collector.url);
    let kasir = Embedded::prepare_with(&[
        ("KASIR_OTLP_ENDPOINT", ""),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", &traces),
        ("OTEL_TRACES_EXPORTER", "otlp"),
    ]);
    let process = kasir.start("quiet").await;
    let threads = threads_of(&process);
    pay_by(&kasir.walk_through("quiet").await).await;
    process.terminate().await;
    assert!(process.ends_within(s(20)).await.success());
    assert_eq!(collector.requests(), []);
    assert!(!threads.iter().any(|name| sends(name)), "{threads:?}");
}

/// Whether a thread of this name sends traces.
fn sends(name: &str) -> bool {
    name.starts_with("OpenTelemetry")
}

/// What its threads are called, where the kernel tells.
fn threads_of(process: &Kasir) -> Vec<String> {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", process.pid())).into_iter().flatten();
    tasks.filter_map(|task| std::fs::read_to_string(task.unwrap().path().join("comm")).ok()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_traces_as_many_are_kept_as_the_usual_variables_say() {
    let collector = Collector::start();
    let kasir = Embedded::prepare_with(&[
        ("KASIR_OTLP_ENDPOINT", &collector.url),
        ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"),
        ("OTEL_TRACES_SAMPLER_ARG", "0"),
        ("OTEL_EXPORTER_OTLP_HEADERS", ""),
    ]);
    let process = kasir.start("few").await;
    pay_by(&kasir.walk_through("few").await).await;
    process.terminate().await;
    assert!(process.ends_within(s(20)).await.success());
    assert_eq!(collector.requests(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_is_down_or_deaf_holds_up_nothing() {
    // Nobody listens there; or the kernel takes the connection, and nobody ever answers.
    let deaf = Deaf::bind("127.0.0.1:0").unwrap();
    let deaf = (url_of(deaf.local_addr().unwrap()), deaf);
    for (name, url) in [("down", format!("http://127.0.0.1:{}", free_port())), ("deaf", deaf.0)] {
        let kasir = Embedded::prepare_with(&[("KASIR_OTLP_ENDPOINT", &url)]);
        let process = kasir.start(name).await;
        // In the time that is promised without a collector.
        pay_by(&kasir.walk_through(name).await).await;
        let tellings = |log: &str| log.matches("the collector takes no traces").count();
        eventually(s(20), "it is told", async || match tellings(&process.logged()) {
            0 => Err(process.logged()),
            _ => Ok(()),
        })
        .await;
        let sent = process.terminate().await;
        assert!(process.ends_within(s(20)).await.success());
        let took = sent.elapsed();
        println!("{name}: stopped within {took:.1?}");
        let log = std::fs::read_to_string(kasir.path().join(format!("{name}.log"))).unwrap();
        assert_eq!(tellings(&log), 1, "{log}");
        assert!(took < s(5), "{name}: it waited {took:?} for its collector");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spans_that_find_no_place_are_dropped_and_nobody_waits() {
    const MANY: usize = 100_000;
    let _installed = rustls::crypto::ring::default_provider().install_default();
    let deaf = Deaf::bind("127.0.0.1:0").unwrap();
    let traces = Traces::start(&url_of(deaf.local_addr().unwrap()), &Sampling::default()).unwrap();
    let begun = Instant::now();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(traces.layer()), || {
        tracing::info_span!(target: "sqlx::query", "of a library").in_scope(|| ());
        tracing::debug_span!(target: "kasir", "a detail").in_scope(|| ());
        for _ in 0..MANY {
            tracing::info_span!(target: "kasir", "request").in_scope(|| ());
        }
    });
    let took = begun.elapsed();
    // Now it hears.
    let collector = Collector::on(deaf);
    traces.end().await;
    let spans = collector.spans();
    assert!(spans.iter().all(|span| span.name == "request"), "{:?}", spans[0]);
    let told = spans.len();
    println!("of {MANY} spans in {took:.1?}, {told} were told");
    // Those that wait, and those that are being sent.
    assert!((1..=4_096 + 512).contains(&told) && took < s(5), "{told} in {took:?}");
}

#[tokio::test]
async fn what_is_no_address_or_no_sampling_is_told_at_the_start() {
    const ADDRESS: &str = "KASIR_OTLP_ENDPOINT";
    const GOOD: (&str, &str) = (ADDRESS, "http://collector:4318");
    const KIND: (&str, &str) = ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio");
    const SHARE: &str = "OTEL_TRACES_SAMPLER_ARG";
    for (named, variables) in [
        (ADDRESS, &[(ADDRESS, "collector:4317")][..]),
        (ADDRESS, &[(ADDRESS, "http://")]),
        (ADDRESS, &[(ADDRESS, "http://me:hush-hush@collector:4318")]),
        (KIND.0, &[GOOD, (KIND.0, "one in ten")]),
        (SHARE, &[GOOD, KIND, (SHARE, "10%")]),
    ] {
        let kasir = Embedded::prepare_with(variables);
        let process = kasir.launch("wrong");
        let log = kasir.path().join("wrong.log");
        assert!(!process.ends_within(s(20)).await.success(), "{variables:?}");
        let said = std::fs::read_to_string(log).unwrap();
        assert!(said.contains(named) && !said.contains("hush-hush"), "{said}");
    }
}
