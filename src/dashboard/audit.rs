//! `/admin/audit`: who did what when, and whether the log is whole.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use chrono::DateTime;
use maud::{Markup, html};
use store::audit::{self, AuditFilter, Row, Verified};

use super::layout;
use super::parts::{Table, cut, filters, opt, opt_field, page_of, pager, time};
use super::session::Visitor;
use crate::http::{App, Problem};

pub(super) async fn list(State(app): State<Arc<App>>, visitor: Visitor) -> Result<Response, Problem> {
    let v = &visitor;
    let query = &v.view.query;
    let filter = AuditFilter {
        actor: query.words("actor")?,
        action: query.words("action")?,
        subject: query.words("subject")?,
    };
    let mut found = audit::list(&app.db, &filter, page_of(&v.view)).await?;
    let next = cut(&mut found, |row| row.id);
    let verified = match v.view.query.get("verify") {
        Some(_) => Some(audit::verify(&app.db).await?),
        None => None,
    };
    let body = html! {
        @match &verified {
            Some(verified) => (told(v, verified)),
            None => div.actions { a.button href="/admin/audit?verify=yes" { (v.t("Periksa keutuhan", "Verify the chain")) } },
        }
        (filters(&v.view, &narrowing(v)))
        (Table {
            name: v.t("Jejak audit", "Audit log"),
            heads: &[v.t("Kapan", "When"), v.t("Siapa", "Who"), v.t("Apa", "What"), v.t("Terhadap", "To what"), v.t("Alasan", "Reason"), v.t("Perubahan", "Change")],
            rows: found.iter().map(|one| row(v, one)).collect(),
            empty: v.t("Belum ada yang dilakukan.", "Nothing was done yet."),
        }.show())
        (pager(&v.view, next))
    };
    Ok(layout::page(v, v.t("Jejak audit", "Audit log"), &body))
}

fn narrowing(v: &Visitor) -> Markup {
    let typed = |name: &str| v.view.query.get(name).unwrap_or_default();
    html! {
        (opt_field("actor", v.t("Siapa (surel)", "Who (e-mail)"), "text", typed("actor")))
        (opt_field("action", v.t("Apa, mis. job.retry", "What, e.g. job.retry"), "text", typed("action")))
        (opt_field("subject", v.t("Terhadap, mis. bill:7", "To what, e.g. bill:7"), "text", typed("subject")))
    }
}

/// Each row's hash covers the row before it, so that none can be changed or taken out unseen.
fn told(v: &Visitor, verified: &Verified) -> Markup {
    html! {
        @match verified.broken_at {
            None => p.notice.good role="status" {
                (v.t("Utuh.", "Whole.")) " " (verified.rows) " " (v.t("baris terantai.", "rows are chained."))
                @if verified.unchained > 0 { " " (verified.unchained) " " (v.t("baris lebih tua dari rantainya.", "rows are older than the chain.")) }
                br; (v.t("Simpan di tempat lain untuk dibandingkan kelak:", "Keep elsewhere, to compare one day:")) " " code { (verified.head) }
            },
            Some(id) => p.notice.bad role="alert" {
                (v.t("RUSAK mulai baris", "BROKEN from row")) " " (id) ". "
                (v.t("Seseorang mengubah atau menghapus baris di luar Kasir.", "Somebody changed or removed a row behind Kasir's back."))
            },
        }
    }
}

fn row(v: &Visitor, one: &Row) -> Vec<Markup> {
    let at = DateTime::from_timestamp_millis(one.at).unwrap_or_default();
    vec![
        time(at),
        html! { span.small { (one.actor) } },
        html! { code { (one.action) } },
        html! { (subject(&one.subject)) },
        opt(one.reason.as_deref()),
        html! {
            @if one.before.is_some() || one.after.is_some() {
                details.data {
                    summary { (v.t("Rincian", "Details")) }
                    pre { (one.before.as_deref().unwrap_or("–")) " → " (one.after.as_deref().unwrap_or("–")) }
                }
            } @else { "–" }
        },
    ]
}

/// What was changed, with the way to its page where it has one.
fn subject(subject: &str) -> Markup {
    let page = match subject.split_once(':') {
        Some(("payment", invoice)) => Some(format!("/admin/payments/{invoice}")),
        Some(("bill", id)) => Some(format!("/admin/bills/{id}")),
        Some(("job", id)) => Some(format!("/admin/jobs/{id}")),
        Some(("notification", id)) => Some(format!("/admin/notifications/{id}")),
        Some(_) | None => None,
    };
    html! { @match page { Some(page) => a.small href=(page) { (subject) }, None => span.small { (subject) } } }
}
