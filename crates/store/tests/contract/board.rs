//! The board: jobs are found by how they stand and by what they are about, however many there are.

use domain::{JobId, State, TransactionId};
use store::board::{About, Filter, Found, SEARCHED_MAX};
use store::ledger::{Finish, NewJob};
use store::notifications::{self, NewNotification};
use store::{Db, Page, board, ledger, tries};

use crate::support::{House, add, at, claim, execute, job};

on_both![
    a_job_is_shown_with_what_it_is_about,
    jobs_are_found_by_state_and_kind,
    pages_of_jobs_go_on_where_the_last_one_ended,
    jobs_are_found_by_what_they_are_about,
    failures_are_found_by_a_part_of_their_text,
    a_search_of_failures_says_how_far_it_came,
    the_attempts_at_a_job_have_their_times,
    jobs_are_counted_up_to_a_thousand,
    the_newest_job_of_a_kind_is_found,
];

fn page(after: Option<JobId>, limit: i64) -> Page {
    Page { after: after.map(|id| id.0), limit }
}

fn of(state: &str, kind: &str) -> Filter {
    let word = |word: &str| Some(word.to_owned()).filter(|word| !word.is_empty());
    Filter { state: word(state), kind: word(kind), about: None }
}

fn about(about: About) -> Filter {
    Filter { about: Some(about), ..Filter::default() }
}

async fn found(db: &Db, filter: &Filter) -> Vec<JobId> {
    ids(&board::list(db, filter, page(None, 100)).await.unwrap())
}

fn ids(found: &Found) -> Vec<JobId> {
    found.jobs.iter().map(|job| job.id).collect()
}

async fn ends(db: &Db, id: JobId, finish: Finish) {
    let work = claim(db, id, "token", at(1)).await.unwrap();
    assert!(ledger::finish(db, &work.lease, &finish, at(2)).await.unwrap());
}

async fn fails(db: &Db, key: &str, error: &str) -> JobId {
    let id = add(db, job(key)).await;
    ends(db, id, Finish::GiveUp { error: error.to_owned() }).await;
    id
}

async fn a_job_is_shown_with_what_it_is_about(db: Db) {
    let payment = House::open(&db).await.pays("KSR-1").await;
    let id = add(&db, NewJob { payment_id: Some(payment.id), run_at: at(1), ..job("sync:1") }).await;
    claim(&db, id, "token", at(3)).await.unwrap();
    let job = board::find(&db, id).await.unwrap().unwrap();
    assert_eq!((job.kind.as_str(), job.state.as_str()), ("sync_payment", "running"));
    assert_eq!((job.attempts, job.max_attempts, job.run_at, job.created_at), (1, 3, at(1), at(0)));
    assert_eq!((job.started_at, job.lease_until, job.finished_at), (Some(at(3)), Some(at(13)), None));
    assert_eq!((job.payment_id, job.invoice.as_deref()), (Some(payment.id), Some("KSR-1")));
    assert_eq!((job.payload.as_str(), job.last_error.as_deref()), (r#"{"key":"sync:1"}"#, None));
    assert_eq!(board::find(&db, JobId(404)).await.unwrap(), None);
}

async fn jobs_are_found_by_state_and_kind(db: Db) {
    let waits = add(&db, job("sync:1")).await;
    let bills = add(&db, NewJob { kind: "generate_bills", ..job("bills:1") }).await;
    let dead = fails(&db, "sync:2", "no such payment").await;
    let done = add(&db, job("sync:3")).await;
    ends(&db, done, Finish::Done).await;

    assert_eq!(found(&db, &Filter::default()).await, [done, dead, bills, waits]);
    assert_eq!(found(&db, &of("ready", "")).await, [bills, waits]);
    assert_eq!(found(&db, &of("", "sync_payment")).await, [done, dead, waits]);
    assert_eq!(found(&db, &of("", "generate_bills")).await, [bills]);
    assert_eq!(found(&db, &of("ready", "sync_payment")).await, [waits]);
    assert_eq!(found(&db, &of("dead", "generate_bills")).await, []);
    assert_eq!(found(&db, &of("", "dance")).await, []);
}

async fn pages_of_jobs_go_on_where_the_last_one_ended(db: Db) {
    let mut all = Vec::new();
    for number in 0..6 {
        let key = format!("sync:{number}");
        all.push(if number % 2 == 0 { add(&db, job(&key)).await } else { fails(&db, &key, "no").await });
    }
    all.reverse();
    for filter in [Filter::default(), of("", "sync_payment"), about(About::Error("no".to_owned()))] {
        let (mut after, mut seen) = (None, Vec::new());
        loop {
            let found = board::list(&db, &filter, page(after, 2)).await.unwrap();
            let Some(last) = found.jobs.last() else { break };
            after = Some(last.id);
            seen.extend(ids(&found));
        }
        let wanted = if filter.about.is_some() { vec![all[0], all[2], all[4]] } else { all.clone() };
        assert_eq!(seen, wanted, "{filter:?}");
    }
}

async fn jobs_are_found_by_what_they_are_about(db: Db) {
    let house = House::open(&db).await;
    let payment = house.pays("KSR-1").await;
    let payment = house.moves(&payment, State::Asked).await;
    execute(&db, "UPDATE payments SET transaction_id = 'tx-1'").await.unwrap();
    tries::note(&db, payment.id, &TransactionId::try_from("tx-0").unwrap(), at(2)).await.unwrap();
    let sync = add(&db, NewJob { payment_id: Some(payment.id), ..job("sync:1") }).await;
    let notice = notice_of(&db, "KSR-1").await;
    let by_its_name = notice_of(&db, "tx-1").await;
    let unknown = notice_of(&db, "KSR-9").await;
    let sweep = add(&db, NewJob { kind: "sweep", ..job("sweep:1") }).await;

    let all = [by_its_name, notice, sync];
    let invoice = |name: &str| about(About::Invoice(name.to_owned()));
    assert_eq!(found(&db, &invoice("KSR-1")).await, [notice, sync]);
    assert_eq!(found(&db, &invoice("tx-1")).await, all);
    assert_eq!(found(&db, &invoice("tx-0")).await, [notice, sync]);
    assert_eq!(found(&db, &invoice("KSR-9")).await, [unknown]);
    assert_eq!(found(&db, &invoice("KSR-404")).await, []);
    for wanted in [About::Bill(house.bill), About::Tenant(house.tenant), About::Room("A1".to_owned())] {
        assert_eq!(found(&db, &about(wanted.clone())).await, [notice, sync], "{wanted:?}");
        let filter = Filter { state: Some("ready".to_owned()), ..about(wanted.clone()) };
        assert_eq!(found(&db, &filter).await, [notice, sync], "{wanted:?}");
        let filter = Filter { kind: Some("sync_payment".to_owned()), ..about(wanted.clone()) };
        assert_eq!(found(&db, &filter).await, [sync], "{wanted:?}");
    }
    assert_eq!(found(&db, &about(About::Room("A2".to_owned()))).await, []);
    // Once it is known which payment a notification is about, it is found by that, whatever name it bore.
    execute(&db, "UPDATE notifications SET payment_id = 1 WHERE order_id = 'tx-1'").await.unwrap();
    assert_eq!(found(&db, &invoice("KSR-1")).await, all);
    let shown = board::find(&db, by_its_name).await.unwrap().unwrap();
    assert_eq!((shown.payment_id, shown.invoice.as_deref()), (None, Some("KSR-1")));
    assert!(found(&db, &Filter::default()).await.contains(&sweep));
}

async fn notice_of(db: &Db, order: &str) -> JobId {
    let new = NewNotification {
        body_hash: format!("sha512 of {order}"),
        body: "{}",
        kind: "payment",
        order_id: Some(order),
        transaction_id: None,
        event: None,
        verified: true,
    };
    let deal = |about: notifications::About| NewJob {
        kind: "process_notification",
        notification_id: Some(about.notification),
        ..job(&format!("notification:{}", about.notification))
    };
    notifications::record(db, &new, deal, at(5)).await.unwrap().unwrap()
}

async fn failures_are_found_by_a_part_of_their_text(db: Db) {
    let timeout = fails(&db, "sync:1", "the gateway did not answer: Timed Out after 100% of 30_000 ms").await;
    let refused = fails(&db, "sync:2", "refused!").await;
    let waits = add(&db, job("sync:3")).await;
    ends(&db, waits, Finish::Retry { at: at(60), error: "timed out".to_owned() }).await;
    add(&db, job("sync:4")).await;

    let error = |part: &str| about(About::Error(part.to_owned()));
    assert_eq!(found(&db, &error("TIMED out")).await, [waits, timeout]);
    assert_eq!(found(&db, &error("")).await, [waits, refused, timeout]);
    // Signs that mean something to LIKE mean themselves.
    for (part, wanted) in [("100%", vec![timeout]), ("30_0", vec![timeout]), ("d!", vec![refused])] {
        assert_eq!(found(&db, &error(part)).await, wanted, "{part}");
    }
    for part in ["1%0", "3_0", "refused!!", "'; DROP TABLE jobs; --"] {
        assert_eq!(found(&db, &error(part)).await, [], "{part}");
    }
    let dead = Filter { state: Some("dead".to_owned()), ..error("timed") };
    assert_eq!(found(&db, &dead).await, [timeout]);
    let other = Filter { kind: Some("sweep".to_owned()), ..error("timed") };
    assert_eq!(found(&db, &other).await, []);
}

async fn a_search_of_failures_says_how_far_it_came(db: Db) {
    const MANY: &str = "
        INSERT INTO jobs (kind, dedupe_key, payload, state, run_at, max_attempts, last_error, created_at)
        WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10001)
        SELECT 'sync_payment', 'many:' || i, '{}', 'dead', 0, 3, 'refused', 0 FROM n";
    let oldest = fails(&db, "sync:1", "timed out").await;
    execute(&db, MANY).await.unwrap();
    for state in [None, Some("dead".to_owned())] {
        let filter = Filter { state, ..about(About::Error("timed".to_owned())) };
        let first = board::list(&db, &filter, page(None, 50)).await.unwrap();
        assert_eq!(ids(&first), []);
        let down_to = first.searched_down_to.unwrap();
        assert_eq!(down_to, JobId(oldest.0 + 10_002 - SEARCHED_MAX));
        let second = board::list(&db, &filter, page(Some(down_to), 50)).await.unwrap();
        assert_eq!((ids(&second), second.searched_down_to), (vec![oldest], None));
    }
    // A page that is full ends at its last job.
    let full = board::list(&db, &about(About::Error("refused".to_owned())), page(None, 3)).await.unwrap();
    assert_eq!(full.searched_down_to, Some(full.jobs[2].id));
}

async fn the_attempts_at_a_job_have_their_times(db: Db) {
    let id = add(&db, job("sync:1")).await;
    ends(&db, id, Finish::Retry { at: at(2), error: "timed out".to_owned() }).await;
    let work = claim(&db, id, "two", at(5)).await.unwrap();
    assert!(ledger::finish(&db, &work.lease, &Finish::Done, at(7)).await.unwrap());
    let attempts = board::attempts(&db, id).await.unwrap();
    let told: Vec<_> = attempts
        .iter()
        .map(|one| (one.attempt, one.outcome.as_str(), one.note.as_deref(), one.started_at, one.finished_at))
        .collect();
    assert_eq!(
        told,
        [(1, "retry", Some("timed out"), Some(at(1)), at(2)), (2, "done", None, Some(at(5)), at(7)),]
    );
}

async fn jobs_are_counted_up_to_a_thousand(db: Db) {
    const MANY: &str = "
        INSERT INTO jobs (kind, dedupe_key, payload, state, run_at, max_attempts, created_at)
        WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1001)
        SELECT 'sync_payment', 'many:' || i, '{}', 'done', 0, 3, 0 FROM n";
    execute(&db, MANY).await.unwrap();
    fails(&db, "sync:1", "no").await;
    let counts = board::counts(&db, &["sync_payment", "sweep"]).await.unwrap();
    assert_eq!(counts.len(), 10);
    let some: Vec<_> = counts
        .iter()
        .filter(|count| count.count > 0)
        .map(|count| (count.kind.as_str(), count.state.as_str(), count.count, count.is_capped))
        .collect();
    assert_eq!(some, [("sync_payment", "done", 1_000, true), ("sync_payment", "dead", 1, false)]);
}

async fn the_newest_job_of_a_kind_is_found(db: Db) {
    assert_eq!(board::last_of_kind(&db, "sync_payment").await.unwrap(), None);
    add(&db, job("sync:1")).await;
    let newest = fails(&db, "sync:2", "no").await;
    add(&db, NewJob { kind: "sweep", ..job("sweep:1") }).await;
    assert_eq!(board::last_of_kind(&db, "sync_payment").await.unwrap().unwrap().id, newest);
}
