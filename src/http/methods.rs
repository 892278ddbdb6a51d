//! `GET /api/payment-methods`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use domain::MethodId;
use serde::Serialize;
use store::methods::{self, Offered};
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::openapi::{Routes, Who, told};
use super::{App, Problem};

/// A way to pay, as a front end shows it.
#[derive(Serialize, ToSchema)]
#[schema(as = PaymentMethod)]
pub(super) struct MethodView {
    #[schema(value_type = i64, minimum = 1)]
    id: MethodId,
    name: &'static str,
    title: String,
    logo: String,
    active: bool,
}

impl From<Offered> for MethodView {
    fn from(offered: Offered) -> Self {
        let Offered { id, method, title, logo, active } = offered;
        Self { id, name: method.code(), title, logo, active }
    }
}

pub(super) fn routes() -> Routes {
    Routes::new().routes(told(routes!(list), Who::Anyone, &[]))
}

/// The ways to pay.
#[utoipa::path(get, path = "/api/payment-methods", tag = "methods", operation_id = "listPaymentMethods", responses((status = 200, description = "The methods", body = Vec<MethodView>)))]
pub(super) async fn list(State(app): State<Arc<App>>) -> Result<Json<Vec<MethodView>>, Problem> {
    let offered = methods::all(&app.db).await?;
    Ok(Json(offered.into_iter().map(MethodView::from).collect()))
}
