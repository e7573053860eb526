//! The addresses that an instance may speak from, and how much.

use std::net::Ipv6Addr;

use ipnet::Ipv6Net;
use orchestrator_host::{Endpoint, InstanceBinding, PolicyItem, PortRate, PortRole};
use orchestrator_model::{Attachment, Instance, MacAddress, Owner};

use crate::{Entry, LinkFacts, Links, Why};

/// An attachment of an instance to a link whose packets are checked.
pub(crate) struct Attached<'f> {
    pub(crate) link: &'f LinkFacts,
    pub(crate) instance: &'f Instance,
    pub(crate) attachment: &'f Attachment,
}

impl Attached<'_> {
    /// The attachment as one that is spoken with; `None` while its address is pending.
    pub(crate) fn endpoint(&self) -> Option<Endpoint> {
        let MacAddress(mac) = self.attachment.mac;
        Some(Endpoint {
            port: self.attachment.host_end(),
            mac,
            address: self.attachment.address?,
        })
    }

    /// The reason for what a key of the template allows.
    pub(crate) fn template(&self, key: &'static str) -> Why {
        Why::Template {
            name: self.instance.template.clone(),
            key,
        }
    }

    /// An entry of the instance.
    pub(crate) fn entry(&self, item: PolicyItem, why: Why) -> Entry {
        Entry {
            item,
            why,
            since: self.instance.created,
        }
    }
}

/// The attachments of an instance to links whose packets are checked.
pub(crate) fn attached<'f>(instance: &'f Instance, links: &'f Links) -> impl Iterator<Item = Attached<'f>> {
    instance.attachments.iter().filter_map(move |attachment| {
        Some(Attached {
            link: links.get(&attachment.network)?,
            instance,
            attachment,
        })
    })
}

/// The bindings of an attachment, its role and its rate.
pub(crate) fn entries(attached: &Attached<'_>) -> Vec<Entry> {
    let Attached {
        link,
        instance,
        attachment,
    } = attached;
    let MacAddress(mac) = attachment.mac;
    let own = attachment.address.map(Ipv6Net::from);
    let prefixes = own.into_iter().chain([link_local(mac).into()]);
    let why = || Why::Instance {
        id: instance.id,
        slot: instance.slot.clone(),
    };
    let bind = |prefix| {
        PolicyItem::Instance(InstanceBinding {
            bridge: link.name.clone(),
            port: attachment.host_end(),
            mac,
            prefix,
        })
    };
    let prefixes = prefixes.chain(attachment.routed.iter().copied());
    let mut entries: Vec<Entry> = prefixes.map(|prefix| attached.entry(bind(prefix), why())).collect();
    if matches!(instance.owner, Owner::Pool(_)) {
        let port = attachment.host_end();
        let role = PortRole::Parked;
        entries.push(attached.entry(PolicyItem::Port { port, role }, Why::Parked));
    }
    let rate = instance.spec.access.rate;
    if !rate.is_unlimited() {
        let item = PolicyItem::Rate(PortRate {
            port: attachment.host_end(),
            packets: rate.packets,
            bytes: rate.bytes,
        });
        entries.push(attached.entry(item, attached.template("packet_rate and byte_rate")));
    }
    entries
}

/// The link-local address that the kernel forms from a link-layer address (RFC 4291, appendix A).
pub(crate) fn link_local(mac: [u8; 6]) -> Ipv6Addr {
    let [a, b, c, d, e, g] = mac;
    Ipv6Addr::from([0xfe, 0x80, 0, 0, 0, 0, 0, 0, a ^ 2, b, c, 0xff, 0xfe, d, e, g])
}
