//! What other sites left behind whose daemon does not run here.

use std::collections::BTreeMap;

use orchestrator_network::{Network, RouteMark};
use orchestrator_plugin::Id;
use orchestrator_runtime::causes::with_causes;

use super::MachineRequest;
use crate::{AbandonedSite, Fact};

/// The beginning of the alias of every interface of ours: the site and the instance follow.
const ALIAS: &str = "orchestrator:";

/// Finds the sites, by their mark. If it cannot be determined whether a daemon runs, one is assumed.
pub(super) async fn find(network: &Network, request: &MachineRequest) -> Fact<Vec<AbandonedSite>> {
    if request.site.is_none() && request.mark.is_none() {
        return Err("what other sites left (it is not known which site is this one's)".to_owned());
    }
    let explain = |fault| with_causes(&fault);
    let mut sites: BTreeMap<u32, AbandonedSite> = BTreeMap::new();
    for (mark, routes) in network.list_all_routes().await.map_err(explain)? {
        site(&mut sites, mark.route_metric(), None).routes = u64::try_from(routes.len()).unwrap_or(u64::MAX);
    }
    for (family, table, name) in network.site_tables().await.map_err(explain)? {
        if let Some(mark) = mark_of(&name) {
            let table = format!("{} {table}", family.word());
            site(&mut sites, mark, Some(name)).tables.push(table);
        }
    }
    for found in network.attachments(ALIAS).await.map_err(explain)? {
        let name = found.alias.strip_prefix(ALIAS).and_then(|rest| rest.split(':').next());
        if let Some((name, mark)) = name.and_then(|name| Some((name, mark_of(name)?))) {
            site(&mut sites, mark, Some(name.to_owned()))
                .interfaces
                .push(found.host_interface);
        }
    }
    let is_ours = |mark: u32| {
        let own = request.site.as_deref().and_then(mark_of);
        request.mark == Some(mark) || own == Some(mark)
    };
    let runs = |mark: u32| RouteMark::of_metric(mark).is_none_or(|mark| network.is_claimed(mark).unwrap_or(true));
    sites.retain(|mark, _| !is_ours(*mark) && !runs(*mark));
    Ok(sites.into_values().collect())
}

fn site(sites: &mut BTreeMap<u32, AbandonedSite>, mark: u32, name: Option<String>) -> &mut AbandonedSite {
    let site = sites.entry(mark).or_insert_with(|| AbandonedSite {
        site: None,
        mark,
        routes: 0,
        tables: Vec::new(),
        interfaces: Vec::new(),
    });
    site.site = site.site.take().or(name);
    site
}

/// The mark of the routes of a site; `None` for a name that is none of a site.
fn mark_of(site: &str) -> Option<u32> {
    let id: Id = site.parse().ok()?;
    Some(RouteMark::of_site(id.bytes()).route_metric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_has_one_mark_wherever_it_is_named() {
        assert_eq!(mark_of("0ddba110ddba"), mark_of("0ddba110ddba"));
        assert!(mark_of("0ddba110ddba").is_some() && mark_of("try").is_none());
    }
}
