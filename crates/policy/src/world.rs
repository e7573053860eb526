//! What an instance may reach in the world.

use orchestrator_host::{Destination, PolicyItem};

use crate::Entry;
use crate::instance::Attached;
use crate::ports::traffic;

/// The destinations of an instance, and whether its source is translated.
pub(crate) fn egress(attached: &Attached<'_>) -> Vec<Entry> {
    let access = &attached.instance.spec.access;
    let Some(address) = attached.attachment.address.filter(|_| !access.egress.is_empty()) else {
        return Vec::new();
    };
    let destination = |egress: &orchestrator_model::Egress| Destination {
        prefix: egress.to,
        traffic: egress.ports.as_ref().map(traffic),
    };
    let to = access.egress.iter().map(destination).collect();
    let egress = attached.entry(PolicyItem::Egress { address, to }, attached.template("egress"));
    let nat = access
        .nat
        .then(|| attached.entry(PolicyItem::Nat { address }, attached.template("nat")));
    std::iter::once(egress).chain(nat).collect()
}
