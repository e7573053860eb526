//! Checks that this machine forwards packets. Otherwise a route to a client is of no use.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use orchestrator_host::{Host, ListRequest, Listed};

use super::Parts;
use crate::driver::{Failure, Next, Reconciler, Registration, Run};
use crate::part::list_all;
use orchestrator_runtime::conditions::{Conditions, Owned};
use orchestrator_settings::Current;

/// The condition under which it is shown.
const CONDITION: &str = "forwarding";
/// How often the setting is read: the kernel notifies nobody of it.
const PERIOD: Duration = Duration::from_secs(2);
/// The fault and its remedy when it does not.
const OFF: &str = "this machine forwards no IPv6 packets, so that clients cannot use their prefixes, nor reach \
                   instances on a link with a front door; set \
                   net.ipv6.conf.all.forwarding=1 (an interface that has its default route from router advertisements \
                   needs accept_ra=2 then)";

/// Shows whether this machine forwards packets.
pub(super) struct Forwarding {
    host: Arc<dyn Host>,
    settings: Current,
    conditions: Conditions,
    /// Held while prefixes are delegated.
    condition: Option<Owned>,
}

impl Forwarding {
    pub(super) fn new(parts: &Parts) -> Self {
        Self {
            host: parts.host.clone(),
            settings: parts.settings.clone(),
            conditions: parts.conditions.clone(),
            condition: None,
        }
    }

    pub(super) fn registration() -> Registration {
        Registration::new(
            "forwarding",
            "shows whether this machine forwards packets to delegated prefixes",
        )
        .every(PERIOD)
        .following_settings()
        .having_condition()
    }
}

#[async_trait]
impl Reconciler for Forwarding {
    async fn reconcile(&mut self, _: &Run) -> Result<Next, Failure> {
        let needed = {
            let settings = self.settings.get();
            settings.delegates() || settings.has_front_door()
        };
        let forwards = !needed || self.forwards().await?;
        show(&mut self.condition, needed, forwards, &self.conditions);
        Ok(Next::Wait)
    }
}

impl Forwarding {
    async fn forwards(&self) -> Result<bool, Failure> {
        let request = ListRequest {
            forwarding: true,
            ..ListRequest::default()
        };
        let listed = list_all(self.host.as_ref(), &request).await;
        for answer in listed.map_err(|fault| Failure::of(&fault))? {
            if let Listed::Forwarding(forwards) = answer {
                return forwards.map_err(|fault| Failure::of(&fault));
            }
        }
        Err("the host does not say whether it forwards packets".to_owned().into())
    }
}

/// Shows whether the machine forwards, where that is needed. The daemon is ready without it: leases go on.
fn show(condition: &mut Option<Owned>, needed: bool, forwards: bool, conditions: &Conditions) {
    if !needed {
        *condition = None;
        return;
    }
    condition.get_or_insert_with(|| conditions.own(CONDITION));
    match forwards {
        true => conditions.set_ok(CONDITION),
        false => conditions.set_wrong(CONDITION, OFF),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forwarding_is_shown_only_where_prefixes_are_delegated_and_keeps_nobody_from_being_ready() {
        let (conditions, mut held) = (Conditions::default(), None);
        show(&mut held, false, false, &conditions);
        assert!(conditions.list().is_empty());
        show(&mut held, true, false, &conditions);
        assert!(
            conditions.ready() && !conditions.list()[0].ok,
            "{:?}",
            conditions.list()
        );
        show(&mut held, true, true, &conditions);
        assert!(conditions.list()[0].ok);
        show(&mut held, false, true, &conditions);
        assert!(conditions.list().is_empty());
    }
}
