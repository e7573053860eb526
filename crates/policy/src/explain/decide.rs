//! Whether somebody reaches somebody, and by which rule.

use orchestrator_host::DropCause;
use orchestrator_model::{PolicyDecision, Ports, Verdict};

use super::{Party, Target, from_client, from_instance};
use crate::{Links, Policy};

/// A question: whether one reaches another.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'f> {
    /// The one that connects.
    pub from: Party<'f>,
    /// The one that is connected to.
    pub to: Target<'f>,
    /// The sockets; `None` for all.
    pub ports: Option<Ports>,
}

/// Decides whether one reaches another, and names the rule. It is the same policy that the packet filter gets, evaluated
/// without it: `applied` is what the packet filter was brought to.
pub fn decide(asked: &Asked<'_>, links: &Links, applied: &Policy) -> PolicyDecision {
    let ruling = match asked.from {
        Party::Client(facts) => from_client::rule(facts, asked, links, applied),
        Party::Instance(facts, instance) => from_instance::rule(facts, instance, asked, links, applied),
    };
    let names = asked.from.links();
    let mut checked = names.iter().filter_map(|name| links.get(name)).peekable();
    let is_lenient = checked.peek().is_some() && checked.all(|link| !link.isolation.enforce);
    PolicyDecision {
        to: match asked.to {
            Target::Party(party) => party.name(),
            Target::Address(address) => address.to_string(),
        },
        address: match asked.to {
            Target::Party(_) => None,
            Target::Address(address) => Some(address),
        },
        ports: asked.ports,
        verdict: match ruling.verdict {
            Verdict::Dropped if is_lenient => Verdict::WouldBeDropped,
            verdict => verdict,
        },
        cause: ruling.cause.map(DropCause::code),
        why: ruling.why,
    }
}

/// What was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ruling {
    verdict: Verdict,
    cause: Option<DropCause>,
    why: String,
}

impl Ruling {
    pub(super) fn allowed(why: impl Into<String>) -> Self {
        Self::without_cause(Verdict::Allowed, why)
    }

    pub(super) fn not_checked(why: impl Into<String>) -> Self {
        Self::without_cause(Verdict::NotChecked, why)
    }

    pub(super) fn dropped(cause: DropCause, why: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Dropped,
            cause: Some(cause),
            why: why.into(),
        }
    }

    fn without_cause(verdict: Verdict, why: impl Into<String>) -> Self {
        Self {
            verdict,
            cause: None,
            why: why.into(),
        }
    }

    /// What sockets that are allowed, each with its reason, mean for those that were asked about. `nothing` is the ruling
    /// when none of them is among these.
    pub(super) fn of_ports(asked: Option<Ports>, allowed: &[(Option<Ports>, String)], nothing: Self) -> Self {
        let holds = |ports: &Option<Ports>| match (ports, asked) {
            (None, _) => true,
            (Some(ports), Some(asked)) => ports.holds(&asked),
            (Some(_), None) => false,
        };
        if let Some((_, why)) = allowed.iter().find(|(ports, _)| holds(ports)) {
            return Self::allowed(why.as_str());
        }
        let overlaps = |ports: &Ports| asked.is_none_or(|asked| ports.overlaps(&asked));
        let some = allowed.iter().filter_map(|(ports, why)| Some((ports.as_ref()?, why)));
        let only: Vec<String> = some.clone().map(|(ports, why)| format!("{ports} ({why})")).collect();
        let only = only.join(", ");
        match some.map(|(ports, _)| ports).any(overlaps) {
            true => Self::without_cause(Verdict::Partly, format!("only {only}")),
            false if only.is_empty() => nothing,
            false => Self {
                why: format!("{}; only {only}", nothing.why),
                ..nothing
            },
        }
    }
}
