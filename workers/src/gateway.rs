//! What a failed call to the gateway means for the job that made it, and how to learn an instruction that was lost.

use std::time::Duration;

use domain::{AskedBy, ChargeAs, Instruction, Payment, Report};
use midtrans::{CallError, Charge, Customer};
use queue::Outcome;
use store::people;

use crate::Context;
use crate::context::Halt;

/// How long to wait when the gateway says that there are too many of us, and not for how long.
const RATE_LIMIT_PAUSE: Duration = Duration::from_secs(10);
/// How long the gateway may need for a call that it says is still running.
const RUNNING_PAUSE: Duration = Duration::from_secs(5);
/// How long until somebody may have mended a wrong key or address.
const MISCONFIGURED_PAUSE: Duration = Duration::from_secs(60);
/// How long the gateway remembers an Idempotency-Key is five minutes (contract §1); we stay well inside.
const REPLAY_WITHIN: chrono::TimeDelta = chrono::TimeDelta::minutes(4);

/// What becomes of a job whose call failed. No error of a call ever makes a payment fail.
pub(crate) fn outcome_of(error: &CallError) -> Outcome {
    match error {
        CallError::Held { retry_after } => Outcome::Later(*retry_after, error.to_string()),
        CallError::RateLimited { retry_after } => {
            Outcome::Later(retry_after.unwrap_or(RATE_LIMIT_PAUSE), error.to_string())
        }
        CallError::Running => Outcome::Later(RUNNING_PAUSE, error.to_string()),
        CallError::Misconfigured { .. } => {
            tracing::error!(%error, "the gateway does not take our calls: check MIDTRANS_SERVER_KEY and MIDTRANS_BASE_URL");
            Outcome::Later(MISCONFIGURED_PAUSE, error.to_string())
        }
        CallError::NotSent(_)
        | CallError::Unknown(_)
        | CallError::NoSuchTransaction
        | CallError::Duplicate
        | CallError::Unchangeable
        | CallError::Refused { .. } => Outcome::Retry(error.to_string()),
    }
}

/// The name by which the gateway is asked about a payment, or told to do something with it (contract §3). On the hosted
/// page the invoice names the latest try, which need not be the one that we mean.
pub(crate) fn name_of(payment: &Payment) -> &str {
    let by_transaction =
        payment.method.profile().asked_by == AskedBy::Transaction || payment.method.is_on_a_page();
    match &payment.transaction_id {
        Some(id) if by_transaction => id.as_str(),
        Some(_) | None => payment.invoice.as_str(),
    }
}

impl Context {
    /// The charge of a payment; the same one each time, so that the gateway knows it for a repetition.
    pub(crate) async fn charge_for(&self, payment: &Payment) -> Result<Charge, Halt> {
        let payer = people::find(&self.db, payment.tenant_id).await?;
        Ok(Charge {
            invoice: payment.invoice.clone(),
            method: payment.method,
            amount: payment.amount,
            item: self.item.clone(),
            customer: payer.map(|payer| Customer {
                name: payer.name,
                email: payer.email.as_str().to_owned(),
                phone: payer.phone,
            }),
            valid_for: self.rules.wish(payment.method),
            idempotent: self.rules.of(payment.method).idempotency_key,
            payer_phone: payment.payer_phone.clone(),
            authorize_only: self.authorize_only,
        })
    }

    /// Adds the instruction to a report of GET status, which lacks it for wallets (contract §3).
    ///
    /// The same charge with the same key gives the stored first answer for five minutes. Later, or where that fails,
    /// the picture of the QR code is still at a known place.
    pub(crate) async fn with_instruction(
        &self,
        payment: &Payment,
        mut report: Report,
    ) -> Result<Report, Halt> {
        let charge = payment.method.profile().charge;
        let wallet = matches!(charge, ChargeAs::Plain(_) | ChargeAs::Qris(_) | ChargeAs::Ovo);
        let waits_for_payer = report.event == domain::Event::Accepted && payment.state.is_live();
        if !wallet || !waits_for_payer || payment.instruction.is_some() || report.instruction.is_some() {
            return Ok(report);
        }
        if charge == ChargeAs::Ovo {
            // The gateway gives none: the wallet rings by itself.
            report.instruction = payment.payer_phone.clone().map(|phone| Instruction::Push { phone });
            return Ok(report);
        }
        let fresh = payment.asked_at.is_some_and(|at| self.now() - at < REPLAY_WITHIN);
        let charge = self.charge_for(payment).await?;
        if fresh && charge.idempotent {
            match self.midtrans.charge(&charge).await {
                Ok(first) if first.transaction_id == report.transaction_id => {
                    report.instruction = first.instruction;
                }
                // Not now: after the five minutes it would be lost for good.
                Err(error @ CallError::Held { .. }) => return Err(outcome_of(&error).into()),
                Ok(_) | Err(_) => {}
            }
        }
        if report.instruction.is_none() {
            let known = report.transaction_id.as_ref();
            report.instruction = known
                .and_then(|id| self.midtrans.qr_image_url(payment.method, id))
                .map(|url| Instruction::Qr { image_url: Some(url), qr_string: None, deeplink_url: None });
        }
        Ok(report)
    }
}
