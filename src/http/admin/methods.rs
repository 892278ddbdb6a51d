//! `PATCH /api/admin/payment-methods/{id}`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use domain::MethodId;
use serde::Deserialize;
use store::audit::By;
use store::methods::{self, MethodChange};
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::{Row, Why, opt_text};
use crate::http::methods::MethodView;
use crate::http::openapi::{Routes, Who, told};
use crate::http::{App, Body, Owner, Problem};

const TITLE_CHARS_MAX: usize = 100;
const PLACE_MAX: i64 = 1_000;

/// What is to become of a way to pay.
#[derive(Deserialize, ToSchema)]
#[schema(as = PaymentMethodPatch)]
pub(crate) struct Patch {
    pub(crate) active: Option<bool>,
    #[schema(min_length = 1, max_length = 100, pattern = r"\S")]
    pub(crate) title: Option<String>,
    #[schema(minimum = 1, maximum = 1_000)]
    pub(crate) place: Option<i64>,
    #[serde(flatten)]
    pub(crate) why: Why,
}

pub(super) fn routes() -> Routes {
    Routes::new().routes(told(routes!(change), Who::Owner, &[]))
}

/// Changes a way to pay.
#[utoipa::path(patch, path = "/api/admin/payment-methods/{id}", tag = "admin", operation_id = "changePaymentMethod", request_body = Patch, responses((status = 200, description = "The method", body = MethodView)))]
pub(crate) async fn change(
    State(app): State<Arc<App>>,
    admin: Owner,
    Row(id): Row,
    Body(wish): Body<Patch>,
) -> Result<Json<MethodView>, Problem> {
    if wish.place.is_some_and(|place| !(1..=PLACE_MAX).contains(&place)) {
        return Err(Problem::Unprocessable(format!("`place` is not between 1 and {PLACE_MAX}")));
    }
    let title = opt_text("title", wish.title.as_deref(), TITLE_CHARS_MAX)?;
    let change = MethodChange { active: wish.active, title, place: wish.place };
    let by = By { actor: &admin.actor(), reason: wish.why.reason()?, now: app.clock.now() };
    let offered = methods::change(&app.db, MethodId(id), &change, &by).await?;
    Ok(Json(MethodView::new(offered, &app.settings.rules)))
}
