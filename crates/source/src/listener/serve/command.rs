//! Commands from the rest of the daemon.

use std::net::Ipv6Addr;

use orchestrator_dhcp6::{Change, Reconfigure};
use tokio::sync::oneshot;

use super::{Listener, Made, Pending};
use crate::listener::reconfigure::{NotReconfigured, Reconfiguring};
use orchestrator_model::{Duid, Leased};
use orchestrator_store::StoreError;

/// A command from the rest of the daemon to a listener.
#[derive(Debug)]
pub enum Command {
    /// Free all leases of this client, as if it had released them.
    Release {
        /// The client whose leases are released.
        duid: Duid,
        /// Gets the result once it is durable.
        done: oneshot::Sender<Result<(), StoreError>>,
    },
    /// End the quarantine of a declined address.
    Lift {
        /// The address.
        address: Ipv6Addr,
        /// Gets the result once it is durable: whether the address was in quarantine.
        done: oneshot::Sender<Result<bool, StoreError>>,
    },
    /// Make this client send a message (RFC 9915, section 18.3.11).
    Reconfigure {
        /// The client to reconfigure.
        duid: Duid,
        /// The message.
        what: Reconfigure,
        /// Gets the result once the first Reconfigure was sent. Further ones follow until the client answers.
        done: oneshot::Sender<Result<Reconfiguring, NotReconfigured>>,
    },
}

/// Whoever gave a command, and waits for its result.
pub(super) enum Done {
    Released(oneshot::Sender<Result<(), StoreError>>),
    Lifted(oneshot::Sender<Result<bool, StoreError>>),
}

impl Done {
    /// Reports the result. The requester may be gone.
    pub(super) fn report(self, outcome: Result<(), StoreError>, has_changed: bool) {
        match self {
            Self::Released(done) => drop(done.send(outcome)),
            Self::Lifted(done) => drop(done.send(outcome.map(|()| has_changed))),
        }
    }
}

impl Listener {
    /// Applies a command in memory, and returns what must be committed.
    pub(super) fn obey(&mut self, command: Command) -> Pending {
        match command {
            Command::Release { duid, done } => Pending {
                changes: self.release(&duid),
                done: Some(Done::Released(done)),
                ..Pending::default()
            },
            Command::Lift { address, done } => Pending {
                changes: self.lift(address),
                done: Some(Done::Lifted(done)),
                ..Pending::default()
            },
            Command::Reconfigure { duid, what, done } => {
                // The requester may be gone.
                let _ = done.send(self.watch.reconfigure(&self.rules.link, duid, what));
                Pending::default()
            }
        }
    }

    /// Ends the quarantine of an address.
    fn lift(&mut self, address: Ipv6Addr) -> Vec<Made> {
        let change = self.bindings.lift(address, self.parts.clock.now().0);
        change.iter().for_each(|change| self.bindings.apply(change));
        let made = change.into_iter().map(|change| Made { change, origin: None });
        made.collect()
    }

    /// Frees all leases of a client.
    fn release(&mut self, duid: &Duid) -> Vec<Made> {
        let now = self.parts.clock.now().0;
        let leases: Vec<Leased> = self.bindings.of_client(duid).map(|binding| binding.leased).collect();
        let changes: Vec<Change> = leases
            .into_iter()
            .filter_map(|leased| self.bindings.release(leased, now))
            .collect();
        changes.iter().for_each(|change| self.bindings.apply(change));
        let made = changes.into_iter().map(|change| Made { change, origin: None });
        made.collect()
    }
}
