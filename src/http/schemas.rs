//! Shapes for the OpenAPI document that no type of the service has: what the domain writes, and headers.
#![expect(dead_code, reason = "they are described and never made")]

use utoipa::{IntoParams, ToSchema};

/// A failure (RFC 9457).
#[derive(ToSchema)]
#[schema(as = Problem)]
pub(super) struct ProblemDetails {
    /// The path of a page that explains it; stable.
    #[schema(example = "/problems/bill-already-paid", pattern = "^/problems/[a-z-]+$")]
    r#type: String,
    /// What happened, in a sentence.
    title: String,
    /// The status of the answer.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What is wrong with this request.
    #[schema(nullable = false)]
    detail: Option<String>,
}

/// It is done; there is nothing to add.
#[derive(ToSchema)]
pub(super) struct Done {}

/// How it is with a notification, or with the place where they are taken.
#[derive(ToSchema)]
pub(super) struct Stored {
    #[schema(example = "stored")]
    status: String,
}

/// How a bill stands.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(super) enum BillStatus {
    Unpaid,
    Pending,
    Paid,
}

/// How a payment stands.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(super) enum PaymentStatus {
    Pending,
    Paid,
    Failed,
    Refunded,
}

/// What a person is to the house.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(super) enum Role {
    Tenant,
    Admin,
}

/// What the payer needs: a number, a code, a picture or a link. Links are opaque.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[serde(tag = "kind")]
pub(super) enum Instruction {
    /// Transfer to this account.
    VirtualAccount { bank: String, number: String },
    /// Pay this bill at Mandiri.
    #[schema(rename_all = "camelCase")]
    MandiriBill { biller_code: String, bill_key: String },
    /// Scan this code, or open the wallet.
    #[schema(rename_all = "camelCase")]
    Qr { image_url: Option<String>, qr_string: Option<String>, deeplink_url: Option<String> },
    /// Open the wallet.
    Deeplink { url: String },
    /// Tell the cashier of the store this code.
    PaymentCode { store: String, code: String },
    /// Go on at this page; `token` names it where it is the gateway's hosted one.
    Redirect { url: String, token: Option<String> },
    /// Open the wallet on the telephone of this number and confirm.
    Push { phone: String },
}

/// A notification of Midtrans. It may hold more fields.
#[derive(ToSchema)]
pub(super) struct Notification {
    #[schema(min_length = 1, max_length = 255, pattern = "^[A-Za-z0-9_~.-]+$")]
    order_id: String,
    status_code: String,
    gross_amount: String,
    signature_key: String,
    transaction_id: Option<String>,
    transaction_status: Option<String>,
}

/// The wish to wait.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
pub(super) struct Prefer {
    /// `wait=N`: the answer waits up to N seconds, ten at most, until the payer knows what to do.
    #[param(rename = "Prefer", example = "wait=5")]
    prefer: Option<String>,
}

/// The name of a request.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
pub(super) struct IdempotencyKey {
    /// The same request with the same key gets the first answer again for 72 hours.
    #[param(rename = "Idempotency-Key", min_length = 1, max_length = 255, pattern = "^[!-~]{1,255}$")]
    key: Option<String>,
}

/// Where a front end stopped listening.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
pub(super) struct LastEventId {
    /// The `id` of the last event that was heard.
    #[param(rename = "Last-Event-ID")]
    id: Option<String>,
}
