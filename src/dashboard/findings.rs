//! `/admin/findings`: what someone should know of, and what was done about it.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use domain::{FindingKind, Rank};
use maud::{Markup, html};
use store::findings::{self, Finding, Which};

use super::form::{Form, chosen, done};
use super::parts::{Action, Table, cut, filters, page_of, pager, select, time};
use super::session::Visitor;
use super::{layout, words};
use crate::http::admin::Row;
use crate::http::admin::findings as rest;
use crate::http::{App, Body, Problem};

const HERE: &str = "/admin/findings";

pub(super) async fn list(State(app): State<Arc<App>>, visitor: Visitor) -> Result<Response, Problem> {
    let v = &visitor;
    // Whoever comes without a wish comes for what is open.
    let state = chosen(&v.view, "state", &["open", "resolved", "all"]).unwrap_or("open");
    let kinds: Vec<&str> = FindingKind::ALL.iter().map(|kind| kind.as_str()).collect();
    let kind = chosen(&v.view, "kind", &kinds);
    let which = Which {
        resolved: (state != "all").then_some(state == "resolved"),
        kind: kind.and_then(|kind| FindingKind::try_from(kind).ok()),
    };
    let mut found = findings::list(&app.db, &which, page_of(&v.view)).await?;
    let next = cut(&mut found, |finding| finding.id.0);
    let rows = found.iter().map(|finding| row(v, finding)).collect();
    let body = html! {
        (filters(&v.view, &narrowing(v, state, kind)))
        p { a href={ "/admin/findings/export?" (v.view.query.link(&["after", "said"])) } download { (v.t("Unduh CSV", "Download CSV")) } }
        (Table {
            name: v.t("Temuan", "Findings"),
            heads: &[v.t("Temuan", "Finding"), v.t("Pembayaran", "Payment"), v.t("Ditemukan", "Found"), v.t("Keadaan", "State")],
            rows,
            empty: v.t("Tidak ada temuan: pembukuan dan Midtrans sepakat.", "No findings: books and gateway agree."),
        }.show())
        (pager(&v.view, next))
    };
    Ok(layout::page(v, v.t("Temuan", "Findings"), &body))
}

fn narrowing(v: &Visitor, state: &str, kind: Option<&str>) -> Markup {
    let states = [
        ("open", v.t("Belum ditangani", "Open")),
        ("resolved", v.t("Sudah ditangani", "Resolved")),
        ("all", v.t("Semua", "All")),
    ];
    let kinds: Vec<_> = std::iter::once(("", v.t("Semua jenis", "All kinds")))
        .chain(FindingKind::ALL.iter().map(|kind| (kind.as_str(), words::finding(&v.view, *kind))))
        .collect();
    html! {
        (select("state", v.t("Keadaan", "State"), &states, Some(state)))
        (select("kind", v.t("Jenis", "Kind"), &kinds, kind))
    }
}

fn row(v: &Visitor, finding: &Finding) -> Vec<Markup> {
    let resolve = Action {
        to: &format!("{HERE}/{}/resolve", finding.id),
        name: v.t("Tangani", "Resolve"),
        object: &format!("#{}", finding.id),
        help: v.t("Tulis apa yang diketahui dan dilakukan.", "Write what was found out and done."),
        rank: Rank::Staff,
        needs_reason: true,
        fields: html! {},
    };
    let state = html! {
        @match finding.resolved_at {
            Some(at) => {
                (words::mark("resolved", v.t("ditangani", "resolved"))) " " (time(at))
                p.quiet { (finding.resolution.as_deref().unwrap_or_default()) " " (finding.resolved_by.as_deref().unwrap_or_default()) }
            }
            None => { (words::mark("open", v.t("terbuka", "open"))) (resolve.show(v)) }
        }
    };
    vec![
        html! { strong { (words::finding(&v.view, finding.kind)) } p.quiet { (finding.detail) } },
        html! { @match &finding.invoice { Some(invoice) => a.mono href={ "/admin/payments/" (invoice) } { (invoice) }, None => "–" } },
        time(finding.found_at),
        state,
    ]
}

pub(super) async fn resolve(State(app): State<Arc<App>>, row: Row, form: Form) -> Result<Response, Problem> {
    let staff = form.visitor.staff()?;
    let resolution = rest::Resolution { reason: form.reason()? };
    let _finding = rest::resolve(State(app), staff, row, Body(resolution)).await?;
    Ok(done(HERE, "resolved"))
}

/// The same list as CSV.
pub(super) async fn export(State(app): State<Arc<App>>, visitor: Visitor) -> Result<Response, Problem> {
    let state = chosen(&visitor.view, "state", &["open", "resolved"]);
    let filter = rest::Filter {
        state: state
            .map(|state| if state == "open" { rest::FilterState::Open } else { rest::FilterState::Resolved }),
        kind: visitor.view.query.text("kind"),
    };
    rest::download(State(app), visitor.admin(), crate::http::admin::Asked(filter)).await
}
