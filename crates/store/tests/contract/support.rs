//! What the stories share: a database for each, a house with one tenant, and fixed times.

use std::future::Future;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use chrono::DateTime;
use domain::{
    BillId, BillStatus, Email, Invoice, JobId, Learned, Method, Payment, PaymentId, Period, Rank, Role,
    RoomId, Rupiah, Secret, State, Time, UserId,
};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use store::creation::{Creation, NewPayment};
use store::history::Source;
use store::ledger::{Claim, Claimed, NewJob};
use store::payments::Change;
use store::{Db, Options, bills, creation, ledger, payments, people, rooms};
use tokio::sync::Barrier;

/// What a story begins with, made from an empty database.
pub(crate) trait Beginning: Sized {
    fn at(url: String) -> impl Future<Output = Self> + Send;
}

/// Most stories begin with the schema in place.
impl Beginning for Db {
    async fn at(url: String) -> Self {
        let db = connect(&url).await;
        store::migrate(&db).await.unwrap();
        db
    }
}

/// The address of a database with nothing in it.
pub(crate) struct EmptyDatabase(pub(crate) String);

impl Beginning for EmptyDatabase {
    async fn at(url: String) -> Self {
        Self(url)
    }
}

/// The machine that runs the tests may be slow; a story is never about the usual wait.
pub(crate) async fn connect(url: &str) -> Db {
    let options = Options { wait: Duration::from_secs(30), ..Options::default() };
    store::connect(url, &options).await.unwrap()
}

pub(crate) async fn on_sqlite<B: Beginning, F: Future<Output = ()>>(story: impl FnOnce(B) -> F) {
    let dir = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", dir.path().join("kasir.db").display());
    story(B::at(url).await).await;
}

const NO_SERVER: &str = "KASIR_TEST_POSTGRES is not set: run `cargo xtask test`, or \
    `cargo xtask servers -- cargo nextest run -p store`";

/// Tells the story on a database of its own, which is dropped afterwards, also when the story fails.
pub(crate) async fn on_postgres<B, F>(story: impl FnOnce(B) -> F)
where
    B: Beginning,
    F: Future<Output = ()> + Send + 'static,
{
    static STORIES: AtomicU32 = AtomicU32::new(0);
    let server = std::env::var("KASIR_TEST_POSTGRES").unwrap_or_else(|_| panic!("{NO_SERVER}"));
    let name = format!("kasir_test_{}_{}", std::process::id(), STORIES.fetch_add(1, Ordering::Relaxed));
    let mut admin = PgConnection::connect(&server).await.unwrap();
    // Left behind by a run that was killed.
    admin.execute(AssertSqlSafe(format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"))).await.unwrap();
    admin.execute(AssertSqlSafe(format!("CREATE DATABASE {name}"))).await.unwrap();
    let beginning = B::at(sibling(&server, &name)).await;
    let told = tokio::spawn(story(beginning)).await;
    admin.execute(AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)"))).await.unwrap();
    if let Err(failed) = told {
        resume_unwind(failed.into_panic());
    }
}

/// The address of another database on the same server.
fn sibling(url: &str, name: &str) -> String {
    let (address, settings) = url.find('?').map_or((url, ""), |place| url.split_at(place));
    let (server, _) = address.rsplit_once('/').expect("KASIR_TEST_POSTGRES ends in /DATABASE");
    format!("{server}/{name}{settings}")
}

/// So many seconds after the beginning of the story.
pub(crate) fn at(second: i64) -> Time {
    DateTime::from_timestamp(1_767_225_600 + second, 0).unwrap()
}

pub(crate) fn rupiah(amount: i64) -> Rupiah {
    Rupiah::try_from(amount).unwrap()
}

pub(crate) const RENT: i64 = 1_500_000;

/// A house with one room, one tenant and one bill.
#[derive(Clone)]
pub(crate) struct House {
    pub(crate) db: Db,
    pub(crate) tenant: UserId,
    pub(crate) room: RoomId,
    pub(crate) bill: BillId,
}

impl House {
    pub(crate) async fn open(db: &Db) -> Self {
        let tenant = person(db, "budi@kost.test").await.unwrap();
        let room = rooms::insert(db, "A1", rupiah(RENT), at(0)).await.unwrap().unwrap();
        let mut house = Self { db: db.clone(), tenant, room, bill: BillId(0) };
        house.bill = house.bill_of(1).await;
        house
    }

    /// Writes the bill of that month of 2026.
    pub(crate) async fn bill_of(&self, month: u32) -> BillId {
        let period = Period::new(2026, month).unwrap();
        let new = bills::NewBill { tenant_id: self.tenant, room_id: self.room, period, amount: rupiah(RENT) };
        bills::insert(&self.db, &new, at(0)).await.unwrap().unwrap()
    }

    pub(crate) fn payment(&self, invoice: &str) -> NewPayment<'static> {
        NewPayment {
            invoice: Invoice::try_from(invoice).unwrap(),
            bill_id: self.bill,
            tenant_id: self.tenant,
            method: Method::Bca,
            amount: rupiah(RENT),
            payer_phone: None,
            supersedes: None,
            next_check_at: at(60),
        }
    }

    /// A live payment of the house's bill.
    pub(crate) async fn pays(&self, invoice: &str) -> Payment {
        self.makes(&self.payment(invoice)).await
    }

    /// A live payment in the place of another.
    pub(crate) async fn pays_instead(&self, invoice: &str, old: &Payment) -> Payment {
        self.makes(&NewPayment { supersedes: Some(old), ..self.payment(invoice) }).await
    }

    pub(crate) async fn makes(&self, new: &NewPayment<'_>) -> Payment {
        match creation::create(&self.db, new, |_| Vec::new(), at(1)).await.unwrap() {
            Creation::Made(payment, _) => *payment,
            other => panic!("{} is {other:?}", new.invoice),
        }
    }

    /// Moves a payment and gives it as it is then.
    pub(crate) async fn moves(&self, payment: &Payment, to: State) -> Payment {
        self.changes(&moves(payment, to)).await
    }

    pub(crate) async fn changes(&self, change: &Change<'_>) -> Payment {
        let (written, _) = payments::change(&self.db, change, at(10)).await.unwrap();
        assert_eq!(written, store::Written::Done);
        self.reads(change.payment.id).await
    }

    pub(crate) async fn reads(&self, id: PaymentId) -> Payment {
        payments::find(&self.db, id).await.unwrap().unwrap()
    }

    pub(crate) async fn bill_status(&self) -> BillStatus {
        bills::find(&self.db, self.bill).await.unwrap().unwrap().status
    }
}

pub(crate) async fn person(db: &Db, address: &str) -> Option<UserId> {
    let email = Email::try_from(address.to_owned()).unwrap();
    let password_hash = Secret::from("$argon2id$v=19$m=8,t=1,p=1$c2FsdA$aGFzaA");
    let new = people::NewPerson {
        email: &email,
        name: "Budi",
        role: Role::Tenant,
        rank: Rank::Owner,
        password_hash: &password_hash,
    };
    people::insert(db, &new, at(0)).await.unwrap()
}

pub(crate) const NOTHING_LEARNED: Learned =
    Learned { transaction_id: None, instruction: None, expires_at: None, settled_at: None };

/// A change that only moves the payment.
pub(crate) fn moves(payment: &Payment, to: State) -> Change<'_> {
    Change {
        payment,
        to,
        learned: &NOTHING_LEARNED,
        event: to.as_str(),
        source: Source::Poll,
        detail: "",
        finding: None,
        refunds: &[],
        checked: false,
        next_check_at: None,
        jobs: &[],
        completes: None,
    }
}

/// A job of this key, to be run at once.
pub(crate) fn job(key: &str) -> NewJob {
    NewJob {
        kind: "sync_payment",
        dedupe_key: key.to_owned(),
        once_key: None,
        payload: format!("{{\"key\":\"{key}\"}}"),
        payment_id: None,
        notification_id: None,
        run_at: at(0),
        is_news: true,
        max_attempts: 3,
        trace: None,
    }
}

/// Writes a job down, which nobody waits for yet.
pub(crate) async fn add(db: &Db, new: NewJob) -> JobId {
    let ids = ledger::add(db, &[new], at(0)).await.unwrap();
    assert_eq!(ids.len(), 1);
    ids[0]
}

pub(crate) const LEASE: Duration = Duration::from_secs(10);

/// No lease is too long.
pub(crate) const NEVER: Time = Time::MAX_UTC;

/// Claims a job for ten seconds.
pub(crate) async fn claim(db: &Db, job_id: JobId, token: &str, now: Time) -> Option<Claimed> {
    let claim = Claim { job_id, token: token.to_owned(), length: LEASE };
    ledger::claim(db, claim, now).await.unwrap()
}

/// Runs so many tasks, which all begin at the same moment.
pub(crate) async fn at_once<T, F>(tasks: usize, task: impl Fn(usize) -> F) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let start = Arc::new(Barrier::new(tasks));
    let spawn = |number| {
        let (start, task) = (Arc::clone(&start), task(number));
        tokio::spawn(async move {
            start.wait().await;
            task.await
        })
    };
    let running: Vec<_> = (0..tasks).map(spawn).collect();
    let mut ended = Vec::with_capacity(tasks);
    for task in running {
        ended.push(task.await.unwrap());
    }
    ended
}

/// Runs a statement past the store, as somebody with a database shell would.
pub(crate) async fn execute(db: &Db, sql: &'static str) -> Result<(), sqlx::Error> {
    match db {
        Db::Sqlite { writer, .. } => writer.execute(sql).await.map(drop),
        Db::Postgres(pool) => pool.execute(sql).await.map(drop),
    }
}

/// Reads one number past the store.
pub(crate) async fn number(db: &Db, sql: &'static str) -> i64 {
    match db {
        Db::Sqlite { readers, .. } => sqlx::query_scalar(sql).fetch_one(readers).await.unwrap(),
        Db::Postgres(pool) => sqlx::query_scalar(sql).fetch_one(&**pool).await.unwrap(),
    }
}

/// Reads one column of text past the store.
pub(crate) async fn texts(db: &Db, sql: &'static str) -> Vec<String> {
    match db {
        Db::Sqlite { readers, .. } => sqlx::query_scalar(sql).fetch_all(readers).await.unwrap(),
        Db::Postgres(pool) => sqlx::query_scalar(sql).fetch_all(&**pool).await.unwrap(),
    }
}
