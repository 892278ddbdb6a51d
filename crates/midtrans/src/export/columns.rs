//! The columns of an export: found by their names, whatever stands between the letters.

use csv::StringRecord;
use domain::{Entry, Flow, Rupiah, StatementKind, Time};

use super::{ExportError, cell};

/// A column: what the gateway's documentation calls it, and the names under which it is known, letters and digits only.
pub(super) struct Column {
    name: &'static str,
    known_as: &'static [&'static str],
}

macro_rules! columns {
    ($($id:ident = $name:literal: $($known_as:literal),+;)+) => {
        $(pub(super) const $id: &Column = &Column { name: $name, known_as: &[$($known_as),+] };)+
    };
}

columns! {
    ORDER_ID = "Order ID": "orderid", "merchantorderid", "ordernumber";
    TRANSACTION_ID = "Transaction ID": "transactionid", "midtranstransactionid", "trxid";
    STATUS = "Status": "transactionstatus", "status";
    AMOUNT = "Amount": "amount", "grossamount", "amountgross", "transactionamount", "gross";
    TRANSACTION_TIME = "Transaction Time": "transactiontime", "transactiondate", "transactiondatetime";
    SETTLEMENT_TIME = "Settlement time": "settlementtime", "settlementdate", "settledat";
    DATE_AND_TIME = "Date & Time": "datetime", "dateandtime", "date", "tanggal";
    PAYOUT_DATE = "Payout date": "payoutdate", "withdrawaldate", "payouttime", "withdrawaltime", "disbursementdate";
    TYPE = "Type": "type", "entrytype", "refundtype";
    CHANNEL = "Channel": "channel", "paymenttype", "paymentmethod", "paymentchannel";
    FEE = "Fee": "fee", "fees", "feeamount", "mdramount", "mdr", "transactionfee", "midtransfee";
    VAT = "VAT": "vat", "ppn", "tax", "vatamount", "ppnamount", "taxamount", "vatonfee";
    NET = "Net amount": "netamount", "net", "amountnet", "payoutamount", "withdrawalamount";
    REFERENCE = "Payout ID": "payoutid", "reference", "withdrawalid", "payoutreference", "referenceid", "referenceno";
}

/// The columns that each export must have, the most telling export first.
const NEEDED: [(StatementKind, &[&Column]); 3] = [
    (StatementKind::Payout, &[PAYOUT_DATE, ORDER_ID, AMOUNT, FEE, NET]),
    (StatementKind::Balance, &[DATE_AND_TIME, ORDER_ID, TYPE, STATUS, AMOUNT, FEE]),
    (StatementKind::Transactions, &[ORDER_ID, STATUS, AMOUNT, TRANSACTION_TIME]),
];

/// Where the columns of one file are.
pub(super) struct Columns {
    pub(super) kind: StatementKind,
    names: Vec<String>,
}

impl Columns {
    /// The export with these headers.
    pub(super) fn of(headers: Vec<String>) -> Result<Self, ExportError> {
        let names: Vec<String> = headers.iter().map(|header| letters(header)).collect();
        let lacks = |needed: &[&'static Column]| -> Vec<&'static str> {
            let absent = needed.iter().filter(|column| place(column, &names).is_none());
            absent.map(|column| column.name).collect()
        };
        let found = NEEDED.map(|(kind, needed)| (kind, lacks(needed)));
        match found.into_iter().min_by_key(|(_, missing)| missing.len()) {
            Some((kind, missing)) if missing.is_empty() => Ok(Self { kind, names }),
            Some((kind, missing)) => {
                let found = headers.iter().map(|header| crate::fields::cut(header, 64)).collect();
                Err(ExportError::Columns { kind, missing, found })
            }
            None => Err(ExportError::Columns {
                kind: StatementKind::Transactions,
                missing: Vec::new(),
                found: Vec::new(),
            }),
        }
    }
}

fn letters(header: &str) -> String {
    header.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// The first known name that is there wins, so that an amount is not taken for another one beside it.
fn place(column: &Column, names: &[String]) -> Option<usize> {
    column.known_as.iter().find_map(|known| names.iter().position(|name| name == known))
}

/// One row, by columns.
pub(super) struct Row<'a> {
    pub(super) columns: &'a Columns,
    pub(super) record: &'a StringRecord,
}

impl Row<'_> {
    /// What stands in the column; `None` where there is no such column, or nothing in it.
    fn cell(&self, column: &Column) -> Option<&str> {
        let text = self.record.get(place(column, &self.columns.names)?)?;
        Some(text).filter(|text| !cell::says_nothing(text))
    }

    fn needed(&self, column: &Column) -> Result<&str, String> {
        self.cell(column).ok_or_else(|| format!("there is nothing in the column {}", column.name))
    }

    /// A text of at most so many characters.
    pub(super) fn text(&self, column: &Column, chars_max: usize) -> Result<Option<String>, String> {
        let Some(text) = self.cell(column) else { return Ok(None) };
        if text.chars().count() > chars_max {
            return Err(format!("{} is longer than {chars_max} characters", column.name));
        }
        if text.chars().any(char::is_control) {
            return Err(format!("{} has a character that does not print", column.name));
        }
        Ok(Some(text.to_owned()))
    }

    pub(super) fn amount(&self) -> Result<Flow, String> {
        read(AMOUNT, self.needed(AMOUNT)?, cell::amount)
    }

    /// What the gateway keeps. It may have decimals, which are rounded to whole rupiah, half of one up.
    pub(super) fn charge(&self, column: &Column) -> Result<Option<Rupiah>, String> {
        self.cell(column).map(|text| read(column, text, cell::charge)).transpose()
    }

    pub(super) fn net(&self, entry: Entry) -> Result<Option<Flow>, String> {
        if self.columns.kind != StatementKind::Payout {
            return Ok(None);
        }
        let net = read(NET, self.needed(NET)?, cell::rounded)?;
        Ok(Some(if entry.takes_back() { net.outward() } else { net }))
    }

    /// When it happened, by the column that the export has for it.
    pub(super) fn time(&self) -> Result<Time, String> {
        let column = match self.columns.kind {
            StatementKind::Transactions => TRANSACTION_TIME,
            StatementKind::Balance => DATE_AND_TIME,
            StatementKind::Payout => PAYOUT_DATE,
        };
        read(column, self.needed(column)?, cell::time)
    }

    pub(super) fn settled_at(&self) -> Result<Option<Time>, String> {
        self.cell(SETTLEMENT_TIME).map(|text| read(SETTLEMENT_TIME, text, cell::time)).transpose()
    }
}

fn read<T>(column: &Column, text: &str, parse: fn(&str) -> Result<T, &'static str>) -> Result<T, String> {
    let told = crate::fields::cut(text, 64);
    parse(text).map_err(|why| format!("{} {why}: {told:?}", column.name))
}
