//! Settings from environment variables, laid over those from the file.
//!
//! `ORCHESTRATOR__STORE__URL` is `store.url`, `ORCHESTRATOR__LINK__0__BRIDGE` is `link[0].bridge`. The environment
//! reader of the `config` crate supports no indices and folds all names to lower case, so this module walks the tree
//! itself. Values stay text until a reader knows their type. They keep the variable's name as their origin.

use std::collections::BTreeMap;

use config::{Map, Value, ValueKind};

use super::fault::{Collector, Fault};

/// The prefix of every environment variable that is a setting.
pub const PREFIX: &str = "ORCHESTRATOR__";

/// The deepest key is `link[N].advertisement.prefix[N].KEY`.
const DEEPEST: usize = 6;

/// Lays the variables with the prefix over `root`, and ignores all others.
pub(super) fn overlay(root: &mut Value, variables: impl Iterator<Item = (String, String)>, faults: &Collector) {
    // Sorted, so that a list's elements come in order and faults do not depend on the environment's.
    let variables: BTreeMap<String, String> = variables.filter(|(name, _)| name.starts_with(PREFIX)).collect();
    for (name, text) in variables {
        if let Err(fault) = set(root, &name, text) {
            faults.add(fault);
        }
    }
}

fn set(root: &mut Value, name: &str, text: String) -> Result<(), Fault> {
    let segments: Vec<&str> = name.trim_start_matches(PREFIX).split("__").collect();
    if segments.len() > DEEPEST || segments.iter().any(|segment| segment.is_empty()) {
        return Err(fault(
            name,
            name,
            "is not the name of a setting",
            "write it like ORCHESTRATOR__LINK__0__BRIDGE",
        ));
    }
    let mut node = root;
    let mut path = String::new();
    for (depth, segment) in segments.iter().enumerate() {
        // Below `template.NAME.environment` the names are the user's own, and their case matters.
        let verbatim = depth == 3 && matches!(segments.as_slice(), ["TEMPLATE", _, "ENVIRONMENT", ..]);
        node = descend(node, segment, verbatim, &mut path, name)?;
    }
    *node = Value::new(Some(&name.to_owned()), text);
    Ok(())
}

/// Goes one level down the tree. Creates the table or list if it is missing.
fn descend<'a>(
    node: &'a mut Value,
    segment: &str,
    verbatim: bool,
    path: &mut String,
    variable: &str,
) -> Result<&'a mut Value, Fault> {
    if !matches!(node.kind, ValueKind::Table(_) | ValueKind::Array(_)) {
        let list = segment.bytes().all(|byte| byte.is_ascii_digit());
        node.kind = if list {
            ValueKind::Array(Vec::new())
        } else {
            ValueKind::Table(Map::new())
        };
    }
    match &mut node.kind {
        ValueKind::Array(elements) => {
            let count = elements.len();
            let index = segment
                .parse::<usize>()
                .ok()
                .filter(|index| *index <= count)
                .ok_or_else(|| {
                    let remedy = format!("name one by its number, or the next new one by {count}");
                    fault(
                        path,
                        variable,
                        format!("is a list of {count}, and {segment:?} is none of them"),
                        remedy,
                    )
                })?;
            path.push_str(&format!("[{index}]"));
            if index == count {
                elements.push(Value::new(Some(&variable.to_owned()), ValueKind::Nil));
            }
            elements.get_mut(index)
        }
        ValueKind::Table(table) => {
            let key = known_key(table, segment, verbatim);
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(&key);
            Some(
                table
                    .entry(key)
                    .or_insert_with(|| Value::new(Some(&variable.to_owned()), ValueKind::Nil)),
            )
        }
        _ => None,
    }
    .ok_or_else(|| fault(path, variable, "cannot be reached", "set it in the file"))
}

/// The key of `table` that `segment` names. In many shells, names of variables have neither case nor dashes.
fn known_key(table: &Map<String, Value>, segment: &str, verbatim: bool) -> String {
    let folded = segment.to_lowercase();
    if verbatim {
        return segment.to_owned();
    }
    let alike = table
        .keys()
        .filter(|key| key.to_lowercase().replace('-', "_") == folded.replace('-', "_"))
        .min();
    alike.cloned().unwrap_or(folded)
}

fn fault(key: &str, variable: &str, what: impl Into<String>, remedy: impl Into<String>) -> Fault {
    let origin = (key != variable).then(|| variable.to_owned());
    Fault {
        key: key.to_owned(),
        variable: origin,
        what: what.into(),
        remedy: remedy.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree;

    fn faults_of(variable: &str) -> String {
        let faults = Collector::default();
        let mut root = tree::from_toml("[[link]]\nbridge = \"br0\"").unwrap();
        overlay(
            &mut root,
            std::iter::once((variable.to_owned(), "x".to_owned())),
            &faults,
        );
        faults.finish::<()>(None).unwrap_err().to_string()
    }

    #[test]
    fn what_names_no_setting_is_refused() {
        assert_eq!(
            faults_of("ORCHESTRATOR__"),
            "ORCHESTRATOR__: is not the name of a setting; write it like ORCHESTRATOR__LINK__0__BRIDGE"
        );
        assert_eq!(
            faults_of("ORCHESTRATOR__LINK__7__BRIDGE"),
            "link (ORCHESTRATOR__LINK__7__BRIDGE): is a list of 1, and \"7\" is none of them; \
             name one by its number, or the next new one by 1"
        );
        assert_eq!(faults_of("ORCHESTRATOR_API"), "");
    }

    #[test]
    fn a_name_with_a_dash_is_found() {
        let mut root = tree::from_toml("[template.web-small]\nimage = \"a\"").unwrap();
        let variable = ("ORCHESTRATOR__TEMPLATE__WEB_SMALL__IMAGE".to_owned(), "b".to_owned());
        overlay(&mut root, std::iter::once(variable), &Collector::default());
        let ValueKind::Table(table) = root.kind else {
            panic!("{root}")
        };
        assert_eq!(table["template"].to_string(), "{ web-small => { image => b,  },  }");
    }
}
