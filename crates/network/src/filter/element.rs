//! An element of a set or a map, as bytes that the kernel compares.

use std::net::Ipv6Addr;

use ipnet::Ipv6Net;

/// The two tables of the packet filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Family {
    /// Frames that a bridge passes on, and what comes to the host through one.
    Bridge,
    /// Packets that the host routes, or that are for itself.
    Inet,
}

impl Family {
    pub(crate) const ALL: [Self; 2] = [Self::Bridge, Self::Inet];

    /// The kernel's number of the family.
    pub(crate) fn number(self) -> u8 {
        match self {
            Self::Bridge => 7,
            Self::Inet => 1,
        }
    }
}

/// One element of a set or a map of the packet filter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FilterElement {
    pub(crate) family: Family,
    pub(crate) set: SetName,
    pub(crate) key: Vec<u8>,
    /// The end of an interval.
    pub(crate) end: Option<Vec<u8>>,
    pub(crate) value: Option<Value>,
}

impl FilterElement {
    /// The family of its table, and the name of its set. The sets of classes of destinations have one name, `x`.
    pub fn place(&self) -> (&'static str, &'static str) {
        let family = match self.family {
            Family::Bridge => "bridge",
            Family::Inet => "inet",
        };
        let set = match self.set {
            SetName::Named(name) => name,
            SetName::Class(_) => "x",
        };
        (family, set)
    }
}

/// The name of a set or a map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum SetName {
    /// One of the constant names.
    Named(&'static str),
    /// The destinations of a class.
    Class(u8),
}

impl std::fmt::Display for SetName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Named(name) => f.write_str(name),
            Self::Class(number) => write!(f, "x_{number}"),
        }
    }
}

/// What an element leads to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Value {
    /// The rules of a chain.
    Jump(String),
    /// An address that another is translated to.
    Address(Ipv6Addr),
    /// An address and a port that others are translated to.
    Socket(Ipv6Addr, u16),
    /// A limit, beyond which the element counts as found.
    Limit {
        /// How much a second.
        rate: u64,
        /// Whether bytes count, and not packets.
        bytes: bool,
    },
}

/// The fields of a key, one after the other.
#[derive(Debug, Clone, Default)]
pub(crate) struct Key {
    first: Vec<Vec<u8>>,
    last: Vec<Vec<u8>>,
    interval: bool,
}

impl Key {
    fn with(mut self, bytes: &[u8]) -> Self {
        self.first.push(bytes.to_vec());
        self.last.push(bytes.to_vec());
        self
    }

    /// A name of an interface. Longer ones are cut: no interface has one.
    pub(crate) fn interface(self, name: &str) -> Self {
        let mut bytes = [0; 16];
        for (slot, byte) in bytes.iter_mut().take(15).zip(name.bytes()) {
            *slot = byte;
        }
        self.with(&bytes)
    }

    /// A link-layer address.
    pub(crate) fn mac(self, mac: [u8; 6]) -> Self {
        self.with(&mac)
    }

    /// The receiver and the sender of a frame, as they are at its beginning.
    pub(crate) fn frame(self, receiver: [u8; 6], sender: [u8; 6]) -> Self {
        self.with(&[receiver, sender].concat())
    }

    /// An address.
    pub(crate) fn address(self, address: Ipv6Addr) -> Self {
        self.with(&address.octets())
    }

    /// A number of one byte.
    pub(crate) fn byte(self, number: u8) -> Self {
        self.with(&[number])
    }

    /// A port.
    pub(crate) fn port(self, port: u16) -> Self {
        self.with(&port.to_be_bytes())
    }

    /// A number that the kernel has computed: in its own order of bytes.
    pub(crate) fn number(self, number: u32) -> Self {
        self.with(&number.to_ne_bytes())
    }

    /// All addresses of a prefix.
    pub(crate) fn prefix(mut self, prefix: Ipv6Net) -> Self {
        self.interval = true;
        self.first.push(prefix.network().octets().to_vec());
        self.last.push(prefix.broadcast().octets().to_vec());
        self
    }

    /// A range of protocols.
    pub(crate) fn protocols(mut self, first: u8, last: u8) -> Self {
        self.interval = true;
        self.first.push(vec![first]);
        self.last.push(vec![last]);
        self
    }

    /// A range of ports.
    pub(crate) fn ports(mut self, first: u16, last: u16) -> Self {
        self.interval = true;
        self.first.push(first.to_be_bytes().to_vec());
        self.last.push(last.to_be_bytes().to_vec());
        self
    }

    /// The element of a set of bridges.
    pub(crate) fn bridge(self, set: &'static str) -> FilterElement {
        self.element(Family::Bridge, SetName::Named(set))
    }

    /// The element of a set of routed packets.
    pub(crate) fn inet(self, set: &'static str) -> FilterElement {
        self.element(Family::Inet, SetName::Named(set))
    }

    pub(crate) fn element(self, family: Family, set: SetName) -> FilterElement {
        FilterElement {
            family,
            set,
            end: self.interval.then(|| joined(&self.last)),
            key: joined(&self.first),
            value: None,
        }
    }
}

impl FilterElement {
    pub(crate) fn leading_to(self, value: Value) -> Self {
        Self {
            value: Some(value),
            ..self
        }
    }
}

/// The fields of a key as the kernel has them in its registers: each begins at a multiple of four bytes.
fn joined(fields: &[Vec<u8>]) -> Vec<u8> {
    if let [only] = fields {
        return only.clone();
    }
    let mut bytes = Vec::new();
    for field in fields {
        bytes.extend(field);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_begin_at_multiples_of_four_bytes_unless_there_is_only_one() {
        let mac = [1, 2, 3, 4, 5, 6];
        assert_eq!(Key::default().mac(mac).bridge("s").key, mac);
        let two = Key::default().mac(mac).byte(9).bridge("s");
        assert_eq!(two.key, [1, 2, 3, 4, 5, 6, 0, 0, 9, 0, 0, 0]);
        assert_eq!(two.end, None);
    }

    #[test]
    fn an_interval_has_an_end() {
        let prefix = "fd39::/64".parse().unwrap();
        let element = Key::default().byte(6).prefix(prefix).ports(80, 90).inet("s");
        let end = element.end.unwrap();
        assert_eq!(end[..4], [6, 0, 0, 0]);
        assert_eq!(end[12..], [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 90, 0, 0]);
        assert_eq!(element.key[12..], [0, 0, 0, 0, 0, 0, 0, 0, 0, 80, 0, 0]);
    }

    #[test]
    fn a_name_of_an_interface_is_filled_with_zeros() {
        let long = Key::default().interface("a-name-that-is-too-long").bridge("s");
        assert_eq!(&long.key, b"a-name-that-is-\0");
    }
}
