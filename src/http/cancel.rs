//! `POST /api/payment/{invoice}/cancel`: the tenant gives up a live payment.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use domain::{Payment, Rank};
use queue::{CancelPayment, Job as _};
use store::audit::By;
use store::history::Source;
use store::people::Person;
use store::unwanted::{self, GivenUp};
use utoipa_axum::routes;

use super::auth::{actor_of, may};
use super::openapi::{Routes, Who, also_at, told};
use super::pay::Paying;
use super::payment::of_caller;
use super::repeats::{Keyed, Nothing};
use super::schemas;
use super::{App, Caller, Named, Problem};

/// How often to look again when others change the same payment.
const RACES_MAX: u32 = 8;

pub(super) fn routes() -> Routes {
    let fails = [
        Problem::Forbidden,
        Problem::PaymentEnded,
        Problem::Contended,
        Problem::TooLarge,
        Problem::IdempotencyKeyInUse,
        Problem::IdempotencyKeyReused,
    ];
    Routes::new()
        .routes(told(routes!(cancel), Who::Person, &fails))
        .routes(also_at("/api/payments/{invoice}/cancel", told(routes!(cancel), Who::Person, &fails)))
}

/// Gives up a live payment.
#[utoipa::path(post, path = "/api/payment/{invoice}/cancel", tag = "payments", operation_id = "cancelPayment", params(schemas::IdempotencyKey), responses((status = 202, description = "It is being cancelled", body = Paying)))]
pub(super) async fn cancel(
    State(app): State<Arc<App>>,
    Caller(me): Caller,
    Named(invoice): Named,
    Keyed { body: Nothing, key }: Keyed<Nothing>,
) -> Result<Response, Problem> {
    let user = me.id;
    let work = {
        let app = Arc::clone(&app);
        async move {
            let payment = give_up(&app, &me, (&invoice, None)).await?;
            Ok((StatusCode::ACCEPTED, Json(Paying::from(&payment))).into_response())
        }
    };
    app.once(user, key, work).await
}

/// Says that nobody wants the payment, and has it cancelled at the gateway. How it ends is the gateway's answer: it may
/// have been paid at this moment, and then it is paid.
pub(super) async fn give_up(
    app: &App,
    me: &Person,
    (invoice, reason): (&str, Option<&str>),
) -> Result<Payment, Problem> {
    for _ in 0..RACES_MAX {
        let payment = of_caller(app, me, invoice).await?;
        if payment.tenant_id != me.id && !may(me, Rank::Staff) {
            return Err(Problem::Forbidden);
        }
        if !payment.state.is_live() {
            return Err(Problem::PaymentEnded);
        }
        let now = app.clock.now();
        let job = CancelPayment { payment_id: payment.id }.new_job(now);
        if payment.superseded_at.is_some() {
            // It is unwanted already. Should its cancellation have come to nothing, here it is again.
            app.queue.enqueue(&[job]).await?;
            return Ok(payment);
        }
        let actor = actor_of(me);
        let by = By { actor: &actor, reason, now };
        let (source, by) = match payment.tenant_id == me.id {
            true => (Source::Tenant, None),
            false => (Source::Operator, Some(&by)),
        };
        let given_up = GivenUp { payment: &payment, source, job, by };
        if let Some(jobs) = unwanted::give_up(&app.db, &given_up, now).await? {
            app.queue.wake(jobs);
            return Ok(payment);
        }
    }
    Err(Problem::Contended)
}
