//! `GET /api/payment-methods`.

use std::sync::Arc;

use axum::extract::State;
use domain::{ChargeAs, Method, MethodId, RuleBook, Rules, Rupiah};
use serde::Serialize;
use store::methods::Offered;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::body::Written;
use super::openapi::{Routes, Who, told};
use super::{App, Problem};

/// A way to pay, as a front end shows it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PaymentMethod)]
pub(crate) struct MethodView {
    #[schema(value_type = i64, minimum = 1)]
    id: MethodId,
    name: &'static str,
    title: String,
    logo: String,
    active: bool,
    /// The least that can be paid by it, in rupiah.
    #[schema(value_type = i64, minimum = 0, maximum = 999_999_999_999_999_i64)]
    min: Rupiah,
    /// The most that can be paid by it, in rupiah.
    #[schema(value_type = i64, minimum = 0, maximum = 999_999_999_999_999_i64)]
    max: Rupiah,
    /// How long the payer usually has.
    valid_for_minutes: u64,
    /// Whether the payer's telephone number is needed.
    needs_phone: bool,
}

impl MethodView {
    pub(super) fn new(offered: Offered, rules: &RuleBook) -> Self {
        let Offered { id, method, title, logo, active } = offered;
        let Rules { min, max, valid_for, .. } = rules.of(method);
        let needs_phone = needs_phone(method);
        let valid_for_minutes = valid_for.as_secs() / 60;
        Self { id, name: method.code(), title, logo, active, min, max, valid_for_minutes, needs_phone }
    }
}

/// Whether the wallet of a telephone number is asked.
pub(super) fn needs_phone(method: Method) -> bool {
    method.profile().charge == ChargeAs::Ovo
}

pub(super) fn routes() -> Routes {
    Routes::new().routes(told(routes!(list), Who::Anyone, &[]))
}

/// The ways to pay.
#[utoipa::path(get, path = "/api/payment-methods", tag = "methods", operation_id = "listPaymentMethods", responses((status = 200, description = "The methods", body = Vec<MethodView>)))]
pub(super) async fn list(State(app): State<Arc<App>>) -> Result<Written, Problem> {
    app.methods_told(|offered| told_of(offered, &app.settings.rules)).await
}

fn told_of(offered: &[Offered], rules: &RuleBook) -> Result<Written, Problem> {
    let views: Vec<_> = offered.iter().map(|one| MethodView::new(one.clone(), rules)).collect();
    Written::of(&views)
}
