//! The dashboard without a browser: who comes in, what a form needs, and who may do what.

use domain::Rank;
use reqwest::redirect::Policy;
use reqwest::{Method, RequestBuilder, StatusCode};
use store::{audit, rooms};

use crate::kost::{Answer, Kost, PASSWORD};

stories![
    who_is_not_logged_in_is_led_to_the_door_and_back,
    a_wrong_password_and_a_tenant_stay_outside,
    a_form_without_its_own_token_does_nothing,
    a_form_of_another_site_does_nothing,
    a_viewer_sees_every_page_and_changes_nothing,
    staff_runs_the_house_and_gives_no_money_away,
    a_log_out_or_another_password_ends_the_session,
    a_session_ends_when_it_is_not_used,
    every_page_is_answered_in_both_languages,
];

pub(crate) const PAGES: [&str; 17] = [
    "",
    "/payments",
    "/findings",
    "/reconciliations",
    "/statements",
    "/balance",
    "/jobs",
    "/queues",
    "/schedules",
    "/notifications",
    "/bills",
    "/tenants",
    "/rooms",
    "/methods",
    "/audit?verify=yes",
    "/people",
    "/second-factor",
];

/// A browser that follows nowhere by itself, so that each answer is seen.
pub(crate) struct Browser<'a> {
    kost: &'a Kost,
    client: reqwest::Client,
    pub(crate) cookie: String,
}

impl<'a> Browser<'a> {
    pub(crate) fn open(kost: &'a Kost) -> Self {
        let client = reqwest::Client::builder().redirect(Policy::none()).build().unwrap();
        Self { kost, client, cookie: String::new() }
    }

    pub(crate) async fn of(kost: &'a Kost, email: &str) -> Self {
        let mut browser = Self::open(kost);
        let answer = browser.knock(email, PASSWORD).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
        browser.take_cookie(&answer);
        browser
    }

    pub(crate) fn take_cookie(&mut self, answer: &Answer) {
        let cookie = answer.headers["set-cookie"].to_str().unwrap();
        assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
        self.cookie = cookie.split(';').next().unwrap().to_owned();
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.client.request(method, format!("{}/admin{path}", self.kost.program.url));
        request.header("cookie", &self.cookie)
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.kost.send(self.request(Method::GET, path)).await
    }

    pub(crate) async fn send_form(
        &self,
        path: &str,
        fields: &[(&str, &str)],
        headers: &[(&str, &str)],
    ) -> Answer {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let mut request = self.request(Method::POST, path).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.kost.send(request.header("content-type", "application/x-www-form-urlencoded")).await
    }

    pub(crate) async fn knock(&self, email: &str, password: &str) -> Answer {
        let fields = [("email", email), ("password", password), ("next", "/admin/rooms")];
        self.send_form("/login", &fields, &[]).await
    }

    /// What the forms of this session carry.
    async fn token(&self) -> String {
        let page = text(&self.get("/people").await);
        let (_, rest) = page.split_once("name=\"csrf\" value=\"").unwrap();
        rest.split('"').next().unwrap().to_owned()
    }

    /// The same for a page that holds what nobody else may know.
    pub(crate) async fn post_privately(&self, path: &str, fields: &[(&str, &str)]) -> String {
        let token = self.token().await;
        let fields = fields.iter().copied().chain([("csrf", token.as_str())]);
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = self.request(Method::POST, path).body(body);
        let form = request.header("content-type", "application/x-www-form-urlencoded");
        let response = form.send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        response.text().await.unwrap()
    }

    pub(crate) async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let token = self.token().await;
        let fields: Vec<_> = fields.iter().copied().chain([("csrf", token.as_str())]).collect();
        self.send_form(path, &fields, &[]).await
    }
}

pub(crate) fn text(answer: &Answer) -> String {
    answer.body.as_str().unwrap_or_default().to_owned()
}

async fn codes(kost: &Kost) -> Vec<String> {
    let page = store::Page { after: None, limit: 10 };
    rooms::list(&kost.db, page).await.unwrap().into_iter().map(|room| room.code).collect()
}

async fn who_is_not_logged_in_is_led_to_the_door_and_back(kost: Kost) {
    let ibu = kost.admin("Ibu").await;
    let stranger = Browser::open(&kost);
    let led = stranger.get("/jobs?state=dead").await;
    assert_eq!(led.status, StatusCode::SEE_OTHER);
    assert_eq!(led.headers["location"], "/admin/login?next=%2Fadmin%2Fjobs%3Fstate%3Ddead");
    let answer = stranger.knock(&ibu, PASSWORD).await;
    assert_eq!(answer.headers["location"], "/admin/rooms", "where she wanted to go");
    let page = Browser::of(&kost, &ibu).await.get("/rooms").await;
    assert_eq!(page.status, StatusCode::OK);
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    assert_eq!(page.headers["cache-control"], "no-store");
    kost.close().await;
}

async fn a_wrong_password_and_a_tenant_stay_outside(kost: Kost) {
    let (ibu, budi) = (kost.admin("Ibu").await, kost.tenant("Budi").await);
    let stranger = Browser::open(&kost);
    for (email, password) in [(ibu.as_str(), "wrong"), (budi.email.as_str(), PASSWORD)] {
        let answer = stranger.knock(email, password).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{email}");
        assert!(!answer.headers.contains_key("set-cookie"));
    }
    let forged = Browser { cookie: "kasir_session=kds_0000".to_owned(), ..Browser::open(&kost) };
    assert_eq!(forged.get("/rooms").await.status, StatusCode::SEE_OTHER);
    kost.close().await;
}

async fn a_form_without_its_own_token_does_nothing(kost: Kost) {
    let (ibu, other) = (kost.admin("Ibu").await, kost.admin("Pak").await);
    let (hers, his) = (Browser::of(&kost, &ibu).await, Browser::of(&kost, &other).await);
    let before = codes(&kost).await;
    let stolen = his.token().await;
    for fields in
        [vec![("code", "X1")], vec![("code", "X1"), ("csrf", "")], vec![("code", "X1"), ("csrf", &stolen)]]
    {
        let answer = hers.send_form("/rooms", &fields, &[]).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{fields:?}");
    }
    assert_eq!(codes(&kost).await, before);
    assert_eq!(hers.post("/rooms", &[("code", "X1")]).await.status, StatusCode::SEE_OTHER);
    assert_eq!(codes(&kost).await.len(), before.len() + 1);
    kost.close().await;
}

async fn a_form_of_another_site_does_nothing(kost: Kost) {
    let ibu = kost.admin("Ibu").await;
    let browser = Browser::of(&kost, &ibu).await;
    let (token, before) = (browser.token().await, codes(&kost).await);
    for header in [("origin", "https://evil.test"), ("sec-fetch-site", "cross-site")] {
        let room = browser.send_form("/rooms", &[("code", "X1"), ("csrf", &token)], &[header]).await;
        assert_eq!(room.status, StatusCode::FORBIDDEN, "{header:?}");
        let door = browser.send_form("/login", &[("email", &ibu), ("password", PASSWORD)], &[header]).await;
        assert_eq!(door.status, StatusCode::FORBIDDEN, "{header:?}");
    }
    assert_eq!(codes(&kost).await, before);
    kost.close().await;
}

async fn a_viewer_sees_every_page_and_changes_nothing(kost: Kost) {
    let viewer = kost.admin_of("Tono", Rank::Viewer).await;
    let (_budi, invoice) = kost.paying("Budi", "bca").await;
    kost.run_jobs().await;
    let browser = Browser::of(&kost, &viewer).await;
    let before = audit::newest(&kost.db, None, 100).await.unwrap().len();
    let payment = format!("/payments/{invoice}");
    let all = ["/bills/1", "/jobs/1", "/notifications/404", payment.as_str()];
    for path in PAGES.iter().chain(&all) {
        let page = browser.get(path).await;
        let expected = if path.ends_with("404") { StatusCode::NOT_FOUND } else { StatusCode::OK };
        assert_eq!(page.status, expected, "{path}");
        let forms = text(&page).matches("<details class=\"action\">").count();
        // The own password and the own second factor are everybody's own business.
        assert_eq!(forms, usize::from(["/people", "/second-factor"].contains(path)), "{path}");
    }
    let sync = format!("{payment}/sync");
    let refund = format!("{payment}/refund");
    for path in [
        "/rooms",
        "/rooms/1",
        "/rooms/1/remove",
        "/tenants",
        "/tenants/1/remove",
        "/bills",
        "/bills/1/cash",
        "/bills/1/void",
        "/methods/1",
        "/jobs/retry",
        "/jobs/cancel",
        "/jobs/1/retry",
        "/jobs/1/cancel",
        "/jobs/1/run",
        "/queues/pause",
        "/queues/resume",
        "/schedules/sweep/run",
        "/notifications/1/replay",
        "/notifications/1/reveal",
        "/findings/1/resolve",
        "/reconciliations",
        &sync,
        &refund,
    ] {
        let answer =
            browser.post(path, &[("reason", "because"), ("kind", "sync_payment"), ("once", "1")]).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}");
    }
    assert_eq!(audit::newest(&kost.db, None, 100).await.unwrap().len(), before, "nothing was done");
    kost.close().await;
}

async fn staff_runs_the_house_and_gives_no_money_away(kost: Kost) {
    let staff = kost.admin_of("Tini", Rank::Staff).await;
    let (_budi, invoice) = kost.paying("Budi", "bca").await;
    let browser = Browser::of(&kost, &staff).await;
    let sync = format!("/payments/{invoice}/sync");
    assert_eq!(browser.post(&sync, &[]).await.status, StatusCode::UNPROCESSABLE_ENTITY, "a reason is needed");
    assert_eq!(browser.post(&sync, &[("reason", "he says he paid")]).await.status, StatusCode::SEE_OTHER);
    for path in
        [format!("/payments/{invoice}/refund"), format!("/payments/{invoice}/approve"), "/methods/1".into()]
    {
        let answer = browser.post(&path, &[("reason", "because"), ("once", "1")]).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}");
    }
    let row = audit::newest(&kost.db, None, 1).await.unwrap().remove(0);
    assert_eq!(
        (row.action.as_str(), row.actor, row.reason.as_deref()),
        ("payment.sync", staff, Some("he says he paid"))
    );
    kost.close().await;
}

async fn a_log_out_or_another_password_ends_the_session(kost: Kost) {
    let ibu = kost.admin("Ibu").await;
    let (first, second) = (Browser::of(&kost, &ibu).await, Browser::of(&kost, &ibu).await);
    assert_eq!(first.post("/logout", &[]).await.status, StatusCode::SEE_OTHER);
    assert_eq!(first.get("/rooms").await.status, StatusCode::SEE_OTHER, "led to the door");
    assert_eq!(second.get("/rooms").await.status, StatusCode::OK, "another session goes on");
    let wrong = [("current", "wrong"), ("new", "another long one")];
    assert_eq!(second.post("/people/password", &wrong).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    let right = [("current", PASSWORD), ("new", "another long one")];
    assert_eq!(second.post("/people/password", &right).await.status, StatusCode::SEE_OTHER);
    assert_eq!(second.get("/rooms").await.status, StatusCode::SEE_OTHER, "led to the door");
    kost.close().await;
}

async fn a_session_ends_when_it_is_not_used(kost: Kost) {
    let ibu = kost.admin("Ibu").await;
    let browser = Browser::of(&kost, &ibu).await;
    for _ in 0..3 {
        kost.clock.advance(std::time::Duration::from_secs(11 * 3600));
        assert_eq!(browser.get("/rooms").await.status, StatusCode::OK, "it is used");
    }
    kost.clock.advance(std::time::Duration::from_secs(13 * 3600));
    assert_eq!(browser.get("/rooms").await.status, StatusCode::SEE_OTHER);
    kost.close().await;
}

async fn every_page_is_answered_in_both_languages(kost: Kost) {
    let ibu = kost.admin("Ibu").await;
    let browser = Browser::of(&kost, &ibu).await;
    for path in PAGES {
        let mut titles = Vec::new();
        for (lang, title) in [("id", "lang=\"id\""), ("en", "lang=\"en\"")] {
            let page = browser.request(Method::GET, path).header("cookie", format!("kasir_lang={lang}"));
            let page = kost.send(page).await;
            assert_eq!(page.status, StatusCode::OK, "{path} {lang}");
            let html = text(&page);
            assert!(html.contains(&format!("<html {title}")), "{path} {lang}");
            titles.push(html.split_once("<title>").unwrap().1.split('<').next().unwrap().to_owned());
        }
        assert_ne!(titles[0], titles[1], "{path} is told in two languages");
    }
    kost.close().await;
}
