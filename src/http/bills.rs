//! `GET /api/total-bills` and `GET /api/bills`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use domain::{BillId, BillStatus, Rupiah, Time};
use serde::Serialize;
use store::bills::{self, Bill};
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::body::Written;
use super::openapi::{Routes, Who, told};
use super::schemas;
use super::{App, Problem, Tenant};

/// What a tenant still has to pay.
#[derive(Serialize, ToSchema)]
pub(super) struct Total {
    #[schema(value_type = i64, minimum = 0, maximum = 999_999_999_999_999_i64)]
    total: Rupiah,
}

/// One bill of a tenant.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Bill)]
pub(super) struct BillView {
    #[schema(value_type = i64, minimum = 1)]
    id: BillId,
    month: u32,
    year: i32,
    #[schema(value_type = i64, minimum = 0, maximum = 999_999_999_999_999_i64)]
    amount: Rupiah,
    #[schema(value_type = schemas::BillStatus)]
    status: BillStatus,
    /// What it is for, where it is not the rent.
    title: Option<String>,
    #[schema(value_type = Option<String>, format = DateTime)]
    due_at: Option<Time>,
}

impl From<Bill> for BillView {
    fn from(bill: Bill) -> Self {
        Self {
            id: bill.id,
            month: bill.period.month(),
            year: bill.period.year(),
            amount: bill.amount,
            status: bill.status,
            title: bill.title,
            due_at: bill.due_at,
        }
    }
}

pub(super) fn routes() -> Routes {
    Routes::new().routes(told(routes!(total), Who::Tenant, &[])).routes(told(routes!(list), Who::Tenant, &[]))
}

/// What the tenant still has to pay.
#[utoipa::path(get, path = "/api/total-bills", tag = "bills", operation_id = "totalBills", responses((status = 200, description = "What is still to be paid", body = Total)))]
pub(super) async fn total(State(app): State<Arc<App>>, Tenant(me): Tenant) -> Result<Json<Total>, Problem> {
    Ok(Json(Total { total: bills::owed_by(&app.db, me.id).await? }))
}

/// The tenant's bills, newest first.
#[utoipa::path(get, path = "/api/bills", tag = "bills", operation_id = "listBills", responses((status = 200, description = "The bills", body = Vec<BillView>)))]
pub(super) async fn list(State(app): State<Arc<App>>, Tenant(me): Tenant) -> Result<Written, Problem> {
    app.bills_told(me.id, |bills| Written::of(&bills.into_iter().map(BillView::from).collect::<Vec<_>>()))
        .await
}
