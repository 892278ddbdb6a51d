//! Sessions: tokens, their families, passwords, keys of front ends, and those who guess.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use store::api_keys;

use crate::kost::{Answer, Kost, PASSWORD, Tenant};

stories![
    an_access_token_stands_for_the_headers,
    a_refresh_token_gives_one_pair_and_no_second,
    a_spent_refresh_token_takes_its_family_with_it,
    a_log_out_ends_the_session,
    another_password_ends_all_sessions_and_what_was_remembered,
    a_password_that_is_no_good_is_refused,
    a_revoked_key_stops_at_once,
    who_guesses_is_slowed_down_and_never_locked_out,
    the_headers_cost_one_hashing_a_minute,
];

async fn log_in(kost: &Kost, tenant: &Tenant, password: &str) -> Answer {
    let request = kost.request(Method::POST, "/api/login");
    kost.send_privately(request.json(&json!({ "email": tenant.email, "password": password }))).await
}

async fn bills_by(kost: &Kost, tokens: &Value) -> StatusCode {
    let token = tokens["accessToken"].as_str().unwrap();
    kost.send(kost.request(Method::GET, "/api/bills").bearer_auth(token)).await.status
}

async fn refresh(kost: &Kost, tokens: &Value) -> Answer {
    let request = kost.request(Method::POST, "/api/token/refresh");
    kost.send_privately(request.json(&json!({ "refreshToken": tokens["refreshToken"] }))).await
}

async fn an_access_token_stands_for_the_headers(kost: Kost) {
    let budi = kost.tenant("Budi").await;
    let tokens = log_in(&kost, &budi, PASSWORD).await.body;
    assert_eq!((&tokens["role"], &tokens["expiresIn"]), (&json!("tenant"), &json!(900)));
    assert_eq!(bills_by(&kost, &tokens).await, StatusCode::OK);
    let nonsense = kost.request(Method::GET, "/api/bills").bearer_auth("nonsense");
    assert_eq!(kost.send(nonsense).await.status, StatusCode::UNAUTHORIZED);
    let total =
        kost.request(Method::GET, "/api/total-bills").bearer_auth(tokens["refreshToken"].as_str().unwrap());
    assert_eq!(
        kost.send(total).await.status,
        StatusCode::UNAUTHORIZED,
        "a refresh token opens nothing by itself"
    );
    kost.clock.advance(Duration::from_secs(900));
    assert_eq!(bills_by(&kost, &tokens).await, StatusCode::UNAUTHORIZED);
    kost.close().await;
}

async fn a_refresh_token_gives_one_pair_and_no_second(kost: Kost) {
    let budi = kost.tenant("Budi").await;
    let first = log_in(&kost, &budi, PASSWORD).await.body;
    kost.clock.advance(Duration::from_secs(900));
    let second = refresh(&kost, &first).await;
    assert_eq!(second.status, StatusCode::OK);
    assert_ne!(second.body["refreshToken"], first["refreshToken"]);
    assert_eq!(bills_by(&kost, &second.body).await, StatusCode::OK);
    kost.clock.advance(Duration::from_secs(31 * 24 * 3600));
    assert_eq!(refresh(&kost, &second.body).await.status, StatusCode::UNAUTHORIZED, "it has ended");
    kost.close().await;
}

async fn a_spent_refresh_token_takes_its_family_with_it(kost: Kost) {
    let budi = kost.tenant("Budi").await;
    let stolen = log_in(&kost, &budi, PASSWORD).await.body;
    let other = log_in(&kost, &budi, PASSWORD).await.body;
    let rotated = refresh(&kost, &stolen).await.body;
    assert_eq!(refresh(&kost, &stolen).await.status, StatusCode::UNAUTHORIZED, "somebody has a copy");
    assert_eq!(refresh(&kost, &rotated).await.status, StatusCode::UNAUTHORIZED, "so the whole family falls");
    assert_eq!(refresh(&kost, &other).await.status, StatusCode::OK, "the session on another device lives on");
    kost.close().await;
}

async fn a_log_out_ends_the_session(kost: Kost) {
    let budi = kost.tenant("Budi").await;
    let tokens = log_in(&kost, &budi, PASSWORD).await.body;
    for _ in 0..2 {
        let request = kost.request(Method::POST, "/api/logout");
        let answer = kost.send(request.json(&json!({ "refreshToken": tokens["refreshToken"] }))).await;
        assert_eq!((answer.status, answer.body), (StatusCode::OK, json!({})));
    }
    assert_eq!(refresh(&kost, &tokens).await.status, StatusCode::UNAUTHORIZED);
    kost.close().await;
}

async fn another_password_ends_all_sessions_and_what_was_remembered(kost: Kost) {
    let budi = kost.tenant("Budi").await;
    let tokens = log_in(&kost, &budi, PASSWORD).await.body;
    assert_eq!(kost.get(&budi, "/api/bills").await.status, StatusCode::OK);
    let wish = json!({ "currentPassword": PASSWORD, "newPassword": "another hush entirely" });
    let request =
        kost.request(Method::POST, "/api/password").bearer_auth(tokens["accessToken"].as_str().unwrap());
    assert_eq!(kost.send(request.json(&wish)).await.status, StatusCode::OK);
    assert_eq!(
        kost.get(&budi, "/api/bills").await.status,
        StatusCode::UNAUTHORIZED,
        "the old one is forgotten at once"
    );
    assert_eq!(refresh(&kost, &tokens).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(log_in(&kost, &budi, "another hush entirely").await.status, StatusCode::OK);
    let deeds = store::audit::newest(&kost.db, None, 10).await.unwrap();
    let actor = format!("tenant:{}", budi.id);
    assert_eq!((deeds[0].action.as_str(), &deeds[0].actor), ("password.change", &actor));
    kost.close().await;
}

async fn a_password_that_is_no_good_is_refused(kost: Kost) {
    let budi = kost.tenant("Budi").await;
    let change = |wish: Value| kost.request_of(&budi.email, Method::POST, "/api/password").json(&wish);
    let short = change(json!({ "currentPassword": PASSWORD, "newPassword": "short" }));
    assert_eq!(kost.send(short).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    let wrong = change(json!({ "currentPassword": "not mine", "newPassword": "long enough" }));
    assert_eq!(kost.send(wrong).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(kost.get(&budi, "/api/bills").await.status, StatusCode::OK);
    kost.close().await;
}

async fn a_revoked_key_stops_at_once(kost: Kost) {
    let budi = kost.tenant("Budi").await;
    let key = kasir::http::draw_api_key(&kost.clock);
    let pay = || {
        let path = format!("/api/bills/{}/pay", budi.bill);
        let request = kost.request_of(&budi.email, Method::POST, &path).header("x-api-key", key.expose());
        kost.send(request.json(&json!({ "payment": "bca" })))
    };
    assert_eq!(pay().await.status, StatusCode::UNAUTHORIZED, "nobody has made it yet");
    let now = kost.clock.now();
    assert!(api_keys::create(&kost.db, "web", &kasir::http::name_of(key.expose()), now).await.unwrap());
    assert_eq!(pay().await.status, StatusCode::CREATED);
    assert!(api_keys::revoke(&kost.db, "web", now).await.unwrap());
    assert_eq!(pay().await.status, StatusCode::UNAUTHORIZED);
    kost.close().await;
}

async fn who_guesses_is_slowed_down_and_never_locked_out(kost: Kost) {
    let (budi, siti) = (kost.tenant("Budi").await, kost.tenant("Siti").await);
    assert_eq!(kost.get(&siti, "/api/bills").await.status, StatusCode::OK);
    for _ in 0..10 {
        assert_eq!(log_in(&kost, &budi, "a guess").await.status, StatusCode::UNAUTHORIZED);
    }
    let slowed = log_in(&kost, &budi, PASSWORD).await;
    assert_eq!(slowed.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(
        (&slowed.headers["retry-after"], &slowed.body["type"]),
        (&"1".parse().unwrap(), &json!("/problems/too-many-tries"))
    );
    assert_eq!(kost.get(&siti, "/api/bills").await.status, StatusCode::OK, "others are not held up");
    kost.clock.advance(Duration::from_secs(1));
    assert_eq!(log_in(&kost, &budi, PASSWORD).await.status, StatusCode::OK);
    kost.close().await;
}

/// The count that `/metrics` shows.
async fn hashings(kost: &Kost) -> u64 {
    let page = kost.send(kost.request(Method::GET, "/metrics")).await.body;
    let line = page.as_str().unwrap().lines().find(|line| line.starts_with("kasir_password_hashings_total"));
    line.unwrap().split(' ').nth(1).unwrap().parse().unwrap()
}

async fn the_headers_cost_one_hashing_a_minute(kost: Kost) {
    let budi = kost.tenant("Budi").await;
    let before = hashings(&kost).await;
    for _ in 0..200 {
        assert_eq!(kost.get(&budi, "/api/total-bills").await.status, StatusCode::OK);
    }
    assert_eq!(hashings(&kost).await - before, 1);
    kost.clock.advance(Duration::from_secs(61));
    assert_eq!(kost.get(&budi, "/api/total-bills").await.status, StatusCode::OK);
    assert_eq!(hashings(&kost).await - before, 2);
    kost.close().await;
}
