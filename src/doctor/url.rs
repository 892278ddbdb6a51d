//! The notification URL: whether Midtrans reaches it, and whether Kasir is what answers there.

use midtrans::probe::{ProbeError, Seen, Target, Tls, Trust, Way};

use super::{Check, Doctor, PATH, Verdict, reachable};

pub(super) const URL: &str = "notification URL";
pub(super) const ANSWER: &str = "notification answer";

/// The ports that Midtrans calls (contract §7).
const PORTS: [u16; 2] = [443, 80];

/// A notification URL behind which Kasir answers.
pub(super) struct Reached {
    pub(super) target: Target,
    pub(super) trust: Trust,
}

/// How an empty notification went.
enum Asked {
    Answered(Seen),
    /// Only with [`Trust::Ours`].
    AnsweredToUs(Seen),
    /// Only over TLS 1.3.
    TooNew,
    Not(ProbeError),
}

impl Doctor {
    /// Checks the URL by an empty notification; gives it if Kasir answers there.
    pub(super) async fn check_url(&mut self, given: Option<&str>) -> Option<Reached> {
        let public = self.config.public_url.as_ref().map(|base| format!("{base}{PATH}"));
        let said = given.map(str::to_owned).or(public);
        let is_guessed = said.is_none();
        let text = said.unwrap_or_else(|| format!("http://{}{PATH}", reachable(self.config.addr)));
        let target = match Target::parse(&text) {
            Ok(target) => target,
            Err(why) => {
                let found = format!("what is given as the notification URL {why}");
                let advice = format!("it looks like https://YOUR-HOST{PATH}");
                self.report.tell(Check::failed(URL, found, advice));
                self.report.tell(Check::skipped(ANSWER, "there is no URL to ask"));
                return None;
            }
        };
        let asked = self.ask(&target).await;
        let trust = if matches!(asked, Asked::AnsweredToUs(_)) { Trust::Ours } else { Trust::Public };
        let reached = judge_way(&asked, &target, Setting { is_guessed, is_real: self.is_real() });
        self.report.tell(reached);
        let (Asked::Answered(seen) | Asked::AnsweredToUs(seen)) = asked else {
            self.report.tell(Check::skipped(ANSWER, "the URL was not reached"));
            return None;
        };
        let answer = judge_answer(&seen);
        (self.report.tell(answer) != Verdict::Failed && seen.status == 400)
            .then_some(Reached { target, trust })
    }

    /// Whether the gateway is one that calls from outside.
    fn is_real(&self) -> bool {
        let gateway = self.gateway.as_ref().and_then(|gateway| Target::parse(&gateway.base_url).ok());
        gateway.is_some_and(|gateway| !gateway.is_local())
    }

    async fn ask(&self, target: &Target) -> Asked {
        let way = Way { target, tls: Tls::AtMost12, trust: Trust::Public };
        let failure = match self.probe.notify(&way, String::new()).await {
            Ok(seen) => return Asked::Answered(seen),
            Err(ProbeError::Failed(failure)) if target.is_https() => failure,
            Err(error) => return Asked::Not(error),
        };
        match self.probe.notify(&Way { trust: Trust::Ours, ..way }, String::new()).await {
            Ok(seen) => return Asked::AnsweredToUs(seen),
            Err(ProbeError::TimedOut) => return Asked::Not(ProbeError::TimedOut),
            Err(_) => {}
        }
        let newest = Way { tls: Tls::Only13, trust: Trust::Ours, ..way };
        match self.probe.notify(&newest, String::new()).await {
            Ok(_) => Asked::TooNew,
            Err(_) => Asked::Not(ProbeError::Failed(failure)),
        }
    }
}

/// What is known besides the answer.
#[derive(Clone, Copy)]
struct Setting {
    /// Nobody said what the URL is.
    is_guessed: bool,
    /// The gateway is not on this machine.
    is_real: bool,
}

/// Whether Midtrans finds the way to the URL.
fn judge_way(asked: &Asked, target: &Target, setting: Setting) -> Check {
    match asked {
        Asked::Not(why) => Check::failed(URL, format!("{target} does not answer: {why}"), unreached(target)),
        Asked::TooNew => Check::failed(
            URL,
            format!("{target} takes TLS 1.3 only, and Midtrans speaks 1.2 at most"),
            "let the proxy in front take TLS 1.2 too (nginx: ssl_protocols TLSv1.2 TLSv1.3)",
        ),
        Asked::AnsweredToUs(_) => Check::warning(
            URL,
            format!("{target} takes TLS 1.2, with a certificate of the authority in --ca"),
            "Midtrans trusts public authorities only: it must see another certificate than this",
        ),
        Asked::Answered(_) => judge_address(target, setting),
    }
}

fn unreached(target: &Target) -> &'static str {
    match (target.is_https(), target.is_local()) {
        (false, true) => "is `kasir api` or `kasir serve` running, at KASIR_ADDR?",
        (false, false) => "Midtrans must reach it from the Internet: look at DNS, firewall and the proxy",
        (true, _) => {
            "Midtrans must reach it from the Internet: look at DNS, firewall, the proxy, and its certificate (a public \
             authority's, with the intermediates); give --ca if the authority is your own"
        }
    }
}

fn judge_address(target: &Target, Setting { is_guessed, is_real }: Setting) -> Check {
    let how = if target.is_https() { "answers over TLS 1.2" } else { "answers without encryption" };
    if is_real && (is_guessed || target.is_local()) {
        let advice =
            "Midtrans calls from outside: set KASIR_PUBLIC_URL, or give --url as entered in the dashboard";
        return Check::warning(URL, format!("{target} {how}; only the local address was checked"), advice);
    }
    if target.is_local() {
        let note = if is_guessed { "; only the local address was checked" } else { "" };
        return Check::ok(URL, format!("{target} {how}{note}"));
    }
    if !PORTS.contains(&target.port()) {
        let found = format!("{target} {how}, on port {}", target.port());
        return Check::warning(URL, found, "Midtrans calls the usual ports only: serve it on 443");
    }
    if !target.is_https() {
        let advice = "whoever is on the way reads who pays: serve it over https and enter that address";
        return Check::warning(URL, format!("{target} {how}"), advice);
    }
    Check::ok(URL, format!("{target} {how}"))
}

/// Whether Kasir is what answers: it refuses an empty notification with 400, in its own form.
fn judge_answer(seen: &Seen) -> Check {
    let is_ours =
        seen.content_type.as_deref().is_some_and(|kind| kind.starts_with("application/problem+json"));
    let location = seen.location.as_deref().unwrap_or("nowhere");
    let advice = match seen.status {
        400 if is_ours => {
            return Check::ok(ANSWER, "Kasir refuses an empty notification (400), as it should");
        }
        400 => {
            let found = "an empty notification is refused with 400, but not in Kasir's form";
            return Check::warning(
                ANSWER,
                found,
                "something in front may answer in its place; see the next check",
            );
        }
        307 | 308 => {
            let found = format!("redirects ({}) to {location}, which Midtrans follows", seen.status);
            return Check::warning(
                ANSWER,
                found,
                "enter that address in the dashboard, and check it with --url",
            );
        }
        300..=399 => {
            let found = format!(
                "redirects ({}) to {location}; Midtrans does not follow, and never repeats",
                seen.status
            );
            return Check::failed(
                ANSWER,
                found,
                "enter the address that it leads to, and check that with --url",
            );
        }
        status => in_the_way(status),
    };
    Check::failed(ANSWER, format!("an empty notification is answered with {}, not 400", seen.status), advice)
}

/// What is in the way when it is not Kasir that answers.
fn in_the_way(status: u16) -> &'static str {
    match status {
        200..=299 => {
            "something takes everything, so that Midtrans believes to have told us: pass this path on to `kasir api`"
        }
        401 | 403 | 407 => {
            "something in front wants a log-in or keeps strangers out (basic auth, firewall, CSRF protection): let this \
             path through, its signature is its log-in"
        }
        404 | 410 => {
            "another path, or not Kasir: it ends in /api/midtrans-notification, and the proxy passes it on as it is"
        }
        405 | 411 | 413 | 415 => {
            "something in front does not take the gateway's POST: let it through as it is"
        }
        419 => "CSRF protection in front: let this path through, its signature is its log-in",
        429 => "something in front limits how often this is called: let Midtrans through",
        502..=504 => "the proxy does not find Kasir, or Kasir its database: is `kasir api` running?",
        500..=599 => "something in front, or Kasir, is broken: look into its log",
        _ => "something in front answers in Kasir's place: pass this path on to `kasir api`",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(status: u16) -> Seen {
        let content_type = Some("application/problem+json".to_owned());
        Seen { status, location: Some("https://kost.example/login".to_owned()), content_type }
    }

    fn way(asked: &Asked, url: &str, is_real: bool) -> Check {
        judge_way(asked, &Target::parse(url).unwrap(), Setting { is_guessed: !is_real, is_real })
    }

    #[test]
    fn only_kasir_s_own_refusal_is_good() {
        assert_eq!(judge_answer(&seen(400)).verdict, Verdict::Ok);
        let foreign = Seen { content_type: Some("text/html".to_owned()), ..seen(400) };
        assert_eq!(judge_answer(&foreign).verdict, Verdict::Warning);
        for (status, words) in [
            (200, "takes everything"),
            (301, "leads to"),
            (302, "leads to"),
            (303, "leads to"),
            (401, "log-in"),
            (403, "CSRF"),
            (404, "path"),
            (405, "POST"),
            (419, "CSRF"),
            (429, "limits"),
            (500, "log"),
            (502, "kasir api"),
            (503, "kasir api"),
        ] {
            let check = judge_answer(&seen(status));
            assert_eq!(check.verdict, Verdict::Failed, "{status}");
            assert!(check.advice.unwrap().contains(words), "{status}");
            assert!(check.found.contains(&status.to_string()));
        }
        for status in [307, 308] {
            let check = judge_answer(&seen(status));
            assert!(check.verdict == Verdict::Warning && check.found.contains("https://kost.example/login"));
        }
    }

    #[test]
    fn an_address_is_judged_by_who_has_to_reach_it() {
        let good = Asked::Answered(seen(400));
        for (url, is_real, verdict, words) in [
            ("https://kost.example/api", true, Verdict::Ok, "TLS 1.2"),
            ("https://kost.example:8443/api", true, Verdict::Warning, "8443"),
            ("http://kost.example/api", true, Verdict::Warning, "without encryption"),
            ("http://127.0.0.1:8080/api", true, Verdict::Warning, "only the local address"),
            ("http://127.0.0.1:8080/api", false, Verdict::Ok, "only the local address"),
        ] {
            let check = way(&good, url, is_real);
            assert!(check.verdict == verdict && check.found.contains(words), "{url}: {check:?}");
        }
    }

    #[test]
    fn what_midtrans_cannot_use_is_not_good() {
        let url = "https://kost.example/api";
        assert_eq!(way(&Asked::TooNew, url, true).verdict, Verdict::Failed);
        assert_eq!(way(&Asked::Not(ProbeError::TimedOut), url, true).verdict, Verdict::Failed);
        assert_eq!(way(&Asked::AnsweredToUs(seen(400)), url, true).verdict, Verdict::Warning);
    }
}
