//! `kasir reconcile`, `balance`, `evidence` and `prune`, as an operator types them.

use std::process::Stdio;

use serde_json::Value;
use tokio::process::Command;

use crate::kost::Kost;
use crate::servers::free_port;
use crate::waiting::s;

const BILLS: usize = 20;

/// What the command prints, and its exit code.
async fn kasir(kost: &Kost, words: &[&str]) -> (String, Option<i32>) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kasir"));
    let command = command.args(words).env_clear().envs(kost.environment(0)).stdin(Stdio::null());
    let ended = command.output().await.unwrap();
    let complaint = String::from_utf8_lossy(&ended.stderr).into_owned();
    let said = String::from_utf8(ended.stdout).unwrap();
    for secret in kost.secrets() {
        assert!(!said.contains(secret) && !complaint.contains(secret), "{words:?} tells a secret");
    }
    assert!(!complaint.contains("kasir: "), "{words:?}: {complaint}");
    (said, ended.status.code())
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_compares_the_books_without_any_worker_and_proves_what_happened() {
    let kost = Kost::with_tenants(BILLS).await;
    let port = free_port();
    let _api = kost.start_api(port).await;
    let worker = kost.start_worker();
    let paying = kost.front_end(port).everybody_pays(kost.tenants.clone()).await;
    kost.all_instructed(i64::try_from(BILLS).unwrap(), s(20)).await;
    kost.sim.wait_until_delivered().await.unwrap();
    kost.all_quiet(s(20)).await;
    worker.kill_9().await;
    kost.sim.faults(|faults| faults.notifications.drop_all = true);
    for paying in &paying {
        kost.sim.settle(&paying.invoice).await.unwrap();
    }

    let sums = |report: &Value| {
        ["asked", "agreed", "repaired", "findings", "errors"].map(|name| report[name].as_i64().unwrap())
    };
    let (dry, code) = kasir(&kost, &["reconcile", "--dry-run", "--json"]).await;
    assert_eq!((sums(&json(&dry)), code), ([20, 0, 20, 0, 0], Some(0)));
    assert_eq!(kost.paid().await, 0, "a dry run changes nothing");
    let (told, code) = kasir(&kost, &["reconcile"]).await;
    assert_eq!(code, Some(0));
    let line = |name: &str| told.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
    assert!(line("repaired").ends_with(" 20") && line("errors").ends_with(" 0"), "{told}");
    assert!(told.contains(&format!("repaired  {}  pending -> paid  settled", paying[0].invoice)), "{told}");
    assert_eq!(kost.paid().await, 20);
    let (again, _) = kasir(&kost, &["reconcile", "--json"]).await;
    assert_eq!(sums(&json(&again)), [20, 20, 0, 0, 0]);

    let (balance, _) = kasir(&kost, &["balance"]).await;
    let words = |name: &str| -> Vec<String> {
        let line = balance.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().map(str::to_owned).collect()
    };
    assert_eq!(words("sum")[3], "0", "{balance}");
    assert_eq!(words("pending")[3], "0", "{balance}");

    let (evidence, _) = kasir(&kost, &["evidence", &paying[0].invoice]).await;
    let evidence = json(&evidence);
    let kinds: Vec<&str> =
        evidence["entries"].as_array().unwrap().iter().map(|entry| entry["kind"].as_str().unwrap()).collect();
    for kind in ["asked", "told", "moved", "posted", "worked", "reconciled"] {
        assert!(kinds.contains(&kind), "{kind} is missing: {kinds:?}");
    }
    let (csv, _) = kasir(&kost, &["evidence", &paying[0].invoice, "--csv"]).await;
    assert_eq!(csv.lines().next(), Some("at,kind,what,data"));
    let (pruned, code) = kasir(&kost, &["prune", "--dry-run"]).await;
    assert_eq!((pruned.lines().count(), code), (5, Some(0)));
    assert!(pruned.lines().all(|line| line.ends_with(" 0 would be forgotten")), "{pruned}");
}
