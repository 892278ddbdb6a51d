//! `kasir doctor`: the way of the money, checked step by step, with what to do about each that is not as it should be.

mod gateway;
mod house;
mod inbox;
mod report;
mod url;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use clock::Clock;
use domain::Secret;
use kasir::config::{Config, Gateway, Mistakes};
use kasir::{demo, roles};
use midtrans::probe::{Probe, Settings};

use report::{Check, Report, Verdict};

/// The longest that one probe takes.
const PROBE_MAX: Duration = Duration::from_secs(10);

const PATH: &str = "/api/midtrans-notification";

/// What is checked when nothing can be, in the order in which it is told.
const CHECKS: [&str; 12] = [
    house::CONFIGURATION,
    house::DATABASE,
    house::KEYS,
    house::REDIS,
    gateway::GATEWAY,
    gateway::KEY,
    gateway::CLOCK,
    url::URL,
    url::ANSWER,
    inbox::SIGNED,
    inbox::WORK,
    inbox::FORGED,
];

/// How to check.
#[derive(Args)]
#[command(after_help = HELP)]
pub(crate) struct Options {
    /// The notification URL as it is entered in the Midtrans dashboard.
    ///
    /// Without it, KASIR_PUBLIC_URL and /api/midtrans-notification. Without that as well, the address that `kasir api`
    /// listens on, which says nothing about the proxy in front of it.
    #[arg(long)]
    url: Option<String>,
    /// Trust these authorities too, in PEM, when the notification URL is tried.
    ///
    /// For an authority of your own. Midtrans does not trust it, so that the check is a warning at best.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Print one JSON object, for machines.
    #[arg(long)]
    json: bool,
}

const HELP: &str = "\
What is checked, in the configuration that `kasir api` and `kasir worker` have (run it beside them, with the same
environment):
  configuration        it loads, and the key belongs to the host
  database, Redis      they answer, and no migration is missing
  data keys            personal data is encrypted, and no key is missing that something is encrypted under
  gateway              it can be reached, over TLS 1.2 or newer
  server key           it is accepted; asked is the status of an order that nobody made
  clock                ours and the gateway's agree
  notification URL     it answers over TLS 1.2, the newest that Midtrans speaks when it notifies
  notification answer  nothing in front of Kasir redirects, wants a log-in, or answers in its place
  signed notification  one like the dashboard's test arrives in the database, for each notification key
  worker               somebody deals with it
  wrong signature      it is refused

Nothing is charged. One notification for each key stays in the inbox, as one of the dashboard's test button does.

Each check is ok, a warning, failed, or skipped where something before it is missing. The exit code is 1 when one
failed, otherwise 0. No key is printed, and the server key goes to the gateway alone.

Without MIDTRANS_SERVER_KEY the built-in simulator of `kasir serve` is checked: start that first, in another terminal.";

/// What all checks share.
struct Doctor {
    config: Config,
    clock: Clock,
    probe: Probe,
    /// `None` while nobody has started the built-in simulator.
    gateway: Option<Gateway>,
    report: Report,
}

/// Checks everything, tells it, and says by the exit code whether something failed.
pub(crate) async fn run(
    options: &Options,
    config: Result<Config, Mistakes>,
    clock: Clock,
) -> anyhow::Result<ExitCode> {
    let authorities = options
        .ca
        .as_ref()
        .map(|file| std::fs::read(file).with_context(|| format!("{} cannot be read", file.display())));
    let authorities = authorities.transpose()?;
    let mut report = Report::new(options.json);
    let config = match config {
        Ok(config) => config,
        Err(mistakes) => {
            report.tell(house::mistaken(&mistakes));
            for name in CHECKS.into_iter().skip(1) {
                report.tell(Check::skipped(name, "there is no configuration to check it with"));
            }
            return Ok(report.end());
        }
    };
    let connect_timeout = Duration::from_secs(config.file.gateway.connect_timeout_s).min(PROBE_MAX);
    let settings = Settings { connect_timeout, timeout: PROBE_MAX, authorities };
    let probe = Probe::new(settings).context("--ca")?;
    let gateway = match config.gateway.clone() {
        Some(gateway) => Some(gateway),
        None => simulator(&config, &clock)?,
    };
    report.hide(secrets(&config, gateway.as_ref()));
    let mut doctor = Doctor { config, clock, probe, gateway, report };
    let db = doctor.check_house().await;
    doctor.check_gateway().await;
    let target = doctor.check_url(options.url.as_deref()).await;
    doctor.check_inbox(target.as_ref(), db.as_ref()).await;
    Ok(doctor.report.end())
}

/// The built-in simulator, whose keys follow from the secret of this installation. Makes no file.
pub(crate) fn simulator(config: &Config, clock: &Clock) -> anyhow::Result<Option<Gateway>> {
    let is_made = config.secret.is_some() || roles::secret_file(config).is_some_and(|file| file.exists());
    if !is_made {
        return Ok(None);
    }
    let (server_key, client_key) = demo::simulator_keys(&roles::installation_secret(config, clock)?);
    let base_url = format!("http://{}", reachable(config.simulator_addr));
    let page_url = base_url.clone();
    Ok(Some(Gateway { server_key, client_key: Some(client_key), base_url, page_url }))
}

/// Where to find who listens on all addresses.
fn reachable(mut addr: std::net::SocketAddr) -> std::net::SocketAddr {
    if addr.ip().is_unspecified() {
        addr.set_ip(if addr.is_ipv4() {
            std::net::Ipv4Addr::LOCALHOST.into()
        } else {
            std::net::Ipv6Addr::LOCALHOST.into()
        });
    }
    addr
}

/// What no line may show, whatever anybody answers.
fn secrets(config: &Config, gateway: Option<&Gateway>) -> Vec<Secret> {
    let keys = gateway.into_iter().flat_map(|gateway| {
        [Some(gateway.server_key.clone()), gateway.client_key.clone()].into_iter().flatten()
    });
    let front_ends = config.api_keys.iter().map(|(_, key)| key.clone());
    let ours = config.secret.iter().chain(&config.notification_keys).cloned();
    let urls = config.redis.iter().map(|redis| &redis.url).chain([&config.database_url]);
    keys.chain(front_ends).chain(ours).chain(urls.filter_map(password_of)).collect()
}

/// The password in a URL like `postgres://user:password@host/name`.
fn password_of(url: &Secret) -> Option<Secret> {
    let (_, rest) = url.expose().split_once("://")?;
    let (user, _) = rest.rsplit_once('@')?;
    user.split_once(':').map(|(_, password)| Secret::from(password))
}

/// The same limit for whatever else is waited for.
async fn in_time<T, E: std::fmt::Display>(asked: impl Future<Output = Result<T, E>>) -> Result<T, String> {
    match tokio::time::timeout(PROBE_MAX, asked).await {
        Ok(answer) => answer.map_err(|error| error.to_string()),
        Err(_) => Err(format!("no answer within {} s", PROBE_MAX.as_secs())),
    }
}
