//! What things are called, in Indonesian and English.

mod problems;

use domain::{FindingKind, Rank, RefundState};
use maud::Markup;

use super::parts::badge;
use super::session::View;

pub(super) use problems::problem;

type Both = (&'static str, &'static str);

fn pick<'a>(view: &View, table: &[(&str, Both)], word: &'a str) -> &'a str {
    let found = table.iter().find(|(known, _)| *known == word);
    // A word that is not in the table is better than none.
    found.map_or(word, |(_, (indonesian, english))| view.t(indonesian, english))
}

const KINDS: [(&str, Both); 13] = [
    ("submit_charge", ("Ajukan tagihan ke Midtrans", "Submit charge")),
    ("process_notification", ("Proses notifikasi", "Process notification")),
    ("sync_payment", ("Tanyakan pembayaran", "Sync payment")),
    ("cancel_payment", ("Batalkan pembayaran", "Cancel payment")),
    ("decide_payment", ("Putuskan pembayaran kartu", "Decide card payment")),
    ("refund_payment", ("Kembalikan uang", "Refund payment")),
    ("sweep", ("Cari yang terlewat", "Sweep for what was missed")),
    ("generate_bills", ("Buat tagihan bulanan", "Generate monthly bills")),
    ("reconcile", ("Cocokkan pembukuan", "Reconcile")),
    ("prune", ("Hapus data lama", "Prune old data")),
    ("find_reminders", ("Cari pengingat yang perlu dikirim", "Find reminders to send")),
    ("send_email", ("Kirim pengingat lewat surel", "Send reminder by e-mail")),
    ("send_webhook", ("Kirim pengingat lewat webhook", "Send reminder to the webhook")),
];

/// A kind of job.
pub(super) fn kind<'a>(view: &View, kind: &'a str) -> &'a str {
    pick(view, &KINDS, kind)
}

/// The states of a job, in the order of interest.
pub(super) const JOB_STATES: [&str; 5] = ["dead", "running", "ready", "done", "cancelled"];

const JOB_WORDS: [(&str, Both); 5] = [
    ("dead", ("mati", "dead")),
    ("running", ("berjalan", "running")),
    ("ready", ("menunggu", "ready")),
    ("done", ("selesai", "done")),
    ("cancelled", ("dibatalkan", "cancelled")),
];

pub(super) fn job_state<'a>(view: &View, state: &'a str) -> &'a str {
    pick(view, &JOB_WORDS, state)
}

const OUTCOMES: [(&str, Both); 5] = [
    ("done", ("selesai", "done")),
    ("retry", ("gagal, diulang", "failed, again")),
    ("later", ("ditunda", "later")),
    ("dead", ("menyerah", "gave up")),
    ("lost", ("pekerja hilang", "worker lost")),
];

/// What became of an attempt.
pub(super) fn outcome<'a>(view: &View, outcome: &'a str) -> &'a str {
    pick(view, &OUTCOMES, outcome)
}

/// The states of a payment.
pub(super) const PAYMENT_STATES: [&str; 9] = [
    "created",
    "asked",
    "pending",
    "review",
    "paid",
    "partially_refunded",
    "refunded",
    "charged_back",
    "failed",
];

const PAYMENT_WORDS: [(&str, Both); 16] = [
    ("created", ("dicatat", "created")),
    ("asked", ("diajukan", "asked")),
    ("pending", ("menunggu pembayar", "pending")),
    ("review", ("perlu keputusan", "in review")),
    ("paid", ("lunas", "paid")),
    ("partially_refunded", ("dikembalikan sebagian", "partially refunded")),
    ("refunded", ("dikembalikan", "refunded")),
    ("charged_back", ("ditarik bank", "charged back")),
    ("failed", ("gagal", "failed")),
    ("withdrawn", ("ditarik", "withdrawn")),
    ("rejected", ("ditolak Midtrans", "rejected by the gateway")),
    ("denied", ("ditolak bank", "denied")),
    ("cancelled", ("dibatalkan", "cancelled")),
    ("expired", ("kedaluwarsa", "expired")),
    ("errored", ("galat", "errored")),
    ("reversed", ("dibalik", "reversed")),
];

pub(super) fn payment_state<'a>(view: &View, state: &'a str) -> &'a str {
    pick(view, &PAYMENT_WORDS, state)
}

pub(super) fn refund_state(view: &View, state: RefundState) -> &'static str {
    match state {
        RefundState::Wanted => view.t("dicatat", "wanted"),
        RefundState::Asked => view.t("diajukan", "asked"),
        RefundState::Accepted => view.t("diterima Midtrans", "accepted"),
        RefundState::Confirmed => view.t("sudah dikembalikan", "confirmed"),
        RefundState::Refused => view.t("ditolak", "refused"),
    }
}

const BILL_WORDS: [(&str, Both); 3] = [
    ("unpaid", ("belum dibayar", "unpaid")),
    ("pending", ("sedang dibayar", "being paid")),
    ("paid", ("lunas", "paid")),
];

pub(super) fn bill_status<'a>(view: &View, status: &'a str) -> &'a str {
    pick(view, &BILL_WORDS, status)
}

const FINDINGS: [(&str, Both); 11] = [
    ("missed_notification", ("Notifikasi terlewat", "Missed notification")),
    ("amount_mismatch", ("Jumlah berbeda", "Amount mismatch")),
    ("unknown_order", ("Order tidak dikenal", "Unknown order")),
    ("reversal", ("Pembayaran dibalik", "Reversal")),
    ("late_settlement", ("Uang datang terlambat", "Late settlement")),
    ("double_payment", ("Dibayar dua kali", "Double payment")),
    ("status_conflict", ("Status bertentangan", "Status conflict")),
    ("stuck_charge", ("Tagihan macet", "Stuck charge")),
    ("external_refund", ("Dikembalikan pihak lain", "External refund")),
    ("chargeback", ("Penarikan oleh bank", "Chargeback")),
    ("missing_payout", ("Pencairan hilang", "Missing payout")),
];

pub(super) fn finding(view: &View, kind: FindingKind) -> &'static str {
    pick(view, &FINDINGS, kind.as_str())
}

const ENTRIES: [(&str, Both); 9] = [
    ("asked", ("Midtrans ditanya", "Gateway asked")),
    ("told", ("Notifikasi", "Notification")),
    ("moved", ("Status berubah", "State changed")),
    ("posted", ("Dibukukan", "Posted")),
    ("worked", ("Tugas", "Job")),
    ("refund", ("Pengembalian", "Refund")),
    ("finding", ("Temuan", "Finding")),
    ("reconciled", ("Rekonsiliasi", "Reconciled")),
    ("ordered", ("Pengurus", "Operator")),
];

/// What kind of thing happened.
pub(super) fn entry<'a>(view: &View, kind: &'a str) -> &'a str {
    pick(view, &ENTRIES, kind)
}

const VERDICTS: [(&str, Both); 7] = [
    ("agreed", ("cocok", "agreed")),
    ("repaired", ("diperbaiki", "repaired")),
    ("finding", ("temuan", "finding")),
    ("error", ("tak terjawab", "no answer")),
    ("waiting", ("menunggu", "waiting")),
    ("running", ("berjalan", "running")),
    ("done", ("selesai", "done")),
];

/// What a comparison, or a payment of one, came to.
pub(super) fn verdict<'a>(view: &View, verdict: &'a str) -> &'a str {
    pick(view, &VERDICTS, verdict)
}

const RUNS: [(&str, Both); 2] = [("nightly", ("malam", "nightly")), ("manual", ("manual", "manual"))];

pub(super) fn run_kind<'a>(view: &View, kind: &'a str) -> &'a str {
    pick(view, &RUNS, kind)
}

const LINES: [(&str, Both); 5] = [
    ("sweep", ("Cari notifikasi dan tugas yang terlewat", "Look for missed notifications and jobs")),
    ("rent", ("Buat tagihan bulan ini", "Bill the month")),
    ("reconcile", ("Cocokkan pembukuan dengan Midtrans", "Compare the books with the gateway's")),
    ("prune", ("Hapus yang tak perlu disimpan", "Forget what need not be kept")),
    ("reminders", ("Ingatkan penghuni akan tagihannya", "Remind tenants of their bills")),
];

/// A line of the schedule.
pub(super) fn line<'a>(view: &View, name: &'a str) -> &'a str {
    pick(view, &LINES, name)
}

const ACCOUNTS: [(&str, Both); 10] = [
    ("tenants", ("Penghuni", "Tenants")),
    ("pending", ("Menunggu dibayar", "Pending")),
    ("gateway", ("Di Midtrans", "At the gateway")),
    ("cash", ("Tunai", "Cash")),
    ("refunded", ("Dikembalikan", "Refunded")),
    ("reversed", ("Dibalik", "Reversed")),
    ("charged_back", ("Ditarik bank", "Charged back")),
    ("fees", ("Biaya Midtrans", "Fees")),
    ("vat", ("PPN", "VAT")),
    ("bank", ("Rekening bank", "Bank")),
];

pub(super) fn account<'a>(view: &View, account: &'a str) -> &'a str {
    pick(view, &ACCOUNTS, account)
}

pub(super) fn rank(view: &View, rank: Rank) -> &'static str {
    match rank {
        Rank::Owner => view.t("pemilik", "owner"),
        Rank::Staff => view.t("staf", "staff"),
        Rank::Viewer => view.t("pelihat", "viewer"),
    }
}

/// A badge for a word, with a colour for how it bodes.
pub(super) fn mark(word: &str, text: &str) -> Markup {
    let class = match word {
        "paid" | "done" | "agreed" | "resolved" | "confirmed" | "active" => "good",
        "dead" | "failed" | "charged_back" | "error" | "finding" | "lost" | "overdue" | "open"
        | "refused" => "bad",
        "running" | "asked" | "pending" | "review" | "repaired" | "retry" | "paused" | "accepted" => "busy",
        _ => "calm",
    };
    badge(class, text)
}

const SAID: [(&str, Both); 23] = [
    ("retried", ("Tugas akan dikerjakan lagi.", "The job will be done again.")),
    ("cancelled", ("Tugas dibatalkan.", "The job is cancelled.")),
    ("hurried", ("Tugas dikerjakan sekarang.", "The job is being done now.")),
    (
        "bulk",
        (
            "Tugas-tugas itu sudah diubah; jejak audit mencatat berapa.",
            "The jobs were changed; the audit log says how many.",
        ),
    ),
    ("paused", ("Jenis tugas itu dijeda.", "This kind of job is paused.")),
    ("resumed", ("Jenis tugas itu berjalan lagi.", "This kind of job goes on.")),
    ("ordered", ("Sudah diperintahkan.", "It was ordered.")),
    ("asking", ("Midtrans sedang ditanya.", "The gateway is being asked.")),
    ("giving-up", ("Pembayaran sedang dibatalkan.", "The payment is being cancelled.")),
    ("deciding", ("Keputusan sedang disampaikan ke Midtrans.", "The gateway is being told of the decision.")),
    ("refunding", ("Pengembalian sedang diajukan.", "The refund is being asked for.")),
    ("resolved", ("Temuan sudah ditangani.", "The finding is resolved.")),
    ("comparing", ("Pembukuan sedang dicocokkan.", "The books are being compared.")),
    ("replayed", ("Notifikasi diproses lagi.", "The notification is processed again.")),
    ("added", ("Sudah ditambahkan.", "It was added.")),
    ("changed", ("Sudah diubah.", "It was changed.")),
    ("removed", ("Sudah dihapus.", "It was removed.")),
    ("voided", ("Tagihan tidak berlaku lagi.", "The bill is void.")),
    ("cash", ("Pembayaran tunai dicatat.", "The payment in cash is written down.")),
    (
        "revealed",
        (
            "Isi lengkap ditampilkan, dan dicatat di jejak audit.",
            "The whole payload is shown, and the audit log says so.",
        ),
    ),
    ("password", ("Kata sandi sudah diganti.", "The password was changed.")),
    ("imported", ("Laporan sudah diimpor.", "The statement was imported.")),
    ("rehearsed", ("Hanya dicoba: tidak ada yang ditulis.", "A dry run: nothing was written.")),
];

/// What was just done.
pub(super) fn said(view: &View, slug: &str) -> Option<&'static str> {
    let (_, (indonesian, english)) = SAID.iter().find(|(known, _)| *known == slug)?;
    Some(view.t(indonesian, english))
}
