//! Backups, from either database into either one.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use orchestrator::model::{
    EventKind, Health, Id, KeyChange, KvPath, LeaseVerb, OperationState, RecordedToken, Role, ServiceSlot,
};
use orchestrator::store::{BackupError, KvWrite, OperationFilter, Restore, RollOutcome, SecretsInBackup, Store};

use crate::on_both;
use crate::place::{Place, at, change, event, holding_client, new_instance, of_two_containers};
use crate::services::{new, update};

on_both!(
    a_backup_holds_every_table_and_every_column,
    what_is_restored_is_what_was_backed_up,
    a_database_that_holds_something_is_replaced_only_by_force,
    a_restore_that_fails_changes_nothing,
    a_restore_beside_a_daemon_is_refused,
    a_restore_makes_the_machine_the_server_of_the_backup_only_by_force,
    a_backup_beside_a_crowd_is_one_moment,
    what_is_not_there_cannot_be_backed_up,
);

/// An identity file of a case's own, in a directory that goes with it.
struct IdentityPlace(PathBuf);

impl IdentityPlace {
    fn new() -> Self {
        let name = format!("orchestrator-restored-{}", Id::random().unwrap());
        Self(std::env::temp_dir().join(name).join("identity"))
    }
}

impl Drop for IdentityPlace {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(self.0.parent().unwrap());
    }
}

/// Three clients, one of them with an instance, one without its lease.
async fn populate(store: &Store) {
    let client = holding_client(store, 1).await;
    holding_client(store, 2).await;
    holding_client(store, 3).await;
    store
        .record_leases(vec![change(LeaseVerb::Release, 3, 60)])
        .await
        .unwrap();
    let instance = of_two_containers(new_instance(client, 100));
    store
        .plan_instance(instance, event(EventKind::InstanceWanted, client))
        .await
        .unwrap();
    // A service with a good version, and another version on its way: one slot of each.
    let by = || Some("ada".to_owned());
    let first = store.deploy_service(new("a", None), at(10), by()).await.unwrap();
    let good = RollOutcome::Good { version: 1 };
    store
        .update_service(update(&first, Vec::new(), Some(good)))
        .await
        .unwrap();
    let second = store.deploy_service(new("b", Some(1)), at(30), by()).await.unwrap();
    let mut passing = ServiceSlot::open(0, 1, at(20));
    passing.health = Health::Passing;
    let slots = vec![passing, ServiceSlot::open(1, 2, at(30))];
    store.update_service(update(&second, slots, None)).await.unwrap();
    store.add_token(token()).await.unwrap();
    let keys = KeyChange::Add(vec![KEY.to_owned()]);
    store.change_authorized_keys(client, keys, at(40), by()).await.unwrap();
    let write = KvWrite {
        path: path(),
        value: b"on".to_vec(),
        expected: None,
        owner: None,
        at: at(50),
        by: by(),
    };
    store.put_kv(write).await.unwrap();
}

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFxNNfzrqW3sTmNJrC5hQWLVo3hL8mGzRZ3lXJmvVqKd laptop";

fn path() -> KvPath {
    "web/lock".parse().unwrap()
}

fn token() -> RecordedToken {
    RecordedToken {
        name: "ci".to_owned(),
        id: "0a0b0c0d0e0f".parse().unwrap(),
        role: Role::Operator,
        scope: vec!["/v1/services".to_owned()],
        signs: true,
        hash: "ab".repeat(32),
        earlier: None,
        created: at(40),
        by: Some("ada".to_owned()),
        until: Some(at(900)),
        used: None,
    }
}

/// The service with its slots, its versions and its operation; every operation; the tokens; the SSH keys of the clients; a
/// value.
async fn what_runs(store: &Store) -> String {
    let situation = store.service_situation("web").await.unwrap().unwrap();
    let operations = store.operations(OperationFilter::default()).await.unwrap().items;
    let mut keys = Vec::new();
    for client in store.clients(Default::default()).await.unwrap().items {
        keys.extend(store.authorized_keys(client.id).await.unwrap());
    }
    let value = store.kv(&path()).await.unwrap().entries;
    let tokens = store.tokens().await.unwrap();
    format!("{situation:#?}\n{operations:#?}\n{tokens:#?}\n{keys:#?}\n{value:#?}")
}

/// The next daemon goes on with the operation that was under way, and ends it.
async fn end_the_operation(store: &Store) {
    let situation = store.service_situation("web").await.unwrap().unwrap();
    let running = situation.operation.unwrap();
    assert_eq!((running.state, running.version), (OperationState::Running, 2));
    let deployed = orchestrator::store::Deployed {
        service: situation.service,
        operation: running.clone(),
    };
    let good = RollOutcome::Good { version: 2 };
    store
        .update_service(update(&deployed, Vec::new(), Some(good)))
        .await
        .unwrap();
    let ended = store.operation(running.id).await.unwrap().unwrap();
    assert_eq!(ended.state, OperationState::Done);
}

async fn backup_of(url: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    Store::back_up(url, at(0), &mut bytes).await.unwrap();
    bytes
}

/// The rows, without the lines that tell when they were read.
fn rows(backup: &[u8]) -> Vec<String> {
    let text = String::from_utf8(backup.to_vec()).unwrap();
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines[1..lines.len() - 1].to_vec()
}

/// With secrets, if there are any, that open.
fn how(replace: bool) -> Restore<'static> {
    Restore {
        replace,
        secrets: SecretsInBackup::Checked(&|_, _| Ok(())),
    }
}

async fn restore(place: &Place, identity: &IdentityPlace, backup: &[u8], force: bool) -> Result<(), BackupError> {
    let mut from = backup;
    Store::restore(&place.url, &identity.0, &mut from, how(force))
        .await
        .map(drop)
}

async fn a_backup_holds_every_table_and_every_column(place: Place) {
    let store = place.open().await;
    populate(&store).await;
    let backup = backup_of(&place.url).await;
    store.close().await;
    let mut there: Vec<(String, String)> = place.columns().await;
    let mut told: Vec<(String, String)> = rows(&backup)
        .iter()
        .filter(|line| line.starts_with("{\"table\""))
        .flat_map(|line| {
            let head: serde_json::Value = serde_json::from_str(line).unwrap();
            let table = head["table"].as_str().unwrap().to_owned();
            let columns = head["columns"].as_array().unwrap().clone();
            columns
                .into_iter()
                .map(move |column| (table.clone(), column.as_str().unwrap().to_owned()))
        })
        .collect();
    there.sort();
    told.sort();
    assert_eq!(told, there, "a migration added what backups leave out");
}

async fn what_is_restored_is_what_was_backed_up(place: Place) {
    let store = place.open().await;
    populate(&store).await;
    let identity_before = store.identity().clone();
    // The daemon goes on while the backup is taken.
    let backup = backup_of(&place.url).await;
    let mut from = backup.as_slice();
    let contents = Store::examine_backup(&mut from).unwrap();
    assert_eq!(
        (
            contents.count("clients"),
            contents.count("leases"),
            contents.count("instances")
        ),
        (3, 3, 1)
    );
    let services = ["services", "service_versions", "service_slots", "operations"];
    assert_eq!(services.map(|table| contents.count(table)), [1, 2, 2, 2]);
    assert_eq!(
        ["tokens", "authorized_keys", "kv"].map(|table| contents.count(table)),
        [1, 1, 1]
    );
    let running = what_runs(&store).await;
    for target in [Place::sqlite(), Place::postgres()] {
        let identity = IdentityPlace::new();
        restore(&target, &identity, &backup, false).await.unwrap();
        assert_eq!(rows(&backup_of(&target.url).await), rows(&backup), "{}", target.url);
        let restored = Store::open_with(&target.url, &identity.0).await.unwrap();
        assert_eq!(*restored.identity(), identity_before);
        assert_eq!(what_runs(&restored).await, running, "{}", target.url);
        end_the_operation(&restored).await;
        let next = restored
            .record_leases(vec![change(LeaseVerb::Hold, 4, 120)])
            .await
            .unwrap();
        assert!(next[0].client.is_some(), "and it goes on from there");
        restored.close().await;
    }
    store.close().await;
}

async fn a_database_that_holds_something_is_replaced_only_by_force(place: Place) {
    let store = place.open().await;
    populate(&store).await;
    let backup = backup_of(&place.url).await;
    holding_client(&store, 9).await;
    store.close().await;
    let identity = IdentityPlace::new();
    let refused = restore(&place, &identity, &backup, false).await.unwrap_err();
    assert!(
        matches!(refused, BackupError::NotEmpty { clients: 4, leases: 4 }),
        "{refused}"
    );
    restore(&place, &identity, &backup, true).await.unwrap();
    assert_eq!(rows(&backup_of(&place.url).await), rows(&backup));
}

async fn a_restore_that_fails_changes_nothing(place: Place) {
    let store = place.open().await;
    populate(&store).await;
    let backup = backup_of(&place.url).await;
    holding_client(&store, 9).await;
    store.close().await;
    let before = rows(&backup_of(&place.url).await);
    let identity = IdentityPlace::new();
    let cut = &backup[..backup.len() - 40];
    assert!(matches!(
        restore(&place, &identity, cut, true).await,
        Err(BackupError::CutShort { .. })
    ));
    let text = String::from_utf8(backup.clone()).unwrap();
    let changed = text.replacen("client", "cliemt", 1);
    restore(&place, &identity, changed.as_bytes(), true).await.unwrap_err();
    let newer = text.replacen("\"schema\":", "\"schema\":9", 1);
    let refused = restore(&place, &identity, newer.as_bytes(), true).await.unwrap_err();
    assert!(matches!(refused, BackupError::Newer { .. }), "{refused}");
    assert_eq!(rows(&backup_of(&place.url).await), before);
    assert!(!fs::exists(&identity.0).unwrap() || fs::read(&identity.0).unwrap().is_empty());
}

async fn a_restore_beside_a_daemon_is_refused(place: Place) {
    let identity = IdentityPlace::new();
    let store = Store::open_with(&place.url, &identity.0).await.unwrap();
    let backup = backup_of(&place.url).await;
    let refused = restore(&place, &identity, &backup, true).await.unwrap_err();
    assert!(matches!(refused, BackupError::InUse(_)), "{refused}");
    assert!(refused.to_string().contains("stop the daemon first"), "{refused}");
    store.close().await;
}

async fn a_restore_makes_the_machine_the_server_of_the_backup_only_by_force(place: Place) {
    let store = place.open().await;
    let backup = backup_of(&place.url).await;
    let server = store.identity().clone();
    store.close().await;
    // A daemon has run on the other machine before, and is another server.
    let (target, identity) = (Place::sqlite(), IdentityPlace::new());
    Store::open_with(&target.url, &identity.0).await.unwrap().close().await;
    let refused = restore(&target, &identity, &backup, false).await.unwrap_err();
    assert!(matches!(refused, BackupError::OtherServer { .. }), "{refused}");
    restore(&target, &identity, &backup, true).await.unwrap();
    let restored = Store::open_with(&target.url, &identity.0).await.unwrap();
    assert_eq!(*restored.identity(), server);
    restored.close().await;
}

async fn a_backup_beside_a_crowd_is_one_moment(place: Place) {
    let store = place.open().await;
    let crowd = tokio::spawn({
        let store = store.clone();
        async move {
            for n in 1..=400 {
                store.record_leases(vec![change(LeaseVerb::Hold, n, 0)]).await.unwrap();
            }
        }
    });
    let mut last = 0;
    while !crowd.is_finished() {
        let mut bytes = Vec::new();
        let contents = Store::back_up(&place.url, at(0), &mut bytes).await.unwrap();
        let (clients, leases, events) = (
            contents.count("clients"),
            contents.count("leases"),
            contents.count("events"),
        );
        assert_eq!(
            (clients, leases),
            (events, events),
            "every client came with its lease and its event"
        );
        assert!(clients >= last);
        last = clients;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    crowd.await.unwrap();
    assert_eq!(
        Store::back_up(&place.url, at(0), &mut Vec::new())
            .await
            .unwrap()
            .count("clients"),
        400
    );
    store.close().await;
}

async fn what_is_not_there_cannot_be_backed_up(place: Place) {
    // Nothing was opened yet: no file, no table.
    Store::back_up(&place.url, at(0), &mut Vec::new()).await.unwrap_err();
    let mut sink = Refuses;
    let store = place.open().await;
    let refused = Store::back_up(&place.url, at(0), &mut sink).await.unwrap_err();
    assert!(matches!(refused, BackupError::Write(_)), "{refused}");
    store.close().await;
}

/// A disk that is full.
struct Refuses;

impl std::io::Write for Refuses {
    fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
        Err(std::io::ErrorKind::StorageFull.into())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_damaged_file_is_set_aside_and_the_backup_restored_in_its_place() {
    let place = Place::sqlite();
    let store = place.open().await;
    populate(&store).await;
    let backup = backup_of(&place.url).await;
    store.close().await;
    let file = PathBuf::from(place.url.trim_start_matches("sqlite://"));
    fs::write(&file, vec![0x5a; 64 << 10]).unwrap();
    let identity = IdentityPlace::new();
    let refused = restore(&place, &identity, &backup, false).await.unwrap_err();
    assert!(refused.to_string().contains("restore --force"), "{refused}");
    let mut from = backup.as_slice();
    let restored = Store::restore(&place.url, &identity.0, &mut from, how(true))
        .await
        .unwrap();
    assert_eq!(rows(&backup_of(&place.url).await), rows(&backup));
    let aside = restored.set_aside.unwrap();
    assert_eq!(fs::read(&aside).unwrap(), vec![0x5a; 64 << 10], "{}", aside.display());
}
