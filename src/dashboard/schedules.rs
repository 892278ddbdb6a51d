//! `/admin/schedules`: what happens by the clock, when it did last and will next.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use domain::{Rank, Time};
use maud::{Markup, html};
use queue::{Line, SCHEDULE};
use store::audit::{self, By};
use store::board::{self, JobRow};

use super::form::{Form, done};
use super::parts::{Action, Table, opt_time};
use super::session::Visitor;
use super::{layout, words};
use crate::http::{App, Named, Problem};

const HERE: &str = "/admin/schedules";

pub(super) async fn list(State(app): State<Arc<App>>, visitor: Visitor) -> Result<Response, Problem> {
    let (v, now) = (&visitor, app.clock.now());
    let mut rows = Vec::new();
    for line in SCHEDULE {
        let last = board::last_of_kind(&app.db, line.kind).await?;
        rows.push(row(v, line, last.as_ref(), now));
    }
    let body = html! {
        p.quiet { (v.t("Waktu Jakarta: detik, menit, jam, tanggal, bulan, hari.", "Jakarta time: second, minute, hour, day, month, weekday.")) }
        (Table {
            name: v.t("Jadwal", "Schedules"),
            heads: &[v.t("Apa", "What"), v.t("Cron", "Cron"), v.t("Terakhir", "Last run"), v.t("Berikutnya", "Next run"), v.t("Tindakan", "Actions")],
            rows,
            empty: "",
        }.show())
    };
    Ok(layout::page(v, v.t("Jadwal", "Schedules"), &body))
}

fn row(v: &Visitor, line: &Line, last: Option<&JobRow>, now: Time) -> Vec<Markup> {
    let name = words::line(&v.view, line.name);
    let run = Action {
        to: &format!("{HERE}/{}/run", line.name),
        name: v.t("Jalankan", "Run now"),
        object: name,
        help: v.t("Dikerjakan sekarang, di luar jadwal.", "Done now, besides the schedule."),
        rank: Rank::Staff,
        needs_reason: true,
        fields: html! {},
    };
    vec![
        html! { strong { (name) } },
        html! { code { (line.cron) } },
        html! {
            @match last {
                Some(job) => {
                    a href={ "/admin/jobs/" (job.id) } { (opt_time(job.finished_at.or(job.started_at).or(Some(job.run_at)))) }
                    " " (words::mark(&job.state, words::job_state(&v.view, &job.state)))
                }
                None => (v.t("belum pernah", "never")),
            }
        },
        opt_time(line.next(now)),
        run.show(v),
    ]
}

pub(super) async fn run(
    State(app): State<Arc<App>>,
    Named(name): Named,
    form: Form,
) -> Result<Response, Problem> {
    let staff = form.visitor.staff()?;
    let line = SCHEDULE.iter().find(|line| line.name == name).ok_or(Problem::NotFound)?;
    let (now, reason) = (app.clock.now(), form.reason()?);
    let job = line.job(now).ok_or(Problem::Internal)?;
    let by = By { actor: &staff.actor(), reason: Some(&reason), now };
    app.queue.wake(audit::order(&app.db, ("schedule.run", format!("schedule:{name}")), job, &by).await?);
    Ok(done(HERE, "ordered"))
}
