//! How a container carries what it was made for: its name, and the labels that are the mark.
//!
//! A container inherits the labels of its image. An image that somebody committed from one of our containers passes our
//! labels on to every container that is run from it. So the mark names the image that we created the container from: a
//! container from the committed image has another one, and is a stranger's.
//!
//! A copy of a container, such as updaters make, has its labels and its image. Only the engine's id, which the caller
//! recorded, tells it from ours. A container that takes the place of a recorded one says so in a label: so it is known
//! as ours even when the daemon was killed before it recorded the new id.

use std::collections::HashMap;

use orchestrator_plugin::{Container, ContainerKey, ContainerName, Mark};

/// Label with the id of the daemon's state the container belongs to.
pub(crate) const SITE: &str = "orchestrator.site";

/// Label with the id of the instance it was made for.
pub(crate) const INSTANCE: &str = "orchestrator.instance";

/// Label with its name among the containers of the instance. Without it, it is the first.
pub(crate) const CONTAINER: &str = "orchestrator.container";

/// Label with the id of the image it was created from.
pub(crate) const IMAGE: &str = "orchestrator.image";

/// Label with the recorded id of the container that this one takes the place of.
pub(crate) const REPLACES: &str = "orchestrator.replaces";

/// Label with the name of the container of the same instance whose network namespace it shares.
pub(crate) const SHARES: &str = "orchestrator.shares";

/// All labels that the mark is made of.
pub(crate) const MARK: [&str; 6] = [SITE, INSTANCE, CONTAINER, IMAGE, REPLACES, SHARES];

/// The labels that make a container from this image ours.
pub(crate) fn labels(mark: &Mark, container: &Container, image: &str) -> HashMap<String, String> {
    let mut labels = HashMap::from([
        (SITE.to_owned(), mark.site.to_string()),
        (INSTANCE.to_owned(), container.key.instance.to_string()),
        (CONTAINER.to_owned(), container.key.name.to_string()),
        (IMAGE.to_owned(), digest(image).to_owned()),
    ]);
    if let Some(reference) = &container.reference {
        labels.insert(REPLACES.to_owned(), reference.clone());
    }
    labels
}

/// The container that these labels name. It is a claim: they may have been inherited from the image.
pub(crate) fn claimed(mark: &Mark, labels: &HashMap<String, String>) -> Option<ContainerKey> {
    if labels.get(SITE)? != &mark.site.to_string() {
        return None;
    }
    Some(ContainerKey {
        instance: labels.get(INSTANCE)?.parse().ok()?,
        name: match labels.get(CONTAINER) {
            Some(name) => name.parse().ok()?,
            None => ContainerName::MAIN,
        },
    })
}

/// The key in these labels of a container of this image; `None` when they are not our mark.
pub(crate) fn marked(mark: &Mark, labels: &HashMap<String, String>, image: &str) -> Option<ContainerKey> {
    let created_from = digest(labels.get(IMAGE)?);
    claimed(mark, labels).filter(|_| !created_from.is_empty() && created_from == digest(image))
}

/// Whether a container that bears our mark is the one that the caller means: see [`Container::reference`].
pub(crate) fn is_meant(container: &Container, reference: &str, labels: &HashMap<String, String>) -> bool {
    match &container.reference {
        None => true,
        Some(recorded) => recorded == reference || labels.get(REPLACES) == Some(recorded),
    }
}

/// The id of an image without the name of its digest, which not every engine writes.
fn digest(image: &str) -> &str {
    image.strip_prefix("sha256:").unwrap_or(image)
}

/// The engine's filter for all that is ours.
///
/// Always with a value: Podman answers nothing when asked for the events of a label alone.
pub(crate) fn site_filter(mark: &Mark) -> HashMap<String, Vec<String>> {
    HashMap::from([("label".to_owned(), vec![format!("{SITE}={}", mark.site)])])
}

/// The engine's filter for all containers that claim to belong to the instance of this one.
pub(crate) fn instance_filter(mark: &Mark, key: &ContainerKey) -> HashMap<String, Vec<String>> {
    let wanted = [(SITE, mark.site.to_string()), (INSTANCE, key.instance.to_string())];
    let wanted = wanted.map(|(label, value)| format!("{label}={value}"));
    HashMap::from([("label".to_owned(), wanted.to_vec())])
}

#[cfg(test)]
mod tests {
    use orchestrator_plugin::InstanceId;

    use super::*;

    const SITE_MARK: Mark = Mark {
        site: InstanceId::from_bytes([1; 6]),
    };
    const ID: InstanceId = InstanceId::from_bytes([2; 6]);

    const MADE_FROM: &str = "sha256:0a1b";

    fn key() -> ContainerKey {
        ContainerKey::main(ID)
    }

    #[test]
    fn our_labels_are_ours() {
        let labels = labels(&SITE_MARK, &key().into(), MADE_FROM);
        assert_eq!(marked(&SITE_MARK, &labels, MADE_FROM), Some(key()));
        assert_eq!(
            marked(&SITE_MARK, &labels, "0a1b"),
            Some(key()),
            "Podman leaves the digest's name out"
        );
        assert_eq!(claimed(&SITE_MARK, &labels), Some(key()));
    }

    #[test]
    fn the_name_within_the_instance_is_part_of_the_mark() {
        let proxy = key().sibling(&"proxy".parse().unwrap());
        let mut labels = labels(&SITE_MARK, &proxy.clone().into(), MADE_FROM);
        assert_eq!(marked(&SITE_MARK, &labels, MADE_FROM), Some(proxy));
        labels.remove(CONTAINER);
        assert_eq!(marked(&SITE_MARK, &labels, MADE_FROM), Some(key()));
        labels.insert(CONTAINER.to_owned(), "../x".to_owned());
        assert_eq!(marked(&SITE_MARK, &labels, MADE_FROM), None);
    }

    #[test]
    fn labels_that_came_with_another_image_are_inherited() {
        let labels = labels(&SITE_MARK, &key().into(), MADE_FROM);
        assert_eq!(marked(&SITE_MARK, &labels, "sha256:ffff"), None);
        assert_eq!(marked(&SITE_MARK, &labels, ""), None);
    }

    #[test]
    fn anything_else_is_a_stranger() {
        let other = Mark {
            site: InstanceId::from_bytes([3; 6]),
        };
        let ours = labels(&SITE_MARK, &key().into(), MADE_FROM);
        let without = |label: &str| {
            let mut labels = ours.clone();
            labels.remove(label);
            labels
        };
        let with = |label: &str, value: &str| {
            let mut labels = ours.clone();
            labels.insert(label.to_owned(), value.to_owned());
            labels
        };
        assert_eq!(marked(&other, &ours, MADE_FROM), None);
        assert_eq!(marked(&SITE_MARK, &without(SITE), MADE_FROM), None);
        assert_eq!(marked(&SITE_MARK, &without(INSTANCE), MADE_FROM), None);
        assert_eq!(marked(&SITE_MARK, &without(IMAGE), MADE_FROM), None);
        assert_eq!(marked(&SITE_MARK, &with(INSTANCE, "../.."), MADE_FROM), None);
        assert_eq!(marked(&SITE_MARK, &with(IMAGE, ""), ""), None);
        assert_eq!(marked(&SITE_MARK, &HashMap::new(), MADE_FROM), None);
    }

    #[test]
    fn of_two_with_one_mark_the_recorded_one_is_meant_or_what_took_its_place() {
        let unknown = Container::main(ID);
        let first = labels(&SITE_MARK, &unknown, MADE_FROM);
        let recorded = unknown.clone().recorded("first");
        let second = labels(&SITE_MARK, &recorded, MADE_FROM);
        assert!(is_meant(&unknown, "first", &first));
        assert!(is_meant(&recorded, "first", &first));
        assert!(
            is_meant(&recorded, "second", &second),
            "it takes the place of the first"
        );
        assert!(!is_meant(&recorded, "copy", &first), "it is a copy of the first");
        assert!(!is_meant(&unknown.recorded("second"), "copy", &second));
    }
}
