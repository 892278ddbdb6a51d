//! A boarding house for one story: the real program over real HTTP, a clock that stands still, the simulator.

use std::sync::Mutex;
use std::time::Duration;

use clock::Clock;
use domain::{BillId, Email, Invoice, Payment, Period, Rank, Role, RoomId, Rupiah, Secret, State, UserId};
use kasir::config::Config;
use kasir::http::Passwords;
use midtrans_sim::{Options, Simulator, Status, TransactionView};
use queue::{Job as _, Pause, Sweep};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use sqlx::Connection as _;
use store::bills::NewBill;
use store::people::NewPerson;
use store::{Db, bills, findings, history, jobs, payments, people, rooms};

use crate::log;
use crate::post::{Hook, MAIL_PASSWORD, MailServer};
use crate::program::Program;
use crate::provider::{self, CLIENT_SECRET};

pub(crate) const SERVER_KEY: &str = "SB-Mid-server-stories-4711-hush";
const CLIENT_KEY: &str = "SB-Mid-client-stories-4712-hush";
pub(crate) const API_KEY: &str = "stories-front-end-key-hush";
const SECRET: &str = "stories-installation-secret-hush-0123456789";
pub(crate) const HOOK_SECRET: &str = "stories-webhook-secret-hush-0123456789";
pub(crate) const PASSWORD: &str = "correct horse hush";
/// Few places, so that a story can take them all; calls enough, because no bucket fills while the clock stands still.
const FILE: &str = "[gateway]\ntimeout_s = 2\ncalls_per_s = 1000\nburst = 10000\n\
    [limits]\nwaiting_requests = 3\nevent_streams = 3\n";
const HOW_TO_RUN: &str =
    "is not set: run `cargo xtask test`, or `cargo xtask servers -- cargo nextest run -p kasir`";

/// On what the house is built.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Setup {
    /// SQLite, jobs in memory.
    Embedded,
    /// PostgreSQL and Redis.
    Servers,
}

/// The house.
pub(crate) struct Kost {
    pub(crate) clock: Clock,
    pub(crate) db: Db,
    pub(crate) sim: Simulator,
    pub(crate) setup: Setup,
    pub(crate) program: Program,
    pub(crate) config: Config,
    client: reqwest::Client,
    said: Mutex<String>,
    closed: bool,
    _directory: tempfile::TempDir,
}

/// A tenant with one open bill.
#[derive(Clone)]
pub(crate) struct Tenant {
    pub(crate) id: UserId,
    pub(crate) email: String,
    pub(crate) bill: BillId,
    pub(crate) room: RoomId,
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Value,
    pub(crate) headers: reqwest::header::HeaderMap,
}

impl Kost {
    pub(crate) async fn open(setup: Setup) -> Self {
        Self::open_with(setup, &[]).await
    }

    /// The same with more in the environment of the program.
    pub(crate) async fn open_with(setup: Setup, more: &[(&'static str, &str)]) -> Self {
        Self::open_as(setup, more, FILE).await
    }

    /// The same house with cards that are only authorised.
    pub(crate) async fn that_authorizes(self) -> Self {
        let setup = self.setup;
        self.close().await;
        Self::open_as(setup, &[], &FILE.replace("[gateway]\n", "[gateway]\nauthorize_cards = true\n")).await
    }

    /// The same house, which makes six calls to the gateway at once and one a second.
    pub(crate) async fn that_calls_seldom(self) -> Self {
        let setup = self.setup;
        self.close().await;
        let file = FILE.replace("calls_per_s = 1000\nburst = 10000", "calls_per_s = 1\nburst = 6");
        Self::open_as(setup, &[], &file).await
    }

    /// The same house, which makes two calls a second, so that a sweep takes twenty polls.
    pub(crate) async fn that_polls_slowly(self) -> Self {
        let setup = self.setup;
        self.close().await;
        Self::open_as(setup, &[], &FILE.replace("calls_per_s = 1000", "calls_per_s = 2")).await
    }

    /// The same house, which sends reminders to these places; what a line of `[reminders]` sets is added.
    pub(crate) async fn that_reminds(self, (mail, hook): (&MailServer, &Hook), line: &str) -> Self {
        let setup = self.setup;
        self.close().await;
        let (mail, hook) = (mail.url(), hook.url());
        let env = [
            ("KASIR_SMTP_URL", mail.as_str()),
            ("KASIR_WEBHOOK_URL", hook.as_str()),
            ("KASIR_WEBHOOK_SECRET", HOOK_SECRET),
            ("KASIR_PUBLIC_URL", "http://kost.test"),
        ];
        let settings = "[reminders]\nfrom = \"Kost <kost@kost.test>\"\nwebhook_private = true\n";
        Self::open_as(setup, &env, &format!("{FILE}{settings}{line}\n")).await
    }

    /// The same house, whose admins may log in by this provider; `lines` stand in `[oidc]` besides.
    pub(crate) async fn that_trusts(self, issuer: &str, lines: &str) -> Self {
        let setup = self.setup;
        self.close().await;
        let env = [("KASIR_OIDC_CLIENT_SECRET", CLIENT_SECRET), ("KASIR_PUBLIC_URL", "http://kost.test")];
        let name = provider::CLIENT_ID;
        let settings = format!("[oidc]\nissuer = \"{issuer}\"\nclient_id = \"{name}\"\n{lines}");
        Self::open_as(setup, &env, &format!("{FILE}{settings}")).await
    }

    /// The same house with these limits besides.
    pub(crate) async fn with_limits(self, limits: &str) -> Self {
        let setup = self.setup;
        self.close().await;
        Self::open_as(setup, &[], &format!("{FILE}{limits}")).await
    }

    async fn open_as(setup: Setup, more: &[(&'static str, &str)], file: &str) -> Self {
        log::listen();
        let _installed = rustls::crypto::ring::default_provider().install_default();
        let directory = tempfile::tempdir().unwrap();
        let clock = Clock::manual("2026-11-24T03:00:00Z".parse().unwrap());
        let options = Options {
            server_key: SERVER_KEY.to_owned(),
            client_key: CLIENT_KEY.to_owned(),
            ..Options::local(clock.clone())
        };
        let sim = Simulator::start(options).await.unwrap();
        let mut env = environment(setup, &directory, sim.base_url(), &clock).await;
        env.splice(..0, more.iter().map(|(name, value)| (*name, (*value).to_owned())));
        let find = |name: &str| env.iter().find(|(key, _)| *key == name).map(|(_, value)| value.clone());
        let config = Config::from_parts(&find, file).unwrap();
        let program = Program::start(config.clone(), &clock).await;
        sim.set_notification_url(Some(format!("{}/api/midtrans-notification", program.url)));
        let client = midtrans::http_client(Duration::from_secs(5), Duration::from_secs(30)).unwrap();
        let (said, closed) = (Mutex::default(), false);
        Self {
            clock,
            db: program.db.clone(),
            sim,
            setup,
            program,
            config,
            client,
            said,
            closed,
            _directory: directory,
        }
    }

    /// What `kasir` says to an operator who types these words beside the books; `file` stands in `kasir.toml`.
    pub(crate) fn types(&self, words: &[&str], file: &str) -> String {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("kasir.toml"), file).unwrap();
        let ended = std::process::Command::new(env!("CARGO_BIN_EXE_kasir"))
            .args(words)
            .env_clear()
            .envs([("DATABASE_URL", self.config.database_url.expose()), ("KASIR_SECRET", SECRET)])
            .envs(file.contains("[oidc]").then_some(("KASIR_OIDC_CLIENT_SECRET", CLIENT_SECRET)))
            .envs((!self.config.data_keys.is_empty()).then(|| ("KASIR_DATA_KEYS", data_key("k1", 1))))
            .env("KASIR_PUBLIC_URL", "http://kost.test")
            .current_dir(directory.path())
            .output()
            .unwrap();
        let said = [ended.stdout, ended.stderr].map(|text| String::from_utf8(text).unwrap()).concat();
        self.said.lock().unwrap().push_str(&said);
        said
    }

    /// A tenant of this name, in a room of their own, with one open bill of Rp1.250.000.
    pub(crate) async fn tenant(&self, name: &str) -> Tenant {
        let now = self.clock.now();
        let id = self.person(name, (Role::Tenant, Rank::Owner)).await;
        let amount = Rupiah::try_from(1_250_000).unwrap();
        let room_id =
            rooms::insert(&self.db, &format!("room of {name}"), amount, now).await.unwrap().unwrap();
        assert!(rooms::move_in(&self.db, id, room_id, now.date_naive()).await.unwrap());
        let bill = self.bill(id, room_id, Period::new(2026, 11).unwrap()).await;
        Tenant { id, email: email_of(name), bill, room: room_id }
    }

    /// The same tenant with the bill of a later month: the first, the second and so on after the one in hand.
    pub(crate) async fn months_later(&self, tenant: &Tenant, months: u32) -> Tenant {
        let period = (0..months).fold(Period::new(2026, 11).unwrap(), |period, _| period.next().unwrap());
        Tenant { bill: self.bill(tenant.id, tenant.room, period).await, ..tenant.clone() }
    }

    async fn bill(&self, tenant_id: UserId, room_id: RoomId, period: Period) -> BillId {
        let new = NewBill { tenant_id, room_id, period, amount: Rupiah::try_from(1_250_000).unwrap() };
        bills::insert(&self.db, &new, self.clock.now()).await.unwrap().unwrap()
    }

    /// An admin of this name.
    pub(crate) async fn admin(&self, name: &str) -> String {
        self.admin_of(name, Rank::Owner).await
    }

    /// An admin of this name and rank.
    pub(crate) async fn admin_of(&self, name: &str, rank: Rank) -> String {
        self.person(name, (Role::Admin, rank)).await;
        email_of(name)
    }

    async fn person(&self, name: &str, (role, rank): (Role, Rank)) -> UserId {
        let passwords = Passwords::new(Secret::from(SECRET), self.clock.clone(), 1).unwrap();
        let password_hash = passwords.hash(&Secret::from(PASSWORD)).await.unwrap();
        let email = Email::try_from(email_of(name)).unwrap();
        let new = NewPerson { email: &email, name, role, rank, password_hash: &password_hash };
        people::insert(&self.db, &new, self.clock.now()).await.unwrap().unwrap()
    }

    /// A request without any credentials.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.program.url))
    }

    /// Posts this body to where the gateway posts its notifications.
    pub(crate) async fn notify(&self, body: impl Into<reqwest::Body>) -> Answer {
        self.send(self.request(Method::POST, "/api/midtrans-notification").body(body)).await
    }

    /// A request of this person.
    pub(crate) fn request_of(&self, email: &str, method: Method, path: &str) -> RequestBuilder {
        self.request(method, path).header("email", email).header("password", PASSWORD)
    }

    /// Sends, and remembers what was said, so that it can be searched for secrets.
    pub(crate) async fn send(&self, request: RequestBuilder) -> Answer {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await.unwrap();
        self.said.lock().unwrap().push_str(&format!("{status} {headers:?}\n{text}\n"));
        Answer { status, headers, body: serde_json::from_str(&text).unwrap_or(Value::String(text)) }
    }

    /// Sends, and keeps the answer to ourselves: it holds what its receiver alone may know.
    pub(crate) async fn send_privately(&self, request: RequestBuilder) -> Answer {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        Answer { status, headers, body: response.json().await.unwrap_or_default() }
    }

    pub(crate) async fn get(&self, tenant: &Tenant, path: &str) -> Answer {
        self.send(self.request_of(&tenant.email, Method::GET, path)).await
    }

    /// `POST /api/bills/{id}/pay`.
    pub(crate) async fn try_pay(&self, tenant: &Tenant, method: &str) -> Answer {
        self.try_pay_by(tenant, &json!({ "payment": method })).await
    }

    /// The same with everything that the body may say.
    pub(crate) async fn try_pay_by(&self, tenant: &Tenant, wish: &Value) -> Answer {
        let path = format!("/api/bills/{}/pay", tenant.bill);
        let request = self.request_of(&tenant.email, Method::POST, &path).header("x-api-key", API_KEY);
        self.send(request.json(wish)).await
    }

    /// The same, and it works: the invoice.
    pub(crate) async fn pay(&self, tenant: &Tenant, method: &str) -> Invoice {
        let answer = self.try_pay(tenant, method).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
        assert_eq!(answer.body["status"], "pending");
        Invoice::try_from(answer.body["invoice"].as_str().unwrap()).unwrap()
    }

    /// A tenant of this name, who pays by this method; the charge is made.
    pub(crate) async fn paying(&self, name: &str, method: &str) -> (Tenant, Invoice) {
        let tenant = self.tenant(name).await;
        let invoice = self.pay(&tenant, method).await;
        self.run_jobs().await;
        (tenant, invoice)
    }

    /// The tenant owes another amount than usual.
    pub(crate) async fn owes(&self, tenant: &Tenant, amount: i64) {
        let sql = "UPDATE bills SET amount = $1 WHERE id = $2";
        match &self.db {
            Db::Sqlite { writer, .. } => {
                sqlx::query(sql).bind(amount).bind(tenant.bill.0).execute(writer).await.map(drop)
            }
            Db::Postgres(pool) => {
                sqlx::query(sql).bind(amount).bind(tenant.bill.0).execute(&**pool).await.map(drop)
            }
        }
        .unwrap();
    }

    /// Lets all that is due be done: jobs, notifications on their way, and what these bring about.
    pub(crate) async fn run_jobs(&self) {
        loop {
            let before = self.sim.notifications_sent().len();
            self.sim.wait_until_delivered().await.unwrap();
            self.program.force.drain().await.unwrap();
            self.sim.wait_until_delivered().await.unwrap();
            if self.sim.notifications_sent().len() == before {
                return;
            }
        }
    }

    /// Time passes; what the simulator and the schedule have to do meanwhile is done.
    pub(crate) async fn pass(&self, time: Duration) {
        self.clock.advance(time);
        self.sim.deliver_due().await.unwrap();
        let now = self.clock.now();
        let sweep = Sweep { slot: queue::sweep_slot(now) }.new_job(now);
        self.program.queue.enqueue(&[sweep]).await.unwrap();
        self.run_jobs().await;
    }

    /// A scheduler like those of the program, which begins with the slot of the month.
    pub(crate) async fn scheduler(&self) -> workers::Scheduler {
        workers::Scheduler::start(self.program.queue.clone(), self.clock.clone()).await.unwrap()
    }

    /// Asks for the bills of the month, as each scheduler does at its start and each night.
    pub(crate) async fn ask_for_rent(&self) {
        let slot = queue::rent_slot(self.clock.now()).unwrap();
        self.program.queue.enqueue(&[slot]).await.unwrap();
        self.run_jobs().await;
    }

    /// Asks for the comparison of the night, as each scheduler does.
    pub(crate) async fn ask_for_the_night(&self) {
        let night = queue::SCHEDULE.iter().find(|line| line.name == "reconcile").unwrap();
        let slot = night.slot(self.clock.now()).unwrap();
        self.program.queue.enqueue(&[slot]).await.unwrap();
    }

    /// Has the gateway asked about this payment, as an operator would.
    pub(crate) async fn sync(&self, invoice: &Invoice) {
        let (payment_id, reason) = (self.payment(invoice).await.id, queue::Reason::Operator);
        let job = queue::SyncPayment { payment_id, reason }.new_job(self.clock.now());
        self.program.queue.enqueue(&[job]).await.unwrap();
        self.run_jobs().await;
    }

    pub(crate) async fn payment(&self, invoice: &Invoice) -> Payment {
        payments::find_by_invoice(&self.db, invoice).await.unwrap().unwrap()
    }

    /// Writes into the books that the payment expired, as if an answer of the gateway had said so.
    pub(crate) async fn believe_expired(&self, payment: &Payment) {
        let change = payments::Change {
            payment,
            to: State::Failed(domain::Failure::Expired),
            learned: &domain::Learned::default(),
            event: "expired",
            source: history::Source::Poll,
            detail: "",
            finding: None,
            refunds: &[],
            checked: true,
            next_check_at: Some(payment.deadline() + chrono::TimeDelta::minutes(15)),
            jobs: &[],
            completes: None,
        };
        let (written, _) = payments::change(&self.db, &change, self.clock.now()).await.unwrap();
        assert_eq!(written, store::Written::Done);
    }

    pub(crate) async fn bill_status(&self, tenant: &Tenant) -> &'static str {
        bills::find(&self.db, tenant.bill).await.unwrap().unwrap().status.as_str()
    }

    /// The states that a payment went through.
    pub(crate) async fn life(&self, invoice: &Invoice) -> Vec<String> {
        let payment = self.payment(invoice).await;
        let rows = history::of_payment(&self.db, payment.id).await.unwrap();
        rows.into_iter().map(|row| row.to_state).collect()
    }

    /// The kinds of the findings, oldest first.
    pub(crate) async fn findings(&self) -> Vec<&'static str> {
        let newest = findings::newest(&self.db, 100).await.unwrap();
        newest.iter().rev().map(|finding| finding.kind.as_str()).collect()
    }

    /// The gateway's one transaction of this invoice.
    pub(crate) fn transaction(&self, invoice: &Invoice) -> TransactionView {
        let all = self.sim.transactions_of(invoice.as_str());
        assert_eq!(all.len(), 1, "the gateway has {} transactions of {invoice}", all.len());
        all.into_iter().next().unwrap()
    }

    /// No job begins until the pause is dropped.
    pub(crate) async fn hold_jobs(&self) -> Pause {
        self.program.force.pause().await.unwrap()
    }

    /// The service stops, as it does at SIGTERM: what runs ends first, and that takes no time.
    pub(crate) async fn stops_serving(&self) {
        self.program.stops_serving().await;
    }

    /// A client of the gateway like the program's own.
    pub(crate) fn gateway(&self) -> midtrans::Midtrans {
        let timeout = Duration::from_secs(5);
        let settings = midtrans::Settings {
            base_url: self.sim.base_url().to_owned(),
            page_url: self.sim.base_url().to_owned(),
            server_key: Secret::from(SERVER_KEY),
            connect_timeout: timeout,
            timeout,
        };
        midtrans::Midtrans::new(settings).unwrap()
    }

    /// Runs a statement past the store, as somebody with a database shell would.
    pub(crate) async fn execute(&self, sql: &str) {
        let sql = sqlx::AssertSqlSafe(sql.to_owned());
        match &self.db {
            Db::Sqlite { writer, .. } => sqlx::query(sql).execute(writer).await.map(drop),
            Db::Postgres(pool) => sqlx::query(sql).execute(&**pool).await.map(drop),
        }
        .unwrap();
    }

    /// Makes a transaction at the gateway under our order id, as if somebody else had.
    pub(crate) async fn charge_behind_our_back(&self, invoice: &Invoice, amount: i64) {
        let charge = midtrans::Charge {
            invoice: invoice.clone(),
            method: domain::Method::Bca,
            amount: Rupiah::try_from(amount).unwrap(),
            item: "something else".to_owned(),
            customer: None,
            valid_for: None,
            idempotent: false,
            payer_phone: None,
            authorize_only: false,
        };
        self.gateway().charge(&charge).await.unwrap();
    }

    /// Ends the story: nothing is left to do, the books agree with the gateway's, and no secret was told.
    pub(crate) async fn close(mut self) {
        self.closed = true;
        self.run_jobs().await;
        let drifted = store::journal::drifted(&self.db, 10).await.unwrap();
        assert!(drifted.is_empty(), "the journal does not say what the payments say: {drifted:?}");
        let dead = jobs::in_state(&self.db, "dead", 10).await.unwrap();
        assert!(dead.is_empty(), "dead jobs: {dead:#?}");
        for transaction in self.sim.transactions() {
            self.assert_books_agree(&transaction).await;
        }
        let spoken = format!("{}\n{}", self.said.lock().unwrap(), log::heard());
        let key = data_key("k1", 1);
        let (_, key) = key.split_once(':').unwrap();
        let all = [
            SERVER_KEY,
            CLIENT_KEY,
            API_KEY,
            SECRET,
            PASSWORD,
            HOOK_SECRET,
            MAIL_PASSWORD,
            CLIENT_SECRET,
            key,
        ];
        for secret in all {
            assert!(!spoken.contains(secret), "a secret was told: {}", around(&spoken, secret));
        }
        self.program.ends();
    }

    async fn assert_books_agree(&self, transaction: &TransactionView) {
        let Ok(invoice) = Invoice::try_from(transaction.order_id.as_str()) else { return };
        let Some(payment) = payments::find_by_invoice(&self.db, &invoice).await.unwrap() else { return };
        if transaction.amount != payment.amount.get() {
            assert!(!payment.state.holds_money(), "{invoice} is booked with another amount");
            return;
        }
        let agrees = match transaction.status {
            // Each try on the hosted page is a transaction; the one that says the most counts.
            _ if !self.says_the_most(transaction) => true,
            Status::Settlement | Status::PartialChargeback => payment.state == State::Paid,
            Status::Pending => matches!(payment.state, State::Pending),
            // On the page another try may follow.
            Status::Deny | Status::Cancel | Status::Expire | Status::Failure => {
                matches!(payment.state, State::Failed(_))
                    || (payment.method.is_on_a_page() && payment.state == State::Pending)
            }
            Status::Refund => payment.state == State::Refunded,
            Status::PartialRefund => matches!(payment.state, State::PartiallyRefunded { .. }),
            Status::Chargeback => payment.state == State::ChargedBack,
            Status::Authorize => payment.state == State::Review,
            Status::Capture if transaction.fraud_status.as_deref() == Some("challenge") => {
                payment.state == State::Review
            }
            Status::Capture => payment.state == State::Paid,
            // A word that nobody knows changes nothing.
            Status::Other => true,
        };
        assert!(
            agrees,
            "{invoice}: the gateway says {}, the books say {:?}",
            transaction.status, payment.state
        );
    }

    fn says_the_most(&self, transaction: &TransactionView) -> bool {
        let tries = self.sim.transactions_of(&transaction.order_id);
        let paid = |one: &TransactionView| matches!(one.status, Status::Capture | Status::Settlement);
        match tries.iter().find(|one| paid(one)) {
            Some(money) => money.transaction_id == transaction.transaction_id,
            None => tries.last().is_some_and(|latest| latest.transaction_id == transaction.transaction_id),
        }
    }
}

impl Drop for Kost {
    fn drop(&mut self) {
        assert!(self.closed || std::thread::panicking(), "a story ends with kost.close().await");
    }
}

/// Text around a secret that was told, with the secret blacked out.
fn around(spoken: &str, secret: &str) -> String {
    let at = spoken.find(secret).unwrap_or_default();
    let start = spoken[..at].char_indices().rev().nth(200).map_or(0, |(place, _)| place);
    format!("…{}[secret]", &spoken[start..at])
}

fn email_of(name: &str) -> String {
    format!("{}@kost.test", name.to_lowercase())
}

async fn environment(
    setup: Setup,
    directory: &tempfile::TempDir,
    gateway: &str,
    clock: &Clock,
) -> Vec<(&'static str, String)> {
    let mut env = vec![
        ("MIDTRANS_SERVER_KEY", SERVER_KEY.to_owned()),
        ("MIDTRANS_CLIENT_KEY", CLIENT_KEY.to_owned()),
        ("MIDTRANS_BASE_URL", gateway.to_owned()),
        ("API_KEYS", format!("stories={API_KEY}")),
        ("KASIR_SECRET", SECRET.to_owned()),
        ("KASIR_ADDR", "127.0.0.1:0".to_owned()),
    ];
    match setup {
        Setup::Embedded => {
            env.push(("DATABASE_URL", format!("sqlite://{}", directory.path().join("kasir.db").display())));
        }
        Setup::Servers => {
            let name = format!("kasir_story_{}", hex::encode(clock.random::<8>()));
            env.push(("DATABASE_URL", fresh_database(&name).await));
            let redis =
                std::env::var("KASIR_TEST_REDIS").unwrap_or_else(|_| panic!("KASIR_TEST_REDIS {HOW_TO_RUN}"));
            env.push(("REDIS_URL", redis));
            // Every story is told with personal data in plain text, and encrypted.
            env.push(("KASIR_DATA_KEYS", data_key("k1", 1)));
            env.push(("KASIR_REDIS_NAMESPACE", name));
        }
    }
    env
}

/// A key for personal data.
pub(crate) fn data_key(id: &str, byte: u8) -> String {
    store::DataKey::text(id, [byte; 32]).expose().to_owned()
}

async fn fresh_database(name: &str) -> String {
    let server =
        std::env::var("KASIR_TEST_POSTGRES").unwrap_or_else(|_| panic!("KASIR_TEST_POSTGRES {HOW_TO_RUN}"));
    let mut connection = sqlx::PgConnection::connect(&server).await.unwrap();
    let statement = sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"));
    sqlx::raw_sql(statement).execute(&mut connection).await.unwrap();
    let (host, _) = server.rsplit_once('/').unwrap();
    format!("{host}/{name}")
}
