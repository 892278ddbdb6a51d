//! Comparing our books with the gateway's: by night, by hand, dry, and while the gateway is in trouble.

use std::time::Duration;

use domain::{BillId, Failure, State};
use kasir::evidence;
use midtrans_sim::{Calls, Failure as Trouble};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::kost::{Answer, Kost};

stories![
    a_refund_that_nobody_told_of_is_found_in_the_night,
    ten_schedulers_compare_once_a_night,
    an_admin_compares_a_window_and_reads_what_came_of_it,
    a_dry_run_tells_what_would_change_and_changes_nothing,
    a_gateway_that_is_down_delays_a_comparison_and_fails_none,
    a_payment_about_which_the_gateway_says_nothing_is_told,
    what_makes_no_sense_is_not_compared,
    a_finding_is_dealt_with_once_and_only_by_admins,
    a_change_that_no_notification_told_of_is_a_finding_until_one_does,
    everything_about_a_payment_is_one_document,
    everything_about_the_payments_of_a_bill_is_one_story,
];

const DAY: Duration = Duration::from_secs(24 * 3600);

async fn admin_get(kost: &Kost, admin: &str, path: &str) -> Answer {
    kost.send(kost.request_of(admin, Method::GET, path)).await
}

pub(crate) async fn admin_post(kost: &Kost, admin: &str, (path, body): (&str, Value)) -> Answer {
    kost.send(kost.request_of(admin, Method::POST, path).json(&body)).await
}

/// The newest comparison, after the night's job was done.
async fn night(kost: &Kost, admin: &str) -> Value {
    kost.ask_for_the_night().await;
    kost.run_jobs().await;
    admin_get(kost, admin, "/api/admin/reconciliations").await.body[0].take()
}

async fn a_refund_that_nobody_told_of_is_found_in_the_night(kost: Kost) {
    let sari = kost.admin("Sari").await;
    let (budi, invoice) = kost.paying("Budi", "qris").await;
    let (_, agreed) = kost.paying("Siti", "bca").await;
    kost.sim.settle(invoice.as_str()).await.unwrap();
    kost.run_jobs().await;
    kost.sim.faults(|faults| faults.notifications.drop_all = true);
    kost.sim.refund(invoice.as_str(), None).await.unwrap();
    kost.pass(Duration::from_secs(3600)).await;
    assert_eq!(kost.payment(&invoice).await.state, State::Paid, "nobody has asked since");

    let run = night(&kost, &sari).await;
    assert_eq!((run["kind"].as_str(), run["state"].as_str()), (Some("nightly"), Some("done")));
    let sums = ["total", "asked", "agreed", "repaired", "findings", "errors"].map(|name| run[name].as_i64());
    assert_eq!(sums, [2, 2, 1, 0, 1, 0].map(Some), "mended, and a person must look");
    assert_eq!(kost.payment(&invoice).await.state, State::Refunded);
    assert_eq!(kost.bill_status(&budi).await, "unpaid");
    let items =
        admin_get(&kost, &sari, &format!("/api/admin/reconciliations/{}/items", run["id"])).await.body;
    let told = items.as_array().unwrap().iter().find(|item| item["verdict"] == "finding").unwrap();
    assert_eq!(told["invoice"], invoice.as_str());
    assert_eq!((told["before"].as_str(), told["after"].as_str()), (Some("paid"), Some("refunded")));
    assert!(items.as_array().unwrap().iter().any(|item| item["invoice"] == agreed.as_str()));
    assert_eq!(kost.findings().await, ["external_refund"]);
    // The next night has nothing to repair, and nothing to tell anew.
    kost.pass(DAY).await;
    let run = night(&kost, &sari).await;
    assert_eq!((run["repaired"].as_i64(), run["findings"].as_i64()), (Some(0), Some(0)));
    kost.close().await;
}

async fn ten_schedulers_compare_once_a_night(kost: Kost) {
    let sari = kost.admin("Sari").await;
    let (_, _) = kost.paying("Budi", "bca").await;
    for _ in 0..10 {
        kost.ask_for_the_night().await;
    }
    kost.run_jobs().await;
    let asked = kost.looks();
    for _ in 0..3 {
        kost.ask_for_the_night().await;
    }
    kost.run_jobs().await;
    assert_eq!(kost.looks(), asked, "the night was over");
    let runs = admin_get(&kost, &sari, "/api/admin/reconciliations").await.body;
    assert_eq!(runs.as_array().unwrap().len(), 1);
    kost.close().await;
}

async fn an_admin_compares_a_window_and_reads_what_came_of_it(kost: Kost) {
    let sari = kost.admin("Sari").await;
    kost.sim.faults(|faults| faults.notifications.drop_all = true);
    let (budi, invoice) = kost.paying("Budi", "bca").await;
    kost.sim.settle(invoice.as_str()).await.unwrap();
    let window = json!({ "from": "2026-11-24", "to": "2026-11-24", "reason": "the till is short" });
    let path = "/api/admin/reconciliations";
    let refused = kost.send(kost.request_of(&budi.email, Method::POST, path).json(&window)).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let wanted = admin_post(&kost, &sari, (path, window)).await;
    assert_eq!(wanted.status, StatusCode::ACCEPTED, "{}", wanted.body);
    assert_eq!(
        (wanted.body["state"].as_str(), wanted.body["dryRun"].as_bool()),
        (Some("waiting"), Some(false))
    );
    kost.run_jobs().await;
    let one = format!("{path}/{}", wanted.body["id"]);
    let run = admin_get(&kost, &sari, &one).await.body;
    assert_eq!((run["state"].as_str(), run["repaired"].as_i64()), (Some("done"), Some(1)));
    assert_eq!(
        (run["from"].as_str(), run["wantedBy"].as_str()),
        (Some("2026-11-23T17:00:00Z"), Some(sari.as_str()))
    );
    assert!(run["durationMs"].is_i64(), "{run}");
    assert_eq!(kost.payment(&invoice).await.state, State::Paid);

    let csv = admin_get(&kost, &sari, &format!("{one}/export?verdict=repaired")).await;
    assert!(csv.headers["content-type"].to_str().unwrap().starts_with("text/csv"));
    let lines: Vec<&str> = csv.body.as_str().unwrap().lines().collect();
    assert_eq!((lines.len(), lines[0]), (2, "invoice,verdict,before,after,detail,at"));
    assert!(lines[1].starts_with(&format!("{invoice},repaired,pending,paid,settled,")), "{}", lines[1]);
    let none = admin_get(&kost, &sari, &format!("{one}/items?verdict=error")).await;
    assert_eq!(none.body, json!([]));
    let audit = admin_get(&kost, &sari, "/api/admin/audit?limit=1").await.body;
    assert_eq!(
        (audit[0]["action"].as_str(), audit[0]["reason"].as_str()),
        (Some("reconciliation.start"), Some("the till is short"))
    );
    let balance = admin_get(&kost, &sari, "/api/admin/trial-balance").await.body;
    assert_eq!(balance["sum"], 0);
    let gateway =
        balance["accounts"].as_array().unwrap().iter().find(|one| one["account"] == "gateway").unwrap();
    assert_eq!(gateway["balance"], 1_250_000);
    kost.close().await;
}

async fn a_dry_run_tells_what_would_change_and_changes_nothing(kost: Kost) {
    let sari = kost.admin("Sari").await;
    kost.sim.faults(|faults| faults.notifications.drop_all = true);
    let (_, invoice) = kost.paying("Budi", "gopay").await;
    kost.sim.deny(invoice.as_str()).await.unwrap();
    let before = kost.payment(&invoice).await;
    let wanted = admin_post(&kost, &sari, ("/api/admin/reconciliations", json!({ "dryRun": true }))).await;
    kost.run_jobs().await;
    assert_eq!(kost.payment(&invoice).await, before);
    let items = format!("/api/admin/reconciliations/{}/items", wanted.body["id"]);
    let item = admin_get(&kost, &sari, &items).await.body[0].take();
    assert_eq!((item["verdict"].as_str(), item["after"].as_str()), (Some("repaired"), Some("failed")));
    kost.pass(Duration::from_secs(60)).await;
    assert_eq!(kost.payment(&invoice).await.state, State::Failed(Failure::Denied));
    kost.close().await;
}

async fn a_gateway_that_is_down_delays_a_comparison_and_fails_none(kost: Kost) {
    let sari = kost.admin("Sari").await;
    kost.sim.faults(|faults| faults.notifications.drop_all = true);
    let (_, invoice) = kost.paying("Budi", "bca").await;
    kost.sim.settle(invoice.as_str()).await.unwrap();
    kost.sim.faults(|faults| faults.fail_next_of(Calls::Status, 1_000, Trouble::RateLimited));
    let wanted = admin_post(&kost, &sari, ("/api/admin/reconciliations", json!({}))).await;
    let one = format!("/api/admin/reconciliations/{}", wanted.body["id"]);
    for _ in 0..6 {
        kost.run_jobs().await;
        let run = admin_get(&kost, &sari, &one).await.body;
        assert_eq!((run["state"].as_str(), run["asked"].as_i64()), (Some("running"), Some(0)));
        kost.clock.advance(Duration::from_secs(600));
    }
    kost.sim.faults(|faults| faults.api.fail_next = None);
    kost.pass(Duration::from_secs(600)).await;
    kost.pass(Duration::from_secs(600)).await;
    let run = admin_get(&kost, &sari, &one).await.body;
    assert_eq!((run["state"].as_str(), run["errors"].as_i64()), (Some("done"), Some(0)));
    assert_eq!(kost.payment(&invoice).await.state, State::Paid);
    kost.close().await;
}

async fn a_payment_about_which_the_gateway_says_nothing_is_told(kost: Kost) {
    let sari = kost.admin("Sari").await;
    let (_, invoice) = kost.paying("Budi", "bca").await;
    let before = kost.looks();
    kost.sim.faults(|faults| faults.fail_next_of(Calls::Status, 1_000, Trouble::ServerError));
    let wanted = admin_post(&kost, &sari, ("/api/admin/reconciliations", json!({}))).await;
    kost.run_jobs().await;
    let one = format!("/api/admin/reconciliations/{}", wanted.body["id"]);
    let run = admin_get(&kost, &sari, &one).await.body;
    assert_eq!((run["state"].as_str(), run["errors"].as_i64()), (Some("done"), Some(1)));
    assert_eq!(kost.looks() - before, 3, "it was asked about again and again, and not for ever");
    assert_eq!(kost.payment(&invoice).await.state, State::Pending);
    kost.sim.faults(|faults| faults.api.fail_next = None);
    kost.close().await;
}

async fn what_makes_no_sense_is_not_compared(kost: Kost) {
    let sari = kost.admin("Sari").await;
    let path = "/api/admin/reconciliations";
    for body in [
        json!({ "from": "2026-11-25", "to": "2026-11-24" }),
        json!({ "from": "2001-01-01", "to": "2026-11-24" }),
        json!({ "from": "yesterday" }),
        json!({ "dryRun": "perhaps" }),
    ] {
        let answer = admin_post(&kost, &sari, (path, body.clone())).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
    }
    assert_eq!(admin_get(&kost, &sari, path).await.body, json!([]));
    for path in ["/api/admin/reconciliations/404", "/api/admin/reconciliations/404/items"] {
        assert_eq!(admin_get(&kost, &sari, path).await.status, StatusCode::NOT_FOUND);
    }
    for path in ["/api/admin/findings?state=lost", "/api/admin/findings?kind=bored"] {
        assert_eq!(admin_get(&kost, &sari, path).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    }
    kost.close().await;
}

async fn a_finding_is_dealt_with_once_and_only_by_admins(kost: Kost) {
    let sari = kost.admin("Sari").await;
    let (budi, invoice) = kost.paying("Budi", "permata").await;
    kost.sim.settle(invoice.as_str()).await.unwrap();
    kost.run_jobs().await;
    kost.sim.reverse(invoice.as_str()).await.unwrap();
    kost.run_jobs().await;
    let open = admin_get(&kost, &sari, "/api/admin/findings?state=open").await.body;
    assert_eq!(
        (open[0]["kind"].as_str(), open[0]["invoice"].as_str()),
        (Some("reversal"), Some(invoice.as_str()))
    );
    let resolve = format!("/api/admin/findings/{}/resolve", open[0]["id"]);
    let why = json!({ "reason": "Budi pays again tomorrow" });
    let refused = kost.send(kost.request_of(&budi.email, Method::POST, &resolve).json(&why)).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let nothing = admin_post(&kost, &sari, (&resolve, json!({ "reason": "  " }))).await;
    assert_eq!(nothing.status, StatusCode::UNPROCESSABLE_ENTITY);
    let resolved = admin_post(&kost, &sari, (&resolve, why.clone())).await;
    assert_eq!(resolved.status, StatusCode::OK, "{}", resolved.body);
    assert_eq!(resolved.body["resolution"], why["reason"]);
    assert_eq!(resolved.body["resolvedBy"], sari.as_str());
    let again = admin_post(&kost, &sari, (&resolve, why)).await;
    assert_eq!(
        (again.status, again.body["type"].as_str()),
        (StatusCode::CONFLICT, Some("/problems/finding-resolved"))
    );
    assert_eq!(admin_get(&kost, &sari, "/api/admin/findings?state=open").await.body, json!([]));
    let csv = admin_get(&kost, &sari, "/api/admin/findings/export?kind=reversal").await.body;
    assert_eq!(csv.as_str().unwrap().lines().count(), 2, "{csv}");
    kost.close().await;
}

async fn a_change_that_no_notification_told_of_is_a_finding_until_one_does(kost: Kost) {
    kost.sim.faults(|faults| faults.notifications.delay_ms = 2 * 3600 * 1000);
    let (_, late) = kost.paying("Budi", "bca").await;
    kost.sim.settle(late.as_str()).await.unwrap();
    kost.sim.faults(|faults| (faults.notifications.delay_ms, faults.notifications.drop_all) = (0, true));
    let (_, lost) = kost.paying("Siti", "bca").await;
    kost.sim.settle(lost.as_str()).await.unwrap();
    kost.sim.wait_until_delivered().await.unwrap();
    kost.sim.faults(|faults| faults.notifications.drop_all = false);
    let (_, told) = kost.paying("Agus", "bca").await;
    kost.sim.settle(told.as_str()).await.unwrap();
    kost.pass(Duration::from_secs(60)).await;
    for invoice in [&late, &lost, &told] {
        assert_eq!(kost.payment(invoice).await.state, State::Paid);
    }
    assert_eq!(kost.findings().await, [""; 0], "a notification may take a while");
    kost.pass(Duration::from_secs(15 * 60)).await;
    assert_eq!(kost.findings().await, ["missed_notification"; 2]);
    kost.pass(Duration::from_secs(2 * 3600)).await;
    let all = store::findings::newest(&kost.db, 10).await.unwrap();
    let open: Vec<_> = all.iter().filter(|finding| finding.resolved_at.is_none()).collect();
    assert_eq!((all.len(), open.len()), (2, 1));
    assert_eq!(open[0].invoice.as_deref(), Some(lost.as_str()));
    kost.close().await;
}

async fn everything_about_the_payments_of_a_bill_is_one_story(kost: Kost) {
    let sari = kost.admin("Sari").await;
    let (budi, first) = kost.paying("Budi", "bca").await;
    let cancel = format!("/api/admin/payments/{first}/cancel");
    assert_eq!(admin_post(&kost, &sari, (&cancel, json!({}))).await.status, StatusCode::ACCEPTED);
    kost.run_jobs().await;
    let second = kost.pay(&budi, "qris").await;
    kost.run_jobs().await;
    let cash = format!("/api/admin/bills/{}/mark-paid", budi.bill);
    assert_eq!(admin_post(&kost, &sari, (&cash, json!({ "note": "cash" }))).await.status, StatusCode::OK);
    kost.run_jobs().await;

    let told = evidence::gather_bill(&kost.db, budi.bill).await.unwrap().unwrap();
    assert_eq!(told.bill.id, budi.bill);
    assert!(told.entries.is_sorted_by_key(|entry| entry.at));
    for invoice in [&first, &second] {
        let of = told.entries.iter().filter(|entry| entry.invoice.as_deref() == Some(invoice.as_str()));
        assert!(of.count() > 3, "little is told of {invoice}");
    }
    let ours = told.entries.iter().filter(|entry| entry.invoice.is_none());
    assert_eq!(
        ours.map(|entry| entry.what.as_str()).collect::<Vec<_>>(),
        ["bill.mark-paid by sari@kost.test"]
    );
    assert!(evidence::gather_bill(&kost.db, BillId(404)).await.unwrap().is_none());
    kost.close().await;
}

async fn everything_about_a_payment_is_one_document(kost: Kost) {
    let sari = kost.admin("Sari").await;
    let (budi, invoice) = kost.paying("Budi", "qris").await;
    kost.sim.settle(invoice.as_str()).await.unwrap();
    kost.run_jobs().await;
    let refund = format!("/api/admin/payments/{invoice}/refund");
    let back = json!({ "amount": 250_000, "reason": "the shower was cold" });
    assert_eq!(admin_post(&kost, &sari, (&refund, back)).await.status, StatusCode::ACCEPTED);
    kost.pass(Duration::from_secs(60)).await;
    kost.ask_for_the_night().await;
    kost.run_jobs().await;
    let path = format!("/api/admin/payments/{invoice}/evidence");
    let evidence = admin_get(&kost, &sari, &path).await.body;
    assert_eq!(
        (evidence["invoice"].as_str(), evidence["state"].as_str()),
        (Some(invoice.as_str()), Some("partially_refunded"))
    );
    assert_eq!(evidence["transactionIds"], json!([kost.transaction(&invoice).transaction_id]));
    let entries = evidence["entries"].as_array().unwrap();
    let of = |kind: &str| entries.iter().filter(|entry| entry["kind"] == kind).collect::<Vec<_>>();
    let asked: Vec<&str> = of("asked").iter().map(|entry| entry["what"].as_str().unwrap()).collect();
    assert_eq!(asked[0], "POST /v2/charge: 200");
    assert!(asked.iter().any(|what| what.contains("/refund")), "{asked:?}");
    assert_eq!(of("asked")[0]["data"]["answer"]["order_id"], invoice.as_str());
    let told: Vec<&str> = of("told").iter().map(|entry| entry["what"].as_str().unwrap()).collect();
    assert!(told.contains(&"a notification of settled"), "{told:?}");
    let posted: Vec<&str> = of("posted").iter().map(|entry| entry["what"].as_str().unwrap()).collect();
    assert_eq!(posted[1..], ["Rp1.250.000 from pending to gateway", "Rp250.000 from gateway to refunded"]);
    assert_eq!(of("ordered")[0]["data"]["reason"], "the shower was cold");
    for kind in ["moved", "worked", "refund", "reconciled"] {
        assert!(!of(kind).is_empty(), "{kind} is missing");
    }
    assert!(entries.iter().all(|entry| entry["invoice"] == invoice.as_str()));
    let csv = admin_get(&kost, &sari, &format!("{path}?format=csv")).await.body;
    assert_eq!(csv.as_str().unwrap().lines().count(), entries.len() + 1);
    assert_eq!(
        admin_get(&kost, &sari, &format!("{path}?format=pdf")).await.status,
        StatusCode::UNPROCESSABLE_ENTITY
    );
    assert_eq!(kost.get(&budi, &path).await.status, StatusCode::FORBIDDEN);
    kost.close().await;
}
