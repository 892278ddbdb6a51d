//! `/admin/payments`: every attempt to pay, narrowed down as one likes.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use domain::{BillId, Method, Payment, UserId, start_of_day, start_of_day_after};
use maud::{Markup, html};
use store::payments::{self, PaymentFilter};

use super::form::chosen;
use super::parts::{Table, cut, filters, money, opt_field, page_of, pager, select, time};
use super::session::Visitor;
use super::{layout, words};
use crate::http::{App, Problem};

pub(super) const HERE: &str = "/admin/payments";

pub(super) async fn list(State(app): State<Arc<App>>, visitor: Visitor) -> Result<Response, Problem> {
    let v = &visitor;
    let methods: Vec<&str> = Method::offered().map(|method| method.code()).collect();
    let state = chosen(&v.view, "state", &words::PAYMENT_STATES);
    let method = chosen(&v.view, "method", &methods);
    let query = &v.view.query;
    let filter = PaymentFilter {
        state: state.map(str::to_owned),
        method: method.map(str::to_owned),
        tenant: query.read("tenant")?.map(UserId),
        bill: query.read("bill")?.map(BillId),
        room: query.words("room")?,
        from: query.day("from")?.map(start_of_day),
        until: query.day("to")?.map(start_of_day_after),
        text: query.words("text")?,
    };
    let mut found = payments::search(&app.db, &filter, page_of(&v.view)).await?;
    let next = cut(&mut found, |payment| payment.id.0);
    let rows = found.iter().map(|payment| row(v, payment)).collect();
    let body = html! {
        (filters(&v.view, &narrowing(v, state, method)))
        (Table {
            name: v.t("Pembayaran", "Payments"),
            heads: &[
                v.t("Faktur", "Invoice"), v.t("Tagihan", "Bill"), v.t("Cara", "Method"), v.t("Jumlah", "Amount"),
                v.t("Keadaan", "State"), v.t("Dibuat", "Created"),
            ],
            rows,
            empty: v.t("Tidak ada pembayaran seperti itu.", "There is no such payment."),
        }.show())
        (pager(&v.view, next))
    };
    Ok(layout::page(v, v.t("Pembayaran", "Payments"), &body))
}

fn narrowing(v: &Visitor, state: Option<&str>, method: Option<&str>) -> Markup {
    let states: Vec<_> = std::iter::once(("", v.t("Semua", "All")))
        .chain(words::PAYMENT_STATES.iter().map(|state| (*state, words::payment_state(&v.view, state))))
        .collect();
    let methods: Vec<_> = std::iter::once(("", v.t("Semua", "All")))
        .chain(Method::offered().map(|method| (method.code(), method.title())))
        .collect();
    let typed = |name: &str| v.view.query.get(name).unwrap_or_default();
    html! {
        (opt_field("text", v.t("Faktur atau nomor transaksi", "Invoice or transaction id"), "text", typed("text")))
        (select("state", v.t("Keadaan", "State"), &states, state))
        (select("method", v.t("Cara bayar", "Method"), &methods, method))
        (opt_field("tenant", v.t("Nomor penghuni", "Tenant number"), "number", typed("tenant")))
        (opt_field("room", v.t("Kamar", "Room"), "text", typed("room")))
        (opt_field("from", v.t("Dari", "From"), "date", typed("from")))
        (opt_field("to", v.t("Sampai", "To"), "date", typed("to")))
    }
}

fn row(v: &Visitor, payment: &Payment) -> Vec<Markup> {
    let word = payment.state.as_str();
    let why = payment.state.failure().map(|failure| words::payment_state(&v.view, failure.as_str()));
    vec![
        html! { a.mono href={ (HERE) "/" (payment.invoice) } { (payment.invoice) } },
        html! { a href={ "/admin/bills/" (payment.bill_id) } { "#" (payment.bill_id) } },
        html! { (payment.method.title()) },
        money(payment.amount),
        html! { (words::mark(word, words::payment_state(&v.view, word))) @if let Some(why) = why { " " (why) } },
        time(payment.created_at),
    ]
}
