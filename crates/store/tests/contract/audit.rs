//! The audit as a chain: what somebody changes with a database shell is found.

use store::audit::{self, Actor, AuditFilter, By, Verified};
use store::{Db, Page};

use crate::support::{at, at_once, execute, job};

on_both![
    every_deed_is_a_link_of_the_chain,
    deeds_at_once_are_links_one_after_the_other,
    a_row_that_was_changed_is_found,
    a_row_that_was_removed_is_found,
    an_end_that_was_cut_off_is_found,
    a_row_that_was_slipped_in_is_found,
    rows_older_than_the_chain_are_told,
    a_look_at_what_is_hidden_is_a_deed,
    deeds_are_listed_by_who_what_and_whom,
];

async fn deed(db: &Db, (who, action, subject): (&str, &'static str, &str)) {
    let actor = Actor { id: None, name: who.to_owned() };
    let by = By { actor: &actor, reason: Some("because"), now: at(1) };
    audit::order(db, (action, subject.to_owned()), job(subject), &by).await.unwrap();
}

async fn three_deeds(db: &Db) {
    for subject in ["payment:1", "payment:2", "payment:3"] {
        deed(db, ("sari@kost.test", "payment.sync", subject)).await;
    }
    let Verified { rows, unchained, broken_at, .. } = audit::verify(db).await.unwrap();
    assert_eq!((rows, unchained, broken_at), (3, 0, None));
}

/// As somebody who owns the database can.
async fn take_the_triggers_away(db: &Db) {
    let sql = match db {
        Db::Sqlite { .. } => {
            "DROP TRIGGER audit_no_update; DROP TRIGGER audit_no_delete; DROP TRIGGER audit_no_gap"
        }
        Db::Postgres(_) => "ALTER TABLE audit DISABLE TRIGGER USER",
    };
    execute(db, sql).await.unwrap();
}

async fn broken_at(db: &Db) -> Option<i64> {
    audit::verify(db).await.unwrap().broken_at
}

async fn every_deed_is_a_link_of_the_chain(db: Db) {
    let empty = audit::verify(&db).await.unwrap();
    assert_eq!(empty, Verified { rows: 0, unchained: 0, head: String::new(), broken_at: None });
    three_deeds(&db).await;
    let head = audit::verify(&db).await.unwrap().head;
    assert_eq!(head.len(), 64);
    deed(&db, ("sari@kost.test", "payment.sync", "payment:4")).await;
    assert_ne!(audit::verify(&db).await.unwrap().head, head);
}

async fn deeds_at_once_are_links_one_after_the_other(db: Db) {
    at_once(8, |place| {
        let db = db.clone();
        async move { deed(&db, ("sari@kost.test", "payment.sync", &format!("payment:{place}"))).await }
    })
    .await;
    let verified = audit::verify(&db).await.unwrap();
    assert_eq!((verified.rows, verified.broken_at), (8, None));
}

async fn a_row_that_was_changed_is_found(db: Db) {
    three_deeds(&db).await;
    take_the_triggers_away(&db).await;
    for (tampering, mending) in [
        ("UPDATE audit SET actor = 'budi' WHERE id = 2", "UPDATE audit SET actor = 'sari@kost.test'"),
        ("UPDATE audit SET reason = NULL WHERE id = 2", "UPDATE audit SET reason = 'because'"),
        ("UPDATE audit SET at = at + 1 WHERE id = 2", "UPDATE audit SET at = at - 1 WHERE id = 2"),
        ("UPDATE audit SET after = '{}' WHERE id = 2", "UPDATE audit SET after = NULL"),
    ] {
        execute(&db, tampering).await.unwrap();
        assert_eq!(broken_at(&db).await, Some(2), "{tampering}");
        execute(&db, mending).await.unwrap();
        assert_eq!(broken_at(&db).await, None, "{mending}");
    }
    execute(&db, "UPDATE audit SET hash = NULL WHERE id = 2").await.unwrap();
    assert_eq!(broken_at(&db).await, Some(2));
}

async fn a_row_that_was_removed_is_found(db: Db) {
    three_deeds(&db).await;
    take_the_triggers_away(&db).await;
    execute(&db, "DELETE FROM audit WHERE id = 2").await.unwrap();
    let verified = audit::verify(&db).await.unwrap();
    assert_eq!((verified.rows, verified.broken_at), (1, Some(3)));
}

async fn an_end_that_was_cut_off_is_found(db: Db) {
    three_deeds(&db).await;
    take_the_triggers_away(&db).await;
    execute(&db, "DELETE FROM audit WHERE id = 3").await.unwrap();
    assert_eq!(broken_at(&db).await, Some(3));
    // What is written afterwards does not hide it.
    deed(&db, ("sari@kost.test", "payment.sync", "payment:4")).await;
    assert_eq!(broken_at(&db).await, Some(4));
    execute(&db, "DELETE FROM audit").await.unwrap();
    assert_eq!(broken_at(&db).await, Some(4));
}

async fn a_row_that_was_slipped_in_is_found(db: Db) {
    const BARE: &str =
        "INSERT INTO audit (at, actor, action, subject) VALUES (1, 'nobody', 'room.create', 'room:1')";
    const DRESSED: &str = "
        INSERT INTO audit (at, actor, action, subject, hash)
        SELECT 1, 'nobody', 'room.create', 'room:1', hash FROM audit WHERE id = 3";
    three_deeds(&db).await;
    let refused = execute(&db, BARE).await.unwrap_err().to_string();
    assert!(refused.contains("needs its hash"), "{refused}");
    execute(&db, DRESSED).await.unwrap();
    assert!(broken_at(&db).await > Some(3));
}

async fn rows_older_than_the_chain_are_told(db: Db) {
    three_deeds(&db).await;
    take_the_triggers_away(&db).await;
    // As a database is whose rows were written by a Kasir without a chain.
    execute(&db, "UPDATE audit SET hash = NULL").await.unwrap();
    execute(&db, "UPDATE audit_head SET hash = '', row_id = 3, after = 3").await.unwrap();
    deed(&db, ("sari@kost.test", "payment.sync", "payment:4")).await;
    let verified = audit::verify(&db).await.unwrap();
    assert_eq!((verified.rows, verified.unchained, verified.broken_at), (1, 3, None));
}

async fn a_look_at_what_is_hidden_is_a_deed(db: Db) {
    let actor = Actor { id: None, name: "sari@kost.test".to_owned() };
    let by = By { actor: &actor, reason: Some("he asks what it says"), now: at(1) };
    audit::note(&db, ("notification.reveal", "notification:7".to_owned()), &by).await.unwrap();
    let row = audit::newest(&db, None, 1).await.unwrap().remove(0);
    assert_eq!((row.action.as_str(), row.subject.as_str()), ("notification.reveal", "notification:7"));
    assert_eq!(row.reason.as_deref(), Some("he asks what it says"));
}

async fn deeds_are_listed_by_who_what_and_whom(db: Db) {
    deed(&db, ("sari@kost.test", "payment.sync", "payment:1")).await;
    deed(&db, ("tono@kost.test", "payment.sync", "payment:2")).await;
    deed(&db, ("sari@kost.test", "room.create", "room:1")).await;
    let listed = async |filter: AuditFilter, page: Page| {
        let rows = audit::list(&db, &filter, page).await.unwrap();
        rows.into_iter().map(|row| row.subject).collect::<Vec<_>>()
    };
    let all = Page { after: None, limit: 9 };
    let some = |word: &str| Some(word.to_owned());
    assert_eq!(listed(AuditFilter::default(), all).await, ["room:1", "payment:2", "payment:1"]);
    assert_eq!(listed(AuditFilter::default(), Page { after: Some(3), limit: 1 }).await, ["payment:2"]);
    let hers = AuditFilter { actor: some("sari@kost.test"), ..AuditFilter::default() };
    assert_eq!(listed(hers.clone(), all).await, ["room:1", "payment:1"]);
    assert_eq!(listed(AuditFilter { action: some("payment.sync"), ..hers }, all).await, ["payment:1"]);
    let about = AuditFilter { subject: some("payment:2"), ..AuditFilter::default() };
    assert_eq!(listed(about, all).await, ["payment:2"]);
}
