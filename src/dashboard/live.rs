//! Liveness: parts of a page that are told anew, over server-sent events, when they read otherwise than before.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use futures::stream;
use maud::{Markup, html};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::{Instant, sleep};

use super::session::Visitor;
use crate::http::{App, NO_BUFFERING, Problem, name_of};

/// How often is looked.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A look that failed is tried again after this.
const AFTER_TROUBLE: Duration = Duration::from_secs(5);
/// After so long the stream ends; a page that is still open comes back.
const STREAM_FOR: Duration = Duration::from_secs(600);

/// The parts of a page that live, each with its name.
pub(super) type Parts = Vec<(&'static str, Markup)>;

/// The parts on the page, kept up to date from `link`.
pub(super) fn region(link: &str, parts: &Parts) -> Markup {
    let mark = if link.contains('?') { '&' } else { '?' };
    let link = format!("{link}{mark}seen={}", print_of(parts));
    html! {
        div hx-ext="sse" sse-connect=(link) {
            @for (name, part) in parts { div.live sse-swap=(name) { (part) } }
        }
    }
}

/// Two pages with the same print read the same.
fn print_of(parts: &Parts) -> String {
    print(&parts.iter().map(|(_, part)| part.0.as_str()).collect::<String>())
}

/// Two texts with the same print read the same.
pub(super) fn print(text: &str) -> String {
    let mut print = name_of(text);
    print.truncate(16);
    print
}

/// The stream of a page. `look` reads its parts as they stand.
pub(super) fn stream<F, L>(app: Arc<App>, visitor: Visitor, look: F) -> Result<Response, Problem>
where
    F: Fn(Arc<App>, Visitor) -> L + Send + Sync + 'static,
    L: Future<Output = Result<Parts, Problem>> + Send + 'static,
{
    let place = Arc::clone(&app.watches.streams).try_acquire_owned();
    let place = place.map_err(|_full| Problem::TooManyStreams)?;
    let (sender, receiver) = mpsc::channel(8);
    tokio::spawn(tell(Telling { app, visitor, sender, _place: place }, look));
    let events = stream::unfold(receiver, |mut receiver| async move {
        let event: Event = receiver.recv().await?;
        Some((Ok::<_, Infallible>(event), receiver))
    });
    Ok(([NO_BUFFERING], Sse::new(events).keep_alive(KeepAlive::new())).into_response())
}

/// A stream that is being told. Its place is free again when it ends or the page goes away.
struct Telling {
    app: Arc<App>,
    visitor: Visitor,
    sender: mpsc::Sender<Event>,
    _place: OwnedSemaphorePermit,
}

async fn tell<F, L>(telling: Telling, look: F)
where
    F: Fn(Arc<App>, Visitor) -> L,
    L: Future<Output = Result<Parts, Problem>>,
{
    let Telling { app, visitor, sender, .. } = &telling;
    let until = Instant::now() + STREAM_FOR;
    let seen = visitor.view.query.get("seen");
    let mut known: Option<Parts> = None;
    while Instant::now() < until && visitor.is_still_in(app).await {
        let pause = match look(Arc::clone(app), visitor.clone()).await {
            Ok(parts) => {
                // The page that asks may show just this.
                let is_shown = known.is_none() && seen == Some(print_of(&parts).as_str());
                if !is_shown && !send(sender, &parts, known.as_ref()).await {
                    return;
                }
                known = Some(parts);
                LOOK_EVERY
            }
            Err(_told) => AFTER_TROUBLE,
        };
        tokio::select! {
            () = sleep(pause) => {}
            () = sender.closed() => return,
            () = app.stop.cancelled() => return,
        }
    }
}

/// Sends the parts that read otherwise than before. False when nobody listens any more.
async fn send(sender: &mpsc::Sender<Event>, parts: &Parts, known: Option<&Parts>) -> bool {
    for (name, part) in parts {
        let before = known.and_then(|known| known.iter().find(|(other, _)| other == name));
        if before.is_some_and(|(_, before)| before.0 == part.0) {
            continue;
        }
        let event = Event::default().event(*name).data(part.0.as_str());
        if sender.send(event).await.is_err() {
            return false;
        }
    }
    true
}
