//! The names of routes, which lead to the balancers.

use std::net::Ipv6Addr;

use hickory_proto::rr::Name;
use orchestrator_model::Route;

use super::shards::Shards;

/// The host names of routes. In a zone, such a name has the addresses of the balancers, because they answer HTTP for it.
///
/// Several routes may have one name: each name has the number of its routes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fronts {
    names: Shards<Name, usize>,
    /// What follows the asterisk of `*.shop.home.arpa`.
    wildcards: Shards<Name, usize>,
    /// The names above all of these: they exist, and have nothing (RFC 8020).
    above: Shards<Name, usize>,
    /// The balancers that serve. While there is none, no name leads anywhere.
    balancers: Vec<Ipv6Addr>,
}

impl Fronts {
    /// Replaces routes by other ones.
    pub(super) fn set_routes(&mut self, before: &[Route], now: &[Route]) {
        // A name that both have is not taken away in between: nobody sees the fronts before this is over.
        before.iter().for_each(|route| self.count(route, false));
        now.iter().for_each(|route| self.count(route, true));
    }

    /// The balancers that serve.
    pub(super) fn balancers(&self) -> &[Ipv6Addr] {
        &self.balancers
    }

    /// Has all names lead to these balancers.
    pub(super) fn set_balancers(&mut self, balancers: Vec<Ipv6Addr>) {
        self.balancers = balancers;
    }

    /// Counts a route that came or went under its names.
    fn count(&mut self, route: &Route, came: bool) {
        let (wildcard, host) = match route.host.strip_prefix("*.") {
            Some(host) => (true, host),
            None => (false, route.host.as_str()),
        };
        let Ok(mut name) = Name::from_ascii(host) else { return };
        name.set_fqdn(true);
        let name = name.to_lowercase();
        if wildcard {
            count(&mut self.above, name.clone(), came);
        }
        let mut above = name.base_name();
        while !above.is_root() {
            let next = above.base_name();
            count(&mut self.above, above, came);
            above = next;
        }
        match wildcard {
            true => count(&mut self.wildcards, name, came),
            false => count(&mut self.names, name, came),
        }
    }

    /// The balancers, if this is the name of a route; else none.
    pub(super) fn exact(&self, name: &Name) -> &[Ipv6Addr] {
        // Names are equal whatever their letters, and their hashes, too.
        self.balancers_if(self.names.get(name).is_some())
    }

    /// The balancers, if a route has the asterisk that stands for this name. Nothing else may have the name (RFC 4592,
    /// section 3.3.1).
    pub(super) fn wildcard(&self, name: &Name) -> &[Ipv6Addr] {
        let is_one = self.wildcards.len() > 0 && self.wildcards.get(&name.base_name()).is_some();
        self.balancers_if(is_one)
    }

    /// Whether there are names of routes below this name.
    pub(super) fn is_above(&self, name: &Name) -> bool {
        !self.balancers.is_empty() && self.above.get(name).is_some()
    }

    fn balancers_if(&self, leads_there: bool) -> &[Ipv6Addr] {
        match leads_there {
            true => &self.balancers,
            false => &[],
        }
    }
}

/// Adds one to the number of a name, or takes one away.
fn count(numbers: &mut Shards<Name, usize>, name: Name, came: bool) {
    let before = numbers.get(&name).copied().unwrap_or_default();
    let now = match came {
        true => before + 1,
        false => before.saturating_sub(1),
    };
    numbers.set(name, (now > 0).then_some(now));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::address;

    fn route(host: &str) -> Route {
        Route {
            host: host.to_owned(),
            path: "/".to_owned(),
            port: "http".to_owned(),
            tls: None,
        }
    }

    fn name(name: &str) -> Name {
        Name::from_ascii(name).unwrap()
    }

    #[test]
    fn names_of_routes_lead_to_the_balancers_that_serve() {
        let mut fronts = Fronts::default();
        fronts.set_routes(&[], &[route("web.service.consul"), route("*.shop.home.arpa")]);
        for none in ["web.service.consul.", "shop.home.arpa.", "consul."] {
            assert!(fronts.exact(&name(none)).is_empty() && !fronts.is_above(&name(none)));
        }
        fronts.set_balancers(vec![address(0x100)]);
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
    }

    #[test]
    fn a_name_goes_with_the_last_of_its_routes() {
        let mut fronts = Fronts::default();
        fronts.set_balancers(vec![address(0x100)]);
        let (one, other) = ([route("a.example"), route("*.b.example")], [route("a.example")]);
        fronts.set_routes(&[], &one);
        fronts.set_routes(&[], &other);
        fronts.set_routes(&one, &[route("c.example")]);
        for (host, leads) in [("a.example.", true), ("c.example.", true), ("x.b.example.", false)] {
            let found = [fronts.exact(&name(host)), fronts.wildcard(&name(host))].concat();
            assert_eq!(!found.is_empty(), leads, "{host}");
        }
        assert!(fronts.is_above(&name("example.")) && !fronts.is_above(&name("b.example.")));
        fronts.set_routes(&other, &[]);
        fronts.set_routes(&[route("c.example")], &[]);
        assert!(!fronts.is_above(&name("example.")));
        let all = [&fronts.names, &fronts.wildcards, &fronts.above];
        assert_eq!(all.map(Shards::len), [0, 0, 0]);
    }
}
