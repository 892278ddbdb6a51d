//! The bricks of the pages: times, amounts, badges, tables, filters, and forms that do something.

use std::fmt::Display;

use domain::{Flow, Rank, Rupiah, Time, stamp};
use maud::{Markup, html};
use store::Page;

use super::form::Choice;
use super::session::{View, Visitor};

/// So many rows are on a page.
pub(super) const ROWS: i64 = 50;

/// What stands where there is nothing. On a phone such a cell is left out.
const NOTHING: &str = "–";

/// A moment, as the clock on the wall in Jakarta shows it.
pub(super) fn time(at: Time) -> Markup {
    html! { time datetime=(at.to_rfc3339()) { (stamp(at)) } }
}

pub(super) fn opt_time(at: Option<Time>) -> Markup {
    html! { @match at { Some(at) => (time(at)), None => (NOTHING) } }
}

/// How long something took or takes, in the largest unit that says enough.
pub(super) fn span(view: &View, length: chrono::TimeDelta) -> String {
    let (ms, seconds) = (length.num_milliseconds().max(0), length.num_seconds().max(0));
    match seconds {
        0 => format!("{ms} ms"),
        1..120 => format!("{seconds} {}", view.t("dtk", "s")),
        120..7_200 => format!("{} {}", seconds / 60, view.t("mnt", "min")),
        7_200..172_800 => format!("{} {}", seconds / 3_600, view.t("jam", "h")),
        _ => format!("{} {}", seconds / 86_400, view.t("hari", "days")),
    }
}

pub(super) fn money(amount: Rupiah) -> Markup {
    html! { span.money { (amount) } }
}

/// An amount that may be below nothing.
pub(super) fn flow(amount: i64) -> Markup {
    html! { span.money { (Flow::try_from(amount).unwrap_or_default()) } }
}

/// How something stands. The colour says nothing that the word does not say.
pub(super) fn badge(class: &str, text: &str) -> Markup {
    html! { span class={ "badge " (class) } { (text) } }
}

pub(super) fn opt(text: Option<impl Display>) -> Markup {
    html! { @match text { Some(text) => (text), None => (NOTHING) } }
}

/// A table; on a phone each row reads as a card. Without rows it says `empty`.
pub(super) struct Table<'a> {
    /// What it lists, for those who do not see it.
    pub(super) name: &'a str,
    /// The names of the columns.
    pub(super) heads: &'a [&'a str],
    /// The cells.
    pub(super) rows: Vec<Vec<Markup>>,
    /// What to say when there is nothing.
    pub(super) empty: &'a str,
}

impl Table<'_> {
    pub(super) fn show(self) -> Markup {
        let Self { name, heads, rows, empty } = self;
        html! {
            @if rows.is_empty() { p.empty { (empty) } }
            @else {
                table role="table" aria-label=(name) {
                    thead role="rowgroup" { tr role="row" {
                        @for head in heads { th role="columnheader" scope="col" { (head) } }
                    } }
                    tbody role="rowgroup" {
                        @for row in rows { tr role="row" {
                            @for (cell, head) in row.into_iter().zip(heads) {
                                td.nothing[cell.0 == NOTHING] role="cell" data-label=(head) { div { (cell) } }
                            }
                        } }
                    }
                }
            }
        }
    }
}

/// Facts about one thing, each with its name.
pub(super) fn facts(facts: Vec<(&str, Markup)>) -> Markup {
    html! { dl.facts { @for (name, fact) in facts { div { dt { (name) } dd { (fact) } } } } }
}

/// A figure with its name.
pub(super) fn figure(name: &str, value: &Markup, note: &Markup) -> Markup {
    html! { div.figure { span.name { (name) } strong { (value) } span.note { (note) } } }
}

/// A number that was counted up to a limit; a plus says that there may be more.
pub(super) fn up_to(number: i64, limit: i64) -> Markup {
    html! { (number) @if number >= limit { "+" } }
}

/// The page of a list that is asked for, with a row more than is shown.
pub(super) fn page_of(view: &View) -> Page {
    let after = view.query.get("after").and_then(|text| text.parse().ok()).filter(|id| *id > 0);
    Page { after, limit: ROWS + 1 }
}

/// Takes the row that was one too many away, and gives the last that is shown when there are more.
pub(super) fn cut<T>(rows: &mut Vec<T>, id: impl Fn(&T) -> i64) -> Option<i64> {
    let shown = usize::try_from(ROWS).unwrap_or(usize::MAX);
    let is_more = rows.len() > shown;
    rows.truncate(shown);
    rows.last().filter(|_| is_more).map(id)
}

/// The ways to the first and to the next page of a list.
pub(super) fn pager(view: &View, next: Option<i64>) -> Markup {
    let query = view.query.link(&["after", "said", "seen"]);
    let start = if query.is_empty() { view.path.clone() } else { format!("{}?{query}", view.path) };
    let mark = if query.is_empty() { '?' } else { '&' };
    let is_first = view.query.get("after").is_none();
    html! {
        @if !is_first || next.is_some() {
            nav.pager aria-label=(view.t("Halaman", "Pages")) {
                @if !is_first { a href=(start) { (view.t("Halaman pertama", "First page")) } }
                @if let Some(next) = next {
                    a rel="next" href={ (start) (mark) "after=" (next) } { (view.t("Halaman berikutnya", "Next page")) }
                }
            }
        }
    }
}

/// A field of a form.
pub(super) struct Field<'a> {
    /// Its name in the form.
    pub(super) name: &'a str,
    /// Its name for people.
    pub(super) label: &'a str,
    /// What kind of `<input>` it is.
    pub(super) kind: &'a str,
    /// What stands in it already.
    pub(super) value: &'a str,
    /// Whether it may be left empty.
    pub(super) is_optional: bool,
}

impl Field<'_> {
    pub(super) fn show(&self) -> Markup {
        let Self { name, label, kind, value, is_optional } = *self;
        let numeric = (kind == "money").then_some("numeric");
        let kind = if kind == "money" { "text" } else { kind };
        html! {
            label { (label)
                input type=(kind) name=(name) value=(value) inputmode=[numeric] required[!is_optional]
                    maxlength="500" autocomplete="off";
            }
        }
    }
}

/// A field that must be filled in.
pub(super) fn field(name: &str, label: &str, kind: &str) -> Markup {
    Field { name, label, kind, value: "", is_optional: false }.show()
}

/// A field that may stay as it is, or empty.
pub(super) fn opt_field(name: &str, label: &str, kind: &str, value: &str) -> Markup {
    Field { name, label, kind, value, is_optional: true }.show()
}

/// A choice among a few. The first is chosen unless `chosen` is another.
pub(super) fn select(name: &str, label: &str, choices: &[Choice<'_>], chosen: Option<&str>) -> Markup {
    html! {
        label { (label)
            select name=(name) {
                @for (value, text) in choices {
                    option value=(value) selected[Some(*value) == chosen] { (text) }
                }
            }
        }
    }
}

/// What narrows a list down. It works by a link, so that a view of a list can be sent to somebody.
pub(super) fn filters(view: &View, fields: &Markup) -> Markup {
    html! {
        form.filters method="get" action=(view.path) role="search" {
            (fields)
            button { (view.t("Cari", "Search")) }
            a href=(view.path) { (view.t("Semua", "All")) }
        }
    }
}

/// Something that a visitor of some rank can do.
pub(super) struct Action<'a> {
    /// Where the form goes.
    pub(super) to: &'a str,
    /// What the button says.
    pub(super) name: &'a str,
    /// To what it is done, for those who do not see beside what it stands.
    pub(super) object: &'a str,
    /// What comes of it.
    pub(super) help: &'a str,
    /// Who may.
    pub(super) rank: Rank,
    /// Whether a reason must be given.
    pub(super) needs_reason: bool,
    /// What else is asked for.
    pub(super) fields: Markup,
}

impl Action<'_> {
    /// Nothing for those who may not.
    pub(super) fn show(&self, visitor: &Visitor) -> Markup {
        let Self { to, name, object, help, rank, needs_reason, fields } = self;
        html! {
            @if visitor.may(*rank) {
                details.action {
                    summary { (name) @if !object.is_empty() { span.unseen { " " (object) } } }
                    form method="post" action=(to) {
                        p.quiet { (help) }
                        input type="hidden" name="csrf" value=(visitor.csrf);
                        (fields)
                        (reason(&visitor.view, *needs_reason))
                        button { (name) }
                    }
                }
            }
        }
    }
}

pub(super) fn reason(view: &View, is_needed: bool) -> Markup {
    let label = if is_needed {
        view.t("Alasan", "Reason")
    } else {
        view.t("Alasan (boleh kosong)", "Reason (optional)")
    };
    html! {
        label { (label) input type="text" name="reason" required[is_needed] maxlength="500" autocomplete="off"; }
    }
}
