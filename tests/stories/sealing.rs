//! What tells of people is encrypted at rest: keys come and go while people pay, and whoever asks is told and forgotten.

use domain::{Invoice, State};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, SqlSafeStr as _};
use store::audit::{self, Actor, By};
use store::rotation::{self, Mark, Part};
use store::{DataKey, Db, journal, keys, payments};

use crate::kost::{API_KEY, Kost, PASSWORD, Tenant, data_key};
use crate::log;
use crate::program::Program;

stories![
    no_name_and_no_number_stands_in_the_books,
    keys_change_while_people_pay,
    a_key_that_is_missing_stops_no_payment,
    an_instruction_of_another_payment_is_shown_to_nobody,
    a_tenant_is_told_everything_and_then_forgotten,
    nobody_is_forgotten_while_money_is_open,
];

impl Kost {
    /// The same house, started again with these keys.
    async fn with_keys(mut self, ring: &[(&str, u8)]) -> Self {
        self.program.stops_serving().await;
        self.program.ends();
        let key = |(id, byte): &(&str, u8)| DataKey::parse(&data_key(id, *byte)).unwrap();
        self.config.data_keys = ring.iter().map(key).collect();
        self.program = Program::start(self.config.clone(), &self.clock).await;
        self.sim.set_notification_url(Some(format!("{}/api/midtrans-notification", self.program.url)));
        self.db = self.program.db.clone();
        self
    }

    /// Budi, whom an admin has written down by REST, and whose telephone is known.
    async fn budi(&self, admin: &str) -> Tenant {
        let room = json!({ "code": "K1", "price": 1_250_000 });
        self.order(admin, "POST /api/admin/rooms", room).await;
        let arrival = json!({
            "email": "budi@kost.test", "name": "Budi Santoso", "phone": "+62811223344", "roomCode": "K1",
            "startDate": "2026-11-01", "password": PASSWORD,
        });
        let made = self.order(admin, "POST /api/admin/tenants", arrival).await;
        let tenant = self.tenant_of(&made).await;
        assert_eq!(tenant.email, "budi@kost.test");
        tenant
    }

    async fn tenant_of(&self, made: &Value) -> Tenant {
        let email = made["email"].as_str().unwrap().to_owned();
        let bills = self.send(self.request_of(&email, Method::GET, "/api/bills")).await.body;
        let id = domain::UserId(made["id"].as_i64().unwrap());
        let bill = domain::BillId(bills[0]["id"].as_i64().unwrap());
        Tenant { id, email, bill, room: domain::RoomId(1) }
    }

    /// Something that an admin wants, and gets.
    async fn order(&self, admin: &str, route: &str, body: Value) -> Value {
        let (method, path) = route.split_once(' ').unwrap();
        let method = method.parse::<Method>().unwrap();
        let request = self.request_of(admin, method, path).header("x-api-key", API_KEY);
        let answer = self.send(if body.is_null() { request } else { request.json(&body) }).await;
        assert!(answer.status.is_success(), "{route}: {} {}", answer.status, answer.body);
        answer.body
    }

    async fn shown(&self, tenant: &Tenant, invoice: &Invoice) -> Value {
        self.get(tenant, &format!("/api/payment/{invoice}")).await.body["payment"]["instruction"].clone()
    }

    async fn texts(&self, sql: String) -> Vec<String> {
        let sql = AssertSqlSafe(sql).into_sql_str();
        match &self.db {
            Db::Sqlite { readers, .. } => sqlx::query_scalar(sql).fetch_all(readers).await.unwrap(),
            Db::Postgres(pool) => sqlx::query_scalar(sql).fetch_all(&**pool).await.unwrap(),
        }
    }

    /// Every column of every row of every table, as somebody reads them who has stolen the database.
    async fn everything(&self) -> String {
        let mut all = Vec::new();
        for table in self.tables().await {
            // What the migrator keeps for itself are bytes.
            let columns = if table.starts_with('_') { Vec::new() } else { self.columns(&table).await };
            for column in columns {
                let sql = format!("SELECT COALESCE(CAST(\"{column}\" AS TEXT), '') FROM \"{table}\"");
                all.extend(self.texts(sql).await.into_iter().map(|text| format!("{table}.{column}: {text}")));
            }
        }
        assert!(all.len() > 100, "{all:#?}");
        all.join("\n")
    }

    async fn tables(&self) -> Vec<String> {
        let sql = match &self.db {
            Db::Sqlite { .. } => "SELECT name FROM sqlite_master WHERE type = 'table'",
            Db::Postgres(_) => {
                "SELECT CAST(table_name AS TEXT) FROM information_schema.tables WHERE table_schema = 'public'"
            }
        };
        self.texts(sql.to_owned()).await
    }

    async fn columns(&self, table: &str) -> Vec<String> {
        self.texts(match &self.db {
            Db::Sqlite { .. } => format!("SELECT name FROM pragma_table_info('{table}')"),
            Db::Postgres(_) => format!(
                "SELECT CAST(column_name AS TEXT) FROM information_schema.columns
                 WHERE table_schema = 'public' AND table_name = '{table}'"
            ),
        })
        .await
    }
}

fn assert_nowhere(text: &str, words: &[&str]) {
    for word in words {
        let found = text.lines().find(|line| line.contains(word)).map(|line| &line[..line.len().min(300)]);
        assert_eq!(found, None, "{word} is there");
    }
}

async fn rotate(db: &Db) -> u64 {
    let mut sealed = 0;
    for part in Part::ALL {
        let mut mark = Some(Mark::default());
        while let Some(after) = mark {
            let rotated = rotation::rotate(db, part, &after, 2).await.unwrap();
            assert!(rotated.stuck.is_empty(), "{:?}", rotated.stuck);
            (sealed, mark) = (sealed + rotated.sealed, rotated.next);
        }
    }
    sealed
}

async fn retire(kost: &Kost) -> Vec<String> {
    let actor = Actor { id: None, name: "kasir key rotate".to_owned() };
    rotation::retire(&kost.db, &By { actor: &actor, reason: None, now: kost.clock.now() }).await.unwrap()
}

async fn no_name_and_no_number_stands_in_the_books(kost: Kost) {
    let kost = kost.with_keys(&[("k1", 1)]).await;
    let sari = kost.admin("Sari").await;
    let budi = kost.budi(&sari).await;
    let invoice = kost.pay(&budi, "bca").await;
    kost.run_jobs().await;
    let shown = kost.shown(&budi, &invoice).await;
    let number = shown["number"].as_str().unwrap().to_owned();
    kost.sim.settle(invoice.as_str()).await.unwrap();
    kost.run_jobs().await;
    assert_eq!(kost.bill_status(&budi).await, "paid");
    let patch = json!({ "phone": "+62855667788" });
    kost.order(&sari, &format!("PATCH /api/admin/tenants/{}", budi.id), patch).await;
    assert_nowhere(
        &kost.everything().await,
        &["Budi", "Santoso", "budi@", "811223344", "855667788", &number, "\"va_number\""],
    );
    // Whoever may read it does.
    let listed = kost.order(&sari, "GET /api/admin/tenants", Value::Null).await;
    assert_eq!((&listed[0]["name"], &listed[0]["phone"]), (&json!("Budi Santoso"), &json!("+62855667788")));
    let deeds = kost.order(&sari, "GET /api/admin/audit?action=tenant.change", Value::Null).await;
    assert_eq!(deeds[0]["before"]["phone"], "+62811223344", "{deeds}");
    let evidence = format!("GET /api/admin/payments/{invoice}/evidence");
    let evidence = kost.order(&sari, &evidence, Value::Null).await;
    assert!(evidence.to_string().contains("va_number"), "{evidence}");
    kost.close().await;
}

async fn keys_change_while_people_pay(kost: Kost) {
    let kost = kost.with_keys(&[("k1", 1)]).await;
    let (budi, first) = kost.paying("Budi", "bca").await;
    let shown = kost.shown(&budi, &first).await;
    let siti = kost.tenant("Siti").await;
    // Everybody opens the new key before anybody seals under it.
    let kost = kost.with_keys(&[("k1", 1), ("k2", 2)]).await;
    let kost = kost.with_keys(&[("k2", 2), ("k1", 1)]).await;
    let paying = async {
        let second = kost.pay(&siti, "bni").await;
        kost.run_jobs().await;
        kost.sim.settle(second.as_str()).await.unwrap();
        kost.sim.settle(first.as_str()).await.unwrap();
        kost.run_jobs().await;
    };
    let rotating = async {
        let mut sealed = 0;
        for _ in 0..5 {
            sealed += rotate(&kost.db).await;
            tokio::task::yield_now().await;
        }
        sealed
    };
    let ((), sealed) = tokio::join!(paying, rotating);
    assert!(sealed >= 4, "{sealed}");
    rotate(&kost.db).await;
    assert_eq!((kost.bill_status(&budi).await, kost.bill_status(&siti).await), ("paid", "paid"));
    assert_eq!(retire(&kost).await, ["k1"]);
    // The old key is gone, and nobody notices.
    let kost = kost.with_keys(&[("k2", 2)]).await;
    assert_eq!(kost.shown(&budi, &first).await, shown);
    assert_eq!(kost.get(&siti, "/api/bills").await.body[0]["status"], "paid");
    assert!(!kost.everything().await.contains("x1.k1."));
    kost.close().await;
}

async fn a_key_that_is_missing_stops_no_payment(kost: Kost) {
    let kost = kost.with_keys(&[("k1", 1)]).await;
    let (budi, invoice) = kost.paying("Budi", "bca").await;
    let shown = kost.shown(&budi, &invoice).await;
    let kost = kost.with_keys(&[("k2", 2), ("k1", 1)]).await;
    let kost = kost.with_keys(&[("k2", 2)]).await;
    assert_eq!(keys::check(&kost.db).await.unwrap(), ["k1"]);
    // Who cannot be read cannot come in, and the log says which key is missing.
    assert_eq!(kost.get(&budi, "/api/bills").await.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(log::heard().contains("sealed under the key \"k1\""));
    assert_eq!(kost.payment(&invoice).await.instruction, None);
    // The notification is lost, and the poll finds the money.
    kost.sim.faults(|faults| faults.notifications.drop_all = true);
    kost.sim.settle(invoice.as_str()).await.unwrap();
    kost.pass(std::time::Duration::from_secs(61)).await;
    assert_eq!(kost.payment(&invoice).await.state, State::Paid);
    // The key is found, and everything is there again.
    let kost = kost.with_keys(&[("k2", 2), ("k1", 1)]).await;
    assert_eq!(kost.shown(&budi, &invoice).await, shown);
    assert_eq!(kost.get(&budi, "/api/bills").await.body[0]["status"], "paid");
    kost.close().await;
}

async fn an_instruction_of_another_payment_is_shown_to_nobody(kost: Kost) {
    let kost = kost.with_keys(&[("k1", 1)]).await;
    let (budi, of_budi) = kost.paying("Budi", "bca").await;
    let (siti, of_siti) = kost.paying("Siti", "bca").await;
    assert!(kost.shown(&budi, &of_budi).await["number"].is_string());
    kost.execute("UPDATE payments SET instruction = (SELECT instruction FROM payments ORDER BY id LIMIT 1)")
        .await;
    assert!(kost.shown(&budi, &of_budi).await["number"].is_string());
    assert_eq!(kost.shown(&siti, &of_siti).await, Value::Null);
    for invoice in [&of_budi, &of_siti] {
        kost.sim.settle(invoice.as_str()).await.unwrap();
    }
    kost.run_jobs().await;
    assert_eq!((kost.bill_status(&budi).await, kost.bill_status(&siti).await), ("paid", "paid"));
    kost.close().await;
}

/// In the embedded house without a key, on the servers with one.
async fn a_tenant_is_told_everything_and_then_forgotten(kost: Kost) {
    let sari = kost.admin("Sari").await;
    let budi = kost.budi(&sari).await;
    let invoice = kost.pay(&budi, "bca").await;
    kost.run_jobs().await;
    let number = kost.shown(&budi, &invoice).await["number"].as_str().unwrap().to_owned();
    kost.sim.settle(invoice.as_str()).await.unwrap();
    kost.run_jobs().await;
    let path = format!("/api/admin/tenants/{}", budi.id);
    let told = kost.order(&sari, &format!("GET {path}/export"), Value::Null).await;
    assert_eq!((&told["name"], &told["email"]), (&json!("Budi Santoso"), &json!("budi@kost.test")));
    assert_eq!((&told["phone"], &told["stays"][0]["roomCode"]), (&json!("+62811223344"), &json!("K1")));
    assert_eq!(told["bills"][0]["status"], "paid");
    assert_eq!(told["payments"][0]["instruction"]["number"], *number);
    let kinds: Vec<&str> = told["payments"][0]["entries"].as_array().unwrap().iter().map(kind).collect();
    for kind in ["asked", "told", "moved", "posted", "worked"] {
        assert!(kinds.contains(&kind), "{kind} is not among {kinds:?}");
    }
    assert_eq!(told["deeds"][0]["after"]["phone"], "+62811223344");

    let money = (journal::trial_balance(&kost.db).await.unwrap(), kost.life(&invoice).await);
    let why = json!({ "reason": "moved out and asked for it" });
    let erased = kost.order(&sari, &format!("POST {path}/erase"), why.clone()).await;
    assert_eq!(
        (&erased["again"], &erased["payments"], &erased["auditKept"]),
        (&json!(false), &json!(1), &json!(0))
    );
    assert_eq!(money, (journal::trial_balance(&kost.db).await.unwrap(), kost.life(&invoice).await));
    assert_eq!(kost.payment(&invoice).await.state, State::Paid);
    assert!(audit::verify(&kost.db).await.unwrap().broken_at.is_none());
    assert_nowhere(&kost.everything().await, &["Budi", "Santoso", "budi@", "811223344", &number]);
    assert_eq!(kost.get(&budi, "/api/bills").await.status, StatusCode::UNAUTHORIZED);

    let left = kost.order(&sari, &format!("GET {path}/export"), Value::Null).await;
    assert_eq!((&left["name"], &left["phone"]), (&json!("(erased)"), &Value::Null));
    assert_eq!(left["payments"][0]["amount"], 1_250_000);
    assert_nowhere(&left.to_string(), &["Budi", "811223344", &number]);
    let again = kost.order(&sari, &format!("POST {path}/erase"), why).await;
    assert_eq!((&again["again"], &again["notifications"]), (&json!(true), &json!(0)));
    kost.order(&sari, "GET /api/admin/bills", Value::Null).await;
    kost.close().await;
}

fn kind(entry: &Value) -> &str {
    entry["kind"].as_str().unwrap()
}

async fn nobody_is_forgotten_while_money_is_open(kost: Kost) {
    let sari = kost.admin("Sari").await;
    let budi = kost.tenant("Budi").await;
    let path = format!("/api/admin/tenants/{}/erase", budi.id);
    let tries = async |why: &str| {
        let request = kost.request_of(&sari, Method::POST, &path).json(&json!({ "reason": why }));
        let answer = kost.send(request).await;
        (answer.status, answer.body)
    };
    let (status, body) = tries("asked for it").await;
    assert_eq!((status, &body["detail"]), (StatusCode::CONFLICT, &json!("a bill is not paid")));
    assert_eq!(body["type"], "/problems/money-open");
    let invoice = kost.pay(&budi, "bca").await;
    kost.run_jobs().await;
    assert_eq!(tries("asked for it").await.1["detail"], "a payment is under way");
    kost.sim.settle(invoice.as_str()).await.unwrap();
    kost.run_jobs().await;
    assert_eq!(tries(" ").await.0, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(payments::find_by_invoice(&kost.db, &invoice).await.unwrap().unwrap().state, State::Paid);
    assert_eq!(tries("asked for it").await.0, StatusCode::OK);
    kost.close().await;
}
