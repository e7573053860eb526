use orchestrator_api_types as wire;
use orchestrator_model::{
    Access, ClientExtension, ContainerSpec, Device, DeviceAccess, File, FileContent, InstanceSpec, Mount, Resolver,
    Resources, Sidecar, SshFiles, ValueSource, Volume, VolumeSource,
};

use super::IntoWire;

/// Replaces a value that is hidden.
const HIDDEN: &str = "***";

impl IntoWire for ContainerSpec {
    type Wire = wire::ContainerSpec;

    /// No value of an environment variable is shown. Otherwise a token in a template would reach everybody who may list
    /// instances, and every log of such a list. The names are shown, and the file or credential that a value comes
    /// from.
    fn into_wire(self) -> wire::ContainerSpec {
        let Self {
            image,
            hostname,
            command,
            environment,
            environment_from,
            capabilities,
            resources,
            labels,
            devices,
            volumes,
            files,
            resolver,
        } = self;
        let hidden = |name| (name, HIDDEN.to_owned());
        let sources = environment_from.into_iter();
        wire::ContainerSpec {
            image,
            hostname,
            command,
            environment: environment.into_keys().map(hidden).collect(),
            environment_from: sources.map(|(name, source)| (name, source.into_wire())).collect(),
            capabilities,
            resources: resources.into_wire(),
            labels,
            devices: devices.into_wire(),
            volumes: volumes.into_wire(),
            files: files.into_wire(),
            resolver: resolver.map(IntoWire::into_wire),
        }
    }
}

impl IntoWire for InstanceSpec {
    type Wire = wire::InstanceSpec;

    fn into_wire(self) -> wire::InstanceSpec {
        let Self {
            main,
            sidecars,
            mounts,
            access,
            values,
            ssh,
            client_may,
            extension,
        } = self;
        wire::InstanceSpec {
            main: main.into_wire(),
            sidecars: sidecars.into_wire(),
            mounts: mounts.into_wire(),
            access: access.into_wire(),
            values,
            ssh: ssh.map(IntoWire::into_wire),
            client_may: client_may.iter().map(ToString::to_string).collect(),
            extension: extension.map(IntoWire::into_wire),
        }
    }
}

impl IntoWire for ClientExtension {
    type Wire = wire::ClientExtension;

    fn into_wire(self) -> wire::ClientExtension {
        let Self { by, times } = self;
        wire::ClientExtension {
            seconds: by.as_secs(),
            times,
        }
    }
}

impl IntoWire for SshFiles {
    type Wire = wire::SshFiles;

    fn into_wire(self) -> wire::SshFiles {
        let Self {
            host_key,
            authorized_keys,
            uid,
            gid,
        } = self;
        wire::SshFiles {
            host_key,
            authorized_keys,
            uid,
            gid,
        }
    }
}

impl IntoWire for Access {
    type Wire = wire::Access;

    fn into_wire(self) -> wire::Access {
        let Self {
            egress,
            nat,
            open,
            peers,
            together,
            front_door,
            rate,
        } = self;
        wire::Access {
            egress: texts(&egress),
            nat,
            open: texts(&open),
            peers: texts(&peers),
            together,
            front_door_ports: texts(&front_door),
            packet_rate: rate.packets,
            byte_rate: rate.bytes,
        }
    }
}

fn texts(list: &[impl ToString]) -> Vec<String> {
    list.iter().map(ToString::to_string).collect()
}

impl IntoWire for Mount {
    type Wire = wire::Mount;

    fn into_wire(self) -> wire::Mount {
        let Self {
            volume,
            name,
            container,
            target,
            read_only,
            size,
            mode: _,
            uid: _,
            gid: _,
        } = self;
        wire::Mount {
            volume,
            name,
            container: container.to_string(),
            target,
            read_only,
            size,
        }
    }
}

impl IntoWire for Sidecar {
    type Wire = wire::Sidecar;

    fn into_wire(self) -> wire::Sidecar {
        let Self { name, spec } = self;
        wire::Sidecar {
            name: name.to_string(),
            spec: spec.into_wire(),
        }
    }
}

impl IntoWire for Resources {
    type Wire = wire::Resources;

    fn into_wire(self) -> wire::Resources {
        let Self {
            memory,
            millicpus,
            pids,
            disk,
        } = self;
        wire::Resources {
            memory,
            millicpus,
            pids,
            disk,
        }
    }
}

impl IntoWire for ValueSource {
    type Wire = wire::ValueSource;

    fn into_wire(self) -> wire::ValueSource {
        match self {
            Self::File(path) => wire::ValueSource::File(path),
            Self::Credential(name) => wire::ValueSource::Credential(name),
        }
    }
}

impl IntoWire for Device {
    type Wire = wire::Device;

    fn into_wire(self) -> wire::Device {
        let Self { source, target, access } = self;
        let access = match access {
            DeviceAccess::Read => wire::DeviceAccess::Read,
            DeviceAccess::ReadWrite => wire::DeviceAccess::ReadWrite,
        };
        wire::Device { source, target, access }
    }
}

impl IntoWire for Volume {
    type Wire = wire::Volume;

    fn into_wire(self) -> wire::Volume {
        let Self {
            source,
            target,
            read_only,
        } = self;
        let source = match source {
            VolumeSource::Name(name) => wire::VolumeSource::Name(name),
            VolumeSource::Path(path) => wire::VolumeSource::Path(path),
        };
        wire::Volume {
            source,
            target,
            read_only,
        }
    }
}

impl IntoWire for File {
    type Wire = wire::File;

    /// The content may be secret, so only the size is shown.
    fn into_wire(self) -> wire::File {
        let Self {
            target,
            content,
            mode,
            uid,
            gid,
        } = self;
        let size = content.bytes().and_then(|bytes| u64::try_from(bytes.len()).ok());
        let from = match content {
            FileContent::From(source) => Some(source.into_wire()),
            FileContent::Text(_) | FileContent::Bytes(_) => None,
        };
        wire::File {
            target,
            size,
            from,
            mode,
            uid,
            gid,
        }
    }
}

impl IntoWire for Resolver {
    type Wire = wire::Resolver;

    fn into_wire(self) -> wire::Resolver {
        let Self { servers, search } = self;
        wire::Resolver { servers, search }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_a_secret_is_not_shown() {
        const SECRET: &str = "hunter2-is-no-good-token";
        let file = |content| File {
            target: "/etc/token".into(),
            content,
            mode: File::default_mode(),
            uid: 0,
            gid: 0,
        };
        let spec = ContainerSpec {
            environment: [("TOKEN".to_owned(), SECRET.to_owned())].into(),
            files: vec![
                file(FileContent::Text(SECRET.to_owned())),
                file(FileContent::Bytes(SECRET.into())),
                file(FileContent::From(ValueSource::Credential("token".to_owned()))),
            ],
            ..ContainerSpec::default()
        };
        let shown = spec.into_wire();
        assert!(!format!("{shown:?}").contains(SECRET), "{shown:?}");
        assert_eq!(shown.environment["TOKEN"], HIDDEN);
        let sizes: Vec<_> = shown.files.iter().map(|file| file.size).collect();
        assert_eq!(sizes, [Some(24), Some(24), None]);
        assert_eq!(
            shown.files[2].from,
            Some(wire::ValueSource::Credential("token".to_owned()))
        );
    }
}
