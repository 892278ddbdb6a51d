//! The gateway's statements: a month of five thousand payments, of which those that differ are told and no others.

use std::collections::BTreeMap;
use std::io::Cursor;

use domain::{Invoice, State};
use kasir::importing::{self, ImportError, Options, Report, Upload};
use midtrans::export::Limits;
use store::audit::{Actor, By};
use store::comparing::Sums;
use store::{Db, findings, journal};

use crate::kost::Kost;
use crate::month::{Month, PAYMENTS};

stories![
    a_month_of_payments_is_compared_and_only_what_differs_is_told,
    a_file_that_is_broken_imports_nothing
];

/// The month was long ago when it is compared; the last payouts are of November.
const TABLES: [&str; 9] = [
    "statements",
    "statement_lines",
    "postings",
    "findings",
    "jobs",
    "audit",
    "payments",
    "payment_history",
    "notifications",
];

async fn import(kost: &Kost, files: &[(&str, String)], dry_run: bool) -> Result<Report, ImportError> {
    let upload = |(name, text): &(&str, String)| Upload {
        name: (*name).to_owned(),
        reader: Cursor::new(text.clone().into_bytes()),
    };
    let actor = Actor { id: None, name: "kasir import".to_owned() };
    let by = By { actor: &actor, reason: None, now: kost.clock.now() };
    let options = Options { payout_days: 3, dry_run, limits: Limits::default(), progress: &|_, _| {} };
    importing::import(&kost.db, files.iter().map(upload).collect(), &options, &by).await
}

async fn number(db: &Db, sql: String) -> i64 {
    let sql = sqlx::AssertSqlSafe(sql);
    match db {
        Db::Sqlite { readers, .. } => sqlx::query_scalar(sql).fetch_one(readers).await,
        Db::Postgres(pool) => sqlx::query_scalar(sql).fetch_one(&**pool).await,
    }
    .unwrap()
}

/// How many rows each table has, and the versions of all payments.
async fn rows(kost: &Kost) -> Vec<i64> {
    let mut rows = Vec::new();
    for table in TABLES {
        rows.push(number(&kost.db, format!("SELECT count(*) FROM {table}")).await);
    }
    rows.push(
        number(&kost.db, "SELECT CAST(COALESCE(sum(version), 0) AS BIGINT) FROM payments".to_owned()).await,
    );
    rows
}

/// For each order that differs, how, and in what.
fn told(report: &Report) -> BTreeMap<String, (&'static str, &'static str)> {
    let told: BTreeMap<_, _> =
        report.differences.iter().map(|one| (one.order.clone(), (one.outcome.as_str(), one.point))).collect();
    assert_eq!(told.len(), report.differences.len(), "an order is told twice");
    told
}

/// How many findings there are of each kind.
async fn found(kost: &Kost) -> BTreeMap<&'static str, usize> {
    let mut kinds = BTreeMap::new();
    for finding in findings::newest(&kost.db, 1_000).await.unwrap() {
        *kinds.entry(finding.kind.as_str()).or_default() += 1;
    }
    kinds
}

/// What lies on the accounts that only statements fill; all accounts together sum to zero.
async fn balances(kost: &Kost) -> Sums {
    let all = journal::trial_balance(&kost.db).await.unwrap();
    assert_eq!(all.iter().map(journal::Balance::net).sum::<i64>(), 0);
    let of = |name: &str| all.iter().find(|one| one.account.as_str() == name).unwrap().net();
    Sums { fees: of("fees"), vat: of("vat"), payouts: of("bank") }
}

/// Three payments that wait for their payers in our books and were settled at the gateway, which told nobody.
async fn settled_unheard(kost: &Kost, month: &mut Month) -> Vec<Invoice> {
    let mut invoices = Vec::new();
    for name in ["Budi", "Siti", "Agus"] {
        let (_, invoice) = kost.paying(name, "bca").await;
        invoices.push(invoice);
    }
    kost.sim.set_notification_url(None);
    for invoice in &invoices {
        kost.sim.settle(invoice.as_str()).await.unwrap();
        month.settled_there((invoice.as_str(), 1_250_000), kost.clock.now());
    }
    invoices
}

async fn a_month_of_payments_is_compared_and_only_what_differs_is_told(kost: Kost) {
    let mut month = Month::write(&kost.tenant("Dewi").await);
    month.keep_books(&kost.db).await;
    let settled = settled_unheard(&kost, &mut month).await;
    let (files, before) = (month.files(), rows(&kost).await);

    let rehearsed = import(&kost, &files, true).await.unwrap();
    assert_eq!(rows(&kost).await, before, "a rehearsal writes nothing");

    let report = import(&kost, &files, false).await.unwrap();
    assert_eq!(told(&report), month.planted);
    assert_eq!((&rehearsed.differences, rehearsed.posted), (&report.differences, report.posted));
    let lines: u64 = report.files.iter().map(|file| file.new).sum();
    assert_eq!(usize::try_from(lines).unwrap(), month.lines());
    let counts = report.counts;
    assert_eq!((counts.over, counts.under, counts.missing), (9, 3, 9));
    assert_eq!((counts.manual, counts.reversed), (18, month.reversed));
    // Those of October, the last of September, and the three of today.
    let ours = u64::try_from(PAYMENTS).unwrap() + 4;
    assert_eq!(counts.matched + 9 + 3 + 9 + 15 + month.reversed, ours);

    for finding in findings::newest(&kost.db, 1_000).await.unwrap() {
        let names_its_order = month.planted.keys().any(|order| finding.detail.contains(order.as_str()));
        assert!(finding.invoice.is_some() || names_its_order, "about what? {}", finding.detail);
    }
    let kinds =
        [("amount_mismatch", 12), ("missing_payout", 9), ("status_conflict", 15), ("unknown_order", 3)];
    assert_eq!(found(&kost).await, kinds.into_iter().collect());
    assert_eq!(report.posted, month.sums);
    assert_eq!(balances(&kost).await, month.sums);
    assert_eq!(journal::drifted(&kost.db, 10).await.unwrap(), []);
    let asked = "SELECT count(*) FROM jobs WHERE kind = 'sync_payment' AND state = 'ready'".to_owned();
    assert_eq!(number(&kost.db, asked).await, month.behind);
    assert_eq!(kost.payment(&settled[0]).await.state, State::Pending, "a statement changes no payment");

    let after = rows(&kost).await;
    for files in [&files[..], &files[2..], &files[..1]] {
        let again = import(&kost, files, false).await.unwrap();
        assert_eq!(again.files.iter().map(|file| file.new).sum::<u64>(), 0);
        assert_eq!((told(&again), again.posted), (month.planted.clone(), Sums::default()));
        assert_eq!(rows(&kost).await, after, "importing again changes nothing");
    }

    // The gateway is asked, and what it says is believed.
    kost.run_jobs().await;
    for invoice in &settled {
        assert_eq!(kost.payment(invoice).await.state, State::Paid);
        month.planted.remove(invoice.as_str());
    }
    assert_eq!(told(&import(&kost, &files, false).await.unwrap()), month.planted);
    kost.close().await;
}

async fn a_file_that_is_broken_imports_nothing(kost: Kost) {
    let month = Month::write(&kost.tenant("Dewi").await);
    let [transactions, balance, (name, payouts)] = month.files();
    let before = rows(&kost).await;
    for (broken, why) in [
        (
            payouts.replacen("Rp ", "about ", 1),
            "payouts.csv: 1 row(s) cannot be read\n  line 2: Amount is no amount",
        ),
        (payouts.replacen("Net amount", "Rest", 1), "lacks the column Net amount"),
    ] {
        let error = import(&kost, &[transactions.clone(), balance.clone(), (name, broken)], false).await;
        let told = error.unwrap_err().to_string();
        assert!(told.contains(why), "{told}");
        assert_eq!(rows(&kost).await, before);
    }
    kost.close().await;
}
