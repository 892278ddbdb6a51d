//! `/reminders/stop`: where the link of a reminder leads. A look changes nothing, for mail programs look at links; the
//! button does, and so does the one that mail programs have of their own (RFC 8058).

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use domain::UserId;
use maud::html;
use store::audit::{Actor, By};
use store::reminders::{self, WishesChange};

use super::layout;
use super::session::View;
use crate::http::{App, Problem};

/// Whose link it is. One that is not ours leads nowhere, as if it had never been.
fn tenant_of(app: &App, view: &View) -> Result<UserId, Problem> {
    app.links.tenant_of(view.query.raw("token")).ok_or(Problem::NotFound)
}

pub(super) async fn ask(State(app): State<Arc<App>>, view: View) -> Result<Response, Problem> {
    tenant_of(&app, &view)?;
    let action = format!("/reminders/stop?{}", view.query.link(&[]));
    let body = html! {
        h1 { (view.t("Berhenti menerima pengingat?", "No more reminders?")) }
        p { (view.t("Anda tidak akan diingatkan lagi akan tagihan kamar Anda. Pengurus dapat menyalakannya kembali.",
            "You will not be reminded of your bills any more. Whoever runs the house can turn it on again.")) }
        form.card method="post" action=(action) {
            button { (view.t("Ya, berhenti", "Yes, stop")) }
        }
    };
    Ok(layout::bare(&view, view.t("Pengingat", "Reminders"), &body).into_response())
}

pub(super) async fn stop(State(app): State<Arc<App>>, view: View) -> Result<Response, Problem> {
    let tenant = tenant_of(&app, &view)?;
    let actor = Actor { id: Some(tenant), name: format!("tenant:{tenant}") };
    let by = By { actor: &actor, reason: None, now: app.clock.now() };
    let change = WishesChange { reminders: Some(false), language: None };
    reminders::change_wishes(&app.db, tenant, change, &by).await?;
    let done = view.t("Anda tidak akan diingatkan lagi.", "You will not be reminded any more.");
    let body = html! {
        h1 { (view.t("Pengingat", "Reminders")) }
        p.notice.good role="status" { (done) }
    };
    Ok(layout::bare(&view, view.t("Pengingat", "Reminders"), &body).into_response())
}
