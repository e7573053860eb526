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

    /// Tells the names that want a certificate. A proof that is not wanted any more does not count as shown from now on: the
    /// balancers drop it one after the other, and may be asked for it again meanwhile.
    pub(super) fn ask(&self, hosts: BTreeSet<HostName>, wanted: &BTreeSet<Challenge>) {
        self.asked.send_if_modified(|asked| {
            let count = asked.in_force.len();
            asked.in_force.retain(|challenge| wanted.contains(challenge));
            let is_new = asked.in_force.len() != count || asked.hosts != hosts;
            asked.hosts = hosts;
            is_new
        });
    }

    /// Tells what every balancer shows.
    pub(super) fn is_in_force(&self, in_force: BTreeSet<Challenge>) {
        self.asked.send_if_modified(|asked| {
            let is_new = asked.in_force != in_force;
            asked.in_force = in_force;
            is_new
        });
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

#[cfg(test)]
mod tests {
    use super::*;

    fn challenges(tokens: &[&str]) -> BTreeSet<Challenge> {
        let each = tokens.iter();
        each.map(|token| Challenge::new(token, &format!("{token}.print")).unwrap())
            .collect()
    }

    #[test]
    fn a_proof_counts_as_shown_only_since_every_balancer_was_last_brought_to_it() {
        let board = Board::new();
        let hosts = BTreeSet::from(["web.example".parse::<HostName>().unwrap()]);
        let in_force = || board.asked.borrow().in_force.clone();
        board.ask(hosts.clone(), &challenges(&["a", "b"]));
        assert!(in_force().is_empty());
        board.is_in_force(challenges(&["a", "b"]));
        let mut asked = board.asked.subscribe();
        board.ask(hosts.clone(), &challenges(&["a", "b"]));
        assert!(!asked.has_changed().unwrap(), "nothing is new");
        board.ask(hosts.clone(), &challenges(&["b"]));
        assert!(asked.has_changed().unwrap() && in_force() == challenges(&["b"]));
        asked.mark_unchanged();
        // Wanted again before a turn succeeded.
        board.ask(hosts.clone(), &challenges(&["a", "b"]));
        assert_eq!(in_force(), challenges(&["b"]));
        board.ask(BTreeSet::new(), &challenges(&["a", "b"]));
        assert!(asked.has_changed().unwrap());
        assert_eq!(
            *board.asked.borrow(),
            Asked {
                hosts: BTreeSet::new(),
                in_force: challenges(&["b"])
            }
        );
    }

    #[test]
    fn every_proof_that_can_be_shown_is_a_challenge() {
        let long = "a".repeat(200);
        for (token, answer) in [
            ("aZ09-_", "aZ09-_.print"),
            (long.as_str(), "b"),
            ("", "a.b"),
            ("a.b", "a.b"),
            ("a", ""),
            ("a", "a b"),
            ("é", "a"),
            (&"a".repeat(257), "a"),
            ("a", &"a".repeat(257)),
        ] {
            let proof = Proof {
                token: token.to_owned(),
                answer: answer.to_owned(),
            };
            assert_eq!(
                proof.can_be_shown(),
                challenge(&proof).is_some(),
                "{token:?} {answer:?}"
            );
        }
    }
}
