//! `/admin/jobs`: the board of jobs, narrowed down as one likes, and what can be done to many at once.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use domain::{BillId, Rank, Time, UserId};
use maud::{Markup, html};
use queue::KINDS;
use store::audit::By;
use store::board::{self, About, Filter, JobRow};

use super::form::{Fields, Form, done};
use super::live::{self, Parts};
use super::parts::{Action, Table, cut, filters, opt_field, page_of, pager, select, span, time};
use super::session::Visitor;
use super::{layout, words};
use crate::http::{App, Problem};

pub(super) const HERE: &str = "/admin/jobs";
/// By what jobs are found.
const SUBJECTS: [&str; 5] = ["invoice", "bill", "tenant", "room", "error"];

pub(super) async fn list(State(app): State<Arc<App>>, visitor: Visitor) -> Result<Response, Problem> {
    let v = &visitor;
    let parts = parts_of(&app, v).await?;
    let query = v.view.query.link(&["said", "seen"]);
    let body = html! {
        (filters(&v.view, &narrowing(v)))
        (live::region(&format!("{HERE}/live?{query}"), &parts))
        div.actions { (bulk(v)) }
    };
    Ok(layout::page(v, v.t("Tugas", "Jobs"), &body))
}

pub(super) async fn live(State(app): State<Arc<App>>, visitor: Visitor) -> Result<Response, Problem> {
    live::stream(app, visitor, |app, mut visitor| async move {
        // The links of the parts are those of the page.
        HERE.clone_into(&mut visitor.view.path);
        parts_of(&app, &visitor).await
    })
}

async fn parts_of(app: &App, v: &Visitor) -> Result<Parts, Problem> {
    let filter = filter(&v.view.query)?;
    let mut found = board::list(&app.db, &filter, page_of(&v.view)).await?;
    let next = cut(&mut found.jobs, |job| job.id.0);
    let now = app.clock.now();
    let list = html! {
        (Table {
            name: v.t("Tugas", "Jobs"),
            heads: &[v.t("Tugas", "Job"), v.t("Keadaan", "State"), v.t("Percobaan", "Attempts"), v.t("Kapan", "When"), v.t("Galat terakhir", "Last error")],
            rows: found.jobs.iter().map(|job| row(v, job, now)).collect(),
            empty: v.t("Tidak ada tugas seperti itu.", "There is no such job."),
        }.show())
        @if let Some(id) = found.searched_down_to {
            p.quiet {
                (v.t("Yang lebih lama belum dicari.", "Older ones were not looked at yet.")) " "
                a href={ (HERE) "?" (v.view.query.link(&["after", "said", "seen"])) "&after=" (id) } { (v.t("Cari lebih jauh", "Search further")) }
            }
        }
        (pager(&v.view, next))
    };
    Ok(vec![("list", list)])
}

/// What a query, or a form that carries it along, asks for.
fn filter(fields: &Fields) -> Result<Filter, Problem> {
    let about = match (fields.get("by").unwrap_or("invoice"), fields.words("q")?) {
        (_, None) => None,
        ("invoice", Some(text)) => Some(About::Invoice(text)),
        ("bill", Some(_)) => fields.read("q")?.map(|id| About::Bill(BillId(id))),
        ("tenant", Some(_)) => fields.read("q")?.map(|id| About::Tenant(UserId(id))),
        ("room", Some(text)) => Some(About::Room(text)),
        ("error", Some(text)) => Some(About::Error(text)),
        (other, Some(_)) => return Err(Problem::Unprocessable(format!("`by` makes no sense: {other:?}"))),
    };
    let known = |name: &str, all: &[&str]| fields.text(name).filter(|word| all.contains(&word.as_str()));
    Ok(Filter { state: known("state", &words::JOB_STATES), kind: known("kind", KINDS), about })
}

fn narrowing(v: &Visitor) -> Markup {
    let asked = |name: &str| v.view.query.get(name);
    let all = ("", v.t("Semua", "All"));
    let states: Vec<_> = std::iter::once(all)
        .chain(words::JOB_STATES.iter().map(|state| (*state, words::job_state(&v.view, state))))
        .collect();
    let kinds: Vec<_> =
        std::iter::once(all).chain(KINDS.iter().map(|kind| (*kind, words::kind(&v.view, kind)))).collect();
    let names = [
        v.t("Faktur atau nomor transaksi", "Invoice or order id"),
        v.t("Nomor tagihan", "Bill number"),
        v.t("Nomor penghuni", "Tenant number"),
        v.t("Kode kamar", "Room code"),
        v.t("Isi galat", "Error text"),
    ];
    let subjects: Vec<_> = SUBJECTS.into_iter().zip(names).collect();
    html! {
        (select("state", v.t("Keadaan", "State"), &states, asked("state")))
        (select("kind", v.t("Jenis", "Kind"), &kinds, asked("kind")))
        (select("by", v.t("Cari menurut", "Search by"), &subjects, asked("by")))
        (opt_field("q", v.t("Yang dicari", "Search for"), "text", asked("q").unwrap_or_default()))
    }
}

fn row(v: &Visitor, job: &JobRow, now: Time) -> Vec<Markup> {
    let error = job.last_error.as_deref().unwrap_or("–");
    vec![
        html! {
            a href={ (HERE) "/" (job.id) } { "#" (job.id) " " (words::kind(&v.view, &job.kind)) }
            @if let Some(invoice) = &job.invoice { br; a.mono.small href={ "/admin/payments/" (invoice) } { (invoice) } }
        },
        words::mark(&job.state, words::job_state(&v.view, &job.state)),
        html! { (job.attempts) " / " (job.max_attempts) },
        when(v, job, now),
        html! { span title=(error) { (beginning(error)) } },
    ]
}

/// When it will run, since when it is due, or when it ended.
pub(super) fn when(v: &Visitor, job: &JobRow, now: Time) -> Markup {
    let ahead = job.run_at - now;
    html! {
        @if job.state == "ready" && ahead > chrono::TimeDelta::zero() {
            (v.t("dalam", "in")) " " (span(&v.view, ahead))
        } @else if job.state == "ready" {
            (v.t("sekarang", "due"))
        } @else {
            (time(job.finished_at.or(job.started_at).unwrap_or(job.run_at)))
        }
    }
}

/// The beginning of a long text.
fn beginning(text: &str) -> String {
    const SHOWN: usize = 120;
    let mut shown: String = text.chars().take(SHOWN).collect();
    if text.chars().count() > SHOWN {
        shown.push('…');
    }
    shown
}

/// What can be done to all that the filter finds.
fn bulk(v: &Visitor) -> Markup {
    let query = &v.view.query;
    let hidden = |names: &[&str]| {
        html! { @for name in names { input type="hidden" name=(name) value=(query.get(name).unwrap_or_default()); } }
    };
    let limit = v.t(
        "Semua yang cocok dengan saringan di atas, paling banyak 1000 sekaligus.",
        "All that match the filter above, at most 1000 at once.",
    );
    html! {
        (Action {
            to: "/admin/jobs/retry",
            name: v.t("Ulangi semua yang mati", "Retry all dead"),
            object: "",
            help: limit,
            rank: Rank::Staff,
            needs_reason: true,
            fields: hidden(&["kind", "by", "q"]),
        }.show(v))
        (Action {
            to: "/admin/jobs/cancel",
            name: v.t("Batalkan semua yang menunggu atau mati", "Cancel all ready or dead"),
            object: "",
            help: limit,
            rank: Rank::Staff,
            needs_reason: true,
            fields: hidden(&["state", "kind", "by", "q"]),
        }.show(v))
    }
}

pub(super) async fn retry_all(State(app): State<Arc<App>>, form: Form) -> Result<Response, Problem> {
    let (staff, reason) = (form.visitor.staff()?, form.reason()?);
    let by = By { actor: &staff.actor(), reason: Some(&reason), now: app.clock.now() };
    let bulk = board::retry_all(&app.db, &filter(&form.fields)?, &by).await?;
    app.queue.wake(bulk.wake);
    Ok(done(HERE, "bulk"))
}

pub(super) async fn cancel_all(State(app): State<Arc<App>>, form: Form) -> Result<Response, Problem> {
    let (staff, reason) = (form.visitor.staff()?, form.reason()?);
    let by = By { actor: &staff.actor(), reason: Some(&reason), now: app.clock.now() };
    board::cancel_all(&app.db, &filter(&form.fields)?, &by).await?;
    Ok(done(HERE, "bulk"))
}
