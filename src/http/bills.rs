//! `GET /api/total-bills` and `GET /api/bills`.

use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::routing::get;
use domain::{BillId, BillStatus, Rupiah, Time};
use serde::Serialize;
use store::bills;

use super::{App, Problem, Tenant};

/// What a tenant still has to pay.
#[derive(Serialize)]
pub(super) struct Total {
    total: Rupiah,
}

/// One bill of a tenant.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BillView {
    id: BillId,
    month: u32,
    year: i32,
    amount: Rupiah,
    status: BillStatus,
    /// What it is for, where it is not the rent.
    title: Option<String>,
    due_at: Option<Time>,
}

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new().route("/api/total-bills", get(total)).route("/api/bills", get(list))
}

pub(super) async fn total(State(app): State<Arc<App>>, Tenant(me): Tenant) -> Result<Json<Total>, Problem> {
    Ok(Json(Total { total: bills::owed_by(&app.db, me.id).await? }))
}

pub(super) async fn list(
    State(app): State<Arc<App>>,
    Tenant(me): Tenant,
) -> Result<Json<Vec<BillView>>, Problem> {
    let bills = bills::of_tenant(&app.db, me.id, app.settings.page_size_max).await?;
    let views = bills.into_iter().map(|bill| BillView {
        id: bill.id,
        month: bill.period.month(),
        year: bill.period.year(),
        amount: bill.amount,
        status: bill.status,
        title: bill.title,
        due_at: bill.due_at,
    });
    Ok(Json(views.collect()))
}
