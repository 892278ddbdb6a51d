//! A month of payments as the books hold it and as the gateway's exports tell it, with differences that were planted.

use std::collections::BTreeMap;

use chrono::{NaiveDate, TimeDelta};
use domain::{Time, date_of, start_of_day, working_days_after};
use sqlx::{AssertSqlSafe, Executor as _};
use store::Db;
use store::comparing::Sums;

use crate::kost::Tenant;

/// How many payments the month has.
pub(crate) const PAYMENTS: usize = 5_000;
const METHODS: [&str; 4] = ["bca", "bni", "qris", "gopay"];

/// Numbers that are the same in each run (splitmix64).
struct Draw(u64);

impl Draw {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }
}

/// What is planted in a payment.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Plant {
    Nothing,
    MoreInTransactions,
    TwiceInBalance,
    LessInBalance,
    NotInTransactions,
    NotInBalance,
    NotPaidOut,
    DeniedThere,
    ExpiredHere,
    OtherFee,
    PaidOutTwice,
    WrongNet,
    Refunded,
    PartlyRefunded,
    Reversed,
}

/// Which payments have something planted: these, and each time the ones three hundred and six hundred further on.
const PLANTS: [(usize, Plant); 14] = [
    (100, Plant::MoreInTransactions),
    (120, Plant::TwiceInBalance),
    (140, Plant::LessInBalance),
    (160, Plant::NotInTransactions),
    (180, Plant::NotInBalance),
    (200, Plant::NotPaidOut),
    (220, Plant::DeniedThere),
    (240, Plant::ExpiredHere),
    (260, Plant::OtherFee),
    (280, Plant::PaidOutTwice),
    (300, Plant::WrongNet),
    (320, Plant::Refunded),
    (340, Plant::PartlyRefunded),
    (360, Plant::Reversed),
];

fn plant(number: usize) -> Plant {
    let found = PLANTS.iter().find(|(place, _)| [0, 300, 600].iter().any(|more| place + more == number));
    found.map_or(Plant::Nothing, |(_, plant)| *plant)
}

impl Plant {
    /// What is to be reported; `None` for what agrees.
    fn expected(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::MoreInTransactions => Some(("over", "transactions")),
            Self::TwiceInBalance => Some(("over", "balance")),
            Self::LessInBalance => Some(("under", "balance")),
            Self::NotInTransactions => Some(("missing", "transactions")),
            Self::NotInBalance => Some(("missing", "balance")),
            Self::NotPaidOut => Some(("missing", "payout")),
            Self::DeniedThere | Self::ExpiredHere => Some(("manual", "status")),
            Self::OtherFee => Some(("manual", "fee")),
            Self::PaidOutTwice => Some(("manual", "twice")),
            Self::WrongNet => Some(("manual", "net")),
            Self::Nothing | Self::Refunded | Self::PartlyRefunded | Self::Reversed => None,
        }
    }

    /// The state and the failure that our books hold.
    fn state(self) -> (&'static str, &'static str) {
        match self {
            Self::Refunded => ("refunded", "NULL"),
            Self::PartlyRefunded => ("partially_refunded", "NULL"),
            Self::Reversed => ("failed", "'reversed'"),
            Self::ExpiredHere => ("failed", "'expired'"),
            _ => ("paid", "NULL"),
        }
    }
}

/// One payment.
struct Paid {
    invoice: String,
    method: &'static str,
    amount: i64,
    at: Time,
    plant: Plant,
    /// In hundredths of a rupiah, as the gateway writes it.
    fee_sen: i64,
}

/// The month: our books, the three files, and what is to come of them.
#[derive(Default)]
pub(crate) struct Month {
    payments: Vec<String>,
    transactions: Vec<String>,
    balance: Vec<String>,
    payouts: Vec<String>,
    /// For each order that differs, how, and in what.
    pub(crate) planted: BTreeMap<String, (&'static str, &'static str)>,
    /// What is to be posted.
    pub(crate) sums: Sums,
    /// How many went back on both sides alike.
    pub(crate) reversed: u64,
    /// Of how many payments a statement says more than our books.
    pub(crate) behind: i64,
}

fn october(day: u32) -> Time {
    start_of_day(NaiveDate::from_ymd_opt(2026, 10, day).unwrap())
}

/// As the exports write times: in Jakarta, without a zone.
fn local(at: Time, form: &str) -> String {
    (at + TimeDelta::hours(7)).format(form).to_string()
}

fn sen(amount: i64) -> String {
    format!("{}.{:02}", amount / 100, amount % 100)
}

fn rounded(sen: i64) -> i64 {
    (sen + 50) / 100
}

/// `Rp 1.250.000`.
fn rupiah(amount: i64) -> String {
    let digits = amount.abs().to_string();
    let dots = |place: usize| if place > 0 && (digits.len() - place).is_multiple_of(3) { "." } else { "" };
    let text: String =
        digits.chars().enumerate().map(|(place, digit)| format!("{}{digit}", dots(place))).collect();
    format!("Rp {}{text}", if amount < 0 { "-" } else { "" })
}

impl Month {
    /// The same month each time. `tenant` pays all of it.
    pub(crate) fn write(tenant: &Tenant) -> Self {
        let (mut month, mut draw) = (Self::default(), Draw(20_261_000));
        for number in 0..PAYMENTS {
            let seconds = i64::try_from(draw.below(31 * 86_400)).unwrap();
            let at = match number {
                // The edges of the month in Jakarta; in Greenwich the first is in September.
                0 => october(1) + TimeDelta::seconds(1),
                1 => october(31) + TimeDelta::seconds(86_399),
                // Absent from an export of the month by a day of Jakarta.
                160 => october(1) + TimeDelta::hours(3),
                // Early enough that what is missing is missed by the end of the month.
                _ if plant(number) != Plant::Nothing => october(1) + TimeDelta::seconds(seconds / 2),
                _ => october(1) + TimeDelta::seconds(seconds),
            };
            let odd_fee = if number % 7 == 0 { 50 } else { 0 };
            let paid = Paid {
                invoice: format!("KSR-{number:05}"),
                method: METHODS[number % METHODS.len()],
                amount: 500_000 + i64::try_from(draw.below(2_000)).unwrap() * 1_000,
                at,
                plant: plant(number),
                fee_sen: 400_000 + odd_fee,
            };
            month.keep(tenant, &paid);
            month.tell(&paid);
        }
        month.strangers();
        month.last_of_september(tenant);
        month
    }

    fn keep(&mut self, tenant: &Tenant, paid: &Paid) {
        let (state, failure) = paid.plant.state();
        let refunded = match paid.plant {
            Plant::Refunded => paid.amount,
            Plant::PartlyRefunded => paid.amount / 2,
            _ => 0,
        };
        let at = paid.at.timestamp_millis();
        let (bill, payer) = (tenant.bill, tenant.id);
        let Paid { invoice, method, amount, .. } = paid;
        self.payments.push(format!(
            "('{invoice}', {bill}, {payer}, '{method}', {amount}, '{state}', {failure}, {refunded}, {at}, {at}, {at}, {at})"
        ));
    }

    fn tell(&mut self, paid: &Paid) {
        let Paid { invoice, amount, at, plant, .. } = paid;
        if let Some(expected) = plant.expected() {
            self.planted.insert(invoice.clone(), expected);
        }
        if matches!(plant, Plant::DeniedThere | Plant::ExpiredHere) {
            self.behind += 1;
        }
        let status = match plant {
            Plant::Refunded => "refund",
            Plant::PartlyRefunded => "partial_refund",
            Plant::Reversed | Plant::DeniedThere => "deny",
            _ => "settlement",
        };
        let more = if *plant == Plant::MoreInTransactions { 1_000 } else { 0 };
        if *plant != Plant::NotInTransactions {
            self.transaction(paid, status, amount + more);
        }
        if matches!(plant, Plant::Refunded | Plant::PartlyRefunded | Plant::Reversed) {
            self.reversed += 1;
        }
        if matches!(plant, Plant::Reversed | Plant::ExpiredHere) {
            return;
        }
        self.book(paid);
        self.pay_out(paid);
        let back = if *plant == Plant::Refunded { *amount } else { amount / 2 };
        if matches!(plant, Plant::Refunded | Plant::PartlyRefunded) {
            let when = local(*at + TimeDelta::minutes(5), "%d/%m/%Y %H:%M:%S");
            self.balance.push(format!("{};0;Refund;{when};{invoice};Success;note", -back));
            let date = local(payout_day(*at), "%Y-%m-%d");
            self.payouts.push(format!(
                "0\t{}\tP-{date}\t{invoice}\t\t0\t{}\t{date}",
                rupiah(-back),
                rupiah(-back)
            ));
            self.sums.payouts -= back;
        }
    }

    fn transaction(&mut self, paid: &Paid, status: &str, amount: i64) {
        let when = local(paid.at, "%Y-%m-%d %H:%M:%S");
        let Paid { invoice, method, .. } = paid;
        self.transactions.push(format!(
            "a pop,{amount}.00,{status},{method},\"it, too\",{invoice},t-{invoice},{when},{when}"
        ));
    }

    fn book(&mut self, paid: &Paid) {
        let Paid { invoice, amount, plant, fee_sen, .. } = paid;
        if *plant == Plant::NotInBalance {
            return;
        }
        let when = local(paid.at, "%d/%m/%Y %H:%M:%S");
        let less = if *plant == Plant::LessInBalance { 1_000 } else { 0 };
        let line = format!("{};{};Payment;{when};{invoice};Success;note", amount - less, sen(*fee_sen));
        if *plant == Plant::TwiceInBalance {
            self.balance.push(line.clone());
        }
        self.balance.push(line);
        self.sums.fees += rounded(*fee_sen);
    }

    fn pay_out(&mut self, paid: &Paid) {
        let Paid { invoice, amount, plant, fee_sen, at, .. } = paid;
        if *plant == Plant::NotPaidOut {
            return;
        }
        let fee = if *plant == Plant::OtherFee { fee_sen + 50_000 } else { *fee_sen };
        let vat = fee * 11 / 100;
        let wrong = if *plant == Plant::WrongNet { 200 } else { 0 };
        let net = amount * 100 - fee - vat - wrong * 100;
        let date = local(payout_day(*at), "%Y-%m-%d");
        let row = |reference: &str| {
            format!(
                "{}\t{}\t{reference}\t{invoice}\tx\t{}\t{}\t{date}",
                sen(vat),
                rupiah(*amount),
                sen(fee),
                sen(net)
            )
        };
        self.payouts.push(row(&format!("P-{date}")));
        if *plant == Plant::PaidOutTwice {
            self.payouts.push(row("P-again"));
        }
        self.sums.vat += rounded(vat);
        self.sums.payouts += rounded(net);
        if *plant == Plant::NotInBalance {
            self.sums.fees += rounded(fee);
        }
    }

    /// Orders of somebody else at the same account, and a withdrawal, which is about no order.
    fn strangers(&mut self) {
        for number in 0..3 {
            let invoice = format!("SHOP-{number}");
            let at = october(12) + TimeDelta::hours(number);
            let stranger =
                Paid { invoice, method: "bca", amount: 70_000, at, plant: Plant::Nothing, fee_sen: 400_000 };
            self.transaction(&stranger, "settlement", 70_000);
            self.planted.insert(stranger.invoice, ("manual", "unknown"));
        }
        self.balance.push("-1000000;0;Withdrawal;15/10/2026 11:00:00;;Success;to the bank".to_owned());
    }

    /// Half a minute before the month begins in Jakarta: only the payout is of this month, and nothing is missing.
    fn last_of_september(&mut self, tenant: &Tenant) {
        let at = october(1) - TimeDelta::seconds(30);
        let invoice = "KSR-SEPTEMBER".to_owned();
        let paid = Paid {
            invoice,
            method: "bca",
            amount: 900_000,
            at,
            plant: Plant::NotInBalance,
            fee_sen: 400_000,
        };
        self.keep(tenant, &paid);
        self.pay_out(&paid);
    }

    /// A payment that our books hold as pending and that was settled.
    pub(crate) fn settled_there(&mut self, (invoice, amount): (&str, i64), at: Time) {
        let (invoice, plant) = (invoice.to_owned(), Plant::Nothing);
        let paid = Paid { invoice, method: "bca", amount, at, plant, fee_sen: 400_000 };
        self.transaction(&paid, "settlement", amount);
        self.planted.insert(paid.invoice, ("over", "transactions"));
        self.behind += 1;
    }

    /// The files, as they are named: columns in another order, more of them, and three ways to write a table.
    pub(crate) fn files(&self) -> [(&'static str, String); 3] {
        let table =
            |header: &str, lines: &[String], end: &str| format!("{header}{end}{}{end}", lines.join(end));
        let transactions = "Pop name,Amount,Transaction status,Payment type,Custom Field 1,Order ID,Transaction ID,Transaction Time,\
             Settlement time";
        let balance = "Amount (gross);Fee;Type;Date & Time;Order ID;Status;Remark";
        let payouts = "PPN\tGross amount\tPayout ID\tOrder ID\tSplit\tFee\tNet amount\tPayout date";
        [
            ("transactions.csv", table(transactions, &self.transactions, "\n")),
            ("balance.csv", format!("\u{feff}{}", table(balance, &self.balance, "\r\n"))),
            ("payouts.csv", table(payouts, &self.payouts, "\n")),
        ]
    }

    /// How many lines the files have, their headers apart.
    pub(crate) fn lines(&self) -> usize {
        self.transactions.len() + self.balance.len() + self.payouts.len()
    }

    /// Writes our books past the store, and opens the journal with what they hold then.
    pub(crate) async fn keep_books(&self, db: &Db) {
        const INTO: &str = "
            INSERT INTO payments (invoice, bill_id, tenant_id, method, amount, state, failure, refunded, created_at,
                                  updated_at, asked_at, paid_at) VALUES ";
        for chunk in self.payments.chunks(500) {
            execute(db, format!("{INTO}{}", chunk.join(","))).await;
        }
        let migration = match db {
            Db::Sqlite { .. } => include_str!("../../migrations/sqlite/0004_reconciliation.sql"),
            Db::Postgres(_) => include_str!("../../migrations/postgres/0004_reconciliation.sql"),
        };
        let opening = &migration[migration.find("INSERT INTO postings").unwrap()..];
        execute(db, opening[..opening.find(';').unwrap()].to_owned()).await;
    }
}

fn payout_day(paid: Time) -> Time {
    start_of_day(working_days_after(date_of(paid), 2))
}

async fn execute(db: &Db, sql: String) {
    match db {
        Db::Sqlite { writer, .. } => writer.execute(AssertSqlSafe(sql)).await.map(drop),
        Db::Postgres(pool) => pool.execute(AssertSqlSafe(sql)).await.map(drop),
    }
    .unwrap();
}
