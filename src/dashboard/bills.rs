//! `/admin/bills`: what tenants owe; one bill with everything that was done about it.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use domain::{BillId, BillStatus, Rank, Time};
use maud::{Markup, html};
use store::bills::{self, Entry};
use store::tenants::{self, Tenant};
use store::{Page, payments};

use super::form::{Form, done, missing};
use super::live::{self, Parts};
use super::parts::{
    Action, Table, cut, facts, field, money, opt_field, opt_time, page_of, pager, select, time,
};
use super::session::Visitor;
use super::{layout, timeline, words};
use crate::evidence;
use crate::http::admin::bills as rest;
use crate::http::admin::{Perhaps, Row};
use crate::http::{App, Body, Problem};

const HERE: &str = "/admin/bills";
/// As many tenants are offered to choose from.
const TENANTS_MAX: i64 = 500;

pub(super) async fn list(State(app): State<Arc<App>>, visitor: Visitor) -> Result<Response, Problem> {
    let mut found = bills::of_house(&app.db, page_of(&visitor.view)).await?;
    let next = cut(&mut found, |entry| entry.bill.id.0);
    // A bill is written for one of those who live here.
    let here = tenants::list(&app.db, Page { after: None, limit: TENANTS_MAX }).await?;
    let (v, now) = (&visitor, app.clock.now());
    let rows = found.iter().map(|entry| row(v, entry, now)).collect();
    let body = html! {
        div.actions { (adding(v, &here)) }
        (Table {
            name: v.t("Tagihan", "Bills"),
            heads: &[
                v.t("Tagihan", "Bill"), v.t("Penghuni", "Tenant"), v.t("Kamar", "Room"), v.t("Jumlah", "Amount"),
                v.t("Keadaan", "State"), v.t("Jatuh tempo", "Due"),
            ],
            rows,
            empty: v.t("Belum ada tagihan.", "There is no bill yet."),
        }.show())
        (pager(&v.view, next))
    };
    Ok(layout::page(v, v.t("Tagihan", "Bills"), &body))
}

fn adding(v: &Visitor, here: &[Tenant]) -> Markup {
    let named = here.iter().map(|one| (one.id.to_string(), format!("{} · {}", one.name, one.room_code)));
    let named: Vec<_> = named.collect();
    let choices: Vec<_> = named.iter().map(|(id, name)| (id.as_str(), name.as_str())).collect();
    Action {
        to: HERE,
        name: v.t("Tagihan lain", "Extra bill"),
        object: "",
        help: v.t(
            "Untuk titipan, binatu, listrik dan semacamnya.",
            "For a deposit, laundry, power and the like.",
        ),
        rank: Rank::Staff,
        needs_reason: true,
        fields: html! {
            (select("tenantId", v.t("Penghuni", "Tenant"), &choices, None))
            (field("title", v.t("Untuk apa", "What for"), "text"))
            (field("amount", v.t("Jumlah (rupiah)", "Amount (rupiah)"), "money"))
            (opt_field("dueOn", v.t("Jatuh tempo", "Due on"), "date", ""))
        },
    }
    .show(v)
}

fn title(entry: &Entry) -> String {
    let period = entry.bill.period;
    let month = format!("{}-{:02}", period.year(), period.month());
    entry.bill.title.as_ref().map_or_else(|| month.clone(), |title| format!("{title} ({month})"))
}

fn is_overdue(entry: &Entry, now: Time) -> bool {
    entry.bill.status != BillStatus::Paid && entry.bill.due_at.is_some_and(|due| due < now)
}

fn state(v: &Visitor, entry: &Entry, now: Time) -> Markup {
    let status = entry.bill.status.as_str();
    html! {
        (words::mark(status, words::bill_status(&v.view, status)))
        @if is_overdue(entry, now) { " " (words::mark("overdue", v.t("terlambat", "overdue"))) }
    }
}

fn row(v: &Visitor, entry: &Entry, now: Time) -> Vec<Markup> {
    vec![
        html! { a href={ (HERE) "/" (entry.bill.id) } { "#" (entry.bill.id) " " (title(entry)) } },
        html! { (entry.tenant_name) },
        html! { (entry.room_code) },
        money(entry.bill.amount),
        state(v, entry, now),
        opt_time(entry.bill.due_at),
    ]
}

pub(super) async fn show(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    Row(id): Row,
) -> Result<Response, Problem> {
    let entry = bills::entry(&app.db, BillId(id)).await?.ok_or(Problem::NotFound)?;
    let parts = parts_of(&app, &visitor, BillId(id)).await?;
    let v = &visitor;
    let body = html! {
        div.actions {
            @if entry.bill.status != BillStatus::Paid { (cash(v, id)) (void(v, id)) }
            a.button href={ "/admin/jobs?by=bill&q=" (id) } { (v.t("Tugas tagihan ini", "Jobs of this bill")) }
        }
        (live::region(&format!("{HERE}/{id}/live"), &parts))
    };
    Ok(layout::page(v, &format!("{} #{id}", v.t("Tagihan", "Bill")), &body))
}

pub(super) async fn live(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    Row(id): Row,
) -> Result<Response, Problem> {
    live::stream(app, visitor, move |app, visitor| async move { parts_of(&app, &visitor, BillId(id)).await })
}

async fn parts_of(app: &App, v: &Visitor, id: BillId) -> Result<Parts, Problem> {
    let entry = bills::entry(&app.db, id).await?.ok_or(Problem::NotFound)?;
    let tried = payments::of_bill(&app.db, id).await?;
    let about = facts(vec![
        (v.t("Untuk", "For"), html! { (title(&entry)) }),
        (v.t("Penghuni", "Tenant"), html! { (entry.tenant_name) " (#" (entry.bill.tenant_id) ")" }),
        (v.t("Kamar", "Room"), html! { (entry.room_code) }),
        (v.t("Jumlah", "Amount"), money(entry.bill.amount)),
        (v.t("Keadaan", "State"), html! { span role="status" { (state(v, &entry, app.clock.now())) } }),
        (v.t("Jatuh tempo", "Due"), opt_time(entry.bill.due_at)),
    ]);
    let rows = tried.iter().map(|payment| {
        let state = payment.state.as_str();
        vec![
            html! { a.mono href={ "/admin/payments/" (payment.invoice) } { (payment.invoice) } },
            html! { (payment.method.title()) },
            money(payment.amount),
            words::mark(state, words::payment_state(&v.view, state)),
            time(payment.created_at),
        ]
    });
    let tries = Table {
        name: v.t("Pembayaran tagihan ini", "Payments of this bill"),
        heads: &[
            v.t("Faktur", "Invoice"),
            v.t("Cara", "Method"),
            v.t("Jumlah", "Amount"),
            v.t("Keadaan", "State"),
            v.t("Dibuat", "Created"),
        ],
        rows: rows.collect(),
        empty: v.t("Belum ada yang mencoba membayar.", "Nobody has tried to pay yet."),
    };
    let evidence = evidence::gather_bill(&app.db, id).await?.ok_or(Problem::NotFound)?;
    let story = html! {
        h2 { (v.t("Pembayaran", "Payments")) }
        (tries.show())
        h2 { (v.t("Urutan kejadian", "Timeline")) }
        (timeline::show(v, &evidence.entries, true))
    };
    Ok(vec![("facts", about), ("story", story)])
}

fn cash(v: &Visitor, id: i64) -> Markup {
    Action {
        to: &format!("{HERE}/{id}/cash"),
        name: v.t("Terima tunai", "Take cash"),
        object: "",
        help: v.t(
            "Pembayaran lain yang sedang berjalan dibatalkan di Midtrans. Tulis dari siapa uangnya.",
            "Other payments under way are cancelled at the gateway. Write from whom the money came.",
        ),
        rank: Rank::Staff,
        needs_reason: true,
        fields: html! {},
    }
    .show(v)
}

fn void(v: &Visitor, id: i64) -> Markup {
    Action {
        to: &format!("{HERE}/{id}/void"),
        name: v.t("Batalkan tagihan", "Void the bill"),
        object: "",
        help: v.t(
            "Tidak ada yang berutang lagi. Tidak bisa selama sedang dibayar.",
            "Nobody owes it any more. Not while it is being paid.",
        ),
        rank: Rank::Staff,
        needs_reason: true,
        fields: html! {},
    }
    .show(v)
}

pub(super) async fn add(State(app): State<Arc<App>>, form: Form) -> Result<Response, Problem> {
    let staff = form.visitor.staff()?;
    form.reason()?;
    let new = rest::NewBill {
        tenant_id: domain::UserId(form.fields.read("tenantId")?.ok_or_else(|| missing("tenantId"))?),
        title: form.fields.need("title")?,
        amount: form.fields.rupiah("amount")?.ok_or_else(|| missing("amount"))?,
        month: None,
        year: None,
        due_at: form.fields.day("dueOn")?.map(domain::end_of_day),
        why: form.why(),
    };
    let _billed = rest::create(State(app), staff, Body(new)).await?;
    Ok(done(HERE, "added"))
}

pub(super) async fn take_cash(
    State(app): State<Arc<App>>,
    row: Row,
    form: Form,
) -> Result<Response, Problem> {
    let (staff, here) = (form.visitor.staff()?, format!("{HERE}/{}", row.0));
    let taken = rest::Taken { note: form.reason()? };
    let _paid = rest::mark_paid(State(app), staff, row, Body(taken)).await?;
    Ok(done(&here, "cash"))
}

pub(super) async fn make_void(
    State(app): State<Arc<App>>,
    row: Row,
    form: Form,
) -> Result<Response, Problem> {
    let staff = form.visitor.staff()?;
    let _done = rest::void(State(app), staff, row, Perhaps(form.why())).await?;
    Ok(done(HERE, "voided"))
}
