//! The command line. The verbs in this crate touch the machine: its files, its network, its environment. The other
//! verbs only talk to the daemon's API; they are in `orchestrator_verbs`, and this crate gives them the API over HTTP.

mod backup;
mod check;
mod client;
mod doctor;
mod ends;
mod failure;
mod hook;
mod http;
mod init;
mod local;
mod plugin;
mod probe;
mod progress;
mod restore;
mod routes;
mod secrets;
mod serve;
mod shell;
mod signals;
mod table;
mod teardown;
mod tls;
mod tracing;
mod version;

use std::error::Error;
use std::ffi::OsString;
use std::path::PathBuf;
use std::pin::Pin;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use failure::Failure;
use http::{Client, Endpoint};
use orchestrator_model::Timestamp;
use orchestrator_settings::Start;
use orchestrator_verbs::{Output, Session};
use tls::Access;

/// Gives every IPv6 client on a network a container of its own, by nothing but its DHCPv6 lease.
#[derive(Debug, Parser)]
#[command(name = "orchestrator", version, after_help = failure::EXIT_CODES, disable_help_subcommand = true)]
struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    verb: Verb,
}

/// The options of every verb.
#[derive(Debug, clap::Args)]
struct Common {
    /// Where the daemon's API is: unix:/path, https://host:port with a token in ORCHESTRATOR_TOKEN, or http://host:port
    #[arg(
        long,
        visible_alias = "server",
        global = true,
        value_name = "URL",
        env = "ORCHESTRATOR_API",
        default_value = http::DEFAULT_API
    )]
    api: Endpoint,
    /// A file with the certificates, in PEM, of whom to trust at https://; by default, whom this machine trusts
    #[arg(long, global = true, value_name = "FILE", env = "ORCHESTRATOR_CA")]
    ca: Option<PathBuf>,
    /// How results are printed
    #[arg(short, long, global = true, value_enum, default_value_t = Output::Table)]
    output: Output,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run the daemon
    Serve(serve::Args),
    /// Report faults of the settings, and what the settings name that does not exist yet
    Check(check::Args),
    /// Say what is wrong with the running system, what it means, and what mends it
    Doctor(doctor::Args),
    /// Obtain a lease for an interface of this machine, and renew it
    Client(client::Args),
    /// Record an event of a DHCP server; that server runs it. Always exits with 0
    Hook(hook::Args),
    /// The verbs that only talk to the API.
    #[command(flatten)]
    Api(orchestrator_verbs::Timed),
    /// Lay out a project: an image that builds without a registry, and a service file
    Init(init::Args),
    /// Type lines at a prompt, with history and completion
    Shell(shell::Args),
    /// List the kernel's routes of all sites on this machine, or remove those of a site that is gone
    Routes(routes::Args),
    /// Write everything that is recorded to a file, whether or not the daemon runs
    Backup(backup::Args),
    /// Write a backup into the database of a daemon that does not run
    Restore(restore::Args),
    /// List the secrets, never their values; remove some; replace the key or the certificate authority
    Secrets(secrets::Args),
    /// Test an executable that is an engine
    Plugin(plugin::Args),
    /// Remove all that the daemon made on this machine: instances, rules, routes, bridges. Only while it does not run
    Teardown(teardown::Args),
    /// Print the version
    Version,
}

/// The reason why the daemon ended by itself.
pub type DaemonError = Box<dyn Error + Send + Sync>;

/// Runs the daemon to its end. The command line gets it as a function, so that the daemon can depend on the command
/// line.
pub type Serve = fn(Start) -> Pin<Box<dyn Future<Output = Result<(), DaemonError>>>>;

/// Runs the program with its arguments, and prints the result. `serve` is called for the verb of that name.
pub fn run(args: impl Iterator<Item = OsString>, serve: Serve) -> ExitCode {
    let args: Vec<OsString> = args.collect();
    let cli = match Cli::try_parse_from(&args) {
        Ok(cli) => cli,
        Err(error) => {
            return hook::misused(&args, &error).unwrap_or_else(|| {
                // If standard error is closed, nothing can be reported.
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

/// The parser of the command line.
fn command() -> clap::Command {
    <Cli as clap::CommandFactory>::command()
}

fn dispatch(
    Cli {
        common: Common { api, ca, output },
        verb,
    }: Cli,
    serve: Serve,
) -> Result<ExitCode, Failure> {
    if !matches!(verb, Verb::Serve(_)) {
        tracing::for_people();
    }
    let client = Client::new(api).with_access(Access::of(ca));
    match verb {
        Verb::Serve(args) => return serve::run(&args, serve),
        Verb::Check(args) => return check::run(&args, output),
        Verb::Doctor(args) => return wait_for(doctor::run(&args, output, client)),
        Verb::Client(args) => wait_for(client::run(args, output))?,
        Verb::Hook(args) => return Ok(hook::run(args, client)),
        Verb::Api(verb) => wait_for(async {
            let mut session = Session {
                api: &client,
                sink: &mut table::Terminal::new(),
                output,
                now: Timestamp::wall(),
                local: &local::Here,
                limit: None,
            };
            Ok(verb.run(&mut session).await?)
        })?,
        Verb::Init(args) => init::run(&args, output)?,
        Verb::Shell(args) => return shell::run(&args, output, client).map(ExitCode::from),
        Verb::Routes(args) => wait_for(routes::run(&args, output))?,
        Verb::Backup(args) => wait_for(backup::run(&args, output))?,
        Verb::Restore(args) => wait_for(restore::run(&args, output))?,
        Verb::Secrets(args) => wait_for(secrets::run(&args, output))?,
        Verb::Plugin(args) => wait_for(plugin::run(args, output))?,
        Verb::Teardown(args) => return wait_for(teardown::run(&args, output)),
        Verb::Version => version::run(output)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Runs a verb that mostly waits for the daemon. One thread is enough for it and starts fast.
fn wait_for<T>(verb: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(Failure::Runtime)?.block_on(verb)
}

#[cfg(test)]
mod tests;
