//! Idempotency keys: who took one, what was answered, and when it is forgotten.

use domain::UserId;
use store::repeats::{Keyed, Standing, Window};
use store::{Db, repeats};

use crate::support::{at, at_once, number, person};

on_both![
    the_first_takes_the_key_and_the_others_hear_how_it_stands,
    a_key_that_was_given_back_is_new,
    a_key_belongs_to_one_person,
    of_many_at_once_one_takes_the_key,
    a_request_that_never_answered_is_awaited_for_a_while,
    a_request_that_says_that_it_runs_is_awaited_longer,
    who_comes_too_late_neither_answers_nor_gives_back_for_another,
    an_old_answer_is_forgotten,
    old_keys_are_forgotten_in_batches,
];

fn keyed(user: UserId, request_hash: &'static str, second: i64) -> Keyed<'static> {
    Keyed { user, key: "k-1", request_hash, at: at(second) }
}

/// Answers are kept for 1000 seconds, and awaited for 60.
async fn take(db: &Db, keyed: &Keyed<'_>) -> Standing {
    let second = keyed.at.timestamp() - at(0).timestamp();
    let window = Window { since: at(second - 1_000), stuck: at(second - 60) };
    repeats::take(db, keyed, window).await.unwrap()
}

async fn the_first_takes_the_key_and_the_others_hear_how_it_stands(db: Db) {
    let budi = person(&db, "budi@kost.test").await.unwrap();
    let first = keyed(budi, "pay bca", 0);
    assert_eq!(take(&db, &first).await, Standing::First);
    assert_eq!(take(&db, &keyed(budi, "pay bca", 1)).await, Standing::Running);
    assert_eq!(take(&db, &keyed(budi, "pay bni", 1)).await, Standing::Different);
    repeats::answer(&db, &first, 201, "{}").await.unwrap();
    assert_eq!(take(&db, &keyed(budi, "pay bca", 2)).await, Standing::Answered(201, "{}".to_owned()));
    assert_eq!(take(&db, &keyed(budi, "pay bni", 2)).await, Standing::Different);
    repeats::answer(&db, &first, 500, "again").await.unwrap();
    repeats::give_back(&db, &first).await.unwrap();
    assert_eq!(take(&db, &keyed(budi, "pay bca", 3)).await, Standing::Answered(201, "{}".to_owned()));
}

async fn a_key_that_was_given_back_is_new(db: Db) {
    let budi = person(&db, "budi@kost.test").await.unwrap();
    let first = keyed(budi, "pay bca", 0);
    assert_eq!(take(&db, &first).await, Standing::First);
    repeats::give_back(&db, &first).await.unwrap();
    assert_eq!(number(&db, "SELECT count(*) FROM idempotency_keys").await, 0);
    assert_eq!(take(&db, &keyed(budi, "pay bni", 1)).await, Standing::First);
}

async fn a_key_belongs_to_one_person(db: Db) {
    let budi = person(&db, "budi@kost.test").await.unwrap();
    let siti = person(&db, "siti@kost.test").await.unwrap();
    assert_eq!(take(&db, &keyed(budi, "pay bca", 0)).await, Standing::First);
    assert_eq!(take(&db, &keyed(siti, "pay bni", 0)).await, Standing::First);
}

async fn of_many_at_once_one_takes_the_key(db: Db) {
    let budi = person(&db, "budi@kost.test").await.unwrap();
    let task = |_: usize| {
        let db = db.clone();
        async move { take(&db, &keyed(budi, "pay bca", 0)).await }
    };
    let standings = at_once(8, task).await;
    assert_eq!(standings.iter().filter(|standing| **standing == Standing::First).count(), 1);
    assert_eq!(standings.iter().filter(|standing| **standing == Standing::Running).count(), 7);
}

async fn a_request_that_never_answered_is_awaited_for_a_while(db: Db) {
    let budi = person(&db, "budi@kost.test").await.unwrap();
    assert_eq!(take(&db, &keyed(budi, "pay bca", 0)).await, Standing::First);
    assert_eq!(take(&db, &keyed(budi, "pay bca", 60)).await, Standing::Running);
    assert_eq!(take(&db, &keyed(budi, "pay bca", 61)).await, Standing::First);
    assert_eq!(take(&db, &keyed(budi, "pay bca", 62)).await, Standing::Running);
}

async fn a_request_that_says_that_it_runs_is_awaited_longer(db: Db) {
    let budi = person(&db, "budi@kost.test").await.unwrap();
    let first = keyed(budi, "pay bca", 0);
    assert_eq!(take(&db, &first).await, Standing::First);
    assert!(repeats::still_runs(&db, &first, at(50)).await.unwrap());
    assert_eq!(take(&db, &keyed(budi, "pay bca", 110)).await, Standing::Running);
    assert!(!repeats::still_runs(&db, &first, at(60)).await.unwrap(), "it is known by another time");
    let heard_of = keyed(budi, "pay bca", 50);
    repeats::answer(&db, &heard_of, 201, "{}").await.unwrap();
    assert!(!repeats::still_runs(&db, &heard_of, at(70)).await.unwrap(), "it has answered");
    assert_eq!(take(&db, &keyed(budi, "pay bca", 111)).await, Standing::Answered(201, "{}".to_owned()));
}

async fn who_comes_too_late_neither_answers_nor_gives_back_for_another(db: Db) {
    let budi = person(&db, "budi@kost.test").await.unwrap();
    let (slow, second) = (keyed(budi, "pay bca", 0), keyed(budi, "pay bca", 61));
    assert_eq!(take(&db, &slow).await, Standing::First);
    assert_eq!(take(&db, &second).await, Standing::First);
    repeats::answer(&db, &slow, 201, "slow").await.unwrap();
    repeats::give_back(&db, &slow).await.unwrap();
    assert_eq!(take(&db, &keyed(budi, "pay bca", 62)).await, Standing::Running);
    repeats::answer(&db, &second, 200, "second").await.unwrap();
    assert_eq!(take(&db, &keyed(budi, "pay bca", 63)).await, Standing::Answered(200, "second".to_owned()));
}

async fn an_old_answer_is_forgotten(db: Db) {
    let budi = person(&db, "budi@kost.test").await.unwrap();
    let first = keyed(budi, "pay bca", 0);
    assert_eq!(take(&db, &first).await, Standing::First);
    repeats::answer(&db, &first, 201, "{}").await.unwrap();
    assert_eq!(take(&db, &keyed(budi, "pay bca", 1_000)).await, Standing::Answered(201, "{}".to_owned()));
    assert_eq!(take(&db, &keyed(budi, "pay bni", 1_001)).await, Standing::First);
    assert_eq!(take(&db, &keyed(budi, "pay bni", 1_002)).await, Standing::Running);
}

async fn old_keys_are_forgotten_in_batches(db: Db) {
    let budi = person(&db, "budi@kost.test").await.unwrap();
    for (key, second) in [("a", 1), ("b", 2), ("c", 3), ("d", 4)] {
        let taken = take(&db, &Keyed { key, ..keyed(budi, "pay", second) }).await;
        assert_eq!(taken, Standing::First);
    }
    assert_eq!(repeats::forget(&db, at(4), 2).await.unwrap(), 2);
    assert_eq!(number(&db, "SELECT min(created_at) FROM idempotency_keys").await, at(3).timestamp_millis());
    assert_eq!(repeats::forget(&db, at(4), 2).await.unwrap(), 1);
    assert_eq!(repeats::forget(&db, at(4), 2).await.unwrap(), 0);
    assert_eq!(number(&db, "SELECT count(*) FROM idempotency_keys").await, 1);
}
