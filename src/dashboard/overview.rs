//! `/admin`: how the house and the service stand, on one page.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use chrono::TimeDelta;
use domain::today;
use maud::{Markup, html};
use store::jobs::{self, COUNTED_MAX, Depth};
use store::overview::{self, BILLS_MAX, Bucket, FINDINGS_MAX, MEASURED_MAX, Overview, Sum};

use super::chart::{Bar, bars};
use super::layout;
use super::live::{self, Parts};
use super::parts::{figure, flow, opt_time, span, up_to};
use super::session::Visitor;
use crate::http::{App, Problem};

pub(super) async fn show(State(app): State<Arc<App>>, visitor: Visitor) -> Result<Response, Problem> {
    let parts = parts_of(&app, &visitor).await?;
    let charts = charts(&app, &visitor).await?;
    let v = &visitor;
    let body = html! {
        (live::region("/admin/live", &parts))
        h2 { (v.t("Layanan", "Service")) }
        (charts)
    };
    Ok(layout::page(v, v.t("Ringkasan", "Overview"), &body))
}

pub(super) async fn live(State(app): State<Arc<App>>, visitor: Visitor) -> Result<Response, Problem> {
    live::stream(app, visitor, |app, visitor| async move { parts_of(&app, &visitor).await })
}

async fn parts_of(app: &App, v: &Visitor) -> Result<Parts, Problem> {
    let now = app.clock.now();
    let month = today(now).ok_or(Problem::Internal)?;
    let stands = overview::overview(&app.db, month, now).await?;
    let depth = jobs::depth(&app.db, now).await?;
    let waits = depth.oldest_due.map(|since| now - since);
    Ok(vec![("money", money(v, &stands)), ("work", work(v, (&stands, &depth), waits))])
}

fn money(v: &Visitor, stands: &Overview) -> Markup {
    let sum = |name: &str, sum: &Sum| {
        let more = sum.is_capped().then(|| v.t("lebih dari", "more than"));
        let amount = html! { @if let Some(more) = more { (more) " " } (flow(sum.amount)) };
        figure(name, &amount, &html! { (up_to(sum.count, BILLS_MAX)) " " (v.t("tagihan", "bills")) })
    };
    html! {
        h2 { (v.t("Tagihan bulan ini", "Bills of this month")) }
        div.figures {
            (sum(v.t("Lunas", "Paid"), &stands.paid))
            (sum(v.t("Sedang dibayar", "Pending"), &stands.pending))
            (sum(v.t("Belum dibayar", "Still due"), &stands.due))
            (sum(v.t("Terlambat, semua bulan", "Overdue, all months"), &stands.overdue))
        }
    }
}

fn work(v: &Visitor, (stands, depth): (&Overview, &Depth), waits: Option<TimeDelta>) -> Markup {
    // A wait below a minute is no news, and would change each second.
    let waits = waits.filter(|wait| *wait > TimeDelta::minutes(1)).map(|wait| span(&v.view, wait));
    let look = |to: &str| html! { a href=(to) { (v.t("Lihat", "Look")) } };
    html! {
        h2 { (v.t("Yang perlu diketahui", "Worth knowing")) }
        div.figures {
            (figure(v.t("Tugas menunggu", "Jobs due"), &up_to(depth.due, COUNTED_MAX),
                &html! { (v.t("tertua", "oldest")) " " (waits.as_deref().unwrap_or(v.t("di bawah 1 mnt", "under 1 min"))) }))
            (figure(v.t("Tugas mati", "Dead jobs"), &up_to(depth.dead, COUNTED_MAX), &look("/admin/jobs?state=dead")))
            (figure(v.t("Temuan terbuka", "Open findings"), &up_to(stands.findings_open, FINDINGS_MAX), &look("/admin/findings")))
            (figure(v.t("Notifikasi terlewat, 30 hari", "Missed notifications, 30 days"), &up_to(stands.gaps, FINDINGS_MAX), &look("/admin/findings?state=all&kind=missed_notification")))
            (figure(v.t("Midtrans terakhir menjawab", "Last successful poll"), &opt_time(stands.last_poll), &html! {}))
        }
    }
}

async fn charts(app: &App, v: &Visitor) -> Result<Markup, Problem> {
    let now = app.clock.now();
    let took = overview::latency(&app.db, now).await?;
    let done = overview::throughput(&took);
    let rescued = overview::recoveries(&app.db, now).await?;
    let count = |bucket: &Bucket| format!("{} {}", bucket.value, v.t("tugas", "jobs"));
    let length = |bucket: &Bucket| span(&v.view, TimeDelta::milliseconds(bucket.value));
    let of = |buckets: &[Bucket], label: &dyn Fn(&Bucket) -> String| {
        let bar = |bucket: &Bucket| Bar { from: bucket.from, value: bucket.value, label: label(bucket) };
        buckets.iter().map(bar).collect::<Vec<_>>()
    };
    let counted = |buckets: &[Bucket]| buckets.iter().map(|bucket| bucket.count).sum::<i64>();
    Ok(html! {
        @if counted(&took).max(counted(&rescued)) >= MEASURED_MAX {
            p.quiet { (v.t("Hanya", "Only the newest")) " " (MEASURED_MAX) " " (v.t("yang terbaru yang diukur.", "are measured.")) }
        }
        div.charts {
            (bars(&v.view, v.t("Tugas selesai tiap jam, 24 jam", "Jobs done an hour, 24 h"), &of(&done, &count)))
            (bars(&v.view, v.t("Waktu sampai selesai, 24 jam", "Time until done, 24 h"), &of(&took, &length)))
            (bars(&v.view, v.t("Waktu sampai yang terlewat ditemukan, 30 hari", "Time until what was missed was found, 30 days"), &of(&rescued, &length)))
        }
    })
}
