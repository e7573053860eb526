//! `[[template.NAME.container]]`: further containers of an instance.

use std::collections::BTreeSet;

use super::container::{self, ContainerSettings};
use crate::reader::{Entry, Table};
use orchestrator_model::ContainerName;

/// The largest number of further containers of one instance.
const MOST_SIDECARS: usize = 7;

/// A further container of an instance. It shares the network namespace of the first one.
#[derive(Debug, Clone, PartialEq)]
pub struct SidecarSettings {
    /// Its name among the containers of the instance; never `main`.
    pub name: ContainerName,
    /// Its settings.
    pub container: ContainerSettings,
}

/// Reads all of them. `None` only after a fault.
pub(super) fn read_all(table: &mut Table<'_>) -> Option<Vec<SidecarSettings>> {
    let Some(entry) = table.take("container") else {
        return Some(Vec::new());
    };
    let sidecars = entry.list_of(MOST_SIDECARS, |entry| entry.table().and_then(read))?;
    let mut names = BTreeSet::new();
    match sidecars.iter().find(|sidecar| !names.insert(&sidecar.name)) {
        None => Some(sidecars),
        Some(twice) => {
            let what = format!("has two containers named \"{}\"", twice.name);
            table.fault("container", what, "give each a name of its own");
            None
        }
    }
}

/// Reads one; `None` only after a fault.
fn read(mut table: Table<'_>) -> Option<SidecarSettings> {
    let name = table.need("name", "name it, like \"proxy\"").and_then(read_name);
    let container = container::read(&mut table);
    table.finish();
    Some(SidecarSettings {
        name: name?,
        container: container?,
    })
}

fn read_name(entry: Entry<'_>) -> Option<ContainerName> {
    if entry.is_word("main") {
        entry.fault(
            "is the name of the first container",
            "give it another name, like \"proxy\"",
        );
        return None;
    }
    entry.parse("name it like \"proxy\"", str::parse)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::template::read_template;

    fn faults(containers: &serde_json::Value) -> Vec<String> {
        let settings = crate::parse("", std::iter::empty()).unwrap();
        let keys = json!({"image": "web", "container": containers});
        match read_template("web", &keys, &settings) {
            Ok(_) => Vec::new(),
            Err(faults) => faults.iter().map(ToString::to_string).collect(),
        }
    }

    #[test]
    fn each_container_has_a_name_of_its_own_and_an_image() {
        assert_eq!(
            faults(&json!([{"name": "proxy", "image": "a"}, {"name": "proxy", "image": "b"}])),
            ["template.web.container: has two containers named \"proxy\"; give each a name of its own"]
        );
        assert_eq!(
            faults(&json!([{"name": "main", "image": "a"}, {"image": "a"}, {"name": "a_b", "pid": 1}])),
            [
                "template.web.container[0].name: is the name of the first container; give it another name, like \"proxy\"",
                "template.web.container[1].name: is missing; name it, like \"proxy\"",
                "template.web.container[2].name: \"a_b\" is not a container's name: write lower-case letters, digits and \
                 hyphens with a letter first, 32 at most, like proxy; name it like \"proxy\"",
                "template.web.container[2].image: is missing; name an image that the engine has, like \
                 \"orchestrator/client\"",
                "template.web.container[2].pid: is not a key that is known here; did you mean \"pids\"?",
            ]
        );
        assert_eq!(faults(&json!("proxy")).len(), 1);
        let many: Vec<_> = (0..8).map(|n| json!({"name": format!("c{n}"), "image": "a"})).collect();
        assert_eq!(
            faults(&json!(many)),
            ["template.web.container: has 8 elements; give at most 7"]
        );
    }
}
