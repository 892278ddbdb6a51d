//! The life of a payment as algebra: all pairs of state and event, all orders of the same news.
#![expect(clippy::unwrap_used, reason = "a story that cannot go on is over")]

use domain::{Confirmation, Event, Failure, FindingKind, Rupiah, State, Step};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

const METHODS: [Confirmation; 3] = [Confirmation::Final, Confirmation::Reversible, Confirmation::Captured];

fn rupiah(amount: i64) -> Rupiah {
    Rupiah::try_from(amount).unwrap()
}

fn states() -> Vec<State> {
    let mut all = vec![
        State::Created,
        State::Asked,
        State::Pending,
        State::Review,
        State::Paid,
        State::PartiallyRefunded { total: rupiah(1_000) },
        State::Refunded,
        State::ChargedBack,
    ];
    all.extend(Failure::ALL.map(State::Failed));
    all
}

fn events() -> Vec<Event> {
    vec![
        Event::Asked,
        Event::Withdrawn,
        Event::Absent,
        Event::Rejected,
        Event::Accepted,
        Event::Challenged,
        Event::Authorized,
        Event::Settled,
        Event::Captured,
        Event::Denied,
        Event::Cancelled,
        Event::Expired,
        Event::Errored,
        Event::Refunded,
        Event::PartiallyRefunded(rupiah(500)),
        Event::PartiallyRefunded(rupiah(1_000)),
        Event::PartiallyRefunded(rupiah(2_000)),
        Event::ChargedBack,
        Event::PartiallyChargedBack,
        Event::Unheard("authorise".to_owned()),
    ]
}

fn after(state: State, event: &Event, method: Confirmation) -> State {
    match state.on(event, method) {
        Step::MoveTo(next) | Step::MoveAndTell(next, _) => next,
        Step::Stay | Step::Look(_) => state,
    }
}

fn run<'e>(start: State, news: impl IntoIterator<Item = &'e Event>, method: Confirmation) -> State {
    news.into_iter().fold(start, |state, event| after(state, event, method))
}

fn every_pair(mut check: impl FnMut(State, &Event, Confirmation)) {
    for method in METHODS {
        for state in states() {
            for event in events() {
                check(state, &event, method);
            }
        }
    }
}

#[test]
fn the_same_news_twice_changes_nothing() {
    every_pair(|state, event, method| {
        let once = after(state, event, method);
        assert_eq!(after(once, event, method), once, "{state:?} on {event:?} ({method:?})");
    });
}

#[test]
fn no_move_leads_where_the_payment_already_is() {
    every_pair(|state, event, method| {
        if let Step::MoveTo(next) | Step::MoveAndTell(next, _) = state.on(event, method) {
            assert_ne!(next, state, "{state:?} on {event:?} would write a history row that says nothing");
        }
    });
}

#[test]
fn money_is_lost_only_to_a_reversal_a_refund_or_a_chargeback() {
    every_pair(|state, event, method| {
        let next = after(state, event, method);
        if state.holds_money() && !next.holds_money() {
            let reversal = *event == Event::Denied && method == Confirmation::Reversible;
            let voided = *event == Event::Cancelled && method == Confirmation::Captured;
            let given_back = matches!(event, Event::Refunded | Event::ChargedBack);
            assert!(reversal || voided || given_back, "{state:?} on {event:?} loses money");
        }
    });
}

#[test]
fn a_settlement_is_booked_or_a_person_hears_of_it() {
    every_pair(|state, event, method| {
        if matches!(event, Event::Settled | Event::Captured)
            && !state.holds_money()
            && !matches!(state, State::Refunded | State::ChargedBack)
        {
            let step = state.on(event, method);
            let heard = matches!(
                step,
                Step::MoveTo(State::Paid)
                    | Step::MoveAndTell(State::Paid, FindingKind::LateSettlement)
                    | Step::Look(_)
            );
            assert!(heard, "{state:?} ignores a settlement: {step:?}");
        }
    });
}

#[test]
fn after_the_gateway_was_asked_nothing_of_ours_makes_a_payment_fail() {
    every_pair(|state, event, method| {
        let ours = matches!(event, Event::Asked | Event::Withdrawn);
        if ours && state != State::Created {
            assert_eq!(state.on(event, method), Step::Stay, "{state:?} on {event:?}");
        }
    });
}

#[test]
fn a_payment_that_ended_never_comes_to_life_again() {
    every_pair(|state, event, method| {
        if !state.is_live() {
            assert!(!after(state, event, method).is_live(), "{state:?} on {event:?}");
        }
    });
}

#[test]
fn a_word_the_contract_does_not_know_is_for_a_person() {
    for state in states() {
        let step = state.on(&Event::Unheard("teleported".to_owned()), Confirmation::Final);
        assert_eq!(step, Step::Look(FindingKind::StatusConflict));
    }
}

#[test]
fn a_deny_after_a_settlement_is_a_reversal_only_where_reversals_exist() {
    assert_eq!(
        State::Paid.on(&Event::Denied, Confirmation::Reversible),
        Step::MoveAndTell(State::Failed(Failure::Reversed), FindingKind::Reversal)
    );
    assert_eq!(State::Paid.on(&Event::Denied, Confirmation::Final), Step::Look(FindingKind::StatusConflict));
}

#[test]
fn a_capture_can_be_cancelled_and_a_settlement_of_another_method_cannot() {
    assert_eq!(
        State::Paid.on(&Event::Cancelled, Confirmation::Captured),
        Step::MoveAndTell(State::Failed(Failure::Reversed), FindingKind::Reversal)
    );
    for method in [Confirmation::Final, Confirmation::Reversible] {
        assert_eq!(State::Paid.on(&Event::Cancelled, method), Step::Look(FindingKind::StatusConflict));
    }
}

#[test]
fn every_state_survives_its_columns() {
    for state in states() {
        let total = match state {
            State::PartiallyRefunded { total } => total,
            _ => Rupiah::ZERO,
        };
        assert_eq!(State::from_parts(state.as_str(), state.failure().map(Failure::as_str), total), Ok(state));
    }
    assert!(State::from_parts("failed", None, Rupiah::ZERO).is_err());
    assert!(State::from_parts("paid", Some("expired"), Rupiah::ZERO).is_err());
}

/// What the gateway can say of one transaction in the course of its life (contract §6), in order.
fn lives() -> Vec<Vec<Event>> {
    use Event::*;
    vec![
        vec![Accepted, Settled],
        vec![Accepted, Expired],
        vec![Accepted, Cancelled],
        vec![Accepted, Denied],
        vec![Accepted, Errored],
        vec![Accepted, Expired, Settled],
        vec![Accepted, Challenged, Captured, Settled],
        vec![Accepted, Authorized, Captured, Settled],
        vec![Accepted, Challenged, Denied],
        vec![Accepted, Captured, Settled, Refunded],
        vec![Accepted, Settled, PartiallyRefunded(rupiah(500)), PartiallyRefunded(rupiah(900)), Refunded],
        vec![Accepted, Settled, PartiallyRefunded(rupiah(500)), PartiallyRefunded(rupiah(900))],
        vec![Accepted, Settled, Refunded],
        vec![Accepted, Settled, ChargedBack],
        vec![Accepted, Settled, PartiallyRefunded(rupiah(500)), ChargedBack],
    ]
}

proptest! {
    #[test]
    fn any_order_of_the_same_news_ends_in_the_same_place(
        (life, told) in select(lives()).prop_flat_map(|life| {
            let twice: Vec<Event> = life.iter().chain(&life).cloned().collect();
            (Just(life), Just(twice).prop_shuffle())
        }),
        method in select(METHODS.to_vec()),
    ) {
        prop_assert_eq!(run(State::Asked, &told, method), run(State::Asked, &life, method));
    }

    #[test]
    fn news_that_was_lost_is_made_up_for_by_the_last(
        (life, heard) in select(lives()).prop_flat_map(|life| {
            let early = life[..life.len() - 1].to_vec();
            let some = 0..=early.len();
            (Just(life), subsequence(early, some))
        }),
        method in select(METHODS.to_vec()),
    ) {
        let last = life.last().unwrap();
        let state = run(State::Asked, heard.iter().chain([last]), method);
        prop_assert_eq!(state, run(State::Asked, &life, method));
    }

    #[test]
    fn no_news_at_all_can_make_a_payment_live_for_ever_and_then_paid_twice(
        news in prop::collection::vec(select(events()), 0..40),
        method in select(METHODS.to_vec()),
    ) {
        let mut state = State::Created;
        let mut ends = 0;
        for event in &news {
            let next = after(state, event, method);
            if state.is_live() && !next.is_live() {
                ends += 1;
            }
            state = next;
        }
        prop_assert!(ends <= 1, "a payment ends once: {news:?}");
    }
}
