//! `GET` and `PATCH /api/admin/tenants/{id}/reminders`: what a tenant was told of bills, and whether they want to be.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use domain::{Language, Time, UserId};
use serde::{Deserialize, Serialize};
use store::audit::By;
use store::reminders::{self, Told, WishesChange};
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::{Row, Why};
use crate::http::openapi::{Routes, Who, told};
use crate::http::{Admin, App, Body, Problem, Staff};

/// Reminders that are shown.
const SHOWN: i64 = 100;

/// What a tenant wants of reminders, and got.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = TenantReminders)]
pub(crate) struct View {
    /// Whether there are to be any.
    reminders: bool,
    /// The tenant's own language; otherwise the house's is used.
    #[schema(value_type = Option<String>, pattern = "^(id|en)$")]
    language: Option<Language>,
    /// The newest first.
    told: Vec<ToldView>,
}

/// Something that a tenant was told, or is about to be.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Reminder)]
struct ToldView {
    bill_id: i64,
    #[schema(pattern = "^(new_bill|due_soon|due_today|overdue|paid)$")]
    kind: String,
    #[schema(pattern = "^(email|webhook)$")]
    channel: String,
    #[schema(value_type = String, format = DateTime)]
    found_at: Time,
    /// `sent`, `refused` by whoever was to take it, or `lapsed`; nothing while it waits.
    #[schema(pattern = "^(sent|refused|lapsed)$")]
    outcome: Option<String>,
    #[schema(value_type = Option<String>, format = DateTime)]
    ended_at: Option<Time>,
}

impl From<Told> for ToldView {
    fn from(told: Told) -> Self {
        let Told { bill_id, kind, channel, found_at, outcome, ended_at } = told;
        Self { bill_id: bill_id.0, kind, channel, found_at, outcome, ended_at }
    }
}

/// What is to become of a tenant's wishes; what is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = TenantRemindersPatch)]
pub(crate) struct Patch {
    /// Whether there are to be reminders.
    pub(crate) reminders: Option<bool>,
    /// `id`, `en`, or `house` for the language of the house.
    #[schema(pattern = "^(id|en|house)$")]
    pub(crate) language: Option<String>,
    #[serde(flatten)]
    pub(crate) why: Why,
}

pub(super) fn routes() -> Routes {
    Routes::new().routes(told(routes!(show), Who::Admin, &[])).routes(told(routes!(change), Who::Staff, &[]))
}

/// What a tenant was told of bills, and whether they want to be.
#[utoipa::path(get, path = "/api/admin/tenants/{id}/reminders", tag = "admin", operation_id = "getTenantReminders", responses((status = 200, description = "The wishes and the newest reminders", body = View)))]
async fn show(State(app): State<Arc<App>>, _: Admin, Row(id): Row) -> Result<Json<View>, Problem> {
    view_of(&app, UserId(id)).await.map(Json)
}

/// Changes whether a tenant is reminded, and in which language.
#[utoipa::path(patch, path = "/api/admin/tenants/{id}/reminders", tag = "admin", operation_id = "changeTenantReminders", request_body = Patch, responses((status = 200, description = "The wishes and the newest reminders", body = View)))]
pub(crate) async fn change(
    State(app): State<Arc<App>>,
    staff: Staff,
    Row(id): Row,
    Body(wish): Body<Patch>,
) -> Result<Json<View>, Problem> {
    let language = match wish.language.as_deref() {
        None => None,
        Some("house") => Some(None),
        Some(word) => Some(Some(
            Language::try_from(word)
                .map_err(|_| Problem::Unprocessable("`language` is none of id, en and house".to_owned()))?,
        )),
    };
    let change = WishesChange { reminders: wish.reminders, language };
    let by = By { actor: &staff.actor(), reason: wish.why.reason()?, now: app.clock.now() };
    reminders::change_wishes(&app.db, UserId(id), change, &by).await?;
    view_of(&app, UserId(id)).await.map(Json)
}

async fn view_of(app: &App, tenant: UserId) -> Result<View, Problem> {
    let wishes = reminders::wishes(&app.db, tenant).await?.ok_or(Problem::NotFound)?;
    let told = reminders::of_tenant(&app.db, tenant, SHOWN).await?;
    Ok(View {
        reminders: wishes.reminders,
        language: wishes.language,
        told: told.into_iter().map(ToldView::from).collect(),
    })
}
