//! The gateway's statements: what the exports of its dashboard say, line by line (contract §8).

use std::fmt;

use crate::{Invalid, Rupiah, Time};

/// Whole rupiah with a direction: below zero is money that goes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Flow(i64);

impl Flow {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// The amount as the database writes it.
    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }

    /// The same amount, going out.
    #[must_use]
    pub fn outward(self) -> Self {
        Self(-self.0.abs())
    }
}

impl TryFrom<i64> for Flow {
    type Error = Invalid;

    fn try_from(value: i64) -> Result<Self, Invalid> {
        if value.unsigned_abs() <= Rupiah::MAX.get().unsigned_abs() {
            Ok(Self(value))
        } else {
            Err(Invalid::new("amount", "is beyond Rp999.999.999.999.999", value))
        }
    }
}

impl From<Rupiah> for Flow {
    fn from(amount: Rupiah) -> Self {
        Self(amount.get())
    }
}

/// `Rp1.250.000`, and `-Rp1.250.000` for what goes out.
impl fmt::Display for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = Rupiah::try_from(self.0.abs()).unwrap_or(Rupiah::MAX);
        if self.0 < 0 { write!(f, "-{size}") } else { write!(f, "{size}") }
    }
}

/// Which of the gateway's exports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum StatementKind {
    /// *Transactions*: each transaction and its status.
    Transactions,
    /// *Balance statement*: what came to the balance at the gateway, and its fee.
    Balance,
    /// *Payout*: what of it went to the bank account, less fee and tax.
    Payout,
}

impl StatementKind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Transactions, Self::Balance, Self::Payout];

    /// As the database writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Transactions => "transactions",
            Self::Balance => "balance",
            Self::Payout => "payout",
        }
    }
}

impl TryFrom<&str> for StatementKind {
    type Error = Invalid;

    fn try_from(value: &str) -> Result<Self, Invalid> {
        let found = Self::ALL.into_iter().find(|kind| kind.as_str() == value);
        found.ok_or_else(|| Invalid::new("kind of statement", "is not known", value))
    }
}

/// What a line does to the balance at the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Entry {
    /// A payer's money came.
    Payment,
    /// It was given back.
    Refund,
    /// The payer's bank took it back.
    Chargeback,
    /// A settlement was taken back.
    Reversal,
    /// The balance went to the bank account.
    Withdrawal,
    /// Something that this Kasir has no word for.
    Other,
}

impl Entry {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Payment, Self::Refund, Self::Chargeback, Self::Reversal, Self::Withdrawal, Self::Other];

    /// As the database writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Payment => "payment",
            Self::Refund => "refund",
            Self::Chargeback => "chargeback",
            Self::Reversal => "reversal",
            Self::Withdrawal => "withdrawal",
            Self::Other => "other",
        }
    }

    /// What the gateway's word for the type of a line means. The words are not documented, so what they begin with or hold
    /// decides, and a word that says none of it is [`Entry::Other`].
    #[must_use]
    pub fn of_type(word: &str) -> Self {
        const WORDS: [(Entry, &[&str]); 5] = [
            (Entry::Refund, &["refund"]),
            (Entry::Chargeback, &["chargeback"]),
            (Entry::Reversal, &["reversal", "void"]),
            (Entry::Withdrawal, &["withdraw", "payout", "disburse"]),
            (Entry::Payment, &["payment", "transaction", "settlement", "capture"]),
        ];
        let word = word.to_ascii_lowercase();
        let found = WORDS.iter().find(|(_, parts)| parts.iter().any(|part| word.contains(part)));
        found.map_or(Self::Other, |(entry, _)| *entry)
    }

    /// True when money goes back to the payer.
    #[must_use]
    pub fn takes_back(self) -> bool {
        match self {
            Self::Refund | Self::Chargeback | Self::Reversal => true,
            Self::Payment | Self::Withdrawal | Self::Other => false,
        }
    }
}

impl TryFrom<&str> for Entry {
    type Error = Invalid;

    fn try_from(value: &str) -> Result<Self, Invalid> {
        let found = Self::ALL.into_iter().find(|entry| entry.as_str() == value);
        found.ok_or_else(|| Invalid::new("entry of a statement", "is not known", value))
    }
}

/// What the status of a transaction means, as the Transactions export writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Said {
    /// Nobody has paid yet, or the amount is only reserved.
    Waiting,
    /// Paid.
    Paid,
    /// Ended, and there is no money.
    Failed,
    /// All of it was given back.
    Refunded,
    /// Some of it was given back.
    PartlyRefunded,
    /// The payer's bank took it back.
    ChargedBack,
    /// The payer's bank took some of it back.
    PartlyChargedBack,
    /// A word that the contract does not name.
    Unheard,
}

impl Said {
    /// What `status` says, whatever stands between its words.
    #[must_use]
    pub fn of(status: &str) -> Self {
        let letters: String =
            status.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
        match letters.as_str() {
            "pending" | "authorize" | "authorized" => Self::Waiting,
            "settlement" | "settled" | "capture" | "captured" => Self::Paid,
            "deny" | "denied" | "cancel" | "canceled" | "cancelled" | "expire" | "expired" | "failure"
            | "failed" => Self::Failed,
            "refund" | "refunded" => Self::Refunded,
            "partialrefund" | "partiallyrefunded" => Self::PartlyRefunded,
            "chargeback" => Self::ChargedBack,
            "partialchargeback" => Self::PartlyChargedBack,
            _ => Self::Unheard,
        }
    }

    /// True when the payer's money came, whatever became of it.
    #[must_use]
    pub fn money_came(self) -> bool {
        match self {
            Self::Paid
            | Self::Refunded
            | Self::PartlyRefunded
            | Self::ChargedBack
            | Self::PartlyChargedBack => true,
            Self::Waiting | Self::Failed | Self::Unheard => false,
        }
    }
}

/// One line of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatementLine {
    /// Where it stands in the file, from 1.
    pub row: u64,
    /// Of which export.
    pub kind: StatementKind,
    /// The order it is about: our invoice, when it is one of ours. A withdrawal is about none.
    pub order_id: Option<String>,
    /// What the gateway calls the transaction, where the export has that column.
    pub transaction_id: Option<String>,
    /// What the line does.
    pub entry: Entry,
    /// The gateway's word for that.
    pub type_word: String,
    /// How it was paid, in the gateway's word.
    pub channel: String,
    /// The gateway's word for how it stands.
    pub status: String,
    /// Before fee and tax. What takes money back is below zero.
    pub amount: Flow,
    /// The gateway's fee; `None` where the line does not say.
    pub fee: Option<Rupiah>,
    /// The tax on the fee; `None` where the line does not say.
    pub vat: Option<Rupiah>,
    /// What is left of the amount, in a payout.
    pub net: Option<Flow>,
    /// When: of the transaction, of the entry, or of the payout.
    pub at: Time,
    /// When the transaction was settled.
    pub settled_at: Option<Time>,
    /// The name of the payout.
    pub reference: Option<String>,
}

impl StatementLine {
    /// False when the line itself says that nothing came of it.
    #[must_use]
    pub fn is_money(&self) -> bool {
        match (self.kind, Said::of(&self.status)) {
            (StatementKind::Transactions, said) => said.money_came(),
            (StatementKind::Balance | StatementKind::Payout, said) => {
                !matches!(said, Said::Waiting | Said::Failed)
            }
        }
    }

    /// What the line is, told by those columns that each export of its kind must have: the same line in another file,
    /// exported with more columns or fewer, is the same line.
    #[must_use]
    pub fn identity(&self) -> String {
        let or = |text: &Option<String>| text.clone().unwrap_or_default();
        let of = |amount: Option<Rupiah>| amount.map_or_else(String::new, |amount| amount.get().to_string());
        let net = self.net.map_or_else(String::new, |net| net.get().to_string());
        let (order, at, amount) = (or(&self.order_id), self.at.timestamp(), self.amount.get());
        match self.kind {
            StatementKind::Transactions => format!("t|{order}|{at}|{}|{amount}", self.status),
            StatementKind::Balance => {
                format!("b|{order}|{at}|{}|{}|{amount}|{}", self.type_word, self.status, of(self.fee))
            }
            StatementKind::Payout => format!("p|{order}|{at}|{amount}|{}|{net}", of(self.fee)),
        }
    }
}
