//! `GET /api/payment/{invoice}`: how a payment stands, and what the payer needs.

use std::borrow::Borrow;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use clock::delta;
use domain::{Instruction, Invoice, Payment, PaymentId, Role, Rupiah, State as Life, Time, long_form};
use queue::{Job as _, Reason, SyncPayment};
use serde::Serialize;
use store::payments;
use store::people::Person;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::openapi::{Routes, Who, also_at, told};
use super::schemas;
use super::waiting::{Applied, Wait};
use super::{App, Caller, Named, Problem};

/// A payment, as its payer sees it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Payment)]
pub(super) struct PaymentView {
    #[schema(value_type = i64, minimum = 1)]
    id: PaymentId,
    #[schema(value_type = String)]
    invoice: Invoice,
    #[schema(value_type = i64, minimum = 0, maximum = 999_999_999_999_999_i64)]
    amount: Rupiah,
    /// `24 November 2026 pukul 10.00 WIB`.
    formatted_deadline: String,
    #[schema(value_type = String, format = DateTime)]
    deadline: Time,
    #[schema(value_type = schemas::PaymentStatus)]
    status: &'static str,
    payment: How,
}

/// The method, and the instruction once the gateway has given one.
#[derive(Serialize, ToSchema)]
#[schema(as = PaymentHow)]
struct How {
    name: &'static str,
    title: String,
    logo: String,
    #[schema(value_type = Option<schemas::Instruction>)]
    instruction: Option<Instruction>,
}

pub(super) fn routes() -> Routes {
    Routes::new()
        .routes(told(routes!(show), Who::Person, &[]))
        .routes(also_at("/api/payments/{invoice}", told(routes!(show), Who::Person, &[])))
}

/// How a payment stands, and what the payer needs.
#[utoipa::path(get, path = "/api/payment/{invoice}", tag = "payments", operation_id = "showPayment", params(schemas::Prefer), responses((status = 200, description = "The payment", body = PaymentView)))]
pub(super) async fn show(
    State(app): State<Arc<App>>,
    Caller(me): Caller,
    Named(invoice): Named,
    wait: Wait,
) -> Result<(Applied, Json<PaymentView>), Problem> {
    let payment = for_caller(&me, app.payment_seen(&named(&invoice)?).await?)?;
    poll_on_read(&app, &payment).await;
    let (payment, applied) = app.awaited(&wait, payment).await;
    Ok((applied, Json(view(&app, &payment).await?)))
}

fn named(invoice: &str) -> Result<Invoice, Problem> {
    Invoice::try_from(invoice).map_err(|_| Problem::NotFound)
}

/// The payment, when it is the caller's or the caller is an admin.
fn for_caller<P: Borrow<Payment>>(me: &Person, payment: Option<P>) -> Result<P, Problem> {
    let mine = |payment: &P| me.role == Role::Admin || payment.borrow().tenant_id == me.id;
    payment.filter(mine).ok_or(Problem::NotFound)
}

/// The payment of this invoice, when it is the caller's or the caller is an admin.
pub(crate) async fn of_caller(app: &App, me: &Person, invoice: &str) -> Result<Payment, Problem> {
    for_caller(me, payments::find_by_invoice(&app.db, &named(invoice)?).await?)
}

/// Somebody waits for this payment: have the gateway asked, unless that was just done. Answers from our books at once.
pub(super) async fn poll_on_read(app: &App, payment: &Payment) {
    let now = app.clock.now();
    let asked_lately = |at: Option<Time>| at.is_some_and(|at| now - at < delta(app.settings.poll_on_read));
    let is_known = !matches!(payment.state, Life::Created);
    if !payment.state.is_live()
        || !is_known
        || asked_lately(payment.checked_at)
        || asked_lately(payment.asked_at)
    {
        return;
    }
    let job = SyncPayment { payment_id: payment.id, reason: Reason::Read }.new_job(now);
    if let Err(error) = app.queue.enqueue(&[job]).await {
        tracing::warn!(%error, "a check could not be enqueued; the schedule makes up for it");
    }
}

pub(super) async fn view(app: &App, payment: &Payment) -> Result<PaymentView, Problem> {
    let offered = app.methods().await?;
    let (title, logo) = match offered.iter().find(|offered| offered.method == payment.method) {
        Some(offered) => (offered.title.clone(), offered.logo.clone()),
        None => (payment.method.title().to_owned(), String::new()),
    };
    let deadline = payment.deadline();
    Ok(PaymentView {
        id: payment.id,
        amount: payment.amount,
        formatted_deadline: long_form(deadline),
        deadline,
        status: payment.public_status().as_str(),
        payment: How { name: payment.method.code(), title, logo, instruction: payment.instruction.clone() },
        invoice: payment.invoice.clone(),
    })
}
