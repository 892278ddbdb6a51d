//! What is ours: the configuration, the database, Redis.

use kasir::config::{Config, Mistakes};
use kasir::roles;
use store::Db;

use super::{Check, Doctor, Verdict, in_time};

pub(super) const CONFIGURATION: &str = "configuration";
pub(super) const DATABASE: &str = "database";
pub(super) const KEYS: &str = "data keys";
pub(super) const REDIS: &str = "Redis";

/// A configuration with mistakes in it.
pub(super) fn mistaken(mistakes: &Mistakes) -> Check {
    Check::failed(
        CONFIGURATION,
        mistakes.0.join("; "),
        "correct the environment or the file; nothing of Kasir starts before that",
    )
}

impl Doctor {
    /// Checks what is ours; gives the database if it can be read.
    pub(super) async fn check_house(&mut self) -> Option<Db> {
        self.report.tell(Check::ok(CONFIGURATION, environment(&self.config)));
        let (check, db) = database(&self.config).await;
        let is_whole = self.report.tell(check) == Verdict::Ok;
        let keys = keys(&self.config, db.as_ref().filter(|_| is_whole)).await;
        self.report.tell(keys);
        let redis = self.redis().await;
        self.report.tell(redis);
        db
    }

    async fn redis(&self) -> Check {
        let Some(redis) = &self.config.redis else {
            return Check::skipped(
                REDIS,
                "REDIS_URL is not set; separate processes find jobs in the database",
            );
        };
        match in_time(queue::ping(redis)).await {
            Ok(()) => Check::ok(REDIS, "answers"),
            Err(why) => Check::failed(
                REDIS,
                format!("does not answer: {why}"),
                "start it or correct REDIS_URL; until then nothing is lost, and jobs start up to two seconds later",
            ),
        }
    }
}

/// Which world the configuration is about.
fn environment(config: &Config) -> String {
    match &config.gateway {
        Some(gateway) if gateway.is_sandbox() => {
            format!("loads; a sandbox key for {}", gateway.base_url)
        }
        Some(gateway) => format!("loads; a production key for {}: the money is real", gateway.base_url),
        None => {
            "loads; no MIDTRANS_SERVER_KEY, so the simulator of `kasir serve` plays the gateway".to_owned()
        }
    }
}

async fn database(config: &Config) -> (Check, Option<Db>) {
    // Opening it would make it.
    if let Some(file) = config.sqlite_file().filter(|file| !file.exists()) {
        let found = format!("there is no file {}", file.display());
        let start =
            "start `kasir serve` first (or `kasir migrate`), in this directory or with the same DATABASE_URL";
        return (Check::failed(DATABASE, found, start), None);
    }
    let opened = async {
        let db = roles::open_database(config).await.map_err(|error| format!("{error:#}"))?;
        let missing = store::pending_migrations(&db).await.map_err(|error| error.to_string())?;
        Ok::<_, String>((db, missing))
    };
    match in_time(opened).await {
        Ok((db, missing)) => (migrations(&db, missing), Some(db)),
        Err(why) => {
            let advice = "start it or correct DATABASE_URL; without it nobody can pay, and Midtrans is told to come back";
            (Check::failed(DATABASE, format!("does not answer: {why}"), advice), None)
        }
    }
}

fn migrations(db: &Db, missing: usize) -> Check {
    let kind = match db {
        Db::Sqlite { .. } => "SQLite",
        Db::Postgres(_) => "PostgreSQL",
    };
    match missing {
        0 => Check::ok(DATABASE, format!("{kind} answers and has all migrations")),
        _ => Check::failed(
            DATABASE,
            format!("{kind} answers and lacks {missing} migration(s)"),
            "run `kasir migrate`; the roles do not start before that",
        ),
    }
}

const PLAIN: &str = "KASIR_DATA_KEYS is not set: personal data is in plain text";

/// Whether personal data is encrypted, and can be read.
async fn keys(config: &Config, db: Option<&Db>) -> Check {
    let Some(db) = db else {
        return Check::skipped(
            KEYS,
            "there is no database, or none with all migrations, to hold them against",
        );
    };
    let has_real_money = config.gateway.as_ref().is_some_and(|gateway| !gateway.is_sandbox());
    let make =
        "make one with `kasir key new`, set KASIR_DATA_KEYS for all processes, and run `kasir key rotate`";
    match in_time(store::keys::check(db)).await {
        Err(why) => Check::failed(KEYS, why, "give all processes the keys that the books were sealed with"),
        Ok(missing) if !missing.is_empty() => Check::failed(
            KEYS,
            format!("missing: {}; what these sealed cannot be read", missing.join(", ")),
            "put them back into KASIR_DATA_KEYS, behind the newest",
        ),
        Ok(_) => match config.data_keys.first() {
            Some(newest) => Check::ok(KEYS, format!("{} seals; none is missing", newest.id())),
            None if config.gateway.is_none() => Check::skipped(KEYS, PLAIN),
            None if has_real_money => Check::failed(KEYS, PLAIN, make),
            None => Check::warning(KEYS, PLAIN, make),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(pairs: &[(&str, &str)]) -> Config {
        let find =
            |name: &str| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        Config::from_parts(&find, "").unwrap()
    }

    #[test]
    fn it_is_told_which_world_the_key_is_of() {
        for (pairs, word) in [
            (vec![("MIDTRANS_SERVER_KEY", "SB-Mid-server-hush")], "sandbox key for https://api.sandbox"),
            (vec![("MIDTRANS_SERVER_KEY", "Mid-server-hush")], "production key for https://api.midtrans"),
            (vec![], "the simulator"),
        ] {
            let told = environment(&config(&pairs));
            assert!(told.contains(word) && !told.contains("hush"), "{told}");
        }
    }

    #[tokio::test]
    async fn a_database_file_is_looked_for_and_not_made() {
        let dir = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/kasir.db", dir.path().display());
        let (check, db) = database(&config(&[("DATABASE_URL", &url)])).await;
        assert!(db.is_none() && check.verdict == Verdict::Failed);
        assert!(check.advice.unwrap().contains("kasir serve"));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
