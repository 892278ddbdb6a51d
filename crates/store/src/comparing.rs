//! What the three-way match of an import reads, and what it writes down.

use domain::{
    Books, Coverage, Flow, Invoice, Known, Method, PaymentId, Rupiah, State, StatementKind, Time, Told,
};

use crate::findings::{self, NewFinding};
use crate::statement_lines;
use crate::statements::Import;
use crate::time::{from_millis, millis, opt_from_millis};
use crate::{StoreError, in_tx};

/// A payment with all that the statements say of it.
#[derive(Debug, Clone)]
pub struct Compared {
    /// Its row.
    pub id: PaymentId,
    /// Its number.
    pub invoice: Invoice,
    /// What our books hold.
    pub books: Books,
    /// What the statements say; the one that reaches furthest comes last.
    pub told: Vec<Told>,
}

/// An order of the statements that is not ours, or a line that names none.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Stranger {
    /// The order; of a line without one, the line's key.
    pub name: String,
    /// True for an order.
    pub is_order: bool,
    /// How many lines there are.
    pub lines: i64,
    /// The largest amount among them.
    pub amount: i64,
    /// The row of the first.
    pub first_id: i64,
}

impl Stranger {
    /// The largest amount among its lines.
    #[must_use]
    pub fn amount(&self) -> Flow {
        Flow::try_from(self.amount).unwrap_or_default()
    }
}

/// What the journal holds of the gateway's statements, in whole rupiah.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sums {
    /// Fees.
    pub fees: i64,
    /// Tax on fees.
    pub vat: i64,
    /// What was paid out, less what was taken back.
    pub payouts: i64,
}

#[derive(sqlx::FromRow)]
struct PaymentRow {
    id: i64,
    invoice: String,
    method: String,
    amount: i64,
    state: String,
    failure: Option<String>,
    refunded: i64,
    asked_at: i64,
    paid_at: Option<i64>,
    updated_at: i64,
}

impl TryFrom<PaymentRow> for Compared {
    type Error = StoreError;

    fn try_from(row: PaymentRow) -> Result<Self, StoreError> {
        let corrupt = StoreError::corrupt("payments", row.id);
        let refunded = Rupiah::try_from(row.refunded).map_err(&corrupt)?;
        let books = Books {
            amount: Rupiah::try_from(row.amount).map_err(&corrupt)?,
            state: State::from_parts(&row.state, row.failure.as_deref(), refunded).map_err(&corrupt)?,
            method: Method::try_from(row.method.as_str()).map_err(&corrupt)?,
            refunded,
            asked_at: from_millis(row.asked_at),
            paid_at: opt_from_millis(row.paid_at),
            changed_at: from_millis(row.updated_at),
        };
        let invoice = Invoice::try_from(row.invoice).map_err(&corrupt)?;
        Ok(Self { id: PaymentId(row.id), invoice, books, told: Vec::new() })
    }
}

impl Import {
    /// What time the statements cover, those of this import among them.
    ///
    /// # Errors
    /// When the database does.
    pub async fn known(&mut self, payout_days: u32) -> Result<Known, StoreError> {
        const SQL: &str = "SELECT kind, first_at, last_at FROM statements WHERE rows > 0 ORDER BY id";
        let files: Vec<(String, i64, i64)> =
            in_tx!(&mut self.tx, conn => sqlx::query_as(SQL).fetch_all(conn).await?);
        let of = |kind: StatementKind| {
            let files = files.iter().filter(|(word, ..)| word == kind.as_str());
            Coverage::of(files.map(|(_, first, last)| (from_millis(*first), from_millis(*last))))
        };
        Ok(Known {
            transactions: of(StatementKind::Transactions),
            balance: of(StatementKind::Balance),
            payouts: of(StatementKind::Payout),
            payout_days,
        })
    }

    /// The payments that were made since `from`, or of which a statement says something since then, sorted by row: at most
    /// `limit` above `after`. Cash is not among them.
    ///
    /// # Errors
    /// When the database does.
    pub async fn payments(
        &mut self,
        (after, limit): (PaymentId, i64),
        from: Time,
    ) -> Result<Vec<Compared>, StoreError> {
        const SQL: &str = "
            SELECT id, invoice, method, amount, state, failure, refunded, COALESCE(asked_at, created_at) AS asked_at,
                   paid_at, updated_at
            FROM payments
            WHERE id > $1 AND method <> 'cash'
              AND (created_at >= $2 OR EXISTS (
                   SELECT 1 FROM statement_lines WHERE payment_id = payments.id AND at >= $2))
            ORDER BY id LIMIT $3";
        let rows: Vec<PaymentRow> = in_tx!(&mut self.tx, conn => sqlx::query_as(SQL)
            .bind(after.0).bind(millis(from)).bind(limit).fetch_all(conn).await?);
        let mut payments: Vec<Compared> =
            rows.into_iter().map(Compared::try_from).collect::<Result<_, _>>()?;
        for (id, told) in self.told(&payments).await? {
            if let Ok(place) = payments.binary_search_by_key(&id, |payment| payment.id)
                && let Some(payment) = payments.get_mut(place)
            {
                payment.told.push(told);
            }
        }
        Ok(payments)
    }

    /// Between the payments of a page there may be many more that nobody asks about.
    async fn told(&mut self, of: &[Compared]) -> Result<Vec<(PaymentId, Told)>, StoreError> {
        const SQL: &str = statement_lines::select!("WHERE l.payment_id IN (");
        const ORDER: &str = ") ORDER BY COALESCE(s.last_at, 0), s.id, l.id";
        if of.is_empty() {
            return Ok(Vec::new());
        }
        let rows: Vec<statement_lines::Row> = in_tx!(&mut self.tx, conn => {
            let mut select = sqlx::QueryBuilder::new(SQL);
            let mut ids = select.separated(", ");
            for payment in of {
                ids.push_bind(payment.id.0);
            }
            select.push(ORDER);
            select.build_query_as().fetch_all(conn).await?
        });
        let named =
            |row: statement_lines::Row| Ok((PaymentId(row.payment_id.unwrap_or_default()), row.told()?));
        rows.into_iter().map(named).collect()
    }

    /// Orders that are not ours of which a statement says something since `from`, and lines without an order that are no
    /// withdrawal: at most `limit` of those whose first row is above `after`.
    ///
    /// # Errors
    /// When the database does.
    pub async fn strangers(
        &mut self,
        (after, limit): (i64, i64),
        from: Time,
    ) -> Result<Vec<Stranger>, StoreError> {
        const SQL: &str = "
            SELECT COALESCE(order_id, line_key) AS name, order_id IS NOT NULL AS is_order, count(*) AS lines,
                   max(amount) AS amount, min(id) AS first_id
            FROM statement_lines
            WHERE payment_id IS NULL AND at >= $2 AND (order_id IS NOT NULL OR entry <> 'withdrawal')
            GROUP BY COALESCE(order_id, line_key), order_id IS NOT NULL
            HAVING min(id) > $1 ORDER BY min(id) LIMIT $3";
        Ok(in_tx!(&mut self.tx, conn => sqlx::query_as(SQL)
            .bind(after).bind(millis(from)).bind(limit).fetch_all(conn).await?))
    }

    /// Writes findings down; the same cause is found once.
    ///
    /// # Errors
    /// When the database does.
    pub async fn tell(&mut self, new: &[NewFinding<'_>]) -> Result<(), StoreError> {
        for finding in new {
            findings::open_in(&mut self.tx, finding, self.now).await?;
        }
        Ok(())
    }

    /// What the journal holds of fees, tax and payouts.
    ///
    /// # Errors
    /// When the database does.
    pub async fn sums(&mut self) -> Result<Sums, StoreError> {
        const SQL: &str = "
            SELECT kind, CAST(sum(CASE WHEN credit = 'gateway' THEN amount ELSE -amount END) AS BIGINT)
            FROM postings WHERE kind IN ('fee', 'vat', 'payout') GROUP BY kind";
        let sums: Vec<(String, i64)> =
            in_tx!(&mut self.tx, conn => sqlx::query_as(SQL).fetch_all(conn).await?);
        let of = |kind: &str| sums.iter().find(|(word, _)| word == kind).map_or(0, |(_, sum)| *sum);
        Ok(Sums { fees: of("fee"), vat: of("vat"), payouts: of("payout") })
    }
}
