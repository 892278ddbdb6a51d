//! `GET /api/admin/count-bills`, `GET` and `POST /api/admin/bills`, cash for a bill, and making one void.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use domain::{BillId, BillStatus, Invoice, PaymentId, Period, Rupiah, Time, UserId, today};
use queue::{CancelPayment, Job as _};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::audit::By;
use store::bills::{self, Entry, Extra};
use store::cash::{self, Cash};
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::paging::{Listed, Paging, Wish};
use super::{Perhaps, REASON_CHARS_MAX, Row, Why, text};
use crate::http::openapi::{Routes, Who, told};
use crate::http::schemas;
use crate::http::{Admin, App, Body, Problem, Staff};

const TITLE_CHARS_MAX: usize = 100;

/// How many bills are still to be paid.
#[derive(Serialize, ToSchema)]
struct Count {
    total: i64,
}

/// A bill of the house.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = BillOfHouse)]
struct BillView {
    #[schema(value_type = i64, minimum = 1)]
    id: BillId,
    room_code: String,
    month: u32,
    year: i32,
    #[schema(value_type = i64, minimum = 0, maximum = 999_999_999_999_999_i64)]
    total: Rupiah,
    #[schema(value_type = schemas::BillStatus)]
    status: BillStatus,
    #[schema(value_type = i64, minimum = 1)]
    tenant_id: UserId,
    tenant_name: String,
    title: Option<String>,
    #[schema(value_type = Option<String>, format = DateTime)]
    due_at: Option<Time>,
    overdue: bool,
}

impl BillView {
    fn new(entry: Entry, now: Time) -> Self {
        let Entry { bill, room_code, tenant_name } = entry;
        Self {
            id: bill.id,
            room_code,
            month: bill.period.month(),
            year: bill.period.year(),
            total: bill.amount,
            status: bill.status,
            tenant_id: bill.tenant_id,
            tenant_name,
            title: bill.title,
            due_at: bill.due_at,
            overdue: bill.status != BillStatus::Paid && bill.due_at.is_some_and(|due| due < now),
        }
    }
}

/// A bill for something else than the rent.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NewBill {
    #[schema(value_type = i64, minimum = 1)]
    pub(crate) tenant_id: UserId,
    #[schema(min_length = 1, max_length = 100, pattern = r"\S")]
    pub(crate) title: String,
    #[schema(value_type = i64, minimum = 1, maximum = 999_999_999_999_999_i64)]
    pub(crate) amount: Rupiah,
    #[schema(minimum = 1, maximum = 12)]
    pub(crate) month: Option<u32>,
    #[schema(minimum = 2000, maximum = 2199)]
    pub(crate) year: Option<i32>,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) due_at: Option<Time>,
    #[serde(flatten)]
    pub(crate) why: Why,
}

/// The bill that was written down.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Billed {
    #[schema(value_type = i64, minimum = 1)]
    id: BillId,
    #[schema(value_type = i64, minimum = 1)]
    tenant_id: UserId,
    title: String,
    month: u32,
    year: i32,
    #[schema(value_type = i64, minimum = 0, maximum = 999_999_999_999_999_i64)]
    total: Rupiah,
    #[schema(value_type = schemas::BillStatus)]
    status: BillStatus,
    #[schema(value_type = Option<String>, format = DateTime)]
    due_at: Option<Time>,
}

/// Cash that was taken.
#[derive(Deserialize, ToSchema)]
#[schema(as = CashTaken)]
pub(crate) struct Taken {
    /// From whom, by whom: what the house wants to know later.
    #[schema(min_length = 1, max_length = 500, pattern = r"\S")]
    pub(crate) note: String,
}

/// The payment that was written down.
#[derive(Serialize, ToSchema)]
pub(crate) struct Paid {
    #[schema(value_type = String)]
    invoice: Invoice,
    #[schema(value_type = schemas::PaymentStatus)]
    status: &'static str,
}

pub(super) fn routes() -> Routes {
    Routes::new()
        .routes(told(routes!(count), Who::Admin, &[]))
        .routes(told(routes!(list), Who::Admin, &[]))
        .routes(told(routes!(create), Who::Staff, &[Problem::NotFound]))
        .routes(told(routes!(void), Who::Staff, &[Problem::BillAlreadyPaid, Problem::BillBeingPaid]))
        .routes(told(routes!(mark_paid), Who::Staff, &[Problem::BillAlreadyPaid]))
}

/// How many bills are not yet paid.
#[utoipa::path(get, path = "/api/admin/count-bills", tag = "admin", operation_id = "countBills", responses((status = 200, description = "The number", body = Count)))]
async fn count(State(app): State<Arc<App>>, _: Admin) -> Result<Json<Count>, Problem> {
    Ok(Json(Count { total: bills::count_open(&app.db).await? }))
}

/// The bills of the house, newest first.
#[utoipa::path(get, path = "/api/admin/bills", tag = "admin", operation_id = "listBillsOfHouse", params(Wish), responses((status = 200, description = "A page", body = Vec<BillView>)))]
async fn list(State(app): State<Arc<App>>, _: Admin, paging: Paging) -> Result<Listed<BillView>, Problem> {
    let (bills, now) = (bills::of_house(&app.db, paging.page()).await?, app.clock.now());
    let views = bills.into_iter().map(|entry| BillView::new(entry, now)).collect();
    Ok(paging.answer(views, |bill: &BillView| bill.id.0))
}

/// Writes down a bill besides the rent.
#[utoipa::path(post, path = "/api/admin/bills", tag = "admin", operation_id = "createBill", request_body = NewBill, responses((status = 201, description = "The bill", body = Billed)))]
pub(crate) async fn create(
    State(app): State<Arc<App>>,
    admin: Staff,
    Body(new): Body<NewBill>,
) -> Result<(StatusCode, Json<Billed>), Problem> {
    let now = app.clock.now();
    let title = text("title", &new.title, TITLE_CHARS_MAX)?;
    let period = period(&new, now)?;
    if new.amount == Rupiah::ZERO {
        return Err(Problem::Unprocessable("`amount` is 0".to_owned()));
    }
    if new.due_at.is_some_and(|due| today(due).is_none()) {
        return Err(Problem::Unprocessable("`dueAt` is not in 2000 to 2199".to_owned()));
    }
    let NewBill { tenant_id, amount, due_at, .. } = new;
    let extra = Extra { tenant_id, title, amount, period, due_at };
    let by = By { actor: &admin.actor(), reason: new.why.reason()?, now };
    let id = bills::add_extra(&app.db, &extra, &by).await?;
    let billed = Billed {
        id,
        tenant_id,
        title: title.to_owned(),
        month: period.month(),
        year: period.year(),
        total: amount,
        status: BillStatus::Unpaid,
        due_at,
    };
    Ok((StatusCode::CREATED, Json(billed)))
}

/// The month that the bill names; what it leaves out is as it is in Jakarta.
fn period(new: &NewBill, now: Time) -> Result<Period, Problem> {
    let wrong = || Problem::Unprocessable("`month` and `year` are no month of 2000 to 2199".to_owned());
    let current = today(now).ok_or_else(wrong)?;
    let (year, month) = (new.year.unwrap_or(current.year()), new.month.unwrap_or(current.month()));
    Period::new(year, month).map_err(|_| wrong())
}

/// The house has the money: what else is under way to pay the bill is cancelled at the gateway.
#[utoipa::path(post, path = "/api/admin/bills/{id}/mark-paid", tag = "admin", operation_id = "markBillPaid", request_body = Taken, responses((status = 200, description = "The payment in cash", body = Paid)))]
pub(crate) async fn mark_paid(
    State(app): State<Arc<App>>,
    admin: Staff,
    Row(id): Row,
    Body(taken): Body<Taken>,
) -> Result<Json<Paid>, Problem> {
    let now = app.clock.now();
    let note = text("note", &taken.note, REASON_CHARS_MAX)?;
    let invoice = Invoice::from_unique(&app.clock.ulid()).map_err(|error| {
        tracing::error!(%error, "an invoice could not be made");
        Problem::Internal
    })?;
    let cash = Cash { bill_id: BillId(id), invoice };
    let by = By { actor: &admin.actor(), reason: Some(note), now };
    let cancel = |payment_id: PaymentId| CancelPayment { payment_id }.new_job(now);
    let jobs = cash::take(&app.db, &cash, &cancel, &by).await?;
    app.queue.wake(jobs);
    Ok(Json(Paid { invoice: cash.invoice, status: BillStatus::Paid.as_str() }))
}

/// Makes a bill void: nobody owes it any more.
#[utoipa::path(delete, path = "/api/admin/bills/{id}", tag = "admin", operation_id = "voidBill", request_body = Why, responses((status = 200, description = "Done", body = schemas::Done)))]
pub(crate) async fn void(
    State(app): State<Arc<App>>,
    admin: Staff,
    Row(id): Row,
    Perhaps(why): Perhaps<Why>,
) -> Result<Json<Value>, Problem> {
    let Some(reason) = why.reason()? else {
        return Err(Problem::Unprocessable("`reason` says why nobody owes this any more".to_owned()));
    };
    let by = By { actor: &admin.actor(), reason: Some(reason), now: app.clock.now() };
    bills::void(&app.db, BillId(id), &by).await?;
    Ok(Json(json!({})))
}
