//! What people do in a storm, at the house and at the gateway.

use std::time::Duration;

use axum::http::Method as Verb;
use domain::{Payment, Secret, State};
use midtrans_sim::{Refused, Status, TransactionView};
use queue::{KINDS, SCHEDULE};
use serde_json::{Value, json};

use crate::house::{AMOUNT, Asked, House, SERVER_KEY};
use crate::sky::Weather;
use crate::work::Fate;

/// Methods whose manners differ: final and reversible, refundable or not, with and without idempotency keys, by Core API
/// and on the hosted page.
const METHODS: [&str; 7] = ["bca", "permata", "mandiri", "gopay", "qris", "indomaret", "card"];
/// Accepted, denied, and under challenge (contract §9).
const CARDS: [&str; 4] = ["4811111111111114", "4811111111111114", "4911111111111113", "4511111111111117"];

/// One step of a storm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    /// A tenant wants something.
    Wish,
    /// A tenant presses four times.
    PressFourTimes,
    /// Something happens at the gateway.
    Payer,
    /// Some notifications come.
    Told,
    /// Somebody who knows how to sign claims something.
    Forge,
    /// The admin gives money back.
    Refund,
    /// The admin takes cash, or makes a bill void.
    Bill,
    /// The admin orders something about a payment.
    Payment,
    /// The operator orders something about a job.
    Job,
    /// A kind of job is paused, or goes on.
    Pause,
    /// Time goes by, a little or much.
    Sleep,
    /// A line of the schedule is due.
    Slot,
    /// A process dies while it does nothing.
    Restart,
    /// The weather changes.
    Weather,
}

const ACTS: [(usize, Act); 14] = [
    (22, Act::Wish),
    (8, Act::PressFourTimes),
    (22, Act::Payer),
    (14, Act::Told),
    (3, Act::Forge),
    (6, Act::Refund),
    (4, Act::Bill),
    (4, Act::Payment),
    (5, Act::Job),
    (2, Act::Pause),
    (14, Act::Sleep),
    (6, Act::Slot),
    (2, Act::Restart),
    (5, Act::Weather),
];

impl House {
    /// One step: somebody does something, and then perhaps there is work.
    pub(crate) async fn step(&mut self) {
        self.tally.sums.steps += 1;
        let act = self.dice.weighted(&ACTS);
        self.tally.note(format!("{} {act:?}", self.clock.now().format("%d %H:%M:%S")));
        match act {
            Act::Wish => {
                let (asked, fate) = (self.draw_wish().await, self.draw_fate());
                self.ask(asked, fate).await;
            }
            Act::PressFourTimes => self.press_four_times().await,
            Act::Payer => self.payer_acts().await,
            Act::Told => self.carry_notifications().await,
            Act::Forge => self.forge().await,
            Act::Refund => self.refund().await,
            Act::Bill => self.order_of_bill().await,
            Act::Payment => self.order_of_payment().await,
            Act::Job => self.order_of_job().await,
            Act::Pause => self.pause_or_resume().await,
            Act::Sleep => self.sleep().await,
            Act::Slot => self.slot().await,
            Act::Restart => {
                let process = self.draw_process();
                self.restart(process).await;
            }
            Act::Weather => {
                let weather = *self.dice.pick(&Weather::ALL).unwrap();
                self.tally.note(format!("  {weather:?}"));
                self.sky.turn(weather);
            }
        }
        self.collect_notifications();
        if self.dice.percent(75) {
            self.work().await;
        }
    }

    async fn draw_payment(&mut self) -> Option<Payment> {
        let payments = self.payments().await;
        // The latest ones mostly; what was over long ago now and then.
        match self.dice.percent(60) {
            true => payments.into_iter().next_back(),
            false => self.dice.pick(&payments).cloned(),
        }
    }

    /// What a tenant asks for: to pay, to pay otherwise, to give up, to look.
    pub(crate) async fn draw_wish(&mut self) -> Asked {
        let tenant = self.dice.below(self.tenants.len());
        let bills = &self.tenants[tenant].bills;
        let bill = bills[self.dice.below(bills.len())];
        let method = *self.dice.pick(&METHODS).unwrap();
        let key = self.dice.percent(15).then(|| format!("key-{}", self.dice.below(4)));
        let draw = self.dice.below(10);
        let payment = self.draw_payment().await;
        match (draw, payment) {
            (0 | 1, Some(payment)) => Asked {
                by: payment.tenant_id,
                verb: Verb::POST,
                path: format!("/api/payment/{}/cancel", payment.invoice),
                body: Value::Null,
                key: None,
            },
            (2, Some(payment)) => Asked {
                by: payment.tenant_id,
                verb: Verb::GET,
                path: format!("/api/payment/{}", payment.invoice),
                body: Value::Null,
                key: None,
            },
            _ => Asked {
                by: self.tenants[tenant].id,
                verb: Verb::POST,
                path: format!("/api/bills/{bill}/pay"),
                body: json!({ "payment": method }),
                key,
            },
        }
    }

    async fn press_four_times(&mut self) {
        let first = self.draw_wish().await;
        for _ in 0..4 {
            let Asked { by, verb, path, body, key } = &first;
            let again = Asked {
                by: *by,
                verb: verb.clone(),
                path: path.clone(),
                body: body.clone(),
                key: key.clone(),
            };
            let fate = self.draw_fate();
            self.ask(again, fate).await;
        }
    }

    /// Something happens to one of the transactions, where the gateway lets it.
    pub(crate) async fn payer_acts(&mut self) {
        let transactions = self.transactions();
        let pages = self.sim().pages();
        if !pages.is_empty() && (transactions.is_empty() || self.dice.percent(20)) {
            let (page, card) = (self.dice.below(pages.len()), *self.dice.pick(&CARDS).unwrap());
            let happened = self.sim().pay_on_page(&pages[page].order_id, card).await;
            self.tally.note(format!("  by card on page {page}: {}", word_of(&happened)));
            return self.collect_notifications();
        }
        let waiting: Vec<_> =
            transactions.iter().filter(|one| one.status == Status::Pending).cloned().collect();
        let among = if self.dice.percent(60) && !waiting.is_empty() { waiting } else { transactions };
        let Some(id) = self.dice.pick(&among).map(|one| one.transaction_id.clone()) else { return };
        let what = self.dice.weighted(&[
            (10, "pay"),
            (2, "expire"),
            (2, "deny"),
            (1, "fail"),
            (3, "reverse"),
            (3, "come late"),
            (3, "refund"),
            (1, "challenge"),
            (1, "charge back"),
        ]);
        let part = [None, Some(AMOUNT / 5), Some(AMOUNT / 2)][self.dice.below(3)];
        let sim = self.sim();
        let happened = match what {
            "pay" => sim.settle(&id).await,
            "expire" => sim.expire(&id).await,
            "deny" => sim.deny(&id).await,
            "fail" => sim.fail(&id).await,
            "reverse" => sim.reverse(&id).await,
            "come late" => sim.settle_late(&id).await,
            "refund" => sim.refund(&id, part).await,
            "challenge" => sim.challenge(&id).await,
            _ => sim.charge_back(&id).await,
        };
        self.tally.note(format!("  at the gateway, {what}: {}", word_of(&happened)));
        self.collect_notifications();
    }

    /// Notifications come in any order, once, three times, or never; and old ones come again.
    async fn carry_notifications(&mut self) {
        self.collect_notifications();
        let mut waiting = std::mem::take(&mut self.on_their_way);
        self.dice.shuffle(&mut waiting);
        for body in waiting {
            match self.dice.below(10) {
                0 | 1 => self.tally.note("  a notification is lost".to_owned()),
                2 | 3 => self.on_their_way.push(body),
                4 => {
                    for _ in 0..3 {
                        self.come(&body).await;
                    }
                }
                _ => self.come(&body).await,
            }
        }
        if self.dice.percent(30)
            && let Some(old) = self.dice.pick(&self.told).cloned()
        {
            self.come(&old).await;
        }
    }

    /// One that gets no answer comes again later.
    async fn come(&mut self, body: &Value) {
        let fate = self.draw_fate();
        let to = match self.tell(body, fate).await {
            Some((200..=299, _)) => &mut self.told,
            Some(_) | None => &mut self.on_their_way,
        };
        to.push(body.clone());
    }

    /// Its signature is right, and what it says may be a lie: it is a hint to look, never data.
    async fn forge(&mut self) {
        let Some(payment) = self.draw_payment().await else { return };
        let (code, word) = self.dice.weighted(&[
            (1, ("200", "settlement")),
            (1, ("202", "expire")),
            (1, ("202", "deny")),
            (1, ("200", "refund")),
            (1, ("201", "pending")),
        ]);
        let (order, amount) = (payment.invoice.as_str(), format!("{}.00", payment.amount.get()));
        let body = json!({
            "order_id": order, "status_code": code, "gross_amount": amount, "transaction_status": word,
            "transaction_id": "00000000-0000-4000-8000-000000000000", "fraud_status": "accept",
            "signature_key": midtrans::sign(order, code, &amount, &Secret::from(SERVER_KEY)),
        });
        self.tell(&body, Fate::Whole).await;
    }

    async fn refund(&mut self) {
        let Some(payment) = self.draw_payment().await else { return };
        let amount = [None, Some(AMOUNT / 5), Some(AMOUNT / 2)][self.dice.below(3)];
        let key = self.dice.percent(30).then(|| format!("refund-{}", self.dice.below(3)));
        let asked = Asked {
            by: self.admin,
            verb: Verb::POST,
            path: format!("/api/admin/payments/{}/refund", payment.invoice),
            body: json!({ "amount": amount, "reason": "the storm wants it" }),
            key,
        };
        let fate = self.draw_fate();
        self.ask(asked, fate).await;
    }

    async fn order_of_bill(&mut self) {
        let bills = self.bills();
        let bill = bills[self.dice.below(bills.len())];
        let (verb, path, body) = match self.dice.percent(60) {
            true => {
                let path = format!("/api/admin/bills/{bill}/mark-paid");
                (Verb::POST, path, json!({ "note": "from hand to hand" }))
            }
            false => (Verb::DELETE, format!("/api/admin/bills/{bill}"), json!({ "reason": "a mistake" })),
        };
        let fate = self.draw_fate();
        self.ask(Asked { by: self.admin, verb, path, body, key: None }, fate).await;
    }

    async fn order_of_payment(&mut self) {
        let Some(payment) = self.draw_payment().await else { return };
        let word = match payment.state {
            State::Review => self.dice.weighted(&[(1, "approve"), (1, "deny")]),
            _ => self.dice.weighted(&[(2, "sync"), (1, "cancel")]),
        };
        let path = format!("/api/admin/payments/{}/{word}", payment.invoice);
        let body = json!({ "reason": "the storm wants it" });
        let fate = self.draw_fate();
        self.ask(Asked { by: self.admin, verb: Verb::POST, path, body, key: None }, fate).await;
    }

    async fn order_of_job(&mut self) {
        let job = 1 + self.dice.below(self.tally.sums.jobs + 10);
        let word = self.dice.weighted(&[(2, "retry"), (2, "cancel"), (2, "run")]);
        self.order(Verb::POST, &format!("/api/admin/jobs/{job}/{word}")).await;
    }

    async fn pause_or_resume(&mut self) {
        let kind = *self.dice.pick(KINDS).unwrap();
        let word = if self.paused.contains(&kind) { "resume" } else { "pause" };
        self.order(Verb::POST, &format!("/api/admin/queues/{kind}/{word}")).await;
        match word {
            "pause" => self.paused.push(kind),
            _ => self.paused.retain(|paused| *paused != kind),
        }
    }

    async fn sleep(&mut self) {
        let (minute, hour) = (60, 3600);
        let seconds = self.dice.weighted(&[
            (6, 2),
            (6, 15),
            (8, 31),
            (8, 61),
            (6, 5 * minute),
            (5, 16 * minute),
            (3, 2 * hour),
            (3, 25 * hour),
            (1, 8 * 24 * hour),
        ]);
        self.pass(Duration::from_secs(seconds)).await;
        if self.dice.percent(70) {
            self.want("sweep").await;
        }
        if seconds > 24 * hour {
            self.want("rent").await;
        }
    }

    /// Time goes by, at the gateway too.
    pub(crate) async fn pass(&mut self, time: Duration) {
        self.clock.advance(time);
        self.sim().deliver_due().await.unwrap();
        self.collect_notifications();
    }

    async fn slot(&mut self) {
        let line = self.dice.weighted(&[(5, "sweep"), (2, "reconcile"), (1, "prune"), (1, "rent")]);
        self.want(line).await;
    }

    /// The scheduler puts the job of a line into the ledger; ten schedulers are as good as one.
    pub(crate) async fn want(&mut self, name: &str) {
        let line = SCHEDULE.iter().find(|line| line.name == name).unwrap();
        let jobs: Vec<_> = line.slot(self.clock.now()).into_iter().collect();
        for process in &self.processes {
            process.queue.enqueue(&jobs).await.unwrap();
        }
        self.tally.note(format!("  the slot of {name}"));
        self.look_at_bills().await;
    }
}

fn word_of(happened: &Result<TransactionView, Refused>) -> String {
    match happened {
        Ok(transaction) => format!("{} {}", transaction.order_id, Status::as_str(transaction.status)),
        Err(refused) => refused.to_string(),
    }
}
