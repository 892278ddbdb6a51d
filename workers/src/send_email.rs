//! Send a reminder by e-mail.

use domain::Channel;
use queue::{Job as _, Lease, SendEmail};

use crate::Context;
use crate::context::Ended;
use crate::reminding::{Delivery, deliver};

pub(crate) async fn perform(job: SendEmail, cx: &Context, lease: &Lease) -> Ended {
    let SendEmail { reminder_id: id, .. } = job;
    deliver(Delivery { id, channel: Channel::Email, tries: SendEmail::MAX_ATTEMPTS }, cx, lease).await
}
