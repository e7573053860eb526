//! The times of instances.

use std::time::Duration;

use orchestrator::model::{
    ClientExtension, EventKind, Expiry, Instance, Phase, Slot, TimeChange, TimeRefusal, Times, Timestamp,
};
use orchestrator::store::{EventFilter, InstanceUpdate, NewInstance, Store, StoreError};

use crate::on_both;
use crate::place::{Place, at, event, holding_client, new_instance, plan, remove, update};

on_both!(
    the_times_of_an_instance_are_recorded_and_survive_another_start,
    a_change_is_recorded_with_its_event_and_who_asked,
    a_refused_change_writes_nothing,
    what_a_client_extended_is_counted_and_bounded,
    a_slot_is_spent_when_time_ends_its_instance_and_not_when_an_admin_removes_it,
    an_extension_of_a_stopped_instance_gives_its_slot_back,
    counts_are_recorded_of_live_instances_alone,
    an_instance_that_is_started_again_is_neither_kept_nor_expired,
    a_spent_slot_is_forgotten_when_its_client_holds_nothing,
);

const HOUR: Duration = Duration::from_secs(3600);

async fn limited(store: &Store) -> Instance {
    let client = holding_client(store, 1).await;
    let new = NewInstance {
        until: Some(at(7200)),
        idle: Some(HOUR),
        ..new_instance(client, 100)
    };
    let planned = store.plan_instance(new, event(EventKind::InstanceWanted, client)).await;
    planned.expect("the instance is recorded")
}

async fn recorded(store: &Store, instance: &Instance) -> Instance {
    store.instance(instance.id).await.unwrap().unwrap().instance
}

fn expire(expiry: Expiry, keep: Duration) -> TimeChange {
    TimeChange::Expire { expiry, keep }
}

async fn spent(store: &Store, instance: &Instance) -> Vec<(Slot, Timestamp)> {
    let holding = store.holding(instance.client().unwrap()).await.unwrap().unwrap();
    holding.spent.into_iter().collect()
}

async fn what_a_client_extended_is_counted_and_bounded(place: Place) {
    let store = place.open().await;
    let client = holding_client(&store, 1).await;
    let mut new = NewInstance {
        until: Some(at(7200)),
        ..new_instance(client, 100)
    };
    new.spec.extension = Some(ClientExtension { by: HOUR, times: 1 });
    let planned = store.plan_instance(new, event(EventKind::InstanceWanted, client)).await;
    let planned = planned.unwrap();
    let extend = || store.change_times(planned.id, TimeChange::ExtendByClient, at(5), None);
    extend().await.unwrap();
    let refused = extend().await.unwrap_err();
    let is_refused = matches!(
        refused,
        StoreError::Time {
            why: TimeRefusal::TooOften,
            ..
        }
    );
    assert!(is_refused, "{refused:?}");
    let times = recorded(&store, &planned).await.times;
    assert_eq!((times.until, times.extended), (Some(at(7200 + 3600)), 1));
    let events = store.events(EventFilter::default()).await.unwrap().items;
    let last = events.last().unwrap();
    let detail = last.detail.clone().unwrap();
    assert!(
        last.kind == EventKind::InstanceExtended && detail.starts_with("by 1h, 1 of 1 times"),
        "{last:?}"
    );
}

async fn the_times_of_an_instance_are_recorded_and_survive_another_start(place: Place) {
    let store = place.open().await;
    let planned = limited(&store).await;
    let times = Times {
        until: Some(at(7200)),
        idle: Some(HOUR),
        ..Times::default()
    };
    assert_eq!(planned.times, times);
    store
        .change_times(planned.id, TimeChange::Pin, at(5), None)
        .await
        .unwrap();
    let warned = TimeChange::Warn(at(7200));
    store.change_times(planned.id, warned, at(6), None).await.unwrap();
    store
        .count_traffic(vec![(planned.id, u64::from(u32::MAX) * 2, true)], at(7))
        .await
        .unwrap();
    store.close().await;
    let again = place.open().await;
    let expected = Times {
        pinned: Some(at(5)),
        warned: Some(at(7200)),
        packets: Some(u64::from(u32::MAX) * 2),
        active: Some(at(7)),
        ..times
    };
    assert_eq!(recorded(&again, &planned).await.times, expected);
}

async fn a_change_is_recorded_with_its_event_and_who_asked(place: Place) {
    let store = place.open().await;
    let planned = limited(&store).await;
    let by = Some("alice".to_owned());
    let changes = [
        (TimeChange::Pin, EventKind::InstancePinned),
        (TimeChange::Unpin, EventKind::InstanceUnpinned),
        (TimeChange::Extend(HOUR), EventKind::InstanceExtended),
        (TimeChange::Warn(at(7200 + 3600)), EventKind::InstanceWarned),
        (expire(Expiry::Operator, Duration::ZERO), EventKind::InstanceExpired),
    ];
    for (change, kind) in changes {
        store
            .change_times(planned.id, change, at(10), by.clone())
            .await
            .unwrap();
        let events = store.events(EventFilter::default()).await.unwrap().items;
        let last = events.last().unwrap();
        assert_eq!((last.kind, &last.by, last.instance), (kind, &by, Some(planned.id)));
    }
    // One that changes nothing is no event.
    let count = store.events(EventFilter::default()).await.unwrap().items.len();
    let other = plan(&store, holding_client(&store, 2).await, 101).await;
    store
        .change_times(other.id, TimeChange::Unpin, at(11), by.clone())
        .await
        .unwrap();
    let events = store.events(EventFilter::default()).await.unwrap().items;
    let changes = events[count..]
        .iter()
        .filter(|event| event.kind == EventKind::InstanceUnpinned);
    assert_eq!(changes.count(), 0);
}

async fn a_refused_change_writes_nothing(place: Place) {
    let store = place.open().await;
    let planned = plan(&store, holding_client(&store, 1).await, 100).await;
    let refused = |result: Result<Instance, StoreError>| match result {
        Err(StoreError::Time { instance, why }) if instance == planned.id => why,
        other => panic!("{other:?}"),
    };
    let change = |change| store.change_times(planned.id, change, at(10), None);
    assert_eq!(refused(change(TimeChange::Extend(HOUR)).await), TimeRefusal::NoDeadline);
    assert_eq!(
        refused(change(expire(Expiry::Lifetime, HOUR)).await),
        TimeRefusal::Outdated
    );
    assert_eq!(refused(change(TimeChange::Warn(at(9))).await), TimeRefusal::Outdated);
    assert_eq!(recorded(&store, &planned).await, planned);
    assert!(spent(&store, &planned).await.is_empty());
    remove(&store, &planned).await;
    assert_eq!(refused(change(TimeChange::Pin).await), TimeRefusal::Gone);
    let nobody = store
        .change_times(
            orchestrator::model::Id::from_bytes([9; 6]),
            TimeChange::Pin,
            at(1),
            None,
        )
        .await;
    assert!(matches!(nobody, Err(StoreError::NoSuchInstance(_))), "{nobody:?}");
}

async fn a_slot_is_spent_when_time_ends_its_instance_and_not_when_an_admin_removes_it(place: Place) {
    let store = place.open().await;
    let first = limited(&store).await;
    let ended = store
        .change_times(first.id, expire(Expiry::Lifetime, Duration::ZERO), at(7200), None)
        .await
        .unwrap();
    assert_eq!(
        (ended.phase, ended.times.expired),
        (Phase::Removing, Some(Expiry::Lifetime))
    );
    assert_eq!(spent(&store, &first).await, [(Slot::new("default"), at(7200))]);
    // It outlives the instance, and the next end replaces it.
    remove(&store, &first).await;
    let second = plan(&store, first.client().unwrap(), 101).await;
    store
        .change_times(second.id, expire(Expiry::Operator, Duration::ZERO), at(8000), None)
        .await
        .unwrap();
    assert_eq!(spent(&store, &second).await, [(Slot::new("default"), at(8000))]);
    let other = plan(&store, holding_client(&store, 2).await, 102).await;
    store.destroy_instance(other.id, at(10), None, None).await.unwrap();
    assert!(spent(&store, &other).await.is_empty());
}

async fn an_extension_of_a_stopped_instance_gives_its_slot_back(place: Place) {
    let store = place.open().await;
    let planned = limited(&store).await;
    store
        .update_instance(planned.id, update(Phase::Ready, 10), None)
        .await
        .unwrap();
    let stopped = store
        .change_times(planned.id, expire(Expiry::Idle, HOUR), at(10 + 3600), None)
        .await
        .unwrap();
    assert_eq!(
        (stopped.phase, stopped.times.kept_until, stopped.due),
        (Phase::Stopped, Some(at(10 + 7200)), Some(at(10 + 3600)))
    );
    assert_eq!(spent(&store, &planned).await.len(), 1);
    let extended = store
        .change_times(planned.id, TimeChange::Extend(HOUR), at(3700), None)
        .await
        .unwrap();
    assert_eq!(
        (extended.times.expired, extended.times.kept_until),
        (None, Some(at(10 + 7200 + 3600)))
    );
    assert!(spent(&store, &planned).await.is_empty());
}

async fn counts_are_recorded_of_live_instances_alone(place: Place) {
    let store = place.open().await;
    let planned = limited(&store).await;
    assert!(
        store.idle_limited_instances().await.unwrap().is_empty(),
        "it is not ready"
    );
    store
        .update_instance(planned.id, update(Phase::Ready, 10), None)
        .await
        .unwrap();
    let limited = store.idle_limited_instances().await.unwrap();
    assert_eq!(limited.iter().map(|one| one.id).collect::<Vec<_>>(), [planned.id]);
    store.count_traffic(vec![(planned.id, 7, false)], at(20)).await.unwrap();
    let counted = recorded(&store, &planned).await.times;
    assert_eq!((counted.packets, counted.active), (Some(7), None));
    store.count_traffic(vec![(planned.id, 8, true)], at(30)).await.unwrap();
    remove(&store, &planned).await;
    store.count_traffic(vec![(planned.id, 9, true)], at(40)).await.unwrap();
    let counted = recorded(&store, &planned).await.times;
    assert_eq!((counted.packets, counted.active), (Some(8), Some(at(30))));
}

async fn an_instance_that_is_started_again_is_neither_kept_nor_expired(place: Place) {
    let store = place.open().await;
    let planned = limited(&store).await;
    store
        .update_instance(planned.id, update(Phase::Ready, 10), None)
        .await
        .unwrap();
    store
        .change_times(planned.id, expire(Expiry::Idle, HOUR), at(3610), None)
        .await
        .unwrap();
    let stopped = InstanceUpdate {
        kept_until: Some(at(7210)),
        ..update(Phase::Stopped, 3611)
    };
    store.update_instance(planned.id, stopped, None).await.unwrap();
    let kept = recorded(&store, &planned).await;
    assert_eq!(
        (kept.times.expired, kept.times.kept_until),
        (Some(Expiry::Idle), Some(at(7210)))
    );
    store
        .update_instance(planned.id, update(Phase::Pending, 3700), None)
        .await
        .unwrap();
    let again = recorded(&store, &planned).await;
    assert_eq!((again.times.expired, again.times.kept_until), (None, None));
}

async fn a_spent_slot_is_forgotten_when_its_client_holds_nothing(place: Place) {
    let store = place.open().await;
    let planned = limited(&store).await;
    store
        .change_times(planned.id, expire(Expiry::Operator, Duration::ZERO), at(100), None)
        .await
        .unwrap();
    remove(&store, &planned).await;
    store.prune(at(200)).await.unwrap();
    assert_eq!(spent(&store, &planned).await.len(), 1, "it holds a lease");
    store.expire_leases(at(100_000)).await.unwrap();
    store.prune(at(50)).await.unwrap();
    assert_eq!(spent(&store, &planned).await.len(), 1, "it is not old");
    store.prune(at(200)).await.unwrap();
    assert!(spent(&store, &planned).await.is_empty());
}
