//! Virtual addresses: connections to one are led to the instances of a service by the kernel, without a proxy.
//!
//! ```text
//!   client ──▶ virtual address ── prerouting: hash of the source → one of 256 slots → instance's address ──▶ instance
//!                                       │ (what exists is kept by conntrack)
//!                                       └─ no slot: input refuses it
//! ```
//!
//! - The rules are constant, in a table of their own that is named after the site. What changes are elements of its maps:
//!   they go by netlink, as those of the packet filter do.
//! - An instance sees the client's address. Its answers have to come back through this machine: its own address is a /128.
//! - An instance that is taken out of the slots gets no new connection, and keeps those it has.
//! - A virtual address has no other service: whatever no slot leads on is refused, whoever listens on this machine.

mod connections;
mod slots;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::Ipv6Addr;

use netlink_sys::Socket;

use crate::filter::codec::{self, differences};
use crate::filter::element::{Family, Key, SetName, Value};
use crate::filter::{load, skeleton};
use crate::netfilter::nftables::{BEGIN, DELETE_TABLE, END, SUBSYSTEM};
use crate::netfilter::{Attributes, Message, SharedSocket, ask, connect, dump, refused};
use crate::{FilterElement, FilterRepair, Network, NetworkError, thread};

/// The constant rules.
const RULES: &str = include_str!("balance.nft");
const SPREAD: SetName = SetName::Named("spread");
const STICKY: SetName = SetName::Named("sticky");
const VIRTUAL: SetName = SetName::Named("virtual");
/// Elements of one transaction.
const AT_ONCE: usize = 16_000;
/// How often a dump is repeated that something changed under.
const DUMPS: usize = 5;

/// A virtual address and port, and the instances behind it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct VirtualService {
    /// The virtual address.
    pub address: Ipv6Addr,
    /// The number of its protocol: 6 for TCP, 17 for UDP.
    pub protocol: u8,
    /// The port that clients connect to.
    pub port: u16,
    /// Whether a client is led to the same instance by its address alone.
    pub sticky: bool,
    /// The addresses and ports of the instances that new connections are led to. Without one they are refused.
    pub backends: BTreeSet<(Ipv6Addr, u16)>,
}

impl VirtualService {
    /// The elements of the maps and sets.
    fn elements(&self) -> impl Iterator<Item = FilterElement> {
        let map = if self.sticky { STICKY } else { SPREAD };
        let of_slot = move |(slot, (address, port)): (u32, (Ipv6Addr, u16))| {
            let key = Key::default().address(self.address).byte(self.protocol);
            let key = key.port(self.port).number(slot);
            key.element(Family::Inet, map).leading_to(Value::Socket(address, port))
        };
        let own = Key::default().address(self.address).element(Family::Inet, VIRTUAL);
        (0..).zip(slots::fill(&self.backends)).map(of_slot).chain([own])
    }
}

/// The virtual addresses of a site in the daemon's network namespace.
#[derive(Clone)]
pub struct Balance {
    network: Network,
    table: String,
    /// One question after the other goes through it.
    socket: SharedSocket,
}

impl Network {
    /// Opens the virtual addresses of a site. Nothing is changed yet. `site` is part of the table's name: letters and
    /// digits.
    ///
    /// # Errors
    ///
    /// As [`filter`](Self::filter).
    pub async fn balance(&self, site: &str) -> Result<Balance, NetworkError> {
        if site.is_empty() || site.len() > 64 || !site.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(NetworkError::BadPlan {
                subject: "the virtual addresses".into(),
                reason: "the site's name has other characters than letters and digits".into(),
            });
        }
        let open = || connect().map_err(|fault| refused("opening netfilter's netlink", fault));
        let socket = thread::run(&self.own, open).await?;
        Ok(Balance {
            network: self.clone(),
            table: format!("orchestrator-balance-{site}"),
            socket: SharedSocket::new(socket),
        })
    }
}

impl Balance {
    /// Makes the rules what this version has, and the slots what these services need. What is right is not touched: an
    /// instance that comes or goes changes its share of the slots. Returns what was not right. Without a service nothing
    /// is loaded.
    ///
    /// # Errors
    ///
    /// [`Refused`](NetworkError::Refused) by the kernel, [`NoFilter`](NetworkError::NoFilter) without nftables or `nft`,
    /// [`NotPermitted`](NetworkError::NotPermitted) without CAP_NET_ADMIN.
    pub async fn ensure(&self, services: &BTreeSet<VirtualService>) -> Result<FilterRepair, NetworkError> {
        let wanted: BTreeSet<FilterElement> = services.iter().flat_map(VirtualService::elements).collect();
        let mut loaded = false;
        if wanted.is_empty() {
            let elements = usize::from(self.remove().await?);
            return Ok(FilterRepair { loaded, elements });
        }
        if !self.is_whole().await? {
            let text = text(&self.table);
            thread::run(&self.network.own, move || load::run(&text)).await?;
            loaded = true;
        }
        let table = self.table.clone();
        self.socket
            .run("bringing the slots of virtual addresses up to date", move |socket| {
                let found = elements(socket, &table)?;
                let (remove, add) = differences(&found, &wanted);
                change(socket, &table, &remove, &add)?;
                Ok(FilterRepair {
                    loaded,
                    elements: remove.len() + add.len(),
                })
            })
            .await
    }

    /// How many connections each instance has through virtual addresses, by its address. Those that both sides have closed
    /// do not count.
    ///
    /// # Errors
    ///
    /// As [`ensure`](Self::ensure).
    pub async fn connections(
        &self,
        services: &BTreeSet<VirtualService>,
    ) -> Result<BTreeMap<Ipv6Addr, u64>, NetworkError> {
        let virtuals: BTreeSet<Ipv6Addr> = services.iter().map(|service| service.address).collect();
        self.socket
            .run("counting the connections of virtual addresses", move |socket| {
                connections::count(socket, &virtuals)
            })
            .await
    }

    /// Forgets the connections to instances that are none of these: the next packet of such a connection is led to
    /// another instance, which resets it if it is of TCP. Returns how many there were.
    ///
    /// # Errors
    ///
    /// As [`ensure`](Self::ensure).
    pub async fn forget(
        &self,
        services: &BTreeSet<VirtualService>,
        instances: BTreeSet<Ipv6Addr>,
    ) -> Result<u64, NetworkError> {
        let virtuals: BTreeSet<Ipv6Addr> = services.iter().map(|service| service.address).collect();
        self.socket
            .run("forgetting connections to instances that are gone", move |socket| {
                connections::forget(socket, &virtuals, &instances)
            })
            .await
    }

    /// Removes the table. Returns whether it was there. Connections that exist go on.
    ///
    /// # Errors
    ///
    /// As [`ensure`](Self::ensure).
    pub async fn remove(&self) -> Result<bool, NetworkError> {
        let table = self.table.clone();
        self.socket
            .run("removing the rules of virtual addresses", move |socket| {
                let deletion = Message::new(SUBSYSTEM, DELETE_TABLE)
                    .for_family(Family::Inet.number())
                    .having(Attributes::default().with_text(1, &table));
                let all = [Message::mark(BEGIN, SUBSYSTEM), deletion, Message::mark(END, SUBSYSTEM)];
                match ask(socket, &all) {
                    Ok(()) => Ok(true),
                    Err(fault) if fault.kind() == io::ErrorKind::NotFound => Ok(false),
                    Err(fault) => Err(fault),
                }
            })
            .await
    }

    /// Whether there is a table of the site.
    ///
    /// # Errors
    ///
    /// As [`ensure`](Self::ensure).
    pub async fn is_there(&self) -> Result<bool, NetworkError> {
        let table = self.table.clone();
        let doing = "looking for the rules of virtual addresses";
        let look = move |socket: &Socket| load::has_table(socket, &table, Family::Inet);
        self.socket.run(doing, look).await
    }

    /// Whether the table is there, of this version, with as many rules as it is to have.
    async fn is_whole(&self) -> Result<bool, NetworkError> {
        let table = self.table.clone();
        self.socket
            .run("looking for the rules of virtual addresses", move |socket| {
                Ok(
                    load::version_of(socket, &table, Family::Inet)? == Some(skeleton::version_of(RULES))
                        && load::rules_of(socket, &table, Family::Inet)? == skeleton::count(RULES),
                )
            })
            .await
    }
}

/// The rules in a table of this name, for `nft -f -`. What was there under the name is replaced in one transaction.
fn text(table: &str) -> String {
    let version = skeleton::version_of(RULES);
    format!(
        "add table inet {table}\ndelete table inet {table}\ntable inet {table} {{\n  comment \"{version}\"\n{RULES}}}\n"
    )
}

/// What is in the maps and the set.
fn elements(socket: &Socket, table: &str) -> io::Result<BTreeSet<FilterElement>> {
    let mut all = BTreeSet::new();
    for set in [SPREAD, STICKY, VIRTUAL] {
        for attempt in 1..=DUMPS {
            let mut found = Vec::new();
            let whole = dump(socket, &codec::question(table, Family::Inet, set), |body| {
                let some = codec::elements(body, Family::Inet, set).into_iter();
                found.extend(some.map(|(element, _)| element));
            })?;
            if whole || attempt == DUMPS {
                all.extend(found);
                break;
            }
        }
    }
    Ok(all)
}

/// Removes elements and adds others. The slots of one virtual address change at once, unless there are very many.
fn change(socket: &Socket, table: &str, remove: &[&FilterElement], add: &[&FilterElement]) -> io::Result<()> {
    let mut touched: Vec<(&[u8], Vec<&FilterElement>, Vec<&FilterElement>)> = Vec::new();
    // A key begins with the virtual address, the protocol and the port.
    let of = |element: &FilterElement| element.key.len().min(24);
    for (element, is_new) in remove
        .iter()
        .map(|one| (*one, false))
        .chain(add.iter().map(|one| (*one, true)))
    {
        let service = &element.key[..of(element)];
        let at = match touched.iter().position(|(known, ..)| *known == service) {
            Some(at) => at,
            None => {
                touched.push((service, Vec::new(), Vec::new()));
                touched.len() - 1
            }
        };
        if let Some((_, gone, new)) = touched.get_mut(at) {
            if is_new { new } else { gone }.push(element);
        }
    }
    let (mut gone, mut new) = (Vec::new(), Vec::new());
    for (_, its_gone, its_new) in touched {
        if gone.len() + new.len() + its_gone.len() + its_new.len() > AT_ONCE {
            ask(socket, &codec::transaction(table, &gone, &new))?;
            (gone, new) = (Vec::new(), Vec::new());
        }
        gone.extend(its_gone);
        new.extend(its_new);
    }
    match gone.is_empty() && new.is_empty() {
        true => Ok(()),
        false => ask(socket, &codec::transaction(table, &gone, &new)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_has_nothing_but_the_name_in_it_that_changes() {
        assert_eq!(text("one").replace("one", "two"), text("two").replace("one", "two"));
        let rules = skeleton::count(RULES);
        assert_eq!((rules["choose"], rules["input"], rules["refuse"]), (2, 1, 3));
    }

    #[test]
    fn a_service_without_instances_has_its_address_and_no_slot() {
        let mut service = VirtualService {
            address: "fd39::aa".parse().unwrap(),
            protocol: 6,
            port: 80,
            sticky: false,
            backends: BTreeSet::new(),
        };
        assert_eq!(service.elements().count(), 1);
        service.backends.insert(("fd39::1".parse().unwrap(), 8080));
        assert_eq!(service.elements().count(), 257);
    }
}
