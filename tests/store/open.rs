//! Opening a store: identity, migrations, and what is refused.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use orchestrator::model::{Duid, LeaseVerb};
use orchestrator::store::{ClientFilter, Found, Store, StoreError};

use crate::on_both;
use crate::place::{Place, change, holding_client};

on_both!(
    the_identity_is_made_once,
    every_statement_is_prepared,
    a_newer_schema_is_refused,
    a_changed_migration_is_refused,
    a_row_that_cannot_be_read_is_named,
    a_closed_store_says_so,
    a_store_that_answers_pings,
    a_look_changes_nothing,
);

async fn a_look_changes_nothing(place: Place) {
    let file = place.url.strip_prefix("sqlite://");
    if let Some(file) = file {
        assert_eq!(Store::look(&place.url).await.unwrap(), Found::NoFileYet);
        assert!(!fs::exists(file).unwrap(), "looking makes nothing");
    }
    let store = place.open().await;
    assert_eq!(Store::look(&place.url).await.unwrap(), Found::Database);
    store.close().await;
    assert_eq!(Store::look(&place.url).await.unwrap(), Found::Database);
    let nowhere = "postgres:///none?host=/nonexistent&user=nobody";
    assert!(Store::look(nowhere).await.unwrap_err().is_away());
}

async fn the_identity_is_made_once(place: Place) {
    let first = place.open().await;
    let identity = first.identity().clone();
    // Of type 1: not every client takes one of type 4.
    assert_eq!(identity.server_duid.as_bytes()[..2], [0, 1]);
    holding_client(&first, 1).await;
    first.close().await;
    let second = place.open().await;
    assert_eq!(second.identity(), &identity);
    assert_eq!(second.clients(ClientFilter::default()).await.unwrap().items.len(), 1);
}

async fn every_statement_is_prepared(place: Place) {
    assert!(place.open().await.prepare_all().await.unwrap() > 30);
}

async fn a_newer_schema_is_refused(place: Place) {
    place.open().await.close().await;
    let checksum = if place.url.starts_with("sqlite") {
        "x'00'"
    } else {
        "'\\x00'"
    };
    let sql = format!(
        "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
         values (9999, 'later', true, {checksum}, 1)"
    );
    place.sql(&sql).await;
    let error = Store::open(&place.url).await.unwrap_err();
    assert!(matches!(error, StoreError::Newer { version: 9999 }), "{error}");
}

async fn a_changed_migration_is_refused(place: Place) {
    place.open().await.close().await;
    let sql = if place.url.starts_with("sqlite") {
        "update _sqlx_migrations set checksum = x'00'"
    } else {
        "update _sqlx_migrations set checksum = '\\x00'"
    };
    place.sql(sql).await;
    let error = Store::open(&place.url).await.unwrap_err();
    assert!(matches!(error, StoreError::Schema { .. }), "{error}");
}

async fn a_row_that_cannot_be_read_is_named(place: Place) {
    let store = place.open().await;
    let client = holding_client(&store, 1).await;
    place.sql("update clients set duid = 'rubbish'").await;
    let error = store.client(client).await.unwrap_err();
    assert!(error.to_string().contains("duid is \"rubbish\""), "{error}");
}

async fn a_closed_store_says_so(place: Place) {
    let store = place.open().await;
    store.close().await;
    store.close().await;
    assert!(
        store
            .record_leases(vec![change(LeaseVerb::Hold, 1, 0)])
            .await
            .unwrap_err()
            .is_away()
    );
    assert!(store.wanting("br0").await.unwrap_err().is_away());
}

async fn a_store_that_answers_pings(place: Place) {
    let store = place.open().await;
    store.ping().await.unwrap();
    store.ping().await.unwrap();
}

#[tokio::test]
async fn the_file_and_its_directory_are_made_for_owner_and_group() {
    let place = Place::sqlite();
    place.open().await;
    let file = place.url.strip_prefix("sqlite://").unwrap();
    let mode = |path: &str| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(file), 0o640);
    assert_eq!(mode(file.rsplit_once('/').unwrap().0), 0o750);
}

#[tokio::test]
async fn what_cannot_be_reached_is_away() {
    for url in [
        "sqlite:///proc/nowhere/x.db",
        "postgres:///x?host=/nonexistent",
        "postgres://x@[::1]:1/x",
    ] {
        let error = Store::open(url).await.unwrap_err();
        assert!(error.is_away(), "{url}: {error}");
    }
}

#[tokio::test]
async fn a_file_that_is_no_database_is_not_away() {
    let place = Place::sqlite();
    let file = place.url.strip_prefix("sqlite://").unwrap();
    fs::create_dir_all(file.rsplit_once('/').unwrap().0).unwrap();
    fs::write(file, "Dear diary, ".repeat(1000)).unwrap();
    let error = Store::open(&place.url).await.unwrap_err();
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
    assert!(error.to_string().contains("orchestrator restore"), "{error}");
}

#[tokio::test]
async fn two_sites_are_two() {
    let [first, second] = [Place::sqlite(), Place::sqlite()];
    let duid = |store: &Store| -> Duid { store.identity().server_duid.clone() };
    let [first, second] = [first.open().await, second.open().await];
    assert_ne!(first.identity().site, second.identity().site);
    assert_ne!(first.identity().allocation_key, second.identity().allocation_key);
    assert_ne!(duid(&first), duid(&second));
}
