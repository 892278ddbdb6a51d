//! The texts that find jobs, for the board and for a test that looks at how the databases carry them out.
//!
//! The parameters: only jobs below `$1`, at most `$2`, in the state `$3`, of the kind `$4`, about `$5`. Whoever
//! asks for a state says `id > 0`, as the indexes do that are for the board alone.

macro_rules! select {
    ($($rest:tt)*) => {
        concat!(
            "SELECT j.id, j.kind, j.state, j.attempts, j.max_attempts, j.run_at, j.created_at, j.started_at, ",
            "j.finished_at, j.lease_until, j.last_error, j.payload, j.payment_id, j.notification_id, p.invoice ",
            "FROM jobs j LEFT JOIN notifications n ON n.id = j.notification_id ",
            "LEFT JOIN payments p ON p.id = COALESCE(j.payment_id, n.payment_id) WHERE ",
            $($rest)*
        )
    };
}

/// The rows of these ids. They are chosen first, each way by its index, and read afterwards.
macro_rules! listed {
    ($($ids:tt)*) => { select!("j.id IN (", $($ids)*, ") ORDER BY j.id DESC LIMIT $2") };
}

macro_rules! of_kind_in {
    ($state:literal) => {
        concat!(
            "SELECT id FROM (SELECT id FROM jobs WHERE kind = $3 AND state = '",
            $state,
            "' AND id > 0 AND id < $1 ORDER BY id DESC LIMIT $2) AS ",
            $state,
            "_jobs"
        )
    };
}

/// The jobs about payments, and those about notifications of them.
macro_rules! about {
    ($payments:literal) => { about!($payments, "") };
    ($payments:literal, $order:literal) => {
        listed!(
            "SELECT id FROM jobs WHERE payment_id IN (SELECT id FROM payments WHERE ", $payments, ") UNION ",
            "SELECT id FROM jobs WHERE notification_id IN (SELECT id FROM notifications WHERE payment_id IN (",
            "SELECT id FROM payments WHERE ", $payments, ")) UNION ",
            "SELECT id FROM jobs WHERE notification_id IN (SELECT id FROM notifications WHERE order_id IN (",
            $order, "SELECT invoice FROM payments WHERE ", $payments, "))) ",
            "AND j.id < $1 AND ($3 IS NULL OR j.state = $3) AND ($4 IS NULL OR j.kind = $4"
        )
    };
}

macro_rules! failed {
    ($state:literal) => {
        listed!(
            "SELECT id FROM jobs WHERE last_error IS NOT NULL",
            $state,
            " AND id < $1 ORDER BY id DESC LIMIT $6) ",
            "AND lower(j.last_error) LIKE lower($5) ESCAPE '!' ",
            "AND ($3 IS NULL OR j.state = $3) AND ($4 IS NULL OR j.kind = $4"
        )
    };
}

/// The job of the id `$1`.
pub const ONE: &str = select!("j.id = $1 LIMIT 1");
/// Every job.
pub const ALL: &str = listed!("SELECT id FROM jobs WHERE id < $1 ORDER BY id DESC LIMIT $2");
/// The jobs in the state `$3`.
pub const OF_STATE: &str =
    listed!("SELECT id FROM jobs WHERE state = $3 AND id > 0 AND id < $1 ORDER BY id DESC LIMIT $2");
/// The jobs of the kind `$3`. An index leads from a kind and a state to the ids, so each state is asked by itself.
pub const OF_KIND: &str = listed!(
    of_kind_in!("ready"),
    " UNION ALL ",
    of_kind_in!("running"),
    " UNION ALL ",
    of_kind_in!("done"),
    " UNION ALL ",
    of_kind_in!("dead"),
    " UNION ALL ",
    of_kind_in!("cancelled")
);
/// The jobs in the state `$3` of the kind `$4`.
pub const OF_STATE_AND_KIND: &str = listed!(
    "SELECT id FROM jobs WHERE state = $3 AND kind = $4 AND id > 0 AND id < $1 ORDER BY id DESC LIMIT $2"
);
/// The jobs about the payment of the number, or with the gateway's name, `$5`.
pub const ABOUT_INVOICE: &str = about!(
    "id IN (SELECT id FROM payments WHERE invoice = $5
        UNION SELECT id FROM payments WHERE transaction_id = $5
        UNION SELECT payment_id FROM payment_tries WHERE transaction_id = $5)",
    "SELECT $5 UNION "
);
/// The jobs about the payments of the bill `$5`.
pub const ABOUT_BILL: &str = about!("bill_id = $5");
/// The jobs about the payments of the tenant `$5`.
pub const ABOUT_TENANT: &str = about!("tenant_id = $5");
/// The jobs about the payments of the bills of the room `$5`.
pub const ABOUT_ROOM: &str =
    about!("bill_id IN (SELECT id FROM bills WHERE room_id IN (SELECT id FROM rooms WHERE code = $5))");
/// The jobs whose last failure is like `$5`, among the newest `$6` that failed.
pub const OF_ERROR: &str = failed!("");
/// The same among those in the state `$3`.
pub const OF_ERROR_AND_STATE: &str = failed!(" AND state = $3 AND id > 0");
