//! Leases and quarantines that an operator ends, each through the part that owns the bindings of its link.

use std::net::Ipv6Addr;

use tokio::sync::oneshot;

use super::Ready;
use orchestrator_api::ControlError;
use orchestrator_model::{ClientId, GrantedTo, Lease, LeaseChange, LeaseSource, LeaseVerb, Timestamp};
use orchestrator_source::listener::Command;

impl Ready {
    /// Frees what the client holds, through the part that owns its bindings.
    pub(super) async fn release(&self, client: ClientId) -> Result<(), ControlError> {
        let Some(holding) = self.store.holding(client).await? else {
            return Ok(());
        };
        let mut leases = holding.active_leases;
        if let Some(commands) = self.listener(&holding.client.link) {
            let (done, outcome) = oneshot::channel();
            let command = Command::Release {
                duid: holding.client.duid,
                done,
            };
            if commands.try_send(command).is_ok()
                && let Ok(released) = outcome.await
            {
                released?;
                // Hosts that were seen are in no bindings.
                leases.retain(|lease| lease.source == LeaseSource::Neighbor);
            }
            // The listener is not up: nobody answers clients from its bindings, and it reads the store when it starts.
        }
        let now = self.clock.now();
        let changes = leases.into_iter().map(|lease| ended(lease, LeaseVerb::Release, now));
        Ok(self.recorder.record(changes.collect()).await?)
    }

    /// Ends a quarantine, through the part that owns the bindings of its link. Returns `false` if it had ended already.
    pub(super) async fn lift(&self, declined: Lease, address: Ipv6Addr) -> Result<bool, ControlError> {
        if let Some(commands) = self.listener(&declined.link) {
            let (done, outcome) = oneshot::channel();
            if commands.try_send(Command::Lift { address, done }).is_ok()
                && let Ok(lifted) = outcome.await
            {
                return Ok(lifted?);
            }
            // The listener is not up: it reads the store when it starts.
        }
        let now = self.clock.now();
        let change = LeaseChange {
            next_hop: None,
            valid_until: now,
            ..ended(declined, LeaseVerb::Lift, now)
        };
        self.recorder.record(vec![change]).await?;
        Ok(true)
    }
}

/// The end of a lease, as it is recorded where no listener ends it.
fn ended(lease: Lease, verb: LeaseVerb, at: Timestamp) -> LeaseChange {
    LeaseChange {
        verb,
        link: lease.link,
        duid: lease.duid,
        iaid: lease.iaid,
        leased: lease.leased,
        next_hop: lease.next_hop,
        class: None,
        source: lease.source,
        preferred_until: lease.preferred_until,
        valid_until: lease.valid_until,
        link_layer: None,
        granted_to: GrantedTo::default(),
        hostname: None,
        at,
        replayed: false,
    }
}
