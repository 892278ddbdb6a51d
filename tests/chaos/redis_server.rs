//! What Redis can do to the house.

use redis::Cmd;

use crate::house::House;
use crate::scenarios::Hours;
use crate::servers::Redis;
use crate::waiting::{ms, s};

fn redis(house: &mut House) -> &mut Redis {
    house.redis.as_mut().expect("this house has a Redis")
}

fn order(words: &[&str]) -> Cmd {
    let mut command = redis::cmd(words[0]);
    command.arg(&words[1..]);
    command
}

pub(crate) async fn kill(house: &mut House, _: &Hours) {
    for _ in 0..2 {
        redis(house).kill().await;
        tokio::time::sleep(s(2)).await;
        redis(house).start_again().await;
        let keys = redis(house).keys().await;
        house.told.push(format!("Redis was killed and knew {keys} keys afterwards"));
        tokio::time::sleep(s(5)).await;
    }
}

pub(crate) async fn gone(house: &mut House, hours: &Hours) {
    redis(house).kill().await;
    let before = hours.seen.count();
    tokio::time::sleep(s(60 * hours.minutes)).await;
    let accepted = hours.seen.count() - before;
    house.told.push(format!("{accepted} payments were accepted within {} min without Redis", hours.minutes));
    redis(house).start_again().await;
    tokio::time::sleep(s(5)).await;
}

pub(crate) async fn flush(house: &mut House, _: &Hours) {
    let mut lost = 0;
    for _ in 0..10 {
        tokio::time::sleep(ms(1_300)).await;
        lost += redis(house).lose_everything().await;
    }
    house.told.push(format!("{lost} ids waited in Redis when it forgot everything"));
}

pub(crate) async fn password(house: &mut House, _: &Hours) {
    const OTHER: &str = "somebody-else";
    let redis = redis(house);
    let usual = redis.url();
    let client = redis::Client::open(usual.as_str()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let () = order(&["CONFIG", "SET", "requirepass", OTHER]).query_async(&mut connection).await.unwrap();
    let _cut: i64 = order(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"])
        .query_async(&mut connection)
        .await
        .unwrap();
    tokio::time::sleep(s(12)).await;
    let own = usual.trim_start_matches("redis://:").split('@').next().unwrap();
    let () = order(&["CONFIG", "SET", "requirepass", own]).query_async(&mut connection).await.unwrap();
    tokio::time::sleep(s(5)).await;
}

pub(crate) async fn memory(house: &mut House, _: &Hours) {
    let redis = redis(house);
    let () = redis.ask(order(&["CONFIG", "SET", "maxmemory-policy", "noeviction"])).await.unwrap();
    let () = redis.ask(order(&["CONFIG", "SET", "maxmemory", "1"])).await.unwrap();
    tokio::time::sleep(s(12)).await;
    let () = redis.ask(order(&["CONFIG", "SET", "maxmemory", "0"])).await.unwrap();
    tokio::time::sleep(s(5)).await;
}

pub(crate) async fn hang(house: &mut House, _: &Hours) {
    redis(house).hang().await;
    tokio::time::sleep(s(15)).await;
    redis(house).go_on().await;
    tokio::time::sleep(s(5)).await;
}
