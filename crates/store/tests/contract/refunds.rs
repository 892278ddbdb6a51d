//! Money given back: never more than was paid, by whomever, and in one row each.

use domain::{
    Method, NoRefund, Payment, PaymentId, RefundId, RefundKey, RefundState, Refunds, ReportedRefund, Rupiah,
    State, Time,
};
use store::audit::{self, Actor, By};
use store::creation::NewPayment;
use store::ledger::NewJob;
use store::payments::Change;
use store::refunds::{Ending, Lingering, NewRefund};
use store::{Db, Refusal, StoreError, Undone, Written, findings, refunds};

use crate::support::{House, RENT, add, at, at_once, claim, job, moves, number, rupiah};

on_both! {
    a_refund_is_written_down_with_its_job_and_its_audit,
    refunds_wanted_at_once_never_exceed_what_was_paid,
    what_the_method_does_not_allow_is_not_written,
    the_gateway_is_asked_once_it_was_said_so,
    a_refund_ends_with_its_job_or_not_at_all,
    a_refund_that_lingers_gets_another_job,
    what_the_gateway_lists_is_booked_once,
    a_refund_made_elsewhere_is_a_finding_and_one_of_ours_is_none,
    money_back_that_no_refund_accounts_for_is_a_finding,
    an_order_is_work_and_audit_together,
}

fn admin() -> Actor {
    Actor { id: None, name: "ibu.sari@kost.test".to_owned() }
}

fn key(name: &str) -> RefundKey {
    RefundKey::try_from(name).unwrap()
}

/// A payment by GoPay that is paid.
async fn paid(house: &House) -> Payment {
    let payment = house.makes(&NewPayment { method: Method::Gopay, ..house.payment("KSR-1") }).await;
    house.moves(&payment, State::Paid).await
}

fn gopay() -> Refunds {
    Method::Gopay.profile().rules.refunds
}

async fn want(db: &Db, payment: &Payment, name: &str, amount: Option<i64>) -> Result<RefundId, Undone> {
    let new = NewRefund { payment, key: key(name), amount: amount.map(rupiah), rules: gopay() };
    let by = By { actor: &admin(), reason: Some("moved out"), now: at(20) };
    let work = |id: RefundId| NewJob { kind: "refund_payment", ..job(&format!("refund:{id}")) };
    refunds::want(db, &new, work, &by).await.map(|(refund, _)| refund.id)
}

fn no(refused: Result<RefundId, Undone>) -> NoRefund {
    match refused {
        Err(Undone::Refused(Refusal::NoRefund(why))) => why,
        other => panic!("{other:?}"),
    }
}

async fn a_refund_is_written_down_with_its_job_and_its_audit(db: Db) {
    let house = House::open(&db).await;
    let payment = paid(&house).await;
    let id = want(&db, &payment, "r-1", Some(400_000)).await.unwrap();
    let refund = refunds::find(&db, id).await.unwrap().unwrap();
    assert_eq!((refund.payment_id, refund.key.as_str(), refund.amount), (payment.id, "r-1", rupiah(400_000)));
    assert_eq!(
        (refund.state, refund.is_ours, refund.reason.as_str()),
        (RefundState::Wanted, true, "moved out")
    );
    assert_eq!(refunds::of_payment(&db, payment.id).await.unwrap(), [refund]);
    assert_eq!(number(&db, "SELECT count(*) FROM jobs WHERE kind = 'refund_payment'").await, 1);
    let row = audit::newest(&db, None, 1).await.unwrap().remove(0);
    assert_eq!((row.action.as_str(), row.subject.as_str()), ("payment.refund", "payment:KSR-1"));
    assert_eq!(refunds::find(&db, RefundId(404)).await.unwrap(), None);
    // The same key again is the same refund.
    assert_eq!(want(&db, &payment, "r-1", Some(400_000)).await.unwrap(), id);
    assert_eq!(number(&db, "SELECT count(*) FROM refunds").await, 1);
    assert_eq!(number(&db, "SELECT count(*) FROM audit").await, 1);
}

async fn refunds_wanted_at_once_never_exceed_what_was_paid(db: Db) {
    let house = House::open(&db).await;
    let payment = paid(&house).await;
    let wishes = at_once(8, |number| {
        let (db, payment) = (db.clone(), payment.clone());
        async move { want(&db, &payment, &format!("r-{number}"), Some(400_000)).await }
    })
    .await;
    assert_eq!(wishes.iter().filter(|wish| wish.is_ok()).count(), 3, "three times 400.000 are in 1.500.000");
    let left = no(wishes.into_iter().find(Result::is_err).unwrap());
    assert_eq!(left, NoRefund::TooMuch(rupiah(300_000)));
    want(&db, &payment, "rest", None).await.unwrap();
    let all = refunds::of_payment(&db, payment.id).await.unwrap();
    assert_eq!(all.iter().map(|refund| refund.amount).sum::<Rupiah>(), rupiah(RENT));
}

async fn what_the_method_does_not_allow_is_not_written(db: Db) {
    let house = House::open(&db).await;
    let pending = house.makes(&NewPayment { method: Method::Gopay, ..house.payment("KSR-1") }).await;
    assert_eq!(no(want(&db, &pending, "r-1", None).await), NoRefund::NotPaid);
    let nobody = Payment { id: PaymentId(404), ..pending };
    assert!(matches!(want(&db, &nobody, "r-1", None).await, Err(Undone::Refused(Refusal::NotThere))));
    assert_eq!(number(&db, "SELECT count(*) FROM refunds").await, 0);
    assert_eq!(number(&db, "SELECT count(*) FROM jobs").await, 0);
    assert_eq!(number(&db, "SELECT count(*) FROM audit").await, 0);
}

async fn the_gateway_is_asked_once_it_was_said_so(db: Db) {
    let house = House::open(&db).await;
    let payment = paid(&house).await;
    let id = want(&db, &payment, "r-1", None).await.unwrap();
    assert!(refunds::mark_asked(&db, id, at(30)).await.unwrap());
    assert!(!refunds::mark_asked(&db, id, at(31)).await.unwrap());
    assert_eq!(refunds::find(&db, id).await.unwrap().unwrap().state, RefundState::Asked);
}

async fn a_refund_that_lingers_gets_another_job(db: Db) {
    let house = House::open(&db).await;
    let payment = paid(&house).await;
    let open = want(&db, &payment, "open", Some(100_000)).await.unwrap();
    let taken_on = want(&db, &payment, "taken-on", Some(100_000)).await.unwrap();
    refunds::mark_accepted(&db, taken_on, at(20)).await.unwrap();
    assert_eq!(refunds::find(&db, taken_on).await.unwrap().unwrap().state, RefundState::Accepted);
    let refused = want(&db, &payment, "refused", Some(100_000)).await.unwrap();
    let lease = claim(&db, add(&db, job("end")).await, "token", at(30)).await.unwrap().lease;
    let ending = Ending { id: refused, given_back: false, answer: "no", completes: &lease };
    refunds::end(&db, &ending, at(20)).await.unwrap();

    let taken = async |now: i64| {
        let which = Lingering {
            open_since: at(now - 600),
            accepted_since: at(now - 3600),
            made_after: at(now - 86_400),
            limit: 9,
        };
        let again = |_, id: RefundId| job(&format!("again:{now}:{id}"));
        refunds::take_lingering(&db, &which, again, at(now)).await.unwrap().len()
    };
    assert_eq!(taken(619).await, 0);
    assert_eq!(taken(620).await, 1, "the open one");
    assert_eq!(taken(621).await, 0, "it was taken just now");
    assert_eq!(taken(3700).await, 2);
    assert_eq!(taken(90_000).await, 1, "what the bank never confirmed is let go");
    assert_eq!(number(&db, "SELECT count(*) FROM jobs WHERE dedupe_key LIKE 'again:%'").await, 4);
    assert!(refunds::find(&db, open).await.unwrap().unwrap().state.is_open());
}

async fn a_refund_ends_with_its_job_or_not_at_all(db: Db) {
    let house = House::open(&db).await;
    let payment = paid(&house).await;
    let id = want(&db, &payment, "r-1", None).await.unwrap();
    let job_id = add(&db, job("end")).await;
    let lease = claim(&db, job_id, "token", at(30)).await.unwrap().lease;
    let stale = store::ledger::Lease { token: "another".to_owned(), ..lease.clone() };
    let ending = |lease| Ending { id, given_back: false, answer: "the bank said no", completes: lease };
    assert_eq!(refunds::end(&db, &ending(&stale), at(31)).await.unwrap(), Written::LostLease);
    assert_eq!(refunds::find(&db, id).await.unwrap().unwrap().state, RefundState::Wanted);
    assert_eq!(refunds::end(&db, &ending(&lease), at(31)).await.unwrap(), Written::Done);
    let refund = refunds::find(&db, id).await.unwrap().unwrap();
    assert_eq!((refund.state, refund.answer.as_deref()), (RefundState::Refused, Some("the bank said no")));
    // What was refused is wanted no more.
    want(&db, &payment, "r-2", None).await.unwrap();
}

fn told(name: &str, amount: i64, confirmed_at: Option<Time>) -> ReportedRefund {
    ReportedRefund { key: key(name), amount: rupiah(amount), reason: "r".to_owned(), confirmed_at }
}

async fn kinds(db: &Db) -> Vec<&'static str> {
    findings::newest(db, 10).await.unwrap().iter().map(|finding| finding.kind.as_str()).collect()
}

async fn what_the_gateway_lists_is_booked_once(db: Db) {
    let house = House::open(&db).await;
    let payment = paid(&house).await;
    let id = want(&db, &payment, "r-1", Some(500_000)).await.unwrap();
    assert!(refunds::mark_asked(&db, id, at(30)).await.unwrap());
    let state = State::PartiallyRefunded { total: rupiah(500_000) };
    let accepted = [told("r-1", 500_000, None)];
    let payment = house.changes(&Change { refunds: &accepted, ..moves(&payment, state) }).await;
    assert_eq!(refunds::find(&db, id).await.unwrap().unwrap().state, RefundState::Accepted);
    let confirmed = [told("r-1", 500_000, Some(at(40)))];
    for refunds in [&confirmed, &accepted] {
        house.changes(&Change { refunds, ..moves(&payment, state) }).await;
    }
    let refund = refunds::find(&db, id).await.unwrap().unwrap();
    assert_eq!((refund.state, refund.confirmed_at), (RefundState::Confirmed, Some(at(40))));
    assert_eq!(number(&db, "SELECT count(*) FROM refunds").await, 1);
    assert_eq!(kinds(&db).await, [""; 0], "it was ours");
}

async fn a_refund_made_elsewhere_is_a_finding_and_one_of_ours_is_none(db: Db) {
    let house = House::open(&db).await;
    let payment = paid(&house).await;
    let state = State::PartiallyRefunded { total: rupiah(300_000) };
    for confirmed_at in [None, Some(at(40)), Some(at(40))] {
        let payment = house.reads(payment.id).await;
        let listed = [told("dashboard", 300_000, confirmed_at)];
        house.changes(&Change { refunds: &listed, ..moves(&payment, state) }).await;
    }
    assert_eq!(kinds(&db).await, ["external_refund"], "one finding for one refund");
    assert_eq!(findings::of_payment(&db, payment.id).await.unwrap(), findings::newest(&db, 9).await.unwrap());
    assert_eq!(findings::of_payment(&db, PaymentId(404)).await.unwrap(), []);
    let all = refunds::of_payment(&db, payment.id).await.unwrap();
    assert!(all.len() == 1 && !all[0].is_ours && all[0].state == RefundState::Confirmed, "{all:?}");
    assert_eq!(no(want(&db, &payment, "r-1", Some(1_200_001)).await), NoRefund::TooMuch(rupiah(1_200_000)));
}

async fn money_back_that_no_refund_accounts_for_is_a_finding(db: Db) {
    let house = House::open(&db).await;
    let payment = paid(&house).await;
    let state = State::PartiallyRefunded { total: rupiah(300_000) };
    house.moves(&payment, state).await;
    assert_eq!(kinds(&db).await, ["external_refund"]);
    assert_eq!(no(want(&db, &payment, "r-1", Some(1_200_001)).await), NoRefund::TooMuch(rupiah(1_200_000)));
}

async fn an_order_is_work_and_audit_together(db: Db) {
    let house = House::open(&db).await;
    let payment = house.pays("KSR-1").await;
    let by = By { actor: &admin(), reason: Some("the tenant asks"), now: at(20) };
    let deed = ("payment.sync", format!("payment:{}", payment.invoice));
    let jobs = audit::order(&db, deed.clone(), job("sync:1"), &by).await.unwrap();
    assert_eq!(jobs.len(), 1);
    let again = audit::decide(&db, deed.clone(), job("sync:1"), &by).await.unwrap();
    assert!(again.is_some(), "the same once more is no contradiction");
    let contrary = NewJob { payload: "{\"key\":\"no\"}".to_owned(), ..job("sync:1") };
    assert_eq!(audit::decide(&db, deed, contrary, &by).await.unwrap(), None);
    let row = audit::newest(&db, None, 1).await.unwrap().remove(0);
    assert_eq!((row.action.as_str(), row.reason.as_deref()), ("payment.sync", Some("the tenant asks")));
    let broken = NewJob { payment_id: Some(PaymentId(404)), ..job("sync:2") };
    let refused = audit::order(&db, ("payment.sync", "payment:x".to_owned()), broken, &by).await;
    assert!(matches!(refused, Err(StoreError::Database(_))), "{refused:?}");
    assert_eq!(audit::newest(&db, None, 9).await.unwrap().len(), 2, "no audit of what was not ordered");
    let subject = format!("payment:{}", payment.invoice);
    assert_eq!(audit::of_subject(&db, &subject).await.unwrap().len(), 2);
    assert_eq!(audit::of_subject(&db, "payment:x").await.unwrap(), []);
}
