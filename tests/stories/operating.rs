//! What those who run the house see: `/readyz`, `/metrics`, and papers, alerts and charts that name what is there.

use std::collections::BTreeSet;
use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::Value;
use store::processes::{self, Process};

use crate::kost::Kost;
use crate::log;

stories![
    readiness_tells_of_everything_in_milliseconds,
    money_that_was_told_of_is_counted_until_it_is_booked,
    a_request_can_be_followed_through_its_jobs_to_the_gateway,
    papers_alerts_and_charts_name_the_metrics_that_there_are,
];

const OPERATING: &str = include_str!("../../docs/operating.md");
const ALERTS: &str = include_str!("../../deploy/observe/alerts.yml");
const DASHBOARD: &str = include_str!("../../deploy/observe/grafana/dashboards/kasir.json");

async fn readyz(kost: &Kost) -> Value {
    let answer = kost.send(kost.request(Method::GET, "/readyz")).await;
    assert_eq!(answer.status, StatusCode::OK);
    answer.body
}

async fn metrics(kost: &Kost) -> String {
    kost.send(kost.request(Method::GET, "/metrics")).await.body.as_str().unwrap().to_owned()
}

/// What the line of `/metrics` says that begins with these words.
async fn metric(kost: &Kost, name: &str) -> i64 {
    let page = metrics(kost).await;
    let line = page.lines().find(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ')));
    line.unwrap_or_else(|| panic!("no {name} in {page}")).rsplit_once(' ').unwrap().1.parse().unwrap()
}

async fn readiness_tells_of_everything_in_milliseconds(kost: Kost) {
    let (_budi, invoice) = kost.paying("Budi", "bca").await;
    let worker = Process {
        id: "W1".to_owned(),
        host: "one".to_owned(),
        version: "1".to_owned(),
        is_api: false,
        is_worker: true,
        is_scheduler: false,
    };
    processes::beat(&kost.db, &worker, kost.clock.now()).await.unwrap();
    kost.clock.advance(Duration::from_secs(3));
    let ready = readyz(&kost).await;
    assert!(ready["databaseMs"].is_i64(), "{ready}");
    assert_eq!(ready["redisMs"].is_i64(), ready["redis"] == "ok", "{ready}");
    let lives = &ready["processes"]["worker"];
    assert_eq!(
        (&lives["alive"], &lives["silent"], &lives["lastSeenMs"]),
        (&1.into(), &0.into(), &3000.into())
    );
    assert_eq!(ready["processes"]["scheduler"]["lastSeenMs"], Value::Null);
    assert_eq!(ready["gateway"]["circuit"], "closed");
    // The notification that the charge is pending had us ask.
    assert_eq!(ready["gateway"]["lastAnswerMs"], 3000);

    // The first check is due after a minute; nobody sweeps here.
    kost.clock.advance(Duration::from_secs(60));
    let ready = readyz(&kost).await;
    assert_eq!((&ready["checks"]["overdue"], &ready["checks"]["oldestMs"]), (&1.into(), &3000.into()));
    let lives = &ready["processes"]["worker"];
    assert_eq!(
        (&lives["alive"], &lives["silent"], &lives["lastSeenMs"]),
        (&0.into(), &1.into(), &63_000.into())
    );
    assert_eq!(metric(&kost, "kasir_processes{role=\"worker\",state=\"silent\"}").await, 1);
    assert_eq!(metric(&kost, "kasir_processes{role=\"worker\",state=\"alive\"}").await, 0);

    kost.sync(&invoice).await;
    kost.clock.advance(Duration::from_secs(5));
    let ready = readyz(&kost).await;
    assert_eq!(ready["gateway"]["lastAnswerMs"], 5000, "{ready}");
    assert_eq!(ready["jobs"]["due"], 0);
    assert_eq!(metric(&kost, "kasir_gateway_last_answer_milliseconds").await, 5000);
    kost.close().await;
}

async fn money_that_was_told_of_is_counted_until_it_is_booked(kost: Kost) {
    let (_budi, invoice) = kost.paying("Budi", "bca").await;
    let pause = kost.hold_jobs().await;
    kost.sim.settle(invoice.as_str()).await.unwrap();
    kost.sim.wait_until_delivered().await.unwrap();
    kost.clock.advance(Duration::from_secs(301));
    assert_eq!(metric(&kost, "kasir_money_unbooked").await, 1);
    assert_eq!(metric(&kost, "kasir_money_oldest_unbooked_milliseconds").await, 301_000);
    drop(pause);
    kost.run_jobs().await;
    assert_eq!(metric(&kost, "kasir_money_unbooked").await, 0);
    assert_eq!(metric(&kost, "kasir_money_oldest_unbooked_milliseconds").await, 0);
    kost.close().await;
}

/// The number behind `before` in a line of the log.
fn number_behind(line: &str, before: &str) -> Option<i64> {
    let rest = line.split(before).nth(1)?;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

async fn a_request_can_be_followed_through_its_jobs_to_the_gateway(kost: Kost) {
    let budi = kost.tenant("Budi").await;
    let answer = kost.try_pay(&budi, "bca").await;
    let (id, invoice) = (&answer.headers["x-request-id"], answer.body["invoice"].as_str().unwrap());
    kost.run_jobs().await;
    let log = log::heard();
    let of_request = format!("request.id=\"{}\"", id.to_str().unwrap());
    let wanted = log.lines().find(|line| line.contains(&of_request) && line.contains("work is wanted"));
    let job = number_behind(wanted.unwrap(), "jobs=[").unwrap();
    let of_job = format!("job.id={job} ");
    let call = format!("payment.invoice=\"{invoice}\"");
    let called =
        |line: &&str| line.contains(&of_job) && line.contains("called the gateway") && line.contains(&call);
    let called = log.lines().find(called).unwrap_or_else(|| panic!("job {job} called nobody"));
    assert!(called.contains("http.status=200") && called.contains("job.kind=\"submit_charge\""), "{called}");
    kost.close().await;
}

/// The names of metrics in a text. What a counter is called in the answer ends in `_total`.
fn names(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_lowercase() && c != '_');
    let names = words.filter(|word| word.starts_with("kasir_") && word.len() > "kasir_".len());
    names.map(|name| name.trim_end_matches("_total").to_owned()).collect()
}

async fn papers_alerts_and_charts_name_the_metrics_that_there_are(kost: Kost) {
    let page = metrics(&kost).await;
    let typed = page.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    let there: BTreeSet<String> = typed.map(|(name, _)| name.to_owned()).collect();
    assert!(there.len() > 10, "{page}");

    let rows = OPERATING.lines().filter(|line| line.starts_with("| `kasir_"));
    let told: BTreeSet<String> = rows.flat_map(|row| names(row.split('|').nth(1).unwrap())).collect();
    assert_eq!(told, there, "left: the table of docs/operating.md; right: /metrics. Each has a row");

    for (what, text) in [("alerts.yml", ALERTS), ("kasir.json", DASHBOARD)] {
        let unknown: Vec<String> = names(text).difference(&there).cloned().collect();
        assert!(unknown.is_empty(), "{what} asks for metrics that /metrics has not: {unknown:?}");
    }
    kost.close().await;
}
