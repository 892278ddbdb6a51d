//! A gateway on localhost that gives the answer it was told to give.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method as Verb, StatusCode};
use axum::response::{IntoResponse as _, Response};
use domain::{Invoice, Method, Rupiah};
use midtrans::{Charge, Midtrans, Settings};

pub(crate) const KEY: &str = "SB-Mid-server-test";

/// What the gateway was asked.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) verb: Verb,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

#[derive(Default)]
struct Script {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    silent: bool,
    seen: Vec<Seen>,
}

#[derive(Clone, Default)]
struct Scripted(Arc<Mutex<Script>>);

pub(crate) struct Gateway {
    url: String,
    script: Scripted,
}

impl Gateway {
    pub(crate) async fn open() -> Self {
        let script = Scripted::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(play).with_state(script.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, script }
    }

    pub(crate) fn answers(&self, status: u16, body: impl Into<Vec<u8>>) -> &Self {
        let mut script = self.script.0.lock().unwrap();
        (script.status, script.body) = (status, body.into());
        drop(script);
        self
    }

    pub(crate) fn with_header(&self, name: &'static str, value: &str) {
        self.script.0.lock().unwrap().headers.push((name, value.to_owned()));
    }

    /// From now on it takes requests and does not answer.
    pub(crate) fn falls_silent(&self) {
        self.script.0.lock().unwrap().silent = true;
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.script.0.lock().unwrap().seen.clone()
    }

    pub(crate) fn last_seen(&self) -> Seen {
        self.seen().pop().unwrap()
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn client(&self) -> Midtrans {
        client(&self.url, Duration::from_secs(20))
    }
}

async fn play(State(script): State<Scripted>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1024 * 1024).await.unwrap();
    let seen = Seen { verb: head.method, path: head.uri.to_string(), headers: head.headers, body };
    let answer = {
        let mut script = script.0.lock().unwrap();
        script.seen.push(seen);
        let status = StatusCode::from_u16(script.status).unwrap_or_default();
        let mut answer = (status, script.body.clone()).into_response();
        for (name, value) in &script.headers {
            answer.headers_mut().insert(*name, value.parse().unwrap());
        }
        if script.silent { None } else { Some(answer) }
    };
    match answer {
        Some(answer) => answer,
        None => std::future::pending().await,
    }
}

pub(crate) fn client(url: &str, timeout: Duration) -> Midtrans {
    // Another test of this process may have been first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Midtrans::new(settings(url, timeout)).unwrap()
}

pub(crate) fn settings(url: &str, timeout: Duration) -> Settings {
    Settings {
        base_url: url.to_owned(),
        page_url: url.to_owned(),
        server_key: KEY.into(),
        connect_timeout: Duration::from_secs(5),
        timeout,
    }
}

pub(crate) fn charge(invoice: &str, method: Method, amount: i64) -> Charge {
    Charge {
        invoice: Invoice::try_from(invoice).unwrap(),
        method,
        amount: Rupiah::try_from(amount).unwrap(),
        item: "Sewa kamar 12, November 2026".to_owned(),
        customer: None,
        valid_for: None,
        idempotent: method.profile().rules.idempotency_key,
        payer_phone: None,
        authorize_only: false,
    }
}

pub(crate) fn fixture_dir() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

pub(crate) fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(fixture_dir().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The names of the JSON files in a folder of the fixtures, as `folder/file.json`.
pub(crate) fn fixtures_in(folder: &str) -> Vec<String> {
    let files = std::fs::read_dir(fixture_dir().join(folder)).unwrap();
    let mut names: Vec<String> =
        files.map(|file| format!("{folder}/{}", file.unwrap().file_name().to_str().unwrap())).collect();
    names.sort();
    names
}
