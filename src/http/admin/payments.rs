//! One payment for an admin: everything that is known of it, and what can be ordered: ask, give up, decide, give back.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use domain::{Invoice, Payment, Refund, RefundKey, Rupiah, State as Life, Time, TransactionId};
use queue::{DecidePayment, Job as _, Reason, RefundPayment, SyncPayment, Verdict};
use serde::{Deserialize, Serialize};
use store::audit::{self, By};
use store::refunds::{self, NewRefund};
use store::{findings, history};
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::{Perhaps, REASON_CHARS_MAX, Why, text};
use crate::http::cancel::give_up;
use crate::http::openapi::{Routes, Who, told};
use crate::http::pay::Paying;
use crate::http::payment::{self, PaymentView, of_caller};
use crate::http::repeats::Keyed;
use crate::http::schemas;
use crate::http::{Admin, App, Body, Named, Owner, Problem, Staff};

/// Everything that is known of a payment.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct PaymentInFull {
    #[serde(flatten)]
    payment: PaymentView,
    /// Where it stands, more exactly than `status`.
    state: &'static str,
    /// Why it failed.
    failure: Option<&'static str>,
    /// What the gateway calls it.
    #[schema(value_type = Option<String>)]
    transaction_id: Option<TransactionId>,
    #[schema(value_type = Option<String>, format = DateTime)]
    paid_at: Option<Time>,
    #[schema(value_type = Option<String>, format = DateTime)]
    checked_at: Option<Time>,
    /// Since when nobody wants it any more.
    #[schema(value_type = Option<String>, format = DateTime)]
    given_up_at: Option<Time>,
    refunds: Vec<RefundView>,
    findings: Vec<FindingView>,
    history: Vec<Step>,
}

/// Money given back.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Refund)]
pub(crate) struct RefundView {
    #[schema(value_type = String)]
    refund_key: RefundKey,
    #[schema(value_type = i64, minimum = 0, maximum = 999_999_999_999_999_i64)]
    amount: Rupiah,
    /// `wanted`, `asked`, `accepted` by the gateway, `confirmed` by the bank, or `refused`.
    status: &'static str,
    reason: String,
    /// False when it was made elsewhere.
    ours: bool,
    /// Why it was refused.
    answer: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
    #[schema(value_type = Option<String>, format = DateTime)]
    confirmed_at: Option<Time>,
}

/// Something about a payment that someone should know.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = FindingOfPayment)]
struct FindingView {
    kind: &'static str,
    detail: String,
    #[schema(value_type = String, format = DateTime)]
    found_at: Time,
    #[schema(value_type = Option<String>, format = DateTime)]
    resolved_at: Option<Time>,
}

/// One change of a payment.
#[derive(Serialize, ToSchema)]
#[schema(as = PaymentStep)]
struct Step {
    #[schema(value_type = String, format = DateTime)]
    at: Time,
    from: Option<String>,
    to: String,
    event: String,
    source: String,
    detail: String,
}

/// What is to be given back.
#[derive(Deserialize, ToSchema)]
#[schema(as = RefundWish)]
pub(crate) struct Wish {
    /// In rupiah; all that is left where nothing is said.
    #[schema(value_type = Option<i64>, minimum = 1, maximum = 999_999_999_999_999_i64)]
    pub(crate) amount: Option<Rupiah>,
    /// Why. The gateway keeps it too.
    #[schema(min_length = 1, max_length = 500, pattern = r"\S")]
    pub(crate) reason: String,
}

pub(super) fn routes() -> Routes {
    let review = [Problem::NotInReview, Problem::Contended];
    Routes::new()
        .routes(told(routes!(show), Who::Admin, &[]))
        .routes(told(routes!(sync), Who::Staff, &[]))
        .routes(told(routes!(cancel), Who::Staff, &[Problem::PaymentEnded, Problem::Contended]))
        .routes(told(routes!(approve), Who::Owner, &review))
        .routes(told(routes!(deny), Who::Owner, &review))
        .routes(told(
            routes!(refund),
            Who::Owner,
            &[
                Problem::NotRefundable("between Rp1 and Rp0 can be given back".to_owned()),
                Problem::IdempotencyKeyInUse,
                Problem::IdempotencyKeyReused,
            ],
        ))
}

/// Everything that is known of a payment.
#[utoipa::path(get, path = "/api/admin/payments/{invoice}", tag = "admin", operation_id = "showPaymentInFull", responses((status = 200, description = "The payment", body = PaymentInFull)))]
async fn show(
    State(app): State<Arc<App>>,
    admin: Admin,
    Named(invoice): Named,
) -> Result<Json<PaymentInFull>, Problem> {
    let payment = of_caller(&app, &admin.0, &invoice).await?;
    payment::poll_on_read(&app, &payment).await;
    let refunds = refunds::of_payment(&app.db, payment.id).await?;
    let found = findings::of_payment(&app.db, payment.id).await?;
    let steps = history::of_payment(&app.db, payment.id).await?;
    Ok(Json(PaymentInFull {
        state: payment.state.as_str(),
        failure: payment.state.failure().map(domain::Failure::as_str),
        transaction_id: payment.transaction_id.clone(),
        paid_at: payment.paid_at,
        checked_at: payment.checked_at,
        given_up_at: payment.superseded_at,
        refunds: refunds.into_iter().map(RefundView::from).collect(),
        findings: found.into_iter().map(FindingView::from).collect(),
        history: steps.into_iter().map(Step::from).collect(),
        payment: payment::view(&app, &payment).await?,
    }))
}

/// Has the gateway asked how the payment stands.
#[utoipa::path(post, path = "/api/admin/payments/{invoice}/sync", tag = "admin", operation_id = "syncPayment", request_body = Option<Why>, responses((status = 202, description = "The gateway is being asked", body = Paying)))]
pub(crate) async fn sync(
    State(app): State<Arc<App>>,
    admin: Staff,
    Named(invoice): Named,
    Perhaps(why): Perhaps<Why>,
) -> Result<(StatusCode, Json<Paying>), Problem> {
    let payment = of_caller(&app, &admin.0, &invoice).await?;
    let job = SyncPayment { payment_id: payment.id, reason: Reason::Operator }.new_job(app.clock.now());
    let by = By { actor: &admin.actor(), reason: why.reason()?, now: app.clock.now() };
    app.queue.wake(audit::order(&app.db, ("payment.sync", subject(&payment.invoice)), job, &by).await?);
    Ok((StatusCode::ACCEPTED, Json(Paying::from(&payment))))
}

/// Gives up a live payment.
#[utoipa::path(post, path = "/api/admin/payments/{invoice}/cancel", tag = "admin", operation_id = "cancelPaymentOfHouse", request_body = Option<Why>, responses((status = 202, description = "It is being cancelled", body = Paying)))]
pub(crate) async fn cancel(
    State(app): State<Arc<App>>,
    admin: Staff,
    Named(invoice): Named,
    Perhaps(why): Perhaps<Why>,
) -> Result<(StatusCode, Json<Paying>), Problem> {
    let payment = give_up(&app, &admin.0, (&invoice, why.reason()?)).await?;
    Ok((StatusCode::ACCEPTED, Json(Paying::from(&payment))))
}

/// Takes the money of a card payment that waits for a decision.
#[utoipa::path(post, path = "/api/admin/payments/{invoice}/approve", tag = "admin", operation_id = "approvePayment", request_body = Option<Why>, responses((status = 202, description = "The gateway is being told", body = Paying)))]
pub(crate) async fn approve(
    State(app): State<Arc<App>>,
    admin: Owner,
    Named(invoice): Named,
    Perhaps(why): Perhaps<Why>,
) -> Result<(StatusCode, Json<Paying>), Problem> {
    let payment = of_caller(&app, &admin.0, &invoice).await?;
    decide(&app, &admin, (&payment, Verdict::Accept), why.reason()?).await
}

/// Does not take the money of a card payment that waits for a decision.
#[utoipa::path(post, path = "/api/admin/payments/{invoice}/deny", tag = "admin", operation_id = "denyPayment", request_body = Option<Why>, responses((status = 202, description = "The gateway is being told", body = Paying)))]
pub(crate) async fn deny(
    State(app): State<Arc<App>>,
    admin: Owner,
    Named(invoice): Named,
    Perhaps(why): Perhaps<Why>,
) -> Result<(StatusCode, Json<Paying>), Problem> {
    let payment = of_caller(&app, &admin.0, &invoice).await?;
    decide(&app, &admin, (&payment, Verdict::Refuse), why.reason()?).await
}

/// Gives money back, where the method allows it.
#[utoipa::path(post, path = "/api/admin/payments/{invoice}/refund", tag = "admin", operation_id = "refundPayment", params(schemas::IdempotencyKey), request_body = Wish, responses((status = 202, description = "The gateway is being asked", body = RefundView)))]
async fn refund(
    State(app): State<Arc<App>>,
    admin: Owner,
    Named(invoice): Named,
    Keyed { body: Body(wish), key }: Keyed<Body<Wish>>,
) -> Result<Response, Problem> {
    let user = admin.0.id;
    // The same request is the same refund, also when its first answer was never kept.
    let unique = key.as_ref().map_or_else(|| app.clock.ulid(), |key| key.name_for(user, &invoice));
    let work = {
        let app = Arc::clone(&app);
        async move {
            let refund = give_back(&app, &admin, (&invoice, &unique, &wish)).await?;
            Ok((StatusCode::ACCEPTED, Json(refund)).into_response())
        }
    };
    app.once(user, key, work).await
}

pub(crate) async fn give_back(
    app: &App,
    admin: &Owner,
    (invoice, unique, wish): (&str, &str, &Wish),
) -> Result<RefundView, Problem> {
    let payment = of_caller(app, &admin.0, invoice).await?;
    let reason = text("reason", &wish.reason, REASON_CHARS_MAX)?;
    let key = RefundKey::from_unique(unique).map_err(|error| {
        tracing::error!(%error, "a refund key could not be made");
        Problem::Internal
    })?;
    let rules = app.settings.rules.of(payment.method).refunds;
    let new = NewRefund { payment: &payment, key, amount: wish.amount, rules };
    let now = app.clock.now();
    let by = By { actor: &admin.actor(), reason: Some(reason), now };
    let job = |refund_id| RefundPayment { payment_id: payment.id, refund_id }.new_job(now);
    let (refund, jobs) = refunds::want(&app.db, &new, job, &by).await?;
    app.queue.wake(jobs);
    Ok(RefundView::from(refund))
}

async fn decide(
    app: &App,
    admin: &Owner,
    (payment, verdict): (&Payment, Verdict),
    reason: Option<&str>,
) -> Result<(StatusCode, Json<Paying>), Problem> {
    if payment.state != Life::Review {
        return Err(Problem::NotInReview);
    }
    let action = match verdict {
        Verdict::Accept => "payment.approve",
        Verdict::Refuse => "payment.deny",
    };
    let job = DecidePayment { payment_id: payment.id, verdict }.new_job(app.clock.now());
    let by = By { actor: &admin.actor(), reason, now: app.clock.now() };
    let deed = (action, subject(&payment.invoice));
    let jobs = audit::decide(&app.db, deed, job, &by).await?.ok_or(Problem::Contended)?;
    app.queue.wake(jobs);
    Ok((StatusCode::ACCEPTED, Json(Paying::from(payment))))
}

fn subject(invoice: &Invoice) -> String {
    format!("payment:{invoice}")
}

impl From<Refund> for RefundView {
    fn from(refund: Refund) -> Self {
        Self {
            refund_key: refund.key,
            amount: refund.amount,
            status: refund.state.as_str(),
            reason: refund.reason,
            ours: refund.is_ours,
            answer: refund.answer,
            created_at: refund.created_at,
            confirmed_at: refund.confirmed_at,
        }
    }
}

impl From<findings::Finding> for FindingView {
    fn from(finding: findings::Finding) -> Self {
        let findings::Finding { kind, detail, found_at, resolved_at, .. } = finding;
        Self { kind: kind.as_str(), detail, found_at, resolved_at }
    }
}

impl From<history::Row> for Step {
    fn from(row: history::Row) -> Self {
        let at = row.time();
        let history::Row { from_state, to_state, event, source, detail, .. } = row;
        Self { at, from: from_state, to: to_state, event, source, detail }
    }
}
