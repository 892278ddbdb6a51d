//! `GET /api/admin/count-bills`, `GET` and `POST /api/admin/bills`, cash for a bill, and making one void.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use domain::{BillId, BillStatus, Invoice, PaymentId, Period, Rupiah, Time, UserId, today};
use queue::{CancelPayment, Job as _};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::audit::By;
use store::bills::{self, Entry, Extra};
use store::cash::{self, Cash};

use super::paging::{Listed, Paging};
use super::{Perhaps, REASON_CHARS_MAX, Row, Why, text};
use crate::http::{Admin, App, Body, Problem};

const TITLE_CHARS_MAX: usize = 100;

/// How many bills are still to be paid.
#[derive(Serialize)]
struct Count {
    total: i64,
}

/// A bill of the house.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BillView {
    id: BillId,
    room_code: String,
    month: u32,
    year: i32,
    total: Rupiah,
    status: BillStatus,
    tenant_id: UserId,
    tenant_name: String,
    title: Option<String>,
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
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NewBill {
    tenant_id: UserId,
    title: String,
    amount: Rupiah,
    month: Option<u32>,
    year: Option<i32>,
    due_at: Option<Time>,
    #[serde(flatten)]
    why: Why,
}

/// The bill that was written down.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Billed {
    id: BillId,
    tenant_id: UserId,
    title: String,
    month: u32,
    year: i32,
    total: Rupiah,
    status: BillStatus,
    due_at: Option<Time>,
}

/// Cash that was taken.
#[derive(Deserialize)]
struct Taken {
    /// From whom, by whom: what the house wants to know later.
    note: String,
}

/// The payment that was written down.
#[derive(Serialize)]
struct Paid {
    invoice: Invoice,
    status: &'static str,
}

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/api/admin/count-bills", get(count))
        .route("/api/admin/bills", get(list).post(create))
        .route("/api/admin/bills/{id}", delete(void))
        .route("/api/admin/bills/{id}/mark-paid", post(mark_paid))
}

async fn count(State(app): State<Arc<App>>, _: Admin) -> Result<Json<Count>, Problem> {
    Ok(Json(Count { total: bills::count_open(&app.db).await? }))
}

async fn list(State(app): State<Arc<App>>, _: Admin, paging: Paging) -> Result<Listed<BillView>, Problem> {
    let (bills, now) = (bills::of_house(&app.db, paging.page()).await?, app.clock.now());
    let views = bills.into_iter().map(|entry| BillView::new(entry, now)).collect();
    Ok(paging.answer(views, |bill: &BillView| bill.id.0))
}

async fn create(
    State(app): State<Arc<App>>,
    admin: Admin,
    Body(new): Body<NewBill>,
) -> Result<(StatusCode, Json<Billed>), Problem> {
    let now = app.clock.now();
    let title = text("title", &new.title, TITLE_CHARS_MAX)?;
    let period = period(&new, now)?;
    if new.amount == Rupiah::ZERO {
        return Err(Problem::Unprocessable("`amount` is 0".to_owned()));
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
async fn mark_paid(
    State(app): State<Arc<App>>,
    admin: Admin,
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

async fn void(
    State(app): State<Arc<App>>,
    admin: Admin,
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
