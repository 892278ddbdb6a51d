//! People: who they are to the house.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Invalid;
use crate::words::words;

/// What a person may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Sees and pays the own bills.
    Tenant,
    /// Runs the house.
    Admin,
}

impl Role {
    /// As the database and the API write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tenant => "tenant",
            Self::Admin => "admin",
        }
    }
}

impl TryFrom<&str> for Role {
    type Error = Invalid;

    fn try_from(value: &str) -> Result<Self, Invalid> {
        match value {
            "tenant" => Ok(Self::Tenant),
            "admin" => Ok(Self::Admin),
            _ => Err(Invalid::new("role", "is not known", value)),
        }
    }
}

words! {
    /// How much an admin may do. Each rank may do what those before it may.
    Rank, "rank", "is none of viewer, staff and owner":
    /// Looks, and changes nothing.
    Viewer = "viewer",
    /// Does the daily work: rooms, tenants, bills, payments that are asked about or given up.
    Staff = "staff",
    /// Decides about money that is held or given back, and about the ways to pay.
    Owner = "owner",
}

/// An e-mail address, in lower case: the name a person logs in with.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Email(String);

impl Email {
    /// The address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Email {
    type Error = Invalid;

    /// Takes what could be an address; only a letter sent there proves that it is one.
    fn try_from(value: String) -> Result<Self, Invalid> {
        let address = value.trim().to_lowercase();
        let whole = address.len() <= 254 && !address.contains(|c: char| c.is_whitespace() || c.is_control());
        match address.split_once('@') {
            Some((name, host)) if whole && !name.is_empty() && !host.is_empty() && !host.contains('@') => {
                Ok(Self(address))
            }
            _ => Err(Invalid::new("e-mail address", "is not of the form name@host", value)),
        }
    }
}

impl From<Email> for String {
    fn from(email: Email) -> Self {
        email.0
    }
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rank_may_do_what_those_below_it_may() {
        assert!(Rank::Viewer < Rank::Staff && Rank::Staff < Rank::Owner);
        assert_eq!(Rank::try_from("staff").unwrap(), Rank::Staff);
        assert!(Rank::try_from("boss").is_err());
    }

    #[test]
    fn an_address_is_kept_in_lower_case() {
        assert_eq!(Email::try_from(" Budi@Kost.Test ".to_owned()).unwrap().as_str(), "budi@kost.test");
        for bad in ["", "budi", "@kost", "budi@", "a@b@c", "a b@c"] {
            assert!(Email::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }
}
