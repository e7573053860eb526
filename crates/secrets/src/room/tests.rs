use std::fs;
use std::path::{Path, PathBuf};

use orchestrator_store::{SealedRows, Store};

use super::*;
use crate::{SealingKey, rotate_key};

/// A directory that is removed when this is dropped.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new() -> Self {
        let id = orchestrator_model::Id::random().unwrap();
        let path = std::env::temp_dir().join(format!("orchestrator-secrets-{id}"));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

/// A database and a key file for one test.
pub(crate) struct Site {
    _scratch: Scratch,
    pub(crate) store: Store,
    pub(crate) file: KeyFile,
    url: String,
}

impl Site {
    pub(crate) async fn new() -> Self {
        let scratch = Scratch::new();
        let url = format!("sqlite://{}/state.db", scratch.path().display());
        Self {
            store: Store::open(&url).await.unwrap(),
            file: KeyFile::at(&scratch.path().join("state.key")),
            _scratch: scratch,
            url,
        }
    }

    /// The rows as another process accesses them.
    pub(crate) async fn beside(&self) -> SealedRows {
        SealedRows::beside(&self.url).await.unwrap().unwrap()
    }

    /// Opens the room as a starting daemon does.
    pub(crate) async fn start(&self) -> Result<Room, SecretsError> {
        Room::open(self.store.sealed(), self.file.clone(), AT).await
    }
}

pub(crate) const AT: Timestamp = Timestamp(1_800_000_000_000);

pub(crate) fn secret(text: &str) -> Secret {
    Secret::from(text.to_owned())
}

#[tokio::test]
async fn the_first_start_makes_the_key_and_the_next_ones_find_it() {
    let site = Site::new().await;
    let room = site.start().await.unwrap();
    let keys = site.file.read().unwrap().unwrap();
    assert_eq!(room.check(AT).await.unwrap(), keys.newest().id());
    room.keep("vpn/token", &secret("one"), AT).await.unwrap();
    room.keep("vpn/token", &secret("two"), AT).await.unwrap();
    let again = site.start().await.unwrap();
    assert_eq!(again.read("vpn/token").await.unwrap(), Some(secret("two")));
    assert_eq!(again.read("other").await.unwrap(), None);
    assert_eq!(site.file.read().unwrap(), Some(keys), "no start makes another key");
    assert!(again.forget("vpn/token").await.unwrap());
    assert!(!again.forget("vpn/token").await.unwrap());
    assert!(again.keep("seal", &secret("x"), AT).await.is_err());
}

#[tokio::test]
async fn a_missing_key_is_a_fault_and_no_other_is_made() {
    let site = Site::new().await;
    let room = site.start().await.unwrap();
    room.keep("a", &secret("one"), AT).await.unwrap();
    let aside = site.file.path().with_extension("aside");
    fs::rename(site.file.path(), &aside).unwrap();
    for fault in [site.start().await.unwrap_err(), room.check(AT).await.unwrap_err()] {
        assert!(matches!(fault, SecretsError::KeyMissing { sealed: 1, .. }), "{fault}");
        let text = fault.to_string();
        assert!(
            text.contains("put back a copy") && text.contains("secrets discard"),
            "{text}"
        );
    }
    assert!(!site.file.path().exists());
    fs::rename(&aside, site.file.path()).unwrap();
    assert_eq!(
        site.start().await.unwrap().read("a").await.unwrap(),
        Some(secret("one"))
    );
}

#[tokio::test]
async fn a_key_that_seals_nothing_yet_is_enough_for_the_fault() {
    let site = Site::new().await;
    site.start().await.unwrap();
    fs::remove_file(site.file.path()).unwrap();
    let fault = site.start().await.unwrap_err();
    assert!(matches!(fault, SecretsError::KeyMissing { sealed: 0, .. }), "{fault}");
}

#[tokio::test]
async fn another_key_is_a_fault_that_names_both() {
    let site = Site::new().await;
    let wanted = site.start().await.unwrap().check(AT).await.unwrap();
    let other = SealingKey::generate().unwrap();
    let found = other.id();
    site.file.lock().unwrap().write(&crate::Keys::one(other)).unwrap();
    let fault = site.start().await.unwrap_err();
    let text = fault.to_string();
    assert!(matches!(fault, SecretsError::OtherKey { .. }), "{text}");
    assert!(
        text.contains(&wanted.to_string()) && text.contains(&found.to_string()),
        "{text}"
    );
}

#[tokio::test]
async fn a_start_that_was_killed_after_it_made_the_key_goes_on_with_it() {
    let site = Site::new().await;
    let key = SealingKey::generate().unwrap();
    let id = key.id();
    site.file.lock().unwrap().write(&crate::Keys::one(key)).unwrap();
    assert_eq!(site.start().await.unwrap().check(AT).await.unwrap(), id);
}

#[tokio::test]
async fn two_that_start_together_have_one_key() {
    let site = Site::new().await;
    let (one, other) = tokio::join!(site.start(), site.start());
    let (one, other) = (one.unwrap(), other.unwrap());
    one.keep("a", &secret("one"), AT).await.unwrap();
    other.keep("b", &secret("two"), AT).await.unwrap();
    let third = site.start().await.unwrap();
    assert_eq!(third.read("a").await.unwrap(), Some(secret("one")));
    assert_eq!(third.read("b").await.unwrap(), Some(secret("two")));
}

#[tokio::test]
async fn a_value_that_was_moved_to_another_row_does_not_open() {
    let site = Site::new().await;
    let room = site.start().await.unwrap();
    room.keep("a", &secret("one"), AT).await.unwrap();
    let rows = site.store.sealed();
    let sealed =
        |rows: Vec<orchestrator_store::SealedSecret>| rows.into_iter().find(|row| row.name == "a").unwrap().sealed;
    let sealed = sealed(rows.secrets().await.unwrap());
    let written = rows
        .put_secret(room.in_force().witness(), "b", &sealed, AT)
        .await
        .unwrap();
    assert_eq!(written, Written::Done);
    let fault = room.read("b").await.unwrap_err();
    assert!(fault.to_string().contains("moved from another row"), "{fault}");
    // A rotation keeps nothing that it cannot open, and changes nothing then.
    let before = site.store.sealed().secrets().await.unwrap();
    rotate_key(&site.beside().await, &site.file, AT).await.unwrap_err();
    assert_eq!(site.store.sealed().secrets().await.unwrap(), before);
    assert_eq!(room.read("a").await.unwrap(), Some(secret("one")));
}

#[tokio::test]
async fn nothing_is_written_with_a_key_that_was_replaced_meanwhile() {
    let site = Site::new().await;
    let room = site.start().await.unwrap();
    room.keep("a", &secret("one"), AT).await.unwrap();
    let stale = room.in_force();
    let rotated = rotate_key(&site.beside().await, &site.file, AT).await.unwrap();
    let sealed = stale.key().seal(row("b"), &secret("two")).unwrap();
    let written = site
        .store
        .sealed()
        .put_secret(stale.witness(), "b", &sealed, AT)
        .await
        .unwrap();
    assert_eq!(written, Written::Outrun, "the database refuses it");
    room.keep("b", &secret("two"), AT).await.unwrap();
    assert_eq!(
        room.read("a").await.unwrap(),
        Some(secret("one")),
        "the room has found the new key"
    );
    assert_eq!(room.check(AT).await.unwrap(), rotated.to);
    let listed = Listed::all(&site.store.sealed()).await.unwrap();
    assert!(listed.iter().all(|listed| listed.key == Some(rotated.to)), "{listed:?}");
    assert_eq!(listed.len(), 2);
    assert_eq!((listed[0].rotated, listed[1].rotated), (Some(AT), None));
}

#[tokio::test]
async fn secrets_that_were_given_up_begin_anew() {
    let site = Site::new().await;
    let room = site.start().await.unwrap();
    room.keep("a", &secret("one"), AT).await.unwrap();
    fs::remove_file(site.file.path()).unwrap();
    site.beside().await.clear().await.unwrap();
    room.keep("a", &secret("two"), AT).await.unwrap();
    assert_eq!(
        site.start().await.unwrap().read("a").await.unwrap(),
        Some(secret("two"))
    );
}
