//! Many payments at once, and more workers than one.

use chrono::TimeDelta;
use domain::{BillId, Invoice, Method, Period, Rupiah};
use kasir::roles::{self, Parts};
use queue::{Job as _, Queue, Stop, SubmitCharge, Workforce};
use store::audit::{Actor, By};
use store::bills::{self, Extra};
use store::creation::{self, Creation, NewPayment};
use store::jobs;

use crate::kost::{Kost, Tenant};

/// What each payment of a crowd is about, in rupiah.
pub(crate) const AMOUNT: i64 = 1_250_000;

impl Kost {
    /// So many bills of one tenant, each being paid by one of these methods, and charged.
    pub(crate) async fn crowd(&self, tenant: &Tenant, count: usize, methods: &[Method]) -> Vec<Invoice> {
        let now = self.clock.now();
        let mut invoices = Vec::with_capacity(count);
        for (number, method) in (0..count).zip(methods.iter().copied().cycle()) {
            let invoice = Invoice::from_unique(&format!("CROWD-{number:06}")).unwrap();
            let new = NewPayment {
                invoice: invoice.clone(),
                bill_id: self.extra_bill(tenant).await,
                tenant_id: tenant.id,
                method,
                amount: Rupiah::try_from(AMOUNT).unwrap(),
                payer_phone: None,
                supersedes: None,
                next_check_at: now + TimeDelta::minutes(1),
            };
            let charge = move |payment_id| vec![SubmitCharge { payment_id }.new_job(now)];
            let made = creation::create(&self.db, &new, charge, now).await.unwrap();
            assert!(matches!(made, Creation::Made(..)), "{made:?}");
            invoices.push(invoice);
        }
        self.run_jobs().await;
        let late = jobs::in_state(&self.db, "ready", 10).await.unwrap();
        let late: Vec<_> = late.iter().filter(|job| job.kind == SubmitCharge::KIND).collect();
        assert!(late.is_empty(), "not all of them were charged: {late:#?}");
        invoices
    }

    async fn extra_bill(&self, tenant: &Tenant) -> BillId {
        let actor = Actor { id: None, name: "stories".to_owned() };
        let by = By { actor: &actor, reason: None, now: self.clock.now() };
        let extra = Extra {
            tenant_id: tenant.id,
            title: "Laundry",
            amount: Rupiah::try_from(AMOUNT).unwrap(),
            period: Period::new(2026, 11).unwrap(),
            due_at: Some(self.clock.now()),
        };
        bills::add_extra(&self.db, &extra, &by).await.unwrap()
    }

    /// Another worker beside the program's own, as another process would be: it shares the database and Redis alone.
    pub(crate) async fn another_worker(&self) -> (Queue, Workforce<workers::Context>) {
        let (config, db, clock) = (self.config.clone(), self.db.clone(), self.clock.clone());
        let queue = Queue::open(db.clone(), clock.clone(), config.redis.as_ref()).unwrap();
        let gateway = config.gateway.clone().unwrap();
        let secret = roles::installation_secret(&config, &clock).unwrap();
        let limits = config.file.job_limits();
        let parts = Parts { config, db, queue: queue.clone(), clock, gateway, secret };
        let force = Workforce::start(&queue, roles::context(&parts).unwrap(), limits, Stop::default());
        (queue, force)
    }

    /// How often the gateway was asked how a transaction stands, in all.
    pub(crate) fn looks(&self) -> usize {
        self.sim.calls().iter().filter(|call| call.path.ends_with("/status")).count()
    }
}
