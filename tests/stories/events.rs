//! `GET /api/payment/{invoice}/events`: a front end hears of each change without asking.

use std::time::Duration;

use domain::Invoice;
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::Value;

use crate::kost::{Kost, Tenant};

stories![
    a_payment_is_followed_from_the_wish_to_the_money,
    who_comes_back_hears_only_what_is_new,
    a_payment_that_has_ended_is_told_once_and_then_no_more,
    several_listen_to_the_same_payment,
    the_events_of_others_are_not_there,
    one_stream_too_many_is_refused_and_a_place_becomes_free_again,
    a_service_that_stops_ends_its_streams,
];

/// A stream of events as a front end reads it.
struct Listening {
    response: Response,
    text: String,
}

/// One event.
struct Heard {
    id: i64,
    view: Value,
}

impl Listening {
    /// The next event; `None` when the stream has ended.
    async fn next(&mut self) -> Option<Heard> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.text = rest;
                let field =
                    |name: &str| event.lines().find_map(|line| line.strip_prefix(name).map(str::trim));
                let Some(data) = field("data:") else { continue };
                assert_eq!(field("event:"), Some("payment"));
                let id = field("id:").unwrap().parse().unwrap();
                return Some(Heard { id, view: serde_json::from_str(data).unwrap() });
            }
            let chunk = tokio::time::timeout(Duration::from_secs(10), self.response.chunk()).await.unwrap();
            self.text.push_str(std::str::from_utf8(&chunk.unwrap()?).unwrap());
        }
    }

    /// The next event of a payment for which `is_right` holds.
    async fn until(&mut self, is_right: impl Fn(&Value) -> bool) -> Heard {
        loop {
            let heard = self.next().await.unwrap();
            if is_right(&heard.view) {
                return heard;
            }
        }
    }
}

fn request(kost: &Kost, tenant: &Tenant, invoice: &Invoice) -> RequestBuilder {
    kost.request_of(&tenant.email, Method::GET, &format!("/api/payment/{invoice}/events"))
}

async fn listen(request: RequestBuilder) -> Listening {
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    Listening { response, text: String::new() }
}

fn has_instruction(view: &Value) -> bool {
    view["payment"]["instruction"].is_object()
}

async fn a_payment_is_followed_from_the_wish_to_the_money(kost: Kost) {
    let pause = kost.hold_jobs().await;
    let budi = kost.tenant("Budi").await;
    let invoice = kost.pay(&budi, "bca").await;
    let mut stream = listen(request(&kost, &budi, &invoice)).await;
    let first = stream.next().await.unwrap();
    assert_eq!((&first.view["status"], first.id), (&"pending".into(), 1));
    assert_eq!(first.view, kost.get(&budi, &format!("/api/payment/{invoice}")).await.body);
    drop(pause);
    kost.run_jobs().await;
    let charged = stream.until(has_instruction).await;
    assert_eq!(charged.view["status"], "pending");
    assert!(charged.id > first.id);
    kost.sim.settle(invoice.as_str()).await.unwrap();
    kost.run_jobs().await;
    let paid = stream.until(|view| view["status"] == "paid").await;
    assert_eq!(paid.id, kost.payment(&invoice).await.version);
    assert!(stream.next().await.is_none(), "there is no more to tell");
    kost.close().await;
}

async fn who_comes_back_hears_only_what_is_new(kost: Kost) {
    let (budi, invoice) = kost.paying("Budi", "bca").await;
    let mut stream = listen(request(&kost, &budi, &invoice)).await;
    let known = stream.next().await.unwrap();
    drop(stream);
    let again = request(&kost, &budi, &invoice).header("last-event-id", known.id.to_string());
    let mut stream = listen(again).await;
    kost.sim.settle(invoice.as_str()).await.unwrap();
    kost.run_jobs().await;
    let news = stream.next().await.unwrap();
    assert_eq!(news.view["status"], "paid", "what was told before is not told again");
    assert!(stream.next().await.is_none());
    let nonsense = request(&kost, &budi, &invoice).header("last-event-id", "yesterday");
    assert_eq!(listen(nonsense).await.next().await.unwrap().id, news.id);
    kost.close().await;
}

async fn a_payment_that_has_ended_is_told_once_and_then_no_more(kost: Kost) {
    let (budi, invoice) = kost.paying("Budi", "bca").await;
    kost.sim.expire(invoice.as_str()).await.unwrap();
    kost.run_jobs().await;
    let mut stream = listen(request(&kost, &budi, &invoice)).await;
    let last = stream.next().await.unwrap();
    assert_eq!(last.view["status"], "failed");
    assert!(stream.next().await.is_none());
    let again = request(&kost, &budi, &invoice).header("last-event-id", last.id.to_string());
    assert_eq!(kost.send(again).await.status, StatusCode::NO_CONTENT, "do not come back");
    kost.close().await;
}

async fn several_listen_to_the_same_payment(kost: Kost) {
    let (budi, invoice) = kost.paying("Budi", "bca").await;
    let sari = kost.admin("Sari").await;
    let path = format!("/api/payments/{invoice}/events");
    let mut streams = [
        listen(request(&kost, &budi, &invoice)).await,
        listen(kost.request_of(&sari, Method::GET, &path)).await,
    ];
    kost.sim.settle(invoice.as_str()).await.unwrap();
    kost.run_jobs().await;
    for stream in &mut streams {
        stream.until(|view| view["status"] == "paid").await;
        assert!(stream.next().await.is_none());
    }
    kost.close().await;
}

async fn the_events_of_others_are_not_there(kost: Kost) {
    let (_, invoice) = kost.paying("Budi", "bca").await;
    let siti = kost.tenant("Siti").await;
    assert_eq!(kost.send(request(&kost, &siti, &invoice)).await.status, StatusCode::NOT_FOUND);
    let nobody = kost.request(Method::GET, &format!("/api/payment/{invoice}/events"));
    assert_eq!(kost.send(nobody).await.status, StatusCode::UNAUTHORIZED);
    kost.close().await;
}

async fn one_stream_too_many_is_refused_and_a_place_becomes_free_again(kost: Kost) {
    // Three places, see the settings of the house.
    let (budi, invoice) = kost.paying("Budi", "bca").await;
    let mut streams = Vec::new();
    for _ in 0..3 {
        streams.push(listen(request(&kost, &budi, &invoice)).await);
    }
    let refused = kost.send(request(&kost, &budi, &invoice)).await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(refused.body["type"], "/problems/too-many-streams");
    assert_eq!(refused.headers["retry-after"], "5");
    kost.sim.settle(invoice.as_str()).await.unwrap();
    kost.run_jobs().await;
    for stream in &mut streams {
        stream.until(|view| view["status"] == "paid").await;
        assert!(stream.next().await.is_none());
    }
    let mut stream = listen(request(&kost, &budi, &invoice)).await;
    assert_eq!(stream.next().await.unwrap().view["status"], "paid");
    kost.close().await;
}

async fn a_service_that_stops_ends_its_streams(kost: Kost) {
    let (budi, invoice) = kost.paying("Budi", "bca").await;
    let mut stream = listen(request(&kost, &budi, &invoice)).await;
    assert_eq!(stream.next().await.unwrap().view["status"], "pending");
    kost.stops_serving().await;
    assert!(stream.next().await.is_none());
    kost.close().await;
}
