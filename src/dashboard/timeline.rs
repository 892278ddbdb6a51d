//! What happened about a bill or a payment, the oldest first.

use maud::{Markup, html};

use super::live;
use super::parts::time;
use super::session::Visitor;
use super::words;
use crate::evidence::Entry;

/// Entries of several payments name the payment.
pub(super) fn show(v: &Visitor, entries: &[Entry], is_of_many: bool) -> Markup {
    html! {
        @if entries.is_empty() { p.empty { (v.t("Belum ada kejadian.", "Nothing has happened yet.")) } }
        @else {
            ol.timeline {
                @for (place, entry) in entries.iter().enumerate() {
                    li class=(entry.kind) {
                        p { (time(entry.at)) " · " strong { (words::entry(&v.view, entry.kind)) } " · " (entry.what) }
                        @if let Some(invoice) = entry.invoice.as_ref().filter(|_| is_of_many) { p.quiet.mono { (invoice) } }
                        // When the list is told anew, what somebody has opened stays open, unless it reads otherwise.
                        details.data id={ "entry-" (place) "-" (print_of(entry)) } hx-preserve {
                            summary { (v.t("Rincian", "Details")) }
                            pre { (pretty(&entry.data)) }
                        }
                    }
                }
            }
        }
    }
}

/// Two entries with the same print read the same.
fn print_of(entry: &Entry) -> String {
    live::print(&format!("{} {}", entry.at.timestamp_millis(), entry.data))
}

/// JSON as people read it.
pub(super) fn pretty(value: &serde_json::Value) -> String {
    // What came out of JSON goes back into it.
    serde_json::to_string_pretty(value).unwrap_or_default()
}
