//! `kasir backup` while it runs, and `kasir restore` after the file is gone.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tokio::process::Command;

use crate::embedded::{Embedded, run, see};
use crate::kost::Kost;
use crate::process::built;
use crate::servers::free_port;

/// Runs `kasir` with these words; gives whether it ended well, and what it said.
async fn kasir(dir: &Path, words: &[&str], environment: &[(&str, String)]) -> (bool, String) {
    let environment = environment.iter().map(|(name, value)| (name, value));
    let ended = Command::new(built()).args(words).env_clear().envs(environment).current_dir(dir).output();
    let ended = ended.await.unwrap();
    let said = [ended.stdout, ended.stderr].concat();
    (ended.status.success(), String::from_utf8(said).unwrap())
}

fn mode(file: PathBuf) -> u32 {
    std::fs::metadata(file).unwrap().permissions().mode() & 0o777
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_made_while_it_runs_brings_everything_back() {
    let house = Embedded::prepare();
    let dir = house.path().to_owned();
    let process = house.start("first").await;
    let walk = house.walk_through("first").await;
    let invoice = run(&walk.pay, "").await.trim().to_owned();
    see(&walk, &invoice, r#""kind":"virtual_account""#).await;
    run(&walk.settle, &invoice).await;
    see(&walk, &invoice, r#""status":"paid""#).await;

    let (good, said) = kasir(&dir, &["backup", "copy.db"], &[]).await;
    assert!(good && said.contains("1 payments"), "{said}");
    assert_eq!((mode(dir.join("copy.db")), mode(dir.join("copy.secret"))), (0o600, 0o600));
    for refused in [["backup", "copy.db"], ["backup", "kasir.db"], ["restore", "copy.db"]] {
        let (good, said) = kasir(&dir, &refused, &[]).await;
        assert!(!good && said.contains("is there already"), "{refused:?}: {said}");
    }
    let elsewhere = [("DATABASE_URL", "sqlite://elsewhere.db".to_owned())];
    let (good, said) = kasir(&dir, &["restore", "kasir.db"], &elsewhere).await;
    assert!(!good && said.contains("in use"), "{said}");
    process.kill_9().await;

    for gone in ["kasir.db", "kasir.db-wal", "kasir.db-shm", "kasir.secret"] {
        std::fs::remove_file(dir.join(gone)).unwrap();
    }
    let (good, said) = kasir(&dir, &["restore", "copy.db"], &[]).await;
    assert!(good && said.contains("1 payments"), "{said}");
    assert_eq!((mode(dir.join("kasir.db")), mode(dir.join("kasir.secret"))), (0o600, 0o600));
    let _process = house.start("second").await;
    let second = house.walk_through("second").await;
    see(&second, &invoice, r#""status":"paid""#).await;
}

#[tokio::test]
async fn what_is_no_copy_is_not_restored() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("letter.db"), "Dear tenant, ".repeat(1_000)).unwrap();
    for (source, why) in [("letter.db", "not a database"), ("nothing.db", "there is no nothing.db")] {
        let (good, said) = kasir(dir.path(), &["restore", source], &[]).await;
        assert!(!good && said.contains(why), "{said}");
    }
    let (good, said) = kasir(dir.path(), &["backup", "copy.db"], &[]).await;
    assert!(!good && said.contains("there is no kasir.db"), "{said}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left behind");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_postgresql_its_own_tools_are_named() {
    let kost = Kost::with_tenants(1).await;
    let dir = tempfile::tempdir().unwrap();
    let environment = kost.environment(free_port());
    for (words, tool) in [(["backup", "copy"], "pg_dump"), (["restore", "copy"], "pg_restore")] {
        let (good, said) = kasir(dir.path(), &words, &environment).await;
        assert!(!good && said.contains(tool), "{said}");
    }
}
