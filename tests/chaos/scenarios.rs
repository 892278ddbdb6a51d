//! All that can be done to the house, by name.

use std::sync::Arc;

use futures::future::LocalBoxFuture;

use crate::house::{House, Kind};
use crate::load::Seen;
use crate::{database, embedded, gateway, processes, redis_server, weather};

/// What a scenario knows besides the house.
pub(crate) struct Hours {
    pub(crate) seen: Arc<Seen>,
    /// How long Redis is gone.
    pub(crate) minutes: u64,
}

type Story = for<'a> fn(&'a mut House, &'a Hours) -> LocalBoxFuture<'a, ()>;

/// One way to hurt the house.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    /// What is done, in a line.
    pub(crate) what: &'static str,
    pub(crate) kind: Kind,
    /// Whether it is part of the short run.
    pub(crate) short: bool,
    /// While tenants pay.
    pub(crate) story: Story,
    /// When all is calm; afterwards all must be calm again.
    pub(crate) after: Option<Story>,
}

/// `name: what` of a house of this kind, and the function that does it.
macro_rules! scenarios {
    ($($name:literal, $kind:expr, $short:literal, $story:path, $after:expr, $what:literal;)*) => {
        pub(crate) const ALL: &[Scenario] = &[$(Scenario {
            name: $name,
            what: $what,
            kind: $kind,
            short: $short,
            story: |house, hours| Box::pin($story(house, hours)),
            after: $after,
        }),*];
    };
}

const SMALL_MB: u32 = 160;
const SMALL_FILE_MB: u32 = 24;

scenarios![
    "worker-kill", Kind::Whole, true, processes::kill_workers, None,
        "kill -9 of the two workers in turn, every three seconds";
    "api-kill", Kind::Whole, false, processes::kill_apis, None,
        "kill -9 of the two apis in turn, every two seconds, while they answer";
    "scheduler-kill", Kind::Whole, false, processes::kill_scheduler, None,
        "every notification is lost, and the scheduler that has to find out is killed again and again";
    "redis-kill", Kind::Whole, true, redis_server::kill, None,
        "kill -9 of Redis, twice; it comes back with its append-only file";
    "redis-gone", Kind::Whole, false, redis_server::gone, None,
        "Redis is not there for a minute, or for --minutes N";
    "redis-flush", Kind::Whole, true, redis_server::flush, None,
        "FLUSHALL, ten times";
    "redis-password", Kind::Whole, false, redis_server::password, None,
        "Redis has another password for a while, and has cut all connections";
    "redis-memory", Kind::Whole, false, redis_server::memory, None,
        "Redis has no memory left (noeviction): it reads and refuses to write";
    "redis-hang", Kind::Whole, false, redis_server::hang, None,
        "Redis stands still (SIGSTOP) for fifteen seconds";
    "postgres-restart", Kind::Whole, true, database::restart, None,
        "PostgreSQL is restarted (SIGINT), and crashes (SIGQUIT) and recovers";
    "postgres-cut", Kind::Whole, false, database::cut, None,
        "all connections to PostgreSQL are cut, eight times, and none is let through for five seconds";
    "postgres-full", Kind::Small(SMALL_MB), false, database::fill, None,
        "the disk of PostgreSQL (a small tmpfs) is full to the last byte for a while";
    "postgres-read-only", Kind::Whole, false, database::read_only, None,
        "PostgreSQL is read-only (default_transaction_read_only) for a while, as after a failover";
    "gateway-5xx", Kind::Whole, false, gateway::errors, None,
        "the gateway answers 500 and 503 to everything";
    "gateway-hang", Kind::Whole, false, gateway::hangs, None,
        "the gateway takes calls and never answers";
    "gateway-429", Kind::Whole, false, gateway::limits, None,
        "the gateway's rate limiter answers 429 to everything";
    "gateway-html", Kind::Whole, false, gateway::pages, None,
        "the gateway answers with pages for people: 502, and 404, which is not \"no such transaction\"";
    "gateway-lost", Kind::Whole, false, gateway::loses, None,
        "the gateway makes transactions, and the answers are lost: cut, hanging, or a proxy's 504";
    "clock-jump", Kind::Whole, false, weather::clock, None,
        "the clocks of an api, a worker and the scheduler jump two minutes ahead, and two minutes back";
    "network-slow", Kind::Whole, false, weather::network, None,
        "the ways to PostgreSQL and to the gateway are slow and narrow";
    "rolling-deploy", Kind::Whole, false, processes::deploy, None,
        "SIGTERM to each process in turn, and another binary in its place";
    "embedded-kill", Kind::Embedded, false, embedded::kill, None,
        "kill -9 of the one process on its SQLite file, every two seconds";
    "embedded-power", Kind::Embedded, false, embedded::cut_the_power, None,
        "the file and its WAL, cut off at a random byte after what was acknowledged, are opened anew";
    "embedded-full", Kind::SmallEmbedded(SMALL_FILE_MB), false, embedded::fill, None,
        "the disk of the SQLite file (a small tmpfs) is full to the last byte for a while";
    "embedded-backup", Kind::Embedded, false, embedded::back_up,
        Some(|house, hours| Box::pin(embedded::restore(house, hours))),
        "kasir backup under load, each copy looked over; then the file is lost, and kasir restore";
];
