//! `[[link.reservation]]`: addresses and prefixes that are reserved for known clients. The rules here apply to every
//! reservation, whether it is in the settings or made through the API.

use std::net::Ipv6Addr;

use ipnet::Ipv6Net;
use orchestrator_dhcp6::{Holder, LONGEST_PREFIX, LinkLayerAddress, OpaqueId, Reservation, is_reserved};
use orchestrator_model::{Leased, MOST_KEYS, parse_keys};

use super::delegation::parse_pool;
use super::fault::Collector;
use super::link::{LinkSettings, Outline};
use super::prefix::overlap;
use super::reader::{Entry, Table};

/// The largest number of reservations of a link in the settings; the API may add more.
const MOST: usize = 1024;

/// The keys that identify a client.
const TRAITS: [&str; 4] = ["duid", "link_layer_address", "remote_id", "interface_id"];

/// Why a reservation cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReservationFault {
    /// There is no such link.
    #[error("there is no link {0:?} in the settings")]
    NoLink(String),
    /// The address is on another link.
    #[error("{address} is not inside the link's prefix {prefix}")]
    OffLink {
        /// The address.
        address: Ipv6Addr,
        /// The link's prefix.
        prefix: Ipv6Net,
    },
    /// The address is the link's.
    #[error("{0} is the link's own address")]
    Own(Ipv6Addr),
    /// The address has an interface identifier that is reserved (RFC 5453).
    #[error("{0} has an interface identifier that no host may have (RFC 5453)")]
    Identifier(Ipv6Addr),
    /// The address is in the range for instances.
    #[error("{address} is in {instances}, which is for instances")]
    Instances {
        /// The address.
        address: Ipv6Addr,
        /// The range for instances.
        instances: Ipv6Net,
    },
    /// The prefix has a length that is not delegated, or cannot be routed.
    #[error("{0} cannot be delegated: take a prefix of at most {LONGEST_PREFIX} bits that is routed here")]
    Prefix(Ipv6Net),
    /// The prefix overlaps a link's prefix.
    #[error("{prefix} overlaps {other}, the prefix of link {link}")]
    OnLink {
        /// The prefix.
        prefix: Ipv6Net,
        /// The link's prefix.
        other: Ipv6Net,
        /// The link.
        link: String,
    },
    /// The prefix is delegated or reserved elsewhere.
    #[error("{prefix} overlaps {other}, which link {link} delegates")]
    Elsewhere {
        /// The prefix.
        prefix: Ipv6Net,
        /// The other prefix.
        other: Ipv6Net,
        /// The link.
        link: String,
    },
    /// The link-layer address cannot be an interface's.
    #[error(
        "{0} is no link-layer address of an interface: give all bytes, 6 on Ethernet like 02:00:5e:10:00:01, else 8 or 20"
    )]
    LinkLayer(LinkLayerAddress),
    /// It reserves nothing.
    #[error("nothing is reserved: give an address, a prefix, both, or SSH keys")]
    Nothing,
}

/// Checks that a client can have this identifier. A part of a link-layer address would be taken for a whole one, and
/// would match no client.
///
/// # Errors
///
/// When no interface can have such a link-layer address: it does not have 6 bytes (Ethernet), 8 (EUI-64) or 20
/// (InfiniBand), is a group address, or is zero.
pub fn check_holder(holder: &Holder) -> Result<(), ReservationFault> {
    let Holder::LinkLayer(address) = holder else {
        return Ok(());
    };
    let bytes = address.as_bytes();
    let is_group = bytes.len() == 6 && bytes.first().is_some_and(|first| first & 1 == 1);
    let is_zero = bytes.iter().all(|byte| *byte == 0);
    if matches!(bytes.len(), 6 | 8 | 20) && !is_group && !is_zero {
        Ok(())
    } else {
        Err(ReservationFault::LinkLayer(address.clone()))
    }
}

/// The rules that reservations must keep: all links of the settings.
pub struct ReservationRules(Vec<Ground>);

impl ReservationRules {
    pub(super) fn of(links: &[LinkSettings]) -> Self {
        Self(links.iter().map(Ground::of).collect())
    }

    /// Checks a reservation against the link of this name and against the others. On a link that is not in the
    /// settings, every reservation fails. One with SSH keys may reserve nothing else. This does not compare it with other
    /// reservations.
    ///
    /// # Errors
    ///
    /// The rule that it breaks.
    pub fn check(&self, link: &str, reservation: &Reservation, has_keys: bool) -> Result<(), ReservationFault> {
        let own = self.0.iter().find(|ground| ground.name == link);
        let own = own.ok_or_else(|| ReservationFault::NoLink(link.to_owned()))?;
        own.check(reservation, has_keys, &self.0)
    }
}

/// The rules of one link.
struct Ground {
    name: String,
    address: Ipv6Net,
    instances: Option<Ipv6Net>,
    /// The pools of prefixes, and the prefixes that are reserved.
    delegated: Vec<Ipv6Net>,
}

impl Ground {
    fn of(link: &LinkSettings) -> Self {
        let kept = link.reservations.iter().filter_map(|reservation| reservation.prefix);
        Self {
            name: link.name.clone(),
            address: link.address,
            instances: link.instances,
            delegated: link.delegation.iter().map(|pool| pool.prefix()).chain(kept).collect(),
        }
    }

    fn of_outline(link: &Outline) -> Option<Self> {
        let kept = link.reservations.iter().filter_map(|reservation| reservation.prefix);
        Some(Self {
            name: link.name.clone()?,
            address: link.address?,
            instances: link.instances,
            delegated: link.delegated.iter().copied().chain(kept).collect(),
        })
    }

    fn check_address(&self, address: Ipv6Addr) -> Result<(), ReservationFault> {
        let prefix = self.address.trunc();
        if !prefix.contains(&address) {
            return Err(ReservationFault::OffLink { address, prefix });
        }
        if address == self.address.addr() {
            return Err(ReservationFault::Own(address));
        }
        if is_reserved(prefix, address) {
            return Err(ReservationFault::Identifier(address));
        }
        match self.instances.filter(|instances| instances.contains(&address)) {
            Some(instances) => Err(ReservationFault::Instances { address, instances }),
            None => Ok(()),
        }
    }

    fn check_prefix(&self, prefix: Ipv6Net, others: &[Self]) -> Result<(), ReservationFault> {
        if parse_pool(&prefix.to_string()).is_err() {
            return Err(ReservationFault::Prefix(prefix));
        }
        for link in others {
            let (other, name) = (link.address.trunc(), || link.name.clone());
            if overlap(&prefix, &other) {
                return Err(ReservationFault::OnLink {
                    prefix,
                    other,
                    link: name(),
                });
            }
            let mut elsewhere = link.delegated.iter().filter(|_| link.name != self.name);
            if let Some(other) = elsewhere.find(|other| overlap(&prefix, other)) {
                return Err(ReservationFault::Elsewhere {
                    prefix,
                    other: *other,
                    link: name(),
                });
            }
        }
        Ok(())
    }

    /// Checks a reservation on this link by itself. `all` are all links, including this one.
    fn check(&self, reservation: &Reservation, has_keys: bool, all: &[Self]) -> Result<(), ReservationFault> {
        check_holder(&reservation.holder)?;
        if reservation.address.is_none() && reservation.prefix.is_none() && !has_keys {
            return Err(ReservationFault::Nothing);
        }
        reservation
            .address
            .map_or(Ok(()), |address| self.check_address(address))?;
        reservation
            .prefix
            .map_or(Ok(()), |prefix| self.check_prefix(prefix, all))
    }
}

/// Checks that every reservation keeps the rules of its link and of the others, and that none conflicts with another.
pub(super) fn check_all(links: &[Outline], faults: &Collector) {
    let grounds: Vec<Ground> = links.iter().filter_map(Ground::of_outline).collect();
    for link in links {
        let Some(own) = grounds.iter().find(|ground| Some(&ground.name) == link.name.as_ref()) else {
            continue;
        };
        let mut before = orchestrator_dhcp6::Reservations::new();
        for (index, reservation) in link.reservations.iter().enumerate() {
            let key = format!("{}.reservation[{index}]", link.key);
            if let Err(fault) = own.check(reservation, false, &grounds) {
                faults.at(&key, fault.to_string(), "reserve what the link can give");
            } else if let Err(conflict) = before.insert(reservation.clone()) {
                faults.at(
                    &key,
                    conflict.to_string(),
                    "reserve each once, and once for each client",
                );
            }
        }
    }
}

/// The SSH keys that may log in to the instances of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReservedKeys {
    /// The client, and what is reserved for it besides. Where a relay agent alone knows the client, it is whoever holds that.
    pub reservation: Reservation,
    /// The keys, each one line.
    pub keys: Vec<String>,
}

impl ReservedKeys {
    /// Whether they are those of a client that is known by these traits and holds this.
    pub fn are_of(&self, holders: &[Holder], held: &[Leased]) -> bool {
        let Reservation {
            holder,
            address,
            prefix,
        } = &self.reservation;
        let address = address.map(Leased::Address);
        let prefix = prefix.map(Leased::Prefix);
        let is_given = || address.into_iter().chain(prefix).any(|given| held.contains(&given));
        match holder {
            Holder::Duid(_) | Holder::LinkLayer(_) => holders.contains(holder),
            Holder::RemoteId { .. } | Holder::InterfaceId(_) => is_given(),
        }
    }
}

/// Reads the reservations of a link, and the SSH keys in them. Leaves out those with faults.
pub(super) fn read_all(link: &mut Table<'_>) -> (Vec<Reservation>, Vec<ReservedKeys>) {
    let entries = link.take("reservation").and_then(|entry| entry.list(MOST));
    let tables = entries.into_iter().flatten().filter_map(Entry::table);
    let (mut reservations, mut reserved_keys) = (Vec::new(), Vec::new());
    for (reservation, keys) in tables.filter_map(read) {
        // One with keys alone says nothing of addresses.
        if keys.is_empty() || reservation.address.is_some() || reservation.prefix.is_some() {
            reservations.push(reservation.clone());
        }
        if !keys.is_empty() {
            reserved_keys.push(ReservedKeys { reservation, keys });
        }
    }
    (reservations, reserved_keys)
}

fn read(mut table: Table<'_>) -> Option<(Reservation, Vec<String>)> {
    let given: Vec<&str> = TRAITS.into_iter().filter(|key| table.has(key)).collect();
    if given.len() != 1 {
        let what = match given.as_slice() {
            [] => "tells no client".to_owned(),
            several => format!("tells a client by {} and {}", several[0], several[1]),
        };
        let remedy = "give one of duid, link_layer_address, remote_id and interface_id";
        table.faults().at(table.path(), what, remedy);
    }
    let holder = read_holder(&mut table);
    let address = table.take("address");
    let address = address.and_then(|entry| entry.parse("write it like \"fd39:9706:2786:6333::7\"", parse_address));
    let prefix = table.take("prefix");
    let prefix = prefix.and_then(|entry| entry.parse("write it like \"fd39:9706:2787:700::/56\"", parse_pool));
    let keys = table
        .take("authorized_keys")
        .map_or(Some(Vec::new()), |entry| entry.list_of(MOST_KEYS, read_key));
    // A value that cannot be read was reported already, and must not be reported as missing as well.
    let is_read = table.has("address") == address.is_some() && table.has("prefix") == prefix.is_some();
    table.finish();
    is_read.then_some(())?;
    let reservation = Reservation {
        holder: holder?,
        address,
        prefix,
    };
    Some((reservation, keys?))
}

fn read_key(entry: Entry<'_>) -> Option<String> {
    entry.parse(
        "write it like \"ssh-ed25519 AAAAC3Nz… me@laptop\", as in a file whose name ends in .pub",
        parse_key,
    )
}

fn parse_key(text: &str) -> Result<String, String> {
    let keys = parse_keys(&[text.to_owned()]).map_err(|_| format!("{text:?} is not an SSH public key"))?;
    Ok(keys.concat())
}

fn read_holder(table: &mut Table<'_>) -> Option<Holder> {
    let duid = table.take("duid");
    let duid = duid.and_then(|entry| entry.parse("write it like \"00:03:00:01:02:00:5e:10:00:01\"", str::parse));
    let link_layer = table.take("link_layer_address");
    let link_layer = link_layer.and_then(|entry| entry.parse("write it like \"02:00:5e:10:00:01\"", str::parse));
    let remedy = "write text, or hexadecimal digits like \"0x00ff\"";
    let mut id = |key| table.take(key)?.parse(remedy, str::parse::<OpaqueId>);
    let (remote_id, interface_id) = (id("remote_id"), id("interface_id"));
    let enterprise = match table.has("remote_id") {
        true => table.need(
            "remote_enterprise",
            "give the enterprise number in the remote-id, like 9",
        ),
        false => None,
    };
    let enterprise = enterprise.and_then(|entry| entry.whole(0..=i64::from(u32::MAX)));
    duid.map(Holder::Duid)
        .or(link_layer.map(Holder::LinkLayer))
        .or(remote_id
            .zip(enterprise)
            .map(|(id, enterprise)| Holder::RemoteId { enterprise, id }))
        .or(interface_id.map(Holder::InterfaceId))
}

fn parse_address(text: &str) -> Result<Ipv6Addr, String> {
    text.parse().map_err(|_| format!("{text:?} is not an IPv6 address"))
}

#[cfg(test)]
mod tests;
