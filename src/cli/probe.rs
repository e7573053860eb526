//! Whether what the settings name is there: each thing looked at, nothing changed.

use std::collections::BTreeSet;
use std::path::Path;

use orchestrator_plugin::{Plugin, PluginError};
use orchestrator_plugin_docker::DockerPlugin;

use super::check::Finding;
use crate::causes::with_causes;
use crate::model::{Id, LeaseSource, Mark};
use crate::settings::Settings;

/// Everything the settings name, in the order in which the daemon needs it.
pub(super) async fn all(settings: &Settings) -> Vec<Finding> {
    let mut findings = vec![privileges(settings)];
    findings.extend(settings.links.iter().map(|link| bridge(&link.bridge, link.create)));
    findings.extend(engine(settings).await);
    findings
}

/// A privilege the daemon needs.
struct Capability {
    /// Its bit in capabilities(7).
    bit: u32,
    name: &'static str,
    /// Whether it is needed with these settings.
    needed: fn(&Settings) -> bool,
}

const CAPABILITIES: [Capability; 5] = [
    Capability {
        bit: 12,
        name: "CAP_NET_ADMIN",
        needed: |settings| !settings.links.is_empty(),
    },
    Capability {
        bit: 10,
        name: "CAP_NET_BIND_SERVICE",
        needed: has_listener,
    },
    Capability {
        bit: 13,
        name: "CAP_NET_RAW",
        needed: |settings| settings.links.iter().any(|link| link.router_advertisements),
    },
    Capability {
        bit: 21,
        name: "CAP_SYS_ADMIN",
        needed: has_template,
    },
    Capability {
        bit: 19,
        name: "CAP_SYS_PTRACE",
        needed: has_template,
    },
];

fn has_listener(settings: &Settings) -> bool {
    settings.links.iter().any(|link| link.source == LeaseSource::Listener)
}

fn has_template(settings: &Settings) -> bool {
    settings.links.iter().any(|link| link.template.is_some())
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
    let lacking = CAPABILITIES
        .iter()
        .filter(|each| (each.needed)(settings) && effective & (1 << each.bit) == 0);
    lacking.map(|each| each.name).collect()
}

fn bridge(name: &str, create: bool) -> Finding {
    let subject = format!("link {name}");
    let interface = Path::new("/sys/class/net").join(name);
    match (interface.exists(), interface.join("bridge").exists()) {
        (_, true) => Finding::there(subject, ""),
        (true, false) => Finding::missing(subject, format!("{name} is no bridge; name another, or remove it")),
        (false, _) if create => Finding::there(subject, "will be made"),
        (false, _) => Finding::missing(subject, format!("make bridge {name}, or set create = true")),
    }
}

/// The engine and every image, where a link has a template.
async fn engine(settings: &Settings) -> Vec<Finding> {
    if !has_template(settings) {
        return Vec::new();
    }
    // Nothing is made or listed here, so that the mark does not matter.
    let plugin = DockerPlugin::new(
        settings.plugin.docker.clone(),
        Mark {
            site: Id::from_bytes([0; 6]),
        },
    );
    let engine = match plugin.check().await {
        Ok(facts) => Finding::there("engine docker", format!("{} {}", facts.name, facts.version)),
        Err(error) => return vec![Finding::missing("engine docker", with_causes(&error))],
    };
    let mut findings = vec![engine];
    for image in images(settings) {
        findings.push(found_image(image, plugin.check_image(image).await));
    }
    findings
}

fn images(settings: &Settings) -> BTreeSet<&str> {
    let used = settings
        .links
        .iter()
        .filter_map(|link| settings.templates.get(link.template.as_ref()?));
    used.map(|template| template.image.as_str()).collect()
}

fn found_image(image: &str, answer: Result<(), PluginError>) -> Finding {
    let subject = format!("image {image}");
    match answer {
        Ok(()) => Finding::there(subject, ""),
        Err(error) => Finding::missing(subject, with_causes(&error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn privileges_are_read_and_missing_ones_named() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("settings.toml");
        let settings = crate::settings::load(&path, std::iter::empty()).unwrap();
        let all = effective("Name:\tx\nCapEff:\t000001ffffffffff\nCapBnd:\t0\n");
        assert!(lacking(&settings, all).is_empty());
        assert_eq!(
            lacking(&settings, all & !(1 << 13) & !(1 << 21)),
            ["CAP_NET_RAW", "CAP_SYS_ADMIN"]
        );
        assert_eq!(effective("nonsense"), 0);
    }

    #[test]
    fn an_interface_that_is_no_bridge_is_told_apart() {
        assert_eq!(bridge("lo", true).detail, "lo is no bridge; name another, or remove it");
        assert_eq!(
            bridge("no-such-bridge", false).detail,
            "make bridge no-such-bridge, or set create = true"
        );
        assert!(bridge("no-such-bridge", true).ok);
    }
}
