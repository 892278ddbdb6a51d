//! A step of a command: a program run in the open, with its name and its duration.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};

/// Runs a program to its end; its output goes straight to ours, and its failure is an error.
pub(crate) fn step(name: &str, command: &mut Command) -> Result<()> {
    eprintln!("xtask: {name}: {}", words(command));
    let begun = Instant::now();
    let status = command.status().with_context(|| format!("{name}: cannot run {}", words(command)))?;
    let took = begun.elapsed();
    if !status.success() {
        bail!("{name} failed after {took:.1?} ({status})");
    }
    eprintln!("xtask: {name} passed in {took:.1?}");
    Ok(())
}

/// The root of the workspace.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

/// Where cargo builds, and what else is made once and kept.
pub(crate) fn target_dir() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |dir| root().join(dir))
}

/// Cargo, as if called from a shell.
pub(crate) fn cargo(args: &[&str]) -> Command {
    let mut command = clean_command("cargo");
    command.args(args);
    command
}

/// A command without what `cargo run` told us about this crate: some build scripts watch those variables,
/// and would build anew each time we are called in between.
pub(crate) fn clean_command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    for (name, _) in env::vars_os() {
        let about_us = name
            .to_str()
            .is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_"));
        if about_us {
            command.env_remove(name);
        }
    }
    command
}

/// Why a server that we started is of no use, in its own words.
pub(crate) fn complaint(server: &str, log: &Path) -> String {
    let log = fs::read_to_string(log).unwrap_or_default();
    format!("{server} did not start; it wrote:\n{log}")
}

fn words(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_program_is_an_error_with_its_name() {
        let error = step("nothing", &mut Command::new("false")).unwrap_err();
        assert!(error.to_string().starts_with("nothing failed after"), "{error}");
        step("something", &mut Command::new("true")).unwrap();
    }
}
