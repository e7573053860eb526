//! Specifications of instances.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Access, ClientAction, ClientExtension, Container, ContainerName, ContainerSpec, VolumeId};

/// The specification of an instance: the specification of each of its containers.
///
/// Its JSON is that of the first container, with the list of the others under `sidecars`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct InstanceSpec {
    /// The first container. All containers use its network namespace.
    #[serde(flatten)]
    pub main: ContainerSpec,
    /// The other containers, in the order in which they start.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sidecars: Vec<Sidecar>,
    /// The volumes that it holds, and where its containers have them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mounts: Vec<Mount>,
    /// What it may reach, and who may reach it besides its own client.
    #[serde(default, skip_serializing_if = "Access::is_default")]
    pub access: Access,
    /// What the metadata service tells the instance besides what it is: the values of its template.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<String, String>,
    /// Where its SSH keys are written; `None` if they are not written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ssh: Option<SshFiles>,
    /// What its client may do with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub client_may: Vec<ClientAction>,
    /// How its client may extend its time; `None` if it may not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extension: Option<ClientExtension>,
}

/// Where the SSH keys of an instance are written in its first container, before its first start.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SshFiles {
    /// Absolute path of the host key. Every instance of the slot has the same.
    pub host_key: Option<PathBuf>,
    /// Absolute path of the list of keys that may log in: those of its client.
    pub authorized_keys: Option<PathBuf>,
    /// Number of the user that the files belong to.
    pub uid: u32,
    /// Number of the group that the files belong to.
    pub gid: u32,
}

/// A volume in a container of an instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// The volume.
    pub volume: VolumeId,
    /// The name of the volume in the template.
    pub name: String,
    /// The container that has it.
    pub container: ContainerName,
    /// Absolute path inside the container.
    pub target: PathBuf,
    /// Whether the container may only read it.
    pub read_only: bool,
    /// The most that it may hold, in bytes; `None` is no limit.
    pub size: Option<u64>,
    /// Permission bits of its directory when it is made.
    pub mode: u32,
    /// Number of the user that its directory belongs to when it is made.
    pub uid: u32,
    /// Number of the group that its directory belongs to when it is made.
    pub gid: u32,
}

/// A further container of an instance.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Sidecar {
    /// Its name among the containers of the instance.
    pub name: ContainerName,
    /// Its specification.
    #[serde(flatten)]
    pub spec: ContainerSpec,
}

impl InstanceSpec {
    /// The specification of the container with this name; `None` if there is none.
    pub fn of(&self, container: &str) -> Option<&ContainerSpec> {
        if container == Container::MAIN {
            return Some(&self.main);
        }
        let mut sidecars = self.sidecars.iter();
        let found = sidecars.find(|sidecar| sidecar.name.as_str() == container)?;
        Some(&found.spec)
    }
}

impl InstanceSpec {
    /// The specifications of all containers, the first one first.
    pub fn containers(&self) -> impl Iterator<Item = &ContainerSpec> {
        let others = self.sidecars.iter().map(|sidecar| &sidecar.spec);
        std::iter::once(&self.main).chain(others)
    }
}

impl From<ContainerSpec> for InstanceSpec {
    /// An instance of one container.
    fn from(main: ContainerSpec) -> Self {
        Self {
            main,
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{FileContent, Resolver, Resources, ValueSource};

    fn spec(image: &str) -> ContainerSpec {
        ContainerSpec {
            image: image.to_owned(),
            environment_from: [("KEY".to_owned(), ValueSource::Credential("key".to_owned()))].into(),
            resources: Resources {
                memory: Some(1 << 40),
                millicpus: Some(500),
                pids: None,
                disk: None,
            },
            files: vec![crate::File {
                target: "/etc/a".into(),
                content: FileContent::Bytes(vec![0, 255]),
                mode: 0o600,
                uid: 0,
                gid: 7,
            }],
            resolver: Some(Resolver {
                servers: vec!["fd39::53".parse().unwrap()],
                search: Vec::new(),
            }),
            ..ContainerSpec::default()
        }
    }

    #[test]
    fn one_container_is_recorded_as_before_there_were_several() {
        let alone = InstanceSpec::from(spec("web"));
        assert_eq!(
            serde_json::to_value(&alone).unwrap(),
            serde_json::to_value(&alone.main).unwrap()
        );
        let before = json!({"image": "web", "hostname": "a"});
        let read: InstanceSpec = serde_json::from_value(before).unwrap();
        assert_eq!((read.main.hostname.as_str(), read.sidecars.len()), ("a", 0));
    }

    #[test]
    fn every_container_is_read_back_and_found_by_its_name() {
        let sidecar = |name: &str, image| Sidecar {
            name: name.parse().unwrap(),
            spec: spec(image),
        };
        let all = InstanceSpec {
            main: spec("web"),
            sidecars: vec![sidecar("proxy", "haproxy"), sidecar("log", "vector")],
            mounts: vec![Mount {
                volume: crate::Id::from_bytes([7; 6]),
                name: "data".to_owned(),
                container: "proxy".parse().unwrap(),
                target: "/data".into(),
                read_only: true,
                size: Some(1 << 30),
                mode: 0o700,
                uid: 7,
                gid: 8,
            }],
            access: Access {
                nat: true,
                ..Access::default()
            },
            ssh: Some(SshFiles {
                host_key: Some("/etc/ssh/ssh_host_ed25519_key".into()),
                ..SshFiles::default()
            }),
            client_may: vec![ClientAction::Restart],
            extension: Some(ClientExtension {
                by: std::time::Duration::from_secs(3600),
                times: 2,
            }),
            values: [("greeting".to_owned(), "hello".to_owned())].into(),
        };
        let text = serde_json::to_string(&all).unwrap();
        assert_eq!(serde_json::from_str::<InstanceSpec>(&text).unwrap(), all);
        let image = |name| all.of(name).map(|spec| spec.image.as_str());
        assert_eq!(
            (image("main"), image("log"), image("nobody")),
            (Some("web"), Some("vector"), None)
        );
    }
}
