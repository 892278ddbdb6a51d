//! Reminders: what tenants are told of, in which language, and by which ways. Without a way nothing is sent.

use std::time::Duration;

use courier::{Couriers, EmailSettings, Links, Settings, WebhookSettings};
use domain::{Language, ReminderKind, Secret};
use serde::Deserialize;

/// A key shorter than this can be guessed.
const SECRET_CHARS_MIN: usize = 32;
const AT_ONCE_MAX: usize = 100;
const WAITING_MAX: u32 = 1_000;

/// What `kasir.toml` may say of reminders.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Reminders {
    /// What tenants are told of.
    pub kinds: Vec<ReminderKind>,
    /// The language of tenants who have chosen none.
    pub language: Language,
    /// How the house signs its letters.
    pub signature: String,
    /// Who e-mail is from: `Kost Melati <kost@example.com>`.
    pub from: String,
    /// Whether the webhook may be on this machine or in this network.
    pub webhook_private: bool,
    /// How long the sending of one may take, in seconds.
    pub timeout_s: u64,
    /// Reminders that are being sent at once in each way, for each process.
    pub at_once: usize,
    /// Reminders of each way that wait to be sent.
    pub waiting: u32,
}

impl Default for Reminders {
    fn default() -> Self {
        Self {
            kinds: ReminderKind::ALL.to_vec(),
            language: Language::Indonesian,
            signature: "Pengelola kost".to_owned(),
            from: String::new(),
            webhook_private: false,
            timeout_s: 15,
            at_once: 2,
            waiting: 100,
        }
    }
}

/// Where reminders go, from the environment.
#[derive(Debug, Clone, Default)]
pub struct Ways {
    /// The server that takes e-mail.
    pub smtp_url: Option<Secret>,
    /// The webhook.
    pub webhook_url: Option<Secret>,
    /// Signs the calls of the webhook.
    pub webhook_secret: Option<Secret>,
}

impl Ways {
    pub(super) fn from_env(env: &dyn Fn(&str) -> Option<String>) -> Self {
        let secret = |name| env(name).map(Secret::from);
        Self {
            smtp_url: secret("KASIR_SMTP_URL"),
            webhook_url: secret("KASIR_WEBHOOK_URL"),
            webhook_secret: secret("KASIR_WEBHOOK_SECRET"),
        }
    }
}

impl Reminders {
    /// Tells what makes no sense.
    pub(super) fn check(&self, (ways, job_timeout_s): (&Ways, u64), mistakes: &mut Vec<String>) {
        if !(1..=AT_ONCE_MAX).contains(&self.at_once) {
            mistakes.push(format!("reminders.at_once is not between 1 and {AT_ONCE_MAX}"));
        }
        if !(1..=WAITING_MAX).contains(&self.waiting) {
            mistakes.push(format!("reminders.waiting is not between 1 and {WAITING_MAX}"));
        }
        if !(1..job_timeout_s).contains(&self.timeout_s) {
            mistakes.push("reminders.timeout_s is 0, or not shorter than limits.job_timeout_s".to_owned());
        }
        if ways.smtp_url.is_some() && self.from.is_empty() {
            mistakes.push("reminders.from is missing, though KASIR_SMTP_URL is set".to_owned());
        }
        if let Some(url) = &ways.smtp_url
            && tells_its_password(url)
        {
            mistakes
                .push("KASIR_SMTP_URL sends a password without TLS: smtps://, or ?tls=required".to_owned());
        }
        match (&ways.webhook_url, &ways.webhook_secret) {
            (Some(_), Some(secret)) if secret.expose().len() < SECRET_CHARS_MIN => mistakes.push(format!(
                "KASIR_WEBHOOK_SECRET is shorter than {SECRET_CHARS_MIN} characters; `openssl rand -hex 32` makes one"
            )),
            (Some(_), None) => mistakes.push(
                "KASIR_WEBHOOK_SECRET is missing, though KASIR_WEBHOOK_URL is set; `openssl rand -hex 32` makes one"
                    .to_owned(),
            ),
            _ => {}
        }
    }

    /// What the couriers need to know.
    fn settings(&self, ways: &Ways) -> Settings {
        let from = self.from.clone();
        let webhook = ways.webhook_url.clone().zip(ways.webhook_secret.clone());
        Settings {
            kinds: self.kinds.clone(),
            language: self.language,
            house: self.signature.clone(),
            email: ways.smtp_url.clone().map(|url| EmailSettings { url, from }),
            webhook: webhook.map(|(url, secret)| WebhookSettings {
                url,
                secret,
                may_be_private: self.webhook_private,
            }),
            at_once: self.at_once,
            waiting: i64::from(self.waiting),
            timeout: Duration::from_secs(self.timeout_s),
        }
    }

    /// The ways out, with names and links that follow from the secret of this installation.
    ///
    /// # Errors
    /// When an address cannot be used.
    pub fn couriers(&self, ways: &Ways, links: Links) -> Result<Couriers, courier::Unusable> {
        Couriers::new(self.settings(ways), links)
    }
}

/// Whether a password would go to another machine for everybody on the way to read.
fn tells_its_password(url: &Secret) -> bool {
    let Some((authority, rest)) = url.expose().strip_prefix("smtp://").and_then(|rest| rest.rsplit_once('@'))
    else {
        return false;
    };
    let is_here = ["127.0.0.1", "localhost", "[::1]"].iter().any(|host| rest.starts_with(host));
    !authority.is_empty() && !is_here && !rest.contains("tls=required")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistakes(from: &str, ways: [Option<&str>; 3]) -> Vec<String> {
        let [smtp_url, webhook_url, webhook_secret] = ways.map(|way| way.map(Secret::from));
        let mut mistakes = Vec::new();
        let reminders = Reminders { from: from.to_owned(), ..Reminders::default() };
        reminders.check((&Ways { smtp_url, webhook_url, webhook_secret }, 45), &mut mistakes);
        mistakes
    }

    #[test]
    fn a_way_needs_all_that_belongs_to_it() {
        let long = "hush-hush-hush-hush-hush-hush-hush-hush";
        assert_eq!(mistakes("", [None, None, None]), [""; 0]);
        assert_eq!(
            mistakes("kost@kost.test", [Some("smtps://u:hush@mail"), Some("https://x"), Some(long)]),
            [""; 0]
        );
        for (from, ways) in [
            ("", [Some("smtps://mail"), None, None]),
            ("kost@kost.test", [Some("smtp://u:hush@mail"), None, None]),
            ("kost@kost.test", [Some("smtp://u:hush@mail?tls=opportunistic"), None, None]),
            ("", [None, Some("https://x"), None]),
            ("", [None, Some("https://x"), Some("hush")]),
        ] {
            let found = mistakes(from, ways);
            assert!(found.len() == 1 && !found[0].contains("hush"), "{ways:?}: {found:?}");
        }
        for fine in ["smtp://mail", "smtp://u:p@127.0.0.1:25", "smtp://u:p@mail:587?tls=required"] {
            assert_eq!(mistakes("kost@kost.test", [Some(fine), None, None]), [""; 0], "{fine}");
        }
    }
}
