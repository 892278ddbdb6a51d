//! `GET /api/admin/findings`, its export, and `POST /api/admin/findings/{id}/resolve`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use domain::{FindingId, FindingKind, Time};
use serde::{Deserialize, Serialize};
use store::Page;
use store::audit::By;
use store::findings::{self, Which};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use super::export::{self, PAGE_ROWS};
use super::paging::{Listed, Paging, Wish};
use super::{Asked, REASON_CHARS_MAX, Row, text};
use crate::http::openapi::{Routes, Who, told};
use crate::http::{Admin, App, Body, Problem, Staff};

/// Something that someone should know of.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Finding)]
pub(crate) struct FindingView {
    #[schema(value_type = i64, minimum = 1)]
    id: FindingId,
    kind: &'static str,
    /// The payment it is about.
    invoice: Option<String>,
    detail: String,
    #[schema(value_type = String, format = DateTime)]
    found_at: Time,
    #[schema(value_type = Option<String>, format = DateTime)]
    resolved_at: Option<Time>,
    /// What was done about it.
    resolution: Option<String>,
    /// Who did it; nothing where it resolved itself.
    resolved_by: Option<String>,
}

/// Which findings are wanted.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// `open` where nobody has dealt with it, `resolved` where somebody has; all where nothing is said.
    #[param(value_type = Option<String>, pattern = "^(open|resolved)$")]
    pub(crate) state: Option<FilterState>,
    /// Of this kind only.
    #[param(pattern = "^[a-z_]+$")]
    pub(crate) kind: Option<String>,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FilterState {
    Open,
    Resolved,
}

/// How it was dealt with.
#[derive(Deserialize, ToSchema)]
pub(crate) struct Resolution {
    /// What was found out and done.
    #[schema(min_length = 1, max_length = 500, pattern = r"\S")]
    pub(crate) reason: String,
}

pub(super) fn routes() -> Routes {
    Routes::new()
        .routes(told(routes!(list), Who::Admin, &[]))
        .routes(told(routes!(download), Who::Admin, &[]))
        .routes(told(routes!(resolve), Who::Staff, &[Problem::FindingResolved]))
}

/// What someone should know of, newest first.
#[utoipa::path(get, path = "/api/admin/findings", tag = "admin", operation_id = "listFindings", params(Filter, Wish), responses((status = 200, description = "A page", body = Vec<FindingView>)))]
async fn list(
    State(app): State<Arc<App>>,
    _: Admin,
    Asked(filter): Asked<Filter>,
    paging: Paging,
) -> Result<Listed<FindingView>, Problem> {
    let found = findings::list(&app.db, &which(&filter)?, paging.page()).await?;
    Ok(paging.answer(found.into_iter().map(FindingView::from).collect(), |finding| finding.id.0))
}

/// The same as CSV, whole.
#[utoipa::path(get, path = "/api/admin/findings/export", tag = "admin", operation_id = "exportFindings", params(Filter), responses((status = 200, description = "All of them", body = String, content_type = "text/csv")))]
pub(crate) async fn download(
    State(app): State<Arc<App>>,
    _: Admin,
    Asked(filter): Asked<Filter>,
) -> Result<Response, Problem> {
    let which = which(&filter)?;
    let pages = futures::stream::try_unfold(Some(None), move |after: Option<Option<i64>>| {
        let app = Arc::clone(&app);
        async move {
            let Some(after) = after else { return Ok(None) };
            let page = findings::list(&app.db, &which, Page { after, limit: PAGE_ROWS }).await?;
            let next = page.last().map(|last| Some(last.id.0));
            Ok(next.map(|next| (page.into_iter().map(cells).collect::<Vec<_>>(), Some(next))))
        }
    });
    let columns = ["id", "kind", "invoice", "detail", "foundAt", "resolvedAt", "resolution", "resolvedBy"];
    Ok(export::answer("findings", &columns, pages))
}

/// Says how a finding was dealt with.
#[utoipa::path(post, path = "/api/admin/findings/{id}/resolve", tag = "admin", operation_id = "resolveFinding", request_body = Resolution, responses((status = 200, description = "It is resolved", body = FindingView)))]
pub(crate) async fn resolve(
    State(app): State<Arc<App>>,
    admin: Staff,
    Row(id): Row,
    Body(resolution): Body<Resolution>,
) -> Result<Json<FindingView>, Problem> {
    let reason = text("reason", &resolution.reason, REASON_CHARS_MAX)?;
    let by = By { actor: &admin.actor(), reason: Some(reason), now: app.clock.now() };
    Ok(Json(FindingView::from(findings::resolve(&app.db, FindingId(id), &by).await?)))
}

fn which(filter: &Filter) -> Result<Which, Problem> {
    let kind = filter.kind.as_deref().map(FindingKind::try_from).transpose();
    Ok(Which {
        resolved: filter.state.map(|state| matches!(state, FilterState::Resolved)),
        kind: kind.map_err(|error| Problem::Unprocessable(error.to_string()))?,
    })
}

fn cells(finding: findings::Finding) -> Vec<String> {
    let time = |at: Option<Time>| at.map(|at| at.to_rfc3339()).unwrap_or_default();
    vec![
        finding.id.to_string(),
        finding.kind.as_str().to_owned(),
        finding.invoice.unwrap_or_default(),
        finding.detail,
        time(Some(finding.found_at)),
        time(finding.resolved_at),
        finding.resolution.unwrap_or_default(),
        finding.resolved_by.unwrap_or_default(),
    ]
}

impl From<findings::Finding> for FindingView {
    fn from(finding: findings::Finding) -> Self {
        Self {
            id: finding.id,
            kind: finding.kind.as_str(),
            invoice: finding.invoice,
            detail: finding.detail,
            found_at: finding.found_at,
            resolved_at: finding.resolved_at,
            resolution: finding.resolution,
            resolved_by: finding.resolved_by,
        }
    }
}
