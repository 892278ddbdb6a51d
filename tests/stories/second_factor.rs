//! The second factor of admins: turned on by a code, asked for at each log-in, each code once, and turned off again.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use store::audit;
use totp_rs::{Builder, Secret};

use crate::dashboard::{Browser, text};
use crate::kost::{Kost, PASSWORD};

stories![
    a_second_factor_is_asked_for_at_each_log_in_and_each_code_is_taken_once,
    a_recovery_code_lets_in_once,
    a_password_alone_opens_no_other_door,
    who_guesses_codes_waits_ever_longer,
    a_second_factor_is_turned_off_by_the_password_and_audited,
    an_operator_resets_a_second_factor_and_the_password_is_enough,
    half_a_log_in_is_worth_nothing_without_its_code,
];

const STEP: Duration = Duration::from_secs(30);

/// What an authenticator app knows.
pub(crate) struct App<'a> {
    kost: &'a Kost,
    secret: String,
    recovery: Vec<String>,
}

impl App<'_> {
    /// What it shows now.
    pub(crate) fn code(&self) -> String {
        let secret = Secret::try_from_base32(&self.secret).unwrap();
        let totp = Builder::new().with_secret(secret).build().unwrap();
        totp.generate(u64::try_from(self.kost.clock.now().timestamp()).unwrap()).to_string()
    }

    /// Another than it shows now or a step away.
    pub(crate) fn wrong_code(&self) -> String {
        let digit = if self.code().starts_with('9') { '8' } else { '9' };
        format!("{digit}{}", &self.code()[1..])
    }
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    text.split_once(before).unwrap().1.split_once(after).unwrap().0
}

/// Turns the second factor on, as its owner does.
pub(crate) async fn turn_on<'a>(kost: &'a Kost, email: &str) -> App<'a> {
    let browser = Browser::of(kost, email).await;
    let page = browser.post_privately("/second-factor/offer", &[("password", PASSWORD)]).await;
    assert!(page.contains("<svg ") && !page.contains("<script>"), "{page}");
    let secret = between(&page, "<pre>", "</pre>").to_owned();
    let mut app = App { kost, secret, recovery: Vec::new() };
    let page = browser.post_privately("/second-factor/confirm", &[("code", &app.code())]).await;
    app.recovery = between(&page, "<pre>", "</pre>").lines().map(str::to_owned).collect();
    assert_eq!(app.recovery.len(), 10, "{page}");
    assert_eq!(browser.get("").await.status, StatusCode::SEE_OTHER, "all sessions end");
    kost.clock.advance(STEP);
    app
}

/// The page that asks for the code: what its form carries.
async fn half(kost: &Kost, email: &str) -> String {
    let answer = Browser::open(kost).knock(email, PASSWORD).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    assert!(answer.headers.get("set-cookie").is_none());
    between(&text(&answer), "name=\"half\" value=\"", "\"").to_owned()
}

/// What comes of a log-in with this code.
pub(crate) async fn enter(kost: &Kost, half: &str, code: &str) -> StatusCode {
    let fields = [("half", half), ("code", code), ("next", "/admin/rooms")];
    let answer = Browser::open(kost).send_form("/login/code", &fields, &[]).await;
    let has_cookie = answer.headers.get("set-cookie").is_some();
    assert_eq!(
        has_cookie,
        answer.status == StatusCode::SEE_OTHER && answer.headers["location"] == "/admin/rooms"
    );
    answer.status
}

async fn login(kost: &Kost, body: &Value) -> (StatusCode, Value) {
    let answer = kost.send_privately(kost.request(Method::POST, "/api/login").json(body)).await;
    (answer.status, answer.body)
}

async fn a_second_factor_is_asked_for_at_each_log_in_and_each_code_is_taken_once(kost: Kost) {
    let sari = kost.admin("Sari").await;
    let browser = Browser::of(&kost, &sari).await;
    let wrong = browser.post("/second-factor/offer", &[("password", "a guess")]).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    // Whoever never showed a right code is not locked out.
    browser.post_privately("/second-factor/offer", &[("password", PASSWORD)]).await;
    let wrong = browser.post("/second-factor/confirm", &[("code", "000000")]).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    let before = Browser::of(&kost, &sari).await;
    assert_eq!(before.get("").await.status, StatusCode::OK);

    let app = turn_on(&kost, &sari).await;
    assert_eq!(before.get("").await.status, StatusCode::SEE_OTHER, "a session without a code ends");
    let half = half(&kost, &sari).await;
    let code = app.code();
    let spaced = format!("{} {}", &code[..3], &code[3..]);
    assert_eq!(enter(&kost, &half, &spaced).await, StatusCode::SEE_OTHER);
    assert_eq!(enter(&kost, &half, &code).await, StatusCode::UNAUTHORIZED, "a code is taken once");
    kost.clock.advance(STEP);
    assert_eq!(enter(&kost, &half, &code).await, StatusCode::UNAUTHORIZED);
    // Of many who present the same code at once, one comes in.
    let code = app.code();
    let all =
        tokio::join!(enter(&kost, &half, &code), enter(&kost, &half, &code), enter(&kost, &half, &code));
    let let_in = [all.0, all.1, all.2].into_iter().filter(|status| *status == StatusCode::SEE_OTHER).count();
    assert_eq!(let_in, 1);
    kost.close().await;
}

async fn a_recovery_code_lets_in_once(kost: Kost) {
    let sari = kost.admin("Sari").await;
    let app = turn_on(&kost, &sari).await;
    let half = half(&kost, &sari).await;
    let code = app.recovery[3].to_uppercase();
    assert_eq!(enter(&kost, &half, &code).await, StatusCode::SEE_OTHER);
    assert_eq!(enter(&kost, &half, &code).await, StatusCode::UNAUTHORIZED);
    assert_eq!(enter(&kost, &half, &app.recovery[4]).await, StatusCode::SEE_OTHER);
    let actions: Vec<String> =
        audit::newest(&kost.db, None, 3).await.unwrap().into_iter().map(|row| row.action).collect();
    assert_eq!(actions, ["second-factor.recover", "second-factor.recover", "second-factor.enable"]);
    kost.close().await;
}

async fn a_password_alone_opens_no_other_door(kost: Kost) {
    let sari = kost.admin("Sari").await;
    let (_, body) = login(&kost, &json!({ "email": sari, "password": PASSWORD })).await;
    let refresh = body["refreshToken"].clone();
    let app = turn_on(&kost, &sari).await;
    let headers = kost.send(kost.request_of(&sari, Method::GET, "/api/admin/rooms")).await;
    assert_eq!(
        (headers.status, &headers.body["type"]),
        (StatusCode::UNAUTHORIZED, &json!("/problems/second-factor"))
    );
    let old = kost.request(Method::POST, "/api/token/refresh").json(&json!({ "refreshToken": refresh }));
    assert_eq!(kost.send_privately(old).await.status, StatusCode::UNAUTHORIZED);
    let (status, body) = login(&kost, &json!({ "email": sari, "password": PASSWORD })).await;
    assert_eq!((status, &body["type"]), (StatusCode::UNAUTHORIZED, &json!("/problems/second-factor")));
    let (status, _) =
        login(&kost, &json!({ "email": sari, "password": "a guess", "code": app.code() })).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    let (status, body) =
        login(&kost, &json!({ "email": sari, "password": PASSWORD, "code": app.code() })).await;
    assert_eq!(status, StatusCode::OK);
    let bearer = format!("Bearer {}", body["accessToken"].as_str().unwrap());
    let rooms = kost.request(Method::GET, "/api/admin/rooms").header("authorization", bearer);
    assert_eq!(kost.send(rooms).await.status, StatusCode::OK);
    // Others need no code.
    let wati = kost.admin("Wati").await;
    assert_eq!(login(&kost, &json!({ "email": wati, "password": PASSWORD })).await.0, StatusCode::OK);
    kost.close().await;
}

async fn who_guesses_codes_waits_ever_longer(kost: Kost) {
    let sari = kost.admin("Sari").await;
    let app = turn_on(&kost, &sari).await;
    let half = half(&kost, &sari).await;
    for _ in 0..5 {
        assert_eq!(enter(&kost, &half, &app.wrong_code()).await, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(enter(&kost, &half, &app.code()).await, StatusCode::TOO_MANY_REQUESTS);
    kost.clock.advance(Duration::from_secs(2));
    assert_eq!(enter(&kost, &half, &app.wrong_code()).await, StatusCode::UNAUTHORIZED);
    kost.clock.advance(Duration::from_secs(1));
    assert_eq!(enter(&kost, &half, &app.recovery[0]).await, StatusCode::TOO_MANY_REQUESTS);
    kost.clock.advance(Duration::from_secs(1));
    assert_eq!(enter(&kost, &half, &app.code()).await, StatusCode::SEE_OTHER, "nobody is locked out");
    kost.clock.advance(STEP);
    assert_eq!(enter(&kost, &half, &app.wrong_code()).await, StatusCode::UNAUTHORIZED, "and all is forgiven");
    assert_eq!(enter(&kost, &half, &app.code()).await, StatusCode::SEE_OTHER);
    kost.close().await;
}

async fn a_second_factor_is_turned_off_by_the_password_and_audited(kost: Kost) {
    let sari = kost.admin("Sari").await;
    let app = turn_on(&kost, &sari).await;
    let fields = [("half", &*half(&kost, &sari).await), ("code", &app.code()), ("next", "/admin")];
    let mut browser = Browser::open(&kost);
    let answer = browser.send_form("/login/code", &fields, &[]).await;
    browser.take_cookie(&answer);
    assert!(text(&browser.get("/second-factor").await).contains("10"), "it says how many codes are left");
    let wrong = browser.post("/second-factor/remove", &[("password", "a guess")]).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    let again = browser.post("/second-factor/offer", &[("password", PASSWORD)]).await;
    assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY, "nobody puts another secret in its place");
    let right = browser.post("/second-factor/remove", &[("password", PASSWORD)]).await;
    assert_eq!(right.status, StatusCode::SEE_OTHER);
    assert_eq!(Browser::of(&kost, &sari).await.get("").await.status, StatusCode::OK);
    let row = audit::newest(&kost.db, None, 1).await.unwrap().remove(0);
    assert_eq!((row.action.as_str(), row.actor.as_str()), ("second-factor.disable", sari.as_str()));
    kost.close().await;
}

async fn an_operator_resets_a_second_factor_and_the_password_is_enough(kost: Kost) {
    let (sari, wati) = (kost.admin("Sari").await, kost.admin("Wati").await);
    let (app, _others) = (turn_on(&kost, &sari).await, turn_on(&kost, &wati).await);
    let reset = ["admin", "reset-second-factor", &sari];
    assert!(kost.types(&reset, "").contains("logs in with the password alone"));
    assert_eq!(Browser::of(&kost, &sari).await.get("").await.status, StatusCode::OK);
    let (status, _) = login(&kost, &json!({ "email": sari, "password": PASSWORD })).await;
    assert_eq!(status, StatusCode::OK);
    let row = audit::newest(&kost.db, None, 1).await.unwrap().remove(0);
    assert_eq!(
        (row.action.as_str(), row.actor.as_str()),
        ("second-factor.disable", "kasir admin reset-second-factor")
    );
    assert!(kost.types(&reset, "").contains("has no second factor"), "it is gone");
    // Of the others it says nothing, and the old telephone is worth nothing after another was set up.
    half(&kost, &wati).await;
    let newer = turn_on(&kost, &sari).await;
    let half = half(&kost, &sari).await;
    assert_eq!(enter(&kost, &half, &app.recovery[0]).await, StatusCode::UNAUTHORIZED);
    assert_eq!(enter(&kost, &half, &newer.recovery[0]).await, StatusCode::SEE_OTHER);
    kost.close().await;
}

async fn half_a_log_in_is_worth_nothing_without_its_code(kost: Kost) {
    let sari = kost.admin("Sari").await;
    let app = turn_on(&kost, &sari).await;
    let half = half(&kost, &sari).await;
    let cookie = format!("kasir_session={half}");
    let as_cookie = kost.request(Method::GET, "/api/admin/rooms").header("cookie", &cookie);
    assert_eq!(kost.send(as_cookie).await.status, StatusCode::UNAUTHORIZED);
    let mut browser = Browser::open(&kost);
    browser.cookie = cookie;
    assert_eq!(browser.get("/rooms").await.status, StatusCode::SEE_OTHER, "it is led to the door");
    for forged in ["", "1", &half[1..], &format!("{half}0")] {
        let fields = [("half", forged), ("code", &app.code()), ("next", "/admin/rooms")];
        let answer = Browser::open(&kost).send_form("/login/code", &fields, &[]).await;
        assert_eq!(answer.headers["location"], "/admin/login", "{forged}");
    }
    let foreign = [("sec-fetch-site", "cross-site")];
    let fields = [("half", half.as_str()), ("code", &app.code())];
    assert_eq!(
        Browser::open(&kost).send_form("/login/code", &fields, &foreign).await.status,
        StatusCode::FORBIDDEN
    );
    kost.clock.advance(Duration::from_secs(300));
    let fields = [("half", half.as_str()), ("code", &app.code())];
    let late = Browser::open(&kost).send_form("/login/code", &fields, &[]).await;
    assert_eq!(late.headers["location"], "/admin/login");
    kost.close().await;
}
