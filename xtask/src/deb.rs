//! `cargo xtask package --deb`: the same program as a package of Debian, made by Debian's own `dpkg-deb`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};

use crate::package::place;
use crate::steps::{root, step};

/// What goes into the package as it is: from the root of the workspace, to a place on the machine, with its mode.
const FILES: [(&str, &str, u32); 10] = [
    ("deploy/debian/kasir.sysusers", "usr/lib/sysusers.d/kasir.conf", 0o644),
    ("deploy/kasir.environment", "etc/kasir/environment", 0o600),
    ("deploy/debian/README.Debian", "usr/share/doc/kasir/README.Debian", 0o644),
    ("deploy/debian/copyright", "usr/share/doc/kasir/copyright", 0o644),
    ("deploy/INSTALL.md", "usr/share/doc/kasir/INSTALL.md", 0o644),
    ("LICENSE-MIT", "usr/share/doc/kasir/LICENSE-MIT", 0o644),
    ("SECURITY.md", "usr/share/doc/kasir/SECURITY.md", 0o644),
    ("docs/operating.md", "usr/share/doc/kasir/operating.md", 0o644),
    ("CHANGELOG.md", "usr/share/doc/kasir/CHANGELOG.md", 0o644),
    ("kasir.example.toml", "usr/share/doc/kasir/examples/kasir.toml", 0o644),
];
const UNIT: &str = "usr/lib/systemd/system/kasir.service";
const PROGRAM: &str = "usr/bin/kasir";
/// What dpkg runs and reads.
const SCRIPTS: [&str; 3] = ["postinst", "prerm", "postrm"];

/// A package that is to be made.
pub(crate) struct Deb<'a> {
    /// The program.
    pub(crate) program: &'a Path,
    /// Where the package goes.
    pub(crate) into: &'a Path,
    /// Which version it is.
    pub(crate) version: &'a str,
}

impl Deb<'_> {
    /// Makes the package; gives its place. The same files make the same package, byte by byte.
    pub(crate) fn make(&self) -> Result<PathBuf> {
        if Command::new("dpkg-deb").arg("--version").output().is_err() {
            bail!("`dpkg-deb` is missing: it is in the package `dpkg` of Debian (`apt-get install dpkg`)");
        }
        let architecture = architecture(std::env::consts::ARCH)?;
        let staged = tempfile::tempdir()?;
        let staged = staged.path();
        put(self.program, &staged.join(PROGRAM), 0o755)?;
        for (from, to, mode) in FILES {
            put(&root().join(from), &staged.join(to), mode)?;
        }
        write(&staged.join(UNIT), &unit()?)?;
        self.describe(staged, architecture)?;
        fs::create_dir_all(self.into)?;
        let package = self.into.join(format!("kasir_{}_{architecture}.deb", self.version));
        let mut build = Command::new("dpkg-deb");
        build
            .env("SOURCE_DATE_EPOCH", "0")
            .args(["--root-owner-group", "-Zxz", "--build"])
            .arg(staged)
            .arg(&package);
        step("package of Debian", &mut build)?;
        Ok(package)
    }

    /// What dpkg wants to know, in the folder `DEBIAN`.
    fn describe(&self, staged: &Path, architecture: &str) -> Result<()> {
        let about = staged.join("DEBIAN");
        let sums = sums(staged)?;
        let control = fs::read_to_string(root().join("deploy/debian/control"))?
            .replace("@VERSION@", self.version)
            .replace("@ARCHITECTURE@", architecture)
            .replace("@MAINTAINER@", &maintainer())
            .replace("@SIZE@", &size_kib(staged)?.to_string())
            .replace("@DEPENDS@", &needs(&fs::read(self.program)?).join(", "));
        write(&about.join("control"), &control)?;
        write(&about.join("md5sums"), &sums)?;
        put(&root().join("deploy/debian/conffiles"), &about.join("conffiles"), 0o644)?;
        for script in SCRIPTS {
            put(&root().join("deploy/debian").join(script), &about.join(script), 0o755)?;
        }
        Ok(())
    }
}

/// The unit of `deploy`, for a program of the system and a user that stays.
fn unit() -> Result<String> {
    let unit = fs::read_to_string(root().join("deploy/kasir.service"))?;
    let mut unit = unit.lines().filter(|line| !line.starts_with("# Copy ")).collect::<Vec<_>>().join("\n");
    for (here, there) in
        [("/usr/local/bin/kasir", "/usr/bin/kasir"), ("DynamicUser=yes", "User=kasir\nGroup=kasir")]
    {
        ensure!(unit.contains(here), "deploy/kasir.service says nothing of {here}");
        unit = unit.replace(here, there);
    }
    Ok(unit + "\n")
}

/// What Debian calls a kind of machine.
fn architecture(rust: &str) -> Result<&'static str> {
    Ok(match rust {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "arm" => "armhf",
        "riscv64" => "riscv64",
        other => bail!("nobody has said what Debian calls {other}"),
    })
}

/// Who made the package, as the tools of Debian ask for it.
fn maintainer() -> String {
    let told = |name| std::env::var(name).ok().filter(|text| !text.is_empty());
    let name = told("DEBFULLNAME").unwrap_or_else(|| "Kasir".to_owned());
    let email = told("DEBEMAIL").unwrap_or_else(|| "kasir@localhost".to_owned());
    format!("{name} <{email}>")
}

/// The packages that the program needs: the C library of its newest symbol, and the authorities behind TLS.
fn needs(program: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(program);
    let versions = text.split("GLIBC_2.").skip(1).filter_map(|rest| {
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        digits.parse::<u32>().ok()
    });
    let newest = versions.max();
    let mut needs: Vec<String> = newest.map(|minor| format!("libc6 (>= 2.{minor})")).into_iter().collect();
    if text.contains("libgcc_s.so.1") {
        needs.push("libgcc-s1".to_owned());
    }
    needs.extend(["ca-certificates", "systemd"].map(str::to_owned));
    needs
}

/// All files below a folder, in order.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() { found.extend(files(&path)?) } else { found.push(path) }
    }
    found.sort();
    Ok(found)
}

fn size_kib(folder: &Path) -> Result<u64> {
    let sizes: std::io::Result<Vec<u64>> =
        files(folder)?.iter().map(|file| fs::metadata(file).map(|about| about.len())).collect();
    Ok(sizes?.into_iter().map(|bytes| bytes.div_ceil(1024)).sum())
}

/// What `dpkg --verify` compares with.
fn sums(folder: &Path) -> Result<String> {
    let files = files(folder)?;
    let names = files.iter().filter_map(|file| file.strip_prefix(folder).ok());
    let made = Command::new("md5sum").current_dir(folder).arg("--").args(names).output();
    let made = made.context("`md5sum` is missing: it is in coreutils")?;
    ensure!(made.status.success(), "md5sum: {}", String::from_utf8_lossy(&made.stderr));
    Ok(String::from_utf8(made.stdout)?)
}

fn put(from: &Path, to: &Path, mode: u32) -> Result<()> {
    make_folders(to)?;
    place(from, to, mode)
}

fn write(to: &Path, text: &str) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    make_folders(to)?;
    fs::write(to, text)?;
    Ok(fs::set_permissions(to, fs::Permissions::from_mode(0o644))?)
}

/// The folders above a file, open to all: the mask of whoever builds does not matter.
fn make_folders(file: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let Some(folder) = file.parent() else { return Ok(()) };
    if !folder.exists() {
        make_folders(folder)?;
        fs::create_dir(folder)?;
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(package: &Path, question: &[&str]) -> String {
        let said = Command::new("dpkg-deb").args(question).arg(package).output().unwrap();
        assert!(said.status.success(), "{question:?}: {}", String::from_utf8_lossy(&said.stderr));
        String::from_utf8(said.stdout).unwrap()
    }

    /// A package of a small program in the place of the real one.
    fn package(folder: &Path) -> PathBuf {
        let program = folder.join("program");
        fs::write(&program, "GLIBC_2.9 libgcc_s.so.1 GLIBC_2.34 GLIBC_2.17").unwrap();
        Deb { program: &program, into: folder, version: "1.2.3" }.make().unwrap()
    }

    #[test]
    fn the_package_holds_the_program_its_unit_and_what_an_operator_reads() {
        let folder = tempfile::tempdir().unwrap();
        let package = package(folder.path());
        let name = package.file_name().unwrap().to_str().unwrap();
        assert!(name.starts_with("kasir_1.2.3_"), "{name}");
        let listed = says(&package, &["--contents"]);
        let rows: Vec<Vec<&str>> = listed.lines().map(|line| line.split_whitespace().collect()).collect();
        assert!(rows.iter().all(|row| row[1] == "root/root"), "{listed}");
        let members: Vec<(&str, &str)> = rows
            .iter()
            .map(|row| (row[5].trim_start_matches('.'), row[0]))
            .filter(|(path, _)| !path.ends_with('/'))
            .collect();
        let plain = "-rw-r--r--";
        assert_eq!(
            members,
            [
                ("/etc/kasir/environment", "-rw-------"),
                ("/usr/bin/kasir", "-rwxr-xr-x"),
                ("/usr/lib/systemd/system/kasir.service", plain),
                ("/usr/lib/sysusers.d/kasir.conf", plain),
                ("/usr/share/doc/kasir/CHANGELOG.md", plain),
                ("/usr/share/doc/kasir/INSTALL.md", plain),
                ("/usr/share/doc/kasir/LICENSE-MIT", plain),
                ("/usr/share/doc/kasir/README.Debian", plain),
                ("/usr/share/doc/kasir/SECURITY.md", plain),
                ("/usr/share/doc/kasir/copyright", plain),
                ("/usr/share/doc/kasir/examples/kasir.toml", plain),
                ("/usr/share/doc/kasir/operating.md", plain),
            ]
        );
        let folders = rows.iter().filter(|row| row[5].ends_with('/'));
        assert!(
            folders.clone().count() > 0 && folders.into_iter().all(|row| row[0] == "drwxr-xr-x"),
            "{listed}"
        );
    }

    #[test]
    fn the_package_says_what_it_is_and_what_it_needs() {
        let folder = tempfile::tempdir().unwrap();
        let package = package(folder.path());
        let field = |name: &str| says(&package, &["--show", &format!("--showformat=${{{name}}}")]);
        assert_eq!((field("Package"), field("Version")), ("kasir".to_owned(), "1.2.3".to_owned()));
        assert_eq!(field("Architecture"), architecture(std::env::consts::ARCH).unwrap());
        assert_eq!(field("Depends"), "libc6 (>= 2.34), libgcc-s1, ca-certificates, systemd");
        assert!(field("Installed-Size").parse::<u64>().unwrap() > 20);
        let info = says(&package, &["--info"]);
        let unfilled = info.lines().find(|line| line.contains('@') && !line.contains("Maintainer: "));
        assert_eq!(unfilled, None);
        let about = folder.path().join("about");
        let status = Command::new("dpkg-deb").arg("--control").args([&package, &about]).status().unwrap();
        assert!(status.success());
        let text = |name: &str| fs::read_to_string(about.join(name)).unwrap();
        assert_eq!(text("conffiles"), "/etc/kasir/environment\n");
        assert_eq!(text("md5sums").lines().count(), 12);
        for script in SCRIPTS {
            assert!(text(script).starts_with("#!/bin/sh\nset -e\n"), "{script}");
            let checked = Command::new("sh").arg("-n").arg(about.join(script)).status().unwrap();
            assert!(checked.success(), "{script}");
        }
        assert!(
            !text("control").contains("@VERSION@")
                && text("postinst").contains("systemd-sysusers kasir.conf")
        );
        let first = fs::read(&package).unwrap();
        assert_eq!(fs::read(super::tests::package(folder.path())).unwrap(), first, "byte by byte");
    }

    #[test]
    fn the_unit_runs_what_the_package_holds_as_the_user_it_makes() {
        let unit = unit().unwrap();
        assert!(unit.contains("\nExecStart=/usr/bin/kasir serve\n"), "{unit}");
        assert!(unit.contains("\nUser=kasir\nGroup=kasir\n") && !unit.contains("DynamicUser"), "{unit}");
        assert!(unit.contains("\nEnvironmentFile=/etc/kasir/environment\n") && !unit.contains("/usr/local"));
        // What a dynamic user brings along is said here too.
        for line in [
            "ProtectSystem=strict",
            "ProtectHome=yes",
            "PrivateTmp=yes",
            "RemoveIPC=yes",
            "NoNewPrivileges=yes",
            "RestrictSUIDSGID=yes",
        ] {
            assert!(unit.contains(&format!("\n{line}\n")), "{line}");
        }
        let user = fs::read_to_string(root().join("deploy/debian/kasir.sysusers")).unwrap();
        assert!(user.starts_with("u kasir "), "{user}");
    }
}
