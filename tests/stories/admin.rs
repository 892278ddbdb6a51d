//! What admins do: rooms, tenants, bills, payment methods; who else asks is turned away, and all of it is in the audit.

use std::time::Duration;

use domain::{Failure, Invoice, State};
use midtrans_sim::Status;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::kost::{API_KEY, Answer, Kost, PASSWORD};

stories![
    only_admins_run_the_house,
    rooms_come_and_go,
    a_room_that_makes_no_sense_is_refused,
    a_tenant_arrives_with_a_temporary_password,
    an_arrival_that_makes_no_sense_is_refused,
    a_tenant_moves_and_changes_the_address,
    a_tenant_who_leaves_pays_no_more,
    cash_pays_a_bill_and_cancels_what_was_under_way,
    a_transfer_that_crosses_the_cash_is_a_finding,
    a_bill_is_made_void,
    an_extra_bill_is_paid_like_the_rent,
    a_method_is_switched_off,
    lists_come_in_pages,
    the_audit_tells_who_did_what_and_why,
];

async fn ask(kost: &Kost, who: &str, request: (Method, &str), body: Value) -> Answer {
    let (method, path) = request;
    kost.send(kost.request_of(who, method, path).json(&body)).await
}

async fn get(kost: &Kost, who: &str, path: &str) -> Value {
    let answer = kost.send(kost.request_of(who, Method::GET, path)).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    answer.body
}

async fn post(kost: &Kost, who: &str, path: &str, body: Value) -> Answer {
    ask(kost, who, (Method::POST, path), body).await
}

async fn patch(kost: &Kost, who: &str, path: &str, body: Value) -> Answer {
    ask(kost, who, (Method::PATCH, path), body).await
}

async fn delete(kost: &Kost, who: &str, path: &str) -> Answer {
    kost.send(kost.request_of(who, Method::DELETE, path)).await
}

#[track_caller]
fn is_problem(answer: &Answer, status: u16, slug: &str) {
    assert_eq!(answer.body["type"], format!("/problems/{slug}"), "{}", answer.body);
    assert_eq!(answer.status.as_u16(), status);
}

/// A room of this code: its id.
async fn room(kost: &Kost, sari: &str, code: &str) -> Value {
    let answer = post(kost, sari, "/api/admin/rooms", json!({ "code": code })).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
    answer.body["id"].clone()
}

fn arrival(name: &str, room: &str) -> Value {
    json!({ "email": format!("{name}@kost.test"), "name": name, "startDate": "2026-11-24", "roomCode": room })
}

async fn login(kost: &Kost, email: &str, password: &str) -> StatusCode {
    let body = json!({ "email": email, "password": password });
    kost.send(kost.request(Method::POST, "/api/login").json(&body)).await.status
}

async fn only_admins_run_the_house(kost: Kost) {
    let budi = kost.tenant("Budi").await;
    let routes = [
        (Method::GET, "/api/admin/count-bills"),
        (Method::GET, "/api/admin/bills"),
        (Method::POST, "/api/admin/bills"),
        (Method::POST, "/api/admin/bills/1/mark-paid"),
        (Method::DELETE, "/api/admin/bills/1"),
        (Method::GET, "/api/admin/tenants"),
        (Method::POST, "/api/admin/tenants"),
        (Method::PATCH, "/api/admin/tenants/1"),
        (Method::DELETE, "/api/admin/tenants/1"),
        (Method::GET, "/api/admin/rooms"),
        (Method::POST, "/api/admin/rooms"),
        (Method::PATCH, "/api/admin/rooms/1"),
        (Method::DELETE, "/api/admin/rooms/1"),
        (Method::PATCH, "/api/admin/payment-methods/1"),
        (Method::GET, "/api/admin/audit"),
    ];
    for (method, path) in routes {
        let nobody = kost.send(kost.request(method.clone(), path).json(&json!({}))).await;
        is_problem(&nobody, 401, "unauthenticated");
        let tenant = kost.send(kost.request_of(&budi.email, method, path).json(&json!({}))).await;
        is_problem(&tenant, 403, "forbidden");
    }
    assert_eq!(kost.bill_status(&budi).await, "unpaid");
    kost.close().await;
}

async fn rooms_come_and_go(kost: Kost) {
    let sari = kost.admin("Sari").await;
    let made = post(&kost, &sari, "/api/admin/rooms", json!({ "code": " A1 " })).await;
    assert_eq!(made.status, StatusCode::CREATED);
    let id = made.body["id"].clone();
    assert_eq!(made.body, json!({ "id": id, "code": "A1", "available": true, "price": 1_000_000 }));
    let dear = post(&kost, &sari, "/api/admin/rooms", json!({ "code": "A2", "price": 2_000_000 })).await;
    assert_eq!(dear.body["price"], 2_000_000);
    is_problem(
        &post(&kost, &sari, "/api/admin/rooms", json!({ "code": "A1" })).await,
        409,
        "room-code-taken",
    );

    let path = format!("/api/admin/rooms/{id}");
    let changed = patch(&kost, &sari, &path, json!({ "code": "B1", "price": 900_000 })).await;
    assert_eq!((changed.status, &changed.body["code"]), (StatusCode::OK, &json!("B1")));
    is_problem(&patch(&kost, &sari, &path, json!({ "code": "A2" })).await, 409, "room-code-taken");
    let listed = get(&kost, &sari, "/api/admin/rooms").await;
    assert_eq!(listed[0], json!({ "id": id, "code": "B1", "available": true, "price": 900_000 }));

    post(&kost, &sari, "/api/admin/tenants", arrival("agus", "B1")).await;
    assert_eq!(get(&kost, &sari, "/api/admin/rooms").await[0]["available"], false);
    is_problem(&delete(&kost, &sari, &path).await, 409, "room-occupied");
    let gone = delete(&kost, &sari, &format!("/api/admin/rooms/{}", dear.body["id"])).await;
    assert_eq!((gone.status, gone.body), (StatusCode::OK, json!({})));
    assert_eq!(get(&kost, &sari, "/api/admin/rooms").await.as_array().unwrap().len(), 1);
    kost.close().await;
}

async fn a_room_that_makes_no_sense_is_refused(kost: Kost) {
    let sari = kost.admin("Sari").await;
    let id = room(&kost, &sari, "A1").await;
    let path = format!("/api/admin/rooms/{id}");
    for body in [
        json!({}),
        json!({ "code": "  " }),
        json!({ "code": "x".repeat(33) }),
        json!({ "code": "A\u{0}" }),
        json!({ "code": "A2", "price": -1 }),
        json!({ "code": "A2", "price": 1.5 }),
        json!({ "code": "A2", "reason": "" }),
    ] {
        is_problem(&post(&kost, &sari, "/api/admin/rooms", body).await, 422, "unprocessable");
    }
    is_problem(&patch(&kost, &sari, &path, json!({ "code": "" })).await, 422, "unprocessable");
    for path in ["/api/admin/rooms/4711", "/api/admin/rooms/nine"] {
        is_problem(&patch(&kost, &sari, path, json!({ "price": 1 })).await, 404, "not-found");
        is_problem(&delete(&kost, &sari, path).await, 404, "not-found");
    }
    let broken = kost.request_of(&sari, Method::DELETE, &path).body("{\"reason\":");
    is_problem(&kost.send(broken).await, 400, "malformed");
    is_problem(
        &ask(&kost, &sari, (Method::DELETE, &path), json!({ "reason": 7 })).await,
        422,
        "unprocessable",
    );
    kost.close().await;
}

async fn a_tenant_arrives_with_a_temporary_password(kost: Kost) {
    let sari = kost.admin("Sari").await;
    room(&kost, &sari, "A1").await;
    room(&kost, &sari, "A2").await;
    let made = post(&kost, &sari, "/api/admin/tenants", arrival("agus", "A1")).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    assert_eq!(
        (&made.body["email"], &made.body["role"], &made.body["startDate"], &made.body["roomCode"]),
        (&json!("agus@kost.test"), &json!("tenant"), &json!("2026-11-24"), &json!("A1"))
    );
    let temporary = made.body["temporaryPassword"].as_str().unwrap();
    assert_eq!(login(&kost, "agus@kost.test", temporary).await, StatusCode::OK);

    let mut siti = arrival("siti", "A2");
    siti["password"] = json!(PASSWORD);
    siti["phone"] = json!("0812");
    let made = post(&kost, &sari, "/api/admin/tenants", siti).await;
    assert_eq!((made.status, &made.body["temporaryPassword"]), (StatusCode::CREATED, &Value::Null));
    assert_eq!(get(&kost, "siti@kost.test", "/api/total-bills").await, json!({ "total": 1_000_000 }));
    let bills = get(&kost, "siti@kost.test", "/api/bills").await;
    assert_eq!((&bills[0]["year"], &bills[0]["month"]), (&json!(2026), &json!(11)));

    let listed = get(&kost, &sari, "/api/admin/tenants").await;
    assert_eq!((listed.as_array().unwrap().len(), &listed[1]["name"]), (2, &json!("siti")));
    assert!(!listed.to_string().contains(temporary), "it is shown once");
    assert!(!get(&kost, &sari, "/api/admin/audit").await.to_string().contains(temporary));
    kost.close().await;
}

async fn an_arrival_that_makes_no_sense_is_refused(kost: Kost) {
    let sari = kost.admin("Sari").await;
    room(&kost, &sari, "A1").await;
    room(&kost, &sari, "A2").await;
    post(&kost, &sari, "/api/admin/tenants", arrival("agus", "A1")).await;
    for (field, value) in [
        ("email", json!("nowhere")),
        ("name", json!("")),
        ("name", Value::Null),
        ("startDate", json!("soon")),
        ("startDate", json!("1999-12-31")),
        ("roomCode", json!("Z9")),
        ("password", json!("short")),
        ("phone", json!("0".repeat(33))),
    ] {
        let mut body = arrival("siti", "A2");
        body[field] = value;
        let refused = post(&kost, &sari, "/api/admin/tenants", body).await;
        is_problem(&refused, 422, "unprocessable");
    }
    let taken = post(&kost, &sari, "/api/admin/tenants", arrival("agus", "A2")).await;
    is_problem(&taken, 409, "email-taken");
    let taken = post(&kost, &sari, "/api/admin/tenants", arrival("siti", "A1")).await;
    is_problem(&taken, 409, "room-occupied");
    assert_eq!(get(&kost, &sari, "/api/admin/tenants").await.as_array().unwrap().len(), 1);
    kost.close().await;
}

async fn a_tenant_moves_and_changes_the_address(kost: Kost) {
    let (sari, budi) = (kost.admin("Sari").await, kost.tenant("Budi").await);
    kost.tenant("Siti").await;
    room(&kost, &sari, "A1").await;
    let path = format!("/api/admin/tenants/{}", budi.id);
    let wish = json!({ "name": "Budi S.", "phone": "0813", "email": "budi.s@kost.test", "roomCode": "A1" });
    let changed = patch(&kost, &sari, &path, wish).await;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.body);
    assert_eq!((&changed.body["name"], &changed.body["phone"]), (&json!("Budi S."), &json!("0813")));
    assert_eq!(changed.body["roomCode"], "A1");
    assert_eq!(login(&kost, "budi.s@kost.test", PASSWORD).await, StatusCode::OK);
    assert_eq!(login(&kost, &budi.email, PASSWORD).await, StatusCode::UNAUTHORIZED);
    let rooms = get(&kost, &sari, "/api/admin/rooms").await;
    let free: Vec<&Value> = rooms.as_array().unwrap().iter().map(|room| &room["available"]).collect();
    assert_eq!(free, [&json!(true), &json!(false), &json!(false)]);

    let refused = patch(&kost, &sari, &path, json!({ "roomCode": "room of Siti" })).await;
    is_problem(&refused, 409, "room-occupied");
    is_problem(&patch(&kost, &sari, &path, json!({ "email": "siti@kost.test" })).await, 409, "email-taken");
    is_problem(&patch(&kost, &sari, &path, json!({ "roomCode": "Z9" })).await, 422, "unprocessable");
    is_problem(&patch(&kost, &sari, &path, json!({ "email": "x" })).await, 422, "unprocessable");
    let nobody = patch(&kost, &sari, "/api/admin/tenants/4711", json!({ "name": "x" })).await;
    is_problem(&nobody, 404, "not-found");
    kost.close().await;
}

async fn a_tenant_who_leaves_pays_no_more(kost: Kost) {
    let (budi, invoice) = kost.paying("Budi", "bca").await;
    let sari = kost.admin("Sari").await;
    let path = format!("/api/admin/tenants/{}", budi.id);
    let gone = delete(&kost, &sari, &path).await;
    assert_eq!((gone.status, gone.body), (StatusCode::OK, json!({})));
    kost.run_jobs().await;
    assert_eq!(kost.transaction(&invoice).status, Status::Cancel);
    assert_eq!(kost.payment(&invoice).await.state, State::Failed(Failure::Cancelled));
    assert_eq!(kost.life(&invoice).await, ["created", "asked", "pending", "pending", "failed"]);

    assert_eq!(login(&kost, &budi.email, PASSWORD).await, StatusCode::UNAUTHORIZED);
    is_problem(&kost.get(&budi, "/api/bills").await, 401, "unauthenticated");
    is_problem(&kost.try_pay(&budi, "bca").await, 401, "unauthenticated");
    assert_eq!(get(&kost, &sari, "/api/admin/tenants").await, json!([]));
    assert_eq!(get(&kost, &sari, "/api/admin/rooms").await[0]["available"], true);
    assert_eq!(get(&kost, &sari, "/api/admin/bills").await[0]["tenantName"], "Budi", "the past stays");
    is_problem(&delete(&kost, &sari, &path).await, 404, "not-found");
    is_problem(&delete(&kost, &sari, "/api/admin/tenants/nobody").await, 404, "not-found");
    kost.close().await;
}

async fn cash_pays_a_bill_and_cancels_what_was_under_way(kost: Kost) {
    let (budi, invoice) = kost.paying("Budi", "qris").await;
    let sari = kost.admin("Sari").await;
    let path = format!("/api/admin/bills/{}/mark-paid", budi.bill);
    is_problem(&post(&kost, &sari, &path, json!({})).await, 422, "unprocessable");
    is_problem(&post(&kost, &sari, &path, json!({ "note": " " })).await, 422, "unprocessable");
    let taken = post(&kost, &sari, &path, json!({ "note": "gave it to Ibu" })).await;
    assert_eq!((taken.status, &taken.body["status"]), (StatusCode::OK, &json!("paid")), "{}", taken.body);
    let cash = Invoice::try_from(taken.body["invoice"].as_str().unwrap()).unwrap();
    assert_eq!(kost.bill_status(&budi).await, "paid");
    assert_eq!(get(&kost, &budi.email, "/api/total-bills").await, json!({ "total": 0 }));
    assert_eq!(get(&kost, &sari, "/api/admin/count-bills").await, json!({ "total": 0 }));

    kost.run_jobs().await;
    assert_eq!(kost.transaction(&invoice).status, Status::Cancel);
    kost.pass(Duration::from_secs(48 * 3600)).await;
    assert_eq!(kost.bill_status(&budi).await, "paid");
    let shown = get(&kost, &budi.email, &format!("/api/payment/{cash}")).await;
    assert_eq!((&shown["status"], &shown["payment"]["name"]), (&json!("paid"), &json!("cash")));
    kost.sync(&cash).await;
    assert_eq!(kost.payment(&cash).await.state, State::Paid);
    assert!(kost.sim.transactions_of(cash.as_str()).is_empty(), "the gateway never hears of it");
    assert_eq!(kost.findings().await, Vec::<&str>::new());

    is_problem(&post(&kost, &sari, &path, json!({ "note": "again" })).await, 409, "bill-already-paid");
    is_problem(&kost.try_pay(&budi, "bca").await, 409, "bill-already-paid");
    let nowhere = post(&kost, &sari, "/api/admin/bills/4711/mark-paid", json!({ "note": "x" })).await;
    is_problem(&nowhere, 404, "not-found");
    kost.close().await;
}

async fn a_transfer_that_crosses_the_cash_is_a_finding(kost: Kost) {
    let (budi, invoice) = kost.paying("Budi", "bca").await;
    let sari = kost.admin("Sari").await;
    let pause = kost.hold_jobs().await;
    let path = format!("/api/admin/bills/{}/mark-paid", budi.bill);
    post(&kost, &sari, &path, json!({ "note": "gave it to Ibu" })).await;
    kost.sim.settle(invoice.as_str()).await.unwrap();
    drop(pause);
    kost.run_jobs().await;
    assert_eq!(kost.payment(&invoice).await.state, State::Paid);
    assert_eq!(kost.findings().await, ["double_payment"]);
    kost.close().await;
}

async fn a_bill_is_made_void(kost: Kost) {
    let (budi, invoice) = kost.paying("Budi", "bca").await;
    let sari = kost.admin("Sari").await;
    let path = format!("/api/admin/bills/{}", budi.bill);
    let void = async || ask(&kost, &sari, (Method::DELETE, &path), json!({ "reason": "a mistake" })).await;
    is_problem(&delete(&kost, &sari, &path).await, 422, "unprocessable");
    is_problem(&void().await, 409, "bill-being-paid");
    let cancel = format!("/api/payment/{invoice}/cancel");
    kost.send(kost.request_of(&budi.email, Method::POST, &cancel)).await;
    kost.run_jobs().await;
    let gone = void().await;
    assert_eq!((gone.status, gone.body), (StatusCode::OK, json!({})));
    assert_eq!(get(&kost, &budi.email, "/api/bills").await, json!([]));
    assert_eq!(get(&kost, &budi.email, "/api/total-bills").await, json!({ "total": 0 }));
    assert_eq!(get(&kost, &sari, "/api/admin/bills").await, json!([]));
    assert_eq!(get(&kost, &sari, "/api/admin/count-bills").await, json!({ "total": 0 }));
    is_problem(&kost.try_pay(&budi, "bca").await, 404, "not-found");
    is_problem(&void().await, 404, "not-found");

    let siti = kost.tenant("Siti").await;
    let paid = format!("/api/admin/bills/{}", siti.bill);
    post(&kost, &sari, &format!("{paid}/mark-paid"), json!({ "note": "cash" })).await;
    let refused = ask(&kost, &sari, (Method::DELETE, &paid), json!({ "reason": "x" })).await;
    is_problem(&refused, 409, "bill-already-paid");
    kost.close().await;
}

async fn an_extra_bill_is_paid_like_the_rent(kost: Kost) {
    let (sari, budi) = (kost.admin("Sari").await, kost.tenant("Budi").await);
    let due = "2026-11-30T16:59:00Z";
    let wish = json!({ "tenantId": budi.id.0, "title": "Laundry", "amount": 50_000, "dueAt": due });
    let made = post(&kost, &sari, "/api/admin/bills", wish.clone()).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    assert_eq!((&made.body["month"], &made.body["year"]), (&json!(11), &json!(2026)));
    assert_eq!(get(&kost, &budi.email, "/api/total-bills").await, json!({ "total": 1_300_000 }));
    let shown = &get(&kost, &budi.email, "/api/bills").await[0];
    assert_eq!((&shown["title"], &shown["dueAt"]), (&json!("Laundry"), &json!(due)));
    let first = &get(&kost, &sari, "/api/admin/bills").await[0];
    assert_eq!((&first["title"], &first["total"]), (&json!("Laundry"), &json!(50_000)));
    assert_eq!((&first["dueAt"], &first["overdue"]), (&json!(due), &json!(false)));
    assert_eq!((&first["roomCode"], &first["tenantId"]), (&json!("room of Budi"), &json!(budi.id.0)));
    kost.pass(Duration::from_secs(8 * 24 * 3600)).await;
    assert_eq!(get(&kost, &sari, "/api/admin/bills").await[0]["overdue"], true);

    let path = format!("/api/bills/{}/pay", made.body["id"]);
    let pay = kost.request_of(&budi.email, Method::POST, &path).header("x-api-key", API_KEY);
    let paying = kost.send(pay.json(&json!({ "payment": "bca" }))).await;
    kost.run_jobs().await;
    kost.sim.settle(paying.body["invoice"].as_str().unwrap()).await.unwrap();
    kost.run_jobs().await;
    let first = &get(&kost, &sari, "/api/admin/bills").await[0];
    assert_eq!((&first["status"], &first["overdue"]), (&json!("paid"), &json!(false)));

    for (field, value) in [
        ("title", json!("")),
        ("amount", json!(0)),
        ("amount", json!(-5)),
        ("month", json!(13)),
        ("dueAt", json!("soon")),
        ("dueAt", json!("2200-01-01T00:00:00Z")),
        ("dueAt", json!("+262142-12-31T23:59:59Z")),
    ] {
        let mut body = wish.clone();
        body[field] = value;
        is_problem(&post(&kost, &sari, "/api/admin/bills", body).await, 422, "unprocessable");
    }
    let nobody = json!({ "tenantId": 4711, "title": "Laundry", "amount": 50_000 });
    is_problem(&post(&kost, &sari, "/api/admin/bills", nobody).await, 404, "not-found");
    kost.close().await;
}

async fn a_method_is_switched_off(kost: Kost) {
    let (sari, budi) = (kost.admin("Sari").await, kost.tenant("Budi").await);
    let methods = get(&kost, &sari, "/api/payment-methods").await;
    let path = format!("/api/admin/payment-methods/{}", methods[0]["id"]);
    let wish = json!({ "active": false, "title": "BCA", "place": 99, "reason": "out of order" });
    let changed = patch(&kost, &sari, &path, wish).await;
    assert_eq!((changed.status, &changed.body["active"]), (StatusCode::OK, &json!(false)));
    is_problem(&kost.try_pay(&budi, "bca").await, 422, "unprocessable");
    is_problem(&kost.try_pay(&budi, "cash").await, 422, "unprocessable");
    let last = get(&kost, &sari, "/api/payment-methods").await.as_array().unwrap().last().unwrap().clone();
    assert_eq!(
        (&last["name"], &last["title"], &last["active"]),
        (&json!("bca"), &json!("BCA"), &json!(false))
    );
    for body in [json!({ "title": "" }), json!({ "place": 0 }), json!({ "active": "no" })] {
        is_problem(&patch(&kost, &sari, &path, body).await, 422, "unprocessable");
    }
    let unknown = patch(&kost, &sari, "/api/admin/payment-methods/4711", json!({ "active": true })).await;
    is_problem(&unknown, 404, "not-found");
    kost.close().await;
}

async fn lists_come_in_pages(kost: Kost) {
    let sari = kost.admin("Sari").await;
    for name in ["Budi", "Siti", "Agus"] {
        kost.tenant(name).await;
    }
    for code in ["A1", "A2", "A3"] {
        room(&kost, &sari, code).await;
    }
    for (list, rows) in [("rooms", 6), ("tenants", 3), ("bills", 3), ("audit", 3)] {
        let mut next = Some(format!("/api/admin/{list}?limit=2"));
        let mut ids = Vec::new();
        while let Some(path) = next {
            let page = kost.send(kost.request_of(&sari, Method::GET, &path)).await;
            assert_eq!(page.status, StatusCode::OK, "{}", page.body);
            ids.extend(page.body.as_array().unwrap().iter().map(|row| row["id"].as_i64().unwrap()));
            let link = page.headers.get("link").map(|link| link.to_str().unwrap().to_owned());
            next = link.map(|link| link.trim_start_matches('<').replace(">; rel=\"next\"", ""));
        }
        let (count, ordered) = (ids.len(), ids.is_sorted() || ids.is_sorted_by(|a, b| a > b));
        assert!(count == rows && ordered, "{list}: {ids:?}");
        for wrong in ["limit=0", "limit=201", "limit=many", "cursor=7", "cursor=zz"] {
            let path = format!("/api/admin/{list}?{wrong}");
            let refused = kost.send(kost.request_of(&sari, Method::GET, &path)).await;
            is_problem(&refused, 422, "unprocessable");
        }
    }
    kost.close().await;
}

async fn the_audit_tells_who_did_what_and_why(kost: Kost) {
    let sari = kost.admin("Sari").await;
    let id = room(&kost, &sari, "A1").await;
    let path = format!("/api/admin/rooms/{id}");
    patch(&kost, &sari, &path, json!({ "price": 900_000, "reason": "a new window" })).await;
    is_problem(&patch(&kost, &sari, &path, json!({ "price": -1 })).await, 422, "unprocessable");
    let rows = get(&kost, &sari, "/api/admin/audit").await;
    assert_eq!(rows.as_array().unwrap().len(), 2, "what was refused was not done");
    assert_eq!((&rows[0]["actor"], &rows[0]["action"]), (&json!(sari), &json!("room.change")));
    assert_eq!(
        (&rows[0]["subject"], &rows[0]["reason"]),
        (&json!(format!("room:{id}")), &json!("a new window"))
    );
    assert_eq!(rows[0]["before"], json!({ "code": "A1", "price": 1_000_000 }));
    assert_eq!(rows[0]["after"], json!({ "code": "A1", "price": 900_000 }));
    assert_eq!((&rows[0]["at"], &rows[1]["before"]), (&json!("2026-11-24T03:00:00Z"), &Value::Null));
    kost.close().await;
}
