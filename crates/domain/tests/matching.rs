//! The three-way match: what is agreement, what is a difference, and what nobody can know yet.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on is over")]

use domain::{
    Books, Coverage, Entry, Failure, Flow, Known, Match, Method, Rupiah, State, StatementKind, StatementLine,
    Time, Told, Verdict, three_way,
};
use proptest::prelude::*;

const RENT: i64 = 1_000_000;

fn at(text: &str) -> Time {
    text.parse().unwrap()
}

fn rupiah(amount: i64) -> Rupiah {
    Rupiah::try_from(amount).unwrap()
}

fn flow(amount: i64) -> Flow {
    Flow::try_from(amount).unwrap()
}

/// Paid on Tuesday the tenth of November at noon in Jakarta.
fn books(state: State) -> Books {
    let paid = state.holds_money() || matches!(state, State::Refunded | State::ChargedBack);
    let refunded = match state {
        State::PartiallyRefunded { total } => total,
        State::Refunded => rupiah(RENT),
        _ => Rupiah::ZERO,
    };
    Books {
        amount: rupiah(RENT),
        state,
        method: Method::Bca,
        refunded,
        asked_at: at("2026-11-10T04:55:00Z"),
        paid_at: paid.then(|| at("2026-11-10T05:00:00Z")),
        changed_at: at("2026-11-10T05:00:00Z"),
    }
}

fn part(total: i64) -> State {
    State::PartiallyRefunded { total: rupiah(total) }
}

/// All of November is known.
fn november() -> Known {
    let month = Coverage::of([(at("2026-10-31T18:00:00Z"), at("2026-11-30T16:00:00Z"))]);
    Known { transactions: month.clone(), balance: month.clone(), payouts: month, payout_days: 3 }
}

fn line(kind: StatementKind, entry: Entry, amount: i64) -> StatementLine {
    StatementLine {
        row: 2,
        kind,
        order_id: Some("KSR-1".to_owned()),
        transaction_id: None,
        entry,
        type_word: entry.as_str().to_owned(),
        channel: "bca".to_owned(),
        status: if kind == StatementKind::Transactions { "settlement" } else { "success" }.to_owned(),
        amount: flow(amount),
        fee: None,
        vat: None,
        net: None,
        at: at("2026-11-10T05:00:00Z"),
        settled_at: None,
        reference: None,
    }
}

fn told(line: StatementLine) -> Told {
    Told { statement: 1, known_until: at("2026-11-30T16:00:00Z"), line }
}

fn transaction(status: &str, amount: i64) -> Told {
    let line = line(StatementKind::Transactions, Entry::Payment, amount);
    told(StatementLine { status: status.to_owned(), ..line })
}

fn balance(entry: Entry, amount: i64, fee: i64) -> Told {
    told(StatementLine { fee: Some(rupiah(fee)), ..line(StatementKind::Balance, entry, amount) })
}

fn payout(amount: i64, fee: i64, vat: i64) -> Told {
    let entry = if amount < 0 { Entry::Refund } else { Entry::Payment };
    told(StatementLine {
        fee: Some(rupiah(fee)),
        vat: Some(rupiah(vat)),
        net: Some(flow(amount - fee - vat)),
        at: at("2026-11-13T05:00:00Z"),
        reference: Some("P-1".to_owned()),
        ..line(StatementKind::Payout, entry, amount)
    })
}

fn paid_three_times() -> Vec<Told> {
    vec![transaction("settlement", RENT), balance(Entry::Payment, RENT, 4_000), payout(RENT, 4_000, 440)]
}

/// The lines of a payment that is as it should be, with `more`.
fn and(more: Vec<Told>) -> Vec<Told> {
    [paid_three_times(), more].concat()
}

fn judge(state: State, told: &[Told]) -> Option<(Match, &'static str)> {
    three_way(&books(state), told, &november()).map(|Verdict { outcome, point, .. }| (outcome, point))
}

#[test]
fn what_is_on_all_three_sides_alike_is_matched() {
    assert_eq!(judge(State::Paid, &paid_three_times()), Some((Match::Matched, "all")));
    for (state, status) in [
        (State::Failed(Failure::Expired), "expire"),
        (State::Failed(Failure::Cancelled), "cancel"),
        (State::Pending, "pending"),
        (State::Review, "capture"),
    ] {
        assert_eq!(judge(state, &[transaction(status, RENT)]), Some((Match::Matched, "all")), "{status}");
    }
}

#[test]
fn more_and_less_than_our_books_are_told() {
    let over = [
        ("transactions", State::Paid, vec![transaction("settlement", RENT + 1)]),
        ("transactions", State::Pending, vec![transaction("settlement", RENT)]),
        ("balance", State::Paid, and(vec![balance(Entry::Payment, RENT, 4_000)])),
        ("payout", State::Paid, and(vec![payout(RENT, 4_000, 440)])),
        ("given-back", part(400_000), paid_three_times()),
    ];
    for (point, state, told) in over {
        assert_eq!(judge(state, &told), Some((Match::Over, point)), "{point}");
    }
    let under = [
        ("transactions", State::Paid, vec![transaction("settlement", RENT - 1)]),
        ("balance", State::Paid, vec![balance(Entry::Payment, RENT - 1, 0)]),
        ("payout", State::Paid, vec![payout(RENT - 1, 0, 0)]),
        ("given-back", State::Paid, and(vec![balance(Entry::Refund, -400_000, 0)])),
    ];
    for (point, state, told) in under {
        assert_eq!(judge(state, &told), Some((Match::Under, point)), "{point}");
    }
}

#[test]
fn money_that_a_statement_should_have_is_missing() {
    let all = paid_three_times();
    // The 14th of November working days of the month after the tenth: until Monday the 30th.
    for (absent, point) in [(0, "transactions"), (1, "balance"), (2, "payout")] {
        let mut told = all.clone();
        told.remove(absent);
        assert_eq!(judge(State::Paid, &told), Some((Match::Missing { days: 14 }, point)));
    }
    assert_eq!(judge(State::Paid, &[]), Some((Match::Missing { days: 14 }, "transactions")));
}

#[test]
fn what_no_statement_covers_is_not_missing() {
    assert_eq!(three_way(&books(State::Paid), &[], &Known::default()), None);
    let until = |text: &str| Coverage::of([(at("2026-10-31T18:00:00Z"), at(text))]);
    let told = &paid_three_times()[..2];
    // Due by the end of Friday the 13th: a payout of that day does not tell, one of Saturday does.
    let early = Known { payouts: until("2026-11-13T10:00:00Z"), ..november() };
    assert_eq!(three_way(&books(State::Paid), told, &early).unwrap().outcome, Match::Matched);
    let late = Known { payouts: until("2026-11-14T10:00:00Z"), ..november() };
    assert_eq!(three_way(&books(State::Paid), told, &late).unwrap().outcome, Match::Missing { days: 3 });
    let patient = Known { payout_days: 4, ..late };
    assert_eq!(three_way(&books(State::Paid), told, &patient).unwrap().outcome, Match::Matched);
}

#[test]
fn what_went_back_on_both_sides_is_reversed() {
    let refund = balance(Entry::Refund, -400_000, 0);
    let whole = balance(Entry::Refund, -RENT, 0);
    let same = [
        (part(400_000), and(vec![refund.clone()])),
        (part(400_000), and(vec![refund, payout(-400_000, 0, 0)])),
        (
            State::Refunded,
            vec![transaction("refund", RENT), balance(Entry::Payment, RENT, 4_000), whole.clone()],
        ),
        (State::Refunded, and(vec![whole, payout(-RENT, 0, 0)])),
        (State::ChargedBack, vec![transaction("chargeback", RENT)]),
        (State::Failed(Failure::Reversed), vec![transaction("deny", RENT)]),
        (
            State::Failed(Failure::Reversed),
            vec![
                transaction("deny", RENT),
                balance(Entry::Payment, RENT, 0),
                balance(Entry::Reversal, -RENT, 0),
            ],
        ),
    ];
    for (state, told) in same {
        assert_eq!(judge(state, &told), Some((Match::Reversed, "given-back")), "{state:?}");
    }
}

#[test]
fn a_status_that_contradicts_the_books_is_for_a_person() {
    for (state, status) in [
        (State::Paid, "deny"),
        (State::Paid, "pending"),
        (State::Paid, "refund"),
        (State::Paid, "partial_refund"),
        (State::Paid, "chargeback"),
        (State::Paid, "teleported"),
        (part(1), "refund"),
        (State::Refunded, "chargeback"),
        (State::ChargedBack, "expire"),
        (State::Failed(Failure::Reversed), "settlement"),
        (State::Failed(Failure::Expired), "settlement"),
        (State::Pending, "refund"),
    ] {
        let verdict = judge(state, &[transaction(status, RENT)]);
        assert_eq!(verdict, Some((Match::Manual, "status")), "{state:?} {status}");
    }
    let late = judge(State::Failed(Failure::Expired), &[balance(Entry::Payment, RENT, 0)]);
    assert_eq!(late, Some((Match::Manual, "status")));
}

#[test]
fn an_export_that_was_made_before_contradicts_nothing() {
    let early = Told { known_until: at("2026-11-10T09:00:00Z"), ..transaction("pending", RENT) };
    assert_eq!(
        judge(State::Paid, &[early, balance(Entry::Payment, RENT, 0), payout(RENT, 0, 0)]).unwrap().0,
        Match::Matched
    );
    // The later one counts, and a try that failed on a page is no contradiction beside one that was paid.
    let later = Told { statement: 2, ..transaction("settlement", RENT) };
    let pending = transaction("pending", RENT);
    assert_eq!(
        judge(State::Paid, &[pending, later.clone(), balance(Entry::Payment, RENT, 0), payout(RENT, 0, 0)])
            .unwrap()
            .0,
        Match::Matched
    );
    let mut denied = transaction("deny", RENT);
    denied.line.transaction_id = Some("t-1".to_owned());
    assert_eq!(
        judge(State::Paid, &[denied, later, balance(Entry::Payment, RENT, 0), payout(RENT, 0, 0)]).unwrap().0,
        Match::Matched
    );
}

#[test]
fn the_same_thing_in_other_words_is_for_a_person() {
    let mut elsewhere = payout(RENT, 4_000, 440);
    elsewhere.line.reference = Some("P-2".to_owned());
    let mut net = payout(RENT, 4_000, 440);
    net.line.net = Some(flow(RENT));
    let mut strange = balance(Entry::Other, 5, 0);
    strange.line.type_word = "Gift".to_owned();
    for (point, told) in [
        ("twice", and(vec![elsewhere])),
        ("twice", and(vec![balance(Entry::Payment, RENT, 4_440)])),
        ("twice", and(vec![transaction("deny", RENT)])),
        ("fee", vec![balance(Entry::Payment, RENT, 4_000), payout(RENT, 4_500, 440)]),
        ("fee", and(vec![balance(Entry::Refund, -RENT, 1)])),
        ("net", vec![net]),
        ("type", and(vec![strange])),
    ] {
        assert_eq!(judge(State::Paid, &told), Some((Match::Manual, point)), "{point}");
    }
}

#[test]
fn a_rupiah_that_rounding_leaves_is_no_difference() {
    let mut rounded = payout(RENT, 4_441, 440);
    rounded.line.net = Some(flow(RENT - 4_440 - 440));
    let told = [transaction("settlement", RENT), balance(Entry::Payment, RENT, 4_441), rounded];
    assert_eq!(judge(State::Paid, &told).unwrap().0, Match::Matched);
}

#[test]
fn a_line_that_failed_is_no_money_and_cash_is_not_compared() {
    let mut failed = balance(Entry::Payment, RENT, 4_000);
    failed.line.status = "Failed".to_owned();
    assert_eq!(judge(State::Paid, &and(vec![failed])), Some((Match::Matched, "all")));
    let cash = Books { method: Method::Cash, ..books(State::Paid) };
    assert_eq!(three_way(&cash, &[], &november()), None);
}

fn any_state() -> impl Strategy<Value = State> {
    let states = [
        State::Created,
        State::Asked,
        State::Pending,
        State::Review,
        State::Paid,
        part(1),
        part(RENT),
        State::Refunded,
        State::ChargedBack,
    ];
    let failed = Failure::ALL.into_iter().map(State::Failed);
    prop::sample::select(states.into_iter().chain(failed).collect::<Vec<_>>())
}

fn any_line() -> impl Strategy<Value = Told> {
    let statuses = ["settlement", "deny", "refund", "pending", "chargeback", "?"];
    let amount = || prop::sample::select(vec![i64::MIN, -RENT, -1, 0, 1, RENT, 999_999_999_999_999]);
    let amount = move || amount().prop_map(|amount| amount.max(-999_999_999_999_999));
    prop_oneof![
        (prop::sample::select(statuses.to_vec()), amount()).prop_map(|(status, a)| transaction(status, a)),
        (prop::sample::select(Entry::ALL.to_vec()), amount()).prop_map(|(entry, a)| balance(entry, a, 1)),
        amount().prop_map(|a| payout(a.clamp(-RENT, RENT), 1, 1)),
    ]
}

proptest! {
    #[test]
    fn whatever_is_told_there_is_one_answer_and_missing_money_was_held(
        state in any_state(),
        told in prop::collection::vec(any_line(), 0..6),
    ) {
        let verdict = three_way(&books(state), &told, &november());
        prop_assert_eq!(&verdict, &three_way(&books(state), &told, &november()));
        if let Some(Verdict { outcome: Match::Missing { .. }, .. }) = verdict {
            prop_assert!(state.holds_money());
        }
        let cash = Books { method: Method::Cash, ..books(state) };
        prop_assert_eq!(three_way(&cash, &told, &november()), None);
    }
}
