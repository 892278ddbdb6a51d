//! `/admin/statements`: the gateway's statements that were imported, and importing another.

use std::io::Cursor;
use std::sync::Arc;

use axum::extract::multipart::{MultipartError, MultipartRejection};
use axum::extract::{DefaultBodyLimit, Multipart, State};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::{MethodRouter, get};
use domain::{Rank, StatementKind};
use maud::{Markup, html};
use midtrans::export::Limits;
use store::audit::By;
use store::statements::{self, Statement};

use super::form::{check_token, is_from_here};
use super::parts::{Table, facts, flow, opt_time, reason, time};
use super::session::Visitor;
use super::{layout, words};
use crate::http::admin::{REASON_CHARS_MAX, text};
use crate::http::{App, Problem};
use crate::importing::{self, Difference, ImportError, Report, Upload};

/// So many are listed.
const LISTED: i64 = 100;
/// Files together have at most so many bytes here; `kasir import` takes larger ones.
const BYTES_MAX: usize = 16 * 1024 * 1024;
/// And so many files.
const FILES_MAX: usize = 10;
/// The longest name of a file.
const NAME_CHARS_MAX: usize = 255;
/// So many differences are shown; all of them are findings.
const SHOWN: usize = 200;

pub(super) fn routes() -> MethodRouter<Arc<App>> {
    get(list).post(import).layer(DefaultBodyLimit::max(BYTES_MAX))
}

async fn list(State(app): State<Arc<App>>, visitor: Visitor) -> Result<Response, Problem> {
    let found = statements::newest(&app.db, LISTED).await?;
    let v = &visitor;
    let body = html! {
        @if v.may(Rank::Staff) { (importing_form(v)) }
        h2 { (v.t("Sudah diimpor", "Imported")) }
        (Table {
            name: v.t("Laporan Midtrans", "Statements"),
            heads: &[v.t("Berkas", "File"), v.t("Jenis", "Kind"), v.t("Baris", "Rows"), v.t("Baru", "New"), v.t("Masa", "Span"), v.t("Diimpor", "Imported")],
            rows: found.iter().map(|one| row(v, one)).collect(),
            empty: v.t("Belum ada laporan. Unduh CSV dari dasbor Midtrans lalu impor di sini.", "No statement yet. Download a CSV from the Midtrans dashboard and import it here."),
        }.show())
    };
    Ok(layout::page(v, v.t("Laporan Midtrans", "Statements"), &body))
}

fn importing_form(v: &Visitor) -> Markup {
    html! {
        form.card method="post" action="/admin/statements" enctype="multipart/form-data" {
            input type="hidden" name="csrf" value=(v.csrf);
            label { (v.t("Berkas CSV dari dasbor Midtrans (Transactions, Balance statement, Payout)", "CSV files of the Midtrans dashboard (Transactions, Balance statement, Payout)"))
                input type="file" name="files" accept=".csv,text/csv" multiple required; }
            label.check { input type="checkbox" name="dryRun" value="true"; (v.t("Hanya coba, tidak menulis apa pun", "Dry run, writing nothing")) }
            (reason(&v.view, true))
            button { (v.t("Impor dan cocokkan", "Import and compare")) }
        }
    }
}

fn kind(v: &Visitor, kind: StatementKind) -> &'static str {
    match kind {
        StatementKind::Transactions => v.t("Transaksi", "Transactions"),
        StatementKind::Balance => v.t("Saldo", "Balance statement"),
        StatementKind::Payout => v.t("Pencairan", "Payout"),
    }
}

fn row(v: &Visitor, one: &Statement) -> Vec<Markup> {
    vec![
        html! { (one.name) },
        html! { (kind(v, one.kind)) },
        html! { (one.rows) },
        html! { (one.new_rows) },
        html! { (opt_time(one.first_at)) " – " (opt_time(one.last_at)) },
        html! { (time(one.imported_at)) p.quiet { (one.imported_by) } },
    ]
}

/// What the form held.
#[derive(Default)]
struct Sent {
    csrf: String,
    reason: String,
    is_dry: bool,
    uploads: Vec<Upload<Cursor<Vec<u8>>>>,
}

async fn read(mut form: Multipart) -> Result<Sent, Problem> {
    let mut sent = Sent::default();
    let broken = |error: MultipartError| match error.status() {
        axum::http::StatusCode::PAYLOAD_TOO_LARGE => Problem::TooLarge,
        _ => Problem::Malformed(error.body_text()),
    };
    while let Some(field) = form.next_field().await.map_err(broken)? {
        match field.name().unwrap_or_default() {
            "csrf" => sent.csrf = field.text().await.map_err(broken)?,
            "reason" => field.text().await.map_err(broken)?.trim().clone_into(&mut sent.reason),
            "dryRun" => sent.is_dry = true,
            "files" => {
                let name = field.file_name().filter(|name| !name.is_empty()).unwrap_or("statement.csv");
                let name = text("files", name, NAME_CHARS_MAX)?.to_owned();
                let bytes = field.bytes().await.map_err(broken)?;
                sent.uploads.push(Upload { name, reader: Cursor::new(bytes.to_vec()) });
            }
            _ => {}
        }
    }
    Ok(sent)
}

async fn import(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    headers: HeaderMap,
    form: Result<Multipart, MultipartRejection>,
) -> Result<Response, Problem> {
    let staff = visitor.staff()?;
    if !is_from_here(&headers) {
        return Err(Problem::ForeignForm);
    }
    let sent = read(form.map_err(|error| Problem::Malformed(error.body_text()))?).await?;
    check_token(&visitor, &sent.csrf)?;
    let wrong = |why: &str| Err(Problem::Unprocessable(why.to_owned()));
    let reason = text("reason", &sent.reason, REASON_CHARS_MAX)?;
    if sent.uploads.is_empty() || sent.uploads.len() > FILES_MAX {
        return wrong("`files` are 1 to 10 files");
    }
    let options = importing::Options {
        payout_days: app.settings.payout_days,
        dry_run: sent.is_dry,
        limits: Limits::default(),
        progress: &|_, _| {},
    };
    let by = By { actor: &staff.actor(), reason: Some(reason), now: app.clock.now() };
    let report = match importing::import(&app.db, sent.uploads, &options, &by).await {
        Ok(report) => report,
        Err(ImportError::File { name, cause }) => {
            return Err(Problem::Unprocessable(format!("{name}: {cause}")));
        }
        Err(ImportError::Store(error)) => return Err(error.into()),
    };
    Ok(told(&visitor, &report))
}

/// What the import came to.
fn told(v: &Visitor, report: &Report) -> Response {
    let said = if report.dry_run { "rehearsed" } else { "imported" };
    let files = report.files.iter().map(|file| {
        vec![
            html! { (file.name) },
            html! { (kind(v, file.kind)) },
            html! { (file.rows) },
            html! { (file.new) },
        ]
    });
    let counts = &report.counts;
    let differences = report.differences.iter().take(SHOWN).map(difference);
    let body = html! {
        p.notice.good role="status" { (words::said(&v.view, said).unwrap_or_default()) }
        @if report.agrees() { p { (v.t("Pembukuan, Midtrans dan pencairan sepakat.", "Books, gateway and payouts agree.")) } }
        (Table {
            name: v.t("Berkas", "Files"),
            heads: &[v.t("Berkas", "File"), v.t("Jenis", "Kind"), v.t("Baris", "Rows"), v.t("Baru", "New")],
            rows: files.collect(),
            empty: "",
        }.show())
        h2 { (v.t("Hasil", "Outcome")) }
        (facts(vec![
            (v.t("Cocok", "Matched"), html! { (counts.matched) }),
            (v.t("Lebih", "Over"), html! { (counts.over) }),
            (v.t("Kurang", "Under"), html! { (counts.under) }),
            (v.t("Hilang", "Missing"), html! { (counts.missing) }),
            (v.t("Dibalik", "Reversed"), html! { (counts.reversed) }),
            (v.t("Perlu dilihat", "Manual"), html! { (counts.manual) }),
            (v.t("Biaya dibukukan", "Fees posted"), flow(report.posted.fees)),
            (v.t("PPN dibukukan", "VAT posted"), flow(report.posted.vat)),
            (v.t("Pencairan dibukukan", "Payouts posted"), flow(report.posted.payouts)),
        ]))
        h2 { (v.t("Perbedaan", "Differences")) " (" (report.differences.len()) ")" }
        (Table {
            name: v.t("Perbedaan", "Differences"),
            heads: &[v.t("Order", "Order"), v.t("Hasil", "Outcome"), v.t("Mengapa", "Why")],
            rows: differences.collect(),
            empty: v.t("Tidak ada.", "None."),
        }.show())
        p { a href="/admin/findings" { (v.t("Ke temuan", "To the findings")) } " · " a href="/admin/statements" { (v.t("Ke laporan", "To the statements")) } }
    };
    layout::page(v, v.t("Hasil impor", "What the import came to"), &body)
}

fn difference(one: &Difference) -> Vec<Markup> {
    vec![
        html! { a.mono href={ "/admin/payments?text=" (one.order) } { (one.order) } },
        words::mark("finding", one.outcome.as_str()),
        html! { (one.why) },
    ]
}
