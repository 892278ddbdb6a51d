//! Sending a reminder, whichever way it goes: whether there is still something to tell, the sending, and the note of it.

use courier::{Turn, Undelivered};
use domain::{BillStatus, Channel, ReminderId, ReminderKind, Time, date_of};
use queue::{Lease, Outcome};
use store::Written;
use store::reminders::{self, Ending, Letter};

use crate::Context;
use crate::context::Ended;

/// A reminder that is to be sent.
pub(crate) struct Delivery {
    pub(crate) id: ReminderId,
    pub(crate) channel: Channel,
    /// After so many failed attempts it is given up.
    pub(crate) tries: i64,
}

/// A crash between the sending and the note of it sends the letter twice, under the same name. A note before the sending
/// would lose it.
pub(crate) async fn deliver(delivery: Delivery, cx: &Context, lease: &Lease) -> Ended {
    let Delivery { id, channel, tries } = delivery;
    let Some(letter) = reminders::letter(&cx.db, id).await? else {
        return Ok(Outcome::GiveUp(format!("there is no reminder {id}")));
    };
    if letter.ended_at.is_some() {
        return Ok(Outcome::Done);
    }
    if let Some(why) = is_past(&letter, cx.now()) {
        return end(id, (Ending::Lapsed, why), cx, lease).await;
    }
    let gate = cx.couriers.gate(channel);
    let _place = match gate.turn(cx.now()) {
        Turn::Now(place) => place,
        Turn::After(pause) => {
            return Ok(Outcome::Later(
                cx.clock.jitter(pause),
                "others are before it, or nobody answers".into(),
            ));
        }
    };
    if !reminders::begin(&cx.db, id, lease, cx.now()).await? {
        return Ok(Outcome::Lost);
    }
    match cx.couriers.send(&written(letter, cx), channel, cx.now()).await {
        Ok(said) => {
            gate.is_open();
            end(id, (Ending::Sent, &said), cx, lease).await
        }
        Err(Undelivered::Refused(why)) => {
            gate.is_open();
            tracing::warn!(reminder.id = id.0, why, "a reminder was refused");
            end(id, (Ending::Refused, &why), cx, lease).await
        }
        Err(Undelivered::NotNow(why)) if lease.attempt >= tries => {
            tracing::warn!(reminder.id = id.0, why, "a reminder was not taken for long");
            end(id, (Ending::Refused, &why), cx, lease).await
        }
        Err(Undelivered::NotNow(why)) => Ok(Outcome::Retry(why)),
        Err(Undelivered::Unreachable(why)) => {
            let pause = gate.is_shut(cx.now());
            tracing::warn!(channel = channel.as_str(), why, ?pause, "nobody takes reminders");
            Ok(Outcome::Later(pause, why))
        }
    }
}

async fn end(id: ReminderId, (ending, detail): (Ending, &str), cx: &Context, lease: &Lease) -> Ended {
    match reminders::end(&cx.db, id, (ending, detail, lease), cx.now()).await? {
        Written::Done => Ok(Outcome::Completed { wake: Vec::new() }),
        Written::LostLease | Written::Stale => Ok(Outcome::Lost),
    }
}

/// Why there is nothing to tell any more. Letters may have waited for days.
fn is_past(letter: &Letter, now: Time) -> Option<&'static str> {
    let is_paid = letter.status == BillStatus::Paid;
    let window = letter.kind.window(date_of(now));
    let is_late = match letter.kind {
        ReminderKind::DueSoon | ReminderKind::DueToday | ReminderKind::Overdue => {
            !letter.due_at.is_some_and(|due| window.holds(due))
        }
        // A new bill whose day has come is told of as due.
        ReminderKind::NewBill => letter.due_at.is_some_and(|due| due < now),
        ReminderKind::Paid => false,
    };
    match () {
        () if letter.is_void => Some("the bill is void"),
        () if !letter.is_wanted => Some("the tenant wants no reminders, or has left"),
        () if is_paid != letter.kind.is_of_paid() => Some("the bill was paid, or is no longer"),
        () if is_late => Some("its day is over"),
        () => None,
    }
}

fn written(letter: Letter, cx: &Context) -> courier::Letter {
    let settings = cx.couriers.settings();
    courier::Letter {
        message_id: letter.message_id,
        kind: letter.kind,
        language: letter.language.unwrap_or(settings.language),
        tenant_id: letter.tenant_id,
        name: letter.name,
        email: letter.email,
        phone: letter.phone,
        bill_id: letter.bill_id,
        period: letter.period,
        title: letter.title,
        amount: letter.amount,
        due: letter.due_at.map(date_of),
        house: settings.house.clone(),
        stop_url: cx.couriers.links().stop_url(letter.tenant_id),
    }
}
