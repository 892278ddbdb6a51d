//! Ways to pay: one table with everything that differs from one to the next, as the gateway has it (contract §2, §4, §6).

use std::time::Duration;

use crate::{Invalid, Refunds, Rules, Rupiah};

/// How the gateway is asked for a payment by a method (contract §2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChargeAs {
    /// `bank_transfer` with this bank.
    BankTransfer(&'static str),
    /// `permata`.
    Permata,
    /// `echannel`, with two lines that the payer reads.
    MandiriBill,
    /// This `payment_type` and nothing more.
    Plain(&'static str),
    /// `qris` by this acquirer.
    Qris(&'static str),
    /// `ovo`: the wallet of a telephone number is asked.
    Ovo,
    /// `cstore` with this store.
    Store(&'static str),
    /// The hosted page of the gateway with these methods on it, so that no card number comes near us.
    Page(&'static [&'static str]),
    /// Not at all: the money goes from hand to hand.
    Hand,
}

/// What a settlement by a method is worth at first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confirmation {
    /// It stands.
    Final,
    /// It may be taken back within minutes (contract §6: Permata, Mandiri bill, Indomaret).
    Reversible,
    /// It is a capture at first, which may be cancelled until it is settled the next day (contract §4, §6: cards).
    Captured,
}

/// By what name the gateway is asked how a transaction stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AskedBy {
    /// By our invoice.
    Invoice,
    /// By its own name only (contract §3: DANA).
    Transaction,
}

/// Everything that differs from one method to the next.
#[derive(Debug, Clone, Copy)]
pub struct Profile {
    /// The name in the database and in `POST /api/bills/{id}/pay`.
    pub code: &'static str,
    /// What people call it.
    pub title: &'static str,
    /// The short name on its picture, and a colour on which white text can be read.
    pub logo: (&'static str, &'static str),
    /// How the gateway is asked for it.
    pub charge: ChargeAs,
    /// By what name the gateway is asked about it.
    pub asked_by: AskedBy,
    /// What a settlement is worth at first.
    pub confirmation: Confirmation,
    /// Whether the gateway takes a wish how long the payer has.
    pub takes_expiry: bool,
    /// What may be changed by the configuration: amounts, times, refunds.
    pub rules: Rules,
}

macro_rules! methods {
    ($($(#[$doc:meta])* $name:ident = $profile:expr;)+) => {
        /// A way to pay.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Method {
            $($(#[$doc])* $name),+
        }

        impl Method {
            const EVERY: &'static [Self] = &[$(Self::$name),+];

            /// Everything that differs from one method to the next.
            #[must_use]
            pub fn profile(self) -> &'static Profile {
                match self {
                    $(Self::$name => {
                        const PROFILE: Profile = $profile;
                        &PROFILE
                    })+
                }
            }
        }
    };
}

// The order is the one in which a front end would show them. Amounts are those of contract §2, the days of refunds those
// of contract §4; both change from contract to contract, so `[methods.…]` in the configuration overrides them.
methods! {
    /// BCA virtual account.
    Bca = Profile { rules: rules(10_000, 20_000_000_000), ..account("bca", "BCA Virtual Account", ("BCA", "#1f4e8c")) };
    /// BNI virtual account.
    Bni = account("bni", "BNI Virtual Account", ("BNI", "#0b5d66"));
    /// BRI virtual account.
    Bri = Profile { rules: rules(1, 20_000_000_000), ..account("bri", "BRI Virtual Account", ("BRI", "#24508f")) };
    /// CIMB Niaga virtual account.
    Cimb = Profile { rules: rules(1, 250_000_000), ..account("cimb", "CIMB Niaga Virtual Account", ("CIMB Niaga", "#7a1420")) };
    /// Permata virtual account.
    Permata = Profile {
        charge: ChargeAs::Permata,
        confirmation: Confirmation::Reversible,
        rules: Rules { idempotency_key: false, ..rules(1, 9_999_999_999) },
        ..account("permata", "Permata Virtual Account", ("Permata", "#3c6b22"))
    };
    /// Mandiri bill payment (`echannel`).
    Mandiri = Profile {
        charge: ChargeAs::MandiriBill,
        confirmation: Confirmation::Reversible,
        rules: rules(1, 50_000_000_000),
        ..account("mandiri", "Mandiri Bill Payment", ("Mandiri", "#173a63"))
    };
    /// GoPay wallet.
    Gopay = Profile {
        rules: Rules { refunds: Refunds::parts(45).direct(), ..wallet(20_000_000) },
        ..plain("gopay", "GoPay", ("GoPay", "#0a6a80"))
    };
    /// QRIS, acquired by GoPay.
    Qris = Profile {
        charge: ChargeAs::Qris("gopay"),
        rules: Rules { refunds: Refunds::parts(45).direct(), ..wallet(10_000_000) },
        ..plain("qris", "QRIS", ("QRIS", "#3a3a3a"))
    };
    /// QRIS, acquired by ShopeePay.
    QrisShopeepay = Profile {
        charge: ChargeAs::Qris("airpay shopee"),
        rules: Rules { refunds: Refunds::whole(365).direct(), ..wallet(10_000_000) },
        ..plain("qris_shopeepay", "QRIS (ShopeePay)", ("QRIS", "#5a3a2a"))
    };
    /// ShopeePay wallet.
    Shopeepay = Profile {
        rules: Rules { refunds: Refunds::whole(365).direct(), ..wallet(20_000_000) },
        ..plain("shopeepay", "ShopeePay", ("ShopeePay", "#a33a17"))
    };
    /// DANA wallet.
    Dana = Profile {
        asked_by: AskedBy::Transaction,
        rules: Rules { refunds: Refunds::parts(45), ..wallet(20_000_000) },
        ..plain("dana", "DANA", ("DANA", "#1568b3"))
    };
    /// OVO wallet.
    Ovo = Profile {
        charge: ChargeAs::Ovo,
        takes_expiry: false,
        rules: Rules { valid_for: Duration::from_secs(65), refunds: Refunds::whole(7), ..wallet(99_999_999) },
        ..plain("ovo", "OVO", ("OVO", "#4b2a86"))
    };
    /// Cash at Alfamart.
    Alfamart = Profile {
        charge: ChargeAs::Store("alfamart"),
        rules: rules(1, 5_000_000),
        ..account("alfamart", "Alfamart", ("Alfamart", "#9a1c22"))
    };
    /// Cash at Indomaret.
    Indomaret = Profile {
        charge: ChargeAs::Store("indomaret"),
        confirmation: Confirmation::Reversible,
        rules: Rules { idempotency_key: false, ..rules(10_000, 5_000_000) },
        ..account("indomaret", "Indomaret", ("Indomaret", "#1d4d8f"))
    };
    /// Akulaku PayLater.
    Akulaku = Profile {
        rules: Rules { valid_for: HOUR.saturating_mul(2), refunds: Refunds::parts(180), ..rules(5_000, MOST) },
        ..plain("akulaku", "Akulaku PayLater", ("Akulaku", "#a32a2a"))
    };
    /// Kredivo.
    Kredivo = Profile {
        rules: Rules { refunds: Refunds::parts(14), ..rules(1, MOST) },
        ..plain("kredivo", "Kredivo", ("Kredivo", "#0b5f8f"))
    };
    /// Credit card, on the gateway's hosted page.
    Card = Profile {
        charge: ChargeAs::Page(&["credit_card"]),
        confirmation: Confirmation::Captured,
        rules: Rules {
            valid_for: Duration::from_secs(15 * 60),
            refunds: Refunds::parts(180),
            idempotency_key: false,
            ..rules(10_000, 999_999_999)
        },
        ..plain("card", "Kartu kredit", ("Kartu", "#3b3f4a"))
    };
    /// Cash into the hand of the house. Never offered, and the gateway never hears of it.
    Cash = Profile {
        charge: ChargeAs::Hand,
        rules: rules(1, MOST),
        ..account("cash", "Tunai", ("Tunai", "#4a4a4a"))
    };
}

const HOUR: Duration = Duration::from_secs(3600);
const MOST: i64 = Rupiah::MAX.get();

/// A number that is paid at a bank or a till within a day: no refund by API (contract §4).
const fn account(code: &'static str, title: &'static str, logo: (&'static str, &'static str)) -> Profile {
    Profile {
        code,
        title,
        logo,
        charge: ChargeAs::BankTransfer(code),
        asked_by: AskedBy::Invoice,
        confirmation: Confirmation::Final,
        takes_expiry: true,
        rules: rules(1, MOST),
    }
}

/// A method whose `payment_type` says it all.
const fn plain(code: &'static str, title: &'static str, logo: (&'static str, &'static str)) -> Profile {
    Profile { charge: ChargeAs::Plain(code), ..account(code, title, logo) }
}

const fn rules(min: i64, max: i64) -> Rules {
    Rules {
        min: Rupiah::whole(min),
        max: Rupiah::whole(max),
        valid_for: HOUR.saturating_mul(24),
        refunds: Refunds::none(),
        idempotency_key: true,
    }
}

const fn wallet(max: i64) -> Rules {
    Rules { valid_for: Duration::from_secs(15 * 60), ..rules(1, max) }
}

impl Method {
    /// All that the gateway takes, in the order in which a front end would show them.
    pub fn offered() -> impl Iterator<Item = Self> {
        Self::EVERY.iter().copied().filter(|method| method.profile().charge != ChargeAs::Hand)
    }

    /// The name in the database and in `POST /api/bills/{id}/pay`.
    #[must_use]
    pub fn code(self) -> &'static str {
        self.profile().code
    }

    /// What people call it.
    #[must_use]
    pub fn title(self) -> &'static str {
        self.profile().title
    }

    /// What a settlement by this method is worth at first.
    #[must_use]
    pub fn confirmation(self) -> Confirmation {
        self.profile().confirmation
    }

    /// True for the hosted page of the gateway, on which a payer may try several times under one invoice (contract §2).
    #[must_use]
    pub fn is_on_a_page(self) -> bool {
        matches!(self.profile().charge, ChargeAs::Page(_))
    }

    /// How long the payer usually has: the gateway's own default, or what we ask for (contract §2).
    #[must_use]
    pub fn usual_validity(self) -> Duration {
        self.profile().rules.valid_for
    }
}

impl TryFrom<&str> for Method {
    type Error = Invalid;

    fn try_from(code: &str) -> Result<Self, Invalid> {
        let found = Self::EVERY.iter().copied().find(|method| method.code() == code);
        found.ok_or_else(|| Invalid::new("payment method", "is not known", code))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_names_its_method() {
        for method in Method::EVERY {
            assert_eq!(Method::try_from(method.code()), Ok(*method));
        }
        assert!(Method::try_from("cheque").is_err());
    }

    #[test]
    fn cash_is_not_offered() {
        assert!(Method::offered().all(|method| method != Method::Cash));
        assert_eq!(Method::offered().count(), Method::EVERY.len() - 1);
    }

    /// Contract §2 and §4: the least and the most in rupiah, the usual time in minutes, the days of refunds.
    const CONTRACT: [(Method, i64, i64, u64, u32); 17] = [
        (Method::Bca, 10_000, 20_000_000_000, 1440, 0),
        (Method::Bni, 1, MOST, 1440, 0),
        (Method::Bri, 1, 20_000_000_000, 1440, 0),
        (Method::Cimb, 1, 250_000_000, 1440, 0),
        (Method::Permata, 1, 9_999_999_999, 1440, 0),
        (Method::Mandiri, 1, 50_000_000_000, 1440, 0),
        (Method::Gopay, 1, 20_000_000, 15, 45),
        (Method::Qris, 1, 10_000_000, 15, 45),
        (Method::QrisShopeepay, 1, 10_000_000, 15, 365),
        (Method::Shopeepay, 1, 20_000_000, 15, 365),
        (Method::Dana, 1, 20_000_000, 15, 45),
        (Method::Ovo, 1, 99_999_999, 1, 7),
        (Method::Alfamart, 1, 5_000_000, 1440, 0),
        (Method::Indomaret, 10_000, 5_000_000, 1440, 0),
        (Method::Akulaku, 5_000, MOST, 120, 180),
        (Method::Kredivo, 1, MOST, 1440, 14),
        (Method::Card, 10_000, 999_999_999, 15, 180),
    ];

    #[test]
    fn amounts_times_and_refunds_are_the_contracts() {
        assert!(Method::offered().eq(CONTRACT.iter().map(|(method, ..)| *method)));
        for (method, min, max, minutes, days) in CONTRACT {
            let Rules { min: least, max: most, valid_for, refunds, .. } = method.profile().rules;
            assert_eq!((least.get(), most.get()), (min, max), "{method:?}");
            assert_eq!((valid_for.as_secs() / 60, refunds.days), (minutes, days), "{method:?}");
        }
    }

    #[test]
    fn the_table_is_the_contracts() {
        let reversible = Method::offered().filter(|method| method.confirmation() == Confirmation::Reversible);
        assert!(reversible.eq([Method::Permata, Method::Mandiri, Method::Indomaret]), "contract §6");
        let keyless = Method::offered().filter(|method| !method.profile().rules.idempotency_key);
        assert!(keyless.eq([Method::Permata, Method::Indomaret, Method::Card]), "contract §1");
        for method in Method::offered() {
            let Profile { rules, charge, .. } = method.profile();
            let number = matches!(charge, ChargeAs::BankTransfer(_) | ChargeAs::Store(_))
                || matches!(charge, ChargeAs::Permata | ChargeAs::MandiriBill);
            assert_eq!(rules.refunds == Refunds::none(), number, "{method:?}: contract §4");
            assert!(rules.min > Rupiah::ZERO && rules.min < rules.max, "{method:?}");
        }
    }
}
