//! Images: what versions of templates are pinned to, and what was brought to the engines.

use orchestrator::model::{EventKind, HostId, ImageKey, ImageSource, ImageState, Origin};
use orchestrator::store::{EventFilter, NewInstance, NewPin, Pinning, Store, StoreError};

use crate::on_both;
use crate::place::{Place, at, event, holding_client, new_instance, remove};

on_both!(
    a_pin_is_made_once_and_stays,
    a_version_that_is_not_recorded_has_no_pins,
    a_new_version_has_the_same_content_and_other_images,
    a_pin_is_in_use_for_as_long_as_its_version_is,
    an_image_that_is_brought_again_counts_as_new,
    no_pin_and_no_removal_come_together,
    a_removal_is_recorded_with_its_reason,
    pins_go_with_their_version,
);

fn pin(image: &str, digest: &str) -> NewPin {
    NewPin {
        host: HostId::local(),
        engine: "docker".to_owned(),
        image: image.to_owned(),
        digest: digest.to_owned(),
    }
}

fn key(id: &str) -> ImageKey {
    ImageKey {
        host: HostId::local(),
        engine: "docker".to_owned(),
        id: id.to_owned(),
    }
}

async fn add(store: &Store, name: &str) {
    let spec = "{\"image\":\"web\"}".to_owned();
    store.add_template(name, spec, None, at(1)).await.unwrap();
}

async fn bring(store: &Store, id: &str, seconds: i64) {
    let (name, by) = (Some("web:1".to_owned()), Some("ada".to_owned()));
    let brought = store.bring_image(key(id), name, ImageSource::Loaded, by, at(seconds));
    brought.await.unwrap();
}

/// The digests that the version is pinned to.
async fn digests(store: &Store, version: u64) -> Vec<String> {
    let pins = store.image_pins("web", version).await.unwrap().into_iter();
    pins.map(|pin| pin.digest).collect()
}

async fn kinds(store: &Store) -> Vec<EventKind> {
    let events = store.events(EventFilter::default()).await.unwrap();
    let kinds = events.items.iter().map(|event| event.kind);
    kinds.filter(|kind| kind.word().starts_with("image")).collect()
}

async fn a_pin_is_made_once_and_stays(place: Place) {
    let store = place.open().await;
    add(&store, "web").await;
    let first = store.pin_image("web", 1, pin("web", "sha256:a"), at(2)).await.unwrap();
    let Pinning::Pinned(first) = first else {
        panic!("{first:?}")
    };
    assert_eq!((first.digest.as_str(), first.pinned), ("sha256:a", at(2)));
    // Its name means another image by now.
    let second = store.pin_image("web", 1, pin("web", "sha256:b"), at(3)).await.unwrap();
    assert_eq!(second, Pinning::Pinned(first.clone()));
    assert_eq!(store.image_pins("web", 1).await.unwrap(), [first]);
    let elsewhere = NewPin {
        engine: "podman".to_owned(),
        ..pin("web", "sha256:b")
    };
    store.pin_image("web", 1, elsewhere, at(4)).await.unwrap();
    assert_eq!(digests(&store, 1).await, ["sha256:a", "sha256:b"]);
    assert_eq!(kinds(&store).await, [EventKind::ImagePinned, EventKind::ImagePinned]);
    store.close().await;
    let store = place.open().await;
    assert_eq!(digests(&store, 1).await, ["sha256:a", "sha256:b"]);
}

async fn a_version_that_is_not_recorded_has_no_pins(place: Place) {
    let store = place.open().await;
    for version in [0, 1, u64::MAX] {
        let pinned = store.pin_image("web", version, pin("web", "sha256:a"), at(1)).await;
        assert_eq!(pinned.unwrap(), Pinning::NoVersion);
        assert_eq!(store.image_pins("web", version).await.unwrap(), []);
    }
}

async fn a_new_version_has_the_same_content_and_other_images(place: Place) {
    let store = place.open().await;
    add(&store, "web").await;
    store.pin_image("web", 1, pin("web", "sha256:a"), at(2)).await.unwrap();
    let renew = |expected, digest: &str| {
        store.renew_template(
            "web",
            Origin::Api,
            expected,
            vec![pin("web", digest)],
            Some("bob"),
            at(3),
        )
    };
    let late = renew(7, "sha256:b").await;
    assert!(
        matches!(late, Err(StoreError::TemplateChanged { version: 1, .. })),
        "{late:?}"
    );
    let missing = store
        .renew_template("other", Origin::Api, 1, Vec::new(), None, at(3))
        .await;
    assert!(matches!(missing, Err(StoreError::NoSuchTemplate(_))), "{missing:?}");
    let renewed = renew(1, "sha256:b").await.unwrap();
    assert_eq!((renewed.version, renewed.changed), (2, at(3)));
    assert_eq!(store.templates().await.unwrap(), std::slice::from_ref(&renewed));
    assert_eq!(
        (digests(&store, 1).await, digests(&store, 2).await),
        (vec!["sha256:a".to_owned()], vec!["sha256:b".to_owned()])
    );
    let events = store.events(EventFilter::default()).await.unwrap().items;
    let last = events.last().unwrap();
    let detail = last.detail.as_deref().unwrap();
    assert_eq!(
        (last.kind, last.by.as_deref()),
        (EventKind::TemplateChanged, Some("bob"))
    );
    assert!(
        detail.contains("version 2") && detail.contains("web is sha256:b"),
        "{detail}"
    );
    // The same content, declared again later, has the images of its last version.
    let other = store.change_template("web", "{}".to_owned(), None, None, at(4)).await;
    assert_eq!(other.unwrap().version, 3);
    let again = store.change_template("web", renewed.spec, None, None, at(5)).await;
    assert_eq!(again.unwrap().version, 2);
}

async fn a_pin_is_in_use_for_as_long_as_its_version_is(place: Place) {
    let store = place.open().await;
    add(&store, "web").await;
    store.pin_image("web", 1, pin("web", "sha256:a"), at(2)).await.unwrap();
    let client = holding_client(&store, 1).await;
    let new = NewInstance {
        template: "web".to_owned(),
        version: 1,
        ..new_instance(client, 100)
    };
    let planned = store.plan_instance(new, event(EventKind::InstanceWanted, client));
    let instance = planned.await.unwrap();
    let used = async || {
        let uses = store.image_uses().await.unwrap();
        let pins = uses.pins.into_iter().map(|pin| pin.digest).collect::<Vec<_>>();
        (pins, uses.containers.len())
    };
    assert_eq!(used().await, (vec!["sha256:a".to_owned()], 1));
    store.remove_template("web", None, None, at(3)).await.unwrap();
    assert_eq!(used().await.0, ["sha256:a"], "the instance has it");
    remove(&store, &instance).await;
    assert_eq!(used().await, (Vec::new(), 0));
}

async fn an_image_that_is_brought_again_counts_as_new(place: Place) {
    let store = place.open().await;
    bring(&store, "sha256:a", 1).await;
    store.set_image_unused(&key("sha256:a"), Some(at(2))).await.unwrap();
    let before = store.brought_images().await.unwrap();
    assert_eq!((before[0].unused, before[0].by.as_deref()), (Some(at(2)), Some("ada")));
    bring(&store, "sha256:a", 3).await;
    let after = store.brought_images().await.unwrap();
    assert_eq!((after.len(), after[0].unused, after[0].brought), (1, None, at(3)));
    store.forget_image(&key("sha256:a")).await.unwrap();
    assert_eq!(store.brought_images().await.unwrap(), []);
}

/// Whichever is recorded first, the other one does not happen.
async fn no_pin_and_no_removal_come_together(place: Place) {
    let store = place.open().await;
    add(&store, "web").await;
    for id in ["sha256:a", "sha256:b"] {
        bring(&store, id, 1).await;
    }
    let (a, b) = (key("sha256:a"), key("sha256:b"));
    store.pin_image("web", 1, pin("web", "sha256:a"), at(2)).await.unwrap();
    assert!(!store.begin_image_removal(&a).await.unwrap(), "it is in use");
    assert!(store.begin_image_removal(&b).await.unwrap());
    assert!(!store.begin_image_removal(&b).await.unwrap(), "once");
    let going = store
        .pin_image("web", 1, pin("other", "sha256:b"), at(3))
        .await
        .unwrap();
    assert_eq!(going, Pinning::Going);
    // A new version leaves it out.
    let pins = vec![pin("web", "sha256:a"), pin("other", "sha256:b")];
    let renewed = store.renew_template("web", Origin::Api, 1, pins, None, at(4)).await;
    assert_eq!(renewed.unwrap().version, 2);
    assert_eq!(digests(&store, 2).await, ["sha256:a"]);
    // The engine did not remove it: it can be used again.
    store.end_image_removal(&b).await.unwrap();
    let pinned = store.pin_image("web", 2, pin("other", "sha256:b"), at(5)).await;
    assert!(matches!(pinned.unwrap(), Pinning::Pinned(_)));
}

async fn a_removal_is_recorded_with_its_reason(place: Place) {
    let store = place.open().await;
    bring(&store, "sha256:a", 1).await;
    let finish = async || {
        let (reason, by) = ("unused".to_owned(), Some("ada".to_owned()));
        let image = key("sha256:a");
        store.finish_image_removal(&image, reason, by, at(3)).await.unwrap();
    };
    finish().await;
    assert_eq!(
        store.brought_images().await.unwrap()[0].state,
        ImageState::Kept,
        "it was not begun"
    );
    assert!(store.begin_image_removal(&key("sha256:a")).await.unwrap());
    finish().await;
    finish().await;
    assert_eq!(store.brought_images().await.unwrap(), []);
    assert_eq!(kinds(&store).await, [EventKind::ImageLoaded, EventKind::ImageRemoved]);
}

async fn pins_go_with_their_version(place: Place) {
    let store = place.open().await;
    add(&store, "web").await;
    store.pin_image("web", 1, pin("web", "sha256:a"), at(2)).await.unwrap();
    let pins = vec![pin("web", "sha256:b")];
    store
        .renew_template("web", Origin::Api, 1, pins, None, at(3))
        .await
        .unwrap();
    let pruned = store.prune(at(10)).await.unwrap();
    assert_eq!(pruned.templates, 1);
    assert_eq!(
        (digests(&store, 1).await, digests(&store, 2).await.len()),
        (Vec::new(), 1)
    );
}
