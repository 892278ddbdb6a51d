//! The names of messages, and the link by which a tenant stops them: both follow from the secret of the installation.

use domain::{BillId, Channel, ReminderKind, Secret, UserId};
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

/// Letters of a signature that are kept: 128 bits.
const KEPT: usize = 32;

/// Names and links of one installation.
#[derive(Debug, Clone)]
pub struct Links {
    secret: Secret,
    /// Where tenants find us, without a slash at the end; `None`: nobody said, so that letters have no link.
    public_url: Option<String>,
}

impl Links {
    /// Those that follow from this secret, under this address.
    #[must_use]
    pub fn new(secret: Secret, public_url: Option<String>) -> Self {
        Self { secret, public_url }
    }

    /// What a message is called, the same each time it is sent.
    #[must_use]
    pub fn message(&self, bill: BillId, kind: ReminderKind, channel: Channel) -> String {
        let (kind, channel) = (kind.as_str(), channel.as_str());
        let mark = self.sign(&format!("kasir message {bill} {kind} {channel}"));
        format!("kasir.{bill}.{kind}.{channel}.{mark}")
    }

    /// What proves that a link is for this tenant.
    #[must_use]
    pub fn stop_token(&self, tenant: UserId) -> String {
        format!("{tenant}.{}", self.sign(&format!("kasir stop {tenant}")))
    }

    /// Whose token this is; `None` when it is not ours.
    #[must_use]
    pub fn tenant_of(&self, token: &str) -> Option<UserId> {
        let (id, _) = token.split_once('.')?;
        let tenant = UserId(id.parse().ok()?);
        bool::from(self.stop_token(tenant).as_bytes().ct_eq(token.as_bytes())).then_some(tenant)
    }

    /// Where this tenant stops the reminders.
    #[must_use]
    pub fn stop_url(&self, tenant: UserId) -> Option<String> {
        let base = self.public_url.as_ref()?;
        Some(format!("{base}/reminders/stop?token={}", self.stop_token(tenant)))
    }

    fn sign(&self, text: &str) -> String {
        // HMAC takes keys of any length; without a signature nothing of ours is ever recognised.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(self.secret.expose().as_bytes()) else {
            return String::new();
        };
        mac.update(text.as_bytes());
        let mut text = hex::encode(mac.finalize().into_bytes());
        text.truncate(KEPT);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_for_one_tenant_of_one_installation() {
        let ours = Links::new(Secret::from("ours"), Some("https://kost.example".to_owned()));
        let theirs = Links::new(Secret::from("theirs"), None);
        let token = ours.stop_token(UserId(7));
        assert_eq!(ours.tenant_of(&token), Some(UserId(7)));
        assert_eq!(theirs.tenant_of(&token), None);
        let other = token.replacen("7.", "8.", 1);
        for bad in ["", ".", "7.", "7", &other, &format!("{token}0"), &format!(" {token}")] {
            assert_eq!(ours.tenant_of(bad), None, "{bad}");
        }
        assert_eq!(
            ours.stop_url(UserId(7)),
            Some(format!("https://kost.example/reminders/stop?token={token}"))
        );
        assert_eq!(theirs.stop_url(UserId(7)), None);
    }

    #[test]
    fn a_message_has_one_name_and_no_other_has_it() {
        let links = Links::new(Secret::from("ours"), None);
        let name = |bill, kind, channel| links.message(BillId(bill), kind, channel);
        let one = name(1, ReminderKind::Paid, Channel::Email);
        assert_eq!(one, name(1, ReminderKind::Paid, Channel::Email));
        assert_ne!(one, name(1, ReminderKind::Paid, Channel::Webhook));
        assert_ne!(one, name(1, ReminderKind::Overdue, Channel::Email));
        assert_ne!(one, name(2, ReminderKind::Paid, Channel::Email));
    }
}
