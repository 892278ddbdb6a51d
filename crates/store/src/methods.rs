//! Payment methods that the house offers.

use domain::{Method, MethodId};

use crate::{Db, StoreError, Tx, in_tx, read};

/// A payment method as the books hold it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offered {
    /// Its row.
    pub id: MethodId,
    /// Which method.
    pub method: Method,
    /// What people call it.
    pub title: String,
    /// The path of its picture.
    pub logo: String,
    /// Whether it may be chosen.
    pub active: bool,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    code: String,
    title: String,
    logo: String,
    active: bool,
}

impl TryFrom<Row> for Offered {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let method =
            Method::try_from(row.code.as_str()).map_err(StoreError::corrupt("payment_methods", row.id))?;
        Ok(Self { id: MethodId(row.id), method, title: row.title, logo: row.logo, active: row.active })
    }
}

/// Offers every method that is not offered yet; those that are stay as they are.
///
/// # Errors
/// When the database does.
pub async fn offer_all(db: &Db) -> Result<(), StoreError> {
    const SQL: &str = "
        INSERT INTO payment_methods (code, title, logo, place) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
    let mut tx = Tx::begin(db).await?;
    for (place, method) in (1_i64..).zip(Method::ALL) {
        let logo = format!("/logos/{}.svg", method.code());
        in_tx!(&mut tx, conn => sqlx::query(SQL)
            .bind(method.code()).bind(method.title()).bind(logo).bind(place).execute(conn).await.map(drop)?);
    }
    tx.commit().await
}

/// All methods, in the order in which they are shown.
///
/// # Errors
/// When the database does.
pub async fn all(db: &Db) -> Result<Vec<Offered>, StoreError> {
    const SQL: &str =
        "SELECT id, code, title, logo, active FROM payment_methods ORDER BY place, id LIMIT 100";
    let rows: Vec<Row> = read!(db, pool => sqlx::query_as(SQL).fetch_all(pool).await?);
    rows.into_iter().map(Offered::try_from).collect()
}

/// The method of this name, or of this id when `name` is a number.
///
/// # Errors
/// When the database does.
pub async fn find(db: &Db, name: &str) -> Result<Option<Offered>, StoreError> {
    const SQL: &str = "SELECT id, code, title, logo, active FROM payment_methods WHERE code = $1 OR id = $2";
    let id = name.parse::<i64>().unwrap_or_default();
    let row: Option<Row> =
        read!(db, pool => sqlx::query_as(SQL).bind(name).bind(id).fetch_optional(pool).await?);
    row.map(Offered::try_from).transpose()
}
