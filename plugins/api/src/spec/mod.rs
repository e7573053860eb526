//! The spec of a container.

mod device;
mod file;
mod resolver;
mod volume;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use device::{Device, DeviceAccess};
pub use file::{File, FileContent};
pub use resolver::Resolver;
pub use volume::{Volume, VolumeSource};

use crate::{Capabilities, Capability};

/// The specification of a container: everything that an engine needs to make it, besides its network.
///
/// It is recorded with the instance, so that a later change of the template does not affect running instances.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ContainerSpec {
    /// The image, as the engine names it.
    pub image: String,
    /// The host name inside. A container that shares another's network namespace has that container's host name.
    pub hostname: String,
    /// The command; empty to run the image's own.
    #[serde(default)]
    pub command: Vec<String>,
    /// Environment variables for the first process.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// Variables whose values are not recorded. The daemon reads each from its source right before it calls the engine,
    /// and passes the value on in `environment`.
    #[serde(default)]
    pub environment_from: BTreeMap<String, ValueSource>,
    /// Linux capabilities that it keeps, without `CAP_`. All others are dropped.
    #[serde(default)]
    pub capabilities: Vec<String>,
    /// Limits on what it may use of the host.
    #[serde(default)]
    pub resources: Resources,
    /// Labels for people and their tools, in addition to those of the mark.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Devices of the host that it may use.
    #[serde(default)]
    pub devices: Vec<Device>,
    /// Its volumes.
    #[serde(default)]
    pub volumes: Vec<Volume>,
    /// Files that are written into it before its first start.
    #[serde(default)]
    pub files: Vec<File>,
    /// Its name servers; `None` leaves the choice to the engine. A container that shares another's network namespace
    /// has that container's name servers.
    #[serde(default)]
    pub resolver: Option<Resolver>,
}

impl ContainerSpec {
    /// The capabilities that an engine needs to make this container.
    pub fn needs(&self) -> Capabilities {
        let needed = [
            (Capability::Devices, !self.devices.is_empty()),
            (Capability::Volumes, !self.volumes.is_empty()),
            (Capability::Files, !self.files.is_empty()),
            (Capability::Resolver, self.resolver.is_some()),
        ];
        let needed = needed.into_iter().filter(|(_, is_needed)| *is_needed);
        needed.fold(Capabilities::NONE, |all, (capability, _)| all.with(capability))
    }
}

/// Limits on what a container may use. `None` means no limit.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Resources {
    /// Memory in bytes. The container gets no swap beyond it.
    pub memory: Option<u64>,
    /// Processor time in thousandths of one processor.
    pub millicpus: Option<u32>,
    /// The number of processes and threads.
    pub pids: Option<u32>,
    /// Bytes that it may write into its file system, outside of its volumes.
    #[serde(default)]
    pub disk: Option<u64>,
}

/// The source of a value that is not recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ValueSource {
    /// A file of the host, by its absolute path.
    File(PathBuf),
    /// A systemd credential of the daemon (`LoadCredential=` in its unit), by its name.
    Credential(String),
}

impl fmt::Display for ValueSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Credential(name) => write!(f, "credential {name:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spec_needs_what_it_holds() {
        assert_eq!(ContainerSpec::default().needs(), Capabilities::NONE);
        let spec = ContainerSpec {
            resolver: Some(Resolver::default()),
            volumes: vec![Volume {
                source: VolumeSource::Name("data".to_owned()),
                target: "/data".into(),
                read_only: false,
            }],
            ..ContainerSpec::default()
        };
        assert_eq!(
            spec.needs(),
            Capabilities::of(&[Capability::Volumes, Capability::Resolver])
        );
    }

    #[test]
    fn what_a_file_holds_is_not_shown() {
        let secret = FileContent::Text("hunter2".to_owned());
        assert_eq!(format!("{secret:?}"), "Text(7 bytes)");
        assert_eq!(secret.bytes(), Some(&b"hunter2"[..]));
        assert_eq!(FileContent::From(ValueSource::File("/x".into())).bytes(), None);
    }
}
