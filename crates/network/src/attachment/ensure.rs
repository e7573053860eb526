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

/// How one go through all steps ended.
enum Attempt {
    Wired,
    /// Something was in the way; it may be gone now.
    Failed(Obstacle),
}

/// Where something was in the way of a new pair.
enum Obstacle {
    /// A host end that led elsewhere, or went away again.
    Outside,
    /// An interface in the instance's namespace.
    Inside,
}

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
        self.check_separate(&netns)?;
        let bridge = self.find_bridge(&plan.bridge).await?;
        let bridge = bridge.ok_or_else(|| NetworkError::BridgeMissing {
            bridge: plan.bridge.clone(),
        })?;
        let mut in_the_way = None;
        for _ in 0..ATTEMPTS {
            match self.try_attachment(plan, &bridge, &netns).await? {
                Attempt::Wired => return Ok(()),
                Attempt::Failed(obstacle) => in_the_way = Some(obstacle),
            }
        }
        Err(match in_the_way {
            Some(Obstacle::Inside) => NetworkError::InsideTaken {
                interface: plan.interface.clone(),
                netns: netns.path().into(),
            },
            _ => NetworkError::Contended {
                interface: plan.host_interface.clone(),
            },
        })
    }

    /// Goes through all steps once.
    async fn try_attachment(
        &self,
        plan: &AttachmentPlan,
        bridge: &Bridge,
        netns: &Namespace,
    ) -> Result<Attempt, NetworkError> {
        let found = match create_pair(&self.netlink, plan, bridge, netns).await? {
            Pair::New => None,
            Pair::Taken => match self.find_host_end(plan).await? {
                Some(host) => Some(host),
                // The name inside is taken, or the host end went away with its old namespace in this moment.
                None => return Ok(Attempt::Failed(Obstacle::Inside)),
            },
        };
        if let Some(host) = &found
            && !leads_there(host, bridge, namespace_number(&self.netlink, netns).await?)
        {
            return self.remove_wrong(host).await;
        }
        if !mark_host_end(&self.netlink, plan).await? {
            return Ok(Attempt::Failed(Obstacle::Outside));
        }
        let inside = InsideEnd {
            plan: plan.clone(),
            found: found.clone(),
            netns: netns.path().into(),
        };
        match (self.wire_inside(inside, netns).await?, &found) {
            (Inside::Wired, _) => Ok(Attempt::Wired),
            (Inside::Wrong, Some(host)) => self.remove_wrong(host).await,
            (Inside::Wrong, None) => Ok(Attempt::Failed(Obstacle::Outside)),
        }
    }

    /// The host end that is in the way of a new pair, if there is one; it must be this attachment's.
    async fn find_host_end(&self, plan: &AttachmentPlan) -> Result<Option<Link>, NetworkError> {
        match find_link(&self.netlink, &plan.host_interface).await? {
            Some(host) if !is_this(&host, plan) => Err(NetworkError::InterfaceTaken {
                interface: host.name,
                alias: host.alias,
            }),
            found => Ok(found),
        }
    }

    /// Removes a pair of ours, to be made anew.
    async fn remove_wrong(&self, host: &Link) -> Result<Attempt, NetworkError> {
        tracing::info!(
            interface = host.name,
            alias = host.alias,
            "attachment leads elsewhere, making it anew"
        );
        remove_link(&self.netlink, host.index, &host.name).await?;
        Ok(Attempt::Failed(Obstacle::Outside))
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
