//! Looking into the books and at the gateway, and comparing the two.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::kost::Kost;
use crate::waiting::eventually;

/// A payment in the books, as far as these tests care.
#[derive(Debug, Clone, sqlx::FromRow)]
struct Entry {
    invoice: String,
    bill_id: i64,
    state: String,
    transaction_id: Option<String>,
    has_instruction: bool,
    attempts: i64,
}

const ENTRIES: &str = "
    SELECT p.invoice, p.bill_id, p.state, p.transaction_id, p.instruction IS NOT NULL AS has_instruction,
           (SELECT count(*) FROM payments other WHERE other.bill_id = p.bill_id) AS attempts
    FROM payments p ORDER BY p.id";

impl Kost {
    /// The answer to a question for one number.
    pub(crate) async fn count(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(&self.pool).await.unwrap()
    }

    /// How many payments the payer could pay now.
    pub(crate) async fn instructed(&self) -> i64 {
        self.count("SELECT count(*) FROM payments WHERE state = 'pending' AND instruction IS NOT NULL").await
    }

    /// How many payments are paid.
    pub(crate) async fn paid(&self) -> i64 {
        self.count("SELECT count(*) FROM payments WHERE state = 'paid'").await
    }

    /// Waits until so many payments have their instruction.
    pub(crate) async fn all_instructed(&self, wanted: i64, within: Duration) {
        let what = format!("{wanted} payments have their instruction");
        eventually(within, &what, async || match self.instructed().await {
            count if count == wanted => Ok(()),
            count => Err(format!("{count} have")),
        })
        .await;
    }

    /// Waits until so many payments are paid.
    pub(crate) async fn all_paid(&self, wanted: i64, within: Duration) {
        eventually(within, &format!("{wanted} payments are paid"), async || match self.paid().await {
            count if count == wanted => Ok(()),
            count => Err(format!("{count} are")),
        })
        .await;
    }

    /// Waits until no job is due or being done.
    pub(crate) async fn all_quiet(&self, within: Duration) {
        const OPEN: &str = "SELECT count(*) FROM jobs WHERE state IN ('ready', 'running', 'dead')";
        eventually(within, "every job is done", async || match self.count(OPEN).await {
            0 => Ok(()),
            count => Err(format!("{count} are not: {:?}", self.open_jobs().await)),
        })
        .await;
    }

    async fn open_jobs(&self) -> Vec<(i64, String, String, Option<String>)> {
        const SQL: &str =
            "SELECT id, kind, state, last_error FROM jobs WHERE state <> 'done' ORDER BY id LIMIT 5";
        sqlx::query_as(SQL).fetch_all(&self.pool).await.unwrap()
    }

    /// Waits until the gateway has at least so many transactions; gives how many it had then.
    pub(crate) async fn gateway_has(&self, at_least: usize) -> usize {
        let what = format!("{at_least} transactions are at the gateway");
        eventually(Duration::from_secs(30), &what, async || match self.sim.transactions().len() {
            count if count >= at_least => Ok(count),
            count => Err(format!("{count} are")),
        })
        .await
    }

    /// Waits until ids wait in Redis.
    pub(crate) async fn redis_holds_ids(&self) {
        eventually(Duration::from_secs(10), "ids wait in Redis", async || match self.redis.waiting().await {
            0 => Err("none do".to_owned()),
            _ => Ok(()),
        })
        .await;
    }

    /// So many bills, one payment each, with its instruction and with the one transaction at the gateway. Gives what
    /// `kill -9` and the like could have done: doubled and lost, both of which must be 0.
    pub(crate) async fn assert_charged_once_each(&self, bills: usize) {
        let entries: Vec<Entry> = sqlx::query_as(ENTRIES).fetch_all(&self.pool).await.unwrap();
        let mut at_gateway: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for transaction in self.sim.transactions() {
            at_gateway.entry(transaction.order_id).or_default().push(transaction.transaction_id);
        }
        let doubled = at_gateway.values().filter(|transactions| transactions.len() > 1).count()
            + entries.iter().filter(|entry| entry.attempts > 1).count();
        let lost = entries.iter().filter(|entry| !at_gateway.contains_key(&entry.invoice)).count();
        println!(
            "bills {bills}, payments {}, transactions {}, charge calls {}, doubled {doubled}, lost {lost}",
            entries.len(),
            self.sim.transactions().len(),
            self.sim.charge_calls()
        );
        assert_eq!((entries.len(), at_gateway.len(), doubled, lost), (bills, bills, 0, 0), "{entries:#?}");
        for entry in &entries {
            let theirs = &at_gateway[&entry.invoice];
            assert_eq!(Some(&theirs[0]), entry.transaction_id.as_ref(), "{entry:?}");
            assert!(matches!(entry.state.as_str(), "pending" | "paid"), "{entry:?}");
            assert!(entry.has_instruction, "{entry:?}");
        }
        let mut billed: Vec<i64> = entries.iter().map(|entry| entry.bill_id).collect();
        billed.sort_unstable();
        billed.dedup();
        assert_eq!(billed.len(), bills);
    }
}
