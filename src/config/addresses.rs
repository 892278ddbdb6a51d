//! Where things are, as the environment says.

use std::net::SocketAddr;

use domain::Secret;
use queue::RedisSettings;

use crate::http::TlsFiles;

pub(super) fn check_database_url(url: &str, mistakes: &mut Vec<String>) {
    let known = ["sqlite:", "postgres://", "postgresql://"];
    if !known.iter().any(|scheme| url.starts_with(scheme)) {
        mistakes.push("DATABASE_URL is neither sqlite://FILE nor postgres://USER@HOST/NAME".to_owned());
    }
}

pub(super) fn redis(
    env: &dyn Fn(&str) -> Option<String>,
    mistakes: &mut Vec<String>,
) -> Option<RedisSettings> {
    let url = env("REDIS_URL")?;
    if !["redis://", "rediss://", "redis+unix://", "unix://"].iter().any(|scheme| url.starts_with(scheme)) {
        mistakes.push("REDIS_URL does not begin with redis://".to_owned());
    }
    let namespace = env("KASIR_REDIS_NAMESPACE").unwrap_or_else(|| "kasir".to_owned());
    Some(RedisSettings { url: Secret::from(url), namespace })
}

pub(super) fn address(
    env: &dyn Fn(&str) -> Option<String>,
    name: &str,
    default: &str,
    mistakes: &mut Vec<String>,
) -> SocketAddr {
    let text = env(name).unwrap_or_else(|| default.to_owned());
    text.parse().unwrap_or_else(|_| {
        mistakes.push(format!("{name} is {text:?}; it should look like 127.0.0.1:8080"));
        SocketAddr::from(([127, 0, 0, 1], 0))
    })
}

pub(super) fn tls_files(
    env: &dyn Fn(&str) -> Option<String>,
    mistakes: &mut Vec<String>,
) -> Option<TlsFiles> {
    match [env("KASIR_TLS_CERT"), env("KASIR_TLS_KEY")] {
        [Some(certificate), Some(key)] => Some(TlsFiles { certificate: certificate.into(), key: key.into() }),
        [None, None] => None,
        _ => {
            mistakes.push("KASIR_TLS_CERT and KASIR_TLS_KEY go together: one of them is missing".to_owned());
            None
        }
    }
}

pub(super) fn public_url(env: &dyn Fn(&str) -> Option<String>, mistakes: &mut Vec<String>) -> Option<String> {
    let url = env("KASIR_PUBLIC_URL")?;
    if !["http://", "https://"].iter().any(|scheme| url.starts_with(scheme)) {
        mistakes.push("KASIR_PUBLIC_URL begins neither with https:// nor with http://".to_owned());
    }
    Some(url.trim_end_matches('/').to_owned())
}
