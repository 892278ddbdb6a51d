//! `GET /api/admin/tenants/{id}/export` and `POST /api/admin/tenants/{id}/erase`: what is held about a tenant, and its end.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use domain::UserId;
use serde::{Deserialize, Serialize};
use store::audit::By;
use store::erasure::{self, Erased};
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::{REASON_CHARS_MAX, Row, text};
use crate::dossier::{self, Dossier};
use crate::http::openapi::{Routes, Who, told};
use crate::http::{App, Body, Owner, Problem};

/// Why a tenant is forgotten.
#[derive(Deserialize, ToSchema)]
pub(crate) struct Farewell {
    #[schema(min_length = 1, max_length = 500, pattern = r"\S")]
    pub(crate) reason: String,
}

/// What was taken away.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Erased)]
pub(crate) struct ErasedView {
    /// Whether it had been done before; then only what came since was taken away.
    again: bool,
    /// Payments that said how the payer was to pay, or by which number.
    payments: u64,
    /// Notifications that keep only what they say of money.
    notifications: u64,
    /// Answers of the gateway, in the same way.
    calls: u64,
    /// Reminders that are not sent any more, or whose notes were taken away.
    reminders: u64,
    /// Rows of the audit that an earlier version wrote with names in them; they stay.
    audit_kept: i64,
}

impl From<Erased> for ErasedView {
    fn from(erased: Erased) -> Self {
        let Erased { again, payments, notifications, calls, reminders, audit_kept } = erased;
        Self { again, payments, notifications, calls, reminders, audit_kept }
    }
}

pub(super) fn routes() -> Routes {
    let open = [Problem::MoneyOpen(String::new())];
    Routes::new().routes(told(routes!(export), Who::Owner, &[])).routes(told(
        routes!(erase),
        Who::Owner,
        &open,
    ))
}

/// Everything that is held about a tenant, also one who left. Looking at it is audited.
#[utoipa::path(get, path = "/api/admin/tenants/{id}/export", tag = "admin", operation_id = "exportTenant", responses((status = 200, description = "Everything", body = Dossier)))]
pub(crate) async fn export(
    State(app): State<Arc<App>>,
    owner: Owner,
    Row(id): Row,
) -> Result<Json<Dossier>, Problem> {
    let by = By { actor: &owner.actor(), reason: None, now: app.clock.now() };
    dossier::hand_out(&app.db, UserId(id), &by).await?.map(Json).ok_or(Problem::NotFound)
}

/// Forgets a tenant: who they were goes, what they paid stays. Doing it again is harmless.
#[utoipa::path(post, path = "/api/admin/tenants/{id}/erase", tag = "admin", operation_id = "eraseTenant", request_body = Farewell, responses((status = 200, description = "What was taken away", body = ErasedView)))]
pub(crate) async fn erase(
    State(app): State<Arc<App>>,
    owner: Owner,
    Row(id): Row,
    Body(farewell): Body<Farewell>,
) -> Result<Json<ErasedView>, Problem> {
    let reason = text("reason", &farewell.reason, REASON_CHARS_MAX)?;
    let by = By { actor: &owner.actor(), reason: Some(reason), now: app.clock.now() };
    let erased = erasure::erase(&app.db, UserId(id), &by).await?;
    app.unchanged.forget();
    Ok(Json(erased.into()))
}
