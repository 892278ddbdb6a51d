//! `kasir` on a bare machine: everything in one process, and the walk-through that it prints, done word by word.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::process::Command;

use crate::kost::{assert_nothing_leaked, show_logs};
use crate::process::{Kasir, Start, built};
use crate::servers::free_port;
use crate::waiting::{eventually, s};

/// What a newcomer is promised, for the VA number and for the settlement.
const PROMISED: Duration = s(2);

/// An embedded Kasir in a directory of its own.
pub(crate) struct Embedded {
    dir: tempfile::TempDir,
    pub(crate) environment: Vec<(&'static str, String)>,
}

/// What a newcomer reads.
pub(crate) struct Printed {
    text: String,
    addresses: [String; 2],
}

impl Printed {
    /// The variables that the README's commands name, with what was printed for them.
    pub(crate) fn variables(&self) -> [(&'static str, String); 7] {
        let line = |start: &str| self.text.lines().find(|line| line.starts_with(start)).unwrap();
        let word = |start: &str, after: &str| {
            let (_, rest) = line(start).split_once(after).unwrap();
            rest.split_whitespace().next().unwrap().to_owned()
        };
        [
            ("kasir", self.addresses[0].clone()),
            ("simulator", self.addresses[1].clone()),
            ("email", word("tenant", "email:")),
            ("password", word("tenant", "password:")),
            ("admin_email", word("admin", "email:")),
            ("admin_password", word("admin", "password:")),
            ("api_key", word("x-api-key", "x-api-key")),
        ]
    }
}

/// The walk-through: four commands, in the order in which they are printed.
pub(crate) struct WalkThrough {
    list_bills: String,
    pub(crate) pay: String,
    look: String,
    pub(crate) settle: String,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newcomer_pays_a_bill_by_the_printed_walk_through_and_a_kill_changes_nothing() {
    let kasir = Embedded::prepare();
    let process = kasir.start("first").await;
    let first = kasir.walk_through("first").await;
    assert!(run(&first.list_bills, "").await.contains(r#""status":"unpaid""#));
    let invoice = pay_by(&first).await;
    process.kill_9().await;

    let _process = kasir.start("second").await;
    let second = kasir.walk_through("second").await;
    let payment = run(&first.look, &invoice).await;
    assert!(payment.contains(r#""status":"paid""#), "{payment}");
    assert!(run(&first.list_bills, "").await.contains(r#""status":"paid""#));
    assert_ne!(pay_by(&second).await, invoice);
    kasir.assert_nothing_leaked(["first", "second"]);
}

/// Does what is printed, against the clock; gives the invoice.
pub(crate) async fn pay_by(walk: &WalkThrough) -> String {
    let begun = Instant::now();
    let invoice = run(&walk.pay, "").await.trim().to_owned();
    let answered = begun.elapsed();
    assert!(!invoice.is_empty() && !invoice.contains(['{', ' ']), "{invoice:?} is no invoice");
    see(walk, &invoice, r#""kind":"virtual_account""#).await;
    let instructed = begun.elapsed();

    run(&walk.settle, &invoice).await;
    let begun = Instant::now();
    see(walk, &invoice, r#""status":"paid""#).await;
    let paid = begun.elapsed();
    println!(
        "answered in {answered:.0?}, VA number after {instructed:.0?}, paid {paid:.0?} after it was settled"
    );
    assert!(instructed <= PROMISED && paid <= PROMISED);
    invoice
}

/// Looks at the payment by the printed command until it says so.
pub(crate) async fn see(walk: &WalkThrough, invoice: &str, word: &str) {
    eventually(s(20), word, async || match run(&walk.look, invoice).await {
        payment if payment.contains(word) => Ok(()),
        payment => Err(payment),
    })
    .await;
}

/// Runs a printed command in a shell; gives what it prints.
pub(crate) async fn run(command: &str, invoice: &str) -> String {
    let shell =
        Command::new("sh").args(["-c", command]).env("INVOICE", invoice).stdin(Stdio::null()).output();
    let ended = shell.await.unwrap();
    let problem = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "is curl installed? {command}\n{problem}");
    String::from_utf8(ended.stdout).unwrap()
}

impl Embedded {
    pub(crate) fn prepare() -> Self {
        Self::prepare_with(&[])
    }

    /// The same with more in its environment.
    pub(crate) fn prepare_with(more: &[(&'static str, &str)]) -> Self {
        let mut environment = vec![
            ("KASIR_ADDR", format!("127.0.0.1:{}", free_port())),
            ("KASIR_SIMULATOR_ADDR", format!("127.0.0.1:{}", free_port())),
            ("KASIR_LOG_FORMAT", "json".to_owned()),
        ];
        environment.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
        Self { dir: tempfile::tempdir().unwrap(), environment }
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Starts it.
    pub(crate) fn launch(&self, name: &str) -> Kasir {
        Start { program: built(), role: None, environment: &self.environment, dir: self.path(), name }.start()
    }

    /// Starts it, and waits until it answers.
    pub(crate) async fn start(&self, name: &str) -> Kasir {
        let begun = Instant::now();
        let process = self.launch(name);
        let ready = format!("curl -sf http://{}/readyz || true", self.environment[0].1);
        eventually(s(20), "kasir is ready", async || match run(&ready, "").await {
            report if report.contains(r#""status":"ready""#) => Ok(()),
            report => Err(format!("{report}; {}", process.logged())),
        })
        .await;
        println!("started within {:.1?}", begun.elapsed());
        process
    }

    /// Reads the walk-through that the process of this name printed: blocks of lines between empty ones.
    pub(crate) async fn walk_through(&self, name: &str) -> WalkThrough {
        let file = self.path().join(format!("{name}.out"));
        eventually(s(5), "the walk-through is printed", async || {
            let printed = std::fs::read_to_string(&file).unwrap();
            let commands: Vec<&str> = printed.split("\n\n").filter(|block| block.starts_with("  ")).collect();
            match commands[..] {
                [list_bills, pay, look, settle, look_again] if look_again == look => Ok(WalkThrough {
                    list_bills: list_bills.to_owned(),
                    pay: pay.to_owned(),
                    look: look.to_owned(),
                    settle: settle.to_owned(),
                }),
                _ => Err(printed),
            }
        })
        .await
    }

    /// What the process of this name printed, once it is all there.
    pub(crate) async fn printed(&self, name: &str) -> Printed {
        let file = self.path().join(format!("{name}.out"));
        let text = eventually(s(5), "everything is printed", async || {
            let text = std::fs::read_to_string(&file).unwrap();
            if text.contains("Ctrl-C") { Ok(text) } else { Err(text) }
        });
        Printed {
            text: text.await,
            addresses: [0, 1].map(|place| format!("http://{}", self.environment[place].1)),
        }
    }

    /// Passwords and keys are printed for the newcomer, and appear nowhere else.
    fn assert_nothing_leaked(&self, names: [&str; 2]) {
        let secrets = self.secrets(&names);
        for name in names {
            std::fs::remove_file(self.path().join(format!("{name}.out"))).unwrap();
        }
        assert_nothing_leaked(self.path(), &secrets.iter().map(String::as_str).collect::<Vec<_>>());
    }

    /// What only the newcomer may read: what the processes of these names printed, and the secret of the installation.
    pub(crate) fn secrets(&self, names: &[&str]) -> Vec<String> {
        let mut secrets =
            vec![std::fs::read_to_string(self.path().join("kasir.secret")).unwrap().trim().to_owned()];
        for name in names {
            let out = self.path().join(format!("{name}.out"));
            let printed = std::fs::read_to_string(out).unwrap();
            let shown = printed.lines().filter_map(|line| {
                line.split_once("password: ")
                    .or_else(|| line.split_once("x-api-key  "))
                    .map(|(_, secret)| secret.trim_end_matches('\''))
            });
            secrets.extend(shown.filter(|secret| !secret.contains(' ')).map(str::to_owned));
        }
        assert!(secrets.len() >= 6, "a secret, four passwords and a key");
        secrets
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        if std::thread::panicking() {
            show_logs(self.path());
        }
    }
}
