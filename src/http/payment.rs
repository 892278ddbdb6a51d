//! `GET /api/payment/{invoice}`: how a payment stands, and what the payer needs.

use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::extract::{Path, State};
use axum::routing::get;
use clock::delta;
use domain::{Instruction, Invoice, Payment, PaymentId, Role, Rupiah, State as Life, Time, long_form};
use queue::{Job as _, Reason, SyncPayment};
use serde::Serialize;
use store::people::Person;
use store::{methods, payments};

use super::waiting::{Applied, Wait};
use super::{App, Caller, Problem};

/// A payment, as its payer sees it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PaymentView {
    id: PaymentId,
    invoice: Invoice,
    amount: Rupiah,
    /// `24 November 2026 pukul 10.00 WIB`.
    formatted_deadline: String,
    deadline: Time,
    status: &'static str,
    payment: How,
}

/// The method, and the instruction once the gateway has given one.
#[derive(Serialize)]
struct How {
    name: &'static str,
    title: String,
    logo: String,
    instruction: Option<Instruction>,
}

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new().route("/api/payment/{invoice}", get(show)).route("/api/payments/{invoice}", get(show))
}

pub(super) async fn show(
    State(app): State<Arc<App>>,
    Caller(me): Caller,
    Path(invoice): Path<String>,
    wait: Wait,
) -> Result<(Applied, Json<PaymentView>), Problem> {
    let payment = of_caller(&app, &me, &invoice).await?;
    poll_on_read(&app, &payment).await;
    let (payment, applied) = app.awaited(wait, payment).await;
    Ok((applied, Json(view(&app, payment).await?)))
}

/// The payment of this invoice, when it is the caller's or the caller is an admin.
pub(super) async fn of_caller(app: &App, me: &Person, invoice: &str) -> Result<Payment, Problem> {
    let invoice = Invoice::try_from(invoice).map_err(|_| Problem::NotFound)?;
    let payment = payments::find_by_invoice(&app.db, &invoice).await?;
    let mine = |payment: &Payment| me.role == Role::Admin || payment.tenant_id == me.id;
    payment.filter(mine).ok_or(Problem::NotFound)
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

pub(super) async fn view(app: &App, payment: Payment) -> Result<PaymentView, Problem> {
    let offered = methods::find(&app.db, payment.method.code()).await?;
    let (title, logo) = match offered {
        Some(offered) => (offered.title, offered.logo),
        None => (payment.method.title().to_owned(), String::new()),
    };
    let deadline = payment.deadline();
    Ok(PaymentView {
        id: payment.id,
        amount: payment.amount,
        formatted_deadline: long_form(deadline),
        deadline,
        status: payment.public_status().as_str(),
        payment: How { name: payment.method.code(), title, logo, instruction: payment.instruction },
        invoice: payment.invoice,
    })
}
