//! Send a reminder to the webhook.

use domain::Channel;
use queue::{Job as _, Lease, SendWebhook};

use crate::Context;
use crate::context::Ended;
use crate::reminding::{Delivery, deliver};

pub(crate) async fn perform(job: SendWebhook, cx: &Context, lease: &Lease) -> Ended {
    let SendWebhook { reminder_id: id, .. } = job;
    deliver(Delivery { id, channel: Channel::Webhook, tries: SendWebhook::MAX_ATTEMPTS }, cx, lease).await
}
