//! The gate that every call passes: whether it may go now, and what is told of it afterwards.

use std::time::Duration;

use futures::future::BoxFuture;
use reqwest::Request;
use serde_json::Value;

use crate::CallError;
use crate::answer::Answer;
use crate::fields::Fields;

/// What is kept of an answer; real ones have a few kilobytes.
const ANSWER_BYTES_KEPT_MAX: usize = 16 * 1024;

/// Fields whose value opens something: a card, a page, or the sender's seal.
const SECRET_FIELDS: [&str; 5] = ["token", "token_id", "saved_token_id", "redirect_url", "signature_key"];

const MASKED: &str = "***";

/// Lets calls go or holds them back, and hears what became of them.
pub trait Gate: Send + Sync {
    /// Asks to make a call. It may wait a moment; the error says after how long to try again.
    fn enter(&self, urgency: Urgency) -> BoxFuture<'_, Result<(), Duration>>;

    /// Hears of a call that was let go, once. Not of one whose caller went away before its end.
    fn heard<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, ()>;
}

/// Whether somebody waits for the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Urgency {
    /// Somebody does.
    Now,
    /// Nobody does: polls and comparisons, which leave room for the others.
    Patient,
}

/// A call that was made, as it may be kept: without keys and tokens.
#[derive(Debug, Clone)]
pub struct Call {
    /// The order id or transaction id that it is about, where the request tells.
    pub name: Option<String>,
    /// `GET` or `POST`.
    pub verb: String,
    /// The path without the query; the token of a page is masked.
    pub path: String,
    /// The HTTP status of the answer; `None` without an answer.
    pub http: Option<u16>,
    /// The body of the answer, at most 16 KiB; tokens and signatures are masked.
    pub answer: String,
    /// Why there is no answer.
    pub error: Option<String>,
    /// From the sending to the last byte.
    pub took: Duration,
    /// What it says of the gateway.
    pub health: Health,
}

/// What a call says of the gateway, whatever it says of the transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// It answers.
    Well,
    /// It wants fewer calls (429), for as long as it says.
    Busy(Option<Duration>),
    /// It cannot be reached, does not answer, or answers with 5xx.
    Ill,
}

/// What a request tells of itself.
pub(crate) struct Asking {
    name: Option<String>,
    verb: String,
    path: String,
}

impl Asking {
    pub(crate) fn of(request: &Request) -> Self {
        let segments: Vec<&str> = request.url().path_segments().into_iter().flatten().collect();
        let body = || request.body().and_then(|body| Fields::parse(body.as_bytes()?));
        let (name, path) = match segments.as_slice() {
            ["v2", "charge"] | ["snap", "v1", "transactions"] => {
                let details = body().and_then(|body| body.object("transaction_details"));
                (details.and_then(|details| details.text("order_id")), None)
            }
            ["v2", "capture"] => (body().and_then(|body| body.text("transaction_id")), None),
            ["v2", id, ..] => (Some((*id).to_owned()), None),
            ["snap", "v1", "transactions", _token, verbs @ ..] => {
                let masked = [&["", "snap", "v1", "transactions", MASKED], verbs].concat().join("/");
                (None, Some(masked))
            }
            _ => (None, None),
        };
        let path = path.unwrap_or_else(|| request.url().path().to_owned());
        Self { name, verb: request.method().to_string(), path }
    }

    pub(crate) fn ended(self, ended: &Result<Answer, CallError>, took: Duration) -> Call {
        let Self { name, verb, path } = self;
        let (http, answer, error) = match ended {
            Ok(answer) => (Some(answer.http), kept(&answer.body), None),
            Err(error) => (None, String::new(), Some(error.to_string())),
        };
        Call { name, verb, path, http, answer, error, took, health: health(ended) }
    }
}

fn health(ended: &Result<Answer, CallError>) -> Health {
    let Ok(answer) = ended else { return Health::Ill };
    let code = Fields::parse(&answer.body).map(|fields| fields.words("status_code")).unwrap_or_default();
    match (answer.http, code.as_str()) {
        (429, _) | (_, "429") => Health::Busy(answer.retry_after),
        // What is not built yet is refused by a gateway that works (contract §5).
        (200..=299, "501") => Health::Well,
        (500.., _) => Health::Ill,
        (_, code) if code.len() == 3 && code.starts_with('5') => Health::Ill,
        (_, _) => Health::Well,
    }
}

/// The answer as it came where there is nothing to mask. No database takes the character zero.
fn kept(body: &[u8]) -> String {
    let mut text = String::from_utf8_lossy(body).replace('\0', "\u{fffd}");
    match serde_json::from_slice::<Value>(body) {
        Ok(mut value) => {
            if mask(&mut value) > 0 {
                text = value.to_string();
            }
        }
        Err(_) if names_a_secret(&text) => MASKED.clone_into(&mut text),
        Err(_) => {}
    }
    text.truncate(text.floor_char_boundary(ANSWER_BYTES_KEPT_MAX));
    text
}

/// A text with what nobody else may have masked: as what it says where it is JSON, and otherwise as the text it is.
#[must_use]
pub fn masked(text: &str) -> Value {
    match serde_json::from_str(text) {
        Ok(mut value) => {
            mask(&mut value);
            value
        }
        // Nobody can say where in it the secret ends: half a surrogate or a number that is too large, and it is no JSON.
        Err(_) if names_a_secret(text) => Value::from(MASKED),
        Err(_) => Value::from(text),
    }
}

fn names_a_secret(text: &str) -> bool {
    SECRET_FIELDS.iter().any(|name| text.contains(name))
}

/// Masks what of the gateway's words nobody else may have: tokens, links with tokens, and signatures. Gives how many there
/// were.
pub fn mask(value: &mut Value) -> usize {
    let field = |(name, value): (&String, &mut Value)| {
        if SECRET_FIELDS.contains(&name.as_str()) && !value.is_null() {
            *value = Value::from(MASKED);
            return 1;
        }
        mask(value)
    };
    match value {
        Value::Object(fields) => fields.iter_mut().map(field).sum(),
        Value::Array(items) => items.iter_mut().map(mask).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(http: u16, body: &str) -> Health {
        health(&Ok(Answer { http, retry_after: Some(Duration::from_secs(7)), body: body.into() }))
    }

    #[test]
    fn the_gateway_is_well_as_long_as_it_answers_whatever_it_says() {
        for (http, body) in [
            (200, r#"{"status_code":"404"}"#),
            (200, r#"{"status_code":"412"}"#),
            (200, r#"{"status_code":"501"}"#),
            (401, r#"{"status_code":"401"}"#),
            (400, r#"{"error_messages":["no"]}"#),
            (404, "<html>"),
            (200, ""),
        ] {
            assert_eq!(answered(http, body), Health::Well, "{http} {body}");
        }
    }

    #[test]
    fn trouble_is_known_by_its_status_and_by_its_body() {
        for (http, body) in [
            (500, ""),
            (502, "<html>"),
            (504, "null"),
            (200, r#"{"status_code":"500"}"#),
            (200, r#"{"status_code":503}"#),
            (200, r#"{"status_code":"505"}"#),
        ] {
            assert_eq!(answered(http, body), Health::Ill, "{http} {body}");
        }
        assert_eq!(health(&Err(CallError::NotSent("no route".to_owned()))), Health::Ill);
        assert_eq!(health(&Err(CallError::Unknown("timed out".to_owned()))), Health::Ill);
        for (http, body) in [(429, ""), (200, r#"{"status_code":"429"}"#)] {
            assert_eq!(answered(http, body), Health::Busy(Some(Duration::from_secs(7))), "{http} {body}");
        }
    }

    #[test]
    fn what_opens_something_is_masked_wherever_it_stands() {
        let plain = r#"{ "b": 1, "a": "10000.00" }"#;
        assert_eq!(kept(plain.as_bytes()), plain, "what has no secret stays as it was written");
        let page = kept(br#"{"token":"t-1","redirect_url":"https:\/\/x\/t-1"}"#);
        assert_eq!(page, r#"{"redirect_url":"***","token":"***"}"#);
        let deep =
            kept(br#"{"list":[{"saved_token_id":"card-1","token":"t-2"}],"signature_key":"s","token":null}"#);
        assert!(!["card-1", "t-2", "\"s\""].iter().any(|secret| deep.contains(secret)), "{deep}");
    }

    #[test]
    fn what_cannot_be_read_to_its_end_is_masked_whole() {
        for odd in [r#""\ud800""#, "1e999", &"[".repeat(200)] {
            let body = format!(r#"{{"signature_key":"5ea1","odd":{odd}}}"#);
            assert_eq!(kept(body.as_bytes()), MASKED, "{odd}");
            assert_eq!(masked(&body), MASKED, "{odd}");
        }
        assert_eq!(kept(b"<html>busy</html>"), "<html>busy</html>");
        assert_eq!(masked("<html>busy</html>"), "<html>busy</html>");
    }

    #[test]
    fn a_long_answer_is_cut_between_characters_and_holds_no_zero() {
        let text = kept("é".repeat(ANSWER_BYTES_KEPT_MAX).as_bytes());
        assert_eq!(text.len(), ANSWER_BYTES_KEPT_MAX);
        assert_eq!(kept(b"a\0b\xff"), "a\u{fffd}b\u{fffd}");
    }
}
