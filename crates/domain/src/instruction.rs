//! What the payer needs in order to pay, in one shape for all methods.

use serde::{Deserialize, Serialize};

/// What the payer needs: a number, a code, a picture or a link. Links are the gateway's and opaque (contract §1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum Instruction {
    /// Transfer to this account.
    VirtualAccount {
        /// The bank, in lower case.
        bank: String,
        /// The account number, which may differ from what was asked for.
        number: String,
    },
    /// Pay this bill at Mandiri.
    MandiriBill {
        /// Mandiri's code for Midtrans, `70012`.
        biller_code: String,
        /// The number of the bill.
        bill_key: String,
    },
    /// Scan this code, or open the wallet.
    Qr {
        /// A picture of the code.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        image_url: Option<String>,
        /// The code's text, to be drawn by the front end.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        qr_string: Option<String>,
        /// Opens the wallet on the same phone.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        deeplink_url: Option<String>,
    },
    /// Open the wallet.
    Deeplink {
        /// Where to.
        url: String,
    },
    /// Tell the cashier of the store this code.
    PaymentCode {
        /// `alfamart` or `indomaret`.
        store: String,
        /// The code.
        code: String,
    },
    /// Go on at this page.
    Redirect {
        /// Where to.
        url: String,
        /// The gateway's name for its hosted page, for a front end that shows it in a frame of its own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token: Option<String>,
    },
    /// Open the wallet on the telephone of this number and confirm.
    Push {
        /// The number.
        phone: String,
    },
}
