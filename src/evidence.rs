//! Everything that was asked, told and done about one payment, or about one bill, in the order of time: for a dispute with
//! the gateway.

use chrono::DateTime;
use domain::{BillId, Payment, Rupiah, Time};
use serde::Serialize;
use serde_json::{Value, json};
use store::bills::Bill;
use store::{
    Db, StoreError, audit, bills, calls, findings, history, jobs, journal, notifications, payments,
    reconciliation_items, refunds, tries,
};
use utoipa::ToSchema;

/// Everything about one payment.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Evidence {
    /// Our number for it: the gateway's `order_id`.
    pub invoice: String,
    /// What the gateway calls it, each try of the payer by itself.
    pub transaction_ids: Vec<String>,
    /// How it was to be paid.
    pub method: &'static str,
    /// In rupiah.
    #[schema(value_type = i64, minimum = 0)]
    pub amount: Rupiah,
    /// Where it stands in our books.
    pub state: &'static str,
    /// What happened, the oldest first.
    pub entries: Vec<Entry>,
}

/// One thing that happened.
#[derive(Debug, Serialize, ToSchema)]
pub struct Entry {
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Time,
    /// `asked` of the gateway, `told` by a notification, `moved` in our books, `posted` in the journal, `worked` by a job,
    /// `refund`, `finding`, `reconciled`, or `ordered` by a person.
    pub kind: &'static str,
    /// In a few words.
    pub what: String,
    /// Everything that is known of it.
    #[schema(value_type = Object)]
    pub data: Value,
    /// The payment it is about; nothing where it is about the bill.
    pub invoice: Option<String>,
}

/// The columns of [`Evidence::rows`].
pub const COLUMNS: [&str; 4] = ["at", "kind", "what", "data"];

impl Evidence {
    /// One row for each entry, for a spreadsheet.
    #[must_use]
    pub fn rows(&self) -> Vec<[String; 4]> {
        let row = |entry: &Entry| {
            [entry.at.to_rfc3339(), entry.kind.to_owned(), entry.what.clone(), entry.data.to_string()]
        };
        self.entries.iter().map(row).collect()
    }

    /// The whole as CSV, the columns first.
    #[must_use]
    pub fn csv(&self) -> String {
        let rows = self.rows();
        std::iter::once(crate::csv::line(&COLUMNS))
            .chain(rows.iter().map(|row| crate::csv::line(row)))
            .collect()
    }
}

/// Gathers what is known of a payment: at most a thousand of each kind.
///
/// # Errors
/// When the database does.
pub async fn gather(db: &Db, payment: &Payment) -> Result<Evidence, StoreError> {
    let mut names: Vec<String> = vec![payment.invoice.as_str().to_owned()];
    for id in payment.transaction_id.iter().chain(&tries::of_payment(db, payment.id).await?) {
        if !names.iter().any(|name| name == id.as_str()) {
            names.push(id.as_str().to_owned());
        }
    }
    let mut entries = Vec::new();
    entries.extend(asked(db, &names).await?);
    entries.extend(told(db, payment).await?);
    entries.extend(done(db, payment).await?);
    entries.extend(ordered(audit::of_subject(db, &format!("payment:{}", payment.invoice)).await?));
    entries.extend(ordered(audit::of_jobs(db, payment.id).await?));
    entries.extend(found(db, payment).await?);
    entries.sort_by_key(|entry| entry.at);
    for entry in &mut entries {
        entry.invoice = Some(payment.invoice.as_str().to_owned());
    }
    Ok(Evidence {
        invoice: payment.invoice.as_str().to_owned(),
        transaction_ids: names.into_iter().skip(1).collect(),
        method: payment.method.code(),
        amount: payment.amount,
        state: payment.state.as_str(),
        entries,
    })
}

/// Everything about one bill: what happened to each of its payments, and to itself.
#[derive(Debug)]
pub struct BillEvidence {
    /// The bill.
    pub bill: Bill,
    /// What happened, the oldest first.
    pub entries: Vec<Entry>,
}

/// Gathers what is known of a bill and its payments; none when there is no such bill, or it is void.
///
/// # Errors
/// When the database does.
pub async fn gather_bill(db: &Db, bill: BillId) -> Result<Option<BillEvidence>, StoreError> {
    let Some(bill) = bills::find(db, bill).await? else { return Ok(None) };
    let deeds = audit::of_subject(db, &format!("bill:{}", bill.id)).await?;
    let mut entries: Vec<Entry> = ordered(deeds).collect();
    for payment in payments::of_bill(db, bill.id).await? {
        entries.extend(gather(db, &payment).await?.entries);
    }
    entries.sort_by_key(|entry| entry.at);
    Ok(Some(BillEvidence { bill, entries }))
}

async fn asked(db: &Db, names: &[String]) -> Result<Vec<Entry>, StoreError> {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let calls = calls::of_names(db, &names).await?;
    Ok(calls
        .into_iter()
        .map(|call| Entry {
            at: call.at,
            kind: "asked",
            what: match call.http {
                Some(http) => format!("{} {}: {http}", call.method, call.path),
                None => format!("{} {}: no answer", call.method, call.path),
            },
            data: json!({
                "method": call.method, "path": call.path, "http": call.http, "error": call.error,
                "answer": parsed(&call.answer), "tookMs": u64::try_from(call.took.as_millis()).ok(),
            }),
            invoice: None,
        })
        .collect())
}

async fn told(db: &Db, payment: &Payment) -> Result<Vec<Entry>, StoreError> {
    let told = notifications::told_of(db, payment.id).await?;
    Ok(told
        .into_iter()
        .map(|told| Entry {
            at: told.time(),
            kind: "told",
            what: format!("a notification of {}", told.event.as_deref().unwrap_or("nothing we know")),
            data: json!({
                "seen": told.seen, "verified": told.verified, "outcome": told.outcome, "body": midtrans::masked(&told.body),
            }),
            invoice: None,
        })
        .collect())
}

/// What our own side did: moves, postings and jobs.
async fn done(db: &Db, payment: &Payment) -> Result<Vec<Entry>, StoreError> {
    let moves = history::of_payment(db, payment.id).await?.into_iter().map(|row| Entry {
        at: row.time(),
        kind: "moved",
        what: format!("{} by {}: {}", row.to_state, row.source, row.event),
        data: json!({ "from": row.from_state, "to": row.to_state, "event": row.event, "source": row.source, "detail": row.detail }),
        invoice: None,
    });
    let posted = journal::of_payment(db, payment.id).await?.into_iter().map(|posting| {
        let domain::Transfer { kind, debit, credit, amount } = posting.transfer;
        Entry {
            at: posting.at,
            kind: "posted",
            what: format!("{amount} from {} to {}", credit.as_str(), debit.as_str()),
            data: json!({ "kind": kind.as_str(), "debit": debit.as_str(), "credit": credit.as_str(), "amount": amount }),
            invoice: None,
        }
    });
    let worked = jobs::traces_of(db, payment.id).await?.into_iter().map(|trace| Entry {
        at: trace.time(),
        kind: "worked",
        what: format!("{}: {}", trace.kind, trace.outcome),
        data: json!({ "job": trace.kind, "attempt": trace.attempt, "outcome": trace.outcome, "note": trace.note }),
        invoice: None,
    });
    Ok(moves.chain(posted).chain(worked).collect())
}

/// What people ordered.
fn ordered(deeds: Vec<audit::Row>) -> impl Iterator<Item = Entry> {
    deeds.into_iter().map(|deed| Entry {
        at: DateTime::from_timestamp_millis(deed.at).unwrap_or_default(),
        kind: "ordered",
        what: format!("{} by {}", deed.action, deed.actor),
        data: json!({
            "actor": deed.actor, "action": deed.action, "reason": deed.reason,
            "before": deed.before.as_deref().map(parsed), "after": deed.after.as_deref().map(parsed),
        }),
        invoice: None,
    })
}

/// What was given back, what someone should know of, and what comparisons came to.
async fn found(db: &Db, payment: &Payment) -> Result<Vec<Entry>, StoreError> {
    let given = refunds::of_payment(db, payment.id).await?.into_iter().map(|refund| Entry {
        at: refund.created_at,
        kind: "refund",
        what: format!("{} {}", refund.amount, refund.state.as_str()),
        data: json!({
            "refundKey": refund.key, "amount": refund.amount, "state": refund.state.as_str(), "reason": refund.reason,
            "ours": refund.is_ours, "answer": refund.answer, "confirmedAt": refund.confirmed_at,
        }),
        invoice: None,
    });
    let findings = findings::of_payment(db, payment.id).await?.into_iter().map(|finding| Entry {
        at: finding.found_at,
        kind: "finding",
        what: format!("{}: {}", finding.kind.as_str(), finding.detail),
        data: json!({ "resolvedAt": finding.resolved_at, "resolution": finding.resolution, "by": finding.resolved_by }),
        invoice: None,
    });
    let compared = reconciliation_items::of_payment(db, payment.id).await?.into_iter().map(|item| Entry {
        at: item.time(),
        kind: "reconciled",
        what: item.verdict.clone(),
        data: json!({ "verdict": item.verdict, "before": item.before, "after": item.after, "detail": item.detail }),
        invoice: None,
    });
    Ok(given.chain(findings).chain(compared).collect())
}

/// A text that is JSON as what it says, and any other as the text it is.
fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}
