//! Who we are on this machine, and whom PostgreSQL runs as when that is root.

use std::process::Command;

use anyhow::{Context, Result};

/// A user and its group, by number.
#[derive(Clone, Copy)]
pub(crate) struct User {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

pub(crate) fn is_root() -> bool {
    id(&["-u"]) == Some(0)
}

/// PostgreSQL refuses to run as root: its own user then, or `nobody`. `None` when we are not root.
pub(crate) fn instead_of_root() -> Result<Option<User>> {
    if !is_root() {
        return Ok(None);
    }
    let user = find("postgres").or_else(|| find("nobody"));
    user.map(Some).context("root cannot run PostgreSQL, and there is no user postgres or nobody")
}

fn find(name: &str) -> Option<User> {
    Some(User { uid: id(&["-u", name])?, gid: id(&["-g", name])? })
}

fn id(args: &[&str]) -> Option<u32> {
    let output = Command::new("id").args(args).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}
