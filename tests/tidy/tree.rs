//! Reading the tree: files by name, their text, and how a broken rule is told.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the workspace is.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The text of a file, named from the root.
pub(crate) fn read(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Every file that is, or could be, committed: what git knows, and what it would not ignore.
pub(crate) fn files() -> Vec<String> {
    // The tree may belong to another user than the one who tests it.
    let mut git = Command::new("git");
    git.args(["-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let listed = git.current_dir(root()).output().unwrap();
    assert!(listed.status.success(), "git ls-files: {}", String::from_utf8_lossy(&listed.stderr));
    let names = String::from_utf8(listed.stdout).unwrap();
    let mut names: Vec<String> = names.split('\0').map(str::to_owned).collect();
    names.retain(|name| root().join(name).is_file());
    names.sort_unstable();
    names.dedup();
    names
}

/// Every Rust file.
pub(crate) fn rust_files() -> Vec<String> {
    files().into_iter().filter(|name| name.ends_with(".rs")).collect()
}

/// Every Rust file of the program itself: in the `src` of a crate.
pub(crate) fn source_files() -> Vec<String> {
    let mut names = rust_files();
    names.retain(|name| name.starts_with("src/") || name.contains("/src/"));
    names
}

/// The Rust files below a folder.
pub(crate) fn rust_files_in(folder: &str) -> Vec<String> {
    rust_files().into_iter().filter(|name| name.starts_with(folder)).collect()
}

/// The lines of a Rust file that are code, counted from 1. Comments are left out, also those behind code.
pub(crate) fn code_lines(name: &str) -> Vec<(usize, String)> {
    let text = read(name);
    let code = text.lines().map(|line| match line.split_once("//") {
        // Not the two slashes of a URL.
        Some((code, _)) if !code.ends_with(':') => code.to_owned(),
        _ => line.to_owned(),
    });
    (1..).zip(code).filter(|(_, line)| !line.trim().is_empty()).collect()
}

/// Where `word` stands in the code of a file, as `file:line`.
pub(crate) fn places_of(word: &str, name: &str) -> Vec<String> {
    let lines = code_lines(name).into_iter().filter(|(_, line)| line.contains(word));
    lines.map(|(number, _)| format!("{name}:{number}")).collect()
}

/// The file's name without its folder and its ending.
pub(crate) fn stem(name: &str) -> String {
    PathBuf::from(name).file_stem().unwrap().to_string_lossy().into_owned()
}

/// Holds when nothing was found; says what to do instead when something was.
#[track_caller]
pub(crate) fn nothing(found: &[String], instead: &str) {
    assert!(found.is_empty(), "\n{instead}\n\n  {}\n", found.join("\n  "));
}
