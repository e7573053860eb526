//! The page of a client, from what is recorded.

use std::time::Duration;

use orchestrator_catalog::Declared;
use orchestrator_model::{ClientAction, ClientExtension, ClientKeys, EventKind, Instance, Phase, Slot, Timestamp};
use orchestrator_portal::facts::{ClientPage, InstanceCard, Lack};
use orchestrator_reconcile::instance::is_spent;
use orchestrator_settings::{Again, Settings};
use orchestrator_store::{EventFilter, Holding, InstanceFilter, Store, StoreError};

use super::facts::{client_facts, end_of};

/// How many of a client's last events are looked through for why it has no instance.
const EVENTS: u32 = 30;

/// What is declared for clients.
pub(super) struct Declarations<'a> {
    pub(super) settings: &'a Settings,
    pub(super) catalog: &'a Declared,
}

/// The page of a client.
pub(super) async fn page_of(
    store: &Store,
    declared: &Declarations<'_>,
    holding: &Holding,
    keys: ClientKeys,
    now: Timestamp,
) -> Result<ClientPage, StoreError> {
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
        true => Some(lack(store, declared, holding, now).await?),
        false => None,
    };
    Ok(ClientPage {
        client,
        instances,
        lack,
        authorized_keys: keys.own,
        reserved_keys: keys.reserved,
    })
}

fn card(instance: &Instance, lease_until: Option<Timestamp>) -> InstanceCard {
    let is_there = !matches!(instance.phase, Phase::Removing | Phase::Removed);
    let extension = extension(instance);
    let may = |action: &&ClientAction| match action {
        ClientAction::Extend => extension.is_some(),
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
        extension,
    }
}

/// By how much a client may extend the time of its instance now, and how often yet. `None` if it may not, or if there is
/// nothing to extend.
fn extension(instance: &Instance) -> Option<ClientExtension> {
    let ClientExtension { by, times } = instance.spec.extension?;
    instance.deadline()?;
    let times = times.saturating_sub(instance.times.extended);
    (times > 0).then_some(ClientExtension { by, times })
}

/// Why a client has no instance.
async fn lack(
    store: &Store,
    declared: &Declarations<'_>,
    holding: &Holding,
    now: Timestamp,
) -> Result<Lack, StoreError> {
    let client = &holding.client;
    let class = client.class.as_deref();
    let slots: Vec<Slot> = declared
        .settings
        .template_names_of(&client.link, class)
        .map(Slot::new)
        .collect();
    if slots.is_empty() {
        return Ok(Lack::NoTemplate);
    }
    if !client.wants_instance {
        return Ok(Lack::Removed);
    }
    if let Some(again) = time_over(&slots, declared.catalog, holding, now) {
        return Ok(Lack::TimeOver(again));
    }
    let filter = EventFilter {
        client: Some(client.id),
        latest: true,
        limit: Some(EVENTS),
        ..EventFilter::default()
    };
    let mut events = store.events(filter).await?.items.into_iter().rev();
    let tells = |kind| {
        matches!(
            kind,
            EventKind::Refused | EventKind::InstanceWanted | EventKind::InstanceWaiting
        )
    };
    let last = events.find(|event| tells(event.kind));
    Ok(match last {
        Some(event) if event.kind == EventKind::Refused => event.detail.map_or(Lack::Soon, Lack::Refused),
        Some(event) if event.kind == EventKind::InstanceWaiting => Lack::Waiting,
        _ => Lack::Soon,
    })
}

/// When a client gets another instance after time ended that of each of these slots: after which time, or `None` within for
/// when its lease begins anew. `None` if it is to have one now.
fn time_over(slots: &[Slot], declared: &Declared, holding: &Holding, now: Timestamp) -> Option<Option<Duration>> {
    let again = |slot: &Slot| declared.again(slot.as_str());
    if !slots.iter().all(|slot| is_spent(holding, slot, again(slot), now)) {
        return None;
    }
    let moments = slots.iter().filter_map(|slot| match again(slot) {
        Again::Lease => None,
        Again::After(span) => Some(holding.spent.get(slot)?.plus(span)),
    });
    Some(moments.min().map(|moment| moment.since(now)))
}
