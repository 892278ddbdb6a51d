//! `kasir healthcheck` and the signs of life: who works is seen, and who was told to stop is missed by nobody.

use std::process::Stdio;

use serde_json::Value;
use tokio::process::Command;

use crate::kost::Kost;
use crate::process::built;
use crate::servers::free_port;
use crate::waiting::{eventually, s};

/// Runs `kasir healthcheck` with the environment of this house; gives its exit code and what it said.
async fn healthcheck(kost: &Kost, port: u16, words: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(built());
    command.arg("healthcheck").args(words).env_clear().envs(kost.environment(port)).stdin(Stdio::null());
    let ended = command.output().await.unwrap();
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(kost.secrets().iter().all(|secret| !said.contains(secret)), "it told a secret");
    (ended.status.code(), said)
}

async fn processes(kost: &Kost, port: u16) -> Value {
    let answer = kost.http.get(format!("http://127.0.0.1:{port}/readyz")).send().await.unwrap();
    answer.json::<Value>().await.unwrap()["processes"].take()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_role_is_healthy_while_it_works_and_not_afterwards() {
    let kost = Kost::with_tenants(1).await;
    let port = free_port();
    for role in ["api", "worker", "scheduler"] {
        let (code, said) = healthcheck(&kost, port, &[role]).await;
        assert_eq!(code, Some(1), "{role}: {said}");
    }
    let running = [kost.start_api(port).await, kost.start_worker(), kost.start_scheduler()];
    for role in ["api", "worker", "scheduler"] {
        eventually(s(20), role, async || {
            let (code, said) = healthcheck(&kost, port, &[role]).await;
            if code == Some(0) { Ok(()) } else { Err(said) }
        })
        .await;
        let lives = processes(&kost, port).await;
        assert_eq!((&lives[role]["alive"], &lives[role]["silent"]), (&1.into(), &0.into()), "{lives}");
    }
    let elsewhere = format!("{}/sim/transactions", kost.sim.base_url());
    assert_eq!(healthcheck(&kost, port, &["--url", &elsewhere]).await.0, Some(0));
    let (code, said) = healthcheck(&kost, port, &["--url", &format!("{elsewhere}/nobody")]).await;
    assert_eq!(code, Some(1), "{said}");

    let [api, worker, scheduler] = running;
    for role in [worker, scheduler] {
        role.terminate().await;
        assert!(role.ends_within(s(20)).await.success());
    }
    let lives = processes(&kost, port).await;
    for role in ["worker", "scheduler"] {
        assert_eq!((&lives[role]["alive"], &lives[role]["silent"]), (&0.into(), &0.into()), "{lives}");
        assert_eq!(healthcheck(&kost, port, &[role]).await.0, Some(1));
    }
    api.terminate().await;
    assert!(api.ends_within(s(20)).await.success());
    assert_eq!(kost.count("SELECT count(*) FROM processes").await, 0);
}
