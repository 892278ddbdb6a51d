//! What the gateway can do to the house: the simulator's switches, one after the other, and off again.

use midtrans_sim::{Failure, LoseAnswer, Loss};

use crate::house::House;
use crate::scenarios::Hours;
use crate::waiting::s;

async fn fails(house: &House, kinds: &[Failure]) {
    for kind in kinds {
        house.world.sim.faults(|faults| faults.fail_always(*kind));
        tokio::time::sleep(s(8)).await;
        house.world.sim.faults(|faults| faults.api.fail_next = None);
        tokio::time::sleep(s(3)).await;
    }
}

pub(crate) async fn errors(house: &mut House, _: &Hours) {
    fails(house, &[Failure::ServerError, Failure::Unavailable]).await;
}

pub(crate) async fn hangs(house: &mut House, _: &Hours) {
    fails(house, &[Failure::Hang]).await;
}

pub(crate) async fn limits(house: &mut House, _: &Hours) {
    fails(house, &[Failure::RateLimited]).await;
}

pub(crate) async fn pages(house: &mut House, _: &Hours) {
    fails(house, &[Failure::HtmlBadGateway, Failure::HtmlNotFound]).await;
}

pub(crate) async fn loses(house: &mut House, _: &Hours) {
    for how in [Loss::Cut, Loss::GatewayTimeout, Loss::Hang] {
        house.world.sim.faults(|faults| faults.api.lose_charge_answer = Some(LoseAnswer { n: None, how }));
        tokio::time::sleep(s(5)).await;
    }
    house.world.sim.faults(|faults| faults.api.lose_charge_answer = None);
    tokio::time::sleep(s(3)).await;
}
