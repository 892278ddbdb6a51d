//! The programs the tests need from the machine, and their Debian packages when they are missing.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::steps::{clean_command, step};
use crate::user;

/// The servers' programs on this machine.
pub(crate) struct Binaries {
    pub(crate) redis_server: PathBuf,
    /// Holds `postgres` and `initdb`.
    pub(crate) postgres_dir: PathBuf,
}

const POSTGRES_MAJOR_MIN: u32 = 15;
const DEBIAN_POSTGRES: &str = "/usr/lib/postgresql";
const PACKAGES: [&str; 2] = ["redis-server", "postgresql"];

/// Looks for the servers' programs, and installs their packages when one is missing.
pub(crate) fn find_or_install() -> Result<Binaries> {
    let missing = match find() {
        Ok(binaries) => return Ok(binaries),
        Err(missing) => missing,
    };
    eprintln!("xtask: {missing}");
    install(&PACKAGES)
        .with_context(|| format!("{missing}; install {} and try again", PACKAGES.join(" and ")))?;
    find().context("the packages are installed, and still a program is missing")
}

fn find() -> Result<Binaries> {
    let redis_server = on_path("redis-server").context("there is no redis-server on the PATH")?;
    let postgres_dir = postgres_dirs().into_iter().find(|dir| is_usable(dir)).with_context(|| {
        format!("there is no PostgreSQL {POSTGRES_MAJOR_MIN} or newer on the PATH or in {DEBIAN_POSTGRES}")
    })?;
    Ok(Binaries { redis_server, postgres_dir })
}

fn on_path(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|dir| dir.join(program)).find(|file| file.is_file())
}

/// The one on the PATH first, since somebody put it there; then Debian's, newest first.
fn postgres_dirs() -> Vec<PathBuf> {
    // Through symbolic links, to the directory that holds the other programs too.
    let linked = on_path("initdb").and_then(|file| file.canonicalize().ok());
    let mut dirs: Vec<PathBuf> = linked.iter().filter_map(|file| file.parent()).map(Path::to_owned).collect();

    let versions = fs::read_dir(DEBIAN_POSTGRES).into_iter().flatten().flatten();
    let mut majors: Vec<u32> = versions.filter_map(|dir| dir.file_name().to_str()?.parse().ok()).collect();
    majors.sort_unstable_by(|a, b| b.cmp(a));
    dirs.extend(majors.iter().map(|major| Path::new(DEBIAN_POSTGRES).join(format!("{major}/bin"))));
    dirs
}

fn is_usable(dir: &Path) -> bool {
    let version = Command::new(dir.join("postgres")).arg("--version").output();
    let said = version.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let major = said.ok().and_then(|said| major(&said));
    dir.join("initdb").is_file() && major.is_some_and(|major| major >= POSTGRES_MAJOR_MIN)
}

/// Reads `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)` or `postgres (PostgreSQL) 18beta1`.
fn major(version: &str) -> Option<u32> {
    let number = version.split_once("(PostgreSQL) ")?.1;
    number.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// Whether a program is there, and says its version.
pub(crate) fn runs(program: &str) -> bool {
    clean_command(program).arg("--version").output().is_ok_and(|output| output.status.success())
}

/// Installs Debian packages, as root or through sudo.
pub(crate) fn install(packages: &[&str]) -> Result<()> {
    if on_path("apt-get").is_none() {
        bail!("this machine has no apt-get");
    }
    if !user::is_root() && on_path("sudo").is_none() {
        bail!("apt-get needs root, and there is no sudo");
    }
    step("package lists", as_root(&["apt-get", "update"]).stdin(Stdio::null()))?;
    let mut install = as_root(&["apt-get", "install", "-y", "--no-install-recommends"]);
    // A busy dpkg is waited for. What is there already stays as it is: an upgrade would restart a
    // developer's own server under them.
    install.args(["--no-upgrade", "-o", "DPkg::Lock::Timeout=120"]).args(packages);
    step("packages", install.stdin(Stdio::null()))
}

/// At run level 1 Debian does not start the services it installs.
fn as_root(words: &[&str]) -> Command {
    let mut command = if user::is_root() { Command::new("env") } else { Command::new("sudo") };
    if !user::is_root() {
        command.args(["-n", "env"]);
    }
    command.args(["RUNLEVEL=1", "DEBIAN_FRONTEND=noninteractive"]).args(words);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_is_read_from_what_postgres_says() {
        assert_eq!(major("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n"), Some(15));
        assert_eq!(major("postgres (PostgreSQL) 18beta1\n"), Some(18));
        assert_eq!(major("something else"), None);
    }
}
