//! Runs the simulator by itself, for a walk through a payment without Midtrans.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser;
use clock::Clock;
use midtrans_sim::{Options, Simulator};
use tracing_subscriber::EnvFilter;

/// Midtrans on localhost: the Core API, a page to pay at, and switches that make it misbehave.
///
/// Point your backend's Midtrans URL at the address below and give it the same server key. Charge
/// something, open the page, press Pay, and watch the notification arrive.
#[derive(Parser)]
#[command(version, after_help = EXAMPLES)]
struct Arguments {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:9090")]
    addr: SocketAddr,
    /// The key your backend authenticates with; notifications are signed with it.
    #[arg(
        long,
        env = "MIDTRANS_SERVER_KEY",
        default_value = "SB-Mid-server-simulator",
        hide_env_values = true
    )]
    server_key: String,
    /// Your backend's notification URL, for example http://127.0.0.1:8080/v1/notifications/midtrans.
    #[arg(long, value_name = "URL")]
    notify: Option<String>,
    /// Keep the transactions in this file, so that they survive a restart.
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// Divide the hours between notification retries by this.
    #[arg(long, value_name = "N", default_value_t = 1)]
    retry_speedup: u32,
}

const EXAMPLES: &str = "\
Try it:
  midtrans-sim --notify http://127.0.0.1:8080/notify --retry-speedup 60

  curl -u SB-Mid-server-simulator: http://127.0.0.1:9090/v2/charge -H 'Content-Type: application/json' \\
    -d '{\"payment_type\":\"bank_transfer\",\"bank_transfer\":{\"bank\":\"bca\"},
         \"transaction_details\":{\"order_id\":\"room-7\",\"gross_amount\":1250000}}'

  curl -X POST http://127.0.0.1:9090/sim/transactions/room-7/settle     pay it (or: expire, deny, cancel)
  curl http://127.0.0.1:9090/sim/transactions                           what there is
  curl http://127.0.0.1:9090/sim/pages                                  the hosted pages (Snap), each with its token
  curl http://127.0.0.1:9090/sim/pages/TOKEN/pay -d card_number=4811111111111114   pay on one of them
  curl http://127.0.0.1:9090/sim/notifications                          what was sent, what waits
  curl http://127.0.0.1:9090/sim/faults -H 'Content-Type: application/json' \\
    -d '{\"api\":{\"fail_next\":{\"n\":2,\"kind\":\"503\"}}}'                 the next two calls fail";

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // On one line: a taken port is no reason for a back trace.
            eprintln!("midtrans-sim: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> anyhow::Result<()> {
    // Somebody else's choice of provider would serve as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(filter).init();
    let arguments = Arguments::parse();
    let options = Options {
        address: arguments.addr,
        server_key: arguments.server_key,
        notification_url: arguments.notify,
        state_file: arguments.state,
        retry_speedup: arguments.retry_speedup,
        ..Options::local(Clock::system())
    };
    let notified = options.notification_url.clone();
    let simulator = Simulator::start(options).await?;
    println!("Midtrans simulator at {}", simulator.base_url());
    println!("  page to pay at   {}/", simulator.base_url());
    println!(
        "  API              {}/v2/charge and so on, Basic auth with the server key",
        simulator.base_url()
    );
    match notified {
        Some(url) => println!("  notifications    to {url}"),
        None => println!("  notifications    to nobody; start with --notify URL"),
    }
    println!("Ctrl-C stops it; --help tells more.");
    tokio::signal::ctrl_c().await.context("cannot wait for Ctrl-C")?;
    simulator.shutdown().await;
    Ok(())
}
