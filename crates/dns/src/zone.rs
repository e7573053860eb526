//! The names of a zone, relative to whichever of its origins a client asks for.

use std::collections::HashMap;
use std::net::Ipv6Addr;

/// A name relative to the origin of a zone, in small letters: `web.service`. The origin itself is empty.
pub(crate) type Relative = Box<str>;

/// What a name has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Node {
    /// AAAA records.
    pub(crate) addresses: Vec<Ipv6Addr>,
    /// SRV records: the port, and the name of the host.
    pub(crate) ports: Vec<(u16, Relative)>,
    /// Strings of its one TXT record.
    pub(crate) about: Vec<String>,
}

/// The names of a zone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Zone {
    nodes: HashMap<Relative, Node>,
}

impl Zone {
    /// The node of a name, made with those above it where they are missing: a name above others exists (RFC 8020).
    pub(crate) fn node(&mut self, name: &str) -> &mut Node {
        let mut above = name;
        while let Some((_, rest)) = above.split_once('.') {
            above = rest;
            if self.nodes.contains_key(above) {
                break;
            }
            self.nodes.insert(above.into(), Node::default());
        }
        self.nodes.entry(name.into()).or_default()
    }

    /// The node of a name, if it exists.
    pub(crate) fn get(&self, name: &str) -> Option<&Node> {
        self.nodes.get(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_above_a_name_exist_and_have_nothing() {
        let mut zone = Zone::default();
        zone.node("_http._tcp.web.service")
            .ports
            .push((80, "a.instance".into()));
        for above in ["_tcp.web.service", "web.service", "service"] {
            assert_eq!(zone.get(above), Some(&Node::default()), "{above}");
        }
        assert_eq!(zone.get("db.service"), None);
        zone.node("web.service").addresses.push("fd39::1".parse().unwrap());
        zone.node("db.service");
        assert_eq!(zone.get("web.service").unwrap().addresses.len(), 1);
    }
}
