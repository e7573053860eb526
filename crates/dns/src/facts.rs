//! What names are made from.

use std::net::Ipv6Addr;

use super::Label;

/// What names are made from, at one moment. The order decides who gets a name that several claim: the first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// The services, each with its ready instances.
    pub services: Vec<ServiceName>,
    /// The ready instances.
    pub instances: Vec<InstanceName>,
    /// The clients that hold addresses, those that came first before the others.
    pub clients: Vec<ClientName>,
}

/// A service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceName {
    /// Its name.
    pub name: Label,
    /// Its ports.
    pub ports: Vec<PortName>,
    /// The names of its instances that are ready, as among [`Facts::instances`].
    pub ready: Vec<Label>,
}

/// A port of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortName {
    /// Its name: `_NAME` in the names of its SRV records.
    pub name: Label,
    /// By what it is reached.
    pub transmission: Transmission,
    /// Its number.
    pub number: u16,
}

/// What carries data to a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transmission {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

impl Transmission {
    /// The label of its SRV records (RFC 2782).
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Tcp => "_tcp",
            Self::Udp => "_udp",
        }
    }
}

/// A ready instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceName {
    /// Its name.
    pub name: Label,
    /// Its addresses.
    pub addresses: Vec<Ipv6Addr>,
    /// What it is, each as `key=value`. What is longer than 255 bytes is left out.
    pub about: Vec<String>,
}

/// A client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientName {
    /// The name that nobody else can claim: its id.
    pub id: Label,
    /// The name that it claims, if that is one.
    pub claimed: Option<Label>,
    /// The addresses that it holds.
    pub addresses: Vec<Ipv6Addr>,
}
