//! The bridge of one network.

use orchestrator_host::{BridgePlan, BridgePurpose, HostError, NetworkError, NetworkItem, ObservedBridge};

use super::reconciler::Networks;
use orchestrator_runtime::causes::with_causes;
use orchestrator_runtime::conditions::{Conditions, Owned};
use orchestrator_runtime::contention::Contention;
use orchestrator_settings::NetworkSettings;

/// The condition under which a network is shown.
pub fn condition(network: &str) -> String {
    format!("network {network}")
}

/// What is known of the bridge of one network.
pub(super) struct Kept {
    /// The settings that the bridge was last brought to; `None` until it was.
    ensured: Option<NetworkSettings>,
    /// The link-layer address that hosts know the bridge by.
    mac: Option<[u8; 6]>,
    /// The link-local address that hosts know the bridge by.
    link_local: Option<std::net::Ipv6Addr>,
    contention: Contention,
    _condition: Owned,
}

impl Kept {
    pub(super) fn begin(network: &NetworkSettings, conditions: &Conditions) -> Self {
        Self {
            ensured: None,
            mac: None,
            link_local: None,
            contention: Contention::default(),
            _condition: conditions.own(&condition(&network.name)),
        }
    }

    fn plan(&self, network: &NetworkSettings) -> BridgePlan {
        BridgePlan {
            name: network.bridge.clone(),
            purpose: BridgePurpose::Network,
            create: network.create,
            address: network.address,
            services: Vec::new(),
            mtu: network.mtu,
            mac: self.mac,
            link_local: self.link_local,
        }
    }

    /// Takes up what hosts know the bridge by. A bridge of ours is given its link-layer address back.
    fn learn(&mut self, observed: &ObservedBridge) {
        if self.mac.is_none() || !observed.bridge.ours {
            self.mac = observed.identity.mac;
        }
        self.link_local = self.link_local.or(observed.identity.link_local);
    }
}

impl Networks {
    /// Brings the bridge of a network to what the settings want of it, and back to it when somebody changed it.
    pub(super) async fn keep(&mut self, network: &NetworkSettings, kept: &mut Kept) -> Result<(), String> {
        let outcome = match kept.ensured.as_ref() == Some(network) {
            true => self.observe(network, kept).await,
            false => self.ensure(network, kept).await,
        };
        let (conditions, condition) = (&self.parts.conditions, condition(&network.name));
        match &outcome {
            Ok(()) => conditions.set_ok(&condition),
            Err(reason) => conditions.set_waiting(&condition, reason.as_str()),
        }
        outcome
    }

    async fn ensure(&mut self, network: &NetworkSettings, kept: &mut Kept) -> Result<(), String> {
        kept.ensured = None;
        let applied = self.apply(kept.plan(network)).await;
        applied.map_err(|fault| with_causes(&fault))?;
        kept.ensured = Some(network.clone());
        Ok(())
    }

    async fn apply(&mut self, plan: BridgePlan) -> Result<(), HostError> {
        let item = || vec![NetworkItem::Bridge(plan.clone())];
        if !self.part.apply_difference(item(), Vec::new()).await? {
            // The whole removes no bridge: only its own network's leaving does.
            self.part.apply_whole(item()).await?;
        }
        Ok(())
    }

    async fn observe(&mut self, network: &NetworkSettings, kept: &mut Kept) -> Result<(), String> {
        let observed = match self.part.host().see_bridge(&kept.plan(network), &[]).await {
            Ok(Some(observed)) => observed,
            Ok(None) => {
                self.note(network, format!("bridge {} was removed", network.bridge));
                return self.ensure(network, kept).await;
            }
            Err(fault) => {
                return match fault.network() {
                    Some(NetworkError::MtuTooSmall { .. } | NetworkError::NotABridge { .. }) => {
                        Err(with_causes(&fault))
                    }
                    // A host that does not answer says nothing about the bridge.
                    _ => Ok(()),
                };
            }
        };
        kept.learn(&observed);
        match observed.flaws.is_empty() {
            true => Ok(()),
            false => self.repair(network, kept, &observed).await,
        }
    }

    /// Mends what is not as planned, unless it was mended too often lately.
    async fn repair(
        &mut self,
        network: &NetworkSettings,
        kept: &mut Kept,
        observed: &ObservedBridge,
    ) -> Result<(), String> {
        let flaws: Vec<String> = observed.flaws.iter().map(ToString::to_string).collect();
        let said = format!("somebody changed bridge {}: {}", network.bridge, flaws.join(", "));
        if !kept.contention.may_mend() {
            let times = kept.contention.contended().unwrap_or_default();
            return Err(format!(
                "{said}; something else manages {} too, and changed it {times} times after it was mended; have it leave {0} \
                 alone",
                network.name
            ));
        }
        let repaired = self.apply(kept.plan(network)).await;
        kept.contention.mended();
        if let Err(fault) = repaired {
            self.parts.metrics.link_repair_failed();
            return Err(format!("{said}: {}", with_causes(&fault)));
        }
        for flaw in &observed.flaws {
            self.parts.metrics.link_repaired(flaw.word());
        }
        tracing::warn!(network = network.name, "{said}: mended");
        self.note(network, format!("{said}: mended"));
        Ok(())
    }
}
