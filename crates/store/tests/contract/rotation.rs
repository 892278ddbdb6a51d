//! Rotation: everything comes under the newest key, while others go on writing, and whatever cannot be read stays.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use domain::{Learned, State};
use store::audit::{Actor, By};
use store::effects::{self, Effect, Watch};
use store::notifications::{self, NewNotification};
use store::payments::{self, Change};
use store::rotation::{self, Mark, Part};
use store::tenants::{self, TenantChange};
use store::{Db, StoreError, keys, people};

use crate::sealing::{assert_told, email, key, locked, told_of_budi, with_keys, written};
use crate::support::{EmptyDatabase, House, at, execute, job, moves, number, person};

on_both! {
    what_is_in_plain_text_comes_under_the_key,
    what_is_under_an_older_key_comes_under_the_newest_in_any_number_of_goes,
    people_and_payments_change_while_everything_is_sealed_anew,
    what_was_written_between_reading_and_sealing_is_not_written_over,
    a_row_that_does_not_open_stays_and_keeps_its_key,
    without_a_key_nothing_is_rotated,
    two_who_have_one_address_are_left_to_a_person,
}

fn nobody() -> Actor {
    Actor { id: None, name: "kasir key rotate".to_owned() }
}

/// Seals everything anew, so many rows at a time. Gives how many were sealed, and what was left.
async fn rotate_all(db: &Db, limit: i64) -> (u64, Vec<StoreError>) {
    let (mut sealed, mut stuck) = (0, Vec::new());
    for part in Part::ALL {
        let mut mark = Some(Mark::default());
        while let Some(after) = mark {
            let rotated = rotation::rotate(db, part, &after, limit).await.unwrap();
            sealed += rotated.sealed;
            stuck.extend(rotated.stuck);
            mark = rotated.next;
        }
    }
    (sealed, stuck)
}

async fn pending(db: &Db) -> i64 {
    let mut all = 0;
    for part in Part::ALL {
        assert!(!part.name().is_empty());
        all += rotation::pending(db, part).await.unwrap();
    }
    all
}

async fn retire(db: &Db) -> Vec<String> {
    let actor = nobody();
    rotation::retire(db, &By { actor: &actor, reason: None, now: at(99) }).await.unwrap()
}

async fn what_is_in_plain_text_comes_under_the_key(empty: EmptyDatabase) {
    let house = told_of_budi(&with_keys(&empty.0, Vec::new()).await).await;
    let db = with_keys(&empty.0, vec![key("k1", 1)]).await;
    let before = pending(&db).await;
    assert!(before >= 6, "{before}");
    let (sealed, stuck) = rotate_all(&db, 2).await;
    assert!(stuck.is_empty(), "{stuck:?}");
    assert_eq!((i64::try_from(sealed).unwrap(), pending(&db).await), (before, 0));
    let all = written(&db).await.join("\n");
    for told in ["udi", "kost.test", "811223344", "899887766", "812345678901"] {
        assert!(!all.contains(told), "{told} stands in\n{all}");
    }
    assert_told(&db, &house).await;
    assert!(retire(&db).await.is_empty());
}

async fn what_is_under_an_older_key_comes_under_the_newest_in_any_number_of_goes(empty: EmptyDatabase) {
    let house = told_of_budi(&with_keys(&empty.0, vec![key("k1", 1)]).await).await;
    let db = with_keys(&empty.0, vec![key("k2", 2), key("k1", 1)]).await;
    assert_eq!(keys::in_use(&db).await.unwrap().len(), 2);
    assert_told(&db, &house).await;
    // It stops in the middle; the old key is still in use.
    let begun = rotation::rotate(&db, Part::Payers, &Mark::default(), 1).await.unwrap();
    assert_eq!((begun.sealed, begun.raced), (1, 0));
    assert!(retire(&db).await.is_empty());
    let (_, stuck) = rotate_all(&db, 100).await;
    assert!(stuck.is_empty(), "{stuck:?}");
    assert_eq!(pending(&db).await, 0);
    assert_eq!(rotate_all(&db, 100).await.0, 0, "it was done already");
    assert_eq!(retire(&db).await, ["k1"]);
    assert_eq!(keys::in_use(&db).await.unwrap(), ["k2"]);
    assert!(store::audit::verify(&db).await.unwrap().broken_at.is_none());
    // The old key is needed no more, not even to find people by their address.
    let alone = with_keys(&empty.0, vec![key("k2", 2)]).await;
    assert_told(&alone, &house).await;
}

async fn people_and_payments_change_while_everything_is_sealed_anew(empty: EmptyDatabase) {
    let old = with_keys(&empty.0, vec![key("k1", 1)]).await;
    let house = told_of_budi(&old).await;
    let db = with_keys(&empty.0, vec![key("k2", 2), key("k1", 1)]).await;
    let over = Arc::new(AtomicBool::new(false));
    let (writes, ends) = (db.clone(), Arc::clone(&over));
    let writer = tokio::spawn({
        let house = House { db: writes.clone(), ..house.clone() };
        async move {
            let mut round = 0_i64;
            while !ends.load(Ordering::SeqCst) || round < 20 {
                change_everything(&house, round).await;
                round += 1;
            }
            round
        }
    });
    for _ in 0..10 {
        let (_, stuck) = rotate_all(&db, 3).await;
        assert!(stuck.is_empty(), "{stuck:?}");
    }
    over.store(true, Ordering::SeqCst);
    let rounds = writer.await.unwrap();
    rotate_all(&db, 3).await;
    assert_eq!(pending(&db).await, 0);
    let last = rounds - 1;
    let budi = people::find(&db, house.tenant).await.unwrap().unwrap();
    assert_eq!(budi.phone, Some(format!("+62{last}")), "no change of a person was written over");
    let paid = payments::of_bill(&db, house.bill).await.unwrap();
    let instruction = format!("{:?}", paid[0].instruction);
    assert!(instruction.contains(&format!("\"8{last}\"")), "{instruction}");
    assert_eq!(number(&db, "SELECT count(*) FROM notifications").await, rounds + 1);
}

/// Writes another number once, just before the work writes.
struct Other {
    db: Db,
    has_written: AtomicBool,
}

impl Watch for Other {
    fn reaches(&self, effect: Effect) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        const SQL: &str =
            r#"UPDATE payments SET instruction = '{"kind":"virtual_account","bank":"bca","number":"4711"}'"#;
        Box::pin(async move {
            if effect == Effect::Begin && !self.has_written.swap(true, Ordering::SeqCst) {
                execute(&self.db, SQL).await.unwrap();
            }
        })
    }
}

async fn what_was_written_between_reading_and_sealing_is_not_written_over(empty: EmptyDatabase) {
    let house = told_of_budi(&with_keys(&empty.0, vec![key("k1", 1)]).await).await;
    let db = with_keys(&empty.0, vec![key("k2", 2), key("k1", 1)]).await;
    let other = Arc::new(Other { db: db.clone(), has_written: AtomicBool::new(false) });
    let start = Mark::default();
    let rotating = rotation::rotate(&db, Part::Instructions, &start, 9);
    let rotated = effects::watched(other, rotating).await.unwrap();
    assert_eq!((rotated.sealed, rotated.raced), (0, 1));
    let paid = payments::of_bill(&db, house.bill).await.unwrap();
    let instruction = format!("{:?}", paid[0].instruction);
    assert!(instruction.contains("4711"), "{instruction}");
}

async fn change_everything(house: &House, round: i64) {
    let (actor, phone) = (nobody(), format!("+62{round}"));
    let by = By { actor: &actor, reason: None, now: at(20 + round) };
    let change = TenantChange { phone: Some(&phone), ..TenantChange::default() };
    tenants::change(&house.db, house.tenant, &change, &by).await.unwrap();
    let payment = payments::of_bill(&house.db, house.bill).await.unwrap().remove(0);
    let number = format!("8{round}");
    let learned = Learned {
        transaction_id: None,
        instruction: Some(domain::Instruction::VirtualAccount { bank: "bca".to_owned(), number }),
        expires_at: None,
        settled_at: None,
    };
    house.changes(&Change { learned: &learned, ..moves(&payment, State::Pending) }).await;
    let new = NewNotification {
        body_hash: format!("round-{round}"),
        body: "{\"customer\":\"Budi\"}",
        kind: "payment",
        order_id: Some("INV-1"),
        transaction_id: None,
        event: None,
        verified: true,
    };
    notifications::record(&house.db, &new, |_| job("told"), at(20)).await.unwrap();
}

async fn a_row_that_does_not_open_stays_and_keeps_its_key(empty: EmptyDatabase) {
    let house = told_of_budi(&with_keys(&empty.0, vec![key("k1", 1)]).await).await;
    with_keys(&empty.0, vec![key("k2", 2), key("k1", 1)]).await;
    let db = locked(&empty.0, vec![key("k2", 2)]).await;
    keys::unlock(&db, at(5)).await.unwrap();
    let (sealed, stuck) = rotate_all(&db, 100).await;
    assert_eq!(sealed, 0);
    assert!(stuck.len() >= 6 && stuck.iter().all(|error| error.to_string().contains("\"k1\"")), "{stuck:?}");
    assert!(retire(&db).await.is_empty());
    let both = with_keys(&empty.0, vec![key("k2", 2), key("k1", 1)]).await;
    assert_told(&both, &house).await;
    execute(&both, "UPDATE notifications SET body = body || 'A'").await.unwrap();
    let (_, stuck) = rotate_all(&both, 100).await;
    assert_eq!(stuck.len(), 1, "{stuck:?}");
    assert!(retire(&both).await.is_empty(), "a row that was changed may still be mended");
}

async fn without_a_key_nothing_is_rotated(empty: EmptyDatabase) {
    let db = with_keys(&empty.0, Vec::new()).await;
    assert!(matches!(rotation::pending(&db, Part::People).await, Err(StoreError::Locked)));
    let rotated = rotation::rotate(&db, Part::People, &Mark::default(), 1).await;
    assert!(matches!(rotated, Err(StoreError::Locked)));
}

async fn two_who_have_one_address_are_left_to_a_person(empty: EmptyDatabase) {
    let plain = with_keys(&empty.0, Vec::new()).await;
    let db = with_keys(&empty.0, vec![key("k1", 1)]).await;
    let sealed = person(&db, "budi@kost.test").await.unwrap();
    // A process that had not heard of the key yet.
    let late = person(&plain, "budi@kost.test").await.unwrap();
    let (_, stuck) = rotate_all(&db, 100).await;
    assert_eq!(stuck.len(), 1, "{stuck:?}");
    assert!(people::find(&db, sealed).await.unwrap().is_some());
    assert_eq!(people::find(&db, late).await.unwrap().unwrap().email, email("budi@kost.test"));
}
