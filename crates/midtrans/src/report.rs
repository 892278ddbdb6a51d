//! What the gateway's words mean: statuses become events, answers become reports (contract §6).

use domain::{Amount, Event, Method, Page, RefundKey, Report, ReportedRefund, TransactionId};

use crate::fields::{Fields, cut};
use crate::instruction;

/// The longest unknown status that is kept.
const STATUS_CHARS_MAX: usize = 64;
/// The most refunds of one payment that are read.
const REFUNDS_MAX: usize = 200;

/// The report in an answer; `None` when it is not about a transaction.
pub(crate) fn read(fields: &Fields, method: Option<Method>) -> Option<Report> {
    Some(Report {
        event: event(fields)?,
        order_id: fields.text("order_id"),
        transaction_id: fields.text("transaction_id").and_then(|id| TransactionId::try_from(id).ok()),
        amount: fields.amount("gross_amount"),
        // One sample of the QRIS answer spells it differently (contract §2).
        expires_at: fields.time("expiry_time").or_else(|| fields.time("expire_time")),
        settled_at: fields.time("settlement_time"),
        instruction: instruction::read(fields, method),
        refunds: refunds(fields),
        page: Page::Open,
    })
}

/// Each refund by itself (contract §4). One that the dashboard made may have no key of its own.
fn refunds(fields: &Fields) -> Vec<ReportedRefund> {
    let read = |item: Fields| {
        let named = item.text("refund_key");
        let key = named.or_else(|| Some(format!("id-{}", item.text("refund_chargeback_id")?)))?;
        let Amount::Rupiah(amount) = item.amount("refund_amount") else { return None };
        Some(ReportedRefund {
            key: RefundKey::try_from(key).ok()?,
            amount,
            reason: item.words("reason"),
            confirmed_at: item.time("bank_confirmed_at"),
        })
    };
    fields.objects("refunds").into_iter().take(REFUNDS_MAX).filter_map(read).collect()
}

/// What happened, by `transaction_status`; `None` when there is none.
pub(crate) fn event(fields: &Fields) -> Option<Event> {
    Some(match fields.word("transaction_status")?.as_str() {
        "pending" => Event::Accepted,
        "authorize" => Event::Authorized,
        paid @ ("settlement" | "capture") => paid_event(fields, paid),
        "deny" => Event::Denied,
        "cancel" => Event::Cancelled,
        "expire" => Event::Expired,
        "failure" => Event::Errored,
        "refund" => Event::Refunded,
        "partial_refund" => match fields.amount("refund_amount") {
            // The running total of all refunds (contract §4).
            Amount::Rupiah(total) => Event::PartiallyRefunded(total),
            Amount::Foreign(_) | Amount::Unsaid => {
                Event::Unheard("partial_refund without refund_amount".to_owned())
            }
        },
        "chargeback" => Event::ChargedBack,
        "partial_chargeback" => Event::PartiallyChargedBack,
        other => Event::Unheard(cut(other, STATUS_CHARS_MAX)),
    })
}

/// The paid rule of contract §6: code 200, and the fraud check said yes or nothing.
fn paid_event(fields: &Fields, status: &str) -> Event {
    match (fields.word("fraud_status").as_deref(), fields.text("status_code").as_deref()) {
        (Some("deny"), _) => Event::Denied,
        (Some("challenge"), _) => Event::Challenged,
        // Without an amount nobody could compare it with the bill.
        (None | Some("accept"), Some("200")) if fields.amount("gross_amount") == Amount::Unsaid => {
            Event::Unheard(format!("{status} without gross_amount"))
        }
        (None | Some("accept"), Some("200")) if status == "capture" => Event::Captured,
        (None | Some("accept"), Some("200")) => Event::Settled,
        // For example a refund that the bank refused: 202 with `settlement` (contract §4).
        (None | Some("accept"), code) => Event::Unheard(cut(
            &format!("{status} with status_code {}", code.unwrap_or("none")),
            STATUS_CHARS_MAX,
        )),
        (Some(fraud), _) => {
            Event::Unheard(cut(&format!("{status} with fraud_status {fraud}"), STATUS_CHARS_MAX))
        }
    }
}
