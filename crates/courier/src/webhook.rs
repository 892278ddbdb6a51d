//! Calls to an address of the house's choice: JSON, signed, to public addresses unless the house says otherwise.

use std::net::IpAddr;
use std::time::Duration;

use domain::{Secret, Time};
use hmac::{Hmac, Mac as _};
use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode, Url};
use serde_json::json;
use sha2::Sha256;

use crate::letter::Letter;
use crate::private::{PublicOnly, is_public};
use crate::{Undelivered, Unusable, WebhookSettings, story};

/// Answers that speak of this call and not of the receiver: it cannot be read, is about nobody, or is not wanted.
const NEVER: [StatusCode; 3] = [StatusCode::BAD_REQUEST, StatusCode::GONE, StatusCode::UNPROCESSABLE_ENTITY];

/// Calls one address.
pub(crate) struct Webhook {
    client: Client,
    url: Url,
    secret: Secret,
}

impl Webhook {
    pub(crate) fn new(settings: &WebhookSettings, timeout: Duration) -> Result<Self, Unusable> {
        let wrong = |why: &str| Unusable(format!("KASIR_WEBHOOK_URL {why}"));
        let url = Url::parse(settings.url.expose()).map_err(|_| wrong("is no address"))?;
        if !["http", "https"].contains(&url.scheme()) {
            return Err(wrong("begins neither with https:// nor with http://"));
        }
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        // A number is not looked up by name.
        if !settings.may_be_private && host.parse::<IpAddr>().is_ok_and(|address| !is_public(address)) {
            return Err(wrong("leads to this machine or network; reminders.webhook_private allows that"));
        }
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            return Err(Unusable("no TLS provider is installed".to_owned()));
        }
        let mut client = Client::builder()
            .timeout(timeout)
            .redirect(Policy::none())
            .no_proxy()
            .user_agent(concat!("kasir/", env!("CARGO_PKG_VERSION")));
        if !settings.may_be_private {
            client = client.dns_resolver(PublicOnly::shared());
        }
        let client = client.build().map_err(|error| Unusable(story(&error)))?;
        Ok(Self { client, url, secret: settings.secret.clone() })
    }

    pub(crate) async fn send(&self, letter: &Letter, now: Time) -> Result<String, Undelivered> {
        let body = body(letter);
        let signature = signature(&self.secret, &body, now);
        let request = self
            .client
            .post(self.url.clone())
            .header("content-type", "application/json")
            .header("idempotency-key", &letter.message_id)
            .header("x-kasir-signature", signature)
            .body(body);
        let answer = request.send().await.map_err(|error| {
            // Its address may hold a key.
            Undelivered::Unreachable(story(&error.without_url()))
        })?;
        let status = answer.status();
        let text = format!("answered {}", status.as_u16());
        if status.is_success() {
            Ok(text)
        } else if NEVER.contains(&status) {
            Err(Undelivered::Refused(text))
        } else {
            Err(Undelivered::Unreachable(text))
        }
    }
}

/// What is told: the facts, and the words for those who only pass them on.
fn body(letter: &Letter) -> String {
    let words = letter.words();
    let body = json!({
        "id": letter.message_id,
        "kind": letter.kind,
        "language": letter.language,
        "subject": words.subject,
        "text": words.text,
        "tenant": { "id": letter.tenant_id, "name": letter.name, "email": letter.email, "phone": letter.phone },
        "bill": {
            "id": letter.bill_id, "title": letter.title, "period": letter.period, "amount": letter.amount,
            "due": letter.due,
        },
        "stopUrl": letter.stop_url,
    });
    body.to_string()
}

/// `t=SECONDS,v1=HEX`: HMAC-SHA256 over the seconds since 1970, a dot, and the body. Who checks it refuses old times, so
/// that nobody sends the call again.
fn signature(secret: &Secret, body: &str, now: Time) -> String {
    let seconds = now.timestamp();
    // HMAC takes keys of any length; without one the signature is wrong, and nobody believes the call.
    let sum = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()).map_or_else(
        |_| String::new(),
        |mut mac| {
            mac.update(format!("{seconds}.{body}").as_bytes());
            hex::encode(mac.finalize().into_bytes())
        },
    );
    format!("t={seconds},v1={sum}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn webhook(url: &str, may_be_private: bool) -> Result<Webhook, Unusable> {
        let _installed = rustls::crypto::ring::default_provider().install_default();
        let settings =
            WebhookSettings { url: Secret::from(url), secret: Secret::from("hush"), may_be_private };
        Webhook::new(&settings, Duration::from_secs(1))
    }

    #[test]
    fn a_private_address_is_refused_unless_it_is_allowed() {
        for url in ["http://127.0.0.1:1/", "http://[::1]/", "http://192.168.1.1/x", "http://2130706433/"] {
            assert!(webhook(url, false).is_err(), "{url}");
            assert!(webhook(url, true).is_ok(), "{url}");
        }
        for url in ["ftp://kost.example", "kost.example", ""] {
            assert!(webhook(url, true).is_err(), "{url}");
        }
        assert!(webhook("https://kost.example/hook?key=1", false).is_ok());
    }

    #[tokio::test]
    async fn a_name_that_leads_home_is_not_called() {
        let webhook = webhook("http://localhost:9/", false).unwrap();
        let letter = crate::letter::tests::letter(domain::ReminderKind::Paid, domain::Language::English);
        let error = webhook.send(&letter, Time::default()).await.unwrap_err().to_string();
        assert!(error.contains("no public address"), "{error}");
    }

    #[test]
    fn a_signature_is_over_the_time_and_the_body() {
        // By `printf '1700000000.{}' | openssl dgst -sha256 -hmac hush`.
        let now = "2023-11-14T22:13:20Z".parse().unwrap();
        let signature = signature(&Secret::from("hush"), "{}", now);
        assert_eq!(
            signature,
            "t=1700000000,v1=763081ea12e3b1f903f958994c023cde07f1224b02a538ad6f959112a2f780ba"
        );
    }
}
