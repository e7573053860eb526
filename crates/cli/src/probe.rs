//! Checks that everything that the settings name exists. Changes nothing.

mod engines;

use orchestrator_network::Network;

use self::engines::{engines, sizes};
use super::check::Finding;
use orchestrator_catalog::Declared;
use orchestrator_model::{ImagePin, LeaseSource};
use orchestrator_runtime::access::{self, Access};
use orchestrator_runtime::causes::with_causes;
use orchestrator_secrets::{KeyFile, SecretsError, find_key};
use orchestrator_settings::{ApiSettings, LinkSettings, Listen, Settings};
use orchestrator_store::{Found, SealedRows, Store};

/// Checks everything that the settings name, in the order in which the daemon needs it.
pub(super) async fn all(declared: &Declared, pins: &[ImagePin]) -> Vec<Finding> {
    let settings: &Settings = declared.settings();
    let mut findings = vec![
        privileges(settings),
        database(settings).await,
        identity(settings),
        sealing_key(settings).await,
    ];
    findings.extend(api(settings));
    findings.extend(bridges(settings).await);
    findings.extend(engines(declared, pins).await);
    let support = orchestrator_quota::support(&settings.volumes.directory);
    findings.extend(sizes(declared, &support));
    findings
}

async fn database(settings: &Settings) -> Finding {
    let url = &settings.store.url;
    match Store::look(url.as_str()).await {
        Ok(Found::Database) => Finding::there("database", url.to_string()),
        Ok(Found::NoFileYet) => Finding::there("database", format!("{url}: the daemon makes it")),
        Err(error) => Finding::missing("database", with_causes(&error)),
    }
}

fn identity(settings: &Settings) -> Finding {
    let file = settings.store.identity.display();
    match Store::look_for_identity(&settings.store.identity) {
        Ok(true) => Finding::there("identity", file.to_string()),
        Ok(false) => Finding::there("identity", format!("{file}: the daemon makes it")),
        Err(error) => Finding::missing("identity", with_causes(&error)),
    }
}

/// Whether the key file opens the secrets in the database.
async fn sealing_key(settings: &Settings) -> Finding {
    let name = "key file";
    let file = KeyFile::at(&settings.secrets.key_file);
    let path = file.path().display();
    if let Ok(Some(rows)) = SealedRows::beside(settings.store.url.as_str()).await {
        let key = find_key(&rows, &file).await;
        rows.close().await;
        match key {
            Ok(key) => return Finding::there(name, format!("{path}: the key {key} of the secrets in the database")),
            // The finding of the database reports its faults.
            Err(SecretsError::Nothing | SecretsError::Store(_)) => {}
            Err(fault) => return Finding::missing(name, with_causes(&fault)),
        }
    }
    match file.read() {
        Ok(Some(keys)) => Finding::there(name, format!("{path}: the key {}", keys.newest().id())),
        Ok(None) => Finding::there(name, format!("{path}: the daemon makes it")),
        Err(fault) => Finding::missing(name, with_causes(&fault)),
    }
}

/// The users of each endpoint of the API. If the settings name a group that does not exist, that is a finding. If only
/// the default group does not exist, root can still use the API.
fn api(settings: &Settings) -> Vec<Finding> {
    let ApiSettings { listen, group, .. } = &settings.api;
    let access = Access::of(group);
    let lacks_group = access.group_id().is_none() && !group.is_empty() && *group != ApiSettings::default().group;
    let find = |listen: &Listen| {
        let subject = format!("api {listen}");
        match listen {
            Listen::Unix(_) if lacks_group => Finding::missing(subject, access.describe_socket()),
            Listen::Unix(_) => Finding::there(subject, access.describe_socket()),
            Listen::Tcp(_) => Finding::there(subject, access::OPEN_TO_ALL),
            Listen::Tls(_) => Finding::there(subject, "open to whoever has a token"),
        }
    };
    listen.iter().map(find).collect()
}

/// A privilege that the daemon needs.
struct Privilege {
    /// Its bit in capabilities(7).
    bit: u32,
    name: &'static str,
    /// Whether these settings need it.
    needed: fn(&Settings) -> bool,
}

const PRIVILEGES: [Privilege; 7] = [
    Privilege {
        bit: 12,
        name: "CAP_NET_ADMIN",
        needed: |settings| !settings.links.is_empty(),
    },
    Privilege {
        bit: 10,
        name: "CAP_NET_BIND_SERVICE",
        needed: has_listener,
    },
    Privilege {
        bit: 13,
        name: "CAP_NET_RAW",
        needed: |settings| {
            let raw = |link: &LinkSettings| link.advertisement.is_some() || link.neighbors.is_some();
            settings.links.iter().any(raw)
        },
    },
    Privilege {
        bit: 1,
        name: "CAP_DAC_OVERRIDE",
        needed: has_volume,
    },
    Privilege {
        bit: 3,
        name: "CAP_FOWNER",
        needed: has_volume,
    },
    Privilege {
        bit: 21,
        name: "CAP_SYS_ADMIN",
        needed: has_template,
    },
    Privilege {
        bit: 19,
        name: "CAP_SYS_PTRACE",
        needed: has_template,
    },
];

fn has_listener(settings: &Settings) -> bool {
    settings.links.iter().any(|link| link.source == LeaseSource::Listener)
}

fn has_template(settings: &Settings) -> bool {
    !settings.templates_in_use().is_empty()
}

fn has_volume(settings: &Settings) -> bool {
    settings.templates.values().any(|template| !template.volumes.is_empty())
}

fn privileges(settings: &Settings) -> Finding {
    let status = match std::fs::read_to_string("/proc/self/status") {
        Ok(status) => status,
        Err(error) => return Finding::missing("privileges", format!("cannot read /proc/self/status: {error}")),
    };
    let lacking = lacking(settings, effective(&status));
    if lacking.is_empty() {
        return Finding::there("privileges", "");
    }
    let what = lacking.join(", ");
    Finding::missing(
        "privileges",
        format!("this process has no {what}; run the daemon as root or by its systemd unit"),
    )
}

fn effective(status: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    line.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok())
        .unwrap_or(0)
}

fn lacking(settings: &Settings, effective: u64) -> Vec<&'static str> {
    let lacking = PRIVILEGES
        .iter()
        .filter(|each| (each.needed)(settings) && effective & (1 << each.bit) == 0);
    lacking.map(|each| each.name).collect()
}

async fn bridges(settings: &Settings) -> Vec<Finding> {
    if settings.links.iter().all(|link| link.remote) && settings.networks.is_empty() {
        return Vec::new();
    }
    let network = match Network::open() {
        Ok(network) => network,
        Err(error) => return vec![Finding::missing("links", with_causes(&error))],
    };
    let mut findings = Vec::new();
    let links = settings.links.iter().filter(|link| !link.remote);
    let links = links.map(|link| (format!("link {}", link.name), &link.name, link.create));
    let networks = settings.networks.iter();
    let networks = networks.map(|network| (format!("network {}", network.name), &network.bridge, network.create));
    for (subject, bridge, create) in links.chain(networks) {
        findings.push(match network.find_bridge(bridge).await {
            Ok(Some(_)) => Finding::there(subject, ""),
            Ok(None) if create => Finding::there(subject, "will be made"),
            Ok(None) => Finding::missing(subject, format!("make bridge {bridge}, or set create = true")),
            Err(error) => Finding::missing(subject, with_causes(&error)),
        });
    }
    findings
}

#[cfg(test)]
mod tests;
