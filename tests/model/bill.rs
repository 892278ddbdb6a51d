//! The model: one bill at a time, its payments as the gateway has them, and what a request must be answered.

use domain::Method;
use proptest::prelude::*;
use proptest::sample::select;
use proptest_state_machine::ReferenceStateMachine;

/// Every payment of the model is of this amount.
pub(crate) const AMOUNT: i64 = 1_250_000;

/// Methods whose manners differ: final and reversible, refundable or not, by Core API and on the hosted page.
pub(crate) const METHODS: [Method; 5] =
    [Method::Bca, Method::Permata, Method::Mandiri, Method::Gopay, Method::Card];

/// How the gateway has a payment, once everything has come to rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Truth {
    /// It waits for the payer.
    Pending,
    /// It was paid.
    Paid,
    /// It was paid, and so much of it went back.
    PartlyBack(i64),
    /// All of it went back.
    Back,
    /// It will not be paid.
    Failed,
}

/// One payment of the bill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Paying {
    pub(crate) method: Method,
    pub(crate) truth: Truth,
}

/// The bill that is being played with, and what was found so far in the whole house.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Bill {
    /// Which bill this is, from 0.
    pub(crate) number: usize,
    pub(crate) payments: Vec<Paying>,
    /// Refunds that somebody made at the dashboard.
    pub(crate) external_refunds: usize,
    /// Settlements that were taken back.
    pub(crate) reversals: usize,
    /// What the last wish to pay must be answered.
    pub(crate) answer: u16,
}

/// What somebody does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    /// The tenant pays by this method, so many times at once.
    Pay(Method, usize),
    /// The tenant pays by the first, and changes to the second before anything was done.
    ChangeMind(Method, Method),
    /// The payer pays, we are told nothing, and the tenant changes to this method.
    PayLateAndChange(Method),
    /// The payer pays the latest payment.
    Settle,
    /// Its time runs out at the gateway.
    Expire,
    /// The bank says no.
    Deny,
    /// The bank takes a settlement back.
    Reverse,
    /// The tenant no longer wants to pay.
    GiveUp,
    /// Somebody gives so much back at the gateway's dashboard.
    RefundElsewhere(i64),
    /// An admin gives so much back.
    Refund(i64),
    /// Somebody who has a valid signature claims this status.
    Forge(&'static str),
    /// Every notification that was ever sent comes again.
    ReplayAll,
    /// More than a day goes by.
    Sleep,
    /// Another tenant with another bill.
    NextBill,
}

/// How notifications travel meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Notices {
    Fine,
    Lost,
    Doubled,
    Shuffled,
    Late,
}

/// How the gateway answers meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answers {
    Fine,
    /// The next charge is carried out, and its answer is cut off.
    Cut,
    /// The next calls fail in this way, and nothing is done.
    Trouble(&'static str, u32),
}

/// When the program is killed, and started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Crash {
    Never,
    /// After the request was answered, before any job began.
    BeforeWork,
    /// While it asks: the gateway has the call and does nothing with it.
    Asking,
    /// While it waits: the gateway has made the transaction and has not answered.
    Answered,
    /// When all is done.
    AfterWork,
}

/// One step: an act in a weather.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) act: Act,
    pub(crate) notices: Notices,
    pub(crate) answers: Answers,
    pub(crate) crash: Crash,
}

impl Bill {
    pub(crate) fn is_paid(&self) -> bool {
        self.payments.iter().any(|one| matches!(one.truth, Truth::Paid | Truth::PartlyBack(_)))
    }

    /// The payment that waits for its payer; at rest there is one at most.
    pub(crate) fn pending(&self) -> Option<usize> {
        self.payments.iter().position(|one| one.truth == Truth::Pending)
    }

    pub(crate) fn latest(&self) -> Option<&Paying> {
        self.payments.last()
    }

    fn pay(&mut self, method: Method) {
        let pending = self.pending();
        if self.is_paid() {
            self.answer = 409;
        } else if pending.is_some_and(|at| self.payments[at].method == method) {
            self.answer = 200;
        } else {
            if let Some(old) = pending {
                self.payments[old].truth = Truth::Failed;
            }
            self.payments.push(Paying { method, truth: Truth::Pending });
            self.answer = 201;
        }
    }

    /// What becomes of the latest payment, where the gateway lets it happen.
    fn happens(&mut self, act: Act) {
        if !self.may_happen(act) {
            return;
        }
        let Some(latest) = self.payments.last_mut() else { return };
        latest.truth = match (act, latest.truth) {
            (Act::Settle, _) => Truth::Paid,
            // On the hosted page a card that was denied can be tried again.
            (Act::Deny, truth) if latest.method == Method::Card => truth,
            (Act::Expire | Act::Deny, _) => Truth::Failed,
            (Act::Reverse, _) => {
                self.reversals += 1;
                Truth::Failed
            }
            (Act::RefundElsewhere(amount), truth) => {
                self.external_refunds += 1;
                gives_back(truth, amount)
            }
            (Act::Refund(amount), truth) => gives_back(truth, amount),
            (_, truth) => truth,
        };
    }

    /// Whether the gateway, or for a refund of ours Kasir, lets it happen.
    pub(crate) fn may_happen(&self, act: Act) -> bool {
        let Some(Paying { method, truth }) = self.latest().copied() else { return false };
        match act {
            Act::Settle | Act::Deny => truth == Truth::Pending,
            // Nothing of a page expires before somebody has tried on it.
            Act::Expire => truth == Truth::Pending && method != Method::Card,
            Act::Reverse => truth == Truth::Paid && matches!(method, Method::Permata | Method::Mandiri),
            Act::RefundElsewhere(amount) | Act::Refund(amount) => {
                matches!(method, Method::Gopay | Method::Card)
                    && match truth {
                        Truth::Paid => amount <= AMOUNT,
                        Truth::PartlyBack(back) => back + amount <= AMOUNT,
                        Truth::Pending | Truth::Back | Truth::Failed => false,
                    }
            }
            _ => true,
        }
    }
}

fn gives_back(truth: Truth, amount: i64) -> Truth {
    let before = if let Truth::PartlyBack(back) = truth { back } else { 0 };
    if before + amount == AMOUNT { Truth::Back } else { Truth::PartlyBack(before + amount) }
}

impl ReferenceStateMachine for Bill {
    type State = Self;
    type Transition = Step;

    fn init_state() -> BoxedStrategy<Self> {
        Just(Self::default()).boxed()
    }

    fn transitions(_: &Self) -> BoxedStrategy<Step> {
        let method = || select(&METHODS[..]);
        let part = || select(vec![AMOUNT / 5, AMOUNT / 2, AMOUNT]);
        let act = prop_oneof![
            6 => (method(), 1..4_usize).prop_map(|(method, times)| Act::Pay(method, times)),
            2 => (method(), method()).prop_map(|(first, second)| Act::ChangeMind(first, second)),
            1 => method().prop_map(Act::PayLateAndChange),
            5 => Just(Act::Settle),
            1 => Just(Act::Expire),
            2 => Just(Act::Deny),
            2 => Just(Act::Reverse),
            2 => Just(Act::GiveUp),
            2 => part().prop_map(Act::RefundElsewhere),
            2 => part().prop_map(Act::Refund),
            2 => select(vec!["pending", "settlement", "expire", "deny", "cancel", "refund", "chargeback", "teleported"])
                .prop_map(Act::Forge),
            1 => Just(Act::ReplayAll),
            1 => Just(Act::Sleep),
            3 => Just(Act::NextBill),
        ];
        let notices = prop_oneof![
            4 => Just(Notices::Fine),
            2 => Just(Notices::Lost),
            1 => Just(Notices::Doubled),
            1 => Just(Notices::Shuffled),
            1 => Just(Notices::Late),
        ];
        let answers = prop_oneof![
            5 => Just(Answers::Fine),
            2 => Just(Answers::Cut),
            2 => (select(vec!["429", "500", "503", "html_404", "html_502"]), 1..4_u32)
                .prop_map(|(kind, n)| Answers::Trouble(kind, n)),
        ];
        let crash = prop_oneof![
            6 => Just(Crash::Never),
            1 => Just(Crash::BeforeWork),
            1 => Just(Crash::Asking),
            1 => Just(Crash::Answered),
            1 => Just(Crash::AfterWork),
        ];
        (act, notices, answers, crash).prop_map(Step::new).boxed()
    }

    fn apply(mut bill: Self, step: &Step) -> Self {
        match step.act {
            Act::Pay(method, _) => bill.pay(method),
            Act::ChangeMind(first, second) => {
                bill.pay(first);
                bill.pay(second);
            }
            Act::PayLateAndChange(method) => {
                let pending = bill.pending();
                bill.pay(method);
                // Paid is paid: the other one is never charged.
                if let (Some(old), 201) = (pending, bill.answer) {
                    bill.payments[old].truth = Truth::Paid;
                    if let Some(new) = bill.payments.last_mut() {
                        new.truth = Truth::Failed;
                    }
                } else if let (Some(old), 200) = (pending, bill.answer) {
                    bill.payments[old].truth = Truth::Paid;
                }
            }
            Act::GiveUp => {
                if let Some(at) = bill.pending() {
                    bill.payments[at].truth = Truth::Failed;
                }
            }
            Act::Sleep => {
                if let Some(at) = bill.pending() {
                    bill.payments[at].truth = Truth::Failed;
                }
            }
            Act::NextBill => {
                bill.number += 1;
                bill.payments.clear();
            }
            Act::Forge(_) | Act::ReplayAll => {}
            act => bill.happens(act),
        }
        bill
    }
}

impl Step {
    /// A change of a payment that has ended, or is paid for good, is told by notifications only, so these come while it
    /// is looked for.
    fn new((act, notices, answers, crash): (Act, Notices, Answers, Crash)) -> Self {
        let only_told = matches!(act, Act::Reverse | Act::RefundElsewhere(_));
        let soon = matches!(notices, Notices::Fine | Notices::Doubled | Notices::Shuffled);
        let notices = if only_told && !soon { Notices::Doubled } else { notices };
        // Time passes while the program works.
        let crash = if act == Act::Sleep && crash == Crash::BeforeWork { Crash::AfterWork } else { crash };
        Self { act, notices, answers, crash }
    }
}
