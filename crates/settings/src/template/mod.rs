//! `[template.NAME]`: templates of instances.
//!
//! The reader serves both sources of templates: `settings.toml` and the API ([`read_template`]).

mod access;
mod container;
mod declared;
mod device;
mod file;
mod hidden;
mod resolver;
mod sidecar;
mod ssh;
mod time;
mod toml;
mod values;
mod volume;
mod written;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

pub use access::KEYS_OF_CLIENTS;
pub use container::ContainerSettings;
pub use declared::{join_words, parse_toml, read_template, read_template_keys, reread_template};
pub use sidecar::SidecarSettings;
pub use time::{Again, TimeSettings};
pub use toml::write_toml;
pub use volume::{VolumeScope, VolumeSettings};
pub use written::{HIDDEN, Hidden, write_lifespan};

use crate::engine::Engines;
use crate::fault::one_of;
use crate::reader::{Entry, Table};
use crate::size::parse_size;
use orchestrator_model::{Access, ClientAction, Container, Resolver, Resources, SshFiles};
use orchestrator_plugin::{Capabilities, Capability};

/// The largest number of networks of a template.
const MOST_NETWORKS: usize = 7;
/// The largest number of templates of one client.
const MOST_TEMPLATES: usize = 16;

/// A template: the settings of an instance.
#[derive(Debug, Clone, PartialEq)]
pub struct TemplateSettings {
    /// The name of the engine that it runs on.
    pub engine: String,
    /// Its first container, whose network namespace the others share.
    pub main: ContainerSettings,
    /// Its other containers, in the order in which they start.
    pub sidecars: Vec<SidecarSettings>,
    /// Its name servers; `None` leaves the choice to the engine.
    pub resolver: Option<Resolver>,
    /// Volumes, which outlive the instance.
    pub volumes: Vec<VolumeSettings>,
    /// What the metadata service tells the instance: texts by name.
    pub values: BTreeMap<String, String>,
    /// Where the SSH keys of the instance are written; `None` if they are not written.
    pub ssh: Option<SshFiles>,
    /// What clients may do with their instances, on their pages.
    pub client_may: Vec<ClientAction>,
    /// How readiness is checked. Without a check, an instance that runs and is wired is ready.
    pub ready: Option<Readiness>,
    /// How long an instance may live, besides its client's lease.
    pub time: TimeSettings,
    /// Whether the instance is isolated from the other instances of its link.
    pub isolated: bool,
    /// The names of networks that it is attached to besides its link, in the order of its interfaces.
    pub networks: Vec<String>,
    /// What it may reach, and who may reach it besides its own client.
    pub access: Access,
    /// Live instances of the template; `None` for no limit.
    pub instances: Option<u64>,
}

impl TemplateSettings {
    /// Every container with its name, beginning with the first one.
    pub fn containers(&self) -> impl Iterator<Item = (&str, &ContainerSettings)> {
        let others = self
            .sidecars
            .iter()
            .map(|sidecar| (sidecar.name.as_str(), &sidecar.container));
        std::iter::once((Container::MAIN, &self.main)).chain(others)
    }

    /// The capabilities that the engine needs, beyond those of every engine.
    pub fn needs(&self) -> Capabilities {
        let any = |holds: fn(&ContainerSettings) -> bool| self.containers().any(|(_, container)| holds(container));
        let needed = [
            (Capability::SharedNamespace, !self.sidecars.is_empty()),
            (Capability::Devices, any(|container| !container.devices.is_empty())),
            (Capability::Volumes, !self.volumes.is_empty()),
            (
                Capability::Files,
                self.ssh.is_some() || any(|container| !container.files.is_empty()),
            ),
            (Capability::Resolver, self.resolver.is_some()),
        ];
        let needed = needed.into_iter().filter(|(_, is_needed)| *is_needed);
        needed.fold(Capabilities::NONE, |all, (capability, _)| all.with(capability))
    }
}

/// The check of readiness, and the reaction to an instance that stops answering.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Readiness {
    /// The TCP port that must accept connections.
    pub tcp: u16,
    /// The time limit for the first answer.
    pub within: Duration,
    /// The time between two checks of a ready instance; zero disables these checks.
    pub every: Duration,
    /// The number of failed checks in a row after which the daemon reacts; at least one.
    pub failures: u32,
    /// How often an instance that stopped answering is restarted. After that it is left as it is.
    pub restarts: u32,
}

/// Reads every template. The names include those of templates with faults.
pub(crate) fn read_all(root: &mut Table<'_>, engines: &Engines) -> (Vec<String>, BTreeMap<String, TemplateSettings>) {
    let mut names = Vec::new();
    let mut templates = BTreeMap::new();
    for (name, entry) in root.section("template").drain() {
        if !is_name(&name) {
            entry.fault(
                format!("{name:?} cannot be the name of a template"),
                "take a small letter and then at most 31 small letters, digits, \"-\" and \"_\"",
            );
        }
        if let Some(template) = entry.table().and_then(|table| read(table, engines)) {
            templates.insert(name.clone(), template);
        }
        names.push(name);
    }
    (names, templates)
}

/// Reads the `template` of a link or a class: one name, or a list of names. Empty if the key is missing.
pub(super) fn read_names(table: &mut Table<'_>) -> Vec<String> {
    let Some(entry) = table.take("template") else {
        return Vec::new();
    };
    let names = match entry.is_list() {
        true => entry.list_of(MOST_TEMPLATES, Entry::text).unwrap_or_default(),
        false => entry.text().into_iter().collect(),
    };
    let twice = names
        .iter()
        .enumerate()
        .find(|(place, name)| names[..*place].contains(name));
    if let Some((_, name)) = twice {
        let remedy = "a client gets one instance of each template; name it once";
        table.fault("template", format!("names {name:?} twice"), remedy);
    }
    names
}

/// Reads a template; `None` only after a fault.
pub(crate) fn read(mut table: Table<'_>, engines: &Engines) -> Option<TemplateSettings> {
    let engine = read_engine(&mut table, engines);
    let main = container::read(&mut table);
    let sidecars = sidecar::read_all(&mut table);
    let resolver = match table.take("resolver").map(Entry::table) {
        Some(keys) => keys.and_then(resolver::read).map(Some),
        None => Some(None),
    };
    let volumes = volume::read_all(&mut table, sidecars.as_deref().unwrap_or_default());
    let values = values::read(table.section("values"));
    let ssh = match table.take("ssh").map(Entry::table) {
        Some(keys) => keys.and_then(ssh::read).map(Some),
        None => Some(None),
    };
    let client_may = read_client_may(&mut table);
    let ready = table.take("ready").and_then(Entry::table).and_then(read_readiness);
    let time = time::read(&mut table);
    let isolated = table.take("isolated").and_then(Entry::flag).unwrap_or(true);
    let networks = table
        .take("networks")
        .map_or(Some(Vec::new()), |entry| entry.list_of(MOST_NETWORKS, Entry::text));
    if let Some(networks) = &networks
        && networks.iter().collect::<BTreeSet<_>>().len() < networks.len()
    {
        table.fault("networks", "names a network twice", "name each network once");
    }
    let access = access::read(&mut table).map(|access| Access {
        together: !isolated,
        ..access
    });
    let instances = crate::limits::limit(table.take("instances"), None);
    table.finish();
    Some(TemplateSettings {
        engine: engine?,
        main: main?,
        sidecars: sidecars?,
        resolver: resolver?,
        volumes: volumes?,
        values,
        ssh: ssh?,
        client_may: client_may?,
        ready,
        time,
        isolated,
        networks: networks?,
        access: access?,
        instances,
    })
}

/// Reads the engine; `None` only after a fault.
fn read_engine(table: &mut Table<'_>, engines: &Engines) -> Option<String> {
    let names: Vec<_> = engines.names().map(|name| (name, name)).collect();
    let chosen = match table.take("engine") {
        Some(entry) => entry.choice(&names),
        None => {
            let default = engines.default();
            if default.is_none() {
                let words = one_of(engines.names());
                table.fault("engine", "is missing, and there are several", format!("write {words}"));
            }
            default
        }
    };
    chosen.map(str::to_owned)
}

/// Reads what clients may do: each action once, in one order.
fn read_client_may(table: &mut Table<'_>) -> Option<Vec<ClientAction>> {
    let actions = ClientAction::ALL.map(|action| (action.word(), action));
    let read = |entry: Entry<'_>| entry.choice(&actions);
    let listed = table
        .take("client_may")
        .map_or(Some(Vec::new()), |entry| entry.list_of(16, read))?;
    Some(listed.into_iter().collect::<BTreeSet<_>>().into_iter().collect())
}

/// Reads the limits. Each but that of the disk has a default, so that nobody forgets one; `"none"` removes it.
fn read_resources(table: &mut Table<'_>) -> Resources {
    let size = |entry: Entry<'_>| entry.parse("take \"6MiB\" to \"16TiB\", or \"none\"", parse_memory);
    // Thousandths of one processor; the bounds keep them far inside 32 bits.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let millicpus = |entry: Entry<'_>| entry.number(0.01..=1024.0).map(|cpus| (cpus * 1000.0).round() as u32);
    Resources {
        memory: limit(table.take("memory"), 128 << 20, size),
        millicpus: limit(table.take("cpus"), 500, millicpus),
        pids: limit(table.take("pids"), 128, |entry| entry.whole(1..=4_194_304)),
        disk: match table.take("disk") {
            Some(entry) if !entry.is_word("none") => entry.parse("take \"1MiB\" to \"16TiB\", or \"none\"", parse_disk),
            _ => None,
        },
    }
}

fn limit<'a, T>(entry: Option<Entry<'a>>, default: T, read: impl FnOnce(Entry<'a>) -> Option<T>) -> Option<T> {
    match entry {
        None => Some(default),
        Some(entry) if entry.is_word("none") => None,
        Some(entry) => read(entry),
    }
}

/// Reads the check of readiness; `None` only after a fault.
fn read_readiness(mut table: Table<'_>) -> Option<Readiness> {
    let tcp = table.need("tcp", "name the port that the instance is to answer on, like 80");
    let tcp = tcp.and_then(|entry| entry.whole(1..=65_535));
    let bounds = Duration::from_millis(1)..=Duration::from_secs(600);
    let within = table
        .take("within")
        .map_or(Some(Duration::from_secs(10)), |entry| entry.lifespan(bounds));
    let every = table.take("every").map_or(Some(Duration::from_secs(10)), read_every);
    let failures = table.take("failures").map_or(Some(3), |entry| entry.whole(1..=100));
    let restarts = table.take("restarts").map_or(Some(5), |entry| entry.whole(0..=100));
    table.finish();
    Some(Readiness {
        tcp: tcp?,
        within: within?,
        every: every?,
        failures: failures?,
        restarts: restarts?,
    })
}

/// Reads `every`: zero, or at least a second, because a check costs a connection.
fn read_every(entry: Entry<'_>) -> Option<Duration> {
    let hour = Duration::from_secs(3600);
    match entry.is_word("0s") {
        true => Some(Duration::ZERO),
        false => entry.lifespan(Duration::from_secs(1)..=hour),
    }
}

/// Whether a template or a class may have this name.
pub(crate) fn is_name(name: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
    name.len() <= 32 && name.starts_with(|first: char| first.is_ascii_lowercase()) && name.bytes().all(known)
}

/// Parses text that may be used in an argument or in a variable.
pub(crate) fn parse_word(text: &str) -> Result<String, &'static str> {
    if text.contains('\0') {
        Err("holds a NUL byte")
    } else {
        Ok(text.to_owned())
    }
}

/// Parses a path inside a container, of a file or a device. An archive has room for a name of 100 bytes and 255 in all.
pub(super) fn parse_inside(text: &str) -> Result<PathBuf, String> {
    let path = Path::new(text);
    let plain = |part: Component<'_>| matches!(part, Component::RootDir | Component::Normal(_));
    let name = path.file_name().map_or(0, OsStr::len);
    let fits = (1..=100).contains(&name) && text.len() <= 255;
    if path.is_absolute() && fits && path.components().all(plain) && !text.ends_with('/') && !text.contains('\0') {
        return Ok(path.to_owned());
    }
    Err(format!(
        "{text:?} is not an absolute path inside the container of at most 255 bytes"
    ))
}

fn parse_image(text: &str) -> Result<String, String> {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'/' | b':' | b'@');
    let edges = text.starts_with(|first: char| first.is_ascii_alphanumeric()) && !text.ends_with([':', '/', '@']);
    if edges && text.len() <= 512 && text.bytes().all(known) {
        return Ok(text.to_owned());
    }
    Err(format!("{text:?} cannot be the name of an image"))
}

fn parse_disk(text: &str) -> Result<u64, String> {
    let bytes = parse_size(text).map_err(|error| error.to_string())?;
    match (1 << 20..=16 << 40).contains(&bytes) {
        true => Ok(bytes),
        false => Err(format!("{text} is out of bounds")),
    }
}

fn parse_memory(text: &str) -> Result<u64, String> {
    let bytes = parse_size(text).map_err(|error| error.to_string())?;
    // Engines refuse less than 6 MiB.
    if (6 << 20..=16 << 40).contains(&bytes) {
        Ok(bytes)
    } else {
        Err(format!("{text} is out of bounds"))
    }
}
