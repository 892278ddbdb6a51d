//! The REST contract: who may ask, what is refused, and how.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::kost::{API_KEY, Answer, Kost, PASSWORD};

stories![
    a_person_logs_in,
    without_the_right_credentials_nothing_is_told,
    an_admin_has_no_bills,
    what_belongs_to_another_tenant_is_not_there,
    how_a_payment_stands_is_never_old,
    a_front_end_without_a_key_cannot_pay,
    a_wish_that_makes_no_sense_is_refused_with_a_reason,
    paths_and_methods_that_are_not_there_say_so,
    the_methods_are_told_to_everybody,
    a_method_can_be_named_by_its_id,
    the_service_says_how_it_is,
    every_answer_has_a_request_id_and_every_problem_a_page,
    no_answer_is_kept_in_a_cache_or_read_as_something_else,
    who_is_reached_over_tls_says_so_to_browsers,
    a_name_in_a_path_that_is_no_text_names_nothing,
];

fn problem(answer: &Answer) -> (u16, &str) {
    assert_eq!(answer.headers["content-type"], "application/problem+json", "{}", answer.body);
    assert_eq!(answer.body["status"], answer.status.as_u16());
    (answer.status.as_u16(), answer.body["type"].as_str().unwrap())
}

async fn a_person_logs_in(kost: Kost) {
    let budi = kost.tenant("Budi").await;
    let login = |email: &str, password: &str| {
        kost.request(Method::POST, "/api/login").json(&json!({ "email": email, "password": password }))
    };
    let answer = kost.send_privately(login("BUDI@kost.test", PASSWORD)).await;
    assert_eq!(answer.status, StatusCode::OK);
    let fixed = ["id", "email", "name", "role"].map(|field| answer.body[field].clone());
    assert_eq!(fixed, [json!(budi.id.0), json!("budi@kost.test"), json!("Budi"), json!("tenant")]);
    for (email, password) in
        [("budi@kost.test", "wrong"), ("nobody@kost.test", PASSWORD), ("", ""), ("x", PASSWORD)]
    {
        let answer = kost.send(login(email, password)).await;
        assert_eq!(problem(&answer), (401, "/problems/unauthenticated"), "{email}");
    }
    kost.close().await;
}

async fn without_the_right_credentials_nothing_is_told(kost: Kost) {
    let (budi, invoice) = kost.paying("Budi", "bca").await;
    let paths = ["/api/total-bills".to_owned(), "/api/bills".to_owned(), format!("/api/payment/{invoice}")];
    for path in &paths {
        let nobody = kost.send(kost.request(Method::GET, path)).await;
        assert_eq!(problem(&nobody), (401, "/problems/unauthenticated"), "{path}");
        let wrong = kost.request(Method::GET, path).header("email", &budi.email).header("password", "wrong");
        assert_eq!(problem(&kost.send(wrong).await).0, 401, "{path}");
        assert_eq!(kost.get(&budi, path).await.status, StatusCode::OK, "{path}");
    }
    kost.close().await;
}

async fn an_admin_has_no_bills(kost: Kost) {
    let (_, invoice) = kost.paying("Budi", "bca").await;
    let sari = kost.admin("Sari").await;
    for path in ["/api/total-bills", "/api/bills"] {
        let answer = kost.send(kost.request_of(&sari, Method::GET, path)).await;
        assert_eq!(problem(&answer), (403, "/problems/forbidden"));
    }
    let shown = kost.send(kost.request_of(&sari, Method::GET, &format!("/api/payment/{invoice}"))).await;
    assert_eq!(shown.status, StatusCode::OK, "an admin sees every payment");
    kost.close().await;
}

async fn what_belongs_to_another_tenant_is_not_there(kost: Kost) {
    let (budi, invoice) = kost.paying("Budi", "bca").await;
    let siti = kost.tenant("Siti").await;
    let path = format!("/api/payment/{invoice}");
    for _ in 0..2 {
        assert_eq!(kost.get(&budi, "/api/bills").await.body[0]["id"], budi.bill.0);
        assert_eq!(kost.get(&budi, &path).await.status, StatusCode::OK);
    }
    assert_eq!(problem(&kost.get(&siti, &path).await), (404, "/problems/not-found"));
    assert_eq!(kost.get(&siti, "/api/bills").await.body[0]["id"], siti.bill.0);
    let path = format!("/api/bills/{}/pay", budi.bill);
    let pay = kost.request_of(&siti.email, Method::POST, &path).header("x-api-key", API_KEY);
    let paid = kost.send(pay.json(&json!({ "payment": "bca" }))).await;
    assert_eq!(problem(&paid), (404, "/problems/not-found"));
    assert_eq!(kost.get(&siti, "/api/bills").await.body.as_array().unwrap().len(), 1);
    kost.close().await;
}

async fn how_a_payment_stands_is_never_old(kost: Kost) {
    let (budi, invoice) = kost.paying("Budi", "bca").await;
    kost.run_jobs().await;
    let told = async |field: &str, is: Value| {
        // The second time it may be what was read before.
        for _ in 0..2 {
            assert_eq!(kost.get(&budi, &format!("/api/payment/{invoice}")).await.body[field], is);
        }
    };
    told("status", json!("pending")).await;
    // As another process would, or somebody by hand.
    kost.execute("UPDATE payments SET expires_at = 1800000000000").await;
    told("deadline", json!("2027-01-15T08:00:00Z")).await;
    kost.execute("UPDATE payments SET instruction = NULL").await;
    told("payment", json!({ "name": "bca", "title": "BCA Virtual Account", "logo": "/logos/bca.svg", "instruction": null }))
        .await;
    kost.close().await;
}

async fn a_front_end_without_a_key_cannot_pay(kost: Kost) {
    let budi = kost.tenant("Budi").await;
    let path = format!("/api/bills/{}/pay", budi.bill);
    let request = || kost.request_of(&budi.email, Method::POST, &path).json(&json!({ "payment": "bca" }));
    assert_eq!(problem(&kost.send(request()).await), (401, "/problems/unknown-front-end"));
    let wrong = kost.send(request().header("x-api-key", "another-key-altogether")).await;
    assert_eq!(problem(&wrong), (401, "/problems/unknown-front-end"));
    assert_eq!(kost.bill_status(&budi).await, "unpaid");
    kost.close().await;
}

async fn a_wish_that_makes_no_sense_is_refused_with_a_reason(kost: Kost) {
    let budi = kost.tenant("Budi").await;
    let path = format!("/api/bills/{}/pay", budi.bill);
    let wish = || kost.request_of(&budi.email, Method::POST, &path).header("x-api-key", API_KEY);
    for body in
        [json!({}), json!({ "payment": "cheque" }), json!({ "payment": 4711 }), json!({ "payment": null })]
    {
        let answer = kost.send(wish().json(&body)).await;
        assert_eq!(problem(&answer), (422, "/problems/unprocessable"), "{body}");
        assert!(answer.body["detail"].as_str().unwrap().contains("payment"), "{}", answer.body);
    }
    let broken = wish().header("content-type", "application/json").body("{\"payment\":");
    assert_eq!(problem(&kost.send(broken).await), (400, "/problems/malformed"));
    let form = wish().header("content-type", "application/x-www-form-urlencoded").body("payment=bca");
    assert_eq!(problem(&kost.send(form).await), (415, "/problems/unsupported-media-type"));
    let large = wish().header("content-type", "application/json").body(" ".repeat(70 * 1024));
    assert_eq!(problem(&kost.send(large).await), (413, "/problems/too-large"));
    let extra = kost.send(wish().json(&json!({ "payment": "bca", "unknown": true }))).await;
    assert_eq!(extra.status, StatusCode::CREATED, "unknown fields are ignored");
    kost.close().await;
}

async fn paths_and_methods_that_are_not_there_say_so(kost: Kost) {
    let nowhere = kost.send(kost.request(Method::GET, "/api/nowhere")).await;
    assert_eq!(problem(&nowhere), (404, "/problems/not-found"));
    let hook = kost.send(kost.request(Method::DELETE, "/api/midtrans-notification")).await;
    assert_eq!(problem(&hook), (405, "/problems/method-not-allowed"));
    let budi = kost.tenant("Budi").await;
    for path in ["/api/payment/KSR-NONE", "/api/payment/%20%2F", "/api/bills/99999/pay"] {
        let method = if path.ends_with("pay") { Method::POST } else { Method::GET };
        let request = kost.request_of(&budi.email, method, path).header("x-api-key", API_KEY);
        let answer = kost.send(request.json(&json!({ "payment": "bca" }))).await;
        assert_eq!(problem(&answer), (404, "/problems/not-found"), "{path}");
    }
    kost.close().await;
}

async fn the_methods_are_told_to_everybody(kost: Kost) {
    let answer = kost.send(kost.request(Method::GET, "/api/payment-methods")).await;
    assert_eq!(answer.status, StatusCode::OK);
    let first = &answer.body[0];
    assert_eq!((&first["name"], &first["active"]), (&json!("bca"), &json!(true)));
    assert_eq!(first["title"], "BCA Virtual Account");
    assert!(first["id"].is_i64(), "{first}");
    for method in answer.body.as_array().unwrap() {
        let logo = kost.send(kost.request(Method::GET, method["logo"].as_str().unwrap())).await;
        assert_eq!(logo.status, StatusCode::OK, "{method}");
        assert_eq!(logo.headers["content-type"], "image/svg+xml");
    }
    kost.close().await;
}

async fn a_method_can_be_named_by_its_id(kost: Kost) {
    let budi = kost.tenant("Budi").await;
    let methods = kost.send(kost.request(Method::GET, "/api/payment-methods")).await.body;
    let id: &Value = &methods[1]["id"];
    let request = kost.request_of(&budi.email, Method::POST, &format!("/api/bills/{}/pay", budi.bill));
    let answer = kost.send(request.header("x-api-key", API_KEY).json(&json!({ "payment": id }))).await;
    assert_eq!(answer.status, StatusCode::CREATED);
    let invoice = answer.body["invoice"].as_str().unwrap();
    let shown = kost.get(&budi, &format!("/api/payment/{invoice}")).await.body;
    assert_eq!(shown["payment"]["name"], methods[1]["name"]);
    kost.close().await;
}

async fn the_service_says_how_it_is(kost: Kost) {
    assert_eq!(kost.send(kost.request(Method::GET, "/livez")).await.body, json!({ "status": "ok" }));
    let ready = kost.send(kost.request(Method::GET, "/readyz")).await;
    assert_eq!(ready.status, StatusCode::OK);
    assert_eq!(ready.body["database"], "ok");
    assert_eq!(ready.body["pendingMigrations"], 0);
    assert_ne!(ready.body["redis"], "down");
    kost.close().await;
}

async fn every_answer_has_a_request_id_and_every_problem_a_page(kost: Kost) {
    let answer = kost.send(kost.request(Method::GET, "/api/nowhere")).await;
    assert_eq!(answer.headers["x-request-id"].len(), 26);
    for problem in kasir::http::Problem::all() {
        let page = kost.send(kost.request(Method::GET, &format!("/problems/{}", problem.slug()))).await;
        assert_eq!(page.status, StatusCode::OK, "{}", problem.slug());
        assert!(page.body.as_str().unwrap().contains(problem.help()));
    }
    kost.close().await;
}

async fn no_answer_is_kept_in_a_cache_or_read_as_something_else(kost: Kost) {
    let budi = kost.tenant("Budi").await;
    for answer in [
        kost.get(&budi, "/api/bills").await,
        kost.get(&budi, "/api/nowhere").await,
        kost.send(kost.request(Method::GET, "/metrics")).await,
    ] {
        assert_eq!(answer.headers["cache-control"], "no-store");
        assert_eq!(answer.headers["x-content-type-options"], "nosniff");
        assert!(!answer.headers.contains_key("strict-transport-security"), "it is reached without TLS");
    }
    let logo = kost.send(kost.request(Method::GET, "/logos/bca.svg")).await;
    assert!(logo.headers["cache-control"].to_str().unwrap().contains("public"), "a picture may be kept");
    kost.close().await;
}

async fn who_is_reached_over_tls_says_so_to_browsers(kost: Kost) {
    let setup = kost.setup;
    kost.close().await;
    let kost = Kost::open_with(setup, &[("KASIR_PUBLIC_URL", "https://kasir.kost.test")]).await;
    let answer = kost.send(kost.request(Method::GET, "/api/payment-methods")).await;
    assert_eq!(answer.headers["strict-transport-security"], "max-age=15768000");
    let look = kost.send(kost.request(Method::GET, "/admin/look?lang=en&back=/admin/login")).await;
    assert!(look.headers["set-cookie"].to_str().unwrap().contains("; Secure"), "{:?}", look.headers);
    kost.close().await;
}

async fn a_name_in_a_path_that_is_no_text_names_nothing(kost: Kost) {
    for path in ["/problems/%ff", "/logos/%ff", "/api/admin/nothing/%ff"] {
        let answer = kost.send(kost.request(Method::GET, path)).await;
        assert_eq!(problem(&answer), (404, "/problems/not-found"), "{path}");
    }
    assert_eq!(kost.send(kost.request(Method::GET, "/admin/assets/%ff")).await.status, StatusCode::NOT_FOUND);
    kost.close().await;
}
