//! What is read out of files, and what is refused.

use proptest::prelude::*;

use super::*;

const TRANSACTIONS: &str = "\
Order ID,Payment type,Currency,Amount,Transaction ID,Transaction status,Transaction Time,Settlement time,Mdr amount
KSR-1,bank_transfer,IDR,\"1,250,000.00\",t-1,settlement,2026-11-24 06:59:59,2026-11-24 07:10:00,4440.5
KSR-2,qris,IDR,10000,t-2,expire,2026-11-24 00:00:00,-,
";
const BALANCE: &str = "\
Date & Time,Order ID,Type,Channel,Status,Amount,Fee
24/11/2026 07:10:00,KSR-1,Payment,BCA VA,Success,1250000.00,4000
24/11/2026 09:00,KSR-3,Refund,QRIS,Success,Rp 50.000,0
25/11/2026 11:00,,Withdrawal,,Success,-1246000,0
";
const PAYOUT: &str = "\
Payout ID,Payout date,Order ID,Gross amount,Fee,PPN,Net amount
P-1,2026-11-27,KSR-1,1250000,4000,440,1245560
P-1,2026-11-27,KSR-3,-50000,0,0,-50000
";

fn read(text: impl AsRef<[u8]>) -> Result<Vec<StatementLine>, ExportError> {
    let limits = Limits::default();
    let survey = survey(text.as_ref(), &limits)?;
    let mut export = Export::open(text.as_ref(), &limits)?;
    let mut lines = Vec::new();
    while let Some(row) = export.next_row()? {
        lines.push(row.expect("what the survey took is read"));
    }
    assert_eq!((survey.rows, survey.kind), (lines.len().try_into().unwrap(), export.kind()));
    Ok(lines)
}

fn error(text: impl AsRef<[u8]>) -> String {
    read(text).unwrap_err().to_string()
}

#[test]
fn each_export_is_known_by_its_columns() {
    for (text, kind) in [
        (TRANSACTIONS, StatementKind::Transactions),
        (BALANCE, StatementKind::Balance),
        (PAYOUT, StatementKind::Payout),
    ] {
        let survey = survey(text.as_bytes(), &Limits::default()).unwrap();
        assert_eq!(survey.kind, kind);
        assert_eq!(survey.sha256, hex::encode(Sha256::digest(text)));
    }
}

#[test]
fn a_transaction_is_read_whole() {
    let lines = read(TRANSACTIONS).unwrap();
    let expected = StatementLine {
        row: 2,
        kind: StatementKind::Transactions,
        order_id: Some("KSR-1".to_owned()),
        transaction_id: Some("t-1".to_owned()),
        entry: Entry::Payment,
        type_word: String::new(),
        channel: "bank_transfer".to_owned(),
        status: "settlement".to_owned(),
        amount: Flow::try_from(1_250_000).unwrap(),
        fee: domain::Rupiah::try_from(4_441).ok(),
        vat: None,
        net: None,
        at: "2026-11-23T23:59:59Z".parse().unwrap(),
        settled_at: Some("2026-11-24T00:10:00Z".parse().unwrap()),
        reference: None,
    };
    assert_eq!(lines[0], expected);
    assert_eq!((lines[1].settled_at, lines[1].fee, lines[1].is_money()), (None, None, false));
}

#[test]
fn what_goes_back_is_below_zero_however_it_is_written() {
    let balance = read(BALANCE).unwrap();
    let entries: Vec<_> = balance.iter().map(|line| (line.entry, line.amount.get())).collect();
    assert_eq!(
        entries,
        [(Entry::Payment, 1_250_000), (Entry::Refund, -50_000), (Entry::Withdrawal, -1_246_000)]
    );
    assert_eq!(balance[2].order_id, None);
    let payout = read(PAYOUT).unwrap();
    assert_eq!(payout[0].net.map(Flow::get), Some(1_245_560));
    assert_eq!((payout[1].entry, payout[1].net.map(Flow::get)), (Entry::Refund, Some(-50_000)));
    assert_eq!(payout[1].reference.as_deref(), Some("P-1"));
}

#[test]
fn other_marks_other_line_ends_and_a_byte_order_mark_change_nothing() {
    let plain = read(PAYOUT).unwrap();
    for mark in [";", "\t"] {
        let other = PAYOUT.replace(',', mark).replace('\n', "\r\n");
        assert_eq!(read(format!("\u{feff}{}", other.trim_end())).unwrap(), plain, "{mark:?}");
    }
    let other = PAYOUT.replace("Payout date", "\"withdrawal_DATE\"").replace("Net amount", "NET-AMOUNT");
    assert_eq!(read(other).unwrap(), plain);
}

#[test]
fn a_missing_column_is_named_with_those_that_are_there() {
    let told = error(BALANCE.replace("Fee", "Remark"));
    assert!(told.contains("a Balance statement") && told.contains("lacks the column Fee"), "{told}");
    assert!(told.contains("Date & Time, Order ID, Type, Channel, Status, Amount, Remark"), "{told}");
    assert!(error("").contains("lacks the columns"));
    assert!(error("a,b\n1,2\n").contains("its columns are: a, b"));
}

#[test]
fn all_wrong_rows_are_told_together_with_their_lines() {
    let told = error(format!(
        "{TRANSACTIONS}KSR-3,,,x,,settlement,2026-11-24 10:00:00,,\n\nKSR-4,,,1,,,yesterday\n"
    ));
    assert!(told.starts_with("2 row(s)"), "{told}");
    assert!(told.contains("line 4: Amount is no amount: \"x\""), "{told}");
    assert!(told.contains("line 6: Transaction Time is no time"), "{told}");
    let many = "KSR,,,x,,settlement,2026-11-24 10:00:00,,\n".repeat(50);
    match read(format!("{TRANSACTIONS}{many}")).unwrap_err() {
        ExportError::Rows { rows, count } => assert_eq!((rows.len(), count), (20, 50)),
        other => panic!("{other}"),
    }
    assert!(
        error(b"Order ID,Status,Amount,Transaction Time\n\xff,settlement,1,2026-11-24 10:00:00\n")
            .contains("line 2: is no text")
    );
}

#[test]
fn a_fraction_of_a_rupiah_is_no_amount() {
    assert!(
        error(TRANSACTIONS.replace("IDR,10000,", "IDR,10000.50,")).contains("line 3: Amount has a fraction")
    );
}

#[test]
fn files_rows_and_cells_have_a_limit() {
    let limited = |limits: Limits, text: &str| survey(text.as_bytes(), &limits).unwrap_err();
    let usual = Limits::default;
    assert!(matches!(limited(Limits { bytes: 100, ..usual() }, TRANSACTIONS), ExportError::TooLarge(100)));
    assert!(matches!(limited(Limits { rows: 1, ..usual() }, TRANSACTIONS), ExportError::TooManyRows(1)));
    let open = format!("{TRANSACTIONS}\"{}", "x".repeat(300_000));
    assert!(matches!(limited(usual(), &open), ExportError::RowTooLong { .. }));
    let long = TRANSACTIONS.replace("KSR-2", &"x".repeat(256));
    assert!(error(long).contains("line 3: Order ID is longer than 255 characters"));
}

/// A table with its columns in the order that `keys` sorts them into, and columns that nobody knows between them.
fn shuffled(text: &str, keys: &[u32], extra: usize) -> String {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
    let mut writer = csv::Writer::from_writer(Vec::new());
    for (number, record) in reader.records().enumerate() {
        let mut cells: Vec<String> = record.unwrap().iter().map(str::to_owned).collect();
        cells.extend((0..extra).map(|column| format!("Extra {column} {number}")));
        let mut keyed: Vec<_> = cells.into_iter().enumerate().collect();
        keyed.sort_by_key(|(place, _)| (keys.get(*place).copied().unwrap_or_default(), *place));
        writer.write_record(keyed.into_iter().map(|(_, cell)| cell)).unwrap();
    }
    String::from_utf8(writer.into_inner().unwrap()).unwrap()
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _known = survey(bytes.as_slice(), &Limits::default()).is_ok();
    }

    #[test]
    fn no_cells_make_the_reader_panic(cells in prop::collection::vec("[-0-9Rp.,:/ \"a-z]{0,20}", 9)) {
        let text = format!("{TRANSACTIONS}{}\n", cells.join(","));
        let _known = survey(text.as_bytes(), &Limits::default()).is_ok();
    }

    #[test]
    fn the_order_of_the_columns_does_not_matter(keys in prop::collection::vec(any::<u32>(), 16), extra in 0_usize..5) {
        for text in [TRANSACTIONS, BALANCE, PAYOUT] {
            prop_assert_eq!(read(shuffled(text, &keys, extra)).unwrap(), read(text).unwrap());
        }
    }
}
