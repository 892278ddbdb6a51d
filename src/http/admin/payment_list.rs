//! `GET /api/admin/payments`, and `GET /api/admin/payments/{invoice}/timeline`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use chrono::NaiveDate;
use domain::{
    BillId, Invoice, Method, Payment, PaymentId, Rupiah, Time, TransactionId, UserId, start_of_day,
    start_of_day_after,
};
use serde::{Deserialize, Serialize};
use store::payments::{self, PaymentFilter};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use super::paging::{Listed, Paging, Wish};
use super::{Asked, text};
use crate::evidence::{self, Entry};
use crate::http::openapi::{Routes, Who, told};
use crate::http::payment::of_caller;
use crate::http::schemas;
use crate::http::{Admin, App, Named, Problem};

/// The longest name that a payment has, at the gateway or with us.
const NAME_CHARS_MAX: usize = 64;

/// Which payments are wanted.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// Those in this state.
    #[param(value_type = Option<String>, pattern = "^(created|asked|pending|review|paid|partially_refunded|refunded|charged_back|failed)$")]
    state: Option<Life>,
    /// Those by the method of this name.
    #[param(pattern = "^[a-z_]+$")]
    method: Option<String>,
    /// Those of this tenant.
    #[param(minimum = 1)]
    tenant: Option<i64>,
    /// Those of this bill.
    #[param(minimum = 1)]
    bill: Option<i64>,
    /// Those for the room with this code.
    #[param(min_length = 1, max_length = 64, pattern = r"\S")]
    room: Option<String>,
    /// Those made on this day in Jakarta or later.
    #[param(value_type = Option<String>, format = Date)]
    from: Option<NaiveDate>,
    /// Those made on this day in Jakarta or earlier.
    #[param(value_type = Option<String>, format = Date)]
    to: Option<NaiveDate>,
    /// An invoice or a transaction id, or its beginning from eight characters on.
    #[param(min_length = 1, max_length = 64, pattern = r"\S")]
    text: Option<String>,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum Life {
    Created,
    Asked,
    Pending,
    Review,
    Paid,
    PartiallyRefunded,
    Refunded,
    ChargedBack,
    Failed,
}

impl Life {
    fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Asked => "asked",
            Self::Pending => "pending",
            Self::Review => "review",
            Self::Paid => "paid",
            Self::PartiallyRefunded => "partially_refunded",
            Self::Refunded => "refunded",
            Self::ChargedBack => "charged_back",
            Self::Failed => "failed",
        }
    }
}

/// An attempt to pay a bill.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PaymentOfHouse)]
struct PaymentRow {
    #[schema(value_type = i64, minimum = 1)]
    id: PaymentId,
    #[schema(value_type = String)]
    invoice: Invoice,
    #[schema(value_type = i64, minimum = 1)]
    bill_id: BillId,
    #[schema(value_type = i64, minimum = 1)]
    tenant_id: UserId,
    /// How it is paid.
    method: &'static str,
    #[schema(value_type = i64, minimum = 0, maximum = 999_999_999_999_999_i64)]
    amount: Rupiah,
    #[schema(value_type = schemas::PaymentStatus)]
    status: &'static str,
    /// Where it stands, more exactly than `status`.
    state: &'static str,
    /// Why it failed.
    failure: Option<&'static str>,
    /// What the gateway calls it.
    #[schema(value_type = Option<String>)]
    transaction_id: Option<TransactionId>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
    #[schema(value_type = Option<String>, format = DateTime)]
    paid_at: Option<Time>,
    #[schema(value_type = Option<String>, format = DateTime)]
    checked_at: Option<Time>,
    /// Since when nobody wants it any more.
    #[schema(value_type = Option<String>, format = DateTime)]
    given_up_at: Option<Time>,
}

impl From<Payment> for PaymentRow {
    fn from(payment: Payment) -> Self {
        Self {
            id: payment.id,
            status: payment.public_status().as_str(),
            state: payment.state.as_str(),
            failure: payment.state.failure().map(domain::Failure::as_str),
            invoice: payment.invoice,
            bill_id: payment.bill_id,
            tenant_id: payment.tenant_id,
            method: payment.method.code(),
            amount: payment.amount,
            transaction_id: payment.transaction_id,
            created_at: payment.created_at,
            paid_at: payment.paid_at,
            checked_at: payment.checked_at,
            given_up_at: payment.superseded_at,
        }
    }
}

pub(super) fn routes() -> Routes {
    Routes::new().routes(told(routes!(list), Who::Admin, &[])).routes(told(
        routes!(timeline),
        Who::Admin,
        &[],
    ))
}

/// The attempts to pay, newest first.
#[utoipa::path(get, path = "/api/admin/payments", tag = "admin", operation_id = "listPayments", params(Filter, Wish), responses((status = 200, description = "A page", body = Vec<PaymentRow>)))]
async fn list(
    State(app): State<Arc<App>>,
    _: Admin,
    Asked(filter): Asked<Filter>,
    paging: Paging,
) -> Result<Listed<PaymentRow>, Problem> {
    let page = payments::search(&app.db, &which(filter)?, paging.page()).await?;
    Ok(paging.answer(page.into_iter().map(PaymentRow::from).collect(), |row| row.id.0))
}

fn which(filter: Filter) -> Result<PaymentFilter, Problem> {
    if let Some(method) = &filter.method {
        Method::try_from(method.as_str()).map_err(|error| Problem::Unprocessable(error.to_string()))?;
    }
    let word = |name, word: &Option<String>| {
        let word = word.as_deref().map(|word| text(name, word, NAME_CHARS_MAX)).transpose();
        word.map(|word| word.map(str::to_owned))
    };
    Ok(PaymentFilter {
        state: filter.state.map(|state| state.as_str().to_owned()),
        method: filter.method.clone(),
        tenant: filter.tenant.map(UserId),
        bill: filter.bill.map(BillId),
        room: word("room", &filter.room)?,
        from: filter.from.map(start_of_day),
        until: filter.to.map(start_of_day_after),
        text: word("text", &filter.text)?,
    })
}

/// Everything that was asked, told and done about a payment, the oldest first.
#[utoipa::path(get, path = "/api/admin/payments/{invoice}/timeline", tag = "admin", operation_id = "showTimeline", responses((status = 200, description = "What happened", body = Vec<Entry>)))]
async fn timeline(
    State(app): State<Arc<App>>,
    admin: Admin,
    Named(invoice): Named,
) -> Result<Json<Vec<Entry>>, Problem> {
    let payment = of_caller(&app, &admin.0, &invoice).await?;
    Ok(Json(evidence::gather(&app.db, &payment).await?.entries))
}
