//! Making an attachment what it shall be.

use std::path::Path;

use super::AttachmentPlan;
use super::host::{Pair, create_pair, is_this, leads_there, mark_host_end, namespace_number};
use super::inside::{Inside, InsideEnd};
use crate::link::{Link, find_link, remove_link};
use crate::namespace::Namespace;
use crate::{Bridge, Network, NetworkError};

/// How often a pair is made anew in one call before someone else must be at work on it.
const ATTEMPTS: usize = 3;

impl Network {
    /// Brings an attachment to what is planned, into the namespace at `netns` such as `/proc/PID/ns/net`.
    ///
    /// May be repeated at any time: what is right stays untouched, what is missing is added, and a pair of ours that
    /// leads somewhere else, such as into the namespace before a restart, is made anew.
    /// Calls for one host end must not overlap.
    ///
    /// # Errors
    ///
    /// [`BridgeMissing`](NetworkError::BridgeMissing), [`NamespaceGone`](NetworkError::NamespaceGone),
    /// [`Vanished`](NetworkError::Vanished) and [`TimedOut`](NetworkError::TimedOut) pass with time;
    /// [`NotSeparate`](NetworkError::NotSeparate), [`InterfaceTaken`](NetworkError::InterfaceTaken),
    /// [`InsideTaken`](NetworkError::InsideTaken), [`BridgeFull`](NetworkError::BridgeFull) and
    /// [`BadPlan`](NetworkError::BadPlan) need somebody to act.
    pub async fn ensure_attachment(&self, plan: &AttachmentPlan, netns: &Path) -> Result<(), NetworkError> {
        plan.check()?;
        let netns = Namespace::open(netns)?;
        if netns.is(&self.own) {
            return Err(NetworkError::NotSeparate {
                netns: netns.path().into(),
            });
        }
        let bridge = self.find_bridge(&plan.bridge).await?;
        let bridge = bridge.ok_or_else(|| NetworkError::BridgeMissing {
            bridge: plan.bridge.clone(),
        })?;
        for _ in 0..ATTEMPTS {
            if self.try_attachment(plan, &bridge, &netns).await? == Inside::Wired {
                return Ok(());
            }
        }
        Err(NetworkError::Contended {
            interface: plan.host_interface.clone(),
        })
    }

    /// Goes through all steps once; ends without a pair if the found one was wrong.
    async fn try_attachment(
        &self,
        plan: &AttachmentPlan,
        bridge: &Bridge,
        netns: &Namespace,
    ) -> Result<Inside, NetworkError> {
        let found = match create_pair(&self.netlink, plan, bridge, netns).await? {
            Pair::New => None,
            Pair::Taken => Some(self.find_host_end(plan, netns).await?),
        };
        if let Some(host) = &found
            && !leads_there(host, bridge, namespace_number(&self.netlink, netns).await?)
        {
            return self.remove_wrong(host).await;
        }
        if !mark_host_end(&self.netlink, plan).await? {
            return Ok(Inside::Wrong);
        }
        let inside = InsideEnd {
            plan: plan.clone(),
            found: found.clone(),
            netns: netns.path().into(),
        };
        let outcome = self.wire_inside(inside, netns).await?;
        match (outcome, &found) {
            (Inside::Wrong, Some(host)) => self.remove_wrong(host).await,
            _ => Ok(outcome),
        }
    }

    /// The host end that is in the way of a new pair, if it is this attachment's.
    async fn find_host_end(&self, plan: &AttachmentPlan, netns: &Namespace) -> Result<Link, NetworkError> {
        let interface = plan.host_interface.clone();
        match find_link(&self.netlink, &interface).await? {
            Some(host) if is_this(&host, plan) => Ok(host),
            Some(host) => Err(NetworkError::InterfaceTaken {
                interface,
                alias: host.alias,
            }),
            // It was not the host end's name that was taken.
            None => Err(NetworkError::InsideTaken {
                interface: plan.interface.clone(),
                netns: netns.path().into(),
            }),
        }
    }

    /// Removes a pair of ours, to be made anew.
    async fn remove_wrong(&self, host: &Link) -> Result<Inside, NetworkError> {
        tracing::info!(
            interface = host.name,
            alias = host.alias,
            "attachment leads elsewhere, making it anew"
        );
        remove_link(&self.netlink, host.index, &host.name).await?;
        Ok(Inside::Wrong)
    }

    /// Works on the inside end, on a thread within its namespace.
    async fn wire_inside(&self, inside: InsideEnd, netns: &Namespace) -> Result<Inside, NetworkError> {
        let doing = || format!("waiting to enter {}", netns.path().display());
        let entry = self.entries.clone().acquire_owned().await;
        let entry = entry.map_err(|_closed| NetworkError::Closed { doing: doing() })?;
        netns
            .run_netlink(move |netlink| async move {
                // Held by the thread: it goes on also when the caller does not.
                let _entry = entry;
                inside.wire(netlink).await
            })
            .await
    }
}
