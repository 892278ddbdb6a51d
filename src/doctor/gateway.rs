//! The gateway: whether it is reached, knows the key, and has the same time.

use chrono::TimeDelta;
use domain::Time;
use kasir::config::Gateway;
use midtrans::CallError;
use midtrans::probe::{KeyAnswer, ProbeError, Target, Tls};

use super::{Check, Doctor, Verdict, in_time};

pub(super) const GATEWAY: &str = "gateway";
pub(super) const KEY: &str = "server key";
pub(super) const CLOCK: &str = "clock";

/// So far apart clocks may be without a word, and without a failure.
const SKEW_OK_S: i64 = 5;
const SKEW_WARNING_S: i64 = 60;

impl Doctor {
    /// Checks the gateway, its opinion of the key, and its clock.
    pub(super) async fn check_gateway(&mut self) {
        let Some(gateway) = self.gateway.clone() else {
            let why = "the built-in simulator has never run here: start `kasir serve` first";
            self.report.tell(Check::failed(GATEWAY, why, "or set MIDTRANS_SERVER_KEY for the real gateway"));
            return self.skip_key("there is no gateway yet");
        };
        let target = match Target::parse(&gateway.base_url) {
            Ok(target) => target,
            Err(why) => {
                let found = format!("MIDTRANS_BASE_URL {why}");
                self.report.tell(Check::failed(
                    GATEWAY,
                    found,
                    "leave it away for the host that belongs to the key",
                ));
                return self.skip_key("there is no gateway to ask");
            }
        };
        let is_sandbox = gateway.is_sandbox();
        let check = if target.is_https() {
            self.encrypted(&target).await
        } else {
            self.plain(&target, is_sandbox).await
        };
        if self.report.tell(check) == Verdict::Failed {
            return self.skip_key("the gateway was not reached as it should be");
        }
        self.key(&gateway, &target).await;
    }

    fn skip_key(&mut self, why: &str) {
        self.report.tell(Check::skipped(KEY, why));
        self.report.tell(Check::skipped(CLOCK, why));
    }

    async fn encrypted(&self, target: &Target) -> Check {
        let newest = self.probe.get(target, Tls::Only13).await;
        let (answer, version) = match newest {
            Err(ProbeError::Failed(_)) => (self.probe.get(target, Tls::AtMost12).await, "1.2"),
            newest => (newest, "1.3"),
        };
        match answer {
            Ok(_) => Check::ok(GATEWAY, format!("{target} answers over TLS {version}")),
            Err(why) => unreachable(target, &why),
        }
    }

    async fn plain(&self, target: &Target, is_sandbox: bool) -> Check {
        // A key in clear words is no key for long: nothing is asked.
        if !target.is_local() && !is_sandbox {
            return Check::failed(
                GATEWAY,
                format!("{target} is not encrypted, and the key is one of production"),
                "take MIDTRANS_BASE_URL out of the environment, or make it https",
            );
        }
        match self.probe.get(target, Tls::Any).await {
            Ok(_) if target.is_local() => Check::ok(
                GATEWAY,
                format!("{target} answers without encryption, as only a simulator on this machine may"),
            ),
            Ok(_) => Check::warning(
                GATEWAY,
                format!("{target} answers without encryption, as only a simulator may"),
                "for Midtrans itself take MIDTRANS_BASE_URL out of the environment",
            ),
            Err(why) => unreachable(target, &why),
        }
    }

    async fn key(&mut self, gateway: &Gateway, target: &Target) {
        let order = format!("kasir-doctor-{}", self.clock.ulid());
        let before = self.clock.now();
        let asked = in_time(self.probe.key(target, &gateway.server_key, &order)).await;
        let after = self.clock.now();
        let answer = match asked {
            Ok(answer) => answer,
            Err(why) => {
                self.report.tell(Check::failed(KEY, format!("could not be tried: {why}"), "run this again"));
                self.report.tell(Check::skipped(CLOCK, "the gateway did not tell its time"));
                return;
            }
        };
        let KeyAnswer { date, answer } = answer;
        self.report.tell(judge_key(&answer));
        self.report.tell(match date {
            Some(date) => judge_skew(skew(date, (before, after))),
            None => Check::skipped(CLOCK, "the gateway did not tell its time"),
        });
    }
}

fn unreachable(target: &Target, why: &ProbeError) -> Check {
    Check::failed(
        GATEWAY,
        format!("{target} was not reached: {why}"),
        "let this machine reach that host by name over HTTPS, TLS 1.2 or 1.3: look at DNS, firewall, proxy and \
         MIDTRANS_BASE_URL, or start the simulator (`kasir serve`) if that is meant",
    )
}

/// What the answer about an order that nobody made says of the key.
fn judge_key(answer: &Result<domain::Report, CallError>) -> Check {
    let elsewhere = "something else answers in the gateway's place: look at MIDTRANS_BASE_URL and at proxies";
    match answer {
        Err(CallError::NoSuchTransaction) => Check::ok(KEY, "the gateway accepts it"),
        Err(CallError::Misconfigured { code, message }) if code == "401" => Check::failed(
            KEY,
            format!("the gateway refuses it (401): {message}"),
            "it is mistyped, replaced, or of the other environment: copy the Server Key anew from the dashboard \
             (Settings, Access Keys), sandbox to sandbox and production to production, and restart all roles",
        ),
        Err(CallError::RateLimited { .. } | CallError::Held { .. }) => Check::warning(
            KEY,
            "the gateway wants us to slow down and says nothing of the key",
            "run this again in some minutes",
        ),
        Err(CallError::Refused { code, message, .. }) => Check::failed(
            KEY,
            format!("the gateway refuses us ({code}): {message}"),
            "the merchant account has this trouble, not Kasir: ask Midtrans' support",
        ),
        Err(error) => Check::failed(KEY, format!("the answer is not the gateway's: {error}"), elsewhere),
        Ok(_) => Check::failed(KEY, "the answer tells of a transaction that nobody made", elsewhere),
    }
}

/// How far our clock is ahead of the gateway's, at least: its date is in whole seconds, and was written at some moment
/// between the question and its answer.
fn skew(date: Time, (before, after): (Time, Time)) -> TimeDelta {
    let date_end = date + TimeDelta::seconds(1);
    if before > date_end {
        before - date_end
    } else if after < date {
        after - date
    } else {
        TimeDelta::zero()
    }
}

fn judge_skew(ahead: TimeDelta) -> Check {
    let seconds = ahead.num_seconds().abs();
    let direction = if ahead > TimeDelta::zero() { "ahead of" } else { "behind" };
    let found = format!("ours is {seconds} s {direction} the gateway's");
    let advice = "deadlines of payments and of log-ins are reckoned by it: let the machine set its clock by NTP \
                  (`timedatectl set-ntp true`)";
    match seconds {
        0 => Check::ok(CLOCK, "ours and the gateway's agree to the second"),
        _ if seconds <= SKEW_OK_S => Check::ok(CLOCK, found),
        _ if seconds <= SKEW_WARNING_S => Check::warning(CLOCK, found, advice),
        _ => Check::failed(CLOCK, found, advice),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Time {
        clock::from_millis(1_700_000_000_000 + seconds * 1_000)
    }

    #[test]
    fn the_clocks_are_as_far_apart_as_is_certain() {
        let half = TimeDelta::milliseconds(500);
        assert_eq!(skew(at(0), (at(0) + half, at(0) + half)), TimeDelta::zero());
        assert_eq!(skew(at(0), (at(-1), at(5))), TimeDelta::zero(), "a slow answer proves nothing");
        assert_eq!(skew(at(0), (at(10), at(11))), TimeDelta::seconds(9));
        assert_eq!(skew(at(100), (at(9), at(10))), TimeDelta::seconds(-90));
    }

    #[test]
    fn a_clock_that_is_off_is_a_warning_and_then_a_failure() {
        for (ahead_s, verdict, words) in [
            (0, Verdict::Ok, "agree"),
            (5, Verdict::Ok, "5 s ahead of"),
            (-5, Verdict::Ok, "5 s behind"),
            (6, Verdict::Warning, "6 s ahead of"),
            (-60, Verdict::Warning, "60 s behind"),
            (61, Verdict::Failed, "61 s ahead of"),
            (-86_400, Verdict::Failed, "86400 s behind"),
        ] {
            let check = judge_skew(TimeDelta::seconds(ahead_s));
            assert!(check.verdict == verdict && check.found.contains(words), "{ahead_s}: {check:?}");
            assert_eq!(check.advice.is_some(), verdict != Verdict::Ok);
        }
    }

    #[test]
    fn the_answer_about_no_order_tells_of_the_key() {
        let misconfigured =
            |code: &str| CallError::Misconfigured { code: code.to_owned(), message: "no".to_owned() };
        for (error, verdict, words) in [
            (CallError::NoSuchTransaction, Verdict::Ok, ""),
            (misconfigured("401"), Verdict::Failed, "Access Keys"),
            (misconfigured("404"), Verdict::Failed, "MIDTRANS_BASE_URL"),
            (CallError::Unknown("HTTP 200 without JSON".to_owned()), Verdict::Failed, "MIDTRANS_BASE_URL"),
            (CallError::RateLimited { retry_after: None }, Verdict::Warning, "again"),
        ] {
            let check = judge_key(&Err(error));
            assert!(check.verdict == verdict && check.advice.unwrap_or_default().contains(words));
        }
    }
}
