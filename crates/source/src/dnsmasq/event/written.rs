//! The format in which events are sent to the daemon and kept in the spool.

use super::{DnsmasqEvent, DnsmasqVerb, EventError, Written, cut, is_hostname};

/// The longest name of an interface, in bytes.
const LONGEST_INTERFACE: usize = 15;

impl TryFrom<Written> for DnsmasqEvent {
    type Error = EventError;

    fn try_from(written: Written) -> Result<Self, EventError> {
        let unreadable = |what, text: &str| Err(EventError::Unreadable { what, text: cut(text) });
        if written.version != Written::VERSION {
            return Err(EventError::Version(written.version));
        }
        let nameless = written.interface.is_empty() && written.verb == DnsmasqVerb::Add;
        if nameless || written.interface.len() > LONGEST_INTERFACE {
            return unreadable("the interface", &written.interface);
        }
        let address = written.address;
        if address.is_unspecified() || address.is_loopback() || address.is_multicast() {
            return unreadable("the leased address", &address.to_string());
        }
        if let Some(hostname) = written.hostname.as_deref().filter(|name| !is_hostname(name)) {
            return unreadable("the host name", hostname);
        }
        Ok(Self {
            verb: written.verb,
            duid: written.duid,
            iaid: written.iaid,
            address,
            interface: written.interface,
            expires: written.expires,
            remaining: written.remaining,
            length: written.length,
            link_layer: written.link_layer,
            hostname: written.hostname,
            at: written.at,
        })
    }
}

impl From<DnsmasqEvent> for Written {
    fn from(event: DnsmasqEvent) -> Self {
        Self {
            version: Self::VERSION,
            verb: event.verb,
            duid: event.duid,
            iaid: event.iaid,
            address: event.address,
            interface: event.interface,
            expires: event.expires,
            remaining: event.remaining,
            length: event.length,
            link_layer: event.link_layer,
            hostname: event.hostname,
            at: event.at,
        }
    }
}
