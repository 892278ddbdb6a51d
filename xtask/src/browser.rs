//! `cargo xtask test --browser`: Chromium uses the dashboard of the real service, with the simulator as its gateway.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::house::House;
use crate::packages;
use crate::steps::{cargo, clean_command, root, step, target_dir};

/// What Debian calls the programs that the tests run. The fonts are what the pages are drawn with.
const PACKAGES: [&str; 5] = ["chromium", "fonts-dejavu-core", "nodejs", "npm", "sqlite3"];
const PROGRAMS: [&str; 4] = ["chromium", "node", "npm", "sqlite3"];

/// The gateway is not polled by itself while the tests run, so that what they find was found by a person.
const SETTINGS: &str = "[schedule]\nafter_charge_min = [600]\n";

/// Runs every `tests/browser/*.test.mjs`, one after the other, against one service.
pub(crate) fn check() -> Result<()> {
    install_programs()?;
    let modules = modules()?;
    step("build", &mut cargo(&["build", "--bin", "kasir"]))?;

    let screens = target_dir().join("screens");
    fs::create_dir_all(&screens)?;
    let house = House::open(SETTINGS)?;
    let mut node = clean_command("node");
    tell(&mut node, &house)?;
    node.env("KASIR_BROWSER_MODULES", modules).env("KASIR_SCREENS", screens);
    node.args(["--test", "--test-concurrency=1"]).args(tests()?);
    let ended = step("the browser", node.stdin(Stdio::null()));
    if ended.is_err() {
        eprintln!("xtask: kasir wrote:\n{}", fs::read_to_string(house.log()).unwrap_or_default());
    }
    ended
}

/// Nodejs brings npm where it comes from its makers, and does not where it is Debian's.
fn install_programs() -> Result<()> {
    let missing: Vec<&str> = PROGRAMS.into_iter().filter(|program| !packages::runs(program)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    eprintln!("xtask: there is no {}", missing.join(", "));
    let has_node = !missing.contains(&"node") && !missing.contains(&"npm");
    let mut wanted = PACKAGES.to_vec();
    wanted.retain(|package| !(has_node && ["nodejs", "npm"].contains(package)));
    packages::install(&wanted)?;
    match PROGRAMS.into_iter().find(|program| !packages::runs(program)) {
        Some(program) => bail!("the packages are installed, and still there is no {program}"),
        None => Ok(()),
    }
}

/// The folder that has the packages of the lock file installed, below `target`.
fn modules() -> Result<PathBuf> {
    const LOCK: &str = "package-lock.json";
    let (from, dir) = (root().join("tests/browser"), target_dir().join("browser"));
    let lock = fs::read(from.join(LOCK)).context("tests/browser has no lock file")?;
    let done = dir.join("installed");
    if fs::read(&done).is_ok_and(|installed| installed == lock) {
        return Ok(dir);
    }
    fs::create_dir_all(&dir)?;
    for name in ["package.json", LOCK] {
        fs::copy(from.join(name), dir.join(name))?;
    }
    let mut npm = clean_command("npm");
    // No script of a package is run: none of them needs one.
    npm.args(["ci", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix"]).arg(&dir);
    step("browser modules", npm.stdin(Stdio::null()))?;
    fs::write(done, lock)?;
    Ok(dir)
}

/// What the tests are told, and nothing else of our own environment.
fn tell(node: &mut Command, house: &House) -> Result<()> {
    let path = std::env::var_os("PATH").context("there is no PATH")?;
    node.env_clear().env("PATH", path).env("NO_PROXY", "127.0.0.1");
    // Chromium keeps its profile there.
    node.env("HOME", &house.dir).env("TMPDIR", &house.dir);
    node.env("KASIR_URL", format!("http://{}", house.address));
    node.env("KASIR_SIMULATOR_URL", format!("http://{}", house.simulator));
    node.env("KASIR_DATABASE", house.dir.join("kasir.db")).env("KASIR_API_KEY", house.api_key()?);
    node.env("KASIR_SECRET_FILE", house.dir.join("kasir.secret"));
    let logins: Vec<String> = house.logins().map(|person| person.line()).collect();
    node.env("KASIR_LOGINS", logins.join("\n"));
    Ok(())
}

/// The files of the tests, in the order of their names.
fn tests() -> Result<Vec<PathBuf>> {
    let is_test = |path: &Path| path.to_string_lossy().ends_with(".test.mjs");
    let mut found = Vec::new();
    for entry in fs::read_dir(root().join("tests/browser"))? {
        found.push(entry?.path());
    }
    found.retain(|path| is_test(path));
    found.sort();
    if found.is_empty() {
        bail!("tests/browser has no *.test.mjs");
    }
    Ok(found)
}
