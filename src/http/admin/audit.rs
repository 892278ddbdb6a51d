//! `GET /api/admin/audit`: who did what when, newest first; and whether that is as it was written.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use chrono::DateTime;
use domain::Time;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::audit::{self, AuditFilter, Verified};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use super::Asked;
use super::paging::{Listed, Paging, Wish};
use crate::http::openapi::{Routes, Who, told};
use crate::http::{Admin, App, Problem};

/// Something that was done.
#[derive(Serialize, ToSchema)]
struct Deed {
    id: i64,
    #[schema(value_type = Option<String>, format = DateTime)]
    at: Option<Time>,
    actor: String,
    action: String,
    subject: String,
    before: Option<Value>,
    after: Option<Value>,
    reason: Option<String>,
}

impl From<audit::Row> for Deed {
    fn from(row: audit::Row) -> Self {
        let parse = |text: Option<String>| text.and_then(|text| serde_json::from_str(&text).ok());
        Self {
            id: row.id,
            at: DateTime::from_timestamp_millis(row.at),
            actor: row.actor,
            action: row.action,
            subject: row.subject,
            before: parse(row.before),
            after: parse(row.after),
            reason: row.reason,
        }
    }
}

/// Which deeds are wanted.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// Of this actor only.
    actor: Option<String>,
    /// Such as `room.create`.
    action: Option<String>,
    /// Such as `payment:KSR-01KAT`.
    subject: Option<String>,
}

/// Whether the audit is as it was written.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct AuditCheck {
    /// Whether nothing was changed or removed.
    intact: bool,
    /// So many rows of the chain are as they were written.
    rows: i64,
    /// So many are older than the chain.
    unchained: i64,
    /// The hash at its end.
    head: String,
    /// The first row that is not as it was written, or follows one that is gone.
    broken_at: Option<i64>,
}

impl From<Verified> for AuditCheck {
    fn from(verified: Verified) -> Self {
        let Verified { rows, unchained, head, broken_at } = verified;
        Self { intact: broken_at.is_none(), rows, unchained, head, broken_at }
    }
}

pub(super) fn routes() -> Routes {
    Routes::new().routes(told(routes!(list), Who::Admin, &[])).routes(told(routes!(verify), Who::Admin, &[]))
}

/// Who did what when, newest first.
#[utoipa::path(get, path = "/api/admin/audit", tag = "admin", operation_id = "listAudit", params(Filter, Wish), responses((status = 200, description = "A page", body = Vec<Deed>)))]
async fn list(
    State(app): State<Arc<App>>,
    _: Admin,
    Asked(Filter { actor, action, subject }): Asked<Filter>,
    paging: Paging,
) -> Result<Listed<Deed>, Problem> {
    let rows = audit::list(&app.db, &AuditFilter { actor, action, subject }, paging.page()).await?;
    Ok(paging.answer(rows.into_iter().map(Deed::from).collect(), |deed| deed.id))
}

/// Whether the audit is as it was written, row by row.
#[utoipa::path(get, path = "/api/admin/audit/verify", tag = "admin", operation_id = "verifyAudit", responses((status = 200, description = "What came of it", body = AuditCheck)))]
async fn verify(State(app): State<Arc<App>>, _: Admin) -> Result<Json<AuditCheck>, Problem> {
    Ok(Json(audit::verify(&app.db).await?.into()))
}
