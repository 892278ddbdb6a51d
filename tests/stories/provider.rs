//! An OpenID Connect provider over real HTTP: it lets in whom the story names, signs with a key of its own (ES256), and
//! lies when it is told to.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::extract::{Form, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use clock::Clock;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rcgen::KeyPair;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

pub(crate) const CLIENT_ID: &str = "kasir of the stories";
pub(crate) const CLIENT_SECRET: &str = "stories-oidc-secret-hush-4714";
const CALLBACK: &str = "http://kost.test/admin/login/oidc/callback";

/// What is wrong with the next tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lie {
    None,
    Nonce,
    NoNonce,
    Audience,
    MoreAudiences,
    Issuer,
    Expired,
    Old,
    /// Signed by somebody else.
    OtherKey,
    /// Signed with the secret of the client, which is no signature of the provider.
    SharedSecret,
    /// `"alg": "none"`.
    Unsigned,
    NoToken,
    /// Not even JSON.
    Noise,
}

/// Who logs in at the provider.
#[derive(Debug, Clone)]
struct Who {
    subject: String,
    email: String,
    is_verified: bool,
}

/// What a code stands for.
struct Grant {
    nonce: String,
    challenge: String,
}

struct Desk {
    clock: Clock,
    who: Who,
    lie: Lie,
    key: KeyPair,
    key_number: u32,
    grants: HashMap<String, Grant>,
    codes: u32,
    keys_asked_for: u32,
    issuer: Option<String>,
}

type Shared = Arc<Mutex<Desk>>;

/// The provider, on a port of its own.
pub(crate) struct IdProvider {
    addr: SocketAddr,
    desk: Shared,
    serving: Option<AbortOnDropHandle<()>>,
}

impl IdProvider {
    pub(crate) async fn start(clock: &Clock) -> Self {
        let who = Who { subject: String::new(), email: String::new(), is_verified: false };
        let desk = Desk {
            clock: clock.clone(),
            who,
            lie: Lie::None,
            key: KeyPair::generate().unwrap(),
            key_number: 1,
            grants: HashMap::new(),
            codes: 0,
            keys_asked_for: 0,
            issuer: None,
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (addr, desk) = (listener.local_addr().unwrap(), Arc::new(Mutex::new(desk)));
        let mut provider = Self { addr, desk, serving: None };
        provider.serve(listener);
        provider
    }

    fn serve(&mut self, listener: TcpListener) {
        let around = (self.url(), Arc::clone(&self.desk));
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/keys", get(keys))
            .route("/authorize", get(authorize))
            .route("/token", post(token))
            .with_state(around);
        let serving = async move { axum::serve(listener, router).await.unwrap() };
        self.serving = Some(AbortOnDropHandle::new(tokio::spawn(serving)));
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Who logs in there from now on.
    pub(crate) fn knows(&self, subject: &str, email: &str, is_verified: bool) {
        let who = Who { subject: subject.to_owned(), email: email.to_owned(), is_verified };
        self.desk.lock().unwrap().who = who;
    }

    /// Its clock goes like this one.
    pub(crate) fn lives_by(&self, clock: &Clock) {
        self.desk.lock().unwrap().clock = clock.clone();
    }

    pub(crate) fn lies(&self, lie: Lie) {
        self.desk.lock().unwrap().lie = lie;
    }

    /// What it says it is called.
    pub(crate) fn is_called(&self, issuer: &str) {
        self.desk.lock().unwrap().issuer = Some(issuer.to_owned());
    }

    pub(crate) fn changes_its_key(&self) {
        let mut desk = self.desk.lock().unwrap();
        desk.key = KeyPair::generate().unwrap();
        desk.key_number += 1;
    }

    /// How often its keys were fetched.
    pub(crate) fn keys_asked_for(&self) -> u32 {
        self.desk.lock().unwrap().keys_asked_for
    }

    pub(crate) async fn goes_down(&mut self) {
        if let Some(serving) = self.serving.take() {
            serving.abort();
            let _aborted = serving.await;
        }
    }

    pub(crate) async fn comes_back(&mut self) {
        let listener = TcpListener::bind(self.addr).await.unwrap();
        self.serve(listener);
    }

    /// What a browser does there: the address to which it is sent back.
    pub(crate) async fn visit(&self, url: &str) -> String {
        assert!(url.starts_with(&self.url()), "{url}");
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let answer = client.get(url).send().await.unwrap();
        assert_eq!(answer.status(), reqwest::StatusCode::SEE_OTHER, "{url}");
        answer.headers()["location"].to_str().unwrap().to_owned()
    }
}

type Around = State<(String, Shared)>;

async fn discovery(State((url, desk)): Around) -> Json<Value> {
    let issuer = desk.lock().unwrap().issuer.clone().unwrap_or_else(|| url.clone());
    Json(json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{url}/authorize"),
        "token_endpoint": format!("{url}/token"),
        "jwks_uri": format!("{url}/keys"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
    }))
}

async fn keys(State((_, desk)): Around) -> Json<Value> {
    let mut desk = desk.lock().unwrap();
    desk.keys_asked_for += 1;
    let point = desk.key.public_key_raw();
    let part = |range| BASE64_URL_SAFE_NO_PAD.encode(&point[range]);
    Json(json!({ "keys": [{
        "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256",
        "kid": desk.key_number.to_string(),
        "x": part(1..33),
        "y": part(33..65),
    }] }))
}

/// Asks nobody for a password: whoever comes is the one whom the story has named.
async fn authorize(State((url, desk)): Around, Query(asked): Query<HashMap<String, String>>) -> Response {
    let is_right = asked["response_type"] == "code"
        && asked["client_id"] == CLIENT_ID
        && asked["redirect_uri"] == CALLBACK
        && asked["scope"] == "openid email"
        && asked["code_challenge_method"] == "S256";
    if !is_right {
        return (StatusCode::BAD_REQUEST, format!("{asked:?}")).into_response();
    }
    let mut desk = desk.lock().unwrap();
    desk.codes += 1;
    let code = format!("code-{}", desk.codes);
    let grant = Grant { nonce: asked["nonce"].clone(), challenge: asked["code_challenge"].clone() };
    desk.grants.insert(code.clone(), grant);
    let back = [("code", code.as_str()), ("state", &asked["state"]), ("iss", &url)];
    let back = form_urlencoded::Serializer::new(String::new()).extend_pairs(back).finish();
    Redirect::to(&format!("{CALLBACK}?{back}")).into_response()
}

fn no(status: StatusCode, error: &str) -> Response {
    (status, Json(json!({ "error": error }))).into_response()
}

async fn token(
    State((url, desk)): Around,
    headers: HeaderMap,
    Form(asked): Form<HashMap<String, String>>,
) -> Response {
    let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let right = BASE64_STANDARD.encode(format!("{}:{}", encode(CLIENT_ID), encode(CLIENT_SECRET)));
    if headers.get(header::AUTHORIZATION).is_none_or(|given| given != &format!("Basic {right}")) {
        return no(StatusCode::UNAUTHORIZED, "invalid_client");
    }
    let mut desk = desk.lock().unwrap();
    // A code is taken once.
    let grant = desk.grants.remove(&asked["code"]);
    let challenge = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(asked["code_verifier"].as_bytes()));
    let grant = grant.filter(|grant| grant.challenge == challenge);
    let is_right = asked["grant_type"] == "authorization_code" && asked["redirect_uri"] == CALLBACK;
    let Some(grant) = grant.filter(|_| is_right) else {
        return no(StatusCode::BAD_REQUEST, "invalid_grant");
    };
    let mut told = json!({ "access_token": "of no use", "token_type": "Bearer", "expires_in": 3600 });
    match desk.lie {
        Lie::Noise => return "<html>a proxy says hello</html>".into_response(),
        Lie::NoToken => {}
        _ => told["id_token"] = Value::String(signed(&desk, (&url, &grant.nonce))),
    }
    Json(told).into_response()
}

fn signed(desk: &Desk, (url, nonce): (&str, &str)) -> String {
    let now = desk.clock.now().timestamp();
    let mut claims = json!({
        "iss": url, "aud": CLIENT_ID, "sub": desk.who.subject, "nonce": nonce,
        "iat": now, "exp": now + 300,
        "email": desk.who.email, "email_verified": desk.who.is_verified,
    });
    match desk.lie {
        Lie::Nonce => claims["nonce"] = json!("of another log-in"),
        Lie::NoNonce => drop(claims.as_object_mut().unwrap().remove("nonce")),
        Lie::Audience => claims["aud"] = json!("another client"),
        Lie::MoreAudiences => claims["aud"] = json!([CLIENT_ID, "another client"]),
        Lie::Issuer => claims["iss"] = json!("https://evil.test"),
        Lie::Expired => claims["exp"] = json!(now),
        Lie::Old => claims["iat"] = json!(now - 3600),
        _ => {}
    }
    let stranger = KeyPair::generate().unwrap();
    let key = if desk.lie == Lie::OtherKey { &stranger } else { &desk.key };
    let (algorithm, key) = match desk.lie {
        Lie::SharedSecret => (Algorithm::HS256, EncodingKey::from_secret(CLIENT_SECRET.as_bytes())),
        _ => (Algorithm::ES256, EncodingKey::from_ec_der(&key.serialize_der())),
    };
    let header = Header { kid: Some(desk.key_number.to_string()), ..Header::new(algorithm) };
    let token = jsonwebtoken::encode(&header, &claims, &key).unwrap();
    if desk.lie == Lie::Unsigned {
        let head = BASE64_URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#);
        return format!("{head}.{}.", token.split('.').nth(1).unwrap());
    }
    token
}
