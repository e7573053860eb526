//! What an instance may reach, and who may reach it besides its own client.

use std::fmt;
use std::str::FromStr;

use ipnet::Ipv6Net;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What an instance may reach and who may reach it, beyond its own client, which always may.
///
/// It is part of the specification: an instance keeps what its template's version said when it was made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Access {
    /// Destinations in the world that the instance may reach; none by default.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub egress: Vec<Egress>,
    /// Whether the sources of its packets to these destinations are translated to an address of this machine.
    #[serde(default, skip_serializing_if = "is_false")]
    pub nat: bool,
    /// Ports that other clients of its link may reach.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub open: Vec<Ports>,
    /// Other instances of its owner that it may connect to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub peers: Vec<Peer>,
    /// Whether it may speak with all other instances of its link for which this is true.
    #[serde(default, skip_serializing_if = "is_false")]
    pub together: bool,
    /// Ports on which its client reaches it at the front door; empty for all that no other instance of the client names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub front_door: Vec<Ports>,
    /// The most that is accepted from the instance.
    #[serde(default, skip_serializing_if = "Rate::is_unlimited")]
    pub rate: Rate,
}

impl Access {
    /// Whether it says nothing: the instance reaches its own client alone.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(flag: &bool) -> bool {
    !flag
}

/// A limit on what is accepted from an instance, in both dimensions; `None` is no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rate {
    /// Packets per second.
    #[serde(default)]
    pub packets: Option<u32>,
    /// Bytes per second.
    #[serde(default)]
    pub bytes: Option<u64>,
}

impl Rate {
    /// Whether it limits nothing.
    pub fn is_unlimited(&self) -> bool {
        *self == Self::default()
    }
}

/// A protocol with ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

impl Transport {
    /// Its name, in small letters.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }

    /// Its number in the header (IANA, Assigned Internet Protocol Numbers).
    pub const fn number(self) -> u8 {
        match self {
            Self::Tcp => 6,
            Self::Udp => 17,
        }
    }
}

/// Neighbouring ports of one protocol, written like `tcp/443` or `udp/5000-5010`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ports {
    transport: Transport,
    first: u16,
    last: u16,
}

impl Ports {
    /// The ports from `first` to `last`; `None` if there is none, or port 0 is among them.
    pub fn new(transport: Transport, first: u16, last: u16) -> Option<Self> {
        (first > 0 && first <= last).then_some(Self { transport, first, last })
    }

    /// The protocol.
    pub const fn transport(&self) -> Transport {
        self.transport
    }

    /// The first port; never 0.
    pub const fn first(&self) -> u16 {
        self.first
    }

    /// The last port; not below the first.
    pub const fn last(&self) -> u16 {
        self.last
    }

    /// Whether all ports of the other are among these.
    pub fn holds(&self, other: &Self) -> bool {
        self.transport == other.transport && self.first <= other.first && other.last <= self.last
    }

    /// Whether both have a port in common.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.transport == other.transport && self.first <= other.last && other.first <= self.last
    }
}

/// The text is not a protocol with ports.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no port; write it like \"tcp/443\" or \"udp/5000-5010\"")]
pub struct PortsError(pub String);

impl FromStr for Ports {
    type Err = PortsError;

    fn from_str(text: &str) -> Result<Self, PortsError> {
        let fault = || PortsError(text.to_owned());
        let (transport, range) = text.split_once('/').ok_or_else(fault)?;
        let transport = match transport {
            "tcp" => Transport::Tcp,
            "udp" => Transport::Udp,
            _ => return Err(fault()),
        };
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let number = |digits: &str| match digits.bytes().all(|byte| byte.is_ascii_digit()) {
            true => digits.parse::<u16>().map_err(|_| fault()),
            false => Err(fault()),
        };
        Self::new(transport, number(first)?, number(last)?).ok_or_else(fault)
    }
}

impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.transport.word(), self.first)?;
        match self.first == self.last {
            true => Ok(()),
            false => write!(f, "-{}", self.last),
        }
    }
}

/// A destination in the world: a prefix, with or without ports, written like `2000::/3` or `2000::/3 tcp/443`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Egress {
    /// The prefix, without bits beyond its length.
    pub to: Ipv6Net,
    /// The ports; `None` for everything that is sent there.
    pub ports: Option<Ports>,
}

/// The text is not a destination.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EgressError {
    /// What stands before the space is no prefix.
    #[error("{0:?} is no prefix; write it like \"2000::/3\" or \"2000::/3 tcp/443\"")]
    Prefix(String),
    /// The prefix has more bits than its length.
    #[error("{text} has bits set beyond its length; the prefix is {prefix}")]
    Bits {
        /// The prefix as it was written.
        text: String,
        /// The prefix without these bits.
        prefix: Ipv6Net,
    },
    /// What stands behind the space is no port.
    #[error(transparent)]
    Ports(#[from] PortsError),
}

impl FromStr for Egress {
    type Err = EgressError;

    fn from_str(text: &str) -> Result<Self, EgressError> {
        let (prefix, ports) = match text.split_once(' ') {
            Some((prefix, ports)) => (prefix, Some(ports)),
            None => (text, None),
        };
        let to: Ipv6Net = prefix.parse().map_err(|_| EgressError::Prefix(text.to_owned()))?;
        if to != to.trunc() {
            let (text, prefix) = (prefix.to_owned(), to.trunc());
            return Err(EgressError::Bits { text, prefix });
        }
        let ports = ports.map(str::parse).transpose()?;
        Ok(Self { to, ports })
    }
}

impl fmt::Display for Egress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.ports {
            Some(ports) => write!(f, "{} {ports}", self.to),
            None => write!(f, "{}", self.to),
        }
    }
}

/// Another instance of the same owner, by its slot, with or without ports, written like `db` or `db tcp/5432`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Peer {
    /// The slot that it fills: the name of a template of the client.
    pub slot: String,
    /// The ports; `None` for all of them.
    pub ports: Option<Ports>,
}

impl FromStr for Peer {
    type Err = PortsError;

    fn from_str(text: &str) -> Result<Self, PortsError> {
        let (slot, ports) = match text.split_once(' ') {
            Some((slot, ports)) => (slot, Some(ports.parse()?)),
            None => (text, None),
        };
        let slot = slot.to_owned();
        Ok(Self { slot, ports })
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.ports {
            Some(ports) => write!(f, "{} {ports}", self.slot),
            None => f.write_str(&self.slot),
        }
    }
}

macro_rules! as_text {
    ($type:ty) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?
                    .parse()
                    .map_err(serde::de::Error::custom)
            }
        }
    };
}

as_text!(Ports);
as_text!(Egress);
as_text!(Peer);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn destinations_are_read_back_as_they_were_written() {
        for text in [
            "::/0",
            "2000::/3 tcp/443",
            "64:ff9b::/96 udp/5000-5010",
            "2001:db8::1/128",
        ] {
            let read: Egress = text.parse().unwrap();
            assert_eq!(read.to_string(), text);
        }
    }

    #[test]
    fn a_text_that_is_no_destination_is_refused() {
        for text in [
            "",
            "2000::",
            "::/0 443",
            "::/0 icmp/1",
            "::/0 tcp/0",
            "::/0 tcp/9-8",
            "::/0 tcp/+1",
            "::/0  tcp/1",
        ] {
            assert!(text.parse::<Egress>().is_err(), "{text:?}");
        }
        assert_eq!(
            "2001:db8::1/32".parse::<Egress>().unwrap_err().to_string(),
            "2001:db8::1/32 has bits set beyond its length; the prefix is 2001:db8::/32"
        );
    }

    #[test]
    fn ports_overlap_where_they_have_one_in_common() {
        let ports = |text: &str| text.parse::<Ports>().unwrap();
        assert!(ports("tcp/80-90").overlaps(&ports("tcp/90")));
        assert!(!ports("tcp/80-90").overlaps(&ports("tcp/91-92")));
        assert!(!ports("tcp/80").overlaps(&ports("udp/80")));
    }

    #[test]
    fn an_access_that_says_nothing_is_recorded_as_nothing() {
        assert_eq!(serde_json::to_string(&Access::default()).unwrap(), "{}");
        let all = Access {
            egress: vec!["2000::/3 tcp/443".parse().unwrap()],
            nat: true,
            open: vec!["tcp/80".parse().unwrap()],
            peers: vec!["db tcp/5432".parse().unwrap(), "cache".parse().unwrap()],
            together: true,
            front_door: vec!["tcp/22".parse().unwrap()],
            rate: Rate {
                packets: Some(7),
                bytes: None,
            },
        };
        let text = serde_json::to_string(&all).unwrap();
        assert_eq!(serde_json::from_str::<Access>(&text).unwrap(), all);
    }
}
