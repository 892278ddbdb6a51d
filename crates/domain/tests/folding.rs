//! Folding reports into payments, and when to ask again.
#![expect(clippy::unwrap_used, reason = "a story that cannot go on is over")]

use std::time::Duration;

use domain::{
    Amount, BillId, Event, Failure, FindingKind, Instruction, Invoice, Method, NoRefund, Page, Payment,
    PaymentId, PollSchedule, RefundKey, RefundState, Report, ReportedRefund, Rupiah, State, Step, Time,
    TransactionId, UserId, fold,
};

fn at(minute: i64) -> Time {
    "2026-11-24T03:00:00Z".parse::<Time>().unwrap() + chrono::TimeDelta::minutes(minute)
}

fn payment(method: Method, state: State) -> Payment {
    Payment {
        id: PaymentId(1),
        invoice: Invoice::try_from("KSR-1").unwrap(),
        bill_id: BillId(1),
        tenant_id: UserId(1),
        method,
        amount: Rupiah::try_from(500_000).unwrap(),
        payer_phone: None,
        state,
        transaction_id: None,
        instruction: None,
        created_at: at(0),
        asked_at: Some(at(0)),
        expires_at: Some(at(24 * 60)),
        paid_at: None,
        checked_at: None,
        superseded_at: None,
        supersedes: None,
        version: 1,
    }
}

fn report(event: Event) -> Report {
    Report {
        event,
        order_id: Some("KSR-1".to_owned()),
        transaction_id: Some(TransactionId::try_from("tx-1").unwrap()),
        amount: Amount::Rupiah(Rupiah::try_from(500_000).unwrap()),
        expires_at: Some(at(24 * 60)),
        settled_at: None,
        instruction: Some(Instruction::VirtualAccount { bank: "bca".to_owned(), number: "123".to_owned() }),
        refunds: Vec::new(),
        page: Page::Open,
    }
}

#[test]
fn what_was_not_known_is_learned_once() {
    let mut payment = payment(Method::Bca, State::Asked);
    let ruling = fold(&payment, &report(Event::Accepted), at(1));
    assert_eq!(ruling.step, Step::MoveTo(State::Pending));
    assert_eq!(ruling.learned.transaction_id, report(Event::Accepted).transaction_id);
    payment.state = State::Pending;
    payment.transaction_id = ruling.learned.transaction_id;
    payment.instruction = ruling.learned.instruction;
    let again = fold(&payment, &report(Event::Accepted), at(1));
    assert_eq!(again.step, Step::Stay);
    assert!(again.learned.is_empty(), "{again:?}");
}

#[test]
fn another_amount_is_a_finding_and_not_a_payment() {
    let wrong = Report { amount: Amount::Rupiah(Rupiah::try_from(5_000).unwrap()), ..report(Event::Settled) };
    let ruling = fold(&payment(Method::Bca, State::Pending), &wrong, at(1));
    assert_eq!(ruling.step, Step::Look(FindingKind::AmountMismatch));
    assert!(ruling.learned.is_empty());
    let foreign = Report { amount: Amount::Foreign("500000.00 USD".to_owned()), ..report(Event::Settled) };
    assert_eq!(
        fold(&payment(Method::Bca, State::Pending), &foreign, at(1)).step,
        Step::Look(FindingKind::AmountMismatch)
    );
}

#[test]
fn another_transaction_under_our_invoice_is_for_a_person() {
    let mut known = payment(Method::Bca, State::Pending);
    known.transaction_id = Some(TransactionId::try_from("tx-0").unwrap());
    assert_eq!(fold(&known, &report(Event::Settled), at(1)).step, Step::Look(FindingKind::StatusConflict));
    known.state = State::Failed(Failure::Expired);
    assert_eq!(fold(&known, &report(Event::Accepted), at(1)).step, Step::Look(FindingKind::StatusConflict));
    let money = fold(&known, &report(Event::Settled), at(1));
    assert_eq!(money.step, Step::MoveAndTell(State::Paid, FindingKind::LateSettlement));
    assert_eq!(money.learned.transaction_id, report(Event::Settled).transaction_id);
}

/// A payment on the hosted page, of which a first try is known; the page is open for a quarter of an hour.
fn on_the_page(state: State) -> Payment {
    let transaction_id = Some(TransactionId::try_from("first-try").unwrap());
    Payment { transaction_id, expires_at: Some(at(15)), ..payment(Method::Card, state) }
}

#[test]
fn a_try_that_failed_ends_nothing_while_the_page_is_open() {
    for event in [Event::Denied, Event::Cancelled, Event::Expired, Event::Errored] {
        let ruling = fold(&on_the_page(State::Pending), &report(event.clone()), at(14));
        assert_eq!(ruling.step, Step::Stay, "{event:?}");
        let ruling = fold(&on_the_page(State::Review), &report(event.clone()), at(14));
        assert_eq!(ruling.step, Step::MoveTo(State::Pending), "{event:?}");
        let ended = |report: &Report, now| match fold(&on_the_page(State::Pending), report, now).step {
            Step::MoveTo(State::Failed(why)) => why,
            other => panic!("{event:?}: {other:?}"),
        };
        // A little longer than it is: clocks differ.
        let ruling = fold(&on_the_page(State::Pending), &report(event.clone()), at(16));
        assert_eq!(ruling.step, Step::Stay, "{event:?}");
        assert_eq!(ended(&report(event.clone()), at(17)) == Failure::Expired, event == Event::Expired);
        let closed = Report { page: Page::Closed, ..report(event.clone()) };
        assert_eq!(ended(&closed, at(1)) == Failure::Cancelled, event == Event::Cancelled);
    }
}

#[test]
fn no_transaction_means_that_nobody_has_tried_and_no_more() {
    let untried = Payment { transaction_id: None, ..on_the_page(State::Pending) };
    let absent = Report { transaction_id: None, ..report(Event::Absent) };
    assert_eq!(fold(&untried, &absent, at(16)).step, Step::Stay);
    assert_eq!(fold(&untried, &absent, at(17)).step, Step::MoveTo(State::Failed(Failure::Expired)));
    let closed = Report { page: Page::Closed, ..absent.clone() };
    assert_eq!(fold(&untried, &closed, at(1)).step, Step::MoveTo(State::Failed(Failure::Cancelled)));
    // A try that is known does not vanish.
    for state in [State::Pending, State::Review] {
        for minute in [1, 99] {
            let step = fold(&on_the_page(state), &absent, at(minute)).step;
            assert_eq!(step, Step::Look(FindingKind::StatusConflict), "{state:?}");
        }
    }
}

#[test]
fn the_next_try_takes_the_place_of_the_first_and_is_paid() {
    let ruling = fold(&on_the_page(State::Pending), &report(Event::Captured), at(3));
    assert_eq!(ruling.step, Step::MoveTo(State::Paid));
    assert_eq!(ruling.learned.transaction_id, report(Event::Captured).transaction_id);
    assert_eq!(ruling.learned.expires_at, None, "the page outlives a try");

    let late = fold(&on_the_page(State::Failed(Failure::Expired)), &report(Event::Captured), at(99));
    assert_eq!(late.step, Step::MoveAndTell(State::Paid, FindingKind::LateSettlement));
    let again = fold(&on_the_page(State::Failed(Failure::Reversed)), &report(Event::Captured), at(9));
    assert_eq!(again.step, Step::MoveAndTell(State::Paid, FindingKind::LateSettlement));
    for state in [State::Paid, State::Refunded] {
        let ruling = fold(&on_the_page(state), &report(Event::Captured), at(99));
        assert_eq!(ruling.step, Step::Look(FindingKind::StatusConflict), "a second transaction took money");
    }
    let begun = fold(&on_the_page(State::Failed(Failure::Expired)), &report(Event::Accepted), at(99));
    assert_eq!(begun.step, Step::Look(FindingKind::StatusConflict));
}

#[test]
fn the_banks_word_about_a_refund_is_the_last() {
    let key = RefundKey::try_from("KSR-R-1").unwrap();
    let told = |confirmed_at| ReportedRefund {
        key: key.clone(),
        amount: Rupiah::ZERO,
        reason: String::new(),
        confirmed_at,
    };
    let known = |state| domain::Refund {
        id: domain::RefundId(1),
        payment_id: PaymentId(1),
        key: key.clone(),
        amount: Rupiah::ZERO,
        reason: String::new(),
        is_ours: true,
        state,
        answer: None,
        created_at: at(0),
        confirmed_at: None,
    };
    let (early, last) = (told(None), told(Some(at(5))));
    assert!(early.is_news_to(&[]) && last.is_news_to(&[]));
    for (state, news) in [
        (RefundState::Wanted, [true, true]),
        (RefundState::Asked, [true, true]),
        (RefundState::Accepted, [false, true]),
        (RefundState::Confirmed, [false, false]),
        // We had taken the gateway's no for an answer, and it was none.
        (RefundState::Refused, [true, true]),
    ] {
        let known = [known(state)];
        assert_eq!([early.is_news_to(&known), last.is_news_to(&known)], news, "{state:?}");
    }
}

#[test]
fn a_refund_is_what_the_method_allows() {
    let rupiah = |amount: i64| Rupiah::try_from(amount).unwrap();
    let allow = |method: Method, state, given_back, wanted: Option<i64>, day: i64| {
        let paid = Payment { paid_at: Some(at(0)), ..payment(method, state) };
        let rules = method.profile().rules;
        rules.refunds.allow(&paid, (rupiah(given_back), wanted.map(rupiah)), at(day * 24 * 60))
    };
    let paid = State::Paid;
    assert_eq!(allow(Method::Gopay, paid, 0, None, 45), Ok(rupiah(500_000)));
    assert_eq!(allow(Method::Gopay, paid, 200_000, None, 1), Ok(rupiah(300_000)));
    assert_eq!(
        allow(Method::Gopay, paid, 200_000, Some(300_001), 1),
        Err(NoRefund::TooMuch(rupiah(300_000)))
    );
    assert_eq!(allow(Method::Gopay, paid, 500_000, None, 1), Err(NoRefund::TooMuch(Rupiah::ZERO)));
    assert!(matches!(allow(Method::Gopay, paid, 0, None, 46), Err(NoRefund::TooLate(_))));
    assert_eq!(allow(Method::Gopay, State::Refunded, 0, None, 1), Err(NoRefund::NotPaid));
    assert_eq!(allow(Method::Gopay, State::Pending, 0, None, 1), Err(NoRefund::NotPaid));
    assert_eq!(allow(Method::Bca, paid, 0, None, 1), Err(NoRefund::NotByApi));
    assert_eq!(allow(Method::Ovo, paid, 0, Some(1), 1), Err(NoRefund::OnlyWhole));
    assert_eq!(allow(Method::Ovo, paid, 0, None, 7), Ok(rupiah(500_000)));
}

fn checks(payment: &Payment, until: Time) -> Vec<i64> {
    let schedule = PollSchedule::default();
    let mut now = at(0);
    let mut minutes = Vec::new();
    while let Some(next) = schedule.next_check(payment, now).filter(|next| *next <= until) {
        minutes.push((next - at(0)).num_minutes());
        now = next;
    }
    minutes
}

#[test]
fn a_live_payment_is_checked_soon_then_hourly_then_after_its_end_and_never_given_up() {
    let mut payment = payment(Method::Bca, State::Pending);
    payment.expires_at = Some(at(3 * 60));
    let day = 24 * 60;
    assert_eq!(
        checks(&payment, at(4 * day)),
        [1, 3, 7, 15, 30, 60, 120, 181, 195, 180 + day, 180 + 2 * day, 180 + 3 * day]
    );
}

#[test]
fn an_expired_payment_is_still_checked_for_money_that_comes_late() {
    let mut payment = payment(Method::Bca, State::Failed(Failure::Expired));
    payment.expires_at = Some(at(60));
    assert_eq!(checks(&payment, at(7 * 24 * 60)), [61, 75, 60 + 24 * 60]);
}

#[test]
fn a_settlement_that_can_be_taken_back_is_confirmed_twice() {
    let mut permata = payment(Method::Permata, State::Paid);
    permata.paid_at = Some(at(10));
    assert_eq!(checks(&permata, at(10_000)), [16, 25]);
    let mut bca = payment(Method::Bca, State::Paid);
    bca.paid_at = Some(at(10));
    assert_eq!(checks(&bca, at(10_000)), Vec::<i64>::new());
}

#[test]
fn a_capture_is_looked_at_until_it_is_settled() {
    let mut card = payment(Method::Card, State::Paid);
    card.paid_at = Some(at(10));
    assert_eq!(checks(&card, at(10_000)), [10 + 30 * 60, 10 + 54 * 60]);
}

#[test]
fn a_card_that_was_taken_back_is_looked_at_for_another_try() {
    let mut card = payment(Method::Card, State::Failed(Failure::Reversed));
    card.expires_at = Some(at(15));
    card.paid_at = Some(at(10));
    assert_eq!(checks(&card, at(10_000)), [18, 32, 17 + 24 * 60, 10 + 30 * 60, 10 + 54 * 60]);
    assert_eq!(
        checks(&payment(Method::Permata, State::Failed(Failure::Reversed)), at(10_000)),
        Vec::<i64>::new()
    );
}

#[test]
fn a_page_that_has_ended_is_looked_at_again_whatever_the_last_try_came_to() {
    for why in [Failure::Denied, Failure::Errored, Failure::Expired, Failure::Cancelled] {
        let card = Payment { expires_at: Some(at(15)), ..payment(Method::Card, State::Failed(why)) };
        assert_eq!(checks(&card, at(10_000)), [18, 32, 17 + 24 * 60], "{why:?}");
    }
}

#[test]
fn what_waits_for_a_person_is_checked_hourly_whatever_the_payers_deadline() {
    let mut card = payment(Method::Card, State::Review);
    card.expires_at = Some(at(15));
    assert_eq!(checks(&card, at(200)), [60, 120, 180]);
}

#[test]
fn a_schedule_with_no_early_checks_still_checks() {
    let schedule =
        PollSchedule { after_charge: vec![], every: Duration::from_secs(600), ..PollSchedule::default() };
    let next = schedule.next_check(&payment(Method::Bca, State::Pending), at(0));
    assert_eq!(next, Some(at(10)));
}
