//! `kasir admin` and `kasir api-key`, as an operator types them.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn kasir(dir: &Path, words: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_kasir"))
        .args(words)
        .env_clear()
        .current_dir(dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

/// What it prints when it succeeds.
fn says(dir: &Path, words: &[&str], input: &str) -> String {
    let ended = kasir(dir, words, input);
    assert!(ended.status.success(), "{words:?}: {}", String::from_utf8_lossy(&ended.stderr));
    String::from_utf8(ended.stdout).unwrap()
}

/// What it complains of when it refuses: one line that says what to do.
fn complains(dir: &Path, words: &[&str], input: &str) -> String {
    let ended = kasir(dir, words, input);
    let complaint = String::from_utf8(ended.stderr).unwrap();
    assert!(!ended.status.success() && complaint.lines().count() == 1, "{words:?}: {complaint}");
    complaint
}

#[test]
fn an_operator_makes_the_first_admin_and_the_keys_of_front_ends() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    assert!(says(dir, &["migrate"], "").contains("up to date"));

    let create = ["admin", "create", "--email", "Sari@Kost.Test", "--name", "Ibu Sari"];
    assert!(complains(dir, &create, "short\n").contains("8 characters"));
    assert!(says(dir, &create, "a good long password\n").contains("sari@kost.test may run the house"));
    assert!(complains(dir, &create, "a good long password\n").contains("is taken"));
    let drawn = says(dir, &["admin", "create", "--email", "tuti@kost.test", "--name", "Tuti"], "");
    assert!(drawn.contains("password: "), "{drawn}");

    assert!(says(dir, &["admin", "rank", "tuti@kost.test", "viewer"], "").contains("as viewer"));
    assert!(complains(dir, &["admin", "rank", "budi@kost.test", "staff"], "").contains("is no admin"));
    let reset = ["admin", "reset-second-factor", "tuti@kost.test"];
    assert!(complains(dir, &reset, "").contains("has no second factor"));
    let verified = says(dir, &["audit", "verify"], "");
    let words: Vec<&str> = verified.split_whitespace().collect();
    assert_eq!(words[..6], ["as", "written", "1", "not", "chained", "0"], "{verified}");

    let key = says(dir, &["api-key", "create", "web"], "");
    assert!(key.starts_with("ksr_"), "{key}");
    assert!(complains(dir, &["api-key", "create", "web"], "").contains("revoke web"));
    let listed = says(dir, &["api-key", "list"], "");
    assert!(listed.contains("web") && listed.contains("in use") && !listed.contains(key.trim()), "{listed}");
    assert_eq!(says(dir, &["api-key", "revoke", "web"], ""), "revoked web\n");
    assert!(says(dir, &["api-key", "list"], "").contains("revoked"));
    assert!(complains(dir, &["api-key", "revoke", "web"], "").contains("api-key list"));
}
