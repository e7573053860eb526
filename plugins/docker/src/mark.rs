//! How a container carries its instance: its name, and the labels that are the mark.

use std::collections::HashMap;

use orchestrator_plugin::{InstanceId, Mark};

/// Label with the id of the daemon's state the container belongs to.
pub(crate) const SITE: &str = "orchestrator.site";

/// Label with the id of the instance it was made for.
pub(crate) const INSTANCE: &str = "orchestrator.instance";

/// The name of the container of this instance: unique on the engine.
pub(crate) fn container_name(id: &InstanceId) -> String {
    format!("orchestrator-{id}")
}

/// The labels that make a container ours.
pub(crate) fn labels(mark: &Mark, id: &InstanceId) -> [(String, String); 2] {
    [
        (SITE.to_owned(), mark.site.to_string()),
        (INSTANCE.to_owned(), id.to_string()),
    ]
}

/// The instance a container with these labels was made for; `None` when it is not ours.
pub(crate) fn instance(mark: &Mark, labels: &HashMap<String, String>) -> Option<InstanceId> {
    if labels.get(SITE)? != &mark.site.to_string() {
        return None;
    }
    labels.get(INSTANCE)?.parse().ok()
}

/// The engine's filter for all that is ours.
///
/// Always with a value: Podman answers nothing when asked for the events of a label alone.
pub(crate) fn site_filter(mark: &Mark) -> HashMap<String, Vec<String>> {
    HashMap::from([("label".to_owned(), vec![format!("{SITE}={}", mark.site)])])
}

/// The engine's filter for all that was made for this instance.
pub(crate) fn instance_filter(mark: &Mark, id: &InstanceId) -> HashMap<String, Vec<String>> {
    let wanted = labels(mark, id).map(|(label, value)| format!("{label}={value}"));
    HashMap::from([("label".to_owned(), wanted.to_vec())])
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARK: Mark = Mark {
        site: InstanceId::from_bytes([1; 6]),
    };
    const ID: InstanceId = InstanceId::from_bytes([2; 6]);

    #[test]
    fn our_labels_are_ours() {
        assert_eq!(instance(&MARK, &labels(&MARK, &ID).into()), Some(ID));
    }

    #[test]
    fn anything_else_is_a_stranger() {
        let other = Mark {
            site: InstanceId::from_bytes([3; 6]),
        };
        let ours: HashMap<_, _> = labels(&MARK, &ID).into();
        let without = |label: &str| {
            let mut labels = ours.clone();
            labels.remove(label);
            labels
        };
        let mut garbled = ours.clone();
        garbled.insert(INSTANCE.to_owned(), "../..".to_owned());
        assert_eq!(instance(&other, &ours), None);
        assert_eq!(instance(&MARK, &without(SITE)), None);
        assert_eq!(instance(&MARK, &without(INSTANCE)), None);
        assert_eq!(instance(&MARK, &garbled), None);
        assert_eq!(instance(&MARK, &HashMap::new()), None);
    }
}
