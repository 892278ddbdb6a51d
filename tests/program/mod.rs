//! The real program inside a test: router, workers and queue on a port of its own. It can be started again.

mod parts;

use std::sync::Arc;
use std::time::Duration;

use clock::Clock;
use kasir::config::Config;
use kasir::http::{self, Door};
use kasir::roles;
use queue::{Queue, Stop, Workforce};
use store::{Db, methods};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The running program.
pub(crate) struct Program {
    pub(crate) db: Db,
    pub(crate) queue: Queue,
    pub(crate) force: Workforce<workers::Context>,
    /// Where it listens.
    pub(crate) url: String,
    stop: Stop,
    serving: CancellationToken,
    served: TaskTracker,
}

impl Program {
    /// Starts it on the runtime of the caller; it listens where the configuration says, port 0 for any.
    pub(crate) async fn start(config: Config, clock: &Clock) -> Self {
        let listener = TcpListener::bind(config.addr).await.unwrap();
        let limits = config.file.job_limits();
        let parts = parts::open(config, clock).await;
        let (db, queue) = (parts.db.clone(), parts.queue.clone());
        store::migrate(&db).await.unwrap();
        roles::unlock(&db).await.unwrap();
        methods::offer_all(&db).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let serving = CancellationToken::new();
        let app = http::App { stop: serving.clone(), ..roles::app(&parts).unwrap() };
        let router = http::router(Arc::new(app));
        let limits_of_callers = parts.config.file.limits.of_connections();
        let door = Door { limits: limits_of_callers, tls: None, stop: serving.clone() };
        let served = TaskTracker::new();
        served.spawn(http::serve(listener, router, door));
        let stop = Stop::default();
        let force = Workforce::start(&queue, roles::context(&parts).unwrap(), limits, stop.clone());
        Self { db, queue, force, url, stop, serving, served }
    }

    /// The service stops, as it does at SIGTERM: what runs ends first, and that takes no time.
    pub(crate) async fn stops_serving(&self) {
        self.serving.cancel();
        self.served.close();
        tokio::time::timeout(Duration::from_secs(5), self.served.wait()).await.unwrap();
    }

    /// Everything ends.
    pub(crate) fn ends(&self) {
        self.serving.cancel();
        self.stop.gently.cancel();
        self.stop.now.cancel();
    }
}
