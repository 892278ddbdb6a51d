//! What the payer is given to pay with: a number, a code, a picture or a page.

use std::collections::BTreeMap;

use clock::Clock;
use serde::{Deserialize, Serialize};

use crate::card::Card;

/// The payment instruction of one transaction (contract, section 2).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "snake_case")]
pub(crate) enum Instruction {
    VirtualAccount {
        bank: Bank,
        va_number: String,
    },
    Permata {
        va_number: String,
    },
    MandiriBill {
        bill_key: String,
    },
    Gopay,
    Qris {
        acquirer: String,
        qr_string: String,
    },
    Shopeepay,
    Dana,
    Ovo {
        payer_phone_number: String,
    },
    Store {
        store: Store,
        payment_code: String,
    },
    Akulaku,
    Kredivo,
    CreditCard(Card),
    /// A method nobody charges here; only a planted transaction has one.
    Other {
        payment_type: String,
    },
}

/// The banks whose number sits in `va_numbers`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Bank {
    Bca,
    Bni,
    Bri,
    Cimb,
}

impl Bank {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Bca => "bca",
            Self::Bni => "bni",
            Self::Bri => "bri",
            Self::Cimb => "cimb",
        }
    }

    /// The digits every number of this merchant at this bank begins with.
    fn prefix(self) -> &'static str {
        match self {
            Self::Bca => "8127",
            Self::Bni => "9888",
            Self::Bri => "26215",
            Self::Cimb => "2810",
        }
    }

    /// How many digits follow the prefix; a wanted number is cut to this.
    fn own_digits(self) -> usize {
        match self {
            Self::Bca => 11,
            Self::Bni => 8,
            Self::Bri => 13,
            Self::Cimb => 12,
        }
    }
}

/// The convenience stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Store {
    Alfamart,
    Indomaret,
}

impl Store {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Alfamart => "alfamart",
            Self::Indomaret => "indomaret",
        }
    }
}

/// The code Mandiri's customers type before the bill key.
pub(crate) const BILLER_CODE: &str = "70012";

impl Instruction {
    /// `payment_type` as the gateway answers it.
    pub(crate) fn payment_type(&self) -> &str {
        match self {
            Self::VirtualAccount { .. } | Self::Permata { .. } => "bank_transfer",
            Self::MandiriBill { .. } => "echannel",
            Self::Gopay => "gopay",
            Self::Qris { .. } => "qris",
            Self::Shopeepay => "shopeepay",
            Self::Dana => "dana",
            Self::Ovo { .. } => "ovo",
            Self::Store { .. } => "cstore",
            Self::Akulaku => "akulaku",
            Self::Kredivo => "kredivo",
            Self::CreditCard(_) => "credit_card",
            Self::Other { payment_type } => payment_type,
        }
    }

    /// The number a payer types in, where there is one.
    pub(crate) fn number(&self) -> Option<&str> {
        match self {
            Self::VirtualAccount { va_number, .. } | Self::Permata { va_number } => Some(va_number),
            Self::MandiriBill { bill_key } => Some(bill_key),
            Self::Store { payment_code, .. } => Some(payment_code),
            _ => None,
        }
    }

    pub(crate) fn is_card(&self) -> bool {
        matches!(self, Self::CreditCard(_))
    }

    /// DANA is answered by another of the gateway's systems, which knows transaction ids only (contract, section 3).
    pub(crate) fn is_of_snap_api(&self) -> bool {
        matches!(self, Self::Dana)
    }

    /// Only these three take a settlement back within minutes (contract, section 6).
    pub(crate) fn can_be_reversed(&self) -> bool {
        matches!(
            self,
            Self::Permata { .. } | Self::MandiriBill { .. } | Self::Store { store: Store::Indomaret, .. }
        )
    }

    /// Money paid at a bank's counter or in a shop does not go back by API (contract, section 4).
    pub(crate) fn can_be_refunded(&self) -> bool {
        self.number().is_none()
    }

    /// Indomaret's answers have no `fraud_status`.
    pub(crate) fn has_fraud_status(&self) -> bool {
        !matches!(self, Self::Store { store: Store::Indomaret, .. })
    }

    /// The values a payer needs, by the names of the gateway.
    pub(crate) fn values(&self) -> BTreeMap<String, String> {
        let pairs: Vec<(&str, &str)> = match self {
            Self::VirtualAccount { bank, va_number } => {
                vec![("bank", bank.as_str()), ("va_number", va_number)]
            }
            Self::Permata { va_number } => vec![("bank", "permata"), ("permata_va_number", va_number)],
            Self::MandiriBill { bill_key } => vec![("bill_key", bill_key), ("biller_code", BILLER_CODE)],
            Self::Qris { acquirer, qr_string } => vec![("acquirer", acquirer), ("qr_string", qr_string)],
            Self::Ovo { payer_phone_number } => vec![("payer_phone_number", payer_phone_number)],
            Self::Store { store, payment_code } => {
                vec![("store", store.as_str()), ("payment_code", payment_code)]
            }
            Self::CreditCard(card) => vec![("masked_card", &card.masked)],
            Self::Gopay | Self::Shopeepay | Self::Dana => vec![],
            Self::Akulaku | Self::Kredivo | Self::Other { .. } => vec![],
        };
        pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }
}

/// The method a merchant asked for, before a number is drawn.
#[derive(Clone, Debug)]
pub(crate) enum Method {
    VirtualAccount {
        bank: Bank,
        wanted: Option<String>,
    },
    Permata {
        wanted: Option<String>,
    },
    MandiriBill {
        wanted: Option<String>,
    },
    Qris {
        acquirer: String,
    },
    Store(Store),
    /// Nothing is drawn for these.
    Ready(Instruction),
}

impl Method {
    /// Draws the instruction; `taken` tells which numbers wait for a payment already.
    pub(crate) fn issue(&self, clock: &Clock, taken: impl Fn(&str) -> bool) -> Instruction {
        // A wanted number that is in use is replaced silently, so the merchant must read the answer.
        let pick = |wanted: Option<String>, prefix: &str, length: usize| {
            wanted.filter(|number| !taken(number)).unwrap_or_else(|| {
                loop {
                    let number = format!("{prefix}{}", digits(clock, length));
                    if !taken(&number) {
                        return number;
                    }
                }
            })
        };
        match self {
            Self::VirtualAccount { bank, wanted } => {
                let wanted = wanted.as_deref().map(|own| custom_number(*bank, own));
                Instruction::VirtualAccount {
                    bank: *bank,
                    va_number: pick(wanted, bank.prefix(), bank.own_digits()),
                }
            }
            Self::Permata { wanted } => {
                let wanted = wanted.as_ref().map(|own| format!("850003{own}"));
                Instruction::Permata { va_number: pick(wanted, "850003", 10) }
            }
            Self::MandiriBill { wanted } => {
                Instruction::MandiriBill { bill_key: pick(wanted.clone(), "", 12) }
            }
            Self::Store(store) => {
                let (prefix, length) = if *store == Store::Alfamart { ("8127", 12) } else { ("5781", 8) };
                Instruction::Store { store: *store, payment_code: pick(None, prefix, length) }
            }
            Self::Qris { acquirer } => Instruction::Qris {
                acquirer: acquirer.clone(),
                qr_string: format!(
                    "00020101021226620014COM.GO-JEK.WWW0119{}5303360{}6304C385",
                    digits(clock, 19),
                    digits(clock, 12)
                ),
            },
            Self::Ready(instruction) => instruction.clone(),
        }
    }
}

/// Too long a number is cut at its end; too short a one gets zeros in front, but at BCA.
fn custom_number(bank: Bank, own: &str) -> String {
    let length = bank.own_digits();
    let cut: String = own.chars().take(length).collect();
    if bank == Bank::Bca {
        format!("{}{cut}", bank.prefix())
    } else {
        format!("{}{cut:0>length$}", bank.prefix())
    }
}

/// That many digits nobody can guess.
pub(crate) fn digits(clock: &Clock, count: usize) -> String {
    let random: [u8; 32] = clock.random();
    random.iter().cycle().take(count).map(|byte| char::from(b'0' + byte % 10)).collect()
}

/// `A120240830074017NP16XMU4JTID`: the id of a transaction that the other system answers for. Its time is UTC.
pub(crate) fn snap_api_id(clock: &Clock) -> String {
    const LETTERS: [char; 36] = [
        'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I', 'J', 'K', 'L', 'M', 'N', 'O', 'P', 'Q', 'R', 'S', 'T',
        'U', 'V', 'W', 'X', 'Y', 'Z', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9',
    ];
    let random: [u8; 10] = clock.random();
    let drawn: String = random.iter().map(|byte| LETTERS[usize::from(*byte) % LETTERS.len()]).collect();
    format!("A1{}{drawn}ID", clock.now().format("%Y%m%d%H%M%S"))
}

/// A random identifier of the form the gateway uses.
pub(crate) fn uuid(clock: &Clock) -> String {
    let mut bytes: [u8; 16] = clock.random();
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let text = hex::encode(bytes);
    [&text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..]].join("-")
}
