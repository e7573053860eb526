//! The identity in a file: what a lost database leaves behind.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use orchestrator::store::{Identity, Store, StoreError};

use crate::on_both;
use crate::place::Place;

on_both!(
    a_new_database_gets_the_identity_of_the_file,
    a_lost_file_is_made_from_the_database,
    a_file_of_another_database_is_refused_and_nothing_is_changed,
    a_file_that_is_in_use_is_waited_for,
    what_a_crash_left_of_the_file_does_no_harm,
    a_file_that_holds_something_else_is_refused,
);

/// A file in a directory that goes with it.
struct Kept(PathBuf);

impl Kept {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("orchestrator-identity-{}-{count}", std::process::id());
        Self(std::env::temp_dir().join(name).join("state/identity"))
    }

    fn text(&self) -> String {
        fs::read_to_string(&self.0).unwrap()
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(self.0.ancestors().nth(2).unwrap());
    }
}

/// Another empty database of the same kind.
fn another(place: &Place) -> Place {
    if place.url.starts_with("sqlite") {
        Place::sqlite()
    } else {
        Place::postgres()
    }
}

/// Who a daemon is that runs and ends.
async fn identity(place: &Place, file: &Path) -> Result<Identity, StoreError> {
    let store = Store::open_with(&place.url, file).await?;
    let identity = store.identity().clone();
    store.close().await;
    Ok(identity)
}

async fn a_new_database_gets_the_identity_of_the_file(place: Place) {
    let file = Kept::new();
    let before = identity(&place, &file.0).await.unwrap();
    assert_eq!(identity(&place, &file.0).await.unwrap(), before);
    assert_eq!(fs::metadata(&file.0).unwrap().permissions().mode() & 0o777, 0o600);
    let text = file.text();
    let lost = another(&place);
    assert_eq!(identity(&lost, &file.0).await.unwrap(), before);
    assert_eq!(file.text(), text);
}

async fn a_lost_file_is_made_from_the_database(place: Place) {
    let file = Kept::new();
    // As a version without such a file made it.
    let store = place.open().await;
    let before = store.identity().clone();
    store.close().await;
    assert_eq!(identity(&place, &file.0).await.unwrap(), before);
    let text = file.text();
    fs::remove_file(&file.0).unwrap();
    assert_eq!(identity(&place, &file.0).await.unwrap(), before);
    assert_eq!(file.text(), text);
}

async fn a_file_of_another_database_is_refused_and_nothing_is_changed(place: Place) {
    let (file, other) = (Kept::new(), Kept::new());
    let own = identity(&place, &file.0).await.unwrap();
    let others = identity(&another(&place), &other.0).await.unwrap();
    let text = other.text();
    let error = identity(&place, &other.0).await.unwrap_err();
    assert!(matches!(error, StoreError::IdentityDiffers { .. }), "{error}");
    assert!(!error.is_away());
    let said = error.to_string();
    for part in [
        other.0.display().to_string(),
        own.server_duid.to_string(),
        others.server_duid.to_string(),
    ] {
        assert!(said.contains(&part), "{said}");
    }
    assert_eq!(other.text(), text);
    assert_eq!(identity(&place, &file.0).await.unwrap(), own);
    // As it says.
    fs::remove_file(&other.0).unwrap();
    assert_eq!(identity(&place, &other.0).await.unwrap(), own);
}

async fn a_file_that_is_in_use_is_waited_for(place: Place) {
    let file = Kept::new();
    let first = Store::open_with(&place.url, &file.0).await.unwrap();
    for _ in 0..2 {
        let error = identity(&another(&place), &file.0).await.unwrap_err();
        assert!(error.is_away(), "{error}");
    }
    first.close().await;
    drop(first);
    identity(&place, &file.0).await.unwrap();
}

async fn what_a_crash_left_of_the_file_does_no_harm(place: Place) {
    let file = Kept::new();
    let before = identity(&place, &file.0).await.unwrap();
    fs::write(&file.0, "").unwrap();
    fs::write(file.0.with_extension("new"), "site = 0").unwrap();
    assert_eq!(identity(&place, &file.0).await.unwrap(), before);
    assert!(!fs::exists(file.0.with_extension("new")).unwrap());
    assert_eq!(identity(&another(&place), &file.0).await.unwrap(), before);
}

async fn a_file_that_holds_something_else_is_refused(place: Place) {
    let file = Kept::new();
    let before = identity(&place, &file.0).await.unwrap();
    let text = file.text();
    let damaged = [
        ("Dear diary".to_owned(), "allocation-key is missing"),
        ("\u{1F980}".repeat(5000), "is no text"),
        (text.replace("site", "sight"), "site is missing"),
        (text.replace("server-duid", "duid"), "server-duid is missing"),
        (
            text.lines().take(4).collect::<Vec<_>>().join("\n"),
            "allocation-key is missing",
        ),
        (text[..text.len() - 2].to_owned(), "allocation-key is missing"),
    ];
    for (text, reason) in damaged {
        fs::write(&file.0, text).unwrap();
        let error = identity(&place, &file.0).await.unwrap_err();
        assert!(matches!(error, StoreError::NotAnIdentity { .. }), "{error}");
        assert!(error.to_string().contains(reason), "{error}");
    }
    fs::write(&file.0, text).unwrap();
    assert_eq!(identity(&place, &file.0).await.unwrap(), before);
}

#[tokio::test]
async fn a_place_where_nothing_can_be_made_is_away() {
    let place = Place::sqlite();
    let error = identity(&place, Path::new("/proc/nowhere/identity")).await.unwrap_err();
    assert!(error.is_away(), "{error}");
}
