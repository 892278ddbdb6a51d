//! Importing the gateway's statements and comparing them with our books: for the command line, and for whoever else has a
//! file at hand.

mod report;

use std::io::{Read, Seek};

use chrono::TimeDelta;
use domain::{FindingKind, Match, PaymentId, StatementLine, Time, three_way};
use midtrans::export::{Export, ExportError, Limits, Survey, survey};
use queue::{Job as _, Reason, SyncPayment};
use store::audit::By;
use store::comparing::{Compared, Stranger};
use store::findings::NewFinding;
use store::statements::{Import, NewStatement, Opened};
use store::{Db, StoreError};
use tokio::sync::mpsc;

pub use report::{Counts, Difference, FileReport, Report};

/// So many lines are handed from the reader to the database at once.
const LINES_AT_ONCE: usize = 500;
/// So many payments are compared at once.
const PAGE: i64 = 500;
/// Payments that were made so long before the first line of the files are compared too: an account number may be good for
/// weeks, and a payout follows the payment.
const WINDOW_DAYS: i64 = 100;

/// A file to be imported.
#[derive(Debug)]
pub struct Upload<R> {
    /// What it is called, for people.
    pub name: String,
    /// Its bytes, which are read twice.
    pub reader: R,
}

/// How to import.
#[derive(Clone)]
pub struct Options<'a> {
    /// A payment is in a payout so many working days after it was paid.
    pub payout_days: u32,
    /// Whether nothing is to be written.
    pub dry_run: bool,
    /// How much is read of a file.
    pub limits: Limits,
    /// Hears how many rows, and then how many payments, are done.
    pub progress: &'a (dyn Fn(&str, u64) + Sync),
}

/// Why nothing was imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// A file is no export that can be read.
    #[error("{name}: {cause}")]
    File {
        /// The file.
        name: String,
        /// What is wrong with it.
        cause: ExportError,
    },
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A file that was looked through.
struct Checked<R> {
    upload: Upload<R>,
    survey: Survey,
}

/// Imports the files and compares: all in one transaction, or nothing. Files that were imported before add nothing, and are
/// compared again.
///
/// # Errors
/// When a file cannot be read, or the database fails; then nothing is written.
pub async fn import<R: Read + Seek + Send + 'static>(
    db: &Db,
    uploads: Vec<Upload<R>>,
    options: &Options<'_>,
    by: &By<'_>,
) -> Result<Report, ImportError> {
    let mut files = Vec::with_capacity(uploads.len());
    for upload in uploads {
        files.push(check(upload, options.limits.clone()).await?);
    }
    let mut import = Import::begin(db, by.now).await?;
    let before = import.sums().await?;
    let mut report = Report { dry_run: options.dry_run, ..Report::default() };
    let mut from = None;
    for file in files {
        let first = file.survey.span.map(|(first, _)| first);
        from = from.into_iter().chain(first).min();
        report.files.push(add(&mut import, file, options, by).await?);
    }
    if let Some(from) = from {
        compare(&mut import, from - TimeDelta::days(WINDOW_DAYS), options, &mut report).await?;
    }
    report.booked = import.sums().await?;
    report.posted = report::less(report.booked, before);
    if !options.dry_run {
        import.commit().await?;
    }
    Ok(report)
}

/// Reads a file once, so that a wrong one is told before anything is written.
async fn check<R: Read + Seek + Send + 'static>(
    mut upload: Upload<R>,
    limits: Limits,
) -> Result<Checked<R>, ImportError> {
    let name = upload.name.clone();
    let task = tokio::task::spawn_blocking(move || {
        upload.reader.rewind()?;
        let survey = survey(&mut upload.reader, &limits)?;
        upload.reader.rewind()?;
        Ok(Checked { upload, survey })
    });
    task.await.unwrap_or_else(|error| Err(broken(error))).map_err(|cause| ImportError::File { name, cause })
}

fn broken(error: tokio::task::JoinError) -> ExportError {
    ExportError::Unreadable(std::io::Error::other(error))
}

async fn add<R: Read + Send + 'static>(
    import: &mut Import,
    file: Checked<R>,
    options: &Options<'_>,
    by: &By<'_>,
) -> Result<FileReport, ImportError> {
    let Checked { upload: Upload { name, reader }, survey } = file;
    let new = NewStatement {
        sha256: &survey.sha256,
        name: &name,
        kind: survey.kind,
        rows: survey.rows,
        span: survey.span,
    };
    let mut told = FileReport { name: name.clone(), kind: survey.kind, rows: survey.rows, new: 0 };
    let Some(mut opened) = import.open(&new, by).await? else { return Ok(told) };
    add_lines(import, &mut opened, (&name, reader, by.now), options).await?;
    (told.new, _) = import.close(opened, &new, by).await?;
    Ok(told)
}

/// Reads in a thread of its own, never far ahead of the database.
async fn add_lines<R: Read + Send + 'static>(
    import: &mut Import,
    opened: &mut Opened,
    (name, reader, now): (&str, R, Time),
    options: &Options<'_>,
) -> Result<(), ImportError> {
    let (sender, mut batches) = mpsc::channel(2);
    let limits = options.limits.clone();
    let reading = tokio::task::spawn_blocking(move || read(reader, &limits, &sender));
    let ask = |payment_id: PaymentId| SyncPayment { payment_id, reason: Reason::Operator }.new_job(now);
    let mut done = 0;
    while let Some(batch) = batches.recv().await {
        import.add(opened, &batch, &ask).await?;
        done += u64::try_from(batch.len()).unwrap_or_default();
        (options.progress)(name, done);
    }
    let file = |cause| ImportError::File { name: name.to_owned(), cause };
    reading.await.unwrap_or_else(|error| Err(broken(error))).map_err(file)
}

fn read(
    reader: impl Read,
    limits: &Limits,
    sender: &mpsc::Sender<Vec<StatementLine>>,
) -> Result<(), ExportError> {
    let mut export = Export::open(reader, limits)?;
    let mut batch = Vec::with_capacity(LINES_AT_ONCE);
    while let Some(row) = export.next_row()? {
        // The file was looked through before; what is wrong now was changed meanwhile.
        batch.push(row.map_err(|row| ExportError::Rows { rows: vec![row], count: 1 })?);
        if batch.len() == LINES_AT_ONCE && sender.blocking_send(std::mem::take(&mut batch)).is_err() {
            return Ok(());
        }
    }
    // Nobody listens any more when the database has failed, which is told there.
    let _heard = sender.blocking_send(batch);
    Ok(())
}

async fn compare(
    import: &mut Import,
    from: Time,
    options: &Options<'_>,
    report: &mut Report,
) -> Result<(), StoreError> {
    let known = import.known(options.payout_days).await?;
    let (mut after, mut done) = (PaymentId(0), 0);
    loop {
        let page = import.payments((after, PAGE), from).await?;
        let Some(last) = page.last() else { break };
        after = last.id;
        let mut differences = Vec::new();
        for payment in &page {
            let Some(verdict) = three_way(&payment.books, &payment.told, &known) else { continue };
            report.counts.count(verdict.outcome);
            if verdict.outcome.is_difference() {
                differences.push((payment, Difference::of(payment.invoice.as_str(), verdict)));
            }
        }
        let findings: Vec<_> = differences.iter().map(|(payment, one)| finding(payment, one)).collect();
        import.tell(&findings).await?;
        report.differences.extend(differences.into_iter().map(|(_, difference)| difference));
        done += u64::try_from(page.len()).unwrap_or_default();
        (options.progress)("payments", done);
    }
    strangers(import, from, report).await
}

fn finding<'a>(payment: &Compared, difference: &'a Difference) -> NewFinding<'a> {
    let kind = match difference.outcome {
        Match::Over | Match::Under => FindingKind::AmountMismatch,
        Match::Missing { .. } => FindingKind::MissingPayout,
        Match::Manual | Match::Matched | Match::Reversed => FindingKind::StatusConflict,
    };
    let cause = format!(
        "{}:{}:statement:{}:{}",
        kind.as_str(),
        payment.invoice,
        difference.outcome.as_str(),
        difference.point
    );
    NewFinding { kind, cause, payment_id: Some(payment.id), detail: &difference.why }
}

/// What the statements say of orders that are not ours.
async fn strangers(import: &mut Import, from: Time, report: &mut Report) -> Result<(), StoreError> {
    let mut after = 0;
    loop {
        let page = import.strangers((after, PAGE), from).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.first_id;
        let differences: Vec<_> = page.iter().map(Difference::of_stranger).collect();
        // Such a finding has no payment that would name the order.
        let details: Vec<_> = differences.iter().map(|one| format!("{}: {}", one.order, one.why)).collect();
        let findings: Vec<_> = page.iter().zip(&details).map(|(one, detail)| unknown(one, detail)).collect();
        import.tell(&findings).await?;
        differences.iter().for_each(|difference| report.counts.count(difference.outcome));
        report.differences.extend(differences);
    }
}

/// A notification about the same order is the same finding.
fn unknown<'a>(stranger: &Stranger, detail: &'a str) -> NewFinding<'a> {
    let kind = FindingKind::UnknownOrder;
    let line = if stranger.is_order { "" } else { "line:" };
    let cause = format!("{}:{line}{}", kind.as_str(), stranger.name);
    NewFinding { kind, cause, payment_id: None, detail }
}
