//! `kasir import`, as an operator types it.

use std::path::Path;
use std::process::{Command, Output};

fn kasir(dir: &Path, words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_kasir")).args(words).env_clear().current_dir(dir).output().unwrap()
}

/// What it prints, and its exit code.
fn imports(dir: &Path, words: &[&str]) -> (String, Option<i32>) {
    let ended = kasir(dir, &[&["import"], words].concat());
    assert!(ended.stderr.is_empty(), "{}", String::from_utf8_lossy(&ended.stderr));
    (String::from_utf8(ended.stdout).unwrap(), ended.status.code())
}

#[test]
fn an_operator_imports_statements_and_the_exit_code_tells_whether_they_agree() {
    const HEADER: &str = "Order ID,Transaction status,Amount,Transaction Time\n";
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let write = |name: &str, text: &str| std::fs::write(dir.join(name), text).unwrap();
    write("empty.csv", HEADER);
    write("shop.csv", &format!("{HEADER}SHOP-1,settlement,Rp 70.000,2026-11-24 00:10:00\n"));
    write("broken.csv", &format!("{HEADER}SHOP-2,settlement,much,2026-11-24 00:10:00\n"));

    let early = kasir(dir, &["import", "empty.csv"]);
    assert_eq!(early.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&early.stderr).contains("run `kasir migrate` first"));
    assert!(kasir(dir, &["migrate"]).status.success());

    let (text, code) = imports(dir, &["empty.csv"]);
    assert!(text.contains("empty.csv: transactions, 0 rows, 0 new") && text.contains("agree."), "{text}");
    assert_eq!(code, Some(0));

    let (text, code) = imports(dir, &["--dry-run", "shop.csv"]);
    assert!(text.starts_with("A dry run") && text.contains("1 rows, 1 new, 0 known before"), "{text}");
    assert!(text.contains("manual   SHOP-1: an order that is not ours: 1 line(s), up to Rp70.000"), "{text}");
    assert_eq!(code, Some(2));

    for new in [1, 0] {
        let (text, code) = imports(dir, &["--json", "shop.csv"]);
        let report: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&report["files"][0]["new"], &report["counts"]["manual"]), (&new.into(), &1.into()));
        assert_eq!((&report["differences"][0]["order"], code), (&"SHOP-1".into(), Some(2)));
    }

    let broken = kasir(dir, &["import", "empty.csv", "broken.csv"]);
    let complaint = String::from_utf8_lossy(&broken.stderr);
    assert_eq!(broken.status.code(), Some(1));
    assert!(
        complaint.contains("broken.csv: 1 row(s)") && complaint.contains("line 2: Amount"),
        "{complaint}"
    );
}
