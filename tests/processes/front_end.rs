//! A front end: what a tenant's browser does, again and again when the server is not there.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::kost::Tenant;
use crate::waiting::{eventually, ms, s};

/// How long a front end tries before it shows an error.
const PATIENCE: Duration = s(40);
/// How many tenants press the button at the same time.
const TENANTS_AT_ONCE: usize = 8;

/// A front end that talks to one address.
#[derive(Clone)]
pub(crate) struct FrontEnd {
    pub(crate) http: reqwest::Client,
    pub(crate) url: String,
    pub(crate) api_key: String,
    pub(crate) password: String,
}

/// What a tenant got for pressing the button.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Paying {
    pub(crate) invoice: String,
    /// True for 201, false for 200.
    pub(crate) is_new: bool,
    pub(crate) took: Duration,
    pub(crate) tries: u32,
}

impl FrontEnd {
    /// Presses the button until it gets 200 or 201. A server that is not there is tried again; any other answer of one
    /// that is there fails the test.
    pub(crate) async fn pay(&self, tenant: &Tenant) -> Paying {
        let begun = Instant::now();
        let mut tries = 0;
        while begun.elapsed() < PATIENCE {
            tries += 1;
            match self.pay_once(tenant).await {
                Ok((status @ (StatusCode::OK | StatusCode::CREATED), body)) => {
                    let invoice = body["invoice"].as_str().expect("an answer names its invoice").to_owned();
                    let is_new = status == StatusCode::CREATED;
                    return Paying { invoice, is_new, took: begun.elapsed(), tries };
                }
                Ok((status, body)) => panic!("{}: {status} {body}", tenant.email),
                Err(_gone) => tokio::time::sleep(ms(50)).await,
            }
        }
        panic!("{}: no answer within {PATIENCE:?}", tenant.email)
    }

    /// Everybody pays, eight at a time.
    pub(crate) async fn everybody_pays(self, tenants: Vec<Arc<Tenant>>) -> Vec<Paying> {
        let paying = futures::stream::iter(tenants).map(|tenant| {
            let front_end = self.clone();
            async move { front_end.pay(&tenant).await }
        });
        paying.buffered(TENANTS_AT_ONCE).collect().await
    }

    async fn pay_once(&self, tenant: &Tenant) -> reqwest::Result<(StatusCode, Value)> {
        let url = format!("{}/api/bills/{}/pay", self.url, tenant.bill.0);
        let body = json!({ "payment": tenant.method });
        let request = self.as_tenant(self.http.post(url), tenant);
        let answer = request.header("x-api-key", &self.api_key).json(&body).send().await?;
        Ok((answer.status(), answer.json().await?))
    }

    /// How a payment stands.
    pub(crate) async fn payment(&self, tenant: &Tenant, invoice: &str) -> Value {
        let url = format!("{}/api/payment/{invoice}", self.url);
        let answer = self.as_tenant(self.http.get(url), tenant).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{invoice}");
        answer.json().await.unwrap()
    }

    /// Listens to the changes of a payment.
    pub(crate) async fn events(&self, tenant: &Tenant, invoice: &str) -> reqwest::Response {
        let url = format!("{}/api/payment/{invoice}/events", self.url);
        let answer = self.as_tenant(self.http.get(url), tenant).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{invoice}");
        answer
    }

    /// Logs in, so that later calls need not hash the password again.
    pub(crate) async fn log_in(&self, tenant: &Tenant) {
        let url = format!("{}/api/login", self.url);
        let body = json!({ "email": tenant.email, "password": self.password });
        let answer = self.http.post(url).json(&body).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{}", tenant.email);
    }

    /// Waits until the server answers.
    pub(crate) async fn is_up(&self) {
        let url = format!("{}/readyz", self.url);
        eventually(s(20), "the api is ready", async || {
            let answer = self.http.get(&url).send().await.map_err(|error| error.to_string())?;
            if answer.status() == StatusCode::OK { Ok(()) } else { Err(answer.status().to_string()) }
        })
        .await;
    }

    fn as_tenant(&self, request: reqwest::RequestBuilder, tenant: &Tenant) -> reqwest::RequestBuilder {
        request.header("email", &tenant.email).header("password", &self.password)
    }
}
