//! Shedding load: each kind of request has its share of places, and whoever finds none is told at once to come again.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{HeaderValue, Version, header};
use axum::response::{IntoResponse as _, Response};
use clock::{Clock, Time, delta};
use http_body_util::BodyExt as _;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::context::TokioContext;
use tokio_util::task::AbortOnDropHandle;

use super::{App, Problem, lately};

/// Places for whoever watches over the service. They are free when all others are taken.
const MONITORS: usize = 16;
/// Files come here, larger than other bodies are; whoever sends one is known before it is read.
const UPLOADS: &str = "/admin/statements";
/// Between two lines of the log about the same share.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// How much may be asked for at once.
#[derive(Debug, Clone)]
pub struct Shares {
    /// Requests of people and their front ends.
    pub requests: usize,
    /// Notifications of the gateway.
    pub notifications: usize,
    /// Bytes of bodies that have come in and were not yet dealt with.
    pub body_bytes: usize,
    /// How long a body may take to come in.
    pub body_timeout: Duration,
}

/// The places, and who was sent away.
pub struct Places {
    requests: Share,
    notifications: Share,
    monitors: Share,
    bytes: Arc<Semaphore>,
    bytes_max: usize,
    body_timeout: Duration,
    clock: Clock,
    /// Where the work is done of those who were let in.
    work: Handle,
}

/// The places of one kind of request.
struct Share {
    name: &'static str,
    size: usize,
    free: Arc<Semaphore>,
    refused: AtomicU64,
    told_at: Mutex<Option<Time>>,
}

/// The place of a request, and that of its body. They are free again when the last copy is dropped, or earlier when the
/// request only waits.
#[derive(Clone, Default)]
pub(super) struct Place(Arc<Mutex<Vec<OwnedSemaphorePermit>>>);

impl Place {
    fn of(permits: impl IntoIterator<Item = OwnedSemaphorePermit>) -> Self {
        Self(Arc::new(Mutex::new(permits.into_iter().collect())))
    }

    /// Others may have it: from now on this request needs next to nothing.
    pub(super) fn leave(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// How a share stands, for the metrics.
pub(super) struct Standing {
    pub(super) share: &'static str,
    pub(super) taken: usize,
    pub(super) refused: u64,
}

impl Places {
    /// Free places. The work of those who are let in is done on the runtime that this is called on.
    ///
    /// # Panics
    /// Outside of a runtime.
    #[must_use]
    pub fn new(shares: &Shares, clock: Clock) -> Self {
        let bytes_max = shares.body_bytes.min(Semaphore::MAX_PERMITS);
        Self {
            requests: Share::new("requests", shares.requests),
            notifications: Share::new("notifications", shares.notifications),
            monitors: Share::new("monitors", MONITORS),
            bytes: Arc::new(Semaphore::new(bytes_max)),
            bytes_max,
            body_timeout: shares.body_timeout,
            clock,
            work: Handle::current(),
        }
    }

    /// The share of a path; `None` for the sign of life, which costs nothing.
    fn share_of(&self, path: &str) -> Option<&Share> {
        match path.trim_end_matches('/') {
            "/livez" => None,
            "/readyz" | "/metrics" => Some(&self.monitors),
            "/api/midtrans-notification" => Some(&self.notifications),
            _ => Some(&self.requests),
        }
    }

    /// Has the work of a request done. Who goes away ends it, as ever.
    async fn done(&self, share: &Share, work: impl Future<Output = Response> + Send + 'static) -> Response {
        if share.is_calm() {
            // The hand-over to other threads costs more than most answers.
            return TokioContext::new(work, self.work.clone()).await;
        }
        // Not among those who are sent away: behind thousands of them each step would have to wait its turn.
        AbortOnDropHandle::new(self.work.spawn(work)).await.unwrap_or_else(|error| {
            tracing::error!(%error, "a request broke off");
            Problem::Internal.into_response()
        })
    }

    /// Bytes of bodies that have come in and were not yet dealt with.
    pub(super) fn body_bytes(&self) -> usize {
        self.bytes_max.saturating_sub(self.bytes.available_permits())
    }

    pub(super) fn standing(&self) -> [Standing; 3] {
        [&self.requests, &self.notifications, &self.monitors].map(|share| Standing {
            share: share.name,
            taken: share.size.saturating_sub(share.free.available_permits()),
            refused: share.refused.load(Ordering::Relaxed),
        })
    }
}

impl Share {
    fn new(name: &'static str, size: usize) -> Self {
        let size = size.min(Semaphore::MAX_PERMITS);
        let free = Arc::new(Semaphore::new(size));
        Self { name, size, free, refused: AtomicU64::new(0), told_at: Mutex::new(None) }
    }

    /// Whether so few are in that nobody has to be sent away soon.
    fn is_calm(&self) -> bool {
        self.free.available_permits() >= self.size - self.size / 4
    }

    /// Counts it. A flood is no flood of lines in the log.
    fn refuse(&self, now: Time) -> Problem {
        let refused = self.refused.fetch_add(1, Ordering::Relaxed) + 1;
        let mut told_at = self.told_at.lock().unwrap_or_else(PoisonError::into_inner);
        if told_at.is_none_or(|at| now - at >= delta(TELL_EVERY)) {
            *told_at = Some(now);
            let share = self.name;
            tracing::warn!(
                share,
                places = self.size,
                refused,
                "too much at once: some are told to come again"
            );
        }
        Problem::Overloaded
    }
}

/// Lets a request in when there is a place for it and its body has come, and has its work done.
pub(super) async fn admit<W: Future<Output = Response> + Send + 'static>(
    app: &App,
    request: Request,
    work: impl FnOnce(Request) -> W,
) -> Response {
    let places = &app.places;
    let Some(share) = places.share_of(request.uri().path()) else { return work(request).await };
    let (mut parts, body) = request.into_parts();
    let changes = lately::may_change(&parts);
    let entered = async {
        if share.free.available_permits() == 0 {
            return Err(share.refuse(places.clock.now()));
        }
        // A body that comes slowly takes no place from others.
        let (body, bytes) =
            if parts.uri.path() == UPLOADS { (body, None) } else { whole(app, share, body).await? };
        let place = Arc::clone(&share.free).try_acquire_owned();
        let place = place.map_err(|_full| share.refuse(places.clock.now()))?;
        Ok((body, Place::of(bytes.into_iter().chain([place]))))
    };
    match entered.await {
        Ok((body, place)) => {
            parts.extensions.insert(place.clone());
            let response = places.done(share, work(Request::from_parts(parts, body))).await;
            drop(place);
            if changes {
                app.lately.forget();
            }
            response
        }
        Err(problem) => {
            if share.name == places.notifications.name {
                app.notified.refused(&problem);
            }
            refused(&parts, problem)
        }
    }
}

fn refused(parts: &Parts, problem: Problem) -> Response {
    // The rest of the body still comes in: the caller must not ask for anything else behind it.
    let is_cut = matches!(problem, Problem::TooLarge | Problem::TooSlow);
    let mut response = match parts.uri.path().starts_with("/admin") {
        true => crate::dashboard::page_of(parts, problem),
        false => problem.into_response(),
    };
    if is_cut && parts.version <= Version::HTTP_11 {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// The body, when all of it is here, and its place among all bodies.
async fn whole(
    app: &App,
    share: &Share,
    body: Body,
) -> Result<(Body, Option<OwnedSemaphorePermit>), Problem> {
    let too_large = |size: u64| usize::try_from(size).map_or(true, |size| size > app.settings.body_bytes_max);
    if body.is_end_stream() {
        return Ok((body, None));
    }
    if body.size_hint().exact().is_some_and(too_large) {
        return Err(Problem::TooLarge);
    }
    let reading = read(app, share, body);
    tokio::time::timeout(app.places.body_timeout, reading).await.unwrap_or(Err(Problem::TooSlow))
}

async fn read(
    app: &App,
    share: &Share,
    mut body: Body,
) -> Result<(Body, Option<OwnedSemaphorePermit>), Problem> {
    let places = &app.places;
    let mut held: Option<OwnedSemaphorePermit> = None;
    let mut text: Vec<u8> = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Problem::Malformed("the body broke off".to_owned()))?;
        let Ok(data) = frame.into_data() else { continue };
        if data.len() > app.settings.body_bytes_max.saturating_sub(text.len()) {
            return Err(Problem::TooLarge);
        }
        let bytes = u32::try_from(data.len()).map_err(|_| Problem::TooLarge)?;
        let permit = Arc::clone(&places.bytes).try_acquire_many_owned(bytes);
        let permit = permit.map_err(|_full| share.refuse(places.clock.now()))?;
        match &mut held {
            Some(held) => held.merge(permit),
            None => held = Some(permit),
        }
        text.extend_from_slice(&data);
    }
    Ok((Body::from(text), held))
}
