//! `GET` and `POST /api/admin/tenants`, `PATCH` and `DELETE /api/admin/tenants/{id}`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{Datelike as _, NaiveDate};
use domain::{Email, PaymentId, Period, Role, Secret, UserId};
use queue::{CancelPayment, Job as _};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::audit::By;
use store::tenants::{self, NewTenant, Tenant, TenantChange};
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::paging::{Listed, Paging, Wish};
use super::{Perhaps, Row, Why, opt_text, text};
use crate::http::openapi::{Routes, Who, told};
use crate::http::schemas;
use crate::http::{Admin, App, Body, Problem, Staff};

const NAME_CHARS_MAX: usize = 200;
const PHONE_CHARS_MAX: usize = 32;
const CODE_CHARS_MAX: usize = 32;
const PASSWORD_CHARS_MIN: usize = 8;
const PASSWORD_BYTES_MAX: usize = 1_024;

/// A tenant of the house.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Tenant)]
pub(crate) struct TenantView {
    #[schema(value_type = i64, minimum = 1)]
    id: UserId,
    #[schema(value_type = String)]
    email: Email,
    name: String,
    phone: Option<String>,
    #[schema(value_type = schemas::Role)]
    role: Role,
    #[schema(value_type = String, format = Date)]
    start_date: NaiveDate,
    room_code: String,
}

impl From<Tenant> for TenantView {
    fn from(tenant: Tenant) -> Self {
        let Tenant { id, email, name, phone, start_date, room_code } = tenant;
        Self { id, email, name, phone, role: Role::Tenant, start_date, room_code }
    }
}

/// A tenant who moved in.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = NewTenant)]
pub(crate) struct Created {
    #[serde(flatten)]
    tenant: TenantView,
    /// To be told to the tenant, and shown only this once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) temporary_password: Option<String>,
}

/// A tenant who moves in.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Arrival {
    #[schema(min_length = 3, max_length = 254, pattern = "^[^@ ]+@[^@ ]+$")]
    pub(crate) email: String,
    #[schema(min_length = 1, max_length = 200, pattern = r"\S")]
    pub(crate) name: String,
    #[schema(value_type = String, format = Date)]
    pub(crate) start_date: NaiveDate,
    #[schema(min_length = 1, max_length = 32, pattern = r"\S")]
    pub(crate) room_code: String,
    #[schema(value_type = Option<String>, min_length = 8, max_length = 1_024)]
    pub(crate) password: Option<Secret>,
    #[schema(min_length = 1, max_length = 32, pattern = r"\S")]
    pub(crate) phone: Option<String>,
    #[serde(flatten)]
    pub(crate) why: Why,
}

/// What is to become of a tenant.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = TenantPatch)]
pub(crate) struct Patch {
    #[schema(min_length = 3, max_length = 254, pattern = "^[^@ ]+@[^@ ]+$")]
    pub(crate) email: Option<String>,
    #[schema(min_length = 1, max_length = 200, pattern = r"\S")]
    pub(crate) name: Option<String>,
    #[schema(min_length = 1, max_length = 32, pattern = r"\S")]
    pub(crate) phone: Option<String>,
    #[schema(min_length = 1, max_length = 32, pattern = r"\S")]
    pub(crate) room_code: Option<String>,
    #[serde(flatten)]
    pub(crate) why: Why,
}

pub(super) fn routes() -> Routes {
    Routes::new()
        .routes(told(routes!(list), Who::Admin, &[]))
        .routes(told(routes!(create), Who::Staff, &[Problem::EmailTaken, Problem::RoomOccupied]))
        .routes(told(routes!(change), Who::Staff, &[Problem::EmailTaken, Problem::RoomOccupied]))
        .routes(told(routes!(remove), Who::Staff, &[]))
}

/// The tenants.
#[utoipa::path(get, path = "/api/admin/tenants", tag = "admin", operation_id = "listTenants", params(Wish), responses((status = 200, description = "A page", body = Vec<TenantView>)))]
async fn list(State(app): State<Arc<App>>, _: Admin, paging: Paging) -> Result<Listed<TenantView>, Problem> {
    let tenants = tenants::list(&app.db, paging.page()).await?;
    Ok(paging.answer(tenants.into_iter().map(TenantView::from).collect(), |tenant| tenant.id.0))
}

/// A tenant moves in.
#[utoipa::path(post, path = "/api/admin/tenants", tag = "admin", operation_id = "createTenant", request_body = Arrival, responses((status = 201, description = "The tenant", body = Created)))]
pub(crate) async fn create(
    State(app): State<Arc<App>>,
    admin: Staff,
    Body(arrival): Body<Arrival>,
) -> Result<(StatusCode, Json<Created>), Problem> {
    let email = address(&arrival.email)?;
    let name = text("name", &arrival.name, NAME_CHARS_MAX)?;
    let phone = opt_text("phone", arrival.phone.as_deref(), PHONE_CHARS_MAX)?;
    let room_code = text("roomCode", &arrival.room_code, CODE_CHARS_MAX)?;
    let (start_date, reason) = (day(arrival.start_date)?, arrival.why.reason()?);
    let temporary = arrival.password.is_none().then(|| hex::encode(app.clock.random::<8>()));
    let drawn = || Secret::from(temporary.as_deref().unwrap_or_default());
    let password = arrival.password.map_or_else(|| Ok(drawn()), good_password)?;
    let password_hash = app.passwords.hash(&password).await.map_err(|error| {
        tracing::error!(%error, "a password could not be hashed");
        Problem::Internal
    })?;
    let new = NewTenant { email: &email, name, phone, password_hash: &password_hash, start_date, room_code };
    let by = By { actor: &admin.actor(), reason, now: app.clock.now() };
    let tenant = tenants::add(&app.db, &new, app.settings.terms, &by).await?;
    Ok((StatusCode::CREATED, Json(Created { tenant: tenant.into(), temporary_password: temporary })))
}

/// Changes a tenant, or moves them to another room.
#[utoipa::path(patch, path = "/api/admin/tenants/{id}", tag = "admin", operation_id = "changeTenant", request_body = Patch, responses((status = 200, description = "The tenant", body = TenantView)))]
pub(crate) async fn change(
    State(app): State<Arc<App>>,
    admin: Staff,
    Row(id): Row,
    Body(wish): Body<Patch>,
) -> Result<Json<TenantView>, Problem> {
    let email = wish.email.as_deref().map(address).transpose()?;
    let change = TenantChange {
        email: email.as_ref(),
        name: opt_text("name", wish.name.as_deref(), NAME_CHARS_MAX)?,
        phone: opt_text("phone", wish.phone.as_deref(), PHONE_CHARS_MAX)?,
        room_code: opt_text("roomCode", wish.room_code.as_deref(), CODE_CHARS_MAX)?,
    };
    let by = By { actor: &admin.actor(), reason: wish.why.reason()?, now: app.clock.now() };
    Ok(Json(tenants::change(&app.db, UserId(id), &change, &by).await?.into()))
}

/// A tenant moves out.
#[utoipa::path(delete, path = "/api/admin/tenants/{id}", tag = "admin", operation_id = "removeTenant", request_body = Option<Why>, responses((status = 200, description = "Done", body = schemas::Done)))]
pub(crate) async fn remove(
    State(app): State<Arc<App>>,
    admin: Staff,
    Row(id): Row,
    Perhaps(why): Perhaps<Why>,
) -> Result<Json<Value>, Problem> {
    let now = app.clock.now();
    let by = By { actor: &admin.actor(), reason: why.reason()?, now };
    let cancel = |payment_id: PaymentId| CancelPayment { payment_id }.new_job(now);
    let jobs = tenants::remove(&app.db, UserId(id), &cancel, &by).await?;
    app.queue.wake(jobs);
    Ok(Json(json!({})))
}

fn address(text: &str) -> Result<Email, Problem> {
    let wrong = || Problem::Unprocessable("`email` is not of the form name@host".to_owned());
    let email = Email::try_from(text.to_owned()).map_err(|_| wrong())?;
    if email.as_str().len() < 3 { Err(wrong()) } else { Ok(email) }
}

/// A day of the years that bills are made for.
fn day(date: NaiveDate) -> Result<NaiveDate, Problem> {
    let month = Period::new(date.year(), date.month());
    month.map(|_| date).map_err(|_| Problem::Unprocessable("`startDate` is not in 2000 to 2199".to_owned()))
}

fn good_password(password: Secret) -> Result<Secret, Problem> {
    let length = password.expose().chars().count();
    if length < PASSWORD_CHARS_MIN || password.expose().len() > PASSWORD_BYTES_MAX {
        let wrong =
            format!("`password` needs {PASSWORD_CHARS_MIN} characters or more, and 1024 bytes at most");
        return Err(Problem::Unprocessable(wrong));
    }
    Ok(password)
}
