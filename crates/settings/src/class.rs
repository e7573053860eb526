//! `[[class]]`: classes of clients, by what they and their relay agents send. It is a list, because the order counts.

use orchestrator_dhcp6::{Class, ClassId, Conditions, Pattern};

use super::fault::{nearest, one_of};
use super::option::{Given, parse_hex};
use super::reader::{Entry, Table};
use super::template::{is_name, read_names};

/// The largest number of classes.
const MOST_CLASSES: usize = 64;
/// The largest number of architectures; fewer exist.
const MOST_ARCHITECTURES: usize = 64;

/// A class of clients. A client is in the first class whose conditions it meets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassSettings {
    /// Its name, which is unique.
    pub name: String,
    /// The conditions that a client must meet.
    pub conditions: Conditions,
    /// The templates of its clients' instances, which replace those of the link. Only for links with addresses for
    /// instances. Empty if the link's templates apply.
    pub templates: Vec<String>,
    options: Given,
}

impl ClassSettings {
    /// The class on a link with these options.
    pub(super) fn on_link(&self, options: &Given) -> Class {
        Class {
            name: self.name.as_str().into(),
            conditions: self.conditions.clone(),
            options: self.options.clone().over(options).set.settled(),
        }
    }
}

/// The keys of a class that could be read, even if others have faults.
pub(super) struct Outline {
    pub(super) key: String,
    pub(super) name: Option<String>,
    pub(super) templates: Vec<String>,
}

/// Reads every class; `None` stands for one with a fault.
pub(super) fn read_all(root: &mut Table<'_>) -> Vec<(Outline, Option<ClassSettings>)> {
    let entries = root.take("class").and_then(|entry| entry.list(MOST_CLASSES));
    let tables = entries.into_iter().flatten().filter_map(Entry::table);
    let mut read_before: Vec<(Outline, Option<ClassSettings>)> = Vec::new();
    for table in tables {
        let read = read(table, &read_before);
        read_before.push(read);
    }
    read_before
}

fn read(mut table: Table<'_>, before: &[(Outline, Option<ClassSettings>)]) -> (Outline, Option<ClassSettings>) {
    let remedy = "take a small letter and then at most 31 small letters, digits, \"-\" and \"_\"";
    let name = table.need("name", remedy);
    let name = name.and_then(|entry| entry.parse(remedy, parse_name));
    if name.is_some() && before.iter().any(|(other, _)| other.name == name) {
        table.fault(
            "name",
            "is the name of an earlier class",
            "give each class a name of its own",
        );
    }
    let conditions = read_conditions(table.section("match"));
    if conditions == Conditions::default() {
        table.fault(
            "match",
            "has no condition, so that every client would be in the class",
            "give what the clients of the class have in common",
        );
    }
    let templates = read_names(&mut table);
    let options = Given::read(&mut table);
    options.check_size(&table);
    let outline = Outline {
        key: table.path().to_owned(),
        name: name.clone(),
        templates: templates.clone(),
    };
    table.finish();
    let class = name.map(|name| ClassSettings {
        name,
        conditions,
        templates,
        options,
    });
    (outline, class)
}

fn read_conditions(mut table: Table<'_>) -> Conditions {
    let mut enterprise = |key| table.take(key).and_then(|entry| entry.whole(0..=i64::from(u32::MAX)));
    let (vendor_enterprise, remote_enterprise) = (enterprise("vendor_enterprise"), enterprise("remote_enterprise"));
    let mut pattern = |key| {
        let remedy = "write text, or hexadecimal digits like \"0x00ff\"; with \"*\" at its end for what begins like it";
        table.take(key)?.parse(remedy, str::parse::<Pattern>)
    };
    let conditions = Conditions {
        vendor_enterprise,
        vendor_class: pattern("vendor_class"),
        user_class: pattern("user_class"),
        remote_enterprise,
        remote_id: pattern("remote_id"),
        interface_id: pattern("interface_id"),
        subscriber_id: pattern("subscriber_id"),
        link_layer: None,
        architectures: Vec::new(),
    };
    let link_layer = table.take("link_layer_address");
    let link_layer = link_layer.and_then(|entry| {
        let remedy = "write how it begins, 1 to 20 bytes like \"02:00:5e\"";
        entry.parse(remedy, parse_link_layer)
    });
    let architectures = table.take("architecture").and_then(read_architectures);
    table.finish();
    Conditions {
        link_layer,
        architectures: architectures.unwrap_or_default(),
        ..conditions
    }
}

/// Reads one architecture, or a list of them.
fn read_architectures(entry: Entry<'_>) -> Option<Vec<u16>> {
    let read = |entry: Entry<'_>| entry.whole(0..=i64::from(u16::MAX));
    if entry.is_list() {
        entry.list_of(MOST_ARCHITECTURES, read)
    } else {
        read(entry).map(|one| vec![one])
    }
}

/// Looks up the class that an entry of a link names. A class's id is its place among all classes.
pub(super) fn find(entry: Entry<'_>, classes: &[Option<&str>]) -> Option<ClassId> {
    let parse = |name: &str| {
        let place = classes.iter().position(|class| *class == Some(name));
        place.and_then(|place| u16::try_from(place).ok()).map(ClassId)
    };
    let known = || classes.iter().copied().flatten();
    let remedy = |name: &str| match nearest(name, known()) {
        Some(meant) => format!("did you mean {meant:?}?"),
        None if known().next().is_none() => format!("describe it under [[class]] with name = {name:?}"),
        None => format!("describe it under [[class]], or name {}", one_of(known())),
    };
    entry.look_up(parse, |name| (format!("there is no class {name:?}"), remedy(name)))
}

fn parse_name(text: &str) -> Result<String, String> {
    if is_name(text) {
        Ok(text.to_owned())
    } else {
        Err(format!("{text:?} cannot be the name of a class"))
    }
}

fn parse_link_layer(text: &str) -> Result<Vec<u8>, String> {
    let bytes = parse_hex(text)?;
    if (1..=20).contains(&bytes.len()) {
        Ok(bytes)
    } else {
        Err(format!("{text:?} has {} bytes", bytes.len()))
    }
}

#[cfg(test)]
mod tests;
