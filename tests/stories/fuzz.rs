//! Requests as nobody should send them, to every route of the REST service and of the dashboard: none is a fault of ours,
//! none waits for ever, and no answer tells of the inside.
//!
//! `PROPTEST_CASES` says how many requests (400 unless it does). The same number makes the same requests.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, TestRunner};
use reqwest::Method;
use reqwest::header::{HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use serde_json::{Map, Value, json};

use crate::kost::{API_KEY, Kost, PASSWORD};

stories![no_request_is_a_fault_of_ours];

const CASES: usize = 400;
/// What an answer never names.
const INSIDE: [&str; 8] =
    ["sqlx", "SELECT ", "constraint", "panicked", ".rs:", "src/", "postgres:", "no such table"];
/// Fields of forms and queries of the dashboard. Those of the REST service are in its document.
const FIELDS: [&str; 40] = [
    "reason",
    "name",
    "email",
    "phone",
    "roomCode",
    "startDate",
    "password",
    "current",
    "new",
    "amount",
    "title",
    "tenantId",
    "dueOn",
    "from",
    "to",
    "dryRun",
    "code",
    "price",
    "kind",
    "by",
    "q",
    "state",
    "order",
    "pending",
    "text",
    "room",
    "tenant",
    "bill",
    "method",
    "after",
    "said",
    "seen",
    "next",
    "back",
    "lang",
    "theme",
    "verdict",
    "actor",
    "subject",
    "place",
];

/// A route as the service has it.
#[derive(Debug, Clone)]
struct Route {
    method: Method,
    path: String,
}

fn routes() -> Vec<Route> {
    let document: Value = serde_json::from_str(&kasir::http::openapi()).unwrap();
    let mut routes = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let methods = item.as_object().unwrap().keys().filter_map(|name| name.to_uppercase().parse().ok());
        let methods =
            methods.filter(|method: &Method| ["GET", "POST", "PATCH", "DELETE"].contains(&method.as_str()));
        routes.extend(methods.map(|method| Route { method, path: path.clone() }));
    }
    for line in include_str!("../../src/dashboard/mod.rs").lines() {
        let Some((path, handlers)) =
            line.trim().strip_prefix(".route(\"").and_then(|rest| rest.split_once('"'))
        else {
            continue;
        };
        for (word, method) in [("get(", Method::GET), ("post(", Method::POST), ("routes()", Method::POST)] {
            if handlers.contains(word) {
                routes.push(Route { method, path: path.to_owned() });
            }
        }
    }
    routes.extend(
        ["/metrics", "/readyz", "/problems/{slug}"]
            .map(|path| Route { method: Method::GET, path: path.to_owned() }),
    );
    assert!(routes.len() > 100, "{routes:?}");
    routes
}

/// Every name that the document gives to a field or a parameter.
fn names(document: &Value, found: &mut BTreeSet<String>) {
    match document {
        Value::Object(fields) => {
            if let Some(Value::Object(properties)) = fields.get("properties") {
                found.extend(properties.keys().cloned());
            }
            if let (Some(Value::String(name)), Some(_)) = (fields.get("name"), fields.get("in")) {
                found.insert(name.clone());
            }
            fields.values().for_each(|value| names(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| names(value, found)),
        _ => {}
    }
}

fn any_name() -> BoxedStrategy<String> {
    let mut found: BTreeSet<String> = FIELDS.into_iter().map(str::to_owned).collect();
    names(&serde_json::from_str(&kasir::http::openapi()).unwrap(), &mut found);
    select(found.into_iter().collect::<Vec<_>>()).boxed()
}

/// Texts that make sense somewhere.
const GOOD: &[&str] = &[
    "1",
    "2",
    "bca",
    "gopay",
    "2026-11-24",
    "2026-11-01",
    "room of Budi",
    "budi@kost.test",
    "correct horse",
    "D9",
    "1.250.000",
    "1250000",
    "owner",
    "sync_payment",
    "ready",
    "open",
    "invoice",
    "error",
    "bill",
    "true",
    "/admin/jobs",
    "2026-11-24T00:00:00Z",
    "081234567890",
    "agreed",
    "job.retry",
];
/// Texts that are nearly right, or wrong.
const BAD: &[&str] = &[
    "",
    " ",
    "\0",
    "a\0b",
    "\u{202e}",
    "é",
    "１０００",
    "+10",
    "1e6",
    "-1",
    "0",
    "10.5",
    "1000000.00",
    "%",
    "_",
    "\\",
    "'",
    "' OR 1=1 --",
    "<script>alert(1)</script>",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "+262142-12-31",
    "-262143-01-01",
    "0000-00-00",
    "+262142-12-31T23:59:59Z",
    "9999-12-31T23:59:59Z",
    "2026-02-30",
    "ffffffffffffffff",
    "7fffffffffffffff",
    "../../etc",
    "\r\nx: y",
    "\u{10ffff}",
    "İ@ß",
];

/// A text: one that makes sense somewhere, one that is nearly right, or any.
fn text() -> BoxedStrategy<String> {
    let long = (1_usize..2_000).prop_map(|length| "x".repeat(length));
    let strategies = prop_oneof![
        4 => select(GOOD).prop_map(str::to_owned),
        4 => select(BAD).prop_map(str::to_owned),
        1 => long,
        1 => ".{0,40}",
    ];
    strategies.boxed()
}

fn json_value(name: BoxedStrategy<String>) -> BoxedStrategy<Value> {
    let numbers = [i64::MIN, -1, 0, 1, 2, 12, 2026, 1_250_000, 999_999_999_999_999, i64::MAX];
    let leaf = prop_oneof![
        4 => text().prop_map(Value::from),
        2 => select(numbers.to_vec()).prop_map(Value::from),
        1 => any::<f64>().prop_map(|number| json!(number)),
        1 => any::<bool>().prop_map(Value::from),
        1 => Just(Value::Null),
    ];
    let tree = leaf.prop_recursive(3, 16, 3, move |inner| {
        let object = prop::collection::vec((name.clone(), inner.clone()), 0..6);
        prop_oneof![
            3 => object.prop_map(|fields| Value::Object(Map::from_iter(fields))),
            1 => prop::collection::vec(inner, 0..3).prop_map(Value::from),
        ]
    });
    tree.boxed()
}

/// The body of a request, and what it says that it is.
#[derive(Debug, Clone)]
enum Body {
    None,
    Json(Vec<(String, Value)>),
    Form(Vec<(String, String)>),
    Upload(String, Vec<u8>),
    Bytes(&'static str, Vec<u8>),
}

/// One request.
#[derive(Debug, Clone)]
struct Asked {
    names: Vec<String>,
    query: Vec<(String, String)>,
    headers: Vec<(&'static str, Vec<u8>)>,
    body: Body,
    who: usize,
}

fn asked() -> BoxedStrategy<Asked> {
    let name = any_name();
    let pairs = prop::collection::vec((name.clone(), text()), 0..8);
    let fields = prop::collection::vec((name.clone(), json_value(name.clone())), 0..8);
    let deep =
        (1_usize..20_000).prop_map(|depth| Body::Bytes("application/json", "[".repeat(depth).into_bytes()));
    let bytes = prop::collection::vec(any::<u8>(), 0..200);
    let kinds = [
        "application/json",
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
    ];
    let body = prop_oneof![
        1 => Just(Body::None),
        4 => fields.prop_map(Body::Json),
        4 => pairs.clone().prop_map(Body::Form),
        1 => (text(), bytes.clone()).prop_map(|(name, bytes)| Body::Upload(name, bytes)),
        1 => (select(kinds.to_vec()), bytes.clone()).prop_map(|(kind, bytes)| Body::Bytes(kind, bytes)),
        1 => deep,
    ];
    let header = select(vec![
        "authorization",
        "x-api-key",
        "cookie",
        "idempotency-key",
        "prefer",
        "last-event-id",
        "email",
        "password",
        "accept-language",
        "origin",
        "sec-fetch-site",
        "x-request-id",
        "content-type",
    ]);
    let words = prop_oneof![
        text().prop_map(String::into_bytes),
        "(Bearer|bearer|Basic) [A-Za-z0-9._=-]{0,60}".prop_map(String::into_bytes),
        "kasir_session=[ -~]{0,30}; kasir_lang=.{0,3}".prop_map(String::into_bytes),
        bytes,
    ];
    let headers =
        prop_oneof![3 => Just(Vec::new()).boxed(), 2 => prop::collection::vec((header, words), 1..4).boxed()];
    let names = prop::collection::vec(text(), 2);
    (names, pairs, headers, body, 0_usize..4)
        .prop_map(|(names, query, headers, body, who)| Asked { names, query, headers, body, who })
        .boxed()
}

/// Who asks: nobody, a tenant with a front end's key, an admin, and an admin in the dashboard.
struct People {
    tenant: String,
    admin: String,
    cookie: String,
    csrf: String,
    invoice: String,
    client: reqwest::Client,
}

impl People {
    async fn of(kost: &Kost) -> Self {
        let (budi, invoice) = kost.paying("Budi", "bca").await;
        let ibu = kost.admin("Ibu").await;
        let token = async |email: &str| {
            let wish = json!({ "email": email, "password": PASSWORD });
            let answer = kost.send_privately(kost.request(Method::POST, "/api/login").json(&wish)).await;
            format!("Bearer {}", answer.body["accessToken"].as_str().unwrap())
        };
        let (tenant, admin) = (token(&budi.email).await, token(&ibu).await);
        let client = reqwest::Client::builder().redirect(Policy::none()).build().unwrap();
        let door = client.post(format!("{}/admin/login", kost.program.url));
        let answer = door.form(&[("email", ibu.as_str()), ("password", PASSWORD)]).send().await.unwrap();
        let cookie = answer.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
        let page = client.get(format!("{}/admin/people", kost.program.url)).header("cookie", &cookie);
        let page = page.send().await.unwrap().text().await.unwrap();
        let (_, rest) = page.split_once("name=\"csrf\" value=\"").unwrap();
        let csrf = rest.split('"').next().unwrap().to_owned();
        Self { tenant, admin, cookie, csrf, invoice: invoice.as_str().to_owned(), client }
    }

    fn request(&self, kost: &Kost, route: &Route, asked: &Asked) -> reqwest::RequestBuilder {
        let escaped = |text: &str| text.bytes().map(|byte| format!("%{byte:02x}")).collect::<String>();
        let mut path = String::new();
        for (place, part) in route.path.split('/').skip(1).enumerate() {
            path.push('/');
            match (part, &asked.names[place % asked.names.len()]) {
                ("{invoice}", name) if name.len() < 8 => path.push_str(&self.invoice),
                (part, name) if part.starts_with('{') && !name.is_empty() => path.push_str(&escaped(name)),
                (part, _) if part.starts_with('{') => path.push('1'),
                (part, _) => path.push_str(part),
            }
        }
        let pairs = |pairs: &[(String, String)]| {
            form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
        };
        let url = format!("{}{path}?{}", kost.program.url, pairs(&asked.query));
        let request = self.client.request(route.method.clone(), url);
        let request = match asked.who {
            0 => request,
            1 => request.header("authorization", &self.tenant).header("x-api-key", API_KEY),
            2 => request.header("authorization", &self.admin),
            _ => request.header("cookie", &self.cookie),
        };
        let mut request = match &asked.body {
            _ if route.method == Method::GET => request,
            Body::None => request,
            Body::Json(fields) => request.json(&Value::Object(Map::from_iter(fields.clone()))),
            Body::Form(fields) => {
                let csrf = ("csrf".to_owned(), self.csrf.clone());
                let fields: Vec<_> = std::iter::once(csrf).chain(fields.clone()).collect();
                request.header("content-type", "application/x-www-form-urlencoded").body(pairs(&fields))
            }
            Body::Upload(name, bytes) => {
                let mut body = format!(
                    "--x\r\ncontent-disposition: form-data; name=\"csrf\"\r\n\r\n{}\r\n--x\r\ncontent-disposition: form-data; \
                     name=\"reason\"\r\n\r\nwhy\r\n--x\r\ncontent-disposition: form-data; name=\"files\"; filename=\"{name}\"\r\n\r\n",
                    self.csrf
                )
                .into_bytes();
                body.extend_from_slice(if bytes.len() < 100 { STATEMENT } else { bytes });
                body.extend_from_slice(b"\r\n--x--\r\n");
                request.header("content-type", "multipart/form-data; boundary=x").body(body)
            }
            Body::Bytes(kind, bytes) => request.header("content-type", *kind).body(bytes.clone()),
        };
        for (name, value) in &asked.headers {
            if let Ok(value) = HeaderValue::from_bytes(value) {
                request = request.header(HeaderName::from_static(name), value);
            }
        }
        request
    }
}

const STATEMENT: &[u8] =
    b"Order ID,Status,Amount,Transaction Time\nKSR-1,settlement,10000.00,2026-11-24 10:00:00\n";

async fn no_request_is_a_fault_of_ours(kost: Kost) {
    let people = People::of(&kost).await;
    let cases = std::env::var("PROPTEST_CASES").map_or(CASES, |text| text.parse().unwrap());
    let mut runner = TestRunner::new_with_rng(Config::default(), TestRunner::deterministic().rng().clone());
    let (strategy, routes) = (asked(), routes());
    let (mut taken, mut wrong) = (0, Vec::new());
    for route in routes.iter().cycle().take(cases.max(routes.len())) {
        let mut asked = strategy.new_tree(&mut runner).unwrap().current();
        if route.path.starts_with("/admin") && asked.who != 0 {
            asked.who = 3;
        }
        // A log-out, or another password, would end what is tried here.
        if ["/admin/logout", "/api/password", "/admin/people/password"].contains(&route.path.as_str()) {
            asked.who = 0;
        }
        let Ok(response) = people.request(&kost, route, &asked).send().await else { continue };
        taken += usize::from(response.status().is_success() || response.status().is_redirection());
        if let Some(why) = fault(response, route).await {
            wrong.push(format!("{} {}: {why}, to {asked:?}", route.method, route.path));
        }
    }
    assert!(wrong.is_empty(), "{} answers are wrong, of which\n{}", wrong.len(), cut(&wrong));
    assert!(taken > cases / 10, "{taken} of {cases} requests were taken, so that few came beyond the door");
    kost.close().await;
}

/// What is wrong with an answer.
async fn fault(response: reqwest::Response, route: &Route) -> Option<String> {
    let (status, headers) = (response.status(), response.headers().clone());
    if status.is_server_error() {
        return Some(status.to_string());
    }
    if !status.is_client_error() {
        return None;
    }
    let body = response.text().await.unwrap();
    if let Some(told) = INSIDE.iter().find(|word| body.contains(*word)) {
        return Some(format!("{status} tells of {told:?}: {body}"));
    }
    let kind = headers.get("content-type").map_or("nothing", |kind| kind.to_str().unwrap());
    let is_page = route.path.starts_with("/admin") || route.path == "/reminders/stop";
    let expected = if is_page { "text/html" } else { "application/problem+json" };
    (!kind.starts_with(expected)).then(|| format!("{status} is {kind}: {body}"))
}

/// The first of them, each so long that a person can read it.
fn cut(wrong: &[String]) -> String {
    wrong.iter().take(20).map(|one| one.chars().take(700).collect::<String>() + "\n").collect()
}
