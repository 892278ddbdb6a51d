//! `POST /api/bills/{id}/pay`: writes down a payment and answers without waiting for the gateway.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use clock::delta;
use domain::{BillId, BillStatus, Instruction, Invoice, Method, MethodId, Payment, PaymentId};
use queue::{CancelPayment, Job as _, NewJob, SubmitCharge};
use serde::{Deserialize, Serialize};
use store::bills::{self, Bill};
use store::creation::{self, Creation, NewPayment};
use store::payments;
use store::people::Person;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::admin::Row;
use super::methods::needs_phone;
use super::openapi::{Routes, Who, told};
use super::repeats::Keyed;
use super::schemas;
use super::waiting::Wait;
use super::{App, Body, FrontEnd, Problem, Tenant};

/// How often to look again when other requests change the payments of the same bill.
const RACES_MAX: u32 = 8;

/// How the tenant wants to pay.
#[derive(Deserialize, ToSchema)]
pub(super) struct Pay {
    /// The id or the name of a method.
    payment: IdOrName,
    /// The telephone number of the wallet that pays, for the methods that need one; the tenant's own otherwise.
    #[schema(min_length = 8, max_length = 16, pattern = r"^\+?[0-9]{8,15}$")]
    phone: Option<String>,
}

#[derive(Deserialize, ToSchema)]
#[serde(
    untagged,
    expecting = "`payment` is the id or the name of a payment method, see GET /api/payment-methods"
)]
enum IdOrName {
    Id(i64),
    Name(String),
}

/// The payment that was written down.
#[derive(Serialize, ToSchema)]
pub(crate) struct Paying {
    #[schema(value_type = String)]
    invoice: Invoice,
    #[schema(value_type = schemas::PaymentStatus)]
    status: &'static str,
    /// What the payer needs, for a caller who waited for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schemas::Instruction>)]
    instruction: Option<Instruction>,
}

pub(super) fn routes() -> Routes {
    let fails = [
        Problem::BillAlreadyPaid,
        Problem::Contended,
        Problem::IdempotencyKeyInUse,
        Problem::IdempotencyKeyReused,
    ];
    Routes::new().routes(told(routes!(pay), Who::TenantWithKey, &fails))
}

/// Pays a bill. The answer does not wait for the gateway.
#[utoipa::path(post, path = "/api/bills/{id}/pay", tag = "payments", operation_id = "payBill", params(schemas::Prefer, schemas::IdempotencyKey), request_body = Pay, responses((status = 201, description = "The payment is written down", body = Paying), (status = 200, description = "This method is being paid by already", body = Paying)))]
#[expect(clippy::too_many_arguments, reason = "each is a part of the request")]
pub(super) async fn pay(
    State(app): State<Arc<App>>,
    Tenant(me): Tenant,
    FrontEnd: FrontEnd,
    Row(bill_id): Row,
    wait: Wait,
    Keyed { body: Body(wish), key }: Keyed<Body<Pay>>,
) -> Result<Response, Problem> {
    let tenant = me.id;
    let work = {
        let app = Arc::clone(&app);
        async move {
            let (status, payment) = wanted(&app, &me, BillId(bill_id), &wish).await?;
            let (payment, applied) = app.awaited(&wait, Arc::new(payment)).await;
            // Whoever did not ask for it gets the short answer.
            let instruction = wait.seconds.and(payment.instruction.clone());
            Ok((status, applied, Json(Paying { instruction, ..Paying::from(&*payment) })).into_response())
        }
    };
    app.once(tenant, key, work).await
}

/// The payment that the tenant wants: the live one by this method, or a new one.
async fn wanted(
    app: &App,
    me: &Person,
    bill_id: BillId,
    wish: &Pay,
) -> Result<(StatusCode, Payment), Problem> {
    let bill = bills::find(&app.db, bill_id).await?;
    let bill = bill.filter(|bill| bill.tenant_id == me.id).ok_or(Problem::NotFound)?;
    let method = chosen_method(app, &wish.payment).await?;
    if bill.status == BillStatus::Paid {
        return Err(Problem::BillAlreadyPaid);
    }
    app.settings.rules.of(method).check(bill.amount).map_err(|why| {
        Problem::Unprocessable(format!("{} cannot be paid by {}: {why}", bill.amount, method.title()))
    })?;
    let phone = phone_for(me, method, wish.phone.as_deref())?;
    for _ in 0..RACES_MAX {
        let live = payments::live_of_bill(&app.db, bill.id).await?;
        let live = match live {
            Some(live) if live.method == method && live.payer_phone == phone => {
                return Ok((StatusCode::OK, live));
            }
            other => other,
        };
        let way = Way { method, phone: phone.as_deref(), live: live.as_ref() };
        match write_down(app, &bill, &way).await? {
            Creation::Made(payment, jobs) => {
                app.queue.wake(jobs);
                return Ok((StatusCode::CREATED, *payment));
            }
            Creation::AlreadyPaid => return Err(Problem::BillAlreadyPaid),
            Creation::Raced => {}
        }
    }
    Err(Problem::Contended)
}

/// How a bill is to be paid.
struct Way<'a> {
    method: Method,
    phone: Option<&'a str>,
    /// The payment whose place it takes.
    live: Option<&'a Payment>,
}

/// The number of the wallet that is asked; `None` for the methods that ask none.
fn phone_for(me: &Person, method: Method, said: Option<&str>) -> Result<Option<String>, Problem> {
    if !needs_phone(method) {
        return Ok(None);
    }
    let phone = said.or(me.phone.as_deref()).ok_or_else(|| {
        Problem::Unprocessable(format!("`phone` is missing: {} asks the wallet of a number", method.title()))
    })?;
    let plain: String = phone.chars().filter(|c| !matches!(c, ' ' | '-' | '.')).collect();
    let digits = plain.strip_prefix('+').unwrap_or(&plain);
    if (8..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()) {
        Ok(Some(plain))
    } else {
        Err(Problem::Unprocessable("`phone` is no telephone number, like 081234567890".to_owned()))
    }
}

async fn chosen_method(app: &App, wish: &IdOrName) -> Result<Method, Problem> {
    let name = match wish {
        IdOrName::Id(id) => id.to_string(),
        IdOrName::Name(name) => name.to_lowercase(),
    };
    let id = name.parse().ok().map(MethodId);
    let offered = app.methods().await?;
    match offered.iter().find(|one| one.method.code() == name || Some(one.id) == id) {
        Some(offered) if offered.active => Ok(offered.method),
        Some(_) => Err(Problem::Unprocessable(format!("the payment method {name:?} is switched off"))),
        None => Err(Problem::Unprocessable(format!(
            "there is no payment method {name:?}; GET /api/payment-methods lists them"
        ))),
    }
}

/// The payment and its charge job, in one transaction. A live payment by another method is replaced: it is cancelled
/// at the gateway first, and the new one is charged only when it has ended unpaid.
async fn write_down(app: &App, bill: &Bill, way: &Way<'_>) -> Result<Creation, Problem> {
    let Way { method, phone, live } = *way;
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
        payer_phone: phone,
        supersedes: live,
        next_check_at: now + delta(app.settings.first_check),
    };
    let replaced = live.map(|old| old.id);
    // They may be written down by another task, for many at once.
    let trace = traces::here();
    let jobs = move |payment_id: PaymentId| -> Vec<NewJob> {
        let cancel = replaced.map(|payment_id| CancelPayment { payment_id }.new_job(now));
        let jobs = cancel.into_iter().chain([SubmitCharge { payment_id }.new_job(now)]);
        jobs.map(|job| NewJob { trace: trace.clone(), ..job }).collect()
    };
    Ok(creation::create(&app.db, &new, jobs, now).await?)
}

impl From<&Payment> for Paying {
    fn from(payment: &Payment) -> Self {
        Self { invoice: payment.invoice.clone(), status: payment.public_status().as_str(), instruction: None }
    }
}
