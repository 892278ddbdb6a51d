//! Tenants: people who live, or lived, in a room of the house.

use chrono::NaiveDate;
use domain::{BillId, Email, JobId, PaymentId, Rank, Role, Secret, Stay, Terms, UserId, date_of, today};
use serde_json::json;

use crate::audit::{self, By};
use crate::ledger::NewJob;
use crate::personal::{self, Columns, Personal};
use crate::rent::{self, Tenancy};
use crate::shredding::{self, Words};
use crate::time::millis;
use crate::{Db, Keys, Page, Refusal, StoreError, Tx, Undone, in_tx, read, rooms, sessions, unwanted};

/// A tenant as the books hold one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenant {
    /// The row of the person.
    pub id: UserId,
    /// The name to log in with.
    pub email: Email,
    /// What people call them.
    pub name: String,
    /// The telephone number.
    pub phone: Option<String>,
    /// The first day in the room.
    pub start_date: NaiveDate,
    /// The code of the room.
    pub room_code: String,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    #[sqlx(flatten)]
    columns: Columns,
    start_date: String,
    room_code: String,
}

impl Row {
    fn open(self, keys: &Keys) -> Result<Tenant, StoreError> {
        let start_date = rent::date(self.id, &self.start_date)?;
        let Row { id, columns, room_code, .. } = self;
        let Personal { email, name, phone } = columns.open(keys, id)?;
        Ok(Tenant { id: UserId(id), email, name, phone, start_date, room_code })
    }
}

impl Tenant {
    fn subject(&self) -> String {
        shredding::subject(self.id.0)
    }

    fn personal(&self) -> Personal {
        let Self { email, name, phone, .. } = self;
        Personal { email: email.clone(), name: name.clone(), phone: phone.clone() }
    }

    fn told(&self, words: &Words) -> Result<String, StoreError> {
        let beside = [("startDate", json!(self.start_date)), ("roomCode", json!(self.room_code))];
        let beside = beside.map(|(name, value)| (name.to_owned(), value));
        words.told(&self.personal(), beside.into_iter().collect())
    }
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT users.id, email, name, phone, personal, start_date, rooms.code AS room_code FROM users ",
            "JOIN tenancies ON tenancies.tenant_id = users.id AND end_date IS NULL ",
            "JOIN rooms ON rooms.id = tenancies.room_id ",
            "WHERE users.deleted_at IS NULL AND role = 'tenant' ",
            $rest
        )
    };
}

/// A page of the tenants, in the order in which they were written down.
///
/// # Errors
/// When the database does.
pub async fn list(db: &Db, page: Page) -> Result<Vec<Tenant>, StoreError> {
    const SQL: &str = select!("AND users.id > $1 ORDER BY users.id LIMIT $2");
    let rows: Vec<Row> = read!(db, pool => sqlx::query_as(SQL)
        .bind(page.above()).bind(page.limit).fetch_all(pool).await?);
    rows.into_iter().map(|row| row.open(db.keys())).collect()
}

/// A tenant who moves in.
#[derive(Debug, Clone)]
pub struct NewTenant<'a> {
    /// The name to log in with.
    pub email: &'a Email,
    /// What people call them.
    pub name: &'a str,
    /// The telephone number.
    pub phone: Option<&'a str>,
    /// The hash of the password, in PHC form.
    pub password_hash: &'a Secret,
    /// The first day in the room.
    pub start_date: NaiveDate,
    /// The code of the room.
    pub room_code: &'a str,
}

/// Lets a tenant move in, and bills the month that is on, if they live there in it.
///
/// # Errors
/// When there is no such room, somebody lives there, the address is taken, or the database fails.
pub async fn add(db: &Db, new: &NewTenant<'_>, terms: Terms, by: &By<'_>) -> Result<Tenant, Undone> {
    let mut tx = Tx::begin(db).await?;
    let room = rooms::lock_code(&mut tx, new.room_code).await?.ok_or(Refusal::NoSuchRoom)?;
    let personal =
        Personal { email: new.email.clone(), name: new.name.to_owned(), phone: new.phone.map(str::to_owned) };
    let role = (Role::Tenant, Rank::Owner, new.password_hash);
    let id = personal::insert_in(&mut tx, &personal, role, by.now).await?.ok_or(Refusal::EmailTaken)?;
    if !rooms::move_in_by(&mut tx, id, room.id, new.start_date).await? {
        return Err(Refusal::RoomOccupied.into());
    }
    let stay = Stay { from: new.start_date, until: None, price: room.price };
    let tenancy = Tenancy { tenant_id: id, room_id: room.id, stay };
    if let Some(month) = today(by.now) {
        rent::bill_in(&mut tx, &tenancy, (month, terms), by.now).await?;
    }
    let Personal { email, name, phone } = personal;
    let tenant = Tenant { id, email, name, phone, start_date: new.start_date, room_code: room.code };
    let words = shredding::words_in(&mut tx, id.0).await?;
    let states = (None, Some(tenant.told(&words)?));
    audit::write_in(&mut tx, &by.deed("tenant.create", tenant.subject(), states), by.now).await?;
    tx.commit().await?;
    Ok(tenant)
}

/// What is to become of a tenant.
#[derive(Debug, Clone, Copy, Default)]
pub struct TenantChange<'a> {
    /// The name to log in with from now on.
    pub email: Option<&'a Email>,
    /// What people call them.
    pub name: Option<&'a str>,
    /// The telephone number.
    pub phone: Option<&'a str>,
    /// The room to move to, today.
    pub room_code: Option<&'a str>,
}

/// Changes a tenant. Who moves has lived in the old room until yesterday; a month that is billed stays as it is.
///
/// # Errors
/// When there is no such tenant or room, the address or the room is taken, or the database fails.
pub async fn change(db: &Db, id: UserId, change: &TenantChange<'_>, by: &By<'_>) -> Result<Tenant, Undone> {
    let mut tx = Tx::begin(db).await?;
    let old = lock(&mut tx, id).await?;
    let mut new = old.clone();
    new.email = change.email.unwrap_or(&old.email).clone();
    new.name = change.name.unwrap_or(&old.name).to_owned();
    new.phone = change.phone.or(old.phone.as_deref()).map(str::to_owned);
    let personal = new.personal();
    let is_new = new.email != old.email;
    if is_new && personal::has_plain_in(&mut tx, &new.email).await? {
        return Err(Refusal::EmailTaken.into());
    }
    if !personal::keep_in(&mut tx, id, &personal).await? {
        return Err(Refusal::EmailTaken.into());
    }
    if let Some(code) = change.room_code.filter(|code| *code != old.room_code) {
        let day = date_of(by.now);
        let room = rooms::lock_code(&mut tx, code).await?.ok_or(Refusal::NoSuchRoom)?;
        end_tenancy(&mut tx, id, day.pred_opt().unwrap_or(day)).await?;
        if !rooms::move_in_by(&mut tx, id, room.id, day).await? {
            return Err(Refusal::RoomOccupied.into());
        }
        (new.room_code, new.start_date) = (room.code, day);
    }
    let words = shredding::words_in(&mut tx, id.0).await?;
    let states = (Some(old.told(&words)?), Some(new.told(&words)?));
    audit::write_in(&mut tx, &by.deed("tenant.change", new.subject(), states), by.now).await?;
    tx.commit().await?;
    Ok(new)
}

/// Lets a tenant go: the room is free from now on, no session goes on, what is being paid is to end by the jobs that
/// `job` makes. Bills, payments and the past stay. The ids are those of the jobs that are new.
///
/// # Errors
/// When there is no such tenant, or the database fails.
pub async fn remove(
    db: &Db,
    id: UserId,
    job: &(dyn Fn(PaymentId) -> NewJob + Sync),
    by: &By<'_>,
) -> Result<Vec<JobId>, Undone> {
    const SQL: &str = "UPDATE users SET deleted_at = $2 WHERE id = $1";
    // Every bill is locked, so that nobody begins to pay one meanwhile.
    const BILLS: &str =
        "UPDATE bills SET updated_at = $2 WHERE tenant_id = $1 AND status <> 'paid' RETURNING id";
    let mut tx = Tx::begin(db).await?;
    let tenant = lock(&mut tx, id).await?;
    in_tx!(&mut tx, conn => sqlx::query(SQL).bind(id.0).bind(millis(by.now)).execute(conn).await.map(drop)?);
    end_tenancy(&mut tx, id, date_of(by.now)).await?;
    sessions::end_all_in(&mut tx, id, by.now).await?;
    let bills: Vec<i64> = in_tx!(&mut tx, conn => sqlx::query_scalar(BILLS)
        .bind(id.0).bind(millis(by.now)).fetch_all(conn).await?);
    let mut jobs = Vec::new();
    for bill in bills {
        jobs.extend(unwanted::give_up_all_in(&mut tx, BillId(bill), job, by.now).await?);
    }
    let words = shredding::words_in(&mut tx, id.0).await?;
    let states = (Some(tenant.told(&words)?), None);
    audit::write_in(&mut tx, &by.deed("tenant.delete", tenant.subject(), states), by.now).await?;
    tx.commit().await?;
    Ok(jobs)
}

async fn end_tenancy(tx: &mut Tx, tenant: UserId, last_day: NaiveDate) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE tenancies SET end_date = $2 WHERE tenant_id = $1 AND end_date IS NULL";
    in_tx!(tx, conn => sqlx::query(SQL)
        .bind(tenant.0).bind(last_day.to_string()).execute(conn).await.map(drop)?);
    Ok(())
}

/// Takes the row lock of the person and gives the tenant as they are then.
async fn lock(tx: &mut Tx, id: UserId) -> Result<Tenant, Undone> {
    const LOCK: &str = "UPDATE users SET name = name WHERE id = $1";
    const SQL: &str = select!("AND users.id = $1");
    in_tx!(&mut *tx, conn => sqlx::query(LOCK).bind(id.0).execute(conn).await.map(drop)?);
    let row: Option<Row> =
        in_tx!(&mut *tx, conn => sqlx::query_as(SQL).bind(id.0).fetch_optional(conn).await?);
    Ok(row.ok_or(Refusal::NotThere)?.open(tx.keys())?)
}
