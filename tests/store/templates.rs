//! Templates as they are recorded, and their versions.

use std::collections::BTreeMap;

use orchestrator::model::{EventKind, Origin};
use orchestrator::store::{EventFilter, Store, StoreError};

use crate::on_both;
use crate::place::{Place, at};

on_both!(
    a_version_is_a_content,
    two_admins_do_not_overwrite_each_other,
    the_settings_declare_versions_too,
    a_change_is_in_the_timeline,
    old_versions_are_forgotten_and_the_last_is_kept,
);

fn spec(image: &str) -> String {
    format!("{{\"image\":\"{image}\"}}")
}

fn declared(templates: &[(&str, &str)]) -> BTreeMap<String, String> {
    let templates = templates.iter();
    templates
        .map(|(name, image)| ((*name).to_owned(), spec(image)))
        .collect()
}

/// The templates that count, each as `name:origin:version`.
async fn listed(store: &Store) -> Vec<String> {
    let templates = store.templates().await.unwrap().into_iter();
    templates
        .map(|template| format!("{}:{}:{}", template.name, template.origin, template.version))
        .collect()
}

async fn a_version_is_a_content(place: Place) {
    let store = place.open().await;
    let made = store.add_template("web", spec("a"), Some("ada"), at(1)).await.unwrap();
    assert_eq!((made.version, made.by.as_deref()), (1, Some("ada")));
    let twice = store.add_template("web", spec("b"), None, at(2)).await;
    assert!(matches!(twice, Err(StoreError::TemplateExists(name)) if name == "web"));
    for (time, image, version) in [(3, "b", 2), (4, "b", 2), (5, "a", 1), (6, "c", 3)] {
        let changed = store
            .change_template("web", spec(image), None, Some("bob"), at(time))
            .await;
        assert_eq!(changed.unwrap().version, version, "{image} at {time}");
    }
    let kept = store.template_versions("web").await.unwrap();
    let kept: Vec<_> = kept
        .iter()
        .map(|kept| (kept.version, kept.spec.as_str(), kept.made))
        .collect();
    assert_eq!(
        kept,
        [
            (1, &*spec("a"), at(1)),
            (2, &*spec("b"), at(3)),
            (3, &*spec("c"), at(6))
        ]
    );
    store.close().await;
    let store = place.open().await;
    assert_eq!(listed(&store).await, ["web:api:3"]);
    assert_eq!(store.template_version("web", 2).await.unwrap().unwrap().spec, spec("b"));
    for version in [0, 4, u64::MAX] {
        assert_eq!(store.template_version("web", version).await.unwrap(), None, "{version}");
    }
    // One that is made anew goes on where it was.
    store.remove_template("web", None, None, at(7)).await.unwrap();
    assert_eq!(
        store.add_template("web", spec("d"), None, at(8)).await.unwrap().version,
        4
    );
}

async fn two_admins_do_not_overwrite_each_other(place: Place) {
    let store = place.open().await;
    store.add_template("web", spec("a"), None, at(1)).await.unwrap();
    let change = |image, expected| store.change_template("web", spec(image), Some(expected), None, at(2));
    assert_eq!(change("b", 1).await.unwrap().version, 2);
    let late = change("c", 1).await;
    assert!(
        matches!(
            late,
            Err(StoreError::TemplateChanged {
                version: 2,
                expected: 1,
                ..
            })
        ),
        "{late:?}"
    );
    let late = store.remove_template("web", Some(1), None, at(3)).await;
    assert!(matches!(late, Err(StoreError::TemplateChanged { .. })), "{late:?}");
    store.remove_template("web", Some(2), None, at(3)).await.unwrap();
    let gone = change("c", 2).await;
    assert!(matches!(gone, Err(StoreError::NoSuchTemplate(_))), "{gone:?}");
    assert_eq!(store.templates().await.unwrap(), []);
}

async fn the_settings_declare_versions_too(place: Place) {
    let store = place.open().await;
    store.add_template("web", spec("api"), None, at(1)).await.unwrap();
    let record = async |templates: &[(&str, &str)], time| {
        let recorded = store
            .record_settings_templates(declared(templates), at(time))
            .await
            .unwrap();
        assert_eq!(recorded, store.templates().await.unwrap());
    };
    record(&[("web", "a"), ("db", "a")], 2).await;
    assert_eq!(listed(&store).await, ["db:settings:1", "web:api:1", "web:settings:2"]);
    record(&[("web", "b"), ("db", "a")], 3).await;
    record(&[("web", "a")], 4).await;
    // What was there before is the same again.
    assert_eq!(listed(&store).await, ["web:api:1", "web:settings:2"]);
    assert_eq!(store.template_versions("web").await.unwrap().len(), 3);
    let changed = store.templates().await.unwrap();
    assert_eq!((changed[1].origin, changed[1].changed), (Origin::Settings, at(4)));
}

async fn a_change_is_in_the_timeline(place: Place) {
    let store = place.open().await;
    store.add_template("web", spec("a"), Some("ada"), at(1)).await.unwrap();
    store
        .change_template("web", spec("b"), None, Some("bob"), at(2))
        .await
        .unwrap();
    store
        .change_template("web", spec("b"), None, Some("bob"), at(3))
        .await
        .unwrap();
    store.remove_template("web", None, Some("eve"), at(4)).await.unwrap();
    // What a new database learns first is no change; what is written later is.
    let both = [("db", "a"), ("cache", "a")];
    for (time, written) in [(4, &both[..1]), (5, &both), (6, &both)] {
        let recorded = store.record_settings_templates(declared(written), at(time));
        recorded.await.unwrap();
    }
    let events = store.events(EventFilter::default()).await.unwrap().items;
    let told: Vec<_> = events
        .iter()
        .map(|event| (event.at, event.kind, event.detail.as_deref().unwrap()))
        .collect();
    assert_eq!(
        told,
        [
            (
                at(1),
                EventKind::TemplateCreated,
                "template web, version 1, through the API"
            ),
            (
                at(2),
                EventKind::TemplateChanged,
                "template web, version 2, through the API"
            ),
            (
                at(4),
                EventKind::TemplateRemoved,
                "template web, version 2, through the API"
            ),
            (
                at(5),
                EventKind::TemplateCreated,
                "template cache, version 1, in the settings"
            ),
        ]
    );
    let by: Vec<_> = events.iter().map(|event| event.by.as_deref()).collect();
    assert_eq!(by, [Some("ada"), Some("bob"), Some("eve"), None]);
}

async fn old_versions_are_forgotten_and_the_last_is_kept(place: Place) {
    let store = place.open().await;
    store.add_template("web", spec("a"), None, at(1)).await.unwrap();
    for (time, image) in [(2, "b"), (3, "c"), (4, "b")] {
        let changed = store.change_template("web", spec(image), None, None, at(time));
        changed.await.unwrap();
    }
    let kept = async || {
        let versions = store.template_versions("web").await.unwrap();
        versions.iter().map(|kept| kept.version).collect::<Vec<_>>()
    };
    assert_eq!(store.prune(at(1)).await.unwrap().templates, 0);
    assert_eq!(store.prune(at(9)).await.unwrap().templates, 1);
    // The one that counts, and the last, so that no number is given twice.
    assert_eq!(kept().await, [2, 3]);
    store.remove_template("web", None, None, at(10)).await.unwrap();
    store.prune(at(20)).await.unwrap();
    assert_eq!(kept().await, [3]);
}
