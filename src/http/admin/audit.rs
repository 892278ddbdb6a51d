//! `GET /api/admin/audit`: who did what when, newest first.

use std::sync::Arc;

use axum::extract::State;
use chrono::DateTime;
use domain::Time;
use serde::Serialize;
use serde_json::Value;
use store::audit;
use utoipa::ToSchema;
use utoipa_axum::routes;

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

pub(super) fn routes() -> Routes {
    Routes::new().routes(told(routes!(list), Who::Admin, &[]))
}

/// Who did what when, newest first.
#[utoipa::path(get, path = "/api/admin/audit", tag = "admin", operation_id = "listAudit", params(Wish), responses((status = 200, description = "A page", body = Vec<Deed>)))]
async fn list(State(app): State<Arc<App>>, _: Admin, paging: Paging) -> Result<Listed<Deed>, Problem> {
    let page = paging.page();
    let rows = audit::newest(&app.db, page.after, page.limit).await?;
    Ok(paging.answer(rows.into_iter().map(Deed::from).collect(), |deed| deed.id))
}
