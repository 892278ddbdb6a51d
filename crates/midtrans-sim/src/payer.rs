//! What a payer does on a hosted page: chooses a card, pays at once or is sent to the bank's page first.

use std::sync::Arc;

use serde_json::Map;

use crate::api::AUTHORIZED_FOR;
use crate::card::Card;
use crate::core::{Core, Refused};
use crate::instruction::{Instruction, uuid};
use crate::method;
use crate::simulator::Simulator;
use crate::snap::PageView;
use crate::transaction::{Status, Transaction, TransactionView};

/// How far the payer gets with a card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// Through the bank's page and back, if there is one.
    Through,
    /// To the bank's page, and no further yet.
    ToTheBank,
}

impl Core {
    /// Makes the transaction that a card gives on a page, and tells the merchant of it.
    pub(crate) fn pay_on_page(
        self: &Arc<Self>,
        id: &str,
        card_number: &str,
        way: Way,
    ) -> Result<Transaction, Refused> {
        let now = self.clock().now();
        let mut guard = self.fresh();
        let state = &mut *guard;
        let page = state.pages.find(id).ok_or(Refused::Unknown)?;
        if !page.may_be_paid(&state.world, now) {
            return Err(Refused::Illegal);
        }
        let three_ds = way == Way::ToTheBank;
        let card = Card::of_number(card_number, three_ds, page.authorize_only).ok_or(Refused::Illegal)?;
        let (status, fraud) = card.outcome();
        let lasts =
            if status == Status::Authorize { AUTHORIZED_FOR } else { method::lifetime_of_cards().usual };
        let transaction = Transaction {
            transaction_id: uuid(self.clock()),
            order_id: page.order_id.clone(),
            amount: page.amount,
            status,
            fraud: Some(fraud),
            instruction: Instruction::CreditCard(card),
            created: now,
            expires: now + lasts,
            settled: None,
            refunds: Vec::new(),
            echo: page.echo.clone(),
            destinations: page.destinations.clone(),
            said: Map::new(),
        };
        page.attempts.push(transaction.transaction_id.clone());
        let at = state.world.insert(transaction);
        self.announce(state, at);
        Ok(state.world.get(at).clone())
    }
}

impl Simulator {
    /// The payer pays on a hosted page: the transaction becomes what this card gives (contract, section 9), and the
    /// merchant hears of it. `id` is the page's token, or an order id, which means its latest page.
    ///
    /// # Errors
    /// If there is no such page, or nobody can pay on it as it stands, or that is no card number.
    pub async fn pay_on_page(&self, id: &str, card_number: &str) -> Result<TransactionView, Refused> {
        self.core.pay_on_page(id, card_number, Way::Through).map(|transaction| transaction.view())
    }

    /// As `pay_on_page`, but the payer stops at the bank's page (3DS): the transaction stays pending until `settle`,
    /// `deny` or `prove`.
    ///
    /// # Errors
    /// As `pay_on_page`.
    pub async fn begin_on_page(&self, id: &str, card_number: &str) -> Result<TransactionView, Refused> {
        self.core.pay_on_page(id, card_number, Way::ToTheBank).map(|transaction| transaction.view())
    }

    /// Every hosted page, the oldest first.
    #[must_use]
    pub fn pages(&self) -> Vec<PageView> {
        self.core.state().pages.all().iter().map(|page| page.view()).collect()
    }

    /// How many `POST /snap/v1/transactions` came in, whatever became of them.
    #[must_use]
    pub fn page_calls(&self) -> u64 {
        self.core.state().page_calls
    }
}
