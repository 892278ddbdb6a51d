//! What is told: a line for each check, for people as soon as it is known, for machines at the end.

use std::process::ExitCode;

use domain::Secret;
use serde_json::{Value, json};

/// A secret that is shorter would be found in words that give nothing away.
const HIDDEN_CHARS_MIN: usize = 6;

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// As it should be.
    Ok,
    /// Payments work, but somebody should look.
    Warning,
    /// Payments do not work, or not for long.
    Failed,
    /// Not checked, because something before it is missing.
    Skipped,
}

/// One check and its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Check {
    pub(super) name: &'static str,
    pub(super) verdict: Verdict,
    pub(super) found: String,
    /// What to do about it.
    pub(super) advice: Option<String>,
}

/// All checks so far.
pub(super) struct Report {
    json: bool,
    hidden: Vec<Secret>,
    checks: Vec<Check>,
}

impl Verdict {
    fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }
}

impl Check {
    pub(super) fn ok(name: &'static str, found: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Ok, found: found.into(), advice: None }
    }

    pub(super) fn warning(name: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Warning, found: found.into(), advice: Some(advice.into()) }
    }

    pub(super) fn failed(name: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Failed, found: found.into(), advice: Some(advice.into()) }
    }

    pub(super) fn skipped(name: &'static str, why: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Skipped, found: why.into(), advice: None }
    }

    /// What was found and what to do about it; whoever answered us may have put anything into it.
    fn shown(self, hidden: &[Secret]) -> Self {
        let show = |text: String| {
            let words =
                text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
            let one_line = words.collect::<Vec<_>>().join(" ");
            hidden.iter().fold(one_line, |text, secret| text.replace(secret.expose(), "***"))
        };
        Self { found: show(self.found), advice: self.advice.map(show), ..self }
    }
}

impl Report {
    pub(super) fn new(json: bool) -> Self {
        Self { json, hidden: Vec::new(), checks: Vec::new() }
    }

    /// Takes care that none of these is shown from now on.
    pub(super) fn hide(&mut self, secrets: Vec<Secret>) {
        let long = secrets.into_iter().filter(|secret| secret.expose().len() >= HIDDEN_CHARS_MIN);
        self.hidden.extend(long);
    }

    /// Tells how a check ended.
    pub(super) fn tell(&mut self, check: Check) -> Verdict {
        let check = check.shown(&self.hidden);
        let verdict = check.verdict;
        if !self.json {
            println!("{:<8} {:<20} {}", verdict.as_str(), check.name, check.found);
            if let Some(advice) = &check.advice {
                println!("{:<29} -> {advice}", "");
            }
        }
        self.checks.push(check);
        verdict
    }

    /// Tells what follows from all of it; 1 when something failed.
    pub(super) fn end(self) -> ExitCode {
        let count = |verdict| self.checks.iter().filter(|check| check.verdict == verdict).count();
        let (failed, warnings) = (count(Verdict::Failed), count(Verdict::Warning));
        if self.json {
            println!("{}", as_json(&self.checks, failed == 0));
        } else {
            println!();
            println!("{}", summary(failed, warnings));
        }
        if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

fn summary(failed: usize, warnings: usize) -> String {
    match (failed, warnings) {
        (0, 0) => "Everything is as it should be.".to_owned(),
        (0, _) => format!("Nothing failed; {warnings} warning(s)."),
        _ => format!("{failed} failed, {warnings} warning(s). Begin with the first that failed."),
    }
}

fn as_json(checks: &[Check], ok: bool) -> Value {
    let check = |check: &Check| {
        json!({
            "check": check.name, "verdict": check.verdict.as_str(), "found": check.found, "advice": check.advice,
        })
    };
    json!({ "ok": ok, "checks": checks.iter().map(check).collect::<Vec<_>>() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_was_answered_is_one_line_without_a_secret() {
        let check = Check::failed("server key", "401\n\u{7}key hush-hush", "not\thush-hush");
        let shown = check.shown(&[Secret::from("hush-hush")]);
        assert_eq!(shown.found, "401 key ***");
        assert_eq!(shown.advice.as_deref(), Some("not ***"));
    }

    #[test]
    fn a_warning_does_not_fail_and_a_failure_does() {
        let told = |checks: Vec<Check>| {
            let mut report = Report::new(true);
            for check in checks {
                report.tell(check);
            }
            format!("{:?}", report.end()) == format!("{:?}", ExitCode::SUCCESS)
        };
        assert!(told(vec![Check::ok("a", ""), Check::warning("b", "", ""), Check::skipped("c", "")]));
        assert!(!told(vec![Check::ok("a", ""), Check::failed("b", "", "")]));
    }

    #[test]
    fn machines_read_the_same() {
        let told = as_json(&[Check::warning("clock", "late", "hurry")], true);
        assert_eq!(told["checks"][0]["verdict"], "warning");
        assert_eq!(told["checks"][0]["advice"], "hurry");
        assert_eq!(told["ok"], true);
    }
}
