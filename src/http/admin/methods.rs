//! `PATCH /api/admin/payment-methods/{id}`.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::patch;
use axum::{Json, Router};
use domain::MethodId;
use serde::{Deserialize, Serialize};
use store::audit::By;
use store::methods::{self, MethodChange, Offered};

use super::{Row, Why, opt_text};
use crate::http::{Admin, App, Body, Problem};

const TITLE_CHARS_MAX: usize = 100;
const PLACE_MAX: i64 = 1_000;

/// A way to pay, as it is offered now.
#[derive(Serialize)]
struct MethodView {
    id: MethodId,
    name: &'static str,
    title: String,
    logo: String,
    active: bool,
}

/// What is to become of a way to pay.
#[derive(Deserialize)]
struct Patch {
    active: Option<bool>,
    title: Option<String>,
    place: Option<i64>,
    #[serde(flatten)]
    why: Why,
}

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new().route("/api/admin/payment-methods/{id}", patch(change))
}

async fn change(
    State(app): State<Arc<App>>,
    admin: Admin,
    Row(id): Row,
    Body(wish): Body<Patch>,
) -> Result<Json<MethodView>, Problem> {
    if wish.place.is_some_and(|place| !(1..=PLACE_MAX).contains(&place)) {
        return Err(Problem::Unprocessable(format!("`place` is not between 1 and {PLACE_MAX}")));
    }
    let title = opt_text("title", wish.title.as_deref(), TITLE_CHARS_MAX)?;
    let change = MethodChange { active: wish.active, title, place: wish.place };
    let by = By { actor: &admin.actor(), reason: wish.why.reason()?, now: app.clock.now() };
    let Offered { id, method, title, logo, active } =
        methods::change(&app.db, MethodId(id), &change, &by).await?;
    Ok(Json(MethodView { id, name: method.code(), title, logo, active }))
}
