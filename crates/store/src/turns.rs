//! What is done for many at once, each in turns of its own.

use crate::calls::Record;
use crate::claims::Claiming;
use crate::creating::Creating;
use crate::intake::Intake;
use crate::lookups::{BillOfId, Holding, LiveOfBill, MethodsOffered, PaymentOfId, PersonOfId};
use crate::moves::Moving;
use crate::since::{BillsOfTenant, PaymentOfInvoice, Stamps};
use crate::together::Together;

/// The turns of those who use one database.
#[derive(Debug, Default)]
pub struct Turns {
    pub(crate) intake: Together<Intake>,
    pub(crate) claims: Together<Claiming>,
    pub(crate) moves: Together<Moving>,
    pub(crate) creations: Together<Creating>,
    pub(crate) calls: Together<Record>,
    pub(crate) payments: Together<PaymentOfId>,
    pub(crate) invoices: Together<PaymentOfInvoice>,
    pub(crate) people: Together<PersonOfId>,
    pub(crate) bill: Together<BillOfId>,
    pub(crate) live: Together<LiveOfBill>,
    pub(crate) leases: Together<Holding>,
    pub(crate) bills: Together<BillsOfTenant>,
    pub(crate) stamps: Stamps,
    pub(crate) methods: Together<MethodsOffered>,
}
