//! What doing a job now would come to, before anybody does it: read from the books, as its worker would.

use domain::{
    BillStatus, Invoice, Method, NotificationId, Payment, PaymentId, RefundState, ReminderId, State,
    TransactionId,
};
use queue::{NIGHTLY, RefundPayment, UnknownWork, Work};
use store::board::JobRow;
use store::{Db, StoreError, bills, notifications, payments, reconciliations, refunds, reminders};

/// What doing a job now would come to. The gateway may say something new; what follows from that nobody can foresee.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Foresight {
    /// It would be given up: what it is about is not there.
    Missing,
    /// It would be given up: its payload cannot be read.
    Unreadable,
    /// It would wait: another Kasir made it, which knows more kinds of work.
    UnknownKind,
    /// Nothing: the charge was made, or the payment has ended.
    Charged,
    /// Nothing: the payment has ended.
    Ended,
    /// Nothing: the gateway has never heard of cash.
    Cash,
    /// Nothing: the refund has ended.
    RefundEnded,
    /// Nothing: the payment does not wait for a decision.
    Decided,
    /// Nothing: the comparison is done.
    Compared,
    /// Nothing: the notification is about no payment.
    NoPayment,
    /// The charge would be sent to the gateway.
    Charge,
    /// The gateway would be asked about the earlier charge, and charged only where it has no such transaction.
    AskThenCharge,
    /// It would wait for an earlier payment of the bill to end.
    AwaitEarlier,
    /// It would wait until the outcome of the charge is known.
    AwaitCharge,
    /// The payment would end without the gateway: nobody wants it, and it was never sent.
    Withdraw,
    /// The charge job would be wanted: the gateway was never asked.
    HandToCharge,
    /// The gateway would be asked how the payment stands, and believed.
    Ask,
    /// The same, and the cancellation would be wanted again.
    AskAndCancel,
    /// The gateway would be asked to cancel the payment.
    Cancel,
    /// A person's decision would be told to the gateway.
    TellDecision,
    /// The gateway would be asked how the payment stands, and then to give money back.
    Refund,
    /// The gateway would be asked whether it lists the refund by now.
    LookForRefund,
    /// The refund would be refused: the payment holds no money.
    RefuseRefund,
    /// A look at the payment would be wanted.
    HandToSync,
    /// A finding would be written down: the order is unknown.
    Find,
    /// Due checks, lingering refunds and missed notifications would be looked for.
    Sweep,
    /// Missing rent would be billed.
    Bill,
    /// Our books would be compared with the gateway's.
    Compare,
    /// What is older than it has to be kept would be forgotten.
    Forget,
    /// What tenants are to be told today would be looked for.
    LookForReminders,
    /// A tenant would be told of a bill, if it is still as it was.
    Tell,
    /// The tenant was told.
    Told,
}

impl Foresight {
    /// A sentence in Indonesian, and the same in English.
    #[must_use]
    pub fn says(&self) -> (&'static str, &'static str) {
        self.nothing()
            .or_else(|| self.waiting())
            .or_else(|| self.by_the_clock())
            .unwrap_or_else(|| self.doing())
    }

    /// True when it would change nothing and ask nobody.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.nothing().is_some()
    }

    fn nothing(self) -> Option<(&'static str, &'static str)> {
        Some(match self {
            Self::Charged => (
                "Tidak ada: transaksinya sudah dibuat, atau pembayarannya sudah berakhir.",
                "Nothing: the charge was made, or the payment has ended.",
            ),
            Self::Ended => ("Tidak ada: pembayarannya sudah berakhir.", "Nothing: the payment has ended."),
            Self::Cash => (
                "Tidak ada: pembayaran tunai tidak dikenal Midtrans.",
                "Nothing: it was paid in cash, of which the gateway does not know.",
            ),
            Self::RefundEnded => {
                ("Tidak ada: pengembalian dananya sudah selesai.", "Nothing: the refund has ended.")
            }
            Self::Decided => (
                "Tidak ada: pembayaran ini tidak lagi menunggu keputusan.",
                "Nothing: the payment waits for no decision any more.",
            ),
            Self::Compared => {
                ("Tidak ada: rekonsiliasinya sudah selesai.", "Nothing: the comparison is done.")
            }
            Self::Told => ("Tidak ada: pengingatnya sudah selesai.", "Nothing: the reminder has ended."),
            Self::NoPayment => (
                "Tidak ada: notifikasinya bukan tentang pembayaran.",
                "Nothing: the notification is about no payment.",
            ),
            _ => return None,
        })
    }

    fn waiting(self) -> Option<(&'static str, &'static str)> {
        Some(match self {
            Self::Missing => (
                "Tugas akan dinyatakan mati: yang dimaksud tidak ada.",
                "The job would be dead: what it is about is not there.",
            ),
            Self::Unreadable => (
                "Tugas akan dinyatakan mati: muatannya tidak terbaca.",
                "The job would be dead: its payload cannot be read.",
            ),
            Self::UnknownKind => (
                "Tugas akan ditunda: hanya Kasir versi lain yang mengenal jenisnya.",
                "The job would be put off: only another version of Kasir knows its kind.",
            ),
            Self::AwaitEarlier => (
                "Tugas akan menunggu: pembayaran sebelumnya untuk tagihan ini belum berakhir.",
                "The job would wait: an earlier payment of the bill has not ended.",
            ),
            Self::AwaitCharge => (
                "Tugas akan menunggu: hasil pembuatan transaksi belum diketahui.",
                "The job would wait: the outcome of the charge is not known yet.",
            ),
            _ => return None,
        })
    }

    fn by_the_clock(self) -> Option<(&'static str, &'static str)> {
        Some(match self {
            Self::Sweep => (
                "Pembayaran yang waktunya diperiksa akan dicari, juga pengembalian dana dan notifikasi yang terlewat.",
                "Payments whose check is due would be looked for, lingering refunds and missed notifications too.",
            ),
            Self::Bill => {
                ("Sewa yang belum ditagih akan ditagih.", "Rent that was not billed would be billed.")
            }
            Self::Compare => (
                "Pembukuan akan dicocokkan dengan Midtrans.",
                "Our books would be compared with the gateway's.",
            ),
            Self::LookForReminders => (
                "Pengingat yang perlu dikirim hari ini akan dicari.",
                "What tenants are to be told today would be looked for.",
            ),
            Self::Tell => (
                "Pengingat akan dikirim, kalau tagihannya masih seperti itu.",
                "The reminder would be sent, if its bill is still so.",
            ),
            Self::Forget => (
                "Yang tak perlu disimpan lagi akan dihapus.",
                "What is older than it has to be kept would be forgotten.",
            ),
            _ => return None,
        })
    }

    fn doing(self) -> (&'static str, &'static str) {
        match self {
            Self::Charge => {
                ("Transaksi akan dibuat di Midtrans.", "The charge would be sent to the gateway.")
            }
            Self::AskThenCharge => (
                "Midtrans akan ditanya dulu; transaksi dibuat hanya kalau belum ada.",
                "The gateway would be asked first, and charged only where it has no such transaction.",
            ),
            Self::Withdraw => (
                "Pembayaran akan diakhiri tanpa menghubungi Midtrans: tidak ada lagi yang menginginkannya.",
                "The payment would end without asking the gateway: nobody wants it any more.",
            ),
            Self::HandToCharge => (
                "Tugas membuat transaksi akan ditambahkan: Midtrans belum pernah dihubungi.",
                "A job that charges would be added: the gateway was never asked.",
            ),
            Self::AskAndCancel => (
                "Midtrans akan ditanya keadaan pembayaran ini, dan pembatalannya diminta lagi.",
                "The gateway would be asked how the payment stands, and its cancellation wanted again.",
            ),
            Self::Cancel => (
                "Midtrans akan diminta membatalkan pembayaran ini.",
                "The gateway would be asked to cancel the payment.",
            ),
            Self::TellDecision => (
                "Keputusan pengelola akan disampaikan ke Midtrans.",
                "What was decided would be told to the gateway.",
            ),
            Self::Refund => (
                "Midtrans akan ditanya keadaan pembayaran ini, lalu diminta mengembalikan dana.",
                "The gateway would be asked how the payment stands, and then to give money back.",
            ),
            Self::LookForRefund => (
                "Midtrans akan ditanya apakah pengembalian dananya sudah tercatat.",
                "The gateway would be asked whether it lists the refund by now.",
            ),
            Self::RefuseRefund => (
                "Pengembalian dana akan ditolak: pembayaran ini tidak memegang uang.",
                "The refund would be refused: the payment holds no money.",
            ),
            Self::HandToSync => (
                "Tugas menanyakan keadaan pembayarannya ke Midtrans akan ditambahkan.",
                "A job that asks the gateway how the payment stands would be added.",
            ),
            Self::Find => (
                "Temuan akan dicatat: nomor pesanannya tidak dikenal.",
                "A finding would be written down: the order is unknown.",
            ),
            _ => (
                "Midtrans akan ditanya keadaan pembayaran ini.",
                "The gateway would be asked how the payment stands.",
            ),
        }
    }
}

/// What doing the job now would come to, whatever its state.
///
/// # Errors
/// When the database does.
pub async fn foresee(db: &Db, job: &JobRow) -> Result<Foresight, StoreError> {
    let work = match Work::parse(&job.kind, &job.payload) {
        Ok(work) => work,
        Err(UnknownWork::Kind(_)) => return Ok(Foresight::UnknownKind),
        Err(UnknownWork::Payload(_)) => return Ok(Foresight::Unreadable),
    };
    Ok(match work {
        Work::SubmitCharge(job) => match payments::find(db, job.payment_id).await? {
            Some(payment) => charge(db, &payment).await?,
            None => Foresight::Missing,
        },
        Work::SyncPayment(job) => about(db, job.payment_id, sync).await?,
        Work::CancelPayment(job) => about(db, job.payment_id, cancel).await?,
        Work::DecidePayment(job) => about(db, job.payment_id, decide).await?,
        Work::RefundPayment(job) => refund(db, job).await?,
        Work::ProcessNotification(job) => notification(db, job.notification_id).await?,
        Work::Reconcile(job) => match reconciliations::find_by_slot(db, &job.slot).await? {
            Some(run) if run.state == "done" => Foresight::Compared,
            None if !job.slot.starts_with(NIGHTLY) => Foresight::Missing,
            Some(_) | None => Foresight::Compare,
        },
        Work::Sweep(_) => Foresight::Sweep,
        Work::GenerateBills(_) => Foresight::Bill,
        Work::Prune(_) => Foresight::Forget,
        Work::FindReminders(_) => Foresight::LookForReminders,
        Work::SendEmail(job) => reminder(db, job.reminder_id).await?,
        Work::SendWebhook(job) => reminder(db, job.reminder_id).await?,
    })
}

async fn reminder(db: &Db, id: ReminderId) -> Result<Foresight, StoreError> {
    Ok(match reminders::letter(db, id).await? {
        None => Foresight::Missing,
        Some(letter) if letter.ended_at.is_some() => Foresight::Told,
        Some(_) => Foresight::Tell,
    })
}

async fn about(db: &Db, id: PaymentId, foresee: fn(&Payment) -> Foresight) -> Result<Foresight, StoreError> {
    let payment = payments::find(db, id).await?;
    Ok(payment.map_or(Foresight::Missing, |payment| foresee(&payment)))
}

async fn charge(db: &Db, payment: &Payment) -> Result<Foresight, StoreError> {
    match payment.state {
        State::Created => {}
        State::Asked => return Ok(Foresight::AskThenCharge),
        State::Pending
        | State::Review
        | State::Paid
        | State::PartiallyRefunded { .. }
        | State::Refunded
        | State::ChargedBack
        | State::Failed(_) => return Ok(Foresight::Charged),
    }
    if payment.superseded_at.is_some() {
        return Ok(Foresight::Withdraw);
    }
    if payments::earlier_live(db, payment).await?.is_some() {
        return Ok(Foresight::AwaitEarlier);
    }
    let bill = bills::find(db, payment.bill_id).await?;
    Ok(match bill.map(|bill| bill.status) {
        Some(BillStatus::Unpaid | BillStatus::Pending) => Foresight::Charge,
        Some(BillStatus::Paid) | None => Foresight::Withdraw,
    })
}

fn sync(payment: &Payment) -> Foresight {
    if payment.method == Method::Cash {
        Foresight::Cash
    } else if payment.state == State::Created {
        Foresight::HandToCharge
    } else if payment.state.is_live() && payment.superseded_at.is_some() {
        Foresight::AskAndCancel
    } else {
        Foresight::Ask
    }
}

fn cancel(payment: &Payment) -> Foresight {
    match payment.state {
        State::Created => Foresight::Withdraw,
        State::Asked => Foresight::AwaitCharge,
        State::Pending | State::Review => Foresight::Cancel,
        State::Paid
        | State::PartiallyRefunded { .. }
        | State::Refunded
        | State::ChargedBack
        | State::Failed(_) => Foresight::Ended,
    }
}

fn decide(payment: &Payment) -> Foresight {
    if payment.state == State::Review { Foresight::TellDecision } else { Foresight::Decided }
}

async fn refund(db: &Db, job: RefundPayment) -> Result<Foresight, StoreError> {
    let payment = payments::find(db, job.payment_id).await?;
    let (Some(payment), Some(refund)) = (payment, refunds::find(db, job.refund_id).await?) else {
        return Ok(Foresight::Missing);
    };
    Ok(match refund.state {
        RefundState::Confirmed | RefundState::Refused => Foresight::RefundEnded,
        RefundState::Accepted => Foresight::LookForRefund,
        RefundState::Wanted if !payment.state.holds_money() => Foresight::RefuseRefund,
        RefundState::Wanted | RefundState::Asked => Foresight::Refund,
    })
}

async fn notification(db: &Db, id: NotificationId) -> Result<Foresight, StoreError> {
    let Some(notification) = notifications::find(db, id).await? else { return Ok(Foresight::Missing) };
    let order = notification.order_id.as_deref().unwrap_or_default();
    let by_invoice = match Invoice::try_from(order) {
        Ok(invoice) => payments::find_by_invoice(db, &invoice).await?,
        Err(_) => None,
    };
    let by_name = match TransactionId::try_from(order) {
        Ok(name) if by_invoice.is_none() => payments::find_by_transaction(db, &name).await?,
        _ => None,
    };
    Ok(match by_invoice.or(by_name) {
        Some(_) => Foresight::HandToSync,
        None if notification.kind == "payment" => Foresight::Find,
        None => Foresight::NoPayment,
    })
}
