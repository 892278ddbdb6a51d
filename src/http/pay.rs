//! `POST /api/bills/{id}/pay`: writes down a payment and answers without waiting for the gateway.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use clock::delta;
use domain::{BillId, BillStatus, Invoice, Method, Payment, PaymentId};
use queue::{CancelPayment, Job as _, NewJob, SubmitCharge};
use serde::{Deserialize, Serialize};
use store::bills::{self, Bill};
use store::methods;
use store::payments::{self, Creation, NewPayment};

use super::{App, Body, FrontEnd, Problem, Tenant};

/// How often to look again when other requests change the payments of the same bill.
const RACES_MAX: u32 = 8;

/// How the tenant wants to pay.
#[derive(Deserialize)]
pub(super) struct Pay {
    /// The id or the name of a method.
    payment: IdOrName,
}

#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "`payment` is the id or the name of a payment method, see GET /api/payment-methods"
)]
enum IdOrName {
    Id(i64),
    Name(String),
}

/// The payment that was written down.
#[derive(Serialize)]
pub(super) struct Paying {
    invoice: Invoice,
    status: &'static str,
}

#[expect(clippy::too_many_arguments, reason = "each is a part of the request")]
pub(super) async fn pay(
    State(app): State<Arc<App>>,
    Tenant(me): Tenant,
    FrontEnd: FrontEnd,
    Path(bill_id): Path<i64>,
    Body(wish): Body<Pay>,
) -> Result<(StatusCode, Json<Paying>), Problem> {
    let bill = bills::find(&app.db, BillId(bill_id)).await?;
    let bill = bill.filter(|bill| bill.tenant_id == me.id).ok_or(Problem::NotFound)?;
    let method = chosen_method(&app, &wish.payment).await?;
    if bill.status == BillStatus::Paid {
        return Err(Problem::BillAlreadyPaid);
    }
    for _ in 0..RACES_MAX {
        let live = payments::live_of_bill(&app.db, bill.id).await?;
        match &live {
            Some(live) if live.method == method => return Ok((StatusCode::OK, Json(Paying::from(live)))),
            Some(_) | None => {}
        }
        match write_down(&app, &bill, method, live.as_ref()).await? {
            Creation::Made(payment, jobs) => {
                app.queue.wake(jobs);
                return Ok((StatusCode::CREATED, Json(Paying::from(&*payment))));
            }
            Creation::AlreadyPaid => return Err(Problem::BillAlreadyPaid),
            Creation::Raced => {}
        }
    }
    Err(Problem::Contended)
}

async fn chosen_method(app: &App, wish: &IdOrName) -> Result<Method, Problem> {
    let name = match wish {
        IdOrName::Id(id) => id.to_string(),
        IdOrName::Name(name) => name.to_lowercase(),
    };
    // A NUL would not reach the database; there is no method of that name anyway.
    let found = if name.contains('\0') { None } else { methods::find(&app.db, &name).await? };
    match found {
        Some(offered) if offered.active => Ok(offered.method),
        Some(_) => Err(Problem::Unprocessable(format!("the payment method {name:?} is switched off"))),
        None => Err(Problem::Unprocessable(format!(
            "there is no payment method {name:?}; GET /api/payment-methods lists them"
        ))),
    }
}

/// The payment and its charge job, in one transaction. A live payment by another method is replaced: it is cancelled
/// at the gateway first, and the new one is charged only when it has ended unpaid.
async fn write_down(
    app: &App,
    bill: &Bill,
    method: Method,
    live: Option<&Payment>,
) -> Result<Creation, Problem> {
    let now = app.clock.now();
    let invoice = Invoice::from_unique(&app.clock.ulid()).map_err(|error| {
        tracing::error!(%error, "an invoice could not be made");
        Problem::Internal
    })?;
    let new = NewPayment {
        invoice,
        bill_id: bill.id,
        tenant_id: bill.tenant_id,
        method,
        amount: bill.amount,
        supersedes: live,
        next_check_at: now + delta(app.settings.first_check),
    };
    let jobs = |payment_id: PaymentId| -> Vec<NewJob> {
        let cancel = live.map(|old| CancelPayment { payment_id: old.id }.new_job(now));
        cancel.into_iter().chain([SubmitCharge { payment_id }.new_job(now)]).collect()
    };
    Ok(payments::create(&app.db, &new, jobs, now).await?)
}

impl From<&Payment> for Paying {
    fn from(payment: &Payment) -> Self {
        Self { invoice: payment.invoice.clone(), status: payment.public_status().as_str() }
    }
}
