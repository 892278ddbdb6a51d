//! What PostgreSQL can do to the house.

use sqlx::{Connection as _, Executor as _, PgConnection};

use crate::house::House;
use crate::postgres::Postgres;
use crate::scenarios::Hours;
use crate::waiting::{ms, s};

fn postgres(house: &mut House) -> &mut Postgres {
    house.postgres.as_mut().expect("this house has a PostgreSQL")
}

pub(crate) async fn restart(house: &mut House, _: &Hours) {
    for how in ["INT", "QUIT"] {
        postgres(house).stop(how).await;
        tokio::time::sleep(s(1)).await;
        postgres(house).start_again().await;
        tokio::time::sleep(s(5)).await;
    }
}

pub(crate) async fn cut(house: &mut House, _: &Hours) {
    for _ in 0..8 {
        house.to_database.cut();
        tokio::time::sleep(ms(1_500)).await;
    }
    house.to_database.close();
    tokio::time::sleep(s(5)).await;
    house.to_database.open();
    tokio::time::sleep(s(5)).await;
}

/// A PostgreSQL that cannot write its WAL ends itself; whoever runs it makes room and starts it again.
pub(crate) async fn fill(house: &mut House, _: &Hours) {
    for _ in 0..2 {
        house.disk.as_ref().expect("a small disk").fill();
        tokio::time::sleep(s(10)).await;
        house.disk.as_ref().expect("a small disk").free();
        tokio::time::sleep(s(2)).await;
        house.supervise().await;
        tokio::time::sleep(s(5)).await;
    }
}

pub(crate) async fn read_only(house: &mut House, _: &Hours) {
    let server = postgres(house);
    let url = server.url(server.port, "any");
    for (is_on, seconds) in [("on", 12), ("off", 5)] {
        let mut admin = PgConnection::connect(&url).await.unwrap();
        admin.execute("SET default_transaction_read_only = off").await.unwrap();
        let order = match is_on {
            "on" => "ALTER SYSTEM SET default_transaction_read_only = on",
            _ => "ALTER SYSTEM RESET default_transaction_read_only",
        };
        admin.execute(order).await.unwrap();
        admin.execute("SELECT pg_reload_conf()").await.unwrap();
        tokio::time::sleep(s(seconds)).await;
    }
}
