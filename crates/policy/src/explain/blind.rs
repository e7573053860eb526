//! Clients whose packets cannot be bound: nobody knows the link-layer address that they come from.

use orchestrator_host::PolicyItem;
use orchestrator_model::Lease;

use crate::{Entry, LinkFacts, Links, OwnerFacts};

/// A client that holds leases on links that are checked, while nothing is bound to it there.
pub(super) struct Blind {
    /// The link of its first lease there.
    pub(super) link: String,
    /// Why nothing is bound, in words for operators.
    pub(super) why: String,
    /// Whether its packets pass the check of their source all the same.
    pub(super) may_speak: bool,
}

/// `None` if something is bound to the client, or if it holds no lease on a link that is checked.
pub(super) fn blind(facts: &OwnerFacts, entries: &[Entry], links: &Links) -> Option<Blind> {
    let is_bound = |entry: &Entry| matches!(entry.item, PolicyItem::Client(_));
    if entries.iter().any(is_bound) {
        return None;
    }
    let leases = facts.leases.iter();
    let mut held = leases.filter_map(|lease| Some((lease, links.get(&lease.link)?)));
    let (lease, link) = held.next()?;
    let passes = |(lease, link): (&Lease, &LinkFacts)| {
        let port = lease.granted_to.port.as_deref();
        link.unbound || port.is_some_and(|port| link.passes_any_source(port))
    };
    Some(Blind {
        link: link.name.clone(),
        why: format!("nothing is bound to the client: {}", reason(lease, link)),
        may_speak: passes((lease, link)) || held.any(passes),
    })
}

fn reason(lease: &Lease, link: &LinkFacts) -> String {
    let place = &lease.granted_to;
    match (&place.relay, &place.port) {
        (None, _) => "it is not known from which link-layer address it asked for its lease".to_owned(),
        (Some(agent), None) => {
            format!("its lease came by the relay agent {agent}, and the daemon did not learn from which port")
        }
        (Some(agent), Some(port)) if !link.relays_at(port) => format!(
            "its lease came by the relay agent {agent} at port {port}, which is not in relay_ports of link {}",
            link.name
        ),
        (Some(agent), Some(_)) => format!(
            "its lease came by the relay agent {agent}, which does not supply the client's link-layer address \
             (RFC 6939), and the client's address and DUID have none"
        ),
    }
}
