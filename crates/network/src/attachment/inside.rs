//! The inside end: everything that is done within the instance's namespace.
//!
//! The engine's own settings do not matter here: with `--network none` Docker switches IPv6 off inside, and any engine
//! leaves router advertisements and duplicate address detection on, which have no say in addresses that we give out.

use std::net::Ipv6Addr;
use std::path::Path;

use futures_util::try_join;
use nix::errno::Errno;
use rtnetlink::{Handle, LinkUnspec, RouteMessageBuilder};

use super::AttachmentPlan;
use crate::NetworkError;
use crate::address::{add_address, list_addresses};
use crate::link::{Link, find_link};
use crate::own_proc::OwnProc;
use crate::request::answer;

/// The loopback interface is the first in every namespace.
const LOOPBACK: u32 = 1;

/// The state of the inside end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Inside {
    /// All is as planned now.
    Wired,
    /// The pair must be made anew.
    Wrong,
}

/// Work within the instance's namespace.
pub(crate) struct InsideEnd<'a> {
    /// The plan that it must match.
    pub(crate) plan: &'a AttachmentPlan,
    /// The host end, if it was there before: then the inside end may be wrong.
    pub(crate) found: Option<&'a Link>,
    /// Where the namespace was opened.
    pub(crate) netns: &'a Path,
    /// How the namespace's settings are reached.
    pub(crate) proc: &'a OwnProc,
}

impl InsideEnd<'_> {
    /// Brings the inside end to what is planned, unless it must be made anew.
    ///
    /// The calling thread must be within the namespace, for the settings under `/proc/sys`.
    pub(crate) async fn wire(&self, netlink: &Handle) -> Result<Inside, NetworkError> {
        let inside = find_link(netlink, &self.plan.interface).await?;
        if let Some(host) = self.found
            && !self.belongs_to(host, inside.as_ref(), netlink).await?
        {
            return Ok(Inside::Wrong);
        }
        let inside = inside.ok_or_else(|| self.vanished())?;
        self.ensure_settings()?;
        self.bring_up(netlink, inside.index).await?;
        Ok(Inside::Wired)
    }

    /// Whether the inside end is the other end of the host end, and has no address but the planned one.
    async fn belongs_to(&self, host: &Link, inside: Option<&Link>, netlink: &Handle) -> Result<bool, NetworkError> {
        let Some(inside) = inside else { return Ok(false) };
        if host.peer != Some(inside.index) || inside.peer != Some(host.index) || inside.mac != Some(self.plan.mac) {
            return Ok(false);
        }
        let Some(planned) = self.plan.address else {
            return Ok(true);
        };
        let addresses = list_addresses(netlink, inside.index).await?;
        Ok(addresses.iter().all(|address| *address == planned))
    }

    /// Sets what the kernel shall not do by itself on this interface, while it is still down if it is new.
    fn ensure_settings(&self) -> Result<(), NetworkError> {
        let settings = self.proc.ipv6_settings()?;
        let interface = self.plan.interface.as_str();
        for interface in ["all", "default", interface] {
            settings.ensure(interface, "disable_ipv6", "0")?;
        }
        for key in ["accept_ra", "autoconf", "accept_dad"] {
            settings.ensure(interface, key, "0")?;
        }
        if self.plan.is_single() {
            // Everything goes by the router, whatever a redirect says: it translates what a front door leads here.
            for interface in ["all", interface] {
                settings.ensure(interface, "accept_redirects", "0")?;
            }
        }
        Ok(())
    }

    /// Brings the interface up with its address and route, all requests on their way at once.
    ///
    /// The kernel takes the requests of one socket in their order, so the interface is up before it gets its route.
    async fn bring_up(&self, netlink: &Handle, index: u32) -> Result<(), NetworkError> {
        let up = async |index| {
            answer(
                netlink
                    .link()
                    .change(LinkUnspec::new_with_index(index).up().build())
                    .execute(),
            )
            .await
        };
        let address = async {
            match self.plan.address {
                Some(address) => add_address(netlink, index, address).await.map(drop),
                None => Ok(()),
            }
        };
        let route = async {
            match self.plan.gateway {
                Some(gateway) => self.ensure_default_route(netlink, index, gateway).await,
                None => Ok(()),
            }
        };
        let doing = |what: &str| format!("{what} {} in {}", self.plan.interface, self.netns.display());
        try_join!(
            async {
                up(LOOPBACK)
                    .await
                    .map_err(|failure| failure.doing(doing("bringing up lo beside")))
            },
            async { up(index).await.map_err(|failure| failure.doing(doing("bringing up"))) },
            async {
                address
                    .await
                    .map_err(|failure| failure.doing(doing("giving an address to")))
            },
            route,
        )?;
        Ok(())
    }

    /// Sets the default route, in place of another one of ours.
    async fn ensure_default_route(&self, netlink: &Handle, index: u32, gateway: Ipv6Addr) -> Result<(), NetworkError> {
        // On-link: a gateway outside the address's prefix is a neighbour all the same.
        let route = RouteMessageBuilder::<Ipv6Addr>::new()
            .gateway(gateway)
            .output_interface(index)
            .onlink()
            .build();
        let set = answer(netlink.route().add(route).replace().execute()).await;
        set.map_err(|failure| match failure.is(Errno::ENODEV) {
            true => self.vanished(),
            false => failure.doing(format!(
                "setting the default route via {gateway} in {}",
                self.netns.display()
            )),
        })
    }

    fn vanished(&self) -> NetworkError {
        NetworkError::Vanished {
            interface: self.plan.interface.clone(),
            netns: self.netns.into(),
        }
    }
}
