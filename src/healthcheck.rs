//! `kasir healthcheck`: whether the process of this machine or container does its work, told by the exit code.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use clap::{Args, ValueEnum};
use clock::Clock;
use kasir::config::Config;
use kasir::{heartbeat, roles};
use midtrans::probe::{Probe, Settings, Target, Tls};
use store::processes::{self, Process};
use tokio::net::TcpStream;

/// The longest that an answer may take. Docker waits no longer than it is told to.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// What to check.
#[derive(Args)]
pub(crate) struct Options {
    /// The role of the process.
    #[arg(value_enum, default_value_t = Role::Api)]
    role: Role,
    /// Ask this address instead of the service's own /readyz.
    #[arg(long)]
    url: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Role {
    /// Asks /readyz where KASIR_ADDR says, and wants 200. With TLS of its own: somebody listens, and an api of this
    /// machine gave a sign of life.
    Api,
    /// Looks into the database for a sign of life of a worker on this machine.
    Worker,
    /// The same for a scheduler.
    Scheduler,
}

/// Exits with 0 when all is well; otherwise says why on standard error and exits with 1.
pub(crate) async fn run(options: &Options, config: &Config, clock: &Clock) -> anyhow::Result<ExitCode> {
    match (options.role, &options.url) {
        (Role::Api, None) if config.tls.is_some() => listens_and_lives(config, clock).await,
        (Role::Api, None) => answers(&format!("http://{}/readyz", here(config.addr))).await,
        (_, Some(url)) => answers(url).await,
        (Role::Worker, None) => lives(config, clock, |process| process.is_worker).await,
        (Role::Scheduler, None) => lives(config, clock, |process| process.is_scheduler).await,
    }?;
    Ok(ExitCode::SUCCESS)
}

/// A service that listens everywhere is asked on this machine.
fn here(mut addr: SocketAddr) -> SocketAddr {
    if addr.ip().is_unspecified() {
        addr.set_ip(match addr.ip() {
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
        });
    }
    addr
}

async fn answers(url: &str) -> anyhow::Result<()> {
    let target = Target::parse(url).map_err(|why| anyhow::anyhow!("{url} {why}"))?;
    let settings = Settings { connect_timeout: ANSWER_MAX, timeout: ANSWER_MAX, authorities: None };
    let seen = Probe::new(settings)?.get(&target, Tls::Any).await.with_context(|| url.to_owned())?;
    ensure!(seen.status == 200, "{url} answers {}", seen.status);
    Ok(())
}

/// The certificate of a service that speaks TLS itself is not for this machine's own address, so that the way to its
/// port and its sign of life have to do.
async fn listens_and_lives(config: &Config, clock: &Clock) -> anyhow::Result<()> {
    let addr = here(config.addr);
    let connection = tokio::time::timeout(ANSWER_MAX, TcpStream::connect(addr)).await;
    connection.context("nobody answers in time")?.with_context(|| format!("nobody listens on {addr}"))?;
    lives(config, clock, |process| process.is_api).await
}

async fn lives(config: &Config, clock: &Clock, plays: fn(&Process) -> bool) -> anyhow::Result<()> {
    let look = async {
        let db = roles::open_database(config).await?;
        anyhow::Ok(processes::seen(&db, clock.now()).await?)
    };
    let seen = tokio::time::timeout(ANSWER_MAX, look).await.context("the database does not answer")??;
    let host = heartbeat::host();
    let mut ours = seen.iter().filter(|seen| seen.process.host == host && plays(&seen.process));
    ensure!(
        ours.any(|seen| seen.is_alive(clock.now())),
        "no such process of {host} gave a sign of life lately"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_listens_everywhere_is_asked_here() {
        for (listens, asked) in
            [("0.0.0.0:8080", "127.0.0.1:8080"), ("[::]:80", "[::1]:80"), ("10.0.0.7:9", "10.0.0.7:9")]
        {
            assert_eq!(here(listens.parse().unwrap()).to_string(), asked);
        }
    }
}
