//! Charts, as SVG in the page: bars over time, each with its value for whoever points at it, and all of them as a table.

use domain::{Time, stamp};
use maud::{Markup, html};

use super::session::View;

const WIDTH: i64 = 480;
const HEIGHT: i64 = 120;
/// Between two bars.
const GAP: i64 = 2;

/// A bar.
pub(super) struct Bar {
    /// The stretch of time begins here.
    pub(super) from: Time,
    /// How high.
    pub(super) value: i64,
    /// The value for people.
    pub(super) label: String,
}

/// A chart with a title. Without any value it says so.
pub(super) fn bars(view: &View, title: &str, bars: &[Bar]) -> Markup {
    let most = bars.iter().map(|bar| bar.value).max().unwrap_or_default();
    let count = i64::try_from(bars.len()).unwrap_or(1).max(1);
    let width = (WIDTH / count - GAP).max(1);
    let left = |place: usize| i64::try_from(place).unwrap_or_default() * (WIDTH / count);
    let height = |value: i64| if most == 0 { 0 } else { (value * HEIGHT / most).max(i64::from(value > 0)) };
    let highest = bars.iter().max_by_key(|bar| bar.value).map_or("", |bar| bar.label.as_str());
    html! {
        figure.chart {
            figcaption { (title) @if most > 0 { span.quiet { " · " (view.t("tertinggi", "highest")) " " (highest) } } }
            @if most == 0 { p.empty { (view.t("Belum ada data.", "No data yet.")) } }
            @else {
                svg viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" aria-label={ (title) ", " (view.t("tertinggi", "highest")) " " (highest) } preserveAspectRatio="none" {
                    @for (place, bar) in bars.iter().enumerate() {
                        rect x=(left(place)) y=(HEIGHT - height(bar.value)) width=(width) height=(height(bar.value)) {
                            title { (stamp(bar.from)) ": " (bar.label) }
                        }
                    }
                }
                div.axis aria-hidden="true" {
                    span { (bars.first().map(|bar| stamp(bar.from)).unwrap_or_default()) }
                    span { (bars.last().map(|bar| stamp(bar.from)).unwrap_or_default()) }
                }
                details.data {
                    summary { (view.t("Sebagai tabel", "As a table")) }
                    table aria-label=(title) { tbody {
                        @for bar in bars.iter().filter(|bar| bar.value > 0) {
                            tr { th scope="row" { (stamp(bar.from)) } td { (bar.label) } }
                        }
                    } }
                }
            }
        }
    }
}
