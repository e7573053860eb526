//! Secrets and certificate authorities as rows, on both databases; and the room on top of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use orchestrator::model::{Id, RecordedToken, Role, Timestamp};
use orchestrator::secrets::{
    BackupCheck, CertificateRequest, KeyFile, Purpose, Room, Secret, SecretsError, find_key, rotate_key,
};
use orchestrator::store::{
    BackupError, IssuedCertificate, NewAuthority, Resealed, Restore, SealedRows, SecretsInBackup, Store, Written,
};

use tokio_util::sync::CancellationToken;

use crate::on_both;
use crate::place::{Place, at};
use crate::services::deploy;

on_both!(
    rows_are_written_only_while_their_witness_is_there,
    rows_are_sealed_anew_all_or_none,
    the_first_writer_begins,
    what_uses_secrets_is_read_beside_the_daemon,
    one_authority_issues_at_a_time,
    secrets_that_are_kept_during_rotations_open_afterwards,
    a_database_that_is_not_there_yet_has_no_rows,
    a_backup_is_restored_with_its_secrets_where_their_key_is,
    a_backup_is_refused_where_its_secrets_do_not_open,
    a_backup_is_restored_without_its_secrets_if_that_is_wanted,
    a_backup_in_which_nothing_is_sealed_needs_no_key,
);

/// A directory for key files and identities that is gone when the case is.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("orchestrator-keys-{}", Id::random().unwrap()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn key(&self) -> KeyFile {
        KeyFile::at(&self.0.join("key"))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

/// Names under which secrets are kept again and again.
const KEPT: usize = 10;
const NOW: Timestamp = Timestamp(1_800_000_000_000);

fn secret(text: &str) -> Secret {
    Secret::from(text.to_owned())
}

fn token(name: &str) -> RecordedToken {
    RecordedToken {
        name: name.to_owned(),
        id: Id::from_bytes([7; 6]),
        role: Role::Viewer,
        scope: Vec::new(),
        signs: true,
        hash: "hash".to_owned(),
        earlier: None,
        created: at(0),
        by: None,
        until: None,
        used: None,
    }
}

async fn names(rows: &SealedRows) -> Vec<(String, String)> {
    let all = rows.secrets().await.unwrap().into_iter();
    all.map(|row| (row.name, row.sealed)).collect()
}

fn pairs(rows: &[(&str, &str)]) -> Vec<(String, String)> {
    rows.iter()
        .map(|(name, sealed)| ((*name).to_owned(), (*sealed).to_owned()))
        .collect()
}

async fn the_first_writer_begins(place: Place) {
    let store = place.open().await;
    let rows = store.sealed();
    assert_eq!(rows.put_secret("one", "a", "x", at(0)).await.unwrap(), Written::Outrun);
    assert_eq!(rows.begin_secrets("one", at(0)).await.unwrap(), Written::Done);
    assert_eq!(rows.begin_secrets("two", at(0)).await.unwrap(), Written::Outrun);
    let beside = SealedRows::beside(&place.url).await.unwrap().unwrap();
    assert_eq!(beside.begin_secrets("three", at(0)).await.unwrap(), Written::Outrun);
    assert_eq!(names(&beside).await, pairs(&[("seal", "one")]));
    beside.clear().await.unwrap();
    assert_eq!(names(&rows).await, []);
    beside.close().await;
    store.close().await;
}

async fn what_uses_secrets_is_read_beside_the_daemon(place: Place) {
    let store = place.open().await;
    let beside = SealedRows::beside(&place.url).await.unwrap().unwrap();
    assert_eq!(beside.users().await.unwrap(), (Vec::new(), Vec::new()));
    deploy(&store, "a", None).await;
    store.add_token(token("ci")).await.unwrap();
    let (versions, tokens) = beside.users().await.unwrap();
    assert_eq!(versions, store.held_service_versions().await.unwrap());
    let found = versions
        .iter()
        .map(|held| (held.version.service.as_str(), held.in_force));
    assert_eq!(found.collect::<Vec<_>>(), [("web", true)]);
    assert_eq!(tokens, [token("ci")]);
    beside.close().await;
    store.close().await;
}

async fn rows_are_written_only_while_their_witness_is_there(place: Place) {
    let store = place.open().await;
    let rows = store.sealed();
    let _ = rows.begin_secrets("one", at(0)).await.unwrap();
    assert_eq!(rows.put_secret("one", "a", "x", at(0)).await.unwrap(), Written::Done);
    assert_eq!(rows.put_secret("one", "a", "y", at(1)).await.unwrap(), Written::Done);
    assert_eq!(rows.put_secret("two", "a", "z", at(2)).await.unwrap(), Written::Outrun);
    assert_eq!(names(&rows).await, pairs(&[("a", "y"), ("seal", "one")]));
    assert!(!rows.remove_secret("seal").await.unwrap());
    assert!(rows.remove_secret("a").await.unwrap());
    assert!(!rows.remove_secret("a").await.unwrap());
    store.close().await;
}

async fn rows_are_sealed_anew_all_or_none(place: Place) {
    let store = place.open().await;
    let rows = store.sealed();
    let _ = rows.begin_secrets("one", at(0)).await.unwrap();
    let _ = rows.put_secret("one", "a", "x", at(0)).await.unwrap();
    let resealed = |name: &str, from: &str, to: &str| Resealed {
        name: name.to_owned(),
        from: from.to_owned(),
        to: to.to_owned(),
    };
    let whole = vec![resealed("a", "x", "X"), resealed("seal", "one", "ONE")];
    let lacking = vec![resealed("seal", "one", "ONE")];
    let old = vec![resealed("a", "w", "W"), resealed("seal", "one", "ONE")];
    for (seal, rows_found) in [("one", lacking), ("one", old), ("two", whole.clone())] {
        assert_eq!(rows.reseal(seal, rows_found, at(1)).await.unwrap(), Written::Outrun);
    }
    assert_eq!(names(&rows).await, pairs(&[("a", "x"), ("seal", "one")]));
    assert_eq!(rows.reseal("one", whole, at(1)).await.unwrap(), Written::Done);
    assert_eq!(names(&rows).await, pairs(&[("a", "X"), ("seal", "ONE")]));
    let rotated: Vec<Option<Timestamp>> = rows.secrets().await.unwrap().iter().map(|row| row.rotated).collect();
    assert_eq!(rotated, [Some(at(1)), Some(at(1))]);
    store.close().await;
}

async fn one_authority_issues_at_a_time(place: Place) {
    let store = place.open().await;
    let rows = store.sealed();
    let _ = rows.begin_secrets("one", at(0)).await.unwrap();
    let [first, second] = [1, 2].map(|n| Id::from_bytes([n; 6]));
    let new = |id, replaces| NewAuthority {
        id,
        certificate: "PEM".to_owned(),
        until: at(1000),
        sealed_key: "sealed".to_owned(),
        replaces,
        ends_others: false,
        at: at(0),
    };
    let certificate = |serial: &str, authority, until| IssuedCertificate {
        serial: serial.to_owned(),
        authority,
        subject: "host".to_owned(),
        purpose: "client".to_owned(),
        created: at(10),
        until,
        revoked: None,
    };
    assert_eq!(
        rows.add_authority("two", new(first, None)).await.unwrap(),
        Written::Outrun
    );
    assert_eq!(
        rows.add_authority("one", new(first, None)).await.unwrap(),
        Written::Done
    );
    assert_eq!(
        rows.add_authority("one", new(second, None)).await.unwrap(),
        Written::Outrun
    );
    for (serial, until) in [("01", at(5)), ("02", at(300)), ("03", at(200))] {
        let written = rows.add_certificate(certificate(serial, first, until)).await.unwrap();
        assert_eq!(written, Written::Done);
    }
    assert_eq!(
        rows.add_authority("one", new(second, Some(first))).await.unwrap(),
        Written::Done
    );
    let all = rows.authorities().await.unwrap();
    let shown: Vec<_> = all.iter().map(|one| (one.id, one.retired, one.trusted_until)).collect();
    assert_eq!(shown, [(first, Some(at(0)), at(300)), (second, None, at(1000))]);
    let names: Vec<String> = names(&rows).await.into_iter().map(|(name, _)| name).collect();
    assert_eq!(
        names,
        [format!("ca/{second}"), "seal".to_owned()],
        "what retired has no private key"
    );
    let late = rows.add_certificate(certificate("04", first, at(900))).await.unwrap();
    assert_eq!(late, Written::Outrun);
    let known: Vec<String> = rows
        .certificates()
        .await
        .unwrap()
        .into_iter()
        .map(|one| one.serial)
        .collect();
    assert_eq!(known, ["02", "03"], "one that had ended is forgotten");
    assert!(rows.revoke_certificate("02", at(20)).await.unwrap());
    assert!(!rows.revoke_certificate("02", at(30)).await.unwrap());
    assert_eq!(rows.certificates().await.unwrap()[0].revoked, Some(at(20)));
    store.close().await;
}

async fn secrets_that_are_kept_during_rotations_open_afterwards(place: Place) {
    let (store, scratch) = (place.open().await, Scratch::new());
    let room = Room::open(store.sealed(), scratch.key(), NOW).await.unwrap();
    let beside = SealedRows::beside(&place.url).await.unwrap().unwrap();
    let stop = CancellationToken::new();
    let writer = tokio::spawn({
        let (room, stop) = (room, stop.clone());
        async move {
            let mut round = 0;
            while !stop.is_cancelled() {
                let name = format!("kept/{}", round % KEPT);
                room.keep(&name, &secret(&name), NOW).await.unwrap();
                round += 1;
            }
            round
        }
    });
    let mut rotations = 0;
    while rotations < 3 {
        match rotate_key(&beside, &scratch.key(), NOW).await {
            Ok(_) => rotations += 1,
            // The writer came in between each time: nothing has changed.
            Err(SecretsError::Contended { .. }) => {}
            Err(fault) => panic!("{fault}"),
        }
    }
    stop.cancel();
    let kept = writer.await.unwrap();
    let started = Room::open(store.sealed(), scratch.key(), NOW).await.unwrap();
    for name in (0..kept.min(KEPT)).map(|round| format!("kept/{round}")) {
        assert_eq!(started.read(&name).await.unwrap(), Some(secret(&name)));
    }
    beside.close().await;
    store.close().await;
}

async fn a_database_that_is_not_there_yet_has_no_rows(place: Place) {
    assert!(SealedRows::beside(&place.url).await.unwrap().is_none());
    place.open().await.close().await;
    let rows = SealedRows::beside(&place.url).await.unwrap().unwrap();
    let fault = find_key(&rows, &Scratch::new().key()).await.unwrap_err();
    assert!(matches!(fault, SecretsError::Nothing), "{fault}");
    rows.close().await;
}

/// A database with a secret and a certificate authority, and a backup of it.
async fn backup_with_secrets(place: &Place, key: KeyFile) -> Vec<u8> {
    let store = place.open().await;
    let room = Room::open(store.sealed(), key, NOW).await.unwrap();
    room.keep("token", &secret("value"), NOW).await.unwrap();
    let request = CertificateRequest {
        subject: "host".to_owned(),
        names: vec!["host".to_owned()],
        addresses: Vec::new(),
        purposes: vec![Purpose::Client],
        validity: Duration::from_secs(3600),
    };
    room.issue(&request, NOW).await.unwrap();
    store.close().await;
    backup_of(place).await
}

async fn backup_of(place: &Place) -> Vec<u8> {
    let mut backup = Vec::new();
    Store::back_up(&place.url, NOW, &mut backup).await.unwrap();
    backup
}

/// Restores into an empty place, with the secrets that this key file opens.
async fn restore(place: &Place, identity: &Path, key: KeyFile, mut backup: &[u8]) -> Result<(), BackupError> {
    let check = BackupCheck::with(key);
    let opens = |name: &str, sealed: &str| check.opens(name, sealed);
    let how = Restore {
        replace: false,
        secrets: SecretsInBackup::Checked(&opens),
    };
    Store::restore(&place.url, identity, &mut backup, how).await.map(drop)
}

async fn a_backup_is_restored_with_its_secrets_where_their_key_is(place: Place) {
    let scratch = Scratch::new();
    let backup = backup_with_secrets(&place, scratch.key()).await;
    assert!(
        !String::from_utf8_lossy(&backup).contains("PRIVATE"),
        "what is secret is sealed"
    );
    for target in [Place::sqlite(), Place::postgres()] {
        let identity = scratch.0.join(Id::random().unwrap().to_string());
        restore(&target, &identity, scratch.key(), &backup).await.unwrap();
        let store = target.open().await;
        let room = Room::open(store.sealed(), scratch.key(), NOW).await.unwrap();
        assert_eq!(room.read("token").await.unwrap(), Some(secret("value")));
        assert_eq!(room.trusted(NOW).await.unwrap().len(), 1, "its authority goes on");
        assert_eq!(store.sealed().certificates().await.unwrap().len(), 1);
        store.close().await;
    }
}

async fn a_backup_is_refused_where_its_secrets_do_not_open(place: Place) {
    let scratch = Scratch::new();
    let backup = backup_with_secrets(&place, scratch.key()).await;
    let target = Place::sqlite();
    let (identity, missing) = (scratch.0.join("identity"), KeyFile::at(&scratch.0.join("missing")));
    let fault = restore(&target, &identity, missing.clone(), &backup).await.unwrap_err();
    assert!(matches!(fault, BackupError::Sealed(_)), "{fault}");
    let text = fault.to_string();
    assert!(
        text.contains("is missing") && text.contains("--without-secrets"),
        "{text}"
    );
    assert!(!missing.path().exists(), "a restore makes no key");
    // The key of another site.
    let other = Scratch::new();
    let elsewhere = Place::sqlite();
    let store = elsewhere.open().await;
    Room::open(store.sealed(), other.key(), NOW).await.unwrap();
    store.close().await;
    let fault = restore(&target, &identity, other.key(), &backup).await.unwrap_err();
    assert!(fault.to_string().contains("holds the key"), "{fault}");
    // The key in time.
    restore(&target, &identity, scratch.key(), &backup).await.unwrap();
}

async fn a_backup_is_restored_without_its_secrets_if_that_is_wanted(place: Place) {
    let scratch = Scratch::new();
    let backup = backup_with_secrets(&place, scratch.key()).await;
    let target = Place::sqlite();
    let how = Restore {
        replace: false,
        secrets: SecretsInBackup::LeftOut,
    };
    Store::restore(&target.url, &scratch.0.join("identity"), &mut backup.as_slice(), how)
        .await
        .unwrap();
    let store = target.open().await;
    assert_eq!(store.sealed().secrets().await.unwrap(), []);
    assert_eq!(store.sealed().authorities().await.unwrap(), []);
    assert_eq!(store.sealed().certificates().await.unwrap(), []);
    let fresh = KeyFile::at(&scratch.0.join("fresh"));
    let room = Room::open(store.sealed(), fresh, NOW).await.unwrap();
    assert_eq!(room.trusted(NOW).await.unwrap().len(), 1);
    store.close().await;
}

async fn a_backup_in_which_nothing_is_sealed_needs_no_key(place: Place) {
    let scratch = Scratch::new();
    let store = place.open().await;
    Room::open(store.sealed(), scratch.key(), NOW).await.unwrap();
    store.close().await;
    let backup = backup_of(&place).await;
    let target = Place::sqlite();
    let own = KeyFile::at(&scratch.0.join("own"));
    restore(&target, &scratch.0.join("identity"), own.clone(), &backup)
        .await
        .unwrap();
    let store = target.open().await;
    Room::open(store.sealed(), own, NOW).await.unwrap();
    store.close().await;
}
