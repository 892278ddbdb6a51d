//! A house whose program can be killed at any moment: it runs on a runtime of its own, and the simulator on another.

use std::time::Duration;

use clock::Clock;
use domain::{BillId, Email, Invoice, Payment, Period, Rank, Role, Rupiah, Secret, UserId};
use kasir::config::Config;
use kasir::http::Passwords;
use midtrans_sim::{Options, Simulator};
use queue::{Job as _, Sweep};
use reqwest::{Client, Method as Verb, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use store::bills::NewBill;
use store::people::NewPerson;
use store::{bills, jobs, payments, people, rooms};
use tokio::runtime::{Builder, Runtime};

use crate::bill::{AMOUNT, Answers, Notices};
use crate::program::Program;

pub(crate) const SERVER_KEY: &str = "SB-Mid-server-model";
const API_KEY: &str = "the-key-of-the-models-front-end";
const SECRET: &str = "the-secret-of-the-models-installation-0123456789";
const PASSWORD: &str = "correct horse";
/// Everything lives for a day, so that time may pass in each step; a lost notification is found within five minutes.
const FILE: &str = "[gateway]\ntimeout_s = 2\ncalls_per_s = 1000\nburst = 10000\n[schedule]\nafter_charge_min = [1, 3, 5]\nevery_min = 5\n\
    [methods.gopay]\nvalid_for_min = 1440\n[methods.card]\nvalid_for_min = 1440\n";
/// A killed program's leases have ended by then.
const LEASES_END: Duration = Duration::from_secs(11);

/// The house.
pub(crate) struct House {
    pub(crate) sim: Simulator,
    clock: Clock,
    client: Client,
    config: Config,
    /// `None` while it is dead.
    running: Option<(Runtime, Program)>,
    tenants: Vec<(String, BillId)>,
    /// Where the simulator and whoever asks live; the last to be dropped.
    pub(crate) outside: Runtime,
    _directory: tempfile::TempDir,
}

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

impl House {
    pub(crate) fn open() -> Self {
        let _installed = rustls::crypto::ring::default_provider().install_default();
        let directory = tempfile::tempdir().unwrap();
        let clock = Clock::manual("2026-11-24T03:00:00Z".parse().unwrap());
        let outside = runtime();
        let options = Options { server_key: SERVER_KEY.to_owned(), ..Options::local(clock.clone()) };
        let sim = outside.block_on(Simulator::start(options)).unwrap();
        let env = [
            ("MIDTRANS_SERVER_KEY", SERVER_KEY.to_owned()),
            ("MIDTRANS_BASE_URL", sim.base_url().to_owned()),
            ("API_KEYS", format!("model={API_KEY}")),
            ("KASIR_SECRET", SECRET.to_owned()),
            ("KASIR_ADDR", "127.0.0.1:0".to_owned()),
            ("DATABASE_URL", format!("sqlite://{}", directory.path().join("kasir.db").display())),
        ];
        let find = |name: &str| env.iter().find(|(key, _)| *key == name).map(|(_, value)| value.clone());
        let config = Config::from_parts(&find, FILE).unwrap();
        let client = midtrans::http_client(Duration::from_secs(5), Duration::from_secs(30)).unwrap();
        let mut house = Self {
            sim,
            clock,
            client,
            config,
            running: None,
            tenants: Vec::new(),
            outside,
            _directory: directory,
        };
        house.start();
        house.person("sari@kost.test", Role::Admin);
        house.next_tenant();
        house
    }

    /// Starts the program, which finds what it left behind.
    pub(crate) fn start(&mut self) {
        let inside = runtime();
        let program = inside.block_on(Program::start(self.config.clone(), &self.clock));
        // The gateway goes on with the URL that it knows.
        self.config.addr = program.url.trim_start_matches("http://").parse().unwrap();
        self.sim.set_notification_url(Some(format!("{}/api/midtrans-notification", program.url)));
        self.running = Some((inside, program));
    }

    /// Kills the program at whatever it awaits, and starts it again.
    pub(crate) fn crash(&mut self) {
        if let Some((inside, program)) = self.running.take() {
            drop(program);
            inside.shutdown_timeout(Duration::from_secs(5));
        }
        self.sim.faults(|faults| faults.api = midtrans_sim::ApiFaults::default());
        self.clock.advance(LEASES_END);
        self.start();
    }

    /// The program stops as it does at SIGTERM.
    pub(crate) fn close(self) {
        self.outside.block_on(self.program().stops_serving());
        self.program().ends();
    }

    pub(crate) fn program(&self) -> &Program {
        &self.running.as_ref().unwrap().1
    }

    fn person(&self, address: &str, role: Role) -> UserId {
        let db = &self.program().db;
        self.outside.block_on(async {
            let passwords = Passwords::new(Secret::from(SECRET), self.clock.clone(), 1).unwrap();
            let password_hash = passwords.hash(&Secret::from(PASSWORD)).await.unwrap();
            let email = Email::try_from(address.to_owned()).unwrap();
            let new = NewPerson {
                email: &email,
                name: address,
                role,
                rank: Rank::Owner,
                password_hash: &password_hash,
            };
            people::insert(db, &new, self.clock.now()).await.unwrap().unwrap()
        })
    }

    /// Another tenant, in a room of their own, with a bill.
    pub(crate) fn next_tenant(&mut self) {
        let address = format!("tenant{}@kost.test", self.tenants.len());
        let tenant_id = self.person(&address, Role::Tenant);
        let (db, now) = (&self.program().db, self.clock.now());
        let amount = Rupiah::try_from(AMOUNT).unwrap();
        let bill = self.outside.block_on(async {
            let room = format!("room of {address}");
            let room_id = rooms::insert(db, &room, amount, now).await.unwrap().unwrap();
            assert!(rooms::move_in(db, tenant_id, room_id, now.date_naive()).await.unwrap());
            let period = Period::new(2026, 11).unwrap();
            bills::insert(db, &NewBill { tenant_id, room_id, period, amount }, now).await.unwrap().unwrap()
        });
        self.tenants.push((address, bill));
    }

    pub(crate) fn bill(&self) -> BillId {
        self.tenants.last().unwrap().1
    }

    fn request(&self, verb: Verb, path: &str) -> RequestBuilder {
        self.client.request(verb, format!("{}{path}", self.program().url))
    }

    fn as_person(&self, address: &str, verb: Verb, path: &str) -> RequestBuilder {
        self.request(verb, path).header("email", address).header("password", PASSWORD)
    }

    fn send(&self, request: RequestBuilder) -> StatusCode {
        self.outside.block_on(async { request.send().await.unwrap().status() })
    }

    /// The tenant pays, so many times at once; every answer.
    pub(crate) fn pay(&self, method: &str, times: usize) -> Vec<StatusCode> {
        let (address, bill) = self.tenants.last().unwrap();
        let wish = || {
            let path = format!("/api/bills/{bill}/pay");
            let request = self.as_person(address, Verb::POST, &path).header("x-api-key", API_KEY);
            let request = request.json(&json!({ "payment": method }));
            async { request.send().await.unwrap().status() }
        };
        self.outside.block_on(futures::future::join_all((0..times).map(|_| wish())))
    }

    pub(crate) fn give_up(&self, invoice: &Invoice) -> StatusCode {
        let (address, _) = self.tenants.last().unwrap();
        self.send(self.as_person(address, Verb::POST, &format!("/api/payment/{invoice}/cancel")))
    }

    pub(crate) fn refund(&self, invoice: &Invoice, amount: i64) -> StatusCode {
        let path = format!("/api/admin/payments/{invoice}/refund");
        let wish = json!({ "amount": amount, "reason": "the model wants it" });
        self.send(self.as_person("sari@kost.test", Verb::POST, &path).json(&wish))
    }

    pub(crate) fn notify(&self, body: &Value) -> StatusCode {
        self.send(self.request(Verb::POST, "/api/midtrans-notification").json(body))
    }

    pub(crate) fn payments(&self) -> Vec<Payment> {
        self.outside.block_on(payments::of_bill(&self.program().db, self.bill())).unwrap()
    }

    /// Lets the weather be like that from now on.
    pub(crate) fn weather(&self, notices: Notices, answers: Answers) {
        self.sim.faults(|faults| {
            faults.reset();
            match notices {
                Notices::Fine => {}
                Notices::Lost => faults.notifications.drop_all = true,
                Notices::Doubled => faults.notifications.copies = 2,
                Notices::Shuffled => faults.notifications.shuffle = true,
                Notices::Late => faults.notifications.delay_ms = 10 * 60 * 1000,
            }
            match answers {
                Answers::Fine => {}
                Answers::Cut => faults.lose_charge_answers(1, midtrans_sim::Loss::Cut),
                Answers::Trouble(kind, n) => {
                    faults.fail_next(n, serde_json::from_value(json!(kind)).unwrap());
                }
            }
        });
    }

    /// All that is due is done: notifications on their way, jobs, and what these bring about.
    pub(crate) fn work(&self) {
        self.outside.block_on(async {
            loop {
                let before = self.sim.notifications_sent().len();
                self.sim.wait_until_delivered().await.unwrap();
                self.program().force.drain().await.unwrap();
                self.sim.wait_until_delivered().await.unwrap();
                if self.sim.notifications_sent().len() == before {
                    return;
                }
            }
        });
    }

    /// Works until the gateway was asked something, or there is nothing to do.
    pub(crate) fn work_until_asked(&self, before: usize) {
        self.outside.block_on(async {
            let asked = async {
                while self.sim.calls().len() == before {
                    tokio::task::yield_now().await;
                }
            };
            tokio::select! {
                () = asked => {}
                drained = self.program().force.drain() => drained.unwrap(),
            }
        });
    }

    /// Time passes, and what is due by then is done.
    pub(crate) fn pass(&self, time: Duration) {
        self.clock.advance(time);
        let now = self.clock.now();
        self.outside.block_on(async {
            self.sim.deliver_due().await.unwrap();
            let sweep = Sweep { slot: queue::sweep_slot(now) }.new_job(now);
            self.program().queue.enqueue(&[sweep]).await.unwrap();
        });
        self.work();
    }

    /// The weather is fine again, and everything comes to rest.
    pub(crate) fn rest(&self) {
        self.sim.faults(midtrans_sim::Faults::reset);
        self.sim.release_notifications();
        self.work();
        for minutes in [1, 1, 5] {
            self.pass(Duration::from_secs(minutes * 60 + 1));
        }
        for _ in 0..20 {
            let waiting = self.outside.block_on(jobs::in_state(&self.program().db, "ready", 10)).unwrap();
            if waiting.is_empty() {
                return;
            }
            self.pass(Duration::from_secs(61));
        }
        panic!("jobs still wait after twenty minutes of fine weather");
    }
}
