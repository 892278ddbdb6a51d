//! The lists of the house by REST: payments, what happened to one, and the inbox.

use domain::Rank;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::kost::{Answer, Kost};

stories![
    payments_are_listed_as_an_admin_likes,
    what_happened_to_a_payment_is_told_in_order,
    a_notification_is_dealt_with_again_by_asking_the_gateway,
];

async fn ask(kost: &Kost, admin: &str, path: &str) -> Answer {
    kost.send(kost.request_of(admin, Method::GET, path)).await
}

/// This field of each row.
async fn listed(kost: &Kost, admin: &str, (path, field): (&str, &str)) -> Vec<Value> {
    let answer = ask(kost, admin, path).await;
    assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.body);
    answer.body.as_array().unwrap().iter().map(|row| row[field].clone()).collect()
}

async fn payments_are_listed_as_an_admin_likes(kost: Kost) {
    let tono = kost.admin_of("Tono", Rank::Viewer).await;
    let (budi, first) = kost.paying("Budi", "bca").await;
    let (siti, second) = kost.paying("Siti", "qris").await;
    kost.sim.settle(second.as_str()).await.unwrap();
    kost.run_jobs().await;
    let (first, second) = (first.as_str(), second.as_str());
    let of =
        async |query: &str| listed(&kost, &tono, (&format!("/api/admin/payments{query}"), "invoice")).await;
    assert_eq!(of("").await, [second, first]);
    assert_eq!(of("?state=paid").await, [second]);
    assert_eq!(of("?method=bca").await, [first]);
    assert_eq!(of(&format!("?tenant={}", siti.id)).await, [second]);
    assert_eq!(of(&format!("?bill={}", budi.bill)).await, [first]);
    assert_eq!(of(&format!("?text={first}")).await, [first]);
    assert_eq!(of(&format!("?text={}", &first[..12])).await.last(), Some(&json!(first)));
    let name = kost.transaction(&second.try_into().unwrap()).transaction_id;
    assert_eq!(of(&format!("?text={}&state=paid", &name[..8])).await, [second]);
    assert_eq!(of("?state=failed").await, [""; 0]);
    assert_eq!(of("?room=room%20of%20Siti").await, [second]);
    let today = domain::date_of(kost.clock.now());
    assert_eq!(of(&format!("?from={today}&to={today}")).await, [second, first]);
    assert_eq!(of(&format!("?from={}", today.succ_opt().unwrap())).await, [""; 0]);
    assert_eq!(of(&format!("?to={}", today.pred_opt().unwrap())).await, [""; 0]);

    let row = ask(&kost, &tono, "/api/admin/payments?state=paid").await.body[0].take();
    assert_eq!(
        (&row["status"], &row["state"], &row["method"]),
        (&json!("paid"), &json!("paid"), &json!("qris"))
    );
    assert_eq!((&row["amount"], &row["transactionId"]), (&json!(1_250_000), &json!(name)));
    let page = ask(&kost, &tono, "/api/admin/payments?limit=1&method=").await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    for wrong in ["?state=lost", "?method=cheque", "?tenant=x", "?text=%20", "?limit=0"] {
        let answer = ask(&kost, &tono, &format!("/api/admin/payments{wrong}")).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{wrong}");
    }
    let page = ask(&kost, &tono, "/api/admin/payments?limit=1").await;
    let link = page.headers["link"].to_str().unwrap().split(['<', '>']).nth(1).unwrap().to_owned();
    assert_eq!(listed(&kost, &tono, (&link, "invoice")).await, [first]);
    kost.close().await;
}

async fn what_happened_to_a_payment_is_told_in_order(kost: Kost) {
    let tono = kost.admin_of("Tono", Rank::Viewer).await;
    let (_, invoice) = kost.paying("Budi", "bca").await;
    kost.sim.settle(invoice.as_str()).await.unwrap();
    kost.run_jobs().await;
    let path = format!("/api/admin/payments/{invoice}/timeline");
    let kinds = listed(&kost, &tono, (&path, "kind")).await;
    for kind in ["asked", "told", "moved", "posted", "worked"] {
        assert!(kinds.contains(&json!(kind)), "{kind} is missing: {kinds:?}");
    }
    let times = listed(&kost, &tono, (&path, "at")).await;
    assert!(times.is_sorted_by_key(|at| at.as_str().unwrap().to_owned()), "{times:?}");
    let gone = ask(&kost, &tono, "/api/admin/payments/KSR-nobody/timeline").await;
    assert_eq!(gone.status, StatusCode::NOT_FOUND);
    kost.close().await;
}

async fn a_notification_is_dealt_with_again_by_asking_the_gateway(kost: Kost) {
    let wati = kost.admin_of("Wati", Rank::Staff).await;
    let (_, invoice) = kost.paying("Budi", "bca").await;
    kost.sim.settle(invoice.as_str()).await.unwrap();
    kost.run_jobs().await;
    let path = format!("/api/admin/notifications?order={invoice}");
    let one = ask(&kost, &wati, &path).await.body[0].take();
    assert_eq!((&one["outcome"], &one["invoice"]), (&json!("sync"), &json!(invoice.as_str())));
    assert_eq!((&one["verified"], &one["seen"]), (&json!(true), &json!(1)));
    assert_eq!(listed(&kost, &wati, (&format!("{path}&pending=true"), "id")).await, [0; 0]);

    let asked = |kost: &Kost| kost.sim.calls().iter().filter(|call| call.path.ends_with("/status")).count();
    let before = asked(&kost);
    let replay = format!("/api/admin/notifications/{}/replay", one["id"]);
    let wish = kost.request_of(&wati, Method::POST, &replay).json(&json!({ "reason": "to be sure" }));
    let answer = kost.send(wish).await;
    assert_eq!((answer.status, &answer.body["id"]), (StatusCode::ACCEPTED, &one["id"]));
    kost.run_jobs().await;
    assert_eq!(asked(&kost), before + 1);
    let deed = store::audit::newest(&kost.db, None, 1).await.unwrap().remove(0);
    assert_eq!((deed.action.as_str(), deed.reason.as_deref()), ("notification.replay", Some("to be sure")));
    kost.close().await;
}
