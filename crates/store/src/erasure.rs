//! Forgetting a tenant: what tells who they were goes, what tells where money went stays.

use domain::{Time, UserId};
use serde_json::json;

use crate::audit::{self, By};
use crate::sealing::Place;
use crate::time::millis;
use crate::{
    Db, OpenMoney, Refusal, StoreError, Tx, Undone, calls, dashboard_sessions, in_tx, scrubbing, sessions,
    shredding,
};

/// What stands in the place of a name.
pub const NOBODY: &str = "(erased)";

/// What was taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Erased {
    /// Whether somebody had done it before; then only what came since was taken away.
    pub again: bool,
    /// Payments that said how the payer was to pay, or by which number.
    pub payments: u64,
    /// Notifications whose bodies keep only what they say of money.
    pub notifications: u64,
    /// Answers of the gateway, in the same way.
    pub calls: u64,
    /// Reminders that will not be sent any more, or whose notes were taken away.
    pub reminders: u64,
    /// Rows of the audit from before words about people were sealed. They stay, and say what they said.
    pub audit_kept: i64,
}

/// Takes away what the books hold of a tenant, in one transaction. Doing it again is harmless.
///
/// # Errors
/// When there is no such tenant, money is still open, or the database fails.
pub async fn erase(db: &Db, id: UserId, by: &By<'_>) -> Result<Erased, Undone> {
    let mut tx = Tx::begin(db).await?;
    let again = lock(&mut tx, id).await?;
    no_money_is_open(&mut tx, id, by.now).await?;
    forget_person(&mut tx, id, by.now).await?;
    sessions::end_all_in(&mut tx, id, by.now).await?;
    dashboard_sessions::end_all_in(&mut tx, id, by.now).await?;
    let erased = Erased {
        again,
        payments: forget_payments(&mut tx, id).await?,
        notifications: scrub(&mut tx, id, &NOTIFICATIONS).await?,
        calls: scrub(&mut tx, id, &CALLS).await?,
        reminders: end_reminders(&mut tx, id, by.now).await?,
        audit_kept: audit_kept(&mut tx, id).await?,
    };
    let Erased { payments, notifications, calls, reminders, .. } = erased;
    let after = json!({
        "payments": payments, "notifications": notifications, "calls": calls, "reminders": reminders,
    });
    let deed = by.deed("tenant.erase", shredding::subject(id.0), (None, Some(after.to_string())));
    audit::write_in(&mut tx, &deed, by.now).await?;
    tx.commit().await?;
    Ok(erased)
}

/// Takes the row lock of the person, and says whether they were forgotten before.
async fn lock(tx: &mut Tx, id: UserId) -> Result<bool, Undone> {
    const SQL: &str = "UPDATE users SET name = name WHERE id = $1 AND role = 'tenant' RETURNING erased_at";
    let erased_at: Option<Option<i64>> =
        in_tx!(tx, conn => sqlx::query_scalar(SQL).bind(id.0).fetch_optional(conn).await?);
    Ok(erased_at.ok_or(Refusal::NotThere)?.is_some())
}

/// Every bill is locked, so that nobody begins to pay one meanwhile.
async fn no_money_is_open(tx: &mut Tx, id: UserId, now: Time) -> Result<(), Undone> {
    const LOCK: &str = "UPDATE bills SET updated_at = $2 WHERE tenant_id = $1";
    const BILLS: &str =
        "SELECT count(*) FROM bills WHERE tenant_id = $1 AND status <> 'paid' AND voided_at IS NULL";
    const PAYMENTS: &str = "
        SELECT count(*) FROM payments
        WHERE tenant_id = $1 AND state || '' IN ('created', 'asked', 'pending', 'review')";
    const REFUNDS: &str = "
        SELECT count(*) FROM refunds JOIN payments ON payments.id = refunds.payment_id
        WHERE payments.tenant_id = $1 AND refunds.state || '' IN ('wanted', 'asked', 'accepted')";
    in_tx!(&mut *tx, conn => sqlx::query(LOCK)
        .bind(id.0).bind(millis(now)).execute(conn).await.map(drop)?);
    // A live payment is told of first: the bill it is for is open because of it.
    for (sql, money) in
        [(PAYMENTS, OpenMoney::Payment), (REFUNDS, OpenMoney::Refund), (BILLS, OpenMoney::Bill)]
    {
        let rows: i64 = in_tx!(&mut *tx, conn => sqlx::query_scalar(sql).bind(id.0).fetch_one(conn).await?);
        if rows > 0 {
            return Err(Refusal::MoneyOpen(money).into());
        }
    }
    Ok(())
}

async fn forget_person(tx: &mut Tx, id: UserId, now: Time) -> Result<(), StoreError> {
    const PERSON: &str = "
        UPDATE users SET email = $2, name = $3, phone = NULL, personal = NULL, audit_key = NULL, password_hash = '',
            language = NULL, reminders_off_at = COALESCE(reminders_off_at, $4), second_factor_since = NULL,
            deleted_at = COALESCE(deleted_at, $4), erased_at = COALESCE(erased_at, $4)
        WHERE id = $1";
    const STAY: &str = "UPDATE tenancies SET end_date = $2 WHERE tenant_id = $1 AND end_date IS NULL";
    let nowhere = format!("erased-{id}@erased.invalid");
    in_tx!(&mut *tx, conn => sqlx::query(PERSON)
        .bind(id.0).bind(nowhere).bind(NOBODY).bind(millis(now)).execute(conn).await.map(drop)?);
    let day = domain::date_of(now).to_string();
    in_tx!(&mut *tx, conn => sqlx::query(STAY).bind(id.0).bind(day).execute(conn).await.map(drop)?);
    for sql in [
        "DELETE FROM second_factors WHERE user_id = $1",
        "DELETE FROM recovery_codes WHERE user_id = $1",
        "DELETE FROM idempotency_keys WHERE user_id = $1",
    ] {
        in_tx!(&mut *tx, conn => sqlx::query(sql).bind(id.0).execute(conn).await.map(drop)?);
    }
    Ok(())
}

async fn forget_payments(tx: &mut Tx, id: UserId) -> Result<u64, StoreError> {
    const SQL: &str = "
        UPDATE payments SET instruction = NULL, payer_phone = NULL, payer_sealed = NULL
        WHERE tenant_id = $1
            AND (instruction IS NOT NULL OR payer_phone IS NOT NULL OR payer_sealed IS NOT NULL)";
    Ok(in_tx!(tx, conn => sqlx::query(SQL).bind(id.0).execute(conn).await?.rows_affected()))
}

/// The texts of one table: those of a tenant, and how one is kept.
struct Texts {
    find: &'static str,
    keep: &'static str,
    place: fn(&str) -> Place<'_>,
}

const NOTIFICATIONS: Texts = Texts {
    find: "
        SELECT id, body_hash, body FROM notifications WHERE id IN (
            SELECT n.id FROM notifications n JOIN payments p ON p.id = n.payment_id WHERE p.tenant_id = $1
            UNION SELECT n.id FROM notifications n JOIN payments p ON p.invoice = n.order_id WHERE p.tenant_id = $1)",
    keep: "UPDATE notifications SET body = $2 WHERE id = $1",
    place: |hash| Place::notification(hash),
};

const CALLS: Texts = Texts {
    find: "
        SELECT id, path || ' ' || CAST(at AS TEXT), answer FROM gateway_calls WHERE name IN (
            SELECT invoice FROM payments WHERE tenant_id = $1
            UNION SELECT transaction_id FROM payments WHERE tenant_id = $1 AND transaction_id IS NOT NULL
            UNION SELECT t.transaction_id FROM payment_tries t JOIN payments p ON p.id = t.payment_id
            WHERE p.tenant_id = $1)",
    keep: "UPDATE gateway_calls SET answer = $2 WHERE id = $1",
    place: |name| calls::place(name),
};

async fn scrub(tx: &mut Tx, id: UserId, texts: &Texts) -> Result<u64, StoreError> {
    let rows: Vec<(i64, String, String)> =
        in_tx!(&mut *tx, conn => sqlx::query_as(texts.find).bind(id.0).fetch_all(conn).await?);
    let mut count = 0;
    for (row, name, text) in rows {
        let Some(text) = scrubbed(tx, &(texts.place)(&name), text)? else { continue };
        in_tx!(&mut *tx, conn => sqlx::query(texts.keep).bind(row).bind(text).execute(conn).await.map(drop)?);
        count += 1;
    }
    Ok(count)
}

/// The text with nothing but money in it; `None` where there is nothing else. One that does not open goes as a whole: nobody
/// shall read it, should its key be found again.
fn scrubbed(tx: &Tx, place: &Place<'_>, text: String) -> Result<Option<String>, StoreError> {
    let scrubbed = match tx.keys().open(place, text) {
        Ok(text) => scrubbing::of_money(&text),
        Err(StoreError::NoKey { .. } | StoreError::Sealed { .. }) => Some(scrubbing::NOTHING.to_owned()),
        Err(error) => return Err(error),
    };
    scrubbed.map(|text| tx.keys().seal(place, &text)).transpose()
}

async fn end_reminders(tx: &mut Tx, id: UserId, now: Time) -> Result<u64, StoreError> {
    const END: &str = "
        UPDATE reminders SET ended_at = COALESCE(ended_at, $2), outcome = COALESCE(outcome, 'lapsed'), detail = NULL
        WHERE tenant_id = $1 AND (ended_at IS NULL OR detail IS NOT NULL)";
    // What a mail server says may name the address. `id > 0` names the index (migration 7).
    const JOBS: &str = "
        UPDATE jobs SET last_error = NULL
        WHERE id > 0 AND kind IN ('send_email', 'send_webhook') AND dedupe_key IN (
            SELECT 'send_' || channel || ':' || bill_id || ':' || kind FROM reminders WHERE tenant_id = $1)
        RETURNING id";
    const ATTEMPTS: &str = "UPDATE job_attempts SET note = NULL WHERE job_id = $1 AND note IS NOT NULL";
    let jobs: Vec<i64> = in_tx!(&mut *tx, conn => sqlx::query_scalar(JOBS).bind(id.0).fetch_all(conn).await?);
    for job in jobs {
        in_tx!(&mut *tx, conn => sqlx::query(ATTEMPTS).bind(job).execute(conn).await.map(drop)?);
    }
    Ok(in_tx!(tx, conn => sqlx::query(END).bind(id.0).bind(millis(now)).execute(conn).await?.rows_affected()))
}

async fn audit_kept(tx: &mut Tx, id: UserId) -> Result<i64, StoreError> {
    const SQL: &str = "
        SELECT count(*) FROM audit WHERE subject = $1
            AND (COALESCE(before, '') LIKE '%\"email\"%' OR COALESCE(after, '') LIKE '%\"email\"%')";
    let subject = shredding::subject(id.0);
    Ok(in_tx!(tx, conn => sqlx::query_scalar(SQL).bind(subject).fetch_one(conn).await?))
}
