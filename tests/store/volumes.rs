//! Volumes: one holder at a time, kept by their rules, and gone with a record of it.

use std::time::Duration;

use orchestrator::model::{ClientId, EventKind, HostId, Id, Keep, LeaseVerb, OwnerLease, Slot, VolumeState};
use orchestrator::store::{EventFilter, NewInstance, NewVolume, Store, StoreError};

use crate::on_both;
use crate::place::{Place, at, change, event, holding_client, new_instance, remove};

on_both!(
    a_volume_is_made_with_its_instance_and_let_go_with_it,
    no_two_instances_hold_one_volume,
    an_owner_has_one_volume_of_a_name,
    a_volume_that_is_held_is_not_removed,
    a_volume_goes_in_two_steps_and_its_name_is_free_at_once,
    a_rule_removes_only_what_is_still_as_it_was,
    the_state_of_the_owner_s_leases_is_known,
    a_client_is_remembered_for_its_volumes,
);

const HOUR: Duration = Duration::from_secs(3600);

fn volume(number: u8, keep: Keep) -> NewVolume {
    NewVolume {
        id: Id::from_bytes([number; 6]),
        slot: Some(Slot::new("default")),
        name: "data".to_owned(),
        host: HostId::local(),
        size: Some(1 << 40),
        keep,
    }
}

fn holding(client: ClientId, n: u16, slot: &str, volumes: Vec<NewVolume>) -> NewInstance {
    NewInstance {
        slot: Slot::new(slot),
        volumes,
        ..new_instance(client, n)
    }
}

async fn plan(store: &Store, client: ClientId, new: NewInstance) -> Result<orchestrator::model::Instance, StoreError> {
    store.plan_instance(new, event(EventKind::InstanceWanted, client)).await
}

async fn kinds(store: &Store) -> Vec<EventKind> {
    let events = store.events(EventFilter::default()).await.unwrap();
    let kinds = events.items.iter().map(|event| event.kind);
    kinds.filter(|kind| kind.word().starts_with("volume")).collect()
}

async fn a_volume_is_made_with_its_instance_and_let_go_with_it(place: Place) {
    let store = place.open().await;
    let client = holding_client(&store, 1).await;
    let keep = Keep::AfterLease(HOUR);
    let first = plan(&store, client, holding(client, 100, "default", vec![volume(1, keep)]))
        .await
        .unwrap();
    let made = store.volume(Id::from_bytes([1; 6])).await.unwrap().unwrap();
    assert_eq!(
        (made.holder, made.keep, made.size),
        (Some(first.id), keep, Some(1 << 40))
    );
    assert_eq!((&made.owner, made.state), (&first.owner, VolumeState::Kept));
    assert_eq!(
        store.volumes_of(&first.owner).await.unwrap(),
        std::slice::from_ref(&made)
    );
    assert_eq!(store.idle_volumes().await.unwrap(), []);
    remove(&store, &first).await;
    let idle = store.volume(made.id).await.unwrap().unwrap();
    assert_eq!((idle.holder, idle.created), (None, made.created));
    // The next instance gets the same one, by the rules of its own template.
    let second = holding(client, 101, "default", vec![volume(1, Keep::Forever)]);
    let second = plan(&store, client, second).await.unwrap();
    let taken = store.volume(made.id).await.unwrap().unwrap();
    assert_eq!(
        (taken.holder, taken.keep, taken.created),
        (Some(second.id), Keep::Forever, made.created)
    );
    assert_eq!(kinds(&store).await, [EventKind::VolumeCreated]);
}

async fn no_two_instances_hold_one_volume(place: Place) {
    let store = place.open().await;
    let client = holding_client(&store, 1).await;
    let shared = NewVolume {
        slot: None,
        ..volume(1, Keep::Forever)
    };
    plan(&store, client, holding(client, 100, "one", vec![shared.clone()]))
        .await
        .unwrap();
    let second = plan(&store, client, holding(client, 101, "two", vec![shared.clone()])).await;
    assert!(
        matches!(second, Err(StoreError::VolumeTaken(id)) if id == shared.id),
        "{second:?}"
    );
    // Nothing of it was recorded.
    assert_eq!(
        store.live_slots(&client.into()).await.unwrap(),
        [Slot::new("one")].into()
    );
    // Nor does another client get it.
    let other = holding_client(&store, 2).await;
    let stranger = plan(&store, other, holding(other, 102, "default", vec![shared])).await;
    assert!(matches!(stranger, Err(StoreError::VolumeTaken(_))), "{stranger:?}");
}

async fn an_owner_has_one_volume_of_a_name(place: Place) {
    let store = place.open().await;
    let client = holding_client(&store, 1).await;
    let first = plan(
        &store,
        client,
        holding(client, 100, "default", vec![volume(1, Keep::Forever)]),
    )
    .await
    .unwrap();
    remove(&store, &first).await;
    let twice = plan(
        &store,
        client,
        holding(client, 101, "default", vec![volume(2, Keep::Forever)]),
    )
    .await;
    assert!(
        matches!(twice, Err(StoreError::VolumeTaken(id)) if id == Id::from_bytes([2; 6])),
        "{twice:?}"
    );
}

async fn a_volume_that_is_held_is_not_removed(place: Place) {
    let store = place.open().await;
    let client = holding_client(&store, 1).await;
    let first = plan(
        &store,
        client,
        holding(client, 100, "default", vec![volume(1, Keep::Unused(HOUR))]),
    )
    .await
    .unwrap();
    let held = store.volume(Id::from_bytes([1; 6])).await.unwrap().unwrap();
    let refused = store.destroy_volume(held.id, None, at(60)).await;
    assert!(
        matches!(refused, Err(StoreError::VolumeHeld { instance, .. }) if instance == first.id),
        "{refused:?}"
    );
    assert!(!store.expire_volume(&held, at(60)).await.unwrap());
    store.forget_volume(&held, at(60)).await.unwrap();
    assert_eq!(store.volume(held.id).await.unwrap(), Some(held));
    let missing = store.destroy_volume(Id::from_bytes([9; 6]), None, at(60)).await;
    assert!(matches!(missing, Err(StoreError::NoSuchVolume(_))), "{missing:?}");
}

async fn a_volume_goes_in_two_steps_and_its_name_is_free_at_once(place: Place) {
    let store = place.open().await;
    let client = holding_client(&store, 1).await;
    let first = plan(
        &store,
        client,
        holding(client, 100, "default", vec![volume(1, Keep::Forever)]),
    )
    .await
    .unwrap();
    remove(&store, &first).await;
    let id = Id::from_bytes([1; 6]);
    let by = Some("user ada".to_owned());
    let leaving = store.destroy_volume(id, by.clone(), at(60)).await.unwrap();
    // Asking again changes nothing.
    assert_eq!(store.destroy_volume(id, by, at(61)).await.unwrap(), leaving);
    assert_eq!(leaving.state, VolumeState::Removing);
    let late = plan(
        &store,
        client,
        holding(client, 101, "default", vec![volume(1, Keep::Forever)]),
    )
    .await;
    assert!(matches!(late, Err(StoreError::VolumeTaken(_))), "{late:?}");
    plan(
        &store,
        client,
        holding(client, 101, "default", vec![volume(2, Keep::Forever)]),
    )
    .await
    .unwrap();
    let idle = store.idle_volumes().await.unwrap();
    assert_eq!(idle.iter().map(|idle| idle.volume.id).collect::<Vec<_>>(), [id]);
    for _ in 0..2 {
        store.forget_volume(&leaving, at(62)).await.unwrap();
    }
    assert_eq!(store.volume(id).await.unwrap(), None);
    assert_eq!(
        kinds(&store).await,
        [
            EventKind::VolumeCreated,
            EventKind::VolumeDestroyed,
            EventKind::VolumeCreated,
            EventKind::VolumeRemoved
        ]
    );
}

async fn a_rule_removes_only_what_is_still_as_it_was(place: Place) {
    let store = place.open().await;
    let client = holding_client(&store, 1).await;
    let keep = Keep::AfterLease(HOUR);
    let first = plan(&store, client, holding(client, 100, "default", vec![volume(1, keep)]))
        .await
        .unwrap();
    remove(&store, &first).await;
    let idle = store.idle_volumes().await.unwrap().remove(0);
    // Its client holds a lease.
    assert_eq!(idle.lease, OwnerLease::Held);
    assert!(!store.expire_volume(&idle.volume, at(7200)).await.unwrap());
    store
        .record_leases(vec![change(LeaseVerb::Release, 1, 60)])
        .await
        .unwrap();
    // It was used since.
    let stale = orchestrator::model::RecordedVolume {
        used: at(-1),
        ..idle.volume.clone()
    };
    assert!(!store.expire_volume(&stale, at(7200)).await.unwrap());
    assert!(store.expire_volume(&idle.volume, at(7200)).await.unwrap());
    assert!(!store.expire_volume(&idle.volume, at(7200)).await.unwrap());
    assert_eq!(
        kinds(&store).await,
        [EventKind::VolumeCreated, EventKind::VolumeExpired]
    );
}

async fn the_state_of_the_owner_s_leases_is_known(place: Place) {
    let store = place.open().await;
    let client = holding_client(&store, 1).await;
    let keep = Keep::Unused(HOUR);
    let first = plan(&store, client, holding(client, 100, "default", vec![volume(1, keep)]))
        .await
        .unwrap();
    remove(&store, &first).await;
    store
        .record_leases(vec![change(LeaseVerb::Release, 1, 60)])
        .await
        .unwrap();
    let idle = store.idle_volumes().await.unwrap().remove(0);
    assert!(matches!(idle.lease, OwnerLease::Ended(_)), "{:?}", idle.lease);
    assert_eq!(
        idle.volume.keep.due(idle.volume.used, idle.lease),
        Some(idle.volume.used.plus(HOUR))
    );
}

async fn a_client_is_remembered_for_its_volumes(place: Place) {
    let store = place.open().await;
    let client = holding_client(&store, 1).await;
    let first = plan(
        &store,
        client,
        holding(client, 100, "default", vec![volume(1, Keep::Forever)]),
    )
    .await
    .unwrap();
    remove(&store, &first).await;
    store
        .record_leases(vec![change(LeaseVerb::Release, 1, 60)])
        .await
        .unwrap();
    let pruned = store.prune(at(1_000_000)).await.unwrap();
    assert_eq!((pruned.leases, pruned.clients), (1, 0));
    let volume = store
        .destroy_volume(Id::from_bytes([1; 6]), None, at(61))
        .await
        .unwrap();
    store.forget_volume(&volume, at(62)).await.unwrap();
    assert_eq!(store.prune(at(1_000_000)).await.unwrap().clients, 1);
}
