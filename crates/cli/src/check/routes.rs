//! Routes of sites whose daemon does not run here.

use orchestrator_network::Network;

use super::Finding;
use crate::routes::{Owner, Site, sites};
use orchestrator_runtime::causes::with_causes;
use orchestrator_settings::Settings;

/// One finding for each site that has routes but no daemon here.
pub(super) async fn check(settings: &Settings, network: &Network) -> Vec<Finding> {
    match sites(network, Some(settings)).await {
        Ok(sites) => sites
            .iter()
            .filter(|site| site.owner == Owner::Nobody)
            .map(abandoned)
            .collect(),
        Err(fault) => vec![Finding::wrong("routes", with_causes(&fault))],
    }
}

fn abandoned(site: &Site) -> Finding {
    let (mark, count) = (site.mark, site.routes.len());
    let prefix = site.routes.first().map(ToString::to_string).unwrap_or_default();
    Finding::wrong(
        format!("routes of {mark}"),
        format!(
            "{count}, such as that to {prefix}, of a site whose daemon does not run here; if its database and identity \
             are gone: orchestrator routes --remove {mark}"
        ),
    )
}
