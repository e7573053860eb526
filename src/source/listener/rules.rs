//! What the settings of a link mean to its listener.

use std::time::Duration;

use orchestrator_dhcp6::{Limiter, Link, Pool, Registration};

use crate::model::LeaseSource;
use crate::settings::{LinkSettings, Settings};

/// A host registers anew long before this, unless its address is preferred for longer; then a registration by a host
/// that has left is not kept for ever.
const LONGEST_REGISTRATION: Duration = Duration::from_secs(30 * 86_400);

/// How a link is served.
pub(super) struct Rules {
    /// What is leased, and how.
    pub(super) link: Link,
    /// Who is answered no more for a while; none where there is no limit.
    pub(super) limiter: Option<Limiter>,
    rate: Option<u32>,
    key: [u8; 16],
}

impl Rules {
    /// The rules that the settings make for the link of a bridge. `None` where they want no listener there. The key is
    /// the server's.
    pub(super) fn new(settings: &Settings, bridge: &str, key: [u8; 16]) -> Option<Self> {
        let settings = settings.link(bridge)?;
        Some(Self {
            link: protocol_link(settings)?,
            limiter: settings.client_rate.map(|rate| limiter(rate, key)),
            rate: settings.client_rate,
            key,
        })
    }

    /// Goes over to other settings; `false`, and nothing is changed, when they want no listener.
    ///
    /// Who sent too often under the same limit before has still done so.
    pub(super) fn follow(&mut self, settings: &Settings, bridge: &str) -> bool {
        let Some(mut rules) = Self::new(settings, bridge, self.key) else {
            return false;
        };
        if rules.rate == self.rate {
            rules.limiter = self.limiter.take();
        }
        *self = rules;
        true
    }
}

/// The protocol's view of a link. `None` where the settings want no listener.
fn protocol_link(settings: &LinkSettings) -> Option<Link> {
    if settings.source != LeaseSource::Listener {
        return None;
    }
    // Without a pool there is nothing to lease; the settings see to it that a listener has one.
    let mut link = Link::new(settings.prefix(), settings.address.addr(), Pool::new(settings.pool?));
    link.delegation.clone_from(&settings.delegation);
    link.preferred = settings.lifetimes.preferred;
    link.valid = settings.lifetimes.valid;
    link.rapid_commit = settings.rapid_commit;
    link.registration = settings.registration.then(|| Registration {
        longest: LONGEST_REGISTRATION,
        withheld: settings.instances.into_iter().collect(),
    });
    link.reconfigure = settings.reconfigure;
    link.options.clone_from(&settings.options);
    link.preference = settings.preference;
    Some(link)
}

/// What bounds how often one client is answered: so many messages a second for long, and twice as many at once.
fn limiter(rate: u32, key: [u8; 16]) -> Limiter {
    Limiter::new(key, rate.saturating_mul(2), Duration::from_secs(1) / rate)
}
