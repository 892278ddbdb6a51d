//! The configuration: the environment wins over `kasir.toml`, the file over the defaults. All mistakes are told at once.

mod addresses;
mod file;
#[cfg(test)]
mod fuzz;
mod keys;
mod limits;
mod maxima;
mod methods;
mod oidc;
mod reminders;
mod secret_files;

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use domain::Secret;
use queue::RedisSettings;
use store::DataKey;

use addresses::{address, check_database_url, public_url, redis, tls_files};
use keys::{api_keys, data_keys, secret, secrets};

use crate::http::TlsFiles;

pub use file::File;
pub use limits::Limits;
pub use oidc::{MatchBy, Oidc};
pub use reminders::{Reminders, Ways};
pub use secret_files::SECRETS;

use secret_files::SecretFiles;

/// The gateway, and the keys to it.
#[derive(Debug, Clone)]
pub struct Gateway {
    /// Signs our calls. Never leaves the server.
    pub server_key: Secret,
    /// For browsers of other designs; kept so that nothing else has to know it.
    pub client_key: Option<Secret>,
    /// Where the Core API is.
    pub base_url: String,
    /// Where the hosted payment page is.
    pub page_url: String,
}

impl Gateway {
    /// Whether the key is of the gateway's sandbox, so that no money is real.
    #[must_use]
    pub fn is_sandbox(&self) -> bool {
        is_sandbox(self.server_key.expose())
    }
}

fn is_sandbox(server_key: &str) -> bool {
    server_key.starts_with("SB-")
}

/// All settings of a process.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the books are.
    pub database_url: Secret,
    /// Where Redis is; `None`: jobs travel inside the process.
    pub redis: Option<RedisSettings>,
    /// Where to listen.
    pub addr: SocketAddr,
    /// The certificate to show there; `None`: plain HTTP, for a proxy that speaks TLS.
    pub tls: Option<TlsFiles>,
    /// Where the gateway finds us, without a slash at the end; `None`: nobody said.
    pub public_url: Option<String>,
    /// The gateway; `None`: the built-in simulator plays it.
    pub gateway: Option<Gateway>,
    /// Keys that may have signed a notification, the server key apart.
    pub notification_keys: Vec<Secret>,
    /// Names and keys of the front ends.
    pub api_keys: Vec<(String, Secret)>,
    /// Signs and remembers what must be ours; `None`: made once and kept in a file.
    pub secret: Option<Secret>,
    /// Proves to the provider that logs admins in that we are we.
    pub oidc_client_secret: Option<Secret>,
    /// What personal data is encrypted under, the newest first; none: it is kept in plain text.
    pub data_keys: Vec<DataKey>,
    /// Where the built-in simulator listens.
    pub simulator_addr: SocketAddr,
    /// Where reminders go.
    pub ways: Ways,
    /// Everything else.
    pub file: File,
}

/// All that is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistakes(pub Vec<String>);

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "the configuration has {} mistake(s):", self.0.len())?;
        self.0.iter().try_for_each(|mistake| writeln!(f, "  - {mistake}"))
    }
}

impl std::error::Error for Mistakes {}

const SANDBOX: &str = "https://api.sandbox.midtrans.com";
const PRODUCTION: &str = "https://api.midtrans.com";
const SANDBOX_PAGE: &str = "https://app.sandbox.midtrans.com";
const PRODUCTION_PAGE: &str = "https://app.midtrans.com";

impl Config {
    /// Reads the environment of this process and the file that `KASIR_CONFIG` names, `kasir.toml` by default.
    ///
    /// # Errors
    /// All mistakes at once.
    pub fn load() -> Result<Self, Mistakes> {
        let named = std::env::var_os("KASIR_CONFIG").map(PathBuf::from);
        let path = named.clone().unwrap_or_else(|| PathBuf::from("kasir.toml"));
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if named.is_none() && error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(Mistakes(vec![format!("{} cannot be read: {error}", path.display())])),
        };
        Self::from_parts(&|name| std::env::var(name).ok().filter(|value| !value.is_empty()), &text)
    }

    /// The same from any environment, given as a function from names to values, and the text of a file.
    ///
    /// # Errors
    /// All mistakes at once.
    pub fn from_parts(env: &dyn Fn(&str) -> Option<String>, text: &str) -> Result<Self, Mistakes> {
        let mut mistakes = Vec::new();
        let file = File::parse(text).unwrap_or_else(|mistake| {
            mistakes.push(mistake);
            File::default()
        });
        let is_read = mistakes.is_empty();
        file.check(&mut mistakes);
        maxima::check(&file, &mut mistakes);
        let secrets_in_files = SecretFiles::read(env, &mut mistakes);
        let env: &dyn Fn(&str) -> Option<String> = &|name| env(name).or_else(|| secrets_in_files.find(name));
        let ways = Ways::from_env(env);
        file.reminders.check((&ways, file.limits.job_timeout_s), &mut mistakes);
        let public_url = public_url(env, &mut mistakes);
        let oidc_client_secret = env("KASIR_OIDC_CLIENT_SECRET").map(Secret::from);
        let about_oidc = (oidc_client_secret.as_ref(), public_url.as_deref(), file.limits.request_timeout_s);
        // What a file that cannot be read says of the provider is not known.
        if is_read {
            file.oidc.check(about_oidc, &mut mistakes);
        }
        let database_url = env("DATABASE_URL").unwrap_or_else(|| "sqlite://kasir.db".to_owned());
        check_database_url(&database_url, &mut mistakes);
        let config = Self {
            redis: redis(env, &mut mistakes),
            addr: address(env, "KASIR_ADDR", "127.0.0.1:8080", &mut mistakes),
            simulator_addr: address(env, "KASIR_SIMULATOR_ADDR", "127.0.0.1:9090", &mut mistakes),
            tls: tls_files(env, &mut mistakes),
            gateway: gateway(env, &mut mistakes),
            notification_keys: secrets(env, "MIDTRANS_NOTIFICATION_KEYS"),
            api_keys: api_keys(env, &mut mistakes),
            secret: secret(env, &database_url, &mut mistakes),
            data_keys: data_keys(env, &mut mistakes),
            database_url: Secret::from(database_url),
            public_url,
            oidc_client_secret,
            ways,
            file,
        };
        if mistakes.is_empty() { Ok(config) } else { Err(Mistakes(mistakes)) }
    }

    /// The file of the SQLite database, when there is one.
    #[must_use]
    pub fn sqlite_file(&self) -> Option<&Path> {
        let url = self.database_url.expose();
        let path = url.strip_prefix("sqlite://").or_else(|| url.strip_prefix("sqlite:"))?;
        Some(Path::new(path.split('?').next().unwrap_or(path)))
    }

    /// Whether people reach us over TLS, by a proxy or by ourselves.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.tls.is_some() || self.public_url.as_deref().is_some_and(|url| url.starts_with("https://"))
    }

    /// How long a request may take.
    #[must_use]
    pub fn request_timeout(&self) -> Duration {
        Duration::from_secs(self.file.limits.request_timeout_s)
    }
}

fn gateway(env: &dyn Fn(&str) -> Option<String>, mistakes: &mut Vec<String>) -> Option<Gateway> {
    let client_key = env("MIDTRANS_CLIENT_KEY").map(Secret::from);
    let base_url = env("MIDTRANS_BASE_URL");
    let Some(server_key) = env("MIDTRANS_SERVER_KEY") else {
        if base_url.is_some() || client_key.is_some() {
            mistakes.push(
                "MIDTRANS_SERVER_KEY is missing, though MIDTRANS_BASE_URL or MIDTRANS_CLIENT_KEY is set; set all of \
                 them for the gateway, or none for the built-in simulator"
                    .to_owned(),
            );
        }
        return None;
    };
    let is_sandbox_key = is_sandbox(&server_key);
    let usual = if is_sandbox_key { SANDBOX } else { PRODUCTION };
    let base_url = base_url.unwrap_or_else(|| usual.to_owned()).trim_end_matches('/').to_owned();
    if is_sandbox_key && base_url == PRODUCTION {
        mistakes.push(
            "MIDTRANS_SERVER_KEY is a sandbox key, MIDTRANS_BASE_URL is the production host".to_owned(),
        );
    }
    if !is_sandbox_key && base_url == SANDBOX {
        mistakes.push(
            "MIDTRANS_SERVER_KEY is a production key, MIDTRANS_BASE_URL is the sandbox host".to_owned(),
        );
    }
    // The page has a host of its own; a gateway that is neither of the two, like the simulator, has one for all.
    let usual_page = match base_url.as_str() {
        SANDBOX => SANDBOX_PAGE,
        PRODUCTION => PRODUCTION_PAGE,
        other => other,
    };
    let page_url = env("MIDTRANS_PAGE_URL").unwrap_or_else(|| usual_page.to_owned());
    let page_url = page_url.trim_end_matches('/').to_owned();
    if [(SANDBOX, PRODUCTION_PAGE), (PRODUCTION, SANDBOX_PAGE)].contains(&(&base_url, &page_url)) {
        mistakes.push("MIDTRANS_PAGE_URL and MIDTRANS_BASE_URL are of different environments".to_owned());
    }
    Some(Gateway { server_key: Secret::from(server_key), client_key, base_url, page_url })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(pairs: &[(&str, &str)], text: &str) -> Result<Config, Mistakes> {
        let find =
            |name: &str| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        Config::from_parts(&find, text)
    }

    #[test]
    fn with_nothing_set_everything_is_built_in() {
        let config = load(&[], "").unwrap();
        assert_eq!(config.addr.to_string(), "127.0.0.1:8080");
        assert_eq!(config.sqlite_file(), Some(Path::new("kasir.db")));
        assert!(config.gateway.is_none() && config.redis.is_none());
    }

    #[test]
    fn all_mistakes_are_told_at_once() {
        let env = [
            ("DATABASE_URL", "mysql://x"),
            ("KASIR_ADDR", "here"),
            ("REDIS_URL", "http://x"),
            ("API_KEYS", "web=short,nonsense"),
            ("MIDTRANS_CLIENT_KEY", "SB-Mid-client-x"),
            ("KASIR_SECRET", "short"),
            ("KASIR_DATA_KEYS", "k1:short,k2"),
            ("KASIR_PUBLIC_URL", "kost.example"),
        ];
        let Mistakes(mistakes) = load(&env, "[limits]\nbody_kilobytes = 3\n").unwrap_err();
        assert_eq!(mistakes.len(), 11, "{mistakes:#?}");
    }

    #[test]
    fn data_keys_are_read_in_their_order_and_never_shown() {
        let key = |id, byte| DataKey::text(id, [byte; 32]).expose().to_owned();
        let list = format!("{},\n{}\n", key("k2", 2), key("k1", 1));
        let config = load(&[("KASIR_DATA_KEYS", &list)], "").unwrap();
        let ids: Vec<&str> = config.data_keys.iter().map(DataKey::id).collect();
        assert_eq!(ids, ["k2", "k1"]);
        assert!(!format!("{config:?}").contains(key("", 1).trim_start_matches(':')));
        let twice = format!("{},{}", key("k1", 2), key("k1", 1));
        let Mistakes(mistakes) = load(&[("KASIR_DATA_KEYS", &twice)], "").unwrap_err();
        assert!(mistakes.len() == 1 && mistakes[0].contains("twice"), "{mistakes:?}");
    }

    #[test]
    fn limits_that_contradict_each_other_are_mistakes() {
        for (text, word) in [
            ("connections = 0", "connections"),
            ("head_bytes = 4096", "head_bytes"),
            ("bodies_bytes = 65535", "bodies_bytes"),
            ("stall_timeout_s = 25", "stall_timeout_s"),
            ("notification_db_connections = 0", "notification_db_connections"),
        ] {
            let Mistakes(mistakes) = load(&[], &format!("[limits]\n{text}\n")).unwrap_err();
            assert_eq!(mistakes.len(), 1, "{mistakes:?}");
            assert!(mistakes[0].contains(word), "{mistakes:?}");
        }
    }

    #[test]
    fn the_key_decides_the_host_and_a_wrong_pair_is_refused() {
        let host = |key| load(&[("MIDTRANS_SERVER_KEY", key)], "").unwrap().gateway.unwrap().base_url;
        assert_eq!(host("SB-Mid-server-x"), SANDBOX);
        assert_eq!(host("Mid-server-x"), PRODUCTION);
        let page = |key| load(&[("MIDTRANS_SERVER_KEY", key)], "").unwrap().gateway.unwrap().page_url;
        assert_eq!(page("SB-Mid-server-x"), SANDBOX_PAGE);
        assert_eq!(page("Mid-server-x"), PRODUCTION_PAGE);
        let local = [("MIDTRANS_SERVER_KEY", "SB-x"), ("MIDTRANS_BASE_URL", "http://127.0.0.1:1")];
        assert_eq!(load(&local, "").unwrap().gateway.unwrap().page_url, "http://127.0.0.1:1");
        let mixed = [("MIDTRANS_SERVER_KEY", "SB-x"), ("MIDTRANS_PAGE_URL", PRODUCTION_PAGE)];
        assert!(load(&mixed, "").is_err());
        for (key, url) in [("SB-Mid-server-x", PRODUCTION), ("Mid-server-x", SANDBOX)] {
            assert!(load(&[("MIDTRANS_SERVER_KEY", key), ("MIDTRANS_BASE_URL", url)], "").is_err());
        }
    }

    #[test]
    fn what_the_house_sets_for_a_method_is_checked() {
        let rules = |text: &str| load(&[], text).map(|config| config.file.rules());
        let book = rules("[methods.qris]\nmax = 5000000\nrefund_days = 7\n").unwrap();
        let qris = book.of(domain::Method::Qris);
        assert_eq!((qris.max.get(), qris.refunds.days, qris.min.get()), (5_000_000, 7, 1));
        for wrong in [
            "[methods.cheque]\nmin = 1\n",
            "[methods.cash]\nmin = 1\n",
            "[methods.bca]\nmin = 2\nmax = 1\n",
            "[methods.bca]\nvalid_for_min = 0\n",
            "[methods.bca]\nvalid_for_min = 9223372036854775807\n",
            "[methods.card]\nvalid_for_min = 4\n",
            "[methods.card]\nvalid_for_min = 10081\n",
            "[methods.bca]\nrefund = \"parts\"\n",
            "[methods.qris]\nrefund_days = 4000000000\n",
            "[methods.bca]\nminimum = 1\n",
        ] {
            assert_eq!(rules(wrong).unwrap_err().0.len(), 1, "{wrong}");
        }
    }

    #[test]
    fn a_limit_that_is_none_is_a_mistake() {
        for wrong in [
            "[limits]\nhashings_at_once = 4611686018427387904\n",
            "[limits]\nlease_s = 9223372036854775807\n",
            "[schedule]\non_read_s = 86401\n",
        ] {
            assert_eq!(load(&[], wrong).unwrap_err().0.len(), 1, "{wrong}");
        }
    }

    #[test]
    fn no_mistake_and_no_debug_text_shows_a_secret() {
        let env = [
            ("MIDTRANS_SERVER_KEY", "SB-Mid-server-hush"),
            ("API_KEYS", "web=hush-hush-hush-hush"),
            ("KASIR_SMTP_URL", "smtps://kost:hush@mail.example"),
            ("KASIR_OIDC_CLIENT_SECRET", "hush"),
            ("KASIR_PUBLIC_URL", "https://kost.test"),
            ("KASIR_WEBHOOK_URL", "https://hush.example/?key=hush"),
            ("KASIR_WEBHOOK_SECRET", "hush-hush-hush-hush-hush-hush-hush"),
            ("KASIR_DATA_KEYS", "k1:hushhushhushhushhushhushhushhushhushhushhus="),
        ];
        let shown = format!("{:?}", load(&env, "[oidc]\nissuer = \"https://id.test\"\nclient_id = \"kasir\"\n[reminders]\nfrom = \"kost@kost.test\"\n").unwrap());
        assert!(!shown.contains("hush"), "{shown}");
        let env = [
            ("API_KEYS", "web=hush,hush-hush"),
            ("KASIR_SECRET", "hush"),
            ("KASIR_DATA_KEYS", "k1:hush,hush"),
        ];
        let shown = load(&env, "").unwrap_err().to_string();
        assert!(!shown.contains("hush"), "{shown}");
    }
}
