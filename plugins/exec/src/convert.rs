//! Types of the engine trait ↔ types of the protocol. Pure.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use orchestrator_plugin::{
    Container, ContainerKey, ContainerSpec, Device, DeviceAccess, File, FileContent, Found, FoundState, NetworkMode,
    Resolver, Resources, Running, RunningNetwork, Volume, VolumeSource,
};

use crate::protocol::{self, Access, Content, FoundNetwork, Limits, Named, Network, Spec, State};

/// The longest reference, in bytes.
const REFERENCE: usize = 256;

pub(crate) fn named(container: &Container) -> Named {
    Named {
        instance: container.key.instance.to_string(),
        name: container.key.name.to_string(),
        engine_name: container.key.engine_name(),
        reference: container.reference.clone(),
    }
}

pub(crate) fn container(named: &Named) -> Result<Container, String> {
    Ok(Container {
        key: key(&named.instance, &named.name)?,
        reference: named.reference.clone(),
    })
}

fn key(instance: &str, name: &str) -> Result<ContainerKey, String> {
    Ok(ContainerKey {
        instance: instance.parse().map_err(|fault| format!("{fault}"))?,
        name: name.parse().map_err(|fault| format!("{fault}"))?,
    })
}

pub(crate) fn network(mode: &NetworkMode) -> Network {
    match mode {
        NetworkMode::EngineNamespace => Network::EngineNamespace,
        NetworkMode::Prepared(path) => Network::Prepared { path: text(path) },
        NetworkMode::Shared(with) => Network::Shared { with: named(with) },
        NetworkMode::EnginePort { network } => Network::EnginePort {
            network: network.clone(),
        },
        NetworkMode::Tap { interface } => Network::Tap {
            interface: interface.clone(),
        },
    }
}

pub(crate) fn mode(network: &Network) -> Result<NetworkMode, String> {
    Ok(match network {
        Network::EngineNamespace => NetworkMode::EngineNamespace,
        Network::Prepared { path } => NetworkMode::Prepared(absolute(path)?),
        Network::Shared { with } => NetworkMode::Shared(container(with)?),
        Network::EnginePort { network } => NetworkMode::EnginePort {
            network: network.clone(),
        },
        Network::Tap { interface } => NetworkMode::Tap {
            interface: interface.clone(),
        },
    })
}

/// The specification as an executable gets it; what of it cannot be handed over, and why.
pub(crate) fn spec(spec: &ContainerSpec) -> Result<Spec, String> {
    Ok(Spec {
        image: spec.image.clone(),
        hostname: spec.hostname.clone(),
        command: spec.command.clone(),
        environment: spec.environment.clone(),
        capabilities: spec.capabilities.clone(),
        limits: Limits {
            memory_bytes: spec.resources.memory,
            millicpus: spec.resources.millicpus,
            pids: spec.resources.pids,
            disk_bytes: spec.resources.disk,
        },
        labels: spec.labels.clone(),
        devices: spec.devices.iter().map(device).collect(),
        volumes: spec.volumes.iter().map(volume).collect(),
        files: spec.files.iter().map(file).collect::<Result<_, _>>()?,
        resolver: spec.resolver.as_ref().map(|resolver| protocol::Resolver {
            servers: resolver.servers.iter().map(ToString::to_string).collect(),
            search: resolver.search.clone(),
        }),
    })
}

fn device(device: &Device) -> protocol::Device {
    protocol::Device {
        source: text(&device.source),
        target: text(&device.target),
        access: match device.access {
            DeviceAccess::Read => Access::Read,
            DeviceAccess::ReadWrite => Access::ReadWrite,
        },
    }
}

fn volume(volume: &Volume) -> protocol::Volume {
    let (named, path) = match &volume.source {
        VolumeSource::Name(name) => (Some(name.clone()), None),
        VolumeSource::Path(path) => (None, Some(text(path))),
    };
    protocol::Volume {
        volume: named,
        path,
        target: text(&volume.target),
        read_only: volume.read_only,
    }
}

fn file(file: &File) -> Result<protocol::File, String> {
    let content = match &file.content {
        FileContent::Text(text) => Content::Text(text.clone()),
        FileContent::Bytes(bytes) => Content::Base64(BASE64.encode(bytes)),
        FileContent::From(_) => return Err(format!("file {}: its source was not read", file.target.display())),
    };
    Ok(protocol::File {
        target: text(&file.target),
        content,
        mode: file.mode,
        uid: file.uid,
        gid: file.gid,
    })
}

/// A specification as it was before an executable got it.
pub(crate) fn container_spec(spec: &Spec) -> Result<ContainerSpec, String> {
    let resolver = spec.resolver.as_ref().map(|resolver| {
        let servers = resolver.servers.iter().map(|server| server.parse());
        Ok::<_, String>(Resolver {
            servers: servers.collect::<Result<_, _>>().map_err(|fault| format!("{fault}"))?,
            search: resolver.search.clone(),
        })
    });
    Ok(ContainerSpec {
        image: spec.image.clone(),
        hostname: spec.hostname.clone(),
        command: spec.command.clone(),
        environment: spec.environment.clone(),
        capabilities: spec.capabilities.clone(),
        resources: Resources {
            memory: spec.limits.memory_bytes,
            millicpus: spec.limits.millicpus,
            pids: spec.limits.pids,
            disk: spec.limits.disk_bytes,
        },
        labels: spec.labels.clone(),
        devices: spec.devices.iter().map(device_of).collect(),
        volumes: spec.volumes.iter().map(volume_of).collect::<Result<_, _>>()?,
        files: spec.files.iter().map(file_of).collect::<Result<_, _>>()?,
        resolver: resolver.transpose()?,
        ..ContainerSpec::default()
    })
}

fn device_of(device: &protocol::Device) -> Device {
    Device {
        source: device.source.clone().into(),
        target: device.target.clone().into(),
        access: match device.access {
            Access::Read => DeviceAccess::Read,
            Access::ReadWrite => DeviceAccess::ReadWrite,
        },
    }
}

fn volume_of(volume: &protocol::Volume) -> Result<Volume, String> {
    Ok(Volume {
        source: match (&volume.volume, &volume.path) {
            (Some(name), None) => VolumeSource::Name(name.clone()),
            (None, Some(path)) => VolumeSource::Path(absolute(path)?),
            _ => return Err("a volume has either a name or a path".to_owned()),
        },
        target: volume.target.clone().into(),
        read_only: volume.read_only,
    })
}

fn file_of(file: &protocol::File) -> Result<File, String> {
    let content = match &file.content {
        Content::Text(text) => FileContent::Text(text.clone()),
        Content::Base64(text) => {
            let bytes = BASE64.decode(text);
            FileContent::Bytes(bytes.map_err(|fault| format!("file {}: {fault}", file.target))?)
        }
    };
    Ok(File {
        target: file.target.clone().into(),
        content,
        mode: file.mode,
        uid: file.uid,
        gid: file.gid,
    })
}

/// A container that an executable reported, once everything in it was checked.
pub(crate) fn found(found: &protocol::Container) -> Result<Found, String> {
    let reference = &found.reference;
    let is_plain = reference.bytes().all(|byte| byte.is_ascii_graphic());
    if reference.is_empty() || reference.len() > REFERENCE || !is_plain {
        return Err(format!(
            "{reference:?} is not a reference: write 1 to {REFERENCE} printable ASCII characters"
        ));
    }
    Ok(Found {
        key: key(&found.instance, &found.name)?,
        reference: reference.clone(),
        state: match &found.state {
            State::Created => FoundState::Created,
            State::Running { pid, network } => FoundState::Running(running(*pid, network)?),
            State::Paused { pid, network } => FoundState::Paused(running(*pid, network)?),
            State::Exited { code } => FoundState::Exited { code: *code },
        },
    })
}

fn running(pid: u32, network: &FoundNetwork) -> Result<Running, String> {
    if pid == 0 {
        return Err("0 is not the number of a process".to_owned());
    }
    Ok(Running {
        pid,
        network: match network {
            FoundNetwork::EngineNamespace { path } => RunningNetwork::EngineNamespace(absolute(path)?),
            FoundNetwork::Prepared { path } => RunningNetwork::Prepared(absolute(path)?),
            FoundNetwork::Shared { with } => RunningNetwork::Shared(with.parse().map_err(|fault| format!("{fault}"))?),
            FoundNetwork::EnginePort { interface } => RunningNetwork::EnginePort {
                interface: interface.clone(),
            },
            FoundNetwork::Tap { interface } => RunningNetwork::Tap {
                interface: interface.clone(),
            },
        },
    })
}

/// A container as an executable reports it.
pub(crate) fn reported(found: &Found) -> protocol::Container {
    let state = match &found.state {
        FoundState::Created => State::Created,
        FoundState::Running(running) => State::Running {
            pid: running.pid,
            network: network_of(&running.network),
        },
        FoundState::Paused(running) => State::Paused {
            pid: running.pid,
            network: network_of(&running.network),
        },
        FoundState::Exited { code } => State::Exited { code: *code },
    };
    protocol::Container {
        instance: found.key.instance.to_string(),
        name: found.key.name.to_string(),
        reference: found.reference.clone(),
        state,
    }
}

fn network_of(network: &RunningNetwork) -> FoundNetwork {
    match network {
        RunningNetwork::EngineNamespace(path) => FoundNetwork::EngineNamespace { path: text(path) },
        RunningNetwork::Prepared(path) => FoundNetwork::Prepared { path: text(path) },
        RunningNetwork::Shared(with) => FoundNetwork::Shared { with: with.to_string() },
        RunningNetwork::EnginePort { interface } => FoundNetwork::EnginePort {
            interface: interface.clone(),
        },
        RunningNetwork::Tap { interface } => FoundNetwork::Tap {
            interface: interface.clone(),
        },
    }
}

fn absolute(path: &str) -> Result<PathBuf, String> {
    match Path::new(path).is_absolute() {
        true => Ok(path.into()),
        false => Err(format!("{path:?} is not an absolute path")),
    }
}

/// JSON has no paths but text.
fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use orchestrator_plugin::{InstanceId, ValueSource};

    use super::*;

    fn whole() -> ContainerSpec {
        ContainerSpec {
            image: "web".to_owned(),
            hostname: "lamp".to_owned(),
            command: vec!["sleep".to_owned()],
            environment: [("A".to_owned(), "b=c".to_owned())].into(),
            capabilities: vec!["NET_RAW".to_owned()],
            resources: Resources {
                memory: Some(1 << 20),
                millicpus: Some(500),
                pids: None,
                disk: Some(1 << 30),
            },
            labels: [("tier".to_owned(), "lab".to_owned())].into(),
            devices: vec![Device {
                source: "/dev/fuse".into(),
                target: "/dev/fuse".into(),
                access: DeviceAccess::Read,
            }],
            volumes: ["data", "/srv"].map(volume_at).into(),
            files: vec![
                file_with(FileContent::Text("hello".to_owned())),
                file_with(FileContent::Bytes(vec![0, 255])),
            ],
            resolver: Some(Resolver {
                servers: vec!["fd39::53".parse().unwrap()],
                search: vec!["lab.example".to_owned()],
            }),
            ..ContainerSpec::default()
        }
    }

    fn volume_at(source: &str) -> Volume {
        Volume {
            source: match source.starts_with('/') {
                true => VolumeSource::Path(source.into()),
                false => VolumeSource::Name(source.to_owned()),
            },
            target: "/data".into(),
            read_only: true,
        }
    }

    fn file_with(content: FileContent) -> File {
        File {
            target: "/etc/x".into(),
            content,
            mode: 0o640,
            uid: 7,
            gid: 8,
        }
    }

    #[test]
    fn a_specification_goes_there_and_back() {
        let there = serde_json::to_string(&spec(&whole()).unwrap()).unwrap();
        let back: Spec = serde_json::from_str(&there).unwrap();
        assert_eq!(container_spec(&back).unwrap(), whole());
    }

    #[test]
    fn a_source_that_was_not_read_is_not_handed_over() {
        let unread = FileContent::From(ValueSource::File("/etc/secret".into()));
        let fault = spec(&ContainerSpec {
            files: vec![file_with(unread)],
            ..whole()
        });
        assert_eq!(fault.unwrap_err(), "file /etc/x: its source was not read");
    }

    #[test]
    fn containers_and_networks_go_there_and_back() {
        let main = Container::main(InstanceId::from_bytes([2; 6])).recorded("c0ffee");
        assert_eq!(container(&named(&main)).unwrap(), main);
        let modes = [
            NetworkMode::EngineNamespace,
            NetworkMode::Prepared("/run/netns/x".into()),
            NetworkMode::Shared(main.clone()),
            NetworkMode::EnginePort {
                network: "lan".to_owned(),
            },
            NetworkMode::Tap {
                interface: "tap0".to_owned(),
            },
        ];
        for one in modes {
            assert_eq!(mode(&network(&one)).unwrap(), one);
        }
        for state in [
            FoundState::Created,
            FoundState::Exited { code: 137 },
            FoundState::Running(Running {
                pid: 7,
                network: RunningNetwork::EngineNamespace("/proc/7/ns/net".into()),
            }),
            FoundState::Paused(Running {
                pid: 7,
                network: RunningNetwork::Shared("main".parse().unwrap()),
            }),
        ] {
            let one = Found {
                key: main.key.clone(),
                reference: "c0ffee".to_owned(),
                state,
            };
            let text = serde_json::to_string(&reported(&one)).unwrap();
            assert_eq!(found(&serde_json::from_str(&text).unwrap()).unwrap(), one);
        }
    }

    #[test]
    fn nonsense_of_an_executable_is_refused() {
        let good = protocol::Container {
            instance: "3f9a2c01d2e4".to_owned(),
            name: "main".to_owned(),
            reference: "c0ffee".to_owned(),
            state: State::Created,
        };
        found(&good).unwrap();
        let running = |pid, path: &str| State::Running {
            pid,
            network: FoundNetwork::EngineNamespace { path: path.to_owned() },
        };
        for (what, bad) in [
            (
                "id",
                protocol::Container {
                    instance: "../..".to_owned(),
                    ..good.clone()
                },
            ),
            (
                "name",
                protocol::Container {
                    name: "-".to_owned(),
                    ..good.clone()
                },
            ),
            (
                "reference",
                protocol::Container {
                    reference: String::new(),
                    ..good.clone()
                },
            ),
            (
                "reference",
                protocol::Container {
                    reference: "a\u{1b}b".to_owned(),
                    ..good.clone()
                },
            ),
            (
                "reference",
                protocol::Container {
                    reference: "x".repeat(257),
                    ..good.clone()
                },
            ),
            (
                "process",
                protocol::Container {
                    state: running(0, "/proc/7/ns/net"),
                    ..good.clone()
                },
            ),
            (
                "path",
                protocol::Container {
                    state: running(7, "ns/net"),
                    ..good.clone()
                },
            ),
        ] {
            let fault = found(&bad).unwrap_err();
            assert!(fault.contains(what), "{fault}");
        }
    }
}
