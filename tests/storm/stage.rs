//! Where work is held, and where it dies.
//!
//! Work has an effect that others can see at five kinds of points only: before a transaction begins, before it is
//! committed, after it, before a call to the gateway, and after the gateway has acted but before its answer is believed.
//! Between two such points nothing can be told from outside, so a crash at each of them is every crash there is. Two who
//! work at once can differ by what each has read as well: whoever only stands still may do so before each read. Nobody
//! stands still while the books are locked for him, because on SQLite the others would only wait.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::Mutex;

use midtrans_sim::Simulator;
use store::effects::{self, Effect, Watch};
use tokio::sync::Notify;

tokio::task_local! {
    /// The stage of the work that runs here.
    static STAGE: Arc<Stage>;
}

/// A point that work comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Point {
    Books(Effect),
    /// A call to the gateway is about to be made.
    Call,
    /// The gateway has acted.
    Answered,
}

/// What is meant to happen at a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    Never,
    /// At the point of this number it stands still, for others to go on, or to go on itself later.
    Stand(usize),
    /// At the point of this number it dies.
    Die(usize),
}

/// What one piece of work goes through.
pub(crate) struct Stage {
    at: Mutex<At>,
    reached: Notify,
    resumed: Notify,
}

struct At {
    stop: Stop,
    passed: usize,
    /// A transaction has begun that has not been committed.
    is_writing: bool,
    point: Option<Point>,
}

impl Stage {
    pub(crate) fn new(stop: Stop) -> Arc<Self> {
        let at = At { stop, passed: 0, is_writing: false, point: None };
        Arc::new(Self { at: Mutex::new(at), reached: Notify::new(), resumed: Notify::new() })
    }

    async fn reach(&self, point: Point) {
        if self.at.lock().unwrap().stops(point) {
            self.reached.notify_one();
            self.resumed.notified().await;
        }
    }

    /// Lets the work go on to the next stop.
    pub(crate) fn resume(&self, stop: Stop) {
        let mut at = self.at.lock().unwrap();
        (at.stop, at.passed) = (stop, 0);
        self.resumed.notify_one();
    }
}

impl At {
    fn stops(&mut self, point: Point) -> bool {
        let was_writing = self.is_writing;
        match point {
            Point::Books(Effect::Begin) => self.is_writing = true,
            Point::Books(Effect::Committed) => self.is_writing = false,
            _ => {}
        }
        let stops_after = match self.stop {
            Stop::Never => return false,
            Stop::Die(_) if point == Point::Books(Effect::Read) => return false,
            Stop::Stand(_) if was_writing && point == Point::Books(Effect::Read) => return false,
            Stop::Stand(_) if point == Point::Books(Effect::Commit) => return false,
            Stop::Stand(after) | Stop::Die(after) => after,
        };
        self.passed += 1;
        if self.passed <= stops_after {
            return false;
        }
        (self.stop, self.point) = (Stop::Never, Some(point));
        true
    }
}

impl Watch for Stage {
    fn reaches(&self, effect: Effect) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(self.reach(Point::Books(effect)))
    }
}

/// The work that runs here has come to this point.
pub(crate) async fn reach(point: Point) {
    if let Ok(stage) = STAGE.try_with(Arc::clone) {
        stage.reach(point).await;
    }
}

/// One who works: on a job, or on a request.
pub(crate) struct Actor<'a, T> {
    work: Pin<Box<dyn Future<Output = T> + 'a>>,
    pub(crate) stage: Arc<Stage>,
}

/// How far one who works has come.
#[derive(Debug)]
pub(crate) enum Came<T> {
    ToTheEnd(T),
    /// It stands still, or is to die.
    To(Point),
    /// It waits for an answer of the gateway that will not come.
    ToSilence,
}

impl<'a, T: 'a> Actor<'a, T> {
    pub(crate) fn new(stop: Stop, work: impl Future<Output = T> + 'a) -> Self {
        let stage = Stage::new(stop);
        let watch: Arc<dyn Watch> = Arc::<Stage>::clone(&stage);
        let work = STAGE.scope(Arc::clone(&stage), effects::watched(watch, work));
        Self { work: Box::pin(work), stage }
    }

    /// Works until it stops, or is done.
    pub(crate) async fn go(&mut self, sim: &Simulator) -> Came<T> {
        tokio::select! {
            biased;
            done = &mut self.work => Came::ToTheEnd(done),
            () = self.stage.reached.notified() => Came::To(self.point()),
            () = sim.falls_silent() => Came::ToSilence,
        }
    }

    fn point(&self) -> Point {
        self.stage.at.lock().unwrap().point.unwrap_or(Point::Call)
    }
}
