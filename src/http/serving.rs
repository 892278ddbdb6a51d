//! The listener: how many connections there are, how long each may be still, and how much a request may say of itself.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::response::Response;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use super::line::{Answering, Line, Pulse};
use super::tls::Tls;

/// What one stream of HTTP/2 may send before it is read.
const STREAM_WINDOW: u32 = 64 * 1024;
/// And all streams of a connection together.
const CONNECTION_WINDOW: u32 = 256 * 1024;
/// What of an answer one stream of HTTP/2 holds until the peer takes it.
const SEND_BUFFER: usize = 64 * 1024;
/// How long a peer of HTTP/2 has to answer a sign of life.
const SIGN_OF_LIFE: Duration = Duration::from_secs(20);
/// How long a connection has to end after it was asked to.
const GOODBYE: Duration = Duration::from_secs(5);
/// Between two tries to accept when the machine has no place for another connection.
const PAUSE: Duration = Duration::from_millis(200);

/// Limits of the connections.
#[derive(Debug, Clone)]
pub struct ConnectionLimits {
    /// Connections at once. More wait in the queue of the kernel.
    pub at_once: usize,
    /// How long the head of a request may take to come in.
    pub head: Duration,
    /// How long a connection may be kept on which nobody asks for anything.
    pub idle: Duration,
    /// How long a request may stand still: its peer takes nothing of the answer, or there is nothing to take.
    pub stall: Duration,
    /// The largest head, in bytes.
    pub head_bytes: usize,
    /// Headers of a request.
    pub headers: usize,
    /// Requests at once on one connection of HTTP/2.
    pub streams: u32,
}

/// How callers come in.
pub struct Door {
    /// What they may do.
    pub limits: ConnectionLimits,
    /// Whether they are spoken to over TLS.
    pub tls: Option<Tls>,
    /// Until when they are let in.
    pub stop: CancellationToken,
}

/// Whoever serves the connections.
#[derive(Clone)]
struct Server {
    builder: Builder<TokioExecutor>,
    router: Router,
    limits: Arc<ConnectionLimits>,
    tls: Option<Tls>,
    /// True while all places are taken.
    crowded: watch::Sender<bool>,
    stop: CancellationToken,
}

/// Serves as [`serve`] does, on threads of its own: they read, refuse and write, and the work of those who are let in is
/// done elsewhere. However many are sent away, the work goes on beside them.
///
/// # Errors
/// When the system gives no threads.
pub fn serve_apart(
    listener: TcpListener,
    router: Router,
    door: Door,
) -> std::io::Result<impl Future<Output = ()> + Send + use<>> {
    let threads = std::thread::available_parallelism().map_or(1, |cores| cores.get().div_ceil(2));
    let mut front = tokio::runtime::Builder::new_multi_thread();
    let front = front.worker_threads(threads).thread_name("kasir-front").enable_all().build()?;
    let listener = listener.into_std()?;
    let front = Front(Some(front));
    let serving = front.0.as_ref().map(|front| {
        front.spawn(async move {
            match TcpListener::from_std(listener) {
                Ok(listener) => serve(listener, router, door).await,
                Err(error) => tracing::error!(%error, "the service cannot listen"),
            }
        })
    });
    Ok(async move {
        let _until_then = front;
        if let Some(Err(error)) = futures::future::OptionFuture::from(serving).await {
            tracing::error!(%error, "the service stopped");
        }
    })
}

/// Threads that end with it, whatever they do: a runtime that is dropped otherwise would wait for them.
struct Front(Option<Runtime>);

impl Drop for Front {
    fn drop(&mut self) {
        if let Some(front) = self.0.take() {
            front.shutdown_background();
        }
    }
}

/// Serves until `stop` says otherwise, and then until every request was answered that had come.
pub async fn serve(listener: TcpListener, router: Router, door: Door) {
    let Door { limits, tls, stop } = door;
    let places = Arc::new(Semaphore::new(limits.at_once.min(Semaphore::MAX_PERMITS)));
    let builder = builder(&limits);
    let limits = Arc::new(limits);
    let server = Server { builder, router, limits, tls, crowded: watch::Sender::new(false), stop };
    let connections = TaskTracker::new();
    let accepting = async {
        loop {
            let place = server.place(&places).await;
            let (stream, peer) = accept(&listener).await;
            connections.spawn(server.clone().connection(stream, peer, place));
        }
    };
    let _stopped: Option<()> = server.stop.run_until_cancelled(accepting).await;
    drop(listener);
    connections.close();
    connections.wait().await;
}

fn builder(limits: &ConnectionLimits) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    // The time of a head is limited by the pulse of the connection: hyper counts the pause between two requests as a
    // part of the head, and reads the first bytes without any limit.
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(None)
        .max_buf_size(limits.head_bytes)
        .max_headers(limits.headers);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(limits.head_bytes).unwrap_or(u32::MAX))
        .max_concurrent_streams(limits.streams)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_BUFFER)
        .keep_alive_interval(SIGN_OF_LIFE)
        .keep_alive_timeout(SIGN_OF_LIFE);
    builder
}

async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            // The peer has gone again.
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                tracing::error!(%error, "no connection can be accepted");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

impl Server {
    /// A place for one more connection. While there is none, idle connections are asked to make room.
    async fn place(&self, places: &Arc<Semaphore>) -> Option<OwnedSemaphorePermit> {
        if let Ok(place) = Arc::clone(places).try_acquire_owned() {
            // Not at the first free place: every change wakes all connections.
            if places.available_permits() >= self.limits.at_once / 20 {
                self.is_now_crowded(false);
            }
            return Some(place);
        }
        if self.is_now_crowded(true) {
            tracing::warn!(at_once = self.limits.at_once, "all connections are taken; others wait");
        }
        Arc::clone(places).acquire_owned().await.ok()
    }

    /// Tells all connections. True when it is news.
    fn is_now_crowded(&self, now: bool) -> bool {
        self.crowded.send_if_modified(|known| std::mem::replace(known, now) != now)
    }

    async fn connection(self, stream: TcpStream, peer: SocketAddr, _place: Option<OwnedSemaphorePermit>) {
        // What is written is complete: waiting for more of it only delays the answer.
        let _unknown = stream.set_nodelay(true);
        let Some(tls) = self.tls.clone() else { return self.requests_of(stream, peer).await };
        // Agreeing on the keys is a part of the first head, and takes no longer. Whoever does not agree is gone.
        let agreed = tokio::time::timeout(self.limits.head, tls.accept(stream));
        if let Some(Ok(Ok(stream))) = self.stop.run_until_cancelled(agreed).await {
            self.requests_of(stream, peer).await;
        }
    }

    async fn requests_of<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
        self,
        stream: S,
        peer: SocketAddr,
    ) {
        let pulse = Pulse::new();
        let line = Line::new(stream, pulse.clone(), self.limits.stall);
        let router = self.router.clone();
        let asked = pulse.clone();
        let service = hyper_util::service::TowerToHyperService::new(tower::service_fn(
            move |request: axum::http::Request<_>| {
                answer(router.clone(), request.map(Body::new), (peer, asked.asked()))
            },
        ));
        let mut connection = pin!(self.builder.serve_connection(TokioIo::new(line), service));
        let mut crowded = self.crowded.subscribe();
        let mut ending: Option<Instant> = None;
        loop {
            let is_crowded = *crowded.borrow_and_update();
            let now = Instant::now();
            if pulse.deadline(&self.limits, is_crowded) <= now {
                // Who is slow in the middle of something is cut off; who only keeps the connection is told before.
                if !pulse.is_idle() || ending.is_some_and(|ending| ending <= now) {
                    return;
                }
                if ending.is_none() {
                    connection.as_mut().graceful_shutdown();
                    ending = Some(now + GOODBYE);
                }
            }
            tokio::select! {
                _ended = connection.as_mut() => return,
                () = self.stop.cancelled(), if ending.is_none() => {
                    connection.as_mut().graceful_shutdown();
                    ending = Some(Instant::now() + GOODBYE);
                }
                _ = crowded.changed(), if ending.is_none() => {}
                () = tokio::time::sleep_until(next_look(&pulse, &self.limits, (is_crowded, ending))) => {}
            }
        }
    }
}

/// When to look at the pulse again. A head that begins in this moment may take as long as `limits.head`.
fn next_look(
    pulse: &Pulse,
    limits: &ConnectionLimits,
    (is_crowded, ending): (bool, Option<Instant>),
) -> Instant {
    let now = Instant::now();
    let dues = [Some(pulse.deadline(limits, is_crowded)), ending];
    dues.into_iter().flatten().filter(|due| *due > now).fold(now + limits.head, Instant::min)
}

async fn answer(
    router: Router,
    mut request: Request,
    (peer, asked): (SocketAddr, super::line::Asked),
) -> Result<Response<Answering>, std::convert::Infallible> {
    request.extensions_mut().insert(ConnectInfo(peer));
    let response = router.oneshot(request).await?;
    Ok(response.map(|body| Answering { body, asked }))
}
