//! The command line: one file a verb. Every verb but `serve`, `check`, `backup`, `restore`, `secrets`, `client`,
//! `routes` and `hook` only talks to the daemon's API.

mod ages;
mod backup;
mod check;
mod client;
mod events;
mod failure;
mod hook;
mod http;
mod ls;
mod order;
mod page;
mod printable;
mod probe;
mod reconfigure;
mod reload;
mod reservation;
mod resolve;
mod restore;
mod rm;
mod routes;
mod secrets;
mod serve;
mod settings;
mod show;
mod signals;
mod sse;
mod table;
mod tasks;
mod template;
mod tracing;
mod version;
mod view;

use std::error::Error;
use std::ffi::OsString;
use std::pin::Pin;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

use failure::Failure;
use http::{Client, Endpoint};
use orchestrator_settings::Start;

/// Gives every IPv6 client on a network a container of its own, by nothing but its DHCPv6 lease.
#[derive(Debug, Parser)]
#[command(name = "orchestrator", version, after_help = failure::EXIT_CODES, disable_help_subcommand = true)]
struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    verb: Verb,
}

/// What every verb understands.
#[derive(Debug, clap::Args)]
struct Common {
    /// Where the daemon's API is: unix:/path or http://host:port
    #[arg(long, global = true, value_name = "URL", env = "ORCHESTRATOR_API", default_value = http::DEFAULT_API)]
    api: Endpoint,
    /// How results are printed
    #[arg(short, long, global = true, value_enum, default_value_t = Output::Table)]
    output: Output,
}

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// For people
    Table,
    /// For people, with nothing cut
    Wide,
    /// As the API gives them
    Json,
}

impl Output {
    /// How wide tables may be.
    fn width(self) -> table::Width {
        match self {
            Self::Table | Self::Json => table::Width::Narrow,
            Self::Wide => table::Width::Wide,
        }
    }
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run the daemon
    Serve(serve::Args),
    /// Tell what is wrong with the settings, and what they name that is not there yet
    Check(check::Args),
    /// Get a lease for an interface of this machine, and keep it
    Client(client::Args),
    /// Take an event from a DHCP server; run by that server, always ends with 0
    Hook(hook::Args),
    /// List instances, leases or clients
    Ls(ls::Args),
    /// Show a client or an instance, and what happened to it
    Show(show::Args),
    /// Destroy instances; their clients get new ones at their next lease event
    Rm(rm::Args),
    /// Keep addresses and prefixes for known clients
    Reservation(reservation::Args),
    /// List, make, change and remove templates
    Template(template::Args),
    /// Show what happened, in order
    Events(events::Args),
    /// List the kernel's routes of all sites on this machine, or remove those of a site that is gone
    Routes(routes::Args),
    /// Have a client ask again now, if it accepts that
    Reconfigure(reconfigure::Args),
    /// Have the daemon read its settings again; wrong ones change nothing
    Reload,
    /// Show which settings are in force, and whether others are written
    Settings,
    /// Show what every task of the daemon does, how its last run ended, and when it is tried next
    Tasks,
    /// Write everything that is recorded into a file, whether or not the daemon runs
    Backup(backup::Args),
    /// Put what a backup holds into the database of a daemon that does not run
    Restore(restore::Args),
    /// Show which secrets there are, never their values; renew the key and the certificate authority
    Secrets(secrets::Args),
    /// Print the version
    Version,
}

/// Why the daemon ended, where it was not asked to.
pub type DaemonError = Box<dyn Error + Send + Sync>;

/// Runs the daemon to its end. The command line does not know the daemon, so that the daemon can use the command line.
pub type Serve = fn(Start) -> Pin<Box<dyn Future<Output = Result<(), DaemonError>>>>;

/// Runs the program by its arguments; prints what there is to say. `serve` is run for the verb of that name.
pub fn run(args: impl Iterator<Item = OsString>, serve: Serve) -> ExitCode {
    let args: Vec<OsString> = args.collect();
    let cli = match Cli::try_parse_from(&args) {
        Ok(cli) => cli,
        Err(error) => {
            return hook::misused(&args, &error).unwrap_or_else(|| {
                // Nothing is left to say where standard error is closed.
                let _ = error.print();
                failure::usage(&error)
            });
        }
    };
    match dispatch(cli, serve) {
        Ok(code) => code,
        Err(failure) => failure.report(),
    }
}

/// The command line that is understood.
fn command() -> clap::Command {
    <Cli as clap::CommandFactory>::command()
}

fn dispatch(
    Cli {
        common: Common { api, output },
        verb,
    }: Cli,
    serve: Serve,
) -> Result<ExitCode, Failure> {
    if !matches!(verb, Verb::Serve(_)) {
        tracing::for_people();
    }
    let client = || Client::new(api.clone());
    match verb {
        Verb::Serve(args) => return serve::run(&args, serve),
        Verb::Check(args) => return check::run(&args, output),
        Verb::Client(args) => wait_for(client::run(args, output))?,
        Verb::Hook(args) => return Ok(hook::run(args, api)),
        Verb::Ls(args) => wait_for(ls::run(&args, output, &client()))?,
        Verb::Show(args) => wait_for(show::run(&args, output, &client()))?,
        Verb::Rm(args) => wait_for(rm::run(&args, output, &client()))?,
        Verb::Reservation(args) => wait_for(reservation::run(&args, output, &client()))?,
        Verb::Template(args) => wait_for(template::run(&args, output, &client()))?,
        Verb::Events(args) => wait_for(events::run(&args, output, &client()))?,
        Verb::Reconfigure(args) => wait_for(reconfigure::run(&args, output, &client()))?,
        Verb::Routes(args) => wait_for(routes::run(&args, output))?,
        Verb::Reload => wait_for(reload::run(output, &client()))?,
        Verb::Settings => wait_for(settings::run(output, &client()))?,
        Verb::Tasks => wait_for(tasks::run(output, &client()))?,
        Verb::Backup(args) => wait_for(backup::run(&args, output))?,
        Verb::Restore(args) => wait_for(restore::run(&args, output))?,
        Verb::Secrets(args) => wait_for(secrets::run(&args, output))?,
        Verb::Version => version::run(output)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Runs a verb that only waits for the daemon: one thread is enough, and starts at once.
fn wait_for<T>(verb: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(Failure::Runtime)?.block_on(verb)
}

#[cfg(test)]
mod tests;
