//! A database that is taken away under the store, or damaged.

use std::fs;
use std::path::{Path, PathBuf};

use orchestrator::model::LeaseVerb;
use orchestrator::store::Store;
use orchestrator_lab::Postgres;
use tokio::net::{TcpListener, UnixStream};

use crate::place::{LINK, Place, change, holding_client};

fn file(place: &Place) -> PathBuf {
    place.url.strip_prefix("sqlite://").unwrap().into()
}

fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut path = file.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}

/// Has a lease recorded, and gives the word for what came of it.
async fn hold(store: &Store, n: u16) -> &'static str {
    match store.record_leases(vec![change(LeaseVerb::Hold, n, 0)]).await {
        Ok(_) => "recorded",
        Err(error) => error.code(),
    }
}

/// What the store says of a lease after `lose` did something to its file.
async fn after(lose: impl FnOnce(&Path)) -> &'static str {
    let place = Place::sqlite();
    let store = place.open().await;
    holding_client(&store, 1).await;
    lose(&file(&place));
    let said = hold(&store, 2).await;
    assert_eq!(store.ping().await.map_or_else(|error| error.code(), |()| "there"), said);
    store.close().await;
    said
}

#[tokio::test]
async fn a_deleted_file_takes_no_lease() {
    assert_eq!(after(|file| fs::remove_file(file).unwrap()).await, "store-lost");
}

#[tokio::test]
async fn a_deleted_log_takes_no_lease() {
    assert_eq!(
        after(|file| fs::remove_file(beside(file, "-wal")).unwrap()).await,
        "store-lost"
    );
}

#[tokio::test]
async fn a_file_that_another_has_replaced_takes_no_lease() {
    let copied = |file: &Path| {
        let copy = beside(file, ".copy");
        fs::copy(file, &copy).unwrap();
        fs::rename(&copy, file).unwrap();
    };
    assert_eq!(after(copied).await, "store-lost");
}

#[tokio::test]
async fn a_file_in_a_directory_that_was_moved_takes_no_lease() {
    let moved = |file: &Path| {
        let directory = file.parent().unwrap();
        fs::rename(directory, directory.with_extension("moved")).unwrap();
    };
    assert_eq!(after(moved).await, "store-lost");
}

#[tokio::test]
async fn a_file_that_comes_back_takes_leases_again_and_has_lost_none() {
    let place = Place::sqlite();
    let store = place.open().await;
    assert_eq!(hold(&store, 1).await, "recorded");
    let (here, away) = (file(&place), beside(&file(&place), ".away"));
    fs::rename(&here, &away).unwrap();
    assert_eq!(hold(&store, 2).await, "store-lost");
    fs::rename(&away, &here).unwrap();
    assert_eq!(hold(&store, 3).await, "recorded");
    store.close().await;
    let store = place.open().await;
    let known = store.leases_of_link(LINK).await.unwrap();
    for n in [1, 3] {
        let wanted = crate::place::address(n).into();
        assert!(known.iter().any(|lease| lease.leased == wanted), "{n} was acknowledged");
    }
}

/// Fills a database, closes it, and overwrites its pages from the third on.
async fn damaged() -> Place {
    let place = Place::sqlite();
    let store = place.open().await;
    for first in 0..8 {
        let changes = (first * 100..first * 100 + 100).map(|n| change(LeaseVerb::Hold, n, 0));
        store.record_leases(changes.collect()).await.unwrap();
    }
    store.close().await;
    let mut bytes = fs::read(file(&place)).unwrap();
    assert!(bytes.len() > 40 * 4096);
    bytes[4096 * 12..].fill(0x5a);
    fs::write(file(&place), bytes).unwrap();
    place
}

#[tokio::test]
async fn a_damaged_file_is_seen_by_a_look_and_the_remedy_is_named() {
    let place = damaged().await;
    let error = Store::look(&place.url).await.unwrap_err();
    assert_eq!(error.code(), "store-damaged");
    assert!(error.to_string().contains("orchestrator restore"), "{error}");
}

#[tokio::test]
async fn a_truncated_file_is_seen_by_a_look() {
    let place = damaged().await;
    let half = fs::read(file(&place)).unwrap();
    fs::write(file(&place), &half[..half.len() / 2 + 100]).unwrap();
    assert_eq!(Store::look(&place.url).await.unwrap_err().code(), "store-damaged");
}

#[tokio::test]
async fn no_lease_is_confirmed_from_a_database_that_was_found_damaged() {
    let place = damaged().await;
    // Whether the damage is met when it is opened depends on which pages that reads.
    let store = match Store::open(&place.url).await {
        Ok(store) => store,
        Err(error) => return assert_eq!(error.code(), "store-damaged"),
    };
    let error = store.examine().await.unwrap_err();
    assert_eq!(error.code(), "store-damaged");
    for n in [1, 900] {
        assert_eq!(hold(&store, n).await, "store-damaged");
    }
    assert_eq!(store.ping().await.unwrap_err().code(), "store-damaged");
}

/// A server that is reached by an IPv6 address, as a URL writes it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_is_reached_by_an_address_in_brackets() {
    let url = Postgres::shared().database().unwrap();
    let name = url
        .trim_start_matches("postgres:///")
        .split('?')
        .next()
        .unwrap()
        .to_owned();
    let listener = TcpListener::bind("[::1]:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut inbound, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut server = UnixStream::connect(Postgres::shared().socket()).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut inbound, &mut server).await;
            });
        }
    });
    for url in [
        format!("postgres://postgres@[::1]:{port}/{name}?sslmode=disable"),
        format!("postgres:///{name}?host=[::1]&port={port}&user=postgres&sslmode=disable"),
    ] {
        let store = Store::open(&url)
            .await
            .unwrap_or_else(|error| panic!("{url}: {error:?}"));
        holding_client(&store, 1).await;
        store.close().await;
    }
}

/// A database of PostgreSQL in which time went back, or that was made anew, as the store sees it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_was_made_anew_takes_no_lease() {
    let postgres = Postgres::shared();
    let place = Place::postgres();
    let store = place.open().await;
    holding_client(&store, 1).await;
    postgres.recreate(&place.url).unwrap();
    // The first call finds the connection broken.
    let _ = hold(&store, 2).await;
    assert_eq!(hold(&store, 2).await, "store-lost");
    // Also when it has all tables.
    place.open().await.close().await;
    assert_eq!(hold(&store, 2).await, "store-lost");
    assert_eq!(store.ping().await.unwrap_err().code(), "store-lost");
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_an_old_dump_was_restored_into_takes_no_lease() {
    let place = Place::postgres();
    let store = place.open().await;
    store.ping().await.unwrap();
    place.sql("create table old as select * from facts").await;
    store.ping().await.unwrap();
    place
        .sql("delete from facts; insert into facts select * from old; drop table old")
        .await;
    assert_eq!(store.ping().await.unwrap_err().code(), "store-lost");
    assert_eq!(hold(&store, 2).await, "store-lost");
    store.close().await;
}
