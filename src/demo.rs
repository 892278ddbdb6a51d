//! The demo house: rooms, tenants, bills and an admin, so that a newcomer can pay a bill within a minute.

use anyhow::Context as _;
use clock::Clock;
use domain::{BillId, Email, Period, Rank, Role, Rupiah, Secret, UserId, date_of, today};
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use store::bills::NewBill;
use store::people::NewPerson;
use store::{Db, bills, people, rooms};

use crate::http::Passwords;

const ADMINS: [(&str, &str, Rank); 2] =
    [("ibu.sari@kost.test", "Ibu Sari", Rank::Owner), ("pak.tono@kost.test", "Pak Tono", Rank::Viewer)];
const TENANTS: [(&str, &str, &str, i64); 3] = [
    ("budi@kost.test", "Budi Santoso", "A1", 1_250_000),
    ("siti@kost.test", "Siti Rahma", "A2", 1_250_000),
    ("agus@kost.test", "Agus Wijaya", "B1", 950_000),
];
const MONTHS: usize = 2;

/// A log-in of the demo house.
#[derive(Debug, Clone)]
pub struct Login {
    /// The name to log in with.
    pub email: &'static str,
    /// The password.
    pub password: Secret,
    /// `tenant` or `admin`.
    pub role: Role,
    /// How much an admin may do.
    pub rank: Rank,
}

/// The demo house's log-ins. The passwords follow from the secret of this installation, so that nobody else knows them.
#[must_use]
pub fn logins(secret: &Secret) -> Vec<Login> {
    let login =
        |email: &'static str, role, rank| Login { email, password: derive(secret, email), role, rank };
    let tenants = TENANTS.map(|(email, ..)| login(email, Role::Tenant, Rank::Owner));
    let admins = ADMINS.map(|(email, _, rank)| login(email, Role::Admin, rank));
    tenants.into_iter().chain(admins).collect()
}

/// The demo front end's key.
#[must_use]
pub fn api_key(secret: &Secret) -> Secret {
    derive(secret, "demo api key")
}

/// The built-in simulator's keys: server key, then client key.
#[must_use]
pub fn simulator_keys(secret: &Secret) -> (Secret, Secret) {
    let key = |kind: &str| format!("SB-Mid-{kind}-{}", derive(secret, kind).expose());
    (Secret::from(key("server")), Secret::from(key("client")))
}

/// Fills an empty database with the demo house. A house that has people is left alone; gives the first open bill of
/// the first tenant, if there is one.
///
/// # Errors
/// When the database does.
pub async fn seed(db: &Db, clock: &Clock, secret: &Secret) -> anyhow::Result<Option<BillId>> {
    if people::count(db).await? == 0 {
        build(db, clock, secret).await.context("the demo house could not be built")?;
    }
    first_open_bill(db).await
}

async fn build(db: &Db, clock: &Clock, secret: &Secret) -> anyhow::Result<()> {
    let passwords = Passwords::new(secret.clone(), clock.clone(), 1)?;
    let now = clock.now();
    for (email, name, rank) in ADMINS {
        add_person(db, clock, &passwords, (email, name), (Role::Admin, rank), secret).await?;
    }
    for (email, name, room, price) in TENANTS {
        let role = (Role::Tenant, Rank::Owner);
        let tenant = add_person(db, clock, &passwords, (email, name), role, secret).await?;
        let price = Rupiah::try_from(price)?;
        let room_id =
            rooms::insert(db, room, price, now).await?.with_context(|| format!("room {room} exists"))?;
        rooms::move_in(db, tenant, room_id, date_of(now)).await?;
        for period in recent_months(clock) {
            bills::insert(db, &NewBill { tenant_id: tenant, room_id, period, amount: price }, now).await?;
        }
    }
    rooms::insert(db, "B2", Rupiah::try_from(950_000)?, now).await?;
    Ok(())
}

#[expect(clippy::too_many_arguments, reason = "a private step of one story")]
async fn add_person(
    db: &Db,
    clock: &Clock,
    passwords: &Passwords,
    (email, name): (&'static str, &str),
    (role, rank): (Role, Rank),
    secret: &Secret,
) -> anyhow::Result<UserId> {
    let password_hash = passwords.hash(&derive(secret, email)).await?;
    let email = Email::try_from(email.to_owned())?;
    let new = NewPerson { email: &email, name, role, rank, password_hash: &password_hash };
    people::insert(db, &new, clock.now()).await?.with_context(|| format!("{email} exists"))
}

/// This month, and the month before.
fn recent_months(clock: &Clock) -> Vec<Period> {
    let now = clock.now();
    let earlier = now - chrono::TimeDelta::days(31);
    [today(earlier), today(now)].into_iter().flatten().take(MONTHS).collect()
}

async fn first_open_bill(db: &Db) -> anyhow::Result<Option<BillId>> {
    let email = Email::try_from(TENANTS[0].0.to_owned())?;
    let Some(tenant) = people::find_by_email(db, &email).await? else { return Ok(None) };
    let mut open = bills::of_tenant(db, tenant.id, 100).await?;
    open.retain(|bill| bill.status == domain::BillStatus::Unpaid);
    Ok(open.last().map(|bill| bill.id))
}

fn derive(secret: &Secret, purpose: &str) -> Secret {
    // HMAC takes keys of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()) else {
        return Secret::from(String::new());
    };
    mac.update(b"kasir demo:");
    mac.update(purpose.as_bytes());
    Secret::from(hex::encode(&mac.finalize().into_bytes()[..12]))
}
