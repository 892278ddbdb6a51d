//! Folding reports into payments, and when to ask again.
#![expect(clippy::unwrap_used, reason = "a story that cannot go on is over")]

use std::time::Duration;

use domain::{
    Amount, BillId, Event, Failure, FindingKind, Instruction, Invoice, Method, Payment, PaymentId,
    PollSchedule, Report, Rupiah, State, Step, Time, TransactionId, UserId, fold,
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
        transaction_id: Some(TransactionId::try_from("tx-1").unwrap()),
        amount: Amount::Rupiah(Rupiah::try_from(500_000).unwrap()),
        expires_at: Some(at(24 * 60)),
        settled_at: None,
        instruction: Some(Instruction::VirtualAccount { bank: "bca".to_owned(), number: "123".to_owned() }),
    }
}

#[test]
fn what_was_not_known_is_learned_once() {
    let mut payment = payment(Method::Bca, State::Asked);
    let ruling = fold(&payment, &report(Event::Accepted));
    assert_eq!(ruling.step, Step::MoveTo(State::Pending));
    assert_eq!(ruling.learned.transaction_id, report(Event::Accepted).transaction_id);
    payment.state = State::Pending;
    payment.transaction_id = ruling.learned.transaction_id;
    payment.instruction = ruling.learned.instruction;
    let again = fold(&payment, &report(Event::Accepted));
    assert_eq!(again.step, Step::Stay);
    assert!(again.learned.is_empty(), "{again:?}");
}

#[test]
fn another_amount_is_a_finding_and_not_a_payment() {
    let wrong = Report { amount: Amount::Rupiah(Rupiah::try_from(5_000).unwrap()), ..report(Event::Settled) };
    let ruling = fold(&payment(Method::Bca, State::Pending), &wrong);
    assert_eq!(ruling.step, Step::Look(FindingKind::AmountMismatch));
    assert!(ruling.learned.is_empty());
    let foreign = Report { amount: Amount::Foreign("500000.00 USD".to_owned()), ..report(Event::Settled) };
    assert_eq!(
        fold(&payment(Method::Bca, State::Pending), &foreign).step,
        Step::Look(FindingKind::AmountMismatch)
    );
}

#[test]
fn another_transaction_under_our_invoice_is_for_a_person() {
    let mut known = payment(Method::Bca, State::Pending);
    known.transaction_id = Some(TransactionId::try_from("tx-0").unwrap());
    assert_eq!(fold(&known, &report(Event::Settled)).step, Step::Look(FindingKind::StatusConflict));
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
fn a_schedule_with_no_early_checks_still_checks() {
    let schedule =
        PollSchedule { after_charge: vec![], every: Duration::from_secs(600), ..PollSchedule::default() };
    let next = schedule.next_check(&payment(Method::Bca, State::Pending), at(0));
    assert_eq!(next, Some(at(10)));
}
