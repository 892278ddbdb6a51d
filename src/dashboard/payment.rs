//! `/admin/payments/{invoice}`: one attempt to pay, its timeline, and what can be done about it.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use domain::{Payment, Rank, Refund, State as Life};
use maud::{Markup, html};
use store::refunds;

use super::form::{Form, done};
use super::live::{self, Parts};
use super::parts::{Action, Table, facts, money, opt, opt_field, opt_time, time};
use super::payments::HERE;
use super::session::Visitor;
use super::{layout, timeline, words};
use crate::evidence;
use crate::http::admin::Perhaps;
use crate::http::admin::payments as rest;
use crate::http::{App, Named, Problem, of_caller};

pub(super) async fn show(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    Named(invoice): Named,
) -> Result<Response, Problem> {
    let payment = of_caller(&app, &visitor.person, &invoice).await?;
    let parts = parts_of(&app, &visitor, &invoice).await?;
    let v = &visitor;
    let body = html! {
        div.actions {
            (actions(v, &payment, &app.clock.ulid()))
            a.button href={ "/admin/jobs?by=invoice&q=" (payment.invoice) } { (v.t("Tugas pembayaran ini", "Jobs of this payment")) }
        }
        (live::region(&format!("{HERE}/{invoice}/live"), &parts))
        p {
            a href={ (HERE) "/" (invoice) "/evidence" } download { (v.t("Unduh semua bukti (CSV)", "Download all evidence (CSV)")) }
        }
    };
    Ok(layout::page(v, &invoice, &body))
}

pub(super) async fn live(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    Named(invoice): Named,
) -> Result<Response, Problem> {
    live::stream(app, visitor, move |app, visitor| {
        let invoice = invoice.clone();
        async move { parts_of(&app, &visitor, &invoice).await }
    })
}

async fn parts_of(app: &App, v: &Visitor, invoice: &str) -> Result<Parts, Problem> {
    let payment = of_caller(app, &v.person, invoice).await?;
    let given = refunds::of_payment(&app.db, payment.id).await?;
    let evidence = evidence::gather(&app.db, &payment).await?;
    let story = html! {
        @if !given.is_empty() { h2 { (v.t("Pengembalian", "Refunds")) } (refunds_table(v, &given)) }
        h2 { (v.t("Urutan kejadian", "Timeline")) }
        (timeline::show(v, &evidence.entries, false))
    };
    Ok(vec![("facts", about(v, &payment)), ("story", story)])
}

fn about(v: &Visitor, payment: &Payment) -> Markup {
    let word = payment.state.as_str();
    let why = payment.state.failure().map(|failure| words::payment_state(&v.view, failure.as_str()));
    facts(vec![
        (
            v.t("Keadaan", "State"),
            html! { span role="status" { (words::mark(word, words::payment_state(&v.view, word))) @if let Some(why) = why { " " (why) } } },
        ),
        (v.t("Jumlah", "Amount"), money(payment.amount)),
        (v.t("Cara", "Method"), html! { (payment.method.title()) }),
        (
            v.t("Tagihan", "Bill"),
            html! { a href={ "/admin/bills/" (payment.bill_id) } { "#" (payment.bill_id) } },
        ),
        (
            v.t("Penghuni", "Tenant"),
            html! { a href={ (HERE) "?tenant=" (payment.tenant_id) } { "#" (payment.tenant_id) } },
        ),
        (
            v.t("Nomor transaksi", "Transaction id"),
            html! { span.mono { (opt(payment.transaction_id.as_ref())) } },
        ),
        (v.t("Dibuat", "Created"), time(payment.created_at)),
        (v.t("Lunas", "Paid"), opt_time(payment.paid_at)),
        (v.t("Terakhir ditanyakan", "Last checked"), opt_time(payment.checked_at)),
        (v.t("Berakhir", "Expires"), opt_time(payment.expires_at)),
        (v.t("Tidak diinginkan sejak", "Given up"), opt_time(payment.superseded_at)),
    ])
}

fn refunds_table(v: &Visitor, given: &[Refund]) -> Markup {
    let rows = given.iter().map(|refund| {
        let word = refund.state.as_str();
        vec![
            money(refund.amount),
            html! { (words::mark(word, words::refund_state(&v.view, refund.state))) @if let Some(answer) = &refund.answer { p.quiet { (answer) } } },
            html! { (refund.reason) },
            time(refund.created_at),
        ]
    });
    Table {
        name: v.t("Pengembalian", "Refunds"),
        heads: &[
            v.t("Jumlah", "Amount"),
            v.t("Keadaan", "State"),
            v.t("Alasan", "Reason"),
            v.t("Diminta", "Asked for"),
        ],
        rows: rows.collect(),
        empty: "",
    }
    .show()
}

/// What can be done to the payment as it stands. The server decides once more when it is done.
fn actions(v: &Visitor, payment: &Payment, once: &str) -> Markup {
    let to = |what: &str| format!("{HERE}/{}/{what}", payment.invoice);
    let order = |what: &str, rank: Rank, name: &str, help: &str| {
        Action { to: &to(what), name, object: "", help, rank, needs_reason: true, fields: html! {} }.show(v)
    };
    let given_back = matches!(payment.state, Life::Paid | Life::PartiallyRefunded { .. });
    html! {
        (order("sync", Rank::Staff, v.t("Tanyakan ke Midtrans", "Sync"), v.t("Midtrans ditanya bagaimana keadaannya, lalu pembukuan mengikuti.",
            "The gateway is asked how it stands, and the books follow.")))
        @if payment.state.is_live() {
            (order("cancel", Rank::Staff, v.t("Batalkan pembayaran", "Cancel payment"), v.t("Dibatalkan di Midtrans dulu. Kalau ternyata sudah dibayar, ia tetap lunas.",
                "It is cancelled at the gateway first. Should it turn out to be paid, it stays paid.")))
        }
        @if payment.state == Life::Review {
            (order("approve", Rank::Owner, v.t("Terima uangnya", "Approve"), v.t("Uang kartu ini diambil.", "The card's money is taken.")))
            (order("deny", Rank::Owner, v.t("Tolak", "Deny"), v.t("Uang kartu ini tidak diambil.", "The card's money is not taken.")))
        }
        @if given_back {
            (Action {
                to: &to("refund"),
                name: v.t("Kembalikan uang", "Refund"),
                object: "",
                help: v.t("Tanpa jumlah, semua yang tersisa dikembalikan. Formulir yang sama tidak pernah mengembalikan dua kali.",
                    "Without an amount, all that is left. The same form never gives back twice."),
                rank: Rank::Owner,
                needs_reason: true,
                fields: html! {
                    input type="hidden" name="once" value=(once);
                    (opt_field("amount", v.t("Jumlah (rupiah)", "Amount (rupiah)"), "money", ""))
                },
            }.show(v))
        }
    }
}

pub(super) async fn sync(State(app): State<Arc<App>>, named: Named, form: Form) -> Result<Response, Problem> {
    let (staff, here) = (form.visitor.staff()?, format!("{HERE}/{}", named.0));
    form.reason()?;
    let _asked = rest::sync(State(app), staff, named, Perhaps(form.why())).await?;
    Ok(done(&here, "asking"))
}

pub(super) async fn cancel(
    State(app): State<Arc<App>>,
    named: Named,
    form: Form,
) -> Result<Response, Problem> {
    let (staff, here) = (form.visitor.staff()?, format!("{HERE}/{}", named.0));
    form.reason()?;
    let _asked = rest::cancel(State(app), staff, named, Perhaps(form.why())).await?;
    Ok(done(&here, "giving-up"))
}

pub(super) async fn approve(
    State(app): State<Arc<App>>,
    named: Named,
    form: Form,
) -> Result<Response, Problem> {
    let (owner, here) = (form.visitor.owner()?, format!("{HERE}/{}", named.0));
    form.reason()?;
    let _told = rest::approve(State(app), owner, named, Perhaps(form.why())).await?;
    Ok(done(&here, "deciding"))
}

pub(super) async fn deny(State(app): State<Arc<App>>, named: Named, form: Form) -> Result<Response, Problem> {
    let (owner, here) = (form.visitor.owner()?, format!("{HERE}/{}", named.0));
    form.reason()?;
    let _told = rest::deny(State(app), owner, named, Perhaps(form.why())).await?;
    Ok(done(&here, "deciding"))
}

/// The form carries a name of its own, so that sending it twice is one refund.
pub(super) async fn refund(
    State(app): State<Arc<App>>,
    named: Named,
    form: Form,
) -> Result<Response, Problem> {
    let (owner, once) = (form.visitor.owner()?, form.fields.need("once")?);
    let wish = rest::Wish { amount: form.fields.rupiah("amount")?, reason: form.reason()? };
    let unique = format!("{once}-{}", owner.0.id);
    let _refund = rest::give_back(&app, &owner, (&named.0, &unique, &wish)).await?;
    Ok(done(&format!("{HERE}/{}", named.0), "refunding"))
}

/// All that is known, for a spreadsheet.
pub(super) async fn download(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    Named(invoice): Named,
) -> Result<Response, Problem> {
    let payment = of_caller(&app, &visitor.person, &invoice).await?;
    let csv = evidence::gather(&app.db, &payment).await?.csv();
    Ok(crate::http::admin::export::as_csv(&format!("evidence-{invoice}"), csv))
}
