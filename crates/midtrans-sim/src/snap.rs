//! Hosted payment pages (Snap): what a merchant asks for, and what a page remembers until the payer is through.

use std::collections::HashMap;

use chrono::TimeDelta;
use clock::Time;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::charge;
use crate::transaction::{Destinations, Status};
use crate::world::World;

/// How long a page is open without `page_expiry`.
const OPEN_USUALLY: TimeDelta = TimeDelta::hours(24);
/// A shorter `page_expiry` is refused.
const OPEN_MIN: TimeDelta = TimeDelta::minutes(5);
/// A longer `page_expiry` is cut to this.
const OPEN_MAX: TimeDelta = TimeDelta::days(7);

/// One page, found by its token. It is no transaction: that begins when the payer has chosen a method.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Page {
    pub(crate) token: String,
    pub(crate) order_id: String,
    /// Whole rupiah.
    pub(crate) amount: i64,
    pub(crate) created: Time,
    pub(crate) expires: Time,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) canceled: Option<Time>,
    /// The payer proves who they are on the bank's page.
    pub(crate) three_ds: bool,
    /// Only reserve the amount.
    pub(crate) authorize_only: bool,
    /// False where `enabled_payments` leaves cards out.
    pub(crate) takes_cards: bool,
    /// Where the page sends the payer back to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) finish: Option<String>,
    /// The transactions that were made here, the oldest first.
    #[serde(default)]
    pub(crate) attempts: Vec<String>,
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub(crate) echo: Map<String, Value>,
    #[serde(default)]
    pub(crate) destinations: Destinations,
}

/// A hosted page, for tests and for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PageView {
    /// The page's name in its address.
    pub token: String,
    /// What is paid for; several pages can share one.
    pub order_id: String,
    /// Whole rupiah.
    pub amount: i64,
    /// When it was made.
    pub created: Time,
    /// From then on nobody can pay on it.
    pub expires: Time,
    /// When the merchant closed it.
    pub canceled: Option<Time>,
    /// The ids of the transactions made on it, the oldest first.
    pub attempts: Vec<String>,
}

impl Page {
    /// Reads the body of `POST /snap/v1/transactions`, or tells everything that is wrong with it.
    pub(crate) fn read(body: &[u8], token: String, now: Time) -> Result<Self, Vec<String>> {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        if !body.is_object() {
            return Err(vec!["the request body is not a JSON object".to_owned()]);
        }
        let mut wrong = Vec::new();
        let order_id = charge::order_id(&body, &mut wrong);
        let amount = charge::gross_amount(&body, &mut wrong);
        charge::items(&body, amount, &mut wrong);
        charge::echo_lengths(&body, &mut wrong);
        let open = open(&body["page_expiry"], &mut wrong);
        let card = &body["credit_card"];
        let is_on = |name: &str| card[name].as_bool().unwrap_or_default();
        let methods = body["enabled_payments"].as_array().filter(|methods| !methods.is_empty());
        match (order_id, amount) {
            (Some(order_id), Some(amount)) if wrong.is_empty() => Ok(Self {
                token,
                order_id,
                amount,
                created: now,
                expires: now + open,
                canceled: None,
                three_ds: is_on("secure") || is_on("authentication"),
                authorize_only: card["type"] == "authorize",
                takes_cards: methods.is_none_or(|methods| methods.iter().any(|name| name == "credit_card")),
                finish: body["callbacks"]["finish"].as_str().map(str::to_owned),
                attempts: Vec::new(),
                echo: charge::echo(&body),
                destinations: Destinations::default(),
            }),
            _ => Err(wrong),
        }
    }

    /// True where a payer may choose a card now, for the first time or again.
    pub(crate) fn may_be_paid(&self, world: &World, now: Time) -> bool {
        let latest = world.of_order(&self.order_id).next_back();
        // Who was sent to the bank and came back may choose another card.
        let came_back = |id: &String, status| status == Status::Pending && self.attempts.contains(id);
        let free = latest.is_none_or(|latest| {
            latest.status.lets_a_page_try_again() || came_back(&latest.transaction_id, latest.status)
        });
        free && self.is_open(now) && self.takes_cards
    }

    pub(crate) fn is_open(&self, now: Time) -> bool {
        self.canceled.is_none() && now < self.expires
    }

    /// What a test or a person may see.
    pub(crate) fn view(&self) -> PageView {
        PageView {
            token: self.token.clone(),
            order_id: self.order_id.clone(),
            amount: self.amount,
            created: self.created,
            expires: self.expires,
            canceled: self.canceled,
            attempts: self.attempts.clone(),
        }
    }
}

/// How long the page stays open.
fn open(wish: &Value, wrong: &mut Vec<String>) -> TimeDelta {
    if wish.is_null() {
        return OPEN_USUALLY;
    }
    let unit = match wish["unit"].as_str().unwrap_or("minute").to_ascii_lowercase().as_str() {
        "minute" | "minutes" => 60,
        "hour" | "hours" => 3_600,
        "day" | "days" => 86_400,
        _ => {
            wrong.push("page_expiry.unit is invalid".to_owned());
            return OPEN_USUALLY;
        }
    };
    let seconds = wish["duration"].as_i64().filter(|number| *number > 0).and_then(|n| n.checked_mul(unit));
    let Some(lasts) = seconds.and_then(TimeDelta::try_seconds) else {
        wrong.push("page_expiry.duration is invalid".to_owned());
        return OPEN_USUALLY;
    };
    if lasts < OPEN_MIN {
        wrong.push("page_expiry is below minimum threshold".to_owned());
    }
    lasts.min(OPEN_MAX)
}

/// Every page there is, found by token or by order id without a search.
#[derive(Debug, Default)]
pub(crate) struct Pages {
    all: Vec<Page>,
    tokens: HashMap<String, usize>,
    /// The latest page of each order.
    orders: HashMap<String, usize>,
}

impl Pages {
    /// The pages that were written down.
    pub(crate) fn of(all: Vec<Page>) -> Self {
        let mut pages = Self::default();
        for page in all {
            pages.insert(page);
        }
        pages
    }

    pub(crate) fn all(&self) -> &[Page] {
        &self.all
    }

    pub(crate) fn insert(&mut self, page: Page) {
        let at = self.all.len();
        self.tokens.insert(page.token.clone(), at);
        self.orders.insert(page.order_id.clone(), at);
        self.all.push(page);
    }

    pub(crate) fn by_token(&mut self, token: &str) -> Option<&mut Page> {
        self.tokens.get(token).and_then(|at| self.all.get_mut(*at))
    }

    /// By token, or the latest page of an order.
    pub(crate) fn find(&mut self, id: &str) -> Option<&mut Page> {
        self.tokens.get(id).or_else(|| self.orders.get(id)).and_then(|at| self.all.get_mut(*at))
    }
}
