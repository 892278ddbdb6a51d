//! The way of a notification: sent to the URL as Midtrans would, found in the database, dealt with by somebody.

use std::time::Duration;

use domain::{Secret, Time};
use kasir::http::name_of_body;
use midtrans::probe::{Seen, Tls, Way};
use serde_json::json;
use store::{Db, notifications};

use super::url::Reached;
use super::{Check, Doctor, in_time};

pub(super) const SIGNED: &str = "signed notification";
pub(super) const WORK: &str = "worker";
pub(super) const FORGED: &str = "wrong signature";

/// How long somebody has to deal with a notification.
const DEALT_WITHIN: Duration = Duration::from_secs(8);
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// How far a notification came.
struct Sent {
    check: Check,
    /// What the inbox calls it, once it is there.
    kept: Option<String>,
}

impl Doctor {
    /// Sends a notification for each key, looks for it, and sends one that nobody signed.
    pub(super) async fn check_inbox(&mut self, reached: Option<&Reached>, db: Option<&Db>) {
        let Some(reached) = reached else {
            return self.skip_inbox("Kasir does not answer at the notification URL");
        };
        let keys = self.notification_keys();
        if keys.is_empty() {
            return self.skip_inbox("there is no key to sign with");
        }
        let mut kept = None;
        for (place, key) in keys.iter().enumerate() {
            let which = match keys.len() {
                1 => String::new(),
                count => format!("key {} of {count}: ", place + 1),
            };
            let sent = self.send(reached, key, db).await;
            self.report.tell(Check { found: format!("{which}{}", sent.check.found), ..sent.check });
            kept = kept.or(sent.kept);
        }
        let work = match (kept, db) {
            (Some(body), Some(db)) => self.wait(db, &body).await,
            _ => Check::skipped(WORK, "no notification was found in the database"),
        };
        self.report.tell(work);
        let forged = self.forge(reached).await;
        self.report.tell(forged);
    }

    fn skip_inbox(&mut self, why: &str) {
        for name in [SIGNED, WORK, FORGED] {
            self.report.tell(Check::skipped(name, why));
        }
    }

    /// The keys that the service accepts too.
    fn notification_keys(&self) -> Vec<Secret> {
        match self.config.notification_keys.as_slice() {
            [] => self.gateway.iter().map(|gateway| gateway.server_key.clone()).collect(),
            keys => keys.to_vec(),
        }
    }

    async fn send(&self, reached: &Reached, key: &Secret, db: Option<&Db>) -> Sent {
        let body = self.notification(key);
        let name = name_of_body(body.as_bytes());
        let answer = self.post(reached, body).await;
        if let Some(check) = judge_signed(&answer) {
            return Sent { check, kept: None };
        }
        let Some(db) = db else {
            let found = "is answered with 201; whether it is kept cannot be seen without the database";
            return Sent { check: Check::skipped(SIGNED, found), kept: None };
        };
        match in_time(notifications::find_by_body(db, &name)).await {
            Ok(Some(_)) => {
                let check = Check::ok(SIGNED, "is answered with 201, and is in the database as it was sent");
                Sent { check, kept: Some(name) }
            }
            Ok(None) => Sent { check: lost(), kept: None },
            Err(why) => {
                let found = format!("is answered with 201; the inbox cannot be read: {why}");
                Sent { check: Check::failed(SIGNED, found, "see the database above"), kept: None }
            }
        }
    }

    async fn post(&self, reached: &Reached, body: String) -> Result<Seen, String> {
        let way = Way { target: &reached.target, tls: Tls::AtMost12, trust: reached.trust };
        self.probe.notify(&way, body).await.map_err(|error| error.to_string())
    }

    /// Waits until somebody has dealt with the notification.
    async fn wait(&self, db: &Db, body: &str) -> Check {
        let looking = async {
            loop {
                let found = notifications::find_by_body(db, body).await?;
                if let Some((received, processed)) =
                    found.and_then(|found| found.processed_at.map(|at| (found.received_at, at)))
                {
                    return Ok::<_, store::StoreError>((received, processed));
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        match tokio::time::timeout(DEALT_WITHIN, looking).await {
            Ok(Ok((received, processed))) => {
                let took_ms = (processed - received).num_milliseconds().max(0);
                Check::ok(WORK, format!("dealt with it within {took_ms} ms"))
            }
            Ok(Err(error)) => {
                Check::failed(WORK, format!("the inbox cannot be read: {error}"), "see the database above")
            }
            Err(_) => Check::warning(
                WORK,
                format!("kept, but nobody has dealt with it within {} s", DEALT_WITHIN.as_secs()),
                "is `kasir worker` running, with the same DATABASE_URL? Nothing is lost: it is done once one runs",
            ),
        }
    }

    async fn forge(&self, reached: &Reached) -> Check {
        let nobody = Secret::from(hex::encode(self.clock.random::<16>()));
        judge_forged(&self.post(reached, self.notification(&nobody)).await)
    }

    /// A notification like the one of the dashboard's test button (contract §7).
    fn notification(&self, key: &Secret) -> String {
        let order = format!("payment_notif_test_kasir_{}", self.clock.ulid());
        let (code, amount) = ("200", "105000.00");
        let time = jakarta(self.clock.now());
        json!({
            "transaction_time": time, "settlement_time": time, "transaction_status": "settlement",
            "transaction_id": "513f1f01-c9da-474c-9fc9-d5c64364b709",
            "status_message": "midtrans payment notification", "status_code": code,
            "signature_key": midtrans::sign(&order, code, amount, key),
            "payment_type": "gopay", "order_id": order, "gross_amount": amount, "currency": "IDR",
            "fraud_status": "accept",
        })
        .to_string()
    }
}

/// As the gateway writes times (contract §1).
fn jakarta(at: Time) -> String {
    (at + chrono::TimeDelta::hours(7)).format("%Y-%m-%d %H:%M:%S").to_string()
}

fn lost() -> Check {
    Check::failed(
        SIGNED,
        "is answered with 201, but is not in this database as it was sent",
        "the service behind the URL has another DATABASE_URL than this command, or a proxy changes bodies: compare \
         them, and let the proxy pass bodies on as they are",
    )
}

/// What is wrong with the answer to a notification that was signed by one of our keys; nothing if it is 201.
fn judge_signed(answer: &Result<Seen, String>) -> Option<Check> {
    let (found, advice) = match answer {
        Ok(seen) if seen.status == 201 => return None,
        Ok(seen) if seen.status == 401 => (
            "is refused for its signature (401)".to_owned(),
            "the service behind the URL has other keys than this command: give both the same MIDTRANS_SERVER_KEY and \
             MIDTRANS_NOTIFICATION_KEYS, and restart `kasir api`",
        ),
        Ok(seen) if seen.status == 503 => (
            "could not be kept (503), so that Midtrans would come back".to_owned(),
            "the service behind the URL does not reach its database: look at its /readyz and its log",
        ),
        Ok(seen) => (
            format!("is answered with {}, not 201", seen.status),
            "something in front handles it differently from an empty one (a firewall, a size limit): let it through",
        ),
        Err(why) => (format!("is not answered: {why}"), "run this again; look into the proxy's log"),
    };
    Some(Check::failed(SIGNED, found, advice))
}

fn judge_forged(answer: &Result<Seen, String>) -> Check {
    match answer {
        Ok(seen) if seen.status == 401 => Check::ok(FORGED, "is refused with 401"),
        Ok(seen) if (200..300).contains(&seen.status) => Check::failed(
            FORGED,
            format!("is accepted ({})", seen.status),
            "it is not Kasir that answers, or an old one: anybody can make it ask; pass this path on to `kasir api`",
        ),
        Ok(seen) => Check::warning(
            FORGED,
            format!("is refused with {}, not 401", seen.status),
            "something in front refuses before Kasir does: make sure that it lets signed ones through",
        ),
        Err(why) => Check::failed(
            FORGED,
            format!("is not answered: {why}"),
            "run this again; look into the proxy's log",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Verdict;

    fn answer(status: u16) -> Result<Seen, String> {
        Ok(Seen { status, location: None, content_type: None })
    }

    #[test]
    fn a_signed_notification_is_answered_with_201() {
        assert_eq!(judge_signed(&answer(201)), None);
        for (status, words) in
            [(200, "in front"), (401, "MIDTRANS_SERVER_KEY"), (503, "database"), (413, "limit")]
        {
            let check = judge_signed(&answer(status)).unwrap();
            assert!(check.verdict == Verdict::Failed && check.advice.unwrap().contains(words), "{status}");
        }
        assert_eq!(judge_signed(&Err("no".to_owned())).unwrap().verdict, Verdict::Failed);
    }

    #[test]
    fn a_forged_notification_is_answered_with_401() {
        for (status, verdict) in
            [(401, Verdict::Ok), (201, Verdict::Failed), (200, Verdict::Failed), (403, Verdict::Warning)]
        {
            assert_eq!(judge_forged(&answer(status)).verdict, verdict, "{status}");
        }
    }
}
