//! What limits are counted from: promises of hosts, the shares of clients, pauses.

use orchestrator::model::{EventKind, GrantedTo, LeaseVerb, Pause, PauseScope, Share};
use orchestrator::store::{EventFilter, NewInstance};

use crate::on_both;
use crate::place::{LINK, Place, at, change, event, holding_client, new_instance, remove};

on_both!(
    what_is_promised_is_read_with_whom_it_counts_for,
    a_client_counts_where_its_last_lease_event_came_from,
    a_pause_is_recorded_once_and_ended_once,
);

fn behind(port: &str, last: u8) -> GrantedTo {
    GrantedTo {
        port: Some(port.to_owned()),
        link_layer: Some(format!("02:00:00:00:00:{last:02x}").parse().unwrap()),
        ..GrantedTo::default()
    }
}

async fn what_is_promised_is_read_with_whom_it_counts_for(place: Place) {
    let store = place.open().await;
    let share = Share::of(LINK, &behind("eth7", 1), None);
    let mut planned = Vec::new();
    for n in [1, 2] {
        let client = holding_client(&store, n).await;
        let new = NewInstance {
            share: share.clone(),
            ..new_instance(client, n)
        };
        let wanted = event(EventKind::InstanceWanted, client);
        planned.push(store.plan_instance(new, wanted).await.unwrap());
    }
    remove(&store, &planned[0]).await;
    let promises = store.promises(at(0)).await.unwrap();
    let found: Vec<_> = promises.iter().map(|promise| (promise.id, promise.is_live)).collect();
    assert_eq!(found, [(planned[1].id, true), (planned[0].id, false)]);
    for promise in &promises {
        assert_eq!(promise.share, share);
        assert_eq!(promise.spec.main.resources.memory, Some(1 << 40));
        assert_eq!(promise.engine, planned[0].engine());
    }
    assert_eq!(promises[0].created, planned[1].created);
    let later = store.promises(planned[0].created).await.unwrap();
    assert_eq!(later.len(), 1, "the removed one was recorded before that");
}

async fn a_client_counts_where_its_last_lease_event_came_from(place: Place) {
    let store = place.open().await;
    let hold = |round, granted_to| orchestrator::model::LeaseChange {
        granted_to,
        ..change(LeaseVerb::Hold, 1, round)
    };
    store.record_leases(vec![hold(0, behind("eth7", 1))]).await.unwrap();
    let first = store.wanting(LINK).await.unwrap();
    store.record_leases(vec![hold(1, behind("eth8", 2))]).await.unwrap();
    let second = store.wanting(LINK).await.unwrap();
    assert_eq!((first.len(), second.len()), (1, 1));
    assert_eq!(first[0].share, Share::of(LINK, &behind("eth7", 1), None));
    assert_eq!(second[0].share, Share::of(LINK, &behind("eth8", 2), None));
    assert_eq!(second[0].since, first[0].since, "a renewal is no new wait");
    let holding = store.holding(second[0].client).await.unwrap().unwrap();
    assert_eq!(
        (holding.share(), holding.since()),
        (second[0].share.clone(), Some(second[0].since))
    );
}

async fn a_pause_is_recorded_once_and_ended_once(place: Place) {
    let store = place.open().await;
    let pause = |scope| Pause {
        scope,
        since: at(7),
        by: Some("root".to_owned()),
    };
    let link = PauseScope::Link("br0".to_owned());
    for scope in [link.clone(), PauseScope::All, PauseScope::Template("br0".to_owned())] {
        assert!(store.pause(pause(scope)).await.unwrap());
    }
    let again = Pause {
        since: at(9),
        ..pause(link.clone())
    };
    assert!(!store.pause(again).await.unwrap());
    let found = store.pauses().await.unwrap();
    assert_eq!(found.len(), 3);
    assert!(
        found.contains(&pause(link.clone())),
        "it began when it began: {found:?}"
    );
    assert!(store.resume(link.clone(), at(10), None).await.unwrap());
    assert!(!store.resume(link, at(11), None).await.unwrap());
    assert_eq!(store.pauses().await.unwrap().len(), 2);
    let events = store.events(EventFilter::default()).await.unwrap().items;
    let count = |kind| events.iter().filter(|event| event.kind == kind).count();
    assert_eq!((count(EventKind::Paused), count(EventKind::Resumed)), (3, 1));
    assert_eq!(events[0].detail.as_deref(), Some("link br0"));
}
