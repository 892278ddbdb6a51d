//! Everything that is held about one tenant, for that person.

use chrono::DateTime;
use domain::{Rupiah, Time, UserId};
use serde::Serialize;
use serde_json::Value;
use store::audit::By;
use store::held::{self, Held, HeldBill, HeldStay};
use store::payments::{self, PaymentFilter};
use store::{Db, Page, StoreError, audit, reminders};
use utoipa::ToSchema;

use crate::evidence::{self, Evidence};

/// Payments that are read at a time.
const PAGE_ROWS: i64 = 100;
/// Reminders that are told.
const REMINDERS_MAX: i64 = 10_000;

/// Everything that is held about a tenant.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Dossier {
    /// The row of the person.
    #[schema(value_type = i64, minimum = 1)]
    pub id: UserId,
    /// The address to log in with.
    pub email: String,
    /// What people call them.
    pub name: String,
    /// The telephone number.
    pub phone: Option<String>,
    /// The language of reminders; nothing: that of the house.
    pub language: Option<String>,
    /// Since when they want no reminders.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub reminders_off_at: Option<Time>,
    /// When they were written down.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Time,
    /// When they left.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub left_at: Option<Time>,
    /// When they were forgotten.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub erased_at: Option<Time>,
    /// Where they lived, the oldest first.
    pub stays: Vec<Lodging>,
    /// What they owed, the oldest first.
    pub bills: Vec<Owed>,
    /// How they paid, the newest first, with all that was asked and told about each payment.
    pub payments: Vec<Paid>,
    /// What they were told of bills, the newest first.
    pub reminders: Vec<Reminded>,
    /// When they logged in, as far as it is remembered.
    #[schema(value_type = Vec<String>)]
    pub sessions: Vec<Time>,
    /// What people of the house did about them, the oldest first.
    pub deeds: Vec<Deed>,
}

/// A room that somebody lived in.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Lodging {
    /// The code of the room.
    pub room_code: String,
    /// The first day.
    #[schema(format = Date)]
    pub since: String,
    /// The last day; nothing: they live there.
    #[schema(format = Date)]
    pub until: Option<String>,
}

/// A bill.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Owed {
    /// Its row.
    pub id: i64,
    /// The month.
    pub period: String,
    /// What it is for, where it is not the rent.
    pub title: Option<String>,
    /// In rupiah.
    #[schema(value_type = i64, minimum = 0)]
    pub amount: Rupiah,
    /// How it stands.
    pub status: String,
    /// Whether nobody owes it any more.
    pub void: bool,
}

/// A payment.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Paid {
    /// What the payer needed in order to pay.
    #[schema(value_type = Object)]
    pub instruction: Value,
    /// The number of the wallet that paid.
    pub payer_phone: Option<String>,
    /// Everything that was asked, told and done.
    #[serde(flatten)]
    pub evidence: Evidence,
}

/// Something that a tenant was told.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Reminded {
    /// Of which bill.
    pub bill_id: i64,
    /// What.
    pub kind: String,
    /// In which way.
    pub channel: String,
    /// When it was due.
    #[schema(value_type = String, format = DateTime)]
    pub found_at: Time,
    /// What became of it.
    pub outcome: Option<String>,
}

/// Something that was done about a tenant.
#[derive(Debug, Serialize, ToSchema)]
pub struct Deed {
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Time,
    /// What, as `noun.verb`.
    pub action: String,
    /// Why.
    pub reason: Option<String>,
    /// How it stood before.
    #[schema(value_type = Object)]
    pub before: Option<Value>,
    /// How it stood afterwards.
    #[schema(value_type = Object)]
    pub after: Option<Value>,
}

/// Hands out what is held about a tenant, and writes down who asked; none when there is no such tenant.
///
/// # Errors
/// When the database does, or something is sealed under a key that is not here.
pub async fn hand_out(db: &Db, id: UserId, by: &By<'_>) -> Result<Option<Dossier>, StoreError> {
    let dossier = gather(db, id).await?;
    if dossier.is_some() {
        audit::note(db, ("tenant.export", format!("tenant:{id}")), by).await?;
    }
    Ok(dossier)
}

async fn gather(db: &Db, id: UserId) -> Result<Option<Dossier>, StoreError> {
    let Some(held) = held::about(db, id).await? else { return Ok(None) };
    let Held { email, name, phone, language, reminders_off_at, created_at, deleted_at, erased_at, .. } = held;
    Ok(Some(Dossier {
        id,
        email: email.as_str().to_owned(),
        name,
        phone,
        language,
        reminders_off_at,
        created_at,
        left_at: deleted_at,
        erased_at,
        stays: held.stays.into_iter().map(Lodging::from).collect(),
        bills: held.bills.into_iter().map(Owed::from).collect(),
        payments: paid(db, id).await?,
        reminders: reminded(db, id).await?,
        sessions: held.sessions,
        deeds: deeds(db, id).await?,
    }))
}

async fn paid(db: &Db, id: UserId) -> Result<Vec<Paid>, StoreError> {
    let filter = PaymentFilter { tenant: Some(id), ..PaymentFilter::default() };
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = payments::search(db, &filter, Page { after, limit: PAGE_ROWS }).await?;
        let Some(last) = page.last() else { return Ok(all) };
        after = Some(last.id.0);
        for payment in &page {
            all.push(Paid {
                instruction: serde_json::to_value(&payment.instruction).unwrap_or_default(),
                payer_phone: payment.payer_phone.clone(),
                evidence: evidence::gather(db, payment).await?,
            });
        }
    }
}

async fn reminded(db: &Db, id: UserId) -> Result<Vec<Reminded>, StoreError> {
    let told = reminders::of_tenant(db, id, REMINDERS_MAX).await?;
    Ok(told
        .into_iter()
        .map(|told| Reminded {
            bill_id: told.bill_id.0,
            kind: told.kind,
            channel: told.channel,
            found_at: told.found_at,
            outcome: told.outcome,
        })
        .collect())
}

async fn deeds(db: &Db, id: UserId) -> Result<Vec<Deed>, StoreError> {
    let rows = audit::of_subject(db, &format!("tenant:{id}")).await?;
    let parsed = |text: Option<String>| text.and_then(|text| serde_json::from_str(&text).ok());
    Ok(rows
        .into_iter()
        .map(|row| Deed {
            at: DateTime::from_timestamp_millis(row.at).unwrap_or_default(),
            action: row.action,
            reason: row.reason,
            before: parsed(row.before),
            after: parsed(row.after),
        })
        .collect())
}

impl From<HeldStay> for Lodging {
    fn from(HeldStay { room_code, since, until }: HeldStay) -> Self {
        Self { room_code, since, until }
    }
}

impl From<HeldBill> for Owed {
    fn from(HeldBill { id, period, title, amount, status, is_void }: HeldBill) -> Self {
        Self { id: id.0, period, title, amount, status, void: is_void }
    }
}
