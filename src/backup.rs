//! `kasir backup` and `kasir restore`: the books as one file, looked over, and never in the place of another.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use kasir::config::Config;
use kasir::roles;
use store::backup::{self, Contents};

/// What SQLite puts beside a file that is in use.
const BESIDE: [&str; 3] = ["-wal", "-shm", "-journal"];
const POSTGRES: &str = "the books are in PostgreSQL, which has its own tools: \
     `pg_dump --format=custom --file=TARGET \"$DATABASE_URL\"` copies them while everything runs, and \
     `pg_restore --dbname=\"$DATABASE_URL\" TARGET` fills an empty database";

/// Where the copy goes.
#[derive(Args)]
pub(crate) struct BackupOptions {
    /// The new file. Nothing may be there yet.
    target: PathBuf,
}

/// Where the copy is.
#[derive(Args)]
pub(crate) struct RestoreOptions {
    /// A file that `kasir backup` made.
    source: PathBuf,
}

/// Copies the books while everything runs.
pub(crate) async fn backup(config: &Config, options: &BackupOptions) -> anyhow::Result<()> {
    let books = config.sqlite_file().context(POSTGRES)?;
    ensure!(books.is_file(), "there is no {}", books.display());
    let target = &options.target;
    let secret = roles::secret_file(config).filter(|file| config.secret.is_none() && file.is_file());
    must_be_free(target)?;
    let secret = secret.map(|from| (from, target.with_extension("secret")));
    if let Some((_, to)) = &secret {
        must_be_free(to)?;
    }
    let db = roles::open_locked_database(config).await?;
    let draft = Draft::beside(target)?;
    backup::copy_into(&db, draft.path()).await?;
    let contents = backup::look_over(draft.path()).await?;
    draft.becomes(target)?;
    tell("copied to", target, &contents);
    if let Some((from, to)) = secret {
        copy_secret(&from, &to)?;
    }
    Ok(())
}

/// Puts a copy where the books shall be, and where nothing is yet.
pub(crate) async fn restore(config: &Config, options: &RestoreOptions) -> anyhow::Result<()> {
    let books = config.sqlite_file().context(POSTGRES)?;
    let source = &options.source;
    ensure!(source.is_file(), "there is no {}", source.display());
    for end in BESIDE {
        let beside = beside(source, end);
        ensure!(
            !beside.exists(),
            "{} lies beside it: it is the file of a Kasir, or a copy that something else made of one in use. \
             `kasir backup` makes one that is whole",
            beside.display()
        );
        must_be_free(&self::beside(books, end))?;
    }
    must_be_free(books)?;
    let secret = (source.with_extension("secret"), books.with_extension("secret"));
    let secret = Some(secret).filter(|(from, to)| config.secret.is_none() && from.is_file() && !to.exists());
    let draft = Draft::beside(books)?;
    fs::copy(source, draft.path()).with_context(|| format!("{} cannot be copied", source.display()))?;
    let contents = backup::look_over(draft.path()).await?;
    draft.becomes(books)?;
    tell("restored to", books, &contents);
    if let Some((from, to)) = secret {
        copy_secret(&from, &to)?;
    }
    if contents.missing_migrations > 0 {
        println!("it lacks {} migration(s): run `kasir migrate`", contents.missing_migrations);
    }
    println!(
        "What happened after the copy was made is not in it: `kasir reconcile` asks the gateway about what is open."
    );
    Ok(())
}

fn tell(what: &str, file: &Path, contents: &Contents) {
    let Contents { bills, payments, .. } = contents;
    println!("{what} {}, and looked over: {bills} bills, {payments} payments", file.display());
}

fn copy_secret(from: &Path, to: &Path) -> anyhow::Result<()> {
    let draft = Draft::beside(to)?;
    fs::copy(from, draft.path()).with_context(|| format!("{} cannot be copied", from.display()))?;
    draft.becomes(to)?;
    println!("the secret of this installation is in {}; keep it from strangers", to.display());
    Ok(())
}

fn must_be_free(file: &Path) -> anyhow::Result<()> {
    match file.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).with_context(|| format!("{} cannot be looked at", file.display())),
        Ok(_) => bail!("{} is there already, and nothing is overwritten", file.display()),
    }
}

fn beside(file: &Path, end: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(end);
    PathBuf::from(name)
}

/// A file that only its owner may read, and that goes unless it becomes what it was made for.
struct Draft(PathBuf);

impl Draft {
    fn beside(target: &Path) -> anyhow::Result<Self> {
        let path = beside(target, ".part");
        let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        made.with_context(|| format!("{} cannot be made", path.display()))?;
        Ok(Self(path))
    }

    fn path(&self) -> &Path {
        &self.0
    }

    /// Flushes it to the disk, and only then gives it its name.
    fn becomes(self, target: &Path) -> anyhow::Result<()> {
        // A copy takes the permissions of what was copied along.
        fs::set_permissions(&self.0, fs::Permissions::from_mode(0o600))?;
        File::open(&self.0)?.sync_all()?;
        must_be_free(target)?;
        fs::rename(&self.0, target).with_context(|| format!("{} cannot be made", target.display()))?;
        let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
        Ok(())
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // Gone already when it got its name.
        let _gone = fs::remove_file(&self.0);
    }
}
