//! Writes templates as they are in the settings: the keys of `[template.NAME]` with their values.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value as Json, json};

use super::{ContainerSettings, Readiness, SidecarSettings, TemplateSettings, VolumeScope, VolumeSettings, time};
use orchestrator_model::{Access, Device, DeviceAccess, File, FileContent, Keep, Resolver, SshFiles, ValueSource};

use crate::size::write_size;

/// Replaces values that may be secrets.
pub const HIDDEN: &str = "***";

/// Whether the values of environment variables and the contents of files are hidden.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hidden {
    /// They are written, as for the store.
    Nothing,
    /// [`HIDDEN`] replaces them.
    Values,
}

impl TemplateSettings {
    /// The keys of `[template.NAME]` with their values, including defaults. [`read_template`](super::read_template)
    /// reads them back into an equal template. Empty lists are left out.
    ///
    /// Two templates are equal if and only if they are written alike, because the keys are sorted.
    pub fn written(&self, hidden: Hidden) -> Json {
        let Self {
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
        } = self;
        let mut keys = write_container(main, hidden);
        let mut put = |key: &str, value: Json| keys.insert(key.to_owned(), value);
        put("engine", json!(engine));
        put("isolated", json!(isolated));
        if let Some(ready) = ready {
            put("ready", write_readiness(ready));
        }
        if let Some(resolver) = resolver {
            put("resolver", write_resolver(resolver));
        }
        if !volumes.is_empty() {
            put("volume", volumes.iter().map(write_volume).collect());
        }
        if let Some(ssh) = ssh {
            put("ssh", write_ssh(ssh));
        }
        if !client_may.is_empty() {
            put("client_may", json!(client_may));
        }
        if !values.is_empty() {
            put("values", json!(values));
        }
        if !networks.is_empty() {
            put("networks", json!(networks));
        }
        if let Some(instances) = instances {
            put("instances", json!(instances));
        }
        if !sidecars.is_empty() {
            let sidecars = sidecars.iter().map(|sidecar| write_sidecar(sidecar, hidden));
            put("container", sidecars.collect());
        }
        keys.extend(write_access(access));
        time::write(time, &mut keys);
        Json::Object(keys)
    }
}

/// The keys of access that differ from their defaults.
fn write_access(access: &Access) -> Map<String, Json> {
    let Access {
        egress,
        nat,
        open,
        peers,
        together: _,
        front_door,
        rate,
    } = access;
    let lists = [
        ("egress", json!(egress)),
        ("open", json!(open)),
        ("peers", json!(peers)),
        ("front_door_ports", json!(front_door)),
    ];
    let lists = lists.into_iter().filter(|(_, list)| list != &json!([]));
    let nat = nat.then(|| ("nat", json!(true)));
    let packets = rate.packets.map(|packets| ("packet_rate", json!(packets)));
    let bytes = rate.bytes.map(|bytes| ("byte_rate", json!(write_size(bytes))));
    let keys = lists.chain(nat).chain(packets).chain(bytes);
    keys.map(|(key, value)| (key.to_owned(), value)).collect()
}

/// The keys of one container.
fn write_container(container: &ContainerSettings, hidden: Hidden) -> Map<String, Json> {
    let ContainerSettings {
        image,
        command,
        environment,
        environment_from,
        capabilities,
        resources,
        devices,
        files,
    } = container;
    let mut keys = Map::new();
    let mut put = |key: &str, value: Json| keys.insert(key.to_owned(), value);
    put("image", json!(image));
    put("memory", limit(resources.memory.map(|bytes| json!(write_size(bytes)))));
    put("cpus", limit(resources.millicpus.map(write_cpus)));
    put("pids", limit(resources.pids.map(|pids| json!(pids))));
    if let Some(disk) = resources.disk {
        put("disk", json!(write_size(disk)));
    }
    let variables = write_environment(environment, environment_from, hidden);
    if !variables.is_empty() {
        put("environment", Json::Object(variables));
    }
    for (key, list) in [("command", command), ("capabilities", capabilities)] {
        if !list.is_empty() {
            put(key, json!(list));
        }
    }
    if !devices.is_empty() {
        put("device", devices.iter().map(write_device).collect());
    }
    if !files.is_empty() {
        put("file", files.iter().map(|file| write_file(file, hidden)).collect());
    }
    keys
}

fn write_sidecar(sidecar: &SidecarSettings, hidden: Hidden) -> Json {
    let mut keys = write_container(&sidecar.container, hidden);
    keys.insert("name".to_owned(), json!(sidecar.name));
    Json::Object(keys)
}

fn write_device(device: &Device) -> Json {
    let access = match device.access {
        DeviceAccess::Read => "read",
        DeviceAccess::ReadWrite => "read-write",
    };
    json!({"source": device.source, "target": device.target, "access": access})
}

fn write_file(file: &File, hidden: Hidden) -> Json {
    let (key, value) = match (&file.content, hidden) {
        (FileContent::From(ValueSource::File(path)), _) => ("file", json!(path)),
        (FileContent::From(ValueSource::Credential(name)), _) => ("credential", json!(name)),
        (FileContent::Text(_) | FileContent::Bytes(_), Hidden::Values) => ("text", json!(HIDDEN)),
        (FileContent::Text(text), Hidden::Nothing) => ("text", json!(text)),
        // The content of files in the settings is always text.
        (FileContent::Bytes(bytes), Hidden::Nothing) => ("text", json!(String::from_utf8_lossy(bytes))),
    };
    let mode = format!("{:04o}", file.mode);
    json!({"target": file.target, key: value, "mode": mode, "uid": file.uid, "gid": file.gid})
}

fn write_volume(volume: &VolumeSettings) -> Json {
    let VolumeSettings {
        name,
        target,
        container,
        read_only,
        scope,
        keep,
        size,
        mode,
        uid,
        gid,
    } = volume;
    let scope = match scope {
        VolumeScope::Slot => "slot",
        VolumeScope::Client => "client",
    };
    let keep = match keep {
        Keep::Forever => json!("forever"),
        Keep::AfterLease(span) => json!({"after_lease": write_lifespan(*span)}),
        Keep::Unused(span) => json!({"unused": write_lifespan(*span)}),
    };
    let mut keys = json!({
        "name": name, "target": target, "container": container, "read_only": read_only, "scope": scope, "keep": keep,
        "mode": format!("{mode:04o}"), "uid": uid, "gid": gid,
    });
    if let Some(size) = size {
        keys["size"] = json!(write_size(*size));
    }
    keys
}

fn write_ssh(ssh: &SshFiles) -> Json {
    let mut keys = json!({"uid": ssh.uid, "gid": ssh.gid});
    for (key, path) in [("host_key", &ssh.host_key), ("authorized_keys", &ssh.authorized_keys)] {
        if let Some(path) = path {
            keys[key] = json!(path);
        }
    }
    keys
}

fn write_resolver(resolver: &Resolver) -> Json {
    json!({"servers": resolver.servers, "search": resolver.search})
}

fn limit(value: Option<Json>) -> Json {
    value.unwrap_or_else(|| json!("none"))
}

/// Converts thousandths of a processor into processors.
fn write_cpus(millicpus: u32) -> Json {
    json!(f64::from(millicpus) / 1000.0)
}

fn write_readiness(ready: &Readiness) -> Json {
    let Readiness {
        tcp,
        within,
        every,
        failures,
        restarts,
    } = ready;
    json!({
        "tcp": tcp,
        "within": write_lifespan(*within),
        "every": write_lifespan(*every),
        "failures": failures,
        "restarts": restarts,
    })
}

fn write_environment(
    plain: &BTreeMap<String, String>,
    sourced: &BTreeMap<String, ValueSource>,
    hidden: Hidden,
) -> Map<String, Json> {
    let shown = |value: &str| match hidden {
        Hidden::Nothing => json!(value),
        Hidden::Values => json!(HIDDEN),
    };
    let plain = plain.iter().map(|(name, value)| (name.clone(), shown(value)));
    let sourced = sourced.iter().map(|(name, source)| {
        let source = match source {
            ValueSource::File(path) => json!({"file": path}),
            ValueSource::Credential(name) => json!({"credential": name}),
        };
        (name.clone(), source)
    });
    plain.chain(sourced).collect()
}

/// Formats a duration in the largest unit that gives a whole number. The settings' reader reads it back.
pub fn write_lifespan(span: Duration) -> String {
    let milliseconds = span.as_millis();
    let units = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)];
    let whole = units
        .iter()
        .find(|(_, unit)| milliseconds.is_multiple_of(*unit) && milliseconds > 0);
    match whole {
        Some((name, unit)) => format!("{}{name}", milliseconds / unit),
        None if milliseconds == 0 => "0s".to_owned(),
        None => format!("{milliseconds}ms"),
    }
}

#[cfg(test)]
mod tests;
