//! Calls to the gateway that are kept.

use std::time::Duration;

use store::Db;
use store::calls::{self, GatewayCall};

use crate::support::{at, execute};

on_both![a_call_is_kept_as_it_was, the_calls_about_some_names_are_listed_oldest_first_and_not_without_end];

fn call(name: Option<&str>, second: i64) -> GatewayCall {
    GatewayCall {
        name: name.map(str::to_owned),
        method: "GET".to_owned(),
        path: "/v2/KSR-1/status".to_owned(),
        http: Some(200),
        answer: r#"{"status_code":"200"}"#.to_owned(),
        error: None,
        at: at(second),
        took: Duration::from_millis(120),
    }
}

async fn a_call_is_kept_as_it_was(db: Db) {
    let answered = call(Some("KSR-1"), 1);
    let lost = GatewayCall {
        http: None,
        answer: String::new(),
        error: Some("outcome unknown: timed out".to_owned()),
        ..call(Some("KSR-1"), 2)
    };
    for one in [&answered, &lost, &call(None, 3)] {
        calls::record(&db, one).await.unwrap();
    }
    assert_eq!(calls::of_names(&db, &["KSR-1"]).await.unwrap(), [answered, lost]);
    assert_eq!(calls::of_names(&db, &[]).await.unwrap(), []);
}

async fn the_calls_about_some_names_are_listed_oldest_first_and_not_without_end(db: Db) {
    for (name, second) in [("KSR-1", 1), ("t-1", 2), ("KSR-2", 3), ("KSR-1", 4)] {
        calls::record(&db, &call(Some(name), second)).await.unwrap();
    }
    let found = calls::of_names(&db, &["t-1", "KSR-1", "t-1"]).await.unwrap();
    let times: Vec<_> = found.iter().map(|call| call.at).collect();
    assert_eq!(times, [at(1), at(2), at(4)]);

    const MANY: &str = "
        INSERT INTO gateway_calls (name, method, path, answer, at, took_ms)
        WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1200)
        SELECT 'KSR-3', 'GET', '/', '', i, 0 FROM n";
    execute(&db, MANY).await.unwrap();
    assert_eq!(calls::of_names(&db, &["KSR-3", "KSR-1"]).await.unwrap().len(), 1_000);
}
