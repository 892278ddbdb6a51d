//! The bytes of an export on their way in: counted, limited and digested.

use std::io::{self, Read};
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest as _, Sha256};

use super::{ExportError, Limits, hex_of};

/// So much of a file is looked at to find what stands between its columns.
const HEADER_BYTES_MAX: u64 = 64 * 1024;

/// What stands between columns: a comma, in European exports a semicolon, or a tab.
const DELIMITERS: [u8; 3] = [b',', b';', b'\t'];

#[derive(Debug, thiserror::Error)]
enum Limit {
    #[error("too large")]
    File,
    #[error("a row is too long")]
    Row,
}

/// A reader that counts. The parser passes over a byte order mark by itself.
pub(super) struct Source<R: Read> {
    reader: R,
    /// What was read to find the delimiter, and how much of it was handed on.
    header: (Vec<u8>, usize),
    digest: Sha256,
    bytes: u64,
    is_at_end: bool,
    in_row: AtomicU64,
    limits: Limits,
}

impl<R: Read> Source<R> {
    pub(super) fn open(mut reader: R, limits: &Limits) -> Result<Self, ExportError> {
        let mut header = Vec::new();
        (&mut reader).take(HEADER_BYTES_MAX).read_to_end(&mut header)?;
        Ok(Self {
            reader,
            header: (header, 0),
            digest: Sha256::new(),
            bytes: 0,
            is_at_end: false,
            in_row: AtomicU64::new(0),
            limits: limits.clone(),
        })
    }

    /// The delimiter that occurs most in the first line, outside of quotation marks.
    pub(super) fn delimiter(&self) -> u8 {
        let (header, _) = &self.header;
        let mut quoted = false;
        let mut counts = [0_u32; DELIMITERS.len()];
        for byte in header {
            match byte {
                b'"' => quoted = !quoted,
                b'\n' | b'\r' if !quoted => break,
                other if !quoted => {
                    for (count, _) in counts.iter_mut().zip(DELIMITERS).filter(|(_, one)| one == other) {
                        *count += 1;
                    }
                }
                _ => {}
            }
        }
        let most = counts.iter().max().copied().unwrap_or_default();
        counts.iter().zip(DELIMITERS).find(|(count, _)| **count == most).map_or(b',', |(_, one)| one)
    }

    /// Whether lines end in two characters, the second of which the parser reads with the next row.
    pub(super) fn ends_lines_twice(&self) -> bool {
        let (header, _) = &self.header;
        let end = header.iter().position(|byte| *byte == b'\n');
        end.and_then(|end| header.get(end.checked_sub(1)?)).is_some_and(|before| *before == b'\r')
    }

    /// A row ended; the next one may be as long again.
    pub(super) fn row_ended(&self) {
        self.in_row.store(0, Ordering::Relaxed);
    }

    pub(super) fn digest(self) -> String {
        hex_of(self.digest)
    }

    fn fill(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let (header, handed) = &mut self.header;
        match header.get(*handed..) {
            Some(rest) if !rest.is_empty() => {
                let length = rest.len().min(buffer.len());
                if let (Some(to), Some(from)) = (buffer.get_mut(..length), rest.get(..length)) {
                    to.copy_from_slice(from);
                }
                *handed += length;
                Ok(length)
            }
            _ => self.reader.read(buffer),
        }
    }
}

impl<R: Read> Read for Source<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.fill(buffer)?;
        self.digest.update(buffer.get(..length).unwrap_or_default());
        let count = u64::try_from(length).unwrap_or(u64::MAX);
        self.bytes = self.bytes.saturating_add(count);
        let in_row = self.in_row.fetch_add(count, Ordering::Relaxed).saturating_add(count);
        if length == 0 && !self.is_at_end && !buffer.is_empty() {
            // The last line ends like the others, so that its number is found like theirs.
            self.is_at_end = true;
            let end = if self.ends_lines_twice() { b'\r' } else { b'\n' };
            return Ok(buffer.first_mut().map_or(0, |first| {
                *first = end;
                1
            }));
        }
        if self.bytes > self.limits.bytes {
            return Err(io::Error::other(Limit::File));
        }
        if in_row > self.limits.row_bytes {
            return Err(io::Error::other(Limit::Row));
        }
        Ok(length)
    }
}

/// What a failure to read means.
pub(super) fn reason(error: io::Error, line: u64, limits: &Limits) -> ExportError {
    match error.get_ref().and_then(|cause| cause.downcast_ref::<Limit>()) {
        Some(Limit::File) => ExportError::TooLarge(limits.bytes),
        Some(Limit::Row) => ExportError::RowTooLong { line, row_bytes: limits.row_bytes },
        None => ExportError::Unreadable(error),
    }
}
