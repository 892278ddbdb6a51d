//! The second step of a log-in: the code, after the password was right.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use maud::html;
use store::people::{self, Person};

use super::form::FromHere;
use super::layout;
use super::session::{View, begin, local};
use crate::http::{App, Problem, SecondFactors};

/// Asks for the code. What the form carries is worth nothing without it.
pub(super) fn ask(view: &View, (half, next): (&str, &str), wrong: bool) -> Response {
    let body = html! {
        h1 { (view.t("Masuk ke Kasir", "Log in to Kasir")) }
        @if wrong {
            p.notice.bad role="alert" {
                (view.t("Kodenya salah, atau sudah dipakai. Tunggu kode berikutnya.",
                    "The code is wrong, or was used before. Wait for the next one."))
            }
        }
        form.card.login method="post" action="/admin/login/code" {
            input type="hidden" name="half" value=(half);
            input type="hidden" name="next" value=(next);
            label { (view.t("Kode dari aplikasi autentikator, atau kode pemulihan", "Code of the authenticator app, or a recovery code"))
                input name="code" autocomplete="one-time-code" required autofocus; }
            button { (view.t("Masuk", "Log in")) }
        }
    };
    let status = if wrong { StatusCode::UNAUTHORIZED } else { StatusCode::OK };
    (status, layout::bare(view, view.t("Masuk", "Log in"), &body)).into_response()
}

/// Logs in whoever brings half a log-in and the code that belongs to it.
pub(super) async fn log_in(
    State(app): State<Arc<App>>,
    view: View,
    FromHere(fields): FromHere,
) -> Result<Response, Problem> {
    let (half, next) = (fields.raw("half"), local(fields.get("next")));
    let Some(person) = person_of(&app, half).await? else {
        return Ok(Redirect::to("/admin/login").into_response());
    };
    match app.check_second_factor(&person, fields.raw("code")).await {
        Ok(()) => begin(&app, &person, next).await,
        Err(Problem::SecondFactor) => Ok(ask(&view, (half, next), true)),
        Err(other) => Err(other),
    }
}

async fn person_of(app: &App, half: &str) -> Result<Option<Person>, Problem> {
    let Some(id) = SecondFactors::claimed_by(half) else { return Ok(None) };
    let person = people::find_active(&app.db, id).await?;
    Ok(person.filter(|person| app.second_factors.is_half_of(half, person)))
}
