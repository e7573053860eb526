//! What is recorded of clients and instances, as names are made from it.

use std::collections::HashMap;

use orchestrator_dns::{ClientName, InstanceName, Label};
use orchestrator_model::{ClientId, Instance, InstanceId, Lease, LeaseState, Leased, Owner, Phase, Slot, Timestamp};
use orchestrator_store::{Holding, LeaseFilter, Store, StoreError};

/// What is recorded of everybody.
pub(super) struct Everybody {
    pub(super) clients: HashMap<ClientId, ClientName>,
    /// Ready instances of other owners than clients.
    pub(super) instances: HashMap<InstanceId, InstanceName>,
}

/// What is recorded of a client; `None` if it holds nothing.
pub(super) async fn of_client(store: &Store, id: ClientId) -> Result<Option<ClientName>, StoreError> {
    let Some(Holding {
        client, active_leases, ..
    }) = store.holding(id).await?
    else {
        return Ok(None);
    };
    let mut name = nobody();
    name.claimed = claimed(client.hostname.as_deref());
    active_leases.iter().for_each(|lease| add_lease(&mut name, lease));
    if name.addresses.is_empty() {
        return Ok(None);
    }
    let live = store.live_instances_of(&Owner::Client(id)).await?;
    name.instances = live.iter().filter_map(of_ready).collect();
    Ok(Some(name))
}

/// What is recorded of an instance of another owner than a client; `None` if it is not ready, or a client's.
pub(super) async fn of_instance(store: &Store, id: InstanceId) -> Result<Option<InstanceName>, StoreError> {
    let found = store.instance(id).await?.map(|view| view.instance);
    Ok(found
        .filter(|instance| instance.client().is_none())
        .and_then(|instance| of_ready(&instance)))
}

/// What is recorded of everybody.
pub(super) async fn of_everybody(store: &Store) -> Result<Everybody, StoreError> {
    let mut all = Everybody {
        clients: HashMap::new(),
        instances: HashMap::new(),
    };
    let mut after = None;
    loop {
        let filter = LeaseFilter {
            state: Some(LeaseState::Active),
            after,
            ..LeaseFilter::default()
        };
        let page = store.leases(filter).await?;
        for view in &page.items {
            let client = all.clients.entry(view.lease.client).or_insert_with(nobody);
            client.claimed = claimed(view.hostname.as_deref());
            add_lease(client, &view.lease);
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    all.clients.retain(|_, client| !client.addresses.is_empty());
    for instance in store.live_instances().await? {
        let Some(name) = of_ready(&instance) else { continue };
        match (
            &instance.owner,
            instance.client().and_then(|id| all.clients.get_mut(&id)),
        ) {
            (Owner::Client(_), Some(client)) => client.instances.push(name),
            (Owner::Client(_), None) => {}
            _ => drop(all.instances.insert(instance.id, name)),
        }
    }
    Ok(all)
}

fn nobody() -> ClientName {
    ClientName {
        claimed: None,
        since: Timestamp(i64::MAX),
        addresses: Vec::new(),
        instances: Vec::new(),
    }
}

/// The name that a client claims. It comes from a stranger: what can be no name is none.
fn claimed(hostname: Option<&str>) -> Option<Label> {
    Label::of_host(hostname?)
}

/// A client claims its name since its oldest lease began.
fn add_lease(client: &mut ClientName, lease: &Lease) {
    client.since = client.since.min(lease.granted);
    if let Leased::Address(address) = lease.leased {
        client.addresses.push(address);
        client.addresses.sort_unstable();
    }
}

/// The name of an instance; `None` if it is not ready.
fn of_ready(instance: &Instance) -> Option<InstanceName> {
    if instance.phase != Phase::Ready {
        return None;
    }
    let attached = instance.attachments.iter();
    let mut about = vec![
        format!("template={}", instance.template),
        format!("slot={}", instance.slot),
        format!("network={}", instance.link()),
    ];
    if let Owner::Service(service) = &instance.owner {
        about.push(format!("service={service}"));
    }
    Some(InstanceName {
        id: instance.id,
        slot: label_of(&instance.slot),
        addresses: attached.filter_map(|attachment| attachment.address).collect(),
        about,
    })
}

/// The name of a slot below its client: that of its template or service.
fn label_of(slot: &Slot) -> Option<Label> {
    slot.service().unwrap_or(slot.as_str()).parse().ok()
}
