//! The three-way match: what our books hold of a payment, what the gateway's statements say of it, and what was paid out.

mod view;

use chrono::TimeDelta;

use view::{View, is_payment, plus, sum};

use crate::statement::{Said, StatementLine};
use crate::{
    Coverage, Entry, Failure, Flow, Method, Rupiah, State, Time, date_of, end_of_day, working_days_after,
    working_days_between,
};

/// Fee, tax and net amount are each rounded to whole rupiah; that leaves so much at most.
const ROUNDING: i64 = 1;

/// The gateway writes into its statements what happened within so many days: a card's money is booked the next afternoon.
const BOOKED_WITHIN_DAYS: i64 = 2;

/// What our books hold of a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Books {
    /// How much it is about.
    pub amount: Rupiah,
    /// Where it stands.
    pub state: State,
    /// How it was paid.
    pub method: Method,
    /// What was given back, all refunds together.
    pub refunded: Rupiah,
    /// When the gateway was asked for it.
    pub asked_at: Time,
    /// When it was paid.
    pub paid_at: Option<Time>,
    /// When it last changed.
    pub changed_at: Time,
}

/// A line of a statement about the payment. Those of the statement that reaches furthest come last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The statement.
    pub statement: i64,
    /// Until when that statement reaches.
    pub known_until: Time,
    /// What it says.
    pub line: StatementLine,
}

/// What the statements could have told of any payment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Known {
    /// The time that Transactions exports cover.
    pub transactions: Coverage,
    /// The time that Balance statements cover.
    pub balance: Coverage,
    /// The time that payouts cover.
    pub payouts: Coverage,
    /// A payment is in a payout so many working days after it was paid.
    pub payout_days: u32,
}

/// How books, gateway and payout agree about one payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Match {
    /// All that should be there by now is there, and agrees. A payout that is not due need not be there.
    Matched,
    /// The gateway or the payout has more than our books.
    Over,
    /// The gateway or the payout has less than our books.
    Under,
    /// Our books hold money that a statement which covers the time does not have, or that should have been paid out.
    Missing {
        /// Working days from the payment to the end of what is known: T+`days`.
        days: u32,
    },
    /// Money that went back (refund, chargeback, reversal), on both sides alike. This agrees.
    Reversed,
    /// A person must look: a status that contradicts the books, the same thing twice in different words, fees that differ, a
    /// net amount that is not gross less fee less tax, an order that is not ours.
    Manual,
}

impl Match {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Matched => "matched",
            Self::Over => "over",
            Self::Under => "under",
            Self::Missing { .. } => "missing",
            Self::Reversed => "reversed",
            Self::Manual => "manual",
        }
    }

    /// False for what agrees.
    #[must_use]
    pub fn is_difference(self) -> bool {
        match self {
            Self::Over | Self::Under | Self::Missing { .. } | Self::Manual => true,
            Self::Matched | Self::Reversed => false,
        }
    }
}

/// What the match comes to, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// How they agree.
    pub outcome: Match,
    /// What was compared, in a word: the same difference in the same place is one finding.
    pub point: &'static str,
    /// A sentence for people.
    pub why: String,
}

type Answer = Option<Verdict>;

fn verdict(outcome: Match, point: &'static str, why: impl Into<String>) -> Answer {
    Some(Verdict { outcome, point, why: why.into() })
}

/// Compares. `None`: the statements say nothing of the payment and need not yet, so there is nothing to report. Cash never
/// appears at the gateway and is not compared.
#[must_use]
pub fn three_way(books: &Books, told: &[Told], known: &Known) -> Option<Verdict> {
    if books.method == Method::Cash {
        return None;
    }
    let match_ = Comparison { books, known, view: &View::of(told) };
    match_
        .contradiction()
        .or_else(|| match_.in_transactions())
        .or_else(|| match_.in_balance())
        .or_else(|| match_.in_payouts())
        .or_else(|| match_.missing())
        .or_else(|| match_.agreement())
}

/// Fee or tax of a line.
type Part = fn(&StatementLine) -> Option<Rupiah>;

struct Comparison<'a> {
    books: &'a Books,
    known: &'a Known,
    view: &'a View<'a>,
}

impl Comparison<'_> {
    /// What our books say came.
    fn came(&self) -> Rupiah {
        match self.books.state {
            State::Created | State::Asked | State::Pending | State::Review => Rupiah::ZERO,
            State::Failed(Failure::Reversed) => self.books.amount,
            State::Failed(_) => Rupiah::ZERO,
            State::Paid | State::PartiallyRefunded { .. } | State::Refunded | State::ChargedBack => {
                self.books.amount
            }
        }
    }

    /// What our books say went back.
    fn gone(&self) -> Rupiah {
        match self.books.state {
            State::PartiallyRefunded { total } => total,
            State::Refunded | State::ChargedBack | State::Failed(Failure::Reversed) => self.books.amount,
            _ => self.books.refunded,
        }
    }

    fn contradiction(&self) -> Answer {
        self.strange_words().or_else(|| self.twice()).or_else(|| self.fees()).or_else(|| self.status())
    }

    fn strange_words(&self) -> Answer {
        let unheard = self.view.transactions.iter().find(|one| Said::of(&one.line.status) == Said::Unheard);
        if let Some(one) = unheard {
            return verdict(
                Match::Manual,
                "status",
                format!("the status {:?} is not known", one.line.status),
            );
        }
        let mut lines = self.view.balance.iter().chain(&self.view.payouts);
        let other = lines.find(|line| matches!(line.entry, Entry::Other | Entry::Withdrawal))?;
        verdict(
            Match::Manual,
            "type",
            format!("a line of the type {:?} is about this order", other.type_word),
        )
    }

    fn twice(&self) -> Answer {
        if self.view.says_two_things {
            return verdict(Match::Manual, "twice", "one export says two things of one transaction");
        }
        for (lines, whose) in
            [(&self.view.balance, "the balance statement"), (&self.view.payouts, "the payouts")]
        {
            let words = |line: &StatementLine| {
                (line.at, line.amount, line.fee, line.net, line.status.clone(), line.reference.clone())
            };
            let mut payments = lines.iter().filter(|line| is_payment(line)).map(|line| words(line));
            let first = payments.next();
            if payments.any(|line| Some(&line) != first.as_ref()) {
                let why = format!("{whose} tells of this payment twice, and not in the same words");
                return verdict(Match::Manual, "twice", why);
            }
        }
        None
    }

    fn fees(&self) -> Answer {
        for line in &self.view.payouts {
            let parts = line.fee.unwrap_or_default() + line.vat.unwrap_or_default();
            let left = plus(line.amount, Flow::from(parts).outward());
            if let Some(net) = line.net.filter(|net| (net.get() - left.get()).abs() > ROUNDING) {
                let why = format!("the payout is {net}, and gross less fee less tax is {left}");
                return verdict(Match::Manual, "net", why);
            }
        }
        let costs = |line: &&&StatementLine| {
            [line.fee, line.vat].into_iter().flatten().any(|part| part != Rupiah::ZERO)
        };
        let mut back = self.view.balance.iter().chain(&self.view.payouts).filter(|line| !is_payment(line));
        if let Some(line) = back.find(costs) {
            let why = format!("a fee was taken for a line of the type {:?}", line.type_word);
            return verdict(Match::Manual, "fee", why);
        }
        let first = |lines: &[&StatementLine], part: Part| {
            lines.iter().filter(|line| is_payment(line)).find_map(|line| part(line))
        };
        let parts: [(&str, Part); 2] = [("fee", |line| line.fee), ("vat", |line| line.vat)];
        for (name, part) in parts {
            let (balance, payout) = (first(&self.view.balance, part), first(&self.view.payouts, part));
            if let (Some(one), Some(other)) = (balance, payout)
                && one != other
            {
                let why = format!("the {name} is {one} in the balance statement and {other} in the payout");
                return verdict(Match::Manual, name, why);
            }
        }
        None
    }

    /// A status that cannot stand beside our books. An export that may have been made before is no contradiction.
    fn status(&self) -> Answer {
        let view = self.view;
        let later = |since: Time| {
            let settled = since + TimeDelta::days(BOOKED_WITHIN_DAYS);
            view.transactions.iter().any(|one| one.known_until >= settled)
        };
        let says_none = !view.transactions.is_empty() && view.came().is_none();
        let went_back = [Said::Refunded, Said::PartlyRefunded, Said::ChargedBack, Said::PartlyChargedBack]
            .into_iter()
            .any(|said| view.says(said));
        let paid_since = self.books.paid_at.unwrap_or(self.books.changed_at);
        let contradicts = match self.books.state {
            State::Paid => went_back || (says_none && (view.says(Said::Failed) || later(paid_since))),
            State::PartiallyRefunded { .. } => {
                view.says(Said::Refunded) || view.says(Said::ChargedBack) || (says_none && later(paid_since))
            }
            State::Refunded => view.says(Said::ChargedBack) || (says_none && view.says(Said::Failed)),
            State::ChargedBack => view.says(Said::Refunded) || (says_none && view.says(Said::Failed)),
            State::Failed(Failure::Reversed) => {
                went_back || (view.says(Said::Paid) && later(self.books.changed_at))
            }
            State::Failed(_) => {
                view.came().is_some() || [&view.balance, &view.payouts].iter().any(|lines| !lines.is_empty())
            }
            State::Created | State::Asked | State::Pending | State::Review => went_back,
        };
        if !contradicts {
            return None;
        }
        let words: Vec<&str> = view.transactions.iter().map(|one| one.line.status.as_str()).collect();
        let said = if words.is_empty() { "money".to_owned() } else { words.join(" and ") };
        let why =
            format!("our books hold it {}, the gateway's statement says {said}", words_of(self.books.state));
        verdict(Match::Manual, "status", why)
    }

    fn in_transactions(&self) -> Answer {
        let said = self.view.came()?;
        // What was reversed within minutes is not listed as money; a review may be a capture under challenge.
        match self.books.state {
            State::Failed(_) | State::Review => None,
            _ => self.compare("transactions", "the transactions", said),
        }
    }

    /// Over or under, where the two differ.
    fn compare(&self, point: &'static str, whose: &str, said: Flow) -> Answer {
        let ours = Flow::from(self.came());
        let outcome = match said.cmp(&ours) {
            std::cmp::Ordering::Equal => return None,
            std::cmp::Ordering::Greater => Match::Over,
            std::cmp::Ordering::Less => Match::Under,
        };
        let state = words_of(self.books.state);
        verdict(outcome, point, format!("{whose} have {said}; our books hold {ours} ({state})"))
    }

    fn in_balance(&self) -> Answer {
        let lines = &self.view.balance;
        let came = sum(lines, is_payment);
        if let Some(difference) = came.and_then(|came| self.compare("balance", "the balance lines", came)) {
            return Some(difference);
        }
        let back = sum(lines, |line| line.entry.takes_back()).unwrap_or_default();
        let gone = Flow::from(self.gone()).outward();
        let (said, ours) = (back.outward(), gone.outward());
        if back < gone {
            let why = format!("the gateway gave back {said}, our books {ours}");
            return verdict(Match::Under, "given-back", why);
        }
        let booked = self.books.changed_at + TimeDelta::days(BOOKED_WITHIN_DAYS);
        if back > gone && came.is_some() && self.known.balance.has(booked) {
            let why = format!("our books gave back {ours}, the gateway {said}");
            return verdict(Match::Over, "given-back", why);
        }
        None
    }

    /// A refund is taken from a payout before or after it; so anything between the whole and what is left may be there.
    fn in_payouts(&self) -> Answer {
        let said = sum(&self.view.payouts, |_| true)?;
        let least = plus(Flow::from(self.came()), Flow::from(self.gone()).outward());
        if (least..=Flow::from(self.came())).contains(&said) {
            return None;
        }
        self.compare("payout", "the payouts", said)
    }

    fn missing(&self) -> Answer {
        let Self { books, known, view } = self;
        if !books.state.holds_money() || self.gone() >= books.amount {
            return None;
        }
        let paid_at = books.paid_at.unwrap_or(books.asked_at);
        let paid_on = date_of(paid_at);
        let days = |until: Option<Time>| until.map_or(0, |at| working_days_between(paid_on, date_of(at)));
        let covers = |coverage: &Coverage| {
            let booked = paid_at + TimeDelta::days(BOOKED_WITHIN_DAYS);
            [books.asked_at, paid_at, booked].into_iter().all(|at| coverage.has(at))
        };
        for (coverage, is_absent, point) in [
            (&known.transactions, view.transactions.is_empty(), "transactions"),
            (&known.balance, sum(&view.balance, is_payment).is_none(), "balance"),
        ] {
            if is_absent && covers(coverage) {
                let days = days(coverage.until());
                let why = format!(
                    "paid on {paid_on}, and the {point} export of that time does not have it (T+{days})"
                );
                return verdict(Match::Missing { days }, point, why);
            }
        }
        let due = working_days_after(paid_on, known.payout_days);
        if view.payouts.is_empty() && known.payouts.has(end_of_day(due)) {
            let days = days(known.payouts.until());
            let why = format!("paid on {paid_on}, to be paid out by {due}, and in no payout yet (T+{days})");
            return verdict(Match::Missing { days }, "payout", why);
        }
        None
    }

    fn agreement(&self) -> Answer {
        let view = self.view;
        if view.transactions.is_empty() && view.balance.is_empty() && view.payouts.is_empty() {
            return None;
        }
        let lines = view.balance.iter().chain(&view.payouts);
        let told = |one: &&Told| !matches!(Said::of(&one.line.status), Said::Paid | Said::Waiting);
        let went_back =
            view.transactions.iter().any(told) || lines.into_iter().any(|line| line.entry.takes_back());
        if self.came() > Rupiah::ZERO && self.gone() > Rupiah::ZERO && went_back {
            return verdict(Match::Reversed, "given-back", "the money went back on both sides alike");
        }
        verdict(Match::Matched, "all", "books and statements agree")
    }
}

/// A state in words.
fn words_of(state: State) -> String {
    match state.failure() {
        Some(failure) => format!("{}: {}", state.as_str(), failure.as_str()),
        None => state.as_str().to_owned(),
    }
}
