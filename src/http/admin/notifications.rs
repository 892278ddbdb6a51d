//! `GET /api/admin/notifications`, and `POST /api/admin/notifications/{id}/replay`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use domain::{NotificationId, Time};
use queue::{Job as _, ProcessNotification};
use serde::{Deserialize, Serialize};
use store::audit::By;
use store::notifications::{self, NotificationFilter, Received};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use super::paging::{Listed, Paging, Wish};
use super::{Asked, Perhaps, Row, Why, opt_text};
use crate::http::openapi::{Routes, Who, told};
use crate::http::{Admin, App, Problem, Staff};

/// The longest order id that is kept.
const ORDER_CHARS_MAX: usize = 255;

/// A notification in the inbox. Its body is told where it is proof: in the evidence of its payment.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Notification)]
pub(crate) struct NotificationView {
    #[schema(value_type = i64, minimum = 1)]
    id: NotificationId,
    /// What kind of message it is.
    kind: String,
    order_id: Option<String>,
    transaction_id: Option<String>,
    /// The payment it is about.
    invoice: Option<String>,
    /// Whether its signature was one of ours.
    verified: bool,
    #[schema(value_type = String, format = DateTime)]
    received_at: Time,
    /// How often it came.
    seen: i64,
    /// When it was dealt with.
    #[schema(value_type = Option<String>, format = DateTime)]
    processed_at: Option<Time>,
    /// What became of it.
    outcome: Option<String>,
}

impl From<Received> for NotificationView {
    fn from(one: Received) -> Self {
        Self {
            id: one.id,
            kind: one.kind,
            order_id: one.order_id,
            transaction_id: one.transaction_id,
            invoice: one.invoice,
            verified: one.verified,
            received_at: one.received_at,
            seen: one.seen,
            processed_at: one.processed_at,
            outcome: one.outcome,
        }
    }
}

/// Which notifications are wanted.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// Those that speak of this order, or of the payment of this invoice.
    #[param(min_length = 1, max_length = 255, pattern = r"\S")]
    order: Option<String>,
    /// `true` for those that nobody has dealt with yet.
    #[serde(default)]
    pending: bool,
}

pub(super) fn routes() -> Routes {
    Routes::new().routes(told(routes!(list), Who::Admin, &[])).routes(told(routes!(replay), Who::Staff, &[]))
}

/// What the gateway told us, newest first.
#[utoipa::path(get, path = "/api/admin/notifications", tag = "admin", operation_id = "listNotifications", params(Filter, Wish), responses((status = 200, description = "A page", body = Vec<NotificationView>)))]
async fn list(
    State(app): State<Arc<App>>,
    _: Admin,
    Asked(filter): Asked<Filter>,
    paging: Paging,
) -> Result<Listed<NotificationView>, Problem> {
    let order = opt_text("order", filter.order.as_deref(), ORDER_CHARS_MAX)?.map(str::to_owned);
    let filter = NotificationFilter { order, pending: filter.pending };
    let page = notifications::list(&app.db, &filter, paging.page()).await?;
    Ok(paging.answer(page.into_iter().map(NotificationView::from).collect(), |one| one.id.0))
}

/// Has a notification dealt with once more, as if it had just come. It makes us ask the gateway, and changes nothing by
/// itself.
#[utoipa::path(post, path = "/api/admin/notifications/{id}/replay", tag = "admin", operation_id = "replayNotification", request_body = Option<Why>, responses((status = 202, description = "It is being dealt with", body = NotificationView)))]
pub(crate) async fn replay(
    State(app): State<Arc<App>>,
    admin: Staff,
    Row(id): Row,
    Perhaps(why): Perhaps<Why>,
) -> Result<(StatusCode, Json<NotificationView>), Problem> {
    let (id, now) = (NotificationId(id), app.clock.now());
    let by = By { actor: &admin.actor(), reason: why.reason()?, now };
    let job = ProcessNotification { notification_id: id }.new_job(now);
    let jobs = notifications::replay(&app.db, id, job, &by).await?;
    let (one, _body) = notifications::body_of(&app.db, id).await?.ok_or(Problem::NotFound)?;
    app.queue.wake(jobs);
    Ok((StatusCode::ACCEPTED, Json(one.into())))
}
