//! A Python environment of its own for each package that a check needs, below `target`.

use std::fs;
use std::path::PathBuf;

use anyhow::Result;

use crate::packages;
use crate::steps::{clean_command, step, target_dir};

/// Installs a package, once, into an environment of its own; the folder of that environment's programs.
pub(crate) fn find_or_install(package: &str, version: &str) -> Result<PathBuf> {
    let venv = target_dir().join(package).join(version);
    let programs = venv.join("bin");
    let done = venv.join("installed");
    if done.is_file() {
        return Ok(programs);
    }
    let make = || {
        let mut python = clean_command("python3");
        step("Python environment", python.args(["-m", "venv", "--clear"]).arg(&venv))
    };
    if make().is_err() {
        packages::install(&["python3", "python3-venv"])?;
        make()?;
    }
    let mut pip = clean_command(programs.join("pip"));
    pip.args(["install", "--quiet", "--disable-pip-version-check"]);
    step(package, pip.arg(format!("{package}=={version}")))?;
    fs::write(done, version)?;
    Ok(programs)
}
