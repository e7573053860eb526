//! Has the kernel log by which bridge ports clients speak, while a link wants to learn that.

use std::time::Duration;

use async_trait::async_trait;
use orchestrator_network::Network;

use super::Context;
use orchestrator_model::{LeaseSource, SiteId};
use orchestrator_reconcile::driver::{Failure, Next, Reconciler, Registration, Run};
use orchestrator_runtime::causes::with_causes;
use orchestrator_runtime::conditions::{Conditions, Owned};
use orchestrator_settings::{Current, Settings};
use orchestrator_source::listener::Origins;

/// The condition under which it is shown that ports cannot be learnt.
const CONDITION: &str = "client ports";
/// How often it is checked that the log has not failed.
const PERIOD: Duration = Duration::from_secs(2);

/// Registers the reconciler.
pub(super) fn register(context: &Context, network: &Network, site: SiteId, origins: Origins) {
    let ports = ClientPorts {
        settings: context.settings.clone(),
        conditions: context.conditions.clone(),
        network: network.clone(),
        name: site.to_string(),
        origins,
        condition: None,
    };
    let registration = Registration::new(CONDITION, "has the kernel log by which bridge ports clients speak");
    let registration = registration.every(PERIOD).following_settings().having_condition();
    context.driver.register(registration, ports);
}

/// Opens and closes the log.
struct ClientPorts {
    settings: Current,
    conditions: Conditions,
    network: Network,
    /// Tells our table in the kernel from those of other daemons.
    name: String,
    origins: Origins,
    /// Held while a link wants to learn ports and cannot.
    condition: Option<Owned>,
}

#[async_trait]
impl Reconciler for ClientPorts {
    async fn reconcile(&mut self, _: &Run) -> Result<Next, Failure> {
        let wanted = is_wanted(&self.settings.get());
        if !wanted {
            self.origins.set_log(None);
        } else if !self.origins.has_log() {
            let opened = self.network.log_origins(&self.name).await;
            let log = opened.map_err(|fault| self.show(with_causes(&fault)))?;
            self.origins.set_log(Some(log));
        }
        self.condition = None;
        Ok(Next::Wait)
    }
}

impl ClientPorts {
    /// Shows why ports are not learnt. Leases are given all the same, so that the daemon is ready.
    fn show(&mut self, reason: String) -> Failure {
        let (conditions, reason) = (
            &self.conditions,
            format!("leases do not record the bridge port of their client: {reason}"),
        );
        let remedy = "set learn_ports = false on every link to do without";
        conditions.set_wrong(CONDITION, format!("{reason}; {remedy}"));
        self.condition.get_or_insert_with(|| conditions.own(CONDITION));
        reason.into()
    }
}

/// Whether a listener on a bridge learns ports.
fn is_wanted(settings: &Settings) -> bool {
    let mut links = settings.links.iter();
    links.any(|link| link.learn_ports && !link.remote && link.source == LeaseSource::Listener)
}
