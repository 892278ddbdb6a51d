//! The gateway's hosted page (Snap), on which cards are typed in: it speaks another dialect than the Core API.

use domain::{Amount, Event, Instruction, Page, Report};

use crate::CallError;
use crate::answer::Answer;
use crate::fields::Fields;

/// The most complaints that are kept of one refusal.
const DETAILS_MAX: usize = 20;

/// The page that was made, as a report: the payer may go there. No transaction exists before the payer has chosen.
pub(crate) fn made(answer: &Answer) -> Result<Report, CallError> {
    let fields = taken(answer)?;
    let (Some(url), Some(token)) = (fields.text("redirect_url"), fields.text("token")) else {
        return Err(CallError::Unknown("the answer names no page".to_owned()));
    };
    Ok(Report {
        event: Event::Accepted,
        order_id: None,
        transaction_id: None,
        amount: Amount::Unsaid,
        expires_at: None,
        settled_at: None,
        instruction: Some(Instruction::Redirect { url, token: Some(token) }),
        refunds: Vec::new(),
        page: Page::Open,
    })
}

/// That the page is closed.
pub(crate) fn closed(answer: &Answer) -> Result<(), CallError> {
    taken(answer).map(drop)
}

/// Snap has no `status_code`: HTTP tells, and `error_messages` tell people why (contract §2).
fn taken(answer: &Answer) -> Result<Fields, CallError> {
    let fields = Fields::parse(&answer.body);
    let complaints =
        fields.as_ref().map(|fields| fields.texts("error_messages", DETAILS_MAX)).unwrap_or_default();
    match (answer.http, fields) {
        (200..=299, Some(fields)) => Ok(fields),
        (429, _) => Err(CallError::RateLimited { retry_after: answer.retry_after }),
        (300..=399 | 401 | 403 | 405 | 407, _) => Err(CallError::Misconfigured {
            code: answer.http.to_string(),
            message: match complaints.first() {
                Some(complaint) => complaint.clone(),
                None => format!("HTTP {} from something that is not the gateway's page", answer.http),
            },
        }),
        (400..=499, Some(_)) if !complaints.is_empty() => Err(CallError::Refused {
            code: answer.http.to_string(),
            message: "the gateway makes no such page".to_owned(),
            details: complaints,
        }),
        (http, _) => Err(CallError::Unknown(format!("HTTP {http} without the JSON of the gateway's page"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(http: u16, body: &str) -> Answer {
        Answer { http, retry_after: None, body: body.into() }
    }

    #[test]
    fn a_page_is_an_address_and_a_token() {
        let report = made(&answer(201, r#"{"token":"t-1","redirect_url":"https://x/t-1"}"#)).unwrap();
        let expected =
            Instruction::Redirect { url: "https://x/t-1".to_owned(), token: Some("t-1".to_owned()) };
        assert_eq!((report.event, report.instruction), (Event::Accepted, Some(expected)));
        assert_eq!(report.transaction_id, None);
    }

    #[test]
    fn what_is_no_page_is_not_believed() {
        let told = |http, body| made(&answer(http, body)).unwrap_err();
        for (http, body) in
            [(201, "{}"), (201, ""), (500, "{}"), (502, "<html>"), (400, "<html>"), (404, "{}")]
        {
            assert!(matches!(told(http, body), CallError::Unknown(_)), "{http} {body}");
        }
        let complaint = r#"{"error_messages":["transaction_details.order_id has already been taken"]}"#;
        assert!(matches!(told(400, complaint), CallError::Refused { details, .. } if details.len() == 1));
        assert!(matches!(told(401, complaint), CallError::Misconfigured { .. }));
        assert!(matches!(told(302, ""), CallError::Misconfigured { .. }));
        assert!(matches!(told(429, ""), CallError::RateLimited { .. }));
    }

    #[test]
    fn a_closed_page_says_when() {
        assert!(closed(&answer(200, r#"{"canceled_at":"2025-06-03T13:09:39.776Z"}"#)).is_ok());
        let refused = closed(&answer(400, r#"{"error_messages":["token already canceled"]}"#));
        assert!(matches!(refused, Err(CallError::Refused { .. })));
    }
}
