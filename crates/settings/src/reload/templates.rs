//! What is different about templates.

use super::{Change, Effect, change, changed};
use crate::{ContainerSettings, Settings, TemplateSettings, TimeSettings};
use orchestrator_model::Access;

pub(super) fn templates(running: &Settings, written: &Settings) -> Vec<Change> {
    let path = |name: &str| format!("template.{name}");
    let mut changes = Vec::new();
    for (name, template) in &written.templates {
        match running.templates.get(name) {
            None => changes.push(change(path(name), Effect::Added)),
            Some(before) => changes.extend(changed(&path(name), &template_keys(before, template))),
        }
    }
    let gone = running
        .templates
        .keys()
        .filter(|name| !written.templates.contains_key(*name));
    changes.extend(gone.map(|name| change(path(name), Effect::Removed)));
    changes
}

/// The keys of a template, each with whether it differs.
fn template_keys(running: &TemplateSettings, written: &TemplateSettings) -> Vec<(&'static str, bool)> {
    let TemplateSettings {
        engine,
        main,
        sidecars,
        resolver,
        volumes,
        values,
        ssh,
        client_may,
        ready,
        time,
        isolated,
        networks,
        access,
        instances,
    } = running;
    let mut keys = container_keys(main, &written.main);
    keys.extend(time_keys(time, &written.time));
    keys.extend([
        ("engine", *engine != written.engine),
        ("container", *sidecars != written.sidecars),
        ("resolver", *resolver != written.resolver),
        ("volume", *volumes != written.volumes),
        ("values", *values != written.values),
        ("ssh", *ssh != written.ssh),
        ("client_may", *client_may != written.client_may),
        ("ready", *ready != written.ready),
        ("isolated", *isolated != written.isolated),
        ("networks", *networks != written.networks),
        ("instances", *instances != written.instances),
    ]);
    keys.extend(access_keys(access, &written.access));
    keys
}

/// The keys of access, each with whether it differs.
fn access_keys(running: &Access, written: &Access) -> Vec<(&'static str, bool)> {
    let Access {
        egress,
        nat,
        open,
        peers,
        // It follows from `isolated`.
        together: _,
        front_door,
        rate,
    } = running;
    vec![
        ("egress", *egress != written.egress),
        ("nat", *nat != written.nat),
        ("open", *open != written.open),
        ("peers", *peers != written.peers),
        ("front_door_ports", *front_door != written.front_door),
        ("packet_rate", rate.packets != written.rate.packets),
        ("byte_rate", rate.bytes != written.rate.bytes),
    ]
}

/// The keys of a template's times, each with whether it differs.
fn time_keys(running: &TimeSettings, written: &TimeSettings) -> [(&'static str, bool); 8] {
    let TimeSettings {
        lifetime,
        idle,
        grace,
        keep,
        warn,
        again,
        extension,
    } = running;
    [
        ("lifetime", *lifetime != written.lifetime),
        ("idle", *idle != written.idle),
        ("grace", *grace != written.grace),
        ("keep", *keep != written.keep),
        ("warn", *warn != written.warn),
        ("again", *again != written.again),
        ("extend_by", extension.by != written.extension.by),
        ("extend_times", extension.times != written.extension.times),
    ]
}

/// The keys of a container, each with whether it differs.
fn container_keys(running: &ContainerSettings, written: &ContainerSettings) -> Vec<(&'static str, bool)> {
    let ContainerSettings {
        image,
        command,
        environment,
        environment_from,
        capabilities,
        resources,
        devices,
        files,
    } = running;
    let limits = &written.resources;
    vec![
        ("image", *image != written.image),
        ("command", *command != written.command),
        (
            "environment",
            *environment != written.environment || *environment_from != written.environment_from,
        ),
        ("capabilities", *capabilities != written.capabilities),
        ("memory", resources.memory != limits.memory),
        ("cpus", resources.millicpus != limits.millicpus),
        ("pids", resources.pids != limits.pids),
        ("disk", resources.disk != limits.disk),
        ("device", *devices != written.devices),
        ("file", *files != written.files),
    ]
}
