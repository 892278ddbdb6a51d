//! `GET /api/admin/payments/{invoice}/evidence`: everything about a payment, for a dispute with the gateway.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::routes;

use super::{Asked, export};
use crate::evidence::{self, Evidence};
use crate::http::openapi::{Routes, Who, told};
use crate::http::payment::of_caller;
use crate::http::{Admin, App, Named, Problem};

/// In what form it is wanted.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Form {
    /// `json`, which is usual, or `csv`.
    #[param(value_type = Option<String>, pattern = "^(json|csv)$")]
    format: Option<Format>,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum Format {
    Json,
    Csv,
}

pub(super) fn routes() -> Routes {
    Routes::new().routes(told(routes!(show), Who::Admin, &[]))
}

/// Everything that was asked, told and done about a payment, the oldest first.
#[utoipa::path(get, path = "/api/admin/payments/{invoice}/evidence", tag = "admin", operation_id = "showEvidence", params(Form), responses((status = 200, description = "Everything", content((Evidence = "application/json"), (String = "text/csv")))))]
async fn show(
    State(app): State<Arc<App>>,
    admin: Admin,
    Named(invoice): Named,
    Asked(form): Asked<Form>,
) -> Result<Response, Problem> {
    let payment = of_caller(&app, &admin.0, &invoice).await?;
    let evidence = evidence::gather(&app.db, &payment).await?;
    if form.format != Some(Format::Csv) {
        return Ok(Json(evidence).into_response());
    }
    Ok(export::as_csv(payment.invoice.as_str(), evidence.csv()))
}
