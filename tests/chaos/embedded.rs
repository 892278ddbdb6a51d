//! What can happen to one process on one SQLite file.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::books::Books;
use crate::house::House;
use crate::scenarios::Hours;
use crate::waiting::{ms, s};
use crate::wal;

const PROCESS: usize = 0;

pub(crate) async fn kill(house: &mut House, _: &Hours) {
    for _ in 0..10 {
        house.kill(PROCESS).await;
        house.start(PROCESS);
        tokio::time::sleep(s(2)).await;
    }
}

/// What was acknowledged before a moment must be in the file and its WAL, cut off anywhere after that moment.
///
/// The process stands still while both are copied, so that the copy is of one moment, as the disk is when the power fails.
/// What the disk had not yet been told to keep is cut off at a random byte. Where a checkpoint came between the two moments
/// nothing is cut: SQLite has flushed the WAL before it.
pub(crate) async fn cut_the_power(house: &mut House, hours: &Hours) {
    let (file, log) = (house.file(), wal::beside(&house.file()));
    let (mut cut_off, mut whole, mut acknowledged) = (0, 0, 0);
    for round in 0..12 {
        tokio::time::sleep(house.world.clock.jitter(ms(1_200))).await;
        let promised = hours.seen.invoices();
        let then = wal::Mark::of(&file, &log);
        tokio::time::sleep(house.world.clock.jitter(ms(500))).await;

        let copy = house.dir().join(format!("power-cut-{round}.db"));
        let log_copy = wal::beside(&copy);
        house.process(PROCESS).hang().await;
        tokio::time::sleep(ms(30)).await;
        std::fs::copy(&file, &copy).unwrap();
        std::fs::copy(&log, &log_copy).unwrap();
        let now = wal::Mark::of(&file, &log);
        house.process(PROCESS).go_on().await;

        if now.continues(&then) {
            let spare = now.end - then.end;
            let kept = then.end + random_below(&house.world.clock, spare);
            std::fs::File::options().write(true).open(&log_copy).unwrap().set_len(kept).unwrap();
            cut_off += now.end - kept;
        } else {
            whole += 1;
        }
        acknowledged = promised.len();
        opened_anew(house, &copy, promised).await;
    }
    house.told.push(format!(
        "12 power cuts: {cut_off} bytes of the WAL cut off, {whole} copies whole because of a checkpoint; all of \
         {acknowledged} acknowledged payments there"
    ));
}

/// A new process opens the copy, and all that was promised is in it.
async fn opened_anew(house: &mut House, copy: &Path, promised: Vec<String>) {
    let (good, said) = house.command(&["balance"], Some(format!("sqlite://{}", copy.display()))).await;
    if !good {
        house.wrong.push(format!("{}: kasir balance: {said}", copy.display()));
        return;
    }
    holds(house, copy, promised).await;
}

async fn holds(house: &mut House, copy: &Path, promised: Vec<String>) {
    let mut books = Books::of_file(copy).await.unwrap();
    let integrity = books.integrity().await.unwrap();
    let invoices: BTreeSet<String> = books.invoices().await.unwrap();
    let gone: Vec<String> = promised.into_iter().filter(|invoice| !invoices.contains(invoice)).collect();
    if integrity != "ok" || !gone.is_empty() {
        house.wrong.push(format!("{}: {integrity}; acknowledged and gone: {gone:?}", copy.display()));
    }
}

pub(crate) async fn fill(house: &mut House, _: &Hours) {
    for _ in 0..2 {
        house.disk.as_ref().expect("a small disk").fill();
        tokio::time::sleep(s(8)).await;
        house.disk.as_ref().expect("a small disk").free();
        tokio::time::sleep(s(5)).await;
    }
}

pub(crate) async fn back_up(house: &mut House, hours: &Hours) {
    for round in 0..5 {
        tokio::time::sleep(s(2)).await;
        let promised = hours.seen.invoices();
        let copy = house.dir().join(format!("backup-{round}.db"));
        if made(house, &copy).await {
            holds(house, &copy, promised).await;
        }
    }
}

async fn made(house: &mut House, copy: &Path) -> bool {
    let (good, said) = house.command(&["backup", &copy.display().to_string()], None).await;
    if !good {
        house.wrong.push(format!("kasir backup: {said}"));
        return false;
    }
    let mode = std::fs::metadata(copy).unwrap().permissions().mode() & 0o777;
    if mode != 0o600 {
        house.wrong.push(format!("a backup may be read by others: {mode:o}"));
    }
    house
        .told
        .push(said.lines().next().unwrap_or_default().replace(&house.dir().display().to_string(), "DIR"));
    true
}

/// Everything is calm, so the copy holds everything. The file is lost, and another house opens on the copy.
pub(crate) async fn restore(house: &mut House, _: &Hours) {
    let copy = house.dir().join("last.db");
    if !made(house, &copy).await {
        return;
    }
    house.kill(PROCESS).await;
    let file = house.file();
    for lost in ["", "-wal", "-shm"] {
        let mut name = file.clone().into_os_string();
        name.push(lost);
        let _none = std::fs::remove_file(PathBuf::from(name));
    }
    let (good, said) = house.command(&["restore", &copy.display().to_string()], None).await;
    if !good {
        house.wrong.push(format!("kasir restore: {said}"));
        return;
    }
    house.start(PROCESS);
    house.is_up().await;
}

/// From 0 to so many, both included.
fn random_below(clock: &clock::Clock, count: u64) -> u64 {
    u64::from_ne_bytes(clock.random::<8>()) % (count + 1)
}
