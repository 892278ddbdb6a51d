//! Reconciliations and findings: a run goes on where it was, asks about each payment once, and its sums are its items'.

use domain::{FindingId, FindingKind, Invoice, Payment, PaymentId, State};
use store::audit::{self, Actor, By};
use store::findings::{self, NewFinding, Which};
use store::reconciliation_items::{self, NewItem, Verdict};
use store::reconciliations::{self, NewRun, Run, Tally};
use store::{Db, Page, Refusal, Undone, jobs};

use crate::support::{House, at, at_once, execute, job};

on_both![
    a_wanted_run_comes_with_its_job_and_its_audit,
    a_slot_is_one_run_whoever_begins_it,
    a_run_takes_the_payments_of_its_window_and_each_once,
    a_run_that_is_begun_again_goes_on_where_it_was,
    what_gave_no_answer_is_asked_about_again,
    the_sums_of_a_run_are_those_of_its_items,
    a_finding_is_resolved_once_and_audited,
    findings_are_listed_as_wanted_and_counted_while_they_wait,
];

fn night() -> NewRun<'static> {
    let (slot, kind, wanted_by) = ("nightly:2026-01-01", "nightly", "schedule");
    NewRun { slot, kind, is_dry: false, wanted_by, from: at(5), to: at(1_000) }
}

fn admin() -> Actor {
    Actor { id: None, name: "ibu.sari@kost.test".to_owned() }
}

async fn begun(db: &Db) -> Run {
    let new = night();
    reconciliations::begin(db, new.slot, Some(&new), at(1_000)).await.unwrap().unwrap()
}

async fn note(db: &Db, run: &Run, payment: PaymentId, verdict: Verdict) {
    let item = NewItem { run: run.id, payment, verdict, before: "pending", after: "paid", detail: "d" };
    reconciliation_items::note(db, &item, at(1_001)).await.unwrap();
}

/// Payments of so many bills, each moved in the tenth second.
async fn pending(house: &House, count: u32) -> Vec<Payment> {
    let mut all = Vec::new();
    for month in 2..2 + count {
        let bill_id = house.bill_of(month).await;
        let invoice = Invoice::try_from(format!("KSR-{month}")).unwrap();
        let new = store::creation::NewPayment { bill_id, invoice, ..house.payment("KSR-0") };
        all.push(house.moves(&house.makes(&new).await, State::Pending).await);
    }
    all
}

async fn a_wanted_run_comes_with_its_job_and_its_audit(db: Db) {
    let by = By { actor: &admin(), reason: Some("the till is short"), now: at(20) };
    let new = NewRun { slot: "manual:1", kind: "manual", is_dry: true, ..night() };
    let (id, wake) = reconciliations::want(&db, &new, &job("reconcile:1"), &by).await.unwrap().unwrap();
    assert_eq!(wake.len(), 1);
    assert!(jobs::find(&db, wake[0]).await.unwrap().is_some());
    let run = reconciliations::find(&db, id).await.unwrap().unwrap();
    assert_eq!(reconciliations::find_by_slot(&db, "manual:1").await.unwrap().map(|run| run.id), Some(id));
    assert!(reconciliations::find_by_slot(&db, "manual:2").await.unwrap().is_none());
    assert_eq!((run.state.as_str(), run.is_dry, run.kind.as_str()), ("waiting", true, "manual"));
    assert_eq!((run.from, run.to, run.created_at), (at(5), at(1_000), at(20)));
    let deed = audit::newest(&db, None, 1).await.unwrap().remove(0);
    assert_eq!(
        (deed.action.as_str(), deed.subject),
        ("reconciliation.start", format!("reconciliation:{id}"))
    );
    assert!(reconciliations::want(&db, &new, &job("reconcile:2"), &by).await.unwrap().is_none());
    assert_eq!(reconciliations::find(&db, 404).await.unwrap(), None);
}

async fn a_slot_is_one_run_whoever_begins_it(db: Db) {
    let ids = at_once(6, |_| {
        let db = db.clone();
        async move { begun(&db).await.id }
    })
    .await;
    assert!(ids.iter().all(|id| *id == ids[0]));
    let page = Page { after: None, limit: 10 };
    assert_eq!(reconciliations::list(&db, page).await.unwrap().len(), 1);
    assert_eq!(reconciliations::begin(&db, "manual:404", None, at(1)).await.unwrap(), None);
}

async fn a_run_takes_the_payments_of_its_window_and_each_once(db: Db) {
    let house = House::open(&db).await;
    let created = house.pays("KSR-1").await;
    let all = pending(&house, 5).await;
    let run = begun(&db).await;
    assert_eq!((run.total, run.state.as_str()), (5, "running"));
    let (first, place) = reconciliations::next_payments(&db, &run, run.place, 3).await.unwrap().unwrap();
    assert_eq!(first, [all[0].id, all[1].id, all[2].id]);
    note(&db, &run, all[3].id, Verdict::Agreed).await;
    let (rest, place) = reconciliations::next_payments(&db, &run, place, 3).await.unwrap().unwrap();
    assert_eq!(rest, [all[4].id], "the fourth was asked about, and {} never", created.id);
    assert!(reconciliations::next_payments(&db, &run, place, 3).await.unwrap().is_none());
    let later = NewRun { slot: "manual:1", from: at(11), ..night() };
    let later = reconciliations::begin(&db, "manual:1", Some(&later), at(1_000)).await.unwrap().unwrap();
    assert_eq!(later.total, 0, "nothing has changed since");
}

async fn a_run_that_is_begun_again_goes_on_where_it_was(db: Db) {
    let house = House::open(&db).await;
    let all = pending(&house, 3).await;
    let run = begun(&db).await;
    let (_, place) = reconciliations::next_payments(&db, &run, run.place, 2).await.unwrap().unwrap();
    reconciliations::advance(&db, run.id, place).await.unwrap();
    let again = begun(&db).await;
    assert_eq!((again.id, again.started_at), (run.id, run.started_at));
    let (rest, _) = reconciliations::next_payments(&db, &again, again.place, 9).await.unwrap().unwrap();
    assert_eq!(rest, [all[2].id]);
    reconciliations::finish(&db, run.id, at(1_200)).await.unwrap();
    let done = begun(&db).await;
    assert_eq!((done.state.as_str(), done.finished_at), ("done", Some(at(1_200))));
}

async fn what_gave_no_answer_is_asked_about_again(db: Db) {
    let house = House::open(&db).await;
    let all = pending(&house, 2).await;
    let run = begun(&db).await;
    note(&db, &run, all[0].id, Verdict::Error).await;
    note(&db, &run, all[1].id, Verdict::Agreed).await;
    assert_eq!(reconciliation_items::unanswered(&db, run.id, 2, 9).await.unwrap(), [all[0].id]);
    note(&db, &run, all[0].id, Verdict::Error).await;
    assert_eq!(reconciliation_items::unanswered(&db, run.id, 2, 9).await.unwrap(), []);
    note(&db, &run, all[0].id, Verdict::Repaired).await;
    note(&db, &run, all[0].id, Verdict::Agreed).await;
    assert_eq!(reconciliation_items::unanswered(&db, run.id, 9, 9).await.unwrap(), []);
    let of_one = reconciliation_items::of_payment(&db, all[0].id).await.unwrap();
    assert_eq!(of_one[0].verdict, "repaired", "the first answer counts");
    assert_eq!(reconciliations::find(&db, run.id).await.unwrap().unwrap().tally.asked, 2);
}

async fn the_sums_of_a_run_are_those_of_its_items(db: Db) {
    let house = House::open(&db).await;
    let all = pending(&house, 5).await;
    let run = begun(&db).await;
    let verdicts = [Verdict::Agreed, Verdict::Agreed, Verdict::Repaired, Verdict::Finding, Verdict::Error];
    for (payment, verdict) in all.iter().zip(verdicts) {
        note(&db, &run, payment.id, verdict).await;
    }
    let tally = reconciliations::find(&db, run.id).await.unwrap().unwrap().tally;
    assert_eq!(tally, Tally { asked: 5, agreed: 2, repaired: 1, findings: 1, errors: 1 });
    let page = Page { after: None, limit: 3 };
    let first = reconciliation_items::items(&db, run.id, None, page).await.unwrap();
    assert_eq!((first.len(), first[0].invoice.as_str(), first[0].verdict.as_str()), (3, "KSR-2", "agreed"));
    assert_eq!(first[0].time(), at(1_001));
    let page = Page { after: Some(first[2].id), limit: 3 };
    assert_eq!(reconciliation_items::items(&db, run.id, None, page).await.unwrap().len(), 2);
    let page = Page { after: None, limit: 3 };
    let repaired = reconciliation_items::items(&db, run.id, Some(Verdict::Repaired), page).await.unwrap();
    assert_eq!((repaired.len(), repaired[0].invoice.as_str()), (1, "KSR-4"));
    let of_one = reconciliation_items::of_payment(&db, all[2].id).await.unwrap();
    assert_eq!(of_one, repaired);
    reconciliations::finish(&db, run.id, at(1_200)).await.unwrap();
    execute(&db, "DELETE FROM reconciliation_items").await.unwrap();
    let done = reconciliations::find(&db, run.id).await.unwrap().unwrap();
    assert_eq!(
        (done.tally, done.finished_at),
        (tally, Some(at(1_200))),
        "the sums stay when the items are forgotten"
    );
}

async fn finds(db: &Db, kind: FindingKind, cause: &str) {
    let new = NewFinding { kind, cause: cause.to_owned(), payment_id: None, detail: "what was seen" };
    findings::open(db, &new, at(5)).await.unwrap();
}

async fn a_finding_is_resolved_once_and_audited(db: Db) {
    finds(&db, FindingKind::Reversal, "a").await;
    let id = findings::newest(&db, 1).await.unwrap()[0].id;
    let by = By { actor: &admin(), reason: Some("the tenant pays again"), now: at(30) };
    let resolved = findings::resolve(&db, id, &by).await.unwrap();
    assert_eq!(resolved.resolution.as_deref(), Some("the tenant pays again"));
    assert_eq!(resolved.resolved_at, Some(at(30)));
    let again = findings::resolve(&db, id, &by).await;
    assert!(matches!(again, Err(Undone::Refused(Refusal::FindingResolved))), "{again:?}");
    let none = findings::resolve(&db, FindingId(404), &by).await;
    assert!(matches!(none, Err(Undone::Refused(Refusal::NotThere))), "{none:?}");
    let deeds = audit::newest(&db, None, 9).await.unwrap();
    assert_eq!((deeds.len(), deeds[0].action.as_str()), (1, "finding.resolve"));
    finds(&db, FindingKind::Reversal, "a").await;
    let all = findings::newest(&db, 9).await.unwrap();
    assert!(all.len() == 1 && all[0].resolved_at.is_some(), "the same cause stays resolved");
}

async fn findings_are_listed_as_wanted_and_counted_while_they_wait(db: Db) {
    for (kind, cause) in
        [(FindingKind::Reversal, "a"), (FindingKind::Chargeback, "b"), (FindingKind::Reversal, "c")]
    {
        finds(&db, kind, cause).await;
    }
    let first = findings::newest(&db, 9).await.unwrap().pop().unwrap();
    let by = By { actor: &admin(), reason: Some("seen"), now: at(30) };
    findings::resolve(&db, first.id, &by).await.unwrap();
    let list = async |resolved, kind, after| {
        let which = Which { resolved, kind };
        let page = Page { after, limit: 9 };
        let found = findings::list(&db, &which, page).await.unwrap();
        found.into_iter().map(|finding| finding.id.0).collect::<Vec<_>>()
    };
    assert_eq!(list(None, None, None).await, [3, 2, 1]);
    assert_eq!(list(Some(false), None, None).await, [3, 2]);
    assert_eq!(list(Some(true), None, None).await, [1]);
    assert_eq!(list(None, Some(FindingKind::Reversal), None).await, [3, 1]);
    assert_eq!(list(None, None, Some(3)).await, [2, 1]);
    let open = findings::count_open(&db).await.unwrap();
    assert_eq!(open, [(FindingKind::Chargeback, 1), (FindingKind::Reversal, 1)]);
}
