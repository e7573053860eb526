//! Explains a policy: what one client or instance is allowed, why, and whether it reaches somebody.

mod binding;
mod blind;
mod client;
mod decide;
mod from_client;
mod from_instance;
mod instance;
mod party;

use orchestrator_model::{PolicyBinding, PolicyLink, PolicyRule};

pub use decide::{Asked, decide};
pub use party::{Party, Target};

use crate::ways::ways;
use crate::{Links, Policy, derive};

/// What one client or instance is allowed, and why.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Explanation {
    /// The links that it is on.
    pub links: Vec<PolicyLink>,
    /// The addresses that it may speak from.
    pub bindings: Vec<PolicyBinding>,
    /// Whom it may speak with.
    pub rules: Vec<PolicyRule>,
    /// Why no address is bound to the client in the packet filter, although it holds a lease on a link that is checked;
    /// `None` if one is. The counters of dropped packets do not name such a client.
    pub unbound: Option<String>,
}

/// Explains what a client or an instance is allowed by these links. `applied` is what the packet filter was brought to.
pub fn explain(party: Party<'_>, links: &Links, applied: &Policy) -> Explanation {
    let mut entries = derive(party.facts(), links);
    entries.extend(ways(party.facts(), links, applied.balancers()));
    let names = party.links();
    let unbound = match party {
        Party::Client(facts) => blind::blind(facts, &entries, links).map(|blind| blind.why),
        Party::Instance(..) => None,
    };
    let rules = match party {
        Party::Client(facts) => client::rules(facts, &names, links, &entries),
        Party::Instance(facts, instance) => instance::rules(facts, instance, &names, links, &entries),
    };
    Explanation {
        links: names.iter().map(|name| link(name, links)).collect(),
        bindings: binding::bindings(party, &entries, applied),
        rules,
        unbound,
    }
}

fn link(name: &str, links: &Links) -> PolicyLink {
    let checked = links.get(name);
    PolicyLink {
        link: name.to_owned(),
        isolation: checked.is_some(),
        enforce: checked.is_some_and(|link| link.isolation.enforce),
    }
}
