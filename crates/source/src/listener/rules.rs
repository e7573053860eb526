//! The rules of a listener, from the settings of its link.

use super::origins::Origin;
use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::time::Duration;

use orchestrator_dhcp6::{Change, Limiter, Link, Place, Pool, Rates, Registration, Verb};

use crate::reserved::in_force;
use orchestrator_model::{
    GrantedTo, LeaseChange, LeaseSource, LeaseVerb, LinkLayerAddress, RecordedReservation, Timestamp,
};
use orchestrator_settings::{LinkLimits, LinkSettings, Settings};

/// The longest registration. A host registers again long before this, unless its address has a longer preferred
/// lifetime. So the registration of a host that has left does not last for ever.
const LONGEST_REGISTRATION: Duration = Duration::from_secs(30 * 86_400);

/// The rules by which a link is served.
pub(super) struct Rules {
    /// The link in the protocol's form.
    pub(super) link: Link,
    /// The rate limits; `None` if the settings have none.
    pub(super) limiter: Option<Limiter>,
    /// Whether relay agents on the link are trusted: for the link's own clients, and for those of other links.
    pub(super) relays: bool,
    /// What clients may take of the link.
    pub(super) limits: LinkLimits,
    /// The limit of answered messages of the link; `None` for no limit.
    pub(super) link_rate: Option<NonZeroU32>,
    /// The part of a limit that the clients behind one port get, in thousandths.
    pub(super) share: u32,
    /// Whether bridge ports are recorded.
    pub(super) learn_ports: bool,
    /// The ports of the link whose router advertisements reach this machine; `None` if those of all ports do.
    router_ports: Option<BTreeSet<String>>,
    /// Whether the advertiser of the link records other routers whose advertisements reach it.
    advertises: bool,
    /// Whether the link has no bridge on this machine.
    is_remote: bool,
    key: [u8; 16],
}

impl Rules {
    /// The rules of a link from the settings and the reservations of the API. `None` if the settings want no listener
    /// there. `key` is the server's.
    pub(super) fn new(
        settings: &Settings,
        recorded: &[RecordedReservation],
        name: &str,
        key: [u8; 16],
    ) -> Option<Self> {
        let relays = settings
            .source
            .listener
            .relays
            .iter()
            .any(|interface| interface == name);
        let own = settings.link(name)?;
        let mut link = protocol_link(own)?;
        (link.reservations, _) = in_force(settings, own, recorded);
        link.relay_options.clone_from(&settings.source.listener.relay_options);
        Some(Self {
            relays,
            limits: own.limits,
            link_rate: own.link_rate,
            share: settings.limits.port_share,
            learn_ports: own.learn_ports,
            router_ports: router_ports(own),
            advertises: own.advertisement.is_some(),
            is_remote: own.remote,
            link,
            limiter: limiter(own, key),
            key,
        })
    }

    /// Adopts other settings. Returns `false`, and changes nothing, if they want no such listener.
    ///
    /// If the rate limits stay the same, earlier messages of clients still count.
    pub(super) fn follow(&mut self, settings: &Settings, recorded: &[RecordedReservation], name: &str) -> bool {
        let Some(mut rules) = Self::new(settings, recorded, name, self.key) else {
            return false;
        };
        if rules.is_remote != self.is_remote {
            return false;
        }
        let rates = |limiter: &Option<Limiter>| limiter.as_ref().map(Limiter::rates);
        if rates(&rules.limiter) == rates(&self.limiter) {
            rules.limiter = self.limiter.take();
        }
        *self = rules;
        true
    }

    /// Whether the listener records a router behind this port: the link's advertiser does not hear it, because there is
    /// none, or because the packet filter drops the advertisement.
    pub(super) fn hears_router(&self, port: Option<&str>) -> bool {
        let passes = |ports: &BTreeSet<String>| port.is_some_and(|port| ports.contains(port));
        !self.advertises || self.router_ports.as_ref().is_some_and(|ports| !passes(ports))
    }

    /// Converts a change into the store's form, on the link with this name.
    pub(super) fn lease_change(
        &self,
        name: &str,
        change: &Change,
        origin: Option<&Origin>,
        now: Timestamp,
    ) -> LeaseChange {
        let (verb, source) = match change.verb {
            Verb::Grant | Verb::Renew => (LeaseVerb::Hold, LeaseSource::Listener),
            Verb::Release => (LeaseVerb::Release, LeaseSource::Listener),
            Verb::Decline => (LeaseVerb::Decline, LeaseSource::Listener),
            Verb::Lift => (LeaseVerb::Lift, LeaseSource::Listener),
            Verb::Register => (LeaseVerb::Hold, LeaseSource::Registration),
            // As if the lease had expired (RFC 9686, section 4.6).
            Verb::Deregister => (LeaseVerb::Expire, LeaseSource::Registration),
        };
        LeaseChange {
            verb,
            link: name.to_owned(),
            duid: change.after.duid.clone(),
            iaid: change.after.iaid,
            leased: change.after.leased,
            // If the clients are on a remote link, so are the routes to them.
            next_hop: change.next_hop.filter(|_| !self.is_remote),
            class: change.class.as_deref().map(str::to_owned),
            source,
            preferred_until: Timestamp(change.after.preferred_until),
            valid_until: Timestamp(change.after.valid_until),
            link_layer: change.link_layer.clone(),
            granted_to: granted_to(&change.after.place, origin),
            hostname: change.hostname.clone(),
            at: now,
            replayed: false,
        }
    }
}

/// The recorded form of a place. A registration has no place, but its message may have an origin.
///
/// The frame of a relayed message is the relay agent's, so its link-layer address is not recorded.
fn granted_to(place: &Place, origin: Option<&Origin>) -> GrantedTo {
    let observed = origin.filter(|_| place.relay.is_none());
    let observed = observed.map(|origin| origin.link_layer.clone());
    let recorded = || LinkLayerAddress::new(place.link_layer?).ok();
    GrantedTo {
        link_layer: observed.or_else(recorded),
        link_local: place.link_local,
        port: origin.map(|origin| origin.port.clone()),
        relay: place.relay,
    }
}

fn router_ports(link: &LinkSettings) -> Option<BTreeSet<String>> {
    let isolation = link.isolation.as_ref().filter(|isolation| isolation.enforce)?;
    Some(
        isolation
            .ports
            .router
            .union(&isolation.ports.trusted)
            .cloned()
            .collect(),
    )
}

/// The link in the protocol's form. `None` if the settings want no listener.
fn protocol_link(settings: &LinkSettings) -> Option<Link> {
    if settings.source != LeaseSource::Listener {
        return None;
    }
    // The settings ensure that a listener has a pool. Without one there is nothing to lease.
    let pool_of = |range| Pool::new(range).with_order(settings.allocation);
    let mut link = Link::new(settings.prefix(), settings.address.addr(), pool_of(settings.pool?));
    let class_pools = settings.class_pools.iter();
    link.class_pools = class_pools.map(|of| pool_of(of.pool).for_class(of.class)).collect();
    let delegation = settings.delegation.iter();
    link.delegation = delegation.map(|pool| pool.with_order(settings.allocation)).collect();
    link.preferred = settings.lifetimes.preferred;
    link.valid = settings.lifetimes.valid;
    link.rapid_commit = settings.rapid_commit;
    link.registration = settings.registration.then(|| Registration {
        longest: LONGEST_REGISTRATION,
        withheld: settings.instances.into_iter().collect(),
    });
    link.reconfigure = settings.reconfigure;
    link.options.clone_from(&settings.options);
    link.classes.clone_from(&settings.classes);
    link.preference = Some(settings.preference);
    link.quarantine = settings.quarantine;
    link.relay_keys.clone_from(&settings.relays);
    Some(link)
}

/// The rate limits; `None` if the settings have none.
fn limiter(settings: &LinkSettings, key: [u8; 16]) -> Option<Limiter> {
    let rates = Rates {
        sender: settings.client_rate,
        link: settings.link_rate,
    };
    (rates != Rates::default()).then(|| Limiter::new(key, rates))
}
