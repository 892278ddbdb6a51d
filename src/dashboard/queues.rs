//! `/admin/queues`: how much of each kind of work there is, and pausing a kind.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use domain::Rank;
use maud::{Markup, html};
use queue::KINDS;
use store::board::{self, Count, Paused};
use store::jobs::{self, COUNTED_MAX};

use super::form::{Form, done};
use super::live::{self, Parts};
use super::parts::{Action, Table, figure, select, span, time, up_to};
use super::session::Visitor;
use super::{layout, words};
use crate::http::admin::queues as rest;
use crate::http::{App, Named, Problem};

const HERE: &str = "/admin/queues";

pub(super) async fn list(State(app): State<Arc<App>>, visitor: Visitor) -> Result<Response, Problem> {
    let parts = parts_of(&app, &visitor).await?;
    let paused = board::paused(&app.db).await?;
    let v = &visitor;
    let body = html! {
        div.actions { (pausing(v, &paused)) }
        (live::region("/admin/queues/live", &parts))
    };
    Ok(layout::page(v, v.t("Antrean", "Queues"), &body))
}

pub(super) async fn live(State(app): State<Arc<App>>, visitor: Visitor) -> Result<Response, Problem> {
    live::stream(app, visitor, |app, visitor| async move { parts_of(&app, &visitor).await })
}

async fn parts_of(app: &App, v: &Visitor) -> Result<Parts, Problem> {
    let depth = jobs::depth(&app.db, app.clock.now()).await?;
    let counts = board::counts(&app.db, KINDS).await?;
    let paused = board::paused(&app.db).await?;
    let waits = depth.oldest_due.map(|since| span(&v.view, app.clock.now() - since));
    let figures = html! {
        div.figures {
            (figure(v.t("Menunggu dikerjakan", "Due"), &up_to(depth.due, COUNTED_MAX), &html! { (v.t("tertua", "oldest")) " " (waits.as_deref().unwrap_or("–")) }))
            (figure(v.t("Berjalan", "Running"), &up_to(depth.running, COUNTED_MAX), &html! {}))
            (figure(v.t("Mati", "Dead"), &up_to(depth.dead, COUNTED_MAX), &html! { a href="/admin/jobs?state=dead" { (v.t("Lihat", "Look")) } }))
        }
    };
    let rows = KINDS.iter().map(|kind| row(v, kind, &counts, &paused));
    let mut heads = vec![v.t("Jenis", "Kind")];
    heads.extend(words::JOB_STATES.iter().map(|state| words::job_state(&v.view, state)));
    heads.push(v.t("Jeda", "Pause"));
    let table = html! {
        h2 { (v.t("Menurut jenis", "By kind")) }
        (Table { name: v.t("Antrean menurut jenis", "Queues by kind"), heads: &heads, rows: rows.collect(), empty: "" }.show())
    };
    Ok(vec![("figures", figures), ("kinds", table)])
}

fn row(v: &Visitor, kind: &str, counts: &[Count], paused: &[Paused]) -> Vec<Markup> {
    let count = |state: &str| {
        let found = counts.iter().find(|count| count.kind == kind && count.state == state);
        let (number, more) = found.map_or((0, false), |count| (count.count, count.is_capped));
        html! {
            @if number == 0 { "0" }
            @else { a href={ "/admin/jobs?kind=" (kind) "&state=" (state) } aria-label={ (words::kind(&v.view, kind)) ", " (words::job_state(&v.view, state)) ": " (number) } { (number) @if more { "+" } } }
        }
    };
    let pause = paused.iter().find(|pause| pause.kind == kind);
    let mut cells = vec![html! { a href={ "/admin/jobs?kind=" (kind) } { (words::kind(&v.view, kind)) } }];
    cells.extend(words::JOB_STATES.iter().map(|state| count(state)));
    cells.push(html! {
        @match pause {
            Some(pause) => {
                (words::mark("paused", v.t("dijeda", "paused"))) " " (time(pause.paused_at))
                p.quiet { (pause.paused_by) ": " (pause.reason) }
            }
            None => (v.t("tidak", "no")),
        }
    });
    cells
}

fn pausing(v: &Visitor, paused: &[Paused]) -> Markup {
    let is_paused = |kind: &&str| paused.iter().any(|pause| pause.kind == *kind);
    let named = |kind: &'static str| (kind, words::kind(&v.view, kind));
    let going: Vec<_> = KINDS.iter().copied().filter(|kind| !is_paused(kind)).map(named).collect();
    let halted: Vec<_> = KINDS.iter().copied().filter(is_paused).map(named).collect();
    html! {
        @if !going.is_empty() {
            (Action {
                to: "/admin/queues/pause",
                name: v.t("Jeda satu jenis", "Pause a kind"),
                object: "",
                help: v.t("Yang berjalan diselesaikan; yang menunggu tetap menunggu. Tidak ada yang hilang.",
                    "What runs is finished; what waits goes on waiting. Nothing is lost."),
                rank: Rank::Staff,
                needs_reason: true,
                fields: select("kind", v.t("Jenis", "Kind"), &going, None),
            }.show(v))
        }
        @if !halted.is_empty() {
            (Action {
                to: "/admin/queues/resume",
                name: v.t("Lanjutkan satu jenis", "Resume a kind"),
                object: "",
                help: v.t("Yang menunggu dikerjakan lagi.", "What waits is done again."),
                rank: Rank::Staff,
                needs_reason: true,
                fields: select("kind", v.t("Jenis", "Kind"), &halted, None),
            }.show(v))
        }
    }
}

pub(super) async fn pause(State(app): State<Arc<App>>, form: Form) -> Result<Response, Problem> {
    let (staff, order) = (form.visitor.staff()?, form.order()?);
    let kind = Named(form.fields.need("kind")?);
    let _done = rest::pause(State(app), staff, kind, order).await?;
    Ok(done(HERE, "paused"))
}

pub(super) async fn resume(State(app): State<Arc<App>>, form: Form) -> Result<Response, Problem> {
    let (staff, order) = (form.visitor.staff()?, form.order()?);
    let kind = Named(form.fields.need("kind")?);
    let _done = rest::resume(State(app), staff, kind, order).await?;
    Ok(done(HERE, "resumed"))
}
