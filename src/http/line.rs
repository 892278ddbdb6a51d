//! One connection as the service sees it: what moves on it, and when it has been still for too long.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use http_body::{Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use super::serving::ConnectionLimits;

/// While others wait for a place, a connection on which nobody asks for anything is closed after this.
const IDLE_IN_A_CROWD: Duration = Duration::from_secs(1);
/// How a connection of HTTP/2 begins (RFC 9113, 3.4). No method of HTTP/1 begins so.
const HTTP_2: &[u8] = b"PRI ";

/// What happens on a connection. Cheap to clone.
#[derive(Clone)]
pub(super) struct Pulse(Arc<Mutex<Beat>>);

struct Beat {
    /// Requests whose answers are not yet given to the connection in full.
    requests: usize,
    /// Whether any request ever came.
    asked: bool,
    /// When a request last came, a part of an answer was last given to the connection, or the connection began.
    still_since: Instant,
    /// When the head of the next request began to come in.
    head_since: Option<Instant>,
    /// Whether many requests share the connection. Then what comes in between them need not be a head.
    is_http2: bool,
}

impl Pulse {
    pub(super) fn new() -> Self {
        let beat = Beat {
            requests: 0,
            asked: false,
            still_since: Instant::now(),
            head_since: None,
            is_http2: false,
        };
        Self(Arc::new(Mutex::new(beat)))
    }

    fn beat(&self) -> MutexGuard<'_, Beat> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When the connection will have been still for too long, if nothing moves until then.
    pub(super) fn deadline(&self, limits: &ConnectionLimits, is_crowded: bool) -> Instant {
        let beat = self.beat();
        if beat.requests > 0 {
            return beat.still_since + limits.stall;
        }
        let idle = match (is_crowded, beat.asked) {
            (true, _) => IDLE_IN_A_CROWD.min(limits.idle),
            (false, false) => limits.head,
            (false, true) => limits.idle,
        };
        beat.head_since.map_or(beat.still_since + idle, |since| since + limits.head)
    }

    /// Whether nothing was asked for, nor begun to be asked for.
    pub(super) fn is_idle(&self) -> bool {
        let beat = self.beat();
        beat.requests == 0 && beat.head_since.is_none()
    }

    /// A request has come.
    pub(super) fn asked(&self) -> Asked {
        let mut beat = self.beat();
        beat.requests += 1;
        beat.asked = true;
        beat.still_since = Instant::now();
        beat.head_since = None;
        Asked(self.clone())
    }

    fn received(&self, bytes: &[u8]) {
        let mut beat = self.beat();
        if !beat.asked && beat.head_since.is_none() {
            beat.is_http2 = bytes.starts_with(HTTP_2);
        }
        if beat.requests == 0 && !(beat.is_http2 && beat.asked) && beat.head_since.is_none() {
            beat.head_since = Some(Instant::now());
        }
    }
}

/// A request that is being answered; dropped, it is over.
pub(super) struct Asked(Pulse);

impl Drop for Asked {
    fn drop(&mut self) {
        let mut beat = self.0.beat();
        beat.requests -= 1;
        beat.still_since = Instant::now();
    }
}

/// The body of an answer. The request is over when it was given to the connection in full, or nobody wants it any more.
pub(super) struct Answering {
    pub(super) body: Body,
    pub(super) asked: Asked,
}

impl HttpBody for Answering {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        self.asked.0.beat().still_since = Instant::now();
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A connection that tells its pulse what comes in, and breaks when the peer takes nothing for too long.
pub(super) struct Line<S> {
    stream: S,
    pulse: Pulse,
    stall: Duration,
    /// Running while we wait for the peer to take something.
    waiting: Option<Pin<Box<Sleep>>>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Line<S> {
    pub(super) fn new(stream: S, pulse: Pulse, stall: Duration) -> Self {
        Self { stream, pulse, stall, waiting: None }
    }

    /// Breaks the connection when this was tried in vain for too long.
    fn patiently<T>(
        &mut self,
        cx: &mut Context<'_>,
        attempt: impl FnOnce(Pin<&mut S>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let tried = attempt(Pin::new(&mut self.stream), cx);
        if tried.is_ready() {
            self.waiting = None;
            return tried;
        }
        let stall = self.stall;
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(tokio::time::sleep(stall)));
        ready!(waiting.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Line<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        if let Some(new @ [_, ..]) = buffer.filled().get(before..) {
            self.pulse.received(new);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Line<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.patiently(cx, |stream, cx| stream.poll_write(cx, bytes))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.patiently(cx, S::poll_flush)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.patiently(cx, S::poll_shutdown)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.patiently(cx, |stream, cx| stream.poll_write_vectored(cx, bytes))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
