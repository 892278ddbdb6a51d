//! Look for what tenants are to be told today, and have it sent.

use std::time::Duration;

use domain::{BillId, Channel, ReminderId, ReminderKind, Time, date_of, start_of_day};
use queue::{Job, NewJob, Outcome, SendEmail, SendWebhook};
use store::reminders::{self, Search};

use crate::Context;
use crate::context::Ended;

/// Bills that are told of in one transaction.
const BATCH: i64 = 50;
/// How soon to look again when more is to be told than may wait.
const AGAIN: Duration = Duration::from_secs(30);
/// What is left then waits for the morning, by the clock of Jakarta.
const EVENING_HOUR: i64 = 21;

/// Puts as many into the ledger as may wait there; the rest stays where it is found, in the bills, so that no other work
/// waits behind a thousand letters.
pub(crate) async fn perform(cx: &Context) -> Ended {
    let mut left_over = 0;
    for channel in Channel::ALL.iter().copied().filter(|channel| cx.couriers.has(*channel)) {
        let mut room = cx.couriers.settings().waiting - reminders::waiting(&cx.db, job_kind(channel)).await?;
        for kind in cx.couriers.settings().kinds.iter().copied() {
            let found = find(cx, (kind, channel), &mut room).await?;
            if found > 0 {
                tracing::info!(
                    reminders = found,
                    kind = kind.as_str(),
                    channel = channel.as_str(),
                    "to be told"
                );
            }
        }
        left_over += i64::from(room <= 0);
    }
    let hour = (cx.now() - start_of_day(date_of(cx.now()))).num_hours();
    if left_over > 0 && hour < EVENING_HOUR {
        return Ok(Outcome::Later(AGAIN, "more is to be told than may wait".to_owned()));
    }
    Ok(Outcome::Done)
}

async fn find(
    cx: &Context,
    (kind, channel): (ReminderKind, Channel),
    room: &mut i64,
) -> Result<usize, store::StoreError> {
    let now = cx.now();
    let mut found = 0;
    while *room > 0 {
        let search = Search {
            kind,
            channel,
            window: kind.window(date_of(now)),
            limit: BATCH.min(*room),
            name: &|bill| cx.couriers.links().message(bill, kind, channel),
            job: &|reminder, bill| send((reminder, bill, kind), channel, now),
        };
        let jobs = reminders::find_due(&cx.db, &search, now).await?;
        if jobs.is_empty() {
            break;
        }
        found += jobs.len();
        *room -= i64::try_from(jobs.len()).unwrap_or(*room);
        cx.queue.wake(jobs);
    }
    Ok(found)
}

fn job_kind(channel: Channel) -> &'static str {
    match channel {
        Channel::Email => SendEmail::KIND,
        Channel::Webhook => SendWebhook::KIND,
    }
}

fn send(
    (reminder_id, bill_id, reminder): (ReminderId, BillId, ReminderKind),
    channel: Channel,
    now: Time,
) -> NewJob {
    match channel {
        Channel::Email => SendEmail { reminder_id, bill_id, reminder }.new_job(now),
        Channel::Webhook => SendWebhook { reminder_id, bill_id, reminder }.new_job(now),
    }
}
