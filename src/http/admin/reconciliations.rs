//! `GET` and `POST /api/admin/reconciliations`, what one came to, and the trial balance of the journal.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use chrono::NaiveDate;
use domain::Time;
use serde::{Deserialize, Serialize};
use store::audit::By;
use store::reconciliation_items::{self as items, Verdict};
use store::reconciliations::{self, Run};
use store::{Page, journal};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use super::export::{self, PAGE_ROWS};
use super::paging::{Listed, Paging, Wish};
use super::{Asked, Perhaps, Row, Why};
use crate::http::openapi::{Routes, Who, told};
use crate::http::{Admin, App, Problem, Staff};
use crate::reconciling::{self, Window};

/// A comparison of our books with the gateway's.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Reconciliation)]
pub(crate) struct RunView {
    pub(crate) id: i64,
    /// `nightly` or `manual`.
    kind: String,
    /// Whether nothing is changed.
    dry_run: bool,
    wanted_by: String,
    #[schema(value_type = String, format = DateTime)]
    from: Time,
    #[schema(value_type = String, format = DateTime)]
    to: Time,
    /// `waiting`, `running` or `done`.
    state: String,
    /// Payments that it is about.
    total: i64,
    /// Payments that the gateway was asked about.
    asked: i64,
    /// Both said the same.
    agreed: i64,
    /// Our books were behind.
    repaired: i64,
    /// A person must look.
    findings: i64,
    /// The gateway gave no answer.
    errors: i64,
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
    #[schema(value_type = Option<String>, format = DateTime)]
    started_at: Option<Time>,
    #[schema(value_type = Option<String>, format = DateTime)]
    finished_at: Option<Time>,
    /// From its beginning to its end.
    duration_ms: Option<i64>,
}

/// One payment of a comparison.
#[derive(Serialize, ToSchema)]
#[schema(as = ReconciliationItem)]
struct ItemView {
    id: i64,
    invoice: String,
    /// `agreed`, `repaired`, `finding` or `error`.
    verdict: String,
    /// How our books had it.
    before: String,
    /// How they have it now, or would have it.
    after: String,
    detail: String,
    #[schema(value_type = String, format = DateTime)]
    at: Time,
}

/// What is to be compared.
#[derive(Deserialize, ToSchema, Default)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Order {
    /// Payments that lived on this day in Jakarta or later; a week before `to` where nothing is said.
    #[schema(value_type = Option<String>, format = Date)]
    pub(crate) from: Option<NaiveDate>,
    /// And began on this day or earlier; today where nothing is said.
    #[schema(value_type = Option<String>, format = Date)]
    pub(crate) to: Option<NaiveDate>,
    /// Whether nothing is to be changed.
    #[serde(default)]
    pub(crate) dry_run: bool,
    #[serde(flatten)]
    pub(crate) why: Why,
}

/// Which payments of a comparison are wanted.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// Those that came to this: `agreed`, `repaired`, `finding` or `error`.
    #[param(pattern = "^(agreed|repaired|finding|error)$")]
    verdict: Option<String>,
}

/// Every account of the journal. `balance` is `debit` less `credit`, and together the balances are nothing.
#[derive(Serialize, ToSchema)]
struct TrialBalance {
    accounts: Vec<AccountView>,
    /// Nothing, or the journal is damaged.
    sum: i64,
}

/// What was posted on an account, in rupiah.
#[derive(Serialize, ToSchema)]
#[schema(as = Account)]
struct AccountView {
    account: &'static str,
    debit: i64,
    credit: i64,
    balance: i64,
}

/// What is compared where nobody says so.
const USUAL_DAYS: u64 = 7;

pub(super) fn routes() -> Routes {
    Routes::new()
        .routes(told(routes!(list), Who::Admin, &[]))
        .routes(told(routes!(start), Who::Staff, &[]))
        .routes(told(routes!(show), Who::Admin, &[]))
        .routes(told(routes!(list_items), Who::Admin, &[]))
        .routes(told(routes!(download), Who::Admin, &[]))
        .routes(told(routes!(balance), Who::Admin, &[]))
}

/// The comparisons, newest first.
#[utoipa::path(get, path = "/api/admin/reconciliations", tag = "admin", operation_id = "listReconciliations", params(Wish), responses((status = 200, description = "A page", body = Vec<RunView>)))]
async fn list(State(app): State<Arc<App>>, _: Admin, paging: Paging) -> Result<Listed<RunView>, Problem> {
    let runs = reconciliations::list(&app.db, paging.page()).await?;
    Ok(paging.answer(runs.into_iter().map(RunView::from).collect(), |run| run.id))
}

/// Compares a window of our books with the gateway's.
#[utoipa::path(post, path = "/api/admin/reconciliations", tag = "admin", operation_id = "startReconciliation", request_body = Option<Order>, responses((status = 202, description = "It is being made", body = RunView)))]
pub(crate) async fn start(
    State(app): State<Arc<App>>,
    admin: Staff,
    Perhaps(order): Perhaps<Order>,
) -> Result<(StatusCode, Json<RunView>), Problem> {
    let now = app.clock.now();
    let to = order.to.unwrap_or_else(|| domain::date_of(now));
    let week_before = to.checked_sub_days(chrono::Days::new(USUAL_DAYS)).unwrap_or(to);
    let window = Window { from: order.from.unwrap_or(week_before), to };
    window.check().map_err(Problem::Unprocessable)?;
    let by = By { actor: &admin.actor(), reason: order.why.reason()?, now };
    let wanted = reconciling::want(&app.db, &app.clock, (window, order.dry_run), &by).await?;
    // Its name was drawn just now; somebody else cannot have drawn the same.
    let wanted = wanted.ok_or(Problem::Contended)?;
    // As it was written down, before a worker begins it.
    let run = reconciliations::find(&app.db, wanted.id).await?.ok_or(Problem::NotFound)?;
    app.queue.wake(wanted.jobs);
    Ok((StatusCode::ACCEPTED, Json(RunView::from(run))))
}

/// A comparison, and how far it is.
#[utoipa::path(get, path = "/api/admin/reconciliations/{id}", tag = "admin", operation_id = "showReconciliation", responses((status = 200, description = "The comparison", body = RunView)))]
async fn show(State(app): State<Arc<App>>, _: Admin, Row(id): Row) -> Result<Json<RunView>, Problem> {
    let run = reconciliations::find(&app.db, id).await?.ok_or(Problem::NotFound)?;
    Ok(Json(RunView::from(run)))
}

/// What a comparison came to, payment by payment.
#[utoipa::path(get, path = "/api/admin/reconciliations/{id}/items", tag = "admin", operation_id = "listReconciliationItems", params(Filter, Wish), responses((status = 200, description = "A page", body = Vec<ItemView>)))]
async fn list_items(
    State(app): State<Arc<App>>,
    _: Admin,
    (Row(id), paging): (Row, Paging),
    Asked(filter): Asked<Filter>,
) -> Result<Listed<ItemView>, Problem> {
    reconciliations::find(&app.db, id).await?.ok_or(Problem::NotFound)?;
    let found = items::items(&app.db, id, verdict(&filter)?, paging.page()).await?;
    Ok(paging.answer(found.into_iter().map(ItemView::from).collect(), |item| item.id))
}

/// The same as CSV, whole.
#[utoipa::path(get, path = "/api/admin/reconciliations/{id}/export", tag = "admin", operation_id = "exportReconciliation", params(Filter), responses((status = 200, description = "All of them", body = String, content_type = "text/csv")))]
async fn download(
    State(app): State<Arc<App>>,
    _: Admin,
    Row(id): Row,
    Asked(filter): Asked<Filter>,
) -> Result<Response, Problem> {
    reconciliations::find(&app.db, id).await?.ok_or(Problem::NotFound)?;
    let verdict = verdict(&filter)?;
    let pages = futures::stream::try_unfold(None, move |after: Option<i64>| {
        let app = Arc::clone(&app);
        async move {
            let page = items::items(&app.db, id, verdict, Page { after, limit: PAGE_ROWS }).await?;
            let next = page.last().map(|last| last.id);
            Ok(next.map(|next| (page.into_iter().map(cells).collect::<Vec<_>>(), Some(next))))
        }
    });
    let columns = ["invoice", "verdict", "before", "after", "detail", "at"];
    Ok(export::answer(&format!("reconciliation-{id}"), &columns, pages))
}

/// What lies on each account of the journal.
#[utoipa::path(get, path = "/api/admin/trial-balance", tag = "admin", operation_id = "trialBalance", responses((status = 200, description = "Every account", body = TrialBalance)))]
async fn balance(State(app): State<Arc<App>>, _: Admin) -> Result<Json<TrialBalance>, Problem> {
    let balances = journal::trial_balance(&app.db).await?;
    let sum = balances.iter().map(journal::Balance::net).sum();
    let accounts = balances.iter().map(|one| AccountView {
        account: one.account.as_str(),
        debit: one.debit,
        credit: one.credit,
        balance: one.net(),
    });
    Ok(Json(TrialBalance { accounts: accounts.collect(), sum }))
}

fn verdict(filter: &Filter) -> Result<Option<Verdict>, Problem> {
    let Some(word) = &filter.verdict else { return Ok(None) };
    match Verdict::ALL.into_iter().find(|verdict| verdict.as_str() == word.as_str()) {
        Some(verdict) => Ok(Some(verdict)),
        None => Err(Problem::Unprocessable(
            "`verdict` is none of `agreed`, `repaired`, `finding` and `error`".to_owned(),
        )),
    }
}

fn cells(item: items::Item) -> Vec<String> {
    let at = item.time().to_rfc3339();
    vec![item.invoice, item.verdict, item.before, item.after, item.detail, at]
}

impl From<items::Item> for ItemView {
    fn from(item: items::Item) -> Self {
        let at = item.time();
        let items::Item { id, invoice, verdict, before, after, detail, .. } = item;
        Self { id, invoice, verdict, before, after, detail, at }
    }
}

impl From<Run> for RunView {
    fn from(run: Run) -> Self {
        let took = run.started_at.zip(run.finished_at);
        Self {
            id: run.id,
            kind: run.kind,
            dry_run: run.is_dry,
            wanted_by: run.wanted_by,
            from: run.from,
            to: run.to,
            state: run.state,
            total: run.total,
            asked: run.tally.asked,
            agreed: run.tally.agreed,
            repaired: run.tally.repaired,
            findings: run.tally.findings,
            errors: run.tally.errors,
            created_at: run.created_at,
            started_at: run.started_at,
            finished_at: run.finished_at,
            duration_ms: took.map(|(from, to)| (to - from).num_milliseconds()),
        }
    }
}
