//! Records that a slot is to be filled, and what with.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use super::Orchestrator;
use super::admission::Verdict;
use super::segment::{Segment, segment};
use super::spec::{containers, spec};
use super::volumes::Volumes;
use super::wants::Want;
use crate::addresses::Reserved;
use orchestrator_catalog::{Declared, Template};
use orchestrator_host::{Capabilities, Capability};
use orchestrator_model::{
    Attachment, Container, EventKind, InstanceId, MacAddress, Mount, NewEvent, Phase, RecordedVolume, Resolver, Share,
    SlotKey, Timestamp,
};
use orchestrator_settings::{Settings, TemplateSettings};
use orchestrator_store::{Holding, NewInstance, Situation, StoreError};

/// The pause before another try for an address of a full range.
const FULL_PAUSE: Duration = Duration::from_secs(10);

/// How long until the kernel is asked again for the interfaces of an instance that is to be adopted.
const KERNEL_PAUSE: Duration = Duration::from_secs(1);

/// What became of the plan for an instance.
pub(super) enum Planned {
    /// It is recorded: so the slot is now.
    Recorded(Box<Situation>),
    /// It is not wanted any more, or somebody else has changed the slot.
    Done,
    /// It cannot be recorded now. The next try is then.
    Later(Timestamp),
    /// It has no place now. Its worker is woken when it has one.
    NoPlace,
}

/// Why an instance cannot be recorded now.
enum Unplanned {
    /// A network has no address left.
    Full(String),
    /// A network that the template names is not declared.
    NoNetwork(String),
    /// The kernel does not say which interfaces an instance has that is to be adopted.
    Kernel,
}

/// The interfaces of an instance that is to be recorded, with the addresses that are reserved for them.
struct Wiring {
    attachments: Vec<Attachment>,
    reserved: Vec<Reserved>,
}

impl Orchestrator {
    /// Records a new instance, if it has a place.
    pub(super) async fn plan(&self, situation: &Situation) -> Result<Planned, StoreError> {
        let declared = self.declared();
        let Some(Want::Fill {
            template: name,
            network,
            by_router,
            host,
        }) = self.want(situation)
        else {
            return Ok(Planned::Done);
        };
        let Some(host) = host else {
            return Ok(Planned::NoPlace);
        };
        let segment = segment(declared.settings(), &network);
        let (Some(template), Some(mut segment)) = (declared.template(&name), segment) else {
            let (detail, now) = (undeclared(&declared, &name, &network), self.inner.clock.now());
            self.report_unplanned(&situation.key, &network, detail, now).await?;
            return Ok(Planned::Later(now.plus(FULL_PAUSE)));
        };
        if by_router && segment.gateway.is_some() {
            segment.prefix_length = 128;
        }
        if self.ask_for_place(situation, template, &network, &host).await? == Verdict::Later {
            return Ok(Planned::NoPlace);
        }
        let now = self.inner.clock.now();
        let orphan = self.adoptable(situation, &segment, &template.settings).await?;
        let id = match &orphan {
            Some((id, _)) => *id,
            None => self.inner.records.new_id()?,
        };
        let adopted = orphan.is_some();
        let had = match adopted {
            true => self.orphan_volumes(id),
            false => BTreeMap::new(),
        };
        let wiring = self.plan_wiring(
            situation,
            id,
            segment,
            &template.settings,
            orphan.map(|(_, reserved)| reserved),
        );
        let Wiring { attachments, reserved } = match wiring.await? {
            Ok(wiring) => wiring,
            Err(Unplanned::Kernel) => return Ok(Planned::Later(now.plus(KERNEL_PAUSE))),
            Err(Unplanned::Full(network)) => {
                let detail = format!(
                    "link {network} has no address left for an instance; widen its `instances` or shorten its lifetimes"
                );
                self.report_unplanned(&situation.key, &network, detail, now).await?;
                return Ok(Planned::Later(now.plus(FULL_PAUSE)));
            }
            Err(Unplanned::NoNetwork(network)) => {
                let detail = format!(
                    "there is no network {network:?}, which template {name} names; describe it under [[network]]"
                );
                self.report_unplanned(&situation.key, &network, detail, now).await?;
                return Ok(Planned::Later(now.plus(FULL_PAUSE)));
            }
        };
        let volumes = match self
            .plan_volumes(&situation.key, &host, &template.settings, &had)
            .await?
        {
            Ok(volumes) => volumes,
            Err(held) => {
                let detail = not_free(&held);
                self.report_unplanned(&situation.key, &network, detail, now).await?;
                return Ok(Planned::Later(now.plus(FULL_PAUSE)));
            }
        };
        let holding = situation.holding.as_ref();
        let mark = holding.map(|holding| self.inner.records.mark_of(&holding.client.duid));
        let mut new = new_instance(id, situation, mark, attachments, volumes, template, now);
        new.host = Some(host);
        if new.spec.main.resolver.is_none() {
            new.spec.main.resolver = self.own_resolver(declared.settings(), &network, &template.settings.engine);
        }
        self.record_plan(situation, new, adopted, reserved).await
    }

    /// The daemon's own DNS server, for instances of a template that names no other; `None` where the link has none, or the
    /// engine cannot have a container use it.
    fn own_resolver(&self, settings: &Settings, network: &str, engine: &str) -> Option<Resolver> {
        let link = settings.link(network).filter(|link| link.dns)?;
        let can = |capabilities: &Capabilities| capabilities.has(Capability::Resolver);
        let hosts = self.inner.hosts.values();
        let mut engines = hosts.filter_map(|host| host.capabilities().engines.get(engine).copied());
        engines.any(|capabilities| can(&capabilities)).then(|| Resolver {
            servers: vec![link.address.addr().into()],
            search: settings.dns.search(),
        })
    }

    /// Plans an interface on the network that the instance is reached on, and one on each further network of its template.
    async fn plan_wiring(
        &self,
        situation: &Situation,
        id: InstanceId,
        first: Segment,
        template: &TemplateSettings,
        adopted: Option<Reserved>,
    ) -> Result<Result<Wiring, Unplanned>, StoreError> {
        let declared = self.declared();
        let settings = declared.settings();
        let mut segments = vec![first];
        for network in &template.networks {
            match segment(settings, network) {
                Some(segment) => segments.push(segment),
                None => return Ok(Err(Unplanned::NoNetwork(network.clone()))),
            }
        }
        let made = match &adopted {
            // The interfaces that it has are taken on with it, and those are named after their attachments.
            Some(_) => match self.host_ends_of_orphan(id).await {
                Ok(found) => found,
                Err(fault) => {
                    tracing::debug!(instance = %id, error = %fault, "could not look for its interfaces");
                    return Ok(Err(Unplanned::Kernel));
                }
            },
            None => Vec::new(),
        };
        let (is_adopted, mut adopted) = (adopted.is_some(), adopted);
        let (mut attachments, mut all_reserved) = (Vec::new(), Vec::new());
        for (number, segment) in (1..).zip(segments) {
            let reserved = match adopted.take() {
                Some(reserved) => reserved,
                None => match self.reserve_again(id, &situation.key, &segment, is_adopted).await? {
                    Some(reserved) => reserved,
                    None => return Ok(Err(Unplanned::Full(segment.network))),
                },
            };
            let made = made
                .iter()
                .find(|found| found.bridge.as_deref() == Some(segment.bridge.as_str()));
            let attachment = made.and_then(|found| found.attachment);
            attachments.push(Attachment {
                id: attachment.map_or_else(|| self.inner.records.new_id(), Ok)?,
                instance: id,
                container: Container::MAIN.to_owned(),
                network: segment.network.clone(),
                bridge: segment.bridge.clone(),
                interface: format!("eth{number}"),
                address: Some(reserved.address()),
                prefix_length: segment.prefix_length,
                gateway: segment.gateway,
                isolated: segment.isolates(template),
                mac: MacAddress::of(reserved.address()),
                routed: Vec::new(),
            });
            all_reserved.push(reserved);
        }
        Ok(Ok(Wiring {
            attachments,
            reserved: all_reserved,
        }))
    }

    async fn record_plan(
        &self,
        situation: &Situation,
        new: NewInstance,
        adopted: bool,
        reserved: Vec<Reserved>,
    ) -> Result<Planned, StoreError> {
        let (key, id) = (&situation.key, new.id);
        let attachment = new.attachments.first();
        let event = NewEvent {
            link: attachment.map(|attachment| attachment.network.clone()),
            client: key.owner.client(),
            instance: Some(id),
            host: new.host.clone(),
            service: key.owner.service_in(&key.slot).map(str::to_owned),
            leased: attachment.and_then(|attachment| attachment.address).map(Into::into),
            detail: Some(format!("template {}, image {}", new.template, new.spec.main.image)),
            ..NewEvent::new(
                new.at,
                if adopted {
                    EventKind::InstanceAdopted
                } else {
                    EventKind::InstanceWanted
                },
            )
        };
        let networks: Vec<String> = new
            .attachments
            .iter()
            .map(|attachment| attachment.network.clone())
            .collect();
        let recorded = self.inner.records.plan_instance(new, event).await;
        match recorded {
            Ok(instance) => {
                self.place_taken(key, id, false);
                reserved.into_iter().for_each(Reserved::keep);
                self.reported_full().remove(key);
                if adopted {
                    tracing::info!(instance = %id, owner = %key.owner, "its owner is back: adopted");
                    self.forget_orphan(id);
                }
                Ok(Planned::Recorded(Box::new(situation.clone().filled(instance))))
            }
            // Somebody else's plan made the instance in between.
            Err(StoreError::AlreadyThere { .. }) => Ok(Planned::Done),
            Err(fault) => {
                // The taken addresses differ from those in memory, or the result of the write is unknown.
                networks.iter().for_each(|network| self.inner.addresses.forget(network));
                match fault {
                    StoreError::AddressTaken { .. } | StoreError::VolumeTaken(_) => Ok(Planned::Done),
                    StoreError::NoSuchClient(_) => Err(fault),
                    fault => {
                        // It may be recorded: then it has its place.
                        self.place_taken(key, id, true);
                        Err(fault)
                    }
                }
            }
        }
    }

    /// An instance that the database does not know and that was made for the slot, with its address reserved.
    async fn adoptable(
        &self,
        situation: &Situation,
        segment: &Segment,
        template: &TemplateSettings,
    ) -> Result<Option<(InstanceId, Reserved)>, StoreError> {
        let Some(Holding { client, .. }) = &situation.holding else {
            return Ok(None);
        };
        let orphan = self.orphan_of(client, &situation.key.slot, &template.engine);
        let Some((id, address)) = orphan.filter(|(_, address)| segment.range.contains(address)) else {
            return Ok(None);
        };
        self.know(&segment.network).await?;
        let reserved = self.inner.addresses.reserve_this(&segment.network, address);
        Ok(reserved.map(|reserved| (id, reserved)))
    }

    /// Reserves the address that an adopted instance has on a further network, as far as that is known and free; otherwise
    /// any address of the network.
    async fn reserve_again(
        &self,
        id: InstanceId,
        key: &SlotKey,
        segment: &Segment,
        is_adopted: bool,
    ) -> Result<Option<Reserved>, StoreError> {
        let before = self.orphan_address(id, &segment.network).filter(|_| is_adopted);
        if let Some(before) = before.filter(|before| segment.range.contains(before)) {
            self.know(&segment.network).await?;
            if let Some(reserved) = self.inner.addresses.reserve_this(&segment.network, before) {
                return Ok(Some(reserved));
            }
        }
        self.reserve(key, segment).await
    }

    /// Reserves an address of a network for a slot; `None` when there is none.
    async fn reserve(&self, key: &SlotKey, segment: &Segment) -> Result<Option<Reserved>, StoreError> {
        self.know(&segment.network).await?;
        let others = self.orphan_addresses(&segment.network);
        let before = self.inner.records.last_address(key, &segment.network).await?;
        let addresses = &self.inner.addresses;
        Ok(addresses.reserve(&segment.network, segment.range, key, before, &others))
    }

    /// Reads what is taken of a network, unless that is known.
    async fn know(&self, network: &str) -> Result<(), StoreError> {
        if let Some(reading) = self.inner.addresses.begin(network) {
            reading.finish(self.inner.records.taken_addresses(network).await?);
        }
        Ok(())
    }

    pub(super) fn reported_full(&self) -> MutexGuard<'_, BTreeSet<SlotKey>> {
        self.inner.full.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says that an instance cannot be recorded: in the owner's timeline once, and by the counter at every try.
    async fn report_unplanned(
        &self,
        key: &SlotKey,
        network: &str,
        detail: String,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.inner.metrics.provision_failed("no-address");
        let news = self.reported_full().insert(key.clone());
        if news {
            if let Some(held_back) = self.inner.metrics.log_limit().admit("no-address") {
                tracing::warn!(of = %key, detail, held_back, "no instance");
            }
            let event = NewEvent {
                link: Some(network.to_owned()),
                client: key.owner.client(),
                service: key.owner.service_in(&key.slot).map(str::to_owned),
                detail: Some(detail),
                ..NewEvent::new(now, EventKind::Refused)
            };
            self.inner.records.append_event(event).await?;
        }
        Ok(())
    }
}

/// Why an instance cannot be planned whose template or network is not declared.
fn undeclared(declared: &Declared, template: &str, network: &str) -> String {
    match declared.template(template) {
        None => format!("there is no template {template:?}; declare it, or name another one"),
        Some(_) => format!(
            "there is no link or network {network:?} with addresses for instances; describe it under [[network]], or name \
             another one"
        ),
    }
}

/// Why a volume cannot be taken now.
fn not_free(volume: &RecordedVolume) -> String {
    let (id, name) = (volume.id, &volume.name);
    match volume.holder {
        Some(holder) => format!("volume {id} ({name}) is held by instance {holder}, and no two instances share one"),
        None => format!("volume {id} ({name}) is on host {}", volume.host),
    }
}

/// The new instance for a slot, on no host yet.
fn new_instance(
    id: InstanceId,
    situation: &Situation,
    mark: Option<String>,
    attachments: Vec<Attachment>,
    volumes: Volumes,
    template: &Template,
    now: Timestamp,
) -> NewInstance {
    let (name, version, template) = (&template.name, template.version, &template.settings);
    let SlotKey { owner, slot } = &situation.key;
    NewInstance {
        id,
        owner: owner.clone(),
        slot: slot.clone(),
        host: None,
        template: name.clone(),
        version,
        spec: spec(id, situation, mark, &attachments, volumes.mounts, template),
        // Its worker goes on at once, and need not record that.
        phase: Phase::Starting,
        volumes: volumes.taken,
        containers: containers(id, template),
        attachments,
        share: share_of(situation),
        until: template.time.lifetime.map(|lifetime| now.plus(lifetime)),
        idle: template.time.idle,
        at: now,
    }
}

/// Whom the instances of a slot's owner count for. An owner that is no client has no share of a link.
pub(super) fn share_of(situation: &Situation) -> Share {
    situation.holding.as_ref().map(Holding::share).unwrap_or_default()
}

/// The addresses on all networks, as `NETWORK=ADDRESS` with spaces between. Names of networks hold neither.
pub(super) fn addresses(attachments: &[Attachment]) -> String {
    let known = attachments
        .iter()
        .filter_map(|one| Some(format!("{}={}", one.network, one.address?)));
    known.collect::<Vec<_>>().join(" ")
}

/// The ids of the volumes, as `NAME=ID` with spaces between; `None` without volumes. Names of volumes hold neither.
pub(super) fn volumes(mounts: &[Mount]) -> Option<String> {
    let mut all: Vec<String> = mounts
        .iter()
        .map(|mount| format!("{}={}", mount.name, mount.volume))
        .collect();
    // A volume may be in several containers.
    all.dedup();
    (!all.is_empty()).then(|| all.join(" "))
}
