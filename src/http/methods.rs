//! `GET /api/payment-methods`.

use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::routing::get;
use domain::MethodId;
use serde::Serialize;
use store::methods::{self, Offered};

use super::{App, Problem};

/// A way to pay, as a front end shows it.
#[derive(Serialize)]
pub(super) struct MethodView {
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

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new().route("/api/payment-methods", get(list))
}

pub(super) async fn list(State(app): State<Arc<App>>) -> Result<Json<Vec<MethodView>>, Problem> {
    let offered = methods::all(&app.db).await?;
    Ok(Json(offered.into_iter().map(MethodView::from).collect()))
}
