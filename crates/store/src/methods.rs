//! Payment methods that the house offers.

use domain::{Method, MethodId};
use serde_json::json;

use crate::audit::{self, By};
use crate::{Db, Refusal, StoreError, Tx, Undone, in_tx, read};

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

#[derive(Clone, sqlx::FromRow)]
pub(crate) struct Row {
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
    for (place, method) in (1_i64..).zip(Method::offered()) {
        let logo = format!("/logos/{}.svg", method.code());
        in_tx!(&mut tx, conn => sqlx::query(SQL)
            .bind(method.code()).bind(method.title()).bind(logo).bind(place).execute(conn).await.map(drop)?);
    }
    tx.commit().await
}

pub(crate) const ALL: &str =
    "SELECT id, code, title, logo, active FROM payment_methods ORDER BY place, id LIMIT 100";

/// All methods that this Kasir knows, in the order in which they are shown.
///
/// # Errors
/// When the database does.
pub async fn all(db: &Db) -> Result<Vec<Offered>, StoreError> {
    let rows: Vec<Row> = match db.shared() {
        Some(turns) => turns.methods.ask(db, ()).await?,
        None => read!(db, pool => sqlx::query_as(ALL).fetch_all(pool).await?),
    };
    // A newer Kasir may have offered what this one cannot charge.
    let known = rows.into_iter().filter(|row| Method::try_from(row.code.as_str()).is_ok());
    known.map(Offered::try_from).collect()
}

/// What is to become of an offered method.
#[derive(Debug, Clone, Copy, Default)]
pub struct MethodChange<'a> {
    /// Whether it may be chosen.
    pub active: Option<bool>,
    /// What people call it.
    pub title: Option<&'a str>,
    /// Where it stands in the list, counted from 1.
    pub place: Option<i64>,
}

/// Changes an offered method. Payments that are live go on.
///
/// # Errors
/// When it is not offered, or the database fails.
pub async fn change(
    db: &Db,
    id: MethodId,
    change: &MethodChange<'_>,
    by: &By<'_>,
) -> Result<Offered, Undone> {
    const LOCK: &str = "
        UPDATE payment_methods SET place = place WHERE id = $1 RETURNING id, code, title, logo, active, place";
    const SQL: &str = "UPDATE payment_methods SET active = $2, title = $3, place = $4 WHERE id = $1";
    let mut tx = Tx::begin(db).await?;
    let row: Option<PlacedRow> =
        in_tx!(&mut tx, conn => sqlx::query_as(LOCK).bind(id.0).fetch_optional(conn).await?);
    let PlacedRow { row, place: old_place } = row.ok_or(Refusal::NotThere)?;
    let old = Offered::try_from(row)?;
    let mut new = old.clone();
    new.active = change.active.unwrap_or(old.active);
    new.title = change.title.unwrap_or(&old.title).to_owned();
    let place = change.place.unwrap_or(old_place);
    in_tx!(&mut tx, conn => sqlx::query(SQL)
        .bind(id.0).bind(new.active).bind(&new.title).bind(place).execute(conn).await.map(drop)?);
    let states = (Some(told(&old, old_place)), Some(told(&new, place)));
    let subject = format!("payment-method:{id}");
    audit::write_in(&mut tx, &by.deed("payment-method.change", subject, states), by.now).await?;
    tx.commit().await?;
    Ok(new)
}

#[derive(sqlx::FromRow)]
struct PlacedRow {
    #[sqlx(flatten)]
    row: Row,
    place: i64,
}

fn told(offered: &Offered, place: i64) -> String {
    let Offered { method, title, active, .. } = offered;
    json!({ "name": method.code(), "title": title, "active": active, "place": place }).to_string()
}
