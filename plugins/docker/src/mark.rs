//! How a container carries its instance: its name, and the labels that are the mark.
//!
//! A container inherits the labels of its image. An image that somebody committed from one of our containers passes our
//! labels on to every container that is run from it. So the mark names the image that we created the container from: a
//! container from the committed image has another one, and is a stranger's.

use std::collections::HashMap;

use orchestrator_plugin::{InstanceId, Mark};

/// Label with the id of the daemon's state the container belongs to.
pub(crate) const SITE: &str = "orchestrator.site";

/// Label with the id of the instance it was made for.
pub(crate) const INSTANCE: &str = "orchestrator.instance";

/// Label with the id of the image it was created from.
pub(crate) const IMAGE: &str = "orchestrator.image";

/// The name of the container of this instance: unique on the engine.
pub(crate) fn container_name(id: &InstanceId) -> String {
    format!("orchestrator-{id}")
}

/// The labels that make a container from this image ours.
pub(crate) fn labels(mark: &Mark, id: &InstanceId, image: &str) -> [(String, String); 3] {
    [
        (SITE.to_owned(), mark.site.to_string()),
        (INSTANCE.to_owned(), id.to_string()),
        (IMAGE.to_owned(), digest(image).to_owned()),
    ]
}

/// The instance that these labels name. It is a claim: the container may have inherited them from its image.
pub(crate) fn claimed(mark: &Mark, labels: &HashMap<String, String>) -> Option<InstanceId> {
    if labels.get(SITE)? != &mark.site.to_string() {
        return None;
    }
    labels.get(INSTANCE)?.parse().ok()
}

/// The instance that a container with these labels, of this image, was made for; `None` when it is not ours.
pub(crate) fn instance(mark: &Mark, labels: &HashMap<String, String>, image: &str) -> Option<InstanceId> {
    let created_from = digest(labels.get(IMAGE)?);
    claimed(mark, labels).filter(|_| !created_from.is_empty() && created_from == digest(image))
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

/// The engine's filter for all that claims to be made for this instance.
pub(crate) fn instance_filter(mark: &Mark, id: &InstanceId) -> HashMap<String, Vec<String>> {
    let wanted = [(SITE, mark.site.to_string()), (INSTANCE, id.to_string())];
    let wanted = wanted.map(|(label, value)| format!("{label}={value}"));
    HashMap::from([("label".to_owned(), wanted.to_vec())])
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARK: Mark = Mark {
        site: InstanceId::from_bytes([1; 6]),
    };
    const ID: InstanceId = InstanceId::from_bytes([2; 6]);

    const MADE_FROM: &str = "sha256:0a1b";

    #[test]
    fn our_labels_are_ours() {
        let labels = labels(&MARK, &ID, MADE_FROM).into();
        assert_eq!(instance(&MARK, &labels, MADE_FROM), Some(ID));
        assert_eq!(
            instance(&MARK, &labels, "0a1b"),
            Some(ID),
            "Podman leaves the digest's name out"
        );
        assert_eq!(claimed(&MARK, &labels), Some(ID));
    }

    #[test]
    fn labels_that_came_with_another_image_are_inherited() {
        let labels = labels(&MARK, &ID, MADE_FROM).into();
        assert_eq!(instance(&MARK, &labels, "sha256:ffff"), None);
        assert_eq!(instance(&MARK, &labels, ""), None);
    }

    #[test]
    fn anything_else_is_a_stranger() {
        let other = Mark {
            site: InstanceId::from_bytes([3; 6]),
        };
        let ours: HashMap<_, _> = labels(&MARK, &ID, MADE_FROM).into();
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
        assert_eq!(instance(&other, &ours, MADE_FROM), None);
        assert_eq!(instance(&MARK, &without(SITE), MADE_FROM), None);
        assert_eq!(instance(&MARK, &without(INSTANCE), MADE_FROM), None);
        assert_eq!(instance(&MARK, &without(IMAGE), MADE_FROM), None);
        assert_eq!(instance(&MARK, &with(INSTANCE, "../.."), MADE_FROM), None);
        assert_eq!(instance(&MARK, &with(IMAGE, ""), ""), None);
        assert_eq!(instance(&MARK, &HashMap::new(), MADE_FROM), None);
    }
}
