//! `Prefer: wait=N` (RFC 7240): the answer waits a little until the payer knows what to do.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::{IntoResponseParts, ResponseParts};
use domain::Payment;

use super::App;
use super::shedding::Place;

/// Nobody waits longer, in seconds.
const WAIT_S_MAX: u64 = 10;
const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// How long the caller is ready to wait.
#[derive(Clone)]
pub(super) struct Wait {
    /// In seconds.
    pub(super) seconds: Option<u64>,
    /// What others may have meanwhile.
    place: Place,
}

/// The preference that was granted, for the header `Preference-Applied`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Applied(Option<u64>);

impl FromRequestParts<Arc<App>> for Wait {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _app: &Arc<App>) -> Result<Self, Infallible> {
        let place = parts.extensions.get::<Place>().cloned().unwrap_or_default();
        Ok(Self { seconds: wish_of(&parts.headers), place })
    }
}

impl IntoResponseParts for Applied {
    type Error = Infallible;

    fn into_response_parts(self, mut response: ResponseParts) -> Result<ResponseParts, Infallible> {
        let value = self.0.and_then(|seconds| HeaderValue::try_from(format!("wait={seconds}")).ok());
        if let Some(value) = value {
            response.headers_mut().insert(PREFERENCE_APPLIED, value);
        }
        Ok(response)
    }
}

impl App {
    /// Waits until the payer can be told what to do, or the payment has ended. Without a free place it does not wait.
    pub(super) async fn awaited(
        self: &Arc<Self>,
        wait: &Wait,
        payment: Arc<Payment>,
    ) -> (Arc<Payment>, Applied) {
        let Some(seconds) = wait.seconds else { return (payment, Applied(None)) };
        if is_known(&payment) {
            return (payment, Applied(Some(seconds)));
        }
        let Ok(_place) = self.watches.waiters.try_acquire() else { return (payment, Applied(None)) };
        wait.place.leave();
        // What is left of the time for a request is for the rest of it.
        let limit = Duration::from_secs(seconds).min(self.settings.request_timeout * 2 / 3);
        let mut watch = self.watch(Payment::clone(&payment));
        tokio::select! {
            () = async { watch.wait_for(is_known).await.map_or((), drop) } => {}
            () = tokio::time::sleep(limit) => {}
            () = self.stop.cancelled() => {}
        }
        let payment = Arc::new(watch.borrow().clone());
        (payment, Applied(Some(seconds)))
    }
}

/// True when there is an instruction, or none will come.
fn is_known(payment: &Payment) -> bool {
    payment.instruction.is_some() || !payment.state.is_live()
}

/// The first `wait` counts; what makes no sense is ignored, as RFC 7240 has it.
fn wish_of(headers: &HeaderMap) -> Option<u64> {
    let lines = headers.get_all("prefer").iter().filter_map(|line| line.to_str().ok());
    let mut preferences = lines.flat_map(|line| line.split(','));
    let value = preferences.find_map(|preference| {
        let (name, value) = preference.split(';').next()?.split_once('=')?;
        name.trim().eq_ignore_ascii_case("wait").then(|| value.trim().trim_matches('"'))
    })?;
    let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    // More digits than a number holds are a long wait as well.
    digits.then(|| value.parse().unwrap_or(WAIT_S_MAX).min(WAIT_S_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(lines: &[&'static str]) -> Option<u64> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append("prefer", HeaderValue::from_static(line));
        }
        wish_of(&headers)
    }

    #[test]
    fn the_wish_to_wait_is_found_among_others_and_cut() {
        assert_eq!(wish(&["wait=3"]), Some(3));
        assert_eq!(wish(&["respond-async, Wait = 7 ; a=b", "wait=2"]), Some(7));
        assert_eq!(wish(&["return=minimal", "wait=\"4\""]), Some(4));
        assert_eq!(wish(&["wait=0"]), Some(0));
        assert_eq!(wish(&["wait=11"]), Some(10));
        assert_eq!(wish(&["wait=99999999999999999999999999"]), Some(10));
    }

    #[test]
    fn what_makes_no_sense_is_ignored() {
        for line in ["", "wait", "wait=", "wait=soon", "wait=-1", "wait=1.5", "waiting=3", "=3", "wait=+3"] {
            assert_eq!(wish(&[line]), None, "{line}");
        }
    }
}
