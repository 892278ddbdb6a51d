//! Lists as CSV, page by page, so that a long one takes no more memory than a short one.

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures::{Stream, StreamExt as _, TryStreamExt as _};
use store::StoreError;

use crate::csv::line;

/// Rows of one page of the list.
pub(super) const PAGE_ROWS: i64 = 500;

/// The answer: the header row, and then the pages as they come. A list that breaks off ends the connection, so that nobody
/// takes half of it for the whole.
pub(super) fn answer<P>(name: &str, columns: &[&str], pages: P) -> Response
where
    P: Stream<Item = Result<Vec<Vec<String>>, StoreError>> + Send + 'static,
{
    let head = futures::stream::iter([Ok(Bytes::from(line(columns)))]);
    let rows = pages.map_ok(|rows| Bytes::from(rows.iter().map(|row| line(row)).collect::<String>()));
    let body = head.chain(rows.inspect_err(|error| tracing::error!(%error, "a list broke off")));
    as_csv(name, Body::from_stream(body))
}

/// A body of CSV as a file of this name.
pub(crate) fn as_csv(name: &str, body: impl IntoResponse) -> Response {
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8"));
    if let Ok(value) = HeaderValue::try_from(format!("attachment; filename=\"{name}.csv\"")) {
        headers.insert(header::CONTENT_DISPOSITION, value);
    }
    response
}
