//! `orchestrator teardown`: removes all that the daemon made on this machine.
//!
//! It finds things by the mark of the site, not by the database: so it also removes what no database knows any more. What
//! bears no mark of this site is never touched.

mod ask;
mod work;

use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::time::Duration;

use orchestrator_host::{LocalHost, LocalSettings, MarkedThing};
use orchestrator_model::{HostId, Mark, SiteId};
use orchestrator_network::{MarkClaim, Network, RouteMark};
use orchestrator_runtime::causes::with_causes;
use orchestrator_settings::{Listen, Settings};
use orchestrator_store::Store;

use super::check::SettingsFile;
use super::failure::Failure;
use super::{Output, table};
use work::Outcome;

/// Where network namespaces are that the daemon makes before their containers.
const NAMESPACES: &str = "/run/orchestrator-netns";
/// How long the API of a running daemon may take to accept a connection.
const PATIENCE: Duration = Duration::from_secs(1);

/// Arguments of `teardown`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    settings: SettingsFile,
    /// List what would be removed, and remove nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Remove the volumes, too, with all that they hold
    #[arg(long)]
    volumes: bool,
    /// Remove bridges that the daemon made also if others have ports on them; the ports stay, on no bridge
    #[arg(long)]
    used_bridges: bool,
    /// The id of the site; only if its identity file is gone
    #[arg(long, value_name = "ID")]
    site: Option<SiteId>,
    /// Go on although a daemon of this site seems to run, which would make everything again
    #[arg(long)]
    force: bool,
}

/// Lists, asks, removes and looks again. Something that is still there is a failure.
pub(super) async fn run(args: &Args, output: Output) -> Result<ExitCode, Failure> {
    let settings = args.settings.load()?;
    let site = site(args, &settings)?;
    let network = Network::open()?;
    let _claim = claim(args, &settings, &network, site)?;
    let host = host(&settings, network, site);
    let links: Vec<String> = settings.links.iter().map(|link| link.name.clone()).collect();
    let mut found = host.marked(&links).await;
    if args.volumes {
        let volumes = host.volumes().map_err(|source| Failure::File {
            doing: "read",
            path: settings.volumes.directory.clone(),
            source,
        })?;
        found.things.extend(volumes);
    }
    let outcomes = match (args.dry_run, found.things.is_empty()) {
        (true, _) | (_, true) => found.things.into_iter().map(Outcome::listed).collect(),
        (false, false) => {
            if !args.yes {
                ask::confirm(&found.things)?;
            }
            work::remove_all(&host, found.things, args.used_bridges).await
        }
    };
    let unseen = found
        .unseen
        .iter()
        .map(|(what, fault)| Outcome::unseen(what, with_causes(fault)));
    let all: Vec<Outcome> = outcomes.into_iter().chain(unseen).collect();
    print(&all, output)?;
    match all.iter().filter(|outcome| outcome.reason.is_some()).count() {
        0 => Ok(ExitCode::SUCCESS),
        left => Err(Failure::TeardownIncomplete { left }),
    }
}

/// The site whose things are removed.
fn site(args: &Args, settings: &Settings) -> Result<SiteId, Failure> {
    if let Some(site) = args.site {
        return Ok(site);
    }
    let path = settings.store.identity.display();
    let refused = |reason: String| Failure::TeardownRefused {
        reason: format!("{reason}; `--site ID` names the site, whose id is in the name of its tables: nft list tables"),
    };
    match Store::look_for_site(&settings.store.identity) {
        Ok(Some(site)) => Ok(site),
        Ok(None) => Err(refused(format!("there is no identity of a daemon at {path}"))),
        Err(fault) => Err(refused(with_causes(&fault))),
    }
}

/// Refuses to work beside a running daemon, and keeps one that starts meanwhile from taking the routes for its own.
fn claim(args: &Args, settings: &Settings, network: &Network, site: SiteId) -> Result<Option<MarkClaim>, Failure> {
    let claimed = network.claim_mark(RouteMark::of_site(site.bytes()));
    let answers = settings.api.listen.iter().find(|listen| is_served(listen));
    let runs = match (&claimed, answers) {
        (_, Some(listen)) => format!("a daemon answers at {listen}"),
        (Err(fault), None) => format!("a daemon of site {site} has claimed its mark ({fault})"),
        (Ok(_), None) => return Ok(claimed.ok()),
    };
    match args.force {
        true => Ok(claimed.ok()),
        false => Err(Failure::TeardownRefused {
            reason: format!("{runs}, and would make everything again; stop it first: systemctl stop orchestrator"),
        }),
    }
}

fn is_served(listen: &Listen) -> bool {
    match listen {
        Listen::Unix(path) => UnixStream::connect(path).is_ok(),
        Listen::Tcp(address) | Listen::Tls(address) => TcpStream::connect_timeout(address, PATIENCE).is_ok(),
    }
}

fn host(settings: &Settings, network: Network, site: SiteId) -> LocalHost {
    let mark = Mark { site };
    LocalHost::new(LocalSettings {
        name: HostId::LOCAL.to_owned(),
        engines: settings.engines.build(mark),
        network,
        mark,
        namespaces: NAMESPACES.into(),
        volumes: settings.volumes.directory.clone(),
    })
}

fn print(all: &[Outcome], output: Output) -> Result<(), Failure> {
    match output {
        Output::Json | Output::Yaml | Output::Name => table::print(&table::data(output, &all)?),
        Output::Table | Output::Wide if all.is_empty() => table::print("nothing bears the mark of this site"),
        Output::Table | Output::Wide => table::print(&render(all)),
    }
}

fn render(all: &[Outcome]) -> String {
    let row = |outcome: &Outcome| {
        vec![
            outcome.what.clone(),
            outcome.state.to_owned(),
            outcome.reason.clone().unwrap_or_default(),
        ]
    };
    table::table(&["WHAT", "IS", "WHY"], all.iter().map(row))
}

/// How many things there are of each kind, in their order: `2 containers, 2 interfaces, the rules`.
fn counted(things: &[MarkedThing]) -> String {
    let mut kinds: Vec<(&str, usize)> = Vec::new();
    for thing in things {
        match kinds.iter_mut().find(|(kind, _)| *kind == thing.kind()) {
            Some((_, count)) => *count += 1,
            None => kinds.push((thing.kind(), 1)),
        }
    }
    let text = |(kind, count): &(&str, usize)| match (*kind, *count) {
        ("rules", _) => "the rules of the packet filter".to_owned(),
        ("address", 1) => "1 address".to_owned(),
        ("address", count) => format!("{count} addresses"),
        (kind, 1) => format!("1 {kind}"),
        (kind, count) => format!("{count} {kind}s"),
    };
    kinds.iter().map(text).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn things_are_counted_by_kind() {
        let interface = |name: &str| MarkedThing::Interface {
            name: name.to_owned(),
            instance: None,
        };
        let address = MarkedThing::Address {
            bridge: "br0".to_owned(),
            address: "fd39::d0".parse().unwrap(),
        };
        let things = [interface("or1"), interface("or2"), address, MarkedThing::Rules];
        assert_eq!(
            counted(&things),
            "2 interfaces, 1 address, the rules of the packet filter"
        );
    }

    #[test]
    fn what_is_left_is_shown_with_its_reason() {
        let all = [
            Outcome {
                state: "removed",
                ..Outcome::listed(MarkedThing::Rules)
            },
            Outcome::unseen("containers on engine docker", "no such socket".to_owned()),
        ];
        assert_eq!(
            render(&all),
            "\
WHAT                         IS        WHY
tables of the packet filter  removed   -
containers on engine docker  not seen  no such socket"
        );
    }
}
