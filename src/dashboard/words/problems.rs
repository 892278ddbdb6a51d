//! What went wrong, in Indonesian; the English is the problem's own.

use super::super::session::View;
use crate::http::Problem;

const PROBLEMS: [(&str, (&str, &str)); 36] = [
    ("unauthenticated", ("Anda belum masuk", "Masuk dengan alamat surel dan kata sandi Anda.")),
    (
        "second-factor",
        (
            "Kode sekali pakai belum diisi, salah, atau sudah dipakai",
            "Tunggu kode berikutnya, lalu masuk lagi.",
        ),
    ),
    ("unknown-front-end", ("Aplikasi tidak dikenal", "Kirim kepala `x-api-key` dengan kunci yang berlaku.")),
    (
        "forbidden",
        ("Anda tidak boleh melakukan ini", "Mintalah pemilik rumah, atau masuk sebagai orang yang boleh."),
    ),
    (
        "foreign-form",
        ("Formulir ini bukan dari halaman ini", "Muat ulang halaman lalu kirim lagi dari sana."),
    ),
    ("not-found", ("Tidak ada", "Periksa alamat dan nomornya.")),
    ("method-not-allowed", ("Alamat ini tidak menerima cara itu", "Gunakan tombol di halaman.")),
    ("bill-already-paid", ("Tagihan sudah lunas", "Tidak ada yang perlu dilakukan.")),
    ("payment-ended", ("Pembayaran sudah berakhir", "Tidak ada lagi yang dapat dibatalkan.")),
    (
        "idempotency-key-reused",
        ("Kunci permintaan dipakai untuk permintaan lain", "Kirim lagi dengan kunci baru."),
    ),
    ("idempotency-key-in-use", ("Permintaan pertama masih berjalan", "Coba lagi sebentar lagi.")),
    (
        "too-many-streams",
        ("Terlalu banyak halaman yang hidup", "Muat ulang halaman ini nanti; isinya tetap benar."),
    ),
    ("bill-being-paid", ("Tagihan sedang dibayar", "Tunggu sampai pembayaran berakhir, atau batalkan dulu.")),
    ("not-in-review", ("Pembayaran tidak menunggu keputusan", "Lihat bagaimana keadaannya sekarang.")),
    ("finding-resolved", ("Temuan sudah ditangani", "Halaman temuan menunjukkan oleh siapa.")),
    (
        "not-refundable",
        ("Uang ini tidak dapat dikembalikan lewat Midtrans", "Keterangan di atas menyebut alasannya."),
    ),
    (
        "money-open",
        (
            "Urusan uang penghuni ini belum selesai",
            "Lunasi atau batalkan tagihannya dulu, dan tunggu pembayaran atau pengembaliannya berakhir.",
        ),
    ),
    ("room-occupied", ("Kamar berpenghuni", "Pindahkan dulu penghuninya, atau pilih kamar kosong.")),
    ("room-code-taken", ("Kode kamar sudah dipakai", "Pilih kode lain.")),
    ("email-taken", ("Alamat surel sudah dipakai orang lain", "Gunakan alamat lain.")),
    ("contended", ("Orang lain mengubah hal yang sama", "Lihat keadaannya sekarang, lalu coba lagi.")),
    (
        "job-not-dead",
        ("Tugas ini tidak mati", "Hanya tugas mati yang diulangi; yang menunggu bisa dikerjakan sekarang."),
    ),
    (
        "job-waits",
        ("Tugas yang sama sudah menunggu", "Biarkan tugas itu bekerja. Yang mati ini boleh dibatalkan."),
    ),
    (
        "job-not-waiting",
        ("Tugas ini tidak menunggu", "Lihat keadaannya sekarang: yang berjalan tidak bisa dihentikan."),
    ),
    (
        "job-needed",
        (
            "Tidak ada yang lain yang akan mengerjakannya",
            "Biarkan berjalan atau ulangi: kalau dibatalkan, pembayaran atau notifikasinya terlupakan.",
        ),
    ),
    ("malformed", ("Permintaan tidak terbaca", "Keterangan di atas menyebut di mana.")),
    ("unprocessable", ("Isian tidak masuk akal", "Keterangan di atas menyebut isian mana yang salah.")),
    ("unsupported-media-type", ("Jenis isi tidak didukung", "Gunakan formulir di halaman.")),
    (
        "too-large",
        ("Isi terlalu besar", "Kirim berkas yang lebih kecil, atau gunakan `kasir import` di server."),
    ),
    ("too-slow", ("Isi datang terlalu lambat", "Periksa jaringan Anda, lalu kirim lagi.")),
    ("wrong-signature", ("Tanda tangan bukan milik kami", "Periksa kunci notifikasi.")),
    (
        "too-many-tries",
        (
            "Terlalu banyak percobaan masuk yang gagal",
            "Tunggu sebentar, lalu coba lagi dengan kata sandi yang benar.",
        ),
    ),
    (
        "overloaded",
        ("Terlalu banyak permintaan sekaligus", "Coba lagi sebentar lagi. Tidak ada yang diubah."),
    ),
    ("unavailable", ("Layanan tidak dapat melakukan ini sekarang", "Coba lagi sebentar lagi.")),
    ("timed-out", ("Terlalu lama", "Lihat dulu apakah sudah terjadi; mencoba lagi tetap aman.")),
    ("internal", ("Ada kesalahan pada layanan", "Sampaikan `x-request-id` jawaban ini kepada operator.")),
];

/// What happened, and what to do about it.
pub(crate) fn problem(view: &View, problem: &Problem) -> (&'static str, &'static str) {
    let found = PROBLEMS.iter().find(|(slug, _)| *slug == problem.slug());
    match found {
        Some((_, (title, help))) if !view.is_english => (title, help),
        _ => (problem.title(), problem.help()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_is_told_in_indonesian() {
        for problem in Problem::all() {
            assert!(PROBLEMS.iter().any(|(slug, _)| *slug == problem.slug()), "{}", problem.slug());
        }
    }
}
