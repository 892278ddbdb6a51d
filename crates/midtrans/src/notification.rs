//! Notifications: what the gateway posts to us, what kind it is, and whether it is signed (contract §7).

use domain::{Event, Secret};
use sha2::{Digest as _, Sha512};
use subtle::{Choice, ConstantTimeEq as _};

use crate::fields::Fields;
use crate::report;

/// A body that is not a JSON object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the body is not a JSON object")]
pub struct NotANotification;

/// What a message to the notification URL is about. Merchants put one URL into all fields of the dashboard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A payment: the only kind that can concern one of ours.
    Payment,
    /// The dashboard's "Test notification URL" button: validly signed, about no order.
    DashboardTest,
    /// A subscription was made or charged.
    Subscription,
    /// A wallet was linked or unlinked.
    PayAccount,
    /// None of these.
    Unknown,
}

/// A message of the gateway, its texts exactly as written. It is a reason to ask GET status, not a truth:
/// the signature does not cover `transaction_status`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// What it is about.
    pub kind: Kind,
    /// Our invoice, if it is one of ours.
    pub order_id: Option<String>,
    /// What the gateway calls the transaction.
    pub transaction_id: Option<String>,
    /// The state that it claims.
    pub transaction_status: Option<String>,
    /// The code, which differs from the code of GET status for the same state.
    pub status_code: Option<String>,
    /// The amount.
    pub gross_amount: Option<String>,
    /// The signature.
    pub signature_key: Option<String>,
    /// The method, in the gateway's words.
    pub payment_type: Option<String>,
    /// What the fraud check said.
    pub fraud_status: Option<String>,
    /// The linked wallet, for [`Kind::PayAccount`].
    pub account_id: Option<String>,
    /// What became of the wallet, for [`Kind::PayAccount`].
    pub account_status: Option<String>,
    /// What it claims has happened, read as an answer to GET status would be.
    pub event: Option<Event>,
}

impl Notification {
    /// Reads a body. Unknown, missing and oddly typed fields do no harm.
    ///
    /// # Errors
    /// When the body is not a JSON object.
    pub fn parse(body: &[u8]) -> Result<Self, NotANotification> {
        let fields = Fields::parse(body).ok_or(NotANotification)?;
        Ok(Self {
            kind: kind(&fields),
            order_id: fields.exact("order_id"),
            transaction_id: fields.exact("transaction_id"),
            transaction_status: fields.exact("transaction_status"),
            status_code: fields.exact("status_code"),
            gross_amount: fields.exact("gross_amount"),
            signature_key: fields.exact("signature_key"),
            payment_type: fields.exact("payment_type"),
            fraud_status: fields.exact("fraud_status"),
            account_id: fields.exact("account_id"),
            account_status: fields.exact("account_status"),
            event: report::event(&fields),
        })
    }

    /// Whether one of `keys` signed it. Several keys make it possible to change the key; an empty one signs nothing.
    #[must_use]
    pub fn is_signed_by(&self, keys: &[Secret]) -> bool {
        let (Some(parts), Some(given)) = (self.signed_parts(), &self.signature_key) else { return false };
        let usable = keys.iter().filter(|key| !key.is_empty());
        let signed = usable.fold(Choice::from(0), |signed, key| {
            signed | digest(&parts, key).as_bytes().ct_eq(given.as_bytes())
        });
        signed.into()
    }

    fn signed_parts(&self) -> Option<[&str; 3]> {
        let code = self.status_code.as_deref()?;
        match self.kind {
            Kind::Payment | Kind::DashboardTest => {
                Some([self.order_id.as_deref()?, code, self.gross_amount.as_deref()?])
            }
            Kind::PayAccount => Some([self.account_id.as_deref()?, self.account_status.as_deref()?, code]),
            Kind::Subscription | Kind::Unknown => None,
        }
    }
}

/// The signature of a payment notification: lower-case hex SHA-512 of the texts as they are in it, and the key.
#[must_use]
pub fn sign(order_id: &str, status_code: &str, gross_amount: &str, key: &Secret) -> String {
    digest(&[order_id, status_code, gross_amount], key)
}

fn digest(parts: &[&str; 3], key: &Secret) -> String {
    let texts = parts.iter().fold(Sha512::new(), |digest, part| digest.chain_update(part));
    hex::encode(texts.chain_update(key.expose()).finalize())
}

fn kind(fields: &Fields) -> Kind {
    let has = |name| fields.text(name).is_some();
    let subscription = has("event_name") && fields.object("subscription").is_some();
    match fields.text("order_id") {
        Some(order) if order.starts_with("payment_notif_test_") => Kind::DashboardTest,
        Some(_) => Kind::Payment,
        None if subscription || fields.object("schedule").is_some() => Kind::Subscription,
        None if has("account_id") && has("account_status") => Kind::PayAccount,
        None => Kind::Unknown,
    }
}
