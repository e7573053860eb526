//! Whether this machine forwards packets: without it a route to a client is of no use.

use std::time::Duration;

use tokio::time::Instant;

use super::Keeper;
use orchestrator_runtime::conditions::{Conditions, Owned};

/// The condition under which it is shown.
const CONDITION: &str = "forwarding";
/// How often the setting is read: the kernel notifies nobody of it.
const PERIOD: Duration = Duration::from_secs(2);
/// What is wrong when it does not, and what helps.
const OFF: &str = "this machine forwards no IPv6 packets, so that clients cannot use their prefixes; set \
                   net.ipv6.conf.all.forwarding=1 (an interface that has its default route from router advertisements \
                   needs accept_ra=2 then)";

/// What is shown of forwarding.
pub(super) struct Forwarding {
    /// When the setting is to be read.
    pub(super) due: Instant,
    /// Held while prefixes are delegated.
    condition: Option<Owned>,
}

impl Forwarding {
    pub(super) fn new() -> Self {
        Self {
            due: Instant::now(),
            condition: None,
        }
    }

    /// Shows whether the machine forwards, where that is needed. The daemon is ready without it: leases go on.
    fn show(&mut self, needed: bool, forwards: bool, conditions: &Conditions) {
        self.due = Instant::now() + PERIOD;
        if !needed {
            self.condition = None;
            return;
        }
        if self.condition.is_none() {
            self.condition = Some(conditions.own(CONDITION));
        }
        match forwards {
            true => conditions.set_ok(CONDITION),
            false => conditions.set_wrong(CONDITION, OFF),
        }
    }
}

impl Keeper {
    /// Reads whether the machine forwards packets, and shows it.
    pub(super) fn check_forwarding(&mut self) {
        let forwards = self.parts.network.forwards();
        let needed = self.parts.settings.get().delegates();
        self.forwarding.show(needed, forwards, &self.parts.conditions);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forwarding_is_shown_only_where_prefixes_are_delegated_and_keeps_nobody_from_being_ready() {
        let (conditions, mut forwarding) = (Conditions::default(), Forwarding::new());
        forwarding.show(false, false, &conditions);
        assert!(conditions.list().is_empty());
        forwarding.show(true, false, &conditions);
        assert!(
            conditions.ready() && !conditions.list()[0].ok,
            "{:?}",
            conditions.list()
        );
        forwarding.show(true, true, &conditions);
        assert!(conditions.list()[0].ok);
        forwarding.show(false, true, &conditions);
        assert!(conditions.list().is_empty());
    }
}
