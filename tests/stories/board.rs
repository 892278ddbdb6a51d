//! The board of jobs: what is dead is tried again, what is paused rests, and nobody loses money by either.

use std::time::Duration;

use domain::{Invoice, State};
use midtrans_sim::{Foreign, Status};
use queue::{Job as _, SubmitCharge};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::kost::{Answer, Kost};

stories![
    a_dead_job_is_tried_again_and_done,
    a_dead_job_whose_work_waits_stays_dead,
    a_paused_kind_rests_until_it_is_resumed,
    a_cancelled_charge_is_made_by_the_sweep,
    a_cancelled_cancellation_is_wanted_again,
    a_cancelled_refund_is_taken_up_again,
    what_nothing_else_would_do_is_refused,
    jobs_are_found_by_what_they_are_about,
    an_order_that_makes_no_sense_is_refused,
];

async fn get(kost: &Kost, who: &str, path: &str) -> Value {
    let answer = kost.send(kost.request_of(who, Method::GET, path)).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    answer.body
}

async fn post(kost: &Kost, who: &str, path: &str) -> Answer {
    let body = json!({ "reason": "because" });
    kost.send(kost.request_of(who, Method::POST, path).json(&body)).await
}

/// Orders something of a job, and it is done.
async fn order(kost: &Kost, who: &str, job: &Value, what: &str) -> Value {
    let answer = post(kost, who, &format!("/api/admin/jobs/{}/{what}", job["id"])).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    answer.body
}

#[track_caller]
fn is_problem(answer: &Answer, status: u16, slug: &str) {
    assert_eq!(answer.body["type"], format!("/problems/{slug}"), "{}", answer.body);
    assert_eq!(answer.status.as_u16(), status);
}

/// The newest job of this kind.
async fn newest(kost: &Kost, who: &str, kind: &str) -> Value {
    get(kost, who, &format!("/api/admin/jobs?kind={kind}&limit=1")).await[0].clone()
}

/// A payment whose charge died before anything was sent.
async fn dead_charge(kost: &Kost) -> (Invoice, Value, String) {
    let (budi, sari) = (kost.tenant("Budi").await, kost.admin("Sari").await);
    let held = kost.hold_jobs().await;
    let invoice = kost.pay(&budi, "bca").await;
    kost.execute("UPDATE jobs SET state = 'dead', attempts = 500, last_error = 'it timed out'").await;
    drop(held);
    kost.run_jobs().await;
    assert_eq!(kost.payment(&invoice).await.state, State::Created);
    let dead = get(kost, &sari, "/api/admin/jobs?state=dead").await;
    assert_eq!(dead.as_array().unwrap().len(), 1);
    (invoice, dead[0].clone(), sari)
}

async fn a_dead_job_is_tried_again_and_done(kost: Kost) {
    let (invoice, dead, sari) = dead_charge(&kost).await;
    assert_eq!((&dead["kind"], &dead["attempts"]), (&json!("submit_charge"), &json!(500)));
    assert_eq!((&dead["invoice"], &dead["lastError"]), (&json!(invoice), &json!("it timed out")));
    let path = format!("/api/admin/jobs/{}", dead["id"]);
    let story = get(&kost, &sari, &path).await;
    assert_eq!(story["foresight"]["english"], "The charge would be sent to the gateway.");
    assert_eq!(story["payload"]["payment_id"], kost.payment(&invoice).await.id.0);

    let held = kost.hold_jobs().await;
    let due = order(&kost, &sari, &dead, "retry").await;
    assert_eq!((&due["state"], &due["attempts"]), (&json!("ready"), &json!(0)));
    is_problem(&post(&kost, &sari, &format!("{path}/retry")).await, 409, "job-not-dead");
    drop(held);
    kost.run_jobs().await;
    assert_eq!(kost.payment(&invoice).await.state, State::Pending);
    assert_eq!(kost.transaction(&invoice).status, Status::Pending);
    let story = get(&kost, &sari, &path).await;
    assert_eq!((&story["state"], &story["history"][0]["outcome"]), (&json!("done"), &json!("done")));
    assert_eq!(story["foresight"]["english"], "Nothing: the charge was made, or the payment has ended.");

    let audit = get(&kost, &sari, "/api/admin/audit?action=job.retry").await;
    assert_eq!(audit[0]["subject"], format!("job:{}", dead["id"]));
    assert_eq!(audit[0]["after"]["invoice"], json!(invoice));
    let evidence = get(&kost, &sari, &format!("/api/admin/payments/{invoice}/evidence")).await;
    let mut entries = evidence["entries"].as_array().unwrap().iter();
    assert!(entries.any(|entry| entry["what"] == "job.retry by sari@kost.test"), "{evidence}");
    kost.close().await;
}

async fn a_dead_job_whose_work_waits_stays_dead(kost: Kost) {
    let (invoice, dead, sari) = dead_charge(&kost).await;
    let held = kost.hold_jobs().await;
    let again = SubmitCharge { payment_id: kost.payment(&invoice).await.id }.new_job(kost.clock.now());
    kost.program.queue.enqueue(&[again]).await.unwrap();
    let path = format!("/api/admin/jobs/{}/retry", dead["id"]);
    is_problem(&post(&kost, &sari, &path).await, 409, "job-waits");
    drop(held);
    kost.run_jobs().await;
    assert_eq!(kost.payment(&invoice).await.state, State::Pending);
    order(&kost, &sari, &dead, "cancel").await;
    kost.close().await;
}

async fn a_paused_kind_rests_until_it_is_resumed(kost: Kost) {
    let (budi, sari) = (kost.tenant("Budi").await, kost.admin("Sari").await);
    let answer = post(&kost, &sari, "/api/admin/queues/submit_charge/pause").await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let invoice = kost.pay(&budi, "bca").await;
    kost.run_jobs().await;
    assert_eq!(kost.payment(&invoice).await.state, State::Created);
    let queues = get(&kost, &sari, "/api/admin/queues").await;
    assert_eq!((&queues["due"], &queues["running"], &queues["dead"]), (&json!(0), &json!(0), &json!(0)));
    let charges = queues["kinds"].as_array().unwrap().iter().find(|kind| kind["kind"] == "submit_charge");
    let charges = charges.unwrap();
    assert_eq!((&charges["paused"]["by"], &charges["paused"]["reason"]), (&json!(sari), &json!("because")));
    assert_eq!(charges["counts"][0], json!({ "state": "ready", "count": 1, "capped": false }));
    // Not even at once.
    let waiting = newest(&kost, &sari, "submit_charge").await;
    order(&kost, &sari, &waiting, "run").await;
    kost.run_jobs().await;
    assert_eq!(kost.payment(&invoice).await.state, State::Created);

    post(&kost, &sari, "/api/admin/queues/submit_charge/resume").await;
    kost.run_jobs().await;
    assert_eq!(kost.payment(&invoice).await.state, State::Pending);
    let audit = get(&kost, &sari, "/api/admin/audit?subject=queue:submit_charge").await;
    assert_eq!((&audit[0]["action"], &audit[1]["action"]), (&json!("queue.resume"), &json!("queue.pause")));
    kost.close().await;
}

async fn a_cancelled_charge_is_made_by_the_sweep(kost: Kost) {
    let (invoice, dead, sari) = dead_charge(&kost).await;
    let cancelled = order(&kost, &sari, &dead, "cancel").await;
    assert_eq!(cancelled["state"], "cancelled");
    kost.pass(Duration::from_secs(90)).await;
    assert_eq!(kost.payment(&invoice).await.state, State::Pending);
    kost.close().await;
}

async fn a_cancelled_cancellation_is_wanted_again(kost: Kost) {
    let (budi, invoice) = kost.paying("Budi", "bca").await;
    let sari = kost.admin("Sari").await;
    let held = kost.hold_jobs().await;
    let path = format!("/api/payment/{invoice}/cancel");
    kost.send(kost.request_of(&budi.email, Method::POST, &path)).await;
    let waiting = newest(&kost, &sari, "cancel_payment").await;
    order(&kost, &sari, &waiting, "cancel").await;
    drop(held);
    kost.run_jobs().await;
    assert_eq!(kost.payment(&invoice).await.state, State::Pending);
    kost.pass(Duration::from_secs(90)).await;
    assert!(matches!(kost.payment(&invoice).await.state, State::Failed(_)));
    assert_eq!(kost.transaction(&invoice).status, Status::Cancel);
    kost.close().await;
}

async fn a_cancelled_refund_is_taken_up_again(kost: Kost) {
    let (_, invoice) = kost.paying("Budi", "gopay").await;
    let sari = kost.admin("Sari").await;
    kost.sim.settle(invoice.as_str()).await.unwrap();
    kost.run_jobs().await;
    let held = kost.hold_jobs().await;
    let answer = post(&kost, &sari, &format!("/api/admin/payments/{invoice}/refund")).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.body);
    let waiting = newest(&kost, &sari, "refund_payment").await;
    order(&kost, &sari, &waiting, "cancel").await;
    drop(held);
    kost.run_jobs().await;
    assert_eq!(kost.payment(&invoice).await.state, State::Paid);
    kost.pass(Duration::from_secs(660)).await;
    assert_eq!(kost.payment(&invoice).await.state, State::Refunded);
    kost.close().await;
}

async fn what_nothing_else_would_do_is_refused(kost: Kost) {
    let sari = kost.admin("Sari").await;
    let held = kost.hold_jobs().await;
    assert!(kost.sim.send_foreign(Foreign::MultiUseVaChild));
    kost.sim.wait_until_delivered().await.unwrap();
    let waiting = newest(&kost, &sari, "process_notification").await;
    let path = format!("/api/admin/jobs/{}/cancel", waiting["id"]);
    is_problem(&post(&kost, &sari, &path).await, 409, "job-needed");
    drop(held);
    kost.run_jobs().await;
    assert_eq!(kost.findings().await, ["unknown_order"]);
    is_problem(&post(&kost, &sari, &path).await, 409, "job-not-waiting");
    kost.close().await;
}

async fn jobs_are_found_by_what_they_are_about(kost: Kost) {
    let (budi, invoice) = kost.paying("Budi", "bca").await;
    kost.paying("Siti", "bca").await;
    let sari = kost.admin("Sari").await;
    let mine = get(&kost, &sari, &format!("/api/admin/jobs?invoice={invoice}")).await;
    assert!(mine.as_array().unwrap().iter().all(|job| job["invoice"] == json!(invoice)));
    assert!(!mine.as_array().unwrap().is_empty());
    let same = [
        format!("bill={}", budi.bill),
        format!("tenant={}", budi.id),
        "room=room+of+Budi".to_owned(),
        format!("invoice={}", kost.payment(&invoice).await.transaction_id.unwrap()),
    ];
    for query in same {
        assert_eq!(get(&kost, &sari, &format!("/api/admin/jobs?{query}")).await, mine, "{query}");
    }
    assert_eq!(get(&kost, &sari, "/api/admin/jobs?error=timed").await, json!([]));
    for query in ["state=lost", "kind=dance", "bill=1&tenant=1", "invoice=", "error=%00", "tenant=budi"] {
        let path = format!("/api/admin/jobs?{query}");
        let answer = kost.send(kost.request_of(&sari, Method::GET, &path)).await;
        is_problem(&answer, 422, "unprocessable");
    }
    kost.close().await;
}

async fn an_order_that_makes_no_sense_is_refused(kost: Kost) {
    let (_, _) = kost.paying("Budi", "bca").await;
    let sari = kost.admin("Sari").await;
    let job = newest(&kost, &sari, "submit_charge").await;
    for what in ["retry", "cancel", "run"] {
        let path = format!("/api/admin/jobs/{}/{what}", job["id"]);
        for body in [json!({}), json!({ "reason": " " })] {
            let answer = kost.send(kost.request_of(&sari, Method::POST, &path).json(&body)).await;
            is_problem(&answer, 422, "unprocessable");
        }
        let wanted = if what == "retry" { "job-not-dead" } else { "job-not-waiting" };
        is_problem(&post(&kost, &sari, &path).await, 409, wanted);
        is_problem(&post(&kost, &sari, &format!("/api/admin/jobs/404/{what}")).await, 404, "not-found");
    }
    for what in ["pause", "resume"] {
        is_problem(&post(&kost, &sari, &format!("/api/admin/queues/dance/{what}")).await, 404, "not-found");
    }
    let answer = kost.send(kost.request_of(&sari, Method::GET, "/api/admin/jobs/404")).await;
    is_problem(&answer, 404, "not-found");
    kost.close().await;
}
