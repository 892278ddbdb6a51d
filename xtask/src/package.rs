//! `cargo xtask package`: the program and what a small server needs besides, in one archive.

use std::env::consts::ARCH;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

use crate::deb::Deb;
use crate::steps::{cargo, root, step, target_dir};

/// What goes along with the program, from the root of the workspace; in the archive there are no folders.
const FILES: [&str; 8] = [
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "deploy/INSTALL.md",
    "deploy/kasir.environment",
    "deploy/kasir.service",
    "docs/operating.md",
    "kasir.example.toml",
    "SECURITY.md",
];

/// Make the archive for a small server, in target/package.
#[derive(clap::Args)]
pub(crate) struct Package {
    /// Take a debug build, which is made quickly: for a try.
    #[arg(long)]
    dev: bool,
    /// Make a package of Debian besides, with `dpkg-deb`.
    #[arg(long)]
    deb: bool,
}

impl Package {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let (profile, folder) = if self.dev { ("dev", "debug") } else { ("release", "release") };
        let build = ["build", "--locked", "--package", "kasir", "--bin", "kasir", "--profile", profile];
        step("build", &mut cargo(&build))?;
        let program = target_dir().join(folder).join("kasir");
        let (into, version) = (target_dir().join("package"), env!("CARGO_PKG_VERSION"));
        println!("{}", pack(&program, &into, version)?.display());
        if self.deb {
            println!("{}", Deb { program: &program, into: &into, version }.make()?.display());
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Packs the program and the rest; gives the archive. The same files make the same archive, byte by byte.
fn pack(program: &Path, into: &Path, version: &str) -> Result<PathBuf> {
    let name = format!("kasir-{version}-linux-{ARCH}");
    let staged = tempfile::tempdir()?;
    let folder = staged.path().join(&name);
    fs::create_dir(&folder)?;
    place(program, &folder.join("kasir"), 0o755)?;
    for file in FILES {
        let from = root().join(file);
        let name = from.file_name().context("a file has a name")?;
        place(&from, &folder.join(name), 0o644)?;
    }
    fs::create_dir_all(into)?;
    let archive = into.join(format!("{name}.tar.gz"));
    let mut tar = Command::new("tar");
    tar.args(["--create", "--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--mode=go-w"])
        .args(["--mtime=@0", "--use-compress-program=gzip -n"])
        .arg("--file")
        .arg(&archive)
        .arg("--directory")
        .arg(staged.path())
        .arg(&name);
    step("archive", &mut tar)?;
    Ok(archive)
}

pub(crate) fn place(from: &Path, to: &Path, mode: u32) -> Result<()> {
    fs::copy(from, to).with_context(|| format!("{} cannot be copied", from.display()))?;
    fs::set_permissions(to, fs::Permissions::from_mode(mode))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `tar --list --verbose` says of each member: its mode, its owner, its name.
    fn listed(archive: &Path) -> Vec<(String, String, String)> {
        let list = Command::new("tar").args(["--list", "--verbose", "--file"]).arg(archive).output().unwrap();
        assert!(list.status.success());
        let text = String::from_utf8(list.stdout).unwrap();
        let words = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        words.map(|words| (words[0].to_owned(), words[1].to_owned(), words[5].to_owned())).collect()
    }

    #[test]
    fn the_archive_holds_the_program_and_all_that_a_server_needs() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("program");
        fs::write(&program, "#!/bin/sh\n").unwrap();
        let archive = pack(&program, folder.path(), "1.2.3").unwrap();
        let name = format!("kasir-1.2.3-linux-{ARCH}");
        assert_eq!(archive.file_name().unwrap().to_str().unwrap(), format!("{name}.tar.gz"));
        let members = listed(&archive);
        assert!(members.iter().all(|(_, owner, _)| owner == "0/0"), "{members:?}");
        let modes: Vec<(&str, &str)> =
            members.iter().map(|(mode, _, path)| (path.trim_start_matches(&name), mode.as_str())).collect();
        let plain = "-rw-r--r--";
        assert_eq!(
            modes,
            [
                ("/", "drwxr-xr-x"),
                ("/INSTALL.md", plain),
                ("/LICENSE-APACHE", plain),
                ("/LICENSE-MIT", plain),
                ("/SECURITY.md", plain),
                ("/kasir", "-rwxr-xr-x"),
                ("/kasir.environment", plain),
                ("/kasir.example.toml", plain),
                ("/kasir.service", plain),
                ("/operating.md", plain),
            ]
        );
        let first = fs::read(&archive).unwrap();
        assert_eq!(fs::read(pack(&program, folder.path(), "1.2.3").unwrap()).unwrap(), first);
    }

    #[test]
    fn the_notes_install_what_the_archive_holds() {
        let notes = fs::read_to_string(root().join("deploy/INSTALL.md")).unwrap();
        let installed = notes.lines().filter_map(|line| line.trim().strip_prefix("install -m "));
        let names: Vec<&str> = installed.filter_map(|rest| rest.split_whitespace().nth(1)).collect();
        assert_eq!(names, ["kasir", "kasir.environment", "kasir.service"]);
        assert!(names[1..].iter().all(|name| FILES.iter().any(|file| file.ends_with(name))));
        let unit = fs::read_to_string(root().join("deploy/kasir.service")).unwrap();
        for path in ["/usr/local/bin/kasir", "/etc/kasir/environment"] {
            assert!(notes.contains(path) && unit.contains(path), "{path}");
        }
    }
}
