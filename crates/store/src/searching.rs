//! Looking for payments among all there are: by how they stand, how and by whom they are paid, or by what they are called.

use domain::{BillId, Payment, Time, UserId};

use crate::payments::{Row, select};
use crate::time::millis;
use crate::{Db, Page, StoreError, read};

/// From so many characters on a text may be the beginning of a name; a shorter one is a whole name. The names of many
/// payments begin alike.
const PREFIX_CHARS_MIN: usize = 8;
/// In every collation no name is above its beginning with these behind it: names are letters, digits and dashes.
const ABOVE: &str = "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz";

/// Which payments are wanted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PaymentFilter {
    /// Those in this state.
    pub state: Option<String>,
    /// Those by this method.
    pub method: Option<String>,
    /// Those of this tenant.
    pub tenant: Option<UserId>,
    /// Those of this bill.
    pub bill: Option<BillId>,
    /// Those of bills for the room with this code.
    pub room: Option<String>,
    /// Those made at this time or later.
    pub from: Option<Time>,
    /// Those made before this time.
    pub until: Option<Time>,
    /// The one whose invoice or transaction is called so, or those whose begins with it, from eight characters on.
    pub text: Option<String>,
}

/// The whole filter behind the condition that an index answers. A condition that may be absent keeps a database from using
/// an index, so that each has a text of its own. The plus keeps both from taking the index of days for whatever else is asked.
macro_rules! search {
    ($by:literal) => {
        select!(
            "WHERE id < $1 AND ",
            $by,
            " AND ($2 IS NULL OR state = $2) AND ($3 IS NULL OR method = $3) ",
            "AND ($4 IS NULL OR tenant_id = $4) AND ($5 IS NULL OR bill_id = $5) ",
            "AND ($7 IS NULL OR bill_id IN (
                SELECT b.id FROM bills b JOIN rooms r ON r.id = b.room_id WHERE r.code = $7)) ",
            "AND +created_at >= $8 AND +created_at < $9 ",
            "ORDER BY id DESC LIMIT $6"
        )
    };
}

const BY_TEXT: &str = search!(
    "id IN (
        SELECT id FROM payments WHERE invoice BETWEEN $10 AND $11 AND substr(invoice, 1, length($10)) = $10
        UNION SELECT id FROM payments
        WHERE transaction_id BETWEEN $10 AND $11 AND substr(transaction_id, 1, length($10)) = $10
        UNION SELECT payment_id FROM payment_tries
        WHERE transaction_id BETWEEN $10 AND $11 AND substr(transaction_id, 1, length($10)) = $10)"
);

impl PaymentFilter {
    /// The query for it; a test looks at how the databases carry it out.
    #[must_use]
    pub fn sql(&self) -> &'static str {
        match self {
            Self { text: Some(_), .. } => BY_TEXT,
            Self { bill: Some(_), .. } => search!("bill_id = $5"),
            Self { tenant: Some(_), .. } => search!("tenant_id = $4"),
            Self { room: Some(_), .. } => search!(
                "bill_id IN (SELECT b.id FROM bills b JOIN rooms r ON r.id = b.room_id WHERE r.code = $7)"
            ),
            Self { from: Some(_), .. } | Self { until: Some(_), .. } => {
                search!("id IN (SELECT id FROM payments WHERE created_at >= $8 AND created_at < $9)")
            }
            Self { state: Some(_), .. } => search!("state = $2"),
            Self { method: Some(_), .. } => search!("method = $3"),
            Self { .. } => search!("id > 0"),
        }
    }

    /// The first and the last name that is wanted.
    fn span(&self) -> Option<(&str, String)> {
        let text = self.text.as_deref()?;
        let above = if text.chars().count() < PREFIX_CHARS_MIN { "" } else { ABOVE };
        Some((text, format!("{text}{above}")))
    }
}

pub(crate) async fn search(db: &Db, filter: &PaymentFilter, page: Page) -> Result<Vec<Payment>, StoreError> {
    let rows: Vec<Row> = read!(db, pool => {
        let query = sqlx::query_as(filter.sql())
            .bind(page.below())
            .bind(&filter.state)
            .bind(&filter.method)
            .bind(filter.tenant.map(|tenant| tenant.0))
            .bind(filter.bill.map(|bill| bill.0))
            .bind(page.limit)
            .bind(&filter.room)
            .bind(filter.from.map_or(0, millis))
            .bind(filter.until.map_or(i64::MAX, millis));
        let query = match filter.span() {
            Some((first, last)) => query.bind(first).bind(last),
            None => query,
        };
        query.fetch_all(pool).await?
    });
    rows.into_iter().map(|row| row.open(db.keys())).collect()
}
