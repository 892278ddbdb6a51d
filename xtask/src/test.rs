//! `cargo xtask test`: everything that must hold before a commit, as CI runs it.

use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};

use crate::api;
use crate::browser;
use crate::chaos;
use crate::clients;
use crate::packages;
use crate::servers::Servers;
use crate::steps::{cargo, step};

/// Check the format, run clippy, and run every test against a PostgreSQL and a Redis of their own
///
/// On a fresh machine the two servers' Debian packages are installed first (as root, or through sudo). The
/// servers listen on free ports of 127.0.0.1 and keep their files in a temporary directory; both are gone
/// when the command ends, however it ends. A failing step ends the run, and the exit code is not zero.
///
/// When they have passed, the dashboard is tried in Chromium, and the service is hurt for two minutes, unless tests
/// were selected.
///
/// The tests find the servers in KASIR_TEST_POSTGRES, KASIR_TEST_REDIS, KASIR_TEST_REDIS_SERVER and
/// KASIR_TEST_POSTGRES_BIN. Without cargo-nextest they are run by `cargo test`.
#[derive(Args)]
pub(crate) struct Test {
    /// Which tests to run
    #[arg(long, value_enum, default_value_t = Only::All)]
    only: Only,

    /// Leave out `cargo fmt --check` and clippy
    #[arg(long)]
    no_lint: bool,

    /// Only have schemathesis check the service against its OpenAPI document
    #[arg(long, conflicts_with_all = ["only", "no_lint", "nextest_args"])]
    api: bool,

    /// Only have the gateway's official clients for Node and Python drive the simulator
    #[arg(long, conflicts_with_all = ["api", "only", "no_lint", "nextest_args"])]
    clients: bool,

    /// Only have Chromium use the dashboard of the running service; pictures of its pages are left in target/screens
    #[arg(long, conflicts_with_all = ["api", "clients", "only", "no_lint", "nextest_args"])]
    browser: bool,

    /// Handed to `cargo nextest run`: `-p store`, part of a test's name; leaves out the doc tests, the
    /// browser and the chaos
    #[arg(last = true, value_name = "NEXTEST ARGS")]
    nextest_args: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Only {
    /// The tests inside src/, without servers
    Unit,
    /// Every test, with PostgreSQL and Redis
    All,
}

impl Test {
    pub(crate) fn run(&self) -> Result<ExitCode> {
        let begun = Instant::now();
        if self.api {
            api::check()?;
            eprintln!("xtask: the service keeps to its document, found in {:.1?}", begun.elapsed());
            return Ok(ExitCode::SUCCESS);
        }
        if self.clients {
            clients::check()?;
            eprintln!(
                "xtask: the official clients agree with the simulator, found in {:.1?}",
                begun.elapsed()
            );
            return Ok(ExitCode::SUCCESS);
        }
        if self.browser {
            browser::check()?;
            eprintln!("xtask: the dashboard does what it says, found in {:.1?}", begun.elapsed());
            return Ok(ExitCode::SUCCESS);
        }
        let binaries = match self.only {
            Only::Unit => None,
            Only::All => Some(packages::find_or_install()?),
        };
        if !self.no_lint {
            lint().context("the lints failed, so nothing was tested (--no-lint leaves them out)")?;
        }
        let servers = binaries.map(Servers::start).transpose()?;
        self.test(servers.as_ref())?;
        drop(servers);
        if self.is_whole() {
            browser::check()?;
            chaos::check()?;
        }
        eprintln!("xtask: every step passed in {:.1?}", begun.elapsed());
        Ok(ExitCode::SUCCESS)
    }

    fn test(&self, servers: Option<&Servers>) -> Result<()> {
        let nextest = has_nextest();
        let mut tests = cargo(if nextest { &["nextest", "run"] } else { &["test", "--no-fail-fast"] });
        step("tests", tests.args(self.selection()).envs(environment(servers)))?;

        // `cargo test` has run them already, and who selects tests has not asked for them.
        if nextest && self.is_whole() {
            let mut docs = cargo(&["test", "--workspace", "--doc"]);
            step("doc tests", docs.envs(environment(servers)))?;
        }
        Ok(())
    }

    /// Whether nobody asked for some of the tests only.
    fn is_whole(&self) -> bool {
        self.only == Only::All && self.nextest_args.is_empty()
    }

    fn selection(&self) -> Vec<&str> {
        let mut selection = Vec::new();
        // Cargo lets `--workspace` win over `-p`.
        if !self.nextest_args.iter().any(|arg| arg.starts_with("-p") || arg.starts_with("--package")) {
            selection.push("--workspace");
        }
        if self.only == Only::Unit {
            selection.extend(["--lib", "--bins"]);
        }
        selection.extend(self.nextest_args.iter().map(String::as_str));
        selection
    }
}

fn lint() -> Result<()> {
    step("format", &mut cargo(&["fmt", "--all", "--check"]))?;
    step("clippy", &mut cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))?;
    // It is no test among the others, so nothing above has looked at it.
    step("clippy of chaos", &mut cargo(&["clippy", "-p", "kasir", "--test", "chaos", "--", "-D", "warnings"]))
}

fn environment(servers: Option<&Servers>) -> Vec<(&'static str, OsString)> {
    servers.map(Servers::environment).unwrap_or_default()
}

fn has_nextest() -> bool {
    let found = cargo(&["nextest", "--version"]).output();
    let found = found.is_ok_and(|output| output.status.success());
    if !found {
        eprintln!("xtask: cargo-nextest is not installed; `cargo test` runs the tests instead");
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selection(only: Only, args: &[&str]) -> String {
        let nextest_args = args.iter().map(ToString::to_string).collect();
        Test { only, no_lint: false, api: false, clients: false, browser: false, nextest_args }
            .selection()
            .join(" ")
    }

    #[test]
    fn a_package_replaces_the_workspace() {
        assert_eq!(selection(Only::All, &["-p", "store"]), "-p store");
        assert_eq!(selection(Only::All, &["--package=store"]), "--package=store");
        assert_eq!(selection(Only::All, &["notice"]), "--workspace notice");
    }

    #[test]
    fn unit_tests_live_in_src() {
        assert_eq!(selection(Only::Unit, &[]), "--workspace --lib --bins");
    }
}
