//! Who may call, and what a path must look like.

use serde_json::json;

use crate::kit::{Kit, bca};

#[tokio::test]
async fn a_wrong_key_is_401_in_json_over_http_401() {
    let kit = Kit::open().await;
    let url = format!("{}/v2/charge", kit.sim.base_url());
    let request = kit.client.post(&url).basic_auth("SB-Mid-server-other", Some("")).json(&bca("o"));
    let (http, body) = kit.answer(request).await;
    assert_eq!((http, &body["status_code"]), (401, &json!("401")));
    let (http, _) = kit.answer(kit.client.post(&url).json(&bca("o"))).await;
    assert_eq!(http, 401, "no key at all");
    let request = kit.client.post(&url).basic_auth("SB-Mid-server-simulator", Some("secret")).json(&bca("o"));
    assert_eq!(kit.answer(request).await.0, 401, "the password is empty");
    assert!(kit.sim.transactions().is_empty());
}

#[tokio::test]
async fn another_accept_header_gets_a_page_over_http_404() {
    let kit = Kit::open().await;
    let url = format!("{}/v2/o/status", kit.sim.base_url());
    let response = kit.client.get(url).header("accept", "text/html").send().await.unwrap();
    assert_eq!(response.status(), 404);
    assert!(response.text().await.unwrap().contains("<html>"));
}

#[tokio::test]
async fn an_id_with_a_slash_is_the_frameworks_own_404() {
    let kit = Kit::open().await;
    for path in ["/v2/00561/05/status", "/v2/00561%2F05/status", "/v2/a%23b/status"] {
        let (http, body) = kit.answer(kit.get(path)).await;
        assert_eq!((http, &body["status"]), (404, &json!(404)), "{path}");
        assert_eq!(body["error"], "Not Found");
    }
}

#[tokio::test]
async fn the_server_key_does_not_print() {
    let kit = Kit::open().await;
    let options = midtrans_sim::Options::local(kit.clock.clone());
    assert!(!format!("{options:?}").contains("SB-Mid-server"));
    assert!(!format!("{:?}", kit.sim).contains("SB-Mid-server"));
}
