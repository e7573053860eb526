//! A database that goes away, and comes back.

use std::fs;
use std::path::Path;
use std::time::Duration;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use orchestrator::model::LeaseVerb;
use orchestrator::store::{Outcome, Store};
use orchestrator_lab::{Lab, Postgres};
use sqlx::{Connection, SqliteConnection};
use tokio::task::JoinSet;

use crate::place::{LINK, Place, address, change, holding_client};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stops_is_away_and_is_found_again() {
    let lab = Lab::new().unwrap();
    let mut postgres = Postgres::start(&lab).unwrap();
    let store = Store::open(&postgres.database().unwrap()).await.unwrap();
    let client = holding_client(&store, 1).await;

    postgres.stop().unwrap();
    let mut callers = JoinSet::new();
    for n in 0..64 {
        let store = store.clone();
        callers.spawn(async move { store.record_leases(vec![change(LeaseVerb::Hold, n, 10)]).await });
    }
    while let Some(answer) = callers.join_next().await {
        assert!(answer.unwrap().unwrap_err().is_away());
    }
    assert!(store.client(client).await.unwrap_err().is_away());
    assert!(store.ping().await.unwrap_err().is_away());

    postgres.resume().unwrap();
    store.ping().await.unwrap();
    let recorded = store.record_leases(vec![change(LeaseVerb::Hold, 1, 20)]).await.unwrap();
    assert_eq!(recorded[0].outcome, Outcome::Renewed);
    assert!(store.client(client).await.unwrap().is_some());
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stops_under_load_loses_nothing_it_acknowledged() {
    let lab = Lab::new().unwrap();
    let mut postgres = Postgres::start(&lab).unwrap();
    let store = Store::open(&postgres.database().unwrap()).await.unwrap();
    let (acknowledge, mut acknowledged) = tokio::sync::mpsc::unbounded_channel();
    let mut callers = JoinSet::new();
    for caller in 0..8_u16 {
        let (store, acknowledge) = (store.clone(), acknowledge.clone());
        callers.spawn(async move {
            for n in 0..1000 {
                let n = caller * 1000 + n;
                if store.record_leases(vec![change(LeaseVerb::Hold, n, 0)]).await.is_err() {
                    return;
                }
                acknowledge.send(n).unwrap();
            }
        });
    }
    drop(acknowledge);
    let mut seen = Vec::new();
    while seen.len() < 50 {
        seen.push(acknowledged.recv().await.unwrap());
    }
    postgres.stop().unwrap();
    postgres.resume().unwrap();
    while callers.join_next().await.is_some() {}
    while let Some(n) = acknowledged.recv().await {
        seen.push(n);
    }
    store.ping().await.unwrap();
    let leases = store.leases_of_link(LINK).await.unwrap();
    for n in seen {
        assert!(
            leases.iter().any(|lease| lease.leased == address(n).into()),
            "{n} was acknowledged"
        );
    }
    store.close().await;
}

/// Runs `test` on a thread with a small file system of its own: it is gone with the thread.
fn on_small_disk(test: impl AsyncFnOnce(&Path) + Send + 'static) {
    let thread = std::thread::spawn(move || {
        unshare(CloneFlags::CLONE_NEWNS).unwrap();
        mount(
            None::<&str>,
            "/",
            None::<&str>,
            MsFlags::MS_REC | MsFlags::MS_PRIVATE,
            None::<&str>,
        )
        .unwrap();
        mount(Some("tmpfs"), "/mnt", Some("tmpfs"), MsFlags::empty(), Some("size=2m")).unwrap();
        // One thread for everything: the threads it starts are in the same namespace.
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(test(Path::new("/mnt")));
    });
    thread.join().unwrap();
}

#[test]
fn a_full_disk_is_away_until_there_is_room() {
    on_small_disk(async |disk| {
        let store = Store::open(&format!("sqlite://{}/x.db", disk.display())).await.unwrap();
        let client = holding_client(&store, 1).await;
        let ballast = disk.join("ballast");
        let full = fs::write(&ballast, vec![0; 4 << 20]);
        assert!(full.is_err());
        let mut refused = 0;
        for n in 2..200 {
            if let Err(error) = store.record_leases(vec![change(LeaseVerb::Hold, n, 0)]).await {
                assert!(error.is_away(), "{error}");
                refused += 1;
            }
        }
        assert!(refused > 0);
        assert!(store.client(client).await.unwrap().is_some(), "a full disk can be read");
        fs::remove_file(&ballast).unwrap();
        store.ping().await.unwrap();
        store.record_leases(vec![change(LeaseVerb::Hold, 1, 10)]).await.unwrap();
        assert_eq!(store.leases_of_link(LINK).await.unwrap().len(), 199 - refused);
        store.close().await;
    });
}

#[tokio::test]
async fn a_database_that_another_process_locks_is_away_and_comes_back() {
    let place = Place::sqlite();
    let store = place.open().await;
    let mut other = SqliteConnection::connect(&place.url).await.unwrap();
    let locked = other.begin_with("begin immediate").await.unwrap();
    let answer = tokio::time::timeout(Duration::from_secs(30), store.ping()).await;
    assert!(answer.expect("an answer in time").unwrap_err().is_away());
    locked.rollback().await.unwrap();
    store.ping().await.unwrap();
}
