//! `/admin/jobs/{id}`: one job, every attempt at it, what another would come to, and what can be done about it.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use domain::{JobId, Rank};
use maud::{Markup, html};
use store::board::{self, AttemptRow, JobRow};

use super::form::{Form, done};
use super::jobs::HERE;
use super::live::{self, Parts};
use super::parts::{Action, Table, facts, opt, opt_time, span, time};
use super::session::Visitor;
use super::{layout, timeline, words};
use crate::foresight::foresee;
use crate::http::admin::Row;
use crate::http::admin::jobs as rest;
use crate::http::{App, Problem};

pub(super) async fn show(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    Row(id): Row,
) -> Result<Response, Problem> {
    let parts = parts_of(&app, &visitor, JobId(id)).await?;
    let v = &visitor;
    let body = live::region(&format!("{HERE}/{id}/live"), &parts);
    Ok(layout::page(v, &format!("{} #{id}", v.t("Tugas", "Job")), &body))
}

pub(super) async fn live(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    Row(id): Row,
) -> Result<Response, Problem> {
    live::stream(app, visitor, move |app, visitor| async move { parts_of(&app, &visitor, JobId(id)).await })
}

/// What can be done is a part of its own: it changes with the state alone, so that nobody's typing is swept away.
async fn parts_of(app: &App, v: &Visitor, id: JobId) -> Result<Parts, Problem> {
    let job = board::find(&app.db, id).await?.ok_or(Problem::NotFound)?;
    let attempts = board::attempts(&app.db, id).await?;
    let (indonesian, english) = foresee(&app.db, &job).await?.says();
    let can = html! {
        div.actions { (actions(v, &job)) }
        @if job.state != "done" {
            p.notice { strong { (v.t("Kalau dikerjakan sekarang: ", "If it were done now: ")) } (v.t(indonesian, english)) }
        }
    };
    let story = html! {
        h2 { (v.t("Percobaan", "Attempts")) }
        (attempts_table(v, &attempts))
        h2 { (v.t("Muatan", "Payload")) }
        pre { (timeline::pretty(&rest::payload(&job))) }
    };
    Ok(vec![("facts", about(v, &job)), ("can", can), ("story", story)])
}

fn about(v: &Visitor, job: &JobRow) -> Markup {
    let took = job.started_at.zip(job.finished_at).filter(|(from, to)| from <= to);
    html! {
        (facts(vec![
            (v.t("Jenis", "Kind"), html! { (words::kind(&v.view, &job.kind)) " " code { (job.kind) } }),
            (v.t("Keadaan", "State"), html! { span role="status" { (words::mark(&job.state, words::job_state(&v.view, &job.state))) } }),
            (v.t("Faktur", "Invoice"), html! { @match &job.invoice { Some(invoice) => a.mono href={ "/admin/payments/" (invoice) } { (invoice) }, None => "–" } }),
            (v.t("Notifikasi", "Notification"), html! { @match job.notification_id { Some(id) => a href={ "/admin/notifications/" (id) } { "#" (id) }, None => "–" } }),
            (v.t("Percobaan", "Attempts"), html! { (job.attempts) " / " (job.max_attempts) }),
            (v.t("Dibuat", "Created"), time(job.created_at)),
            (v.t("Berikutnya", "Next run"), html! { @if job.state == "ready" { (time(job.run_at)) } @else { "–" } }),
            (v.t("Dimulai", "Started"), opt_time(job.started_at)),
            (v.t("Berakhir", "Ended"), opt_time(job.finished_at)),
            (v.t("Lamanya", "Took"), opt(took.map(|(from, to)| span(&v.view, to - from)))),
        ]))
        @if let Some(error) = &job.last_error {
            h2 { (v.t("Galat terakhir", "Last error")) }
            pre { (error) }
        }
    }
}

fn attempts_table(v: &Visitor, attempts: &[AttemptRow]) -> Markup {
    let rows = attempts.iter().map(|one| {
        let took = one.started_at.map(|from| span(&v.view, one.finished_at - from));
        vec![
            html! { (one.attempt) },
            words::mark(&one.outcome, words::outcome(&v.view, &one.outcome)),
            opt_time(one.started_at),
            opt(took),
            opt(one.note.as_deref()),
        ]
    });
    Table {
        name: v.t("Percobaan", "Attempts"),
        heads: &[
            v.t("Ke", "No."),
            v.t("Hasil", "Outcome"),
            v.t("Dimulai", "Started"),
            v.t("Lamanya", "Took"),
            v.t("Keterangan", "Note"),
        ],
        rows: rows.collect(),
        empty: v.t("Belum pernah dicoba.", "Not tried yet."),
    }
    .show()
}

fn actions(v: &Visitor, job: &JobRow) -> Markup {
    let order = |what: &str, name: &str, help: &str| {
        let to = format!("{HERE}/{}/{what}", job.id);
        Action { to: &to, name, object: "", help, rank: Rank::Staff, needs_reason: true, fields: html! {} }
            .show(v)
    };
    let cancel = || {
        order(
            "cancel",
            v.t("Batalkan tugas", "Cancel job"),
            v.t(
                "Tidak dikerjakan lagi. Yang terlewat tetap dicari penyapu dan rekonsiliasi.",
                "It is not done any more. What is missed is still found by the sweep and the reconciliation.",
            ),
        )
    };
    html! {
        @match job.state.as_str() {
            "dead" => {
                (order("retry", v.t("Ulangi", "Retry"), v.t("Dikerjakan lagi sekarang, dengan hitungan percobaan dari awal.",
                    "Done again now, with its attempts counted from the beginning.")))
                (cancel())
            }
            "ready" => {
                (order("run", v.t("Kerjakan sekarang", "Run now"), v.t("Tidak menunggu waktunya.", "It does not wait for its time.")))
                (cancel())
            }
            _ => {}
        }
    }
}

pub(super) async fn retry(
    State(app): State<Arc<App>>,
    Row(id): Row,
    form: Form,
) -> Result<Response, Problem> {
    let _job = rest::retry(State(app), form.visitor.staff()?, Row(id), form.order()?).await?;
    Ok(done(&format!("{HERE}/{id}"), "retried"))
}

pub(super) async fn cancel(
    State(app): State<Arc<App>>,
    Row(id): Row,
    form: Form,
) -> Result<Response, Problem> {
    let _job = rest::cancel(State(app), form.visitor.staff()?, Row(id), form.order()?).await?;
    Ok(done(&format!("{HERE}/{id}"), "cancelled"))
}

pub(super) async fn run(State(app): State<Arc<App>>, Row(id): Row, form: Form) -> Result<Response, Problem> {
    let _job = rest::run(State(app), form.visitor.staff()?, Row(id), form.order()?).await?;
    Ok(done(&format!("{HERE}/{id}"), "hurried"))
}
