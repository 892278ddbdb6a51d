//! Rows that were read before: they are told again only when somebody has written to them since (ADR 28).

use domain::{Invoice, Payment, UserId};
use sqlx::postgres::PgRow;
use sqlx::{FromRow, Row as _};

use crate::bills::{self, Bill};
use crate::lookups::rows;
use crate::together::Batch;
use crate::tx::{column, on_server};
use crate::{Db, StoreError, payments, read};

/// Says in what state rows are: whatever is written to one of them changes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp(pub i64);

/// Rows, as against those that are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Since<T> {
    /// Nobody wrote to them.
    Unchanged,
    /// What they are now, with their stamp; SQLite gives none.
    Read(T, Option<Stamp>),
}

/// A page of a tenant's bills, newest month first. Their stamp is one of all that are not void.
///
/// # Errors
/// When the database does.
pub async fn bills_of_tenant(
    db: &Db,
    tenant: UserId,
    limit: i64,
    known: Option<Stamp>,
) -> Result<Since<Vec<Bill>>, StoreError> {
    const SQL: &str = bills::select!(
        "WHERE tenant_id = $1 AND voided_at IS NULL ORDER BY year DESC, month DESC, id DESC LIMIT $2"
    );
    let (rows, stamp): (Vec<bills::Row>, _) = match db.shared() {
        Some(turns) => {
            let Seen { rows, stamp } = turns.bills.ask(db, (tenant.0, limit, known)).await?;
            if known == Some(stamp) {
                return Ok(Since::Unchanged);
            }
            (rows, Some(stamp))
        }
        None => {
            (read!(db, pool => sqlx::query_as(SQL).bind(tenant.0).bind(limit).fetch_all(pool).await?), None)
        }
    };
    let bills: Result<Vec<Bill>, StoreError> = rows.into_iter().map(Bill::try_from).collect();
    Ok(Since::Read(bills?, stamp))
}

/// The payment of this invoice.
///
/// # Errors
/// When the database does.
pub async fn payment_of_invoice(
    db: &Db,
    invoice: &Invoice,
    known: Option<Stamp>,
) -> Result<Option<Since<Payment>>, StoreError> {
    let Some(turns) = db.shared() else {
        let payment = payments::find_by_invoice(db, invoice).await?;
        return Ok(payment.map(|payment| Since::Read(payment, None)));
    };
    let Some(Seen { mut rows, stamp }) = turns.seen.ask(db, (invoice.as_str().to_owned(), known)).await?
    else {
        return Ok(None);
    };
    let Some(row) = rows.pop() else { return Ok(Some(Since::Unchanged)) };
    Ok(Some(Since::Read(row.open(db.keys())?, Some(stamp))))
}

/// The rows that were asked for, unless they have the stamp that is known.
#[derive(Debug)]
pub(crate) struct Seen<R> {
    rows: Vec<R>,
    stamp: Stamp,
}

/// One of the rows of a wish, or that there are none to be told; behind its columns the place of the wish and the stamp.
struct Told<R> {
    row: Option<R>,
    place: i64,
    stamp: i64,
}

impl<'r, R: FromRow<'r, PgRow>> FromRow<'r, PgRow> for Told<R> {
    fn from_row(row: &'r PgRow) -> sqlx::Result<Self> {
        let is_there = row.try_get::<Option<i64>, _>(0)?.is_some();
        let columns = row.len();
        Ok(Self {
            row: if is_there { Some(R::from_row(row)?) } else { None },
            place: row.try_get(columns - 2)?,
            stamp: row.try_get(columns - 1)?,
        })
    }
}

/// What each wish sees, in their order.
fn seen<R>(wishes: usize, told: Vec<Told<R>>) -> Vec<Option<Seen<R>>> {
    let mut answers: Vec<Option<Seen<R>>> = Vec::new();
    answers.resize_with(wishes, || None);
    for Told { row, place, stamp } in told {
        let Some(answer) = usize::try_from(place - 1).ok().and_then(|place| answers.get_mut(place)) else {
            continue;
        };
        answer.get_or_insert_with(|| Seen { rows: Vec::new(), stamp: Stamp(stamp) }).rows.extend(row);
    }
    answers
}

/// A hash of a version of a row: of its id, and of the number of the transaction that wrote it. `xid` becomes a number only by
/// way of text or of its age, which grows while nobody writes; the age of another makes up for that, and costs less than text.
macro_rules! version {
    () => {
        "hashint8extended(id, (SELECT age(xid '3')::bigint) - age(xmin))"
    };
}

/// The bills of a tenant, at most so many.
pub(crate) struct BillsOfTenant;
/// The payment of an invoice.
pub(crate) struct PaymentOfInvoice;

impl Batch for BillsOfTenant {
    type Wish = (i64, i64, Option<Stamp>);
    type Answer = Seen<bills::Row>;

    async fn grant(db: &Db, wishes: &[Self::Wish]) -> Result<Vec<Self::Answer>, StoreError> {
        const SQL: &str = concat!(
            "SELECT ",
            bills::columns!(),
            ", wish.place, now.stamp
             FROM UNNEST($1::bigint[], $2::bigint[], $3::bigint[]) WITH ORDINALITY AS wish (tenant, most, known, place),
             LATERAL (SELECT hashint8extended(count(*), COALESCE(bit_xor(",
            version!(),
            "), 0)) AS stamp FROM bills WHERE tenant_id = wish.tenant AND voided_at IS NULL) AS now
             LEFT JOIN LATERAL (
                 SELECT * FROM bills
                 WHERE tenant_id = wish.tenant AND voided_at IS NULL AND now.stamp IS DISTINCT FROM wish.known
                 ORDER BY year DESC, month DESC, id DESC LIMIT wish.most) AS bill ON TRUE"
        );
        let tenants = column!(wishes, (tenant, ..) => *tenant);
        let limits = column!(wishes, (_, limit, _) => *limit);
        let known = column!(wishes, (.., known) => known.map(|Stamp(known)| known));
        let told = rows!(db, sqlx::query_as(SQL).bind(tenants).bind(limits).bind(known));
        Ok(seen(wishes.len(), told).into_iter().flatten().collect())
    }
}

impl Batch for PaymentOfInvoice {
    type Wish = (String, Option<Stamp>);
    type Answer = Option<Seen<payments::Row>>;

    async fn grant(db: &Db, wishes: &[Self::Wish]) -> Result<Vec<Self::Answer>, StoreError> {
        const SQL: &str = concat!(
            "SELECT ",
            payments::columns!(),
            ", wish.place, now.stamp
             FROM UNNEST($1::text[], $2::bigint[]) WITH ORDINALITY AS wish (name, known, place),
             LATERAL (SELECT ",
            version!(),
            " AS stamp FROM payments WHERE invoice = wish.name) AS now
             LEFT JOIN LATERAL (
                 SELECT * FROM payments WHERE invoice = wish.name AND now.stamp IS DISTINCT FROM wish.known
             ) AS payment ON TRUE"
        );
        let names = column!(wishes, (name, _) => name.as_str());
        let known = column!(wishes, (_, known) => known.map(|Stamp(known)| known));
        Ok(seen(wishes.len(), rows!(db, sqlx::query_as(SQL).bind(names).bind(known))))
    }
}
