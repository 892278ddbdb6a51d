//! The monthly rent: a bill for each stay in a month, once, however often it is asked for.

use chrono::NaiveDate;
use domain::{Period, RoomId, Rupiah, Stay, Terms, Time, UserId, end_of_day};

use crate::time::millis;
use crate::{Db, StoreError, Tx, in_tx};

/// A month that is to be billed, as far as one transaction goes.
#[derive(Debug, Clone, Copy)]
pub struct Batch {
    /// The month.
    pub period: Period,
    /// The terms of the house.
    pub terms: Terms,
    /// The last tenancy of the batch before; 0 at first.
    pub after: i64,
    /// At most so many tenancies.
    pub limit: i64,
}

/// What a batch came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Billed {
    /// So many bills are new.
    pub bills: usize,
    /// Where the next batch begins; `None` when the month is done.
    pub next: Option<i64>,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    tenant_id: i64,
    room_id: i64,
    start_date: String,
    end_date: Option<String>,
    price: i64,
}

/// The tenancy of a tenant in a room.
pub(crate) struct Tenancy {
    pub(crate) tenant_id: UserId,
    pub(crate) room_id: RoomId,
    pub(crate) stay: Stay,
}

impl TryFrom<&Row> for Tenancy {
    type Error = StoreError;

    fn try_from(row: &Row) -> Result<Self, StoreError> {
        let corrupt = StoreError::corrupt("tenancies", row.id);
        let price = Rupiah::try_from(row.price).map_err(&corrupt)?;
        let stay = Stay {
            from: date(row.id, &row.start_date)?,
            until: row.end_date.as_deref().map(|text| date(row.id, text)).transpose()?,
            price,
        };
        Ok(Self { tenant_id: UserId(row.tenant_id), room_id: RoomId(row.room_id), stay })
    }
}

/// The day that a tenancy's row names.
pub(crate) fn date(id: i64, text: &str) -> Result<NaiveDate, StoreError> {
    text.parse().map_err(|_| StoreError::Corrupt {
        table: "tenancies",
        id,
        cause: domain::Invalid { what: "date", why: "is not of the form 2026-11-24", value: text.to_owned() },
    })
}

/// Writes down the bills of a month that are missing. Months before a tenant was entered are not billed: a house that
/// moves to Kasir brings its tenants with old start dates, and no new debts. A month that was billed, also one whose bill was made void since,
/// stays as it is: the unique index of the bills says so.
///
/// # Errors
/// When the database does.
pub async fn bill(db: &Db, batch: &Batch, now: Time) -> Result<Billed, StoreError> {
    // An end before its start is a stay that never came to be.
    const SQL: &str = "
        SELECT tenancies.id, tenant_id, room_id, start_date, end_date, price
        FROM tenancies JOIN rooms ON rooms.id = tenancies.room_id JOIN users ON users.id = tenancies.tenant_id
        WHERE tenancies.id > $1 AND users.created_at <= $7 AND start_date <= $2
            AND (end_date IS NULL OR (end_date >= $3 AND end_date >= start_date))
            AND NOT EXISTS (SELECT 1 FROM bills WHERE bills.tenant_id = tenancies.tenant_id
                            AND year = $4 AND month = $5 AND kind = 'rent')
        ORDER BY tenancies.id LIMIT $6";
    let Batch { period, terms, after, limit } = batch;
    let mut tx = Tx::begin(db).await?;
    let rows: Vec<Row> = in_tx!(&mut tx, conn => sqlx::query_as(SQL)
        .bind(after)
        .bind(period.last_day().to_string())
        .bind(period.first_day().to_string())
        .bind(i64::from(period.year()))
        .bind(i64::from(period.month()))
        .bind(limit)
        .bind(millis(end_of_day(period.last_day())))
        .fetch_all(conn)
        .await?);
    let mut bills = 0;
    for row in &rows {
        bills += usize::from(bill_in(&mut tx, &row.try_into()?, (*period, *terms), now).await?);
    }
    tx.commit().await?;
    let is_full = i64::try_from(rows.len()).is_ok_and(|rows| rows == *limit);
    Ok(Billed { bills, next: rows.last().filter(|_| is_full).map(|row| row.id) })
}

/// Bills one tenancy for one month. False when nothing is owed, or the month was billed.
pub(crate) async fn bill_in(
    tx: &mut Tx,
    tenancy: &Tenancy,
    (period, terms): (Period, Terms),
    now: Time,
) -> Result<bool, StoreError> {
    const SQL: &str = "
        INSERT INTO bills (tenant_id, room_id, year, month, amount, due_at, created_at, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $7) ON CONFLICT DO NOTHING";
    let Some(rent) = terms.rent(&tenancy.stay, period) else { return Ok(false) };
    let rows = in_tx!(tx, conn => sqlx::query(SQL)
        .bind(tenancy.tenant_id.0)
        .bind(tenancy.room_id.0)
        .bind(i64::from(period.year()))
        .bind(i64::from(period.month()))
        .bind(rent.amount.get())
        .bind(millis(rent.due_at))
        .bind(millis(now))
        .execute(conn)
        .await?
        .rows_affected());
    Ok(rows == 1)
}
