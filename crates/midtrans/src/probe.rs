//! Questions about the money path that charge nobody: who answers at an address, over which TLS, by which clock.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use chrono::DateTime;
use domain::{Report, Secret, Time};
use reqwest::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, DATE, HeaderMap, HeaderName, LOCATION, USER_AGENT,
};
use reqwest::{Certificate, Client, RequestBuilder, Response, Url, tls};

use crate::answer::Asked;
use crate::client::{answer, authorization};
use crate::fields::cut;
use crate::http::{builder, built, story};
use crate::{CallError, SetupError};

/// The longest header that is kept.
const HEADER_CHARS_MAX: usize = 200;

/// How long a probe waits, and whom it trusts.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How long to wait for a connection, TLS included.
    pub connect_timeout: Duration,
    /// How long a probe may take altogether.
    pub timeout: Duration,
    /// Certificates in PEM of authorities that [`Trust::Ours`] trusts besides the system's.
    pub authorities: Option<Vec<u8>>,
}

/// Which TLS a probe speaks where the address is https.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tls {
    /// 1.2 and 1.3, as our client does.
    Any,
    /// 1.2 and nothing newer, as the gateway does when it notifies (contract §7).
    AtMost12,
    /// 1.3 and nothing older.
    Only13,
}

/// Whose word a probe takes for a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// The system's authorities, as our client does.
    Public,
    /// Those, and [`Settings::authorities`].
    Ours,
}

/// An address to probe: http or https, without a user. Its text shows no query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target(Url);

/// The first lines of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The HTTP status.
    pub status: u16,
    /// Where a redirect leads; none is followed.
    pub location: Option<String>,
    /// What the body is said to be.
    pub content_type: Option<String>,
}

/// What the gateway said to a question about an order that nobody made.
#[derive(Debug)]
pub struct KeyAnswer {
    /// The time of its clock, in whole seconds.
    pub date: Option<Time>,
    /// What the answer means; [`CallError::NoSuchTransaction`] is the good one.
    pub answer: Result<Report, CallError>,
}

/// Why a probe got no answer.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// Nothing came in time.
    #[error("no answer in time")]
    TimedOut,
    /// No connection, no TLS, or the answer broke off.
    #[error("{0}")]
    Failed(String),
    /// The probe itself cannot be made from what was given.
    #[error(transparent)]
    Setup(#[from] SetupError),
}

/// Asks. Follows no redirect, and gives the key to the gateway alone.
#[derive(Debug, Clone)]
pub struct Probe {
    settings: Settings,
    authorities: Vec<Certificate>,
}

impl Probe {
    /// A probe with these settings.
    ///
    /// # Errors
    /// When the authorities are not certificates in PEM.
    pub fn new(settings: Settings) -> Result<Self, SetupError> {
        let authorities = match &settings.authorities {
            None => Vec::new(),
            Some(pem) => Certificate::from_pem_bundle(pem)
                .ok()
                .filter(|found| !found.is_empty())
                .ok_or_else(|| SetupError::Client("there is no certificate in PEM".to_owned()))?,
        };
        Ok(Self { settings, authorities })
    }

    /// Asks for what is at the address.
    ///
    /// # Errors
    /// When nothing answers.
    pub async fn get(&self, target: &Target, tls: Tls) -> Result<Seen, ProbeError> {
        let client = self.client(tls, Trust::Public)?;
        Ok(seen(&sent(client.get(target.0.clone())).await?))
    }

    /// Posts a body in the way of the gateway's notifications: its headers, and at most TLS 1.2 unless `tls` says
    /// otherwise (contract §7).
    ///
    /// # Errors
    /// When nothing answers.
    pub async fn notify(&self, way: &Way<'_>, body: String) -> Result<Seen, ProbeError> {
        let client = self.client(way.tls, way.trust)?;
        let request = client
            .post(way.target.0.clone())
            .header(ACCEPT, "application/json")
            .header(CONTENT_TYPE, "application/json")
            .header(USER_AGENT, "Veritrans")
            .body(body);
        Ok(seen(&sent(request).await?))
    }

    /// Asks the gateway for the status of an order that nobody made: `GET /v2/{order}/status` (contract §3). It knows
    /// the key when it does not know the order.
    ///
    /// # Errors
    /// When nothing answers, or no call can be made with this key.
    pub async fn key(&self, base: &Target, key: &Secret, order: &str) -> Result<KeyAnswer, ProbeError> {
        let mut url = base.0.clone();
        url.set_path(&format!("/v2/{order}/status"));
        let client = self.client(Tls::Any, Trust::Public)?;
        let request = client
            .get(url)
            .header(AUTHORIZATION, authorization(key)?)
            .header(ACCEPT, "application/json")
            .header(CONTENT_TYPE, "application/json");
        let response = sent(request).await?;
        let date = text(response.headers(), &DATE).and_then(|text| date(&text));
        let answer = match answer(response).await {
            Ok(answer) => answer.read(Asked::Transaction(order)),
            Err(error) => Err(error),
        };
        Ok(KeyAnswer { date, answer })
    }

    fn client(&self, tls: Tls, trust: Trust) -> Result<Client, SetupError> {
        let client = builder(self.settings.connect_timeout, self.settings.timeout)?;
        let client = match tls {
            Tls::Any => client,
            Tls::AtMost12 => client.tls_version_max(tls::Version::TLS_1_2),
            Tls::Only13 => client.tls_version_min(tls::Version::TLS_1_3),
        };
        match trust {
            Trust::Ours if !self.authorities.is_empty() => {
                built(client.tls_certs_merge(self.authorities.clone()))
            }
            Trust::Ours | Trust::Public => built(client),
        }
    }
}

/// How a notification is sent.
#[derive(Debug, Clone, Copy)]
pub struct Way<'a> {
    /// Where to.
    pub target: &'a Target,
    /// Over which TLS.
    pub tls: Tls,
    /// Whose certificates are good.
    pub trust: Trust,
}

impl Target {
    /// Reads an address.
    ///
    /// # Errors
    /// In words, when it is no http or https address, or has a user in it.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let url = Url::parse(text).map_err(|_| "is not a URL")?;
        match url.scheme() {
            "http" | "https" if url.host_str().is_some() => {}
            _ => return Err("begins neither with http:// nor with https://"),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("has a user in it, and the gateway logs in nowhere");
        }
        Ok(Self(url))
    }

    /// Whether it is encrypted.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// The port, also where it is the usual one.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.0.port_or_known_default().unwrap_or_default()
    }

    /// Whether it is on this machine.
    #[must_use]
    pub fn is_local(&self) -> bool {
        let host = self.0.host_str().unwrap_or_default().trim_matches(['[', ']']);
        host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = self.0.as_str().split(['?', '#']).next().unwrap_or_default();
        f.write_str(url.trim_end_matches('/'))
    }
}

async fn sent(request: RequestBuilder) -> Result<Response, ProbeError> {
    request.send().await.map_err(|error| match error.without_url() {
        error if error.is_timeout() => ProbeError::TimedOut,
        error => ProbeError::Failed(cause(&error)),
    })
}

/// The last cause is what a person can do something about.
fn cause(error: &dyn std::error::Error) -> String {
    let story = story(error);
    let last = story.rsplit_once("client error (Connect): ").map_or(story.as_str(), |(_, last)| last);
    cut(last, HEADER_CHARS_MAX)
}

fn seen(response: &Response) -> Seen {
    let headers = response.headers();
    Seen {
        status: response.status().as_u16(),
        location: text(headers, &LOCATION),
        content_type: text(headers, &CONTENT_TYPE),
    }
}

/// A header, as far as it is fit to be shown.
fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name)?.to_str().ok().map(|text| cut(text, HEADER_CHARS_MAX))
}

/// `Tue, 24 Nov 2026 13:56:20 GMT`.
fn date(text: &str) -> Option<Time> {
    DateTime::parse_from_rfc2822(text).ok().map(|date| date.to_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_and_shown_without_what_may_be_secret() {
        let target = Target::parse("https://kost.example/api/midtrans-notification?token=hush#x").unwrap();
        assert_eq!(target.to_string(), "https://kost.example/api/midtrans-notification");
        assert!(target.is_https() && target.port() == 443 && !target.is_local());
        assert_eq!(Target::parse("http://kost.example:81/").unwrap().to_string(), "http://kost.example:81");
        for refused in ["", "kost.example", "ftp://kost.example", "https://a:b@kost.example/", "data:x"] {
            assert!(Target::parse(refused).is_err(), "{refused}");
        }
    }

    #[test]
    fn this_machine_is_known_by_its_names() {
        for (url, local) in [
            ("http://localhost/", true),
            ("http://127.0.0.9:8080", true),
            ("http://[::1]:8080/", true),
            ("http://10.0.0.1/", false),
            ("http://localhost.example/", false),
        ] {
            assert_eq!(Target::parse(url).unwrap().is_local(), local, "{url}");
        }
    }

    #[test]
    fn the_date_of_an_answer_is_read() {
        assert_eq!(
            date("Tue, 24 Nov 2026 13:56:20 GMT"),
            Some("2026-11-24T13:56:20Z".parse::<Time>().unwrap())
        );
        assert_eq!(date("yesterday"), None);
    }

    #[test]
    fn authorities_are_certificates() {
        let settings = |pem: &[u8]| Settings {
            connect_timeout: Duration::from_secs(1),
            timeout: Duration::from_secs(1),
            authorities: Some(pem.to_vec()),
        };
        assert!(Probe::new(settings(b"")).is_err());
        assert!(Probe::new(settings(b"no certificate")).is_err());
    }
}
