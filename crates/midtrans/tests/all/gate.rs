//! The gate that calls pass: what it is asked, what it hears, and that nothing goes out past it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use domain::{Method, Rupiah, TransactionId};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use midtrans::{Call, CallError, Gate, Health, RefundOrder, Urgency};

use crate::gateway::{Gateway, charge, client, fixture};

/// A gate that remembers, and that is open as long as it has nothing to say.
#[derive(Default)]
struct Porter {
    holds: Option<Duration>,
    asked: Mutex<Vec<Urgency>>,
    heard: Mutex<Vec<Call>>,
}

impl Gate for Porter {
    fn enter(&self, urgency: Urgency) -> BoxFuture<'_, Result<(), Duration>> {
        self.asked.lock().unwrap().push(urgency);
        let verdict = self.holds.map_or(Ok(()), Err);
        async move { verdict }.boxed()
    }

    fn heard<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, ()> {
        self.heard.lock().unwrap().push(call.clone());
        async {}.boxed()
    }
}

impl Porter {
    fn told(&self) -> Vec<(String, String, Option<String>)> {
        let heard = self.heard.lock().unwrap();
        heard.iter().map(|call| (call.verb.clone(), call.path.clone(), call.name.clone())).collect()
    }
}

#[tokio::test]
async fn every_call_passes_the_gate_and_is_told_of_once_by_its_name() {
    let gateway = Gateway::open().await;
    gateway.answers(200, r#"{"status_code":"412"}"#);
    let porter = Arc::new(Porter::default());
    let midtrans = gateway.client().guarded(porter.clone());
    let refund = RefundOrder {
        key: "r-1".try_into().unwrap(),
        amount: Rupiah::MILLION,
        reason: "why".to_owned(),
        direct: true,
    };
    let _ = midtrans.charge(&charge("KSR-1", Method::Bca, 10_000)).await;
    let _ = midtrans.charge(&charge("KSR-2", Method::Card, 10_000)).await;
    let _ = midtrans.close_page("page-token-hush").await;
    let _ = midtrans.status("KSR-1").await;
    let _ = midtrans.cancel("t-1").await;
    let _ = midtrans.expire("t-1").await;
    let _ = midtrans.approve("t-1").await;
    let _ = midtrans.deny("t-1").await;
    let _ = midtrans.capture(&TransactionId::try_from("t-2").unwrap(), Rupiah::MILLION).await;
    let _ = midtrans.refund("t-3", &refund).await;
    let expected = [
        ("POST", "/v2/charge", Some("KSR-1")),
        ("POST", "/snap/v1/transactions", Some("KSR-2")),
        ("POST", "/snap/v1/transactions/***/cancel", None),
        ("GET", "/v2/KSR-1/status", Some("KSR-1")),
        ("POST", "/v2/t-1/cancel", Some("t-1")),
        ("POST", "/v2/t-1/expire", Some("t-1")),
        ("POST", "/v2/t-1/approve", Some("t-1")),
        ("POST", "/v2/t-1/deny", Some("t-1")),
        ("POST", "/v2/capture", Some("t-2")),
        ("POST", "/v2/t-3/refund/online/direct", Some("t-3")),
    ];
    let told = porter.told();
    let told: Vec<_> =
        told.iter().map(|(verb, path, name)| (verb.as_str(), path.as_str(), name.as_deref())).collect();
    assert_eq!(told, expected);
    assert_eq!(gateway.seen().len(), expected.len());
    assert_eq!(*porter.asked.lock().unwrap(), [Urgency::Now; 10]);
}

#[tokio::test]
async fn a_call_that_is_held_back_is_not_sent() {
    let gateway = Gateway::open().await;
    gateway.answers(200, fixture("errors/429_rate_limit.json"));
    let holds = Some(Duration::from_secs(9));
    let porter = Arc::new(Porter { holds, ..Porter::default() });
    let held = gateway.client().guarded(porter.clone()).patient().status("KSR-1").await;
    assert_eq!(held, Err(CallError::Held { retry_after: Duration::from_secs(9) }));
    assert_eq!(gateway.seen().len(), 0);
    assert_eq!(porter.told(), [], "what was not sent is no call");
    assert_eq!(*porter.asked.lock().unwrap(), [Urgency::Patient]);
}

#[tokio::test]
async fn what_is_told_of_a_call_is_the_answer_or_why_there_is_none() {
    let gateway = Gateway::open().await;
    let porter = Arc::new(Porter::default());
    gateway.answers(503, r#"{"status_code":"503","signature_key":"hush"}"#);
    let _ = gateway.client().guarded(porter.clone()).status("KSR-1").await;
    gateway.falls_silent();
    let hasty = client(gateway.url(), Duration::from_millis(50)).guarded(porter.clone());
    let _ = hasty.status("KSR-1").await;
    let heard = porter.heard.lock().unwrap();
    let [answered, silent] = heard.as_slice() else { panic!("{heard:?}") };
    assert_eq!((answered.http, answered.health, &answered.error), (Some(503), Health::Ill, &None));
    assert!(answered.answer.contains("503") && !answered.answer.contains("hush"), "{}", answered.answer);
    assert_eq!((silent.http, silent.health, silent.answer.as_str()), (None, Health::Ill, ""));
    assert!(silent.error.as_ref().is_some_and(|why| why.contains("unknown")), "{silent:?}");
    assert!(silent.took >= Duration::from_millis(50), "{silent:?}");
}
