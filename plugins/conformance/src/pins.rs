//! A container is made from an image by its id, so that a template can be pinned to the image.

use orchestrator_plugin::{Capability, Container, ContainerSpec, Engine, FoundState};

use crate::Subject;
use crate::images::{archive, new_name};
use crate::support::{OWN, can, fresh, pid, spec};

/// The id of the image that `image` names.
async fn id_of(engine: &dyn Engine, image: &str) -> String {
    let facts = engine.check_image(image).await;
    facts
        .unwrap_or_else(|fault| panic!("image {image} should be there: {fault}"))
        .id
}

/// Makes another image under this name, and returns its id.
async fn publish(subject: &impl Subject, engine: &dyn Engine, name: &str) -> String {
    match can(engine, Capability::Images) {
        true => {
            let bytes = subject.archive(name).await;
            let loaded = engine.load_images(archive(&bytes)).await;
            loaded.expect("it is loaded").remove(0).id
        }
        false => {
            subject.publish(name).await;
            id_of(engine, name).await
        }
    }
}

/// A container of the image with this name or id, which runs.
async fn made_of(subject: &impl Subject, engine: &dyn Engine, container: &Container, image: &str) {
    let of_it = ContainerSpec {
        image: image.to_owned(),
        ..spec(subject)
    };
    let made = engine.ensure(container, &of_it, &OWN).await;
    pid(&made.unwrap_or_else(|fault| panic!("a container of image {image} should run: {fault}")));
}

/// The id is a name of the image: it is found by it, and so is what comes of it. An id that no image has is missing.
pub async fn an_id_makes_a_container_of_its_image(subject: &impl Subject) {
    let (engine, container) = fresh(subject);
    if !can(engine.as_ref(), Capability::ImagePins) || !can(engine.as_ref(), Capability::EngineNamespace) {
        return;
    }
    let id = id_of(engine.as_ref(), &subject.image()).await;
    assert_eq!(id_of(engine.as_ref(), &subject.image()).await, id);
    assert_eq!(id_of(engine.as_ref(), &id).await, id);
    made_of(subject, engine.as_ref(), &container, &id).await;
    // What ran is made again from the same id.
    engine.stop(&container).await.unwrap();
    made_of(subject, engine.as_ref(), &container, &id).await;
    engine.remove(&container).await.unwrap();
    made_of(subject, engine.as_ref(), &container, &id).await;
    engine.remove(&container).await.unwrap();

    let other = no_such(&id);
    let missing = engine.check_image(&other).await.unwrap_err();
    assert_eq!(missing.code(), "image-missing", "{other}: {missing}");
    let of_it = ContainerSpec {
        image: other,
        ..spec(subject)
    };
    let missing = engine.ensure(&container, &of_it, &OWN).await.unwrap_err();
    assert_eq!(missing.code(), "image-missing", "{missing}");
    engine.remove(&container).await.unwrap();
}

/// Another image has the name by then. The id still means the first one, and the name the second.
pub async fn an_id_means_its_image_after_the_name_has_moved(subject: &impl Subject) {
    let (engine, container) = fresh(subject);
    if !can(engine.as_ref(), Capability::ImagePins) || !can(engine.as_ref(), Capability::EngineNamespace) {
        return;
    }
    let name = new_name();
    let before = publish(subject, engine.as_ref(), &name).await;
    let after = publish(subject, engine.as_ref(), &name).await;
    assert_ne!(after, before, "another image has another id");
    assert_eq!(id_of(engine.as_ref(), &name).await, after);
    assert_eq!(id_of(engine.as_ref(), &before).await, before);
    let (_, other) = fresh(subject);
    for (container, id) in [(&container, &before), (&other, &after)] {
        made_of(subject, engine.as_ref(), container, id).await;
    }
    // A container that was lost is made again from the image that it had.
    engine.remove(&container).await.unwrap();
    made_of(subject, engine.as_ref(), &container, &before).await;
    for container in [&container, &other] {
        engine.remove(container).await.unwrap();
        let found = engine.find(container).await.unwrap();
        assert!(found.is_none_or(|found| !matches!(found.state, FoundState::Running(_))));
    }
    if can(engine.as_ref(), Capability::Images) {
        for id in [before, after] {
            engine.remove_image(&id).await.unwrap();
        }
    }
}

/// An id like this one that no image has: it is turned round behind its prefix, or is longer by a digit.
fn no_such(id: &str) -> String {
    let (prefix, rest) = id.split_at(id.find(':').map_or(0, |at| at + 1));
    let turned: String = rest.chars().rev().collect();
    match turned == rest {
        true => format!("{id}0"),
        false => format!("{prefix}{turned}"),
    }
}
