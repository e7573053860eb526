//! The names of routes, which lead to the balancers.

use std::collections::HashSet;
use std::net::Ipv6Addr;

use hickory_proto::rr::Name;
use orchestrator_model::{BALANCER_SERVICE, Endpoints};

/// The host names of routes. In a zone, such a name has the addresses of the balancers, because they answer HTTP for it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Fronts {
    names: HashSet<Name>,
    /// What follows the asterisk of `*.shop.home.arpa`.
    wildcards: HashSet<Name>,
    /// The names above all of these: they exist, and have nothing (RFC 8020).
    above: HashSet<Name>,
    balancers: Vec<Ipv6Addr>,
}

impl Fronts {
    /// The names of all routes; none while no balancer serves.
    pub(super) fn new(endpoints: &Endpoints) -> Self {
        let serving = endpoints.services.get(BALANCER_SERVICE).into_iter();
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
            let name = name.to_lowercase();
            if wildcard {
                fronts.above.insert(name.clone());
            }
            let mut above = name.base_name();
            while !above.is_root() && fronts.above.insert(above.clone()) {
                above = above.base_name();
            }
            match wildcard {
                true => fronts.wildcards.insert(name),
                false => fronts.names.insert(name),
            };
        }
        fronts
    }

    /// The balancers, if this is the name of a route; else none.
    pub(super) fn exact(&self, name: &Name) -> &[Ipv6Addr] {
        // Names are equal whatever their letters, and their hashes, too.
        self.balancers_if(self.names.contains(name))
    }

    /// The balancers, if a route has the asterisk that stands for this name. Nothing else may have the name (RFC 4592,
    /// section 3.3.1).
    pub(super) fn wildcard(&self, name: &Name) -> &[Ipv6Addr] {
        let is_one = !self.wildcards.is_empty() && self.wildcards.contains(&name.base_name());
        self.balancers_if(is_one)
    }

    /// Whether there are names of routes below this name.
    pub(super) fn is_above(&self, name: &Name) -> bool {
        self.above.contains(name)
    }

    fn balancers_if(&self, leads_there: bool) -> &[Ipv6Addr] {
        match leads_there {
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
        all.services = [("web".to_owned(), web), (BALANCER_SERVICE.to_owned(), balancer)].into();
        all
    }

    #[test]
    fn names_of_routes_lead_to_the_balancers_that_serve() {
        let fronts = Fronts::new(&all());
        let name = |name: &str| Name::from_ascii(name).unwrap();
        for exact in ["web.service.consul.", "WEB.Service.consul."] {
            assert_eq!(fronts.exact(&name(exact)), [address(0x100)], "{exact}");
            assert!(fronts.wildcard(&name(exact)).is_empty(), "{exact}");
        }
        assert_eq!(fronts.wildcard(&name("a.shop.home.arpa.")), [address(0x100)]);
        for none in ["shop.home.arpa.", "a.b.shop.home.arpa.", "x.web.service.consul."] {
            assert!(
                fronts.exact(&name(none)).is_empty() && fronts.wildcard(&name(none)).is_empty(),
                "{none}"
            );
        }
        for above in ["shop.home.arpa.", "Service.consul.", "consul."] {
            assert!(fronts.is_above(&name(above)), "{above}");
        }
        assert!(!fronts.is_above(&name("web.service.consul.")) && !fronts.is_above(&Name::root()));
        let mut without = all();
        without.services.remove(BALANCER_SERVICE);
        assert_eq!(Fronts::new(&without), Fronts::default());
    }
}
