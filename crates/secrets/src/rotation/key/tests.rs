use tokio_util::sync::CancellationToken;

use super::*;
use crate::room::Listed;
use crate::room::tests::{AT, Site, secret};

const NAMES: [&str; 3] = ["a", "b", "ca/3f9a2c01d2e4"];

/// The number of names under which secrets are stored again and again.
const KEPT: usize = 10;

/// Checks that everything opens for a starting daemon and for one that has run since before.
async fn all_is_there(site: &Site, running: &crate::Room) {
    let started = site.start().await.unwrap();
    for name in NAMES {
        assert_eq!(started.read(name).await.unwrap(), Some(secret(name)), "{name}");
        assert_eq!(running.read(name).await.unwrap(), Some(secret(name)), "{name}");
    }
}

/// Does the first steps of a rotation and then stops, as after SIGKILL.
async fn rotate_until(site: &Site, steps: usize) {
    let rows = site.beside().await;
    let lock = site.file.lock().unwrap();
    let rotation = Rotation::begin(&rows, &lock).await.unwrap();
    if steps > 0 {
        rotation.keep_both_keys(&lock).unwrap();
    }
    if steps > 1 {
        rotation.reseal(&rows, &lock, AT).await.unwrap();
    }
    if steps > 2 {
        rotation.drop_old_key(&lock).unwrap();
    }
}

async fn filled() -> (Site, crate::Room) {
    let site = Site::new().await;
    let room = site.start().await.unwrap();
    for name in NAMES {
        room.keep(name, &secret(name), AT).await.unwrap();
    }
    (site, room)
}

#[tokio::test]
async fn a_rotation_may_end_after_any_step_and_loses_nothing() {
    for steps in 0..=3 {
        for steps_of_the_next in 0..=3 {
            let (site, running) = filled().await;
            let first = running.check(AT).await.unwrap();
            rotate_until(&site, steps).await;
            all_is_there(&site, &running).await;
            rotate_until(&site, steps_of_the_next).await;
            all_is_there(&site, &running).await;
            // Who wrote in between sealed with a key that is kept.
            running.keep("a", &secret("a"), AT).await.unwrap();
            let rotated = rotate_key(&site.beside().await, &site.file, AT).await.unwrap();
            assert_eq!(rotated.secrets, NAMES.len());
            all_is_there(&site, &running).await;
            let keys: Vec<KeyId> = site.file.read().unwrap().unwrap().iter().map(SealingKey::id).collect();
            assert_eq!(keys, [rotated.to], "only the new key is kept");
            assert_ne!(rotated.to, first);
            for listed in Listed::all(&site.store.sealed()).await.unwrap() {
                assert_eq!(listed.key, Some(rotated.to));
            }
        }
    }
}

#[tokio::test]
async fn a_new_key_that_was_never_used_is_taken_up_again() {
    let (site, _running) = filled().await;
    rotate_until(&site, 1).await;
    let pending = site.file.read().unwrap().unwrap().newest().id();
    assert_eq!(
        rotate_key(&site.beside().await, &site.file, AT).await.unwrap().to,
        pending
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_that_are_kept_during_rotations_open_afterwards() {
    let (site, room) = filled().await;
    let rows = site.beside().await;
    let stop = CancellationToken::new();
    let writer = tokio::spawn({
        let (room, stop) = (room.clone(), stop.clone());
        async move {
            let mut round = 0;
            while !stop.is_cancelled() {
                let name = format!("kept/{}", round % KEPT);
                room.keep(&name, &secret(&name), AT).await.unwrap();
                round += 1;
            }
            round
        }
    });
    let mut rotations = 0;
    while rotations < 3 {
        match rotate_key(&rows, &site.file, AT).await {
            Ok(_) => rotations += 1,
            // The writer came in between each time: nothing has changed.
            Err(SecretsError::Contended { .. }) => {}
            Err(fault) => panic!("{fault}"),
        }
    }
    stop.cancel();
    let kept = writer.await.unwrap();
    let started = site.start().await.unwrap();
    for name in (0..kept.min(KEPT)).map(|round| format!("kept/{round}")) {
        assert_eq!(started.read(&name).await.unwrap(), Some(secret(&name)));
    }
    all_is_there(&site, &room).await;
}
