//! Reminders: found once each, sent by whoever holds the lease, and wanted or not.

use domain::{BillId, Channel, Language, ReminderId, ReminderKind, State, Time, UserId, Window};
use store::audit::{Actor, By};
use store::ledger::NewJob;
use store::reminders::{self, Ending, Search, Wishes, WishesChange};
use store::{Db, Refusal, Undone, Written, jobs, ledger};

use crate::support::{House, at, at_once, claim, execute, job, number};

on_both![
    a_bill_is_found_once_for_each_kind_and_channel,
    only_bills_in_the_window_are_found,
    a_paid_bill_is_found_as_paid_alone,
    many_who_look_at_once_find_each_bill_once,
    a_reminder_ends_with_its_job_and_only_under_its_lease,
    what_a_tenant_wants_is_changed_and_audited,
];

const ALWAYS: Window = Window { from: Time::MIN_UTC, until: Time::MAX_UTC, made_before: Time::MAX_UTC };

fn name(kind: ReminderKind, channel: Channel) -> impl Fn(BillId) -> String + Sync {
    move |bill| format!("{bill}.{}.{}", kind.as_str(), channel.as_str())
}

fn sending(reminder: ReminderId, _bill: BillId) -> NewJob {
    NewJob { kind: "send_email", ..job(&format!("send_email:{reminder}")) }
}

async fn found(db: &Db, (kind, channel): (ReminderKind, Channel), window: Window) -> usize {
    let search = Search { kind, channel, window, limit: 10, name: &name(kind, channel), job: &sending };
    reminders::find_due(db, &search, at(5)).await.unwrap().len()
}

async fn a_bill_is_found_once_for_each_kind_and_channel(db: Db) {
    let house = House::open(&db).await;
    house.bill_of(2).await;
    let mail = (ReminderKind::NewBill, Channel::Email);
    assert_eq!(found(&db, mail, ALWAYS).await, 2);
    assert_eq!(found(&db, mail, ALWAYS).await, 0);
    assert_eq!(found(&db, (ReminderKind::NewBill, Channel::Webhook), ALWAYS).await, 2);
    assert_eq!(reminders::waiting(&db, "send_email").await.unwrap(), 4);
    assert_eq!(reminders::waiting(&db, "send_webhook").await.unwrap(), 0);
    let search = Search {
        kind: ReminderKind::Overdue,
        channel: Channel::Email,
        window: ALWAYS,
        limit: 1,
        name: &name(ReminderKind::Overdue, Channel::Email),
        job: &sending,
    };
    execute(&db, "UPDATE bills SET due_at = 7").await.unwrap();
    assert_eq!(reminders::find_due(&db, &search, at(5)).await.unwrap().len(), 1);

    let told = reminders::of_tenant(&db, house.tenant, 10).await.unwrap();
    assert_eq!((told.len(), told[0].kind.as_str(), told[0].channel.as_str()), (5, "overdue", "email"));
    assert_eq!((told[0].found_at, told[0].outcome.as_deref(), told[0].ended_at), (at(5), None, None));
    assert_eq!(reminders::of_tenant(&db, house.tenant, 2).await.unwrap().len(), 2);
    assert_eq!(reminders::of_tenant(&db, UserId(404), 10).await.unwrap(), []);
}

async fn only_bills_in_the_window_are_found(db: Db) {
    let house = House::open(&db).await;
    house.bill_of(2).await;
    let due = (ReminderKind::DueSoon, Channel::Email);
    assert_eq!(found(&db, due, ALWAYS).await, 0, "a bill without a last day is never due");
    let (first, second) = (at(100).timestamp_millis(), at(200).timestamp_millis());
    assert_eq!((first, second), (1_767_225_700_000, 1_767_225_800_000));
    execute(&db, "UPDATE bills SET due_at = 1767225700000 WHERE month = 1").await.unwrap();
    execute(&db, "UPDATE bills SET due_at = 1767225800000 WHERE month = 2").await.unwrap();
    let window = |from, until| Window { from: at(from), until: at(until), ..ALWAYS };
    assert_eq!(found(&db, due, window(101, 200)).await, 0);
    assert_eq!(found(&db, due, Window { made_before: at(0), ..window(100, 101) }).await, 0);
    assert_eq!(found(&db, due, window(100, 200)).await, 1);
    for out in [
        "UPDATE bills SET voided_at = 1",
        "UPDATE users SET deleted_at = 1",
        "UPDATE users SET reminders_off_at = 1",
    ] {
        execute(&db, out).await.unwrap();
        assert_eq!(found(&db, due, ALWAYS).await, 0, "{out}");
        execute(&db, "UPDATE bills SET voided_at = NULL").await.unwrap();
        execute(&db, "UPDATE users SET deleted_at = NULL, reminders_off_at = NULL").await.unwrap();
    }
    assert_eq!(found(&db, due, ALWAYS).await, 1);
}

async fn a_paid_bill_is_found_as_paid_alone(db: Db) {
    let house = House::open(&db).await;
    execute(&db, "UPDATE bills SET due_at = 7").await.unwrap();
    let payment = house.pays("KSR-1").await;
    let paid = (ReminderKind::Paid, Channel::Email);
    assert_eq!(found(&db, paid, ALWAYS).await, 0);
    house.moves(&payment, State::Paid).await;
    for kind in [ReminderKind::NewBill, ReminderKind::DueToday] {
        assert_eq!(found(&db, (kind, Channel::Email), ALWAYS).await, 0, "{kind:?}");
    }
    execute(&db, "UPDATE payments SET paid_at = 1767225700000").await.unwrap();
    assert_eq!(found(&db, paid, Window { from: at(101), ..ALWAYS }).await, 0);
    assert_eq!(found(&db, paid, Window { from: at(100), until: at(101), ..ALWAYS }).await, 1);
    assert_eq!(found(&db, paid, ALWAYS).await, 0);
}

async fn many_who_look_at_once_find_each_bill_once(db: Db) {
    let house = House::open(&db).await;
    for month in 2..=12 {
        house.bill_of(month).await;
    }
    let counts = at_once(6, |_| {
        let db = db.clone();
        async move { found(&db, (ReminderKind::NewBill, Channel::Email), ALWAYS).await }
    })
    .await;
    let rest = found(&db, (ReminderKind::NewBill, Channel::Email), ALWAYS).await;
    assert_eq!(counts.iter().sum::<usize>() + rest, 12);
    assert_eq!(number(&db, "SELECT count(*) FROM reminders").await, 12);
    assert_eq!(number(&db, "SELECT count(*) FROM jobs").await, 12);
}

async fn a_reminder_ends_with_its_job_and_only_under_its_lease(db: Db) {
    let house = House::open(&db).await;
    assert_eq!(found(&db, (ReminderKind::NewBill, Channel::Email), ALWAYS).await, 1);
    let job_id = jobs::in_state(&db, "ready", 10).await.unwrap()[0].id;
    let id = ReminderId(number(&db, "SELECT id FROM reminders").await);
    let letter = reminders::letter(&db, id).await.unwrap().unwrap();
    assert_eq!((letter.kind, letter.channel), (ReminderKind::NewBill, Channel::Email));
    assert_eq!((letter.bill_id, letter.tenant_id), (house.bill, house.tenant));
    assert_eq!((letter.email.as_str(), letter.is_wanted, letter.is_void), ("budi@kost.test", true, false));
    assert_eq!(letter.message_id, format!("{}.new_bill.email", house.bill));
    assert_eq!(reminders::letter(&db, ReminderId(404)).await.unwrap(), None);

    let lease = claim(&db, job_id, "mine", at(6)).await.unwrap().lease;
    let theirs = ledger::Lease { token: "theirs".to_owned(), ..lease.clone() };
    assert!(!reminders::begin(&db, id, &theirs, at(7)).await.unwrap());
    assert!(reminders::begin(&db, id, &lease, at(7)).await.unwrap());
    let end = async |lease| reminders::end(&db, id, (Ending::Sent, "250 ok", lease), at(8)).await.unwrap();
    assert_eq!(end(&theirs).await, Written::LostLease);
    assert_eq!(reminders::letter(&db, id).await.unwrap().unwrap().ended_at, None);
    assert_eq!(end(&lease).await, Written::Done);
    assert_eq!(reminders::letter(&db, id).await.unwrap().unwrap().ended_at, Some(at(8)));
    assert_eq!(jobs::find(&db, job_id).await.unwrap().unwrap().state, "done");
    assert_eq!(end(&lease).await, Written::LostLease);
    assert!(!reminders::begin(&db, id, &lease, at(9)).await.unwrap(), "what was sent is not sent again");
    assert_eq!(number(&db, "SELECT tries FROM reminders").await, 1);
}

async fn what_a_tenant_wants_is_changed_and_audited(db: Db) {
    let house = House::open(&db).await;
    let actor = Actor { id: None, name: "ibu@kost.test".to_owned() };
    let by = By { actor: &actor, reason: None, now: at(3) };
    let change = async |change| reminders::change_wishes(&db, house.tenant, change, &by).await.unwrap();
    let all = Wishes { reminders: true, language: None };
    assert_eq!(reminders::wishes(&db, house.tenant).await.unwrap(), Some(all));
    assert_eq!(change(WishesChange::default()).await, all);
    let english = WishesChange { language: Some(Some(Language::English)), reminders: None };
    assert_eq!(change(english).await, Wishes { language: Some(Language::English), ..all });
    let off = WishesChange { reminders: Some(false), language: Some(None) };
    let none = Wishes { reminders: false, language: None };
    assert_eq!(change(off).await, none);
    assert_eq!(change(off).await, none);
    assert_eq!(reminders::wishes(&db, house.tenant).await.unwrap(), Some(none));
    assert_eq!(number(&db, "SELECT count(*) FROM audit WHERE action = 'tenant.reminders'").await, 2);
    assert_eq!(reminders::wishes(&db, UserId(404)).await.unwrap(), None);
    let nobody = reminders::change_wishes(&db, UserId(404), off, &by).await;
    assert!(matches!(nobody, Err(Undone::Refused(Refusal::NotThere))), "{nobody:?}");
}
