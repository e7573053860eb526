//! Metrics of DHCPv6 messages.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;

use super::{Labelled, Metrics, count, count_all, counter, labelled};

#[derive(Clone)]
pub(super) struct Dhcp6 {
    dhcp6_messages: Labelled,
    dhcp6_discards: Labelled,
    dhcp6_refusals: Labelled,
    dhcp6_unsent: Counter,
    dhcp6_cloned_duids: Counter,
    dhcp6_reconfigures: Labelled,
    dhcp6_client_limits: Labelled,
    dhcp6_origins: Labelled,
    dhcp6_origins_lost: Counter,
    dhcp6_holder_probes: Labelled,
    dhcp6_moves: Counter,
    dhcp6_other_servers: Counter,
}

impl Dhcp6 {
    pub(super) fn register(registry: &mut Registry) -> Self {
        Self {
            dhcp6_messages: labelled(registry, "dhcp6_messages", "DHCPv6 messages answered, by type"),
            dhcp6_discards: labelled(
                registry,
                "dhcp6_discards",
                "DHCPv6 messages that were discarded, by reason",
            ),
            dhcp6_refusals: labelled(
                registry,
                "dhcp6_refusals",
                "Identity associations that got no lease, by status",
            ),
            dhcp6_unsent: counter(
                registry,
                "dhcp6_unsent",
                "DHCPv6 replies that the kernel did not accept",
            ),
            dhcp6_cloned_duids: counter(
                registry,
                "dhcp6_cloned_duids",
                "Times that a DUID was seen at two link-local addresses in turn, at most once an hour each",
            ),
            dhcp6_reconfigures: labelled(registry, "dhcp6_reconfigures", "Reconfigure exchanges, by outcome"),
            dhcp6_client_limits: labelled(
                registry,
                "dhcp6_client_limits",
                "Times that a client was at its limit of leases, by outcome",
            ),
            dhcp6_origins: labelled(
                registry,
                "dhcp6_origins",
                "DHCPv6 messages that changed a lease on a bridge, by whether their bridge port was known",
            ),
            dhcp6_origins_lost: counter(
                registry,
                "dhcp6_origins_lost",
                "Times that the kernel dropped records of bridge ports because they were not read in time",
            ),
            dhcp6_holder_probes: labelled(
                registry,
                "dhcp6_holder_probes",
                "Times that the holder of a lease was asked whether it is still there, because another machine asked for \
                 the lease, by outcome",
            ),
            dhcp6_moves: counter(
                registry,
                "dhcp6_moves",
                "Messages by which a client took its leases to another place on its link",
            ),
            dhcp6_other_servers: counter(
                registry,
                "dhcp6_other_servers",
                "DHCPv6 messages that another server on a link sent or was sent",
            ),
        }
    }
}

impl Metrics {
    /// Counts a DHCPv6 message that changed a lease, and whether its bridge port is known.
    pub fn origin(&self, outcome: &'static str) {
        count(&self.dhcp6.dhcp6_origins, "outcome", outcome);
    }

    /// Counts a loss of records of bridge ports in the kernel.
    pub fn origins_lost(&self) {
        self.dhcp6.dhcp6_origins_lost.inc();
    }

    /// Counts a question to the holder of a lease, whether it is still there.
    pub fn dhcp6_holder_probe(&self, outcome: &'static str) {
        count(&self.dhcp6.dhcp6_holder_probes, "outcome", outcome);
    }

    /// Counts a client that took its leases to another place on its link.
    pub fn dhcp6_moved(&self) {
        self.dhcp6.dhcp6_moves.inc();
    }

    /// Counts a message that another DHCPv6 server on a link sent or was sent.
    pub fn dhcp6_other_server(&self) {
        self.dhcp6.dhcp6_other_servers.inc();
    }

    /// Counts a DHCPv6 message of this type that is answered. What it changed is durable.
    pub fn dhcp6_answered(&self, kind: &'static str) {
        count(&self.dhcp6.dhcp6_messages, "type", kind);
    }

    /// Counts DHCPv6 messages of these types, as [`Metrics::dhcp6_answered`] does.
    pub fn dhcp6_all_answered(&self, kinds: impl IntoIterator<Item = &'static str>) {
        count_all(&self.dhcp6.dhcp6_messages, "type", kinds);
    }

    /// Counts a discarded DHCPv6 message.
    pub fn dhcp6_discarded(&self, reason: &'static str) {
        count(&self.dhcp6.dhcp6_discards, "reason", reason);
    }

    /// Counts an identity association that got no lease, with its status.
    pub fn dhcp6_refused(&self, status: &'static str) {
        count(&self.dhcp6.dhcp6_refusals, "status", status);
    }

    /// Counts a DHCPv6 reply that the kernel refused to send.
    pub fn dhcp6_unsent(&self) {
        self.dhcp6.dhcp6_unsent.inc();
    }

    /// Counts a DUID that two machines use.
    pub fn dhcp6_cloned_duid(&self) {
        self.dhcp6.dhcp6_cloned_duids.inc();
    }

    /// Counts a client that reached its limit of leases.
    pub fn dhcp6_client_limit(&self, outcome: &'static str) {
        count(&self.dhcp6.dhcp6_client_limits, "outcome", outcome);
    }

    /// Counts a Reconfigure that was sent, answered, or not answered.
    pub fn dhcp6_reconfigure(&self, outcome: &'static str) {
        count(&self.dhcp6.dhcp6_reconfigures, "outcome", outcome);
    }
}
