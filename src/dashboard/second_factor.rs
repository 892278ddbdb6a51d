//! `/admin/second-factor`: turning one-time codes on and off for oneself.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use domain::{Rank, Secret};
use maud::{Markup, PreEscaped, html};
use qrcodegen::{QrCode, QrCodeEcc};
use store::audit::By;
use store::second_factors as factors;

use super::form::{Form, done};
use super::layout;
use super::parts::{Action, field};
use super::session::Visitor;
use crate::http::{App, Problem, Remote};

const HERE: &str = "/admin/second-factor";
/// White around a QR code, in modules, as its standard asks for.
const QUIET: i32 = 4;

pub(super) async fn show(State(app): State<Arc<App>>, visitor: Visitor) -> Result<Response, Problem> {
    let v = &visitor;
    let factor = factors::find(&app.db, v.person.id).await?;
    let body = match factor.filter(|factor| factor.since.is_some()) {
        Some(factor) => html! {
            p.notice.good { (v.t("Setiap kali masuk, kode sekali pakai diminta.", "A one-time code is asked for at each log-in.")) }
            p { (v.t("Kode pemulihan yang tersisa:", "Recovery codes that are left:")) " " (factor.codes_left) }
            div.actions { (turning_off(v)) }
        },
        None => html! {
            p { (v.t("Kata sandi saja cukup untuk masuk. Dengan faktor kedua, kode dari aplikasi di telepon Anda juga diminta.",
                "The password is enough to log in. With a second factor, a code of an app on your telephone is asked for too.")) }
            div.actions { (turning_on(v)) }
        },
    };
    Ok(layout::page(v, title(v), &body))
}

fn title(v: &Visitor) -> &str {
    v.t("Faktor kedua", "Second factor")
}

fn turning_on(v: &Visitor) -> Markup {
    Action {
        to: &format!("{HERE}/offer"),
        name: v.t("Nyalakan", "Turn on"),
        object: "",
        help: v.t("Siapkan aplikasi autentikator di telepon.", "Have an authenticator app at hand."),
        rank: Rank::Viewer,
        needs_reason: false,
        fields: password(v),
    }
    .show(v)
}

fn turning_off(v: &Visitor) -> Markup {
    Action {
        to: &format!("{HERE}/remove"),
        name: v.t("Matikan", "Turn off"),
        object: "",
        help: v.t("Setelah itu kata sandi saja cukup.", "The password is enough after that."),
        rank: Rank::Viewer,
        needs_reason: false,
        fields: password(v),
    }
    .show(v)
}

fn password(v: &Visitor) -> Markup {
    field("password", v.t("Kata sandi", "Password"), "password")
}

/// Whoever finds a browser open does not know the password.
async fn check_password(app: &App, form: &Form, Remote(address): Remote) -> Result<(), Problem> {
    let password = Secret::from(form.fields.raw("password"));
    match app.check(form.visitor.person.email.as_str(), &password, address).await {
        Ok(_person) => Ok(()),
        Err(Problem::Unauthenticated) => Err(Problem::Unprocessable("the password is wrong".to_owned())),
        Err(other) => Err(other),
    }
}

/// Draws a secret and shows it, this once.
pub(super) async fn offer(
    State(app): State<Arc<App>>,
    remote: Remote,
    form: Form,
) -> Result<Response, Problem> {
    check_password(&app, &form, remote).await?;
    let v = &form.visitor;
    let drawn = app.offer_second_factor(&v.person).await?;
    let body = html! {
        p { (v.t("Pindai dengan aplikasi autentikator, lalu isi kode yang ditampilkannya.",
            "Scan this with an authenticator app, and enter the code that it shows.")) }
        div.card { (picture(&drawn.url)) }
        p { (v.t("Tanpa kamera, ketik kunci ini:", "Without a camera, type this key:")) }
        pre { (drawn.text) }
        form.card method="post" action={ (HERE) "/confirm" } {
            input type="hidden" name="csrf" value=(v.csrf);
            label { (v.t("Kode", "Code"))
                input name="code" inputmode="numeric" autocomplete="one-time-code" required; }
            button { (v.t("Nyalakan", "Turn on")) }
        }
    };
    Ok(layout::page(v, title(v), &body))
}

/// From now on a code is needed. All sessions end, this one too.
pub(super) async fn confirm(State(app): State<Arc<App>>, form: Form) -> Result<Response, Problem> {
    let v = &form.visitor;
    let codes = match app.confirm_second_factor(&v.person, form.fields.raw("code")).await {
        Ok(codes) => codes,
        Err(Problem::SecondFactor) => return Err(Problem::Unprocessable("the code is wrong".to_owned())),
        Err(other) => return Err(other),
    };
    let body = html! {
        h1 { (title(v)) }
        p.notice.good role="status" { (v.t("Faktor kedua menyala. Semua sesi Anda sudah berakhir.",
            "The second factor is on. All your sessions have ended.")) }
        p { (v.t("Simpan kode pemulihan ini, masing-masing untuk sekali masuk tanpa telepon. Hanya ditampilkan kali ini:",
            "Keep these recovery codes, each for one log-in without the telephone. They are shown only this once:")) }
        pre { @for code in &codes { (code) "\n" } }
        p { a href="/admin/login" { (v.t("Masuk lagi", "Log in again")) } }
    };
    Ok(axum::response::IntoResponse::into_response(layout::bare(&v.view, title(v), &body)))
}

pub(super) async fn remove(
    State(app): State<Arc<App>>,
    remote: Remote,
    form: Form,
) -> Result<Response, Problem> {
    check_password(&app, &form, remote).await?;
    let person = &form.visitor.person;
    let actor = form.visitor.admin().actor();
    let by = By { actor: &actor, reason: None, now: app.clock.now() };
    factors::remove(&app.db, &person.email, &by).await?;
    Ok(done(HERE, "changed"))
}

/// A QR code as a picture within the page.
fn picture(text: &str) -> Markup {
    let Ok(code) = QrCode::encode_text(text, QrCodeEcc::Medium) else { return html! {} };
    let size = code.size();
    let dark =
        (0..size).flat_map(|y| (0..size).map(move |x| (x, y))).filter(|(x, y)| code.get_module(*x, *y));
    let path: String = dark.map(|(x, y)| format!("M{} {}h1v1h-1z", x + QUIET, y + QUIET)).collect();
    let side = size + 2 * QUIET;
    PreEscaped(format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="QR" width="240" height="240" viewBox="0 0 {side} {side}" shape-rendering="crispEdges"><rect width="{side}" height="{side}" fill="#fff"/><path d="{path}" fill="#000"/></svg>"##
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_holds_what_it_says() {
        let one = picture("otpauth://totp/Kasir:sari%40kost.test?secret=ABC&issuer=Kasir").into_string();
        assert!(one.starts_with("<svg ") && one.contains("M4 4h1v1h-1z"), "{one}");
        assert_ne!(
            one,
            picture("otpauth://totp/Kasir:budi%40kost.test?secret=ABC&issuer=Kasir").into_string()
        );
    }
}
