//! Admins who log in by an OpenID Connect provider: who comes in, and all who stay outside.

use std::time::Duration;

use domain::Rank;
use reqwest::{Method, StatusCode};
use serde_json::json;
use store::audit;

use crate::dashboard::{Browser, text};
use crate::kost::{Answer, Kost, PASSWORD};
use crate::provider::{IdProvider, Lie};
use crate::second_factor::{enter, turn_on};

stories![
    an_admin_comes_in_by_the_provider_and_stays_the_same_person,
    a_token_that_is_not_right_in_everything_lets_nobody_in,
    whoever_has_not_begun_the_log_in_stays_outside,
    a_log_in_is_used_once_and_ends,
    whoever_is_not_ours_stays_outside_and_nobody_is_made,
    a_provider_that_is_down_is_told_and_a_password_still_works,
    nobody_is_led_elsewhere_or_logged_in_unasked,
    a_second_factor_is_asked_for_after_the_provider_too,
    where_the_provider_is_the_only_door_no_password_of_an_admin_opens_another,
    where_only_bound_people_come_in_an_address_is_not_enough,
    keys_are_kept_and_asked_for_anew_when_the_provider_changes_them,
];

/// The house with a provider, and an admin called Sari.
async fn house(kost: Kost, lines: &str) -> (Kost, IdProvider) {
    let provider = IdProvider::start(&kost.clock).await;
    let kost = kost.that_trusts(&provider.url(), lines).await;
    kost.admin("Sari").await;
    provider.lives_by(&kost.clock);
    provider.knows("1042", "sari@kost.test", true);
    (kost, provider)
}

/// A log-in as far as the provider: the browser, and where it is sent back to.
async fn leave<'a>(kost: &'a Kost, provider: &IdProvider) -> (Browser<'a>, String) {
    let mut browser = Browser::open(kost);
    let left = browser.get("/login/oidc?next=%2Fadmin%2Frooms").await;
    assert_eq!(left.status, StatusCode::SEE_OTHER, "{}", left.body);
    browser.take_cookie(&left);
    let back = provider.visit(left.headers["location"].to_str().unwrap()).await;
    (browser, back.strip_prefix("http://kost.test/admin").unwrap().to_owned())
}

/// The whole way: what the browser sees in the end.
async fn log_in<'a>(kost: &'a Kost, provider: &IdProvider) -> (Browser<'a>, Answer) {
    let (browser, back) = leave(kost, provider).await;
    let answer = browser.get(&back).await;
    (browser, answer)
}

fn has_session(answer: &Answer) -> bool {
    let cookies = answer.headers.get_all("set-cookie").iter();
    cookies.map(|cookie| cookie.to_str().unwrap()).any(|cookie| cookie.starts_with("kasir_session=kds_"))
}

/// The admin with this address may not log in any more.
async fn block(kost: &Kost, email: &str) {
    let email = domain::Email::try_from(email.to_owned()).unwrap();
    let person = store::people::find_by_email(&kost.db, &email).await.unwrap().unwrap();
    kost.execute(&format!("UPDATE users SET deleted_at = 1 WHERE id = {}", person.id)).await;
}

/// Nobody came in, the page says why, and the books know of nothing.
async fn assert_outside(kost: &Kost, answer: &Answer, (status, why): (StatusCode, &str)) {
    assert_eq!(answer.status, status, "{}", answer.body);
    assert!(text(answer).contains(why), "{why}: {}", answer.body);
    assert!(!has_session(answer));
    assert!(audit::newest(&kost.db, None, 9).await.unwrap().is_empty());
}

async fn actions(kost: &Kost) -> Vec<String> {
    audit::newest(&kost.db, None, 9).await.unwrap().into_iter().map(|row| row.action).collect()
}

const NOT_BEGUN: (StatusCode, &str) = (StatusCode::BAD_REQUEST, "tidak dimulai di peramban ini");
const DECLINED: (StatusCode, &str) = (StatusCode::UNAUTHORIZED, "tidak menerima Anda");
const UNTRUE: (StatusCode, &str) = (StatusCode::UNAUTHORIZED, "tidak dapat dipercaya");
const NOT_OURS: (StatusCode, &str) = (StatusCode::FORBIDDEN, "bukan pengurus rumah ini");
const DOWN: (StatusCode, &str) = (StatusCode::SERVICE_UNAVAILABLE, "Penyedia identitas tidak menjawab");

async fn an_admin_comes_in_by_the_provider_and_stays_the_same_person(kost: Kost) {
    let (kost, provider) = house(kost, "name = \"Kost ID\"\n").await;
    let mut stranger = Browser::open(&kost);
    let page = text(&stranger.get("/login?next=%2Fadmin%2Frooms").await);
    assert!(page.contains("Masuk dengan Kost ID") && page.contains("name=\"password\""), "{page}");
    assert!(page.contains("/admin/login/oidc?next=%2Fadmin%2Frooms"), "{page}");
    stranger.cookie = "kasir_lang=en".to_owned();
    assert!(text(&stranger.get("/login").await).contains("Log in with Kost ID"));

    let (mut browser, answer) = log_in(&kost, &provider).await;
    assert_eq!(
        (answer.status, &answer.headers["location"]),
        (StatusCode::SEE_OTHER, &"/admin/rooms".parse().unwrap())
    );
    browser.take_cookie(&answer);
    assert_eq!(browser.get("/rooms").await.status, StatusCode::OK);
    assert_eq!(actions(&kost).await, ["identity.vouch", "identity.bind"]);
    // Another address at the provider is still the same person, and one who gets the old address is not.
    provider.knows("1042", "sari.baru@elsewhere.test", false);
    let (_, answer) = log_in(&kost, &provider).await;
    assert!(has_session(&answer));
    provider.knows("2000", "sari@kost.test", true);
    let (_, answer) = log_in(&kost, &provider).await;
    assert_eq!((answer.status, has_session(&answer)), (NOT_OURS.0, false));
    assert_eq!(actions(&kost).await, ["identity.vouch", "identity.vouch", "identity.bind"]);
    assert!(audit::verify(&kost.db).await.unwrap().broken_at.is_none());
    kost.close().await;
}

async fn a_token_that_is_not_right_in_everything_lets_nobody_in(kost: Kost) {
    let (kost, provider) = house(kost, "").await;
    for lie in [
        Lie::Nonce,
        Lie::NoNonce,
        Lie::Audience,
        Lie::MoreAudiences,
        Lie::Issuer,
        Lie::Expired,
        Lie::Old,
        Lie::OtherKey,
        Lie::SharedSecret,
        Lie::Unsigned,
        Lie::NoToken,
    ] {
        provider.lies(lie);
        let (_, answer) = log_in(&kost, &provider).await;
        assert_eq!(answer.status, UNTRUE.0, "{lie:?}");
        assert_outside(&kost, &answer, UNTRUE).await;
    }
    provider.lies(Lie::Noise);
    let (_, answer) = log_in(&kost, &provider).await;
    assert_outside(&kost, &answer, DOWN).await;
    provider.lies(Lie::None);
    assert!(has_session(&log_in(&kost, &provider).await.1));
    kost.close().await;
}

async fn whoever_has_not_begun_the_log_in_stays_outside(kost: Kost) {
    let (kost, provider) = house(kost, "").await;
    // A link that a thief has made of their own log-in, opened by somebody who has begun none, or another one.
    let (_thief, back) = leave(&kost, &provider).await;
    let mut victim = Browser::open(&kost);
    assert_outside(&kost, &victim.get(&back).await, NOT_BEGUN).await;
    let (begun, _) = leave(&kost, &provider).await;
    assert_outside(&kost, &begun.get(&back).await, NOT_BEGUN).await;
    for forged in ["kasir_way=", "kasir_way=00", "kasir_way=zz", &format!("kasir_way={}", "0".repeat(200))] {
        victim.cookie = forged.to_owned();
        assert_outside(&kost, &victim.get(&back).await, NOT_BEGUN).await;
    }
    // A state that is cut, empty or left out is another one.
    let (browser, back) = leave(&kost, &provider).await;
    let (before, state) = back.split_once("state=").unwrap();
    let (state, _) = state.split_once('&').unwrap();
    for other in [String::new(), "state=".to_owned(), format!("state={}", &state[1..])] {
        assert_outside(&kost, &browser.get(&format!("{before}{other}")).await, NOT_BEGUN).await;
    }
    let elsewhere = format!("{before}state={state}&iss=https%3A%2F%2Fevil.test");
    assert_outside(&kost, &browser.get(&elsewhere).await, UNTRUE).await;
    kost.close().await;
}

async fn a_log_in_is_used_once_and_ends(kost: Kost) {
    let (kost, provider) = house(kost, "").await;
    let (browser, back) = leave(&kost, &provider).await;
    let answer = browser.get(&back).await;
    assert!(has_session(&answer));
    let cookies: Vec<_> = answer.headers.get_all("set-cookie").iter().collect();
    assert!(cookies.iter().any(|one| one.to_str().unwrap().starts_with("kasir_way=; ")), "{cookies:?}");
    // A browser that keeps what it should throw away does not come in again.
    let again = browser.get(&back).await;
    assert_eq!((again.status, has_session(&again)), (DECLINED.0, false));
    assert!(text(&again).contains(DECLINED.1));
    // And nobody comes in by a log-in of long ago.
    let (browser, back) = leave(&kost, &provider).await;
    kost.clock.advance(Duration::from_secs(600));
    let late = browser.get(&back).await;
    assert_eq!((late.status, has_session(&late)), (NOT_BEGUN.0, false));
    assert_eq!(actions(&kost).await, ["identity.vouch", "identity.bind"]);
    kost.close().await;
}

async fn whoever_is_not_ours_stays_outside_and_nobody_is_made(kost: Kost) {
    let (kost, provider) = house(kost, "").await;
    let budi = kost.tenant("Budi").await;
    kost.admin_of("Joko", Rank::Staff).await;
    block(&kost, "joko@kost.test").await;
    let before = store::people::count(&kost.db).await.unwrap();
    for (subject, email) in
        [("1", "nobody@kost.test"), ("2", budi.email.as_str()), ("3", "joko@kost.test"), ("4", "@")]
    {
        provider.knows(subject, email, true);
        let (_, answer) = log_in(&kost, &provider).await;
        assert_outside(&kost, &answer, NOT_OURS).await;
        assert!(
            text(&answer).contains(&format!("<code>{subject}</code>")),
            "it says what to ask the owner for"
        );
    }
    provider.knows("5", "sari@kost.test", false);
    let (_, answer) = log_in(&kost, &provider).await;
    assert_outside(&kost, &answer, (StatusCode::FORBIDDEN, "belum memastikan")).await;
    assert_eq!(store::people::count(&kost.db).await.unwrap(), before);
    // Who was let in once and is blocked since stays outside too.
    provider.knows("1042", "sari@kost.test", true);
    let (mut browser, answer) = log_in(&kost, &provider).await;
    browser.take_cookie(&answer);
    block(&kost, "sari@kost.test").await;
    assert_eq!(browser.get("/rooms").await.status, StatusCode::SEE_OTHER);
    let (_, answer) = log_in(&kost, &provider).await;
    assert_eq!((answer.status, has_session(&answer)), (NOT_OURS.0, false));
    kost.close().await;
}

async fn a_provider_that_is_down_is_told_and_a_password_still_works(kost: Kost) {
    let (kost, mut provider) = house(kost, "").await;
    provider.goes_down().await;
    let browser = Browser::open(&kost);
    assert_outside(&kost, &browser.get("/login/oidc").await, DOWN).await;
    assert_eq!(browser.get("/login").await.status, StatusCode::OK);
    assert_eq!(browser.knock("sari@kost.test", PASSWORD).await.status, StatusCode::SEE_OTHER);
    provider.comes_back().await;
    assert_eq!(browser.get("/login/oidc").await.status, DOWN.0, "nobody waits for it again so soon");
    kost.clock.advance(Duration::from_secs(5));
    // It goes down while somebody is there.
    let (browser, back) = leave(&kost, &provider).await;
    provider.goes_down().await;
    assert_outside(&kost, &browser.get(&back).await, DOWN).await;
    provider.comes_back().await;
    assert!(has_session(&log_in(&kost, &provider).await.1));
    // Another provider in its place is none.
    kost.clock.advance(Duration::from_secs(3600));
    provider.is_called("https://evil.test");
    assert_eq!(Browser::open(&kost).get("/login/oidc").await.status, DOWN.0);
    kost.close().await;
}

async fn nobody_is_led_elsewhere_or_logged_in_unasked(kost: Kost) {
    let (kost, provider) = house(kost, "").await;
    for evil in ["https%3A%2F%2Fevil.test", "%2F%2Fevil.test", "%2Fadmin%5C%5Cevil.test", "%2Fadminx"] {
        let mut browser = Browser::open(&kost);
        let left = browser.get(&format!("/login/oidc?next={evil}")).await;
        browser.take_cookie(&left);
        let back = provider.visit(left.headers["location"].to_str().unwrap()).await;
        let back = back.strip_prefix("http://kost.test/admin").unwrap();
        let answer = browser.get(&format!("{back}&next={evil}")).await;
        assert_eq!(answer.headers["location"], "/admin", "{evil}");
    }
    let url = format!("{}/admin/login/oidc", kost.program.url);
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let unasked = kost.send(client.get(url).header("sec-fetch-site", "cross-site")).await;
    assert_eq!(unasked.status, StatusCode::FORBIDDEN);
    // What the address says is not on the page.
    let (browser, back) = leave(&kost, &provider).await;
    let (_, state) = back.split_once("state=").unwrap();
    let script = "%3Cscript%3Ealert(1)%3C%2Fscript%3E";
    let back = format!("/login/oidc/callback?state={state}&error={script}&error_description={script}");
    let answer = browser.get(&back).await;
    assert_eq!(answer.status, DECLINED.0);
    assert!(!text(&answer).contains("alert(") && !text(&answer).contains("callback"), "{}", answer.body);
    assert!(!has_session(&answer));
    kost.close().await;
}

async fn a_second_factor_is_asked_for_after_the_provider_too(kost: Kost) {
    let (kost, provider) = house(kost, "").await;
    let app = turn_on(&kost, "sari@kost.test").await;
    let (_, answer) = log_in(&kost, &provider).await;
    assert_eq!((answer.status, has_session(&answer)), (StatusCode::OK, false));
    let page = text(&answer);
    let half = page.split_once("name=\"half\" value=\"").unwrap().1.split_once('"').unwrap().0;
    assert_eq!(enter(&kost, half, &app.wrong_code()).await, StatusCode::UNAUTHORIZED);
    assert_eq!(enter(&kost, half, &app.code()).await, StatusCode::SEE_OTHER);
    kost.close().await;
}

async fn where_the_provider_is_the_only_door_no_password_of_an_admin_opens_another(kost: Kost) {
    let (kost, provider) = house(kost, "password = false\n").await;
    let budi = kost.tenant("Budi").await;
    let browser = Browser::open(&kost);
    assert!(!text(&browser.get("/login").await).contains("name=\"password\""));
    assert_eq!(browser.knock("sari@kost.test", PASSWORD).await.status, StatusCode::UNAUTHORIZED);
    let log_in_of = async |email: &str| {
        let body = json!({ "email": email, "password": PASSWORD });
        kost.send_privately(kost.request(Method::POST, "/api/login").json(&body)).await.status
    };
    assert_eq!(log_in_of("sari@kost.test").await, StatusCode::UNAUTHORIZED);
    let headers = kost.send(kost.request_of("sari@kost.test", Method::GET, "/api/admin/rooms")).await;
    assert_eq!(headers.status, StatusCode::UNAUTHORIZED);
    assert_eq!(log_in_of(&budi.email).await, StatusCode::OK, "tenants are not the provider's");
    assert!(has_session(&log_in(&kost, &provider).await.1));
    kost.close().await;
}

async fn where_only_bound_people_come_in_an_address_is_not_enough(kost: Kost) {
    let (kost, provider) = house(kost, "match_by = \"subject\"\n").await;
    let (_, answer) = log_in(&kost, &provider).await;
    assert_outside(&kost, &answer, NOT_OURS).await;
    let file = format!("[oidc]\nissuer = \"{}\"\nclient_id = \"kasir\"\n", provider.url());
    let bind = ["admin", "bind", "sari@kost.test", "1042"];
    let unbind = ["admin", "unbind", "sari@kost.test"];
    assert!(kost.types(&unbind, &file).contains("nobody at a provider is bound"));
    assert!(kost.types(&["admin", "bind", "nobody@kost.test", "1042"], &file).contains("is no admin"));
    assert!(kost.types(&bind, &file).contains("sari@kost.test logs in by http://127.0.0.1"));
    assert!(has_session(&log_in(&kost, &provider).await.1));
    assert!(kost.types(&bind, &file).contains("is bound already"));
    assert!(kost.types(&unbind, &file).contains("any more"));
    assert_eq!(log_in(&kost, &provider).await.1.status, NOT_OURS.0);
    assert_eq!(actions(&kost).await, ["identity.unbind", "identity.vouch", "identity.bind"]);
    kost.close().await;
}

async fn keys_are_kept_and_asked_for_anew_when_the_provider_changes_them(kost: Kost) {
    let (kost, provider) = house(kost, "").await;
    for _ in 0..3 {
        assert!(has_session(&log_in(&kost, &provider).await.1));
    }
    assert_eq!(provider.keys_asked_for(), 1);
    provider.changes_its_key();
    assert_eq!(
        log_in(&kost, &provider).await.1.status,
        UNTRUE.0,
        "who forges tokens makes us ask for no keys"
    );
    kost.clock.advance(Duration::from_secs(60));
    assert!(has_session(&log_in(&kost, &provider).await.1));
    assert_eq!(provider.keys_asked_for(), 2);
    kost.close().await;
}
