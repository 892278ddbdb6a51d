//! The write-ahead log of a SQLite file: how far what is in it reaches.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

const HEADER: usize = 32;
const FRAME_HEADER: usize = 24;

/// The log beside a file.
pub(crate) fn beside(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push("-wal");
    PathBuf::from(name)
}

/// A file and its log at one moment.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Changes each time the log begins anew.
    salts: [u8; 8],
    /// When the file itself was last written to: by a checkpoint.
    checkpointed: SystemTime,
    /// Where the last frame ends. The log may be longer: what lies behind is of an earlier round.
    pub(crate) end: u64,
}

impl Mark {
    pub(crate) fn of(file: &Path, log: &Path) -> Self {
        let checkpointed = std::fs::metadata(file).unwrap().modified().unwrap();
        let bytes = std::fs::read(log).unwrap();
        let Some(header) = bytes.get(..HEADER) else {
            return Self { salts: [0; 8], checkpointed, end: u64::try_from(bytes.len()).unwrap() };
        };
        let salts: [u8; 8] = header[16..24].try_into().unwrap();
        let page = usize::try_from(u32::from_be_bytes(header[8..12].try_into().unwrap())).unwrap();
        let frames = bytes[HEADER..].chunks_exact(FRAME_HEADER + page);
        let valid = frames.take_while(|frame| frame[8..16] == salts).count();
        let end = HEADER + valid * (FRAME_HEADER + page);
        Self { salts, checkpointed, end: u64::try_from(end).unwrap() }
    }

    /// Whether the log has only grown since then.
    pub(crate) fn continues(&self, then: &Self) -> bool {
        self.salts == then.salts && self.checkpointed == then.checkpointed && self.end >= then.end
    }
}
