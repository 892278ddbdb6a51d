//! `kasir admin` and `kasir api-key`, as an operator types them.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn kasir(dir: &Path, words: &[&str], input: &str) -> Output {
    kasir_in(dir, words, input, &[])
}

fn kasir_in(dir: &Path, words: &[&str], input: &str, environment: &[(&str, &str)]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_kasir"))
        .args(words)
        .env_clear()
        .envs(environment.iter().copied())
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
fn personal_data_comes_under_a_key_and_then_under_another() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    says(dir, &["migrate"], "");
    says(
        dir,
        &["admin", "create", "--email", "sari@kost.test", "--name", "Ibu Sari"],
        "a good long password\n",
    );
    let with = |keys: &str, words: &[&str]| {
        std::fs::write(dir.join("keys"), keys).unwrap();
        kasir_in(dir, words, "", &[("KASIR_DATA_KEYS_FILE", "keys")])
    };
    let told = |ended: Output| {
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
        String::from_utf8(ended.stdout).unwrap()
    };
    assert!(complains(dir, &["key", "rotate"], "").contains("kasir key new"));
    assert!(!kasir(dir, &["key", "new", "--id", "not good"], "").status.success());
    let (old, new) =
        (says(dir, &["key", "new", "--id", "old"], ""), says(dir, &["key", "new", "--id", "new"], ""));
    assert!(old.starts_with("old:") && new.starts_with("new:") && old[4..] != new[4..], "{old} {new}");
    assert!(says(dir, &["key", "new"], "").starts_with("k20"));

    assert!(told(with(&old, &["key", "rotate", "--dry-run"])).contains("1 would be sealed"));
    assert!(told(with(&old, &["key", "rotate"])).contains("1 sealed, 0 left"));
    assert!(told(with(&old, &["key", "list"])).contains("in use, seals"));
    let file = std::fs::read(dir.join("kasir.db")).unwrap();
    let refused = complains(dir, &["admin", "rank", "sari@kost.test", "staff"], "");
    assert!(refused.contains("\"old\"") && refused.contains("KASIR_DATA_KEYS"), "{refused}");
    assert!(file.windows(7).any(|bytes| bytes == b"x1.old.") || dir.join("kasir.db-wal").exists());

    let ring = format!("{new}{old}");
    assert!(told(with(&ring, &["admin", "rank", "sari@kost.test", "staff"])).contains("as staff"));
    let rotated = told(with(&ring, &["key", "rotate", "--batch", "1"]));
    assert!(rotated.contains("nothing is sealed under old any more"), "{rotated}");
    assert!(told(with(&new, &["admin", "rank", "sari@kost.test", "owner"])).contains("as owner"));
    assert!(told(with(&new, &["audit", "verify"])).contains("as written"));
    assert!(!with(&old, &["key", "rotate"]).status.success(), "the old key is no longer in use");
}

#[test]
fn an_operator_tells_a_tenant_and_forgets_them() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    says(dir, &["migrate"], "");
    says(dir, &["seed"], "");
    let told: serde_json::Value = serde_json::from_str(&says(dir, &["tenant", "export", "3"], "")).unwrap();
    assert!(
        told["email"].as_str().unwrap().contains('@') && told["bills"].as_array().unwrap().len() > 1,
        "{told}"
    );
    let refused = complains(dir, &["tenant", "erase", "3", "--reason", "asked for it"], "");
    assert!(refused.contains("a bill is not paid"), "{refused}");
    assert!(complains(dir, &["tenant", "export", "4711"], "").contains("no tenant 4711"));
    assert!(complains(dir, &["tenant", "erase", "3", "--reason", " "], "").contains("--reason"));
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
