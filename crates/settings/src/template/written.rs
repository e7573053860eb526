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

/// Formats a duration in the largest unit that gives a whole number.
pub(super) fn write_lifespan(span: Duration) -> String {
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

/// Formats the keys as TOML: one on each line, with nested tables in braces.
pub fn write_toml(keys: &Json) -> String {
    let Json::Object(table) = keys else {
        return write_value(keys);
    };
    let lines = table
        .iter()
        .map(|(key, value)| format!("{} = {}\n", write_key(key), write_value(value)));
    lines.collect()
}

fn write_key(key: &str) -> String {
    let is_bare = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    match !key.is_empty() && key.bytes().all(is_bare) {
        true => key.to_owned(),
        false => Json::from(key).to_string(),
    }
}

fn write_value(value: &Json) -> String {
    match value {
        Json::Object(table) => {
            let entries = table.iter();
            let entries = entries.map(|(key, value)| format!("{} = {}", write_key(key), write_value(value)));
            format!("{{ {} }}", entries.collect::<Vec<_>>().join(", "))
        }
        Json::Array(list) => format!("[{}]", list.iter().map(write_value).collect::<Vec<_>>().join(", ")),
        // JSON does not escape this character, but TOML requires it.
        Json::String(text) => Json::from(text.as_str()).to_string().replace('\u{7f}', "\\u007f"),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Settings;
    use crate::template::{Again, TimeSettings, parse_toml, read_template, reread_template};
    use orchestrator_model::{Rate, Resources};

    fn settings() -> Settings {
        crate::parse("", std::iter::empty()).unwrap()
    }

    fn any_container() -> impl Strategy<Value = ContainerSettings> {
        let word = "[^\\x00]{0,12}";
        let environment = prop::collection::btree_map("[A-Za-z_. ]{1,8}", word, 0..4);
        let source = prop_oneof![
            Just(ValueSource::File("/etc/a".into())),
            Just(ValueSource::Credential("key".to_owned()))
        ];
        let sources = prop::collection::btree_map("[0-9]{1,4}", source, 0..3);
        let resources = (
            prop::option::of(6144_u64..1 << 30),
            prop::option::of(10_u32..1_024_000),
            prop::option::of(1_u32..=4_194_304),
            prop::option::of(1_u64..1 << 20),
        );
        let content = prop_oneof![
            "(?s).{0,20}".prop_map(FileContent::Text),
            Just(FileContent::From(ValueSource::File("/etc/a".into()))),
            Just(FileContent::From(ValueSource::Credential("key".to_owned())))
        ];
        let file = (content, 0_u32..=0o7777, 0_u32..=65_535);
        let lists = (
            prop::collection::vec(word, 0..3),
            prop::sample::subsequence(vec!["CHOWN", "NET_RAW", "KILL"], 0..=3),
            prop::sample::subsequence(devices(), 0..=2),
            prop::collection::vec(file, 0..3),
        );
        (environment, sources, resources, lists).prop_map(
            |(
                environment,
                environment_from,
                (memory, millicpus, pids, disk),
                (command, capabilities, devices, files),
            )| {
                let numbered = files.into_iter().zip(0..);
                let file = |((content, mode, uid), number): ((FileContent, u32, u32), u32)| File {
                    target: format!("/etc/file-{number}").into(),
                    content,
                    mode,
                    uid,
                    gid: uid / 2,
                };
                ContainerSettings {
                    image: "web:2".to_owned(),
                    command,
                    environment,
                    environment_from,
                    capabilities: owned(capabilities),
                    resources: Resources {
                        memory: memory.map(|memory| memory << 10),
                        millicpus,
                        pids,
                        disk: disk.map(|disk: u64| disk << 20),
                    },
                    devices,
                    files: numbered.map(file).collect(),
                }
            },
        )
    }

    fn any_access() -> impl Strategy<Value = Access> {
        let ports = || prop::sample::subsequence(vec!["tcp/80", "udp/5000-5010"], 0..=2);
        let read = |list: Vec<&str>| list.into_iter().map(|text| text.parse().unwrap()).collect();
        (
            prop::sample::subsequence(vec!["2000::/3 tcp/443", "::/0"], 1..=2),
            any::<bool>(),
            ports(),
            ports(),
            prop::sample::subsequence(vec!["db tcp/5432", "cache"], 0..=2),
            (prop::option::of(1_u32..100_000), prop::option::of(1_u64..1 << 20)),
        )
            .prop_map(move |(egress, nat, open, front_door, peers, (packets, bytes))| Access {
                together: false,
                egress: egress.into_iter().map(|text| text.parse().unwrap()).collect(),
                nat,
                open: read(open),
                peers: peers.into_iter().map(|text| text.parse().unwrap()).collect(),
                front_door: read(front_door),
                rate: Rate {
                    packets,
                    bytes: bytes.map(|bytes| bytes << 10),
                },
            })
    }

    fn owned(list: Vec<&str>) -> Vec<String> {
        list.into_iter().map(str::to_owned).collect()
    }

    fn devices() -> Vec<Device> {
        let device = |source: &str, target: &str, access| Device {
            source: source.into(),
            target: target.into(),
            access,
        };
        vec![
            device("/dev/fuse", "/dev/fuse", DeviceAccess::ReadWrite),
            device("/dev/kvm", "/dev/vm", DeviceAccess::Read),
        ]
    }

    fn any_volume() -> impl Strategy<Value = VolumeSettings> {
        let keep = prop_oneof![
            Just(Keep::Forever),
            (0_u64..1 << 34).prop_map(|span| Keep::AfterLease(Duration::from_millis(span))),
            (0_u64..1 << 34).prop_map(|span| Keep::Unused(Duration::from_millis(span))),
        ];
        let scope = prop::sample::select(vec![VolumeScope::Slot, VolumeScope::Client]);
        let size = prop::option::of(1024_u64..1 << 30);
        (any::<bool>(), scope, keep, size, 0_u32..=0o7777, 0..u32::MAX).prop_map(
            |(read_only, scope, keep, size, mode, uid)| VolumeSettings {
                name: String::new(),
                target: "/".into(),
                container: "main".parse().unwrap(),
                read_only,
                scope,
                keep,
                size: size.map(|size| size << 10),
                mode,
                uid,
                gid: uid / 2,
            },
        )
    }

    fn any_time() -> impl Strategy<Value = TimeSettings> {
        let span = || (10_000_u64..1 << 29).prop_map(Duration::from_millis);
        let limits = (prop::option::of(span()), prop::option::of(span()));
        let again = prop_oneof![Just(Again::Lease), span().prop_map(Again::After)];
        (limits, span(), span(), span(), again).prop_map(|((lifetime, idle), grace, keep, warn, again)| TimeSettings {
            lifetime,
            idle,
            grace,
            keep,
            warn,
            again,
        })
    }

    fn any_template() -> impl Strategy<Value = TemplateSettings> {
        let ready = prop::option::of((1_u16.., 1_u64..600_000, 1_u64..3600, 1_u32..100, 0_u32..100));
        let resolver = prop::option::of(prop::sample::subsequence(vec!["example.org", "example.net"], 0..=2));
        let networks = prop::sample::subsequence(vec!["storage", "backup"], 0..=2);
        let sidecars = prop::collection::vec(any_container(), 0..3);
        let instances = prop::option::of(0_u64..1000);
        let volumes = prop::collection::vec(any_volume(), 0..3);
        let more = (resolver, volumes, any_access(), instances);
        (
            any_container(),
            sidecars,
            more,
            ready,
            networks,
            any_time(),
            any::<bool>(),
        )
            .prop_map(
                |(main, sidecars, (resolver, volumes, access, instances), ready, networks, time, isolated)| {
                    let volume = |(volume, number): (VolumeSettings, u32)| VolumeSettings {
                        name: format!("volume-{number}"),
                        target: format!("/volume/{number}").into(),
                        ..volume
                    };
                    let sidecar = |(container, number): (ContainerSettings, u32)| SidecarSettings {
                        name: format!("side-{number}").parse().unwrap(),
                        container,
                    };
                    TemplateSettings {
                        engine: "docker".to_owned(),
                        main,
                        sidecars: sidecars.into_iter().zip(0..).map(sidecar).collect(),
                        resolver: resolver.map(|search| Resolver {
                            servers: vec!["fd39::53".parse().unwrap(), "192.0.2.53".parse().unwrap()],
                            search: owned(search),
                        }),
                        volumes: volumes.into_iter().zip(0..).map(volume).collect(),
                        values: if isolated {
                            [("user-data".to_owned(), "a\n".repeat(3))].into()
                        } else {
                            BTreeMap::new()
                        },
                        ssh: isolated.then(|| SshFiles {
                            authorized_keys: Some("/home/user/.ssh/authorized_keys".into()),
                            ..SshFiles::default()
                        }),
                        client_may: if isolated {
                            vec![orchestrator_model::ClientAction::Extend]
                        } else {
                            Vec::new()
                        },
                        ready: ready.map(|(tcp, within, every, failures, restarts)| Readiness {
                            tcp,
                            within: Duration::from_millis(within),
                            every: Duration::from_secs(every),
                            failures,
                            restarts,
                        }),
                        time,
                        isolated,
                        networks: owned(networks),
                        access: Access {
                            together: !isolated,
                            ..access
                        },
                        instances,
                    }
                },
            )
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(template in any_template()) {
            let written = template.written(Hidden::Nothing);
            prop_assert_eq!(reread_template("a", &written, &settings()), Ok(template.clone()));
            // Also by way of a file.
            prop_assert_eq!(parse_toml("a", &write_toml(&written)), Ok(written));
        }

        #[test]
        fn no_value_is_shown_and_what_is_shown_can_be_given_back(template in any_template()) {
            let shown = template.written(Hidden::Values);
            let mut again = reread_template("a", &shown, &settings()).unwrap();
            prop_assert!(again.main.environment.values().all(|value| value == HIDDEN));
            again.keep_hidden(&template).unwrap();
            prop_assert_eq!(again, template);
        }
    }

    #[test]
    fn a_hidden_value_that_is_nowhere_is_missed() {
        let hidden = json!({"image": "a", "environment": {"TOKEN": HIDDEN}});
        let mut template = read_template("a", &hidden, &settings()).unwrap();
        let before = read_template("a", &json!({"image": "a"}), &settings()).unwrap();
        assert_eq!(template.find_hidden(), Some("environment.TOKEN".to_owned()));
        assert_eq!(template.keep_hidden(&before), Err("environment.TOKEN".to_owned()));
        let file = json!([{"target": "/etc/key", "text": HIDDEN}]);
        let hidden = json!({"image": "a", "container": [{"name": "proxy", "image": "a", "file": file}]});
        let mut template = read_template("a", &hidden, &settings()).unwrap();
        let missed = "container.proxy.file./etc/key".to_owned();
        assert_eq!(template.find_hidden(), Some(missed.clone()));
        assert_eq!(template.keep_hidden(&before), Err(missed));
    }

    #[test]
    fn amounts_are_written_as_people_do() {
        let template = read_template("a", &json!({"image": "a"}), &settings()).unwrap();
        assert_eq!(
            write_toml(&template.written(Hidden::Values)),
            "cpus = 0.5\nengine = \"docker\"\ngrace = \"30s\"\nimage = \"a\"\nisolated = true\nmemory = \"128MiB\"\npids = 128\n"
        );
        assert_eq!(write_lifespan(Duration::from_secs(5400)), "90m");
        assert_eq!(write_lifespan(Duration::from_millis(1500)), "1500ms");
    }
}
