//! What an import came to, for people and for machines.

use std::fmt;

use domain::{Flow, Match, StatementKind, Verdict};
use serde_json::{Value, json};
use store::comparing::{Stranger, Sums};

/// A file of the import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileReport {
    /// What it is called.
    pub name: String,
    /// Which export it is.
    pub kind: StatementKind,
    /// How many lines it has.
    pub rows: u64,
    /// How many of them no file had before.
    pub new: u64,
}

/// How many payments, and orders that are not ours, agree and differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// See [`Match::Matched`].
    pub matched: u64,
    /// See [`Match::Over`].
    pub over: u64,
    /// See [`Match::Under`].
    pub under: u64,
    /// See [`Match::Missing`].
    pub missing: u64,
    /// See [`Match::Reversed`].
    pub reversed: u64,
    /// See [`Match::Manual`].
    pub manual: u64,
}

impl Counts {
    pub(super) fn count(&mut self, outcome: Match) {
        *match outcome {
            Match::Matched => &mut self.matched,
            Match::Over => &mut self.over,
            Match::Under => &mut self.under,
            Match::Missing { .. } => &mut self.missing,
            Match::Reversed => &mut self.reversed,
            Match::Manual => &mut self.manual,
        } += 1;
    }

    fn named(&self) -> [(&'static str, u64); 6] {
        let Self { matched, over, under, missing, reversed, manual } = *self;
        [
            ("matched", matched),
            ("over", over),
            ("under", under),
            ("missing", missing),
            ("reversed", reversed),
            ("manual", manual),
        ]
    }
}

/// A payment, or an order that is not ours, on which books and statements differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Our invoice, or the order.
    pub order: String,
    /// How they differ.
    pub outcome: Match,
    /// What was compared, in a word.
    pub point: &'static str,
    /// A sentence.
    pub why: String,
}

impl Difference {
    pub(super) fn of(order: &str, verdict: Verdict) -> Self {
        let Verdict { outcome, point, why } = verdict;
        Self { order: order.to_owned(), outcome, point, why }
    }

    pub(super) fn of_stranger(stranger: &Stranger) -> Self {
        let what = if stranger.is_order { "an order that is not ours" } else { "a line that names no order" };
        let why = format!("{what}: {} line(s), up to {}", stranger.lines, stranger.amount());
        Self { order: stranger.name.clone(), outcome: Match::Manual, point: "unknown", why }
    }

    fn json(&self) -> Value {
        let days = match self.outcome {
            Match::Missing { days } => Some(days),
            _ => None,
        };
        json!({
            "order": self.order, "outcome": self.outcome.as_str(), "point": self.point, "days": days,
            "why": self.why,
        })
    }
}

/// What an import came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// Whether nothing was written.
    pub dry_run: bool,
    /// The files.
    pub files: Vec<FileReport>,
    /// How many agree and differ.
    pub counts: Counts,
    /// All that differ: payments by row, then orders that are not ours.
    pub differences: Vec<Difference>,
    /// Fees, tax and payouts that this import posted.
    pub posted: Sums,
    /// Fees, tax and payouts that the journal holds with it.
    pub booked: Sums,
}

/// What is more in one than in the other.
pub(super) fn less(one: Sums, other: Sums) -> Sums {
    Sums {
        fees: one.fees.saturating_sub(other.fees),
        vat: one.vat.saturating_sub(other.vat),
        payouts: one.payouts.saturating_sub(other.payouts),
    }
}

impl Report {
    /// True when books and statements agree in everything.
    #[must_use]
    pub fn agrees(&self) -> bool {
        self.differences.is_empty()
    }

    /// For machines, with at most so many differences.
    #[must_use]
    pub fn json(&self, differences_max: usize) -> Value {
        let files = self.files.iter().map(|file| {
            let FileReport { name, kind, rows, new } = file;
            json!({ "name": name, "kind": kind.as_str(), "rows": rows, "new": new, "known": rows - new })
        });
        let sums = |sums: Sums| json!({ "fees": sums.fees, "vat": sums.vat, "payouts": sums.payouts });
        let counts: serde_json::Map<_, _> =
            self.counts.named().into_iter().map(|(name, count)| (name.to_owned(), json!(count))).collect();
        json!({
            "dryRun": self.dry_run,
            "agrees": self.agrees(),
            "files": files.collect::<Vec<_>>(),
            "counts": counts,
            "posted": sums(self.posted),
            "booked": sums(self.booked),
            "differencesInAll": self.differences.len(),
            "differences":
                self.differences.iter().take(differences_max).map(Difference::json).collect::<Vec<_>>(),
        })
    }

    /// For people, with at most so many differences.
    #[must_use]
    pub fn table(&self, differences_max: usize) -> Table<'_> {
        Table { report: self, differences_max }
    }
}

/// A report as people read it.
pub struct Table<'a> {
    report: &'a Report,
    differences_max: usize,
}

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { dry_run, files, counts, differences, posted, booked } = self.report;
        if *dry_run {
            writeln!(f, "A dry run: nothing was written.")?;
        }
        for file in files {
            let FileReport { name, kind, rows, new } = file;
            let known = rows.saturating_sub(*new);
            writeln!(f, "{name}: {}, {rows} rows, {new} new, {known} known before", kind.as_str())?;
        }
        writeln!(f)?;
        for (name, count) in counts.named() {
            writeln!(f, "{name:<9} {count:>8}")?;
        }
        writeln!(f)?;
        let rupiah = |amount: i64| Flow::try_from(amount).unwrap_or_default().to_string();
        for (name, new, all) in [
            ("fees", posted.fees, booked.fees),
            ("VAT", posted.vat, booked.vat),
            ("payouts", posted.payouts, booked.payouts),
        ] {
            writeln!(f, "{name:<9} {:>18} posted now {:>18} in all", rupiah(new), rupiah(all))?;
        }
        if differences.is_empty() {
            return writeln!(f, "\nBooks, gateway and payouts agree.");
        }
        writeln!(f, "\n{} difference(s):", differences.len())?;
        for Difference { order, outcome, why, .. } in differences.iter().take(self.differences_max) {
            writeln!(f, "  {:<8} {order}: {why}", outcome.as_str())?;
        }
        let rest = differences.len().saturating_sub(self.differences_max);
        if rest > 0 {
            writeln!(f, "  and {rest} more; --all shows them")?;
        }
        Ok(())
    }
}
