//! What a tenant is told, in words: in Indonesian and in English, as plain text and as a small page.

use chrono::NaiveDate;
use domain::{BillId, Email, Language, Period, ReminderKind, Rupiah, UserId, long_date, long_month};
use maud::{DOCTYPE, html};

/// All that a reminder says.
#[derive(Debug, Clone)]
pub struct Letter {
    /// What the message is called, the same each time it is sent.
    pub message_id: String,
    /// What it tells.
    pub kind: ReminderKind,
    /// In which language.
    pub language: Language,
    /// Whom.
    pub tenant_id: UserId,
    /// What they are called.
    pub name: String,
    /// Their address.
    pub email: Email,
    /// Their telephone number.
    pub phone: Option<String>,
    /// Of which bill.
    pub bill_id: BillId,
    /// The month it is for.
    pub period: Period,
    /// What it is for, where it is not the rent.
    pub title: Option<String>,
    /// How much.
    pub amount: Rupiah,
    /// The last day to pay.
    pub due: Option<NaiveDate>,
    /// How the house signs.
    pub house: String,
    /// Where the tenant says that there are to be no more.
    pub stop_url: Option<String>,
}

/// A letter in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// Its subject.
    pub subject: String,
    /// Plain text.
    pub text: String,
    /// The same as a page.
    pub html: String,
}

/// The parts of a letter, in one language.
struct Parts {
    subject: String,
    greeting: String,
    body: String,
    closing: &'static str,
    stop: &'static str,
}

impl Letter {
    /// Puts it into words.
    #[must_use]
    pub fn words(&self) -> Words {
        let Parts { subject, greeting, body, closing, stop } = match self.language {
            Language::Indonesian => self.in_indonesian(),
            Language::English => self.in_english(),
        };
        let house = &self.house;
        let mut text = format!("{greeting}\n\n{body}\n\n{closing}\n{house}\n");
        if let Some(url) = &self.stop_url {
            text.push_str(&format!("\n-- \n{stop}: {url}\n"));
        }
        let page = html! {
            (DOCTYPE)
            html lang=(self.language.as_str()) {
                head { meta charset="utf-8"; title { (subject) } }
                body {
                    p { (greeting) }
                    p { (body) }
                    p { (closing) br; (house) }
                    @if let Some(url) = &self.stop_url { p { small { a href=(url) { (stop) } } } }
                }
            }
        };
        Words { subject, text, html: page.into_string() }
    }

    fn in_indonesian(&self) -> Parts {
        let what = self
            .title
            .clone()
            .unwrap_or_else(|| format!("sewa kamar {}", long_month(self.period, Language::Indonesian)));
        let amount = self.amount;
        let due = self.due.map(|day| long_date(day, Language::Indonesian));
        let by = due.as_ref().map_or_else(String::new, |day| format!(" Mohon dibayar paling lambat {day}."));
        let day = due.unwrap_or_default();
        let (subject, body) = match self.kind {
            ReminderKind::NewBill => (
                format!("Tagihan baru: {what}"),
                format!("Tagihan {what} sebesar {amount} sudah terbit.{by}"),
            ),
            ReminderKind::DueSoon => (
                format!("Pengingat: {what} jatuh tempo {day}"),
                format!("Tagihan {what} sebesar {amount} jatuh tempo pada {day}."),
            ),
            ReminderKind::DueToday => (
                format!("Jatuh tempo hari ini: {what}"),
                format!("Tagihan {what} sebesar {amount} jatuh tempo hari ini, {day}."),
            ),
            ReminderKind::Overdue => (
                format!("Lewat jatuh tempo: {what}"),
                format!(
                    "Tagihan {what} sebesar {amount} jatuh tempo pada {day} dan belum kami terima. Bila sudah \
                     dibayar, abaikan pesan ini."
                ),
            ),
            ReminderKind::Paid => (
                format!("Lunas: {what}"),
                format!("Pembayaran {what} sebesar {amount} sudah kami terima. Terima kasih."),
            ),
        };
        Parts {
            subject,
            greeting: format!("Halo {},", self.name),
            body,
            closing: "Salam,",
            stop: "Tidak ingin menerima pengingat lagi",
        }
    }

    fn in_english(&self) -> Parts {
        let what = self
            .title
            .clone()
            .unwrap_or_else(|| format!("room rent for {}", long_month(self.period, Language::English)));
        let amount = self.amount;
        let due = self.due.map(|day| long_date(day, Language::English));
        let by = due.as_ref().map_or_else(String::new, |day| format!(" Please pay it by {day}."));
        let day = due.unwrap_or_default();
        let (subject, body) = match self.kind {
            ReminderKind::NewBill => {
                (format!("New bill: {what}"), format!("There is a new bill: {what}, {amount}.{by}"))
            }
            ReminderKind::DueSoon => (
                format!("Reminder: {what} is due on {day}"),
                format!("The bill for {what}, {amount}, is due on {day}."),
            ),
            ReminderKind::DueToday => {
                (format!("Due today: {what}"), format!("The bill for {what}, {amount}, is due today, {day}."))
            }
            ReminderKind::Overdue => (
                format!("Overdue: {what}"),
                format!(
                    "The bill for {what}, {amount}, was due on {day}, and we have not received it. If you have paid, \
                     please ignore this message."
                ),
            ),
            ReminderKind::Paid => (
                format!("Paid: {what}"),
                format!("We have received your payment of {amount} for {what}. Thank you."),
            ),
        };
        Parts {
            subject,
            greeting: format!("Hello {},", self.name),
            body,
            closing: "Kind regards,",
            stop: "No more reminders, please",
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn letter(kind: ReminderKind, language: Language) -> Letter {
        Letter {
            message_id: "kasir.7.paid.email.abc".to_owned(),
            kind,
            language,
            tenant_id: UserId(3),
            name: "Budi <b>".to_owned(),
            email: Email::try_from("budi@kost.test".to_owned()).unwrap(),
            phone: Some("0812".to_owned()),
            bill_id: BillId(7),
            period: Period::new(2026, 12).unwrap(),
            title: None,
            amount: Rupiah::try_from(1_250_000).unwrap(),
            due: NaiveDate::from_ymd_opt(2026, 12, 10),
            house: "Kost Melati".to_owned(),
            stop_url: Some("https://kost.example/reminders/stop?token=3.abc".to_owned()),
        }
    }

    #[test]
    fn every_letter_says_what_how_much_and_whose_it_is_in_both_languages() {
        for kind in ReminderKind::ALL.iter().copied() {
            let indonesian = letter(kind, Language::Indonesian).words();
            let english = letter(kind, Language::English).words();
            for (words, month) in
                [(&indonesian, "sewa kamar Desember 2026"), (&english, "room rent for December 2026")]
            {
                assert!(words.subject.contains(month), "{words:?}");
                for part in ["Budi", "Rp1.250.000", month, "Kost Melati", "token=3.abc"] {
                    assert!(words.text.contains(part) && words.html.contains(part), "{part}: {words:?}");
                }
            }
            assert_ne!(indonesian.subject, english.subject);
        }
    }

    #[test]
    fn a_page_holds_no_markup_of_a_tenant() {
        let words = letter(ReminderKind::Paid, Language::English).words();
        assert!(words.html.contains("Budi &lt;b&gt;") && !words.html.contains("<b>"));
    }

    #[test]
    fn a_bill_of_its_own_title_and_without_a_last_day_reads_well() {
        let title = Some("Laundry".to_owned());
        let letter =
            Letter { title, due: None, stop_url: None, ..letter(ReminderKind::NewBill, Language::English) };
        let words = letter.words();
        assert_eq!(words.subject, "New bill: Laundry");
        assert_eq!(
            words.text,
            "Hello Budi <b>,\n\nThere is a new bill: Laundry, Rp1.250.000.\n\nKind regards,\nKost Melati\n"
        );
    }
}
