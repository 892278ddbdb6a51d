//! Sessions and keys: refresh tokens in families, keys of front ends, and the audit of what people did.

use domain::{Secret, UserId};
use store::audit::{self, Actor, Deed};
use store::people::NewPassword;
use store::sessions::{self, NewSession, NewToken, Rotation};
use store::{Db, api_keys, people};
use tokio::task::JoinSet;

use crate::support::{at, execute, number, person};

on_both![
    a_refresh_token_is_spent_once_and_gives_another,
    a_spent_token_takes_its_family_and_no_other,
    a_token_that_ended_or_is_not_known_is_refused,
    an_ended_session_gives_nothing_more,
    of_eight_who_present_a_token_at_once_one_is_served,
    another_password_ends_all_sessions_and_is_audited,
    a_deleted_person_is_found_for_the_books_only,
    a_key_is_known_until_it_is_revoked,
    the_audit_cannot_be_changed_by_anybody,
];

fn token(hash: &str) -> NewToken<'_> {
    NewToken { token_hash: hash, expires_at: at(1_000) }
}

async fn begin(db: &Db, hash: &str, family: &str) -> UserId {
    let user = match people::count(db).await.unwrap() {
        0 => person(db, "budi@kost.test").await.unwrap(),
        _ => UserId(1),
    };
    let session = NewSession { user, family, token: token(hash) };
    sessions::begin(db, &session, at(0)).await.unwrap();
    user
}

async fn a_refresh_token_is_spent_once_and_gives_another(db: Db) {
    let user = begin(&db, "one", "phone").await;
    assert_eq!(sessions::rotate(&db, "one", &token("two"), at(1)).await.unwrap(), Rotation::Rotated(user));
    assert_eq!(sessions::rotate(&db, "two", &token("three"), at(2)).await.unwrap(), Rotation::Rotated(user));
    assert_eq!(number(&db, "SELECT count(*) FROM refresh_tokens WHERE spent_at IS NULL").await, 1);
}

async fn a_spent_token_takes_its_family_and_no_other(db: Db) {
    let user = begin(&db, "one", "phone").await;
    begin(&db, "other", "laptop").await;
    sessions::rotate(&db, "one", &token("two"), at(1)).await.unwrap();
    assert_eq!(sessions::rotate(&db, "one", &token("x"), at(2)).await.unwrap(), Rotation::Reused(user));
    assert_eq!(sessions::rotate(&db, "two", &token("y"), at(3)).await.unwrap(), Rotation::Refused);
    assert_eq!(sessions::rotate(&db, "one", &token("z"), at(3)).await.unwrap(), Rotation::Refused);
    assert_eq!(sessions::rotate(&db, "other", &token("o2"), at(4)).await.unwrap(), Rotation::Rotated(user));
}

async fn a_token_that_ended_or_is_not_known_is_refused(db: Db) {
    begin(&db, "one", "phone").await;
    assert_eq!(sessions::rotate(&db, "never", &token("x"), at(1)).await.unwrap(), Rotation::Refused);
    assert_eq!(sessions::rotate(&db, "one", &token("x"), at(1_000)).await.unwrap(), Rotation::Refused);
    assert_eq!(number(&db, "SELECT count(*) FROM refresh_tokens").await, 1);
}

async fn an_ended_session_gives_nothing_more(db: Db) {
    begin(&db, "one", "phone").await;
    sessions::end(&db, "one", at(1)).await.unwrap();
    sessions::end(&db, "one", at(1)).await.unwrap();
    sessions::end(&db, "never", at(1)).await.unwrap();
    assert_eq!(sessions::rotate(&db, "one", &token("two"), at(2)).await.unwrap(), Rotation::Refused);
}

async fn of_eight_who_present_a_token_at_once_one_is_served(db: Db) {
    begin(&db, "one", "phone").await;
    let mut all = JoinSet::new();
    for place in 0..8 {
        let db = db.clone();
        all.spawn(async move {
            let hash = format!("new {place}");
            sessions::rotate(&db, "one", &token(&hash), at(1)).await.unwrap()
        });
    }
    let ends = all.join_all().await;
    assert_eq!(ends.iter().filter(|end| matches!(end, Rotation::Rotated(_))).count(), 1, "{ends:?}");
    // Seven copies of one token: whoever was served loses the session too.
    assert_eq!(number(&db, "SELECT count(*) FROM refresh_tokens WHERE revoked_at IS NULL").await, 0);
}

fn deed(actor: &Actor) -> Deed<'_> {
    Deed {
        actor,
        action: "password.change",
        subject: "user:1".to_owned(),
        before: None,
        after: None,
        reason: Some("forgot it"),
    }
}

async fn another_password_ends_all_sessions_and_is_audited(db: Db) {
    let user = begin(&db, "one", "phone").await;
    begin(&db, "other", "laptop").await;
    let actor = Actor { id: Some(user), name: "budi@kost.test".to_owned() };
    let hash = Secret::from("another hash");
    let new = NewPassword { person: user, hash: &hash, deed: deed(&actor) };
    people::change_password(&db, &new, at(5)).await.unwrap();
    let found = people::find_active(&db, user).await.unwrap().unwrap();
    assert_eq!(found.password_hash.expose(), "another hash");
    assert_eq!(number(&db, "SELECT count(*) FROM refresh_tokens WHERE revoked_at IS NULL").await, 0);
    let rows = audit::newest(&db, None, 10).await.unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!((rows[0].action.as_str(), rows[0].reason.as_deref()), ("password.change", Some("forgot it")));
    assert_eq!(audit::newest(&db, Some(rows[0].id), 10).await.unwrap(), []);
}

async fn a_deleted_person_is_found_for_the_books_only(db: Db) {
    let user = begin(&db, "one", "phone").await;
    execute(&db, "UPDATE users SET deleted_at = 1").await.unwrap();
    assert!(people::find_active(&db, user).await.unwrap().is_none());
    assert!(people::find(&db, user).await.unwrap().is_some());
}

async fn a_key_is_known_until_it_is_revoked(db: Db) {
    assert!(!api_keys::is_known(&db, "hash").await.unwrap());
    assert!(api_keys::create(&db, "web", "hash", at(0)).await.unwrap());
    assert!(!api_keys::create(&db, "web", "other", at(0)).await.unwrap(), "the name is in use");
    assert!(api_keys::is_known(&db, "hash").await.unwrap());
    assert!(api_keys::revoke(&db, "web", at(1)).await.unwrap());
    assert!(!api_keys::revoke(&db, "web", at(2)).await.unwrap());
    assert!(!api_keys::is_known(&db, "hash").await.unwrap());
    assert!(api_keys::create(&db, "web", "fresh", at(3)).await.unwrap(), "the name is free again");
    let all = api_keys::all(&db).await.unwrap();
    assert_eq!(all.iter().map(|key| key.revoked_at).collect::<Vec<_>>(), [None, Some(at(1))]);
}

async fn the_audit_cannot_be_changed_by_anybody(db: Db) {
    let user = begin(&db, "one", "phone").await;
    let actor = Actor { id: Some(user), name: "budi@kost.test".to_owned() };
    let new = NewPassword { person: user, hash: &Secret::from("hash"), deed: deed(&actor) };
    people::change_password(&db, &new, at(5)).await.unwrap();
    for tampering in ["UPDATE audit SET actor = 'nobody'", "DELETE FROM audit"] {
        let refused = execute(&db, tampering).await.unwrap_err().to_string();
        assert!(refused.contains("append-only"), "{refused}");
    }
}
