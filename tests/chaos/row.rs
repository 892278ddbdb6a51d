//! What a scenario came to: a line of the table, and what else is worth to be told.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::books::{Books, Compared};
use crate::house::House;
use crate::load::Seen;
use crate::scenarios::Scenario;

/// The head of the table.
pub(crate) const HEAD: &str = "\
| scenario | payments | charges | doubled | lost | wrong | rescued: jobs, p50, max | refused | accepted in p50, max | paid in p50, max | took |
| --- | --: | --: | --: | --: | --: | --- | --: | --- | --- | --: |";

/// An orphan runs again within this, at the latest.
const RESCUED_WITHIN_MS: i64 = 10_000;
/// Details of a kind that are told.
const TOLD_MAX: usize = 10;

/// A line of the table.
pub(crate) struct Row {
    name: &'static str,
    compared: Compared,
    rescued: Vec<i64>,
    refused: usize,
    accepted: Vec<i64>,
    paid: Vec<i64>,
    took: Duration,
    told: Vec<String>,
    kept: Option<PathBuf>,
}

impl Row {
    /// Looks at the house a last time, and closes it.
    pub(crate) async fn of(
        scenario: &Scenario,
        mut house: House,
        (mut compared, seen, begun): (Compared, &Seen, Instant),
    ) -> Self {
        compared.wrong.append(&mut house.wrong);
        if compared.open_jobs > 0 {
            compared.wrong.push(format!("{} jobs never came to an end", compared.open_jobs));
        }
        let (balanced, said) = house.command(&["balance"], None).await;
        if !balanced {
            compared.wrong.push(format!("kasir balance: {said}"));
        }
        compared.wrong.extend(house.leaks());
        let mut books = house.books().await.unwrap();
        let (mut rescued, mut paid_at) = (Vec::new(), BTreeMap::new());
        if !house.clocks_differ {
            rescued = rescues(&mut books, &house.kills, &mut compared).await;
            house.judge(&rescued, &mut compared);
            paid_at = books.paid_at().await.unwrap();
        }
        drop(books);
        let told_of = seen.told.lock().unwrap().clone();
        let accepted = told_of.iter().map(|told| i64::try_from(told.answered.as_millis()).unwrap()).collect();
        let paid =
            told_of.iter().filter_map(|told| Some(paid_at.get(&told.invoice)? - told.paid_at?)).collect();
        let mut told = std::mem::take(&mut house.told);
        if compared.dead_jobs > 0 {
            told.push(format!("{} jobs are dead, for a person to look at", compared.dead_jobs));
        }
        let keep = house.ways.keep || !compared.is_good();
        let kept = house.close(keep).await;
        let refusals = seen.refused.lock().unwrap();
        let refused = refusals.values().sum();
        told.extend(refusals.iter().map(|(refusal, count)| format!("refused {count} times: {refusal}")));
        let took = begun.elapsed();
        Self { name: scenario.name, compared, rescued, refused, accepted, paid, took, told, kept }
    }

    pub(crate) fn is_good(&self) -> bool {
        self.compared.is_good()
    }

    /// What is no figure of the table.
    pub(crate) fn remarks(&self, name: &str) -> Vec<String> {
        let Compared { doubled, lost, wrong, .. } = &self.compared;
        let mut remarks: Vec<String> = self.told.iter().map(|told| format!("{name}: {told}")).collect();
        for (kind, all) in [("DOUBLED", doubled), ("LOST", lost), ("WRONG", wrong)] {
            remarks.extend(all.iter().take(TOLD_MAX).map(|one| format!("{name}: {kind}: {one}")));
        }
        remarks
            .extend(self.kept.iter().map(|dir| format!("{name}: everything is kept in {}", dir.display())));
        remarks
    }
}

/// From each kill to the moment at which a job that it left behind ran again, in milliseconds.
async fn rescues(books: &mut Books, kills: &[i64], compared: &mut Compared) -> Vec<i64> {
    let mut rescues = Vec::new();
    for orphan in books.orphans().await.unwrap() {
        let Some(again) = orphan.again else {
            compared.wrong.push("a job that was left behind never ran again".to_owned());
            continue;
        };
        let kill = kills.iter().filter(|kill| (orphan.began..=orphan.taken_back).contains(*kill)).min();
        rescues.extend(kill.map(|kill| again - kill));
    }
    rescues
}

impl House {
    /// An orphan that waited for too long is wrong; where nobody else was there to do it, that is only told.
    fn judge(&mut self, rescued: &[i64], compared: &mut Compared) {
        let Some(late) = rescued.iter().max().filter(|rescue| **rescue > RESCUED_WITHIN_MS) else { return };
        let found = format!("a job that was left behind ran again only after {late} ms");
        if self.ways.patient || self.places.len() == 1 {
            self.told.push(found);
        } else {
            compared.wrong.push(found);
        }
    }
}

/// The middle one and the largest.
fn p50_and_max(all: &[i64]) -> Option<(i64, i64)> {
    let mut sorted = all.to_vec();
    sorted.sort_unstable();
    Some((*sorted.get(sorted.len() / 2)?, *sorted.last()?))
}

/// Whole milliseconds as seconds, with two digits behind the point.
fn seconds(ms: i64) -> String {
    format!("{}.{:02} s", ms / 1_000, ms % 1_000 / 10)
}

fn pair(all: &[i64]) -> String {
    p50_and_max(all)
        .map_or_else(|| "-".to_owned(), |(p50, max)| format!("{}, {}", seconds(p50), seconds(max)))
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Compared { payments, charges, doubled, lost, wrong, .. } = &self.compared;
        let rescued = match self.rescued.len() {
            0 => "-".to_owned(),
            count => format!("{count}, {}", pair(&self.rescued)),
        };
        write!(
            f,
            "| {} | {payments} | {charges} | {} | {} | {} | {rescued} | {} | {} | {} | {} s |",
            self.name,
            doubled.len(),
            lost.len(),
            wrong.len(),
            self.refused,
            pair(&self.accepted),
            pair(&self.paid),
            self.took.as_secs(),
        )
    }
}
