//! Every order in which the messages about one transaction can come, each message twice: the gateway's truth wins.

use domain::{Failure, Invoice, Secret, State};
use midtrans_sim::{Refused, Status, TransactionView};
use reqwest::StatusCode;
use serde_json::{Value, json};
use store::{history, notifications};

use crate::kost::{Kost, SERVER_KEY, Setup};

stories![
    whatever_comes_in_whatever_order_the_books_follow_the_gateway,
    messages_that_all_come_too_late_end_where_the_gateway_is,
    messages_that_come_in_reverse_end_where_the_gateway_is,
];

const MESSAGES: [Status; 5] =
    [Status::Pending, Status::Settlement, Status::Expire, Status::Deny, Status::Refund];

/// One payment, and the order in which things are tried and told.
struct Try {
    order: Vec<Status>,
    invoice: Invoice,
}

impl Try {
    /// What really happens at the gateway (contract §6): one of three ends the waiting, and a settlement is refunded.
    fn changes(&self, steps: usize) -> Vec<Status> {
        let mut changes = Vec::new();
        for act in &self.order[..steps] {
            match (changes.last(), act) {
                (None, Status::Settlement | Status::Expire | Status::Deny)
                | (Some(Status::Settlement), Status::Refund) => changes.push(*act),
                _ => {}
            }
        }
        changes
    }
}

async fn whatever_comes_in_whatever_order_the_books_follow_the_gateway(kost: Kost) {
    let tries = tries(&kost).await;
    for step in 0..MESSAGES.len() {
        for it in &tries {
            act(&kost, it, step).await;
            tell(&kost, it, it.order[step]).await;
        }
        kost.run_jobs().await;
        for it in &tries {
            let now = it.changes(step + 1).pop().unwrap_or(Status::Pending);
            assert_eq!(kost.transaction(&it.invoice).status, now, "{:?}", it.order);
            assert_eq!(kost.payment(&it.invoice).await.state, booked(now), "{:?} {step}", it.order);
        }
    }
    // Nothing that changed was missed, and nothing that did not change was written down.
    end(kost, &tries, Try::changes).await;
}

async fn messages_that_all_come_too_late_end_where_the_gateway_is(kost: Kost) {
    tell_afterwards(kost, [0, 1, 2, 3, 4]).await;
}

async fn messages_that_come_in_reverse_end_where_the_gateway_is(kost: Kost) {
    tell_afterwards(kost, [4, 3, 2, 1, 0]).await;
}

/// Everything has happened before the first message comes.
async fn tell_afterwards(kost: Kost, order: [usize; 5]) {
    let tries = tries(&kost).await;
    for it in &tries {
        for step in 0..MESSAGES.len() {
            act(&kost, it, step).await;
        }
    }
    for step in order {
        for it in &tries {
            tell(&kost, it, it.order[step]).await;
        }
        kost.run_jobs().await;
        for it in &tries {
            let truth = kost.transaction(&it.invoice).status;
            assert_eq!(kost.payment(&it.invoice).await.state, booked(truth), "{:?} {step}", it.order);
        }
    }
    // All of it is one change for us: from waiting to where the gateway is.
    end(kost, &tries, |it, steps| it.changes(steps).pop().into_iter().collect()).await;
}

/// A payment for each order of the messages, made and waiting; the gateway's own notifications are lost.
async fn tries(kost: &Kost) -> Vec<Try> {
    kost.sim.faults(|faults| faults.notifications.drop_all = true);
    let budi = kost.tenant("Budi").await;
    // SQLite takes them all, and the servers every eighth.
    let every = if kost.setup == Setup::Servers { 8 } else { 1 };
    let mut tries = Vec::new();
    for (months, order) in (1..).zip(permutations(&MESSAGES).into_iter().step_by(every)) {
        let tenant = kost.months_later(&budi, months).await;
        tries.push(Try { order, invoice: kost.pay(&tenant, "gopay").await });
    }
    kost.run_jobs().await;
    assert_eq!(tries.len(), 120 / every);
    tries
}

fn permutations(of: &[Status]) -> Vec<Vec<Status>> {
    if of.is_empty() {
        return vec![Vec::new()];
    }
    let begun = (0..of.len()).flat_map(|at| {
        let mut rest = of.to_vec();
        let first = rest.remove(at);
        permutations(&rest).into_iter().map(move |rest| [vec![first], rest].concat())
    });
    begun.collect()
}

/// Lets it happen at the gateway, which refuses what cannot follow.
async fn act(kost: &Kost, it: &Try, step: usize) {
    let id = it.invoice.as_str();
    let happened: Result<TransactionView, Refused> = match it.order[step] {
        Status::Settlement => kost.sim.settle(id).await,
        Status::Expire => kost.sim.expire(id).await,
        Status::Deny => kost.sim.deny(id).await,
        Status::Refund => kost.sim.refund(id, None).await,
        // It waits since it was made.
        _ => return,
    };
    let real = it.changes(step + 1).len() > it.changes(step).len();
    assert_eq!(happened.is_ok(), real, "{:?} {step}", it.order);
}

/// The message with a valid signature, true or not, comes twice at the same moment.
async fn tell(kost: &Kost, it: &Try, status: Status) {
    let body = claim(&kost.transaction(&it.invoice), status).to_string();
    let (one, other) = tokio::join!(kost.notify(body.clone()), kost.notify(body));
    assert_eq!([one.status, other.status], [StatusCode::CREATED; 2], "{status} of {:?}", it.order);
}

/// What the gateway writes about a GoPay payment of this status (contract §7).
fn claim(transaction: &TransactionView, status: Status) -> Value {
    let code = match status {
        Status::Pending => "201",
        Status::Expire | Status::Deny => "202",
        _ => "200",
    };
    let (order, amount) = (&transaction.order_id, format!("{}.00", transaction.amount));
    let mut body = json!({
        "transaction_time": "2026-11-24 10:00:00", "transaction_status": status.as_str(),
        "transaction_id": transaction.transaction_id, "status_message": "midtrans payment notification",
        "status_code": code, "payment_type": "gopay", "order_id": order, "merchant_id": "G000000000",
        "signature_key": midtrans::sign(order, code, &amount, &Secret::from(SERVER_KEY)),
        "gross_amount": amount, "fraud_status": "accept", "currency": "IDR",
    });
    if matches!(status, Status::Settlement | Status::Refund) {
        body["settlement_time"] = json!("2026-11-24 10:01:00");
    }
    if status == Status::Refund {
        body["refund_amount"] = json!(amount);
        body["refund_key"] = json!("a-key-of-nobody");
    }
    body
}

fn booked(truth: Status) -> State {
    match truth {
        Status::Settlement => State::Paid,
        Status::Expire => State::Failed(Failure::Expired),
        Status::Deny => State::Failed(Failure::Denied),
        Status::Refund => State::Refunded,
        _ => State::Pending,
    }
}

/// The history has one row for each change that we could see, and all that someone must know is of the refunds.
async fn end(kost: Kost, tries: &[Try], seen: fn(&Try, usize) -> Vec<Status>) {
    let mut refunds = 0;
    for it in tries {
        let changes = seen(it, MESSAGES.len());
        let words = changes.iter().map(|change| booked(*change).as_str());
        let life: Vec<&str> = ["created", "asked", "pending"].into_iter().chain(words).collect();
        assert_eq!(kost.life(&it.invoice).await, life, "{:?}", it.order);
        let rows = history::of_payment(&kost.db, kost.payment(&it.invoice).await.id).await.unwrap();
        assert!(rows[3..].iter().all(|row| row.source == "notification"), "{rows:?}");
        refunds += changes.iter().filter(|change| **change == Status::Refund).count();
    }
    assert_eq!(kost.findings().await, vec!["external_refund"; refunds]);
    let kept = notifications::newest(&kost.db, 1000).await.unwrap();
    assert_eq!(kept.len(), tries.len() * MESSAGES.len(), "the same message is one row");
    assert!(kept.iter().all(|kept| (kept.seen, kept.outcome.as_deref()) == (2, Some("sync"))));
    assert_eq!(kost.sim.charge_calls(), u64::try_from(tries.len()).unwrap());
    kost.close().await;
}
