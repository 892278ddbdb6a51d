//! Pages of a list: where to go on, and how far.

/// A page of a list that is sorted by row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// The last row of the page before; `None` for the first page.
    pub after: Option<i64>,
    /// At most so many rows.
    pub limit: i64,
}

impl Page {
    /// The bound of a list with the oldest rows first.
    pub(crate) fn above(self) -> i64 {
        self.after.unwrap_or(0)
    }

    /// The bound of a list with the newest rows first.
    pub(crate) fn below(self) -> i64 {
        self.after.unwrap_or(i64::MAX)
    }
}
