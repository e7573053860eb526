//! Names that are used and not declared.

use std::collections::BTreeMap;

use super::declared::Declared;

/// Something that is named and not declared. Who names it gets nothing from it until it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// The missing thing, which is also the name of the condition: `template web`, `network storage`.
    pub name: String,
    /// The users of the name, the consequence, and the remedy.
    pub reason: String,
}

pub(super) fn find(declared: &Declared) -> Vec<Missing> {
    templates(declared).chain(networks(declared)).collect()
}

/// Templates that links and classes name.
fn templates(declared: &Declared) -> impl Iterator<Item = Missing> {
    let settings = declared.settings();
    let of_links = settings.links.iter().flat_map(|link| &link.templates);
    let of_classes = settings.classes.iter().flat_map(|class| &class.templates);
    let mut named: Vec<&str> = of_links.chain(of_classes).map(String::as_str).collect();
    named.sort_unstable();
    named.dedup();
    let missing = named.into_iter().filter(|name| declared.template(name).is_none());
    missing.map(|name| {
        let users = declared.users_of(name).join(" and ");
        let why = match declared.unreadable().get(name) {
            Some(reason) => format!("template {name}, which {users} names, cannot be read ({reason}); set it anew"),
            None => format!("there is no template {name:?}, which {users} names; make it"),
        };
        Missing {
            name: format!("template {name}"),
            reason: format!(
                "{why} with `orchestrator template create {name} FILE`, or describe it under [template.{name}] in the \
                 settings"
            ),
        }
    })
}

/// Networks that templates in use name.
fn networks(declared: &Declared) -> impl Iterator<Item = Missing> {
    let mut users: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for template in declared.templates_in_use() {
        for network in &template.settings.networks {
            if declared.settings().network(network).is_none() {
                users.entry(network).or_default().push(&template.name);
            }
        }
    }
    users.into_iter().map(|(network, templates)| Missing {
        name: format!("network {network}"),
        reason: format!(
            "there is no network {network:?}, which template {} names; describe it under [[network]], or change the template",
            templates.join(" and ")
        ),
    })
}
