//! Shows what the packet filter allows one client or instance.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;
use std::sync::Arc;
use std::time::Duration;

use orchestrator_api::ControlError;
use orchestrator_host::{Count, DropCause, Host, HostCapability, PolicyCounts};
use orchestrator_model::{
    BindingState, ClientId, Instance, InstanceId, Owner, PolicyDecision, PolicyDrop, PolicySubject, PolicyTarget,
    PolicyView, Ports,
};
use orchestrator_policy::{Asked, Explanation, Links, OwnerFacts, Party, Policy, Target, decide, explain};
use orchestrator_reconcile::policy::{CONDITION, PolicyRecords};
use orchestrator_runtime::causes::with_causes;
use orchestrator_runtime::conditions::Conditions;
use orchestrator_settings::Current;
use orchestrator_store::Store;
use tokio::time::timeout;

/// How long the host may take to say what it has counted.
const PATIENCE: Duration = Duration::from_secs(3);

/// Answers questions about the policy, out of what is recorded and of what the host counts.
pub(super) struct PolicyDesk {
    pub(super) settings: Current,
    pub(super) store: Store,
    pub(super) host: Arc<dyn Host>,
    pub(super) conditions: Conditions,
}

/// What is recorded of a party, owned.
struct Recorded {
    facts: OwnerFacts,
    instance: Option<Instance>,
}

impl Recorded {
    fn party(&self) -> Party<'_> {
        match &self.instance {
            None => Party::Client(&self.facts),
            Some(instance) => Party::Instance(&self.facts, instance),
        }
    }
}

impl PolicyDesk {
    pub(super) async fn show(
        &self,
        of: PolicySubject,
        to: Option<(PolicyTarget, Option<Ports>)>,
    ) -> Result<PolicyView, ControlError> {
        let settings = self.settings.get();
        let links = Links::of(&settings, settings.metadata.address);
        let applied = self.applied(&links).await?;
        let from = match of {
            PolicySubject::Client(id) => self.client(id).await?,
            PolicySubject::Instance(id) => self.instance(id).await?,
        };
        let decision = match to {
            Some((to, ports)) => Some(self.decide(&from, to, ports, &links, &applied).await?),
            None => None,
        };
        let Explanation {
            links,
            mut bindings,
            rules,
            unbound,
        } = explain(from.party(), &links, &applied);
        let fault = self.fault();
        if fault.is_some() {
            // What is recorded may not have come to the packet filter.
            let in_force = bindings.iter_mut().filter(|one| one.state == BindingState::InForce);
            in_force.for_each(|binding| binding.state = BindingState::Pending);
        }
        let (drops, uncounted) = match self.counts().await {
            Ok(counts) => {
                let macs: Vec<[u8; 6]> = bindings.iter().map(|binding| binding.link_layer.0).collect();
                (drops(from.instance.as_ref(), &macs, &counts), unbound)
            }
            Err(reason) => (Vec::new(), Some(reason)),
        };
        Ok(PolicyView {
            subject: of,
            fault,
            links,
            bindings,
            rules,
            drops,
            uncounted,
            decision,
        })
    }

    /// What the packet filter is brought to by all that is recorded.
    async fn applied(&self, links: &Links) -> Result<Policy, ControlError> {
        let mut policy = Policy::new(links.clone());
        for facts in self.store.all_facts().await? {
            policy.set_owner(&facts);
        }
        Ok(policy)
    }

    /// Why the packet filter is not as it should be.
    fn fault(&self) -> Option<String> {
        let all = self.conditions.list();
        let condition = all
            .into_iter()
            .find(|condition| condition.name == CONDITION && !condition.ok)?;
        Some(condition.reason.unwrap_or_default())
    }

    async fn client(&self, id: ClientId) -> Result<Recorded, ControlError> {
        Ok(Recorded {
            facts: self.store.facts_of(&Owner::Client(id)).await?,
            instance: None,
        })
    }

    async fn instance(&self, id: InstanceId) -> Result<Recorded, ControlError> {
        let gone = || ControlError::Refused {
            reason: format!("instance {id} is gone, and nothing is allowed to it any more"),
        };
        let found = self.store.instance(id).await?.ok_or_else(gone)?;
        let facts = self.store.facts_of(&found.instance.owner).await?;
        // The facts have live instances only.
        let instance = facts.instances.iter().find(|one| one.id == id).cloned();
        let instance = Some(instance.ok_or_else(gone)?);
        Ok(Recorded { facts, instance })
    }

    async fn decide(
        &self,
        from: &Recorded,
        to: PolicyTarget,
        ports: Option<Ports>,
        links: &Links,
        applied: &Policy,
    ) -> Result<PolicyDecision, ControlError> {
        let to = match to {
            PolicyTarget::Client(id) => Ok(self.client(id).await?),
            PolicyTarget::Instance(id) => Ok(self.instance(id).await?),
            PolicyTarget::Address(address) => self.at(address, applied).await?.ok_or(address),
        };
        let to = match &to {
            Ok(recorded) => Target::Party(recorded.party()),
            Err(address) => Target::Address(*address),
        };
        let from = from.party();
        Ok(decide(&Asked { from, to, ports }, links, applied))
    }

    /// The client or the instance that has this address.
    async fn at(&self, address: Ipv6Addr, applied: &Policy) -> Result<Option<Recorded>, ControlError> {
        let Some(owner) = applied.owner_of(address) else {
            return Ok(None);
        };
        let facts = self.store.facts_of(owner).await?;
        let has = |instance: &&Instance| instance.attachments.iter().any(|one| one.address == Some(address));
        let instance = facts.instances.iter().find(has).cloned();
        Ok(Some(Recorded { facts, instance }))
    }

    async fn counts(&self) -> Result<PolicyCounts, String> {
        if !self.host.capabilities().host.contains(&HostCapability::Policy) {
            return Err(format!("host {} does not check packets", self.host.name()));
        }
        match timeout(PATIENCE, self.host.policy_counts()).await {
            Ok(counts) => counts.map_err(|fault| with_causes(&fault)),
            Err(_elapsed) => Err(format!("host {} did not answer in {PATIENCE:?}", self.host.name())),
        }
    }
}

/// What was dropped of an instance, or of a client with these link-layer addresses, the most frequent cause first.
fn drops(instance: Option<&Instance>, macs: &[[u8; 6]], counts: &PolicyCounts) -> Vec<PolicyDrop> {
    let mut all: BTreeMap<DropCause, Count> = BTreeMap::new();
    let mut add = |causes: Option<&BTreeMap<DropCause, Count>>| {
        for (cause, count) in causes.into_iter().flatten() {
            let sum = all.entry(*cause).or_default();
            sum.packets += count.packets;
            sum.bytes += count.bytes;
        }
    };
    match instance {
        Some(instance) => {
            for attachment in &instance.attachments {
                add(counts.ports.get(&attachment.host_end()));
                add(attachment.address.and_then(|address| counts.routed.get(&address)));
            }
        }
        None => {
            let mut macs = macs.to_vec();
            macs.sort_unstable();
            macs.dedup();
            for mac in macs {
                add(counts.clients.get(&mac));
            }
        }
    }
    let mut drops: Vec<PolicyDrop> = all.into_iter().map(dropped).collect();
    drops.sort_by_key(|drop| std::cmp::Reverse(drop.packets));
    drops
}

fn dropped((cause, Count { packets, bytes }): (DropCause, Count)) -> PolicyDrop {
    PolicyDrop {
        cause: cause.code(),
        meaning: cause.meaning(),
        packets,
        bytes,
    }
}
