//! Carries what the house tells tenants: letters by e-mail (SMTP), and signed calls to a webhook. It knows no database,
//! and keeps nothing.

mod email;
mod gate;
mod letter;
mod link;
mod private;
mod webhook;

use std::time::Duration;

use domain::{Channel, Language, ReminderKind, Secret, Time};

pub use gate::{Gate, Turn};
pub use letter::{Letter, Words};
pub use link::Links;

/// What the house has set for reminders.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What tenants are told of.
    pub kinds: Vec<ReminderKind>,
    /// The language of tenants who have chosen none.
    pub language: Language,
    /// How the house signs its letters.
    pub house: String,
    /// The letters' way out; `None`: no e-mail.
    pub email: Option<EmailSettings>,
    /// The webhook; `None`: no calls.
    pub webhook: Option<WebhookSettings>,
    /// Reminders that are being sent at once in each way, in this process.
    pub at_once: usize,
    /// Reminders of each way that wait to be sent; the rest waits where it is found.
    pub waiting: i64,
    /// How long the sending of one may take.
    pub timeout: Duration,
}

/// A server that takes e-mail.
#[derive(Debug, Clone)]
pub struct EmailSettings {
    /// `smtps://USER:PASSWORD@HOST`, `smtp://USER:PASSWORD@HOST?tls=required`, or `smtp://HOST` for one that takes letters
    /// without either.
    pub url: Secret,
    /// Who the letters are from: `Kost Melati <kost@example.com>`.
    pub from: String,
}

/// An address that is called.
#[derive(Debug, Clone)]
pub struct WebhookSettings {
    /// Where.
    pub url: Secret,
    /// Signs the calls.
    pub secret: Secret,
    /// Whether it may be on this machine or in this network.
    pub may_be_private: bool,
}

/// Settings that nothing can be sent with.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Unusable(pub(crate) String);

/// Why a letter did not go.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Undelivered {
    /// Nobody takes letters there now: none would go.
    #[error("nobody takes it: {0}")]
    Unreachable(String),
    /// This letter was not taken now.
    #[error("not now: {0}")]
    NotNow(String),
    /// This letter will never be taken.
    #[error("refused: {0}")]
    Refused(String),
}

/// Every way out that the house has.
pub struct Couriers {
    settings: Settings,
    email: Option<email::Mailer>,
    webhook: Option<webhook::Webhook>,
    email_gate: Gate,
    webhook_gate: Gate,
    links: Links,
}

impl Couriers {
    /// The ways out that are set.
    ///
    /// # Errors
    /// When what is set cannot be used.
    pub fn new(settings: Settings, links: Links) -> Result<Self, Unusable> {
        let email = settings.email.as_ref().map(|email| email::Mailer::new(email, settings.timeout));
        let webhook =
            settings.webhook.as_ref().map(|webhook| webhook::Webhook::new(webhook, settings.timeout));
        Ok(Self {
            email: email.transpose()?,
            webhook: webhook.transpose()?,
            email_gate: Gate::new(settings.at_once),
            webhook_gate: Gate::new(settings.at_once),
            settings,
            links,
        })
    }

    /// What the house has set.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The names of messages, and the links in them.
    #[must_use]
    pub fn links(&self) -> &Links {
        &self.links
    }

    /// Whether anything goes this way.
    #[must_use]
    pub fn has(&self, channel: Channel) -> bool {
        match channel {
            Channel::Email => self.email.is_some(),
            Channel::Webhook => self.webhook.is_some(),
        }
    }

    /// How many go this way at once, and whether anybody answers there.
    #[must_use]
    pub fn gate(&self, channel: Channel) -> &Gate {
        match channel {
            Channel::Email => &self.email_gate,
            Channel::Webhook => &self.webhook_gate,
        }
    }

    /// Sends a letter. What comes back is what the other side said.
    ///
    /// # Errors
    /// When it was not taken.
    pub async fn send(&self, letter: &Letter, channel: Channel, now: Time) -> Result<String, Undelivered> {
        let nobody = || Undelivered::Unreachable(format!("{} is not configured", channel.as_str()));
        let sending = async {
            match channel {
                Channel::Email => self.email.as_ref().ok_or_else(nobody)?.send(letter, now).await,
                Channel::Webhook => self.webhook.as_ref().ok_or_else(nobody)?.send(letter, now).await,
            }
        };
        let limit = self.settings.timeout;
        tokio::time::timeout(limit, sending)
            .await
            .unwrap_or_else(|_elapsed| Err(Undelivered::Unreachable(format!("no answer within {limit:?}"))))
    }
}

/// An error and its causes in one line of at most 300 characters.
fn story(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    let text = causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"));
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect()
}
