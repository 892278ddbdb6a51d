//! A world that survives a restart.

use midtrans_sim::{Options, Simulator, StartError};

use crate::kit::{Kit, bca, order};

#[tokio::test]
async fn a_restart_forgets_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("world.json");
    let kit = Kit::open_with(|options| options.state_file = Some(file.clone())).await;
    kit.merchant.answers(503);
    kit.paid(&bca("o")).await;
    kit.charge(&order("g", "gopay")).await;
    kit.sim.wait_until_delivered().await.unwrap();
    let (before, waiting) = (kit.sim.transactions(), kit.sim.notifications_waiting());
    assert_eq!((before.len(), waiting), (2, 3));
    kit.sim.shutdown().await;

    let options = Options { state_file: Some(file), ..Options::local(kit.clock.clone()) };
    let again = Simulator::start(options).await.unwrap();
    assert_eq!(again.transactions(), before);
    assert_eq!(again.notifications_waiting(), waiting);
    assert!(again.settle(before[1].number()).await.is_ok(), "found by its id");
    assert!(again.transaction(before[0].number()).is_some(), "found by its number");
}

#[tokio::test]
async fn a_broken_file_is_told_and_not_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("world.json");
    std::fs::write(&file, "{").unwrap();
    let options = Options { state_file: Some(file.clone()), ..Options::local(clock::Clock::system()) };
    assert!(matches!(Simulator::start(options).await, Err(StartError::StateFile { .. })));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "{");
}

#[tokio::test]
async fn a_taken_port_is_told_in_words() {
    let kit = Kit::open().await;
    let options = Options { address: kit.sim.address(), ..Options::local(kit.clock.clone()) };
    let error = Simulator::start(options).await.unwrap_err();
    assert!(matches!(error, StartError::PortTaken { .. }));
    assert!(error.to_string().contains("another program listens there"));
}
