//! The CSV exports of the gateway's dashboard: which of them a file is, and its lines (contract §8).
//!
//! Columns are found by their names, so a file may have more of them and in any order. What cannot be read is told with its
//! line; nothing is guessed. A file is read row by row and never held whole.

mod cell;
mod columns;
mod source;

use std::fmt;
use std::io::Read;

use csv::StringRecord;
use domain::{Entry, Flow, StatementKind, StatementLine, Time};
use sha2::{Digest as _, Sha256};

use self::columns::Columns;
use self::source::Source;

/// So many wrong rows of a file are told.
const WRONG_ROWS_TOLD: usize = 20;

/// How much is read of a file.
#[derive(Debug, Clone)]
pub struct Limits {
    /// The largest file, in bytes.
    pub bytes: u64,
    /// The most rows, the header apart.
    pub rows: u64,
    /// The longest row, in bytes.
    pub row_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: 64 * 1024 * 1024, rows: 1_000_000, row_bytes: 256 * 1024 }
    }
}

/// A row that does not parse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrongRow {
    /// Its line in the file, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub why: String,
}

impl fmt::Display for WrongRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.why)
    }
}

/// Why a file is no export that can be read.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// It cannot be read at all.
    #[error("it cannot be read: {0}")]
    Unreadable(#[from] std::io::Error),
    /// It is larger than [`Limits::bytes`].
    #[error("it is larger than {0} bytes")]
    TooLarge(u64),
    /// It has more rows than [`Limits::rows`].
    #[error("it has more than {0} rows")]
    TooManyRows(u64),
    /// A row is longer than [`Limits::row_bytes`]; a quotation mark that is never closed makes one.
    #[error("line {line}: a row is longer than {row_bytes} bytes; is a quotation mark not closed?")]
    RowTooLong {
        /// Where the row begins, or near it.
        line: u64,
        /// How long a row may be.
        row_bytes: u64,
    },
    /// Columns that are needed are not there.
    #[error("read as {kind}, it lacks the column{s} {missing}; its columns are: {found}", kind = name_of(*.kind),
            s = if .missing.len() == 1 { "" } else { "s" }, missing = .missing.join(", "), found = .found.join(", "))]
    Columns {
        /// What the file resembles most.
        kind: StatementKind,
        /// What is missing, by the names in the gateway's documentation.
        missing: Vec<&'static str>,
        /// The names in the file.
        found: Vec<String>,
    },
    /// Rows do not parse.
    #[error("{count} row(s) cannot be read\n{rows}", count = .count, rows = listed(.rows))]
    Rows {
        /// The first of them.
        rows: Vec<WrongRow>,
        /// How many there are.
        count: u64,
    },
}

fn listed(rows: &[WrongRow]) -> String {
    rows.iter().map(|row| format!("  {row}")).collect::<Vec<_>>().join("\n")
}

/// What people call the export.
fn name_of(kind: StatementKind) -> &'static str {
    match kind {
        StatementKind::Transactions => "a Transactions export",
        StatementKind::Balance => "a Balance statement",
        StatementKind::Payout => "a Payout report",
    }
}

/// What a file is, found by reading it once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survey {
    /// Which export it is.
    pub kind: StatementKind,
    /// How many lines it has, the header apart.
    pub rows: u64,
    /// The times of its earliest and its latest line.
    pub span: Option<(Time, Time)>,
    /// Its SHA-256, in hexadecimal digits.
    pub sha256: String,
}

/// Reads the whole file and checks every row of it.
///
/// # Errors
/// When it is no export that can be read; wrong rows are told together.
pub fn survey(reader: impl Read, limits: &Limits) -> Result<Survey, ExportError> {
    let mut export = Export::open(reader, limits)?;
    let mut survey = Survey { kind: export.kind(), rows: 0, span: None, sha256: String::new() };
    let (mut wrong, mut count) = (Vec::new(), 0);
    while let Some(row) = export.next_row()? {
        match row {
            Ok(line) => {
                survey.rows += 1;
                let (first, last) = survey.span.unwrap_or((line.at, line.at));
                survey.span = Some((first.min(line.at), last.max(line.at)));
            }
            Err(row) => {
                count += 1;
                if wrong.len() < WRONG_ROWS_TOLD {
                    wrong.push(row);
                }
            }
        }
    }
    if count > 0 {
        return Err(ExportError::Rows { rows: wrong, count });
    }
    survey.sha256 = export.digest();
    Ok(survey)
}

/// An export that is being read.
pub struct Export<R: Read> {
    csv: csv::Reader<Source<R>>,
    columns: Columns,
    record: StringRecord,
    rows: u64,
    limits: Limits,
    /// How far the parser is ahead of the line that it has read.
    ahead: u64,
}

impl<R: Read> Export<R> {
    /// Reads the header.
    ///
    /// # Errors
    /// When it cannot be read, or is of no export that is known.
    pub fn open(reader: R, limits: &Limits) -> Result<Self, ExportError> {
        let source = Source::open(reader, limits)?;
        let delimiter = source.delimiter();
        let ahead = if source.ends_lines_twice() { 0 } else { 1 };
        let mut csv = csv::ReaderBuilder::new()
            .delimiter(delimiter)
            .flexible(true)
            .trim(csv::Trim::All)
            .from_reader(source);
        let headers = match csv.byte_headers() {
            Ok(headers) => headers.iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect(),
            Err(error) => return Err(unreadable(error, limits)),
        };
        let columns = Columns::of(headers)?;
        csv.get_ref().row_ended();
        Ok(Self { csv, columns, record: StringRecord::new(), rows: 0, limits: limits.clone(), ahead })
    }

    /// Which export it is.
    #[must_use]
    pub fn kind(&self) -> StatementKind {
        self.columns.kind
    }

    /// The next row, or what is wrong with it; `None` at the end.
    ///
    /// # Errors
    /// When the file cannot be read on.
    pub fn next_row(&mut self) -> Result<Option<Result<StatementLine, WrongRow>>, ExportError> {
        let more = match self.csv.read_record(&mut self.record) {
            Ok(more) => more,
            Err(error) if matches!(error.kind(), csv::ErrorKind::Utf8 { .. }) => {
                self.count()?;
                return Ok(Some(Err(WrongRow {
                    line: self.number(),
                    why: "is no text in UTF-8".to_owned(),
                })));
            }
            Err(error) => return Err(unreadable(error, &self.limits)),
        };
        if !more {
            return Ok(None);
        }
        self.count()?;
        let line = self.number();
        Ok(Some(self.line(line).map_err(|why| WrongRow { line, why })))
    }

    fn count(&mut self) -> Result<(), ExportError> {
        self.csv.get_ref().row_ended();
        self.rows += 1;
        if self.rows > self.limits.rows { Err(ExportError::TooManyRows(self.limits.rows)) } else { Ok(()) }
    }

    /// The line in which the row that was read ends.
    fn number(&self) -> u64 {
        self.csv.position().line().saturating_sub(self.ahead)
    }

    /// The SHA-256 of all that was read.
    fn digest(self) -> String {
        self.csv.into_inner().digest()
    }

    fn line(&self, row: u64) -> Result<StatementLine, String> {
        let row_of = columns::Row { columns: &self.columns, record: &self.record };
        let kind = self.kind();
        let type_word = row_of.text(columns::TYPE, 64)?.unwrap_or_default();
        let amount = row_of.amount()?;
        let entry = match kind {
            StatementKind::Transactions => Entry::Payment,
            StatementKind::Payout if type_word.is_empty() && amount < Flow::ZERO => Entry::Refund,
            StatementKind::Payout if type_word.is_empty() => Entry::Payment,
            StatementKind::Balance | StatementKind::Payout => Entry::of_type(&type_word),
        };
        Ok(StatementLine {
            row,
            kind,
            order_id: row_of.text(columns::ORDER_ID, 255)?,
            transaction_id: row_of.text(columns::TRANSACTION_ID, 255)?,
            entry,
            type_word,
            channel: row_of.text(columns::CHANNEL, 64)?.unwrap_or_default(),
            status: row_of.text(columns::STATUS, 64)?.unwrap_or_default(),
            // Some write what goes out without a minus.
            amount: if entry.takes_back() { amount.outward() } else { amount },
            fee: row_of.charge(columns::FEE)?,
            vat: row_of.charge(columns::VAT)?,
            net: row_of.net(entry)?,
            at: row_of.time()?,
            settled_at: row_of.settled_at()?,
            reference: row_of.text(columns::REFERENCE, 255)?,
        })
    }
}

fn unreadable(error: csv::Error, limits: &Limits) -> ExportError {
    let line = error.position().map_or(1, csv::Position::line);
    match error.into_kind() {
        csv::ErrorKind::Io(error) => source::reason(error, line, limits),
        other => ExportError::Unreadable(std::io::Error::other(format!("{other:?}"))),
    }
}

/// The SHA-256 of what passed by, in hexadecimal digits.
fn hex_of(digest: Sha256) -> String {
    hex::encode(digest.finalize())
}

#[cfg(test)]
mod tests;
