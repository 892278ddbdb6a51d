//! The monthly rent: billed once for each month, also for those in which nothing ran.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::kost::{Kost, Tenant};

stories![
    the_rent_is_billed_when_the_month_begins,
    billing_twice_changes_nothing,
    months_that_were_missed_are_made_up_for,
    two_schedulers_at_once_bill_once,
    who_has_left_is_billed_no_more,
    a_month_that_was_made_void_stays_void,
    months_before_a_tenant_was_entered_are_not_billed,
    what_a_tenant_is_told_of_bills_is_never_old,
];

const DAY: Duration = Duration::from_secs(24 * 3600);

/// The months that the tenant was billed for, newest first.
async fn months(kost: &Kost, tenant: &Tenant) -> Vec<String> {
    let bills = kost.get(tenant, "/api/bills").await.body;
    bills.as_array().unwrap().iter().map(|bill| format!("{}-{}", bill["year"], bill["month"])).collect()
}

async fn bills_of_house(kost: &Kost, sari: &str) -> Value {
    kost.send(kost.request_of(sari, Method::GET, "/api/admin/bills")).await.body
}

async fn the_rent_is_billed_when_the_month_begins(kost: Kost) {
    let (sari, budi) = (kost.admin("Sari").await, kost.tenant("Budi").await);
    // Half past midnight of the first of December in Jakarta; in Greenwich it is still November.
    kost.clock.advance(6 * DAY + Duration::from_secs(14 * 3600 + 1800));
    kost.ask_for_rent().await;
    assert_eq!(months(&kost, &budi).await, ["2026-12", "2026-11"]);
    let bill = &bills_of_house(&kost, &sari).await[0];
    assert_eq!((&bill["total"], &bill["status"]), (&json!(1_250_000), &json!("unpaid")));
    assert_eq!((&bill["dueAt"], &bill["overdue"]), (&json!("2026-12-10T16:59:00Z"), &json!(false)));
    kost.clock.advance(10 * DAY);
    assert_eq!(bills_of_house(&kost, &sari).await[0]["overdue"], true);
    kost.close().await;
}

async fn billing_twice_changes_nothing(kost: Kost) {
    let (sari, budi) = (kost.admin("Sari").await, kost.tenant("Budi").await);
    kost.clock.advance(10 * DAY);
    kost.ask_for_rent().await;
    let once = bills_of_house(&kost, &sari).await;
    kost.ask_for_rent().await;
    // The slot of yesterday is forgotten, and tonight's does the work again.
    for _ in 0..3 {
        kost.pass(DAY).await;
        kost.ask_for_rent().await;
    }
    let listed = bills_of_house(&kost, &sari).await;
    assert_eq!((&listed[0]["id"], listed.as_array().unwrap().len()), (&once[0]["id"], 2));
    assert_eq!(months(&kost, &budi).await, ["2026-12", "2026-11"]);
    kost.close().await;
}

async fn months_that_were_missed_are_made_up_for(kost: Kost) {
    let budi = kost.tenant("Budi").await;
    kost.clock.advance(100 * DAY);
    kost.ask_for_rent().await;
    assert_eq!(months(&kost, &budi).await, ["2027-3", "2027-2", "2027-1", "2026-12", "2026-11"]);
    // Nobody is billed for more than a year at once.
    kost.clock.advance(3 * 365 * DAY);
    kost.ask_for_rent().await;
    let all = months(&kost, &budi).await;
    assert_eq!((all.len(), all[0].as_str(), all[11].as_str()), (5 + 12, "2030-3", "2029-4"));
    kost.close().await;
}

async fn two_schedulers_at_once_bill_once(kost: Kost) {
    let budi = kost.tenant("Budi").await;
    kost.clock.advance(10 * DAY);
    let (one, other) = tokio::join!(kost.scheduler(), kost.scheduler());
    kost.run_jobs().await;
    assert_eq!(months(&kost, &budi).await, ["2026-12", "2026-11"]);
    one.stop().await;
    other.stop().await;
    kost.close().await;
}

async fn who_has_left_is_billed_no_more(kost: Kost) {
    let (sari, budi) = (kost.admin("Sari").await, kost.tenant("Budi").await);
    let path = format!("/api/admin/tenants/{}", budi.id);
    kost.send(kost.request_of(&sari, Method::DELETE, &path)).await;
    kost.clock.advance(40 * DAY);
    kost.ask_for_rent().await;
    assert_eq!(bills_of_house(&kost, &sari).await.as_array().unwrap().len(), 1);
    kost.close().await;
}

async fn a_month_that_was_made_void_stays_void(kost: Kost) {
    let (sari, budi) = (kost.admin("Sari").await, kost.tenant("Budi").await);
    let path = format!("/api/admin/bills/{}", budi.bill);
    let void = kost.request_of(&sari, Method::DELETE, &path).json(&json!({ "reason": "a gift" }));
    assert_eq!(kost.send(void).await.status, StatusCode::OK);
    kost.ask_for_rent().await;
    assert_eq!(months(&kost, &budi).await, Vec::<String>::new());
    kost.close().await;
}

async fn months_before_a_tenant_was_entered_are_not_billed(kost: Kost) {
    let sari = kost.admin("Sari").await;
    let make =
        |path: &str, body: Value| kost.send_privately(kost.request_of(&sari, Method::POST, path).json(&body));
    assert_eq!(make("/api/admin/rooms", json!({ "code": "D1" })).await.status, StatusCode::CREATED);
    // A house that moves to Kasir enters the tenants it has.
    let dewi =
        json!({ "email": "dewi@kost.test", "name": "Dewi", "startDate": "2025-02-01", "roomCode": "D1" });
    assert_eq!(make("/api/admin/tenants", dewi).await.status, StatusCode::CREATED);
    kost.clock.advance(10 * DAY);
    kost.ask_for_rent().await;
    let bills = bills_of_house(&kost, &sari).await;
    let months: Vec<&Value> = bills.as_array().unwrap().iter().map(|bill| &bill["month"]).collect();
    assert_eq!(months, [12, 11]);
    kost.close().await;
}

async fn what_a_tenant_is_told_of_bills_is_never_old(kost: Kost) {
    let budi = kost.tenant("Budi").await;
    let told = async |statuses: &[&str]| {
        // The second time it may be what was told before.
        for _ in 0..2 {
            let bills = kost.get(&budi, "/api/bills").await;
            assert_eq!(bills.headers["content-type"], "application/json");
            let found: Vec<&Value> =
                bills.body.as_array().unwrap().iter().map(|bill| &bill["status"]).collect();
            assert_eq!(found, statuses);
        }
    };
    told(&["unpaid"]).await;
    kost.pay(&budi, "bca").await;
    kost.run_jobs().await;
    told(&["pending"]).await;
    // As another process would, or somebody by hand.
    kost.execute("UPDATE bills SET status = 'paid'").await;
    told(&["paid"]).await;
    kost.months_later(&budi, 1).await;
    told(&["unpaid", "paid"]).await;
    kost.execute("UPDATE bills SET voided_at = 1 WHERE status = 'paid'").await;
    told(&["unpaid"]).await;
    kost.execute("UPDATE bills SET voided_at = 1").await;
    told(&[]).await;
    kost.close().await;
}
