//! Open files: each connection is one, and many systems allow a process only 1,024 until it asks for more.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// For the database, Redis, the gateway, logs and libraries.
const OTHERS: u64 = 256;

/// Asks the system for as many as `connections` need, and says so when it does not give them.
pub(crate) fn ask_for(connections: usize) {
    let wanted = u64::try_from(connections).unwrap_or(u64::MAX).saturating_add(OTHERS);
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    // `None` is no limit at all.
    let Some(now) = current.filter(|now| *now < wanted) else { return };
    let given = maximum.map_or(wanted, |maximum| wanted.min(maximum));
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: Some(given), maximum }) {
        tracing::warn!(%error, open_files = now, wanted, "the system gives no more open files");
    } else if given < wanted {
        tracing::warn!(
            open_files = given,
            wanted,
            "the system gives fewer open files than limits.connections needs: raise `ulimit -n`, or lower the setting"
        );
    }
}
