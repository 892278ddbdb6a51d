//! Copies of the books: whole, as of one moment, and of a file only.

use domain::State;
use store::backup::{self, Contents};
use store::{Db, StoreError};

use crate::support::{House, number};

on_both![a_copy_is_made_of_a_file_only, a_copy_that_is_not_whole_is_told];

async fn a_copy_is_made_of_a_file_only(db: Db) {
    let house = House::open(&db).await;
    house.moves(&house.pays("KSR-1").await, State::Paid).await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("copy");
    let copied = backup::copy_into(&db, &file).await;
    if let Db::Postgres(_) = db {
        assert!(matches!(copied, Err(StoreError::NoFile)), "{copied:?}");
        return;
    }
    copied.unwrap();
    let bills = number(&db, "SELECT count(*) FROM bills").await;
    let contents = backup::look_over(&file).await.unwrap();
    assert_eq!(contents, Contents { bills, payments: 1, missing_migrations: 0 });
    let files = std::fs::read_dir(dir.path()).unwrap().count();
    assert_eq!(files, 1, "looking a copy over leaves nothing beside it");
    assert!(backup::copy_into(&db, &file).await.is_err(), "nothing is written over");
}

async fn a_copy_that_is_not_whole_is_told(db: Db) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("copy");
    std::fs::write(&file, b"This is no database at all, and is longer than a header of one.").unwrap();
    backup::look_over(&file).await.unwrap_err();
    if let Db::Postgres(_) = db {
        return;
    }
    std::fs::remove_file(&file).unwrap();
    House::open(&db).await;
    backup::copy_into(&db, &file).await.unwrap();
    let whole = std::fs::read(&file).unwrap();
    std::fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    let told = backup::look_over(&file).await.unwrap_err();
    assert!(matches!(told, StoreError::Damaged(_) | StoreError::Database(_)), "{told:?}");
}
