//! The names of routes, which lead to the balancers.

use std::collections::HashSet;
use std::net::Ipv6Addr;

use hickory_proto::rr::Name;
use orchestrator_model::Endpoints;

/// The service whose instances are the balancers.
const BALANCER: &str = "balancer";

/// The host names of routes. In a zone, such a name has the addresses of the balancers, because they answer HTTP for it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Fronts {
    names: HashSet<Name>,
    /// What follows the asterisk of `*.shop.home.arpa`.
    wildcards: HashSet<Name>,
    balancers: Vec<Ipv6Addr>,
}

impl Fronts {
    /// The names of all routes; none while no balancer serves.
    pub(super) fn new(endpoints: &Endpoints) -> Self {
        let serving = endpoints.services.get(BALANCER).into_iter();
        let balancers: Vec<Ipv6Addr> = serving
            .flat_map(|service| service.serving().map(|(_, balancer)| balancer.address))
            .collect();
        let mut fronts = Self::default();
        if balancers.is_empty() {
            return fronts;
        }
        fronts.balancers = balancers;
        for route in endpoints.services.values().flat_map(|service| &service.routes) {
            let (wildcard, host) = match route.host.strip_prefix("*.") {
                Some(host) => (true, host),
                None => (false, route.host.as_str()),
            };
            let Ok(mut name) = Name::from_ascii(host) else { continue };
            name.set_fqdn(true);
            match wildcard {
                true => fronts.wildcards.insert(name.to_lowercase()),
                false => fronts.names.insert(name.to_lowercase()),
            };
        }
        fronts
    }

    /// The balancers that a name leads to; none if it is the name of no route.
    pub(super) fn find(&self, name: &Name) -> &[Ipv6Addr] {
        if self.balancers.is_empty() {
            return &[];
        }
        // Names are equal whatever their letters, and their hashes, too.
        match self.names.contains(name) || (!self.wildcards.is_empty() && self.wildcards.contains(&name.base_name())) {
            true => &self.balancers,
            false => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use orchestrator_model::{Endpoint, Route, Slot};

    use super::*;
    use crate::testing::{address, endpoints};

    fn all() -> Endpoints {
        let mut all = endpoints(2);
        let route = |host: &str| Route {
            host: host.to_owned(),
            path: "/".to_owned(),
            port: "http".to_owned(),
            tls: None,
        };
        let mut web = all.services.remove("web").unwrap();
        let one: BTreeMap<Slot, Endpoint> = web.members.clone().into_iter().take(1).collect();
        web.routes = vec![route("web.service.consul"), route("*.shop.home.arpa")];
        let balancer = orchestrator_model::ServiceEndpoints {
            members: one,
            ..web.clone()
        };
        all.services = [("web".to_owned(), web), (BALANCER.to_owned(), balancer)].into();
        all
    }

    #[test]
    fn names_of_routes_lead_to_the_balancers_that_serve() {
        let fronts = Fronts::new(&all());
        let found = |name: &str| fronts.find(&Name::from_ascii(name).unwrap());
        for name in ["web.service.consul.", "WEB.Service.consul.", "a.shop.home.arpa."] {
            assert_eq!(found(name), [address(0x100)], "{name}");
        }
        for name in ["shop.home.arpa.", "a.b.shop.home.arpa.", "x.web.service.consul."] {
            assert!(found(name).is_empty(), "{name}");
        }
        let mut without = all();
        without.services.remove(BALANCER);
        assert_eq!(Fronts::new(&without), Fronts::default());
    }
}
