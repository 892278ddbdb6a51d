//! Letters by e-mail: SMTP, with TLS where the address says so.

use std::time::Duration;

use domain::Time;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::extension::ClientId;
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};

use crate::letter::Letter;
use crate::{EmailSettings, Undelivered, Unusable, story};

/// Replies that speak of the mailbox and not of the server: there is none, it is not here, its name is wrong
/// (RFC 5321, section 4.2.3).
const NO_MAILBOX: [u16; 3] = [550, 551, 553];

/// Sends letters through one server. Each has a connection of its own: there are few, and none is kept that died.
pub(crate) struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl Mailer {
    pub(crate) fn new(settings: &EmailSettings, timeout: Duration) -> Result<Self, Unusable> {
        let from: Mailbox = settings
            .from
            .parse()
            .map_err(|_| Unusable("reminders.from is not of the form `Name <name@host>`".to_owned()))?;
        let wrong = |_| {
            // The error may hold the address, and that the password.
            let form = "smtps://USER:PASSWORD@HOST, smtp://USER:PASSWORD@HOST?tls=required or smtp://HOST";
            Unusable(format!("KASIR_SMTP_URL is not of the form {form}"))
        };
        let builder = AsyncSmtpTransport::<Tokio1Executor>::from_url(settings.url.expose()).map_err(wrong)?;
        let transport = builder
            .timeout(Some(timeout))
            .hello_name(ClientId::Domain(from.email.domain().to_owned()))
            .build();
        Ok(Self { transport, from })
    }

    pub(crate) async fn send(&self, letter: &Letter, now: Time) -> Result<String, Undelivered> {
        let message = self.written(letter, now).map_err(Undelivered::Refused)?;
        match self.transport.send(message).await {
            Ok(response) => {
                let said = response.message().collect::<Vec<_>>().join(" ");
                Ok(format!("{} {said}", response.code()).chars().take(200).collect())
            }
            Err(error) => {
                let text = story(&error);
                let code = error.status().map(u16::from);
                Err(match code {
                    Some(code) if NO_MAILBOX.contains(&code) => Undelivered::Refused(text),
                    // Busy, or a mailbox that is full for now.
                    Some(400..=499) => Undelivered::NotNow(text),
                    _ => Undelivered::Unreachable(text),
                })
            }
        }
    }

    fn written(&self, letter: &Letter, now: Time) -> Result<Message, String> {
        let address =
            letter.email.as_str().parse().map_err(|_| "the address is none for e-mail".to_owned())?;
        let words = letter.words();
        let mut message = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(Some(printed(&letter.name)), address))
            .subject(printed(&words.subject))
            .date(now.into())
            .message_id(Some(format!("<{}@{}>", letter.message_id, self.from.email.domain())))
            // Nobody's out-of-office note answers it (RFC 3834).
            .raw_header(header(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated"));
        if let Some(url) = &letter.stop_url {
            // The button of mail programs (RFC 8058).
            message = message
                .raw_header(header(HeaderName::new_from_ascii_str("List-Unsubscribe"), &format!("<{url}>")))
                .raw_header(header(
                    HeaderName::new_from_ascii_str("List-Unsubscribe-Post"),
                    "List-Unsubscribe=One-Click",
                ));
        }
        let parts = MultiPart::alternative_plain_html(words.text, words.html);
        message.multipart(parts).map_err(|error| story(&error))
    }
}

/// A line of a head; what does not print could begin another one, and the library panics at it.
fn printed(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn header(name: HeaderName, value: &str) -> HeaderValue {
    HeaderValue::new(name, value.to_owned())
}

#[cfg(test)]
mod tests {
    use domain::{Language, ReminderKind, Secret};

    use super::*;
    use crate::letter::tests::letter;

    fn mailer(url: &str, from: &str) -> Result<Mailer, Unusable> {
        let settings = EmailSettings { url: Secret::from(url), from: from.to_owned() };
        Mailer::new(&settings, Duration::from_secs(1))
    }

    #[test]
    fn a_letter_is_the_same_each_time_but_for_its_boundary() {
        let mailer = mailer("smtp://127.0.0.1:1", "Kost <kost@kost.test>").unwrap();
        let letter = letter(ReminderKind::Paid, Language::Indonesian);
        let text = String::from_utf8(mailer.written(&letter, Time::default()).unwrap().formatted()).unwrap();
        for line in [
            "Message-ID: <kasir.7.paid.email.abc@kost.test>",
            "Date: Thu, 01 Jan 1970 00:00:00 +0000",
            "Auto-Submitted: auto-generated",
            "List-Unsubscribe-Post: List-Unsubscribe=One-Click",
            "Subject: Lunas: sewa kamar Desember 2026",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
    }

    #[test]
    fn no_header_is_made_by_what_a_person_is_called() {
        let mailer = mailer("smtp://127.0.0.1:1", "kost@kost.test").unwrap();
        let mut letter = letter(ReminderKind::Paid, Language::Indonesian);
        letter.name = "Budi\r\nBcc: all@kost.test".to_owned();
        letter.title = Some("Laundry\r\nBcc: all@kost.test".to_owned());
        let text = String::from_utf8(mailer.written(&letter, Time::default()).unwrap().formatted()).unwrap();
        let (head, _) = text.split_once("\r\n\r\n").unwrap();
        assert!(
            head.contains("<budi@kost.test>") && !head.lines().any(|line| line.starts_with("Bcc")),
            "{head}"
        );
    }

    #[test]
    fn what_cannot_be_used_is_told_without_its_password() {
        for (url, from) in [
            ("imap://user:hush@host", "kost@kost.test"),
            ("smtp://user:hush@host?tls=perhaps", "kost@kost.test"),
            ("hush", "kost@kost.test"),
            ("smtp://127.0.0.1", "nobody"),
        ] {
            let error = mailer(url, from).err().unwrap().to_string();
            assert!(!error.contains("hush"), "{error}");
        }
    }
}
