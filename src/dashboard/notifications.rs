//! `/admin/notifications`: what the gateway told us, what became of it, and telling it to ourselves once more.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use domain::{NotificationId, Rank};
use maud::{Markup, html};
use serde_json::Value;
use store::audit::{self, By};
use store::notifications::{self, NotificationFilter, Received};

use super::form::{Form, done};
use super::parts::{
    Action, Table, cut, facts, filters, opt, opt_field, opt_time, page_of, pager, select, time,
};
use super::session::Visitor;
use super::{layout, timeline, words};
use crate::http::admin::notifications as rest;
use crate::http::admin::{Perhaps, Row};
use crate::http::{App, Problem};

const HERE: &str = "/admin/notifications";
/// What of a notification tells of the payer (contract §3).
const PERSONAL: [&str; 9] = [
    "customer_details",
    "customer_name",
    "email",
    "phone",
    "masked_card",
    "saved_token_id",
    "va_number",
    "permata_va_number",
    "payment_code",
];

pub(super) async fn list(State(app): State<Arc<App>>, visitor: Visitor) -> Result<Response, Problem> {
    let v = &visitor;
    let query = &v.view.query;
    let filter = NotificationFilter { order: query.words("order")?, pending: query.get("pending").is_some() };
    let mut found = notifications::list(&app.db, &filter, page_of(&v.view)).await?;
    let next = cut(&mut found, |one| one.id.0);
    let pending = [("", v.t("Semua", "All")), ("yes", v.t("Belum diproses", "Not processed yet"))];
    let fields = html! {
        (opt_field("order", v.t("Order atau faktur", "Order id or invoice"), "text", query.get("order").unwrap_or_default()))
        (select("pending", v.t("Keadaan", "State"), &pending, query.get("pending")))
    };
    let body = html! {
        (filters(&v.view, &fields))
        (Table {
            name: v.t("Notifikasi", "Notifications"),
            heads: &[v.t("Nomor", "Number"), v.t("Order", "Order id"), v.t("Diterima", "Received"), v.t("Tanda tangan", "Signature"), v.t("Kali", "Seen"), v.t("Hasil", "Outcome")],
            rows: found.iter().map(|one| row(v, one)).collect(),
            empty: v.t("Belum ada notifikasi.", "There is no notification yet."),
        }.show())
        (pager(&v.view, next))
    };
    Ok(layout::page(v, v.t("Notifikasi", "Notifications"), &body))
}

fn signature(v: &Visitor, one: &Received) -> Markup {
    match one.verified {
        true => words::mark("done", v.t("benar", "valid")),
        false => words::mark("failed", v.t("salah", "wrong")),
    }
}

fn row(v: &Visitor, one: &Received) -> Vec<Markup> {
    vec![
        html! { a href={ (HERE) "/" (one.id) } { "#" (one.id) " " (one.kind) } },
        html! { span.mono { (opt(one.order_id.as_deref())) } },
        time(one.received_at),
        signature(v, one),
        html! { (one.seen) "×" },
        html! { (one.outcome.as_deref().unwrap_or(v.t("belum diproses", "not processed yet"))) },
    ]
}

pub(super) async fn show(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    Row(id): Row,
) -> Result<Response, Problem> {
    page(&app, &visitor, id, false).await
}

/// The body as it came. Who looks at it is written down first.
pub(super) async fn reveal(
    State(app): State<Arc<App>>,
    Row(id): Row,
    form: Form,
) -> Result<Response, Problem> {
    let (staff, reason) = (form.visitor.staff()?, form.reason()?);
    let by = By { actor: &staff.actor(), reason: Some(&reason), now: app.clock.now() };
    audit::note(&app.db, ("notification.reveal", format!("notification:{id}")), &by).await?;
    page(&app, &form.visitor, id, true).await
}

async fn page(app: &App, v: &Visitor, id: i64, is_whole: bool) -> Result<Response, Problem> {
    let (one, text) = notifications::body_of(&app.db, NotificationId(id)).await?.ok_or(Problem::NotFound)?;
    let shown = shown(&text, is_whole);
    let order = |what: &str, name: &str, help: &str| {
        let to = format!("{HERE}/{id}/{what}");
        Action { to: &to, name, object: "", help, rank: Rank::Staff, needs_reason: true, fields: html! {} }
            .show(v)
    };
    let body = html! {
        (facts(vec![
            (v.t("Jenis", "Kind"), html! { (one.kind) }),
            (v.t("Order", "Order id"), html! { span.mono { (opt(one.order_id.as_deref())) } }),
            (v.t("Pembayaran", "Payment"), html! { @match &one.invoice { Some(invoice) => a.mono href={ "/admin/payments/" (invoice) } { (invoice) }, None => "–" } }),
            (v.t("Nomor transaksi", "Transaction id"), html! { span.mono { (opt(one.transaction_id.as_deref())) } }),
            (v.t("Tanda tangan", "Signature"), signature(v, &one)),
            (v.t("Diterima", "Received"), time(one.received_at)),
            (v.t("Kali", "Seen"), html! { (one.seen) "×" }),
            (v.t("Diproses", "Processed"), opt_time(one.processed_at)),
            (v.t("Hasil", "Outcome"), opt(one.outcome.as_deref())),
        ]))
        div.actions {
            (order("replay", v.t("Proses lagi", "Replay"), v.t("Diproses seperti baru datang. Uang hanya bergerak menurut jawaban Midtrans sendiri.",
                "Processed as if it had just come. Money moves only by the gateway's own answer.")))
            @if !is_whole {
                (order("reveal", v.t("Tampilkan lengkap", "Reveal"), v.t("Siapa yang melihat tercatat di jejak audit.", "The audit log says who looked.")))
            }
        }
        h2 { (v.t("Isi", "Body")) }
        pre { (timeline::pretty(&shown)) }
    };
    Ok(layout::page(v, &format!("{} #{id}", v.t("Notifikasi", "Notification")), &body))
}

/// What of a body is shown.
fn shown(text: &str, is_whole: bool) -> Value {
    match serde_json::from_str(text) {
        Ok(body) if is_whole => body,
        Ok(mut body) => {
            midtrans::mask(&mut body);
            hide_persons(&mut body);
            body
        }
        Err(_) if is_whole => Value::from(text),
        // Where in such a text the payer is told of, nobody can say.
        Err(_) => Value::from("…"),
    }
}

/// Hides what tells of the payer: whoever needs it reveals it.
fn hide_persons(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match PERSONAL.contains(&name.as_str()) {
                    true => *value = Value::from("…"),
                    false => hide_persons(value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(hide_persons),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

pub(super) async fn replay(
    State(app): State<Arc<App>>,
    Row(id): Row,
    form: Form,
) -> Result<Response, Problem> {
    let staff = form.visitor.staff()?;
    form.reason()?;
    let _accepted = rest::replay(State(app), staff, Row(id), Perhaps(form.why())).await?;
    Ok(done(&format!("{HERE}/{id}"), "replayed"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_tells_of_the_payer_is_hidden_wherever_it_stands() {
        let mut body = json!({
            "order_id": "KSR-1", "va_numbers": [{ "bank": "bca", "va_number": "700112" }],
            "customer_details": { "email": "budi@kost.test" },
        });
        hide_persons(&mut body);
        let text = body.to_string();
        assert!(text.contains("KSR-1") && text.contains("bca"), "{text}");
        assert!(!text.contains("700112") && !text.contains("budi"), "{text}");
    }

    #[test]
    fn a_body_that_cannot_be_read_to_its_end_hides_the_payer_too() {
        let body = r#"{"order_id":"KSR-1","customer_name":"Budi \ud800"}"#;
        assert_eq!(shown(body, false), "…");
        assert_eq!(shown(body, true), body);
    }
}
