//! Who visits the dashboard: logging in and out, the session's cookie, and how the visitor wants to see the pages.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRequestParts, State};
use axum::http::header::{COOKIE, SET_COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{AppendHeaders, IntoResponse as _, Redirect, Response};
use clock::delta;
use domain::{Rank, Role, Secret};
use maud::{Markup, html};
use store::dashboard_sessions as sessions;
use store::people::Person;

use super::form::{Fields, FromHere};
use super::{layout, second_step};
use crate::http::{Admin, App, Owner, Problem, Remote, Staff, may, name_of};

const COOKIE_NAME: &str = "kasir_session";
/// A session ends when it was not used for so long.
const LASTS: Duration = Duration::from_secs(12 * 3600);
/// How often it is written down that a session is used.
const TOUCH_EVERY: Duration = Duration::from_secs(60);

/// How the pages are to look, and what of them is wanted.
#[derive(Debug, Clone)]
pub(super) struct View {
    /// Indonesian or English.
    pub(super) is_english: bool,
    /// `light`, `dark`, or as the visitor's machine has it.
    pub(super) theme: Option<&'static str>,
    /// The path of the page.
    pub(super) path: String,
    /// What was asked for besides.
    pub(super) query: Fields,
}

impl View {
    /// The text in the visitor's language.
    pub(super) fn t<'a>(&self, indonesian: &'a str, english: &'a str) -> &'a str {
        if self.is_english { english } else { indonesian }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for View {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(view_of(parts))
    }
}

pub(super) fn view_of(parts: &Parts) -> View {
    let accepted = parts.headers.get("accept-language").and_then(|text| text.to_str().ok());
    let is_english = match cookie(&parts.headers, "kasir_lang") {
        Some(chosen) => chosen == "en",
        // The first language that a browser names is the one its person reads.
        None => accepted.is_some_and(|text| text.trim_start().starts_with("en")),
    };
    let theme = match cookie(&parts.headers, "kasir_theme") {
        Some("light") => Some("light"),
        Some("dark") => Some("dark"),
        _ => None,
    };
    let query = Fields::parse(parts.uri.query().unwrap_or_default().as_bytes());
    View { is_english, theme, path: parts.uri.path().to_owned(), query }
}

/// An admin who is logged in to the dashboard.
#[derive(Debug, Clone)]
pub(super) struct Visitor {
    /// Who it is.
    pub(super) person: Person,
    /// What the books call the session.
    pub(super) session: String,
    /// What each form of this session carries.
    pub(super) csrf: String,
    /// How the pages are to look.
    pub(super) view: View,
}

impl FromRequestParts<Arc<App>> for Visitor {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let token = cookie(&parts.headers, COOKIE_NAME).ok_or(Problem::Unauthenticated)?;
        let session = name_of(token);
        let now = app.clock.now();
        let found = sessions::find(&app.db, &session, now).await?.ok_or(Problem::Unauthenticated)?;
        if now - found.seen_at > delta(TOUCH_EVERY) {
            sessions::touch(&app.db, &session, (now, now + delta(LASTS))).await?;
        }
        // It follows from the token, which no other site can read, and says nothing of it.
        let csrf = name_of(&format!("kasir csrf {token}"));
        Ok(Self { person: found.person, session, csrf, view: view_of(parts) })
    }
}

impl Visitor {
    /// The text in the visitor's language.
    pub(super) fn t<'a>(&self, indonesian: &'a str, english: &'a str) -> &'a str {
        self.view.t(indonesian, english)
    }

    /// Whether the visitor's rank is this or higher.
    pub(super) fn may(&self, rank: Rank) -> bool {
        may(&self.person, rank)
    }

    /// As the REST service knows whoever may look.
    pub(super) fn admin(&self) -> Admin {
        Admin(self.person.clone())
    }

    /// As the REST service knows whoever may change things.
    pub(super) fn staff(&self) -> Result<Staff, Problem> {
        if self.may(Rank::Staff) { Ok(Staff(self.person.clone())) } else { Err(Problem::Forbidden) }
    }

    /// As the REST service knows whoever may give money away.
    pub(super) fn owner(&self) -> Result<Owner, Problem> {
        if self.may(Rank::Owner) { Ok(Owner(self.person.clone())) } else { Err(Problem::Forbidden) }
    }

    /// Whether the session still stands: a stream outlives a log-out.
    pub(super) async fn is_still_in(&self, app: &App) -> bool {
        matches!(sessions::find(&app.db, &self.session, app.clock.now()).await, Ok(Some(_)))
    }
}

/// The page to log in on.
pub(super) async fn ask(State(app): State<Arc<App>>, view: View) -> Response {
    let wrong = view.query.get("said").is_some();
    layout::bare(&view, view.t("Masuk", "Log in"), &login_form(&app, &view, wrong)).into_response()
}

fn login_form(app: &App, view: &View, wrong: bool) -> Markup {
    let next = view.query.get("next").unwrap_or("/admin");
    html! {
        h1 { (view.t("Masuk ke Kasir", "Log in to Kasir")) }
        @if wrong {
            p.notice.bad role="alert" {
                (view.t("Alamat surel atau kata sandi salah, atau Anda bukan pengurus rumah ini.",
                    "The e-mail address or the password is wrong, or you do not run this house."))
            }
        }
        @if let Some(sso) = &app.single_sign_on {
            p.login { a.button href={ "/admin/login/oidc?" (Fields::of(&[("next", next)]).link(&[])) } {
                (view.t("Masuk dengan ", "Log in with ")) (sso.name)
            } }
        }
        @if app.settings.admin_passwords {
            form.card.login method="post" action="/admin/login" {
                input type="hidden" name="next" value=(next);
                label { (view.t("Alamat surel", "E-mail address"))
                    input type="email" name="email" autocomplete="username" required autofocus; }
                label { (view.t("Kata sandi", "Password"))
                    input type="password" name="password" autocomplete="current-password" required; }
                button { (view.t("Masuk", "Log in")) }
            }
        }
    }
}

/// Logs an admin in. A session is a new one each time, so that none that somebody else has planted is ever used.
pub(super) async fn log_in(
    State(app): State<Arc<App>>,
    Remote(address): Remote,
    view: View,
    FromHere(fields): FromHere,
) -> Result<Response, Problem> {
    let next = local(fields.get("next"));
    let (email, password) = (fields.get("email").unwrap_or_default(), fields.raw("password"));
    let checked = app.check(email, &Secret::from(password), address).await;
    let person = match checked {
        Ok(person) if person.role == Role::Admin && app.check_way_in(&person).is_ok() => person,
        Ok(_) | Err(Problem::Unauthenticated) => {
            let view = View { query: Fields::of(&[("next", next)]), ..view };
            let page = layout::bare(&view, view.t("Masuk", "Log in"), &login_form(&app, &view, true));
            return Ok((StatusCode::UNAUTHORIZED, page).into_response());
        }
        Err(other) => return Err(other),
    };
    if person.has_second_factor {
        let half = app.second_factors.half(&person);
        return Ok(second_step::ask(&view, (&half, next), false));
    }
    begin(&app, &person, next).await
}

/// Begins a session.
pub(super) async fn begin(app: &App, person: &Person, next: &str) -> Result<Response, Problem> {
    let token = format!("kds_{}", hex::encode(app.clock.random::<32>()));
    let now = app.clock.now();
    sessions::begin(&app.db, person.id, &name_of(&token), (now, now + delta(LASTS))).await?;
    let cookie = set_cookie(app, (COOKIE_NAME, &token), "; HttpOnly");
    Ok((AppendHeaders([(SET_COOKIE, cookie)]), Redirect::to(next)).into_response())
}

/// Ends the session.
pub(super) async fn log_out(
    State(app): State<Arc<App>>,
    form: super::form::Form,
) -> Result<Response, Problem> {
    sessions::end(&app.db, &form.visitor.session, app.clock.now()).await?;
    let cookie = set_cookie(&app, (COOKIE_NAME, ""), "; HttpOnly; Max-Age=0");
    Ok((AppendHeaders([(SET_COOKIE, cookie)]), Redirect::to("/admin/login")).into_response())
}

/// Remembers the language or the theme. It changes nothing but looks, so a link will do.
pub(super) async fn prefer(State(app): State<Arc<App>>, view: View) -> Response {
    const YEAR: &str = "; Max-Age=31536000";
    let lang = view.query.get("lang").filter(|lang| ["id", "en"].contains(lang));
    let theme = view.query.get("theme").filter(|theme| ["light", "dark", "auto"].contains(theme));
    let chosen = [("kasir_lang", lang), ("kasir_theme", theme)];
    let cookies = chosen.into_iter().filter_map(|(name, value)| Some((name, value?)));
    let cookies: Vec<_> = cookies.map(|pair| (SET_COOKIE, set_cookie(&app, pair, YEAR))).collect();
    (AppendHeaders(cookies), Redirect::to(local(view.query.get("back")))).into_response()
}

/// A path of the dashboard, and never another site.
pub(super) fn local(path: Option<&str>) -> &str {
    let is_ours = |path: &&str| {
        let rest = path.strip_prefix("/admin");
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']))
            && path.chars().all(|c| c.is_ascii_graphic() && c != '\\')
    };
    path.filter(is_ours).unwrap_or("/admin")
}

pub(super) fn set_cookie(app: &App, (name, value): (&str, &str), rest: &str) -> String {
    let secure = if app.settings.is_https { "; Secure" } else { "" };
    format!("{name}={value}; Path=/admin; SameSite=Lax{secure}{rest}")
}

pub(super) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(COOKIE).into_iter().filter_map(|line| line.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find_map(|(given, value)| (given == name).then_some(value))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nobody_is_led_to_another_site() {
        for ours in ["/admin", "/admin/jobs?state=dead&kind=sync_payment", "/admin?x=1"] {
            assert_eq!(local(Some(ours)), ours);
        }
        for other in ["https://evil.test", "//evil.test", "/adminx", "/admin\\evil", "/admin/\r\nx: y", ""] {
            assert_eq!(local(Some(other)), "/admin", "{other:?}");
        }
        assert_eq!(local(None), "/admin");
    }

    proptest! {
        #[test]
        fn no_text_leads_away(text in ".{0,40}|(https?:)?[/\\\\]{0,3}(admin)?[/?\\\\@.]{0,3}[a-z.]{0,12}") {
            let path = local(Some(&text));
            prop_assert!(path == "/admin" || path.starts_with("/admin/") || path.starts_with("/admin?"), "{:?}", path);
            prop_assert!(!path.contains(['\\', '\r', '\n', ' ']), "{:?}", path);
        }

        #[test]
        fn a_cookie_is_taken_as_it_was_set(value in "kds_[0-9a-f]{64}", other in "[ -~]{0,40}") {
            let mut headers = HeaderMap::new();
            let before = other.replace("kasir_session", "x");
            headers.append(COOKIE, format!("{before}; {COOKIE_NAME}={value}").parse().unwrap());
            prop_assert_eq!(cookie(&headers, COOKIE_NAME), Some(value.as_str()));
        }
    }

    #[test]
    fn a_cookie_is_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, "a=1; kasir_session=kds_x".parse().unwrap());
        headers.append(COOKIE, "kasir_lang=en".parse().unwrap());
        assert_eq!(cookie(&headers, COOKIE_NAME), Some("kds_x"));
        assert_eq!(cookie(&headers, "kasir_lang"), Some("en"));
        assert_eq!(cookie(&headers, "kasir"), None);
    }
}
