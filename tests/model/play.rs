//! The model played against the real program: after each step, whatever the weather was, the books hold the truth.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::{FindingKind, Invoice, Method, Payment, Secret, State};
use midtrans_sim::{Failure, Loss, Refused, Status, TransactionView};
use proptest_state_machine::StateMachineTest;
use serde_json::json;
use store::{bills, findings, history, jobs, notifications, refunds};

use crate::bill::{Act, Bill, Crash, Step, Truth};
use crate::house::{House, SERVER_KEY};

const ACCEPTED: &str = "4811111111111114";
const DENIED: &str = "4911111111111113";
const DAY: Duration = Duration::from_secs(25 * 3600);

/// The real thing.
pub(crate) struct Real;

impl StateMachineTest for Real {
    type SystemUnderTest = House;
    type Reference = Bill;

    fn init_test(_: &Bill) -> House {
        House::open()
    }

    fn apply(mut house: House, bill: &Bill, step: Step) -> House {
        house.weather(step.notices, step.answers);
        let asked = house.sim.calls().len();
        match step.crash {
            Crash::Never => {
                act(&mut house, bill, step.act);
                house.work();
            }
            Crash::AfterWork => {
                act(&mut house, bill, step.act);
                house.work();
                house.crash();
            }
            Crash::BeforeWork => {
                let held = house.outside.block_on(house.program().force.pause());
                act(&mut house, bill, step.act);
                drop(held);
                house.crash();
            }
            Crash::Asking => {
                house.sim.faults(|faults| faults.fail_next(1, Failure::Hang));
                act(&mut house, bill, step.act);
                house.work_until_asked(asked);
                house.crash();
            }
            Crash::Answered => {
                house.sim.faults(|faults| faults.lose_charge_answers(1, Loss::Hang));
                act(&mut house, bill, step.act);
                house.work_until_asked(asked);
                house.crash();
            }
        }
        house.rest();
        house
    }

    fn check_invariants(house: &House, bill: &Bill) {
        let payments = house.payments();
        assert_eq!(payments.len(), bill.payments.len(), "{payments:#?}");
        for (payment, expected) in payments.iter().zip(&bill.payments) {
            assert_eq!(payment.method, expected.method);
            assert!(
                is(payment.state, expected.truth),
                "{} is {:?}, not {expected:?}",
                payment.invoice,
                payment.state
            );
            check_gateway(house, payment);
            check_history(house, payment);
        }
        check_bill(house, bill);
        check_findings(house, bill);
    }

    fn teardown(house: House, _: Bill) {
        house.close();
    }
}

fn newest(house: &House) -> Option<Invoice> {
    house.payments().pop().map(|payment| payment.invoice)
}

/// Does it, and compares what comes back with what the model says must come back.
fn act(house: &mut House, bill: &Bill, act: Act) {
    match act {
        Act::Pay(method, times) => pays(house, bill, (method, times)),
        Act::ChangeMind(first, second) => {
            house.pay(first.code(), 1);
            pays(house, bill, (second, 1));
        }
        Act::PayLateAndChange(method) => {
            house.sim.faults(|faults| faults.notifications.drop_all = true);
            if let Some(invoice) = newest(house) {
                // Where nobody waits for it, the gateway refuses, and the tenant simply pays.
                drop(settle(house, &invoice, method_of(house, &invoice)));
            }
            pays(house, bill, (method, 1));
        }
        Act::GiveUp => {
            let live = house.payments().into_iter().find(|payment| payment.state.is_live());
            if let Some(payment) = live {
                assert_eq!(house.give_up(&payment.invoice), 202);
            }
        }
        Act::Refund(amount) => {
            if let Some(invoice) = newest(house) {
                let answer = house.refund(&invoice, amount);
                assert!(answer == 202 || answer == 409, "{answer}");
            }
        }
        Act::Forge(status) => forge(house, status),
        Act::ReplayAll => {
            for sent in house.sim.notifications_sent().iter().rev().take(30) {
                assert_eq!(house.notify(&sent.body), 201);
            }
        }
        Act::Sleep => house.pass(DAY),
        Act::NextBill => house.next_tenant(),
        Act::Settle | Act::Expire | Act::Deny | Act::Reverse | Act::RefundElsewhere(_) => {
            if let Some(invoice) = newest(house) {
                drop(happens(house, &invoice, act));
            }
        }
    }
}

fn pays(house: &House, bill: &Bill, (method, times): (Method, usize)) {
    let answers = house.pay(method.code(), times);
    let made = answers.iter().filter(|answer| answer.as_u16() == 201).count();
    match bill.answer {
        // One of those who asked at once made it; the others were told of it.
        201 => assert!(made == 1 && answers.iter().all(|answer| answer.is_success()), "{answers:?}"),
        expected => assert!(answers.iter().all(|answer| answer.as_u16() == expected), "{answers:?}"),
    }
}

fn method_of(house: &House, invoice: &Invoice) -> Method {
    house.payments().into_iter().find(|payment| payment.invoice == *invoice).unwrap().method
}

fn settle(house: &House, invoice: &Invoice, method: Method) -> Result<TransactionView, Refused> {
    let id = invoice.as_str();
    house.outside.block_on(async {
        match method {
            Method::Card => {
                house.sim.pay_on_page(id, ACCEPTED).await?;
                house.sim.settle(id).await
            }
            _ => house.sim.settle(id).await,
        }
    })
}

fn happens(house: &House, invoice: &Invoice, act: Act) -> Result<TransactionView, Refused> {
    let (id, method) = (invoice.as_str(), method_of(house, invoice));
    match act {
        Act::Settle => settle(house, invoice, method),
        Act::Deny if method == Method::Card => house.outside.block_on(house.sim.pay_on_page(id, DENIED)),
        Act::Deny => house.outside.block_on(house.sim.deny(id)),
        Act::Expire => house.outside.block_on(house.sim.expire(id)),
        Act::Reverse => house.outside.block_on(house.sim.reverse(id)),
        Act::RefundElsewhere(amount) => house.outside.block_on(house.sim.refund(id, Some(amount))),
        other => panic!("{other:?} is nothing that happens at the gateway"),
    }
}

/// A notification whose signature is right and whose claim may be a lie: it is a hint to look, never data.
fn forge(house: &House, status: &str) {
    let Some(payment) = house.payments().pop() else { return };
    let code = match status {
        "pending" => "201",
        "expire" | "deny" | "cancel" => "202",
        _ => "200",
    };
    let (order, amount) = (payment.invoice.as_str(), format!("{}.00", payment.amount.get()));
    let body = json!({
        "order_id": order,
        "status_code": code,
        "gross_amount": amount,
        "transaction_status": status,
        "transaction_id": "00000000-0000-4000-8000-000000000000",
        "fraud_status": "accept",
        "signature_key": midtrans::sign(order, code, &amount, &Secret::from(SERVER_KEY)),
    });
    assert_eq!(house.notify(&body), 201);
    let unsigned =
        json!({ "order_id": order, "status_code": "200", "gross_amount": amount, "signature_key": "0" });
    assert_eq!(house.notify(&unsigned), 401);
}

fn is(state: State, truth: Truth) -> bool {
    match truth {
        Truth::Pending => state == State::Pending,
        Truth::Paid => state == State::Paid,
        Truth::PartlyBack(back) => matches!(state, State::PartiallyRefunded { total } if total.get() == back),
        Truth::Back => state == State::Refunded,
        Truth::Failed => matches!(state, State::Failed(_)),
    }
}

/// The gateway has one transaction of an invoice at most, but for tries on the page; and it says what we say.
fn check_gateway(house: &House, payment: &Payment) {
    let transactions = house.sim.transactions_of(payment.invoice.as_str());
    assert!(
        transactions.len() <= 1 || payment.method == Method::Card,
        "{} was charged twice",
        payment.invoice
    );
    let money = |one: &&TransactionView| {
        matches!(one.status, Status::Capture | Status::Settlement | Status::PartialRefund)
    };
    let holds = transactions.iter().filter(money).count();
    assert_eq!(holds, usize::from(payment.state.holds_money()), "{}: {transactions:#?}", payment.invoice);
    let waits = transactions.iter().filter(|one| one.status == Status::Pending).count();
    assert!(waits == 0 || payment.state == State::Pending, "{}: {transactions:#?}", payment.invoice);
    let gone: i64 = transactions.iter().map(|one| one.refunded).sum();
    let booked = house.outside.block_on(refunds::of_payment(&house.program().db, payment.id)).unwrap();
    let booked: i64 =
        booked.iter().filter(|one| one.state.as_str() != "refused").map(|one| one.amount.get()).sum();
    assert_eq!(booked, gone, "refunds of {}", payment.invoice);
}

/// Each row begins where the one before it ended, and none says again what one before it said.
fn check_history(house: &House, payment: &Payment) {
    let rows = house.outside.block_on(history::of_payment(&house.program().db, payment.id)).unwrap();
    let mut state = None;
    let mut moves = Vec::new();
    for row in &rows {
        assert_eq!(row.from_state, state, "{rows:#?}");
        if row.from_state.as_deref() != Some(row.to_state.as_str()) {
            moves.push((row.from_state.clone(), row.to_state.clone(), row.event.clone()));
        }
        state = Some(row.to_state.clone());
    }
    let parts = moves.iter().filter(|(_, to, _)| to == "partially_refunded").count();
    moves.sort();
    moves.dedup();
    assert!(moves.len() + parts.saturating_sub(1) >= moves_of(&rows), "said twice: {rows:#?}");
    assert_eq!(state.as_deref(), Some(payment.state.as_str()));
}

fn moves_of(rows: &[history::Row]) -> usize {
    rows.iter().filter(|row| row.from_state.as_deref() != Some(row.to_state.as_str())).count()
}

fn check_bill(house: &House, bill: &Bill) {
    let expected = match (bill.is_paid(), bill.pending()) {
        (true, _) => "paid",
        (false, Some(_)) => "pending",
        (false, None) => "unpaid",
    };
    let db = &house.program().db;
    let found = house.outside.block_on(bills::find(db, house.bill())).unwrap().unwrap();
    assert_eq!(found.status.as_str(), expected);
    let dead = house.outside.block_on(jobs::in_state(db, "dead", 10)).unwrap();
    assert!(dead.is_empty(), "dead jobs: {dead:#?}");
    let running = house.outside.block_on(jobs::in_state(db, "running", 10)).unwrap();
    assert!(running.is_empty(), "jobs that run for ever: {running:#?}");
}

/// One finding for each cause, and none without one.
fn check_findings(house: &House, bill: &Bill) {
    let found = house.outside.block_on(findings::newest(&house.program().db, 1000)).unwrap();
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    let is_missed = |finding: &&findings::Finding| finding.kind == FindingKind::MissedNotification;
    found.iter().filter(is_missed).for_each(|finding| check_missed(house, finding));
    for finding in found.iter().filter(|finding| !is_missed(finding)) {
        *kinds.entry(finding.kind.as_str()).or_default() += 1;
    }
    let expected = BTreeMap::from([("external_refund", bill.external_refunds), ("reversal", bill.reversals)]);
    let expected: BTreeMap<&str, usize> = expected.into_iter().filter(|(_, count)| *count > 0).collect();
    assert_eq!(kinds, expected, "{found:#?}");
}

/// How many notifications the weather lost is not counted here, but what counts as missed was told by none.
fn check_missed(house: &House, finding: &findings::Finding) {
    let payment = finding.payment_id.unwrap();
    let told = house.outside.block_on(notifications::told_of(&house.program().db, payment)).unwrap();
    let missed = |event: &str| finding.detail.contains(&format!("told that it was {event};"));
    let came = told.iter().filter_map(|told| told.event.as_deref()).any(missed);
    assert_eq!(came, finding.resolved_at.is_some(), "{finding:#?}: {told:#?}");
}
