//! How the house and the service stand: the sums are those of the rows, and time is cut as in Jakarta.

use std::time::Duration;

use domain::{FindingKind, Learned, Period, State, Time};
use store::calls::{self, GatewayCall};
use store::findings::{self, NewFinding};
use store::history::Source;
use store::ledger::Finish;
use store::overview::{self, Bucket, Overview, Sum};
use store::payments::{self, Change};
use store::{Db, ledger};

use crate::support::{House, NOTHING_LEARNED, RENT, add, at, claim, execute, job, moves};

on_both![
    the_bills_of_a_month_are_summed_by_how_they_stand,
    what_someone_should_look_at_is_counted,
    jobs_are_counted_by_the_hour_in_which_they_were_done,
    what_a_poll_found_is_told_by_the_day_in_jakarta,
];

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

async fn stands(db: &Db, second: i64) -> Overview {
    overview::overview(db, Period::new(2026, 1).unwrap(), at(second)).await.unwrap()
}

async fn the_bills_of_a_month_are_summed_by_how_they_stand(db: Db) {
    assert_eq!(stands(&db, 0).await, Overview::default());
    let house = House::open(&db).await;
    house.bill_of(2).await;
    let one = Sum { count: 1, amount: RENT };
    assert_eq!(stands(&db, 0).await, Overview { due: one, ..Overview::default() });
    let payment = house.pays("KSR-1").await;
    assert_eq!(stands(&db, 0).await, Overview { pending: one, ..Overview::default() });
    // The bill of February is over time as well, whichever month is looked at.
    execute(&db, "UPDATE bills SET due_at = 1767225601000").await.unwrap();
    let overdue = Sum { count: 2, amount: 2 * RENT };
    assert_eq!(stands(&db, 1).await.overdue, Sum::default());
    assert_eq!(stands(&db, 2).await, Overview { pending: one, overdue, ..Overview::default() });
    house.moves(&payment, State::Paid).await;
    assert_eq!(stands(&db, 2).await, Overview { paid: one, overdue: one, ..Overview::default() });
    execute(&db, "UPDATE bills SET voided_at = 1").await.unwrap();
    assert_eq!(stands(&db, 2).await, Overview::default());
}

async fn call(db: &Db, (method, http): (&str, Option<u16>), second: i64) {
    let call = GatewayCall {
        name: None,
        method: method.to_owned(),
        path: "/v2/KSR-1/status".to_owned(),
        http,
        answer: String::new(),
        error: None,
        at: at(second),
        took: Duration::from_millis(1),
    };
    calls::record(db, &call).await.unwrap();
}

async fn what_someone_should_look_at_is_counted(db: Db) {
    let payment = House::open(&db).await.pays("KSR-1").await;
    call(&db, ("GET", Some(200)), 1).await;
    call(&db, ("GET", Some(404)), 2).await;
    call(&db, ("GET", Some(503)), 3).await;
    call(&db, ("GET", None), 4).await;
    call(&db, ("POST", Some(200)), 5).await;
    assert_eq!(stands(&db, 9).await.last_poll, Some(at(2)));
    assert_eq!(calls::last_answer(&db).await.unwrap(), Some(at(2)));

    let kind = FindingKind::MissedNotification;
    for (cause, second) in [("old", 0), ("late", 2), ("lost", 3), ("settled", 4)] {
        let finding = NewFinding { kind, cause: cause.to_owned(), payment_id: Some(payment.id), detail: "" };
        findings::open(&db, &finding, at(second)).await.unwrap();
    }
    execute(&db, "UPDATE findings SET resolved_at = 1, resolution = 'came late' WHERE cause = 'late'")
        .await
        .unwrap();
    execute(
        &db,
        "UPDATE findings SET resolved_at = 1, resolution = 'ok', resolved_by = 1 WHERE cause = 'settled'",
    )
    .await
    .unwrap();
    let then = stands(&db, 1 + 30 * DAY).await;
    assert_eq!((then.findings_open, then.gaps), (2, 2));
}

/// A job that was written down in the first second, and done at `second`.
async fn done(db: &Db, key: &str, second: i64) {
    let id = add(db, job(key)).await;
    let lease = claim(db, id, key, at(second)).await.unwrap().lease;
    assert!(ledger::finish(db, &lease, &Finish::Done, at(second)).await.unwrap());
}

fn counted(buckets: &[Bucket]) -> Vec<(Time, i64, i64)> {
    buckets.iter().filter(|one| one.count > 0).map(|one| (one.from, one.value, one.count)).collect()
}

async fn jobs_are_counted_by_the_hour_in_which_they_were_done(db: Db) {
    done(&db, "a", 10).await;
    done(&db, "b", 20).await;
    done(&db, "c", HOUR).await;
    add(&db, job("waiting")).await;
    let dead = add(&db, job("dead")).await;
    let lease = claim(&db, dead, "t", at(10)).await.unwrap().lease;
    ledger::finish(&db, &lease, &Finish::GiveUp { error: "no".to_owned() }, at(10)).await.unwrap();

    let now = at(23 * HOUR + 1_800);
    let took = overview::latency(&db, now).await.unwrap();
    let done = overview::throughput(&took);
    assert_eq!((done.len(), done[0].from, done[23].from), (24, at(0), at(23 * HOUR)));
    assert_eq!(counted(&done), [(at(0), 2, 2), (at(HOUR), 1, 1)]);
    assert_eq!((took.len(), counted(&took)), (24, vec![(at(0), 15_000, 2), (at(HOUR), 3_600_000, 1)]));
    // An hour later the first is out of sight.
    let later = overview::throughput(&overview::latency(&db, at(24 * HOUR)).await.unwrap());
    assert_eq!(counted(&later), [(at(HOUR), 1, 1)]);
}

/// The payment was paid at the gateway at one second, and somebody told us at another.
async fn found(house: &House, (invoice, source): (&str, Source), (paid, told): (i64, i64)) {
    let payment = house.pays(invoice).await;
    let learned = Learned { settled_at: Some(at(paid)), ..NOTHING_LEARNED };
    let change = Change { learned: &learned, source, event: "settled", ..moves(&payment, State::Paid) };
    payments::change(&house.db, &change, at(told)).await.unwrap();
}

async fn what_a_poll_found_is_told_by_the_day_in_jakarta(db: Db) {
    let house = House::open(&db).await;
    found(&house, ("KSR-1", Source::Poll), (10, 30)).await;
    let second = House { bill: house.bill_of(2).await, ..house.clone() };
    found(&second, ("KSR-2", Source::Poll), (10, 50)).await;
    // Midnight in Jakarta is at 17.00 in Greenwich; a clock before ours is no time that ran backwards.
    let third = House { bill: house.bill_of(3).await, ..house.clone() };
    found(&third, ("KSR-3", Source::Poll), (17 * HOUR + 9, 17 * HOUR)).await;
    let fourth = House { bill: house.bill_of(4).await, ..house.clone() };
    found(&fourth, ("KSR-4", Source::Notification), (10, 20)).await;

    let days = overview::recoveries(&db, at(20 * HOUR)).await.unwrap();
    assert_eq!((days.len(), days[29].from), (30, at(17 * HOUR)));
    assert_eq!(counted(&days), [(at(-7 * HOUR), 30_000, 2), (at(17 * HOUR), 0, 1)]);
    assert_eq!(counted(&overview::recoveries(&db, at(31 * DAY)).await.unwrap()), []);
}
