//! Why the rules of a host are not as they should be, and whom that concerns.

use orchestrator_host::{HostError, NetworkPart};
use orchestrator_policy::{Links, Policy};
use orchestrator_runtime::causes::with_causes;
use orchestrator_store::StoreError;

use super::rules::Request;

/// Why the rules of a host are not as they should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// The host cannot check packets until an operator changes it.
    Unable(String),
    /// The host refused one thing, and was brought to the rest.
    Item {
        /// What it refused, as its key is written.
        subject: String,
        reason: String,
    },
    /// Nobody knows what is in force.
    Unknown(String),
}

impl Fault {
    /// A fault of a host that was to change its rules.
    pub(super) fn of_host(fault: &HostError) -> Self {
        let reason = with_causes(fault);
        match fault {
            _ if fault.lacks_filter() => Self::Unable(reason),
            HostError::Apply { subject, .. } if *subject != NetworkPart::Policy.to_string() => Self::Item {
                subject: subject.clone(),
                reason,
            },
            _ => Self::Unknown(reason),
        }
    }

    /// A fault of the store that was to say what is recorded.
    pub(super) fn of_store(fault: &StoreError) -> Self {
        Self::Unknown(with_causes(fault))
    }

    /// The reason, for the condition. `links` are those that are to be checked.
    pub(super) fn text(&self, links: &Links) -> String {
        let Self::Unable(reason) = self else {
            return self.reason().to_owned();
        };
        let names = |required: bool| {
            let named = links.iter().filter(|link| link.isolation.required == required);
            named.map(|link| link.name.as_str()).collect::<Vec<_>>().join(", ")
        };
        let mut text = format!("this host cannot check packets: {reason}");
        let (open, closed) = (names(false), names(true));
        if !open.is_empty() {
            text += &format!("; anybody may speak with anybody on {open}");
        }
        if !closed.is_empty() {
            text += &format!("; no instance becomes ready on {closed}, where isolation = true");
        }
        text
    }

    /// What an instance is answered: nothing if the fault does not concern it.
    pub(super) fn answer(&self, request: &Request, links: &Links, policy: &Policy) -> Result<(), String> {
        match self {
            Self::Unable(reason) => {
                let required = |name: &&String| links.get(name).is_some_and(|link| link.isolation.required);
                match request.networks.iter().find(required) {
                    Some(name) => Err(format!(
                        "link {name} has isolation = true, and this host cannot check packets: {reason}"
                    )),
                    None => Ok(()),
                }
            }
            Self::Item { subject, reason } => {
                let of_owner = policy.keys_of(&request.owner).any(|key| key.to_string() == *subject);
                let of_links = policy.keys_of_links().any(|key| key.to_string() == *subject);
                match of_owner || of_links {
                    true => Err(reason.clone()),
                    false => Ok(()),
                }
            }
            Self::Unknown(reason) => Err(reason.clone()),
        }
    }

    fn reason(&self) -> &str {
        match self {
            Self::Unable(reason) | Self::Item { reason, .. } | Self::Unknown(reason) => reason,
        }
    }
}
