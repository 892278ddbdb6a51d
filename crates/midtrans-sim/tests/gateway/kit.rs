//! A merchant with a simulator: calls the API, takes notifications, and answers them as it is told.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use clock::Clock;
use midtrans_sim::{Options, Simulator};
use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};

/// A merchant, the gateway, and the time between them.
pub(crate) struct Kit {
    pub(crate) sim: Simulator,
    pub(crate) clock: Clock,
    pub(crate) merchant: Merchant,
    pub(crate) client: Client,
}

/// Where notifications arrive.
#[derive(Clone)]
pub(crate) struct Merchant {
    pub(crate) url: String,
    inbox: Arc<Mutex<Inbox>>,
}

#[derive(Default)]
struct Inbox {
    bodies: Vec<Value>,
    agents: Vec<String>,
    answers: VecDeque<u16>,
    usual: u16,
    silent: bool,
}

impl Merchant {
    async fn open() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/notify", listener.local_addr().unwrap());
        let inbox = Arc::new(Mutex::new(Inbox { usual: 200, ..Inbox::default() }));
        let app = Router::new().fallback(take).with_state(Arc::clone(&inbox));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, inbox }
    }

    /// Answers every notification with this from now on.
    pub(crate) fn answers(&self, status: u16) {
        self.inbox.lock().unwrap().usual = status;
    }

    /// Takes notifications, and answers none from now on.
    pub(crate) fn falls_silent(&self) {
        self.inbox.lock().unwrap().silent = true;
    }

    /// Answers the next ones with these, one after the other.
    pub(crate) fn answers_next(&self, statuses: &[u16]) {
        self.inbox.lock().unwrap().answers.extend(statuses);
    }

    pub(crate) fn got(&self) -> Vec<Value> {
        self.inbox.lock().unwrap().bodies.clone()
    }

    pub(crate) fn agents(&self) -> Vec<String> {
        self.inbox.lock().unwrap().agents.clone()
    }

    /// The statuses in the order they arrived.
    pub(crate) fn statuses(&self) -> Vec<String> {
        self.got().iter().map(|body| body["transaction_status"].as_str().unwrap().to_owned()).collect()
    }
}

async fn take(State(inbox): State<Arc<Mutex<Inbox>>>, headers: HeaderMap, body: Bytes) -> Response {
    let (status, silent) = {
        let mut inbox = inbox.lock().unwrap();
        inbox.bodies.push(serde_json::from_slice(&body).unwrap());
        inbox.agents.push(headers[header::USER_AGENT].to_str().unwrap().to_owned());
        (inbox.answers.pop_front().unwrap_or(inbox.usual), inbox.silent)
    };
    if silent {
        std::future::pending::<()>().await;
    }
    (StatusCode::from_u16(status).unwrap(), [(header::LOCATION, "/elsewhere")]).into_response()
}

impl Kit {
    pub(crate) async fn open() -> Self {
        Self::open_with(|_| {}).await
    }

    pub(crate) async fn open_with(change: impl FnOnce(&mut Options)) -> Self {
        let clock = Clock::manual(clock::from_millis(1_796_000_000_000));
        let merchant = Merchant::open().await;
        let mut options = Options::local(clock.clone());
        options.notification_url = Some(merchant.url.clone());
        change(&mut options);
        let sim = Simulator::start(options).await.unwrap();
        let client = Client::builder().no_proxy().timeout(Duration::from_secs(30)).build().unwrap();
        Self { sim, clock, merchant, client }
    }

    /// A request with the right key and headers.
    pub(crate) fn post(&self, path: &str) -> RequestBuilder {
        self.with_key(self.client.post(format!("{}{path}", self.sim.base_url())))
    }

    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        self.with_key(self.client.get(format!("{}{path}", self.sim.base_url())))
    }

    fn with_key(&self, request: RequestBuilder) -> RequestBuilder {
        request.basic_auth("SB-Mid-server-simulator", Some("")).header("accept", "application/json")
    }

    /// The HTTP status and the body of a call.
    pub(crate) async fn answer(&self, request: RequestBuilder) -> (u16, Value) {
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        (status, response.json().await.unwrap())
    }

    /// Charges BCA for 44,000 and gives the answer's body.
    pub(crate) async fn charge_bca(&self, order_id: &str) -> Value {
        self.charge(&bca(order_id)).await.1
    }

    pub(crate) async fn charge(&self, body: &Value) -> (u16, Value) {
        self.answer(self.post("/v2/charge").json(body)).await
    }

    pub(crate) async fn status(&self, id: &str) -> Value {
        let (http, body) = self.answer(self.get(&format!("/v2/{id}/status"))).await;
        assert_eq!(http, 200, "a status is always HTTP 200");
        body
    }

    /// Calls an action without a body.
    pub(crate) async fn act(&self, id: &str, act: &str) -> Value {
        self.answer(self.post(&format!("/v2/{id}/{act}"))).await.1
    }

    /// Charges, pays, and waits until the merchant heard of both.
    pub(crate) async fn paid(&self, body: &Value) {
        let order_id = body["transaction_details"]["order_id"].as_str().unwrap();
        self.charge(body).await;
        self.sim.settle(order_id).await.unwrap();
        self.sim.wait_until_delivered().await.unwrap();
    }
}

/// The body of a charge of 44,000.
pub(crate) fn order(order_id: &str, payment_type: &str) -> Value {
    json!({
        "payment_type": payment_type,
        "transaction_details": { "order_id": order_id, "gross_amount": 44_000 },
    })
}

pub(crate) fn bca(order_id: &str) -> Value {
    bank(order_id, "bca")
}

pub(crate) fn bank(order_id: &str, bank: &str) -> Value {
    let mut body = order(order_id, "bank_transfer");
    body["bank_transfer"] = json!({ "bank": bank });
    body
}

pub(crate) fn store(order_id: &str, store: &str) -> Value {
    let mut body = order(order_id, "cstore");
    body["cstore"] = json!({ "store": store });
    body
}
