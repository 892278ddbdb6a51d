//! The gateway's statements: imported once, posted once, all or nothing, and no payment changes because of them.

use domain::{
    Entry, Failure, FindingKind, Flow, JobId, Match, Payment, PaymentId, State, StatementKind, StatementLine,
    Time, three_way,
};
use store::audit::{Actor, By};
use store::comparing::Sums;
use store::findings::NewFinding;
use store::payments;
use store::statements::{self, Import, NewStatement};
use store::{Db, StoreError, audit, findings, journal};

use crate::support::{House, at, execute, job, number, rupiah};

on_both![
    importing_twice_changes_nothing,
    an_overlapping_export_adds_only_what_is_new,
    a_broken_import_changes_nothing,
    fee_tax_and_payout_are_posted_once_in_whichever_file_they_come,
    what_goes_back_in_a_payout_goes_back_in_the_journal,
    a_line_finds_its_payment_by_invoice_or_transaction,
    what_a_statement_says_more_than_our_books_is_asked_for,
    the_match_reads_page_by_page_what_is_told_of_each_payment,
    imports_at_once_come_one_after_the_other,
    nonsense_in_a_statement_is_refused_by_the_database,
];

const DAY: i64 = 86_400;

fn flow(amount: i64) -> Flow {
    Flow::try_from(amount).unwrap()
}

fn line(kind: StatementKind, order: &str, second: i64) -> StatementLine {
    StatementLine {
        row: 2,
        kind,
        order_id: Some(order.to_owned()),
        transaction_id: None,
        entry: Entry::Payment,
        type_word: String::new(),
        channel: "bca".to_owned(),
        status: if kind == StatementKind::Transactions { "settlement" } else { "success" }.to_owned(),
        amount: flow(1_500_000),
        fee: None,
        vat: None,
        net: None,
        at: at(second),
        settled_at: None,
        reference: None,
    }
}

fn transaction(order: &str, status: &str) -> StatementLine {
    StatementLine { status: status.to_owned(), ..line(StatementKind::Transactions, order, 60) }
}

fn booked(order: &str, fee: i64) -> StatementLine {
    StatementLine { fee: Some(rupiah(fee)), ..line(StatementKind::Balance, order, 60) }
}

fn paid_out(order: &str, fee: i64) -> StatementLine {
    StatementLine {
        fee: Some(rupiah(fee)),
        vat: Some(rupiah(440)),
        net: Some(flow(1_500_000 - fee - 440)),
        reference: Some("P-1".to_owned()),
        ..line(StatementKind::Payout, order, 3 * DAY)
    }
}

/// What an import came to.
#[derive(Debug, PartialEq, Eq)]
struct Came {
    known: bool,
    new: u64,
    jobs: Vec<JobId>,
}

/// Begins to import a file with these lines, named by a digit that stands for its bytes.
async fn adds(import: &mut Import, (digit, lines): (char, &[StatementLine])) -> Result<Came, StoreError> {
    let actor = Actor { id: None, name: "ibu.sari@kost.test".to_owned() };
    let by = By { actor: &actor, reason: None, now: at(100) };
    let sha256 = String::from(digit).repeat(64);
    let times: Vec<Time> = lines.iter().map(|line| line.at).collect();
    let new = NewStatement {
        sha256: &sha256,
        name: "november.csv",
        kind: lines.first().map_or(StatementKind::Balance, |line| line.kind),
        rows: lines.len().try_into().unwrap(),
        span: times.iter().min().copied().zip(times.iter().max().copied()),
    };
    let Some(mut opened) = import.open(&new, &by).await? else {
        return Ok(Came { known: true, new: 0, jobs: Vec::new() });
    };
    let ask = |id: PaymentId| job(&format!("sync:{id}"));
    for part in lines.chunks(2) {
        import.add(&mut opened, part, &ask).await?;
    }
    let (new, jobs) = import.close(opened, &new, &by).await?;
    Ok(Came { known: false, new, jobs })
}

async fn imports(db: &Db, file: (char, &[StatementLine])) -> Came {
    let mut import = Import::begin(db, at(100)).await.unwrap();
    let came = adds(&mut import, file).await.unwrap();
    import.commit().await.unwrap();
    came
}

async fn paid(house: &House, invoice: &str) -> Payment {
    house.moves(&house.pays(invoice).await, State::Paid).await
}

/// How many rows there are in all the tables that an import may write.
async fn rows(db: &Db) -> i64 {
    const SQL: &str = "
        SELECT (SELECT count(*) FROM statements) + (SELECT count(*) FROM statement_lines)
             + (SELECT count(*) FROM postings) + (SELECT count(*) FROM findings) + (SELECT count(*) FROM jobs)
             + (SELECT count(*) FROM audit) + (SELECT count(*) FROM payment_history)";
    number(db, SQL).await
}

async fn sums(db: &Db) -> Sums {
    let balances = journal::trial_balance(db).await.unwrap();
    assert_eq!(balances.iter().map(journal::Balance::net).sum::<i64>(), 0);
    let of = |name: &str| balances.iter().find(|one| one.account.as_str() == name).unwrap().net();
    let sums = Sums { fees: of("fees"), vat: of("vat"), payouts: of("bank") };
    assert_eq!(Import::begin(db, at(0)).await.unwrap().sums().await.unwrap(), sums);
    sums
}

async fn importing_twice_changes_nothing(db: Db) {
    let house = House::open(&db).await;
    let payment = paid(&house, "KSR-1").await;
    // Two lines that are equal are two.
    let lines = [booked("KSR-1", 4_000), booked("KSR-1", 4_000), booked("KSR-2", 4_000)];
    assert_eq!(imports(&db, ('a', &lines)).await, Came { known: false, new: 3, jobs: Vec::new() });
    let before = rows(&db).await;
    assert_eq!(imports(&db, ('a', &lines)).await, Came { known: true, new: 0, jobs: Vec::new() });
    assert_eq!(rows(&db).await, before);

    let statements = statements::newest(&db, 10).await.unwrap();
    assert_eq!(statements.len(), 1);
    assert_eq!((statements[0].rows, statements[0].new_rows, statements[0].first_at), (3, 3, Some(at(60))));
    assert_eq!(statements[0].imported_by, "ibu.sari@kost.test");
    assert_eq!(statements::of_payment(&db, payment.id).await.unwrap(), lines[..2]);
    let audited = &audit::newest(&db, None, 10).await.unwrap()[0];
    assert_eq!((audited.action.as_str(), audited.subject.as_str()), ("statement.import", "statement:1"));
    assert_eq!(house.reads(payment.id).await, payment, "no payment changes because of a statement");
}

async fn an_overlapping_export_adds_only_what_is_new(db: Db) {
    let lines: Vec<_> = (0..6).map(|n| booked(&format!("KSR-{n}"), 4_000)).collect();
    assert_eq!(imports(&db, ('a', &lines[..4])).await.new, 4);
    assert_eq!(imports(&db, ('b', &lines[2..])).await.new, 2);
    // The same lines with columns that the first export did not have are the same lines.
    let more: Vec<_> =
        lines.iter().map(|line| StatementLine { vat: Some(rupiah(440)), ..line.clone() }).collect();
    assert_eq!(imports(&db, ('c', &more)).await.new, 0);
    assert_eq!(number(&db, "SELECT count(*) FROM statement_lines").await, 6);
    assert_eq!(number(&db, "SELECT count(*) FROM statements").await, 3);
}

async fn a_broken_import_changes_nothing(db: Db) {
    let house = House::open(&db).await;
    paid(&house, "KSR-1").await;
    let before = rows(&db).await;
    let mut import = Import::begin(&db, at(100)).await.unwrap();
    adds(&mut import, ('a', &[booked("KSR-1", 4_000)])).await.unwrap();
    // A payout without a net amount.
    let broken = StatementLine { net: None, ..paid_out("KSR-1", 4_000) };
    assert!(adds(&mut import, ('b', &[paid_out("KSR-1", 4_000), broken])).await.is_err());
    drop(import);
    assert_eq!(rows(&db).await, before);

    // What is dropped before it is committed was a rehearsal.
    let mut import = Import::begin(&db, at(100)).await.unwrap();
    assert_eq!(adds(&mut import, ('a', &[booked("KSR-1", 4_000)])).await.unwrap().new, 1);
    drop(import);
    assert_eq!(rows(&db).await, before);
}

async fn fee_tax_and_payout_are_posted_once_in_whichever_file_they_come(db: Db) {
    let house = House::open(&db).await;
    let payment = paid(&house, "KSR-1").await;
    imports(&db, ('a', &[booked("KSR-1", 4_000), booked("KSR-9", 4_000)])).await;
    assert_eq!(sums(&db).await, Sums { fees: 4_000, vat: 0, payouts: 0 });
    imports(&db, ('b', &[paid_out("KSR-1", 4_000), paid_out("KSR-9", 4_000)])).await;
    let all = Sums { fees: 4_000, vat: 440, payouts: 1_495_560 };
    assert_eq!(sums(&db).await, all);
    // Another fee, another payout: for a person, and not posted.
    let again = StatementLine { at: at(4 * DAY), ..paid_out("KSR-1", 4_500) };
    assert_eq!(imports(&db, ('c', &[again, booked("KSR-1", 5_000)])).await.new, 2);
    assert_eq!(sums(&db).await, all);
    let posted = journal::of_payment(&db, payment.id).await.unwrap();
    let words: Vec<_> = posted.iter().map(|one| one.transfer.kind.as_str()).collect();
    assert_eq!(words, ["paid", "fee", "vat", "payout"]);
    assert_eq!(journal::drifted(&db, 10).await.unwrap(), []);
}

async fn what_goes_back_in_a_payout_goes_back_in_the_journal(db: Db) {
    let house = House::open(&db).await;
    paid(&house, "KSR-1").await;
    let refund = StatementLine {
        entry: Entry::Refund,
        amount: flow(-500_000),
        fee: None,
        vat: None,
        net: Some(flow(-500_000)),
        ..paid_out("KSR-1", 0)
    };
    let failed = StatementLine { status: "failed".to_owned(), ..booked("KSR-1", 9_000) };
    // What the statement itself says came to nothing is not posted.
    imports(&db, ('a', &[failed])).await;
    imports(&db, ('b', &[paid_out("KSR-1", 4_000), refund])).await;
    assert_eq!(sums(&db).await, Sums { fees: 4_000, vat: 440, payouts: 995_560 });
}

async fn a_line_finds_its_payment_by_invoice_or_transaction(db: Db) {
    const NAMED: &str = "UPDATE payments SET transaction_id = 't-1'";
    const TRIED: &str =
        "INSERT INTO payment_tries (payment_id, transaction_id, seen_at) VALUES (1, 't-2', 1)";
    let house = House::open(&db).await;
    let payment = paid(&house, "KSR-1").await;
    execute(&db, NAMED).await.unwrap();
    execute(&db, TRIED).await.unwrap();
    let named = |order: &str, id: Option<&str>| StatementLine {
        transaction_id: id.map(str::to_owned),
        ..transaction(order, "settlement")
    };
    let lines =
        [named("KSR-1", None), named("A1", Some("t-1")), named("t-1", None), named("A2", Some("t-2"))];
    imports(&db, ('a', &lines)).await;
    imports(&db, ('b', &[named("A3", Some("t-3"))])).await;
    assert_eq!(statements::of_payment(&db, payment.id).await.unwrap(), lines);

    let nobody = StatementLine { order_id: None, entry: Entry::Withdrawal, ..booked("", 0) };
    let gift = StatementLine { order_id: None, entry: Entry::Other, ..booked("", 0) };
    imports(&db, ('c', &[nobody, gift])).await;
    let mut import = Import::begin(&db, at(100)).await.unwrap();
    let strangers = import.strangers((0, 10), at(0)).await.unwrap();
    let told: Vec<_> = strangers.iter().map(|one| (one.name.as_str(), one.is_order, one.lines)).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!(told[0], ("A3", true, 1));
    assert_eq!((told[1].1, strangers[1].amount()), (false, flow(1_500_000)));
    assert_eq!(import.strangers((strangers[0].first_id, 10), at(0)).await.unwrap().len(), 1);
    assert_eq!(import.strangers((0, 10), at(61)).await.unwrap(), []);
}

async fn what_a_statement_says_more_than_our_books_is_asked_for(db: Db) {
    let mut house = House::open(&db).await;
    let states = [
        ("KSR-1", State::Pending, transaction("KSR-1", "settlement"), true),
        ("KSR-2", State::Pending, transaction("KSR-2", "pending"), false),
        ("KSR-3", State::Pending, transaction("KSR-3", "expire"), true),
        ("KSR-4", State::Failed(Failure::Expired), booked("KSR-4", 4_000), true),
        ("KSR-5", State::Failed(Failure::Expired), transaction("KSR-5", "expire"), false),
        ("KSR-6", State::Paid, transaction("KSR-6", "refund"), true),
        ("KSR-7", State::Paid, transaction("KSR-7", "settlement"), false),
        ("KSR-8", State::Failed(Failure::Reversed), booked("KSR-8", 4_000), false),
    ];
    for (month, (invoice, state, line, is_asked)) in (2..).zip(states) {
        house.bill = house.bill_of(month).await;
        let payment = house.moves(&house.pays(invoice).await, state).await;
        let digit = char::from_digit(month, 16).unwrap();
        let came = imports(&db, (digit, &[line])).await;
        assert_eq!(came.jobs.len(), usize::from(is_asked), "{invoice}");
        assert_eq!(house.reads(payment.id).await, payment);
    }
}

async fn the_match_reads_page_by_page_what_is_told_of_each_payment(db: Db) {
    const CASH: &str = "
        INSERT INTO payments (invoice, bill_id, tenant_id, method, amount, state, created_at, updated_at)
        SELECT 'KSR-C', bill_id, tenant_id, 'cash', amount, 'paid', created_at, 1 FROM payments WHERE id = 1";
    let mut house = House::open(&db).await;
    let first = paid(&house, "KSR-1").await;
    house.bill = house.bill_of(2).await;
    let refunds = house.pays("KSR-2").await;
    let part = State::PartiallyRefunded { total: rupiah(500_000) };
    let second = house.moves(&refunds, part).await;
    execute(&db, CASH).await.unwrap();
    // The file that reaches further comes last, whichever was imported first.
    imports(
        &db,
        ('a', &[transaction("KSR-1", "settlement"), line(StatementKind::Transactions, "KSR-8", 9 * DAY)]),
    )
    .await;
    imports(&db, ('b', &[transaction("KSR-1", "pending"), booked("KSR-2", 1)])).await;

    let mut import = Import::begin(&db, at(100)).await.unwrap();
    let known = import.known(3).await.unwrap();
    assert_eq!(known.payout_days, 3);
    assert_eq!((known.transactions.until(), known.payouts.until()), (Some(at(9 * DAY)), None));
    let page = import.payments((PaymentId(0), 1), at(0)).await.unwrap();
    assert_eq!((page.len(), page[0].id, page[0].invoice.as_str()), (1, first.id, "KSR-1"));
    assert_eq!((page[0].books.state, page[0].books.paid_at), (State::Paid, first.paid_at));
    let statuses: Vec<_> = page[0].told.iter().map(|told| told.line.status.as_str()).collect();
    assert_eq!(statuses, ["pending", "settlement"]);
    let verdict = three_way(&page[0].books, &page[0].told, &known).unwrap();
    assert_eq!(verdict.outcome, Match::Matched);
    let page = import.payments((first.id, 9), at(0)).await.unwrap();
    assert_eq!((page.len(), page[0].id, page[0].books.refunded), (1, second.id, rupiah(500_000)));
    // Made before, and told of since.
    assert_eq!(import.payments((PaymentId(0), 9), at(60)).await.unwrap().len(), 2);
    assert_eq!(import.payments((PaymentId(0), 9), at(61)).await.unwrap().len(), 0);

    let kind = FindingKind::MissingPayout;
    let finding =
        NewFinding { kind, cause: "missing:1".to_owned(), payment_id: Some(first.id), detail: "T+9" };
    import.tell(&[finding.clone(), finding]).await.unwrap();
    import.commit().await.unwrap();
    let found = findings::of_payment(&db, first.id).await.unwrap();
    assert_eq!((found.len(), found[0].kind), (1, kind));
    assert_eq!(payments::find(&db, second.id).await.unwrap(), Some(second));
}

async fn imports_at_once_come_one_after_the_other(db: Db) {
    let lines: Vec<_> = (0..50).map(|n| booked(&format!("KSR-{n}"), 4_000)).collect();
    let came = crate::support::at_once(4, |number| {
        let (db, lines) = (db.clone(), lines.clone());
        async move {
            let mine = if number % 2 == 0 { lines } else { lines.into_iter().rev().collect() };
            imports(&db, (if number % 2 == 0 { 'a' } else { 'b' }, &mine)).await.new
        }
    })
    .await;
    assert_eq!(came.iter().sum::<u64>(), 50);
    assert_eq!(number(&db, "SELECT count(*) FROM statement_lines").await, 50);
    assert_eq!(number(&db, "SELECT count(*) FROM statements").await, 2);
}

async fn nonsense_in_a_statement_is_refused_by_the_database(db: Db) {
    imports(&db, ('a', &[booked("KSR-1", 1)])).await;
    for sql in [
        "UPDATE statements SET kind = 'rumour'",
        "UPDATE statements SET sha256 = 'short'",
        "UPDATE statements SET new_rows = rows + 1",
        "UPDATE statements SET first_at = NULL",
        "UPDATE statement_lines SET kind = 'payout'",
        "UPDATE statement_lines SET entry = 'gift'",
        "UPDATE statement_lines SET fee = -1",
        "UPDATE statement_lines SET vat = -1",
    ] {
        let refused = execute(&db, sql).await.unwrap_err();
        let kind = refused.as_database_error().unwrap().kind();
        assert!(matches!(kind, sqlx::error::ErrorKind::CheckViolation), "{sql}: {refused}");
    }
}
