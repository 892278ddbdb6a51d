//! Ways to pay, as the gateway's Core API offers them.

use std::time::Duration;

use crate::Invalid;

/// A way to pay. The contract names the request and the answer of each (§2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Method {
    /// BCA virtual account.
    Bca,
    /// BNI virtual account.
    Bni,
    /// BRI virtual account.
    Bri,
    /// CIMB Niaga virtual account.
    Cimb,
    /// Permata virtual account.
    Permata,
    /// Mandiri bill payment (`echannel`).
    Mandiri,
    /// GoPay wallet.
    Gopay,
    /// QRIS, acquired by GoPay.
    Qris,
    /// ShopeePay wallet.
    Shopeepay,
    /// Cash at Alfamart.
    Alfamart,
    /// Cash at Indomaret.
    Indomaret,
    /// Cash into the hand of the house. Never offered, and the gateway never hears of it.
    Cash,
}

/// What a settlement by a method is worth at first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confirmation {
    /// It stands.
    Final,
    /// It may be taken back within minutes (contract §6: Permata, Mandiri bill, Indomaret).
    Reversible,
}

impl Method {
    /// All that the gateway takes, in the order in which a front end would show them.
    pub const ALL: [Self; 11] = [
        Self::Bca,
        Self::Bni,
        Self::Bri,
        Self::Cimb,
        Self::Permata,
        Self::Mandiri,
        Self::Gopay,
        Self::Qris,
        Self::Shopeepay,
        Self::Alfamart,
        Self::Indomaret,
    ];

    /// The name in the database and in `POST /api/bills/{id}/pay`.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Bca => "bca",
            Self::Bni => "bni",
            Self::Bri => "bri",
            Self::Cimb => "cimb",
            Self::Permata => "permata",
            Self::Mandiri => "mandiri",
            Self::Gopay => "gopay",
            Self::Qris => "qris",
            Self::Shopeepay => "shopeepay",
            Self::Alfamart => "alfamart",
            Self::Indomaret => "indomaret",
            Self::Cash => "cash",
        }
    }

    /// What people call it.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Bca => "BCA Virtual Account",
            Self::Bni => "BNI Virtual Account",
            Self::Bri => "BRI Virtual Account",
            Self::Cimb => "CIMB Niaga Virtual Account",
            Self::Permata => "Permata Virtual Account",
            Self::Mandiri => "Mandiri Bill Payment",
            Self::Gopay => "GoPay",
            Self::Qris => "QRIS",
            Self::Shopeepay => "ShopeePay",
            Self::Alfamart => "Alfamart",
            Self::Indomaret => "Indomaret",
            Self::Cash => "Tunai",
        }
    }

    /// Whether a settlement by this method may be taken back within minutes.
    #[must_use]
    pub fn confirmation(self) -> Confirmation {
        match self {
            Self::Permata | Self::Mandiri | Self::Indomaret => Confirmation::Reversible,
            Self::Bca
            | Self::Bni
            | Self::Bri
            | Self::Cimb
            | Self::Gopay
            | Self::Qris
            | Self::Shopeepay
            | Self::Alfamart
            | Self::Cash => Confirmation::Final,
        }
    }

    /// How long the gateway keeps a transaction of this method open when it does not say (contract §2).
    #[must_use]
    pub fn usual_validity(self) -> Duration {
        match self {
            Self::Gopay | Self::Qris | Self::Shopeepay => Duration::from_secs(15 * 60),
            Self::Bca
            | Self::Bni
            | Self::Bri
            | Self::Cimb
            | Self::Permata
            | Self::Mandiri
            | Self::Alfamart
            | Self::Indomaret
            | Self::Cash => Duration::from_secs(24 * 3600),
        }
    }
}

impl TryFrom<&str> for Method {
    type Error = Invalid;

    fn try_from(code: &str) -> Result<Self, Invalid> {
        Self::ALL
            .into_iter()
            .chain([Self::Cash])
            .find(|method| method.code() == code)
            .ok_or_else(|| Invalid::new("payment method", "is not known", code))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_names_its_method() {
        for method in Method::ALL {
            assert_eq!(Method::try_from(method.code()), Ok(method));
        }
        assert_eq!(Method::try_from("cash"), Ok(Method::Cash));
        assert!(!Method::ALL.contains(&Method::Cash), "cash is not offered");
        assert!(Method::try_from("cheque").is_err());
    }
}
