//! The project's own commands: `cargo xtask --help` lists them.

mod api;
mod browser;
mod chaos;
mod clients;
mod controls;
mod deb;
mod house;
mod load;
mod model;
mod package;
mod packages;
mod python;
mod servers;
mod steps;
mod storm;
mod sweeper;
mod test;
mod user;
mod with_servers;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The project's own commands.
#[derive(Parser)]
#[command(name = "xtask", bin_name = "cargo xtask", after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Test(test::Test),
    Servers(with_servers::WithServers),
    Model(model::Model),
    Controls(controls::Controls),
    Overload(load::Overload),
    Soak(load::Soak),
    Storm(storm::Storm),
    Chaos(chaos::Chaos),
    Package(package::Package),
}

const EXAMPLES: &str = "\
Examples:
  cargo xtask test                                   what CI runs
  cargo xtask test --api                             the service against its OpenAPI document
  cargo xtask test --clients                         the gateway's own clients against the simulator
  cargo xtask test --browser                         the dashboard in Chromium
  cargo xtask model --steps 10000                    a night of bad weather
  cargo xtask controls                               a night without one guard after the other
  cargo xtask overload                               ten times what the service sustains
  cargo xtask soak --minutes 30                      what usual work does to its memory
  cargo xtask storm --seeds 1000                     storms over the whole service
  cargo xtask chaos --short                          kill what can be killed, and lose nothing
  cargo xtask package                                an archive for a small server
  cargo xtask package --deb                          and a package of Debian
  cargo xtask test --only unit                       seconds, no servers
  cargo xtask test --no-lint -- -p store             one crate, both databases
  cargo xtask servers -- cargo nextest run -p store  the same without the ceremony
  cargo xtask servers -- bash                        a shell with both servers at hand";

fn main() -> ExitCode {
    let ended = match Cli::parse().command {
        Command::Test(command) => command.run(),
        Command::Servers(command) => command.run(),
        Command::Model(command) => command.run(),
        Command::Controls(command) => command.run(),
        Command::Overload(command) => command.run(),
        Command::Soak(command) => command.run(),
        Command::Storm(command) => command.run(),
        Command::Chaos(command) => command.run(),
        Command::Package(command) => command.run(),
    };
    ended.unwrap_or_else(|error| {
        eprintln!("xtask: {error:#}");
        ExitCode::FAILURE
    })
}
