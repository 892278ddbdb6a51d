//! Names of things: row ids, our invoice numbers, the gateway's transaction ids.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Invalid;

macro_rules! row_ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )+};
}

row_ids! {
    /// A room of the house.
    RoomId,
    /// A person who can log in: a tenant or an admin.
    UserId,
    /// One tenant's bill for one month.
    BillId,
    /// A way to pay that the house offers.
    MethodId,
    /// One attempt to pay one bill.
    PaymentId,
    /// A notification as it came in.
    NotificationId,
    /// A row of the job ledger.
    JobId,
    /// A difference that someone should know of.
    FindingId,
    /// Money given back.
    RefundId,
    /// What a tenant is told of a bill, in one way.
    ReminderId,
}

macro_rules! checked_text {
    ($(#[$doc:meta])* $name:ident, $what:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The text itself.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = Invalid;

            fn try_from(value: String) -> Result<Self, Invalid> {
                let check: fn(&str) -> Option<&'static str> = $check;
                match check(&value) {
                    None => Ok(Self(value)),
                    Some(why) => Err(Invalid::new($what, why, value)),
                }
            }
        }

        impl TryFrom<&str> for $name {
            type Error = Invalid;

            fn try_from(value: &str) -> Result<Self, Invalid> {
                Self::try_from(value.to_owned())
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

checked_text! {
    /// The number of one payment: the `order_id` at Midtrans. Made by us, never reused.
    ///
    /// At most 50 of the characters that the gateway takes (contract §2): letters, digits and `-_~.`.
    Invoice, "invoice", |text| match text.len() {
        1..=50 if text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_~.".contains(&b)) => None,
        1..=50 => Some("has a character other than letters, digits and -_~."),
        _ => Some("is not 1 to 50 characters long"),
    }
}

checked_text! {
    /// What Midtrans calls a transaction. Opaque: a UUID for most methods, `A1…ID` for some.
    TransactionId, "transaction id", |text| match text.len() {
        1..=255 if text.bytes().all(|b| b.is_ascii_graphic() && !b"/?#%".contains(&b)) => None,
        1..=255 => Some("has a character that does not belong into a path"),
        _ => Some("is not 1 to 255 characters long"),
    }
}

checked_text! {
    /// The name of one refund of one payment: our `refund_key`, or the gateway's where the refund was not ours (contract §4).
    RefundKey, "refund key", |text| match text.len() {
        1..=255 if !text.contains(char::is_control) => None,
        1..=255 => Some("has a character that does not print"),
        _ => Some("is not 1 to 255 characters long"),
    }
}

impl RefundKey {
    /// The key of a refund of ours with this unique part: letters, digits and `-`, which the gateway takes.
    ///
    /// # Errors
    /// When `unique` is too long or does not print.
    pub fn from_unique(unique: &str) -> Result<Self, Invalid> {
        Self::try_from(format!("KSR-R-{unique}"))
    }
}

impl Invoice {
    /// The invoice with this unique part, which is 26 characters of base 32 in practice.
    ///
    /// # Errors
    /// When `unique` has characters that the gateway does not take, or is too long.
    pub fn from_unique(unique: &str) -> Result<Self, Invalid> {
        Self::try_from(format!("KSR-{unique}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invoice_is_what_the_gateway_takes_as_order_id() {
        assert!(Invoice::try_from("KSR-01J_a~b.c").is_ok());
        assert!(Invoice::try_from("a".repeat(50)).is_ok());
        for bad in ["", "00561/05/ADI", "a b", "a#b", "ö", &"a".repeat(51)] {
            assert!(Invoice::try_from(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_transaction_id_cannot_leave_its_place_in_a_path() {
        assert!(TransactionId::try_from("A120251205074834XeVg4mKHIMID").is_ok());
        for bad in ["", "a/../b", "a?b", "a b"] {
            assert!(TransactionId::try_from(bad).is_err(), "{bad}");
        }
    }
}
