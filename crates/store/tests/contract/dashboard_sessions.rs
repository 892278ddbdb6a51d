//! Sessions of the dashboard: whom they let in and when they end, and the ranks of admins.

use domain::{Email, Rank, Role, Secret, UserId};
use store::audit::{self, Actor, By, Deed};
use store::people::{NewPassword, NewPerson};
use store::pruning::{self, Retention};
use store::sessions::{self, NewSession, NewToken};
use store::{Db, Refusal, Undone, dashboard_sessions, people};

use crate::support::{at, execute, number, person};

on_both![
    a_session_goes_on_while_it_is_used,
    a_session_that_was_ended_lets_nobody_in,
    a_session_is_for_an_admin_who_is_there,
    another_password_ends_the_sessions_of_the_dashboard,
    sessions_whose_time_is_over_are_forgotten,
    an_admin_gets_another_rank,
];

async fn admin(db: &Db, rank: Rank) -> UserId {
    let email = Email::try_from("sari@kost.test".to_owned()).unwrap();
    let password_hash = Secret::from("hash");
    let new =
        NewPerson { email: &email, name: "Sari", role: Role::Admin, rank, password_hash: &password_hash };
    people::insert(db, &new, at(0)).await.unwrap().unwrap()
}

async fn is_in(db: &Db, token: &str, second: i64) -> bool {
    dashboard_sessions::find(db, token, at(second)).await.unwrap().is_some()
}

async fn a_session_goes_on_while_it_is_used(db: Db) {
    let sari = admin(&db, Rank::Staff).await;
    dashboard_sessions::begin(&db, sari, "one", (at(0), at(100))).await.unwrap();
    let found = dashboard_sessions::find(&db, "one", at(99)).await.unwrap().unwrap();
    assert_eq!((found.person.id, found.person.rank), (sari, Rank::Staff));
    assert_eq!((found.created_at, found.seen_at, found.expires_at), (at(0), at(0), at(100)));
    assert!(!is_in(&db, "one", 100).await);
    assert!(!is_in(&db, "never", 1).await);

    dashboard_sessions::touch(&db, "one", (at(90), at(190))).await.unwrap();
    let found = dashboard_sessions::find(&db, "one", at(189)).await.unwrap().unwrap();
    assert_eq!((found.created_at, found.seen_at, found.expires_at), (at(0), at(90), at(190)));
    // What is over does not begin again.
    dashboard_sessions::touch(&db, "one", (at(190), at(290))).await.unwrap();
    assert!(!is_in(&db, "one", 200).await);
}

async fn a_session_that_was_ended_lets_nobody_in(db: Db) {
    let sari = admin(&db, Rank::Owner).await;
    for token in ["one", "two", "three"] {
        dashboard_sessions::begin(&db, sari, token, (at(0), at(100))).await.unwrap();
    }
    dashboard_sessions::end(&db, "one", at(1)).await.unwrap();
    dashboard_sessions::end(&db, "never", at(1)).await.unwrap();
    dashboard_sessions::touch(&db, "one", (at(2), at(200))).await.unwrap();
    assert_eq!((is_in(&db, "one", 2).await, is_in(&db, "two", 2).await), (false, true));
    dashboard_sessions::end_all(&db, UserId(404), at(2)).await.unwrap();
    assert!(is_in(&db, "three", 3).await);
    dashboard_sessions::end_all(&db, sari, at(3)).await.unwrap();
    assert_eq!((is_in(&db, "two", 4).await, is_in(&db, "three", 4).await), (false, false));
}

async fn a_session_is_for_an_admin_who_is_there(db: Db) {
    let budi = person(&db, "budi@kost.test").await.unwrap();
    dashboard_sessions::begin(&db, budi, "tenant", (at(0), at(100))).await.unwrap();
    assert!(!is_in(&db, "tenant", 1).await);
    let sari = admin(&db, Rank::Owner).await;
    dashboard_sessions::begin(&db, sari, "one", (at(0), at(100))).await.unwrap();
    assert!(is_in(&db, "one", 1).await);
    execute(&db, "UPDATE users SET deleted_at = 1").await.unwrap();
    assert!(!is_in(&db, "one", 1).await);
}

async fn another_password_ends_the_sessions_of_the_dashboard(db: Db) {
    let sari = admin(&db, Rank::Owner).await;
    dashboard_sessions::begin(&db, sari, "one", (at(0), at(100))).await.unwrap();
    let actor = Actor { id: Some(sari), name: "sari@kost.test".to_owned() };
    let subject = "user:1".to_owned();
    let deed =
        Deed { actor: &actor, action: "password.change", subject, before: None, after: None, reason: None };
    let new = NewPassword { person: sari, hash: &Secret::from("another hash"), deed };
    people::change_password(&db, &new, at(5)).await.unwrap();
    assert!(!is_in(&db, "one", 6).await);
}

async fn sessions_whose_time_is_over_are_forgotten(db: Db) {
    let day = std::time::Duration::from_secs(24 * 3600);
    let keep = Retention { jobs: day, notifications: day, items: day, calls: day };
    let sari = admin(&db, Rank::Owner).await;
    dashboard_sessions::begin(&db, sari, "short", (at(0), at(100))).await.unwrap();
    dashboard_sessions::begin(&db, sari, "long", (at(0), at(200))).await.unwrap();
    let token = NewToken { token_hash: "phone", expires_at: at(100) };
    sessions::begin(&db, &NewSession { user: sari, family: "phone", token }, at(0)).await.unwrap();
    assert_eq!(pruning::prunable(&db, &keep, at(100)).await.unwrap().sessions, 0);
    assert_eq!(pruning::prunable(&db, &keep, at(101)).await.unwrap().sessions, 2);
    let pruned = pruning::prune(&db, &keep, 100, at(101)).await.unwrap();
    assert_eq!((pruned.sessions, pruned.total()), (2, 2));
    assert!(is_in(&db, "long", 101).await);
    assert_eq!(number(&db, "SELECT count(*) FROM refresh_tokens").await, 0);
}

async fn an_admin_gets_another_rank(db: Db) {
    let sari = admin(&db, Rank::Owner).await;
    person(&db, "budi@kost.test").await.unwrap();
    let actor = Actor { id: None, name: "a program".to_owned() };
    let by = By { actor: &actor, reason: None, now: at(1) };
    let change = async |address: &str| {
        let email = Email::try_from(address.to_owned()).unwrap();
        people::change_rank(&db, &email, Rank::Viewer, &by).await
    };
    change("sari@kost.test").await.unwrap();
    assert_eq!(people::find(&db, sari).await.unwrap().unwrap().rank, Rank::Viewer);
    for other in ["budi@kost.test", "nobody@kost.test"] {
        assert!(matches!(change(other).await, Err(Undone::Refused(Refusal::NotThere))), "{other}");
    }
    let rows = audit::newest(&db, None, 10).await.unwrap();
    let told =
        |row: &audit::Row| (row.action.clone(), row.subject.clone(), row.before.clone(), row.after.clone());
    assert_eq!(
        rows.iter().map(told).collect::<Vec<_>>(),
        [(
            "user.rank".to_owned(),
            format!("user:{sari}"),
            Some(r#"{"rank":"owner"}"#.to_owned()),
            Some(r#"{"rank":"viewer"}"#.to_owned())
        )]
    );
}
