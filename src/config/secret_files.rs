//! Secrets from files: `NAME_FILE` names a file that holds what `NAME` would, as Docker and systemd hand secrets over.

use std::collections::BTreeMap;

use domain::Secret;

/// What may be in a file instead of the environment, where every process of the same user can read it.
pub const SECRETS: [&str; 12] = [
    "DATABASE_URL",
    "REDIS_URL",
    "MIDTRANS_SERVER_KEY",
    "MIDTRANS_CLIENT_KEY",
    "MIDTRANS_NOTIFICATION_KEYS",
    "API_KEYS",
    "KASIR_SECRET",
    "KASIR_DATA_KEYS",
    "KASIR_SMTP_URL",
    "KASIR_WEBHOOK_URL",
    "KASIR_WEBHOOK_SECRET",
    "KASIR_OIDC_CLIENT_SECRET",
];

/// The longest file that is taken for a secret.
const BYTES_MAX: u64 = 64 * 1024;

/// Secrets that were read from files.
#[derive(Default)]
pub(super) struct SecretFiles(BTreeMap<&'static str, Secret>);

impl SecretFiles {
    /// Reads every file that the environment names.
    pub(super) fn read(env: &dyn Fn(&str) -> Option<String>, mistakes: &mut Vec<String>) -> Self {
        let mut files = Self::default();
        for name in SECRETS {
            let Some(path) = env(&format!("{name}_FILE")) else { continue };
            if env(name).is_some() {
                mistakes.push(format!("{name} and {name}_FILE are both set; leave one of them out"));
                continue;
            }
            match text_of(&path) {
                Ok(text) => drop(files.0.insert(name, Secret::from(text))),
                Err(why) => mistakes.push(format!("{name}_FILE: {path} {why}")),
            }
        }
        files
    }

    /// What stands in the file for this name.
    pub(super) fn find(&self, name: &str) -> Option<String> {
        self.0.get(name).map(|secret| secret.expose().to_owned())
    }
}

/// The text without the line's end that editors leave behind. An empty file is a secret that somebody forgot.
fn text_of(path: &str) -> Result<String, String> {
    let cannot = |error: std::io::Error| format!("cannot be read: {error}");
    if std::fs::metadata(path).map_err(cannot)?.len() > BYTES_MAX {
        return Err(format!("is longer than {BYTES_MAX} bytes"));
    }
    let text = std::fs::read_to_string(path).map_err(cannot)?;
    let text = text.trim();
    if text.is_empty() { Err("is empty".to_owned()) } else { Ok(text.to_owned()) }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::config::{Config, Mistakes};

    fn load(pairs: &[(&str, &str)]) -> Result<Config, Mistakes> {
        let find =
            |name: &str| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        Config::from_parts(&find, "")
    }

    fn written(directory: &Path, name: &str, text: &str) -> String {
        let path = directory.join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    #[test]
    fn a_secret_may_stand_in_a_file() {
        let directory = tempfile::tempdir().unwrap();
        let url = written(directory.path(), "url", "postgres://kasir:hush@db/kasir\n");
        let secret = written(directory.path(), "secret", &"0123456789abcdef".repeat(4));
        let keys = written(directory.path(), "keys", "web=hush-hush-hush-hush\n");
        let key = written(directory.path(), "key", "SB-Mid-server-hush\n");
        let config = load(&[
            ("DATABASE_URL_FILE", &url),
            ("KASIR_SECRET_FILE", &secret),
            ("API_KEYS_FILE", &keys),
            ("MIDTRANS_SERVER_KEY_FILE", &key),
        ])
        .unwrap();
        assert_eq!(config.database_url.expose(), "postgres://kasir:hush@db/kasir");
        assert_eq!(config.gateway.as_ref().unwrap().server_key.expose(), "SB-Mid-server-hush");
        assert_eq!(config.api_keys[0].1.expose(), "hush-hush-hush-hush");
        assert_eq!(config.secret.as_ref().unwrap().expose().len(), 64);
        assert!(!format!("{config:?}").contains("hush"));
    }

    #[test]
    fn a_file_that_is_missing_empty_or_one_too_many_is_a_mistake() {
        let directory = tempfile::tempdir().unwrap();
        let empty = written(directory.path(), "empty", "\n");
        let full = written(directory.path(), "full", "redis://hush/");
        let nowhere = directory.path().join("nowhere").to_str().unwrap().to_owned();
        let Mistakes(mistakes) = load(&[
            ("API_KEYS_FILE", &empty),
            ("KASIR_SECRET_FILE", &nowhere),
            ("REDIS_URL", "redis://hush/"),
            ("REDIS_URL_FILE", &full),
        ])
        .unwrap_err();
        assert_eq!(mistakes.len(), 3, "{mistakes:#?}");
        assert!(!mistakes.concat().contains("hush"), "{mistakes:#?}");
    }
}
