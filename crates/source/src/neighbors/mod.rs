//! Hosts that are observed on a link: those that make their own addresses and ask no server.
//!
//! Packets on the bridge (changes of the kernel's neighbour table, and solicitations of hosts that use an address) are
//! hints, and anybody can send one. So an address counts only once it answers a solicitation of the kernel's own:
//!
//! ```text
//!   hint ──▶ asked, by the kernel ──▶ answers ──▶ lease event: Hold, for the lifetime that is set
//!                                        ▲  │
//!                                        └──┘ asked thrice a lifetime; without an answer the lease ends by the clock
//! ```
//!
//! - A link-layer address identifies a host. The client's DUID is made from it (DUID-LL), and all its addresses,
//!   including temporary ones, are leases of one client with one instance.
//! - Only unassigned addresses of the link's prefix count: none of a pool or of instances, and none of a host with a
//!   lease from another source.
//! - The number of hosts of a link is limited, and so are the addresses of a host and the open questions of a link.

mod hosts;

use std::net::Ipv6Addr;
use std::time::Duration;

use orchestrator_network::{Bridge, NeighborChange, Network};
use tokio::sync::mpsc;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use self::hosts::{Hosts, Mac};
use crate::Recorder;
use orchestrator_model::{
    Clock, Duid, GrantedTo, Iaid, LeaseChange, LeaseSource, LeaseState, LeaseVerb, Leased, LinkLayerAddress,
};
use orchestrator_runtime::causes::with_causes;
use orchestrator_runtime::metrics::Metrics;
use orchestrator_settings::{LinkSettings, NeighborSettings};
use orchestrator_store::{Recalled, Store, StoreError};

/// The number of neighbour changes that may queue.
const QUEUED: usize = 256;
/// The pause before a failed watch is started again.
const PAUSE: Duration = Duration::from_secs(1);
/// The longest sleep. Hosts may become due at any time.
const LONGEST_SLEEP: Duration = Duration::from_secs(3600);
/// The begin of a DUID-LL of Ethernet (RFC 9915, section 11.4).
const DUID_LL: [u8; 4] = [0, 3, 0, 1];

/// The dependencies of the observation of a link's hosts.
pub struct Parts {
    /// The link.
    pub link: LinkSettings,
    /// Its bridge.
    pub bridge: Bridge,
    /// The network, which reports hints and verifies addresses.
    pub network: Network,
    /// The store, which has the holders of addresses.
    pub store: Store,
    /// The recorder of lease events.
    pub recorder: Recorder,
    /// The clock of lifetimes.
    pub clock: Clock,
    /// The metrics.
    pub metrics: Metrics,
}

/// The observation of the hosts of one link.
pub struct Neighbors {
    parts: Parts,
    lifetime: Duration,
    hosts: Hosts,
}

impl Neighbors {
    /// An observation that knows the recorded hosts.
    ///
    /// # Errors
    ///
    /// When the store does not answer, or a row cannot be read.
    pub async fn recall(parts: Parts, settings: &NeighborSettings) -> Result<Self, StoreError> {
        let mut hosts = Hosts::new(settings.lifetime, settings.limit);
        let now = parts.clock.now().0;
        let take = |lease: Recalled| {
            let own = lease.source == LeaseSource::Neighbor && lease.state == LeaseState::Active;
            if let (true, Leased::Address(address), Some(mac)) = (own, lease.leased, mac_of(&lease.duid)) {
                hosts.load(address, mac, now);
            }
        };
        parts.store.recall(&parts.bridge.name).await?.each(take).await?;
        Ok(Self {
            parts,
            lifetime: settings.lifetime,
            hosts,
        })
    }

    /// Observes until `stop`. A watch that fails is started again.
    pub async fn run(mut self, stop: &CancellationToken) {
        while !stop.is_cancelled() {
            let (sender, mut changes) = mpsc::channel(QUEUED);
            let (network, bridge) = (self.parts.network.clone(), self.parts.bridge.clone());
            tokio::select! {
                () = stop.cancelled() => return,
                fault = network.watch_neighbors(&bridge, sender) => {
                    tracing::warn!(bridge = bridge.name, reason = with_causes(&fault), "neighbours cannot be watched");
                }
                () = self.follow(&mut changes) => {}
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep(PAUSE) => {}
            }
        }
    }

    /// Handles changes of neighbours, and verifies the addresses that are due.
    async fn follow(&mut self, changes: &mut mpsc::Receiver<NeighborChange>) {
        loop {
            let now = self.parts.clock.now().0;
            let wait = self.hosts.next().map_or(LONGEST_SLEEP, |next| {
                Duration::from_millis(u64::try_from(next.saturating_sub(now)).unwrap_or(0)).min(LONGEST_SLEEP)
            });
            tokio::select! {
                change = changes.recv() => match change {
                    Some(change) => self.handle(change).await,
                    None => return,
                },
                () = sleep(wait) => self.ask().await,
            }
        }
    }

    async fn handle(&mut self, change: NeighborChange) {
        let now = self.parts.clock.now().0;
        match change {
            NeighborChange::Everything => self.hosts.ask_all(now),
            NeighborChange::Hinted { address, mac } if self.is_hosts(address) => self.hint(address, mac, now),
            NeighborChange::Reachable { address, mac } if self.is_hosts(address) => self.answered(address, mac).await,
            _ => {}
        }
    }

    /// Handles a hint that a host uses an address.
    fn hint(&mut self, address: Ipv6Addr, mac: Mac, now: i64) {
        if !self.hosts.hint(address, mac, now) {
            self.parts.metrics.neighbor("too-many-hints");
            tracing::debug!(bridge = self.parts.bridge.name, %address, "too many addresses wait to be asked");
        }
    }

    async fn ask(&mut self) {
        let due = self.hosts.due(self.parts.clock.now().0);
        if due.is_empty() {
            return;
        }
        let Parts { network, bridge, .. } = &self.parts;
        if let Err(fault) = network.verify_neighbors(bridge, &due).await
            && let Some(held_back) = self.parts.metrics.log_limit().admit("hosts-unasked")
        {
            tracing::warn!(
                bridge = bridge.name,
                reason = with_causes(&fault),
                held_back,
                "neighbours cannot be asked"
            );
        }
    }

    /// Handles an answer of an address.
    async fn answered(&mut self, address: Ipv6Addr, mac: Mac) {
        let bridge = &self.parts.bridge.name;
        match self.hosts.answered(address, mac, self.parts.clock.now().0) {
            Ok(false) => {}
            Ok(true) => match self.record(address, mac).await {
                Ok(true) => self.parts.metrics.neighbor("seen"),
                Ok(false) => {
                    self.parts.metrics.neighbor("leased");
                    self.hosts.forget(address);
                }
                Err(fault) => {
                    self.parts.metrics.neighbor("unrecorded");
                    self.hosts.not_recorded(address);
                    if let Some(held_back) = self.parts.metrics.log_limit().admit("host-unrecorded") {
                        let reason = with_causes(&fault);
                        tracing::error!(bridge, %address, reason, held_back, "a host that was seen could not be recorded");
                    }
                }
            },
            Err(refusal) => {
                self.parts.metrics.neighbor(refusal.word());
                tracing::debug!(bridge, %address, reason = refusal.word(), "a host that was seen is not taken in");
            }
        }
    }

    /// Records that a host holds an address. Returns `false` if the address or the host has a lease from another
    /// source.
    async fn record(&self, address: Ipv6Addr, mac: Mac) -> Result<bool, StoreError> {
        let parts = &self.parts;
        let Ok(link_layer) = LinkLayerAddress::new(mac) else {
            return Ok(false);
        };
        let Ok(duid) = Duid::new([&DUID_LL[..], &mac].concat()) else {
            return Ok(false);
        };
        let elsewhere = parts
            .store
            .is_leased_elsewhere(&parts.bridge.name, address, &link_layer);
        if elsewhere.await? {
            return Ok(false);
        }
        let now = parts.clock.now();
        let until = now.plus(self.lifetime);
        let change = LeaseChange {
            verb: LeaseVerb::Hold,
            link: parts.bridge.name.clone(),
            duid,
            iaid: Iaid(0),
            leased: Leased::Address(address),
            source: LeaseSource::Neighbor,
            next_hop: None,
            class: None,
            preferred_until: until,
            valid_until: until,
            granted_to: GrantedTo {
                link_layer: Some(link_layer.clone()),
                ..GrantedTo::default()
            },
            link_layer: Some(link_layer),
            hostname: None,
            at: now,
            replayed: false,
        };
        parts.recorder.record(vec![change]).await?;
        Ok(true)
    }

    /// Whether a host may have formed this address itself.
    fn is_hosts(&self, address: Ipv6Addr) -> bool {
        let link = &self.parts.link;
        let class_pools = link.class_pools.iter().map(|of| of.pool);
        let ranges = link.pool.into_iter().chain(class_pools).chain(link.instances);
        let given = ranges.into_iter().any(|range| range.contains(&address));
        link.prefix().contains(&address)
            && !given
            && address != link.address.addr()
            && address != link.prefix().network()
    }
}

fn mac_of(duid: &Duid) -> Option<Mac> {
    duid.as_bytes().strip_prefix(&DUID_LL)?.try_into().ok()
}
