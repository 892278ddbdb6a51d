//! Second factors: needed once a code was shown, each code once, and gone when they are removed.

use domain::{Email, Secret, UserId};
use store::audit::{Actor, By};
use store::second_factors::{self, Confirmation};
use store::{Db, Refusal, Undone, people};

use crate::support::{at, at_once, number, person};

on_both![
    a_second_factor_is_needed_once_a_code_was_shown,
    a_code_of_a_time_is_taken_once_and_none_of_before,
    a_recovery_code_is_taken_once,
    wrong_codes_are_counted_until_a_right_one,
    a_second_factor_is_removed_with_all_that_belongs_to_it,
];

fn by(actor: &Actor) -> By<'_> {
    By { actor, reason: None, now: at(3) }
}

fn nobody() -> Actor {
    Actor { id: None, name: "ibu@kost.test".to_owned() }
}

fn address() -> Email {
    Email::try_from("ibu@kost.test".to_owned()).unwrap()
}

async fn offered(db: &Db) -> UserId {
    let user = person(db, "ibu@kost.test").await.unwrap();
    assert!(second_factors::offer(db, user, &Secret::from("sealed hush"), at(1)).await.unwrap());
    user
}

async fn confirmed(db: &Db) -> UserId {
    let user = offered(db).await;
    let code_hashes = ["one".to_owned(), "two".to_owned()];
    let new = Confirmation { user, step: 100, code_hashes: &code_hashes };
    assert!(second_factors::confirm(db, new, &by(&nobody())).await.unwrap());
    user
}

async fn a_second_factor_is_needed_once_a_code_was_shown(db: Db) {
    let user = offered(&db).await;
    let needed = async || people::find(&db, user).await.unwrap().unwrap().has_second_factor;
    let factor = second_factors::find(&db, user).await.unwrap().unwrap();
    assert_eq!((factor.sealed.expose(), factor.since, factor.codes_left), ("sealed hush", None, 0));
    assert!(!format!("{factor:?}").contains("hush"));
    assert!(!needed().await);
    // One that nobody has shown a code of makes room for another.
    assert!(second_factors::offer(&db, user, &Secret::from("another"), at(2)).await.unwrap());
    let code_hashes = ["one".to_owned()];
    let new = Confirmation { user, step: 100, code_hashes: &code_hashes };
    assert!(second_factors::confirm(&db, new, &by(&nobody())).await.unwrap());
    assert!(!second_factors::confirm(&db, new, &by(&nobody())).await.unwrap());
    assert!(!second_factors::offer(&db, user, &Secret::from("a thief's"), at(4)).await.unwrap());
    let factor = second_factors::find(&db, user).await.unwrap().unwrap();
    assert_eq!((factor.sealed.expose(), factor.since, factor.codes_left), ("another", Some(at(3)), 1));
    assert!(needed().await);
    assert!(second_factors::find(&db, UserId(404)).await.unwrap().is_none());
    let unknown = Confirmation { user: UserId(404), ..new };
    assert!(!second_factors::confirm(&db, unknown, &by(&nobody())).await.unwrap());
}

async fn a_code_of_a_time_is_taken_once_and_none_of_before(db: Db) {
    let user = confirmed(&db).await;
    for (step, is_taken) in [(100, false), (99, false), (102, true), (102, false), (101, false), (103, true)]
    {
        assert_eq!(second_factors::take_step(&db, user, step).await.unwrap(), is_taken, "{step}");
    }
    let taken = at_once(6, |_| {
        let db = db.clone();
        async move { second_factors::take_step(&db, user, 200).await.unwrap() }
    })
    .await;
    assert_eq!(taken.into_iter().filter(|is_taken| *is_taken).count(), 1);
}

async fn a_recovery_code_is_taken_once(db: Db) {
    let user = confirmed(&db).await;
    assert!(!second_factors::take_code(&db, user, "three", at(5)).await.unwrap());
    assert!(!second_factors::take_code(&db, UserId(404), "one", at(5)).await.unwrap());
    let taken = at_once(6, |_| {
        let db = db.clone();
        async move { second_factors::take_code(&db, user, "one", at(5)).await.unwrap() }
    })
    .await;
    assert_eq!(taken.into_iter().filter(|is_taken| *is_taken).count(), 1);
    assert_eq!(second_factors::find(&db, user).await.unwrap().unwrap().codes_left, 1);
    assert_eq!(number(&db, "SELECT count(*) FROM audit WHERE action = 'second-factor.recover'").await, 1);
}

async fn wrong_codes_are_counted_until_a_right_one(db: Db) {
    let user = confirmed(&db).await;
    let failures = async || {
        let factor = second_factors::find(&db, user).await.unwrap().unwrap();
        (factor.failures, factor.failed_at)
    };
    for second in [6, 7] {
        second_factors::count_failure(&db, user, at(second)).await.unwrap();
    }
    assert_eq!(failures().await, (2, Some(at(7))));
    assert!(second_factors::take_step(&db, user, 101).await.unwrap());
    assert_eq!(failures().await, (0, None));
    second_factors::count_failure(&db, user, at(8)).await.unwrap();
    assert!(second_factors::take_code(&db, user, "two", at(9)).await.unwrap());
    assert_eq!(failures().await, (0, None));
}

async fn a_second_factor_is_removed_with_all_that_belongs_to_it(db: Db) {
    let user = confirmed(&db).await;
    second_factors::remove(&db, &address(), &by(&nobody())).await.unwrap();
    assert!(!people::find(&db, user).await.unwrap().unwrap().has_second_factor);
    assert!(second_factors::find(&db, user).await.unwrap().is_none());
    assert_eq!(number(&db, "SELECT count(*) FROM recovery_codes").await, 0);
    let again = second_factors::remove(&db, &address(), &by(&nobody())).await;
    assert!(matches!(again, Err(Undone::Refused(Refusal::NotThere))), "{again:?}");
    let actions =
        "SELECT count(*) FROM audit WHERE action IN ('second-factor.enable', 'second-factor.disable')";
    assert_eq!(number(&db, actions).await, 2);
}
