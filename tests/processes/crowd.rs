//! Many of everything: two apis, two workers, two schedulers, and tenants who press the button four times.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use futures::StreamExt as _;
use tokio::sync::Barrier;

use crate::front_end::{FrontEnd, Paying};
use crate::kost::{Kost, Tenant};
use crate::servers::free_port;
use crate::waiting::{eventually, s};

const BILLS: usize = 100;
const PRESSES: usize = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_presses_at_once_through_two_apis_make_one_payment_and_one_transaction() {
    let kost = Kost::with_tenants(BILLS).await;
    let ports = [free_port(), free_port()];
    let mut processes = vec![kost.start_scheduler(), kost.start_scheduler()];
    processes.extend([kost.start_worker(), kost.start_worker()]);
    for port in ports {
        processes.push(kost.start_api(port).await);
    }
    let apis = ports.map(|port| kost.front_end(port));
    // Each api knows each password before, so that the presses do arrive at the same time.
    for api in &apis {
        let log_ins = kost.tenants.iter().map(|tenant| api.log_in(tenant));
        futures::stream::iter(log_ins).buffer_unordered(4).collect::<Vec<()>>().await;
    }

    let begun = Instant::now();
    let presses = kost.tenants.iter().map(|tenant| press_at_once(&apis, tenant));
    let answers: Vec<Vec<Paying>> = futures::stream::iter(presses).buffer_unordered(8).collect().await;
    kost.all_instructed(100, s(30)).await;
    println!("{BILLS} bills, {PRESSES} presses each: all instructed after {:.1?}", begun.elapsed());

    for answers in &answers {
        let invoices: BTreeSet<&str> = answers.iter().map(|paying| paying.invoice.as_str()).collect();
        let made = answers.iter().filter(|paying| paying.is_new).count();
        assert_eq!((invoices.len(), made), (1, 1), "{answers:?}");
    }
    sweeps_are_done_once_each(&kost).await;
    kost.all_quiet(s(20)).await;
    kost.assert_charged_once_each(BILLS).await;
    processes.iter_mut().for_each(crate::process::Kasir::assert_alive);
}

async fn press_at_once(apis: &[FrontEnd; 2], tenant: &Arc<Tenant>) -> Vec<Paying> {
    let barrier = Arc::new(Barrier::new(PRESSES));
    let presses = apis.iter().cycle().take(PRESSES).map(|api| {
        let (api, tenant, barrier) = (api.clone(), Arc::clone(tenant), Arc::clone(&barrier));
        tokio::spawn(async move {
            barrier.wait().await;
            api.pay(&tenant).await
        })
    });
    futures::future::join_all(presses).await.into_iter().map(Result::unwrap).collect()
}

/// Two schedulers ask for the same slot; it is swept by one worker, in one attempt.
async fn sweeps_are_done_once_each(kost: &Kost) {
    const DONE: &str = "SELECT count(*) FROM jobs WHERE kind = 'sweep' AND state = 'done'";
    const ATTEMPTS: &str =
        "SELECT count(*) FROM job_attempts a JOIN jobs j ON j.id = a.job_id WHERE j.kind = 'sweep'";
    let sweeps = eventually(s(25), "a slot was swept", async || match kost.count(DONE).await {
        0 => Err("none was".to_owned()),
        count => Ok(count),
    })
    .await;
    let attempts = kost.count(ATTEMPTS).await;
    println!("slots swept: {sweeps}, in {attempts} attempts");
    assert!(attempts >= sweeps && attempts <= sweeps + 1, "{attempts} attempts for {sweeps} slots");
}
