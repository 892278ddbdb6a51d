//! Everything that is logged while the stories run, at trace level, so that it can be searched for secrets.

use std::io;
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

static LINES: Mutex<Vec<u8>> = Mutex::new(Vec::new());
static START: Once = Once::new();

/// Starts to listen. Only our own crates and the HTTP stack speak at trace level; the database driver would log rows.
pub(crate) fn listen() {
    START.call_once(|| {
        let filter = "trace,sqlx=debug,tokio=info,runtime=info,mio=info,polling=info";
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(|| Ear).with_ansi(false).init();
    });
}

/// What was logged so far.
pub(crate) fn heard() -> String {
    String::from_utf8_lossy(&lines()).into_owned()
}

fn lines() -> MutexGuard<'static, Vec<u8>> {
    LINES.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Ear;

impl io::Write for Ear {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        lines().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
