//! Floods against a real `kasir api`: of log-ins, and of callers who never finish.

use std::collections::BTreeMap;

use futures::StreamExt as _;
use reqwest::StatusCode;
use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::front_end::FrontEnd;
use crate::kost::Kost;
use crate::servers::free_port;
use crate::waiting::s;

const LOG_INS: usize = 600;
const LOG_INS_AT_ONCE: usize = 240;
const LOOKS: usize = 50;
const SLOW: usize = 300;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_log_ins_starves_nobody_and_passes() {
    let kost = Kost::with_tenants(1).await;
    let port = free_port();
    let mut api = kost.start_api(port).await;
    let (front_end, tenant) = (kost.front_end(port), &kost.tenants[0]);
    front_end.log_in(tenant).await;
    let invoice = front_end.pay(tenant).await.invoice;
    let flood = futures::stream::iter(0..LOG_INS).map(|number| guess(&front_end, number));
    let flood = flood.buffer_unordered(LOG_INS_AT_ONCE).collect::<Vec<StatusCode>>();
    let others = async {
        let mut notified = 0;
        for _ in 0..LOOKS {
            front_end.payment(tenant, &invoice).await;
            assert!(kost.sim.send_test_notification());
            notified += 1;
        }
        kost.sim.wait_until_delivered().await.unwrap();
        notified
    };
    let (answers, notified) = tokio::join!(flood, others);
    let mut counted: BTreeMap<u16, usize> = BTreeMap::new();
    for status in &answers {
        *counted.entry(status.as_u16()).or_default() += 1;
    }
    println!("{LOG_INS} wrong log-ins, {LOG_INS_AT_ONCE} at once: {counted:?}");
    assert!(counted.keys().all(|status| [401, 429, 503].contains(status)), "{counted:?}");
    assert!(counted.contains_key(&503), "{counted:?}");
    // By now the address has guessed too often for the next minute.
    assert_eq!(guess(&front_end, LOG_INS).await, StatusCode::TOO_MANY_REQUESTS);
    let accepted = kost.sim.notifications_sent().iter().filter(|sent| sent.answer == Some(201)).count();
    assert_eq!(accepted, notified, "each notification was taken");
    front_end.payment(tenant, &invoice).await;
    api.assert_alive();
    hashes_no_more_at_once_than_it_may(api.pid());
}

/// Each hashing takes 19 MiB; without a limit the flood would have taken gigabytes.
fn hashes_no_more_at_once_than_it_may(pid: u32) {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap().trim();
    println!("the most memory that the api ever had: {peak}");
    let kib: u64 = peak.trim_end_matches(" kB").parse().unwrap();
    assert!(kib < 400 * 1024, "{peak}");
}

/// Guesses a password of somebody; gives how that is answered.
async fn guess(front_end: &FrontEnd, number: usize) -> StatusCode {
    let url = format!("{}/api/login", front_end.url);
    let body = json!({ "email": format!("guess{number}@kost.test"), "password": "wrong and long enough" });
    let answer = front_end.http.post(url).json(&body).send().await.unwrap();
    let status = answer.status();
    if status != StatusCode::UNAUTHORIZED {
        let wait: u64 = answer.headers()["retry-after"].to_str().unwrap().parse().unwrap();
        assert!((1..=60).contains(&wait), "{wait}");
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
    }
    status
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_who_never_finish_hold_up_neither_others_nor_a_stop() {
    let kost = Kost::with_tenants(1).await;
    let port = free_port();
    let api = kost.start_api(port).await;
    let (front_end, tenant) = (kost.front_end(port), &kost.tenants[0]);
    front_end.log_in(tenant).await;
    let mut slow = Vec::with_capacity(SLOW);
    for number in 0..SLOW {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let begin = match number % 3 {
            0 => "GET /livez HTTP/1.1\r\nx-slow: ",
            1 => "POST /api/login HTTP/1.1\r\nhost: kost\r\ncontent-length: 1000\r\n\r\n{",
            _ => "",
        };
        stream.write_all(begin.as_bytes()).await.unwrap();
        slow.push(stream);
    }
    let invoice = front_end.pay(tenant).await.invoice;
    front_end.payment(tenant, &invoice).await;
    let asked = api.terminate().await;
    let status = api.ends_within(s(18)).await;
    println!("an api with {SLOW} slow callers stopped within {:.1?}", asked.elapsed());
    assert!(status.success(), "{status}");
    drop(slow);
}
