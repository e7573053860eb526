//! `instances`: how many there are, and `network`, `link` and `class`: where.

use orchestrator_settings::{Entry, Settings, Table, nearest, one_of};

/// The largest number of instances of a service.
pub const MOST_INSTANCES: u32 = 10_000;

/// How many instances a service has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Instances {
    /// This many, at most [`MOST_INSTANCES`]. The service owns them.
    Count(u32),
    /// One for each client. The client owns it, and its lease, limits and front door apply to it.
    PerClient(PerClient),
}

/// The clients that have an instance each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PerClient {
    /// Those of the link with this name.
    Link(String),
    /// Those of the class with this name.
    Class(String),
}

/// Reads `instances`, and for one a client, `link` or `class`. With the settings, the named link or class must exist.
pub(super) fn read(table: &mut Table<'_>, known: Option<&Settings>) -> Option<Instances> {
    let entry = table.take("instances");
    let per_client = entry.as_ref().is_some_and(|entry| entry.is_word("per-client"));
    let (link, class) = (table.take("link"), table.take("class"));
    if per_client {
        return read_per_client(table, link, class, known).map(Instances::PerClient);
    }
    for (key, entry) in [("link", link), ("class", class)] {
        if let Some(entry) = entry {
            let what = "belongs to instances = \"per-client\"";
            entry.fault(what, format!("write that, or write network = instead of {key} ="));
        }
    }
    let Some(entry) = entry else {
        return Some(Instances::Count(1));
    };
    if entry.is_text() {
        entry.fault("is text", "write a whole number without quotes, or \"per-client\"");
        return None;
    }
    entry.whole(0..=i64::from(MOST_INSTANCES)).map(Instances::Count)
}

fn read_per_client(
    table: &Table<'_>,
    link: Option<Entry<'_>>,
    class: Option<Entry<'_>>,
    known: Option<&Settings>,
) -> Option<PerClient> {
    match (link, class) {
        (Some(link), None) => {
            let links = known.map(|settings| settings.links.iter().map(|link| link.name.as_str()).collect());
            named(link, "link", links).map(PerClient::Link)
        }
        (None, Some(class)) => {
            let classes = known.map(|settings| settings.classes.iter().map(|class| class.name.as_str()).collect());
            named(class, "class", classes).map(PerClient::Class)
        }
        (link, _) => {
            let what = match link {
                Some(_) => "is for the clients of a link and of a class at once",
                None => "does not say which clients",
            };
            let remedy = "name a link with link = \"br0\", or a class of clients with class = \"…\"";
            table.fault("instances", what, remedy);
            None
        }
    }
}

/// Reads `network`. Without it, the only link that has addresses for instances is meant.
pub(super) fn read_network(
    table: &mut Table<'_>,
    per_client: bool,
    settings: &Settings,
    must_exist: bool,
) -> Option<Option<String>> {
    let entry = table.take("network");
    if per_client {
        let Some(entry) = entry else { return Some(None) };
        entry.fault(
            "has no effect with instances = \"per-client\"",
            "remove it: each instance is on the link of its client",
        );
        return None;
    }
    let links = || {
        settings
            .links
            .iter()
            .filter(|link| link.instances.is_some() && !link.remote)
    };
    let networks = settings.networks.iter().map(|network| network.name.as_str());
    let known: Vec<&str> = links().map(|link| link.name.as_str()).chain(networks).collect();
    let Some(entry) = entry else {
        let mut all = links();
        if let (Some(only), None) = (all.next(), all.next()) {
            return Some(Some(only.name.clone()));
        }
        let remedy = match known.is_empty() {
            true => "name a link that has addresses for instances, or describe a [[network]]".to_owned(),
            false => format!("write {}", one_of(known)),
        };
        table.fault("network", "is missing", remedy);
        return None;
    };
    named(
        entry,
        "link or network with addresses for instances",
        must_exist.then_some(known),
    )
    .map(Some)
}

/// Reads a name, which must be among those that are known, if they are.
fn named(entry: Entry<'_>, kind: &str, known: Option<Vec<&str>>) -> Option<String> {
    let Some(known) = known else { return entry.text() };
    let find = |name: &str| known.contains(&name).then(|| name.to_owned());
    entry.look_up(find, |name| {
        let remedy = match nearest(name, known.iter().copied()) {
            Some(meant) => format!("did you mean {meant:?}?"),
            None if known.is_empty() => "describe it in the settings first".to_owned(),
            None => format!("name {}", one_of(known.iter().copied())),
        };
        (format!("there is no {kind} {name:?}"), remedy)
    })
}
