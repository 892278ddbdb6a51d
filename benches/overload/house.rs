//! The house under load: its processes, its payments, and what is asked of it.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use domain::Secret;
use kasir::http::name_of_body;
use serde_json::json;

use crate::kost::Kost;
use crate::memory::Memory;
use crate::process::{Kasir, Start, built};
use crate::servers::free_port;
use crate::waiting::{eventually, s};

/// Tenants, each with one payment.
const TENANTS: usize = 200;
/// Tenants who look at their payment.
const LOOKERS: usize = 20;
/// As an operator would have it, but for the calls to the gateway, which is on this machine.
const FILE: &str = "[gateway]\ncalls_per_s = 1000\nburst = 1000\n";

/// One request, ready to be sent.
pub(crate) struct Wish {
    pub(crate) port: u16,
    pub(crate) request: Vec<u8>,
    /// What the inbox calls its body, when it is a notification.
    pub(crate) body_name: Option<String>,
}

/// The processes that are measured.
#[derive(Clone, Copy)]
pub(crate) struct Pids {
    pub(crate) api: u32,
    pub(crate) worker: u32,
}

/// The house.
pub(crate) struct House {
    kost: Kost,
    api: Kasir,
    worker: Kasir,
    _scheduler: Kasir,
    wishes: Arc<dyn Fn(bool) -> Wish + Send + Sync>,
    _dir: tempfile::TempDir,
}

impl House {
    /// Each tenant has a payment; the gateway has its money, and has told nobody.
    pub(crate) async fn open() -> Self {
        let kost = Kost::with_tenants(TENANTS).await;
        kost.sim.faults(|faults| faults.notifications.drop_all = true);
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("kasir.toml"), FILE).unwrap();
        let port = free_port();
        let start = |role: &'static str| {
            let mut environment = kost.environment(port).to_vec();
            environment.retain(|(name, _)| *name != "RUST_LOG");
            environment.push(("RUST_LOG", "warn".to_owned()));
            Start {
                program: built(),
                role: Some(role),
                environment: &environment,
                dir: dir.path(),
                name: role,
            }
            .start()
        };
        let (api, worker, scheduler) = (start("api"), start("worker"), start("scheduler"));
        let front_end = kost.front_end(port);
        front_end.is_up().await;
        let paying = front_end.clone().everybody_pays(kost.tenants.clone()).await;
        kost.all_instructed(i64::try_from(TENANTS).unwrap(), s(120)).await;
        for paying in &paying {
            kost.sim.settle(&paying.invoice).await.unwrap();
        }
        let mut reads = Vec::with_capacity(LOOKERS);
        for (tenant, paying) in kost.tenants.iter().zip(&paying).take(LOOKERS) {
            let url = format!("{}/api/login", front_end.url);
            let body = json!({ "email": tenant.email, "password": front_end.password });
            let answer = kost.http.post(url).json(&body).send().await.unwrap();
            let answer: serde_json::Value = answer.json().await.unwrap();
            let token = answer["accessToken"].as_str().expect("the tenant is let in").to_owned();
            let path = format!("/api/payment/{}", paying.invoice);
            reads.push(format!("GET {path} HTTP/1.1\r\nhost: kost\r\nauthorization: Bearer {token}\r\n\r\n"));
        }
        let invoices: Vec<String> = paying.into_iter().map(|paying| paying.invoice).collect();
        let wishes = wishes(port, Secret::from(kost.secrets()[0]), (invoices, reads));
        Self { kost, api, worker, _scheduler: scheduler, wishes, _dir: dir }
    }

    /// What is asked next: a read, or a notification that was not sent before.
    pub(crate) fn wishes(&self) -> Arc<dyn Fn(bool) -> Wish + Send + Sync> {
        Arc::clone(&self.wishes)
    }

    pub(crate) fn pids(&self) -> Pids {
        Pids { api: self.api.pid(), worker: self.worker.pid() }
    }

    pub(crate) fn memory(&self) -> Memory {
        Memory::of(self.pids())
    }

    /// Waits until all work is done.
    pub(crate) async fn is_calm(&self) {
        self.kost.all_quiet(s(1_200)).await;
    }

    /// How many of the bodies with these names are not in the books.
    pub(crate) async fn lost(&self, accepted: impl Iterator<Item = &String>) -> usize {
        let kept: Vec<String> = sqlx::query_scalar("SELECT body_hash FROM notifications")
            .fetch_all(&self.kost.pool)
            .await
            .unwrap();
        let kept: HashSet<String> = kept.into_iter().collect();
        accepted.filter(|name| !kept.contains(*name)).count()
    }

    /// How many payments are not paid when all work is done, as they all are at the gateway.
    pub(crate) async fn payments_that_are_not_paid(&self) -> i64 {
        const DEALT_WITH: &str = "SELECT count(*) FROM notifications WHERE processed_at IS NULL";
        self.is_calm().await;
        eventually(s(60), "every notification was dealt with", async || {
            match self.kost.count(DEALT_WITH).await {
                0 => Ok(()),
                count => Err(format!("{count} were not")),
            }
        })
        .await;
        i64::try_from(TENANTS).unwrap() - self.kost.paid().await
    }
}

fn wishes(
    port: u16,
    key: Secret,
    (invoices, reads): (Vec<String>, Vec<String>),
) -> Arc<dyn Fn(bool) -> Wish + Send + Sync> {
    let signed: Vec<(String, String)> = invoices
        .into_iter()
        .map(|invoice| {
            let signature = midtrans::sign(&invoice, "200", "1250000.00", &key);
            (invoice, signature)
        })
        .collect();
    let sent = AtomicUsize::new(0);
    Arc::new(move |is_read| {
        let number = sent.fetch_add(1, Ordering::Relaxed);
        if is_read {
            return Wish { port, request: reads[number % reads.len()].clone().into_bytes(), body_name: None };
        }
        let (invoice, signature) = &signed[number % signed.len()];
        let body = format!(
            r#"{{"order_id":"{invoice}","transaction_id":"9aed5972-5b6a-401e-894b-a32c91ed1a3a","transaction_status":"settlement","fraud_status":"accept","status_code":"200","gross_amount":"1250000.00","currency":"IDR","payment_type":"bank_transfer","custom_field1":"{number}","signature_key":"{signature}"}}"#
        );
        let length = body.len();
        let body_name = Some(name_of_body(body.as_bytes()));
        let head =
            "POST /api/midtrans-notification HTTP/1.1\r\nhost: kost\r\ncontent-type: application/json\r\n";
        let request = format!("{head}content-length: {length}\r\n\r\n{body}").into_bytes();
        Wish { port, request, body_name }
    })
}
