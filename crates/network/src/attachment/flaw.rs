//! Differences between an attachment and its plan. The comparison changes nothing.

use std::fmt;
use std::net::Ipv6Addr;
use std::path::Path;

use futures_util::TryStreamExt;
use netlink_packet_route::route::{RouteHeader, RouteMessage};
use rtnetlink::{Handle, RouteMessageBuilder};

use super::AttachmentPlan;
use crate::address::list_addresses;
use crate::entry::has_forwarding;
use crate::link::find_link;
use crate::namespace::Namespace;
use crate::port::PortSettings;
use crate::request::answer;
use crate::{Network, NetworkError, thread};

/// A difference between an attachment and its plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// There is no interface of the planned name.
    NoInterface,
    /// The interface has another link-layer address.
    OtherLinkLayer,
    /// The interface is down.
    Down,
    /// The interface does not have the planned address.
    NoAddress,
    /// Its host end is isolated from other isolated ports of the bridge and should not be, or the other way round.
    OtherIsolation,
    /// Its host end has other settings as a port of the bridge, such as whether it learns sources.
    OtherPort,
    /// The bridge has no fixed entry of its link-layer address at its port: another port could take it over.
    NotFixed,
    /// This machine's neighbour entry of its address is gone or was changed.
    NoNeighbor,
    /// The plan has a gateway, and the namespace has no default route at all.
    NoDefaultRoute,
    /// The host has no route to a prefix that is routed to it.
    NoRoute,
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoInterface => "its interface is gone",
            Self::OtherLinkLayer => "its interface has another link-layer address",
            Self::Down => "its interface is down",
            Self::NoAddress => "its address is gone from its interface",
            Self::OtherIsolation => "the isolation of its port on the bridge was changed",
            Self::OtherPort => "the settings of its port on the bridge were changed",
            Self::NotFixed => "its link-layer address is not fixed at its port on the bridge any more",
            Self::NoNeighbor => "this machine's neighbour entry of its address is gone or was changed",
            Self::NoDefaultRoute => "its default route is gone",
            Self::NoRoute => "the route to a prefix of its own is gone",
        })
    }
}

impl Network {
    /// Compares the host end of an attachment with its plan: the settings of its port, the entry of its link-layer address
    /// in its bridge, and this machine's neighbour entry. Returns the first flaw, or `None`, also where there is no host
    /// end.
    ///
    /// # Errors
    ///
    /// [`TimedOut`](NetworkError::TimedOut) when the kernel does not answer.
    pub async fn find_port_flaw(&self, plan: &AttachmentPlan) -> Result<Option<Flaw>, NetworkError> {
        let name = &plan.host_interface;
        let found = find_link(&self.netlink, name).await?;
        let Some(host) = found.filter(|host| host.controller.is_some()) else {
            return Ok(None);
        };
        if host.port.isolated != plan.isolated {
            return Ok(Some(Flaw::OtherIsolation));
        }
        if !host.port.are(PortSettings::of_instance(plan.isolated)) {
            return Ok(Some(Flaw::OtherPort));
        }
        if !has_forwarding(&self.netlink, host.index, plan.mac, name).await? {
            return Ok(Some(Flaw::NotFixed));
        }
        let known = self.has_neighbor(name).await?;
        Ok((!known).then_some(Flaw::NoNeighbor))
    }

    /// Compares the inside end in the namespace at `netns` with its plan, and returns the first flaw, or `None`.
    ///
    /// It is no flaw when an instance has more than its plan, such as a second address.
    ///
    /// # Errors
    ///
    /// [`NamespaceGone`](NetworkError::NamespaceGone) when its last process has ended,
    /// [`NotSeparate`](NetworkError::NotSeparate) when it is the daemon's own namespace,
    /// [`TimedOut`](NetworkError::TimedOut) when the kernel does not answer.
    pub async fn find_flaw(&self, plan: &AttachmentPlan, netns: &Path) -> Result<Option<Flaw>, NetworkError> {
        let netns = Namespace::open(netns)?;
        self.check_separate(&netns)?;
        let doing = || format!("waiting to look at {}", plan.host_interface);
        let place = self.wiring.clone().acquire_owned().await;
        let place = place.map_err(|_closed| NetworkError::Closed { doing: doing() })?;
        let plan = plan.clone();
        thread::run_netlink(&netns, move |inside| async move {
            // Held by the thread, which may outlive the caller.
            let _place = place;
            first_flaw(&inside, &plan).await
        })
        .await
    }
}

async fn first_flaw(netlink: &Handle, plan: &AttachmentPlan) -> Result<Option<Flaw>, NetworkError> {
    let Some(inside) = find_link(netlink, &plan.interface).await? else {
        return Ok(Some(Flaw::NoInterface));
    };
    if inside.mac != Some(plan.mac) {
        return Ok(Some(Flaw::OtherLinkLayer));
    }
    if !inside.up {
        return Ok(Some(Flaw::Down));
    }
    if let Some(planned) = plan.address
        && !list_addresses(netlink, inside.index).await?.contains(&planned)
    {
        return Ok(Some(Flaw::NoAddress));
    }
    if plan.gateway.is_some() && !has_default_route(netlink).await? {
        return Ok(Some(Flaw::NoDefaultRoute));
    }
    Ok(None)
}

async fn has_default_route(netlink: &Handle) -> Result<bool, NetworkError> {
    let all = RouteMessageBuilder::<Ipv6Addr>::new().build();
    let found: Vec<RouteMessage> = answer(netlink.route().get(all).execute().try_collect())
        .await
        .map_err(|failure| failure.doing("listing the routes of an instance"))?;
    let mut headers = found.iter().map(|route| &route.header);
    Ok(headers.any(|header| header.table == RouteHeader::RT_TABLE_MAIN && header.destination_prefix_length == 0))
}
