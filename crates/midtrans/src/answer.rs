//! An answer of the gateway, and what it says about the call: the body's `status_code` decides (contract §1).

use std::time::Duration;

use domain::{Invoice, Method, Report};

use crate::CallError;
use crate::fields::Fields;
use crate::report;

/// The most complaints that are kept of one refusal.
const DETAILS_MAX: usize = 20;

/// What was asked, so that an answer about something else is not believed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Asked<'a> {
    /// A charge of this invoice.
    Charge(&'a Invoice, Method),
    /// Something about the transaction with this order id or transaction id.
    Transaction(&'a str),
}

/// What became of a refund that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refunding {
    /// The gateway has taken it on, now or when it was first asked with the same key.
    Accepted,
    /// The bank said no, in these words; the payment stays as it is.
    Denied(String),
}

/// An answer as it came.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) http: u16,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// What the answer reports, or why it reports nothing.
    pub(crate) fn read(&self, asked: Asked<'_>) -> Result<Report, CallError> {
        let (code, fields) = self.taken(asked)?;
        self.report(&code, &fields, asked)
    }

    /// What the gateway or the bank says to a refund that was asked for (contract §4).
    pub(crate) fn read_refund(&self, asked: Asked<'_>) -> Result<Refunding, CallError> {
        let (code, fields) = self.taken(asked)?;
        match (code.as_str(), self.http) {
            ("200" | "201", _) => Ok(Refunding::Accepted),
            ("202", 200) => Ok(Refunding::Denied(fields.words("status_message"))),
            (_, 202) => Err(CallError::Running),
            (code, _) => Err(CallError::Unknown(format!("status_code {code} to a refund"))),
        }
    }

    /// The code and the fields of an answer that is no refusal.
    fn taken(&self, asked: Asked<'_>) -> Result<(String, Fields), CallError> {
        let fields = Fields::parse(&self.body);
        let code = fields.as_ref().map(|fields| fields.words("status_code")).filter(|code| !code.is_empty());
        tracing::debug!(http.status = self.http, body.status_code = code.as_deref(), "the gateway answered");
        match (self.http, fields, code) {
            (429, _, _) => Err(CallError::RateLimited { retry_after: self.retry_after }),
            // We follow no redirects: the key must not go elsewhere.
            (300..=399, _, _) => Err(self.misconfigured_http()),
            (_, Some(fields), Some(code)) => match self.refusal(&code, &fields, asked) {
                Some(error) => Err(error),
                None => Ok((code, fields)),
            },
            (_, _, None) | (_, None, _) => Err(self.by_http()),
        }
    }

    /// The table of contract §5. What is not in it may have happened.
    fn refusal(&self, code: &str, fields: &Fields, asked: Asked<'_>) -> Option<CallError> {
        Some(match (code, asked) {
            // 407 is how the gateway says that something has expired, not an error (contract §3, §4).
            ("200" | "201" | "202" | "407", _) => return None,
            ("404", Asked::Transaction(_)) => CallError::NoSuchTransaction,
            // A charge knows no transaction that could be missing: the payer's wallet is (contract §2, OVO).
            ("404", Asked::Charge(..)) => refused(code, fields),
            ("406", _) => CallError::Duplicate,
            ("412", _) => CallError::Unchangeable,
            ("429", _) => CallError::RateLimited { retry_after: self.retry_after },
            ("400" | "402" | "408" | "409" | "410" | "411" | "413" | "414" | "501", _) => {
                refused(code, fields)
            }
            ("300" | "401" | "403" | "405", _) => {
                CallError::Misconfigured { code: code.to_owned(), message: fields.words("status_message") }
            }
            (_, _) => CallError::Unknown(format!("status_code {code}: {}", fields.words("status_message"))),
        })
    }

    fn report(&self, code: &str, fields: &Fields, asked: Asked<'_>) -> Result<Report, CallError> {
        let (method, about_it) = match asked {
            // A denial by the fraud check names no order (contract §2); the connection says whose answer it is.
            Asked::Charge(invoice, method) => {
                (Some(method), fields.text("order_id").is_none_or(|order| order == invoice.as_str()))
            }
            // Some methods put the transaction id into order_id (contract §3).
            Asked::Transaction(id) => (
                None,
                ["order_id", "transaction_id"].iter().any(|name| fields.text(name).as_deref() == Some(id)),
            ),
        };
        match report::read(fields, method) {
            Some(report) if about_it => Ok(report),
            Some(_) => Err(CallError::Unknown("the answer is about another transaction".to_owned())),
            None if self.http == 202 => Err(CallError::Running),
            None => Err(CallError::Unknown(format!("status_code {code} without a transaction_status"))),
        }
    }

    /// Without a `status_code` it was not the gateway's application that answered.
    fn by_http(&self) -> CallError {
        match self.http {
            202 => CallError::Running,
            401 | 403 | 404 | 405 | 407 => self.misconfigured_http(),
            status => CallError::Unknown(format!("HTTP {status} without the gateway's JSON")),
        }
    }

    fn misconfigured_http(&self) -> CallError {
        CallError::Misconfigured {
            code: self.http.to_string(),
            message: format!("HTTP {} from something that is not the gateway's application", self.http),
        }
    }
}

fn refused(code: &str, fields: &Fields) -> CallError {
    CallError::Refused {
        code: code.to_owned(),
        message: fields.words("status_message"),
        details: fields.texts("validation_messages", DETAILS_MAX),
    }
}

#[cfg(test)]
mod tests {
    use domain::{Amount, Event};
    use proptest::prelude::*;
    use serde_json::{Map, Value, json};

    use super::*;
    use crate::Notification;

    fn read(http: u16, body: impl Into<Vec<u8>>) -> Result<Report, CallError> {
        let invoice = Invoice::try_from("KSR-1").unwrap();
        let answer = Answer { http, retry_after: None, body: body.into() };
        let _ = answer.read(Asked::Transaction("KSR-1"));
        answer.read(Asked::Charge(&invoice, Method::Gopay))
    }

    fn event(code: &str, status: &str, fraud: Value) -> Event {
        let body = json!({ "status_code": code, "transaction_status": status, "fraud_status": fraud,
            "gross_amount": "10000.00", "order_id": "KSR-1" });
        read(200, body.to_string()).unwrap().event
    }

    #[test]
    fn paid_is_what_the_rule_says_and_nothing_else() {
        for status in ["settlement", "capture", "SETTLEMENT", "Capture"] {
            for fraud in [json!("accept"), json!("ACCEPT"), json!(""), Value::Null] {
                let paid = if status.to_lowercase() == "capture" { Event::Captured } else { Event::Settled };
                assert_eq!(event("200", status, fraud.clone()), paid);
                assert!(matches!(event("201", status, fraud.clone()), Event::Unheard(_)));
                assert!(matches!(event("202", status, fraud), Event::Unheard(_)));
            }
            for code in ["200", "201"] {
                assert_eq!(event(code, status, json!("challenge")), Event::Challenged);
                assert_eq!(event(code, status, json!("deny")), Event::Denied);
                assert!(matches!(event(code, status, json!("maybe")), Event::Unheard(_)));
            }
        }
    }

    #[test]
    fn money_without_an_amount_is_not_believed() {
        let paid = json!({ "status_code": "200", "transaction_status": "settlement", "order_id": "KSR-1" });
        assert!(matches!(read(200, paid.to_string()).unwrap().event, Event::Unheard(_)));
        let refunded =
            json!({ "status_code": "200", "transaction_status": "partial_refund", "refund_amount": "x" });
        assert!(matches!(read(200, refunded.to_string()).unwrap().event, Event::Unheard(_)));
    }

    #[test]
    fn words_that_nobody_has_heard_of_are_kept_short() {
        match event("200", &"new".repeat(100), Value::Null) {
            Event::Unheard(status) => assert_eq!(status.len(), 64),
            other => panic!("{other:?}"),
        }
        assert_eq!(event("200", "failure", Value::Null), Event::Errored);
    }

    #[test]
    fn another_currency_is_foreign() {
        let body = json!({ "status_code": "200", "transaction_status": "settlement", "gross_amount": "10000.00",
            "currency": "USD" });
        assert_eq!(read(200, body.to_string()).unwrap().amount, Amount::Foreign("10000.00 USD".to_owned()));
    }

    /// Any JSON.
    fn anything() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".*".prop_map(Value::from),
            "[0-9]{1,25}(\\.[0-9]{0,3})?".prop_map(Value::from),
            "(200|201|202|404|407|pending|settlement|deny|generate-qr-code|KSR-1)".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 32, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::vec((name(), inner), 0..6).prop_map(object),
            ]
        })
    }

    /// A field that somebody reads, or any other.
    fn name() -> impl Strategy<Value = String> {
        let read = "(order_id|transaction_id|transaction_status|status_code|gross_amount|currency|fraud_status|\
            va_numbers|bank|va_number|actions|name|url|expiry_time|refund_amount|account_id|account_status|\
            event_name|subscription|schedule|signature_key|validation_messages|store|payment_code)";
        prop_oneof![8 => read, 1 => ".*"]
    }

    fn object(fields: Vec<(String, Value)>) -> Value {
        Value::Object(Map::from_iter(fields))
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(http in 200_u16..600, body: Vec<u8>) {
            let _ = read(http, body.clone());
            let _ = Notification::parse(&body);
        }

        #[test]
        fn no_json_makes_it_panic(
            http in 200_u16..600,
            fields in proptest::collection::vec((name(), anything()), 0..12),
        ) {
            let body = object(fields).to_string();
            let _ = read(http, body.clone());
            let notification = Notification::parse(body.as_bytes()).unwrap();
            prop_assert!(!notification.is_signed_by(&["SB-Mid-server-test".into()]));
        }
    }
}
