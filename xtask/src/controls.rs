//! `cargo xtask controls`: takes one guard out of the program after the other, and sees that a test fails.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;
use serde::Deserialize;

use crate::packages;
use crate::servers::Servers;
use crate::steps::{cargo, root, target_dir};

/// Take out one guard of an invariant after the other, and see that the test that keeps it fails
///
/// The guards and their tests are listed in tests/controls.toml. The program is copied to target/controls/house, where
/// each guard is taken out, its test is built and run, and the guard is put back. First every test is seen to pass with
/// all guards in place. A test that passes without its guard is an error, and so is a change that does not compile.
/// What each run printed is kept in target/controls. All of them take about half an hour on two cores, and 3 GB.
#[derive(Args)]
pub(crate) struct Controls {
    /// Only those whose name has one of these words in it
    names: Vec<String>,

    /// Only say which there are
    #[arg(long)]
    list: bool,
}

#[derive(Deserialize)]
struct List {
    control: Vec<Control>,
}

/// A guard that is taken out, and the test that must fail without it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Control {
    /// What it is called.
    name: String,
    /// What must hold, in words.
    holds: String,
    edits: Vec<Edit>,
    /// The crate of the test.
    package: String,
    /// The test's program, as cargo selects it: `--test contract`, `--lib`.
    program: String,
    /// A part of the test's name.
    test: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Edit {
    file: PathBuf,
    /// It stands there once.
    find: String,
    replace: String,
}

/// A test that takes longer hangs, which is a way to fail.
const TEST_S_MAX: u64 = 300;

impl Controls {
    pub(crate) fn run(&self) -> Result<ExitCode> {
        let wanted = |control: &Control| {
            self.names.is_empty() || self.names.iter().any(|word| control.name.contains(word))
        };
        let controls: Vec<Control> = list()?.into_iter().filter(wanted).collect();
        if controls.is_empty() {
            bail!("no control is called so; `cargo xtask controls --list` names them");
        }
        if self.list {
            for Control { name, holds, test, .. } in &controls {
                println!("{name:<24} {holds} ({test})");
            }
            return Ok(ExitCode::SUCCESS);
        }
        let begun = Instant::now();
        let dir = target_dir().join("controls");
        let house =
            House { root: dir.join("house"), servers: Servers::start(packages::find_or_install()?)?, dir };
        house.furnish()?;
        for control in &controls {
            eprintln!("xtask: {}: with its guard", control.name);
            house.see_it_pass(control)?;
        }
        let mut survived = 0;
        for (number, control) in controls.iter().enumerate() {
            eprintln!("xtask: {} of {}: {}: without its guard", number + 1, controls.len(), control.name);
            let caught = house.try_without(control)?;
            println!("{:<24} {:<9} {} ({})", control.name, word_for(caught), control.holds, control.test);
            survived += usize::from(!caught);
        }
        println!(
            "{} guards taken out, {} missed by their tests, in {:.0?}",
            controls.len(),
            controls.len() - survived,
            begun.elapsed()
        );
        if survived > 0 {
            bail!("{survived} tests passed without the guard that they are about");
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn word_for(caught: bool) -> &'static str {
    if caught { "missed" } else { "NOT MISSED" }
}

fn list() -> Result<Vec<Control>> {
    let path = root().join("tests/controls.toml");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let list: List =
        toml::from_str(&text).with_context(|| format!("{} is not as it must be", path.display()))?;
    Ok(list.control)
}

impl Edit {
    fn of(&self, text: &str) -> Result<String> {
        let times = text.matches(&self.find).count();
        if times != 1 {
            bail!("{}: {:?} stands there {times} times, not once", self.file.display(), self.find);
        }
        Ok(text.replacen(&self.find, &self.replace, 1))
    }
}

/// A copy of the program, and the servers its tests need.
struct House {
    root: PathBuf,
    dir: PathBuf,
    servers: Servers,
}

impl House {
    /// Copies what has changed since it was last here, so that cargo builds no more than that.
    fn furnish(&self) -> Result<()> {
        let listed = Command::new("git")
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .current_dir(root())
            .output()
            .context("cannot ask git which files there are")?;
        if !listed.status.success() {
            bail!("git does not say which files there are: {}", String::from_utf8_lossy(&listed.stderr));
        }
        let names = String::from_utf8(listed.stdout).context("the name of a file is no text")?;
        for name in names.split('\0').filter(|name| !name.is_empty()) {
            let (from, to) = (root().join(name), self.root.join(name));
            // One that was deleted and not committed.
            let Ok(text) = fs::read(&from) else { continue };
            if fs::read(&to).is_ok_and(|there| there == text) {
                continue;
            }
            if let Some(parent) = to.parent() {
                fs::create_dir_all(parent)?;
            }
            fs::write(&to, text)?;
        }
        Ok(())
    }

    fn see_it_pass(&self, control: &Control) -> Result<()> {
        let log = self.dir.join(format!("{}.with.log", control.name));
        self.build(control, &log)?;
        if self.test(control, &log)? != Ended::Passed {
            bail!(
                "{} fails with its guard in place, or there is no such test: {}",
                control.test,
                log.display()
            );
        }
        Ok(())
    }

    /// Whether the test fails without the guard.
    fn try_without(&self, control: &Control) -> Result<bool> {
        let log = self.dir.join(format!("{}.without.log", control.name));
        let mut before = Vec::new();
        for edit in &control.edits {
            let path = self.root.join(&edit.file);
            let text = fs::read_to_string(&path)?;
            fs::write(&path, edit.of(&text)?)?;
            before.push((path, text));
        }
        self.migrations_changed(control)?;
        let ended = self.build(control, &log).and_then(|()| self.test(control, &log));
        // The first text of a file that is edited twice is the one it had.
        for (path, text) in before.into_iter().rev() {
            fs::write(path, text)?;
        }
        self.migrations_changed(control)?;
        ended.map(|ended| ended != Ended::Passed)
    }

    /// The migrations are compiled in, and cargo does not look at them.
    fn migrations_changed(&self, control: &Control) -> Result<()> {
        if control.edits.iter().any(|edit| edit.file.starts_with("migrations")) {
            let reader = self.root.join("crates/store/src/db.rs");
            let text = fs::read(&reader)?;
            fs::write(reader, text)?;
        }
        Ok(())
    }

    fn build(&self, control: &Control, log: &Path) -> Result<()> {
        let status = self.cargo(control, &["--no-run"], log)?.wait_for(None)?;
        if !status.is_some_and(|status| status.success()) {
            bail!("{} does not compile: {}", control.name, log.display());
        }
        Ok(())
    }

    fn test(&self, control: &Control, log: &Path) -> Result<Ended> {
        let limit = Duration::from_secs(TEST_S_MAX);
        let status = self.cargo(control, &[&control.test], log)?.wait_for(Some(limit))?;
        let said = fs::read_to_string(log).unwrap_or_default();
        Ok(match status {
            None => Ended::Hung,
            Some(status) if !status.success() => Ended::Failed,
            Some(_) if said.contains("running 0 tests") => Ended::Absent,
            Some(_) => Ended::Passed,
        })
    }

    fn cargo(&self, control: &Control, more: &[&str], log: &Path) -> Result<Running> {
        let log = fs::File::create(log)?;
        let mut command = cargo(&["test", "--package", &control.package]);
        command
            .args(control.program.split(' '))
            .args(more)
            .envs(self.servers.environment())
            // Of its own: cargo takes two copies of one workspace for the same.
            .env("CARGO_TARGET_DIR", self.dir.join("target"))
            .env("CARGO_PROFILE_DEV_DEBUG", "0")
            .current_dir(&self.root)
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0);
        Ok(Running(command.spawn().context("cannot run cargo")?))
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Ended {
    Passed,
    Failed,
    Hung,
    Absent,
}

struct Running(std::process::Child);

impl Running {
    /// Nothing when it did not end in time; it is killed then, with all it has started.
    fn wait_for(mut self, limit: Option<Duration>) -> Result<Option<ExitStatus>> {
        let Some(limit) = limit else { return Ok(Some(self.0.wait()?)) };
        let begun = Instant::now();
        while begun.elapsed() < limit {
            if let Some(status) = self.0.try_wait()? {
                return Ok(Some(status));
            }
            pause();
        }
        let group = format!("-{}", self.0.id());
        Command::new("kill").args(["-KILL", "--", &group]).status()?;
        self.0.wait()?;
        Ok(None)
    }
}

/// Between two looks at a test that takes a moment.
#[expect(clippy::disallowed_methods, reason = "this program waits for others, and has no runtime")]
fn pause() {
    thread::sleep(Duration::from_millis(100));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_guard_is_where_its_control_looks_for_it() {
        for control in list().unwrap() {
            for edit in &control.edits {
                let text = fs::read_to_string(root().join(&edit.file)).unwrap();
                let without = edit.of(&text).unwrap_or_else(|error| panic!("{}: {error}", control.name));
                assert_ne!(without, text, "{} changes nothing", control.name);
            }
        }
    }

    #[test]
    fn a_guard_that_is_gone_is_told() {
        let edit = Edit { file: "a.rs".into(), find: "guard".to_owned(), replace: String::new() };
        assert_eq!(edit.of("a guard").unwrap(), "a ");
        let error = edit.of("guard guard").unwrap_err().to_string();
        assert_eq!(error, "a.rs: \"guard\" stands there 2 times, not once");
        assert!(edit.of("nothing").is_err());
    }
}
