//! Every route as every role: who gets in, and who does not. The routes are those of the README, which names them all.

use std::collections::BTreeSet;

use domain::Rank;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::kost::{API_KEY, Kost, PASSWORD, Tenant};

stories![every_route_answers_every_role_as_the_table_says];

/// Who asks, in this order: nobody, the tenant with a wrong key, another tenant, the tenant, admins of each rank.
const ROLES: [&str; 7] = ["nobody", "wrong key", "other tenant", "tenant", "viewer", "staff", "owner"];

const OPEN: [u16; 7] = [200; 7];
const ADMIN: [u16; 7] = [401, 403, 403, 403, 200, 200, 200];
const TENANTS: [u16; 7] = [401, 200, 200, 200, 403, 403, 403];
const PAYER: [u16; 7] = [401, 200, 404, 200, 200, 200, 200];
const GIVES_UP: [u16; 7] = [401, 202, 404, 202, 403, 202, 202];
/// Once. Whoever comes second is told that it is done already, as this status says.
const fn staff(first: u16, second: u16) -> [u16; 7] {
    [401, 403, 403, 403, 403, first, second]
}
const fn owner(status: u16) -> [u16; 7] {
    [401, 403, 403, 403, 403, 403, status]
}

/// Method and path as the README writes them, the body, and what each role is answered.
fn table() -> Vec<(&'static str, Value, [u16; 7])> {
    // Last, for afterwards the tenant is gone.
    let told = ("GET /api/admin/tenants/{id}/export", Value::Null, owner(200));
    // Money is open: a payment is under way.
    let forgotten = ("POST /api/admin/tenants/{id}/erase", json!({ "reason": "asked for it" }), owner(409));
    let leaves = ("DELETE /api/admin/tenants/{id}", Value::Null, staff(200, 404));
    of_the_house().into_iter().chain(of_the_jobs()).chain([told, forgotten, leaves]).collect()
}

fn of_the_jobs() -> Vec<(&'static str, Value, [u16; 7])> {
    let (why, none) = (json!({ "reason": "we looked" }), Value::Null);
    vec![
        ("GET /api/admin/jobs", none.clone(), ADMIN),
        ("GET /api/admin/jobs/{id}", none.clone(), ADMIN),
        ("POST /api/admin/jobs/{id}/retry", why.clone(), staff(409, 409)),
        ("POST /api/admin/jobs/{id}/cancel", why.clone(), staff(409, 409)),
        ("POST /api/admin/jobs/{id}/run", why.clone(), staff(409, 409)),
        ("GET /api/admin/queues", none, ADMIN),
        ("POST /api/admin/queues/{kind}/pause", why.clone(), staff(200, 200)),
        ("POST /api/admin/queues/{kind}/resume", why, staff(200, 200)),
    ]
}

fn of_the_house() -> Vec<(&'static str, Value, [u16; 7])> {
    let login = json!({ "email": "budi@kost.test", "password": PASSWORD });
    let token = json!({ "refreshToken": "krt_nobody_has_this" });
    let password = json!({ "currentPassword": PASSWORD, "newPassword": "short" });
    let extra = json!({ "tenantId": 1, "title": "Laundry", "amount": 50_000 });
    let tenant =
        json!({ "email": "dewi@kost.test", "name": "Dewi", "startDate": "2026-11-24", "roomCode": "D1" });
    let none = Value::Null;
    vec![
        ("POST /api/login", login, OPEN),
        ("POST /api/token/refresh", token.clone(), [401; 7]),
        ("POST /api/logout", token, OPEN),
        ("POST /api/password", password, [401, 422, 422, 422, 422, 422, 422]),
        ("GET /api/total-bills", none.clone(), TENANTS),
        ("GET /api/bills", none.clone(), TENANTS),
        ("POST /api/bills/{id}/pay", json!({ "payment": "bca" }), [401, 401, 404, 200, 403, 403, 403]),
        ("GET /api/payment/{invoice}", none.clone(), PAYER),
        ("GET /api/payments/{invoice}", none.clone(), PAYER),
        ("GET /api/payment/{invoice}/events", none.clone(), PAYER),
        ("GET /api/payments/{invoice}/events", none.clone(), PAYER),
        ("POST /api/payment/{invoice}/cancel", none.clone(), GIVES_UP),
        ("POST /api/payments/{invoice}/cancel", none.clone(), GIVES_UP),
        ("GET /api/payment-methods", none.clone(), OPEN),
        ("GET /logos/{file}", none.clone(), OPEN),
        ("GET /api/admin/count-bills", none.clone(), ADMIN),
        ("GET /api/admin/bills", none.clone(), ADMIN),
        ("POST /api/admin/bills", extra, staff(201, 201)),
        ("POST /api/admin/bills/{id}/mark-paid", json!({ "note": "cash" }), staff(200, 409)),
        ("DELETE /api/admin/bills/{id}", json!({ "reason": "a mistake" }), staff(409, 409)),
        ("GET /api/admin/rooms", none.clone(), ADMIN),
        ("POST /api/admin/rooms", json!({ "code": "D1" }), staff(201, 409)),
        ("PATCH /api/admin/rooms/{id}", json!({ "price": 900_000 }), staff(200, 200)),
        ("DELETE /api/admin/rooms/{id}", none.clone(), staff(409, 409)),
        ("GET /api/admin/tenants", none.clone(), ADMIN),
        ("POST /api/admin/tenants", tenant, staff(201, 409)),
        ("PATCH /api/admin/tenants/{id}", json!({ "phone": "0812" }), staff(200, 200)),
        ("GET /api/admin/tenants/{id}/reminders", none.clone(), ADMIN),
        ("PATCH /api/admin/tenants/{id}/reminders", json!({ "language": "en" }), staff(200, 200)),
        ("PATCH /api/admin/payment-methods/{id}", json!({ "place": 9 }), owner(200)),
        ("GET /api/admin/audit", none.clone(), ADMIN),
        ("GET /api/admin/audit/verify", none.clone(), ADMIN),
        ("POST /api/admin/reconciliations", json!({}), staff(202, 202)),
        ("GET /api/admin/reconciliations", none.clone(), ADMIN),
        ("GET /api/admin/reconciliations/{id}", none.clone(), ADMIN),
        ("GET /api/admin/reconciliations/{id}/items", none.clone(), ADMIN),
        ("GET /api/admin/reconciliations/{id}/export", none.clone(), ADMIN),
        ("GET /api/admin/findings", none.clone(), ADMIN),
        ("GET /api/admin/findings/export", none.clone(), ADMIN),
        ("POST /api/admin/findings/{id}/resolve", json!({ "reason": "none" }), staff(404, 404)),
        ("GET /api/admin/trial-balance", none.clone(), ADMIN),
        ("GET /api/admin/payments", none.clone(), ADMIN),
        ("GET /api/admin/payments/{invoice}", none.clone(), ADMIN),
        ("GET /api/admin/payments/{invoice}/timeline", none.clone(), ADMIN),
        ("GET /api/admin/notifications", none.clone(), ADMIN),
        ("POST /api/admin/notifications/{id}/replay", none.clone(), staff(202, 202)),
        ("GET /api/admin/payments/{invoice}/evidence", none.clone(), ADMIN),
        ("POST /api/admin/payments/{invoice}/sync", none.clone(), staff(202, 202)),
        ("POST /api/admin/payments/{invoice}/cancel", none.clone(), staff(202, 202)),
        ("POST /api/admin/payments/{invoice}/approve", none.clone(), owner(409)),
        ("POST /api/admin/payments/{invoice}/deny", none.clone(), owner(409)),
        ("POST /api/admin/payments/{invoice}/refund", json!({ "reason": "moved out" }), owner(409)),
        ("GET /api/midtrans-notification", none.clone(), OPEN),
        ("POST /api/midtrans-notification", json!({}), [400; 7]),
        ("GET /livez", none.clone(), OPEN),
        ("GET /readyz", none.clone(), OPEN),
        ("GET /metrics", none.clone(), OPEN),
        ("GET /docs", none.clone(), [303; 7]),
        ("GET /openapi.json", none.clone(), OPEN),
        ("GET /problems/{slug}", none, OPEN),
    ]
}

/// The first column of the README's table of endpoints.
fn documented() -> BTreeSet<&'static str> {
    let cell = |line: &'static str| line.strip_prefix("| `")?.split_once('`').map(|(cell, _)| cell);
    let is_route =
        |cell: &&str| ["GET /", "POST /", "PATCH /", "DELETE /", "PUT /"].iter().any(|m| cell.starts_with(m));
    include_str!("../../README.md").lines().filter_map(cell).filter(is_route).collect()
}

struct House {
    budi: Tenant,
    siti: Tenant,
    viewer: String,
    staff: String,
    owner: String,
    invoice: String,
}

impl House {
    fn path(&self, template: &str) -> String {
        let id = self.budi.bill.0.to_string();
        template
            .replace("{id}", &id)
            .replace("{invoice}", &self.invoice)
            .replace("{file}", "bca.svg")
            .replace("{kind}", "prune")
            .replace("{slug}", "not-found")
    }

    #[expect(clippy::too_many_arguments, reason = "who asks whom, what, and with which words")]
    async fn ask(&self, kost: &Kost, role: &str, (method, path): (Method, &str), body: &Value) -> StatusCode {
        let request = match role {
            "nobody" => kost.request(method, path),
            "wrong key" => {
                kost.request_of(&self.budi.email, method, path).header("x-api-key", "another key altogether")
            }
            "other tenant" => kost.request_of(&self.siti.email, method, path).header("x-api-key", API_KEY),
            "tenant" => kost.request_of(&self.budi.email, method, path).header("x-api-key", API_KEY),
            _ => {
                let email = match role {
                    "viewer" => &self.viewer,
                    "staff" => &self.staff,
                    _ => &self.owner,
                };
                kost.request_of(email, method, path).header("x-api-key", API_KEY)
            }
        };
        let request = if body.is_null() { request } else { request.json(body) };
        // A stream of events has no end to wait for; its head says enough. What all others say is searched for secrets.
        if path.ends_with("/events") {
            request.send().await.unwrap().status()
        } else {
            kost.send(request).await.status
        }
    }
}

async fn every_route_answers_every_role_as_the_table_says(kost: Kost) {
    let (budi, invoice) = kost.paying("Budi", "bca").await;
    let siti = kost.tenant("Siti").await;
    let viewer = kost.admin_of("Tono", Rank::Viewer).await;
    let staff = kost.admin_of("Wati", Rank::Staff).await;
    let owner = kost.admin_of("Sari", Rank::Owner).await;
    let house = House { budi, siti, viewer, staff, owner, invoice: invoice.as_str().to_owned() };
    // Nothing moves while everybody asks, so that what one role did does not change what the next is answered.
    let pause = kost.hold_jobs().await;
    let table = table();
    let rows: BTreeSet<&str> = table.iter().map(|(route, ..)| *route).collect();
    assert_eq!(
        rows,
        documented(),
        "left: the table of this story; right: the README. A new route needs a row in both"
    );

    let mut wrong = Vec::new();
    for (route, body, expected) in &table {
        let (method, template) = route.split_once(' ').unwrap();
        let path = house.path(template);
        for (role, expected) in ROLES.iter().zip(expected) {
            let method = method.parse::<Method>().unwrap();
            let status = house.ask(&kost, role, (method, &path), body).await;
            if status.as_u16() != *expected {
                wrong.push(format!("{route} as {role}: {status}, not {expected}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    // The documents and the files behind them are searched for secrets too.
    for file in
        ["/docs/", "/docs/swagger-initializer.js", "/docs/swagger-ui-bundle.js", "/docs/swagger-ui.css"]
    {
        assert_eq!(kost.send(kost.request(Method::GET, file)).await.status, StatusCode::OK, "{file}");
    }
    drop(pause);
    kost.close().await;
}
