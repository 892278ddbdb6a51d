//! What a visitor has typed: the fields of a form or of a query, and the proof that the form is one of ours.

use std::str::FromStr;
use std::sync::Arc;

use axum::extract::{FromRequest, FromRequestParts as _, Request};
use axum::http::HeaderMap;
use axum::http::header::{HOST, ORIGIN};
use axum::response::{IntoResponse as _, Redirect, Response};
use chrono::NaiveDate;
use domain::Rupiah;
use subtle::ConstantTimeEq as _;

use super::session::{View, Visitor};
use crate::http::admin::jobs::OrderReason;
use crate::http::admin::{REASON_CHARS_MAX, Why, text};
use crate::http::{App, Body, Problem};

/// The longest text that is looked for.
const WORDS_CHARS_MAX: usize = 255;

/// The fields of a form or of a query, as they came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    /// Reads `application/x-www-form-urlencoded`. What is none has no fields.
    pub(super) fn parse(text: &[u8]) -> Self {
        Self(form_urlencoded::parse(text).into_owned().collect())
    }

    pub(super) fn of(pairs: &[(&str, &str)]) -> Self {
        Self(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    /// What a field says, without the spaces around it. An empty field says nothing.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        Some(self.raw(name).trim()).filter(|value| !value.is_empty())
    }

    /// The same as an owned text.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.get(name).map(str::to_owned)
    }

    /// What a field holds, to the last space.
    pub(super) fn raw(&self, name: &str) -> &str {
        self.0.iter().find(|(given, _)| given == name).map_or("", |(_, value)| value)
    }

    /// The same for what is looked for in the books: a short text that prints.
    pub(super) fn words(&self, name: &str) -> Result<Option<String>, Problem> {
        let found = self.get(name).map(|given| text(name, given, WORDS_CHARS_MAX)).transpose()?;
        Ok(found.map(str::to_owned))
    }

    /// What a field says as a number, a day or the like. What makes no sense is told by the field's name.
    pub(super) fn read<T: FromStr>(&self, name: &str) -> Result<Option<T>, Problem> {
        let read = |text: &str| {
            text.parse().map_err(|_| Problem::Unprocessable(format!("`{name}` makes no sense: {text:?}")))
        };
        self.get(name).map(read).transpose()
    }

    /// What a field says as an amount of money; dots and the currency may stand in it, as people write them.
    pub(super) fn rupiah(&self, name: &str) -> Result<Option<Rupiah>, Problem> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let wrong = |_| Problem::Unprocessable(format!("`{name}` is no amount in rupiah: {text:?}"));
        text.parse().map(Some).map_err(wrong)
    }

    /// What a field says as a day.
    pub(super) fn day(&self, name: &str) -> Result<Option<NaiveDate>, Problem> {
        self.read(name)
    }

    /// A field that may not be empty.
    pub(super) fn need(&self, name: &str) -> Result<String, Problem> {
        self.text(name).ok_or_else(|| missing(name))
    }

    /// The same fields as the query of a link, without those named and without those that say nothing.
    pub(super) fn link(&self, without: &[&str]) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, value) in &self.0 {
            if !without.contains(&name.as_str()) && !value.trim().is_empty() {
                query.append_pair(name, value);
            }
        }
        query.finish()
    }
}

/// A field that was left empty and must not be.
pub(super) fn missing(name: &str) -> Problem {
    Problem::Unprocessable(format!("`{name}` is empty"))
}

/// The fields of a form that a page of ours sent, whoever filled it in.
pub(super) struct FromHere(pub(super) Fields);

impl<S: Send + Sync> FromRequest<S> for FromHere {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if !is_from_here(request.headers()) {
            return Err(Problem::ForeignForm);
        }
        let bytes = axum::body::Bytes::from_request(request, state).await.map_err(|_| Problem::TooLarge)?;
        Ok(Self(Fields::parse(&bytes)))
    }
}

/// A form of ours that somebody has filled in.
pub(super) struct Form {
    /// Who.
    pub(super) visitor: Visitor,
    /// With what.
    pub(super) fields: Fields,
}

impl FromRequest<Arc<App>> for Form {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let visitor = Visitor::from_request_parts(&mut parts, app).await?;
        let request = Request::from_parts(parts, body);
        let FromHere(fields) = FromHere::from_request(request, app).await?;
        check_token(&visitor, fields.raw("csrf"))?;
        Ok(Self { visitor, fields })
    }
}

/// A form carries what only pages of this session know.
pub(super) fn check_token(visitor: &Visitor, given: &str) -> Result<(), Problem> {
    let right = given.as_bytes().ct_eq(visitor.csrf.as_bytes());
    if bool::from(right) { Ok(()) } else { Err(Problem::ForeignForm) }
}

impl Form {
    /// Why the visitor does it.
    pub(super) fn reason(&self) -> Result<String, Problem> {
        Ok(text("reason", self.fields.raw("reason"), REASON_CHARS_MAX)?.to_owned())
    }

    /// The same as the REST service takes it for orders of jobs.
    pub(super) fn order(&self) -> Result<Body<OrderReason>, Problem> {
        Ok(Body(OrderReason { reason: self.reason()? }))
    }

    /// The same as the REST service takes it, where a reason may be left out.
    pub(super) fn why(&self) -> Why {
        Why { reason: self.fields.text("reason") }
    }
}

/// Leads to a page that says what was done. Reloading that page does nothing again.
pub(super) fn done(path: &str, said: &str) -> Response {
    let mark = if path.contains('?') { '&' } else { '?' };
    Redirect::to(&format!("{path}{mark}said={said}")).into_response()
}

/// Whether a page of our own sent the request, as far as the browser says. Old browsers say nothing; the token decides.
pub(super) fn is_from_here(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    match (text("sec-fetch-site"), text(ORIGIN.as_str())) {
        (Some(site), _) => site == "same-origin" || site == "none",
        (None, Some(origin)) => {
            let authority = origin.split_once("://").map(|(_, authority)| authority);
            authority.is_some() && authority == text(HOST.as_str())
        }
        (None, None) => true,
    }
}

/// A choice of a list, as `<option>`s have it: value and text.
pub(super) type Choice<'a> = (&'a str, &'a str);

/// The value that a query asks for, as far as it is one of these.
pub(super) fn chosen<'a>(view: &View, name: &str, of: &[&'a str]) -> Option<&'a str> {
    let asked = view.query.get(name)?;
    of.iter().copied().find(|value| *value == asked)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn amounts_are_read_as_people_write_them() {
        let read = |text: &str| Fields::of(&[("price", text)]).rupiah("price");
        let million = Rupiah::try_from(1_250_000).unwrap();
        for text in ["1250000", "1.250.000", " Rp1.250.000 ", "Rp 1.250.000"] {
            assert_eq!(read(text), Ok(Some(million)), "{text}");
        }
        assert_eq!(read("  "), Ok(None));
        for bad in ["-5", "1,5", "10.5", "1000000.00", "+10", "1 0", "abc", "99999999999999999999"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_looked_for_is_short_and_prints() {
        let words = |given: &str| Fields::of(&[("q", given)]).words("q");
        assert_eq!(words(" KSR-1 "), Ok(Some("KSR-1".to_owned())));
        assert_eq!(words(""), Ok(None));
        for bad in ["a\0b", &"x".repeat(256)] {
            assert!(words(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_form_of_another_site_is_known_by_its_headers() {
        let headers = |pairs: &[(&'static str, &str)]| {
            pairs
                .iter()
                .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
                .collect::<HeaderMap>()
        };
        let host = ("host", "kost.test:8080");
        assert!(is_from_here(&headers(&[host])));
        assert!(is_from_here(&headers(&[host, ("origin", "https://kost.test:8080")])));
        assert!(is_from_here(&headers(&[host, ("sec-fetch-site", "same-origin")])));
        for foreign in [
            &[host, ("origin", "https://evil.test")][..],
            &[host, ("origin", "null")],
            &[host, ("sec-fetch-site", "cross-site")],
            &[host, ("sec-fetch-site", "same-site"), ("origin", "https://kost.test:8080")],
        ] {
            assert!(!is_from_here(&headers(foreign)), "{foreign:?}");
        }
    }

    proptest! {
        #[test]
        fn a_link_says_what_the_fields_said(pairs in prop::collection::vec(("[a-z]{1,4}", ".{0,12}"), 0..6)) {
            let said: Vec<_> = pairs.into_iter().filter(|(_, value)| !value.trim().is_empty()).collect();
            let fields = Fields(said);
            prop_assert_eq!(Fields::parse(fields.link(&[]).as_bytes()), fields);
        }
    }

    #[test]
    fn a_link_keeps_what_was_asked_for() {
        let fields = Fields::parse(b"state=dead&kind=&error=a+b%26c&after=9");
        assert_eq!(fields.link(&["after"]), "state=dead&error=a+b%26c");
    }
}
