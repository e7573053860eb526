//! What the router and the orders of certificates by ACME tell each other: neither waits for the other one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use orchestrator_acme::Proof;
use orchestrator_balancer::{Challenge, HostName, Pem};
use tokio::sync::watch;

/// What the router shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Shown {
    /// The names whose record was read, or could not be.
    pub(super) known: BTreeSet<HostName>,
    /// The certificates that are there.
    pub(super) certificates: BTreeMap<HostName, Pem>,
    /// What is missing or wrong.
    pub(super) faults: BTreeMap<HostName, String>,
    /// What the authority looks for.
    pub(super) challenges: BTreeSet<Challenge>,
}

/// What the orders are for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Asked {
    /// The names that want a certificate, while there is a balancer.
    pub(super) hosts: BTreeSet<HostName>,
    /// What every balancer shows.
    pub(super) in_force: BTreeSet<Challenge>,
}

/// Both. A cheap handle.
#[derive(Debug, Clone)]
pub(super) struct Board {
    pub(super) shown: Arc<watch::Sender<Shown>>,
    pub(super) asked: Arc<watch::Sender<Asked>>,
}

impl Board {
    pub(super) fn new() -> Self {
        Self {
            shown: Arc::new(watch::Sender::new(Shown::default())),
            asked: Arc::new(watch::Sender::new(Asked::default())),
        }
    }
}

/// Says something to the other side, if it is new.
pub(super) fn tell<T: PartialEq>(sender: &watch::Sender<T>, value: T) {
    sender.send_if_modified(|known| {
        let is_new = *known != value;
        if is_new {
            *known = value;
        }
        is_new
    });
}

/// The challenge that shows a proof; `None` where it has characters that no challenge has.
pub(super) fn challenge(proof: &Proof) -> Option<Challenge> {
    Challenge::new(&proof.token, &proof.answer).ok()
}
