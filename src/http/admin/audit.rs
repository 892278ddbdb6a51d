//! `GET /api/admin/audit`: who did what when, newest first.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use chrono::DateTime;
use domain::Time;
use serde::Serialize;
use serde_json::Value;
use store::audit;

use super::paging::{Listed, Paging};
use crate::http::{Admin, App, Problem};

/// Something that was done.
#[derive(Serialize)]
struct Deed {
    id: i64,
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

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new().route("/api/admin/audit", get(list))
}

async fn list(State(app): State<Arc<App>>, _: Admin, paging: Paging) -> Result<Listed<Deed>, Problem> {
    let page = paging.page();
    let rows = audit::newest(&app.db, page.after, page.limit).await?;
    Ok(paging.answer(rows.into_iter().map(Deed::from).collect(), |deed| deed.id))
}
