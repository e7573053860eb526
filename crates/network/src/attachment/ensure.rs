//! Making an attachment what it shall be.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use rtnetlink::Handle;
use tokio::sync::OwnedSemaphorePermit;

use super::AttachmentPlan;
use super::host::{Pair, create_pair, is_this, leads_there, mark_host_end, namespace_number};
use super::inside::{Inside, InsideEnd};
use crate::bridge::{check_mtu, find_bridge};
use crate::connection::connect;
use crate::entry::set_forwarding;
use crate::join::Place;
use crate::link::{Link, find_link, remove_link};
use crate::namespace::Namespace;
use crate::own_proc::OwnProc;
use crate::sysctl::Ipv6Settings;
use crate::{Bridge, HeldNamespace, Network, NetworkError, thread};

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
    /// [`InsideTaken`](NetworkError::InsideTaken), [`BridgeFull`](NetworkError::BridgeFull),
    /// [`MtuTooSmall`](NetworkError::MtuTooSmall) and [`BadPlan`](NetworkError::BadPlan) need somebody to act.
    pub async fn ensure_attachment(&self, plan: &AttachmentPlan, netns: &Path) -> Result<(), NetworkError> {
        plan.check()?;
        self.ensure_attachment_in(plan, &self.hold_namespace(netns)?).await
    }

    /// The same into a namespace that is open.
    ///
    /// # Errors
    ///
    /// As [`ensure_attachment`](Self::ensure_attachment).
    pub async fn ensure_attachment_in(
        &self,
        plan: &AttachmentPlan,
        HeldNamespace(netns): &HeldNamespace,
    ) -> Result<(), NetworkError> {
        plan.check()?;
        self.check_separate(netns)?;
        let doing = || format!("waiting to wire {}", plan.host_interface);
        let turn = self.wiring.clone().acquire_owned().await;
        let turn = Arc::new(turn.map_err(|_closed| NetworkError::Closed { doing: doing() })?);
        let mut attempts = ATTEMPTS;
        loop {
            let place = Arc::new(self.place(plan).await?);
            let wired = self.wire(plan, netns, turn.clone(), place.clone()).await;
            attempts -= 1;
            match wired {
                Err(fault) if place.is_outdated(&fault) && attempts > 0 => {}
                Ok(()) => return self.hold_neighbor(plan).await,
                Err(fault) => return Err(fault),
            }
        }
    }

    /// Brings an attachment to what is planned on the bridge that was chosen for it.
    async fn wire(
        &self,
        plan: &AttachmentPlan,
        netns: &Namespace,
        turn: Arc<OwnedSemaphorePermit>,
        place: Arc<Place>,
    ) -> Result<(), NetworkError> {
        let (netns, settings, proc) = (netns.clone(), self.settings.clone(), self.proc.clone());
        let plan = AttachmentPlan {
            bridge: place.bridge.clone(),
            ..plan.clone()
        };
        thread::run_netlink(&self.own, move |host| async move {
            // Held by the thread, which may outlive the caller.
            let (_turn, _place) = (turn, place);
            Wiring {
                plan,
                netns,
                host,
                settings,
                proc,
                inside: None,
            }
            .ensure()
            .await
        })
        .await
    }
}

/// The work of one call, on a thread that begins in the daemon's namespace and ends in the instance's.
struct Wiring {
    plan: AttachmentPlan,
    netns: Namespace,
    /// Netlink in the daemon's namespace.
    host: Handle,
    /// The IPv6 settings there.
    settings: Option<Arc<Ipv6Settings>>,
    /// How those of the instance's namespace are reached.
    proc: Arc<OwnProc>,
    /// Netlink in the instance's namespace, once the thread is there.
    inside: Option<Handle>,
}

impl Wiring {
    async fn ensure(mut self) -> Result<(), NetworkError> {
        let bridge = find_bridge(&self.host, &self.plan.bridge).await?;
        let bridge = bridge.ok_or_else(|| NetworkError::BridgeMissing {
            bridge: self.plan.bridge.clone(),
        })?;
        check_mtu(&bridge)?;
        let mut in_the_way = Obstacle::Outside;
        for _ in 0..ATTEMPTS {
            match self.attempt(&bridge).await? {
                Attempt::Wired => return Ok(()),
                Attempt::Failed(obstacle) => in_the_way = obstacle,
            }
        }
        Err(match in_the_way {
            Obstacle::Inside => NetworkError::InsideTaken {
                interface: self.plan.interface,
                netns: self.netns.path().into(),
            },
            Obstacle::Outside => NetworkError::Contended {
                interface: self.plan.host_interface,
            },
        })
    }

    /// Goes through all steps once.
    async fn attempt(&mut self, bridge: &Bridge) -> Result<Attempt, NetworkError> {
        let found = match create_pair(&self.host, &self.plan, bridge, &self.netns).await? {
            Pair::New => None,
            Pair::Taken => match self.find_host_end().await? {
                Some(host) => Some(host),
                // The name inside is taken, or the host end went away with its old namespace in this moment.
                None => return Ok(Attempt::Failed(Obstacle::Inside)),
            },
        };
        if let Some(host) = &found
            && !leads_there(host, bridge, namespace_number(&self.host, &self.netns).await?)
        {
            return self.remove_wrong(host).await;
        }
        self.switch_ipv6_off();
        if !mark_host_end(&self.host, &self.plan).await? {
            return Ok(Attempt::Failed(Obstacle::Outside));
        }
        if !self.fix_link_layer(found.as_ref()).await? {
            return Ok(Attempt::Failed(Obstacle::Outside));
        }
        match (self.wire_inside(found.as_ref()).await?, &found) {
            (Inside::Wired, _) => Ok(Attempt::Wired),
            (Inside::Wrong, Some(host)) => self.remove_wrong(host).await,
            (Inside::Wrong, None) => Ok(Attempt::Failed(Obstacle::Outside)),
        }
    }

    /// Switches IPv6 off at the host end, which only passes packets on. Otherwise the kernel has a multicast route for each
    /// port, goes through all of them for each multicast packet that the bridge takes, and reports groups from each port.
    ///
    /// A pair works without this, too.
    fn switch_ipv6_off(&self) {
        let Some(settings) = &self.settings else { return };
        let interface = &self.plan.host_interface;
        if let Err(fault) = settings.ensure(interface, "disable_ipv6", "1") {
            tracing::debug!(interface, error = &fault as &dyn Error, "IPv6 stays on at a host end");
        }
    }

    /// Fixes the instance's link-layer address at its port, before the inside end is up. Returns `false` if the port is gone.
    async fn fix_link_layer(&self, found: Option<&Link>) -> Result<bool, NetworkError> {
        let name = &self.plan.host_interface;
        let port = match found {
            Some(host) => Some(host.index),
            None => find_link(&self.host, name).await?.map(|host| host.index),
        };
        let Some(port) = port else { return Ok(false) };
        set_forwarding(&self.host, port, self.plan.mac, name).await?;
        Ok(true)
    }

    /// The host end that is in the way of a new pair, if there is one; it must be this attachment's.
    async fn find_host_end(&self) -> Result<Option<Link>, NetworkError> {
        match find_link(&self.host, &self.plan.host_interface).await? {
            Some(host) if !is_this(&host, &self.plan) => Err(NetworkError::InterfaceTaken {
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
        remove_link(&self.host, host.index, &host.name).await?;
        Ok(Attempt::Failed(Obstacle::Outside))
    }

    /// Works on the inside end; the thread enters the instance's namespace for it and stays there.
    async fn wire_inside(&mut self, found: Option<&Link>) -> Result<Inside, NetworkError> {
        let netlink = match &self.inside {
            Some(netlink) => netlink,
            None => {
                self.netns.enter()?;
                self.inside.insert(connect()?)
            }
        };
        let inside = InsideEnd {
            plan: &self.plan,
            found,
            netns: self.netns.path(),
            proc: &self.proc,
        };
        inside.wire(netlink).await
    }
}
