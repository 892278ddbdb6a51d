//! The books, read by a connection of our own, and compared with the simulator's own world.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use midtrans_sim::{Status, TransactionView};
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow};
use sqlx::{Connection as _, FromRow};

use crate::load::Seen;
use crate::tenants::PRICE;

/// A connection to the books that only reads.
pub(crate) enum Books {
    Postgres(PgConnection),
    Sqlite(SqliteConnection),
}

/// A payment and its bill.
#[derive(Debug, Clone, FromRow)]
struct Entry {
    invoice: String,
    bill_id: i64,
    state: String,
    amount: i64,
    transaction_id: Option<String>,
    bill_status: String,
}

const ENTRIES: &str = "
    SELECT p.invoice, p.bill_id, p.state, p.amount, p.transaction_id, b.status AS bill_status
    FROM payments p JOIN bills b ON b.id = p.bill_id ORDER BY p.id";

/// An attempt whose worker stopped: when it began, when it was taken back, and when the job ran again.
#[derive(Debug, Clone, Copy, FromRow)]
pub(crate) struct Orphan {
    pub(crate) began: i64,
    pub(crate) taken_back: i64,
    pub(crate) again: Option<i64>,
}

const ORPHANS: &str = "
    SELECT a.started_at AS began, a.finished_at AS taken_back,
           COALESCE((SELECT min(n.started_at) FROM job_attempts n
                     WHERE n.job_id = a.job_id AND n.started_at >= a.finished_at),
                    CASE WHEN j.started_at >= a.finished_at THEN j.started_at END) AS again
    FROM job_attempts a JOIN jobs j ON j.id = a.job_id
    WHERE a.outcome = 'lost'";

const OPEN_JOBS: &str = "SELECT count(*) FROM jobs WHERE state IN ('ready', 'running')";
const DEAD_JOBS: &str = "SELECT count(*) FROM jobs WHERE state = 'dead'";

/// When each payment became paid in the books.
const PAID: &str = "
    SELECT p.invoice, h.at FROM payment_history h JOIN payments p ON p.id = h.payment_id
    WHERE h.to_state = 'paid' AND h.from_state <> 'paid'";

/// What the comparison came to.
#[derive(Debug, Default)]
pub(crate) struct Compared {
    pub(crate) payments: usize,
    pub(crate) charges: usize,
    pub(crate) open_jobs: i64,
    pub(crate) dead_jobs: i64,
    pub(crate) doubled: Vec<String>,
    pub(crate) lost: Vec<String>,
    pub(crate) wrong: Vec<String>,
}

impl Compared {
    pub(crate) fn is_good(&self) -> bool {
        self.doubled.is_empty() && self.lost.is_empty() && self.wrong.is_empty()
    }
}

impl Books {
    pub(crate) async fn of_server(url: &str) -> sqlx::Result<Self> {
        Ok(Self::Postgres(PgConnection::connect(url).await?))
    }

    pub(crate) async fn of_file(file: &Path) -> sqlx::Result<Self> {
        let options = SqliteConnectOptions::new().filename(file).read_only(true);
        Ok(Self::Sqlite(SqliteConnection::connect_with(&options).await?))
    }

    async fn rows<T>(&mut self, sql: &'static str) -> sqlx::Result<Vec<T>>
    where
        T: for<'r> FromRow<'r, PgRow> + for<'r> FromRow<'r, SqliteRow> + Send + Unpin,
    {
        match self {
            Self::Postgres(connection) => sqlx::query_as(sql).fetch_all(connection).await,
            Self::Sqlite(connection) => sqlx::query_as(sql).fetch_all(connection).await,
        }
    }

    async fn count(&mut self, sql: &'static str) -> sqlx::Result<i64> {
        let rows: Vec<(i64,)> = self.rows(sql).await?;
        Ok(rows[0].0)
    }

    /// The jobs whose workers stopped.
    pub(crate) async fn orphans(&mut self) -> sqlx::Result<Vec<Orphan>> {
        self.rows(ORPHANS).await
    }

    /// When each invoice became paid, in milliseconds.
    pub(crate) async fn paid_at(&mut self) -> sqlx::Result<BTreeMap<String, i64>> {
        Ok(self.rows::<(String, i64)>(PAID).await?.into_iter().collect())
    }

    /// The invoices of all payments.
    pub(crate) async fn invoices(&mut self) -> sqlx::Result<BTreeSet<String>> {
        Ok(self
            .rows::<(String,)>("SELECT invoice FROM payments")
            .await?
            .into_iter()
            .map(|row| row.0)
            .collect())
    }

    /// What SQLite says about the file.
    pub(crate) async fn integrity(&mut self) -> sqlx::Result<String> {
        Ok(self.rows::<(String,)>("PRAGMA integrity_check").await?.remove(0).0)
    }

    /// Compares what tenants were told, what the gateway has, and what stands here.
    pub(crate) async fn compare(
        &mut self,
        seen: &Seen,
        theirs: &[TransactionView],
    ) -> sqlx::Result<Compared> {
        let entries: Vec<Entry> = self.rows(ENTRIES).await?;
        let mut compared = Compared {
            payments: entries.len(),
            charges: theirs.len(),
            open_jobs: self.count(OPEN_JOBS).await?,
            dead_jobs: self.count(DEAD_JOBS).await?,
            ..Compared::default()
        };
        let ours: BTreeMap<&str, &Entry> = entries.iter().map(|one| (one.invoice.as_str(), one)).collect();
        compared.count_doubled(&ours, theirs);
        compared.look_for_what_was_told(seen, &ours, theirs);
        for transaction in theirs {
            compared.look_at(transaction, ours.get(transaction.order_id.as_str()).copied());
        }
        let known: BTreeSet<&str> = theirs.iter().map(|one| one.order_id.as_str()).collect();
        for entry in entries.iter().filter(|entry| !known.contains(entry.invoice.as_str())) {
            compared
                .wrong
                .push(format!("{} is {}, and the gateway knows nothing of it", entry.invoice, entry.state));
        }
        Ok(compared)
    }
}

impl Compared {
    /// One bill, one payment, one transaction: nobody changed their mind, and nothing failed for good.
    fn count_doubled(&mut self, ours: &BTreeMap<&str, &Entry>, theirs: &[TransactionView]) {
        let mut of_bill: BTreeMap<i64, Vec<&str>> = BTreeMap::new();
        for transaction in theirs {
            if let Some(entry) = ours.get(transaction.order_id.as_str()) {
                of_bill.entry(entry.bill_id).or_default().push(&transaction.transaction_id);
            }
        }
        for (bill, transactions) in of_bill.iter().filter(|(_, transactions)| transactions.len() > 1) {
            self.doubled
                .push(format!("bill {bill} has {} transactions: {transactions:?}", transactions.len()));
        }
    }

    fn look_for_what_was_told(
        &mut self,
        seen: &Seen,
        ours: &BTreeMap<&str, &Entry>,
        theirs: &[TransactionView],
    ) {
        let known: BTreeSet<&str> = theirs.iter().map(|one| one.order_id.as_str()).collect();
        for told in seen.told.lock().unwrap().iter() {
            let invoice = told.invoice.as_str();
            if !ours.contains_key(invoice) {
                self.lost.push(format!("{invoice} was accepted and is not in the books"));
            } else if !known.contains(invoice) {
                self.lost.push(format!("{invoice} was accepted and never charged"));
            }
        }
        self.lost.extend(seen.gave_up.lock().unwrap().iter().cloned());
    }

    fn look_at(&mut self, theirs: &TransactionView, ours: Option<&Entry>) {
        let invoice = &theirs.order_id;
        let Some(ours) = ours else {
            self.lost.push(format!("{invoice} is at the gateway and not in the books"));
            return;
        };
        let wanted = match theirs.status {
            Status::Pending => ("pending", "pending"),
            Status::Settlement => ("paid", "paid"),
            _ => ("failed", "unpaid"),
        };
        let has = (ours.state.as_str(), ours.bill_status.as_str());
        if theirs.status == Status::Settlement && has != wanted {
            self.lost
                .push(format!("{invoice} was paid at the gateway; here it is {}, its bill {}", has.0, has.1));
        } else if has != wanted {
            self.wrong.push(format!(
                "{invoice} is {}, its bill {}; the gateway says {:?}",
                has.0, has.1, theirs.status
            ));
        }
        if ours.transaction_id.as_ref() != Some(&theirs.transaction_id) {
            self.wrong.push(format!("{invoice} has another transaction than the gateway"));
        }
        if (ours.amount, theirs.amount) != (PRICE, PRICE) {
            self.wrong.push(format!("{invoice} is about {} here and {} there", ours.amount, theirs.amount));
        }
    }
}
