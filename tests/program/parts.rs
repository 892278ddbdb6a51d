//! What the roles of the program are put together from.

use clock::Clock;
use kasir::config::Config;
use kasir::roles::{self, Parts};
use queue::Queue;

/// Opens the books and the queue over them on the runtime of the caller.
pub(crate) async fn open(config: Config, clock: &Clock) -> Parts {
    let db = roles::open_database(&config).await.unwrap();
    let queue = Queue::open(db.clone(), clock.clone(), config.redis.as_ref()).unwrap();
    let gateway = config.gateway.clone().unwrap();
    let secret = roles::installation_secret(&config, clock).unwrap();
    Parts { config, db, queue, clock: clock.clone(), gateway, secret }
}
