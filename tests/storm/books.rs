//! What must hold, whatever the weather (DESIGN §2): some of it after every step, all of it at rest.

use std::collections::BTreeMap;

use domain::{Failure, FindingKind, Invoice, Method, Payment, RefundState, State};
use midtrans_sim::{Status, TransactionView};
use store::findings::Finding;
use store::{audit, bills, findings, history, jobs, journal, refunds};

use crate::ear;
use crate::house::{House, SECRETS};

/// Breaks the storm off when an invariant does not hold.
fn must(holds: bool, invariant: &str, detail: impl FnOnce() -> String) {
    assert!(holds, "broken: {invariant}\n{}", detail());
}

/// What holds after every step, also in the middle of work.
pub(crate) async fn check_at_work(house: &mut House) {
    let payments = house.payments().await;
    let transactions = house.transactions();
    for (bill, of_bill) in by_bill(&payments) {
        let wanted = of_bill.iter().filter(|payment| payment.is_wanted()).count();
        must(wanted <= 1, "a bill has at most one payment that is live and wanted", || {
            format!("{of_bill:#?}")
        });
        let waiting: Vec<_> = of_bill
            .iter()
            .filter(|payment| !is_stray(&transactions, payment))
            .flat_map(|payment| of_payment(&transactions, payment))
            .filter(|one| one.status == Status::Pending)
            .collect();
        must(waiting.len() <= 1, "a bill has at most one live transaction", || {
            format!("bill {bill}: {waiting:#?}\n{of_bill:#?}")
        });
    }
    for payment in &payments {
        let once = of_payment(&transactions, payment).count() <= 1
            || payment.method.is_on_a_page()
            || is_stray(&transactions, payment);
        must(once, "no payment is charged twice", || format!("{payment:#?}\n{transactions:#?}"));
        check_history(house, payment).await;
    }
    let known = |one: &&TransactionView| payments.iter().any(|payment| is_of(one, payment));
    let stranger = transactions.iter().find(|one| !known(one));
    must(stranger.is_none(), "each transaction is of a payment of ours", || format!("{stranger:#?}"));
    let drifted = journal::drifted(house.db(), 10).await.unwrap();
    must(drifted.is_empty(), "the journal says what the payments say", || format!("{drifted:?}"));
}

/// While nothing has expired: what waits at the gateway waits in the books.
pub(crate) async fn check_waiting(house: &House) {
    for payment in house.payments().await {
        let transactions = house.transactions();
        let waits = of_payment(&transactions, &payment).any(|one| one.status == Status::Pending);
        let known = payment.state.is_live() || is_stray(&transactions, &payment);
        must(!waits || known, "no transaction is left waiting for a payer", || {
            format!("{payment:#?}\n{transactions:#?}")
        });
    }
}

/// What holds when everything is at rest.
pub(crate) async fn check_at_rest(house: &mut House) {
    check_at_work(house).await;
    let payments = house.payments().await;
    let found = findings::newest(house.db(), 1000).await.unwrap();
    for payment in &payments {
        check_money(house, payment, &found);
        check_refunds(house, payment).await;
    }
    for (bill, of_bill) in by_bill(&payments) {
        let paid = of_bill.iter().filter(|payment| payment.state.holds_money()).count();
        let live = of_bill.iter().any(|payment| payment.state.is_live());
        let told = |payment: &&Payment| tells(&found, payment, FindingKind::DoublePayment);
        must(paid <= 1 || of_bill.iter().any(told), "a bill that is paid twice is a finding", || {
            format!("{of_bill:#?}\n{found:#?}")
        });
        let expected = if paid > 0 {
            "paid"
        } else if live {
            "pending"
        } else {
            "unpaid"
        };
        // One that is void is owed by nobody.
        let Some(bill) = bills::find(house.db(), bill).await.unwrap() else { continue };
        let status = bill.status.as_str();
        must(status == expected, "a bill is what its payments are", || {
            format!("not {expected}: {bill:#?}, {of_bill:#?}")
        });
    }
    check_ledger(house).await;
    check_secrets(house);
    house.tally.sums.payments = payments.len();
    house.tally.sums.charges = house.transactions().len();
    house.tally.sums.settled = payments.iter().filter(|payment| payment.state.holds_money()).count();
    house.tally.sums.findings = found.len();
    let all = house.transactions();
    let strays = payments.iter().filter(|one| !one.method.is_on_a_page() && is_stray(&all, one));
    house.tally.sums.strays = strays.count();
    let mut ends: Vec<String> = payments
        .iter()
        .map(|payment| format!("{} {:?} v{}", payment.invoice, payment.state, payment.version))
        .collect();
    ends.extend(
        found.iter().rev().map(|finding| format!("{} {:?}", finding.kind.as_str(), finding.payment_id)),
    );
    for end in ends {
        house.tally.note(end);
    }
}

fn by_bill(payments: &[Payment]) -> BTreeMap<domain::BillId, Vec<&Payment>> {
    let mut bills: BTreeMap<_, Vec<&Payment>> = BTreeMap::new();
    for payment in payments {
        bills.entry(payment.bill_id).or_default().push(payment);
    }
    bills
}

fn is_of(transaction: &TransactionView, payment: &Payment) -> bool {
    Invoice::try_from(transaction.order_id.as_str()).is_ok_and(|invoice| invoice == payment.invoice)
}

fn of_payment<'a>(
    transactions: &'a [TransactionView],
    payment: &'a Payment,
) -> impl Iterator<Item = &'a TransactionView> {
    transactions.iter().filter(|one| is_of(one, payment))
}

/// Whether the payment was charged again after its transaction had ended. Whoever has written down that he asks, and
/// stands still until he has lost his lease, may ask when somebody else has asked and the transaction has ended. No fence
/// of ours reaches the gateway, and it takes the order id for free (contract §2); only its own memory of
/// `Idempotency-Key`s keeps it from that, which some methods lack (contract §1). The books must tell of it.
fn is_stray(transactions: &[TransactionView], payment: &Payment) -> bool {
    let mut all: Vec<_> = of_payment(transactions, payment).collect();
    all.pop();
    let ended = |one: &&TransactionView| matches!(one.status, Status::Cancel | Status::Expire);
    !all.is_empty() && !payment.method.profile().rules.idempotency_key && all.iter().all(ended)
}

fn tells(found: &[Finding], payment: &Payment, kind: FindingKind) -> bool {
    found.iter().any(|finding| finding.kind == kind && finding.payment_id == Some(payment.id))
}

/// Whether a transaction brought money that is still here.
fn holds_money(transaction: &TransactionView) -> bool {
    let challenged = transaction.fraud_status.as_deref() == Some("challenge");
    match transaction.status {
        Status::Capture => !challenged,
        Status::Settlement | Status::PartialRefund | Status::PartialChargeback => true,
        _ => false,
    }
}

/// What is paid at the gateway is paid here, with the same amount, and nothing else is.
fn check_money(house: &House, payment: &Payment, found: &[Finding]) {
    if payment.method == Method::Cash {
        return;
    }
    let all = house.transactions();
    let transactions: Vec<_> = of_payment(&all, payment).collect();
    let story = || format!("{payment:#?}\n{transactions:#?}\n{found:#?}");
    let paid = transactions.iter().filter(|one| holds_money(one)).count();
    let is_told = |kind| tells(found, payment, kind);
    let is_stray = is_stray(&all, payment) && !payment.method.is_on_a_page();
    must(!is_stray || is_told(FindingKind::StatusConflict), "a payment that is charged again is told", story);
    must(paid == 0 || payment.state.holds_money(), "no payment is lost", story);
    must(paid > 0 || !payment.state.holds_money(), "nothing is paid that the gateway has not", story);
    must(paid <= 1 || is_told(FindingKind::DoublePayment), "two tries that were paid are a finding", story);
    must(!payment.state.is_live(), "every payment comes to an end", story);
    let agrees = transactions.iter().all(|one| one.amount == payment.amount.get());
    must(agrees || is_told(FindingKind::AmountMismatch), "amounts agree, or are a finding", story);
    let back = transactions.iter().find(|one| one.status == Status::PartialRefund).map(|one| one.refunded);
    let booked = match payment.state {
        State::PartiallyRefunded { total } => Some(total.get()),
        _ => None,
    };
    must(back == booked, "what went back went back here", story);
}

/// What the gateway gave back is in the books, once.
async fn check_refunds(house: &House, payment: &Payment) {
    let all = house.transactions();
    let rows = refunds::of_payment(house.db(), payment.id).await.unwrap();
    // A card that was captured and not settled is cancelled instead of refunded (contract §4).
    let is_void = payment.state == State::Failed(Failure::Reversed)
        && rows.iter().any(|row| row.is_ours && row.state == RefundState::Confirmed);
    let void =
        |one: &TransactionView| is_void && one.status == Status::Cancel && payment.method.is_on_a_page();
    let gone: i64 =
        of_payment(&all, payment).map(|one| if void(one) { one.amount } else { one.refunded }).sum();
    let booked: i64 =
        rows.iter().filter(|row| row.state != RefundState::Refused).map(|row| row.amount.get()).sum();
    must(booked == gone, "refunds are booked as the gateway made them, once", || {
        format!("{payment:#?}\n{rows:#?}\n{all:#?}")
    });
}

/// Each row begins where the one before it ended, and none that was seen has changed.
async fn check_history(house: &mut House, payment: &Payment) {
    let rows = history::of_payment(house.db(), payment.id).await.unwrap();
    let mut state = None;
    for (at, row) in rows.iter().enumerate() {
        must(row.from_state == state, "the history of a payment has no gap", || format!("{rows:#?}"));
        state = Some(row.to_state.clone());
        let text = format!("{row:?}");
        let first = house.history.entry((payment.id.0, at)).or_insert_with(|| text.clone());
        must(*first == text, "no row of a history changes", || format!("{first}\n{text}"));
    }
    let seen = house.history.range((payment.id.0, 0)..(payment.id.0 + 1, 0)).count();
    must(seen == rows.len(), "no row of a history goes", || format!("{rows:#?}"));
    must(state.as_deref() == Some(payment.state.as_str()), "the history ends where the payment is", || {
        format!("{payment:#?}\n{rows:#?}")
    });
}

/// Nothing is left to do, postings balance, and the audit is as it was written.
async fn check_ledger(house: &House) {
    for state in ["ready", "running"] {
        let left = jobs::in_state(house.db(), state, 10).await.unwrap();
        must(left.is_empty(), "no job is left, and no lease", || format!("{left:#?}"));
    }
    let balances = journal::trial_balance(house.db()).await.unwrap();
    let net: i64 = balances.iter().map(journal::Balance::net).sum();
    must(net == 0, "postings sum to zero", || format!("{balances:#?}"));
    let verified = audit::verify(house.db()).await.unwrap();
    must(verified.broken_at.is_none(), "the audit is as it was written", || format!("{verified:?}"));
}

/// No answer and no line of the log holds a secret.
fn check_secrets(house: &House) {
    let answered = SECRETS.iter().find(|secret| house.said.contains(**secret));
    must(answered.is_none(), "no answer tells a secret", || format!("{answered:?}"));
    let line = ear::told();
    must(line.is_none(), "no line of the log tells a secret", || format!("{line:?}"));
}
