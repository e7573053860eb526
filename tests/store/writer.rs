//! Callers who come together: one commit, and a bad one fails alone.

use std::collections::HashSet;

use orchestrator::model::{EventKind, LeaseVerb};
use orchestrator::store::{EventFilter, NewInstance, Outcome, StoreError};
use tokio::task::JoinSet;

use crate::on_both;
use crate::place::{LINK, Place, change, event, holding_client, new_instance, plan};

on_both!(
    many_callers_share_commits,
    a_bad_write_fails_alone,
    a_refusal_spoils_nothing,
    a_dropped_call_harms_nobody,
);

const CALLERS: u16 = 64;

async fn many_callers_share_commits(place: Place) {
    let store = place.open().await;
    let mut heard = store.subscribe();
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        let store = store.clone();
        callers.spawn(async move {
            for n in 0..10 {
                let recorded = store
                    .record_leases(vec![change(LeaseVerb::Hold, caller * 10 + n, 0)])
                    .await
                    .unwrap();
                assert_eq!(recorded[0].outcome, Outcome::Granted);
            }
        });
    }
    while let Some(done) = callers.join_next().await {
        done.unwrap();
    }
    let total = usize::from(CALLERS) * 10;
    assert_eq!(store.leases_of_link(LINK).await.unwrap().len(), total);
    let ids: Vec<_> = store
        .events(EventFilter::default())
        .await
        .unwrap()
        .items
        .iter()
        .map(|event| event.id)
        .collect();
    assert_eq!(ids, (1..=i64::try_from(total).unwrap()).collect::<Vec<_>>());
    for id in ids {
        assert_eq!(heard.recv().await.unwrap().id, id);
    }
}

async fn a_bad_write_fails_alone(place: Place) {
    let store = place.open().await;
    let [one, two] = [holding_client(&store, 1000).await, holding_client(&store, 1001).await];
    let there = plan(&store, one, 1000).await;
    for round in 0..10 {
        let mut callers = JoinSet::new();
        for n in 0..CALLERS {
            let store = store.clone();
            let bad = NewInstance {
                id: there.id,
                ..new_instance(two, 1001)
            };
            callers.spawn(async move {
                if n == CALLERS / 2 {
                    // An id that is there already: no rule of the store says no, but the database does.
                    let planned = store.plan_instance(bad, event(EventKind::InstanceWanted, two)).await;
                    assert!(matches!(planned, Err(StoreError::Failed { .. })), "{planned:?}");
                } else {
                    store
                        .record_leases(vec![change(LeaseVerb::Hold, n, round)])
                        .await
                        .unwrap();
                }
            });
        }
        while let Some(done) = callers.join_next().await {
            done.unwrap();
        }
    }
    let events = store.events(EventFilter::default()).await.unwrap().items;
    let ids: HashSet<_> = events.iter().map(|event| event.id).collect();
    assert_eq!(ids.len(), usize::from(CALLERS) - 1 + 3);
    assert_eq!(
        events
            .iter()
            .filter(|event| event.kind == EventKind::InstanceWanted)
            .count(),
        1
    );
}

async fn a_refusal_spoils_nothing(place: Place) {
    let store = place.open().await;
    let client = holding_client(&store, 1000).await;
    let mut callers = JoinSet::new();
    for n in 0..CALLERS {
        let store = store.clone();
        callers.spawn(async move {
            let wanted = event(EventKind::InstanceWanted, client);
            store.plan_instance(new_instance(client, n), wanted).await
        });
    }
    let mut made = 0;
    while let Some(planned) = callers.join_next().await {
        match planned.unwrap() {
            Ok(_) => made += 1,
            Err(error) => assert!(matches!(error, StoreError::AlreadyThere { .. }), "{error}"),
        }
    }
    assert_eq!(made, 1);
    assert_eq!(store.live_instances().await.unwrap().len(), 1);
}

async fn a_dropped_call_harms_nobody(place: Place) {
    let store = place.open().await;
    for n in 0..200 {
        let call = tokio::spawn({
            let store = store.clone();
            async move { store.record_leases(vec![change(LeaseVerb::Hold, n, 0)]).await }
        });
        if n % 3 != 0 {
            tokio::task::yield_now().await;
        }
        call.abort();
    }
    let after = store
        .record_leases(vec![change(LeaseVerb::Hold, 1000, 0)])
        .await
        .unwrap();
    assert_eq!(after[0].outcome, Outcome::Granted);
    let events = store.events(EventFilter::default()).await.unwrap().items;
    // Each either happened whole or not at all.
    assert_eq!(events.len(), store.leases_of_link(LINK).await.unwrap().len());
}
