//! `orchestrator routes`: lists the kernel's routes of all sites on this machine, and removes those of a site that is
//! gone.
//!
//! Routes stay when a daemon stops, as instances do. If its database and its identity are lost as well, no daemon
//! claims the routes again. Only an operator knows that a site is gone: its daemon may just be stopped. So this removes
//! one site at a time, by its mark, and never the site of a running daemon.

use orchestrator_network::{Network, NetworkError, Route, RouteMark, Way};
use serde::Serialize;

use super::check::SettingsFile;
use super::failure::Failure;
use super::{Output, table};
use orchestrator_settings::Settings;
use orchestrator_store::Store;

/// Arguments of `routes`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    settings: SettingsFile,
    /// Remove all routes of the site with this mark, whose database and identity are gone
    #[arg(long, value_name = "MARK")]
    remove: Option<u32>,
}

/// The daemon that is responsible for the routes of a site.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Owner {
    /// A daemon that runs in this network namespace.
    Running,
    /// The site of the settings, whose daemon does not run.
    Settings,
    /// No daemon on this machine.
    Nobody,
}

/// The routes of one site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Site {
    /// The metric of its routes, which identifies the site.
    pub(super) mark: u32,
    /// The daemon that is responsible for them.
    pub(super) owner: Owner,
    /// The prefixes of the routes.
    pub(super) routes: Vec<String>,
}

/// Lists the routes, or removes those of one site.
pub(super) async fn run(args: &Args, output: Output) -> Result<(), Failure> {
    let network = Network::open()?;
    // A machine without settings can have routes, too.
    let settings = args.settings.load().ok();
    let found = sites(&network, settings.as_ref()).await?;
    if let Some(mark) = args.remove {
        return remove(&network, &found, mark).await;
    }
    match output {
        Output::Json | Output::Yaml | Output::Name => table::print(&table::data(output, &found)?),
        Output::Table | Output::Wide => table::print(&render(&found)),
    }
}

/// The routes of all sites.
///
/// # Errors
///
/// When the kernel does not answer.
pub(super) async fn sites(network: &Network, settings: Option<&Settings>) -> Result<Vec<Site>, NetworkError> {
    let site = settings.and_then(|settings| Store::look_for_site(&settings.store.identity).ok().flatten());
    let own = site.map(|site| RouteMark::of_site(site.bytes()));
    let found = network.list_all_routes().await?;
    let site = |(mark, mut routes): (RouteMark, Vec<Route>)| {
        routes.sort_unstable_by_key(|route| (route.way == Way::Unreachable, route.prefix));
        Site {
            mark: mark.route_metric(),
            owner: owner(network, mark, own),
            routes: routes.iter().map(|route| route.prefix.to_string()).collect(),
        }
    };
    Ok(found.into_iter().map(site).collect())
}

/// The owner of a site. If it cannot be determined whether a daemon runs, one is assumed: then nothing is removed.
fn owner(network: &Network, mark: RouteMark, own: Option<RouteMark>) -> Owner {
    match network.is_claimed(mark) {
        Ok(false) if own == Some(mark) => Owner::Settings,
        Ok(false) => Owner::Nobody,
        Ok(true) | Err(_) => Owner::Running,
    }
}

async fn remove(network: &Network, found: &[Site], mark: u32) -> Result<(), Failure> {
    let kept = |reason| Failure::RoutesKept { mark, reason };
    let site = found.iter().find(|site| site.mark == mark);
    match site.map(|site| site.owner) {
        None => {
            return Err(kept(
                "there are none; `orchestrator routes` shows the marks that there are",
            ));
        }
        Some(Owner::Running) => return Err(kept("the daemon that made them runs; it removes what no lease wants")),
        Some(Owner::Settings) => {
            return Err(kept(
                "they are of the site of these settings; its daemon removes what no lease wants",
            ));
        }
        Some(Owner::Nobody) => {}
    }
    let Some(mark) = RouteMark::of_metric(mark) else {
        return Err(kept("this is no mark"));
    };
    let routes = network.list_routes(mark).await?;
    for route in &routes {
        network.remove_route(*route, mark).await?;
    }
    table::print(&format!("{} routes removed", routes.len()))
}

fn render(found: &[Site]) -> String {
    let row = |site: &Site| {
        let owner = match site.owner {
            Owner::Running => "a daemon that runs",
            Owner::Settings => "the site of the settings",
            Owner::Nobody => "nobody here",
        };
        let first = site.routes.first().cloned().unwrap_or_default();
        vec![
            site.mark.to_string(),
            owner.to_owned(),
            site.routes.len().to_string(),
            first,
        ]
    };
    table::table(&["MARK", "BELONGS TO", "ROUTES", "SUCH AS"], found.iter().map(row))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sites_as_a_table() {
        let site = |mark, owner, routes: &[&str]| Site {
            mark,
            owner,
            routes: routes.iter().map(|route| (*route).to_owned()).collect(),
        };
        let found = [
            site(1_073_741_826, Owner::Running, &["fd40:0:0:1::/64", "fd40::/48"]),
            site(1_073_741_828, Owner::Nobody, &["fd41::/48"]),
        ];
        assert_eq!(
            render(&found),
            "\
MARK        BELONGS TO          ROUTES  SUCH AS
1073741826  a daemon that runs  2       fd40:0:0:1::/64
1073741828  nobody here         1       fd41::/48"
        );
    }
}
