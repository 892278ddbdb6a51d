//! Puts a transaction into the world as a recorded notification describes it, so that the two agree.

use chrono::{NaiveDateTime, TimeDelta};
use clock::Time;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::answers::from_wib;
use crate::card::Card;
use crate::instruction::{Bank, Instruction, Store};
use crate::refund::Refund;
use crate::simulator::Simulator;
use crate::transaction::{Destinations, Status, Transaction, TransactionView};

/// Why a body describes no transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlantError {
    /// It is another kind of JSON.
    #[error("a notification is a JSON object")]
    NotAnObject,
    /// A field that every notification of a payment has.
    #[error("the notification lacks {0}, or it is no text")]
    Missing(&'static str),
    /// A field that cannot be read.
    #[error("{0} of the notification cannot be read")]
    Malformed(&'static str),
}

/// What the gateway composes anew once something happens to a planted transaction.
const CHANGING: [&str; 9] = [
    "transaction_status",
    "fraud_status",
    "status_code",
    "status_message",
    "signature_key",
    "settlement_time",
    "refunds",
    "refund_amount",
    "refund_key",
];

impl Simulator {
    /// Puts a transaction into the world as the body of a notification describes it, in place of one with the same
    /// ids. Nobody is notified, and it does not expire by itself.
    ///
    /// GET status then answers with the very fields of the body, even those nobody knows; only `status_code`,
    /// `status_message` and `signature_key` are those of a status answer. Once something happens to the transaction
    /// (`settle`, a refund), what changes is composed as for any other.
    ///
    /// # Errors
    /// If the body is not that of a notification about a payment.
    pub fn plant(&self, notification: &Value) -> Result<TransactionView, PlantError> {
        let mut state = self.core.state();
        let planted = read(notification, self.core.clock().now())?;
        let at = state.world.plant(planted);
        self.core.touch();
        Ok(state.world.get(at).view())
    }
}

impl Transaction {
    /// True while the answer is what it was planted with, and nothing happened to it.
    pub(crate) fn is_as_planted(&self) -> bool {
        !self.said.is_empty()
    }

    /// Something happens to it: from here on it is composed as any other, but what does not change comes along.
    pub(crate) fn leave_what_was_planted(&mut self) {
        let said = std::mem::take(&mut self.said);
        self.echo.extend(said.into_iter().filter(|(name, _)| !CHANGING.contains(&name.as_str())));
    }
}

fn read(notification: &Value, now: Time) -> Result<Transaction, PlantError> {
    let said = notification.as_object().ok_or(PlantError::NotAnObject)?;
    let text = |name| said.get(name).and_then(Value::as_str).ok_or(PlantError::Missing(name));
    let created = time(said, "transaction_time")?.unwrap_or(now);
    let (status, amount) = (text("transaction_status")?, rupiah(said, "gross_amount")?);
    Ok(Transaction {
        transaction_id: text("transaction_id")?.to_owned(),
        order_id: text("order_id")?.to_owned(),
        amount,
        status: word(&status.to_ascii_lowercase()).unwrap_or(Status::Other),
        fraud: said.get("fraud_status").and_then(Value::as_str).and_then(word),
        instruction: instruction(said),
        created,
        expires: time(said, "expiry_time")?.unwrap_or(created + TimeDelta::days(1)),
        settled: time(said, "settlement_time")?,
        refunds: refunds(said, created)?,
        echo: Map::new(),
        destinations: Destinations::default(),
        said: said.clone(),
    })
}

/// One of the words that serde knows.
fn word<T: DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_value(Value::String(text.to_owned())).ok()
}

fn time(said: &Map<String, Value>, name: &'static str) -> Result<Option<Time>, PlantError> {
    let Some(value) = said.get(name) else { return Ok(None) };
    let written =
        value.as_str().and_then(|text| NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").ok());
    written.and_then(from_wib).map(Some).ok_or(PlantError::Malformed(name))
}

/// The whole part of an amount, written as text or as a number.
fn rupiah(said: &Map<String, Value>, name: &'static str) -> Result<i64, PlantError> {
    let value = said.get(name).ok_or(PlantError::Missing(name))?;
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let whole = text.split('.').next().unwrap_or_default();
    whole.parse().map_err(|_| PlantError::Malformed(name))
}

fn refunds(said: &Map<String, Value>, created: Time) -> Result<Vec<Refund>, PlantError> {
    let text = |from: &Map<String, Value>, name| {
        from.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let read = |(at, one): (usize, &Map<String, Value>)| {
        Ok(Refund {
            chargeback_id: one
                .get("refund_chargeback_id")
                .and_then(Value::as_u64)
                .unwrap_or_else(|| u64::try_from(at).unwrap_or_default() + 1),
            key: text(one, "refund_key"),
            amount: rupiah(one, "refund_amount")?,
            reason: text(one, "reason"),
            created: time(one, "created_at")?.unwrap_or(created),
            confirmed: time(one, "bank_confirmed_at")?,
        })
    };
    match said.get("refunds").and_then(Value::as_array) {
        Some(list) => list.iter().filter_map(Value::as_object).enumerate().map(read).collect(),
        // Some notifications tell the sum and the last key only.
        None if said.contains_key("refund_amount") => read((0, said)).map(|one| vec![one]),
        None => Ok(Vec::new()),
    }
}

/// What the payer was given, as far as the fields tell; an unknown method keeps its name.
fn instruction(said: &Map<String, Value>) -> Instruction {
    let text = |name| said.get(name).and_then(Value::as_str).unwrap_or_default();
    let payment_type = text("payment_type");
    let number = said.get("va_numbers").and_then(|numbers| numbers.get(0)).unwrap_or(&Value::Null);
    let va_number = number["va_number"].as_str().unwrap_or_default();
    let bank: Option<Bank> = number["bank"].as_str().and_then(word);
    let has = |name| !text(name).is_empty();
    if let ("bank_transfer", Some(bank), false) = (payment_type, bank, va_number.is_empty()) {
        return Instruction::VirtualAccount { bank, va_number: va_number.to_owned() };
    }
    match payment_type {
        "bank_transfer" if has("permata_va_number") => {
            Instruction::Permata { va_number: text("permata_va_number").to_owned() }
        }
        "echannel" if has("bill_key") => Instruction::MandiriBill { bill_key: text("bill_key").to_owned() },
        "cstore" if has("payment_code") => store(text("store"), text("payment_code")),
        "gopay" => Instruction::Gopay,
        "qris" if has("acquirer") => Instruction::Qris {
            acquirer: text("acquirer").to_owned(),
            qr_string: text("qr_string").to_owned(),
        },
        "shopeepay" => Instruction::Shopeepay,
        "dana" => Instruction::Dana,
        "akulaku" => Instruction::Akulaku,
        "kredivo" => Instruction::Kredivo,
        "credit_card" => Instruction::CreditCard(Card {
            masked: text("masked_card").to_owned(),
            three_ds: false,
            authorize_only: text("transaction_status") == "authorize",
        }),
        other => Instruction::Other { payment_type: other.to_owned() },
    }
}

fn store(name: &str, payment_code: &str) -> Instruction {
    match word::<Store>(&name.to_ascii_lowercase()) {
        Some(store) => Instruction::Store { store, payment_code: payment_code.to_owned() },
        None => Instruction::Other { payment_type: "cstore".to_owned() },
    }
}
