//! The networks of the settings: bridges without clients, for further interfaces of instances.
//!
//! One reconciler makes each bridge, gives it its address and MTU, and mends what somebody changes about it. A bridge that the
//! daemon made is removed once its network has left the settings and nothing is on it. What somebody else made is never
//! removed.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use orchestrator_network::{BridgeIdentity, BridgePlan, Network, NetworkError, ObservedBridge};
use tokio::sync::watch;
use tokio::time::sleep;

use super::Context;
use orchestrator_model::{EventKind, NewEvent};
use orchestrator_reconcile::driver::{Backoff, Failure, Next, Reconciler, Registration, Run};
use orchestrator_runtime::causes::with_causes;
use orchestrator_runtime::conditions::Owned;
use orchestrator_runtime::contention::Contention;
use orchestrator_settings::NetworkSettings;
use orchestrator_store::Store;

/// How often the bridges are observed.
const PERIOD: Duration = Duration::from_secs(1);
/// The wait after a notification: what comes with it is observed at once.
const GATHER: Duration = Duration::from_millis(200);

/// The condition under which a network is shown.
pub(super) fn condition(network: &str) -> String {
    format!("network {network}")
}

/// Keeps the bridges of all networks.
pub(super) struct Networks {
    parts: Parts,
    /// Changes whenever interfaces or addresses may have.
    interfaces_changed: watch::Receiver<()>,
    kept: BTreeMap<String, Kept>,
}

/// What the bridges are kept with.
pub(super) struct Parts {
    pub(super) context: Context,
    pub(super) store: Store,
    pub(super) network: Network,
}

/// What is known of the bridge of one network.
struct Kept {
    /// What was last brought about; `None` until it was.
    ensured: Option<NetworkSettings>,
    identity: BridgeIdentity,
    contention: Contention,
    _condition: Owned,
}

impl Networks {
    /// Keeps them until the daemon stops, which leaves them as they are.
    pub(super) fn register(parts: Parts, interfaces_changed: watch::Receiver<()>) {
        let registration = Registration::new("networks", "makes the bridges of networks, and mends them");
        let registration = registration
            .following_settings()
            .every(PERIOD)
            .retrying(Backoff::constant(PERIOD))
            .having_condition();
        let driver = parts.context.driver.clone();
        let networks = Self {
            parts,
            interfaces_changed,
            kept: BTreeMap::new(),
        };
        driver.register(registration, networks);
    }
}

#[async_trait]
impl Reconciler for Networks {
    async fn reconcile(&mut self, _: &Run) -> Result<Next, Failure> {
        let wanted = self.parts.context.settings.get().networks.clone();
        let is_wanted = |name: &str| wanted.iter().any(|network| network.name == name);
        self.kept.retain(|name, _| is_wanted(name));
        let mut failed = None;
        for network in &wanted {
            let kept = self.kept.entry(network.name.clone());
            let kept = kept.or_insert_with(|| self.parts.begin(network));
            if let Err(reason) = self.parts.keep(network, kept).await {
                failed.get_or_insert(reason);
            }
        }
        let is_bridge = |bridge: &str| wanted.iter().any(|network| network.bridge == bridge);
        self.parts.remove_left(is_bridge).await;
        match failed {
            None => Ok(Next::Wait),
            Some(reason) => Err(reason.into()),
        }
    }

    async fn notified(&mut self) {
        if self.interfaces_changed.changed().await.is_err() {
            // Nobody observes interfaces any more: the daemon stops.
            std::future::pending::<()>().await;
        }
        sleep(GATHER).await;
    }
}

impl Parts {
    fn begin(&self, network: &NetworkSettings) -> Kept {
        Kept {
            ensured: None,
            identity: BridgeIdentity::default(),
            contention: Contention::default(),
            _condition: self.context.conditions.own(&condition(&network.name)),
        }
    }

    fn mark(&self) -> String {
        format!("orchestrator:{}:network", self.store.identity().site)
    }

    fn plan(&self, network: &NetworkSettings) -> BridgePlan {
        BridgePlan {
            name: network.bridge.clone(),
            create: network.create,
            address: network.address,
            mark: self.mark(),
        }
    }

    /// Brings the bridge of a network to what the settings want of it, and back to it when somebody changed it.
    async fn keep(&self, network: &NetworkSettings, kept: &mut Kept) -> Result<(), String> {
        let outcome = match kept.ensured.as_ref() == Some(network) {
            true => self.observe(network, kept).await,
            false => self.ensure(network, kept).await,
        };
        let conditions = &self.context.conditions;
        match &outcome {
            Ok(()) => conditions.set_ok(&condition(&network.name)),
            Err(reason) => conditions.set_waiting(&condition(&network.name), reason.as_str()),
        }
        outcome
    }

    async fn ensure(&self, network: &NetworkSettings, kept: &mut Kept) -> Result<(), String> {
        kept.ensured = None;
        let ensured = async {
            let bridge = self.network.ensure_bridge(&self.plan(network)).await?;
            match network.mtu {
                Some(mtu) => self.network.ensure_bridge_mtu(&bridge, mtu).await,
                None => Ok(()),
            }
        };
        ensured.await.map_err(|fault| with_causes(&fault))?;
        kept.ensured = Some(network.clone());
        Ok(())
    }

    async fn observe(&self, network: &NetworkSettings, kept: &mut Kept) -> Result<(), String> {
        let plan = self.plan(network);
        let observed = match self.network.observe_bridge(&plan, &kept.identity, &[]).await {
            Ok(Some(observed)) => observed,
            Ok(None) => {
                self.note(network, format!("bridge {} was removed", network.bridge));
                return self.ensure(network, kept).await;
            }
            Err(fault @ (NetworkError::MtuTooSmall { .. } | NetworkError::NotABridge { .. })) => {
                return Err(with_causes(&fault));
            }
            // A kernel that does not answer says nothing about the bridge.
            Err(_) => return Ok(()),
        };
        if kept.identity.mac.is_none() || !observed.bridge.ours {
            kept.identity.mac = observed.identity.mac;
        }
        kept.identity.link_local = kept.identity.link_local.or(observed.identity.link_local);
        let wanted = network
            .mtu
            .filter(|mtu| observed.bridge.ours && observed.bridge.mtu != *mtu);
        if observed.flaws.is_empty() && wanted.is_none() {
            return Ok(());
        }
        self.repair(network, kept, &observed).await
    }

    /// Mends what is not as planned, unless it was mended too often lately.
    async fn repair(
        &self,
        network: &NetworkSettings,
        kept: &mut Kept,
        observed: &ObservedBridge,
    ) -> Result<(), String> {
        let mut flaws: Vec<String> = observed.flaws.iter().map(ToString::to_string).collect();
        if flaws.is_empty() {
            flaws.push(format!("its MTU is {}", observed.bridge.mtu));
        }
        let said = format!("somebody changed bridge {}: {}", network.bridge, flaws.join(", "));
        if !kept.contention.may_mend() {
            let times = kept.contention.contended().unwrap_or_default();
            return Err(format!(
                "{said}; something else manages {} too, and changed it {times} times after it was mended; have it leave {0} \
                 alone",
                network.name
            ));
        }
        let repaired = self
            .network
            .repair_bridge(&self.plan(network), &kept.identity, observed)
            .await;
        kept.contention.mended();
        if let Err(fault) = repaired {
            self.context.metrics.link_repair_failed();
            return Err(format!("{said}: {}", with_causes(&fault)));
        }
        for flaw in &observed.flaws {
            self.context.metrics.link_repaired(flaw.word());
        }
        if let Some(mtu) = network.mtu {
            let ensured = self.network.ensure_bridge_mtu(&observed.bridge, mtu).await;
            ensured.map_err(|fault| with_causes(&fault))?;
        }
        tracing::warn!(network = network.name, "{said}: mended");
        self.note(network, format!("{said}: mended"));
        Ok(())
    }

    /// Removes bridges that were made for networks that are no longer wanted, once nothing is on them.
    async fn remove_left(&self, is_wanted: impl Fn(&str) -> bool) {
        let mark = self.mark();
        let Ok(made) = self.network.made_bridges(&mark).await else {
            // A kernel that does not answer is asked again.
            return;
        };
        for bridge in made
            .iter()
            .filter(|bridge| bridge.ports == 0 && !is_wanted(&bridge.name))
        {
            match self.network.remove_bridge(&bridge.name, &mark).await {
                Ok(true) => tracing::info!(bridge = bridge.name, "its network left the settings: removed"),
                Ok(false) => {}
                Err(fault) => {
                    let error = &fault as &dyn std::error::Error;
                    tracing::warn!(bridge = bridge.name, error, "could not remove a bridge of no network");
                }
            }
        }
    }

    /// Records what happened to a network. It is written when the store comes to it: nothing waits for it.
    fn note(&self, network: &NetworkSettings, detail: String) {
        let event = NewEvent {
            link: Some(network.name.clone()),
            detail: Some(detail),
            ..NewEvent::new(self.context.clock.now(), EventKind::LinkDisturbed)
        };
        let store = self.store.clone();
        self.context.tasks.spawn(async move {
            if let Err(fault) = store.append_event(event).await {
                tracing::warn!("could not record what happened to a network: {}", with_causes(&fault));
            }
        });
    }
}
