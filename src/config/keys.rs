//! Keys and secrets of the environment: of the front ends, of the gateway's notifications, and of this installation.

use domain::Secret;
use store::DataKey;

pub(super) fn secrets(env: &dyn Fn(&str) -> Option<String>, name: &str) -> Vec<Secret> {
    let list = env(name).unwrap_or_default();
    list.split(',').map(str::trim).filter(|key| !key.is_empty()).map(Secret::from).collect()
}

pub(super) fn api_keys(
    env: &dyn Fn(&str) -> Option<String>,
    mistakes: &mut Vec<String>,
) -> Vec<(String, Secret)> {
    let mut keys = Vec::new();
    for (place, pair) in env("API_KEYS").unwrap_or_default().split(',').enumerate() {
        match pair.trim().split_once('=') {
            Some((name, key)) if !name.trim().is_empty() && key.trim().len() >= 16 => {
                keys.push((name.trim().to_owned(), Secret::from(key.trim())));
            }
            Some(_) => mistakes
                .push(format!("API_KEYS: entry {} needs a name and a key of 16 characters", place + 1)),
            None if pair.trim().is_empty() => {}
            None => mistakes.push(format!("API_KEYS: entry {} is not of the form name=key", place + 1)),
        }
    }
    keys
}

/// The keys that personal data is encrypted under, the newest first.
pub(super) fn data_keys(env: &dyn Fn(&str) -> Option<String>, mistakes: &mut Vec<String>) -> Vec<DataKey> {
    let mut keys: Vec<DataKey> = Vec::new();
    for (place, text) in env("KASIR_DATA_KEYS").unwrap_or_default().split([',', '\n']).enumerate() {
        let place = place + 1;
        match DataKey::parse(text.trim()) {
            _ if text.trim().is_empty() => {}
            Ok(key) if keys.iter().any(|known| known.id() == key.id()) => {
                mistakes.push(format!("KASIR_DATA_KEYS: the id of entry {place} stands there twice"));
            }
            Ok(key) => keys.push(key),
            Err(why) => {
                mistakes.push(format!("KASIR_DATA_KEYS: entry {place} {why}; `kasir key new` makes one"))
            }
        }
    }
    keys
}

pub(super) fn secret(
    env: &dyn Fn(&str) -> Option<String>,
    database_url: &str,
    mistakes: &mut Vec<String>,
) -> Option<Secret> {
    match env("KASIR_SECRET") {
        Some(secret) if secret.len() >= 32 => Some(Secret::from(secret)),
        Some(_) => {
            mistakes.push(
                "KASIR_SECRET is shorter than 32 characters; `openssl rand -hex 32` makes one".to_owned(),
            );
            None
        }
        None => {
            if !database_url.starts_with("sqlite:") {
                mistakes.push(
                    "KASIR_SECRET is missing; all processes need the same one, and `openssl rand -hex 32` makes it"
                        .to_owned(),
                );
            }
            None
        }
    }
}
