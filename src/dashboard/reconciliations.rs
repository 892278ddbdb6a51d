//! `/admin/reconciliations`: comparisons of our books with the gateway's, and what each came to.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use domain::Rank;
use maud::{Markup, html};
use store::reconciliation_items::{self as items, Item, Verdict};
use store::reconciliations::{self, Run};

use super::form::{Form, chosen, done};
use super::live::{self, Parts};
use super::parts::{
    Action, Table, cut, facts, filters, opt_field, opt_time, page_of, pager, select, span, time,
};
use super::session::Visitor;
use super::{layout, words};
use crate::http::admin::reconciliations as rest;
use crate::http::admin::{Perhaps, Row};
use crate::http::{App, Problem};

const HERE: &str = "/admin/reconciliations";

pub(super) async fn list(State(app): State<Arc<App>>, visitor: Visitor) -> Result<Response, Problem> {
    let mut found = reconciliations::list(&app.db, page_of(&visitor.view)).await?;
    let next = cut(&mut found, |run| run.id);
    let v = &visitor;
    let body = html! {
        div.actions { (starting(v)) }
        (Table {
            name: v.t("Rekonsiliasi", "Reconciliations"),
            heads: &[
                v.t("Nomor", "Number"), v.t("Masa", "Window"), v.t("Keadaan", "State"), v.t("Cocok", "Agreed"),
                v.t("Diperbaiki", "Repaired"), v.t("Temuan", "Findings"), v.t("Tak terjawab", "No answer"), v.t("Oleh", "By"),
            ],
            rows: found.iter().map(|run| row(v, run)).collect(),
            empty: v.t("Belum pernah dicocokkan. Setiap malam terjadi sendiri.", "Nothing was compared yet. Each night it happens by itself."),
        }.show())
        (pager(&v.view, next))
    };
    Ok(layout::page(v, v.t("Rekonsiliasi", "Reconciliations"), &body))
}

fn starting(v: &Visitor) -> Markup {
    Action {
        to: HERE,
        name: v.t("Cocokkan sekarang", "Reconcile now"),
        object: "",
        help: v.t("Tanpa tanggal: tujuh hari terakhir.", "Without days: the last seven."),
        rank: Rank::Staff,
        needs_reason: true,
        fields: html! {
            (opt_field("from", v.t("Dari", "From"), "date", ""))
            (opt_field("to", v.t("Sampai", "To"), "date", ""))
            label.check { input type="checkbox" name="dryRun" value="true"; (v.t("Hanya coba, tidak mengubah apa pun", "Dry run, changing nothing")) }
        },
    }
    .show(v)
}

fn state(v: &Visitor, run: &Run) -> Markup {
    html! {
        (words::mark(&run.state, words::verdict(&v.view, &run.state)))
        @if run.is_dry { " " (v.t("(coba)", "(dry run)")) }
    }
}

fn window(run: &Run) -> Markup {
    html! { (domain::date_of(run.from)) " – " (domain::date_of(run.to)) }
}

fn row(v: &Visitor, run: &Run) -> Vec<Markup> {
    let tally = run.tally;
    vec![
        html! { a href={ (HERE) "/" (run.id) } { "#" (run.id) " " (words::run_kind(&v.view, &run.kind)) } },
        window(run),
        state(v, run),
        html! { (tally.agreed) },
        html! { (tally.repaired) },
        html! { (tally.findings) },
        html! { (tally.errors) },
        html! { (run.wanted_by) },
    ]
}

pub(super) async fn show(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    Row(id): Row,
) -> Result<Response, Problem> {
    let parts = parts_of(&app, &visitor, id).await?;
    let v = &visitor;
    let words_of: Vec<&str> = Verdict::ALL.iter().map(|verdict| verdict.as_str()).collect();
    let wanted = chosen(&v.view, "verdict", &words_of);
    let verdict = Verdict::ALL.into_iter().find(|verdict| Some(verdict.as_str()) == wanted);
    let mut found = items::items(&app.db, id, verdict, page_of(&v.view)).await?;
    let next = cut(&mut found, |item| item.id);
    let choices: Vec<_> = std::iter::once(("", v.t("Semua", "All")))
        .chain(words_of.iter().map(|word| (*word, words::verdict(&v.view, word))))
        .collect();
    let body = html! {
        (live::region(&format!("{HERE}/{id}/live"), &parts))
        h2 { (v.t("Pembayaran", "Payments")) }
        (filters(&v.view, &select("verdict", v.t("Hasil", "Verdict"), &choices, wanted)))
        (Table {
            name: v.t("Pembayaran", "Payments"),
            heads: &[v.t("Faktur", "Invoice"), v.t("Hasil", "Verdict"), v.t("Sebelum", "Before"), v.t("Sesudah", "After"), v.t("Keterangan", "Detail"), v.t("Waktu", "When")],
            rows: found.iter().map(|item| item_row(v, item)).collect(),
            empty: v.t("Belum ada.", "None yet."),
        }.show())
        (pager(&v.view, next))
    };
    Ok(layout::page(v, &format!("{} #{id}", v.t("Rekonsiliasi", "Reconciliation")), &body))
}

fn item_row(v: &Visitor, item: &Item) -> Vec<Markup> {
    vec![
        html! { a.mono href={ "/admin/payments/" (item.invoice) } { (item.invoice) } },
        words::mark(&item.verdict, words::verdict(&v.view, &item.verdict)),
        html! { (words::payment_state(&v.view, &item.before)) },
        html! { (words::payment_state(&v.view, &item.after)) },
        html! { (item.detail) },
        time(item.time()),
    ]
}

pub(super) async fn live(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    Row(id): Row,
) -> Result<Response, Problem> {
    live::stream(app, visitor, move |app, visitor| async move { parts_of(&app, &visitor, id).await })
}

async fn parts_of(app: &App, v: &Visitor, id: i64) -> Result<Parts, Problem> {
    let run = reconciliations::find(&app.db, id).await?.ok_or(Problem::NotFound)?;
    let took = run.started_at.zip(run.finished_at).map(|(from, to)| span(&v.view, to - from));
    let about = facts(vec![
        (v.t("Keadaan", "State"), html! { span role="status" { (state(v, &run)) } }),
        (v.t("Masa", "Window"), window(&run)),
        (v.t("Ditanyakan", "Asked"), html! { (run.tally.asked) " / " (run.total) }),
        (v.t("Cocok", "Agreed"), html! { (run.tally.agreed) }),
        (v.t("Diperbaiki", "Repaired"), html! { (run.tally.repaired) }),
        (v.t("Temuan", "Findings"), html! { (run.tally.findings) }),
        (v.t("Tak terjawab", "No answer"), html! { (run.tally.errors) }),
        (v.t("Oleh", "By"), html! { (run.wanted_by) }),
        (v.t("Dimulai", "Started"), opt_time(run.started_at)),
        (v.t("Lamanya", "Took"), html! { (took.as_deref().unwrap_or("–")) }),
    ]);
    Ok(vec![("facts", about)])
}

pub(super) async fn start(State(app): State<Arc<App>>, form: Form) -> Result<Response, Problem> {
    let staff = form.visitor.staff()?;
    form.reason()?;
    let order = rest::Order {
        from: form.fields.day("from")?,
        to: form.fields.day("to")?,
        dry_run: form.fields.get("dryRun").is_some(),
        why: form.why(),
    };
    let (_accepted, Json(run)) = rest::start(State(app), staff, Perhaps(order)).await?;
    Ok(done(&format!("{HERE}/{}", run.id), "comparing"))
}
