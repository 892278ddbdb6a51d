//! A small file system in memory, to be filled to its last byte. Only root can mount one.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use tokio::process::Command;

const FILLER: &str = "filler";

/// A mounted tmpfs.
pub(crate) struct Disk {
    path: PathBuf,
}

impl Disk {
    /// Mounts one of so many megabytes below `dir`.
    pub(crate) async fn of(dir: &Path, mb: u32) -> Self {
        let path = dir.join("disk");
        std::fs::create_dir(&path).unwrap();
        let size = format!("size={mb}m,mode=0755");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &size, "kasir-chaos"]).arg(&path);
        assert!(mount.status().await.unwrap().success(), "a small tmpfs cannot be mounted; are you root?");
        Self { path }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Fills it until nothing more fits.
    pub(crate) fn fill(&self) {
        let mut filler = std::fs::File::create(self.path.join(FILLER)).unwrap();
        for size in [1024 * 1024, 4096, 1] {
            let piece = vec![7; size];
            while filler.write_all(&piece).is_ok() {}
        }
    }

    /// Makes room again.
    pub(crate) fn free(&self) {
        std::fs::remove_file(self.path.join(FILLER)).unwrap();
    }

    /// Takes it away, after what it holds was copied to where it is kept.
    pub(crate) async fn take_away(self, keep_in: Option<&Path>) {
        if let Some(dir) = keep_in {
            let mut copy = Command::new("cp");
            copy.arg("-a").arg(&self.path).arg(dir.join("disk-as-it-was"));
            let _copied = copy.status().await;
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _unmounted = std::process::Command::new("umount").arg("-l").arg(&self.path).status();
    }
}
