//! Logging in by the provider: the way there, the way back, and what is said to whoever stays outside.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{AppendHeaders, IntoResponse as _, Redirect, Response};
use maud::html;

use super::form::{Fields, is_from_here};
use super::session::{View, begin, cookie, local, set_cookie};
use super::{layout, second_step};
use crate::http::{App, Brought, Outside, Problem, SingleSignOn};

/// Ten minutes are enough for a person who has to look for a telephone.
const COOKIE: &str = "kasir_way";
const KEPT: &str = "; HttpOnly; Max-Age=600";
const GONE: &str = "; HttpOnly; Max-Age=0";

/// Sends a browser to the provider. Only a page of ours does that, so that nobody is logged in unasked.
pub(super) async fn leave(
    State(app): State<Arc<App>>,
    view: View,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let sso = app.single_sign_on.as_ref().ok_or(Problem::NotFound)?;
    if !is_from_here(&headers) {
        return Err(Problem::ForeignForm);
    }
    match sso.depart(local(view.query.get("next"))).await {
        Ok((url, way)) => {
            let cookie = set_cookie(&app, (COOKIE, &way), KEPT);
            Ok((AppendHeaders([(SET_COOKIE, cookie)]), Redirect::to(&url)).into_response())
        }
        Err(outside) => stays_outside(&view, sso, outside),
    }
}

/// Lets in whom the provider sends back. What the browser kept is used by that, whatever comes of it.
pub(super) async fn arrive(
    State(app): State<Arc<App>>,
    view: View,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let sso = app.single_sign_on.as_ref().ok_or(Problem::NotFound)?;
    // A change of language leads to a fresh log-in, and no link of the page carries what came with the address.
    let shown = View { path: "/admin/login".to_owned(), query: Fields::default(), ..view.clone() };
    let response = come_in(&app, sso, (&view, &shown), &headers).await;
    let response = response.or_else(|outside| stays_outside(&shown, sso, outside))?;
    let cookie = set_cookie(&app, (COOKIE, ""), GONE);
    Ok((AppendHeaders([(SET_COOKIE, cookie)]), response).into_response())
}

async fn come_in(
    app: &App,
    sso: &SingleSignOn,
    (view, shown): (&View, &View),
    headers: &HeaderMap,
) -> Result<Response, Outside> {
    let way = cookie(headers, COOKIE).and_then(|sealed| sso.open(sealed)).ok_or(Outside::NotBegun)?;
    let brought = Brought {
        code: view.query.raw("code"),
        state: view.query.raw("state"),
        issuer: view.query.get("iss"),
        error: view.query.get("error"),
    };
    let person = app.welcome(sso, &way, &brought).await?;
    let next = local(Some(&way.next));
    if person.has_second_factor {
        let half = app.second_factors.half(&person);
        return Ok(second_step::ask(shown, (&half, next), false));
    }
    Ok(begin(app, &person, next).await?)
}

/// Why somebody is not let in, and what to do. Nothing that came with the address is on the page.
fn stays_outside(view: &View, sso: &SingleSignOn, outside: Outside) -> Result<Response, Problem> {
    let name = sso.name.as_str();
    let (status, why) = match &outside {
        Outside::Broken(problem) => return Err(problem.clone()),
        Outside::NotBegun => (
            StatusCode::BAD_REQUEST,
            view.t(
                "Proses masuk ini tidak dimulai di peramban ini, atau sudah terlalu lama. Mulailah lagi.",
                "This log-in was not begun in this browser, or too long ago. Begin again.",
            ),
        ),
        Outside::Declined => (
            StatusCode::UNAUTHORIZED,
            view.t(
                "Penyedia identitas tidak menerima Anda. Cobalah lagi.",
                "The provider did not let you in. Try again.",
            ),
        ),
        Outside::Untrue => (
            StatusCode::UNAUTHORIZED,
            view.t(
                "Jawaban penyedia identitas tidak dapat dipercaya. Cobalah lagi; jika terulang, beri tahu pengelola server.",
                "What the provider answered cannot be believed. Try again; if it stays so, tell who runs the server.",
            ),
        ),
        Outside::Down => (
            StatusCode::SERVICE_UNAVAILABLE,
            view.t("Penyedia identitas tidak menjawab. Cobalah sebentar lagi.", "The provider does not answer. Try again soon."),
        ),
        Outside::Unverified => (
            StatusCode::FORBIDDEN,
            view.t(
                "Penyedia identitas belum memastikan bahwa alamat surel itu milik Anda.",
                "The provider has not made sure that the e-mail address is yours.",
            ),
        ),
        Outside::Unknown(_) => (
            StatusCode::FORBIDDEN,
            view.t(
                "Anda bukan pengurus rumah ini. Mintalah pemiliknya mendaftarkan Anda.",
                "You do not run this house. Ask its owner to let you in.",
            ),
        ),
    };
    let title = view.t("Tidak dapat masuk", "Not logged in");
    let body = html! {
        h1 { (title) }
        p.notice.bad role="alert" { (why) }
        @if let Outside::Unknown(subject) = &outside {
            p.quiet { (view.t("Nomor Anda di ", "Your number at ")) (name) ": " code { (subject) } }
        }
        p { a href="/admin/login" { (view.t("Ke halaman masuk", "To the log-in page")) } }
    };
    Ok((status, layout::bare(view, title, &body)).into_response())
}
