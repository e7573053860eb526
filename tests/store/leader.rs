//! Two stores on one database: the one that opened it last writes, the other one no more.

use std::collections::BTreeSet;
use std::time::Duration;

use orchestrator::model::{LeaseVerb, Timestamp};
use orchestrator::store::{EventFilter, LeaseFilter, Restore, SecretsInBackup, Store, StoreError};

use crate::on_both;
use crate::place::{Place, at, change, holding_client};

on_both!(
    the_last_one_leads_and_the_first_writes_nothing_more,
    nothing_is_committed_by_the_first_once_the_second_is_open,
    every_kind_of_write_is_refused,
    the_lead_may_be_taken_again,
    a_row_that_is_gone_deposes,
    a_restore_deposes,
    other_faults_are_what_they_were,
);

async fn hold(store: &Store, n: u16) -> Result<(), StoreError> {
    store.record_leases(vec![change(LeaseVerb::Hold, n, 0)]).await.map(drop)
}

/// The addresses that have leases.
async fn leased(store: &Store) -> BTreeSet<String> {
    let page = store.leases(LeaseFilter::default()).await.unwrap();
    page.items.iter().map(|lease| lease.lease.leased.to_string()).collect()
}

/// The number of the last event. Each lease that is granted makes one.
async fn last_event(store: &Store) -> i64 {
    let last = EventFilter {
        latest: true,
        limit: Some(1),
        ..EventFilter::default()
    };
    store.events(last).await.unwrap().items[0].id
}

async fn the_last_one_leads_and_the_first_writes_nothing_more(place: Place) {
    let first = place.open().await;
    holding_client(&first, 1).await;
    let second = place.open().await;
    let before = leased(&second).await;
    let fault = hold(&first, 2).await.unwrap_err();
    assert!(matches!(fault, StoreError::Deposed { own: 1, epoch: 2, .. }), "{fault}");
    assert_eq!(fault.code(), "store-deposed");
    assert!(fault.to_string().contains("stop one of them"), "{fault}");
    assert_eq!(leased(&second).await, before);
    // It is told without another try, and whoever waits for it is told, too.
    assert!(first.is_in_place().unwrap_err().is_deposed());
    assert!(first.deposed().await.is_deposed());
    assert!(first.ping().await.unwrap_err().is_deposed());
    assert_eq!(leased(&first).await, before, "it reads all the same");
    hold(&second, 2).await.unwrap();
    second.ping().await.unwrap();
    first.close().await;
    hold(&second, 3).await.unwrap();
    second.close().await;
}

async fn nothing_is_committed_by_the_first_once_the_second_is_open(place: Place) {
    let first = place.open().await;
    hold(&first, 1).await.unwrap();
    // A crowd writes by the first one, in groups, until it is told to stop.
    let crowd: Vec<_> = (0..8_u16)
        .map(|client| {
            let first = first.clone();
            tokio::spawn(async move {
                let mut recorded = 0;
                loop {
                    match hold(&first, client * 1000 + recorded + 2).await {
                        Ok(()) => recorded += 1,
                        Err(fault) => return (recorded, fault),
                    }
                }
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let second = place.open().await;
    let at_that_time = last_event(&second).await;
    let mut recorded = 1;
    for client in crowd {
        let (of_client, fault) = client.await.unwrap();
        assert!(fault.is_deposed(), "{fault}");
        recorded += of_client;
    }
    assert!(recorded > 1, "the first one was in the middle of it");
    assert_eq!(last_event(&second).await, at_that_time, "nothing came after");
    assert_eq!(at_that_time, i64::from(recorded), "and all that was confirmed is there");
    hold(&second, 9999).await.unwrap();
    first.close().await;
    second.close().await;
}

async fn every_kind_of_write_is_refused(place: Place) {
    let first = place.open().await;
    holding_client(&first, 1).await;
    let second = place.open().await;
    assert!(first.ping().await.unwrap_err().is_deposed());
    assert!(first.expire_leases(Timestamp(i64::MAX)).await.unwrap_err().is_deposed());
    assert!(first.prune(at(0)).await.unwrap_err().is_deposed());
    assert!(
        first
            .sealed()
            .begin_secrets("seal", at(0))
            .await
            .unwrap_err()
            .is_deposed()
    );
    first.close().await;
    second.close().await;
}

async fn the_lead_may_be_taken_again(place: Place) {
    let first = place.open().await;
    let second = place.open().await;
    assert!(hold(&first, 1).await.unwrap_err().is_deposed());
    first.close().await;
    let third = place.open().await;
    hold(&third, 1).await.unwrap();
    let fault = hold(&second, 2).await.unwrap_err();
    assert!(matches!(fault, StoreError::Deposed { own: 2, epoch: 3, .. }), "{fault}");
    second.close().await;
    third.close().await;
}

async fn a_row_that_is_gone_deposes(place: Place) {
    let store = place.open().await;
    hold(&store, 1).await.unwrap();
    place.sql("delete from leaders").await;
    let fault = hold(&store, 2).await.unwrap_err();
    assert!(fault.is_deposed(), "{fault}");
    store.close().await;
}

async fn a_restore_deposes(place: Place) {
    let store = place.open().await;
    hold(&store, 1).await.unwrap();
    let mut backup = Vec::new();
    Store::back_up(&place.url, at(0), &mut backup).await.unwrap();
    let identity = std::env::temp_dir().join(format!(
        "orchestrator-lead-{}",
        orchestrator::model::Id::random().unwrap()
    ));
    let how = Restore {
        replace: true,
        secrets: SecretsInBackup::LeftOut,
    };
    Store::restore(&place.url, &identity, &mut backup.as_slice(), how)
        .await
        .unwrap();
    std::fs::remove_file(&identity).unwrap();
    let fault = hold(&store, 2).await.unwrap_err();
    // The database is another one by then, and that is said first.
    assert!(["store-deposed", "store-lost"].contains(&fault.code()), "{fault}");
    store.close().await;
    let next = place.open().await;
    hold(&next, 2).await.unwrap();
    assert_eq!(leased(&next).await.len(), 2);
    next.close().await;
}

async fn other_faults_are_what_they_were(place: Place) {
    let store = place.open().await;
    hold(&store, 1).await.unwrap();
    place.sql("alter table leases rename to elsewhere").await;
    assert_eq!(hold(&store, 2).await.unwrap_err().code(), "store-failed");
    place.sql("alter table elsewhere rename to leases").await;
    hold(&store, 2).await.unwrap();
    store.close().await;
}
