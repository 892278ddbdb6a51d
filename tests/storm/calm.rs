//! After the storm: the weather is fine, and time passes until everything is at rest.

use std::time::Duration;

use axum::http::Method as Verb;
use midtrans_sim::Status;
use store::jobs;

use crate::books;
use crate::house::House;
use crate::sky::Weather;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
/// While nothing has expired yet.
const AT_FIRST: [u64; 6] = [1, 31, 61, 3 * MINUTE, 5 * MINUTE, 16 * MINUTE];
/// Until everything has ended, and been asked about once more.
const IN_THE_END: [u64; 5] = [2 * HOUR, 26 * HOUR, 26 * HOUR, 26 * HOUR, 26 * HOUR];
/// So many minutes of rest are enough for what waits for its time.
const PATIENCE_MIN: usize = 20;

impl House {
    /// The weather clears, and all that is due is done.
    pub(crate) async fn calm(&mut self) {
        self.tally.note(format!("{} it clears up", self.clock.now().format("%d %H:%M:%S")));
        self.sky.turn(Weather::FINE);
        for kind in std::mem::take(&mut self.paused) {
            self.order(Verb::POST, &format!("/api/admin/queues/{kind}/resume")).await;
        }
        // Some of what is on its way never arrives.
        let mut waiting = std::mem::take(&mut self.on_their_way);
        waiting.retain(|_| self.dice.percent(60));
        self.on_their_way = waiting;
        for seconds in AT_FIRST {
            self.rest_for(seconds, "sweep").await;
        }
        books::check_at_work(self).await;
        books::check_waiting(self).await;
        self.settle_the_day().await;
        for seconds in IN_THE_END {
            self.rest_for(seconds, "reconcile").await;
            self.rest_for(MINUTE + 1, "sweep").await;
        }
        for _ in 0..PATIENCE_MIN {
            if self.unfinished().await == 0 {
                return;
            }
            self.rest_for(MINUTE + 1, "sweep").await;
        }
    }

    async fn rest_for(&mut self, seconds: u64, slot: &str) {
        self.pass(Duration::from_secs(seconds)).await;
        self.want(slot).await;
        self.come_to_rest().await;
    }

    /// All that is due is done: notifications on their way, jobs, and what these bring about.
    async fn come_to_rest(&mut self) {
        loop {
            self.collect_notifications();
            for body in std::mem::take(&mut self.on_their_way) {
                let told = self.notify(0, &body);
                let (status, answer) = self.whole(told).await;
                assert_eq!(status, 201, "{answer}");
            }
            let ids = self.due().await;
            if ids.is_empty() && self.on_their_way.is_empty() {
                return;
            }
            for id in ids {
                self.undisturbed(0, id).await;
            }
        }
    }

    async fn unfinished(&self) -> usize {
        let ready = jobs::in_state(self.db(), "ready", 100).await.unwrap();
        let running = jobs::in_state(self.db(), "running", 100).await.unwrap();
        ready.len() + running.len()
    }

    /// The gateway settles the day: cards that were captured, and a challenge that nobody decided is called off (contract
    /// §6).
    async fn settle_the_day(&mut self) {
        for transaction in self.transactions().iter().filter(|one| one.status == Status::Capture) {
            match transaction.fraud_status.as_deref() {
                Some("challenge") => self.sim().cancel(&transaction.transaction_id).await.unwrap(),
                _ => self.sim().settle(&transaction.transaction_id).await.unwrap(),
            };
        }
    }
}
