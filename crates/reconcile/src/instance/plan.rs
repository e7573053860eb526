//! Records that a slot is to be filled, and what with.

use std::collections::{BTreeMap, HashSet};
use std::net::Ipv6Addr;
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use ipnet::Ipv6Net;

use super::wants::Want;
use super::{Orchestrator, address};
use orchestrator_model::{
    Attachment, Client, Container, ContainerSpec, EventKind, HostId, InstanceId, MacAddress, NewEvent, Owner, SlotKey,
    Timestamp,
};
use orchestrator_settings::{Settings, TemplateSettings};
use orchestrator_store::{Holding, NewInstance, Situation, StoreError};

/// How long until a full pool of addresses is looked at again.
const FULL_PAUSE: Duration = Duration::from_secs(10);

/// How long until the kernel is asked again for the interfaces of an instance that is to be adopted.
const KERNEL_PAUSE: Duration = Duration::from_secs(1);

/// What of a network an attachment is made from.
struct Segment {
    /// Addresses for instances.
    range: Ipv6Net,
    /// The host's own address there, with the length of the prefix; instances route by it.
    router: Ipv6Net,
}

/// The network of this name, where it has addresses for instances.
fn segment(settings: &Settings, network: &str) -> Option<Segment> {
    let link = settings.link(network)?;
    Some(Segment {
        range: link.instances?,
        router: link.address,
    })
}

impl Orchestrator {
    /// Records a new instance. `Ok(Err(when))` says that it could not be, and when to try again.
    pub(super) async fn plan(&self, situation: &Situation) -> Result<Result<(), Timestamp>, StoreError> {
        let settings = self.settings();
        let Some(Want::Fill { template, network }) = self.want(situation) else {
            return Ok(Ok(()));
        };
        let (Some(settings_of), Some(segment)) = (settings.templates.get(&template), segment(&settings, &network))
        else {
            return Ok(Ok(()));
        };
        let (key, now) = (&situation.key, self.inner.clock.now());
        let orphan = self.adoptable(situation, &network, &segment, settings_of).await?;
        let chosen = match orphan {
            Some((_, address)) => Some(address),
            None => self.choose_address(key, &network, segment.range).await?,
        };
        let Some(address) = chosen else {
            self.report_full(key, &network, now).await?;
            return Ok(Err(now.plus(FULL_PAUSE)));
        };
        let id = match orphan {
            Some((id, _)) => id,
            None => self.inner.records.new_id()?,
        };
        let attachment = match orphan {
            // The interfaces that it has are taken on with it, and those are named after the attachment.
            Some((id, _)) => match self.host_ends_of_orphan(id).await {
                Ok(found) => found.first().and_then(|found| found.attachment),
                Err(fault) => {
                    tracing::debug!(instance = %id, error = %fault, "could not look for its interfaces");
                    return Ok(Err(now.plus(KERNEL_PAUSE)));
                }
            },
            None => None,
        };
        let attachment = Attachment {
            id: attachment.map_or_else(|| self.inner.records.new_id(), Ok)?,
            instance: id,
            container: Container::MAIN.to_owned(),
            network,
            interface: "eth1".to_owned(),
            address: Some(address),
            prefix_length: segment.router.prefix_len(),
            gateway: Some(segment.router.addr()),
            isolated: settings_of.isolated,
            mac: MacAddress::of(address),
            routed: Vec::new(),
        };
        let new = new_instance(id, situation, attachment, (&template, settings_of), now);
        self.record_plan(situation, new, orphan.is_some()).await
    }

    async fn record_plan(
        &self,
        situation: &Situation,
        new: NewInstance,
        adopted: bool,
    ) -> Result<Result<(), Timestamp>, StoreError> {
        let (key, id) = (&situation.key, new.id);
        let attachment = new.attachments.first();
        let event = NewEvent {
            link: attachment.map(|attachment| attachment.network.clone()),
            client: key.owner.client(),
            instance: Some(id),
            host: new.host.clone(),
            service: match &key.owner {
                Owner::Service(name) => Some(name.clone()),
                Owner::Client(_) | Owner::Pool(_) | Owner::Operator(_) => None,
            },
            leased: attachment.and_then(|attachment| attachment.address).map(Into::into),
            detail: Some(format!("template {}, image {}", new.template, new.spec.image)),
            ..NewEvent::new(
                new.at,
                if adopted {
                    EventKind::InstanceAdopted
                } else {
                    EventKind::InstanceWanted
                },
            )
        };
        match self.inner.records.plan_instance(new, event).await {
            Ok(_) => {
                self.reported_full().remove(key);
                if adopted {
                    tracing::info!(instance = %id, owner = %key.owner, "its owner is back: adopted");
                    self.forget_orphan(id);
                }
                Ok(Ok(()))
            }
            // Someone else's plan took the address or made the instance in between: look again.
            Err(StoreError::AddressTaken { .. } | StoreError::AlreadyThere { .. }) => Ok(Ok(())),
            Err(fault) => Err(fault),
        }
    }

    /// An instance that the database does not know and that was made for the slot, with its address.
    async fn adoptable(
        &self,
        situation: &Situation,
        network: &str,
        segment: &Segment,
        template: &TemplateSettings,
    ) -> Result<Option<(InstanceId, Ipv6Addr)>, StoreError> {
        let Some(Holding { client, .. }) = &situation.holding else {
            return Ok(None);
        };
        let orphan = self.orphan_of(client, &situation.key.slot, &template.engine);
        let Some((id, address)) = orphan.filter(|(_, address)| segment.range.contains(address)) else {
            return Ok(None);
        };
        let taken = self.inner.records.taken_addresses(network).await?;
        Ok((!taken.contains(&address)).then_some((id, address)))
    }

    /// A free address for the slot; `None` when there is none.
    async fn choose_address(
        &self,
        key: &SlotKey,
        network: &str,
        range: Ipv6Net,
    ) -> Result<Option<Ipv6Addr>, StoreError> {
        let mut taken = self.inner.records.taken_addresses(network).await?;
        taken.extend(self.orphan_addresses(network));
        let before = self.inner.records.last_address(key, network).await?;
        Ok(address::choose(range, key, before, &taken))
    }

    fn reported_full(&self) -> MutexGuard<'_, HashSet<SlotKey>> {
        self.inner.full.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the owner's timeline once, and the counter at every try.
    async fn report_full(&self, key: &SlotKey, network: &str, now: Timestamp) -> Result<(), StoreError> {
        let detail = format!(
            "link {network} has no address left for an instance; widen its `instances` or shorten its lifetimes"
        );
        self.inner.metrics.provision_failed("no-address");
        let news = self.reported_full().insert(key.clone());
        if news {
            if let Some(held_back) = self.inner.metrics.log_limit().admit("no-address") {
                tracing::warn!(of = %key, detail, held_back, "no instance");
            }
            let event = NewEvent {
                link: Some(network.to_owned()),
                client: key.owner.client(),
                detail: Some(detail),
                ..NewEvent::new(now, EventKind::Refused)
            };
            self.inner.records.append_event(event).await?;
        }
        Ok(())
    }
}

/// What is recorded of a slot that is to be filled.
fn new_instance(
    id: InstanceId,
    situation: &Situation,
    attachment: Attachment,
    (name, template): (&str, &TemplateSettings),
    now: Timestamp,
) -> NewInstance {
    let SlotKey { owner, slot } = &situation.key;
    NewInstance {
        id,
        owner: owner.clone(),
        slot: slot.clone(),
        host: Some(HostId::local()),
        template: name.to_owned(),
        version: 0,
        spec: spec(id, situation, &attachment, template),
        containers: vec![Container {
            instance: id,
            name: Container::MAIN.to_owned(),
            engine: template.engine.clone(),
            image: template.image.clone(),
            reference: None,
        }],
        attachments: vec![attachment],
        at: now,
    }
}

/// What an instance is told of itself, under names that begin with `ORCHESTRATOR_`.
fn facts(id: InstanceId, situation: &Situation, attachment: &Attachment) -> Vec<(&'static str, Option<String>)> {
    let SlotKey { owner, slot } = &situation.key;
    let mut facts = vec![
        ("INSTANCE", Some(id.to_string())),
        ("SLOT", Some(slot.to_string())),
        ("ADDRESS", attachment.address.map(|address| address.to_string())),
        ("LINK", Some(attachment.network.clone())),
    ];
    if let Owner::Service(name) = owner {
        facts.push(("SERVICE", Some(name.clone())));
    }
    if let Some(Holding {
        client, active_leases, ..
    }) = &situation.holding
    {
        facts.extend([
            ("CLIENT_DUID", Some(client.duid.to_string())),
            (
                "CLIENT_ADDRESS",
                active_leases.first().map(|lease| lease.leased.to_string()),
            ),
            ("HOSTNAME", client.hostname.clone()),
        ]);
    }
    facts
}

fn spec(id: InstanceId, situation: &Situation, attachment: &Attachment, template: &TemplateSettings) -> ContainerSpec {
    let mut environment: BTreeMap<String, String> = template.environment.clone();
    for (name, value) in facts(id, situation, attachment) {
        if let Some(value) = value {
            environment.insert(format!("ORCHESTRATOR_{name}"), value);
        }
    }
    let client: Option<&Client> = situation.holding.as_ref().map(|holding| &holding.client);
    ContainerSpec {
        image: template.image.clone(),
        hostname: client
            .and_then(|client| client.hostname.clone())
            .filter(|name| is_label(name))
            .unwrap_or_else(|| format!("i{id}")),
        command: template.command.clone(),
        environment,
        environment_from: template.environment_from.clone(),
        capabilities: template.capabilities.clone(),
        resources: template.resources.clone(),
        labels: BTreeMap::from([("orchestrator.link".to_owned(), attachment.network.clone())]),
        devices: Vec::new(),
        volumes: Vec::new(),
        files: Vec::new(),
        resolver: None,
    }
}

/// Whether a name that a client gave may stand as a host name: a label of RFC 1123.
fn is_label(name: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    (1..=63).contains(&name.len()) && name.bytes().all(inner) && !name.starts_with('-') && !name.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::is_label;

    #[test]
    fn only_labels_become_host_names() {
        for name in ["phone", "a", "Laptop-7"] {
            assert!(is_label(name), "{name}");
        }
        for name in ["", "-a", "a-", "a.b", "a b", "a;reboot", &"x".repeat(64)] {
            assert!(!is_label(name), "{name}");
        }
    }
}
