//! The frame around each page: head, menu, what was just done, and the pages for failures.

use axum::response::{Html, IntoResponse as _, Response};
use domain::Rank;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::session::{View, Visitor};
use super::{assets, words};
use crate::http::Problem;

/// htmx neither brings styles of its own nor runs texts as script: the policy of our pages allows neither.
const HTMX: &str =
    r#"{"includeIndicatorStyles":false,"allowEval":false,"allowScriptTags":false,"selfRequestsOnly":true}"#;

struct Section {
    title: (&'static str, &'static str),
    pages: &'static [(&'static str, &'static str, &'static str)],
}

const MENU: [Section; 4] = [
    Section {
        title: ("Uang", "Money"),
        pages: &[
            ("/admin", "Ringkasan", "Overview"),
            ("/admin/payments", "Pembayaran", "Payments"),
            ("/admin/findings", "Temuan", "Findings"),
            ("/admin/reconciliations", "Rekonsiliasi", "Reconciliations"),
            ("/admin/statements", "Laporan Midtrans", "Statements"),
            ("/admin/balance", "Neraca saldo", "Trial balance"),
        ],
    },
    Section {
        title: ("Pekerjaan", "Work"),
        pages: &[
            ("/admin/jobs", "Tugas", "Jobs"),
            ("/admin/queues", "Antrean", "Queues"),
            ("/admin/schedules", "Jadwal", "Schedules"),
            ("/admin/notifications", "Notifikasi", "Notifications"),
        ],
    },
    Section {
        title: ("Rumah", "House"),
        pages: &[
            ("/admin/bills", "Tagihan", "Bills"),
            ("/admin/tenants", "Penghuni", "Tenants"),
            ("/admin/rooms", "Kamar", "Rooms"),
            ("/admin/methods", "Cara bayar", "Payment methods"),
        ],
    },
    Section {
        title: ("Pengurus", "Administration"),
        pages: &[("/admin/audit", "Jejak audit", "Audit log"), ("/admin/people", "Pengurus", "People")],
    },
];

/// A page of the dashboard.
pub(super) fn page(visitor: &Visitor, title: &str, body: &Markup) -> Response {
    let view = &visitor.view;
    let body = html! {
        a.skip href="#content" { (view.t("Langsung ke isi", "Skip to content")) }
        header.top {
            details.menu {
                summary { (view.t("Menu", "Menu")) }
                nav aria-label=(view.t("Menu ringkas", "Short menu")) { (menu(view)) }
            }
            a.brand href="/admin" { "Kasir" }
            div.me {
                span.who { (visitor.person.name) " · " (words::rank(view, visitor.person.rank)) }
                (looks(view))
                form method="post" action="/admin/logout" {
                    input type="hidden" name="csrf" value=(visitor.csrf);
                    button.plain { (view.t("Keluar", "Log out")) }
                }
            }
        }
        div.frame {
            nav.side aria-label=(view.t("Menu utama", "Main menu")) { (menu(view)) }
            main #content tabindex="-1" {
                @if let Some(said) = view.query.get("said").and_then(|slug| words::said(view, slug)) {
                    p.notice.good role="status" { (said) }
                }
                h1 { (title) }
                @if visitor.person.rank == Rank::Viewer {
                    p.quiet { (view.t("Anda hanya dapat melihat.", "You may look, and change nothing.")) }
                }
                (body)
            }
        }
    };
    html_of(view, title, &body).into_response()
}

/// A page for somebody who is not logged in, or for a failure.
pub(super) fn bare(view: &View, title: &str, body: &Markup) -> Html<String> {
    html_of(view, title, &html! { main.bare #content { (body) footer { (looks(view)) } } })
}

/// What went wrong, and what to do about it.
pub(super) fn failure(view: &View, problem: &Problem, is_form: bool) -> Html<String> {
    let (title, help) = words::problem(view, problem);
    // Of a fault of ours nobody can say that.
    let is_unchanged = is_form && problem.status().is_client_error();
    let body = html! {
        h1 { (title) }
        @if let Some(detail) = problem.detail() { p.notice.bad role="alert" { (detail) } }
        p { (help) }
        p {
            @if is_unchanged { (view.t("Tidak ada yang diubah. Kembali dengan tombol browser: isian Anda masih ada di sana. ",
                "Nothing was changed. Go back with the browser's button: what you typed is still there. ")) }
            a href="/admin" { (view.t("Ke ringkasan", "To the overview")) }
        }
    };
    bare(view, title, &body)
}

fn html_of(view: &View, title: &str, body: &Markup) -> Html<String> {
    let page = html! {
        (DOCTYPE)
        html lang=(if view.is_english { "en" } else { "id" }) data-theme=[view.theme] {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="referrer" content="same-origin";
                meta name="htmx-config" content=(PreEscaped(HTMX.replace('"', "&quot;")));
                title { (title) " · Kasir" }
                link rel="icon" type="image/svg+xml" href=(assets::link("icon.svg"));
                link rel="stylesheet" href=(assets::link("style.css"));
                script src=(assets::link("htmx.min.js")) defer {}
                script src=(assets::link("sse.min.js")) defer {}
            }
            body { (body) }
        }
    };
    Html(page.into_string())
}

fn menu(view: &View) -> Markup {
    html! {
        @for section in &MENU {
            h2 { (view.t(section.title.0, section.title.1)) }
            ul {
                @for &(path, indonesian, english) in section.pages {
                    li { a href=(path) aria-current=[is_here(view, path).then_some("page")] { (view.t(indonesian, english)) } }
                }
            }
        }
    }
}

fn is_here(view: &View, path: &str) -> bool {
    let below = view.path.strip_prefix(path);
    below.is_some_and(|rest| rest.is_empty() || (path != "/admin" && rest.starts_with('/')))
}

/// The links that change language and theme.
fn looks(view: &View) -> Markup {
    let query = view.query.link(&["said"]);
    let here = if query.is_empty() { view.path.clone() } else { format!("{}?{query}", view.path) };
    let back: String = form_urlencoded::byte_serialize(here.as_bytes()).collect();
    let (code, other, name) =
        if view.is_english { ("id", "ID", "Bahasa Indonesia") } else { ("en", "EN", "English") };
    let (theme, sign, wish) = match view.theme {
        None => ("dark", "◐", view.t("Tema gelap", "Dark theme")),
        Some("dark") => ("light", "●", view.t("Tema terang", "Light theme")),
        Some(_) => ("auto", "○", view.t("Tema mengikuti perangkat", "Theme of the device")),
    };
    html! {
        a.look href={ "/admin/look?lang=" (code) "&back=" (back) } lang=(code) hreflang=(code) title=(name) { (other) span.unseen { " " (name) } }
        a.look href={ "/admin/look?theme=" (theme) "&back=" (back) } aria-label=(wish) title=(wish) { (sign) }
    }
}
