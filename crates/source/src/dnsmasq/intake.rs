//! Records events of dnsmasq: those that the hook passes on, and those in the spool.

use std::collections::HashSet;
use std::net::Ipv6Addr;
use std::sync::{Arc, Mutex, PoisonError};

use ipnet::Ipv6Net;

use super::event::EXPIRY_SLACK;
use super::{DnsmasqEvent, DnsmasqVerb, Handed, Spool, SpoolError, Spooled};
use crate::Recorder;
use orchestrator_model::{Clock, LeaseSource, LeaseVerb};
use orchestrator_runtime::causes::with_causes;
use orchestrator_runtime::metrics::Metrics;
use orchestrator_settings::{Current, LinkSettings};
use orchestrator_store::StoreError;

/// The number of spooled events that are read at a time.
const CHUNK: usize = 256;

/// Records the events of dnsmasq. A cheap handle.
#[derive(Clone)]
pub struct Intake {
    settings: Current,
    recorder: Recorder,
    clock: Clock,
    metrics: Metrics,
    /// The links for which a missing clock of dnsmasq was logged.
    without_clock: Arc<Mutex<HashSet<String>>>,
}

/// The reason why an event was not recorded.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// There is no link with this name.
    #[error("no link in the settings has the bridge {0:?}; dnsmasq served a lease on an interface that is not ours")]
    UnknownLink(String),
    /// The link has another lease source.
    #[error("link {0:?} has its own listener; set source = \"dnsmasq\" there, or keep dnsmasq off that bridge")]
    NotFromDnsmasq(String),
    /// dnsmasq names no interface, and no link has the address.
    #[error(
        "dnsmasq could not name the interface of the lease of {0}, and no link with source = \"dnsmasq\" has a prefix \
         with that address; keep dnsmasq off bridges that are not in the settings"
    )]
    NoLinkHas(Ipv6Addr),
    /// The address is not on the link.
    #[error(
        "{address} is outside the prefix {prefix} of link {link:?}; give dnsmasq a dhcp-range inside that prefix, or \
         the link an address with the prefix that dnsmasq serves"
    )]
    OutsidePrefix {
        /// The leased address.
        address: Ipv6Addr,
        /// The link.
        link: String,
        /// Its prefix.
        prefix: Ipv6Net,
    },
    /// The address is the link's own.
    #[error("{address} is the address of link {link:?} itself; give dnsmasq a dhcp-range without it")]
    LinkAddress {
        /// The leased address.
        address: Ipv6Addr,
        /// The link.
        link: String,
    },
    /// The address is the Subnet-Router anycast address of the link (RFC 4291, section 2.6.1).
    #[error("{address} stands for all routers of link {link:?}; give dnsmasq a dhcp-range without it")]
    RouterAnycast {
        /// The leased address.
        address: Ipv6Addr,
        /// The link.
        link: String,
    },
    /// The address is in the range for instances.
    #[error(
        "{address} is in {instances}, the range `instances` of link {link:?}; give dnsmasq a dhcp-range outside it, or \
         the link another range"
    )]
    InstanceRange {
        /// The leased address.
        address: Ipv6Addr,
        /// The link.
        link: String,
        /// The range for instances.
        instances: Ipv6Net,
    },
    /// The store could not record it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl IntakeError {
    /// A stable word for counters and the API.
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownLink(_) | Self::NoLinkHas(_) => "unknown-link",
            Self::NotFromDnsmasq(_) => "not-from-dnsmasq",
            Self::OutsidePrefix { .. } => "outside-prefix",
            Self::LinkAddress { .. } => "link-address",
            Self::RouterAnycast { .. } => "router-anycast",
            Self::InstanceRange { .. } => "instance-range",
            Self::Store(fault) => fault.code(),
        }
    }
}

impl Intake {
    /// An intake that records through `recorder`.
    pub fn new(settings: Current, recorder: Recorder, clock: Clock, metrics: Metrics) -> Self {
        Self {
            settings,
            recorder,
            clock,
            metrics,
            without_clock: Arc::default(),
        }
    }

    /// Records an event. It is durable when this returns.
    ///
    /// An event from before dnsmasq has found the interface is counted and ignored: dnsmasq reports the lease again.
    ///
    /// # Errors
    ///
    /// When no link fits the event, no client may have its address, or the store is unreachable. Then nothing is
    /// recorded.
    pub async fn take(&self, event: DnsmasqEvent, handed: Handed) -> Result<(), IntakeError> {
        if event.is_premature() {
            self.metrics.lease_event_refused("no-interface");
            tracing::debug!(address = %event.address, "dnsmasq has not found the interface of this lease yet");
            return Ok(());
        }
        let outcome = match self.link_of(&event) {
            Ok(link) => {
                self.say_without_clock(&event, &link);
                self.record(event.on_link(&link), handed)
                    .await
                    .map_err(IntakeError::from)
            }
            Err(refusal) => Err(refusal),
        };
        if let Err(fault) = &outcome {
            self.metrics.lease_event_refused(fault.code());
            if let Some(held_back) = self.metrics.log_limit().admit(fault.code()) {
                tracing::warn!(
                    reason = with_causes(fault),
                    held_back,
                    "an event of dnsmasq was not recorded"
                );
            }
        }
        outcome
    }

    async fn record(&self, event: DnsmasqEvent, handed: Handed) -> Result<(), StoreError> {
        let ends_somehow = event.is_end_of_unknown_kind();
        let mut change = event.into_change(handed, &self.clock);
        if ends_somehow {
            let end = self.recorder.end_of(&change.link, change.leased).await?;
            if end.is_some_and(|end| end <= change.at.plus(EXPIRY_SLACK)) {
                change.verb = LeaseVerb::Expire;
            }
        }
        self.recorder.record(vec![change]).await
    }

    /// The link of the event, if dnsmasq may lease its address there.
    fn link_of(&self, event: &DnsmasqEvent) -> Result<String, IntakeError> {
        let settings = self.settings.get();
        let link = match event.link() {
            Some(name) => match settings.link(name) {
                None => return Err(IntakeError::UnknownLink(name.to_owned())),
                Some(link) if link.source != LeaseSource::Dnsmasq => {
                    return Err(IntakeError::NotFromDnsmasq(name.to_owned()));
                }
                Some(link) => link,
            },
            None => {
                let has_it = |link: &&LinkSettings| {
                    link.source == LeaseSource::Dnsmasq && link.prefix().contains(&event.address)
                };
                let link = settings.links.iter().find(has_it);
                link.ok_or(IntakeError::NoLinkHas(event.address))?
            }
        };
        // A lease that was recorded under other settings must be able to end.
        if event.verb != DnsmasqVerb::Del {
            check_address(event.address, link)?;
        }
        Ok(link.name.clone())
    }

    /// Logs once for each link that its dnsmasq has no clock.
    fn say_without_clock(&self, event: &DnsmasqEvent, link: &str) {
        let Some(seconds) = event.length else { return };
        let mut said = self.without_clock.lock().unwrap_or_else(PoisonError::into_inner);
        if said.insert(link.to_owned()) {
            tracing::warn!(
                link,
                lease_seconds = seconds,
                "dnsmasq was built without a clock (no-RTC in `dnsmasq --version`) and does not tell of renewals: send it \
                 SIGHUP at least twice a lease time, so that it tells its leases again; otherwise instances end with \
                 the first lifetime of their leases, although their clients renewed"
            );
        }
    }

    /// Records all spooled events, in the order in which they were kept.
    ///
    /// An event leaves the spool once it is recorded, or if it can never be. If the store cannot record one now, it
    /// stays with all later ones.
    ///
    /// # Errors
    ///
    /// When the spool cannot be read or emptied, or the store is unreachable.
    pub async fn drain(&self, spool: &Spool) -> Result<(), DrainError> {
        loop {
            let chunk = read(spool.clone()).await?;
            self.metrics.spool_set_aside(spool.take_set_aside());
            if chunk.is_empty() {
                return Ok(());
            }
            for spooled in chunk {
                match self.take(spooled.event.clone(), Handed::Spooled).await {
                    Err(IntakeError::Store(fault)) => return Err(DrainError::Store(fault)),
                    // The event was refused and logged, and would be refused again.
                    Err(_) => {}
                    Ok(()) => self.metrics.spooled(),
                }
                remove(spool.clone(), spooled).await?;
            }
        }
    }
}

/// Refuses addresses of the link that no client may have.
fn check_address(address: Ipv6Addr, link: &LinkSettings) -> Result<(), IntakeError> {
    let (name, prefix) = (|| link.name.clone(), link.prefix());
    if !prefix.contains(&address) {
        return Err(IntakeError::OutsidePrefix {
            address,
            link: name(),
            prefix,
        });
    }
    if address == link.address.addr() {
        return Err(IntakeError::LinkAddress { address, link: name() });
    }
    // On a link with two addresses (RFC 6164), both belong to hosts.
    if address == prefix.network() && prefix.prefix_len() < 127 {
        return Err(IntakeError::RouterAnycast { address, link: name() });
    }
    match link.instances.filter(|instances| instances.contains(&address)) {
        None => Ok(()),
        Some(instances) => Err(IntakeError::InstanceRange {
            address,
            link: name(),
            instances,
        }),
    }
}

/// The reason why the spool could not be emptied.
#[derive(Debug, thiserror::Error)]
pub enum DrainError {
    /// The spool failed.
    #[error("the spool of dnsmasq's events cannot be emptied")]
    Spool(#[source] SpoolError),
    /// The store failed.
    #[error("the spooled events of dnsmasq wait for the store")]
    Store(#[source] StoreError),
    /// The thread that reads the spool failed.
    #[error("the spool of dnsmasq's events was not read to its end")]
    Interrupted(#[source] tokio::task::JoinError),
}

async fn read(spool: Spool) -> Result<Vec<Spooled>, DrainError> {
    let chunk = tokio::task::spawn_blocking(move || spool.pending(CHUNK)).await;
    chunk.map_err(DrainError::Interrupted)?.map_err(DrainError::Spool)
}

async fn remove(spool: Spool, spooled: Spooled) -> Result<(), DrainError> {
    let removed = tokio::task::spawn_blocking(move || spool.remove(spooled)).await;
    removed.map_err(DrainError::Interrupted)?.map_err(DrainError::Spool)
}
