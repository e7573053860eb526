//! `orchestrator client`: the DHCPv6 client of an interface.

use std::io::{ErrorKind, Write};
use std::path::PathBuf;
use std::time::Duration;

use orchestrator_dhcp6::DomainName;
use orchestrator_dhcp6::client::Wants;

use super::Output;
use super::failure::Failure;
use super::signals;
use orchestrator_client::{Attached, ClientError, DuidChoice, Options, Report, open_socket};
use orchestrator_network::Network;
use orchestrator_verbs::printable::{escape_json, printable};

/// The default directory for DUID and leases.
const DEFAULT_STATE: &str = "/var/lib/orchestrator-client";

/// Arguments of `client`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The interface that gets the lease
    #[arg(short, long, value_name = "NAME")]
    interface: String,
    /// Ask for a prefix too, of this length if it may be chosen
    #[arg(long, value_name = "LENGTH", num_args = 0..=1, default_missing_value = "0", value_parser = clap::value_parser!(u8).range(0..=64))]
    prefix: Option<u8>,
    /// Ask for no address: for a prefix alone
    #[arg(long, requires = "prefix")]
    no_address: bool,
    /// Ask for configuration alone, without a lease
    #[arg(long, conflicts_with_all = ["prefix", "rapid_commit"])]
    stateless: bool,
    /// Let a server grant the lease at once, in two messages
    #[arg(long)]
    rapid_commit: bool,
    /// Let the server make the client renew, for instance to get another address
    #[arg(long)]
    reconfigure: bool,
    /// The host name to send to servers
    #[arg(long, value_name = "NAME")]
    hostname: Option<DomainName>,
    /// How the client identifies itself: llt (the default), ll, uuid, or the DUID itself; kept from then on
    #[arg(long, value_name = "KIND")]
    duid: Option<DuidChoice>,
    /// Where DUID and leases are kept
    #[arg(long, value_name = "DIR", env = "ORCHESTRATOR_CLIENT_STATE", default_value = DEFAULT_STATE)]
    state: PathBuf,
    /// Exit once the address can be used, and keep the address
    #[arg(long)]
    once: bool,
    /// Keep the lease when the client is stopped
    #[arg(long)]
    keep: bool,
    /// Report each ignored answer, and why
    #[arg(short, long)]
    verbose: bool,
    /// Fail when there is no lease after so many seconds
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    timeout: Option<u64>,
}

pub(super) async fn run(args: Args, output: Output) -> Result<(), Failure> {
    let options = Options {
        wants: wants(&args),
        interface: args.interface,
        rapid_commit: args.rapid_commit,
        reconfigure: args.reconfigure,
        hostname: args.hostname,
        duid: args.duid,
        state: args.state,
        once: args.once,
        keep: args.keep,
        timeout: args.timeout.map(Duration::from_secs),
        verbose: args.verbose,
    };
    let print = |report: Report| {
        let mut out = std::io::stdout().lock();
        let printed = match output {
            // The text may contain words of servers.
            Output::Table | Output::Wide => writeln!(out, "{}", printable(&report.to_string())),
            Output::Json | Output::Yaml | Output::Name => {
                writeln!(out, "{}", escape_json(&report.to_json().to_string()))
            }
        };
        match printed {
            // The lease is kept even when nobody reads the output any more.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            printed => printed,
        }
    };
    let attached = attach(&options.interface).await?;
    Ok(orchestrator_client::run(&options, attached, print).await?)
}

/// Opens the client's socket and netlink connection in the namespace of this process.
async fn attach(interface: &str) -> Result<Attached, ClientError> {
    let stop = signals::stops().map_err(|source| ClientError::System {
        doing: "wait for signals",
        source,
    })?;
    let network = Network::open()?;
    let found = network.find_interface(interface).await?;
    let found = found.ok_or_else(|| ClientError::NoInterface(interface.to_owned()))?;
    let socket = open_socket(interface, found.index).map_err(|source| ClientError::Socket {
        interface: interface.to_owned(),
        source,
    })?;
    Ok(Attached { network, socket, stop })
}

fn wants(args: &Args) -> Wants {
    let length = args.prefix.map(|length| Some(length).filter(|length| *length > 0));
    match length {
        _ if args.stateless => Wants::Configuration,
        None => Wants::Address,
        Some(length) if args.no_address => Wants::Prefix(length),
        Some(length) => Wants::AddressAndPrefix(length),
    }
}
