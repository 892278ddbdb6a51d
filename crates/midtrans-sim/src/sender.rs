//! Carries notifications to the merchant and decides by the answer whether to try again.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{ACCEPT, CONTENT_TYPE, LOCATION, USER_AGENT};
use reqwest::{Client, Url, redirect};

use crate::core::{Core, State};
use crate::outbox::Parcel;
use crate::records::SentNotification;

/// How many 307 and 308 are followed.
const HOPS_MAX: u32 = 5;

/// The HTTP client of the notifications: it follows no redirect by itself.
pub(crate) fn http_client(answer_within: Duration) -> reqwest::Result<Client> {
    // Whoever embeds the simulator may have chosen a provider already; theirs stays.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .no_proxy()
        .redirect(redirect::Policy::none())
        .connect_timeout(answer_within)
        .timeout(answer_within)
        .build()
}

/// How many retries an answer earns (contract, section 7); `None` is no answer.
pub(crate) fn retries_after(answer: Option<u16>) -> u32 {
    match answer {
        Some(200..=299 | 301..=303) => 0,
        Some(500) => 1,
        Some(503) => 4,
        Some(400 | 404) => 2,
        _ => 5,
    }
}

/// Sends a notification now, or as soon as the earlier ones of its lane are through.
pub(crate) fn dispatch(core: &Arc<Core>, state: &mut State, parcel: Parcel) {
    core.unsent.send_modify(|unsent| *unsent += 1);
    let name = parcel.lane();
    let lane = state.outbox.lanes.entry(name.clone()).or_default();
    lane.push_back(parcel);
    if lane.len() == 1 {
        core.runtime.spawn(carry(Arc::clone(core), name));
    }
}

/// Carries what is in a lane, one after the other, until the lane is empty.
async fn carry(core: Arc<Core>, lane: String) {
    loop {
        // It stays in its lane until it is through, so that the state file knows of it.
        let first = core.state().outbox.lanes.get(&lane).and_then(|parcels| parcels.front().cloned());
        let Some(parcel) = first else { return };
        tokio::select! {
            () = core.stop.cancelled() => return,
            () = deliver(&core, parcel) => {}
        }
        core.state().outbox.leave_lane(&lane);
        core.unsent.send_modify(|unsent| *unsent = unsent.saturating_sub(1));
        core.touch();
    }
}

async fn deliver(core: &Arc<Core>, parcel: Parcel) {
    // A closed semaphore means nothing here: it is never closed.
    let _permit = core.sends.acquire().await;
    let at = core.clock().now();
    {
        let mut state = core.state();
        if state.faults.notifications.drop_all {
            state.dropped += 1;
            return;
        }
    }
    let answer = post(&core.client, &parcel).await;
    tracing::debug!(
        url = parcel.url,
        order_id = parcel.text("order_id"),
        attempt = parcel.attempt,
        ?answer,
        "notified"
    );
    let mut state = core.state();
    state.sent.push(SentNotification {
        order_id: parcel.text("order_id").to_owned(),
        transaction_id: parcel.text("transaction_id").to_owned(),
        transaction_status: parcel.text("transaction_status").to_owned(),
        url: parcel.url.clone(),
        attempt: parcel.attempt,
        answer,
        at,
        body: parcel.body.clone(),
    });
    if parcel.attempt <= retries_after(answer) {
        let due = core.clock().now() + clock::delta(core.options.wait_after(parcel.attempt));
        state.outbox.send_later(due, Parcel { attempt: parcel.attempt + 1, ..parcel });
    }
}

/// The HTTP status at the end of the redirects, if anybody answered.
async fn post(client: &Client, parcel: &Parcel) -> Option<u16> {
    let mut url = Url::parse(&parcel.url).ok()?;
    let mut status = None;
    for _ in 0..=HOPS_MAX {
        let response = client
            .post(url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, "application/json")
            .header(USER_AGENT, "Veritrans")
            .body(parcel.body.to_string())
            .send()
            .await
            .ok()?;
        status = Some(response.status().as_u16());
        let next =
            response.headers().get(LOCATION).and_then(|to| to.to_str().ok()).and_then(|to| url.join(to).ok());
        match (status, next) {
            (Some(307 | 308), Some(next)) => url = next,
            _ => break,
        }
    }
    status
}
