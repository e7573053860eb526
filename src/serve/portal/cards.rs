//! The page of a client, from what is recorded.

use orchestrator_model::{ClientAction, EventKind, Instance, Phase, Timestamp};
use orchestrator_portal::facts::{ClientPage, InstanceCard, Lack};
use orchestrator_settings::Settings;
use orchestrator_store::{EventFilter, Holding, InstanceFilter, Store, StoreError};

use super::facts::{client_facts, end_of};

/// How many of a client's last events are looked through for why it has no instance.
const EVENTS: u32 = 30;

/// The page of a client.
pub(super) async fn page_of(store: &Store, settings: &Settings, holding: &Holding) -> Result<ClientPage, StoreError> {
    let client = client_facts(holding);
    let filter = InstanceFilter {
        client: Some(holding.client.id),
        ..InstanceFilter::default()
    };
    let views = store.instances(filter).await?.items;
    let mut instances: Vec<InstanceCard> = views
        .iter()
        .map(|view| card(&view.instance, client.lease_until))
        .collect();
    instances.sort_by(|one, other| one.slot.cmp(&other.slot));
    let lack = match instances.is_empty() {
        true => Some(lack(store, settings, holding).await?),
        false => None,
    };
    Ok(ClientPage {
        client,
        instances,
        lack,
        authorized_keys: store.authorized_keys(holding.client.id).await?,
    })
}

fn card(instance: &Instance, lease_until: Option<Timestamp>) -> InstanceCard {
    let is_there = !matches!(instance.phase, Phase::Removing | Phase::Removed);
    let may = |action: &&ClientAction| match action {
        ClientAction::Extend => false,
        ClientAction::Restart | ClientAction::Keys => is_there,
    };
    InstanceCard {
        id: instance.id,
        slot: instance.slot.to_string(),
        phase: instance.phase,
        is_tried_again: instance.is_tried_again(),
        address: instance.address(),
        end: end_of(instance, lease_until),
        may: instance.spec.client_may.iter().filter(may).copied().collect(),
    }
}

/// Why a client has no instance.
async fn lack(store: &Store, settings: &Settings, holding: &Holding) -> Result<Lack, StoreError> {
    let client = &holding.client;
    let mut templates = settings.template_names_of(&client.link, client.class.as_deref());
    if templates.next().is_none() {
        return Ok(Lack::NoTemplate);
    }
    if !client.wants_instance {
        return Ok(Lack::Removed);
    }
    let filter = EventFilter {
        client: Some(client.id),
        latest: true,
        limit: Some(EVENTS),
        ..EventFilter::default()
    };
    let mut events = store.events(filter).await?.items.into_iter().rev();
    let last = events.find(|event| matches!(event.kind, EventKind::Refused | EventKind::InstanceWanted));
    Ok(match last {
        Some(event) if event.kind == EventKind::Refused => event.detail.map_or(Lack::Soon, Lack::Refused),
        _ => Lack::Soon,
    })
}
