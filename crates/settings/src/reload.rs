//! Plans a reload: which changed keys take effect at once, and which need a restart.
//!
//! Most keys take effect at once. Some are used only when the daemon starts: where its state is, where its API listens,
//! which engine it uses, the format of its log. Such a key is reported and keeps its old value until restart. To add a
//! key, classify it here as live or restart-only; the exhaustive destructuring makes the compiler insist.

mod links;
mod templates;

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use self::links::links;
use self::templates::templates;
use super::{
    ApiSettings, ClassSettings, DnsSettings, DnsmasqSettings, Engines, Fault, Faults, HostSettings, ImagesSettings,
    LimitsSettings, Listen, ListenerSettings, LogSettings, MetadataSettings, NetworkSettings, PortalSettings,
    SecretsSettings, Settings, SourceSettings, StoreSettings, VolumesSettings,
};
use orchestrator_model::LeaseSource;

/// A key whose written value differs from the value in force.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Change {
    /// The key's path, with the names of links and templates: `link.br0.pool`.
    pub key: String,
    /// The effect of the change.
    pub effect: Effect,
}

/// The effect of a changed key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// A link or a template was added.
    Added,
    /// A link or a template was removed.
    Removed,
    /// The value was changed.
    Changed,
    /// The daemon uses the old value until it is restarted.
    NeedsRestart,
}

/// Settings to put in force, with their differences from the present ones.
#[derive(Debug, Clone, PartialEq)]
pub struct Reload {
    /// The new settings, in which keys that need a restart keep their running values.
    pub settings: Settings,
    /// All differences between the settings in force and the written ones.
    pub changes: Vec<Change>,
}

/// Plans to replace `running` by `written`.
///
/// # Errors
///
/// When keys that keep their running values conflict with the new ones.
pub fn plan_reload(running: &Settings, written: Settings) -> Result<Reload, Faults> {
    let mut changes = sections(running, &written);
    changes.extend(changed("limits", &limits_keys(&running.limits, &written.limits)));
    changes.extend(engines(&running.engines, &written.engines));
    changes.extend(links(&running.links, &written.links));
    changes.extend(classes(&running.classes, &written.classes));
    changes.extend(networks(&running.networks, &written.networks));
    changes.extend(templates(running, &written));
    let settings = Settings {
        store: StoreSettings {
            url: running.store.url.clone(),
            identity: running.store.identity.clone(),
            ..written.store
        },
        secrets: running.secrets.clone(),
        volumes: running.volumes.clone(),
        api: running.api.clone(),
        log: LogSettings {
            format: running.log.format,
            ..written.log
        },
        engines: running.engines.clone(),
        ..written
    };
    check(&settings)?;
    Ok(Reload { settings, changes })
}

/// Checks that keys that keep their running values fit the new ones.
fn check(settings: &Settings) -> Result<(), Faults> {
    let mut templates = settings.templates.iter();
    let unknown = templates.find(|(_, template)| settings.engines.get(&template.engine).is_none());
    let unknown = unknown.map(|(name, template)| (format!("template.{name}.engine"), template));
    let balancer = settings.balancer.as_ref().map(|balancer| &balancer.template);
    let balancer = balancer.filter(|template| settings.engines.get(&template.engine).is_none());
    if let Some((key, template)) = unknown.or_else(|| Some(("balancer.engine".to_owned(), balancer?))) {
        return Err(Faults::from(Fault {
            key,
            variable: None,
            what: format!("{:?} is no engine of the running daemon", template.engine),
            remedy: "restart the daemon to have it use that engine".to_owned(),
        }));
    }
    let hooked = settings.links.iter().find(|link| link.source == LeaseSource::Dnsmasq);
    let has_socket = settings.api.listen.iter().any(|place| matches!(place, Listen::Unix(_)));
    match hooked {
        Some(link) if !has_socket => Err(Faults::from(Fault {
            key: "api.listen".to_owned(),
            variable: None,
            what: format!(
                "names no unix socket in the running daemon, and dnsmasq's hook for {} needs one",
                link.name
            ),
            remedy: "restart the daemon to have it listen on \"unix:/run/orchestrator/api.sock\"".to_owned(),
        })),
        _ => Ok(()),
    }
}

fn sections(running: &Settings, written: &Settings) -> Vec<Change> {
    let Settings {
        store: StoreSettings { url, history, identity },
        secrets: SecretsSettings { key_file },
        volumes: VolumesSettings { directory },
        limits: _,
        images: ImagesSettings { unused, keep },
        api: ApiSettings { listen, group, tls },
        log: LogSettings { level, format },
        engines: _,
        source:
            SourceSettings {
                listener: ListenerSettings { relays, relay_options },
                dnsmasq: DnsmasqSettings { spool },
            },
        metadata: MetadataSettings { address: metadata },
        portal: PortalSettings { certificate },
        dns:
            DnsSettings {
                zone,
                aliases,
                ttl,
                rate,
                forward,
                listen: dns_listen,
            },
        host: HostSettings {
            name: host_name,
            roles: host_roles,
        },
        balancer,
        acme,
        links: _,
        classes: _,
        networks: _,
        templates: _,
    } = running;
    let keys = [
        ("store.url", Effect::NeedsRestart, *url != written.store.url),
        (
            "store.identity",
            Effect::NeedsRestart,
            *identity != written.store.identity,
        ),
        ("store.history", Effect::Changed, *history != written.store.history),
        (
            "secrets.key_file",
            Effect::NeedsRestart,
            *key_file != written.secrets.key_file,
        ),
        (
            "volumes.directory",
            Effect::NeedsRestart,
            *directory != written.volumes.directory,
        ),
        ("images.unused", Effect::Changed, *unused != written.images.unused),
        ("images.keep", Effect::Changed, *keep != written.images.keep),
        ("api.listen", Effect::NeedsRestart, *listen != written.api.listen),
        ("api.group", Effect::NeedsRestart, *group != written.api.group),
        ("api.tls", Effect::NeedsRestart, *tls != written.api.tls),
        ("log.level", Effect::Changed, *level != written.log.level),
        ("log.format", Effect::NeedsRestart, *format != written.log.format),
        (
            "source.listener.relays",
            Effect::Changed,
            *relays != written.source.listener.relays,
        ),
        (
            "source.listener.relay_options",
            Effect::Changed,
            *relay_options != written.source.listener.relay_options,
        ),
        (
            "source.dnsmasq.spool",
            Effect::Changed,
            *spool != written.source.dnsmasq.spool,
        ),
        ("portal", Effect::Changed, *certificate != written.portal.certificate),
        ("dns.zone", Effect::Changed, *zone != written.dns.zone),
        ("dns.aliases", Effect::Changed, *aliases != written.dns.aliases),
        ("dns.ttl", Effect::Changed, *ttl != written.dns.ttl),
        ("dns.rate", Effect::Changed, *rate != written.dns.rate),
        ("dns.forward", Effect::Changed, *forward != written.dns.forward),
        ("dns.listen", Effect::Changed, *dns_listen != written.dns.listen),
        ("host.name", Effect::Changed, *host_name != written.host.name),
        ("host.roles", Effect::Changed, *host_roles != written.host.roles),
        ("balancer", Effect::Changed, *balancer != written.balancer),
        ("acme", Effect::Changed, *acme != written.acme),
        (
            "metadata.address",
            Effect::Changed,
            *metadata != written.metadata.address,
        ),
    ];
    let differing = keys.into_iter().filter(|(.., differs)| *differs);
    differing.map(|(key, effect, _)| change(key, effect)).collect()
}

/// The keys of the limits of hosts, each with whether it differs.
fn limits_keys(running: &LimitsSettings, written: &LimitsSettings) -> Vec<(&'static str, bool)> {
    let LimitsSettings {
        instances,
        memory,
        millicpus,
        pids,
        disk,
        client_instances,
        client_creations,
        port_share,
        queue,
    } = running;
    vec![
        ("instances", *instances != written.instances),
        ("memory", *memory != written.memory),
        ("cpus", *millicpus != written.millicpus),
        ("pids", *pids != written.pids),
        ("disk", *disk != written.disk),
        ("client_instances", *client_instances != written.client_instances),
        ("client_creations", *client_creations != written.client_creations),
        ("port_share", *port_share != written.port_share),
        ("queue", *queue != written.queue),
    ]
}

/// Compares the engines, which the daemon builds only at its start.
fn engines(running: &Engines, written: &Engines) -> Vec<Change> {
    let names: BTreeSet<&str> = running.names().chain(written.names()).collect();
    let mut changes = Vec::new();
    for name in names {
        let path = format!("engine.{name}");
        match (running.get(name), written.get(name)) {
            (Some(before), Some(now)) if before.kind == now.kind => {
                let (before, now) = (before.settings.values(), now.settings.values());
                let differing = now.iter().filter(|value| !before.contains(value));
                changes.extend(differing.map(|(key, _)| change(format!("{path}.{key}"), Effect::NeedsRestart)));
            }
            (Some(_), Some(_)) => changes.push(change(format!("{path}.kind"), Effect::NeedsRestart)),
            _ => changes.push(change(path, Effect::NeedsRestart)),
        }
    }
    changes
}

/// Compares the classes. A class that moved to another place counts as another class.
fn classes(running: &[ClassSettings], written: &[ClassSettings]) -> Vec<Change> {
    let place = |classes: &[ClassSettings], name: &str| classes.iter().position(|class| class.name == name);
    let path = |class: &ClassSettings| format!("class.{}", class.name);
    let mut changes = Vec::new();
    for (index, class) in written.iter().enumerate() {
        match place(running, &class.name) {
            None => changes.push(change(path(class), Effect::Added)),
            Some(before) if before != index || running[before] != *class => {
                changes.push(change(path(class), Effect::Changed));
            }
            Some(_) => {}
        }
    }
    let gone = running.iter().filter(|class| place(written, &class.name).is_none());
    changes.extend(gone.map(|class| change(path(class), Effect::Removed)));
    changes
}

fn networks(running: &[NetworkSettings], written: &[NetworkSettings]) -> Vec<Change> {
    let of = |networks: &[NetworkSettings], name: &str| networks.iter().find(|network| network.name == name).cloned();
    let path = |network: &NetworkSettings| format!("network.{}", network.name);
    let mut changes = Vec::new();
    for network in written {
        match of(running, &network.name) {
            None => changes.push(change(path(network), Effect::Added)),
            Some(before) => changes.extend(changed(&path(network), &network_keys(&before, network))),
        }
    }
    let gone = running.iter().filter(|network| of(written, &network.name).is_none());
    changes.extend(gone.map(|network| change(path(network), Effect::Removed)));
    changes
}

/// The keys of a network, each with whether it differs.
fn network_keys(running: &NetworkSettings, written: &NetworkSettings) -> Vec<(&'static str, bool)> {
    let NetworkSettings {
        name: _,
        bridge,
        create,
        prefix,
        address,
        instances,
        isolated,
        mtu,
    } = running;
    vec![
        ("bridge", *bridge != written.bridge),
        ("create", *create != written.create),
        ("prefix", *prefix != written.prefix),
        ("address", *address != written.address),
        ("instances", *instances != written.instances),
        ("isolated", *isolated != written.isolated),
        ("mtu", *mtu != written.mtu),
    ]
}

fn changed(path: &str, keys: &[(&'static str, bool)]) -> Vec<Change> {
    let differing = keys.iter().filter(|(_, differs)| *differs);
    differing
        .map(|(key, _)| change(format!("{path}.{key}"), Effect::Changed))
        .collect()
}

fn change(key: impl Into<String>, effect: Effect) -> Change {
    Change {
        key: key.into(),
        effect,
    }
}

impl Effect {
    /// A stable word for the effect.
    pub fn word(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Changed => "changed",
            Self::NeedsRestart => "needs-restart",
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.effect.word())
    }
}
