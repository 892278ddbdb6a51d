//! The doors for people and scripts.

use serde_json::json;

use crate::kit::{Kit, bca};

#[tokio::test]
async fn a_script_pays_by_the_number_of_the_virtual_account() {
    let kit = Kit::open().await;
    let charged = kit.charge_bca("o").await;
    let number = charged["va_numbers"][0]["va_number"].as_str().unwrap();
    let (http, paid) = kit.answer(kit.post(&format!("/sim/transactions/{number}/settle"))).await;
    assert_eq!((http, &paid["status"]), (200, &json!("settlement")));
    let (http, _) = kit.answer(kit.post(&format!("/sim/transactions/{number}/settle"))).await;
    assert_eq!(http, 409, "nobody pays twice");
    assert_eq!(kit.answer(kit.post("/sim/transactions/nobody/settle")).await.0, 404);
    let (_, listed) = kit.answer(kit.get("/sim/transactions")).await;
    assert_eq!(
        (&listed[0]["order_id"], &listed[0]["instruction"]["va_number"]),
        (&json!("o"), &json!(number))
    );
}

#[tokio::test]
async fn a_script_changes_only_the_switches_it_names() {
    let kit = Kit::open().await;
    kit.sim.faults(|f| f.notifications.copies = 2);
    let change = json!({ "api": { "fail_next": { "n": 1, "kind": "429" } } });
    let (http, faults) = kit.answer(kit.post("/sim/faults").json(&change)).await;
    assert_eq!((http, &faults["notifications"]["copies"]), (200, &json!(2)));
    assert_eq!(kit.charge(&bca("o")).await.0, 429);
    let (http, _) = kit.answer(kit.post("/sim/faults").json(&json!({ "api": { "typo": 1 } }))).await;
    assert_eq!(http, 400);
}

#[tokio::test]
async fn a_person_sees_the_payment_and_presses_pay() {
    let kit = Kit::open().await;
    kit.charge_bca("room-7").await;
    let number = kit.sim.transaction("room-7").unwrap().number().to_owned();
    for path in ["/".to_owned(), format!("/pay/{number}"), format!("/?q={number}")] {
        let page = kit.get(&path).send().await.unwrap().text().await.unwrap();
        assert!(page.contains("room-7") && page.contains("Rp44.000") && page.contains(&number), "{path}");
    }
    let id = kit.sim.transaction("room-7").unwrap().transaction_id;
    let request = kit.client.post(format!("{}/sim/transactions/{id}/pay", kit.sim.base_url()));
    let page = request.header("accept", "text/html").send().await.unwrap();
    assert_eq!((page.status().as_u16(), page.url().path()), (200, "/"), "back at the page");
    assert!(page.text().await.unwrap().contains("settlement"));
}

#[tokio::test]
async fn the_form_of_the_page_sets_the_faults() {
    let kit = Kit::open().await;
    let form = "drop_all=on&copies=3&delay_ms=0&latency_ms=0&late_expiry_s=60&settle_before_answer=0\
                &fail_kind=503&fail_n=&fail_on=charge&lose_how=&lose_n=";
    let request = kit.client.post(format!("{}/sim/faults/form", kit.sim.base_url()));
    let request = request.header("content-type", "application/x-www-form-urlencoded").body(form);
    assert_eq!(request.send().await.unwrap().status(), 200);
    let faults = kit.sim.faults(|f| f.clone());
    assert!(faults.notifications.drop_all && faults.notifications.copies == 3);
    assert_eq!(faults.api.late_expiry_s, 60);
    assert_eq!(kit.charge(&bca("o")).await.0, 503);
    assert!(faults.api.lose_charge_answer.is_none());
}
