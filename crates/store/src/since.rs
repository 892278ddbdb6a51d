//! Rows that were read before: they are told again only when somebody has written to them since (ADR 28).

use std::collections::HashMap;
use std::hash::Hash;

use domain::{Invoice, Payment, UserId};
use sqlx::postgres::PgRow;
use sqlx::{FromRow, Row as _};

use crate::bills::{self, Bill};
use crate::lookups::{each, grouped, rows};
use crate::together::{Batch, Together};
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
    if let Some(turns) = db.shared()
        && known.is_some()
        && turns.stamps.of_bills.ask(db, tenant.0).await? == known
    {
        return Ok(Since::Unchanged);
    }
    let (bills, stamp) = read_bills(db, tenant, limit).await?;
    Ok(Since::Read(bills, stamp))
}

/// The same, of which nothing is known.
pub(crate) async fn read_bills(
    db: &Db,
    tenant: UserId,
    limit: i64,
) -> Result<(Vec<Bill>, Option<Stamp>), StoreError> {
    const SQL: &str = bills::select!(
        "WHERE tenant_id = $1 AND voided_at IS NULL ORDER BY year DESC, month DESC, id DESC LIMIT $2"
    );
    let (rows, stamp): (Vec<bills::Row>, _) = match db.shared() {
        Some(turns) => turns.bills.ask(db, (tenant.0, limit)).await?,
        None => {
            (read!(db, pool => sqlx::query_as(SQL).bind(tenant.0).bind(limit).fetch_all(pool).await?), None)
        }
    };
    let bills: Result<Vec<Bill>, StoreError> = rows.into_iter().map(Bill::try_from).collect();
    Ok((bills?, stamp))
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
    let name = invoice.as_str();
    if known.is_some() && turns.stamps.of_payment.ask(db, name.to_owned()).await? == known {
        return Ok(Some(Since::Unchanged));
    }
    let Some(Stamped { row, stamp }) = turns.invoices.ask(db, name.to_owned()).await? else {
        return Ok(None);
    };
    Ok(Some(Since::Read(row.open(db.keys())?, Some(stamp))))
}

/// A hash of a version of a row: of its id, of the number of the transaction that wrote it, and of when the server began, as
/// another one may give the same numbers anew. `xid` becomes a number only by way of text or of its age, which grows while
/// nobody writes; the age of another makes up for that, and costs less than text.
macro_rules! version {
    () => {
        "hashint8extended(id, (SELECT (extract(epoch FROM pg_postmaster_start_time())::bigint << 32) + age(xid '3')) - age(xmin))"
    };
}

/// The stamp of a tenant's bills; none of no bills.
macro_rules! bills_stamp {
    () => {
        concat!("hashint8extended(count(*), bit_xor(", version!(), "))")
    };
}

/// The turns of those who ask whether what they know still holds.
#[derive(Debug, Default)]
pub(crate) struct Stamps {
    of_bills: Together<StampOfBills>,
    of_payment: Together<StampOfPayment>,
}

/// The stamp of a tenant's bills.
struct StampOfBills;
/// The stamp of the payment of an invoice.
struct StampOfPayment;
/// The bills of a tenant, at most so many, and their stamp.
pub(crate) struct BillsOfTenant;
/// The payment of an invoice, and its stamp.
pub(crate) struct PaymentOfInvoice;

/// A row, with the stamp that stands behind its columns.
#[derive(Clone)]
pub(crate) struct Stamped<R> {
    pub(crate) row: R,
    stamp: Stamp,
}

impl<'r, R: FromRow<'r, PgRow>> FromRow<'r, PgRow> for Stamped<R> {
    fn from_row(row: &'r PgRow) -> sqlx::Result<Self> {
        Ok(Self { row: R::from_row(row)?, stamp: Stamp(row.try_get(row.len() - 1)?) })
    }
}

/// For each key that was asked for, its stamp.
fn stamps<K: Eq + Hash + Clone>(keys: &[K], rows: Vec<(K, i64)>) -> Vec<Option<Stamp>> {
    let found = each(keys, rows, |(key, _)| key);
    found.into_iter().map(|row| row.map(|(_, stamp)| Stamp(stamp))).collect()
}

impl Batch for StampOfBills {
    type Wish = i64;
    type Answer = Option<Stamp>;

    async fn grant(db: &Db, tenants: &[i64]) -> Result<Vec<Self::Answer>, StoreError> {
        const SQL: &str = concat!(
            "SELECT tenant_id, ",
            bills_stamp!(),
            " FROM bills WHERE tenant_id = ANY($1) AND voided_at IS NULL GROUP BY tenant_id"
        );
        Ok(stamps(tenants, rows!(db, sqlx::query_as(SQL).bind(tenants))))
    }
}

impl Batch for StampOfPayment {
    type Wish = String;
    type Answer = Option<Stamp>;

    async fn grant(db: &Db, invoices: &[String]) -> Result<Vec<Self::Answer>, StoreError> {
        const SQL: &str = concat!("SELECT invoice, ", version!(), " FROM payments WHERE invoice = ANY($1)");
        Ok(stamps(invoices, rows!(db, sqlx::query_as(SQL).bind(invoices))))
    }
}

impl Batch for BillsOfTenant {
    type Wish = (i64, i64);
    type Answer = (Vec<bills::Row>, Option<Stamp>);

    async fn grant(db: &Db, wishes: &[Self::Wish]) -> Result<Vec<Self::Answer>, StoreError> {
        const SQL: &str = concat!(
            "SELECT ",
            bills::columns!(),
            ", now.stamp
             FROM UNNEST($1::bigint[], $2::bigint[]) AS wish (tenant, most),
             LATERAL (SELECT ",
            bills_stamp!(),
            " AS stamp FROM bills WHERE tenant_id = wish.tenant AND voided_at IS NULL) AS now,
             LATERAL (SELECT * FROM bills WHERE tenant_id = wish.tenant AND voided_at IS NULL
                      ORDER BY year DESC, month DESC, id DESC LIMIT wish.most) AS bill"
        );
        let mut most: HashMap<i64, i64> = HashMap::new();
        for (tenant, limit) in wishes {
            let most = most.entry(*tenant).or_insert(*limit);
            *most = (*limit).max(*most);
        }
        let (tenants, limits): (Vec<i64>, Vec<i64>) = most.into_iter().unzip();
        let rows: Vec<Stamped<bills::Row>> = rows!(db, sqlx::query_as(SQL).bind(tenants).bind(limits));
        let wanted = column!(wishes, (tenant, _) => *tenant);
        let found = grouped(&wanted, rows, |stamped| stamped.row.tenant_id);
        let of = |((_, limit), mut rows): (&(i64, i64), Vec<Stamped<bills::Row>>)| {
            rows.truncate(usize::try_from(*limit).unwrap_or_default());
            let stamp = rows.first().map(|first| first.stamp);
            (rows.into_iter().map(|stamped| stamped.row).collect(), stamp)
        };
        Ok(wishes.iter().zip(found).map(of).collect())
    }
}

impl Batch for PaymentOfInvoice {
    type Wish = String;
    type Answer = Option<Stamped<payments::Row>>;

    async fn grant(db: &Db, invoices: &[String]) -> Result<Vec<Self::Answer>, StoreError> {
        const SQL: &str = concat!(
            "SELECT ",
            payments::columns!(),
            ", ",
            version!(),
            " FROM payments WHERE invoice = ANY($1)"
        );
        let rows: Vec<Stamped<payments::Row>> = rows!(db, sqlx::query_as(SQL).bind(invoices));
        Ok(each(invoices, rows, |stamped| &stamped.row.invoice))
    }
}
