//! What the store knows of an instance, as far as it may be shown to it.

use std::net::Ipv6Addr;
use std::sync::Arc;

use async_trait::async_trait;
use orchestrator_catalog::Catalog;
use orchestrator_model::{Clock, Deadline, DeadlineCause, Instance, InstanceView, Lease, Leased, Timestamp};
use orchestrator_portal::facts::{ClientFacts, ClientPage, End, EndReason, Facts, InstanceFacts, Unavailable};
use orchestrator_runtime::causes::with_causes;
use orchestrator_settings::Current;
use orchestrator_store::{Holding, Store, StoreError};

use super::super::client_keys::KeysOfClients;
use super::asking::client_at;
use super::cards::{Declarations, page_of};
use super::reach::InstanceReach;

/// Facts from the store, read at each request.
pub(super) struct StoreFacts {
    pub(super) store: Store,
    pub(super) settings: Current,
    pub(super) catalog: Catalog,
    pub(super) clock: Clock,
    pub(super) keys: KeysOfClients,
    pub(super) reach: Arc<InstanceReach>,
}

#[async_trait]
impl Facts for StoreFacts {
    async fn instance(&self, link: &str, address: Ipv6Addr) -> Result<Option<InstanceFacts>, Unavailable> {
        let facts = self.read(link, address).await;
        facts.map_err(|fault| Unavailable(with_causes(&fault)))
    }

    async fn client(&self, link: &str, address: Ipv6Addr) -> Result<Option<ClientPage>, Unavailable> {
        let page = self.read_client(link, address).await;
        page.map_err(|fault| Unavailable(with_causes(&fault)))
    }
}

impl StoreFacts {
    async fn read_client(&self, link: &str, address: Ipv6Addr) -> Result<Option<ClientPage>, StoreError> {
        let Some(holding) = client_at(&self.store, link, address).await? else {
            return Ok(None);
        };
        let declared = Declarations {
            settings: &self.settings.get(),
            catalog: &self.catalog.current(),
        };
        let now = self.clock.now();
        let keys = self.keys.of_holding(&holding).await?;
        page_of(&self.store, &declared, &holding, keys, now).await.map(Some)
    }

    async fn read(&self, link: &str, address: Ipv6Addr) -> Result<Option<InstanceFacts>, StoreError> {
        let Some(InstanceView { instance, .. }) = self.store.instance_at(link, address).await? else {
            return Ok(None);
        };
        let holding = match instance.client() {
            Some(client) => self.store.holding(client).await?,
            None => None,
        };
        let authorized_keys = match &holding {
            Some(holding) => self.keys.of_holding(holding).await?.all(),
            None => Vec::new(),
        };
        let reach = self.reach.shown_to(&instance).await;
        Ok(Some(InstanceFacts {
            authorized_keys,
            reach,
            ..instance_facts(instance, holding.as_ref())
        }))
    }
}

fn instance_facts(instance: Instance, holding: Option<&Holding>) -> InstanceFacts {
    let client = holding.map(client_facts);
    let lease_until = client.as_ref().and_then(|client| client.lease_until);
    let end = end_of(&instance, lease_until);
    let attachments = &instance.attachments;
    let addresses = attachments
        .iter()
        .filter_map(|attachment| Some((attachment.network.clone(), attachment.address?)));
    let prefixes = attachments
        .iter()
        .flat_map(|attachment| attachment.routed.iter().copied());
    InstanceFacts {
        id: instance.id,
        link: instance.link().to_owned(),
        slot: instance.slot.to_string(),
        phase: instance.phase,
        created: instance.created,
        addresses: addresses.collect(),
        prefixes: prefixes.collect(),
        client,
        end,
        hostname: instance.spec.main.hostname,
        template: instance.template,
        version: instance.version,
        values: instance.spec.values,
        authorized_keys: Vec::new(),
        reach: None,
    }
}

/// What may be shown of a client.
pub(super) fn client_facts(
    Holding {
        client, active_leases, ..
    }: &Holding,
) -> ClientFacts {
    let held = |lease: &Lease| lease.leased;
    let addresses = active_leases.iter().map(held).filter_map(|leased| match leased {
        Leased::Address(address) => Some(address),
        Leased::Prefix(_) => None,
    });
    let prefixes = active_leases.iter().map(held).filter_map(|leased| match leased {
        Leased::Prefix(prefix) => Some(prefix),
        Leased::Address(_) => None,
    });
    ClientFacts {
        name: client.hostname.clone(),
        addresses: addresses.collect(),
        prefixes: prefixes.collect(),
        lease_until: active_leases.iter().map(|lease| lease.valid_until).max(),
    }
}

/// When an instance ends, and why: its own deadline, and where it has none its client's lease. A lease without end ends
/// nothing, and neither does anything end an instance that is pinned.
pub(super) fn end_of(instance: &Instance, lease_until: Option<Timestamp>) -> Option<End> {
    if instance.times.pinned.is_some() {
        return None;
    }
    let own = instance.deadline().map(|Deadline { at, cause }| End {
        at,
        reason: match cause {
            DeadlineCause::Lifetime => EndReason::Lifetime,
            DeadlineCause::Idle => EndReason::Idle,
            DeadlineCause::Grace => EndReason::Grace,
            DeadlineCause::Kept => EndReason::Kept,
        },
    });
    let lease = lease_until.filter(|until| *until < Timestamp(i64::MAX)).map(|at| End {
        at,
        reason: EndReason::Lease,
    });
    own.or(lease)
}
