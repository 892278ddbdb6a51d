//! Processes that are killed, and processes that make place for a newer one.

use crate::house::{APIS, House, SCHEDULER, WORKERS};
use crate::scenarios::Hours;
use crate::waiting::{ms, s};

pub(crate) async fn kill_workers(house: &mut House, _: &Hours) {
    for worker in WORKERS.into_iter().cycle().take(8) {
        house.kill(worker).await;
        house.start(worker);
        tokio::time::sleep(s(3)).await;
    }
}

pub(crate) async fn kill_apis(house: &mut House, _: &Hours) {
    for api in APIS.into_iter().cycle().take(8) {
        house.kill(api).await;
        house.start(api);
        tokio::time::sleep(s(2)).await;
    }
}

/// Without notifications only the sweeps find out what became of a payment.
pub(crate) async fn kill_scheduler(house: &mut House, _: &Hours) {
    house.world.sim.faults(|faults| faults.notifications.drop_all = true);
    for pause in [3, 5, 1, 8] {
        house.kill(SCHEDULER).await;
        tokio::time::sleep(s(pause)).await;
        house.start(SCHEDULER);
        tokio::time::sleep(s(4)).await;
    }
}

/// The "newer" program is a copy of the same: what is tried is the change, not the difference.
pub(crate) async fn deploy(house: &mut House, _: &Hours) {
    let newer = house.dir().join("kasir-newer");
    std::fs::copy(&house.program, &newer).unwrap();
    house.program = newer;
    for place in 0..house.places.len() {
        house.terminate(place).await;
        house.start(place);
        house.answers(place).await;
        tokio::time::sleep(ms(500)).await;
    }
}
