//! Pages of a list: `?limit=&cursor=`, and the header `Link` that leads to the next one.

use std::sync::Arc;

use axum::Json;
use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::AppendHeaders;
use serde::Deserialize;
use store::Page;
use utoipa::IntoParams;

use crate::http::{App, Problem};

/// Which page of a list is wanted.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Wish {
    /// How long the page may be; the configuration says how long at most.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<i64>,
    /// What the header `Link` of the page before gave.
    #[param(pattern = "^[0-9a-f]{16}$")]
    cursor: Option<String>,
}

/// The page that a request asks for, and where its list is.
pub(super) struct Paging {
    page: Page,
    path: String,
    /// What else was asked for, as it was written; empty or ending in `&`.
    rest: String,
}

/// A page of a list, with the way to the next one.
pub(crate) type Listed<T> = (AppendHeaders<Option<(HeaderName, HeaderValue)>>, Json<Vec<T>>);

impl FromRequestParts<Arc<App>> for Paging {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let limit_max = app.settings.page_size_max;
        let wish = Query::<Wish>::from_request_parts(parts, app).await;
        let Query(wish) = wish.map_err(|error| Problem::Unprocessable(error.body_text()))?;
        let limit = wish.limit.unwrap_or(limit_max);
        if !(1..=limit_max).contains(&limit) {
            return Err(Problem::Unprocessable(format!("`limit` is not between 1 and {limit_max}")));
        }
        let after = wish.cursor.as_deref().map(read).transpose()?;
        let path = parts.uri.path().to_owned();
        Ok(Self { page: Page { after, limit }, path, rest: others(parts.uri.query().unwrap_or_default()) })
    }
}

impl Paging {
    /// What to ask the store for: one row more than is shown, which tells whether there is a next page.
    pub(super) fn page(&self) -> Page {
        Page { limit: self.page.limit.saturating_add(1), ..self.page }
    }

    /// The page as it is answered. `id` is the row by which the list is sorted.
    pub(super) fn answer<T>(&self, rows: Vec<T>, id: impl Fn(&T) -> i64) -> Listed<T> {
        self.answer_of_search(rows, id, None)
    }

    /// The same for a search that looked down to `searched`, and may find more below it.
    pub(super) fn answer_of_search<T>(
        &self,
        mut rows: Vec<T>,
        id: impl Fn(&T) -> i64,
        searched: Option<i64>,
    ) -> Listed<T> {
        let shown = usize::try_from(self.page.limit).unwrap_or(usize::MAX);
        let is_more = rows.len() > shown;
        rows.truncate(shown);
        let last = if is_more { rows.last().map(id) } else { searched };
        let link = last.and_then(|last| {
            let (path, rest, limit) = (&self.path, &self.rest, self.page.limit);
            let cursor = write(last);
            HeaderValue::try_from(format!("<{path}?{rest}limit={limit}&cursor={cursor}>; rel=\"next\"")).ok()
        });
        (AppendHeaders(link.map(|link| (header::LINK, link))), Json(rows))
    }
}

/// The parts of a query that are not about the page.
fn others(query: &str) -> String {
    let is_other =
        |part: &&str| !part.is_empty() && !part.starts_with("limit=") && !part.starts_with("cursor=");
    query.split('&').filter(is_other).map(|part| format!("{part}&")).collect()
}

/// Nobody is to count on what a cursor is made of.
fn write(id: i64) -> String {
    hex::encode(id.to_be_bytes())
}

fn read(cursor: &str) -> Result<i64, Problem> {
    let bytes = hex::decode(cursor).ok().and_then(|bytes| bytes.try_into().ok());
    let id = bytes.map(i64::from_be_bytes).filter(|id| *id > 0);
    id.ok_or_else(|| Problem::Unprocessable("`cursor` is none that a header `Link` gave".to_owned()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_next_page_is_of_the_same_list() {
        assert_eq!(others("state=open&limit=5&kind=reversal&cursor=00"), "state=open&kind=reversal&");
        assert_eq!(others("limit=5"), "");
    }

    proptest! {
        #[test]
        fn every_cursor_that_was_given_is_taken_and_no_other_text(id in 1_i64.., text in "[0-9a-fA-F]{0,20}|.{0,20}") {
            prop_assert_eq!(read(&write(id)), Ok(id));
            if let Ok(id) = read(&text) {
                prop_assert_eq!(write(id), text.to_lowercase());
            }
        }
    }

    #[test]
    fn a_cursor_is_read_as_it_was_written_and_nothing_else_is_one() {
        assert_eq!(read(&write(4711)), Ok(4711));
        for bad in ["", "4711", "zz", &write(-1), &write(0), &"0".repeat(18)] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
