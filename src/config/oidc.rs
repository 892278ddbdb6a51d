//! Logging in by an OpenID Connect provider: off, unless an issuer is named.

use std::time::Duration;

use domain::Secret;
use serde::Deserialize;

/// A log-in asks the provider three times at most.
const CALLS: u64 = 3;

/// What `kasir.toml` may say of the provider.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Oidc {
    /// The address that the provider is known by; empty: nobody logs in that way.
    pub issuer: String,
    /// Our name at the provider.
    pub client_id: String,
    /// What people call the provider, for the button.
    pub name: String,
    /// How a person of the provider becomes one of ours for the first time.
    pub match_by: MatchBy,
    /// Whether those who run the house may also log in by password.
    pub password: bool,
    /// How long a call to the provider may take, in seconds.
    pub timeout_s: u64,
}

/// How a person of the provider becomes one of ours for the first time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MatchBy {
    /// By an address that the provider has verified.
    Email,
    /// By `kasir admin bind` alone.
    Subject,
}

impl Default for Oidc {
    fn default() -> Self {
        Self {
            issuer: String::new(),
            client_id: String::new(),
            name: "OpenID Connect".to_owned(),
            match_by: MatchBy::Email,
            password: true,
            timeout_s: 4,
        }
    }
}

impl Oidc {
    /// Whether anybody may log in by a provider.
    #[must_use]
    pub fn is_on(&self) -> bool {
        !self.issuer.is_empty()
    }

    /// Tells what makes no sense.
    pub(super) fn check(
        &self,
        (secret, public_url, request_timeout_s): (Option<&Secret>, Option<&str>, u64),
        mistakes: &mut Vec<String>,
    ) {
        if !self.is_on() {
            if secret.is_some() || !self.client_id.is_empty() {
                mistakes.push("oidc.issuer is empty, though a client is named".to_owned());
            }
            if !self.password {
                mistakes
                    .push("oidc.password is false, and without oidc.issuer nobody could log in".to_owned());
            }
            return;
        }
        if !(self.issuer.starts_with("https://") || is_of_this_machine(&self.issuer)) {
            mistakes.push("oidc.issuer does not begin with https://".to_owned());
        }
        if self.client_id.is_empty() {
            mistakes.push("oidc.client_id is empty".to_owned());
        }
        if secret.is_none() {
            mistakes.push("KASIR_OIDC_CLIENT_SECRET is missing, though oidc.issuer is set".to_owned());
        }
        if public_url.is_none() {
            mistakes.push(
                "KASIR_PUBLIC_URL is missing: the provider sends people back to it, and oidc.issuer is set"
                    .to_owned(),
            );
        }
        if self.timeout_s == 0 || self.timeout_s.saturating_mul(CALLS) >= request_timeout_s {
            mistakes.push(format!(
                "oidc.timeout_s is 0, or {CALLS} calls of so many seconds take longer than limits.request_timeout_s"
            ));
        }
    }

    /// The provider as it is called; `None`: nobody logs in that way.
    #[must_use]
    pub fn settings(&self, secret: Option<&Secret>, public_url: Option<&str>) -> Option<oidc::Settings> {
        let (client_secret, public_url) = (secret?.clone(), public_url?);
        self.is_on().then(|| oidc::Settings {
            issuer: self.issuer.clone(),
            client_id: self.client_id.clone(),
            client_secret,
            redirect_url: format!("{public_url}/admin/login/oidc/callback"),
            timeout: Duration::from_secs(self.timeout_s),
        })
    }
}

/// A provider on the own machine may go without TLS, as in tests.
fn is_of_this_machine(url: &str) -> bool {
    let hosts = ["http://127.0.0.1", "http://localhost", "http://[::1]"];
    hosts.iter().any(|host| {
        url.strip_prefix(host).is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '/']))
    })
}

#[cfg(test)]
mod tests {
    use crate::config::{Config, Mistakes};

    const WHOLE: [(&str, &str); 2] =
        [("KASIR_OIDC_CLIENT_SECRET", "hush-hush"), ("KASIR_PUBLIC_URL", "https://kost.test")];
    const FILE: &str = "[oidc]\nissuer = \"https://id.test\"\nclient_id = \"kasir\"\n";

    fn load(pairs: &[(&str, &str)], text: &str) -> Result<Config, Mistakes> {
        let find =
            |name: &str| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        Config::from_parts(&find, text)
    }

    #[test]
    fn a_provider_is_off_until_it_is_whole() {
        let settings = |config: Config| {
            config.file.oidc.settings(config.oidc_client_secret.as_ref(), config.public_url.as_deref())
        };
        assert!(settings(load(&[], "").unwrap()).is_none());
        let settings = settings(load(&WHOLE, FILE).unwrap()).unwrap();
        assert_eq!(settings.redirect_url, "https://kost.test/admin/login/oidc/callback");
        assert!(!format!("{settings:?}").contains("hush"));
    }

    #[test]
    fn half_a_provider_is_a_mistake() {
        let file = |line: &str| format!("{FILE}{line}\n");
        for (pairs, text) in [
            (&WHOLE[..1], FILE.to_owned()),
            (&WHOLE[1..], FILE.to_owned()),
            (&WHOLE[..], "[oidc]\nissuer = \"https://id.test\"\n".to_owned()),
            (&WHOLE[..], String::new()),
            (&[], "[oidc]\npassword = false\n".to_owned()),
            (&WHOLE[..], file("timeout_s = 0")),
            (&WHOLE[..], file("timeout_s = 5")),
            (&WHOLE[..], file("match_by = \"name\"")),
            (&WHOLE[..], file("redirect = \"x\"")),
            (&WHOLE[..], FILE.replace("https://id.test", "http://id.test")),
            (&WHOLE[..], FILE.replace("https://id.test", "http://localhost.evil.test")),
        ] {
            assert_eq!(load(pairs, &text).unwrap_err().0.len(), 1, "{text}");
        }
        assert!(load(&WHOLE, &FILE.replace("https://id.test", "http://127.0.0.1:4444")).is_ok());
    }
}
