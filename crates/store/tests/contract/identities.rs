//! Who admins are at a provider: bound once, to one person, and loosed again.

use domain::{Email, Rank, Role, Secret, UserId};
use store::audit::{self, Actor, By};
use store::identities::{self, Identity};
use store::people::NewPerson;
use store::{Db, Refusal, Undone, people};

use crate::support::{at, person};

on_both![
    an_identity_belongs_to_one_admin_and_an_admin_to_one_identity,
    of_many_who_bind_one_identity_at_once_one_does,
    an_identity_that_is_taken_away_can_be_bound_anew,
];

const HERS: Identity<'static> = Identity { issuer: "https://id.test", subject: "1042" };

fn address(text: &str) -> Email {
    Email::try_from(text.to_owned()).unwrap()
}

fn by(actor: &Actor) -> By<'_> {
    By { actor, reason: None, now: at(3) }
}

fn shell() -> Actor {
    Actor { id: None, name: "kasir admin bind".to_owned() }
}

async fn admin(db: &Db, email: &str) -> UserId {
    let (email, password_hash) = (address(email), Secret::from("$argon2id$hush"));
    let (role, rank) = (Role::Admin, Rank::Staff);
    let new = NewPerson { email: &email, name: "Somebody", role, rank, password_hash: &password_hash };
    people::insert(db, &new, at(0)).await.unwrap().unwrap()
}

fn is_refused<T>(done: &Result<T, Undone>) -> bool {
    matches!(done, Err(Undone::Refused(Refusal::NotThere)))
}

async fn an_identity_belongs_to_one_admin_and_an_admin_to_one_identity(db: Db) {
    let (sari, _wati) = (admin(&db, "sari@kost.test").await, admin(&db, "wati@kost.test").await);
    person(&db, "budi@kost.test").await.unwrap();
    let actor = shell();
    let by = &by(&actor);
    assert!(identities::find(&db, HERS).await.unwrap().is_none());
    for nobody in ["budi@kost.test", "nobody@kost.test"] {
        assert!(is_refused(&identities::bind(&db, &address(nobody), HERS, by).await), "{nobody}");
    }
    assert_eq!(identities::bind(&db, &address("sari@kost.test"), HERS, by).await.unwrap(), sari);
    assert_eq!(identities::find(&db, HERS).await.unwrap().unwrap().id, sari);
    let elsewhere = Identity { issuer: "https://other.test", ..HERS };
    assert!(identities::find(&db, elsewhere).await.unwrap().is_none(), "another provider's 1042 is another");
    assert!(is_refused(&identities::bind(&db, &address("wati@kost.test"), HERS, by).await));
    assert!(is_refused(&identities::bind(&db, &address("sari@kost.test"), elsewhere, by).await));
    let found = identities::find(&db, HERS).await.unwrap().unwrap();
    identities::vouched(&db, &found, HERS.issuer, at(9)).await.unwrap();
    let rows = audit::newest(&db, None, 10).await.unwrap();
    let told: Vec<_> = rows.iter().map(|row| (row.action.as_str(), row.actor.as_str())).collect();
    assert_eq!(told, [("identity.vouch", "sari@kost.test"), ("identity.bind", "kasir admin bind")]);
    assert_eq!(rows[1].after.as_deref(), Some("{\"issuer\":\"https://id.test\",\"subject\":\"1042\"}"));
}

async fn of_many_who_bind_one_identity_at_once_one_does(db: Db) {
    let (sari, wati) = (address("sari@kost.test"), address("wati@kost.test"));
    admin(&db, sari.as_str()).await;
    admin(&db, wati.as_str()).await;
    let actor = shell();
    let by = by(&actor);
    let done = tokio::join!(
        identities::bind(&db, &sari, HERS, &by),
        identities::bind(&db, &wati, HERS, &by),
        identities::bind(&db, &sari, HERS, &by),
    );
    let bound = [done.0, done.1, done.2].into_iter().filter(Result::is_ok).count();
    assert_eq!(bound, 1);
    assert!(identities::find(&db, HERS).await.unwrap().is_some());
}

async fn an_identity_that_is_taken_away_can_be_bound_anew(db: Db) {
    let (sari, wati) = (address("sari@kost.test"), address("wati@kost.test"));
    admin(&db, sari.as_str()).await;
    let hers = admin(&db, wati.as_str()).await;
    let actor = shell();
    let by = by(&actor);
    assert!(is_refused(&identities::unbind(&db, &sari, &by).await));
    identities::bind(&db, &sari, HERS, &by).await.unwrap();
    identities::unbind(&db, &sari, &by).await.unwrap();
    assert!(identities::find(&db, HERS).await.unwrap().is_none());
    assert_eq!(identities::bind(&db, &wati, HERS, &by).await.unwrap(), hers);
    assert_eq!(audit::newest(&db, None, 10).await.unwrap()[1].action, "identity.unbind");
}
