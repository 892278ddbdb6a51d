//! A way through which bytes go, and that can be cut, closed or made slow: before the database, the gateway, the apis.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Bytes that are passed on in one go.
const CHUNK: usize = 16 * 1024;

/// A TCP proxy on a port of its own; dropped, it listens no more.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    way: Arc<Way>,
    listening: tokio::task::JoinHandle<()>,
}

/// How the way is at this moment.
struct Way {
    /// Where it may lead; the first that answers is taken, beginning with another each time.
    ends: Vec<u16>,
    turn: AtomicUsize,
    closed: AtomicBool,
    latency_ms: AtomicU64,
    /// 0 is as fast as it goes.
    bytes_per_s: AtomicU64,
    /// Counts the cuts.
    cuts: watch::Sender<u64>,
}

impl Proxy {
    /// Opens a way to these ports of this machine.
    pub(crate) async fn to(ends: &[u16]) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let way = Arc::new(Way {
            ends: ends.to_vec(),
            turn: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
            latency_ms: AtomicU64::new(0),
            bytes_per_s: AtomicU64::new(0),
            cuts: watch::Sender::new(0),
        });
        let listening = tokio::spawn(listen(listener, Arc::clone(&way)));
        Self { port, way, listening }
    }

    /// Cuts every connection; new ones may come.
    pub(crate) fn cut(&self) {
        self.way.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Cuts every connection, and lets none through until it is opened again.
    pub(crate) fn close(&self) {
        self.way.closed.store(true, Ordering::SeqCst);
        self.cut();
    }

    /// Lets connections through again.
    pub(crate) fn open(&self) {
        self.way.closed.store(false, Ordering::SeqCst);
    }

    /// Each piece of data takes so long, and so many bytes pass in a second; zeros are none of both.
    pub(crate) fn slow_down(&self, latency: Duration, bytes_per_s: u64) {
        let latency_ms = u64::try_from(latency.as_millis()).unwrap();
        self.way.latency_ms.store(latency_ms, Ordering::SeqCst);
        self.way.bytes_per_s.store(bytes_per_s, Ordering::SeqCst);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listening.abort();
        self.cut();
    }
}

async fn listen(listener: TcpListener, way: Arc<Way>) {
    loop {
        let Ok((caller, _)) = listener.accept().await else { continue };
        tokio::spawn(Arc::clone(&way).connect(caller));
    }
}

impl Way {
    async fn connect(self: Arc<Self>, caller: TcpStream) {
        let mut cuts = self.cuts.subscribe();
        if self.closed.load(Ordering::SeqCst) {
            return;
        }
        let Some(callee) = self.reach().await else { return };
        let (_nodelay, _nodelay_too) = (caller.set_nodelay(true), callee.set_nodelay(true));
        let (from_caller, to_caller) = caller.into_split();
        let (from_callee, to_callee) = callee.into_split();
        tokio::select! {
            _cut = cuts.changed() => {}
            ((), ()) = async { tokio::join!(self.pass(from_caller, to_callee), self.pass(from_callee, to_caller)) } => {}
        }
    }

    async fn reach(&self) -> Option<TcpStream> {
        let turn = self.turn.fetch_add(1, Ordering::SeqCst);
        for step in 0..self.ends.len() {
            let port = self.ends[(turn + step) % self.ends.len()];
            if let Ok(stream) = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await {
                return Some(stream);
            }
        }
        None
    }

    async fn pass(&self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
        let mut chunk = vec![0; CHUNK];
        while let Ok(count @ 1..) = from.read(&mut chunk).await {
            let pause = self.pause_for(count);
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
            if to.write_all(&chunk[..count]).await.is_err() {
                return;
            }
        }
        let _closed = to.shutdown().await;
    }

    fn pause_for(&self, bytes: usize) -> Duration {
        let latency = Duration::from_millis(self.latency_ms.load(Ordering::SeqCst));
        let bytes_ms = u64::try_from(bytes).unwrap() * 1_000;
        let transfer = bytes_ms.checked_div(self.bytes_per_s.load(Ordering::SeqCst)).unwrap_or_default();
        latency + Duration::from_millis(transfer)
    }
}
