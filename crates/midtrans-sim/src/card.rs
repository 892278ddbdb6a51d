//! The sandbox's cards: a token from the browser, and what each test number does.

use serde::{Deserialize, Serialize};

use crate::transaction::{Fraud, Status};

/// A card as far as the gateway shows it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Card {
    /// First six and last four digits.
    pub(crate) masked: String,
    /// The payer must first prove who they are on the bank's page.
    pub(crate) three_ds: bool,
    /// Only reserve the amount.
    pub(crate) authorize_only: bool,
}

impl Card {
    /// Reads the masked number out of a token such as `481111-1114-77328ff4-...`.
    pub(crate) fn of_token(token: &str, three_ds: bool, authorize_only: bool) -> Option<Self> {
        let (masked, rest) = token.split_at_checked(11)?;
        let shaped = masked.bytes().enumerate().all(|(at, byte)| match at {
            6 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
        (shaped && rest.starts_with('-')).then(|| Self {
            masked: masked.to_owned(),
            three_ds,
            authorize_only,
        })
    }

    /// A card whose whole number the payer typed in.
    pub(crate) fn of_number(number: &str, three_ds: bool, authorize_only: bool) -> Option<Self> {
        mask(number).map(|masked| Self { masked, three_ds, authorize_only })
    }

    /// What becomes of this card once the payer has proved who they are.
    pub(crate) fn outcome_when_proved(&self) -> (Status, Fraud) {
        Self { three_ds: false, ..self.clone() }.outcome()
    }

    /// What the charge of this card answers (contract, section 9).
    pub(crate) fn outcome(&self) -> (Status, Fraud) {
        match self.masked.as_str() {
            _ if self.three_ds => (Status::Pending, Fraud::Accept),
            "491111-1113" => (Status::Deny, Fraud::Accept),
            "461111-1116" => (Status::Deny, Fraud::Deny),
            "451111-1117" => (Status::Capture, Fraud::Challenge),
            _ if self.authorize_only => (Status::Authorize, Fraud::Accept),
            _ => (Status::Capture, Fraud::Accept),
        }
    }
}

/// `481111-1114` of a whole card number, if it is one.
pub(crate) fn mask(number: &str) -> Option<String> {
    let number: String = number.chars().filter(|digit| !digit.is_whitespace()).collect();
    let digits = (13..=19).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| format!("{}-{}", &number[..6], &number[number.len() - 4..]))
}
