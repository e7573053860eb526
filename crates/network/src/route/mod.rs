//! Routes for delegated prefixes in the daemon's own namespace, in the kernel's main table.
//!
//! Two marks identify our routes: the routing protocol [`ROUTE_PROTOCOL`] and a metric of the site's own. So two
//! daemons on a machine do not mistake each other's routes for their own. A prefix may also have routes of others, with
//! other metrics; these are neither replaced nor removed.

mod claim;
mod sites;
mod watch;

use std::fmt;
use std::fs;
use std::net::Ipv6Addr;

use futures_util::TryStreamExt;
use ipnet::Ipv6Net;
use netlink_packet_route::route::{RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteType};
use nix::errno::Errno;
use rtnetlink::RouteMessageBuilder;

use crate::request::answer;
use crate::{Network, NetworkError};

pub use self::claim::MarkClaim;
pub use self::watch::RouteChange;

/// The routing protocol of our routes (`proto` in iproute2), from the numbers that the kernel leaves to programs.
pub const ROUTE_PROTOCOL: u8 = 111;

/// The metrics of one site's routes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RouteMark {
    metric: u32,
}

/// A route for a prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Route {
    /// Where it leads to.
    pub prefix: Ipv6Net,
    /// On which way.
    pub way: Way,
}

/// The way that packets for a prefix take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Way {
    /// Through a neighbour.
    Via {
        /// Its address, mostly a link-local one.
        next_hop: Ipv6Addr,
        /// The number of the interface that it is on.
        interface: u32,
    },
    /// The kernel rejects packets with an ICMPv6 error. Addresses of a pool that nobody holds must not loop between
    /// routers (RFC 9663, section 9; RFC 7084, WPD-5). Routes of the same and of longer prefixes take precedence.
    Unreachable,
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Via { next_hop, interface } => write!(f, "via {next_hop} on interface {interface}"),
            Self::Unreachable => f.write_str("unreachable"),
        }
    }
}

impl RouteMark {
    /// The mark of a site, from a number that no other site on the machine has.
    pub fn new(site: u32) -> Self {
        // Above the metrics that people and other programs use, and even: the next one is that of what is unreachable.
        Self {
            metric: 0x4000_0000 | site & 0x3fff_fffe,
        }
    }

    /// The mark of the site with this id.
    pub fn of_site([a, b, c, d, ..]: [u8; 6]) -> Self {
        Self::new(u32::from_be_bytes([a, b, c, d]))
    }

    /// The mark whose routes to clients have this metric, as iproute2 shows it; `None` when no mark has it.
    pub fn of_metric(metric: u32) -> Option<Self> {
        (metric & 0xc000_0001 == 0x4000_0000).then_some(Self { metric })
    }

    /// The metric of its routes to clients. That of its unreachable ones is one more.
    pub fn route_metric(self) -> u32 {
        self.metric
    }

    fn metric(self, way: Way) -> u32 {
        match way {
            Way::Via { .. } => self.metric,
            Way::Unreachable => self.metric | 1,
        }
    }
}

impl Network {
    /// Whether the daemon's namespace passes IPv6 packets on (`net.ipv6.conf.all.forwarding`).
    pub fn forwards(&self) -> bool {
        let setting = fs::read_to_string("/proc/sys/net/ipv6/conf/all/forwarding");
        setting.is_ok_and(|value| value.trim_end() != "0")
    }

    /// All routes with this mark, in no order.
    ///
    /// # Errors
    ///
    /// When the kernel refuses or does not answer.
    pub async fn list_routes(&self, mark: RouteMark) -> Result<Vec<Route>, NetworkError> {
        let all = RouteMessageBuilder::<Ipv6Addr>::new().build();
        let found: Vec<RouteMessage> = answer(self.netlink.route().get(all).execute().try_collect())
            .await
            .map_err(|failure| failure.doing("listing routes"))?;
        Ok(found.iter().filter_map(|message| read(message, mark)).collect())
    }

    /// Makes a route, in place of another one with the same prefix and mark.
    ///
    /// # Errors
    ///
    /// When the kernel refuses it: the interface is gone or down.
    pub async fn ensure_route(&self, route: Route, mark: RouteMark) -> Result<(), NetworkError> {
        let request = self.netlink.route().add(message(route, mark)).replace();
        answer(request.execute())
            .await
            .map_err(|failure| failure.doing(format!("making the route to {}", route.prefix)))
    }

    /// Removes a route; success if it is gone already.
    ///
    /// # Errors
    ///
    /// When the kernel refuses.
    pub async fn remove_route(&self, route: Route, mark: RouteMark) -> Result<(), NetworkError> {
        match answer(self.netlink.route().del(message(route, mark)).execute()).await {
            Err(failure) if !failure.is(Errno::ESRCH) && !failure.is(Errno::ENODEV) => {
                Err(failure.doing(format!("removing the route to {}", route.prefix)))
            }
            _ => Ok(()),
        }
    }
}

fn message(route: Route, mark: RouteMark) -> RouteMessage {
    let builder = RouteMessageBuilder::<Ipv6Addr>::new()
        .destination_prefix(route.prefix.network(), route.prefix.prefix_len())
        .protocol(RouteProtocol::Other(ROUTE_PROTOCOL))
        .priority(mark.metric(route.way));
    match route.way {
        // On-link: a relay's address outside of the link's prefix is a neighbour's all the same.
        Way::Via { next_hop, interface } => builder.gateway(next_hop).output_interface(interface).onlink().build(),
        Way::Unreachable => builder.kind(RouteType::Unreachable).build(),
    }
}

/// The route in a message, if it carries the mark.
fn read(message: &RouteMessage, mark: RouteMark) -> Option<Route> {
    read_any(message)
        .filter(|(found, _)| *found == mark)
        .map(|(_, route)| route)
}

/// The route in a message with its mark, if it carries one.
fn read_any(message: &RouteMessage) -> Option<(RouteMark, Route)> {
    let header = &message.header;
    if header.protocol != RouteProtocol::Other(ROUTE_PROTOCOL) || header.table != RouteHeader::RT_TABLE_MAIN {
        return None;
    }
    let (mut destination, mut next_hop, mut interface, mut metric) = (Ipv6Addr::UNSPECIFIED, None, None, 0);
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Destination(RouteAddress::Inet6(address)) => destination = *address,
            RouteAttribute::Gateway(RouteAddress::Inet6(address)) => next_hop = Some(*address),
            RouteAttribute::Oif(index) => interface = Some(*index),
            RouteAttribute::Priority(priority) => metric = *priority,
            _ => {}
        }
    }
    let way = match header.kind {
        RouteType::Unreachable => Way::Unreachable,
        _ => Way::Via {
            next_hop: next_hop?,
            interface: interface?,
        },
    };
    let prefix = Ipv6Net::new(destination, header.destination_prefix_length).ok()?;
    let mark = RouteMark::of_metric(metric & !1).filter(|mark| mark.metric(way) == metric)?;
    Some((mark, Route { prefix, way }))
}
