//! Work in a storm: jobs and requests that are done, die, or stand still while others go on.

use std::time::Duration;

use axum::http::Method as Verb;
use chrono::TimeDelta;
use clock::delta;
use domain::JobId;
use serde_json::json;
use store::ledger::{self, Take};
use store::{Db, jobs};

use crate::house::{Answer, Asked, House, LEASE_S};
use crate::sky::Sky;
use crate::stage::{Actor, Came, Point, Stop};

/// What an attempt has in all, in seconds (`limits.job_timeout_s`).
const PATIENCE_S: usize = 45;
/// What a call has, in seconds (`gateway.timeout_s`).
const TIME_OUT_S: usize = 30;
/// As the relay: an id that was handed over so long ago and not claimed is taken for lost.
const PUSH_AGAIN: Duration = Duration::from_secs(10);
/// Most work has no more points than this.
const FEW_POINTS: usize = 12;
/// And hardly any more than this.
const MANY_POINTS: usize = 40;

/// What becomes of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Whole,
    /// It dies at the point of this number.
    Dies(usize),
    /// It stands still at the point of this number; then it goes on to its end, or dies later.
    Held(usize, Stop),
}

/// Works until it stops or is done. Silence of the gateway lasts until the time-out of the call.
async fn drive<'a, T: 'a>(sky: &Sky, actor: &mut Actor<'a, T>) -> Came<T> {
    loop {
        match actor.go(&sky.sim).await {
            Came::ToSilence => {
                sky.wait(TIME_OUT_S);
                sky.sim.hang_up().await;
            }
            came => return came,
        }
    }
}

impl House {
    pub(crate) fn draw_fate(&mut self) -> Fate {
        let dice = &mut self.dice;
        let points = dice.weighted(&[(3, FEW_POINTS), (1, MANY_POINTS)]);
        let (point, later) = (dice.below(points), dice.below(FEW_POINTS));
        match dice.below(10) {
            0..=2 => Fate::Whole,
            3..=5 => Fate::Dies(point),
            6..=8 => Fate::Held(point, Stop::Never),
            _ => Fate::Held(point, Stop::Die(later)),
        }
    }

    /// Which of the two processes.
    pub(crate) fn draw_process(&mut self) -> usize {
        self.dice.below(2)
    }

    /// The ids that a relay would hand over now. It takes back what dead workers left behind first.
    pub(crate) async fn due(&mut self) -> Vec<JobId> {
        let now = self.clock.now();
        ledger::reap(self.db(), now, now + TimeDelta::hours(1)).await.unwrap();
        let take = Take { due: now, pushed_before: now - delta(PUSH_AGAIN), limit: 100 };
        ledger::take_due(self.db(), take, now).await.unwrap()
    }

    /// Hands over what is due, in any order: some twice, some never, some that are no jobs.
    pub(crate) async fn work(&mut self) {
        let mut ids = self.due().await;
        self.dice.shuffle(&mut ids);
        if self.dice.percent(5) {
            ids.push(JobId(i64::MAX));
        }
        if self.dice.percent(20) {
            // One of those that were done, or wait for their time.
            ids.push(JobId(i64::try_from(1 + self.dice.below(60)).unwrap()));
        }
        for id in ids {
            match self.dice.below(20) {
                0..=2 => self.tally.note(format!("  job {id}: its id is lost")),
                3 => {
                    self.job(id, Fate::Whole).await;
                    self.job(id, Fate::Whole).await;
                }
                _ => {
                    let fate = self.draw_fate();
                    self.job(id, fate).await;
                }
            }
        }
        self.collect_notifications();
    }

    fn attempt(&self, process: usize, id: JobId) -> impl Future<Output = ()> + 'static {
        let it = &self.processes[process];
        let (queue, context, limits) = (it.queue.clone(), it.context.clone(), it.limits.clone());
        async move { queue::do_one(&queue, context, limits, id).await }
    }

    /// A worker takes the job.
    pub(crate) async fn job(&mut self, id: JobId, fate: Fate) {
        self.tally.sums.jobs += 1;
        let process = self.draw_process();
        let work = self.attempt(process, id);
        let calls = self.sky.calls();
        let done = self.play(process, (Some(id), fate), work).await.is_some();
        let word = self.word_of(id).await;
        let calls = self.sky.calls() - calls;
        let end = if done { "" } else { ", and died" };
        self.tally.note(format!("  job {id} in {process}, {fate:?}: {word}, {calls} calls{end}"));
    }

    async fn word_of(&self, id: JobId) -> String {
        match jobs::find(self.db(), id).await.unwrap() {
            None => "no such job".to_owned(),
            Some(job) => {
                let refused = job.last_error.as_ref().filter(|error| error.contains("the database refused"));
                assert!(refused.is_none(), "broken: no work writes what the database refuses\n{job:#?}");
                format!("{} of {:?} is {}", job.kind, job.payment_id.map(|id| id.0), job.state)
            }
        }
    }

    /// Somebody asks for something.
    pub(crate) async fn ask(&mut self, asked: Asked, fate: Fate) -> Option<Answer> {
        let process = self.draw_process();
        let work = self.request(process, &asked);
        let answer = self.play(process, (None, fate), work).await;
        let status = self.hear(answer.as_ref());
        let Asked { by, verb, path, body, .. } = &asked;
        self.tally.note(format!("  {by} {verb} {path} {body} in {process}, {fate:?}: {status}"));
        answer
    }

    /// The gateway posts a notification.
    pub(crate) async fn tell(&mut self, body: &serde_json::Value, fate: Fate) -> Option<Answer> {
        let process = self.draw_process();
        let work = self.notify(process, body);
        let answer = self.play(process, (None, fate), work).await;
        let status = self.hear(answer.as_ref());
        let (order, word) = (&body["order_id"], &body["transaction_status"]);
        self.tally.note(format!("  told of {order} {word} in {process}, {fate:?}: {status}"));
        answer
    }

    fn hear(&mut self, answer: Option<&Answer>) -> String {
        let Some((status, body)) = answer else { return "died".to_owned() };
        self.said.push_str(body);
        assert!(*status < 500, "an answer is {status}: {body}");
        status.to_string()
    }

    /// Lets work meet its fate; `None` when it died.
    async fn play<T: 'static>(
        &mut self,
        process: usize,
        (job, fate): (Option<JobId>, Fate),
        work: impl Future<Output = T> + 'static,
    ) -> Option<T> {
        self.sky.give_patience(PATIENCE_S);
        let stop = match fate {
            Fate::Whole => Stop::Never,
            Fate::Dies(point) => Stop::Die(point),
            Fate::Held(point, _) => Stop::Stand(point),
        };
        let sky = std::sync::Arc::clone(&self.sky);
        let mut actor = Actor::new(stop, work);
        let mut came = drive(&sky, &mut actor).await;
        if let (Came::To(point), Fate::Held(_, then)) = (&came, fate) {
            self.tally.sums.held += 1;
            self.tally.note(format!("  held at {point:?}"));
            let lost = self.meanwhile(1 - process, job).await;
            actor.stage.resume(then);
            came = drive(&sky, &mut actor).await;
            if let Some(ended) = lost {
                self.must_have_ended_nothing(job, ended).await;
            }
        }
        match came {
            Came::ToTheEnd(done) => Some(done),
            Came::To(point) => {
                drop(actor);
                self.mourn(process, point).await;
                None
            }
            Came::ToSilence => None,
        }
    }

    /// What died leaves nothing locked. Its process may have died with it.
    async fn mourn(&mut self, process: usize, point: Point) {
        self.tally.sums.crashes += 1;
        self.sky.after_call();
        // Its connection comes back once what was not committed is undone.
        if let Db::Sqlite { writer, .. } = &self.processes[process].db {
            drop(writer.acquire().await.unwrap());
        }
        let restarts = self.dice.percent(30);
        self.tally.note(format!("  died at {point:?}{}", if restarts { ", and its process" } else { "" }));
        if restarts {
            self.restart(process).await;
        }
    }

    async fn ends_of(&self, job: JobId) -> usize {
        jobs::attempts_of(self.db(), job).await.unwrap().len()
    }

    async fn must_have_ended_nothing(&self, job: Option<JobId>, ended: usize) {
        let Some(id) = job else { return };
        let ends = self.ends_of(id).await;
        // A sweep forgets old sweeps, and their attempts.
        assert!(
            ends <= ended,
            "broken: whoever has lost the lease of a job ends nothing, and {id} was ended"
        );
    }

    /// What the other process does while work stands still. When that work has lost the lease of its job, gives how many
    /// attempts at the job have ended.
    async fn meanwhile(&mut self, process: usize, job: Option<JobId>) -> Option<usize> {
        let mut lost = false;
        if let Some(id) = job {
            // At once; or when the lease has ended because nobody renewed it.
            let claimed = jobs::find(self.db(), id).await.unwrap().is_some_and(|job| job.state == "running");
            if self.dice.percent(50) && self.sky.wait(LEASE_S + 1) > LEASE_S {
                let ids = self.due().await;
                self.tally.note(format!("  meanwhile its lease ends; {} are due", ids.len()));
                lost = claimed;
            }
            self.undisturbed(process, id).await;
        }
        match self.dice.below(8) {
            0 | 1 => self.all_due(process).await,
            2 => self.payer_acts().await,
            3 => self.wish_meanwhile(process).await,
            4 => {
                self.wish_meanwhile(process).await;
                self.all_due(process).await;
            }
            5 | 6 => self.news_meanwhile(process).await,
            _ => {
                let seconds = self.dice.below(10);
                self.sky.wait(seconds);
            }
        }
        match job {
            Some(id) if lost => Some(self.ends_of(id).await),
            _ => None,
        }
    }

    async fn all_due(&mut self, process: usize) {
        for id in self.due().await {
            self.undisturbed(process, id).await;
        }
    }

    async fn wish_meanwhile(&mut self, process: usize) {
        let asked = self.draw_wish().await;
        let answer = self.request(process, &asked);
        let answer = self.whole(answer).await;
        let status = self.hear(Some(&answer));
        self.tally.note(format!("  meanwhile {} {} {}: {status}", asked.verb, asked.path, asked.body));
    }

    /// Something happens at the gateway, and is in the books before the work that stands still goes on.
    async fn news_meanwhile(&mut self, process: usize) {
        self.payer_acts().await;
        for body in std::mem::take(&mut self.on_their_way) {
            let told = self.notify(process, &body);
            let answer = self.whole(told).await;
            let status = self.hear(Some(&answer));
            self.tally.note(format!("  meanwhile told of {}: {status}", body["transaction_status"]));
        }
        // What a notification is about, and then how that payment stands.
        for _ in 0..2 {
            self.all_due(process).await;
        }
    }

    /// A job is done by a process in which nothing goes wrong but the weather.
    pub(crate) async fn undisturbed(&mut self, process: usize, id: JobId) {
        self.tally.sums.jobs += 1;
        let work = self.attempt(process, id);
        self.whole(work).await;
        let word = self.word_of(id).await;
        self.tally.note(format!("  job {id} in {process}: {word}"));
    }

    /// Work that runs to its end.
    pub(crate) async fn whole<T>(&self, work: impl Future<Output = T>) -> T {
        let mut actor = Actor::new(Stop::Never, work);
        loop {
            if let Came::ToTheEnd(done) = drive(&self.sky, &mut actor).await {
                return done;
            }
        }
    }

    /// An order of the admin's, which nothing disturbs.
    pub(crate) async fn order(&mut self, verb: Verb, path: &str) {
        let body = json!({ "reason": "the storm wants it" });
        let asked = Asked { by: self.admin, verb, path: path.to_owned(), body, key: None };
        let request = self.request(0, &asked);
        let answer = self.whole(request).await;
        let status = self.hear(Some(&answer));
        self.tally.note(format!("  {path}: {status}"));
    }
}
