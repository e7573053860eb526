//! What the clock does to rows: leases that end, and what is forgotten.

use std::time::Duration;

use orchestrator::model::{
    ClockAnchor, EventKind, LeaseChange, LeaseState, LeaseVerb, NewEvent, TimeChange, Timestamp,
};
use orchestrator::store::{EventFilter, NewInstance, Store};

use crate::on_both;
use crate::place::{LINK, Place, at, change, event, holding_client, new_instance};

on_both!(
    the_clock_ends_leases,
    a_renewed_lease_is_due_at_its_old_end_and_ends_at_its_new_one,
    renewed_leases_are_moved_on_together_and_no_lease_ends_early,
    a_lease_that_is_cut_short_ends_sooner,
    the_timeline_is_forgotten_from_its_beginning,
    a_clock_that_was_set_between_two_runs_ends_nothing_early_and_keeps_nothing_longer,
    a_machine_that_boots_in_1970_ends_nothing,
);

async fn count(store: &Store, kind: EventKind) -> usize {
    let events = store.events(EventFilter::default()).await.unwrap().items;
    events.iter().filter(|event| event.kind == kind).count()
}

async fn the_clock_ends_leases(place: Place) {
    let store = place.open().await;
    assert_eq!(store.next_lease_due().await.unwrap(), None);
    let changes = (0..600).map(|n| change(LeaseVerb::Hold, n, i64::from(n))).collect();
    store.record_leases(changes).await.unwrap();
    let forever = LeaseChange {
        valid_until: Timestamp(i64::MAX),
        ..change(LeaseVerb::Hold, 600, 0)
    };
    store.record_leases(vec![forever]).await.unwrap();
    assert_eq!(store.next_lease_due().await.unwrap(), Some(at(3600)));
    let ended = store.expire_leases(at(3600 + 499)).await.unwrap();
    assert_eq!(ended.len(), 500);
    assert!(
        ended
            .iter()
            .all(|lease| lease.state == LeaseState::Expired && lease.valid_until <= at(3600 + 499))
    );
    assert_eq!(store.next_lease_due().await.unwrap(), Some(at(3600 + 500)));
    assert!(store.expire_leases(at(3600 + 499)).await.unwrap().is_empty());
    assert_eq!(count(&store, EventKind::LeaseExpired).await, 500);
}

async fn a_renewed_lease_is_due_at_its_old_end_and_ends_at_its_new_one(place: Place) {
    let store = place.open().await;
    let herd = |seconds| (0..600).map(|n| change(LeaseVerb::Hold, n, seconds)).collect();
    store.record_leases(herd(0)).await.unwrap();
    store.record_leases(herd(1800)).await.unwrap();
    // Early, never late; and once looked at, not again before its end.
    assert_eq!(store.next_lease_due().await.unwrap(), Some(at(3600)));
    assert!(store.expire_leases(at(3600)).await.unwrap().is_empty());
    assert_eq!(store.next_lease_due().await.unwrap(), Some(at(5400)));
    assert!(store.expire_leases(at(5399)).await.unwrap().is_empty());
    assert_eq!(store.expire_leases(at(5400)).await.unwrap().len(), 600);
    assert_eq!(store.next_lease_due().await.unwrap(), None);
}

async fn renewed_leases_are_moved_on_together_and_no_lease_ends_early(place: Place) {
    let store = place.open().await;
    // Leases that end a second apart; every other one was renewed.
    store
        .record_leases((0..10).map(|n| change(LeaseVerb::Hold, n, i64::from(n))).collect())
        .await
        .unwrap();
    let renewed = (0..10).step_by(2).map(|n| change(LeaseVerb::Hold, n, 1800));
    store.record_leases(renewed.collect()).await.unwrap();
    // One sweep moves on those due now and soon; those that end soon stay due at their ends.
    assert!(store.expire_leases(at(3600)).await.unwrap().is_empty());
    assert_eq!(store.next_lease_due().await.unwrap(), Some(at(3601)));
    let ended = store.expire_leases(at(3601)).await.unwrap();
    assert_eq!(
        ended.iter().map(|lease| lease.valid_until).collect::<Vec<_>>(),
        [at(3601)]
    );
    assert_eq!(store.next_lease_due().await.unwrap(), Some(at(3603)));
    assert_eq!(store.expire_leases(at(3609)).await.unwrap().len(), 4);
    assert_eq!(store.next_lease_due().await.unwrap(), Some(at(5400)));
    assert_eq!(store.expire_leases(at(5400)).await.unwrap().len(), 5);
}

async fn a_lease_that_is_cut_short_ends_sooner(place: Place) {
    let store = place.open().await;
    holding_client(&store, 1).await;
    let cut = LeaseChange {
        valid_until: at(120),
        ..change(LeaseVerb::Hold, 1, 60)
    };
    store.record_leases(vec![cut]).await.unwrap();
    assert_eq!(store.next_lease_due().await.unwrap(), Some(at(120)));
    assert_eq!(store.expire_leases(at(120)).await.unwrap().len(), 1);
    // One that was released does not end again.
    holding_client(&store, 2).await;
    store
        .record_leases(vec![change(LeaseVerb::Release, 2, 60)])
        .await
        .unwrap();
    assert_eq!(store.next_lease_due().await.unwrap(), None);
    assert_eq!(store.leases_of_link(LINK).await.unwrap().len(), 2);
}

async fn the_timeline_is_forgotten_from_its_beginning(place: Place) {
    let store = place.open().await;
    let client = holding_client(&store, 1).await;
    let append = async |seconds| {
        let new = NewEvent {
            at: at(seconds),
            ..event(EventKind::Refused, client)
        };
        store.append_event(new).await.unwrap();
    };
    // Somebody set the clock far ahead for a while.
    for seconds in (1..=600).chain([900_000, 900_001]).chain(601..=1300) {
        append(seconds).await;
    }
    let first = async || {
        store
            .events(EventFilter {
                limit: Some(1),
                ..EventFilter::default()
            })
            .await
            .unwrap()
            .items[0]
            .at
    };
    for kept in [2, 300, 600, 1000, 1299] {
        store.prune(at(kept)).await.unwrap();
        assert_eq!(first().await, at(kept));
    }
    // The last one stays, however old it is.
    store.prune(at(5000)).await.unwrap();
    assert_eq!(first().await, at(1300));
}

/// The anchor of a run that began so many seconds after [`at`]`(0)`, in a boot as old, by a clock that is so far off.
fn anchor(boot: &str, seconds: i64, off: i64) -> (ClockAnchor, Timestamp) {
    let uptime = Duration::from_secs(u64::try_from(seconds).unwrap());
    let now = at(seconds + off);
    (ClockAnchor::new(boot, uptime, now), now)
}

async fn follow(store: &Store, (anchor, now): (ClockAnchor, Timestamp)) -> i64 {
    store.follow_clock(anchor, now).await.unwrap()
}

async fn a_clock_that_was_set_between_two_runs_ends_nothing_early_and_keeps_nothing_longer(place: Place) {
    const DAY: i64 = 86_400;
    let store = place.open().await;
    assert_eq!(follow(&store, anchor("a", 0, 0)).await, 0);
    let client = holding_client(&store, 1).await;
    let forever = LeaseChange {
        valid_until: Timestamp(i64::MAX),
        preferred_until: Timestamp(i64::MAX),
        ..change(LeaseVerb::Hold, 2, 0)
    };
    store.record_leases(vec![forever]).await.unwrap();
    let new = NewInstance {
        until: Some(at(7200)),
        ..new_instance(client, 100)
    };
    let planned = store
        .plan_instance(new, event(EventKind::InstanceWanted, client))
        .await
        .unwrap();
    let pin = store
        .change_times(planned.id, TimeChange::Pin, at(5), None)
        .await
        .unwrap();
    assert_eq!(store.next_lease_due().await.unwrap(), Some(at(3600)));

    // The next daemon comes an hour later by a clock that was set a day forward, and the one after that by the right one.
    for (seconds, off, step) in [(1800, DAY, DAY), (1900, DAY, 0), (2000, 0, -DAY), (2100, 0, 0)] {
        assert_eq!(
            follow(&store, anchor("a", seconds, off)).await,
            step * 1000,
            "{seconds}"
        );
        assert_eq!(store.next_lease_due().await.unwrap(), Some(at(3600 + off)));
        assert!(store.expire_leases(at(3599 + off)).await.unwrap().is_empty());
        let instance = store.instance(planned.id).await.unwrap().unwrap().instance;
        let moved = |moment: Timestamp| Timestamp(moment.0 + off * 1000);
        assert_eq!(instance.times.until, Some(at(7200 + off)));
        assert_eq!(
            (instance.times.pinned, instance.changed),
            (pin.times.pinned.map(moved), moved(pin.changed))
        );
    }
    assert_eq!(count(&store, EventKind::ClockSet).await, 2);
    let leases = store.leases_of_link(LINK).await.unwrap();
    assert!(
        leases.iter().any(|lease| lease.valid_until == Timestamp(i64::MAX)),
        "{leases:?}"
    );
    assert_eq!(store.expire_leases(at(3600)).await.unwrap().len(), 1);
}

async fn a_machine_that_boots_in_1970_ends_nothing(place: Place) {
    let store = place.open().await;
    follow(&store, anchor("a", 0, 0)).await;
    holding_client(&store, 1).await;
    let seconds = |seconds: i64| Timestamp(seconds * 1000);
    let boot = async |name: &str, uptime: u64, now: Timestamp| {
        let anchor = ClockAnchor::new(name, Duration::from_secs(uptime), now);
        store.follow_clock(anchor, now).await.unwrap();
        store.next_lease_due().await.unwrap().unwrap()
    };
    // An hour was left when something was last recorded, and an hour is left.
    assert_eq!(boot("b", 20, seconds(20)).await, seconds(3620));
    let happened = NewEvent::new(seconds(50), EventKind::SettingsReloaded);
    store.append_event(happened).await.unwrap();
    assert_eq!(boot("c", 20, seconds(20)).await, seconds(3590));
    // Within that boot somebody sets the clock right, and the daemon starts again.
    assert_eq!(boot("c", 30, at(1000)).await, at(1000 + 3560));
    assert_eq!(count(&store, EventKind::ClockSet).await, 3);
}
