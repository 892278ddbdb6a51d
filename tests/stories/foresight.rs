//! What a job would come to is foreseen from the books, and comes to it.

use domain::{Invoice, JobId, Payment, PaymentId, State};
use kasir::foresight::{Foresight, foresee};
use midtrans_sim::{Foreign, Status};
use queue::{CancelPayment, Job, ProcessNotification, Reason, SCHEDULE, SubmitCharge, SyncPayment};
use store::audit::{Actor, By};
use store::{board, calls, ledger, notifications};

use crate::kost::Kost;

stories![
    a_charge_is_foreseen_and_made_once,
    a_look_is_foreseen_and_taken,
    a_cancellation_is_foreseen_and_made,
    what_is_not_there_is_foreseen_and_given_up,
    what_a_notification_comes_to_is_foreseen,
    what_happens_by_the_clock_is_foreseen,
];

/// Wants the job, and says what it would come to.
async fn foreseen(kost: &Kost, job: &impl Job) -> (JobId, Foresight) {
    let id = kost.program.queue.enqueue(&[job.new_job(kost.clock.now())]).await.unwrap()[0];
    let row = board::find(&kost.db, id).await.unwrap().unwrap();
    (id, foresee(&kost.db, &row).await.unwrap())
}

/// The calls about a payment, the oldest first.
async fn calls_of(kost: &Kost, payment: &Payment) -> Vec<String> {
    let names = [Some(payment.invoice.as_str()), payment.transaction_id.as_ref().map(|id| id.as_str())];
    let names: Vec<&str> = names.into_iter().flatten().collect();
    let calls = calls::of_names(&kost.db, &names).await.unwrap();
    let last = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    calls.into_iter().map(|call| format!("{} {}", call.method, last(&call.path))).collect()
}

/// Has a job of this payment done, which was foreseen so: the calls that it made.
async fn comes_to(kost: &Kost, invoice: &Invoice, (job, so): (&impl Job, Foresight)) -> Vec<String> {
    let before = calls_of(kost, &kost.payment(invoice).await).await.len();
    let held = kost.hold_jobs().await;
    let (_, foresight) = foreseen(kost, job).await;
    drop(held);
    assert_eq!(foresight, so);
    kost.run_jobs().await;
    let after = calls_of(kost, &kost.payment(invoice).await).await;
    assert_eq!(foresight.is_nothing(), after.len() == before, "{foresight:?}: {after:?}");
    after[before..].to_vec()
}

async fn a_charge_is_foreseen_and_made_once(kost: Kost) {
    let budi = kost.tenant("Budi").await;
    let held = kost.hold_jobs().await;
    let invoice = kost.pay(&budi, "bca").await;
    let payment_id = kost.payment(&invoice).await.id;
    let waiting = board::last_of_kind(&kost.db, SubmitCharge::KIND).await.unwrap().unwrap();
    assert_eq!(foresee(&kost.db, &waiting).await.unwrap(), Foresight::Charge);
    drop(held);
    kost.run_jobs().await;
    assert_eq!(kost.transaction(&invoice).status, Status::Pending);

    let charge = SubmitCharge { payment_id };
    assert!(comes_to(&kost, &invoice, (&charge, Foresight::Charged)).await.is_empty());
    kost.sim.settle(invoice.as_str()).await.unwrap();
    kost.run_jobs().await;
    assert_eq!(kost.bill_status(&budi).await, "paid");
    assert!(comes_to(&kost, &invoice, (&charge, Foresight::Charged)).await.is_empty());
    kost.close().await;
}

async fn a_look_is_foreseen_and_taken(kost: Kost) {
    let budi = kost.tenant("Budi").await;
    let held = kost.hold_jobs().await;
    let invoice = kost.pay(&budi, "bca").await;
    let sync = SyncPayment { payment_id: kost.payment(&invoice).await.id, reason: Reason::Operator };
    let (_, foresight) = foreseen(&kost, &sync).await;
    assert_eq!(foresight, Foresight::HandToCharge);
    drop(held);
    kost.run_jobs().await;
    let calls = comes_to(&kost, &invoice, (&sync, Foresight::Ask)).await;
    assert_eq!(calls, ["GET status"]);
    kost.sim.settle(invoice.as_str()).await.unwrap();
    kost.run_jobs().await;
    // Also of a payment that is over the gateway may have something new to say.
    assert_eq!(comes_to(&kost, &invoice, (&sync, Foresight::Ask)).await, ["GET status"]);
    kost.close().await;
}

async fn a_cancellation_is_foreseen_and_made(kost: Kost) {
    let (_, invoice) = kost.paying("Budi", "bca").await;
    let cancel = CancelPayment { payment_id: kost.payment(&invoice).await.id };
    let calls = comes_to(&kost, &invoice, (&cancel, Foresight::Cancel)).await;
    assert!(calls.contains(&"POST cancel".to_owned()), "{calls:?}");
    assert!(comes_to(&kost, &invoice, (&cancel, Foresight::Ended)).await.is_empty());
    kost.close().await;
}

async fn what_is_not_there_is_foreseen_and_given_up(kost: Kost) {
    /// A charge of a payment that is not there; the ledger itself would not let a job be about it.
    #[derive(serde::Serialize, serde::Deserialize)]
    struct Lost(SubmitCharge);
    impl Job for Lost {
        const KIND: &'static str = SubmitCharge::KIND;
        const MAX_ATTEMPTS: i64 = 3;
        fn dedupe_key(&self) -> String {
            self.0.dedupe_key()
        }
    }
    let held = kost.hold_jobs().await;
    let lost = Lost(SubmitCharge { payment_id: PaymentId(404) });
    let (id, foresight) = foreseen(&kost, &lost).await;
    drop(held);
    assert_eq!(foresight, Foresight::Missing);
    kost.run_jobs().await;
    let dead = board::find(&kost.db, id).await.unwrap().unwrap();
    assert_eq!((dead.state.as_str(), dead.attempts), ("dead", 1));
    let actor = Actor { id: None, name: "sari@kost.test".to_owned() };
    let by = By { actor: &actor, reason: Some("it was a test"), now: kost.clock.now() };
    board::cancel(&kost.db, id, &by).await.unwrap();
    kost.close().await;
}

async fn what_a_notification_comes_to_is_foreseen(kost: Kost) {
    let (_, invoice) = kost.paying("Budi", "bca").await;
    let newest = async || {
        kost.sim.wait_until_delivered().await.unwrap();
        let job = board::last_of_kind(&kost.db, ProcessNotification::KIND).await.unwrap().unwrap();
        foresee(&kost.db, &job).await.unwrap()
    };
    let held = kost.hold_jobs().await;
    kost.sim.settle(invoice.as_str()).await.unwrap();
    kost.sim.wait_until_delivered().await.unwrap();
    // What names an invoice of ours is handed over as it comes; this is what is wanted for one that is replayed.
    let kept = notifications::newest(&kost.db, 1).await.unwrap().remove(0);
    let again = ProcessNotification { notification_id: kept.id }.new_job(kost.clock.now());
    ledger::add(&kost.db, &[again], kost.clock.now()).await.unwrap();
    assert_eq!(newest().await, Foresight::HandToSync);
    assert!(kost.sim.send_foreign(Foreign::MultiUseVaChild));
    assert_eq!(newest().await, Foresight::Find);
    assert!(kost.sim.send_foreign(Foreign::SubscriptionCreated));
    assert_eq!(newest().await, Foresight::NoPayment);
    drop(held);
    kost.run_jobs().await;
    assert_eq!(kost.payment(&invoice).await.state, State::Paid);
    assert_eq!(kost.findings().await, ["unknown_order"]);
    kost.close().await;
}

async fn what_happens_by_the_clock_is_foreseen(kost: Kost) {
    let wanted = [Foresight::Sweep, Foresight::Bill, Foresight::Compare, Foresight::Forget];
    let held = kost.hold_jobs().await;
    let mut ids = Vec::new();
    for (line, foresight) in SCHEDULE.iter().zip(wanted) {
        let job = line.job(kost.clock.now()).unwrap();
        ids.extend(kost.program.queue.enqueue(&[job]).await.unwrap());
        let last = board::last_of_kind(&kost.db, line.kind).await.unwrap().unwrap();
        assert_eq!(foresee(&kost.db, &last).await.unwrap(), foresight, "{}", line.name);
    }
    drop(held);
    kost.run_jobs().await;
    for id in ids {
        assert_eq!(board::find(&kost.db, id).await.unwrap().unwrap().state, "done");
    }
    kost.close().await;
}
